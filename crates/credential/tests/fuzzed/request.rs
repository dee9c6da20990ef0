//! Any bytes as a request: its line, its host, then fields.

use torana_credential::signature::SignedRequest;

/// What an HTTP parser would let through of it: no control characters.
pub fn read(input: &[u8]) -> SignedRequest<'_> {
    let mut lines = input.split(|byte| *byte == b'\n');
    let mut words = lines.next().unwrap_or_default().splitn(2, |byte| *byte == b' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or(b"/"));
    let mut halves = target.splitn(2, |byte| *byte == b'?');
    let path = halves.next().unwrap_or_default();
    let query = halves.next();
    let host = lines.next().unwrap_or_default().trim_ascii();
    let field = |line: &'_ [u8]| line.iter().position(|byte| *byte == b':').is_some_and(|at| at > 0);
    let fields = lines.filter(|line| field(line)).take(64).map(|line| {
        let at = line.iter().position(|byte| *byte == b':').unwrap();
        (&line[..at], &line[at + 1..])
    });
    SignedRequest { method, secure: true, host, path, query, version: "1.1", fields: fields.collect() }
}
