//! The pieces of a line. Most of what is logged needs no escaping and no formatting; what does takes the way
//! of the libraries.

use std::borrow::Cow;
use std::cell::RefCell;
use std::io::Write;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

/// How much of a time is the same for a whole second: `2006-01-02T15:04:05`.
const TO_THE_SECOND: usize = 19;

/// A point in time, in UTC to the millisecond (RFC 3339).
pub(super) fn time(line: &mut Vec<u8>, time: SystemTime) {
    thread_local! {
        /// The second that was written last, and how.
        static LAST: RefCell<(u64, String)> = const { RefCell::new((u64::MAX, String::new())) };
    }
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    LAST.with_borrow_mut(|(second, text)| {
        if *second != since.as_secs() {
            *second = since.as_secs();
            *text = humantime::format_rfc3339_seconds(time).to_string();
        }
        line.extend_from_slice(text.as_bytes().get(..TO_THE_SECOND).unwrap_or_default());
    });
    line.push(b'.');
    thousandths(line, since.subsec_millis());
    line.push(b'Z');
}

/// A duration in milliseconds to the microsecond.
pub(super) fn milliseconds(line: &mut Vec<u8>, duration: Duration) {
    digits(line, "", duration.as_millis());
    line.push(b'.');
    thousandths(line, duration.subsec_micros() % 1_000);
}

/// Three digits of a number below a thousand.
fn thousandths(line: &mut Vec<u8>, number: u32) {
    let digit = |number: u32| b'0'.wrapping_add(u8::try_from(number % 10).unwrap_or_default());
    line.extend_from_slice(&[digit(number / 100), digit(number / 10), digit(number)]);
}

/// A number after `before`.
pub(super) fn digits(line: &mut Vec<u8>, before: &str, number: impl itoa::Integer) {
    line.extend_from_slice(before.as_bytes());
    line.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// An address.
pub(super) fn address(line: &mut Vec<u8>, address: IpAddr) -> std::io::Result<()> {
    let IpAddr::V4(address) = address else { return write!(line, "{address}") };
    for (place, octet) in address.octets().into_iter().enumerate() {
        digits(line, if place > 0 { "." } else { "" }, octet);
    }
    Ok(())
}

/// A string of JSON after `before`, if there is one.
pub(super) fn text(line: &mut Vec<u8>, before: &str, value: Option<&str>) -> std::io::Result<()> {
    bytes(line, before, value.map(str::as_bytes))
}

/// The same of bytes: what is not UTF-8 becomes the replacement character.
pub(super) fn bytes(line: &mut Vec<u8>, before: &str, value: Option<&[u8]>) -> std::io::Result<()> {
    let Some(value) = value else { return Ok(()) };
    line.extend_from_slice(before.as_bytes());
    if value.iter().fold(true, |plain, byte| plain & is_plain(*byte)) {
        line.push(b'"');
        line.extend_from_slice(value);
        line.push(b'"');
        return Ok(());
    }
    serde_json::to_writer(line, &String::from_utf8_lossy(value)).map_err(Into::into)
}

/// A byte that stands for itself in a string of JSON.
const fn is_plain(byte: u8) -> bool {
    (byte >= 0x20) & (byte < 0x7f) & (byte != b'"') & (byte != b'\\')
}

/// What can be seen as it is, and the rest escaped.
pub(super) fn visible(line: &mut Vec<u8>, value: &[u8]) {
    let text: Cow<'_, str> = String::from_utf8_lossy(value);
    for character in text.chars() {
        if character.is_control() || matches!(character, '\u{2028}' | '\u{2029}') {
            line.extend_from_slice(character.escape_default().to_string().as_bytes());
        } else {
            line.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_those_of_the_libraries() {
        for millis in [0, 1, 999, 1_000, 1_700_000_000_123, 1_700_000_000_999, 1_700_000_001_000] {
            let moment = SystemTime::UNIX_EPOCH + Duration::from_millis(millis);
            let mut line = Vec::new();
            time(&mut line, moment);
            assert_eq!(
                String::from_utf8(line).unwrap(),
                humantime::format_rfc3339_millis(moment).to_string()
            );
        }
        for text in ["0.0.0.0", "10.20.3.255", "::1", "2001:db8::7"] {
            let mut line = Vec::new();
            address(&mut line, text.parse().unwrap()).unwrap();
            assert_eq!(line, text.as_bytes());
        }
        for byte in 0..=u8::MAX {
            let value = [b'a', byte, b'b'];
            let mut line = Vec::new();
            bytes(&mut line, "", Some(&value)).unwrap();
            assert_eq!(line, serde_json::to_vec(&String::from_utf8_lossy(&value)).unwrap(), "{byte}");
        }
        let mut line = Vec::new();
        milliseconds(&mut line, Duration::from_micros(7_012_034));
        assert_eq!(line, b"7012.034");
    }
}
