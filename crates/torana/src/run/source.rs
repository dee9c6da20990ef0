//! What is served comes from files: taking over what they say now.
//!
//! Where nothing but files of consumers has changed, the consumers alone are exchanged: routes, policies and
//! what these remember stay as they are.

use super::control::Reload;
use super::server::Server;
use super::service_manager;
use super::told::Told;
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
    /// What was said of it.
    pub(super) told: Told,
    /// Whether the process stops: to the service manager it is neither reloading nor ready from then on.
    pub(super) stops: bool,
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
        let (directory, findings) = file::read_consumers(self.path, &self.document);
        self.told.tell(self.document.source(), &findings);
        let Some(directory) = directory else {
            server.reload_failed();
            return error!("the consumers before stay in force: a file of them has errors");
        };
        let (before, count) = (server.consumers().load().len(), directory.len());
        server.exchange_consumers(directory);
        info!("took over {} in {} ms", counted(count, "consumer"), start.elapsed().as_millis());
        warn_of_loss(before, count);
    }

    /// Puts the file in force as it is now, or says why not and changes nothing.
    pub(super) fn reload(&mut self, server: &mut Server, watch: &mut Watch) {
        if self.stops {
            return self.exchange(server, watch);
        }
        service_manager::reloading();
        self.exchange(server, watch);
        // Whatever came of it, requests are served.
        service_manager::ready();
    }

    fn exchange(&mut self, server: &mut Server, watch: &mut Watch) {
        watch.refresh();
        let path = self.path;
        let read = match file::read_to_serve(path, Some(server.consumers())) {
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
            self.told.tell(&loaded.source, &loaded.findings);
            return error!(
                "not reloaded, the configuration before stays in force: {} has errors",
                path.display()
            );
        };
        let before = server.consumers().load().len();
        match server.reload(plan, document.redacted()) {
            Ok(Reload { needs_restart }) => {
                self.document = document;
                self.consumer_files = read.consumer_files;
                self.told.tell_only(&loaded.source, &loaded.findings);
                info!("reloaded {}", path.display());
                warn_of_loss(before, server.consumers().load().len());
                for what in needs_restart {
                    warn!("`{what}` has changed, which takes effect with an upgrade (SIGUSR2) or a restart");
                }
            }
            Err(problem) => error!("not reloaded, the configuration before stays in force: {problem:#}"),
        }
    }
}

/// Says that most consumers are gone: that is what was asked for, but perhaps not what was meant.
fn warn_of_loss(before: usize, now: usize) {
    if now < before.div_ceil(2) {
        warn!(
            "{now} of {before} consumers are left; if that is not meant, bring the files back as they were"
        );
    }
}
