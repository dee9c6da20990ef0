//! Handing over to a successor: the same command started anew, perhaps from a newer file.
//!
//! The old process goes on serving until the new one says that it serves. When that does not happen, for
//! whatever reason, nothing has changed but a line in the log.

use super::listeners::Kept;
use anyhow::{Context, anyhow, bail};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;
use tokio::sync::oneshot;
use torana_transport::handover::Handover;

/// How long a successor may take to serve.
const PATIENCE: Duration = Duration::from_secs(60);

/// Why this process cannot be exchanged, by its identifier; `None`: it can. When process one ends, the kernel ends all
/// that run beside it, the successor among them (`pid_namespaces(7)`).
pub(super) fn cannot_end(process: u32) -> Option<&'static str> {
    (process == 1).then_some(
        "this is process 1, with which its container ends: start a new container instead, as by a rolling update",
    )
}

/// How this process was started.
#[derive(Clone, Debug)]
pub(crate) struct Invocation {
    program: PathBuf,
    arguments: Vec<OsString>,
}

impl Invocation {
    /// To be called before anything can have replaced the file of the program.
    ///
    /// # Errors
    /// The file cannot be found.
    pub(crate) fn of_this_process() -> anyhow::Result<Self> {
        let mut arguments = std::env::args_os();
        let name = PathBuf::from(arguments.next().unwrap_or_default());
        let program = find(&name).map_or_else(std::env::current_exe, Ok).context("which file am I?")?;
        Ok(Self { program, arguments: arguments.collect() })
    }

    /// Starts the successor.
    ///
    /// # Errors
    /// The program cannot be started.
    pub(super) fn start(&self, sockets: &Kept) -> anyhow::Result<Successor> {
        let sockets: Kept = sockets
            .iter()
            .map(|(name, socket)| Ok((name.clone(), socket.try_clone()?)))
            .collect::<std::io::Result<_>>()?;
        let mut command = Command::new(&self.program);
        command.args(&self.arguments);
        let handover = Handover::prepare(&mut command, PATIENCE)?;
        let child = command.spawn().with_context(|| format!("cannot start {}", self.program.display()))?;
        // It holds the successor's end of the channel, by whose closing a successor's end is noticed.
        drop(command);
        let (tell, told) = oneshot::channel();
        std::thread::Builder::new().name("handover".into()).spawn(move || {
            let given = handover.give(sockets.iter().map(|(name, socket)| (name.as_str(), socket)));
            // Nobody listens any more when the process is ending.
            let _ = tell.send(given);
        })?;
        Ok(Successor { child: Some(child), told })
    }
}

/// The file by the name under which it was started, so that a symbolic link that points to a newer file by
/// now is followed anew.
fn find(name: &Path) -> Option<PathBuf> {
    if name.components().count() > 1 {
        return std::path::absolute(name).ok().filter(|path| path.is_file());
    }
    let path = std::env::var_os("PATH")?;
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|path| path.is_file())?;
    std::path::absolute(found).ok()
}

/// A process that is about to take over. Ended when dropped before it does.
#[derive(Debug)]
pub(super) struct Successor {
    /// `None` once it is on its own.
    child: Option<Child>,
    told: oneshot::Receiver<std::io::Result<()>>,
}

impl Successor {
    /// Waits until it serves, lets it go and gives its identifier. May be dropped and called again.
    ///
    /// # Errors
    /// It will never serve.
    pub(super) async fn serves(&mut self) -> anyhow::Result<u32> {
        let told = (&mut self.told).await.context("the exchange with the new process has ended")?;
        let Some(mut child) = self.child.take() else { bail!("the new process serves already") };
        match told {
            Ok(()) => Ok(child.id()),
            Err(problem) => {
                // What has closed the exchange may be about to end. Killing fails when it has ended.
                let ended = child.try_wait().ok().flatten();
                let _ = child.kill();
                match (ended, child.wait()) {
                    (Some(status), _) | (None, Ok(status)) if status.code().is_some() => {
                        Err(anyhow!("the new process has ended before it served, with {status}"))
                    }
                    _ => Err(anyhow!("the new process did not say that it serves: {problem}")),
                }
            }
        }
    }
}

impl Drop for Successor {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It fails when the process has ended, which is as well.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn process_one_does_not_leave_a_successor_behind() {
        assert!(cannot_end(1).is_some_and(|why| why.contains("rolling update")));
        assert_eq!((cannot_end(2), cannot_end(std::process::id().max(2))), (None, None));
    }
}
