//! AWS signatures: nothing panics, no random signature is good, a covered thing cannot be changed, chunks are held.

use super::request;
use torana_credential::sigv4::{Claim, PathForm, SignedRequest, decode_chunks};

/// Any bytes: a request, then perhaps an empty line and a body.
pub fn check(input: &[u8]) {
    let end = input.windows(2).position(|pair| pair == b"\n\n").unwrap_or(input.len());
    let (head, body) = input.split_at(end);
    let body = body.get(2..).unwrap_or_default();
    let request = request::read(head);
    let Ok(Some(claim)) = Claim::find(&request) else { return };
    let _ = claim.is_current(1_369_353_600, 300, 604_800);
    let _ = claim.is_of(body);
    let key = claim.signing_key("a secret that no fuzzer knows");
    for form in [PathForm::Once, PathForm::Twice] {
        let Ok(text) = claim.signed_text(&request, body, form) else { continue };
        assert!(!claim.verifies(&key, &text));
        changes(&claim, &request, body, form, &text);
    }
    assert!(decode_chunks(body, &key, &claim).is_err());
}

fn changes(claim: &Claim, request: &SignedRequest<'_>, body: &[u8], form: PathForm, text: &[u8]) {
    let method = [request.method, b"X"].concat();
    let path = [request.path, b"x"].concat();
    let host = [request.host, b"x"].concat();
    let query = [request.query.unwrap_or_default(), b"&extra=1"].concat();
    let changed = [
        SignedRequest { method: &method, ..request.clone() },
        SignedRequest { path: &path, ..request.clone() },
        SignedRequest { host: &host, ..request.clone() },
        SignedRequest { query: Some(&query), ..request.clone() },
    ];
    for other in changed {
        assert_ne!(claim.signed_text(&other, body, form).ok().as_deref(), Some(text), "{other:?}");
    }
}
