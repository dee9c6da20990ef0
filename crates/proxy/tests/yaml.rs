//! A whole gateway in process: a configuration as text, workers on port 0.
#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "shared by test binaries that use parts of it"
)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use torana_config::{FixedResolver, render};
use torana_credential::directory::Consumers;
use torana_observe::Metrics;
use torana_plan::{Plan, load_with};
use torana_proxy::{Chores, Ended, Registry, Report, Shared, WorkerHandle, prepare, start_worker};
use torana_testkit::{Client, Response};
use torana_transport::bind;

pub const SECRET: &str = "a secret of at least thirty-two bytes";

pub struct Running {
    pub address: SocketAddr,
    /// Of every listener, in the order of the file.
    pub addresses: Vec<SocketAddr>,
    pub shared: Arc<Shared>,
    pub metrics: Arc<Metrics>,
    registry: Registry,
    consumers: Arc<Consumers>,
    workers: Vec<WorkerHandle>,
    resolver: FixedResolver,
}

/// Plans a text, with `${env:KEY}` set.
pub fn plan(text: &str) -> Plan {
    planned(text, &resolver(), None)
}

/// What every test's file may refer to.
pub fn resolver() -> FixedResolver {
    FixedResolver::default().with_environment("KEY", SECRET)
}

fn planned(text: &str, resolver: &FixedResolver, consumers: Option<&Arc<Consumers>>) -> Plan {
    let loaded = load_with("test.yaml", text, resolver, consumers);
    let findings = render(&loaded.findings, &loaded.source, false);
    loaded.plan.unwrap_or_else(|| panic!("{findings}"))
}

/// The reason that a problem document names.
pub fn reason(response: &Response) -> String {
    let text = response.text();
    let problem: serde_json::Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}"));
    problem["reason"].as_str().unwrap().to_owned()
}

impl Running {
    pub fn start(text: &str) -> Self {
        Self::with_workers(text, 1)
    }

    pub fn with_workers(text: &str, count: usize) -> Self {
        Self::with_resolver(text, count, resolver())
    }

    pub fn with_resolver(text: &str, count: usize, resolver: FixedResolver) -> Self {
        let metrics = Metrics::new();
        let mut registry = Registry::with_chores(Chores::start().unwrap());
        let plan = planned(text, &resolver, None);
        let consumers = Arc::clone(&plan.consumers);
        let pipeline = prepare(&plan, &mut registry, &metrics).unwrap();
        let shared = Shared::new(pipeline, Arc::clone(&metrics));
        metrics.set_source(Box::new(Report::new(Arc::downgrade(&shared))));
        let mut addresses = vec![SocketAddr::from(([127, 0, 0, 1], 0)); plan.settings.listen.len()];
        let mut workers = Vec::new();
        for number in 0..count {
            let listen = |(number, address): (usize, &mut SocketAddr)| {
                let listener = bind(*address).unwrap();
                *address = listener.local_addr().unwrap();
                (number, listener)
            };
            let listeners = addresses.iter_mut().enumerate().map(listen).collect();
            let mut worker = start_worker(format!("w{number}"), Arc::clone(&shared), |_| {}).unwrap();
            worker.serve(listeners);
            workers.push(worker);
        }
        Self { address: addresses[0], addresses, shared, metrics, registry, consumers, workers, resolver }
    }

    /// Sends a head, its lines apart by line feeds, on a connection of its own.
    pub fn ask(&self, head: &str) -> Response {
        Client::connect(self.address).exchange(format!("{}\r\n\r\n", head.trim_end().replace('\n', "\r\n")))
    }

    /// Sends a head like that, the length of a body after its last line, and the body.
    pub fn ask_with(&self, head: &str, body: &str) -> Response {
        let (head, length) = (head.trim_end().replace('\n', "\r\n"), body.len());
        Client::connect(self.address).exchange(format!("{head}\r\nContent-Length: {length}\r\n\r\n{body}"))
    }

    /// Asks for a target, at `api.test`.
    pub fn get(&self, target: &str) -> Response {
        self.ask(&format!("GET {target} HTTP/1.1\nHost: api.test"))
    }

    pub fn chores(&self) -> &Chores {
        self.registry.chores().unwrap()
    }

    /// Starts a drain; dropping still waits for the workers.
    pub fn drain_within(&self, deadline: Duration) {
        for worker in &self.workers {
            worker.drain(deadline);
        }
    }

    pub fn reload(&mut self, text: &str) {
        let plan = planned(text, &self.resolver, Some(&self.consumers));
        let pipeline = prepare(&plan, &mut self.registry, &self.metrics).unwrap();
        plan.consumers.commit();
        self.shared.replace(pipeline);
    }

    /// Tells the workers to end.
    pub fn drain(&self) {
        self.drain_within(Duration::from_secs(5));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // What is still under way nobody waits for.
        self.drain_within(Duration::from_millis(100));
        for worker in self.workers.drain(..) {
            let ended = worker.join();
            assert!(ended != Ended::Panicked || std::thread::panicking(), "a worker panicked");
        }
    }
}
