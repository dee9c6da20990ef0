//! Frames of HTTP/2 become the same ones however they are cut, and hardly more than they were.

use std::time::Duration;
use torana_http::h2::{FrameGuard, GuardLimits, PREFACE, Seal, Sealing};

/// What is added to a section at most: the seal around it, and the headers of two more frames.
const ADDED: usize = 2 * 19 + 2 * 9;
const HEADER: usize = 9;

/// What the library reads of an upstream that answers what is asked on streams 1 to 15, or of a client.
fn read(frames: &[u8], answers: bool, piece: usize) -> Vec<u8> {
    let limits = GuardLimits::default();
    let mut guard = if answers { FrameGuard::for_upstream(limits) } else { FrameGuard::for_client(limits) };
    if answers {
        guard.sent(PREFACE);
        for stream in (1..16).step_by(2) {
            guard.sent(&[0, 0, 0, 1, 4, 0, 0, 0, stream]);
        }
    } else {
        guard.received(PREFACE, Duration::ZERO).unwrap();
    }
    let (mut sealing, mut read) = (Sealing::new(Seal::new(7)), Vec::new());
    for bytes in frames.chunks(piece) {
        // A flood ends the connection; here it goes on.
        let _ = guard.received(bytes, Duration::ZERO);
        let untouched = sealing.untouched(bytes, guard.sections(), guard.cut());
        read.extend_from_slice(&bytes[..untouched]);
        sealing.take(bytes, untouched, guard.sections(), guard.cut());
        read.extend_from_slice(sealing.ready());
        sealing.consume(sealing.ready().len());
    }
    sealing.end();
    read.extend_from_slice(sealing.ready());
    assert!(read.len() <= frames.len() + (frames.len() / HEADER) * ADDED);
    read
}

pub fn check(data: &[u8]) {
    let Some((how, frames)) = data.split_first() else { return };
    let (answers, piece) = (how & 1 != 0, usize::from(how >> 1) + 1);
    let whole = read(frames, answers, frames.len().max(1));
    assert_eq!(read(frames, answers, piece), whole, "{piece} bytes at once");
}
