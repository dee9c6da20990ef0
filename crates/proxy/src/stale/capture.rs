//! An answer on its way, copied.

use super::Kept;
use super::question::{ALWAYS, Answered, Question, Seen, Wants};
use bytes::Bytes;
use std::cell::RefCell;
use std::time::{Duration, SystemTime};
use torana_cache::{Audience, Room, Terms, Variant, supersedes};
use torana_filter::Exchange;
use torana_http::h1::BodyFraming;
use torana_http::{Fields, InvalidField, Known, Name, ResponseHead, Version};
use torana_plan::reserved::{CONSUMER_FIELDS, GROUP_FIELDS};
use torana_transport::nanos_since_start;

/// What a field takes beside its name and value, in bytes.
const FIELD: usize = 20;

/// Watches the answer to one question; keeps it when it is whole, and forgets by it what is no longer so.
#[derive(Debug)]
pub(super) struct Capture<'q> {
    question: &'q Question<'q>,
    draft: RefCell<Option<Draft<'q>>>,
}

/// As much of an answer as has come.
#[derive(Debug)]
struct Draft<'q> {
    /// Of the request: what is already kept for it goes when this comes.
    request: Fields,
    variant: Variant,
    terms: Terms,
    fields: Fields,
    version: Version,
    weight: usize,
    body: Vec<u8>,
    /// How long the body is, where that is known.
    length: Option<u64>,
    room: Room<'q>,
}

impl<'q> Capture<'q> {
    pub(super) const fn new(question: &'q Question<'q>) -> Self {
        Self { question, draft: RefCell::new(None) }
    }

    /// The service has answered; no filter has seen it yet. A further try's answer takes the place of an earlier one.
    pub(super) fn head(&self, exchange: &Exchange, head: &ResponseHead) {
        let draft = self.begin(exchange, head);
        *self.draft.borrow_mut() = draft;
    }

    fn begin(&self, exchange: &Exchange, head: &ResponseHead) -> Option<Draft<'q>> {
        let question = self.question;
        let cache = &question.stale.cache;
        let request = question.seen(&exchange.request.fields);
        if question.wants == Wants::Change {
            if matches!(head.status, 200..=399) {
                question.forget(exchange, &head.fields);
            }
            return None;
        }
        if !question.may_be_kept {
            return None;
        }
        let forget = || cache.forget_answer(&question.url, &request, question.shows_somebody);
        if head.status != 200 {
            if supersedes(head.status) {
                forget();
            }
            return None;
        }
        let received = question.received();
        let judged =
            question.stale.rules.judge(&Answered(&head.fields), question.shows_somebody, &received).ok();
        let kept = judged.and_then(|terms| Some((variant(head, &request, terms.audience)?, terms)));
        let Some((variant, terms)) = kept else {
            forget();
            return None;
        };
        let now = received.asked.saturating_add(received.delay);
        if question.wants == Wants::Head || !cache.wants(&question.url, &request, &terms, now) {
            return None;
        }
        let length = match head.framing {
            BodyFraming::None => Some(0),
            BodyFraming::Length(length) => Some(length),
            BodyFraming::Chunked => None,
            // Whether all of it has come cannot be told.
            BodyFraming::UntilClose => return None,
        };
        let expected = usize::try_from(length.unwrap_or(0)).ok()?;
        let (fields, weight) = fields(&head.fields, received.unix_seconds).ok()?;
        let mut room = cache.room();
        let asked = &exchange.request.fields;
        let held = [expected, weight, size(asked)].into_iter().fold(0, usize::saturating_add);
        if expected > question.stale.largest || !room.take(held) {
            return None;
        }
        let mut request = Fields::default();
        request.extend(asked);
        let (version, body) = (head.version, Vec::with_capacity(expected));
        Some(Draft { request, variant, terms, fields, version, weight, body, length, room })
    }

    /// The answer broke off before any of it went to the client.
    pub(super) fn taken_back(&self) {
        *self.draft.borrow_mut() = None;
    }

    /// More of the body went to the client.
    pub(super) fn data(&self, data: &[u8]) {
        let mut place = self.draft.borrow_mut();
        let Some(draft) = place.as_mut() else { return };
        let length = draft.body.len().saturating_add(data.len());
        if length > self.question.stale.largest
            // What has a length has its room.
            || (draft.length.is_none() && !draft.room.take(data.len()))
        {
            *place = None;
            return;
        }
        draft.body.extend_from_slice(data);
    }

    /// All of the body has come. One with trailers is not kept, for they would be missing.
    pub(super) fn end(&self, has_trailers: bool) {
        let draft = self.draft.borrow_mut().take();
        let Some(draft) = draft.filter(|draft| {
            !has_trailers && draft.length.is_none_or(|length| length == draft.body.len() as u64)
        }) else {
            return;
        };
        let question = self.question;
        let body = Bytes::from(draft.body.into_boxed_slice());
        let weight = draft.weight.saturating_add(body.len());
        question.stale.cache.insert(
            (&question.url, question.mark),
            &question.seen(&draft.request),
            (draft.variant, draft.terms),
            (Kept { fields: draft.fields, version: draft.version, body }, weight),
            Duration::from_nanos(nanos_since_start()),
        );
    }
}

/// What of the request the answer depends on: also on the codings that were accepted, where it is coded and does not
/// say that it depends on them. One for strangers also on what the service is told of the anonymous
/// consumer, who may be another one on another route.
fn variant(head: &ResponseHead, request: &Seen<'_>, audience: Audience) -> Option<Variant> {
    let told = CONSUMER_FIELDS.into_iter().chain(GROUP_FIELDS);
    let told = told.filter(|_| audience == Audience::Strangers);
    let coded = head.fields.contains(Known::ContentEncoding).then_some("accept-encoding");
    Variant::of(&Answered(&head.fields), request, ALWAYS.into_iter().chain(coded).chain(told))
}

/// The fields that are kept, and what they take: without those that are of a connection (RFC 9111 section 3.1) or are
/// made anew; with `Date` (RFC 9110 section 6.6.1).
fn fields(received: &Fields, unix_seconds: u64) -> Result<(Fields, usize), InvalidField> {
    let (mut kept, mut weight) = (Fields::default(), 0_usize);
    for (name, value) in received.named() {
        if matches!(
            name,
            Name::Known(
                Known::Age | Known::ContentLength | Known::ProxyAuthenticate | Known::ProxyAuthenticationInfo
            )
        ) {
            continue;
        }
        kept.append(name, value)?;
        weight = weight.saturating_add(field_size(name, value));
    }
    if !kept.contains(Known::Date) {
        let date = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(unix_seconds));
        if let Some(date) = date {
            kept.append(Known::Date, httpdate::fmt_http_date(date).as_bytes())?;
        }
    }
    Ok((kept, weight))
}

/// What a request's fields take.
fn size(fields: &Fields) -> usize {
    fields.named().map(|(name, value)| field_size(name, value)).fold(0, usize::saturating_add)
}

fn field_size(name: Name<'_>, value: &[u8]) -> usize {
    let length = match name {
        Name::Known(known) => known.as_str().len(),
        Name::Other(text) => text.len(),
    };
    [length, value.len(), FIELD].into_iter().fold(0, usize::saturating_add)
}
