//! A way to a server on which every answer takes its time.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

/// A port of this machine behind which the server is, whose answers come so much later; those that follow one
/// another closely still do.
pub(crate) fn slow_way(port: u16, later: Duration) -> u16 {
    let later = u64::try_from(later.as_millis()).unwrap();
    changing_way(port, &Arc::new(AtomicU64::new(later)))
}

/// The same, with so many milliseconds as there are at the time.
pub(crate) fn changing_way(port: u16, later: &Arc<AtomicU64>) -> u16 {
    let (later, none) = (Arc::clone(later), Arc::default());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let way = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let client = client.unwrap();
            let server = TcpStream::connect(("127.0.0.1", port)).unwrap();
            client.set_nodelay(true).unwrap();
            let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            let (there, back) = (Arc::clone(&none), Arc::clone(&later));
            std::thread::spawn(move || carry(from, to, &there));
            std::thread::spawn(move || carry(server, client, &back));
        }
    });
    way
}

fn carry(mut from: TcpStream, mut to: TcpStream, later: &AtomicU64) {
    let (sender, receiver) = channel::<(Instant, Vec<u8>)>();
    let writer = std::thread::spawn(move || {
        for (due, bytes) in receiver {
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            if to.write_all(&bytes).is_err() {
                return;
            }
        }
        let _ = to.shutdown(std::net::Shutdown::Both);
    });
    let mut room = [0; 65_536];
    while let Ok(length @ 1..) = from.read(&mut room) {
        let later = Duration::from_millis(later.load(Ordering::Relaxed));
        if sender.send((Instant::now() + later, room[..length].to_vec())).is_err() {
            break;
        }
    }
    drop(sender);
    let _ = writer.join();
}
