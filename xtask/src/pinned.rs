//! Commands that stay on one core.

use std::ffi::OsStr;
use std::process::Command;

/// Where what is measured runs, by itself.
pub(crate) const MEASURED: usize = 0;
/// Where everything around it runs: origins, stores, load generators.
pub(crate) const AROUND: usize = 1;

/// A command on a core.
///
/// Those that share [`AROUND`] are batch processes (`SCHED_BATCH`): one that is woken waits until the other has nothing to
/// do. Otherwise the origin interrupts the load generator among its requests, more often the sooner a proxy passes them on,
/// and the faster proxy is measured with the later answers.
pub(crate) fn on_core(core: usize, program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("chrt");
    command.args(if core == AROUND { ["--batch", "0"] } else { ["--other", "0"] });
    command.args(["taskset", "-c", &core.to_string()]).arg(program);
    command
}
