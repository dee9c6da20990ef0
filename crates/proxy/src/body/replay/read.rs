//! Reading a body into memory, as far as there is room.

use std::future::poll_fn;
use torana_fault::{Fault, Reason};
use torana_limit::Reserved;
use torana_transport::RequestBody;

/// What is asked of the allocator at least once a body comes in pieces, so that crumbs do not ask it for each.
const STEP: usize = 4 * 1024;

/// Reads on, behind what is there; `false`: there is no room for the next piece.
///
/// # Errors
/// It is longer than `limit` bytes, it breaks its framing, or the client is too slow or gone.
pub(super) async fn read(
    body: &mut impl RequestBody,
    limit: u64,
    whole: &mut Vec<u8>,
    mut reserved: Option<&mut Reserved>,
) -> Result<bool, Fault> {
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    while poll_fn(|context| body.poll_fill(context)).await? {
        let data = body.data();
        let needed = whole.len().saturating_add(data.len());
        if needed as u64 > limit {
            return Err(too_large());
        }
        if needed > whole.capacity() {
            // What is asked of the allocator is what is counted; a body that comes at once is asked for as it is.
            let steps = if whole.is_empty() { 0 } else { whole.capacity().saturating_mul(2).max(STEP) };
            let room = steps.min(most).max(needed);
            if let Some(reserved) = &mut reserved
                && reserved.cover(room).is_err()
            {
                return Ok(false);
            }
            whole.reserve_exact(room.saturating_sub(whole.len()));
        }
        whole.extend_from_slice(data);
        body.consume();
    }
    Ok(true)
}

pub(super) fn too_large() -> Fault {
    Fault::new(Reason::BodyTooLarge).because("longer than a policy of this route reads")
}
