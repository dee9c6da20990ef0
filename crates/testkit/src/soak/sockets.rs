//! Connections that leave HTTP, as WebSocket does: bytes go both ways until somebody has enough.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use super::client::leave;
use super::script::body;
use super::{Doors, Mixer};

/// What the service does with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// Sends back whatever comes, until the client ends.
    Echo,
    /// Ends or resets after so many bytes.
    End(usize),
    Reset(usize),
    /// Never says a word.
    Silence,
    /// Stays with HTTP.
    Refusal,
}

impl Outcome {
    fn of(number: u64) -> Self {
        let mut random = Mixer::new(number);
        let bytes = random.size();
        match random.below(12) {
            0..=6 => Self::Echo,
            7 | 8 => Self::End(bytes),
            9 => Self::Reset(bytes),
            10 => Self::Silence,
            _ => Self::Refusal,
        }
    }
}

/// A service that switches protocols by the number in the target; it ends with the process.
pub(super) fn service() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            // A connection that fails is seen by the client.
            std::thread::spawn(move || serve(stream));
        }
    });
    address
}

fn serve(mut stream: TcpStream) -> std::io::Result<()> {
    // Whoever forgets about a connection is not waited for without end.
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let target = head.split(' ').nth(1).unwrap_or_default();
    let number = target.rsplit('/').next().and_then(|number| number.parse().ok());
    let outcome = Outcome::of(number.unwrap_or_default());
    if outcome == Outcome::Refusal {
        return stream.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    }
    stream.write_all(
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    )?;
    let mut left = match outcome {
        Outcome::End(bytes) | Outcome::Reset(bytes) => bytes,
        _ => usize::MAX,
    };
    let mut piece = [0; 8 * 1024];
    while left > 0 {
        let most = piece.len().min(left);
        let count = stream.read(&mut piece[..most])?;
        if count == 0 {
            break;
        }
        if outcome != Outcome::Silence {
            stream.write_all(&piece[..count])?;
            left = left.saturating_sub(count);
        }
    }
    if matches!(outcome, Outcome::Reset(_)) {
        socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
    }
    Ok(())
}

/// One connection, and the number of right answers on it.
pub(super) fn act(doors: &Doors, random: &mut Mixer) -> Result<u64, String> {
    let mut client = doors.connect(random)?;
    let number = random.next();
    let outcome = Outcome::of(number);
    let text = format!(
        "GET /sockets/{number} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    );
    client.try_send(text).map_err(|error| format!("sending: {error}"))?;
    if random.below(8) == 0 {
        leave(client, random);
        return Ok(0);
    }
    let status = match client.try_read_response() {
        Ok(response) => response.status,
        Err(_) if matches!(outcome, Outcome::Reset(_)) => return Ok(0),
        Err(error) => return Err(format!("a socket, {outcome:?} of {number}: {error}")),
    };
    match (outcome, status) {
        (Outcome::Refusal, 403) => return Ok(1),
        (Outcome::Refusal, _) | (_, ..101 | 102..) => {
            return Err(format!("a socket, {outcome:?} of {number}, was answered by {status}"));
        }
        (_, 101) => {}
    }
    let mut right = 0;
    for _ in 0..1 + random.below(4) {
        let said = body(random.next(), 1 + random.below(30_000));
        let sent = client.try_send(&said);
        if random.below(8) == 0 {
            break;
        }
        match (sent.map(|()| client.try_read_exactly(said.len())), outcome) {
            (Ok(Ok(heard)), _) if heard == said => right += 1,
            (Ok(Ok(_)), _) => return Err(format!("a socket, {outcome:?} of {number}: other bytes")),
            (_, Outcome::Echo) => return Err(format!("a socket, echo of {number}, has ended")),
            // It ends, or the gateway ends the silence.
            _ => break,
        }
    }
    leave(client, random);
    Ok(right)
}
