//! Kong's scheme and RFC 9421: nothing panics, no random signature is good, and one text is signed by one request.

use super::request;
use torana_credential::signature::{
    KongSignature, MessageSignature, SignatureKey, SignedRequest, content_digest, digest,
};

/// Any bytes.
pub fn check(input: &[u8]) {
    let request = request::read(input);
    let key = SignatureKey::secret(b"a secret that no fuzzer knows, of course").unwrap();
    for value in request.values("authorization") {
        if let Ok(Some(signature)) = KongSignature::parse(value) {
            kong(&signature, &request, &key);
        }
    }
    if let Ok(Some(signature)) = MessageSignature::find(&request, None, None) {
        message(&signature, &request, &key);
    }
    let _ = content_digest(&request, b"");
    let _ = digest(&request, b"");
}

fn kong(signature: &KongSignature<'_>, request: &SignedRequest<'_>, key: &SignatureKey) {
    let _ = signature.made_at(request, 1_618_884_473, 300, true);
    let Ok(text) = signature.signed_text(request) else { return };
    assert!(!key.verifies_mac(signature.algorithm, &text, &signature.mac));
    // A covered target cannot be another with the same text.
    if signature.covers("@request-target") {
        let longer = [request.path, b"x"].concat();
        let other = SignedRequest { path: &longer, ..request.clone() };
        assert_ne!(signature.signed_text(&other).unwrap(), text);
    }
}

fn message(signature: &MessageSignature, request: &SignedRequest<'_>, key: &SignatureKey) {
    let _ = signature.is_current(1_618_884_473, 300, 30);
    let Ok(base) = signature.base(request) else { return };
    assert!(!key.verifies(&base, &signature.signature));
    // What it says of itself means the same when it is read again.
    let mark = b"\"@signature-params\": ";
    let at = base.windows(mark.len()).rposition(|window| window == mark).expect("the last line");
    let params = &base[at + mark.len()..];
    let input = [b"again=", params].concat();
    let mut again = request.clone();
    again.fields.retain(|(name, _)| !name.to_ascii_lowercase().starts_with(b"signature"));
    let covers_signature =
        base.windows(11).any(|window| window == b"\"signature\"" || window == b"\"signature-");
    again.fields.extend([(&b"Signature-Input"[..], &input[..]), (b"Signature", b"again=:AAAA:")]);
    let read = MessageSignature::find(&again, None, None).expect("what was written is read").unwrap();
    assert_eq!(read.key_id, signature.key_id);
    if !covers_signature {
        assert_eq!(read.base(&again).expect("it is in the request still"), base);
    }
    for (name, change) in [("@method", 0), ("@path", 1), ("@authority", 2)] {
        if !signature.covers(name) {
            continue;
        }
        let longer = |text: &[u8]| [text, b"x"].concat();
        let (method, path, host) = (longer(request.method), longer(request.path), longer(request.host));
        let mut other = request.clone();
        match change {
            0 => other.method = &method,
            1 => other.path = &path,
            _ => other.host = &host,
        }
        assert_ne!(signature.base(&other).unwrap(), base, "{name}");
    }
}
