//! What expressions may ask of a request on its way.

use crate::authentication::locations::{alike_in, parameters};
use std::borrow::Cow;
use std::cell::OnceCell;
use std::fmt::Write;
use std::net::IpAddr;
use torana_expression::{Fact, Facts, Found, Value};
use torana_filter::Exchange;
use torana_http::h1::BodyFraming;
use torana_http::{Known, KnownSet};

/// Answers an expression's questions about an exchange. Nothing is built before it is asked for.
#[derive(Debug)]
pub struct ExchangeFacts<'e> {
    exchange: &'e Exchange,
    address: OnceCell<AddressText>,
    /// Another reading of the path.
    path: Option<&'e [u8]>,
    /// Another reading of the method.
    method: Option<&'e [u8]>,
}

/// An address as text, without an allocation: at most 39 characters (RFC 5952), 45 where it maps IPv4.
#[derive(Debug)]
struct AddressText {
    bytes: [u8; 45],
    length: usize,
}

impl AddressText {
    fn new(address: IpAddr) -> Self {
        let mut text = Self { bytes: [0; 45], length: 0 };
        // It cannot be longer.
        let _ = write!(text, "{address}");
        text
    }

    fn as_str(&self) -> &str {
        self.bytes.get(..self.length).and_then(|text| std::str::from_utf8(text).ok()).unwrap_or_default()
    }
}

impl Write for AddressText {
    fn write_str(&mut self, part: &str) -> std::fmt::Result {
        let end = self.length.saturating_add(part.len());
        self.bytes.get_mut(self.length..end).ok_or(std::fmt::Error)?.copy_from_slice(part.as_bytes());
        self.length = end;
        Ok(())
    }
}

impl<'e> ExchangeFacts<'e> {
    /// Answers about this one.
    #[must_use]
    pub const fn new(exchange: &'e Exchange) -> Self {
        Self { exchange, address: OnceCell::new(), path: None, method: None }
    }

    /// Answers with this path in place of the request's own.
    #[must_use]
    pub const fn with_path(mut self, path: &'e [u8]) -> Self {
        self.path = Some(path);
        self
    }

    /// Answers with this method in place of the request's own.
    #[must_use]
    pub const fn with_method(mut self, method: &'e [u8]) -> Self {
        self.method = Some(method);
        self
    }

    fn host(&self) -> Cow<'_, str> {
        let authority = String::from_utf8_lossy(self.exchange.request.host());
        let end = match authority.rfind(':') {
            // The colons of an IPv6 address stand in brackets.
            Some(colon) if !authority.get(colon..).is_some_and(|rest| rest.contains(']')) => colon,
            _ => authority.len(),
        };
        match authority {
            Cow::Borrowed(text) => match text.get(..end) {
                Some(host) if !host.bytes().any(|byte| byte.is_ascii_uppercase()) => Cow::Borrowed(host),
                host => Cow::Owned(host.unwrap_or_default().to_ascii_lowercase()),
            },
            Cow::Owned(text) => Cow::Owned(text.get(..end).unwrap_or_default().to_ascii_lowercase()),
        }
    }

    fn size(&self) -> i64 {
        match self.exchange.request.framing {
            BodyFraming::None => 0,
            BodyFraming::Length(length) => i64::try_from(length).unwrap_or(i64::MAX),
            _ => -1,
        }
    }

    fn now(&self) -> i64 {
        i64::try_from(self.exchange.moment.unix_seconds).unwrap_or(i64::MAX).saturating_mul(1000)
    }
}

impl Facts for ExchangeFacts<'_> {
    fn fact(&self, fact: Fact) -> Value<'_> {
        let request = &self.exchange.request;
        let text = |bytes| Value::Text(String::from_utf8_lossy(bytes));
        let identity = self.exchange.identity.as_deref();
        match fact {
            Fact::Method => text(self.method.unwrap_or_else(|| request.method_bytes())),
            Fact::Path => text(self.path.unwrap_or_else(|| request.path())),
            Fact::Host => Value::Text(self.host()),
            Fact::Scheme => Value::text(if self.exchange.secure { "https" } else { "http" }),
            Fact::Query => text(request.query().unwrap_or_default()),
            Fact::Size => Value::Int(self.size()),
            Fact::ClientAddress => {
                let text = || AddressText::new(self.exchange.client_address);
                Value::text(self.address.get_or_init(text).as_str())
            }
            Fact::Authenticated => Value::Bool(identity.is_some_and(|identity| !identity.anonymous)),
            Fact::Consumer => Value::text(identity.map_or("", |identity| &identity.consumer)),
            // Who asks that one is not among them is not told so where more are claimed than can be read.
            Fact::Roles if identity.is_some_and(|identity| identity.unread_roles) => Value::Null,
            Fact::Groups if identity.is_some_and(|identity| identity.unread_groups) => Value::Null,
            Fact::Roles => Value::Texts(identity.map_or(&[], |identity| &identity.roles)),
            Fact::Groups => {
                let record = identity.and_then(|identity| identity.record.as_deref());
                let vouched = identity.map_or(&[][..], |identity| &identity.authenticated_groups);
                Value::Joined(record.map_or(&[][..], |record| &record.groups), vouched)
            }
            Fact::Claims => match identity {
                Some(identity) => Value::Object(identity.claims.map()),
                None => Value::empty(),
            },
            Fact::Metadata => {
                let record = identity.and_then(|identity| identity.record.as_deref());
                record.and_then(|record| record.metadata.as_deref()).map_or_else(Value::empty, Value::Object)
            }
            Fact::Now => Value::Timestamp(self.now()),
            // These are only looked up in.
            Fact::Headers | Fact::Parameters => Value::Null,
        }
    }

    fn header(&self, name: &str) -> Found<'_> {
        let fields = &self.exchange.request.fields;
        let Some(first) = fields.get(name) else { return Found::Nothing };
        if fields.get_all(name).nth(1).is_none() {
            return Found::One(String::from_utf8_lossy(first));
        }
        if !is_list(name) {
            return Found::Several;
        }
        let lines: Vec<Cow<'_, str>> = fields.get_all(name).map(String::from_utf8_lossy).collect();
        Found::One(Cow::Owned(lines.join(", ")))
    }

    fn parameter(&self, name: &str) -> Found<'_> {
        let query = self.exchange.request.query().unwrap_or_default();
        let mut shown = alike_in(query, name);
        let Some(value) = shown.next() else { return Found::Nothing };
        // Some services find one behind a `;` or under a name that is alike too, others do not.
        if shown.next().is_some() || parameters(query, name).next().is_none() {
            return Found::Several;
        }
        Found::One(match value {
            Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
            Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
        })
    }

    fn parameter_cost(&self) -> usize {
        self.exchange.request.query().map_or(0, <[u8]>::len)
    }
}

/// Whether a field is a list by its definition, so that several lines are one value (RFC 9110 section 5.3). Of any other
/// one service takes the first line and another the last.
fn is_list(name: &str) -> bool {
    const LISTS: KnownSet = KnownSet::of(&[
        Known::Accept,
        Known::AcceptEncoding,
        Known::AcceptLanguage,
        Known::CacheControl,
        Known::ContentEncoding,
        Known::ContentLanguage,
        Known::Forwarded,
        Known::IfMatch,
        Known::IfNoneMatch,
        Known::Pragma,
        Known::Tracestate,
        Known::Via,
        Known::XForwardedFor,
    ]);
    /// Those that are not well-known here: by RFC 9110, Fetch, W3C Baggage, RFC 7240 and RFC 6455 section 11.3.
    const OTHERS: [&str; 6] = [
        "Accept-Charset",
        "Access-Control-Request-Headers",
        "Baggage",
        "Prefer",
        "Sec-WebSocket-Extensions",
        "Sec-WebSocket-Protocol",
    ];
    match Known::find(name.as_bytes()) {
        Some(known) => LISTS.contains(known),
        None => OTHERS.iter().any(|list| list.eq_ignore_ascii_case(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use torana_expression::{EvaluationError, Expression};
    use torana_filter::{Consumer, Identity, Moment};
    use torana_http::h1::{HeadLimits, parse_request};

    fn exchange(head: &str) -> Exchange {
        let mut exchange = Exchange {
            client_address: "10.1.2.3".parse().unwrap(),
            moment: Moment { unix_seconds: 1_795_557_600, ..Moment::default() },
            ..Exchange::default()
        };
        let text = format!("{}\r\n\r\n", head.replace('\n', "\r\n"));
        parse_request(text.as_bytes(), 0, &HeadLimits::default(), &mut exchange.request).unwrap().unwrap();
        exchange
    }

    #[test]
    fn a_request_answers_for_itself() {
        let mut exchange = exchange(
            "POST /a/b?x=1&y=a%20b+c&%7a=%zz&e HTTP/1.1\nHost: Api.TEST:8080\nX-A: 1\nVia: 1\nvia: 2\nContent-Length: 5",
        );
        let claims = serde_json::json!({ "tier": "gold" });
        exchange.identity = Some(Arc::new(Identity {
            consumer: "ada".into(),
            roles: vec!["user".into()],
            authenticated_groups: vec!["staff".into()],
            claims: claims.as_object().cloned().unwrap().into(),
            ..Identity::default()
        }));
        for source in [
            r#"request.method == "POST" && request.path == "/a/b" && request.scheme == "http""#,
            r#"request.host == "api.test" && request.size == 5 && request.query.startsWith("x=1")"#,
            r#"request.headers["X-A"] == "1" && request.headers.via == "1, 2" && !("x-b" in request.headers)"#,
            r#"request.parameters.x == "1" && request.parameters.y == "a b c" && request.parameters.z == "%zz""#,
            r#"request.parameters.e == "" && !has(request.parameters.f)"#,
            r#"client.address == "10.1.2.3" && cidr("10.0.0.0/8").containsIP(client.address)"#,
            r#"authenticated && consumer == "ada" && "user" in roles && "staff" in groups"#,
            r#"claims.tier == "gold" && now == timestamp("2026-11-24T22:00:00Z")"#,
        ] {
            let expression = Expression::condition(source).unwrap();
            assert_eq!(expression.holds(&ExchangeFacts::new(&exchange)), Ok(true), "{source}");
        }
    }

    #[test]
    fn nobody_is_told_that_a_role_is_not_among_those_that_cannot_all_be_read() {
        let mut exchange = exchange("GET / HTTP/1.1\nHost: a");
        let claims = serde_json::json!({ "roles": [{ "name": "admin" }] });
        exchange.identity = Some(Arc::new(Identity {
            unread_roles: true,
            unread_groups: true,
            claims: claims.as_object().cloned().unwrap().into(),
            ..Identity::default()
        }));
        for (source, holds) in [
            (r#"!("banned" in roles)"#, None),
            (r#"!("banned" in groups)"#, None),
            ("size(roles) == 0", None),
            (r#"groups != ["banned"]"#, None),
            (r#"!(roles == ["banned"])"#, None),
            (r#"[groups] != [["banned"]]"#, None),
            ("groups == null", None),
            (r#"groups == ["banned"] ? false : true"#, None),
            (r#"claims.roles.exists(role, role.name == "admin")"#, Some(true)),
        ] {
            let expression = Expression::condition(source).unwrap();
            assert_eq!(expression.holds(&ExchangeFacts::new(&exchange)).ok(), holds, "{source}");
        }
    }

    #[test]
    fn groups_are_those_of_the_consumer_then_those_that_are_vouched_for() {
        let mut exchange = exchange("GET / HTTP/1.1\nHost: a");
        let metadata = serde_json::json!({ "plan": "yearly" }).as_object().cloned().map(Box::new);
        let groups = ["gold".into(), "eu".into()].into();
        let record = Consumer { groups, metadata, ..Consumer::default() };
        exchange.identity = Some(Arc::new(Identity {
            record: Some(Arc::new(record)),
            authenticated_groups: vec!["staff".into()],
            ..Identity::default()
        }));
        for source in [
            r#"size(groups) == 3 && groups[0] == "gold" && groups[1] == "eu" && groups[2] == "staff""#,
            r#"groups == ["gold", "eu", "staff"] && "staff" in groups && !("x" in groups)"#,
            r#"groups.exists(one, one == "eu") && groups.all(one, size(one) > 1)"#,
            r#"consumer_metadata.plan == "yearly" && !has(consumer_metadata.other)"#,
        ] {
            let expression = Expression::condition(source).unwrap();
            assert_eq!(expression.holds(&ExchangeFacts::new(&exchange)), Ok(true), "{source}");
        }
        let beyond = Expression::condition(r#"groups[3] == """#).unwrap();
        assert!(beyond.holds(&ExchangeFacts::new(&exchange)).is_err());
    }

    #[test]
    fn every_address_has_room_for_its_text() {
        for text in [
            "0.0.0.0",
            "255.255.255.255",
            "::",
            "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
            "::ffff:255.255.255.255",
        ] {
            let address: IpAddr = text.parse().unwrap();
            assert_eq!(AddressText::new(address).as_str(), address.to_string());
        }
    }

    /// One service takes the first of several, another the last, so neither is believed.
    #[test]
    fn what_is_there_more_than_once_is_there_and_has_no_value() {
        let only = r#"request.parameters.debug == "1""#;
        for (query, source, holds) in [
            ("debug=1", only, Some(true)),
            ("debug=0", only, Some(false)),
            ("debug=0&debug=1", only, None),
            ("debug=1&debug=1", only, None),
            ("debug=0&%64ebug=1", only, None),
            ("a=0;debug=1", only, None),
            ("debug=1;a=0", only, None),
            ("a=0;b=1&debug=1", only, Some(true)),
            ("debug=0&debug=1", "has(request.parameters.debug)", Some(true)),
            ("a=0;debug=1", r#""debug" in request.parameters"#, Some(true)),
            ("Debug=1&debug=0", only, None),
            ("debug=1&%20debug=0", only, None),
            ("debug=1&debug[]=0", only, None),
            ("debug=1&debug%00=0", only, None),
            ("DEBUG=1", only, None),
            ("debug=1&]debug=0", only, None),
            ("debug=1&debug]=0", only, None),
            ("debug=1&%u0064ebug=0", only, None),
            ("debug=%u0031", only, None),
            ("debug=1&a=%u0031", only, Some(true)),
            ("DEBUG=1", "has(request.parameters.debug)", Some(true)),
            ("Debugs=0&debug=1", only, Some(true)),
            ("tenant.id=victim&tenant_id=own", r#"request.parameters.tenant_id == "own""#, None),
            ("debugs=1&a=debug", "has(request.parameters.debug)", Some(false)),
            ("", r#"request.headers["x-tenant"] == "own""#, None),
            ("", r#""x-tenant" in request.headers"#, Some(true)),
            ("", r#"request.headers.accept == "a/b, c/d""#, Some(true)),
        ] {
            let fields = "X-Tenant: own\nx-tenant: victim\nAccept: a/b\nAccept: c/d";
            let exchange = exchange(&format!("GET /?{query} HTTP/1.1\nHost: a\n{fields}"));
            let expression = Expression::condition(source).unwrap();
            assert_eq!(expression.holds(&ExchangeFacts::new(&exchange)).ok(), holds, "{query} {source}");
        }
    }

    #[test]
    fn several_lines_of_a_list_are_one_value() {
        for name in [
            "accept-charset",
            "access-control-request-headers",
            "baggage",
            "prefer",
            "sec-websocket-extensions",
            "sec-websocket-protocol",
        ] {
            let exchange = exchange(&format!("GET / HTTP/1.1\nHost: a\n{name}: b\n{name}: c"));
            let source = format!("request.headers[\"{name}\"] == \"b, c\"");
            let expression = Expression::condition(&source).unwrap();
            assert_eq!(expression.holds(&ExchangeFacts::new(&exchange)), Ok(true), "{name}");
        }
    }

    #[test]
    fn a_query_is_paid_for_each_time_that_it_is_searched() {
        let ids = "a,".repeat(1000);
        let padding = "x=%41&".repeat(500);
        let long = exchange(&format!("GET /?ids={ids}&{padding}self=b HTTP/1.1\nHost: a"));
        let short = exchange("GET /?ids=a,b,c&self=d HTTP/1.1\nHost: a");
        let source = r#"request.parameters.ids.split(",").all(i, i != request.parameters.self)"#;
        let expression = Expression::condition(source).unwrap();
        assert_eq!(expression.holds(&ExchangeFacts::new(&short)), Ok(true));
        assert_eq!(expression.holds(&ExchangeFacts::new(&long)), Err(EvaluationError::OverBudget));
    }

    #[test]
    fn nobody_has_no_claims_and_no_roles() {
        let exchange = exchange("GET / HTTP/1.1\nHost: [::1]:80");
        for source in [
            r#"!authenticated && consumer == "" && size(roles) == 0 && size(groups) == 0 && size(claims) == 0"#,
            "size(consumer_metadata) == 0 && !has(consumer_metadata.plan)",
            r#"request.host == "[::1]" && request.size == 0"#,
        ] {
            let expression = Expression::condition(source).unwrap();
            assert_eq!(expression.holds(&ExchangeFacts::new(&exchange)), Ok(true), "{source}");
        }
    }
}
