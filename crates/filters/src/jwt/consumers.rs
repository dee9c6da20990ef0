//! Tokens that consumers sign, each with a key of its own.
//!
//! What a token says of its key is believed for nothing but finding it; the key alone says with which
//! algorithm it verifies, and whose it is.

use super::invalid::Invalid;
use std::sync::Arc;
use torana_credential::jose::Token;
use torana_filter::{Claims, CredentialKind, Identity, Json};
use torana_plan::ConsumerKeysPlan;

/// Whose token it is, and by which generation of consumers it was verified.
pub(super) fn verify(
    plan: &ConsumerKeysPlan,
    token: &Token<'_>,
    claims: &Claims,
) -> Result<(Arc<Identity>, u64), Invalid> {
    // Read before the consumers: a token is then never taken for verified by newer ones.
    let generation = plan.consumers.generation();
    let named = claims.get(&plan.key_claim).or_else(|| token.header().get(&plan.key_claim));
    let name = named.and_then(Json::as_str).filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| Invalid::KeyName(plan.key_claim.clone()))?;
    let directory = plan.consumers.load();
    let known = directory.token_key(name).ok_or(Invalid::NoSuchKey)?;
    if !known.proof.algorithms().any(|own| own == token.algorithm) {
        return Err(Invalid::Algorithm);
    }
    if !known.proof.verifies(token) {
        return Err(Invalid::Signature);
    }
    Ok((directory.identity_of(known, CredentialKind::Jwt, name), generation))
}
