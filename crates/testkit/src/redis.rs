//! Real Redis and Valkey servers on free ports: one, a cluster, or one with a replica and a sentinel that watches
//! it.
//!
//! Each is a child of the test, with a folder of its own, and ends with it. It can be paused, killed and started
//! again on its port.

use crate::{DEADLINE, HeldPort, eventually, temp_dir, tool, within};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A server.
#[derive(Debug)]
pub struct RedisServer {
    child: Option<Child>,
    port: u16,
    /// The port of one that was killed, so that it is nobody else's meanwhile.
    held: Option<HeldPort>,
    folder: tempfile::TempDir,
    program: PathBuf,
    arguments: Vec<String>,
    paused: bool,
}

impl RedisServer {
    /// Starts a server that keeps nothing on disk.
    ///
    /// # Panics
    /// There is no `redis-server`, or it does not start.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts a server with further arguments, such as `--appendonly yes`.
    ///
    /// # Panics
    /// As above.
    #[must_use]
    pub fn start_with(arguments: &[&str]) -> Self {
        Self::keeping_nothing(Path::new("redis-server"), arguments)
    }

    /// Starts a Valkey server that keeps nothing on disk.
    ///
    /// # Panics
    /// It cannot be installed, or does not start.
    #[must_use]
    pub fn valkey() -> Self {
        Self::keeping_nothing(&tool("valkey-server"), &[])
    }

    /// Starts a sentinel that is configured so.
    ///
    /// # Panics
    /// As above.
    #[must_use]
    pub fn sentinel(configuration: &str) -> Self {
        Self::run(Path::new("redis-server"), |folder| {
            // It writes to it.
            let file = folder.join("sentinel.conf");
            std::fs::write(&file, configuration).expect("a configuration for the sentinel");
            vec![file.display().to_string(), "--sentinel".into()]
        })
    }

    fn keeping_nothing(program: &Path, arguments: &[&str]) -> Self {
        let mut all = vec!["--save", "", "--appendonly", "no"];
        all.extend(arguments);
        Self::run(program, |_| all.iter().map(|argument| (*argument).to_owned()).collect())
    }

    fn run(program: &Path, arguments: impl Fn(&Path) -> Vec<String>) -> Self {
        let folder = temp_dir();
        let arguments = arguments(folder.path());
        // Held until the server has it, and by none but it.
        let held = HeldPort::free();
        let mut server = Self {
            child: Some(spawn(program, held.port(), folder.path(), &arguments)),
            port: held.port(),
            held: None,
            folder,
            program: program.to_owned(),
            arguments,
            paused: false,
        };
        assert!(server.comes_up(), "{} does not start", program.display());
        server
    }

    fn comes_up(&mut self) -> bool {
        let end = std::time::Instant::now() + DEADLINE;
        while std::time::Instant::now() < end {
            let ended = self.child.as_mut().is_some_and(|child| !matches!(child.try_wait(), Ok(None)));
            if ended {
                return false;
            }
            // With a password set, asking for one is an answer too.
            if self
                .try_command(&["PING"])
                .is_some_and(|said| said.contains("PONG") || said.contains("NOAUTH"))
            {
                self.held = None;
                return true;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        false
    }

    /// Its port on the loopback address.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Sends a command and gives the raw answer.
    ///
    /// # Panics
    /// The server does not answer.
    #[must_use]
    pub fn command(&self, words: &[&str]) -> String {
        self.try_command(words).expect("the server answers")
    }

    fn try_command(&self, words: &[&str]) -> Option<String> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let mut stream = TcpStream::connect_timeout(&address, DEADLINE).ok()?;
        stream.set_read_timeout(Some(DEADLINE)).ok()?;
        let mut request = format!("*{}\r\n", words.len());
        for word in words {
            request.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
        stream.write_all(request.as_bytes()).ok()?;
        // The server answers and then closes, so that the whole answer has come when reading ends.
        stream.shutdown(std::net::Shutdown::Write).ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok()?;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        (!answer.is_empty()).then_some(answer)
    }

    fn signal(&self, signal: Signal) {
        let child = self.child.as_ref().expect("the server runs");
        let pid = Pid::from_raw(i32::try_from(child.id()).expect("a process number")).expect("not 0");
        kill_process(pid, signal).expect("the child is ours");
    }

    /// Stops the process where it is; connections stay open and nothing is answered.
    ///
    /// # Panics
    /// The server does not run.
    pub fn pause(&mut self) {
        self.signal(Signal::STOP);
        self.paused = true;
    }

    /// Lets it go on.
    ///
    /// # Panics
    /// The server does not run.
    pub fn resume(&mut self) {
        self.signal(Signal::CONT);
        self.paused = false;
    }

    /// Ends it at once, as a crash would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
            self.held = HeldPort::at(SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))).ok();
        }
    }

    /// Starts it again on its port and in its folder.
    ///
    /// # Panics
    /// It does not start.
    pub fn restart(&mut self) {
        let comes_up = || {
            self.kill();
            self.child = Some(spawn(&self.program, self.port, self.folder.path(), &self.arguments));
            self.comes_up()
        };
        // Who connects at this moment may have been given its port to connect from.
        assert!(within(DEADLINE, comes_up), "{} does not start again", self.program.display());
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}

fn spawn(program: &Path, port: u16, folder: &Path, arguments: &[String]) -> Child {
    Command::new(program)
        .args(arguments.first().filter(|first| first.ends_with(".conf")))
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--dir"])
        .arg(folder)
        .args(arguments.iter().filter(|argument| !argument.ends_with(".conf")))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| {
            panic!("{} (package redis-server) cannot be started: {error}", program.display())
        })
}

/// A cluster of three servers without replicas.
#[derive(Debug)]
pub struct RedisCluster {
    /// Its servers.
    pub servers: Vec<RedisServer>,
}

impl RedisCluster {
    /// Starts the servers and waits until every slot is served.
    ///
    /// # Panics
    /// The cluster does not come about.
    #[must_use]
    pub fn start() -> Self {
        // The bus of a server is on its port and 10,000, unless it is told.
        let servers: Vec<RedisServer> = (0..3)
            .map(|_| {
                let bus = HeldPort::free();
                RedisServer::start_with(&[
                    "--cluster-enabled",
                    "yes",
                    "--cluster-config-file",
                    "nodes.txt",
                    "--cluster-port",
                    &bus.port().to_string(),
                ])
            })
            .collect();
        let mut create = Command::new("redis-cli");
        create.args(["--cluster", "create"]);
        create.args(servers.iter().map(|server| format!("127.0.0.1:{}", server.port)));
        create.args(["--cluster-replicas", "0", "--cluster-yes"]);
        let created = create.output().expect("redis-cli (package redis-tools)");
        assert!(created.status.success(), "{}", String::from_utf8_lossy(&created.stdout));
        let ready = |server: &RedisServer| server.command(&["CLUSTER", "INFO"]).contains("cluster_state:ok");
        eventually(DEADLINE, || servers.iter().all(ready));
        Self { servers }
    }
}

/// A server, its replica and a sentinel that watches them as `main`.
#[derive(Debug)]
pub struct RedisSentinel {
    /// The server that leads at first.
    pub first: RedisServer,
    /// The server that leads after it.
    pub second: RedisServer,
    /// The sentinel.
    pub sentinel: RedisServer,
}

impl RedisSentinel {
    /// Starts all three and waits until the sentinel knows the replica.
    ///
    /// # Panics
    /// They do not come about.
    #[must_use]
    pub fn start() -> Self {
        let first = RedisServer::start();
        let port = first.port.to_string();
        let second = RedisServer::start_with(&["--replicaof", "127.0.0.1", &port]);
        eventually(DEADLINE, || second.command(&["INFO", "replication"]).contains("master_link_status:up"));
        let sentinel = RedisServer::sentinel(&format!(
            "sentinel monitor main 127.0.0.1 {port} 1
sentinel down-after-milliseconds main 3000
sentinel failover-timeout main 3000
"
        ));
        let replicas = || sentinel.command(&["SENTINEL", "REPLICAS", "main"]);
        let known = format!("\r\n{}\r\n", second.port);
        eventually(DEADLINE, || replicas().contains(&known));
        Self { first, second, sentinel }
    }
}
