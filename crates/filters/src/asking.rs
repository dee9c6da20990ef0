//! Questions to services while a request waits: the target, the sending, and a digest of what was asked.

mod print;
#[cfg(test)]
pub(crate) mod scripted;
mod together;

pub(crate) use print::{Print, Printed};
pub(crate) use together::Together;

use std::time::Instant;
use torana_fault::{Fault, Reason, Retry};
use torana_filter::{FetchBounds, Outside, Response};
use torana_http::RequestHead;
use torana_plan::{AskedPlan, TargetPiece, TargetPlan};

/// How often a question is sent when the connection that it was sent on had been closed meanwhile.
const SENDS: u32 = 3;

/// Asks, and gives the whole answer whatever its status. A question changes nothing where it is asked, so it
/// is sent again when the service closed a kept connection under it.
///
/// # Errors
/// There is no answer within the bounds.
pub(crate) async fn ask(
    outside: &dyn Outside,
    plan: &AskedPlan,
    request: &mut RequestHead,
    body: &[u8],
) -> Result<Response, Fault> {
    let (began, timeout) = (Instant::now(), plan.timeout.as_duration());
    let mut sends = 1;
    loop {
        let left = timeout.saturating_sub(began.elapsed());
        if left.is_zero() {
            return Err(Fault::new(Reason::TotalTimeout));
        }
        let bounds = FetchBounds { timeout: left, body_bytes: plan.max_size.as_usize() };
        match outside.fetch(plan.service, request, body, bounds).await {
            Err(fault) if fault.retry == Retry::IfReused && sends < SENDS => {
                sends = sends.saturating_add(1);
            }
            answer => return answer,
        }
    }
}

/// Sets path and query of a question about `about`; `false` where they would not be valid.
pub(crate) fn set_target(question: &mut RequestHead, plan: &TargetPlan, about: &RequestHead) -> bool {
    let path = written(&plan.path, about, false);
    let query = plan.query.as_ref().map(|query| written(query, about, true));
    question.set_path(&path) && question.set_query(query.as_deref())
}

/// The path and query of a request, as its service gets them.
pub(crate) fn uri(request: &RequestHead) -> Vec<u8> {
    let mut uri = request.path().to_vec();
    if let Some(query) = request.query() {
        uri.push(b'?');
        uri.extend_from_slice(query);
    }
    uri
}

fn written(pieces: &[TargetPiece], about: &RequestHead, in_query: bool) -> Vec<u8> {
    let mut text = Vec::new();
    for piece in pieces {
        match piece {
            TargetPiece::Text(plain) => text.extend_from_slice(plain.as_bytes()),
            TargetPiece::Path if !in_query => text.extend_from_slice(about.path()),
            TargetPiece::Path => encode(about.path(), &mut text),
            TargetPiece::Uri => encode(&uri(about), &mut text),
            TargetPiece::Method => encode(about.method_bytes(), &mut text),
            TargetPiece::Host => encode(about.host(), &mut text),
        }
    }
    text
}

/// Everything but unreserved characters as `%XX` (RFC 3986 section 2.1).
pub(crate) fn encode(plain: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |value: u8| DIGITS.get(usize::from(value & 15)).copied().unwrap_or(b'0');
    for byte in plain {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(*byte);
        } else {
            out.extend_from_slice(&[b'%', digit(byte >> 4), digit(*byte)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use torana_http::h1::{HeadLimits, parse_request};

    #[test]
    fn parts_of_a_request_cannot_leave_their_place_in_a_target() {
        let text = b"GET /a/b%2fc?x=1&y=%23 HTTP/1.1\r\nHost: a.test:80\r\n\r\n";
        let mut about = RequestHead::default();
        parse_request(text, 0, &HeadLimits::default(), &mut about).unwrap().unwrap();
        let plain = |text: &str| TargetPiece::Text(text.into());
        let plan = TargetPlan {
            path: vec![plain("/check/"), TargetPiece::Host, TargetPiece::Path],
            query: Some(vec![plain("m="), TargetPiece::Method, plain("&u="), TargetPiece::Uri]),
        };
        let mut question = RequestHead::default();
        assert!(set_target(&mut question, &plan, &about));
        assert_eq!(question.path(), b"/check/a.test%3A80/a/b%2fc");
        assert_eq!(question.query(), Some(&b"m=GET&u=%2Fa%2Fb%252fc%3Fx%3D1%26y%3D%2523"[..]));
    }
}
