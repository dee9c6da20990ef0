//! `torana demo`: sample services and a gateway in one process, with commands to try.

mod services;
mod tour;

use crate::arguments::DemoArguments;
use crate::run::{Server, Settings, serve};
use anyhow::Context;
use services::Services;
use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::process::ExitCode;
use torana_transport::handover::Inherited;

const CONFIGURATION: &str = include_str!("demo/torana.yaml");

pub(crate) fn run(arguments: &DemoArguments) -> anyhow::Result<ExitCode> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_target(false).init();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(demo(arguments))
}

async fn demo(arguments: &DemoArguments) -> anyhow::Result<ExitCode> {
    let secret = random_secret().context("cannot make a secret")?;
    let services = Services::start(&secret).await.context("cannot start the sample services")?;
    let folder = Folder::new().context("cannot write the configuration of the demo")?;
    let file = folder.write("torana.yaml", &services.fill_in(CONFIGURATION))?;
    folder.write("jwt.secret", &secret)?;
    let settings =
        Settings { listen: vec![arguments.listen], admin: Some(arguments.admin), ..Settings::default() };
    let show = |server: &Server| {
        println!("{}", tour::text(server, &services, &file));
        // Whoever reads this through a pipe waits for it.
        let _ = std::io::stdout().flush();
    };
    // Boxed: it is large, and lives as long as the process.
    Box::pin(serve(&file, &settings, Inherited::default(), None, show)).await
}

/// Thirty-two random bytes in hexadecimal.
fn random_secret() -> std::io::Result<String> {
    let mut bytes = [0; 32];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

/// A folder of our own that goes when the demo ends.
#[derive(Debug)]
struct Folder(PathBuf);

impl Folder {
    fn new() -> std::io::Result<Self> {
        let path = std::env::temp_dir().join(format!("torana-demo-{}", std::process::id()));
        std::fs::create_dir(&path)?;
        Ok(Self(path))
    }

    fn write(&self, name: &str, text: &str) -> anyhow::Result<PathBuf> {
        let path = self.0.join(name);
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        file.write_all(text.as_bytes())?;
        Ok(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed stays in the system's folder for such things.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
