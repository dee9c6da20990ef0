//! Whether a signature is good: what it has to cover, when it was made, whose it is, and the body.

use super::{HmacAuthFilter, Shown};
use crate::authentication::once::Print;
use aws_lc_rs::digest::{Context, SHA256};
use std::hint::black_box;
use torana_config::written::BodyTie;
use torana_credential::directory::{Directory, Known};
use torana_credential::signature::{
    KongSignature, MessageSignature, Refusal, SignatureKey, SignedRequest, content_digest, digest,
};

/// A signature that is good.
pub(super) struct Good<'f> {
    pub(super) key: &'f Known<SignatureKey>,
    /// What tells it from others, whatever its bytes: some algorithms have two signatures for one text.
    pub(super) print: Print,
    /// The first second since 1970-01-01 UTC at which it is not good any more.
    pub(super) end: u64,
}

const WRONG: Refusal = Refusal::Invalid("nobody is known by this name, or the signature is wrong");

impl HmacAuthFilter {
    /// Whether a signature over the head is good. A name that nobody has costs the same as a known one.
    pub(super) fn judge_head<'d>(
        &self,
        consumers: &'d Directory,
        shown: &Shown<'_>,
        request: &SignedRequest<'_>,
        now: u64,
    ) -> Result<Good<'d>, Refusal> {
        match shown {
            Shown::Kong(signature) => self.judge_kong(consumers, signature, request, now),
            Shown::Message(signature) => self.judge_message(consumers, signature, request, now),
        }
    }

    /// Whether the body has to do with the signature.
    pub(super) fn ties_body(&self, shown: &Shown<'_>) -> bool {
        self.plan.config.body != BodyTie::Ignored
            || matches!(shown, Shown::Message(signature) if signature.covers("content-digest"))
    }

    /// Whether the body is the one that a good signature is tied to.
    pub(super) fn judge_body(
        &self,
        shown: &Shown<'_>,
        request: &SignedRequest<'_>,
        body: Option<&[u8]>,
    ) -> Result<(), Refusal> {
        if !self.ties_body(shown) {
            return Ok(());
        }
        let body = body.ok_or(Refusal::Invalid("the body was not read"))?;
        let (told, covered) = match shown {
            Shown::Kong(signature) => (digest(request, body)?, signature.covers("digest")),
            Shown::Message(signature) => (content_digest(request, body)?, signature.covers("content-digest")),
        };
        tied(self.plan.config.body, body, told, covered)
    }

    fn judge_kong<'d>(
        &self,
        consumers: &'d Directory,
        signature: &KongSignature<'_>,
        request: &SignedRequest<'_>,
        now: u64,
    ) -> Result<Good<'d>, Refusal> {
        let config = &self.plan.config;
        if !self.algorithms.contains(&signature.algorithm) {
            return Err(Refusal::Invalid("the algorithm is not accepted"));
        }
        let covered = |name: &String| {
            signature.covers(name) || (name.eq_ignore_ascii_case("date") && signature.covers("x-date"))
        };
        if !config.enforce_headers.iter().all(covered) {
            return Err(Refusal::Invalid("a field that has to be signed is not"));
        }
        let skew = config.clock_skew.as_duration().as_secs();
        let made = signature.made_at(request, now, skew, config.signed_date)?;
        let text = signature.signed_text(request)?;
        let known = consumers.signature_key(signature.username).filter(|known| known.proof.is_secret());
        let key = known.map_or(&self.decoy, |known| &known.proof);
        let right = key.verifies_mac(signature.algorithm, &text, &signature.mac);
        let key = known.filter(|_| right).ok_or(WRONG)?;
        let end = made.saturating_add(skew).saturating_add(1);
        Ok(Good { key, print: print(b'k', signature.username, &text), end })
    }

    fn judge_message<'d>(
        &self,
        consumers: &'d Directory,
        signature: &MessageSignature,
        request: &SignedRequest<'_>,
        now: u64,
    ) -> Result<Good<'d>, Refusal> {
        let config = &self.plan.config;
        let age = config.messages.max_age.as_duration().as_secs();
        let end = signature.is_current(now, age, config.clock_skew.as_duration().as_secs())?;
        let asked = |name: &&String| *name != "@query" || request.query.is_some();
        if !config.messages.components.iter().filter(asked).all(|name| signature.covers(name)) {
            return Err(Refusal::Invalid("a component that has to be signed is not"));
        }
        if config.messages.nonce && signature.nonce.as_deref().is_none_or(str::is_empty) {
            return Err(Refusal::Invalid("a signature has no nonce"));
        }
        // What it says of itself is compared after: it would tell known names from others.
        let known = consumers.signature_key(&signature.key_id);
        let base = signature.base(request)?;
        let right = |known: &&Known<SignatureKey>| known.proof.verifies(&base, &signature.signature);
        let key = known.filter(right).ok_or_else(|| {
            for decoy in consumers.signature_decoys(known.map(|known| &known.proof)) {
                black_box(decoy.verifies(&base, &signature.signature));
            }
            WRONG
        })?;
        if signature.algorithm.as_deref().is_some_and(|told| told != key.proof.algorithm()) {
            return Err(Refusal::Invalid("the algorithm is not that of the key"));
        }
        let once = signature.nonce.as_deref().map_or(&base[..], str::as_bytes);
        let kind = if signature.nonce.is_some() { b'n' } else { b'm' };
        Ok(Good { key, print: print(kind, &signature.key_id, once), end })
    }
}

/// Whether a body is tied as it has to be; its digest, where told, is right.
fn tied(tie: BodyTie, body: &[u8], told: bool, covered: bool) -> Result<(), Refusal> {
    match tie {
        _ if body.is_empty() => Ok(()),
        BodyTie::Ignored => Ok(()),
        _ if !told => Err(Refusal::Invalid("the body has no digest")),
        BodyTie::Signed if !covered => Err(Refusal::Invalid("the digest of the body is not signed")),
        BodyTie::Signed | BodyTie::Digest => Ok(()),
    }
}

/// A digest of whose signature it is and over what.
fn print(kind: u8, name: &str, of: &[u8]) -> Print {
    let mut context = Context::new(&SHA256);
    let length = u64::try_from(name.len()).unwrap_or(u64::MAX);
    for part in [&[kind][..], &length.to_be_bytes(), name.as_bytes(), of] {
        context.update(part);
    }
    let mut print = Print::default();
    print.iter_mut().zip(context.finish().as_ref()).for_each(|(to, from)| *to = *from);
    print
}
