//! The origin of the benchmarks: as little work per request as a server on sockets can do, so that the
//! proxy in front of it is what is measured.
//!
//! `bench-origin PORT` listens on 127.0.0.1 and answers `/10k` with 10 KiB, every other path with 128 bytes,
//! after it has swallowed a body given by `Content-Length`. It reads only what it needs and trusts the proxy
//! under test: it is no example of a server.

use std::io;

use bytes::{Buf, BytesMut};
use memchr::memmem;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const READ_AT_ONCE: usize = 4 * 1024;

fn main() -> io::Result<()> {
    let port = std::env::args().nth(1).and_then(|port| port.parse::<u16>().ok());
    let Some(port) = port else { return Err(io::Error::other("usage: bench-origin PORT")) };
    let small: &'static [u8] = answer(128).leak();
    let large: &'static [u8] = answer(10 * 1024).leak();
    tokio::runtime::Builder::new_current_thread().enable_io().build()?.block_on(async {
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            tokio::spawn(async move {
                // A connection that fails takes nothing with it; the load generator counts the error.
                let _ended = serve(stream, small, large).await;
            });
        }
    })
}

fn answer(length: usize) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nServer: bench-origin\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n"
    );
    let mut bytes = head.into_bytes();
    bytes.resize(bytes.len().saturating_add(length), b'x');
    bytes
}

async fn serve(mut stream: TcpStream, small: &[u8], large: &[u8]) -> io::Result<()> {
    let mut buffer = BytesMut::with_capacity(READ_AT_ONCE);
    loop {
        while let Some(length) = memmem::find(&buffer, b"\r\n\r\n").map(|at| at.saturating_add(4)) {
            let head = buffer.get(..length).unwrap_or_default();
            let answer = if head.starts_with(b"GET /10k ") { large } else { small };
            let body = body_length(head)?;
            buffer.advance(length);
            swallow(&mut stream, &mut buffer, body).await?;
            stream.write_all(answer).await?;
        }
        buffer.reserve(READ_AT_ONCE);
        if stream.read_buf(&mut buffer).await? == 0 {
            return Ok(());
        }
    }
}

async fn swallow(stream: &mut TcpStream, buffer: &mut BytesMut, mut left: usize) -> io::Result<()> {
    loop {
        let taken = left.min(buffer.len());
        buffer.advance(taken);
        left = left.saturating_sub(taken);
        if left == 0 {
            return Ok(());
        }
        buffer.reserve(READ_AT_ONCE);
        if stream.read_buf(buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

fn body_length(head: &[u8]) -> io::Result<usize> {
    if head.starts_with(b"GET ") {
        return Ok(0);
    }
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let length = head.split("\r\n").find_map(|line| line.strip_prefix("content-length:"));
    let length = length.map(|length| length.trim().parse());
    length.transpose().map(Option::unwrap_or_default).map_err(io::Error::other)
}
