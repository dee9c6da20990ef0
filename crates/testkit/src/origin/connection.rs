//! One connection of an origin: read a request, ask the scripts, perform the reply, again.

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::record::Record;
use super::reply::{End, Reply};
use super::{ReceivedRequest, Scripts, UponHead};
use crate::wire::{BodyReader, Framing, Malformed, head_length};

/// How much is written at once, so that `bytes_sent` follows what the kernel takes.
const PIECE: usize = 16 * 1024;

/// After a reply that came before its request's body, this long is read on, so that the close does not reset
/// the reply away (RFC 9112, section 9.6).
const LINGER: Duration = Duration::from_secs(5);

/// Why a connection ends.
enum Over {
    /// The peer closed or reset it, or the script did.
    Gone,
    Malformed(Malformed),
    ScriptPanicked(String),
}

impl From<std::io::Error> for Over {
    fn from(_: std::io::Error) -> Self {
        Self::Gone
    }
}

impl From<Malformed> for Over {
    fn from(reason: Malformed) -> Self {
        Self::Malformed(reason)
    }
}

pub(super) async fn serve(stream: TcpStream, peer: SocketAddr, scripts: Arc<Scripts>, record: Arc<Record>) {
    let counted = Counted::new(Arc::clone(&record));
    let mut connection = Connection {
        stream,
        peer,
        buffer: BytesMut::new(),
        number: counted.number,
        served: 0,
        scripts,
        record,
    };
    let over = loop {
        if let Err(over) = connection.exchange().await {
            break over;
        }
    };
    let complaint = match over {
        Over::Gone => return,
        Over::Malformed(reason) => format!("received {reason}"),
        Over::ScriptPanicked(reason) => format!("the script panicked: {reason}"),
    };
    let place = format!("connection {}, request {}", counted.number, connection.served);
    connection.record.complain(format!("{complaint} ({place})"));
    let refusal = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    let _gone = connection.stream.write_all(refusal).await;
}

/// Counts a connection as open until it is dropped, by a kill as well.
struct Counted {
    record: Arc<Record>,
    number: usize,
}

impl Counted {
    fn new(record: Arc<Record>) -> Self {
        let number = record.opened();
        Self { record, number }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.record.closed();
    }
}

struct Connection {
    stream: TcpStream,
    peer: SocketAddr,
    buffer: BytesMut,
    number: usize,
    served: usize,
    scripts: Arc<Scripts>,
    record: Arc<Record>,
}

impl Connection {
    /// One request and its reply; `Err` ends the connection.
    async fn exchange(&mut self) -> Result<(), Over> {
        let head = self.read_head().await?;
        self.served += 1;
        let (mut request, framing) = ReceivedRequest::parse(&head, self.peer, self.number, self.served)?;
        let index = self.record.push(request.clone());
        let scripts = Arc::clone(&self.scripts);
        match guarded(|| (scripts.upon_head)(&request))? {
            UponHead::ReadBody => self.send_continue(&request).await?,
            UponHead::ReadBodyAfter(gate) => {
                gate.passed().await;
                self.send_continue(&request).await?;
            }
            UponHead::Send(bytes) => self.write(&bytes).await?,
            UponHead::Reply(reply) => {
                self.perform(&reply, &request).await?;
                return self.read_body(&mut request, framing, index).await;
            }
        }
        self.read_body(&mut request, framing, index).await?;
        let reply = guarded(|| (scripts.respond)(&request))?;
        self.perform(&reply, &request).await
    }

    async fn read_head(&mut self) -> Result<Vec<u8>, Over> {
        loop {
            if let Some(length) = head_length(&self.buffer)? {
                return Ok(self.buffer.split_to(length).to_vec());
            }
            if !self.read_more().await? {
                if self.buffer.is_empty() {
                    return Err(Over::Gone);
                }
                return Err(Over::Malformed(format!(
                    "the end of the connection within a head: {:?}",
                    self.buffer
                )));
            }
        }
    }

    async fn send_continue(&mut self, request: &ReceivedRequest) -> Result<(), Over> {
        if request.wants_continue() {
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        Ok(())
    }

    /// Reads the body into `request` and the record; also what arrived of a body that was given up.
    async fn read_body(
        &mut self,
        request: &mut ReceivedRequest,
        framing: Framing,
        index: usize,
    ) -> Result<(), Over> {
        let mut reader = BodyReader::new(framing);
        let outcome = loop {
            match reader.feed(&mut self.buffer) {
                Ok(true) => break Ok(()),
                Ok(false) => {}
                Err(reason) => break Err(Over::Malformed(reason)),
            }
            match self.read_more().await {
                Ok(true) => {}
                Ok(false) | Err(_) => break Err(Over::Gone),
            }
        };
        request.complete = outcome.is_ok();
        request.abandoned = outcome.is_err();
        (request.body, request.raw_body, request.trailers) = (reader.body, reader.raw, reader.trailers);
        self.record.update(index, request);
        outcome
    }

    async fn perform(&mut self, reply: &Reply, request: &ReceivedRequest) -> Result<(), Over> {
        if let Some(gate) = reply.gate.clone() {
            self.while_connected(gate.passed()).await?;
        }
        self.pause(reply.delay).await?;
        let bytes = reply.bytes(request.method == "HEAD");
        match reply.pace {
            None => self.write(&bytes).await?,
            Some((piece, pause)) => {
                for piece in bytes.chunks(piece) {
                    self.write(piece).await?;
                    self.pause(pause).await?;
                }
            }
        }
        match reply.end_for(request.keeps_open()) {
            End::KeepOpen => return Ok(()),
            End::Close(pause) => {
                self.pause(pause).await?;
                if !request.complete {
                    self.linger().await?;
                }
            }
            End::Reset => self.stream.set_zero_linger()?,
            End::Hang => while self.read_more().await? {},
        }
        Err(Over::Gone)
    }

    async fn linger(&mut self) -> Result<(), Over> {
        self.stream.shutdown().await?;
        let drain = async { while self.read_more().await.unwrap_or(false) {} };
        let _late = tokio::time::timeout(LINGER, drain).await;
        Ok(())
    }

    async fn pause(&mut self, pause: Duration) -> Result<(), Over> {
        if pause.is_zero() {
            return Ok(());
        }
        self.while_connected(tokio::time::sleep(pause)).await
    }

    /// Waits for `event`, and gives up when the peer goes away first. Pipelined bytes are kept.
    async fn while_connected(&mut self, event: impl Future<Output = ()>) -> Result<(), Over> {
        tokio::pin!(event);
        loop {
            tokio::select! {
                biased;
                () = &mut event => return Ok(()),
                more = self.read_more() => if !more? {
                    return Err(Over::Gone);
                },
            }
        }
    }

    /// False when the peer has ended its sending.
    async fn read_more(&mut self) -> Result<bool, Over> {
        let count = self.stream.read_buf(&mut self.buffer).await?;
        self.record.received(count);
        Ok(count > 0)
    }

    async fn write(&mut self, mut bytes: &[u8]) -> Result<(), Over> {
        while bytes.has_remaining() {
            let count = self.stream.write(&bytes[..bytes.len().min(PIECE)]).await?;
            self.record.sent(count);
            bytes.advance(count);
        }
        Ok(())
    }
}

/// A script's failed assertion ends its connection and comes out in the test, not only in a thread's log.
fn guarded<T>(script: impl FnOnce() -> T) -> Result<T, Over> {
    catch_unwind(AssertUnwindSafe(script)).map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Over::ScriptPanicked(text.unwrap_or("without words").to_owned())
    })
}
