//! A client of large bodies, in each way that there is into a gateway.

use std::future::poll_fn;
use std::io::{BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

use super::{PATIENCE, PIECE, compare, head, length, piece, send};
use crate::http2::Http2Client;
use crate::tls::TlsOptions;

/// How a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// HTTP/1.1.
    Plain,
    /// HTTP/1.1 by TLS.
    Tls,
    /// HTTP/2 by TLS.
    Http2,
}

pub(super) struct Door<'a> {
    pub(super) gateway: SocketAddr,
    pub(super) way: Way,
    pub(super) options: TlsOptions,
    pub(super) pattern: &'a [u8],
}

trait Both: Read + Write {}
impl<T: Read + Write> Both for T {}

impl Door<'_> {
    fn connect(&self) -> Box<dyn Both> {
        let stream = TcpStream::connect(self.gateway).expect("the gateway listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a connected socket");
        stream.set_write_timeout(Some(PATIENCE)).expect("a connected socket");
        match self.way {
            Way::Plain => Box::new(stream),
            _ => Box::new(rustls::StreamOwned::new(self.options.session("localhost"), stream)),
        }
    }

    fn connect_http2(&self) -> Http2Client {
        let options = self.options.clone().offering(&["h2"]);
        Http2Client::try_connect_tls(self.gateway, &options, "localhost").expect("the gateway speaks HTTP/2")
    }

    /// Reads a body and compares it; `pause` is called between the head and the body.
    pub(super) fn download(&self, bytes: u64, mut pause: impl FnMut()) {
        if self.way == Way::Http2 {
            return self.download_http2(bytes, pause);
        }
        let mut stream = self.connect();
        write!(stream, "GET /{bytes} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").expect("sent");
        stream.flush().expect("sent");
        let mut reader = BufReader::with_capacity(PIECE, stream);
        let head = head(&mut reader).expect("a response");
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        assert_eq!(length(&head), Some(bytes), "{head}");
        pause();
        let read = compare(&mut reader, bytes, self.pattern, |_| {}).expect("every byte as it was sent");
        assert_eq!(read, bytes);
    }

    fn download_http2(&self, bytes: u64, mut pause: impl FnMut()) {
        let mut client = self.connect_http2();
        let (response, _stream) = client.begin("GET", &format!("/{bytes}"), &[], true).expect("a stream");
        let (parts, mut body) = client.run(response).expect("a response").into_parts();
        assert_eq!(parts.status, 200);
        pause();
        let mut read = 0;
        client.run_long(async {
            loop {
                let next = tokio::time::timeout(PATIENCE, body.data()).await.expect("something moves");
                let Some(data) = next else { return };
                let data = data.expect("the body goes on");
                body.flow_control().release_capacity(data.len()).expect("a stream");
                for part in data.chunks(PIECE) {
                    assert!(part == piece(self.pattern, read, part.len()), "a byte after {read} is another");
                    read += part.len() as u64;
                }
            }
        });
        assert_eq!(read, bytes);
    }

    /// Sends a body, which the origin compares; `written` counts.
    pub(super) fn upload(&self, bytes: u64, written: &AtomicU64) {
        if self.way == Way::Http2 {
            return self.upload_http2(bytes, written);
        }
        let mut stream = self.connect();
        write!(stream, "PUT / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {bytes}\r\n\r\n")
            .expect("sent");
        send(&mut stream, bytes, self.pattern, written).expect("the gateway takes the body");
        stream.flush().expect("sent");
        let head = head(&mut BufReader::new(stream)).expect("a response");
        assert!(head.starts_with("HTTP/1.1 204"), "{head}");
    }

    fn upload_http2(&self, bytes: u64, written: &AtomicU64) {
        let mut client = self.connect_http2();
        let announced = bytes.to_string();
        let (response, mut stream) =
            client.begin("PUT", "/", &[("content-length", &announced)], false).expect("a stream");
        client.run_long(async {
            let mut sent = 0;
            while sent < bytes {
                let wanted = PIECE.min(usize::try_from(bytes - sent).unwrap_or(PIECE));
                stream.reserve_capacity(wanted);
                let room = match stream.capacity() {
                    0 => {
                        let room = poll_fn(|context| stream.poll_capacity(context));
                        let room = tokio::time::timeout(PATIENCE, room).await.expect("something moves");
                        room.expect("an open stream").expect("the gateway takes the body")
                    }
                    room => room,
                };
                let data = Bytes::copy_from_slice(piece(self.pattern, sent, room.min(wanted)));
                sent += data.len() as u64;
                written.fetch_add(data.len() as u64, Ordering::Relaxed);
                stream.send_data(data, sent == bytes).expect("the gateway takes the body");
            }
        });
        assert_eq!(client.run(response).expect("a response").status(), 204);
    }
}
