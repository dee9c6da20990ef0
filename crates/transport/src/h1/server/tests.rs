//! Deadlines towards clients that never read, on sockets that are full, with time that is made to pass.

use super::*;
use crate::clock::now;
use crate::h1::outgoing::Outgoing;
use crate::io::Stream;
use crate::tls::{Tickets, TlsServer, TlsServerSettings, TlsVersion, accept};
use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use tokio::net::{TcpListener, TcpStream};
use torana_certificate::CertifiedPair;
use torana_http::h1::BodyFraming;
use torana_testkit::{Authority, Client, TlsOptions};

/// A client's end that is held open in a thread for as long as this lives.
struct Held(Option<Sender<()>>, Option<std::thread::JoinHandle<()>>);

impl Drop for Held {
    fn drop(&mut self) {
        drop(self.0.take());
        if let Some(thread) = self.1.take() {
            thread.join().unwrap();
        }
    }
}

async fn accepted(
    client: impl FnOnce(std::net::SocketAddr, Receiver<()>) + Send + 'static,
) -> (TcpStream, Held) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = channel();
    let thread = std::thread::spawn(move || client(address, stopped));
    let (tcp, _) = listener.accept().await.unwrap();
    (tcp, Held(Some(stop), Some(thread)))
}

/// A connection by TLS to a client that has shaken hands and reads nothing from then on.
async fn unread() -> (Io, Held) {
    by_tls(|client, stopped| {
        let _ended = stopped.recv();
        drop(client);
    })
    .await
}

/// A connection by TLS to a client that does this once it has shaken hands.
async fn by_tls(client: impl FnOnce(Client, Receiver<()>) + Send + 'static) -> (Io, Held) {
    let authority = Authority::default();
    let issued = authority.issue(&["a.test"]);
    let pair = Arc::new(CertifiedPair::from_pem(&issued.cert, &issued.key).unwrap());
    let server = TlsServer::new(TlsServerSettings {
        certificates: &[pair],
        lowest: TlsVersion::Tls13,
        tickets: Arc::new(Tickets::new(None).unwrap()),
    });
    let (tcp, held) = accepted(move |address, stopped| {
        client(Client::connect_tls(address, &TlsOptions::trusting(&authority), "a.test"), stopped);
    })
    .await;
    let accepted = accept(tcp, &server.unwrap()).await.unwrap();
    (Io::new(Stream::Tls(accepted.stream)), held)
}

/// Writes until the socket takes nothing more; then there is a record that waits.
async fn fill(io: &Io) {
    let piece = vec![0; 16 * 1024];
    loop {
        // The kernel moves bytes from one end to the other in its own time.
        let full =
            poll_fn(|context| Poll::Ready(io.poll_write(context, &piece, &[], &[]).is_pending())).await;
        let flushed = poll_fn(|context| Poll::Ready(io.poll_flush(context).is_ready())).await;
        let mut still = 0;
        while full && !flushed && still < 10 {
            tokio::time::sleep(Duration::from_millis(50)).await;
            if poll_fn(|context| Poll::Ready(io.poll_flush(context).is_ready())).await {
                break;
            }
            still += 1;
        }
        if still == 10 {
            return;
        }
    }
}

#[tokio::test]
async fn a_record_that_the_socket_does_not_take_is_not_sent_and_ends_at_its_deadline() {
    let (io, _held) = unread().await;
    fill(&io).await;
    tokio::time::pause();
    let (timer, mut pending) = (Timer::default(), Vec::new());
    let patience = Patience::new(Duration::from_secs(30), 0);
    let reasons = (Reason::ClientClosed, Reason::ClientWriteTimeout);
    let mut outgoing = Outgoing::new(&io, &timer, &mut pending, reasons, patience);
    let begun = now();
    let fault = poll_fn(|context| outgoing.poll_flush(context)).await.unwrap_err();
    assert_eq!(fault.reason, Reason::ClientWriteTimeout);
    assert!((30..32).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
}

/// Writes until a record waits.
async fn stall(outgoing: &mut Outgoing<'_>) {
    let piece = vec![0; 16 * 1024];
    loop {
        poll_fn(|context| outgoing.poll_write(context, &piece)).await.unwrap();
        match poll_fn(|context| Poll::Ready(outgoing.poll_flush(context))).await {
            Poll::Ready(flushed) => flushed.unwrap(),
            Poll::Pending => return,
        }
    }
}

#[tokio::test]
async fn a_client_that_has_taken_everything_is_not_waited_for_while_nothing_comes() {
    let (read, to_read) = channel();
    let (io, _held) = by_tls(move |mut client, stopped| {
        client.read_exactly(to_read.recv().unwrap());
        let _ended = stopped.recv();
    })
    .await;
    tokio::time::pause();
    let (timer, mut pending) = (Timer::default(), Vec::new());
    // So many bytes a second that those that go out are good for no time at all.
    let patience = Patience::new(Duration::from_secs(30), 1 << 40);
    let reasons = (Reason::ClientClosed, Reason::ClientWriteTimeout);
    let mut outgoing = Outgoing::new(&io, &timer, &mut pending, reasons, patience);
    outgoing.set_framing(BodyFraming::UntilClose);
    stall(&mut outgoing).await;
    read.send(usize::try_from(outgoing.bytes).unwrap()).unwrap();
    while poll_fn(|context| Poll::Ready(outgoing.poll_flush(context).map(Result::unwrap))).await.is_pending()
    {
        // Paused time goes on when nobody has anything to do.
        tokio::task::yield_now().await;
    }
    tokio::time::advance(Duration::from_secs(300)).await;
    // The next wait has all its time before it.
    stall(&mut outgoing).await;
}

#[tokio::test]
async fn a_goodbye_that_the_socket_does_not_take_ends_at_its_deadline() {
    let (io, _held) = unread().await;
    fill(&io).await;
    tokio::time::pause();
    let begun = now();
    linger(&io, &Timer::default()).await;
    assert!((10..12).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_client_that_says_nothing_more_is_not_lingered_for() {
    let (tcp, _held) = accepted(|address, stopped| {
        let client = std::net::TcpStream::connect(address).unwrap();
        let _ended = stopped.recv();
        drop(client);
    })
    .await;
    tokio::time::pause();
    let begun = now();
    linger(&Io::new(Stream::Tcp(tcp)), &Timer::default()).await;
    assert!((2..4).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_sends_on_and_on_is_lingered_for_so_long_and_no_longer() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let dripping = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (tcp, _) = listener.accept().await.unwrap();
    let drip = tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let sent = poll_fn(|context| dripping.poll_write_ready(context)).await;
            if sent.is_err() || dripping.try_write(b"x").is_err() {
                return;
            }
        }
    });
    let begun = now();
    linger(&Io::new(Stream::Tcp(tcp)), &Timer::default()).await;
    assert!((9..12).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    drip.abort();
}

#[tokio::test]
async fn who_floods_after_the_last_answer_is_cut_off_by_bytes() {
    let (tcp, held) = accepted(|address, stopped| {
        let mut client = std::net::TcpStream::connect(address).unwrap();
        client.set_nonblocking(false).unwrap();
        let piece = vec![0; 1 << 20];
        while client.write_all(&piece).is_ok() {}
        let _ended = stopped.recv();
        let _nothing = client.read(&mut [0]);
    })
    .await;
    // Far less than the writer would send by itself, which is without end.
    linger(&Io::new(Stream::Tcp(tcp)), &Timer::default()).await;
    drop(held);
}

#[test]
fn spare_outputs_are_bounded_in_number_and_size() {
    for _ in 0..3 * KEPT {
        keep(Vec::with_capacity(KEPT_BYTES + 1));
    }
    SPARE.with_borrow(|spare| assert_eq!(spare.len(), 0, "too large to be kept"));
    for _ in 0..3 * KEPT {
        keep(Vec::with_capacity(1_000));
    }
    SPARE.with_borrow(|spare| assert_eq!(spare.len(), KEPT));
}
