//! Who is counted.
//!
//! A principal is bytes and a kind, so that the consumer `10.0.0.1` is not the address. Several parts are one
//! principal, each with its kind and length before it, so that no two lists of parts are the same bytes.

use crate::facts::ExchangeFacts;
use std::net::IpAddr;
use std::sync::Arc;
use torana_config::written::MissingKey;
use torana_filter::{Exchange, Json};
use torana_limit::Key;
use torana_plan::{KeyPart, RateLimitPlan};
use torana_route::{PathPattern, Spellings};

const CONSUMER: u8 = 1;
const ADDRESS: u8 = 2;
const CREDENTIAL: u8 = 3;
const GROUP: u8 = 4;
const ROUTE: u8 = 5;
const SERVICE: u8 = 6;
const EVERYBODY: u8 = 7;
const HEADER: u8 = 8;
const CLAIM: u8 = 9;
const PATH: u8 = 10;
const SEVERAL: u8 = 11;
const PARAMETER: u8 = 12;
const EXPRESSION: u8 = 13;

/// How a principal is read from a request.
#[derive(Clone, Debug)]
pub(super) struct Principal {
    parts: Box<[KeyPart]>,
    missing: MissingKey,
    prefix: u8,
    route: Arc<str>,
    service: Option<Arc<str>>,
    pattern: PathPattern,
}

/// Room for a principal that does not stand in the request as it is.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    address: [u8; 17],
    bytes: Vec<u8>,
    made: Vec<u8>,
}

impl Principal {
    pub(super) fn new(
        plan: &RateLimitPlan,
        route: &str,
        pattern: &PathPattern,
        service: Option<&str>,
    ) -> Self {
        Self {
            parts: plan.by.clone().into(),
            missing: plan.missing,
            prefix: plan.ipv6_prefix,
            route: route.into(),
            service: service.map(Into::into),
            pattern: pattern.clone(),
        }
    }

    /// Who is counted for this request; nobody where something is missing and that is to be passed over.
    pub(super) fn of<'a>(&'a self, exchange: &'a Exchange, scratch: &'a mut Scratch) -> Option<Key<'a>> {
        if let [part] = &*self.parts {
            if let Some(kind) = made(part) {
                if !self.make(part, exchange, &mut scratch.made) {
                    return self.otherwise(exchange, scratch);
                }
                return Some(Key { kind, bytes: &scratch.made });
            }
            // Looked at before the address, so that the scratch is borrowed once.
            if self.lacks(part, exchange) {
                return self.otherwise(exchange, scratch);
            }
            return self.part(part, exchange, &mut scratch.address);
        }
        let Scratch { address, bytes, made: room } = scratch;
        for part in &self.parts {
            let key = match made(part) {
                Some(kind) => {
                    room.clear();
                    self.make(part, exchange, room).then_some(Key { kind, bytes: room })
                }
                None => self.part(part, exchange, address),
            };
            let Some(key) = key else {
                return (self.missing == MissingKey::Address).then(|| self.address(exchange, address));
            };
            bytes.push(key.kind);
            bytes.extend_from_slice(&u32::try_from(key.bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
            bytes.extend_from_slice(key.bytes);
        }
        Some(Key { kind: SEVERAL, bytes })
    }

    /// Writes a value that does not stand in the request as it is; `false`: there is none.
    fn make(&self, part: &KeyPart, exchange: &Exchange, room: &mut Vec<u8>) -> bool {
        match part {
            KeyPart::Parameter(name) => {
                let path = exchange.request.path();
                let mut capture = |path: &[u8]| {
                    room.clear();
                    self.pattern.parameter(path, name, room)
                };
                // In all its spellings it is one, or each would have a limit of its own.
                let spellings = Spellings::of(path);
                let found = capture(spellings.plainest())
                    || spellings.plain().is_some_and(&mut capture)
                    || capture(path);
                found && !room.is_empty()
            }
            KeyPart::Expression(expression) => {
                let facts = ExchangeFacts::new(exchange);
                // Without a value, as with an empty one, nobody is named.
                let Ok(value) = expression.evaluate(&facts) else { return false };
                room.extend_from_slice(value.as_text().unwrap_or_default().as_bytes());
                !room.is_empty()
            }
            _ => false,
        }
    }

    fn lacks(&self, part: &KeyPart, exchange: &Exchange) -> bool {
        self.part(part, exchange, &mut [0; 17]).is_none()
    }

    fn otherwise<'a>(&self, exchange: &Exchange, scratch: &'a mut Scratch) -> Option<Key<'a>> {
        (self.missing == MissingKey::Address).then(|| self.address(exchange, &mut scratch.address))
    }

    fn part<'a>(
        &'a self,
        part: &'a KeyPart,
        exchange: &'a Exchange,
        address: &'a mut [u8; 17],
    ) -> Option<Key<'a>> {
        let identity = exchange.identity.as_ref();
        let key = |kind, text: &'a str| (!text.is_empty()).then_some(Key { kind, bytes: text.as_bytes() });
        match part {
            // Whoever is taken for the consumer of those without credentials has no name of its own.
            KeyPart::ConsumerOrAddress => Some(
                identity
                    .filter(|identity| !identity.anonymous)
                    .and_then(|identity| key(CONSUMER, &identity.consumer))
                    .unwrap_or_else(|| self.address(exchange, address)),
            ),
            KeyPart::Consumer => key(CONSUMER, &identity?.consumer),
            KeyPart::Credential => key(CREDENTIAL, &identity?.credential.as_ref()?.id),
            KeyPart::Group => key(GROUP, identity?.groups().next()?),
            KeyPart::Address => Some(self.address(exchange, address)),
            KeyPart::Route => Some(Key { kind: ROUTE, bytes: self.route.as_bytes() }),
            KeyPart::Service => key(SERVICE, self.service.as_ref()?),
            KeyPart::Everybody => Some(Key { kind: EVERYBODY, bytes: b"" }),
            KeyPart::Header(name) => {
                let value = exchange.request.fields.get(&**name)?;
                (!value.is_empty()).then_some(Key { kind: HEADER, bytes: value })
            }
            KeyPart::Claim(name) => match identity?.claim(name)? {
                Json::Text(text) => key(CLAIM, text),
                // Numbers, lists and mappings have no one form; who needs them writes text into the token.
                _ => None,
            },
            // Made, not found.
            KeyPart::Parameter(_) | KeyPart::Expression(_) => None,
            KeyPart::Path(path) => {
                let (asked, path) = (exchange.request.path(), path.as_bytes());
                let is_it = asked == path || Spellings::of(asked).others().any(|other| other.path == path);
                is_it.then_some(Key { kind: PATH, bytes: path })
            }
        }
    }

    /// An IPv6 client usually has a whole prefix to itself: it counts as one.
    fn address<'a>(&self, exchange: &Exchange, room: &'a mut [u8; 17]) -> Key<'a> {
        let mut octets = [0; 16];
        let (family, prefix) = match exchange.client_address.to_canonical() {
            IpAddr::V4(address) => {
                octets = address.to_ipv6_mapped().octets();
                (4, 128)
            }
            IpAddr::V6(address) => {
                octets.copy_from_slice(&address.octets());
                (6, u32::from(self.prefix))
            }
        };
        let mask = u128::MAX.checked_shl(128_u32.saturating_sub(prefix)).unwrap_or(0);
        let kept = (u128::from_be_bytes(octets) & mask).to_be_bytes();
        for (place, byte) in room.iter_mut().zip(std::iter::once(family).chain(kept)) {
            *place = byte;
        }
        Key { kind: ADDRESS, bytes: room }
    }
}

/// The kind of a part whose value is made for each request.
const fn made(part: &KeyPart) -> Option<u8> {
    match part {
        KeyPart::Parameter(_) => Some(PARAMETER),
        KeyPart::Expression(_) => Some(EXPRESSION),
        _ => None,
    }
}

/// What a caller is counted by, and its name where that is no secret: credentials, fields, claims and what
/// expressions make of them may be.
pub(super) fn shown(key: Key<'_>) -> (&'static str, Option<String>) {
    let text = || std::str::from_utf8(key.bytes).ok().map(str::to_owned);
    match key.kind {
        CONSUMER => ("consumer", text()),
        ADDRESS => ("address", address_text(key.bytes)),
        GROUP => ("group", text()),
        ROUTE => ("route", text()),
        SERVICE => ("service", text()),
        EVERYBODY => ("everybody", Some("everybody".into())),
        PATH => ("path", text()),
        CREDENTIAL => ("credential", None),
        HEADER => ("header", None),
        CLAIM => ("claim", None),
        PARAMETER => ("parameter", None),
        EXPRESSION => ("expression", None),
        SEVERAL => ("several", None),
        _ => ("long", None),
    }
}

fn address_text(bytes: &[u8]) -> Option<String> {
    let octets: [u8; 16] = bytes.get(1..)?.try_into().ok()?;
    Some(IpAddr::from(octets).to_canonical().to_string())
}
