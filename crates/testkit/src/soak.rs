//! Mixed traffic that misbehaves at random points on both sides of a gateway, from a seed, and the question
//! whether anything is left of it in the end by the gateway's own numbers.
//!
//! What an origin does follows from the number in the target, so the client knows what the answer must be
//! without a word between the two. An answer that ends whole must be right; how a broken one ends is free.

mod calls;
mod client;
mod doors;
mod http2;
mod script;
mod site;
mod sockets;

use doors::Doors;
pub use doors::Gateway;
pub use site::Site;

use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::client::get;

use script::{Behaviour, Mixer};

/// How long what is left may take to end: the longest deadline of the configuration, and time to spare.
const PATIENCE: Duration = Duration::from_secs(60);
/// Old records of the origin are dropped this often.
const TIDY: Duration = Duration::from_millis(200);

/// Tasks that live on each worker.
const TASKS: &str = "torana_worker_tasks";

/// How much traffic.
#[derive(Clone, Copy, Debug)]
pub struct Soak {
    /// How long it goes on.
    pub duration: Duration,
    /// Clients at once, each doing one thing after the other.
    pub clients: u64,
    /// What decides everything that is random.
    pub seed: u64,
}

/// What happened.
#[derive(Clone, Copy, Debug)]
pub struct Soaked {
    /// Exchanges, whole or broken.
    pub exchanges: u64,
    /// Answers that ended whole and right.
    pub answers: u64,
    /// Resident memory in KiB after a third of the time, and at the end.
    pub memory_kib: (u64, u64),
}

/// Lets clients loose on the gateway, waits until everything has ended, and says what happened.
///
/// # Errors
/// An answer was wrong, or something is left: everything that is, one item each.
pub fn soak(soak: Soak, site: Site, gateway: Gateway) -> Result<Soaked, Vec<String>> {
    let (exchanges, answers) = (AtomicU64::new(0), AtomicU64::new(0));
    let (stop, wrong) = (AtomicBool::new(false), Mutex::new(Vec::new()));
    let (Gateway { admin, pid, .. }, doors) = (gateway, site.doors(gateway));
    let descriptors = descriptors_at_rest(admin, pid);
    let tasks = sum(&get(admin, "/metrics").text(), TASKS);
    let mut early = 0;
    std::thread::scope(|scope| {
        for number in 0..soak.clients {
            let mut random = Mixer::new(soak.seed ^ (number << 32));
            let (stop, wrong, exchanges, answers) = (&stop, &wrong, &exchanges, &answers);
            let doors = doors.clone();
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    match client::act(&doors, &mut random) {
                        Ok(whole) => answers.fetch_add(whole, Ordering::Relaxed),
                        Err(problem) => {
                            stop.store(true, Ordering::Relaxed);
                            wrong.lock().expect("nobody panics with it").push(problem);
                            0
                        }
                    };
                    exchanges.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let started = Instant::now();
        while started.elapsed() < soak.duration && !stop.load(Ordering::Relaxed) {
            std::thread::sleep(TIDY.min(soak.duration));
            site.forget();
            if early == 0 && started.elapsed() > soak.duration / 3 {
                early = crate::large::resident_kib(pid).unwrap_or_default();
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    let mut problems = wrong.into_inner().expect("nobody panics with it");
    problems.extend(site.take_complaints());
    problems.extend(what_is_left(site, admin, pid, (descriptors, tasks)));
    let late = crate::large::resident_kib(pid).unwrap_or_default();
    let (exchanges, answers) = (exchanges.into_inner(), answers.into_inner());
    let memory_kib = (early, late);
    if problems.is_empty() { Ok(Soaked { exchanges, answers, memory_kib }) } else { Err(problems) }
}

/// Waits until nothing is under way, then until the connections to services that are gone are given up too.
/// `descriptors` and `tasks` are how many there were at rest.
fn what_is_left(site: Site, admin: SocketAddr, pid: u32, (descriptors, tasks): (usize, f64)) -> Vec<String> {
    let under_way = |page: &str| {
        let mut left: Vec<String> = [
            "torana_connections_open",
            "torana_tunnels_open",
            "torana_requests_in_flight",
            "torana_buffers_lent",
            "torana_buffered_bytes",
            "torana_endpoint_in_flight",
            "torana_pool_waiting",
        ]
        .into_iter()
        .flat_map(|name| not_zero(page, name))
        .collect();
        let (open, idle) =
            (sum(page, "torana_pool_connections_open"), sum(page, "torana_pool_connections_idle"));
        if open != idle {
            left.push(format!("{open} connections to the origin, of which {idle} are idle"));
        }
        left
    };
    let mut left = until_empty(admin, under_way);
    drop(site);
    left.extend(until_empty(admin, |page| not_zero(page, "torana_pool_connections_open")));
    left.extend(until_empty(admin, |page| more_tasks(page, tasks)));
    // The metrics page is gone when it is read; its socket may be a moment longer.
    let started = Instant::now();
    while open_descriptors(pid) > descriptors && started.elapsed() < PATIENCE {
        std::thread::sleep(TIDY);
    }
    let now = open_descriptors(pid);
    if now > descriptors {
        left.push(format!("{now} open descriptors, {descriptors} before"));
    }
    left
}

fn until_empty(admin: SocketAddr, left: impl Fn(&str) -> Vec<String>) -> Vec<String> {
    let started = Instant::now();
    loop {
        let found = left(&get(admin, "/metrics").text());
        if found.is_empty() || started.elapsed() > PATIENCE {
            return found;
        }
        std::thread::sleep(TIDY);
    }
}

/// The samples of a metric, as their lines and values.
fn samples<'a>(page: &'a str, name: &'a str) -> impl Iterator<Item = (&'a str, f64)> {
    page.lines().filter_map(move |line| {
        let (sample, value) = line.rsplit_once(' ')?;
        let is_it = sample.strip_prefix(name)?;
        (is_it.is_empty() || is_it.starts_with('{')).then_some((line, value.parse().ok()?))
    })
}

fn sum(page: &str, name: &str) -> f64 {
    samples(page, name).map(|(_, value)| value).sum()
}

/// The lines of a metric that should be zero. A metric that is not there is no proof of anything.
fn not_zero(page: &str, name: &str) -> Vec<String> {
    if samples(page, name).next().is_none() {
        return vec![format!("{name} is not on the metrics page")];
    }
    samples(page, name).filter(|(_, value)| *value != 0.0).map(|(line, _)| line.to_owned()).collect()
}

/// What workers run more than before. None at all are no proof of anything: each has some that never end.
fn more_tasks(page: &str, before: f64) -> Vec<String> {
    let now = sum(page, TASKS);
    if now > 0.0 && now <= before { Vec::new() } else { vec![format!("{now} tasks, {before} before")] }
}

/// What the process has open before anything is asked of it. Its admin page is read first, because the thread
/// that serves it takes what it keeps in reserve before it answers.
fn descriptors_at_rest(admin: SocketAddr, pid: u32) -> usize {
    let _ = until_empty(admin, |_| Vec::new());
    let (started, mut before) = (Instant::now(), open_descriptors(pid));
    loop {
        std::thread::sleep(TIDY);
        let now = open_descriptors(pid);
        if now == before || started.elapsed() > PATIENCE {
            return now;
        }
        before = now;
    }
}

fn open_descriptors(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_zero_or_missing_is_named() {
        let page = "# TYPE a gauge\na 0.0\nb{x=\"1\"} 0.0\nb{x=\"2\"} 3.0\nbc 7.0\n";
        assert_eq!(not_zero(page, "a"), Vec::<String>::new());
        assert_eq!(not_zero(page, "b"), ["b{x=\"2\"} 3.0"]);
        assert_eq!(not_zero(page, "c").len(), 1);
        assert_eq!(sum(page, "b"), 3.0);
        let tasks = "torana_worker_tasks{worker=\"0\"} 4.0\ntorana_worker_tasks{worker=\"1\"} 3.0\n";
        assert_eq!(more_tasks(tasks, 7.0), Vec::<String>::new());
        assert_eq!((more_tasks(tasks, 6.0).len(), more_tasks("", 0.0).len()), (1, 1));
    }
}
