//! Fetching the keys of issuers: a chore for each place that keys come from.
//!
//! They are fetched while a configuration is in force that names them, and no longer: requests under way, such as a
//! WebSocket, hold an earlier configuration for days, and go by the keys that came last.
//!
//! Redirections are not followed, answers are bounded in size and time, and what came last stays in force
//! until something better comes. After a failure it is tried again soon, and less often the longer it lasts.

use crate::fetch_url::{UrlClient, is_ok};
use crate::pipeline::Pipeline;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};
use tokio::sync::Notify;
use torana_credential::jose::{KeySet, LeftOut, strict_object};
use torana_filters::{Discovered, Filter, KeysUsage, Places, RemoteKeys};
use torana_observe::{Samples, names};
use torana_plan::{DISCOVERY, RemoteKeysPlan};
use torana_types::ResourceUrl;

const FIRST_RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_secs(60);
/// The longest name of a key that is told, in characters.
const LONGEST_ID: usize = 64;

/// This configuration is in force from now on, and none before it: the keys that it names are fetched, and no others.
pub(crate) fn take_over(before: Option<&Pipeline>, after: &Pipeline) {
    let Some(chores) = &after.chores else { return };
    let fetched: HashSet<*const RemoteKeys> = remote_keys(after).map(Arc::as_ptr).collect();
    let ended = before.into_iter().flat_map(remote_keys).filter(|keys| !fetched.contains(&Arc::as_ptr(keys)));
    ended.for_each(|keys| keys.end());
    for keys in remote_keys(after) {
        if let Some(wanted) = keys.begin() {
            let keys = Arc::downgrade(keys);
            chores.begin(move || fetch_on(keys, wanted));
        }
    }
}

/// Tells of each place how fetching goes. One that is fetched in several ways has the oldest of the keys and all failures.
#[allow(clippy::cast_precision_loss, reason = "the text format has doubles")]
pub(crate) fn collect(pipeline: &Pipeline, samples: &mut Samples) {
    let mut seen = HashSet::new();
    let mut places: BTreeMap<&str, KeysUsage> = BTreeMap::new();
    for keys in remote_keys(pipeline).filter(|keys| seen.insert(Arc::as_ptr(keys))) {
        let usage = keys.usage();
        let place = places.entry(keys.plan().url.as_str()).or_insert(KeysUsage { failures: 0, ..usage });
        place.fetched = place.fetched.min(usage.fetched);
        place.failures = place.failures.saturating_add(usage.failures);
    }
    for (url, usage) in places {
        let fetched = usage.fetched.and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
        samples.add(names::KEYS_FETCHED, &[("url", url)], fetched.map_or(0.0, |at| at.as_secs() as f64));
        samples.add(names::KEYS_FAILURES, &[("url", url)], usage.failures as f64);
    }
}

fn remote_keys(pipeline: &Pipeline) -> impl Iterator<Item = &Arc<RemoteKeys>> {
    pipeline.routes.iter().flat_map(|route| &route.filters).flat_map(|filter| match filter {
        Filter::Authentication(filter) => filter.remote_keys(),
        _ => Vec::new(),
    })
}

async fn fetch_on(keys: Weak<RemoteKeys>, wanted: Arc<Notify>) {
    let is_own = |fetcher: &Arc<Notify>| Arc::ptr_eq(fetcher, &wanted);
    let ours = || keys.upgrade().filter(|keys| keys.fetcher().is_some_and(|fetcher| is_own(&fetcher)));
    let client = UrlClient::default();
    let mut retry = FIRST_RETRY;
    let (mut left_out, mut failing) = (Vec::new(), false);
    loop {
        let Some(held) = ours() else { return };
        let plan = held.plan().clone();
        drop(held);
        let outcome = fetch(&client, &plan).await;
        let wait = match &outcome {
            Ok((keys, _)) => {
                if *keys.left_out() != *left_out {
                    left_out = keys.left_out().to_vec();
                    tell(&plan.url, &left_out);
                }
                if std::mem::take(&mut failing) {
                    tracing::info!("the keys at {} are fetched again", plan.url);
                }
                retry = FIRST_RETRY;
                plan.refresh.as_duration()
            }
            Err(error) => {
                tracing::warn!("the keys at {} cannot be fetched: {error}", plan.url);
                failing = true;
                let wait = retry.min(plan.refresh.as_duration());
                retry = retry.saturating_mul(2).min(LONGEST_RETRY);
                wait
            }
        };
        // Requests of a configuration that was replaced meanwhile may wait for it still; not for what is older than that of
        // whoever has begun since.
        let Some(held) = keys.upgrade() else { return };
        if held.fetcher().is_some_and(|fetcher| !is_own(&fetcher)) {
            return;
        }
        held.store(outcome);
        drop(held);
        // Who asked while this was fetched has its answer.
        tokio::select! { biased; () = wanted.notified() => {}, () = std::future::ready(()) => {} }
        if ours().is_none() {
            return;
        }
        // Who asks for newer keys has looked whether that is allowed.
        let _ = tokio::time::timeout(wait, wanted.notified()).await;
    }
}

/// Says of which keys no use is made, once as long as they are the same.
fn tell(place: &ResourceUrl, left_out: &[LeftOut]) {
    for key in left_out {
        let id: String = key.id.as_deref().unwrap_or_default().chars().take(LONGEST_ID).collect();
        tracing::warn!("of the keys at {place} the one called {id:?} is left out: {}", key.why);
    }
}

/// The keys, and what discovery found.
async fn fetch(client: &UrlClient, plan: &RemoteKeysPlan) -> Result<(KeySet, Option<Discovered>), String> {
    let timeout = plan.timeout.as_duration();
    let all = async {
        let (place, discovered) = if plan.discovery {
            let (place, discovered) = discover(client, plan).await?;
            (place, Some(discovered))
        } else {
            (plan.url.clone(), None)
        };
        let text = get(client, &place, plan).await?;
        let keys = KeySet::parse(&text, &plan.algorithms, true).map_err(|error| error.to_string())?;
        Ok((keys, discovered))
    };
    tokio::time::timeout(timeout, all).await.unwrap_or_else(|_| Err("no answer in time".into()))
}

/// OpenID Connect Discovery 1.0 section 4: the configuration names the issuer that it was asked for, and the
/// place of its keys.
async fn discover(client: &UrlClient, plan: &RemoteKeysPlan) -> Result<(ResourceUrl, Discovered), String> {
    let place = format!("{}{DISCOVERY}", plan.url.as_str().trim_end_matches('/'));
    let place: ResourceUrl = place.parse().map_err(|_| "the issuer's URL is not one".to_owned())?;
    let text = get(client, &place, plan).await?;
    read(&text, &place, plan)
}

/// What the configuration that stands at `place` says.
fn read(
    text: &[u8],
    place: &ResourceUrl,
    plan: &RemoteKeysPlan,
) -> Result<(ResourceUrl, Discovered), String> {
    let found = strict_object(text).ok_or("the issuer's configuration is not an object")?;
    let member = |name: &str| found.get(name).and_then(|value| value.as_str());
    let issuer = member("issuer").ok_or("the issuer's configuration does not name the issuer")?;
    let asked = place.as_str().trim_end_matches(DISCOVERY);
    if issuer.trim_end_matches('/') != asked {
        return Err("the issuer's configuration names another issuer".into());
    }
    let keys = member("jwks_uri").ok_or("the issuer's configuration names no keys")?;
    let keys: ResourceUrl = keys.parse().map_err(|_| "the place of the keys is not a URL".to_owned())?;
    if !may_lead_to(&keys, plan) {
        return Err(
            "the issuer's configuration, which came over TLS, names keys that would come without".into()
        );
    }
    let issuer: Arc<str> = issuer.into();
    Ok((keys, Discovered { places: places(&found, &issuer, plan), issuer }))
}

/// Who is asked over TLS cannot send anybody elsewhere without.
fn may_lead_to(url: &ResourceUrl, plan: &RemoteKeysPlan) -> bool {
    url.origin().is_secure() || !plan.url.origin().is_secure()
}

/// Where callers log in.
fn places(found: &Map<String, Value>, issuer: &Arc<str>, plan: &RemoteKeysPlan) -> Option<Arc<Places>> {
    let place = |name: &str| {
        let url: ResourceUrl = found.get(name)?.as_str()?.parse().ok()?;
        may_lead_to(&url, plan).then_some(url)
    };
    let names_issuer = found.get("authorization_response_iss_parameter_supported");
    Some(Arc::new(Places {
        issuer: Arc::clone(issuer),
        authorization: place("authorization_endpoint")?,
        token: place("token_endpoint")?,
        end_session: place("end_session_endpoint"),
        names_issuer: names_issuer == Some(&Value::Bool(true)),
    }))
}

async fn get(client: &UrlClient, url: &ResourceUrl, plan: &RemoteKeysPlan) -> Result<Vec<u8>, String> {
    let fetched = client
        .get(url, plan.timeout.as_duration(), plan.max_size.as_usize())
        .await
        .map_err(|fault| fault.to_string())?;
    is_ok(&fetched)?;
    Ok(fetched.body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use torana_types::{ByteSize, TimeSpan};

    #[test]
    fn an_issuer_that_is_asked_over_tls_has_its_keys_come_over_tls() {
        let read_at = |url: &str, keys: &str| {
            let plan = RemoteKeysPlan {
                url: url.parse().unwrap(),
                discovery: true,
                algorithms: Vec::new(),
                refresh: TimeSpan::from_secs(1),
                cooldown: TimeSpan::from_secs(1),
                timeout: TimeSpan::from_secs(1),
                max_size: ByteSize::from_mib(1),
            };
            let text = serde_json::json!({ "issuer": url, "jwks_uri": keys }).to_string();
            let place = format!("{url}/.well-known/openid-configuration").parse().unwrap();
            read(text.as_bytes(), &place, &plan).map(|(keys, _)| keys.as_str().to_owned())
        };
        let (secure, plain) = ("https://login.test", "http://login.test");
        assert_eq!(read_at(secure, "https://keys.test/k").as_deref(), Ok("https://keys.test/k"));
        assert!(read_at(secure, "http://login.test/k").is_err_and(|why| why.contains("TLS")));
        assert!(read_at(plain, "http://login.test/k").is_ok());
        assert!(read_at(plain, "https://login.test/k").is_ok());
    }
}
