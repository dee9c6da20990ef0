//! Notices that files have changed.
//!
//! By looking at them twice a second instead of by notifications of the kernel: those are lost or different
//! on network and overlay file systems, and an editor's rename or an exchanged symbolic link (as Kubernetes
//! does) looks the same here as a write. A look costs a few microseconds.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::Duration;
use tracing::warn;

const INTERVAL: Duration = Duration::from_millis(500);

/// What a file looks like from outside; `None` when it is not there.
type Look = Option<(u64, u64, i64, i64, u64)>;

#[derive(Debug)]
pub(super) struct Watch {
    files: Vec<(PathBuf, Look)>,
}

impl Watch {
    pub(super) fn new(files: Vec<PathBuf>) -> Self {
        let mut watch = Self { files: Vec::new() };
        watch.follow(files);
        watch
    }

    /// Takes the files as they are now for known. To be called before they are read: what changes during the
    /// reading is then seen at the next look.
    pub(super) fn refresh(&mut self) {
        for (path, known) in &mut self.files {
            *known = look(path);
        }
    }

    /// Looks at these from now on.
    pub(super) fn follow(&mut self, files: Vec<PathBuf>) {
        let before = std::mem::take(&mut self.files);
        self.files = files
            .into_iter()
            .map(|path| {
                let known = before.iter().find(|(known, _)| *known == path).map(|(_, look)| *look);
                let look = known.unwrap_or_else(|| look(&path));
                (path, look)
            })
            .collect();
    }

    /// Waits until one of the files has changed and then stayed the same for one interval, so that a file
    /// that is still being written is not read.
    /// Gives those that have changed. What is gone is said once, and waited for.
    pub(super) async fn changed(&mut self) -> Vec<PathBuf> {
        let mut pending = Vec::new();
        loop {
            tokio::time::sleep(INTERVAL).await;
            let mut changed = false;
            for (path, known) in &mut self.files {
                let now = look(path);
                if now != *known {
                    changed = true;
                    if now.is_none() {
                        warn!(
                            "{} is gone; what was read of it stays in force until it is back",
                            path.display()
                        );
                    }
                    if !pending.contains(path) {
                        pending.push(path.clone());
                    }
                }
                *known = now;
            }
            let whole = self.files.iter().all(|(_, look)| look.is_some());
            if !pending.is_empty() && !changed && whole {
                return pending;
            }
        }
    }
}

fn look(path: &PathBuf) -> Look {
    let data = std::fs::metadata(path).ok()?;
    Some((data.dev(), data.ino(), data.mtime(), data.mtime_nsec(), data.len()))
}
