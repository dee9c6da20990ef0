//! `torana run`: serves, reloads, drains.
//!
//! This thread is the control plane: it watches the file, prepares pipelines, answers signals and the admin
//! pages. Requests are served on threads of their own and never wait for it.

mod control;
mod server;
mod watch;

use crate::arguments::RunArguments;
use crate::file;
use anyhow::Context;
use control::Reload;
pub(crate) use server::{Server, Settings};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{error, info, warn};
use watch::Watch;

pub(crate) fn run(arguments: &RunArguments) -> anyhow::Result<ExitCode> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_target(false).init();
    let settings =
        Settings { listen: arguments.listen.clone(), admin: arguments.admin, workers: arguments.workers };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(serve(&arguments.file, &settings, |_| {}))
}

/// Serves a file until a signal says to stop. `started` is told of the server once it listens.
pub(crate) async fn serve(
    path: &Path,
    settings: &Settings,
    started: impl FnOnce(&Server),
) -> anyhow::Result<ExitCode> {
    let mut watch = Watch::new(vec![path.to_owned()]);
    let read = file::read(path)?;
    eprint!("{}", file::grave(&read.loaded));
    let (Some(plan), Some(document)) = (read.loaded.plan, read.loaded.document) else {
        eprintln!("torana: {} cannot be served", path.display());
        return Ok(ExitCode::FAILURE);
    };
    watch.follow(read.files);
    let mut server = Server::start(plan, document.redacted(), settings).await?;
    started(&server);
    let mut signals = Signals::new().context("cannot listen for signals")?;
    loop {
        let what = tokio::select! {
            signalled = signals.next() => signalled,
            () = watch.changed() => Event::Changed,
        };
        match what {
            Event::Stop => break,
            Event::Hangup => {
                server.reopen_access_log();
                reload(path, &mut server, &mut watch);
            }
            Event::Changed => reload(path, &mut server, &mut watch),
        }
    }
    info!("stopping: no new connections, requests under way may end");
    let all_ended = tokio::select! {
        ended = server.drain() => ended,
        _ = signals.next_stop() => {
            warn!("a second signal: ending at once");
            return Ok(ExitCode::FAILURE);
        }
    };
    if !all_ended {
        warn!("the drain deadline passed; what was left was cut off");
    }
    info!("stopped");
    Ok(ExitCode::SUCCESS)
}

enum Event {
    Stop,
    Hangup,
    Changed,
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Event {
        tokio::select! {
            _ = self.terminate.recv() => Event::Stop,
            _ = self.interrupt.recv() => Event::Stop,
            _ = self.hangup.recv() => Event::Hangup,
        }
    }

    async fn next_stop(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Puts the file in force as it is now, or says why not and changes nothing.
fn reload(path: &Path, server: &mut Server, watch: &mut Watch) {
    watch.refresh();
    let read = match file::read(path) {
        Ok(read) => read,
        Err(problem) => {
            server.reload_failed();
            return error!("not reloaded, the configuration before stays in force: {problem:#}");
        }
    };
    let files: Vec<PathBuf> = read.files;
    watch.follow(files);
    let loaded = read.loaded;
    let (Some(plan), Some(document)) = (&loaded.plan, &loaded.document) else {
        server.reload_failed();
        eprint!("{}", file::grave(&loaded));
        return error!(
            "not reloaded, the configuration before stays in force: {} has errors",
            path.display()
        );
    };
    match server.reload(plan.clone(), document.redacted()) {
        Ok(Reload { needs_restart }) => {
            info!("reloaded {}", path.display());
            for what in needs_restart {
                warn!("`{what}` has changed, which takes effect only with a restart");
            }
        }
        Err(problem) => error!("not reloaded, the configuration before stays in force: {problem:#}"),
    }
}
