//! What of a request decides where it goes: keys for hashing, and the cookies that make clients stay.

mod sticky;

pub use sticky::Sticky;

use crate::request_id::RequestId;
use torana_balance::hash;
use torana_filter::Exchange;
use torana_http::cookie;

/// Something of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// The client's address.
    Address,
    /// The consumer who has shown credentials.
    Consumer,
    /// The path, normalised.
    Path,
    /// The first value of a field.
    Header(String),
    /// A cookie, given to clients that have none.
    Cookie {
        /// Its name.
        name: String,
        /// What follows the value in `Set-Cookie`.
        attributes: String,
    },
    /// The values of a query parameter.
    Argument(String),
    /// A segment of the path, counted from 1.
    Segment(usize),
}

/// A key that was found, and the cookie that has to be set for it to be found again.
#[derive(Debug, Default)]
pub(crate) struct Key {
    /// The hash; `None` when the request has nothing that counts.
    pub(crate) hash: Option<u64>,
    /// The whole value of a `Set-Cookie` field.
    pub(crate) set_cookie: Option<String>,
}

/// Finds the first source that the request has. `fresh` makes the value of a new cookie.
pub(crate) fn key(sources: &[KeySource], exchange: &Exchange, fresh: impl FnOnce() -> RequestId) -> Key {
    let request = &exchange.request;
    for source in sources {
        let found = match source {
            KeySource::Address => Some(match exchange.client_address {
                std::net::IpAddr::V4(address) => hash(&address.octets()),
                std::net::IpAddr::V6(address) => hash(&address.octets()),
            }),
            // Whoever is taken for the consumer of those without credentials is many.
            KeySource::Consumer => {
                let identity = exchange.identity.as_ref().filter(|identity| !identity.anonymous);
                identity.map(|identity| hash(identity.consumer.as_bytes()))
            }
            KeySource::Path => Some(hash(request.path())),
            KeySource::Header(name) => {
                request.fields.get(name.as_str()).filter(|value| !value.is_empty()).map(hash)
            }
            KeySource::Argument(name) => request.query().and_then(|query| argument(query, name.as_bytes())),
            KeySource::Segment(number) => {
                let segment = request.path().split(|byte| *byte == b'/').nth(*number);
                segment.filter(|segment| !segment.is_empty()).map(hash)
            }
            KeySource::Cookie { name, attributes } => {
                match cookie::values(&request.fields, name.as_bytes()).next() {
                    Some(value) => Some(hash(value)),
                    None => {
                        let id = fresh();
                        let set_cookie = Some(format!("{name}={}{attributes}", id.as_str()));
                        return Key { hash: Some(hash(id.as_bytes())), set_cookie };
                    }
                }
            }
        };
        if found.is_some() {
            return Key { hash: found, set_cookie: None };
        }
    }
    Key::default()
}

/// The hash of a parameter's values, whatever their order; as they were sent, not decoded.
fn argument(query: &[u8], name: &[u8]) -> Option<u64> {
    let mut values: Vec<&[u8]> = query
        .split(|byte| *byte == b'&')
        .filter_map(|pair| {
            let end = memchr::memchr(b'=', pair).unwrap_or(pair.len());
            let (key, value) = pair.split_at_checked(end)?;
            (key == name).then(|| value.get(1..).unwrap_or_default())
        })
        .collect();
    match values.as_slice() {
        [] => None,
        [one] => Some(hash(one)),
        _ => {
            values.sort_unstable();
            Some(hash(&values.join(&b',')))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request_id::RequestIds;
    use std::sync::Arc;
    use torana_filter::Identity;

    fn exchange(fields: &[(&str, &str)], query: Option<&str>) -> Exchange {
        let mut exchange = Exchange::default();
        assert!(exchange.request.set_path(b"/users/7/x"));
        assert!(exchange.request.set_query(query.map(str::as_bytes)));
        for (name, value) in fields {
            exchange.request.fields.append(*name, value.as_bytes()).unwrap();
        }
        exchange
    }

    fn found(source: KeySource, exchange: &Exchange) -> Option<u64> {
        key(&[source], exchange, || RequestIds::default().next()).hash
    }

    #[test]
    fn each_source_is_found_and_only_there() {
        let request =
            exchange(&[("X-User", "ann"), ("Cookie", "a=1; b=\"2\""), ("Cookie", "c=3")], Some("x=2&y&x=1"));
        let cookie =
            |name: &str| found(KeySource::Cookie { name: name.into(), attributes: "".into() }, &request);
        assert_eq!((cookie("b"), cookie("c")), (Some(hash(b"2")), Some(hash(b"3"))));
        assert_eq!(found(KeySource::Header("x-user".into()), &request), Some(hash(b"ann")));
        assert_eq!(found(KeySource::Header("x-other".into()), &request), None);
        assert_eq!(found(KeySource::Segment(2), &request), Some(hash(b"7")));
        assert_eq!(found(KeySource::Segment(4), &request), None);
        assert_eq!(found(KeySource::Path, &request), Some(hash(b"/users/7/x")));
        assert_eq!(found(KeySource::Argument("y".into()), &request), Some(hash(b"")));
        let turned = exchange(&[], Some("x=1&x=2"));
        let argument = |exchange| found(KeySource::Argument("x".into()), exchange);
        assert_eq!(argument(&request), argument(&turned));
        assert_eq!(found(KeySource::Consumer, &request), None);
        for (anonymous, counts) in [(false, Some(hash(b"ann"))), (true, None)] {
            let mut request = exchange(&[], None);
            let identity = Identity { consumer: "ann".into(), anonymous, ..Identity::default() };
            request.identity = Some(Arc::new(identity));
            assert_eq!(found(KeySource::Consumer, &request), counts);
        }
    }

    #[test]
    fn the_first_that_is_there_counts_and_a_cookie_is_given_to_who_has_none() {
        let sources = [
            KeySource::Header("X-User".into()),
            KeySource::Cookie { name: "id".into(), attributes: "; Path=/".into() },
        ];
        let ids = RequestIds::default();
        let known = key(&sources, &exchange(&[("X-User", "ann"), ("Cookie", "id=1")], None), || ids.next());
        assert_eq!((known.hash, known.set_cookie), (Some(hash(b"ann")), None));
        let given = key(&sources, &exchange(&[], None), || ids.next());
        let set = given.set_cookie.unwrap();
        let value = set.strip_prefix("id=").unwrap().strip_suffix("; Path=/").unwrap();
        let again = key(&sources, &exchange(&[("Cookie", &format!("id={value}"))], None), || ids.next());
        assert_eq!((again.hash, again.set_cookie), (given.hash, None));
    }
}
