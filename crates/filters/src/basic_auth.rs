//! Authentication by user name and password (RFC 7617).
//!
//! Slow hashes are verified away from the threads that serve, so many at a time and no more; what was verified
//! is remembered for a while, by a keyed digest, never by the password. A user name that nobody has, and a wrong
//! password of one whose hash is quicker, cost what the costliest hash costs.

use crate::authentication::cache::{Cache, Weight};
use crate::authentication::locations::{shown_by, split};
use crate::authentication::unverified::BASIC;
use crate::authentication::{Authenticate, Guard};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use torana_credential::directory::Password;
use torana_fault::{Fault, Reason};
use torana_filter::{CredentialKind, Exchange, Identity, Outside};
use torana_http::{Known, RequestHead};
use torana_plan::BasicAuthPlan;

/// Slow hashes that are computed at the same time. More would take the processor from what serves.
const AT_ONCE: usize = 2;
/// How long a request waits for its turn.
const PATIENCE: Duration = Duration::from_secs(5);

/// Callers show a user name and a password.
pub struct BasicAuthFilter {
    plan: Arc<BasicAuthPlan>,
    cache: Cache<Remembered>,
    /// Of this filter alone, from random bytes.
    key: Box<hmac::Key>,
    turns: Arc<Semaphore>,
    /// What the slow hashes that were computed cost.
    #[cfg(test)]
    computed: std::sync::Mutex<Vec<u64>>,
}

/// A caller whose password was verified by one generation of consumers.
#[derive(Debug)]
struct Remembered {
    identity: Arc<Identity>,
    generation: u64,
}

impl Weight for Remembered {
    /// The identity is the directory's.
    fn weight(&self) -> usize {
        size_of::<Self>()
    }
}

impl BasicAuthFilter {
    /// Prepares the filter; it remembers nobody yet.
    #[must_use]
    pub fn prepare(plan: &Arc<BasicAuthPlan>) -> Self {
        let mut random = [0; 32];
        aws_lc_rs::rand::fill(&mut random).expect("the system's source of randomness does not fail");
        let key = Box::new(hmac::Key::new(hmac::HMAC_SHA256, &random));
        Self {
            plan: Arc::clone(plan),
            cache: Cache::default(),
            key,
            turns: Arc::new(Semaphore::new(AT_ONCE)),
            #[cfg(test)]
            computed: std::sync::Mutex::default(),
        }
    }

    /// What it asks for.
    #[must_use]
    pub fn describe(&self) -> String {
        "the user name and password of a consumer".into()
    }

    fn fault(&self, reason: Reason, why: &'static str) -> Fault {
        let config = &self.plan.config;
        let charset = if config.charset { ", charset=\"UTF-8\"" } else { "" };
        let challenge = format!("Basic realm=\"{}\"{charset}", config.realm);
        Fault::new(reason).because(why).with_field("WWW-Authenticate", challenge)
    }

    /// The decoded `user:password`.
    fn find(&self, request: &RequestHead) -> Result<Vec<u8>, Fault> {
        let missing = || self.fault(Reason::CredentialsMissing, "no password");
        let mut values = request.fields.get_all(Known::Authorization);
        let value = values.next();
        if values.next().is_some() {
            return Err(self.fault(Reason::CredentialsInvalid, "more than one Authorization field"));
        }
        // The proxy's field comes first, as in Kong; it was removed as one that ends here.
        let mut proxys = request.fields.get_all_ever(Known::ProxyAuthorization).filter_map(encoded_of);
        let proxy = proxys.next();
        if proxys.next().is_some() {
            return Err(self.fault(Reason::CredentialsInvalid, "more than one Proxy-Authorization field"));
        }
        let encoded = proxy.or_else(|| value.and_then(encoded_of)).ok_or_else(missing)?;
        if encoded.len() > 4096 {
            return Err(self.fault(Reason::CredentialsInvalid, "the credentials are too long"));
        }
        let decoded = STANDARD.decode(encoded).or_else(|_| STANDARD_NO_PAD.decode(encoded));
        decoded.map_err(|_| self.fault(Reason::CredentialsInvalid, "the credentials are not base64"))
    }

    /// Who was verified with what has this digest, if that still holds.
    fn remembered(&self, digest: &[u8], now: u64) -> Option<Arc<Identity>> {
        let generation = self.plan.consumers.generation();
        let known = self.cache.get(digest, now).filter(|known| known.generation == generation)?;
        Some(Arc::clone(&known.identity))
    }

    async fn verify(
        &self,
        shown: &[u8],
        digest: &[u8],
        now: u64,
        guard: Guard<'_>,
    ) -> Result<Arc<Identity>, Fault> {
        let wrong = |why| self.fault(Reason::CredentialsInvalid, why);
        let (username, password) =
            split(shown, b':').ok_or_else(|| wrong("the credentials have no colon"))?;
        let username = std::str::from_utf8(username).map_err(|_| wrong("the user name is not UTF-8"))?;
        // Read before the consumers: who was verified is then never taken for verified by newer ones.
        let generation = self.plan.consumers.generation();
        let consumers = self.plan.consumers.load_full();
        let known = consumers.password(username);
        // Its turn is held until what it found is remembered: who waits with the same password finds that.
        let mut turn = None;
        let right = match known.map(|known| &known.proof) {
            Some(proof) if proof.is_costly() => {
                let own = self.turn(digest, guard).await?;
                if let Some(identity) = self.remembered(digest, now) {
                    return Ok(identity);
                }
                let (right, own) = self.compute(own, proof, password).await?;
                turn = Some(own);
                right
            }
            Some(proof) => proof.verifies(password),
            None => false,
        };
        let Some(known) = known.filter(|_| right) else {
            let (cost, why) = match known {
                Some(known) => (known.proof.cost(), "the password is wrong"),
                None => (0, "nobody has this user name"),
            };
            if let Some(decoy) = consumers.decoy().filter(|decoy| cost < decoy.cost() / 2) {
                let own = match turn {
                    Some(own) => own,
                    None => self.turn(digest, guard).await?,
                };
                drop(self.compute(own, decoy, password).await?);
            }
            guard.note_wrong(digest);
            return Err(wrong(why));
        };
        let identity = consumers.identity_of(known, CredentialKind::Basic, username);
        let until = now.saturating_add(self.plan.config.remember.as_duration().as_secs());
        let remembered = Arc::new(Remembered { identity: Arc::clone(&identity), generation });
        self.cache.insert(digest, &remembered, until, now);
        drop(turn);
        Ok(identity)
    }

    /// Waits for a turn to compute a slow hash.
    async fn turn(&self, digest: &[u8], guard: Guard<'_>) -> Result<OwnedSemaphorePermit, Fault> {
        let busy =
            || Fault::new(Reason::AuthenticationLimited).because("too many passwords are being verified");
        guard.begin_computing(digest).await?;
        let turn = tokio::time::timeout(PATIENCE, Arc::clone(&self.turns).acquire_owned()).await;
        let turn = turn.map_err(|_| busy())?.map_err(|_| busy())?;
        // Meanwhile other ways may have counted what was wrong.
        guard.may_try_shown(digest)?;
        Ok(turn)
    }

    /// Verifies a slow hash on a thread beside those that serve. Once begun it goes on to its end, whether or not the
    /// caller stays, and has its turn for so long.
    async fn compute(
        &self,
        turn: OwnedSemaphorePermit,
        hash: &Password,
        password: &[u8],
    ) -> Result<(bool, OwnedSemaphorePermit), Fault> {
        #[cfg(test)]
        self.computed.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(hash.cost());
        let (hash, password) = (hash.clone(), password.to_vec());
        let computed = tokio::task::spawn_blocking(move || (hash.verifies(&password), turn)).await;
        computed.map_err(|_| Fault::new(Reason::Internal).because("verifying a password ended early"))
    }
}

/// The encoded credentials in a field of the scheme `Basic`.
fn encoded_of(value: &[u8]) -> Option<&[u8]> {
    shown_by(value, BASIC)
}

impl Authenticate for BasicAuthFilter {
    async fn authenticate(
        &self,
        exchange: &mut Exchange,
        _: &dyn Outside,
        guard: Guard<'_>,
    ) -> Result<Arc<Identity>, Fault> {
        let shown = self.find(&exchange.request)?;
        let digest = hmac::sign(&self.key, &shown);
        let now = exchange.moment.unix_seconds;
        // Before what is remembered too: passwords could be guessed there as well.
        guard.may_try_shown(digest.as_ref())?;
        let identity = match self.remembered(digest.as_ref(), now) {
            Some(known) => known,
            None => self.verify(&shown, digest.as_ref(), now, guard).await?,
        };
        guard.note_verified(digest.as_ref());
        let fields = &mut exchange.request.fields;
        // However it goes on: some read a password without a space before it too.
        let begins = |value: &[u8]| {
            value.trim_ascii_start().get(..5).is_some_and(|word| word.eq_ignore_ascii_case(b"basic"))
        };
        let is_basic = fields.get(Known::Authorization).is_some_and(begins);
        // Where the proxy's field was verified, this one was not.
        let unverified =
            fields.get_all_ever(Known::ProxyAuthorization).any(|value| encoded_of(value).is_some());
        if is_basic && (self.plan.config.hide_credentials || unverified) {
            fields.remove(Known::Authorization);
        }
        Ok(identity)
    }
}

impl fmt::Debug for BasicAuthFilter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("BasicAuthFilter").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
