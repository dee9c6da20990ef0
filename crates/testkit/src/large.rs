//! Bodies that no buffer can hold, through a gateway in both directions: is every byte right, does the
//! gateway's memory stay as it is, and does a reader that stops also stop the writer at the other end?
//!
//! The same code serves a test with a modest size and a task with a huge one.

mod way;

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::certificates::Authority;
use crate::tls::TlsOptions;
use crate::wait::eventually;
use way::Door;
pub use way::Way;

/// The body repeats after this many bytes, which no buffer's size divides: what is lost, doubled or out of
/// place does not look like what belongs there.
const PERIOD: usize = 1_000_003;
const PIECE: usize = 128 * 1024;
const PATIENCE: Duration = Duration::from_secs(60);
/// A writer has stopped when its count stays the same for this long.
const STILL: Duration = Duration::from_millis(500);

/// What was found.
#[derive(Clone, Copy, Debug)]
pub struct LargeBodies {
    /// How long the two directions took.
    pub download: Duration,
    /// As above.
    pub upload: Duration,
    /// The most that the gateway's resident memory grew, in KiB.
    pub grown_kib: u64,
    /// What a writer could write to a reader that had stopped, in bytes: origin to client, client to origin.
    pub ahead: [u64; 2],
}

/// An origin that sends `GET /SIZE` and compares `PUT /`.
pub struct LargeOrigin {
    address: SocketAddr,
    authority: Authority,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    pattern: Vec<u8>,
    /// Bytes of bodies that were sent and received.
    sent: AtomicU64,
    received: AtomicU64,
    /// Whether request bodies are left unread for now.
    hold: AtomicBool,
}

impl LargeOrigin {
    /// Starts it on a free port; it ends with the process.
    ///
    /// # Errors
    /// There is no port or no thread.
    pub fn start() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let state = Arc::new(State {
            pattern: pattern(),
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
            hold: AtomicBool::new(false),
        });
        let shared = Arc::clone(&state);
        std::thread::Builder::new().name("large-origin".into()).spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let state = Arc::clone(&shared);
                std::thread::spawn(move || {
                    // A connection that fails is seen by the client.
                    let _ended = serve(&stream, &state);
                });
            }
        })?;
        Ok(Self { address, authority: Authority::default(), state })
    }

    /// The URL for the gateway's configuration.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Writes a configuration that leads to it from a plain listener and from one with TLS; its path.
    ///
    /// # Errors
    /// The folder cannot be written to.
    pub fn write(&self, folder: &Path, plain: SocketAddr, secure: SocketAddr) -> io::Result<PathBuf> {
        self.authority.issue(&["localhost"]).write(folder, "own");
        let text = format!(
            "access_log: off
listen:
- {plain}
- address: {secure}
  tls: {{ certificates: {{ cert: own.pem, key: own.key }}, strict_host: false }}
services: {{ s: {{ endpoints: [{}] }} }}
routes: [{{ path: /*, service: s }}]
",
            self.url()
        );
        let path = folder.join("torana.yaml");
        std::fs::write(&path, text)?;
        Ok(path)
    }

    /// Sends bodies of `bytes` bytes through a gateway, whose process is `pid`, in one way.
    ///
    /// # Panics
    /// A byte is wrong, or nothing moves for a minute.
    #[must_use]
    pub fn check(&self, gateway: SocketAddr, way: Way, pid: u32, bytes: u64) -> LargeBodies {
        let options = TlsOptions::trusting(&self.authority);
        let door = Door { gateway, way, options, pattern: &self.state.pattern };
        // Once a little, so that what every request needs is there before memory is compared.
        self.download(&door, 1_000, None);
        self.upload(&door, 1_000, false);
        let memory = Memory::watch(pid);
        let (download, ahead_down) = self.download(&door, bytes, Some(&self.state.sent));
        let (upload, ahead_up) = self.upload(&door, bytes, true);
        LargeBodies { download, upload, grown_kib: memory.growth_kib(), ahead: [ahead_down, ahead_up] }
    }

    fn download(&self, door: &Door<'_>, bytes: u64, stop: Option<&AtomicU64>) -> (Duration, u64) {
        let started = Instant::now();
        let mut ahead = 0;
        door.download(bytes, || {
            if let Some(sent) = stop {
                until_still(sent);
                ahead = sent.load(Ordering::Relaxed);
            }
        });
        (started.elapsed(), ahead)
    }

    fn upload(&self, door: &Door<'_>, bytes: u64, stop: bool) -> (Duration, u64) {
        let started = Instant::now();
        self.state.hold.store(stop, Ordering::Release);
        let written = AtomicU64::new(0);
        let ahead = std::thread::scope(|scope| {
            let watcher = scope.spawn(|| {
                if !stop {
                    return 0;
                }
                until_still(&written);
                let ahead = written.load(Ordering::Relaxed);
                self.state.hold.store(false, Ordering::Release);
                ahead
            });
            door.upload(bytes, &written);
            watcher.join().expect("no panic")
        });
        (started.elapsed(), ahead)
    }
}

/// Waits until a count of bytes is above zero and does not change any more.
fn until_still(count: &AtomicU64) {
    let mut last = (count.load(Ordering::Relaxed), Instant::now());
    eventually(PATIENCE, || {
        let now = count.load(Ordering::Relaxed);
        if now != last.0 || now == 0 {
            last = (now, Instant::now());
        }
        last.1.elapsed() >= STILL
    });
}

fn serve(stream: &TcpStream, state: &State) -> io::Result<()> {
    let mut reader = BufReader::with_capacity(PIECE, stream.try_clone()?);
    let mut stream = stream;
    loop {
        let head = head(&mut reader)?;
        let target = head.split(' ').nth(1).unwrap_or_default();
        if let Some(bytes) = target.strip_prefix('/').and_then(|size| size.parse::<u64>().ok()) {
            state.sent.store(0, Ordering::Relaxed);
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {bytes}\r\n\r\n")?;
            send(&mut stream, bytes, &state.pattern, &state.sent)?;
            continue;
        }
        let bytes = length(&head).ok_or(io::ErrorKind::InvalidData)?;
        state.received.store(0, Ordering::Relaxed);
        while state.hold.load(Ordering::Acquire) {
            std::thread::sleep(Duration::from_millis(1));
        }
        let received = compare(&mut reader, bytes, &state.pattern, |count| {
            state.received.fetch_add(count, Ordering::Relaxed);
        })?;
        let status = if received == bytes { "204 No Content" } else { "400 Bad Request" };
        write!(stream, "HTTP/1.1 {status}\r\n\r\n")?;
    }
}

/// Two periods of bytes that look random, so that a piece of any place is one slice.
fn pattern() -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let period: Vec<u8> = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    })
    .take(PERIOD)
    .collect();
    [period.as_slice(), period.as_slice()].concat()
}

fn send(to: &mut impl Write, bytes: u64, pattern: &[u8], count: &AtomicU64) -> io::Result<()> {
    let mut sent = 0;
    while sent < bytes {
        let length = PIECE.min(usize::try_from(bytes - sent).unwrap_or(PIECE));
        let written = to.write(piece(pattern, sent, length))?;
        sent += written as u64;
        count.fetch_add(written as u64, Ordering::Relaxed);
    }
    Ok(())
}

/// Reads `bytes` bytes and compares each. Fewer when the peer ends.
fn compare(
    from: &mut impl BufRead,
    bytes: u64,
    pattern: &[u8],
    mut count: impl FnMut(u64),
) -> io::Result<u64> {
    let mut read = 0;
    while read < bytes {
        let got = from.fill_buf()?;
        let length = got.len().min(usize::try_from(bytes - read).unwrap_or(usize::MAX)).min(PIECE);
        if length == 0 {
            break;
        }
        if got[..length] != *piece(pattern, read, length) {
            return Err(io::Error::other(format!("a byte after {read} is not the one that was sent")));
        }
        from.consume(length);
        read += length as u64;
        count(length as u64);
    }
    Ok(read)
}

fn piece(pattern: &[u8], at: u64, length: usize) -> &[u8] {
    let start = usize::try_from(at % PERIOD as u64).expect("less than the period");
    &pattern[start..start + length]
}

fn head(from: &mut impl BufRead) -> io::Result<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if from.take(16 * 1024).read_line(&mut head)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(head)
}

fn length(head: &str) -> Option<u64> {
    let lower = head.to_ascii_lowercase();
    lower.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok())
}

/// Watches the resident memory of a process from a thread.
struct Memory {
    first: u64,
    most: Arc<AtomicU64>,
    watched: Arc<AtomicBool>,
}

impl Memory {
    fn watch(pid: u32) -> Self {
        let first = resident_kib(pid).expect("the gateway runs");
        let (most, watched) = (Arc::new(AtomicU64::new(first)), Arc::new(AtomicBool::new(true)));
        let (shared, until) = (Arc::clone(&most), Arc::clone(&watched));
        std::thread::spawn(move || {
            while until.load(Ordering::Relaxed) {
                shared.fetch_max(resident_kib(pid).unwrap_or_default(), Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        Self { first, most, watched }
    }

    fn growth_kib(&self) -> u64 {
        self.most.load(Ordering::Relaxed).saturating_sub(self.first)
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.watched.store(false, Ordering::Relaxed);
    }
}

pub(crate) fn resident_kib(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}
