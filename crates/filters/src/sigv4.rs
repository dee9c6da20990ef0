//! Authentication by AWS Signature Version 4, in `Authorization` or in the query.
//!
//! Verified is what the client sent. A body is read only once the signature over the head has turned out good, or
//! where the head says no hash of it: then whoever signs, so that nobody learns which access keys there are. It is
//! not read at all where the signature leaves it out and that is allowed. A body in signed chunks is handed on without them.

mod chunked;

use crate::authentication::locations::remove_parameter;
use crate::authentication::once::{Once, Print, holder};
use crate::authentication::signed::{has_no_body, signed_request};
use crate::authentication::unverified::Looks;
use crate::authentication::{Authenticate, Guard};
use aws_lc_rs::digest::{SHA256, digest};
use std::fmt;
use std::sync::Arc;
use torana_config::written::{Replay, SigV4Path};
use torana_credential::directory::{AccessSecret, Directory, Known as KnownCredential};
use torana_credential::sigv4::{ALGORITHM, Claim, PathForm, Payload, Refusal, SignedRequest, SigningKey};
use torana_fault::{Fault, Reason};
use torana_filter::{CredentialKind, Exchange, Identity, Needs, Outside};
use torana_http::Known;
use torana_plan::SigV4Plan;
use torana_types::Secret;

/// The parameters of a presigned request.
const PARAMETERS: [&str; 7] = [
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-SignedHeaders",
    "X-Amz-Signature",
    "X-Amz-Security-Token",
];

/// Callers sign their requests as AWS clients do.
pub struct SigV4Filter {
    plan: Arc<SigV4Plan>,
    once: Option<Once>,
    /// Verified with for access keys that nobody has, so that they cost the same.
    decoy: Secret,
}

/// A signature that is good.
struct Good<'f> {
    known: &'f KnownCredential<AccessSecret>,
    key: SigningKey,
    print: Print,
    end: u64,
}

const WRONG: Refusal = Refusal::Invalid("nobody has this access key, or the signature is wrong");

impl SigV4Filter {
    /// Prepares the filter; it has seen no signature yet.
    #[must_use]
    pub fn prepare(plan: &Arc<SigV4Plan>) -> Self {
        let config = &plan.config;
        let mut random = [0_u8; 16];
        aws_lc_rs::rand::fill(&mut random).expect("the system's source of randomness does not fail");
        Self {
            plan: Arc::clone(plan),
            once: (config.replay == Replay::Refuse).then(|| Once::new(config.remember)),
            decoy: Secret::new(u128::from_be_bytes(random).to_string()),
        }
    }

    /// What it asks for.
    #[must_use]
    pub fn describe(&self) -> String {
        "an AWS signature (version 4) of a consumer over the request".into()
    }

    /// The body, where a signature covers it that is good so far.
    #[must_use]
    pub(crate) fn needs(&self, exchange: &Exchange, guard: Guard<'_>) -> Needs {
        let body = Needs::body(self.plan.config.max_body.as_u64());
        if has_no_body(exchange) {
            return body;
        }
        let request = signed_request(exchange);
        let Ok(Some(claim)) = Claim::find(&request) else { return Needs::NOTHING };
        if claim.payload == Payload::Unsigned || guard.may_try_shown(claim.access_key.as_bytes()).is_err() {
            return Needs::NOTHING;
        }
        let consumers = self.plan.consumers.load();
        let judged = match claim.payload {
            // Nothing can be verified without the body: known keys and others are the same here.
            Payload::Silent => self.is_current(&claim, exchange).map(|_| ()),
            _ => self.judge_head(&consumers, &claim, &request, exchange, &[]).map(|_| ()),
        };
        judged.map_or(Needs::NOTHING, |()| body)
    }

    /// The scheme is the algorithm.
    #[allow(clippy::unused_self, reason = "as with the other ways")]
    pub(crate) fn looks(&self) -> Looks<'_> {
        let fixed = &["Authorization", "X-Amz-Security-Token"];
        Looks { fixed, scheme: Some(ALGORITHM), parameters: &PARAMETERS, ..Looks::default() }
    }

    fn fault(&self, reason: Reason, why: &'static str) -> Fault {
        Fault::new(reason).because(why).with_field("WWW-Authenticate", ALGORITHM.into())
    }

    fn refused(&self, refusal: Refusal) -> Fault {
        match refusal {
            Refusal::Invalid(why) => self.fault(Reason::CredentialsInvalid, why),
            Refusal::Expired(why) => self.fault(Reason::CredentialsExpired, why),
        }
    }

    /// Whether what is claimed is accepted at all, whoever claims it.
    fn is_accepted(&self, claim: &Claim, exchange: &Exchange) -> Result<(), Refusal> {
        let config = &self.plan.config;
        let named = |list: &[String], own: &String| list.is_empty() || list.contains(own);
        if !named(&config.regions, &claim.scope.region) || !named(&config.services, &claim.scope.service) {
            return Err(Refusal::Invalid("the signature is for another region or service"));
        }
        if claim.expires.is_some() && !config.presigned {
            return Err(Refusal::Invalid("presigned requests are not accepted"));
        }
        match claim.payload {
            Payload::Unsigned if !config.unsigned_payload && !has_no_body(exchange) => {
                Err(Refusal::Invalid("the signature does not cover the body"))
            }
            Payload::Chunked if !config.chunked_payload || claim.expires.is_some() => {
                Err(Refusal::Invalid("bodies in signed chunks are not accepted"))
            }
            _ => Ok(()),
        }
    }

    fn form(&self, claim: &Claim) -> PathForm {
        match self.plan.config.path {
            SigV4Path::Auto if claim.scope.service == "s3" => PathForm::Once,
            SigV4Path::Once => PathForm::Once,
            SigV4Path::Auto | SigV4Path::Twice => PathForm::Twice,
        }
    }

    /// Whether what is claimed is accepted and of now, whoever claims it; the first second at which it is not.
    fn is_current(&self, claim: &Claim, exchange: &Exchange) -> Result<u64, Refusal> {
        self.is_accepted(claim, exchange)?;
        let config = &self.plan.config;
        let seconds = |span: torana_types::TimeSpan| span.as_duration().as_secs();
        let now = exchange.moment.unix_seconds;
        claim.is_current(now, seconds(config.clock_skew), seconds(config.max_expires))
    }

    /// Whether the signature is good, as far as it covers the head; all of it where the head says no hash of the
    /// body.
    fn judge_head<'d>(
        &self,
        consumers: &'d Directory,
        claim: &Claim,
        request: &SignedRequest<'_>,
        exchange: &Exchange,
        body: &[u8],
    ) -> Result<Good<'d>, Refusal> {
        let end = self.is_current(claim, exchange)?;
        let known = consumers.sigv4_secret(&claim.access_key);
        let key = claim.signing_key(known.map_or(&self.decoy, |known| &known.proof.secret).expose());
        let text = claim.signed_text(request, body, self.form(claim))?;
        let right = claim.verifies(&key, &text);
        let known = known.filter(|_| right).ok_or(WRONG)?;
        let session = match (&known.proof.session_token, &claim.token) {
            (None, None) => true,
            (Some(own), Some(shown)) => *own == Secret::new(shown.as_str()),
            _ => false,
        };
        if !session {
            return Err(Refusal::Invalid("the token of the session is missing, wrong or not expected"));
        }
        let mut print = Print::default();
        let whole = digest(&SHA256, &[claim.access_key.as_bytes(), b"\0", &text].concat());
        print.iter_mut().zip(whole.as_ref()).for_each(|(to, from)| *to = *from);
        Ok(Good { known, key, print, end })
    }

    fn judge<'d>(
        &self,
        consumers: &'d Directory,
        claim: &Claim,
        request: &SignedRequest<'_>,
        exchange: &Exchange,
    ) -> Result<Good<'d>, Refusal> {
        let body = match (&claim.payload, &exchange.body) {
            (Payload::Unsigned, _) | (_, None) => &[][..],
            (_, Some(body)) => body,
        };
        let good = self.judge_head(consumers, claim, request, exchange, body)?;
        if claim.payload != Payload::Unsigned && exchange.body.is_none() {
            return Err(Refusal::Invalid("the body was not read"));
        }
        if !claim.is_of(body) {
            return Err(Refusal::Invalid("the body is not the one that was signed"));
        }
        Ok(good)
    }

    fn hide(&self, exchange: &mut Exchange, claim: &Claim) {
        if !self.plan.config.hide_credentials {
            return;
        }
        exchange.request.fields.remove("X-Amz-Security-Token");
        if claim.expires.is_some() {
            for name in PARAMETERS {
                remove_parameter(&mut exchange.request, name);
            }
        } else {
            exchange.request.fields.remove(Known::Authorization);
        }
    }
}

impl Authenticate for SigV4Filter {
    async fn authenticate(
        &self,
        exchange: &mut Exchange,
        outside: &dyn Outside,
        guard: Guard<'_>,
    ) -> Result<Arc<Identity>, Fault> {
        let refused = |refusal| self.refused(refusal);
        let consumers = self.plan.consumers.load_full();
        let (identity, claim, decoded) = {
            let request = signed_request(exchange);
            let claim = Claim::find(&request).map_err(refused)?;
            let claim = claim.ok_or_else(|| self.fault(Reason::CredentialsMissing, "no signature"))?;
            guard.may_try_shown(claim.access_key.as_bytes())?;
            let good = self.judge(&consumers, &claim, &request, exchange).map_err(|refusal| {
                if matches!(refusal, Refusal::Invalid(_)) {
                    guard.note_wrong(claim.access_key.as_bytes());
                }
                self.refused(refusal)
            })?;
            guard.note_verified(claim.access_key.as_bytes());
            let decoded = match claim.payload {
                Payload::Chunked => {
                    Some(chunked::decode(&request, exchange, &good.key, &claim).map_err(refused)?)
                }
                _ => None,
            };
            let identity = consumers.identity_of(good.known, CredentialKind::SigV4, &claim.access_key);
            // What is only explained is not used up.
            if let Some(once) = self.once.as_ref().filter(|_| outside.is_there()) {
                let now = exchange.moment.unix_seconds;
                let noted = once.note(good.print, holder(&identity), good.end, now);
                noted.map_err(|why| why.fault(refused))?;
            }
            (identity, claim, decoded)
        };
        if let Some(decoded) = decoded {
            chunked::replace(exchange, decoded)?;
        }
        self.hide(exchange, &claim);
        Ok(identity)
    }
}

impl fmt::Debug for SigV4Filter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SigV4Filter").finish_non_exhaustive()
    }
}
