//! What a million consumers in a file of their own cost: the memory of the process, and the time until a file is taken
//! over, with how quickly the process looks at its files in it.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::server::{Server, free_address};
use crate::workspace::build;

const PATIENCE: Duration = Duration::from_secs(600);

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Consumers, each with a key
    #[arg(long, default_value_t = 1_000_000)]
    number: usize,
    /// The gateway that is measured, instead of building one
    #[arg(long)]
    program: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let program = match &arguments.program {
        Some(program) => program.clone(),
        None => build(&["--workspace", "--bins"])?.join("torana"),
    };
    let folder = tempfile::tempdir()?;
    let (file, consumers) = (folder.path().join("torana.yaml"), folder.path().join("consumers.jsonl"));
    let address = free_address()?;
    let text = format!(
        "listen: {address}\naccess_log: off\nconsumers: {{ files: [consumers.jsonl] }}\npolicies: {{ key_auth: {{ headers: [apikey] }} }}\nroutes: [{{ path: /, respond: {{ body: hello }} }}]\n"
    );
    std::fs::write(&file, text)?;
    write(&consumers, 1, 0)?;
    let file = file.to_string_lossy().into_owned();
    let server = Server::start_anywhere(address, &program, &["run", &file])?;
    let idle = server.memory_kib("VmRSS")?;
    println!("with one consumer: {} MiB", idle / 1024);
    let last = arguments.number.saturating_sub(1);
    for (round, what) in ["taken over", "taken over anew"].iter().enumerate() {
        let round = round + 1;
        write(&consumers, arguments.number, round)?;
        let began = Instant::now();
        while !passes(address, &key(last, round))? {
            ensure!(began.elapsed() < PATIENCE, "the file is not taken over");
            std::thread::sleep(Duration::from_millis(50));
        }
        let taken = began.elapsed().as_secs_f64();
        for number in 0..arguments.number {
            // Some are used, so that what is made for their requests is there.
            if number % 1000 == 0 {
                ensure!(passes(address, &key(number, round))?, "consumer {number} is refused");
            }
        }
        // What is freed goes back to the system a moment later, with the next request.
        std::thread::sleep(Duration::from_secs(1));
        ensure!(passes(address, &key(last, round))?, "the last consumer is refused");
        std::thread::sleep(Duration::from_millis(100));
        let (now, most) = (server.memory_kib("VmRSS")?, server.memory_kib("VmHWM")?);
        println!(
            "{} consumers in {} MB {what} in {taken:.1} s: the process holds {} MiB ({} bytes each), at the most {} MiB",
            arguments.number,
            std::fs::metadata(&consumers)?.len() / 1_000_000,
            now / 1024,
            now.saturating_sub(idle) * 1024 / arguments.number.max(1) as u64,
            most / 1024
        );
    }
    Ok(())
}

/// Writes beside and renames, as a file that is watched is to be changed.
fn write(file: &Path, number: usize, round: usize) -> Result<()> {
    let mut text = String::new();
    for one in 0..number {
        writeln!(
            text,
            "{{\"id\":\"00000000-0000-4000-8000-{one:012x}\",\"username\":\"user-{one}\",\"groups\":[\"gold\"],\"keys\":[\"{}\"]}}",
            key(one, round)
        )?;
    }
    let beside = file.with_extension("new");
    std::fs::write(&beside, text)?;
    std::fs::rename(&beside, file).context("exchanging the file of consumers")
}

fn key(number: usize, round: usize) -> String {
    format!("a-key-of-round-{round}-for-{number:010}")
}

fn passes(address: SocketAddr, key: &str) -> Result<bool> {
    let mut stream = TcpStream::connect(address)?;
    write!(stream, "GET / HTTP/1.1\r\nHost: localhost\r\napikey: {key}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    ensure!(answer.starts_with("HTTP/1.1 "), "an answer is none: {answer}");
    Ok(answer.starts_with("HTTP/1.1 200"))
}
