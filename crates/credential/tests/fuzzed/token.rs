//! JSON Web Tokens: nothing panics, no random token is good, and a token has one form.

use std::sync::LazyLock;
use torana_credential::jose::{Algorithm, KeySet, SigningKey, Token, VerifyingKey};

const SECRET: &[u8] = b"a secret that no fuzzer knows, and long enough for every algorithm there is";
const SYMMETRIC: [Algorithm; 3] = [Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512];

static KEY: LazyLock<VerifyingKey> = LazyLock::new(|| VerifyingKey::secret(SECRET, &SYMMETRIC).unwrap());
static SIGNER: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::secret(SECRET, Algorithm::Hs256).unwrap());

/// Any bytes: as a token, as header and claims that are signed, as a set of keys.
pub fn check(input: &[u8]) {
    if let Ok(token) = Token::parse(input) {
        assert!(!KEY.verifies(&token), "a token that nobody made");
        let _ = token.claims();
    }
    if let Ok(text) = std::str::from_utf8(input) {
        let _ = KeySet::parse(text.as_bytes(), &Algorithm::ALL, false);
        let _ = VerifyingKey::pem(text, &[]);
        signed(text);
    }
}

/// Two lines as header and claims: whatever they hold, the signature is good and no change of it is.
fn signed(text: &str) {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let (header, claims) = text.split_once('\n').unwrap_or((text, "{}"));
    let start = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let mut signature = SIGNER.sign(start.as_bytes()).unwrap();
    let token = format!("{start}.{}", URL_SAFE_NO_PAD.encode(&signature));
    let Ok(read) = Token::parse(token.as_bytes()) else { return };
    if read.algorithm == Algorithm::Hs256 {
        assert!(KEY.verifies(&read), "a token that the key made");
    }
    signature[0] ^= 1;
    let changed = format!("{start}.{}", URL_SAFE_NO_PAD.encode(&signature));
    assert!(!Token::parse(changed.as_bytes()).is_ok_and(|read| KEY.verifies(&read)));
    let longer = format!("{token}=");
    assert!(Token::parse(longer.as_bytes()).is_err(), "padding");
}
