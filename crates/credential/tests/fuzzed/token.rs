//! JSON Web Tokens: nothing panics, no random token is good, and a token has one form.

use std::sync::LazyLock;
use torana_credential::jose::{Algorithm, KeySet, SigningKey, Token, VerifyingKey};

const SECRET: &[u8] = b"a secret that no fuzzer knows, and long enough for every algorithm there is";
const SYMMETRIC: [Algorithm; 3] = [Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512];

static KEY: LazyLock<VerifyingKey> = LazyLock::new(|| VerifyingKey::secret(SECRET, &SYMMETRIC).unwrap());
/// The key of the first vector of RFC 8032 section 7.4.
static ED448: LazyLock<VerifyingKey> = LazyLock::new(|| {
    let x = "X9dEm1m0Yf0s54fsYWrUah2hNCSFpw4fig6nXYDpZ3jt8SR2m0bHBhvWeD3x5Q9s0foavq_oJWGA";
    let jwk = format!("{{\"kty\":\"OKP\",\"crv\":\"Ed448\",\"x\":\"{x}\"}}");
    VerifyingKey::jwk(&serde_json::from_str(&jwk).unwrap(), &[]).unwrap()
});
static SIGNER: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::secret(SECRET, Algorithm::Hs256).unwrap());

/// Any bytes: as a token, as header and claims that are signed, as a set of keys of one's own and one that was fetched.
pub fn check(input: &[u8]) {
    if let Ok(token) = Token::parse(input) {
        assert!(!KEY.verifies(&token), "a token that nobody made");
        assert!(!ED448.verifies(&token), "a signature of a key that nobody has");
        let _ = token.claims();
    }
    if let Ok(text) = std::str::from_utf8(input) {
        let _ = KeySet::parse(text.as_bytes(), &Algorithm::ALL, false);
        if let Ok(fetched) = KeySet::parse(text.as_bytes(), &[], true) {
            assert!(!fetched.keys().iter().any(VerifyingKey::is_symmetric), "whoever may read it could sign");
        }
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
