//! Authentication by a signature over the request: Kong's `hmac` scheme and HTTP Message Signatures (RFC 9421).
//!
//! What is verified is what the client sent: the path before it was normalised, the query before anything was
//! taken out. A body is read only once the signature over the head has turned out good.

mod verdict;

use crate::authentication::once::{Once, holder};
use crate::authentication::signed::{has_no_body, signed_request};
use crate::authentication::unverified::Looks;
use crate::authentication::{Authenticate, Guard};
use std::fmt;
use std::sync::Arc;
use torana_config::written::{HmacScheme, Replay};
use torana_credential::signature::{
    KongSignature, MacAlgorithm, MessageSignature, Refusal, SignatureKey, SignedRequest,
};
use torana_fault::{Fault, Reason};
use torana_filter::{CredentialKind, Exchange, Identity, Needs, Outside};
use torana_http::{Known, RequestHead};
use torana_plan::HmacAuthPlan;

/// Callers sign their requests.
pub struct HmacAuthFilter {
    plan: Arc<HmacAuthPlan>,
    algorithms: Vec<MacAlgorithm>,
    once: Option<Once>,
    /// What MACs are made with for user names that nobody has, or has with a public key, so that they cost the same.
    decoy: SignatureKey,
}

/// What a request shows.
enum Shown<'r> {
    Kong(KongSignature<'r>),
    Message(MessageSignature),
}

impl Shown<'_> {
    fn name(&self) -> &str {
        match self {
            Self::Kong(signature) => signature.username,
            Self::Message(signature) => &signature.key_id,
        }
    }
}

impl HmacAuthFilter {
    /// Prepares the filter; it has seen no signature yet.
    #[must_use]
    pub fn prepare(plan: &Arc<HmacAuthPlan>) -> Self {
        let config = &plan.config;
        let algorithms = config.algorithms.iter();
        let mut random = [0; 32];
        aws_lc_rs::rand::fill(&mut random).expect("the system's source of randomness does not fail");
        Self {
            plan: Arc::clone(plan),
            algorithms: algorithms.filter_map(|one| MacAlgorithm::from_name(one.name())).collect(),
            once: (config.replay == Replay::Refuse).then(|| Once::new(config.remember)),
            decoy: SignatureKey::secret(&random).expect("it is not empty"),
        }
    }

    /// What it asks for.
    #[must_use]
    pub fn describe(&self) -> String {
        let schemes = self.plan.config.schemes.iter().map(|scheme| match scheme {
            HmacScheme::Hmac => "`hmac`",
            HmacScheme::Messages => "RFC 9421",
        });
        format!("a signature of a consumer over the request ({})", schemes.collect::<Vec<_>>().join(" or "))
    }

    /// The body, where it has to do with a signature that is good so far. Whoever has no good one learns nothing
    /// from the bound of bodies, and fills no memory.
    #[must_use]
    pub(crate) fn needs(&self, exchange: &Exchange, guard: Guard<'_>) -> Needs {
        let body = Needs::body(self.plan.config.max_body.as_u64());
        if has_no_body(exchange) {
            return body;
        }
        let request = signed_request(exchange);
        let Ok(Some(shown)) = self.find(&exchange.request, &request) else { return Needs::NOTHING };
        if !self.ties_body(&shown) || guard.may_try_shown(shown.name().as_bytes()).is_err() {
            return Needs::NOTHING;
        }
        let consumers = self.plan.consumers.load();
        let judged = self.judge_head(&consumers, &shown, &request, exchange.moment.unix_seconds);
        judged.map_or(Needs::NOTHING, |_| body)
    }

    pub(crate) fn looks(&self) -> Looks<'_> {
        let schemes = &self.plan.config.schemes;
        let fixed: &'static [&'static str] =
            match (schemes.contains(&HmacScheme::Hmac), schemes.contains(&HmacScheme::Messages)) {
                (true, true) => &["Authorization", "Signature", "Signature-Input"],
                (true, false) => &["Authorization"],
                (false, _) => &["Signature", "Signature-Input"],
            };
        Looks { fixed, scheme: Some("hmac"), ..Looks::default() }
    }

    fn fault(&self, reason: Reason, why: &'static str) -> Fault {
        let config = &self.plan.config;
        let scheme = if config.schemes.contains(&HmacScheme::Hmac) { "hmac" } else { "Signature" };
        let challenge = match config.realm.as_str() {
            "" => scheme.to_owned(),
            realm => format!("{scheme} realm=\"{realm}\""),
        };
        Fault::new(reason).because(why).with_field("WWW-Authenticate", challenge)
    }

    fn refused(&self, refusal: Refusal) -> Fault {
        match refusal {
            Refusal::Invalid(why) => self.fault(Reason::CredentialsInvalid, why),
            Refusal::Expired(why) => self.fault(Reason::CredentialsExpired, why),
        }
    }

    /// The one signature that the request shows.
    fn find<'r>(
        &self,
        head: &'r RequestHead,
        request: &SignedRequest<'_>,
    ) -> Result<Option<Shown<'r>>, Refusal> {
        let config = &self.plan.config;
        let mut shown = None;
        if config.schemes.contains(&HmacScheme::Hmac) {
            // Of several the service could take one for verified that was not.
            if head.fields.get_all(Known::Authorization).nth(1).is_some() {
                return Err(Refusal::Invalid("more than one Authorization field"));
            }
            // The proxy's field comes first, as in Kong; it was removed as one that ends here.
            let values = head.fields.get_all_ever(Known::ProxyAuthorization);
            for value in values.chain(head.fields.get_all(Known::Authorization)) {
                let Some(signature) = KongSignature::parse(value)? else { continue };
                if shown.replace(Shown::Kong(signature)).is_some() {
                    return Err(Refusal::Invalid("there is more than one signature"));
                }
            }
        }
        if config.schemes.contains(&HmacScheme::Messages) {
            let messages = &config.messages;
            let found = MessageSignature::find(request, messages.label.as_deref(), messages.tag.as_deref())?;
            if let Some(signature) = found
                && shown.replace(Shown::Message(signature)).is_some()
            {
                return Err(Refusal::Invalid("there is more than one signature"));
            }
        }
        Ok(shown)
    }

    fn hide(&self, exchange: &mut Exchange, by_message: bool) {
        if !self.plan.config.hide_credentials {
            return;
        }
        let fields = &mut exchange.request.fields;
        if by_message {
            fields.remove("Signature");
            fields.remove("Signature-Input");
        } else if fields
            .get(Known::Authorization)
            .is_some_and(|value| !matches!(KongSignature::parse(value), Ok(None)))
        {
            fields.remove(Known::Authorization);
        }
    }
}

impl Authenticate for HmacAuthFilter {
    async fn authenticate(
        &self,
        exchange: &mut Exchange,
        outside: &dyn Outside,
        guard: Guard<'_>,
    ) -> Result<Arc<Identity>, Fault> {
        let consumers = self.plan.consumers.load_full();
        let (identity, by_message) = {
            let request = signed_request(exchange);
            let shown = self.find(&exchange.request, &request).map_err(|refusal| self.refused(refusal))?;
            let shown = shown.ok_or_else(|| self.fault(Reason::CredentialsMissing, "no signature"))?;
            guard.may_try_shown(shown.name().as_bytes())?;
            let now = exchange.moment.unix_seconds;
            let good = self.judge_head(&consumers, &shown, &request, now).and_then(|good| {
                self.judge_body(&shown, &request, exchange.body.as_deref())?;
                Ok(good)
            });
            let good = good.map_err(|refusal| {
                if matches!(refusal, Refusal::Invalid(_)) {
                    guard.note_wrong(shown.name().as_bytes());
                }
                self.refused(refusal)
            })?;
            guard.note_verified(shown.name().as_bytes());
            let identity = consumers.identity_of(good.key, CredentialKind::Hmac, shown.name());
            // What is only explained is not used up.
            if let Some(once) = self.once.as_ref().filter(|_| outside.is_there()) {
                let noted = once.note(good.print, holder(&identity), good.end, now);
                noted.map_err(|why| why.fault(|refusal| self.refused(refusal)))?;
            }
            (identity, matches!(shown, Shown::Message(_)))
        };
        self.hide(exchange, by_message);
        Ok(identity)
    }
}

impl fmt::Debug for HmacAuthFilter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("HmacAuthFilter").finish_non_exhaustive()
    }
}
