//! The two ends of the channel between a process and its successor.

use super::inherited::Inherited;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::TcpListener;
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Names the process that hands over, in the environment of its successor. Whoever is not its child has
/// only inherited the variable.
const FROM: &str = "TORANA_HANDOVER_FROM";
/// Variables about sockets and the service manager's process that are not the successor's.
const NOT_PASSED_ON: &[&str] = &["LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "LISTEN_FDS_FIRST_FD"];
const NAME_BYTES: usize = 256;
/// What a name cannot be: the end of the list.
const END: &[u8] = b"";
const READY: &[u8] = b"ready";
/// How long a successor waits for the sockets: they are sent before it has started.
const PATIENCE: Duration = Duration::from_secs(10);

/// The old process's end.
#[derive(Debug)]
pub struct Handover {
    ours: OwnedFd,
}

impl Handover {
    /// Makes `command` start a successor. After `patience` every step of the exchange fails.
    ///
    /// # Errors
    /// The channel cannot be made.
    pub fn prepare(command: &mut Command, patience: Duration) -> io::Result<Self> {
        // Whole messages, so that each socket arrives with its name.
        let (ours, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        set_socket_timeout(&ours, Timeout::Send, Some(patience))?;
        set_socket_timeout(&ours, Timeout::Recv, Some(patience))?;
        command.stdin(Stdio::from(theirs)).env(FROM, std::process::id().to_string());
        for name in NOT_PASSED_ON {
            command.env_remove(name);
        }
        Ok(Self { ours })
    }

    /// Sends the sockets and waits until the successor serves. The command must have been dropped, or the
    /// end of the successor would not be noticed. Blocks.
    ///
    /// # Errors
    /// The successor has ended, or does not serve in time.
    pub fn give<'a>(&self, sockets: impl Iterator<Item = (&'a str, &'a TcpListener)>) -> io::Result<()> {
        for (name, socket) in sockets {
            self.send(name.as_bytes(), socket)?;
        }
        send(&self.ours, END, &mut SendAncillaryBuffer::default())?;
        let mut answer = [0; READY.len()];
        let length = rustix::net::recv(&self.ours, &mut answer, RecvFlags::empty())?.0;
        match answer.get(..length) {
            Some(READY) => Ok(()),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    fn send(&self, name: &[u8], socket: &TcpListener) -> io::Result<()> {
        let descriptors = [socket.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !ancillary.push(SendAncillaryMessage::ScmRights(&descriptors)) {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        send(&self.ours, name, &mut ancillary)
    }
}

fn send(to: &OwnedFd, bytes: &[u8], ancillary: &mut SendAncillaryBuffer<'_, '_, '_>) -> io::Result<()> {
    sendmsg(to, &[IoSlice::new(bytes)], ancillary, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// The new process's end: the process that it takes over from.
#[derive(Debug)]
pub struct Predecessor {
    channel: OwnedFd,
}

impl Predecessor {
    /// Takes the sockets of the process that has started this one to take over; `None` when none has.
    ///
    /// # Errors
    /// It did not send them.
    pub fn find() -> io::Result<Option<(Self, Inherited)>> {
        let parent = std::os::unix::process::parent_id().to_string();
        if std::env::var(FROM).ok() != Some(parent) {
            return Ok(None);
        }
        let input = io::stdin();
        let channel = input.as_fd().try_clone_to_owned()?;
        // Nobody else may read from it, and it must end when this value is dropped.
        rustix::stdio::dup2_stdin(std::fs::File::open("/dev/null")?)?;
        set_socket_timeout(&channel, Timeout::Recv, Some(PATIENCE))?;
        let mut inherited = Inherited::default();
        while let Some((name, socket)) = receive(&channel)? {
            inherited.add_handed(name, socket);
        }
        Ok(Some((Self { channel }, inherited)))
    }

    /// Tells it that this process serves.
    ///
    /// # Errors
    /// It is gone.
    pub fn ready(self) -> io::Result<()> {
        rustix::net::send(&self.channel, READY, SendFlags::NOSIGNAL)?;
        Ok(())
    }
}

/// One socket with its name, or the end of them.
fn receive(from: &OwnedFd) -> io::Result<Option<(String, TcpListener)>> {
    let mut bytes = [0; NAME_BYTES];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let length =
        recvmsg(from, &mut [IoSliceMut::new(&mut bytes)], &mut ancillary, RecvFlags::CMSG_CLOEXEC)?.bytes;
    let mut descriptors = ancillary.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
        _ => None,
    });
    let name = String::from_utf8_lossy(bytes.get(..length).unwrap_or_default()).into_owned();
    match descriptors.next().and_then(|mut descriptors| descriptors.next()) {
        Some(descriptor) => Ok(Some((name, TcpListener::from(descriptor)))),
        None => Ok(None),
    }
}
