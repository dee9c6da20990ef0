//! How long a request may take, and what the service is told of it.
//!
//! The client may ask for less than is configured, never for more: by `grpc-timeout` (gRPC over HTTP/2,
//! "Timeout") on gRPC requests, and by the field that the service's configuration names, in milliseconds.
//! Both are set to what is left before each try, so that a service can stop working for nobody. The client's time runs
//! from when its request came, whatever the gateway itself did meanwhile; the configured one is for the service.

use super::Call;
use crate::text::ShortText;
use std::time::Duration;
use tokio::time::Instant;
use torana_fault::{Fault, Reason};
use torana_filter::Exchange;
use torana_http::{InvalidField, Method, RequestHead, h2};
use torana_transport::{later, now, recently};

const GRPC_TIMEOUT: &str = "grpc-timeout";

/// When an exchange must be over, and what it means that it is not.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline {
    pub(super) at: Instant,
    /// [`Reason::ClientDeadline`] says nothing about the service, or whoever asks for a millisecond could open
    /// the breaker for all others.
    pub(super) reason: Reason,
}

impl Deadline {
    /// The bound of the whole exchange, if there is one.
    ///
    /// # Errors
    /// It is over: nobody waits for what the service would do.
    pub(super) fn of(call: &Call<'_>, request: &RequestHead) -> Result<Option<Self>, Fault> {
        let own = call.upstream.deadline_field.as_ref().and_then(|field| request.fields.get_str(&**field));
        let own = own.and_then(|text| text.parse().ok()).map(Duration::from_millis);
        let grpc = is_grpc(request).then(|| request.fields.get_str(GRPC_TIMEOUT).and_then(read)).flatten();
        let asked = [own, grpc].into_iter().flatten().min();
        let now = recently();
        let asked = asked.map(|time| later(call.begun, time));
        let total = call.timeouts.total.map(|time| later(now, time));
        match (total, asked) {
            (Some(at), asked) if asked.is_none_or(|asked| at <= asked) => {
                Ok(Some(Self { at, reason: Reason::TotalTimeout }))
            }
            (_, Some(at)) if at <= now => Err(Fault::new(Reason::ClientDeadline)),
            (_, asked) => Ok(asked.map(|at| Self { at, reason: Reason::ClientDeadline })),
        }
    }
}

/// Tells the service how long it has.
///
/// # Errors
/// None that a checked name and digits can cause.
pub(super) fn tell(
    call: &Call<'_>,
    exchange: &mut Exchange,
    deadline: Option<Deadline>,
) -> Result<(), InvalidField> {
    let Some(Deadline { at: deadline, .. }) = deadline else { return Ok(()) };
    let fields = &mut exchange.request.fields;
    if let Some(field) = &call.upstream.deadline_field {
        let left = deadline.saturating_duration_since(now());
        fields.insert(&**field, ShortText::of(left.as_millis()).as_bytes())?;
    }
    if is_grpc(&exchange.request) && exchange.request.fields.contains(GRPC_TIMEOUT) {
        let left = deadline.saturating_duration_since(now());
        exchange.request.fields.insert(GRPC_TIMEOUT, write(left).as_bytes())?;
    }
    Ok(())
}

/// Whether this is a call of gRPC, by whichever version it comes.
fn is_grpc(request: &RequestHead) -> bool {
    request.method() == Method::Post && h2::is_grpc(&request.fields)
}

/// Reads at most eight digits and a unit.
fn read(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number: u64 = (digits.len() <= 8 && digits.bytes().all(|digit| digit.is_ascii_digit()))
        .then(|| digits.parse().ok())
        .flatten()?;
    Some(match unit {
        "H" => Duration::from_secs(number.saturating_mul(3600)),
        "M" => Duration::from_secs(number.saturating_mul(60)),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return None,
    })
}

/// Writes a duration in the smallest unit that eight digits hold.
fn write(left: Duration) -> ShortText {
    const MOST: u128 = 99_999_999;
    match (left.as_micros(), left.as_millis()) {
        (micros, _) if micros <= MOST => ShortText::of(format_args!("{micros}u")),
        (_, millis) if millis <= MOST => ShortText::of(format_args!("{millis}m")),
        _ => ShortText::of(format_args!("{}S", u128::from(left.as_secs()).min(MOST))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_no_timeout_is_passed_over() {
        for text in ["", "5", "S", "123456789S", "-1S", "+1S", "1s", "1 S", "é"] {
            assert_eq!(read(text), None, "{text}");
        }
        assert_eq!(read("2M"), Some(Duration::from_secs(120)));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_as_no_more_than_is_left(nanos in 0_u64..10_000_000_000_000_000) {
            let left = Duration::from_nanos(nanos);
            let text = write(left);
            let read = read(std::str::from_utf8(text.as_bytes()).unwrap()).unwrap();
            prop_assert!(read <= left && left - read < Duration::from_secs(1));
        }
    }
}
