//! The end of a connection whose client may have to take what the kernel still holds.

use crate::buffer::Buffer;
use crate::io::Io;
use crate::timer::Timer;
use std::future::poll_fn;
use std::task::Poll;
use tokio::time::Instant;

/// What is read meanwhile at most: what was on its way.
const MOST: u64 = 4 * 1024 * 1024;

/// Ends our side and reads what the client still sends, until it has ended its own or until then: a window that it
/// opens while it reads would meet a closed socket, and the kernel would answer by a reset that takes the rest away.
pub(super) async fn linger(io: &Io, timer: &Timer, until: Instant) {
    let ended = poll_fn(|context| match io.poll_shutdown(context) {
        Poll::Ready(ended) => Poll::Ready(ended.is_ok()),
        Poll::Pending => timer.poll_deadline(context, until).map(|()| false),
    });
    if !ended.await {
        return;
    }
    let mut buffer = Buffer::empty();
    let mut total: u64 = 0;
    while total < MOST {
        let read = poll_fn(|context| {
            let capacity = buffer.capacity();
            match io.poll_read(context, &mut buffer, capacity) {
                Poll::Ready(read) => Poll::Ready(read.unwrap_or_default()),
                Poll::Pending => timer.poll_deadline(context, until).map(|()| 0),
            }
        });
        match read.await {
            0 => return,
            count => {
                buffer.consume(count);
                total = total.saturating_add(count as u64);
            }
        }
    }
}
