//! A cluster of one server that says what a test wants it to say.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A server of every slot. It keeps the operations that its script is asked for, and closes the connection in place
/// of an answer to them.
#[derive(Clone)]
pub(crate) struct Forgetful {
    pub(crate) port: u16,
    pub(crate) asked: Arc<Mutex<Vec<String>>>,
}

impl Forgetful {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (port, asked) = (listener.local_addr().unwrap().port(), Arc::default());
        let server = Self { port, asked };
        let serving = server.clone();
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let server = serving.clone();
                std::thread::spawn(move || server.serve(client.unwrap()));
            }
        });
        server
    }

    /// The operations that were asked for.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    fn serve(&self, mut client: TcpStream) {
        let mut lines = BufReader::new(client.try_clone().unwrap());
        while let Some(command) = read(&mut lines) {
            let answer = match command[0].to_ascii_uppercase().as_str() {
                "EVALSHA" | "EVAL" => {
                    // After the script, one key's name and how many keys there are.
                    self.asked.lock().unwrap().push(command[4].clone());
                    return;
                }
                "CLUSTER" => {
                    format!("*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$9\r\n127.0.0.1\r\n:{}\r\n", self.port)
                }
                "PING" => "+PONG\r\n".into(),
                _ => "+OK\r\n".into(),
            };
            if client.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    }
}

/// One command; none at the end of the connection.
fn read(from: &mut impl BufRead) -> Option<Vec<String>> {
    let number = |from: &mut dyn BufRead| {
        let mut line = String::new();
        from.read_line(&mut line).ok()?;
        line.trim().get(1..)?.parse::<usize>().ok()
    };
    let count = number(from)?;
    let mut words = Vec::new();
    for _ in 0..count {
        let mut word = vec![0; number(from)? + 2];
        from.read_exact(&mut word).ok()?;
        word.truncate(word.len() - 2);
        words.push(String::from_utf8_lossy(&word).into_owned());
    }
    Some(words)
}
