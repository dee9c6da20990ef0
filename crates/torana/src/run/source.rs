//! What is served comes from files: taking over what they say now.
//!
//! Where nothing but files of consumers has changed, the consumers alone are exchanged: routes, policies and
//! what these remember stay as they are.

use super::control::Reload;
use super::server::Server;
use super::service_manager;
use super::watch::Watch;
use crate::file;
use std::path::{Path, PathBuf};
use std::time::Instant;
use torana_config::Document;
use torana_types::counted;
use tracing::{error, info, warn};

/// The configuration that is in force, and where it came from.
#[derive(Debug)]
pub(super) struct Source<'p> {
    pub(super) path: &'p Path,
    pub(super) document: Document,
    /// Files that hold nothing but consumers.
    pub(super) consumer_files: Vec<PathBuf>,
}

impl Source<'_> {
    /// Takes over what has changed, or says why not and changes nothing.
    pub(super) fn changed(&mut self, files: &[PathBuf], server: &mut Server, watch: &mut Watch) {
        let only_consumers = files.iter().all(|file| self.consumer_files.contains(file));
        if !only_consumers || server.plans_with_a_consumer() {
            return self.reload(server, watch);
        }
        watch.refresh();
        let start = Instant::now();
        match file::read_consumers(self.path, &self.document) {
            Ok(directory) => {
                let count = directory.len();
                server.exchange_consumers(directory);
                info!("took over {} in {} ms", counted(count, "consumer"), start.elapsed().as_millis());
            }
            Err(mistakes) => {
                server.reload_failed();
                for mistake in mistakes {
                    error!("{mistake}");
                }
                error!("the consumers before stay in force: a file of them has errors");
            }
        }
    }

    /// Puts the file in force as it is now, or says why not and changes nothing.
    pub(super) fn reload(&mut self, server: &mut Server, watch: &mut Watch) {
        service_manager::reloading();
        self.exchange(server, watch);
        // Whatever came of it, requests are served.
        service_manager::ready();
    }

    fn exchange(&mut self, server: &mut Server, watch: &mut Watch) {
        watch.refresh();
        let path = self.path;
        let read = match file::read_over(path, Some(server.consumers())) {
            Ok(read) => read,
            Err(problem) => {
                server.reload_failed();
                return error!("not reloaded, the configuration before stays in force: {problem:#}");
            }
        };
        watch.follow(read.files);
        let mut loaded = read.loaded;
        let (Some(plan), Some(document)) = (loaded.plan.take(), loaded.document.take()) else {
            server.reload_failed();
            eprint!("{}", file::grave(&loaded));
            return error!(
                "not reloaded, the configuration before stays in force: {} has errors",
                path.display()
            );
        };
        match server.reload(plan, document.redacted()) {
            Ok(Reload { needs_restart }) => {
                self.document = document;
                self.consumer_files = read.consumer_files;
                eprint!("{}", file::grave(&loaded));
                info!("reloaded {}", path.display());
                for what in needs_restart {
                    warn!("`{what}` has changed, which takes effect with an upgrade (SIGUSR2) or a restart");
                }
            }
            Err(problem) => error!("not reloaded, the configuration before stays in force: {problem:#}"),
        }
    }
}
