//! An HTTP/2 server that does wrong on command, frame by frame.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::frames::{FrameClient, flag, kind};

/// `:status: 200` (RFC 7541 appendix A).
pub const OK: &[u8] = &[0x88];

/// What is done with a request. Codes are those of RFC 9113 section 7.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// 200 with the body `well`.
    Answer,
    /// RST_STREAM with this code instead of a head.
    Reset(u32),
    /// RST_STREAM with this code after a head and half a body.
    ResetInBody(u32),
    /// GOAWAY with this code that says the request was not looked at; the connection is closed.
    Goodbye(u32),
    /// The first of a connection is answered, the next gets [`Deed::Goodbye`].
    GoodbyeToTheSecond(u32),
    /// GOAWAY that promises an answer, and the connection is closed without it.
    Broken(u32),
    /// Nothing, ever.
    Hang,
    /// Nothing after a head and half a body.
    HangInBody,
}

/// A server on a free port of 127.0.0.1 that speaks frame by frame, a thread for each connection; `serve` is told its
/// number, counted from 1. Gives where it listens, and how many connections there were.
#[must_use]
#[track_caller]
pub fn serve_frames(
    serve: impl Fn(usize, &mut FrameClient) + Send + Sync + 'static,
) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port on 127.0.0.1");
    let address = listener.local_addr().expect("a bound socket has an address");
    let count = Arc::new(AtomicUsize::new(0));
    let (accepted, serve) = (Arc::clone(&count), Arc::new(serve));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else { return };
            let number = accepted.fetch_add(1, Ordering::SeqCst) + 1;
            let serve = Arc::clone(&serve);
            std::thread::spawn(move || serve(number, &mut FrameClient::accept(stream)));
        }
    });
    (address, count)
}

/// What a server does with its side of a connection.
impl FrameClient {
    /// Answers every request with 200 until the peer goes.
    pub fn answer_all(&mut self) {
        while let Some(stream) = self.next_request() {
            self.frame(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, stream, OK);
        }
    }

    /// The stream of the next request, once its head is there; what else comes is answered meanwhile.
    pub fn next_request(&mut self) -> Option<u32> {
        while let Some(frame) = self.read() {
            self.answer(&frame);
            if frame.kind == kind::HEADERS {
                return Some(frame.stream);
            }
        }
        None
    }
}

/// A server on a free port of 127.0.0.1, a thread for each connection.
#[derive(Debug)]
pub struct FrameOrigin {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    deed: Mutex<Deed>,
    requests: AtomicUsize,
    cancelled: AtomicUsize,
    over: AtomicBool,
}

impl FrameOrigin {
    /// Starts it.
    #[must_use]
    #[track_caller]
    pub fn doing(deed: Deed) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port on 127.0.0.1");
        let address = listener.local_addr().expect("a bound socket has an address");
        let shared = Arc::new(Shared {
            deed: Mutex::new(deed),
            requests: AtomicUsize::new(0),
            cancelled: AtomicUsize::new(0),
            over: AtomicBool::new(false),
        });
        let serving = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                if serving.over.load(Ordering::SeqCst) {
                    return;
                }
                let shared = Arc::clone(&serving);
                std::thread::spawn(move || serve(&mut FrameClient::accept(stream), &shared));
            }
        });
        Self { address, shared }
    }

    /// From here on.
    pub fn now_does(&self, deed: Deed) {
        *self.shared.deed.lock().unwrap_or_else(PoisonError::into_inner) = deed;
    }

    /// `h2://127.0.0.1:PORT`
    #[must_use]
    pub fn url(&self) -> String {
        format!("h2://{}", self.address)
    }

    /// Requests so far.
    #[must_use]
    pub fn count(&self) -> usize {
        self.shared.requests.load(Ordering::SeqCst)
    }

    /// Requests that the peer has cancelled.
    #[must_use]
    pub fn cancelled(&self) -> usize {
        self.shared.cancelled.load(Ordering::SeqCst)
    }
}

impl Drop for FrameOrigin {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts.
        let _ = std::net::TcpStream::connect(self.address);
    }
}

fn serve(peer: &mut FrameClient, shared: &Shared) {
    let mut answered = 0;
    while let Ok(Some(frame)) = peer.read_within(crate::DEADLINE) {
        peer.answer(&frame);
        match frame.kind {
            kind::RST_STREAM => {
                shared.cancelled.fetch_add(1, Ordering::SeqCst);
            }
            kind::HEADERS => {
                shared.requests.fetch_add(1, Ordering::SeqCst);
                let deed = *shared.deed.lock().unwrap_or_else(PoisonError::into_inner);
                let deed = match deed {
                    Deed::GoodbyeToTheSecond(_) if answered == 0 => Deed::Answer,
                    Deed::GoodbyeToTheSecond(code) => Deed::Goodbye(code),
                    deed => deed,
                };
                if !act(peer, deed, frame.stream) {
                    return;
                }
                answered += 1;
            }
            _ => {}
        }
    }
}

/// Whether the connection goes on.
fn act(peer: &mut FrameClient, deed: Deed, stream: u32) -> bool {
    let half = |peer: &mut FrameClient| {
        peer.try_frame(kind::HEADERS, flag::END_HEADERS, stream, OK);
        peer.try_frame(kind::DATA, 0, stream, b"half")
    };
    let goodbye = |peer: &mut FrameClient, last: u32, code: u32| {
        peer.try_frame(kind::GOAWAY, 0, 0, &[last.to_be_bytes(), code.to_be_bytes()].concat());
        false
    };
    match deed {
        Deed::Answer => {
            peer.try_frame(kind::HEADERS, flag::END_HEADERS, stream, OK);
            peer.try_frame(kind::DATA, flag::END_STREAM, stream, b"well")
        }
        Deed::Reset(code) => peer.try_frame(kind::RST_STREAM, 0, stream, &code.to_be_bytes()),
        Deed::ResetInBody(code) => {
            half(peer);
            peer.try_frame(kind::RST_STREAM, 0, stream, &code.to_be_bytes())
        }
        Deed::Goodbye(code) | Deed::GoodbyeToTheSecond(code) => goodbye(peer, stream.saturating_sub(2), code),
        Deed::Broken(code) => goodbye(peer, stream, code),
        Deed::Hang => true,
        Deed::HangInBody => half(peer),
    }
}
