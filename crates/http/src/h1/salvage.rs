//! What can be told of a request whose head is refused, for the log.

use crate::head::{RequestHead, Version};

/// Reads method and target out of bytes that are no valid head, as far as they came.
pub fn salvage_request(input: &[u8], head: &mut RequestHead) {
    let end = input.iter().position(|byte| matches!(byte, b'\r' | b'\n')).unwrap_or(input.len());
    let line = input.get(..end).unwrap_or_default();
    let mut words = line.split(|byte| *byte == b' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next());
    let version = match words.next() {
        Some(b"HTTP/1.0") => Version::Http10,
        Some(other) if other.strip_prefix(b"HTTP/").is_some_and(|number| number != b"1.1") => {
            Version::Unsupported
        }
        _ => Version::Http11,
    };
    // Without a space after it, it may be half a method.
    head.salvage(version, if target.is_some() { method } else { b"" }, target.unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn method_and_path_are_told_as_far_as_they_came() {
        let mut head = RequestHead::default();
        for (input, method, path) in [
            (&b"GET /a?b=1 HTTP/1.1\r\nHost"[..], "GET", "/a"),
            (b"POST /half", "POST", "/half"),
            (b"GET  /two HTTP/1.1\r\n", "GET", ""),
            (b"GET", "", ""),
            (b"G(T / HTTP/1.1\r\n", "", ""),
            (b"\x16\x03\x01\x02 \x00", "", ""),
            (b"HEAD http://a/x HTTP/1.0\n", "HEAD", "http://a/x"),
            (b"", "", ""),
        ] {
            salvage_request(input, &mut head);
            let said = (head.received_method(), head.received_path());
            assert_eq!(said, (method.as_bytes(), path.as_bytes()), "{input:?}");
        }
        for (line, version) in [
            ("GET / HTTP/3.0\r\n", Version::Unsupported),
            ("GET / HTTP/1.0\r\n", Version::Http10),
            ("GET / HTTP/1.1\r\n", Version::Http11),
            ("GET /", Version::Http11),
        ] {
            salvage_request(line.as_bytes(), &mut head);
            assert_eq!(head.version, version, "{line}");
        }
        salvage_request(&[b"GET /".as_slice(), &[b'a'; 100_000]].concat(), &mut head);
        assert_eq!(head.received_path().len(), 4_096);
    }
}
