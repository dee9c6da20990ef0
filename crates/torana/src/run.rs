//! `torana run`: serves, reloads, drains.
//!
//! This thread is the control plane: it watches the file, prepares pipelines, answers signals and the admin
//! pages. Requests are served on threads of their own and never wait for it.

mod admin;
mod control;
mod listeners;
mod server;
mod service_manager;
mod settings;
mod source;
mod told;
mod upgrade;
mod watch;

use crate::arguments::RunArguments;
use crate::file;
use anyhow::Context;
pub(crate) use server::Server;
pub(crate) use settings::Settings;
use source::Source;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;
use tokio::signal::unix::{Signal, SignalKind, signal};
use told::Told;
use torana_transport::handover::{Inherited, Predecessor};
use tracing::{error, info, warn};
use upgrade::{Invocation, Successor, cannot_end};
use watch::Watch;

pub(crate) fn run(arguments: &RunArguments) -> anyhow::Result<ExitCode> {
    let invocation = Invocation::of_this_process()?;
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_target(false).init();
    let descriptors = torana_transport::raise_descriptors();
    info!("at most {descriptors} file descriptors");
    let settings =
        Settings { listen: arguments.listen.clone(), admin: arguments.admin, workers: arguments.workers };
    let (predecessor, inherited) = match Predecessor::find().context("cannot take over")? {
        Some((predecessor, inherited)) => (Some(predecessor), inherited),
        None => (None, Inherited::from_service_manager().context("the service manager's sockets")?),
    };
    let started = |_: &Server| {
        if let Some(predecessor) = predecessor {
            // A predecessor that is gone needs no telling.
            let _ = predecessor.ready();
        }
        service_manager::ready();
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ended = runtime.block_on(serve(&arguments.file, &settings, inherited, Some(&invocation), started));
    // After a second signal threads still wait for workers: nobody waits for them.
    runtime.shutdown_background();
    ended
}

/// Serves a file until a signal says to stop. `started` is told of the server once it listens. Without an
/// `invocation` it cannot be exchanged for a successor.
pub(crate) async fn serve(
    path: &Path,
    settings: &Settings,
    inherited: Inherited,
    invocation: Option<&Invocation>,
    started: impl FnOnce(&Server),
) -> anyhow::Result<ExitCode> {
    let mut watch = Watch::new(vec![path.to_owned()]);
    let read = file::read_to_serve(path, None)?;
    let mut told = Told::default();
    told.tell(&read.loaded.source, &read.loaded.findings);
    let (Some(plan), Some(document)) = (read.loaded.plan, read.loaded.document) else {
        eprintln!("torana: {} cannot be served", path.display());
        return Ok(ExitCode::FAILURE);
    };
    watch.follow(read.files);
    let redacted = document.redacted();
    let mut source = Source { path, document, consumer_files: read.consumer_files, told, stops: false };
    // Before anybody may think that it serves: a signal without a listener ends the process.
    let mut signals = Signals::new().context("cannot listen for signals")?;
    let mut server = Server::start(plan, redacted, settings, inherited)?;
    started(&server);
    let (mut successor, mut leaving) = (None, None);
    loop {
        let what = tokio::select! {
            signalled = signals.next() => signalled,
            changed = watch.changed() => Event::Changed(changed),
            outcome = outcome(&mut successor) => Event::Exchanged(outcome),
            () = until(leaving) => Event::Left,
        };
        match what {
            Event::Stop if leaving.is_some() => {
                info!("a second signal: not waiting any longer");
                break;
            }
            Event::Stop => {
                leaving = stop(&server, &mut successor);
                if leaving.is_none() {
                    break;
                }
                source.stops = true;
            }
            Event::Left => break,
            Event::Hangup => {
                server.reopen_access_log();
                source.reload(&mut server, &mut watch);
            }
            Event::Changed(files) => source.changed(&files, &mut server, &mut watch),
            Event::Upgrade if leaving.is_some() => warn!("not upgraded: this process stops"),
            Event::Upgrade => start_successor(&mut successor, invocation, &server),
            Event::Exchanged(Ok(process)) => {
                info!("process {process} has taken over");
                service_manager::succeeded_by(process);
                server.leave_admin();
                break;
            }
            Event::Exchanged(Err(problem)) => {
                successor = None;
                error!("not upgraded, this process goes on serving: {problem:#}");
            }
        }
    }
    drop(successor);
    drain(&mut server, &mut signals).await
}

/// Tells the service manager and load balancers that it stops; gives until when it serves as before, for them to hear of it.
/// Nobody takes over any more.
fn stop(server: &Server, successor: &mut Option<Successor>) -> Option<Instant> {
    service_manager::stopping();
    if successor.take().is_some() {
        warn!("not upgraded: this process was told to stop before the new one served");
    }
    let delay = server.announce_drain();
    if delay.is_zero() {
        return None;
    }
    info!("stopping in {delay}: ready for nobody new, but serving who comes");
    Instant::now().checked_add(delay.as_duration())
}

/// Never, where there is no such time.
async fn until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time.into()).await,
        None => std::future::pending().await,
    }
}

async fn drain(server: &mut Server, signals: &mut Signals) -> anyhow::Result<ExitCode> {
    info!("stopping: no new connections, requests under way may end");
    let all_ended = tokio::select! {
        ended = server.drain() => Some(ended),
        () = signals.next_stop() => None,
    };
    let Some(all_ended) = all_ended else {
        warn!("a second signal: ending at once");
        // What was answered until now is told of; what is under way is not waited for.
        server.write_last_lines().await;
        return Ok(ExitCode::FAILURE);
    };
    if !all_ended {
        warn!("the drain deadline passed; what was left was cut off");
    }
    info!("stopped");
    Ok(ExitCode::SUCCESS)
}

fn start_successor(successor: &mut Option<Successor>, invocation: Option<&Invocation>, server: &Server) {
    let Some(invocation) = invocation else {
        return warn!("not upgraded: only `torana run` can be exchanged while it runs");
    };
    if let Some(why) = cannot_end(std::process::id()) {
        return error!("not upgraded, this process goes on serving: {why}");
    }
    if successor.is_some() {
        return warn!("not upgraded again: a new process is starting already");
    }
    match invocation.start(server.sockets()) {
        Ok(started) => {
            info!("starting a new process to take over");
            *successor = Some(started);
        }
        Err(problem) => error!("not upgraded, this process goes on serving: {problem:#}"),
    }
}

/// What becomes of the successor; never, while there is none.
async fn outcome(successor: &mut Option<Successor>) -> anyhow::Result<u32> {
    match successor {
        Some(successor) => successor.serves().await,
        None => std::future::pending().await,
    }
}

enum Event {
    Stop,
    /// The time is over in which load balancers hear that it stops.
    Left,
    Hangup,
    /// These files, and no more of them for a while.
    Changed(Vec<PathBuf>),
    Upgrade,
    /// The successor serves, or will never.
    Exchanged(anyhow::Result<u32>),
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    upgrade: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            upgrade: signal(SignalKind::user_defined2())?,
        })
    }

    async fn next(&mut self) -> Event {
        tokio::select! {
            _ = self.terminate.recv() => Event::Stop,
            _ = self.interrupt.recv() => Event::Stop,
            _ = self.hangup.recv() => Event::Hangup,
            _ = self.upgrade.recv() => Event::Upgrade,
        }
    }

    async fn next_stop(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
