//! A way to a server on which every answer takes its time.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

/// A port of this machine behind which the server is, whose answers come so much later; those that follow one
/// another closely still do.
pub(crate) fn slow_way(port: u16, later: Duration) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let way = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let client = client.unwrap();
            let server = TcpStream::connect(("127.0.0.1", port)).unwrap();
            client.set_nodelay(true).unwrap();
            let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            std::thread::spawn(move || carry(from, to, Duration::ZERO));
            std::thread::spawn(move || carry(server, client, later));
        }
    });
    way
}

fn carry(mut from: TcpStream, mut to: TcpStream, later: Duration) {
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
        if sender.send((Instant::now() + later, room[..length].to_vec())).is_err() {
            break;
        }
    }
    drop(sender);
    let _ = writer.join();
}
