//! Cookies: nothing panics; what is taken out is gone and nothing else is; what was kept in pieces comes back whole,
//! whatever stands beside it; what was not sealed here does not open.

use torana_credential::sealed::Sealer;
use torana_filters::{SealedCookie, strip_login_cookies};
use torana_http::{Fields, Known, cookie};

const NAME: &str = "__Host-s";

/// Any bytes: the lines of `Cookie`.
pub fn check(input: &[u8]) {
    let mut fields = Fields::default();
    for line in input.split(|byte| *byte == b'\n').take(16) {
        // What no parser lets through is no field.
        let _ = fields.append(Known::Cookie, line);
    }
    let sealer = Sealer::new([&b"a secret that no fuzzer knows"[..]]);
    let kept = SealedCookie::new(NAME, true);
    if let Some(whole) = kept.read(&fields) {
        assert_eq!(sealer.open(b"session", &whole), None);
    }
    taken_out(&fields);
    kept_whole(&fields, &kept, &sealer, input);
}

fn lines(fields: &Fields) -> Vec<Vec<u8>> {
    fields.get_all(Known::Cookie).map(<[u8]>::to_vec).collect()
}

fn taken_out(fields: &Fields) {
    let owned = |fields: &Fields| -> Vec<Vec<u8>> { cookie::names(fields).map(<[u8]>::to_vec).collect() };
    for gone in owned(fields).iter().take(4) {
        let mut left = copy(fields);
        cookie::remove(&mut left, |name| name == gone.as_slice());
        assert_eq!(cookie::values(&left, gone).count(), 0);
        assert!(!read_loosely(&left).any(|name| name == *gone));
        let stays = |pair: &Vec<u8>| !names_in(pair).contains(gone);
        assert_eq!(pairs(&left), pairs(fields).into_iter().filter(stays).collect::<Vec<_>>());
    }
    let mut left = copy(fields);
    strip_login_cookies(&mut left, NAME);
    let own = |name: &[u8]| name == NAME.as_bytes() || name.starts_with(b"__Host-s.");
    assert!(!cookie::names(&left).any(own));
    assert!(!read_loosely(&left).any(|name| own(&name)));
    let once = lines(&left);
    strip_login_cookies(&mut left, NAME);
    assert_eq!(lines(&left), once);
}

fn is_white(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn pairs(fields: &Fields) -> Vec<Vec<u8>> {
    let lines = lines(fields);
    let pairs = lines.iter().flat_map(|line| line.split(|byte| *byte == b';').map(<[u8]>::trim_ascii));
    pairs.filter(|pair| !pair.is_empty()).map(<[u8]>::to_vec).collect()
}

/// The names that services find in a pair which do not mind white space around them, or which part cookies by it (Python) or
/// by commas (Perl).
fn names_in(pair: &[u8]) -> Vec<Vec<u8>> {
    let parts = |byte: u8| is_white(byte) || byte == b',';
    let whole = pair.split(|byte| *byte == b'=').next().unwrap_or_default().trim_ascii();
    let mut names = vec![whole.to_vec()];
    for (at, _) in pair.iter().enumerate().filter(|(_, byte)| parts(**byte)) {
        let rest = pair.get(at.saturating_add(1)..).unwrap_or_default();
        let name: Vec<u8> = rest.iter().copied().take_while(|byte| !parts(*byte) && *byte != b'=').collect();
        let next = rest.iter().skip(name.len()).find(|byte| !is_white(**byte));
        if !name.is_empty() && next.is_none_or(|byte| *byte == b'=') {
            names.push(name);
        }
    }
    names
}

fn read_loosely(fields: &Fields) -> impl Iterator<Item = Vec<u8>> {
    pairs(fields).into_iter().flat_map(|pair| names_in(&pair)).filter(|name| !name.is_empty())
}

/// A session that is set anew is read back, beside what the browser has already.
fn kept_whole(fields: &Fields, kept: &SealedCookie, sealer: &Sealer, text: &[u8]) {
    let sealed = sealer.seal(b"session", text).expect("the system has randomness");
    let Some(set) = kept.write(&sealed, 60, fields) else { return };
    let mut after = copy(fields);
    strip_login_cookies(&mut after, NAME);
    for line in &set {
        assert!(line.len() < 4096 && line.ends_with("; HttpOnly; SameSite=Lax; Secure"));
        if !line.contains("; Max-Age=0;") {
            let pair = line.split(';').next().unwrap_or_default();
            assert!(after.append(Known::Cookie, pair.as_bytes()).is_ok());
        }
    }
    let whole = kept.read(&after).expect("every piece is there");
    assert_eq!(sealer.open(b"session", &whole).as_deref(), Some(text));
    assert_eq!(sealer.open(b"login", &whole), None);
    let mut changed = whole;
    if let Some(last) = changed.last_mut() {
        *last = if *last == b'A' { b'B' } else { b'A' };
    }
    assert_ne!(sealer.open(b"session", &changed).as_deref(), Some(text));
}

fn copy(fields: &Fields) -> Fields {
    let mut copied = Fields::default();
    copied.extend(fields);
    copied
}
