//! A blocking TCP client for byte-exact tests.
//!
//! It sends the bytes of the test as they are and reads responses strictly, on plain sockets with a deadline
//! on every wait. It has no pool, follows nothing and adds nothing.

mod response;

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use bytes::BytesMut;

pub use self::response::Response;

use crate::DEADLINE;
use crate::tls::TlsOptions;
use crate::wire::{BodyReader, head_length};

/// Why nothing could be read.
#[derive(Debug)]
pub enum ClientError {
    /// The peer closed before the first byte of a response.
    Closed,
    /// The peer closed within a response; what arrived of it.
    Truncated(Vec<u8>),
    /// The deadline passed; what arrived so far.
    Late(Vec<u8>),
    /// The bytes are no HTTP/1 response, in words.
    Malformed(String),
    /// The socket failed, by a reset for example.
    Socket(io::Error),
}

impl fmt::Display for ClientError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => write!(formatter, "the peer closed before a response"),
            Self::Truncated(bytes) => write!(formatter, "the peer closed within {}", shown(bytes)),
            Self::Late(bytes) => write!(formatter, "the deadline passed; received {}", shown(bytes)),
            Self::Malformed(reason) => write!(formatter, "received {reason}"),
            Self::Socket(error) => write!(formatter, "the socket failed: {error}"),
        }
    }
}

impl std::error::Error for ClientError {}

fn shown(bytes: &[u8]) -> String {
    format!("{:?} ({} bytes)", String::from_utf8_lossy(&bytes[..bytes.len().min(400)]), bytes.len())
}

/// One connection. Methods without `try_` panic at the call's place when they fail.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    /// TLS over the stream, unless it is plain.
    session: Option<Box<rustls::ClientConnection>>,
    buffer: BytesMut,
    deadline: Duration,
}

impl Client {
    /// Connects; every later call has [`DEADLINE`] each, unless [`deadline`](Self::deadline) says otherwise.
    #[must_use]
    #[track_caller]
    pub fn connect(address: SocketAddr) -> Self {
        Self::try_connect(address).unwrap_or_else(|error| panic!("connecting to {address}: {error}"))
    }

    /// As [`connect`](Self::connect).
    ///
    /// # Errors
    /// When the connection is refused or late.
    pub fn try_connect(address: SocketAddr) -> io::Result<Self> {
        Self::from_stream(TcpStream::connect_timeout(&address, DEADLINE)?)
    }

    /// Connects from another address of this machine: all of 127.0.0.0/8 may be used on Linux.
    #[must_use]
    #[track_caller]
    pub fn connect_from(source: IpAddr, address: SocketAddr) -> Self {
        let connect = || -> io::Result<Self> {
            let domain = socket2::Domain::for_address(address);
            let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None)?;
            socket.bind(&SocketAddr::new(source, 0).into())?;
            socket.connect_timeout(&address.into(), DEADLINE)?;
            Self::from_stream(socket.into())
        };
        connect().unwrap_or_else(|error| panic!("connecting from {source} to {address}: {error}"))
    }

    fn from_stream(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(DEADLINE))?;
        Ok(Self { stream, session: None, buffer: BytesMut::new(), deadline: DEADLINE })
    }

    /// Connects and shakes hands, asking for `server_name`.
    ///
    /// # Errors
    /// When the connection or the handshake is refused, fails or is late.
    pub fn try_connect_tls(address: SocketAddr, options: &TlsOptions, server_name: &str) -> io::Result<Self> {
        Self::try_connect(address)?.try_secure(options, server_name)
    }

    /// As [`try_connect_tls`](Self::try_connect_tls).
    #[must_use]
    #[track_caller]
    pub fn connect_tls(address: SocketAddr, options: &TlsOptions, server_name: &str) -> Self {
        Self::try_connect_tls(address, options, server_name)
            .unwrap_or_else(|error| panic!("connecting to {server_name} at {address} by TLS: {error}"))
    }

    /// Shakes hands over this connection, whatever was sent on it before.
    ///
    /// # Errors
    /// When the handshake is refused, fails or is late.
    pub fn try_secure(mut self, options: &TlsOptions, server_name: &str) -> io::Result<Self> {
        let mut session = Box::new(options.session(server_name));
        self.stream.set_read_timeout(Some(self.deadline))?;
        while session.is_handshaking() {
            session.complete_io(&mut self.stream)?;
        }
        self.session = Some(session);
        Ok(self)
    }

    /// What the handshake has agreed on.
    ///
    /// # Panics
    /// When the connection is plain.
    #[must_use]
    pub fn session(&self) -> &rustls::ClientConnection {
        self.session.as_deref().expect("a connection by TLS")
    }

    /// The certificate that the server has shown.
    ///
    /// # Panics
    /// When the connection is plain.
    #[must_use]
    pub fn server_certificate(&self) -> Vec<u8> {
        self.session().peer_certificates().and_then(<[_]>::first).expect("a certificate").to_vec()
    }

    /// Sets how long each later call may take.
    #[must_use]
    #[track_caller]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.stream.set_write_timeout(Some(deadline)).expect("a deadline above zero");
        self.deadline = deadline;
        self
    }

    /// This side's address.
    #[must_use]
    #[track_caller]
    pub fn local_addr(&self) -> SocketAddr {
        self.stream.local_addr().expect("a connected socket has an address")
    }

    /// Sends the bytes as they are; several requests at once are pipelined.
    #[track_caller]
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.try_send(bytes).unwrap_or_else(|error| panic!("sending: {error}"));
        self
    }

    /// As [`send`](Self::send).
    ///
    /// # Errors
    /// When the peer has closed or does not read before the deadline.
    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        match &mut self.session {
            None => self.stream.write_all(bytes.as_ref()),
            Some(session) => {
                let mut tls = rustls::Stream::new(&mut **session, &mut self.stream);
                tls.write_all(bytes.as_ref())?;
                tls.flush()
            }
        }
    }

    /// Reads the next final response; interim ones (1xx but 101) before it are in its `interim`.
    #[track_caller]
    pub fn read_response(&mut self) -> Response {
        self.try_read_response().unwrap_or_else(|error| panic!("reading a response: {error}"))
    }

    /// As [`read_response`](Self::read_response), to a HEAD request: the response has no body.
    #[track_caller]
    pub fn read_response_to_head(&mut self) -> Response {
        self.read_final(true).unwrap_or_else(|error| panic!("reading a response to HEAD: {error}"))
    }

    /// As [`read_response`](Self::read_response).
    ///
    /// # Errors
    /// When no whole and strict response arrives before the deadline.
    pub fn try_read_response(&mut self) -> Result<Response, ClientError> {
        self.read_final(false)
    }

    /// Reads the next response, interim ones too: what a client does that waits for `100 Continue`.
    #[track_caller]
    pub fn read_any_response(&mut self) -> Response {
        let end = Instant::now() + self.deadline;
        self.read_one(false, end).unwrap_or_else(|error| panic!("reading any response: {error}"))
    }

    /// Sends and reads the one response.
    #[track_caller]
    pub fn exchange(&mut self, bytes: impl AsRef<[u8]>) -> Response {
        self.send(bytes);
        self.read_response()
    }

    /// Reads exactly what the peer sends until it closes.
    #[track_caller]
    pub fn read_to_end(&mut self) -> Vec<u8> {
        self.try_read_to_end().unwrap_or_else(|error| panic!("reading to the end: {error}"))
    }

    /// As [`read_to_end`](Self::read_to_end).
    ///
    /// # Errors
    /// When the peer resets, or has not closed at the deadline.
    pub fn try_read_to_end(&mut self) -> Result<Vec<u8>, ClientError> {
        let end = Instant::now() + self.deadline;
        while self.read_more(end)? {}
        Ok(self.buffer.split().to_vec())
    }

    /// Reads exactly `count` bytes.
    #[track_caller]
    pub fn read_exactly(&mut self, count: usize) -> Vec<u8> {
        self.try_read_exactly(count).unwrap_or_else(|error| panic!("reading {count} bytes: {error}"))
    }

    /// As [`read_exactly`](Self::read_exactly).
    ///
    /// # Errors
    /// When the peer ends before that many, or is late.
    pub fn try_read_exactly(&mut self, count: usize) -> Result<Vec<u8>, ClientError> {
        let end = Instant::now() + self.deadline;
        while self.buffer.len() < count {
            if !self.read_more(end)? {
                return Err(ClientError::Truncated(self.buffer.split().to_vec()));
            }
        }
        Ok(self.buffer.split_to(count).to_vec())
    }

    /// Reads until there are `count` bytes, the peer has ended or the deadline has passed, and forgets them.
    pub fn read_at_most(&mut self, count: usize) {
        let end = Instant::now() + self.deadline;
        while self.buffer.len() < count && self.read_more(end).unwrap_or(false) {}
        self.buffer.clear();
    }

    /// Waits for the peer to close (an orderly end or a reset) without a further byte.
    #[track_caller]
    pub fn expect_closed(&mut self) {
        match self.try_read_to_end() {
            Ok(bytes) => assert!(bytes.is_empty(), "received {} before the close", shown(&bytes)),
            Err(ClientError::Socket(_)) => {}
            Err(error) => panic!("waiting for the close: {error}"),
        }
    }

    /// Ends this side's sending; reading goes on.
    #[track_caller]
    pub fn finish_sending(&mut self) -> &mut Self {
        self.stream.shutdown(Shutdown::Write).expect("a connected socket");
        self
    }

    /// Resets the connection (RST).
    #[track_caller]
    pub fn reset(self) {
        let socket = socket2::SockRef::from(&self.stream);
        socket.set_linger(Some(Duration::ZERO)).expect("a connected socket");
    }

    fn read_final(&mut self, to_head_request: bool) -> Result<Response, ClientError> {
        let end = Instant::now() + self.deadline;
        let mut interim = Vec::new();
        loop {
            let mut response = self.read_one(to_head_request, end)?;
            if (100..200).contains(&response.status) && response.status != 101 {
                interim.push(response);
            } else {
                response.interim = interim;
                return Ok(response);
            }
        }
    }

    fn read_one(&mut self, to_head_request: bool, end: Instant) -> Result<Response, ClientError> {
        let length = loop {
            if let Some(length) = head_length(&self.buffer).map_err(ClientError::Malformed)? {
                break length;
            }
            if !self.read_more(end)? {
                let bytes = self.buffer.split().to_vec();
                return Err(if bytes.is_empty() {
                    ClientError::Closed
                } else {
                    ClientError::Truncated(bytes)
                });
            }
        };
        let head = self.buffer.split_to(length).to_vec();
        let (mut response, framing) =
            Response::parse(&head, to_head_request).map_err(ClientError::Malformed)?;
        let mut reader = BodyReader::new(framing);
        while !reader.feed(&mut self.buffer).map_err(ClientError::Malformed)? {
            match self.read_more(end) {
                Ok(true) => {}
                Ok(false) if reader.end() => break,
                Ok(false) => return Err(ClientError::Truncated([head, reader.raw].concat())),
                Err(ClientError::Late(_)) => return Err(ClientError::Late([head, reader.raw].concat())),
                Err(error) => return Err(error),
            }
        }
        (response.body, response.trailers) = (reader.body, reader.trailers);
        response.raw = [head, reader.raw].concat();
        Ok(response)
    }

    /// False when the peer has ended its sending.
    fn read_more(&mut self, end: Instant) -> Result<bool, ClientError> {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ClientError::Late(self.buffer.to_vec()));
        }
        self.stream.set_read_timeout(Some(left)).map_err(ClientError::Socket)?;
        let mut piece = [0; 16 * 1024];
        let read = match &mut self.session {
            None => self.stream.read(&mut piece),
            Some(session) => rustls::Stream::new(&mut **session, &mut self.stream).read(&mut piece),
        };
        match read {
            Ok(0) => Ok(false),
            Ok(count) => {
                self.buffer.extend_from_slice(&piece[..count]);
                Ok(true)
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                Err(ClientError::Late(self.buffer.to_vec()))
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(true),
            Err(error) => Err(ClientError::Socket(error)),
        }
    }
}

/// One GET on a connection of its own.
#[track_caller]
pub fn get(address: SocketAddr, target: &str) -> Response {
    request(address, "GET", target, &[], b"")
}

/// One request on a connection of its own, with `Host`, `Connection: close` and, for a body, its length.
#[track_caller]
pub fn request(
    address: SocketAddr,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Response {
    let mut head = format!("{method} {target} HTTP/1.1\r\n");
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        head.push_str(&format!("Host: {address}\r\n"));
    }
    head.push_str("Connection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() {
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    head.push_str("\r\n");
    let mut client = Client::connect(address);
    client.send([head.as_bytes(), body].concat());
    if method == "HEAD" { client.read_response_to_head() } else { client.read_response() }
}
