//! The access log: lines are put into memory, and one thread writes them.
//!
//! A worker formats its line and appends it to a buffer of its own under a lock that nobody holds longer than
//! it takes to copy a line or to swap a buffer; no file is touched. The writer wakes when a first line comes,
//! waits for more, a moment or until a buffer has a good piece, and writes what has gathered: in small pieces when there
//! is much, because a long one would keep a worker off its core for as long. Where a file or a pipe is too slow the buffers
//! fill up to a bound, and further lines are dropped and counted.

use crate::line::{AccessRecord, LogFormat};
use crate::metrics::Metrics;
use crate::shard::{SHARDS, own};
use std::cell::RefCell;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Bytes that may wait in the buffer of one thread.
const WAITING: usize = 4 * 1024 * 1024;
/// With so many bytes in a buffer they are written at once.
const PIECE: usize = 64 * 1024;
/// How long the writer gathers lines after the first, when they are few.
const GATHER: Duration = Duration::from_millis(50);
/// Readable by the owner's group at most: lines tell who did what.
const MODE: u32 = 0o640;

/// Where lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogTarget {
    /// The standard output.
    Stdout,
    /// A file that lines are added to.
    File(PathBuf),
}

/// What shapes a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessLogSettings {
    /// How a line looks.
    pub format: LogFormat,
    /// Where lines go.
    pub target: LogTarget,
    /// Whether the query is written.
    pub query: bool,
}

/// A log in use. Clones write to the same place; when the last one is dropped, what was taken is written and
/// the writer ends.
#[derive(Clone, Debug)]
pub struct AccessLog(Arc<Handle>);

#[derive(Debug)]
struct Handle {
    settings: AccessLogSettings,
    queue: Arc<Queue>,
}

#[derive(Debug)]
struct Queue {
    buffers: [Mutex<Vec<u8>>; SHARDS],
    /// Set by whoever adds a first line; only then the writer is woken.
    dirty: AtomicBool,
    orders: Mutex<Orders>,
    changed: Condvar,
    gather: Duration,
    metrics: Arc<Metrics>,
}

#[derive(Debug, Default)]
struct Orders {
    wake: bool,
    /// A buffer has a whole piece.
    piece: bool,
    stop: bool,
    reopen: bool,
    ended: bool,
}

impl AccessLog {
    /// Opens the target and starts the writer.
    ///
    /// # Errors
    /// The file cannot be opened for writing, or no thread can be started.
    pub fn start(settings: AccessLogSettings, metrics: Arc<Metrics>) -> io::Result<Self> {
        Self::start_gathering(GATHER, settings, metrics)
    }

    fn start_gathering(
        gather: Duration,
        settings: AccessLogSettings,
        metrics: Arc<Metrics>,
    ) -> io::Result<Self> {
        let output = Output::open(&settings.target)?;
        let queue = Arc::new(Queue {
            buffers: Default::default(),
            dirty: AtomicBool::new(false),
            orders: Mutex::default(),
            changed: Condvar::new(),
            gather,
            metrics,
        });
        let (theirs, target) = (Arc::clone(&queue), settings.target.clone());
        let writer = move || theirs.write_until_stopped(output, &target);
        std::thread::Builder::new().name("access-log".into()).spawn(writer)?;
        Ok(Self(Arc::new(Handle { settings, queue })))
    }

    /// Takes a line; never waits for a file.
    pub fn record(&self, record: &AccessRecord<'_>) {
        thread_local! {
            static LINE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
        }
        let Handle { settings, queue } = &*self.0;
        LINE.with_borrow_mut(|line| {
            line.clear();
            record.write(settings.format, settings.query, line);
            queue.add(line);
        });
    }

    /// Has the file opened again by its name, after it was moved away.
    pub fn reopen(&self) {
        self.0.queue.order(|orders| orders.reopen = true);
    }

    /// Has everything written that was taken, for at most `deadline`. `false`: there was not enough time.
    /// Lines that come later are not written.
    #[must_use]
    pub fn finish(&self, deadline: Duration) -> bool {
        self.0.queue.order(|orders| orders.stop = true);
        let until = Instant::now().checked_add(deadline);
        let mut orders = self.0.queue.orders.lock().unwrap_or_else(PoisonError::into_inner);
        while !orders.ended {
            let left = until.map(|until| until.saturating_duration_since(Instant::now())).unwrap_or_default();
            if left.is_zero() {
                return false;
            }
            orders =
                self.0.queue.changed.wait_timeout(orders, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.queue.order(|orders| orders.stop = true);
    }
}

impl Queue {
    fn add(&self, line: &[u8]) {
        let Some(buffer) = self.buffers.get(own()) else { return };
        let counters = self.metrics.access_log();
        let is_piece = {
            let mut buffer = buffer.lock().unwrap_or_else(PoisonError::into_inner);
            if buffer.len().saturating_add(line.len()) > WAITING {
                counters.dropped.fetch_add(1, Ordering::Relaxed);
                return;
            }
            let before = buffer.len();
            buffer.extend_from_slice(line);
            before < PIECE && buffer.len() >= PIECE
        };
        counters.lines.fetch_add(1, Ordering::Relaxed);
        if is_piece {
            self.order(|orders| orders.piece = true);
        } else if !self.dirty.swap(true, Ordering::AcqRel) {
            self.order(|orders| orders.wake = true);
        }
    }

    fn order(&self, change: impl FnOnce(&mut Orders)) {
        change(&mut self.orders.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_all();
    }

    /// Waits for something to do, and a moment longer for more to write. Returns whether to stop, and whether to reopen.
    fn wait(&self) -> (bool, bool) {
        let orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = |orders: &mut Orders| !(orders.wake || orders.piece || orders.stop || orders.reopen);
        let orders = self.changed.wait_while(orders, idle).unwrap_or_else(PoisonError::into_inner);
        let few = |orders: &mut Orders| !(orders.piece || orders.stop || orders.reopen);
        let waited = self.changed.wait_timeout_while(orders, self.gather, few);
        let (mut orders, _) = waited.unwrap_or_else(PoisonError::into_inner);
        (orders.wake, orders.piece) = (false, false);
        (orders.stop, std::mem::take(&mut orders.reopen))
    }

    fn write_until_stopped(&self, mut output: Output, target: &LogTarget) {
        let mut lines = Vec::new();
        let mut complained = false;
        loop {
            let (stop, reopen) = self.wait();
            self.dirty.store(false, Ordering::Release);
            let mut note = |result: io::Result<()>| {
                let Err(error) = result else { return };
                self.metrics.access_log().errors.fetch_add(1, Ordering::Relaxed);
                if !complained {
                    tracing::error!(%error, "the access log cannot be written; further errors are only counted");
                }
                complained = true;
            };
            for buffer in &self.buffers {
                std::mem::swap(&mut *buffer.lock().unwrap_or_else(PoisonError::into_inner), &mut lines);
                note(output.write(&lines));
                lines.clear();
            }
            // Whatever thread took them, lines from before belong to the file that was there before.
            if reopen {
                note(output.reopen(target));
            }
            if stop {
                break;
            }
        }
        self.order(|orders| orders.ended = true);
    }
}

enum Output {
    Stdout,
    File(File),
}

impl Output {
    fn open(target: &LogTarget) -> io::Result<Self> {
        match target {
            LogTarget::Stdout => Ok(Self::Stdout),
            LogTarget::File(path) => {
                OpenOptions::new().append(true).create(true).mode(MODE).open(path).map(Self::File)
            }
        }
    }

    /// When the file cannot be opened again, the one that is open goes on being used.
    fn reopen(&mut self, target: &LogTarget) -> io::Result<()> {
        *self = Self::open(target)?;
        Ok(())
    }

    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        match self {
            Self::Stdout => {
                let mut stdout = io::stdout().lock();
                stdout.write_all(lines)?;
                stdout.flush()
            }
            Self::File(file) => file.write_all(lines),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::tests::record;

    const PATIENCE: Duration = Duration::from_secs(60);

    fn log(path: &std::path::Path, metrics: &Arc<Metrics>) -> AccessLog {
        let target = LogTarget::File(path.to_owned());
        let settings = AccessLogSettings { format: LogFormat::Json, target, query: false };
        AccessLog::start(settings, Arc::clone(metrics)).unwrap()
    }

    #[test]
    fn everything_taken_is_written_from_all_threads() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access.log");
        let log = log(&path, &Metrics::new());
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..500).for_each(|_| log.record(&record())));
            }
        });
        assert!(log.finish(PATIENCE));
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 2_000);
        assert!(text.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
    }

    #[test]
    fn a_good_piece_is_not_waited_with() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access.log");
        let settings = AccessLogSettings {
            format: LogFormat::Json,
            target: LogTarget::File(path.clone()),
            query: false,
        };
        let metrics = Metrics::new();
        let log =
            AccessLog::start_gathering(Duration::from_secs(3600), settings, Arc::clone(&metrics)).unwrap();
        // Again and again, and far more than may wait.
        let mut taken = 0;
        while taken < 2 * WAITING as u64 {
            let written = std::fs::metadata(&path).unwrap().len();
            let mut line = Vec::new();
            record().write(LogFormat::Json, false, &mut line);
            for _ in 0..PIECE / line.len() + 1 {
                log.record(&record());
                taken += line.len() as u64;
            }
            let deadline = Instant::now() + Duration::from_secs(20);
            while std::fs::metadata(&path).unwrap().len() == written {
                assert!(Instant::now() < deadline, "{written} bytes");
                std::thread::yield_now();
            }
        }
        assert_eq!(metrics.access_log().dropped(), 0);
    }

    #[test]
    fn a_file_that_was_moved_is_opened_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access.log");
        let log = log(&path, &Metrics::new());
        log.record(&record());
        std::fs::rename(&path, folder.path().join("old.log")).unwrap();
        log.reopen();
        let deadline = Instant::now() + PATIENCE;
        while !path.exists() && Instant::now() < deadline {
            std::thread::yield_now();
        }
        log.record(&record());
        assert!(log.finish(PATIENCE));
        assert_eq!(std::fs::read_to_string(folder.path().join("old.log")).unwrap().lines().count(), 1);
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 1);
    }

    #[test]
    fn what_any_thread_took_before_is_in_the_file_that_was_moved() {
        let folder = tempfile::tempdir().unwrap();
        let (path, old) = (folder.path().join("access.log"), folder.path().join("old.log"));
        let log = log(&path, &Metrics::new());
        // As if by every thread, before the writer has noticed.
        for buffer in &log.0.queue.buffers {
            buffer.lock().unwrap().extend_from_slice(b"a line\n");
        }
        std::fs::rename(&path, &old).unwrap();
        log.reopen();
        assert!(log.finish(PATIENCE));
        assert_eq!(std::fs::read_to_string(&old).unwrap().lines().count(), SHARDS);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "");
    }

    #[test]
    fn a_pipe_that_nobody_reads_delays_nobody_and_drops_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        // Opened for reading and never read, so that opening for writing does not wait.
        let reader = OpenOptions::new().read(true).write(true).open(&path).unwrap();
        let metrics = Metrics::new();
        let log = log(&path, &metrics);
        let started = Instant::now();
        for _ in 0..20_000 {
            log.record(&record());
        }
        // Nobody ever reads it: whoever waited for that would wait for ever.
        assert!(started.elapsed() < PATIENCE);
        assert!(metrics.access_log().dropped() > 0);
        assert!(!log.finish(Duration::from_millis(10)));
        drop(reader);
    }
}
