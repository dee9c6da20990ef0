//! A running gateway: listeners, workers, the admin pages, and the pipeline in force.

use super::admin::Admin;
use super::control::{Reload, State};
use super::listeners::{self, Kept};
use super::settings::Settings;
use anyhow::Context;
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use torana_credential::directory::{Consumers, Directory};
use torana_observe::Metrics;
use torana_plan::{ListenerPlan, Plan};
use torana_proxy::{
    Chores, Ended, Registry, Report, Shared, WorkerHandle, prepare, return_leases, start_worker,
};
use torana_transport::handover::Inherited;
use torana_types::{ListenAddr, TimeSpan, counted};
use tracing::{error, info};

/// How long the last lines of the access log may take.
const LAST_LINES: Duration = Duration::from_secs(2);
/// How long the return of leased permits may take; what is left ends by itself.
const RETURNING: Duration = Duration::from_secs(1);
/// How long a drain waits for its workers to take notice of it.
const NOTICE: Duration = Duration::from_secs(1);

/// A running gateway.
#[derive(Debug)]
pub(crate) struct Server {
    settings: Settings,
    plan: Plan,
    registry: Registry,
    metrics: Arc<Metrics>,
    shared: Arc<Shared>,
    state: Arc<State>,
    workers: Vec<WorkerHandle>,
    /// Where clients connect, with real ports.
    pub(crate) addresses: Vec<SocketAddr>,
    admin: Option<Admin>,
    /// The listening sockets, for a successor.
    kept: Kept,
}

impl Server {
    /// Binds and starts everything, then listens: a process that ends before has taken no connection.
    ///
    /// # Errors
    /// An address cannot be listened on, the access log cannot be written, or threads cannot be started.
    pub(crate) fn start(
        mut plan: Plan,
        redacted: Value,
        settings: &Settings,
        inherited: Inherited,
    ) -> anyhow::Result<Self> {
        settings.apply(&mut plan)?;
        let metrics = Metrics::new();
        let chores = Chores::start().context("cannot start a thread")?;
        let mut registry = Registry::with_chores(chores.clone());
        let pipeline = prepare(&plan, &mut registry, &metrics)?;
        let count = plan.settings.workers.map_or_else(cores, |workers| usize::from(workers.get()));
        let sockets = listeners::open(&addresses(&plan), plan.settings.admin, count, inherited)?;
        let shared = Shared::new(pipeline, Arc::clone(&metrics));
        metrics.set_source(Box::new(Report::new(Arc::downgrade(&shared))));
        let state = State::new(Arc::clone(&metrics), Arc::downgrade(&shared), chores);
        let token = plan.settings.admin_token.as_ref();
        state.configured(redacted, urls(&sockets.addresses, &plan), &[], token);
        let mut workers = Vec::with_capacity(count);
        for number in 0..count {
            let counted = Arc::clone(&metrics);
            let report = move |error: torana_transport::AcceptError| {
                counted.connections().accept_failed();
                error!("cannot accept connections: {}", error.0);
            };
            let name = format!("worker-{number}");
            workers.push(start_worker(name, Arc::clone(&shared), report).context("cannot start a thread")?);
        }
        let admin = sockets.admin.map(|listener| Admin::start(listener, &state)).transpose()?;
        // Last of all that may fail: from here on clients come.
        let of_workers: Vec<_> =
            sockets.of_workers.into_iter().map(listeners::listen).collect::<anyhow::Result<_>>()?;
        for (worker, sockets) in workers.iter_mut().zip(of_workers) {
            worker.serve(sockets);
        }
        // Before it is said: who reads that it listens finds it ready.
        state.ready();
        for url in urls(&sockets.addresses, &plan) {
            info!("listening on {url} with {}", counted(count, "worker"));
        }
        if let Some(Admin { address, .. }) = &admin {
            info!("admin pages on http://{address}");
        }
        let settings = settings.clone();
        let started = Self {
            settings,
            plan,
            registry,
            metrics,
            shared,
            state,
            workers,
            addresses: sockets.addresses,
            admin,
            kept: sockets.kept,
        };
        Ok(started)
    }

    /// Where the admin pages are.
    pub(crate) fn admin(&self) -> Option<SocketAddr> {
        self.admin.as_ref().map(|admin| admin.address)
    }

    /// The listening sockets, for a successor.
    pub(super) const fn sockets(&self) -> &Kept {
        &self.kept
    }

    /// A successor serves: probes and scrapes are its own from now on. The last ones that have come here are
    /// told that there is a gateway which is ready.
    pub(super) fn leave_admin(&mut self) {
        self.admin = None;
    }

    /// Prepares a plan beside the one in force and exchanges them.
    ///
    /// # Errors
    /// The plan cannot be served here; nothing has changed.
    pub(crate) fn reload(&mut self, mut plan: Plan, redacted: Value) -> anyhow::Result<Reload> {
        if let Err(problem) = self.settings.apply(&mut plan) {
            self.reload_failed();
            return Err(problem);
        }
        let wanted = addresses(&plan);
        self.keep_listeners(&mut plan);
        let pipeline = match prepare(&plan, &mut self.registry, &self.metrics) {
            Ok(pipeline) => pipeline,
            Err(problem) => {
                self.reload_failed();
                return Err(problem.into());
            }
        };
        plan.consumers.commit();
        self.shared.replace(pipeline);
        self.metrics.sweep();
        let (old, new) = (&self.plan.settings, &plan.settings);
        let fixed = [
            ("listen", addresses(&self.plan) != wanted),
            ("admin", old.admin != new.admin),
            ("workers", old.workers != new.workers),
        ];
        let needs_restart: Vec<&str> =
            fixed.iter().filter(|(_, changed)| *changed).map(|(what, _)| *what).collect();
        let token = plan.settings.admin_token.as_ref();
        self.state.configured(redacted, urls(&self.addresses, &plan), &needs_restart, token);
        // What did not take effect is compared with what is in force the next time too.
        let (admin, workers) = (old.admin, old.workers);
        self.plan = plan;
        self.plan.settings.admin = admin;
        self.plan.settings.workers = workers;
        Ok(Reload { needs_restart })
    }

    /// The sockets stay as they are, in their order; each takes over what the new plan asks of connections
    /// at its address.
    fn keep_listeners(&self, plan: &mut Plan) {
        let new = std::mem::take(&mut plan.settings.listen);
        let same = |old: &ListenerPlan| new.iter().find(|new| new.address == old.address);
        plan.settings.listen =
            self.plan.settings.listen.iter().map(|old| same(old).unwrap_or(old).clone()).collect();
    }

    /// Where policies look consumers up.
    pub(super) const fn consumers(&self) -> &Arc<Consumers> {
        &self.plan.consumers
    }

    /// Whether the plan itself holds a consumer: it must be made anew when consumers change.
    pub(super) fn plans_with_a_consumer(&self) -> bool {
        self.plan.routes.iter().any(|route| route.authentication.anonymous.is_some())
    }

    /// Brings other consumers in force; everything else stays.
    pub(super) fn exchange_consumers(&self, directory: Arc<Directory>) {
        self.plan.consumers.replace(directory);
        self.metrics.reloads().succeeded();
    }

    /// A configuration was refused.
    pub(crate) fn reload_failed(&self) {
        self.metrics.reloads().failed();
    }

    /// Has the access log's file opened again by its name.
    pub(crate) fn reopen_access_log(&self) {
        if let Some(log) = self.registry.access_log() {
            log.reopen();
        }
    }

    /// Says by its readiness that it will stop, where it is to serve for a while after that; gives for how long.
    pub(crate) fn announce_drain(&self) -> TimeSpan {
        let delay = self.plan.settings.drain_delay;
        if !delay.is_zero() {
            self.state.draining();
        }
        delay
    }

    /// Accepts nothing more and waits for what is under way, up to the deadline of the configuration.
    /// `false`: something was cut off.
    pub(crate) async fn drain(&mut self) -> bool {
        // Held here, the sockets would stay open when the workers close them.
        self.kept.clear();
        let deadline = self.plan.settings.drain_timeout.as_duration();
        for worker in &self.workers {
            worker.drain(deadline);
        }
        let noticed = async {
            for worker in &self.workers {
                worker.noticed().await;
            }
        };
        // Who reads that the process drains may rely on it; a worker that is stuck does not hide it.
        let _ = tokio::time::timeout(NOTICE, noticed).await;
        if self.admin.is_some() {
            self.state.draining();
        }
        let workers = std::mem::take(&mut self.workers);
        let join = move || workers.into_iter().map(WorkerHandle::join).collect::<Vec<_>>();
        let ended = tokio::task::spawn_blocking(join).await.unwrap_or_default();
        if ended.contains(&Ended::Panicked) {
            error!("a worker has ended by a mistake of its own");
        }
        if let Some(chores) = self.registry.chores() {
            // Others may use at once what this gateway does not need any more.
            let returned = return_leases(&self.shared, chores, RETURNING).await;
            if returned > 0 {
                info!("returned {} to the store", counted(returned, "leased permit"));
            }
        }
        self.write_last_lines().await;
        ended.iter().all(|ended| *ended == Ended::Whole)
    }

    /// Has everything written that the access log has taken.
    pub(crate) async fn write_last_lines(&self) {
        let log = self.registry.access_log().cloned();
        let written = match log {
            Some(log) => tokio::task::spawn_blocking(move || log.finish(LAST_LINES)).await.unwrap_or(false),
            None => true,
        };
        if !written {
            error!("the last lines of the access log could not be written");
        }
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

fn addresses(plan: &Plan) -> Vec<ListenAddr> {
    plan.settings.listen.iter().map(|listener| listener.address).collect()
}

fn urls(addresses: &[SocketAddr], plan: &Plan) -> Vec<String> {
    let url = |(address, listener): (&SocketAddr, &ListenerPlan)| {
        format!("{}://{address}", if listener.tls.is_some() { "https" } else { "http" })
    };
    addresses.iter().zip(&plan.settings.listen).map(url).collect()
}
