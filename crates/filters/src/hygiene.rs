//! Fields that only the gateway may set: a client that sends one claims to be somebody.
//!
//! Services that see fields as variables (CGI, WSGI, Rack) read `X_User_Id` and `X-User-Id` alike, and PHP
//! `X.User.Id` too, so everything but letters and digits is one here. For the same reason a field in which callers
//! show who they are arrives in its own spelling only: no filter verifies it in another.

use std::sync::LazyLock;
use torana_http::{Fields, Known, KnownSet};
use torana_plan::reserved::{
    ALWAYS, BEGINNINGS, METHOD_OVERRIDES, OF_THE_WAY, WAY_BEGINNING, folded, is_alike,
};

static OVERRIDING: LazyLock<ReservedFields> = LazyLock::new(|| ReservedFields::only(METHOD_OVERRIDES));

/// The methods, in upper case, that a request's fields ask for in place of its own, however the fields are written:
/// where they are let through, what is decided for the request's method must hold for these too.
pub fn overriding_methods(fields: &Fields) -> impl Iterator<Item = Vec<u8>> {
    // None of them is well-known, and no well-known name is written like one of them.
    let asking = fields.others().filter(|(name, _)| OVERRIDING.contains(name));
    asking.map(|(_, method)| method.trim_ascii().to_ascii_uppercase())
}

/// The longest name that has a place by its length; the few that are longer stand in one list.
const LONGEST: usize = 63;

/// Names that are removed from every request before anything else looks at it.
#[derive(Clone, Debug)]
pub struct ReservedFields {
    /// By their length.
    by_length: Vec<Vec<ReservedName>>,
    /// Those that are longer.
    longer: Vec<ReservedName>,
    /// Those of them that are well-known.
    known: KnownSet,
    /// What others begin with, as names are folded; and which of these are not reserved, in lower case.
    beginnings: Vec<&'static str>,
    spared: Vec<Box<[u8]>>,
}

#[derive(Clone, Debug)]
struct ReservedName {
    /// In lower case, with `-` for what is neither letter nor digit.
    folded: Box<[u8]>,
    /// Spellings, in lower case, that are not reserved.
    spared: Vec<Box<[u8]>>,
}

impl ReservedName {
    fn is(&self, name: &[u8]) -> bool {
        let same = self.folded.len() == name.len()
            && self.folded.iter().zip(name).all(|(own, byte)| *own == folded(*byte));
        same && !self.spared.iter().any(|spared| spared.eq_ignore_ascii_case(name))
    }
}

fn begins_with(name: &[u8], beginning: &[u8]) -> bool {
    let start = name.get(..beginning.len());
    start.is_some_and(|start| start.iter().zip(beginning).all(|(own, byte)| folded(*own) == *byte))
}

impl ReservedFields {
    /// These, those that are always reserved, and those that say by which way a request came: what no stranger sends.
    pub fn new<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        Self::except(&[], names).and_of_the_way()
    }

    /// And those that say by which way a request came.
    #[must_use]
    pub fn and_of_the_way(self) -> Self {
        let mut reserved = self.and(OF_THE_WAY);
        reserved.beginnings.push(WAY_BEGINNING);
        reserved.note_known()
    }

    /// But not these, where they are only told by how they begin.
    #[must_use]
    pub fn sparing<'n>(mut self, names: impl IntoIterator<Item = &'n str>) -> Self {
        self.spared.extend(names.into_iter().map(|name| name.to_ascii_lowercase().into_bytes().into()));
        self.note_known()
    }

    /// These, and those that are always reserved, but for a few: what no trusted proxy sends. Of the few another spelling
    /// alone is reserved.
    pub fn except<'n>(few: &[String], names: impl IntoIterator<Item = &'n str>) -> Self {
        let is_few = |name: &str| few.iter().any(|one| is_alike(one, name));
        let mut reserved = Self::only(ALWAYS.into_iter().chain(names).filter(|name| !is_few(name)));
        reserved.beginnings = BEGINNINGS.to_vec();
        reserved.spared = few.iter().map(|name| name.to_ascii_lowercase().into_bytes().into()).collect();
        reserved.and_alike(few.iter().map(String::as_str))
    }

    /// These, and every well-known field but those that have no bearing on how a request is taken: what no
    /// trailer may be, however it is written.
    pub fn of_trailers<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        let harmless = KnownSet::of(&[Known::Etag, Known::Date, Known::Expires]);
        let known = Known::all()
            .filter(|known| !harmless.contains(*known))
            .map(|known| -> &'n str { known.as_str() });
        Self::new(METHOD_OVERRIDES.into_iter().chain(known).chain(names))
    }

    /// These alone.
    pub fn only<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        let reserved = Self {
            by_length: vec![Vec::new(); LONGEST.saturating_add(1)],
            longer: Vec::new(),
            known: KnownSet::of(&[]),
            beginnings: Vec::new(),
            spared: Vec::new(),
        };
        reserved.and(names)
    }

    /// And these, in every spelling, also where one was spared.
    #[must_use]
    pub fn and<'n>(mut self, names: impl IntoIterator<Item = &'n str>) -> Self {
        for name in names {
            self.entry(name).spared.clear();
        }
        self.note_known()
    }

    /// And every other spelling of these, where these themselves are not reserved. What has letters and digits alone
    /// has no other.
    #[must_use]
    pub fn and_alike<'n>(mut self, names: impl IntoIterator<Item = &'n str>) -> Self {
        let mut spared: Vec<&str> = names.into_iter().collect();
        let has_others = |name: &str| !name.bytes().all(|byte| byte.is_ascii_alphanumeric());
        spared.retain(|name| has_others(name) && !self.contains(name.as_bytes()));
        for name in spared {
            let lower = name.to_ascii_lowercase().into_bytes().into_boxed_slice();
            self.entry(name).spared.push(lower);
        }
        self.note_known()
    }

    fn entry(&mut self, name: &str) -> &mut ReservedName {
        let folded: Box<[u8]> = name.bytes().map(folded).collect();
        let names = self.by_length.get_mut(folded.len()).unwrap_or(&mut self.longer);
        let place = names.iter().position(|own| own.folded == folded).unwrap_or(names.len());
        if place == names.len() {
            names.push(ReservedName { folded, spared: Vec::new() });
        }
        names.get_mut(place).expect("it was found or added there")
    }

    fn note_known(mut self) -> Self {
        self.known = Known::all().filter(|known| self.contains(known.as_str().as_bytes())).collect();
        self
    }

    /// Whether a name is reserved.
    #[must_use]
    pub fn contains(&self, name: &[u8]) -> bool {
        self.by_length.get(name.len()).unwrap_or(&self.longer).iter().any(|reserved| reserved.is(name))
            || (self.beginnings.iter().any(|beginning| begins_with(name, beginning.as_bytes()))
                && !self.spared.iter().any(|spared| spared.eq_ignore_ascii_case(name)))
    }

    /// Removes them.
    pub fn strip(&self, fields: &mut Fields) {
        self.strip_with(fields, KnownSet::of(&[]));
    }

    /// Removes them, and the well-known ones of `others` in the same go.
    pub fn strip_with(&self, fields: &mut Fields, others: KnownSet) {
        fields.strip(self.known.and(others), |name| self.contains(name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_that_a_field_asks_for_is_found_however_it_is_written() {
        assert_eq!(OVERRIDING.known, KnownSet::of(&[]));
        let mut fields = Fields::default();
        for (name, method) in [
            ("Accept", "get"),
            ("X-HTTP-Method-Override", "delete"),
            ("x_http_method", " Put "),
            ("X.Method-Override", "PATCH"),
            ("X-Method", "POST"),
        ] {
            fields.append(name, method.as_bytes()).unwrap();
        }
        let asked: Vec<_> = overriding_methods(&fields).collect();
        assert_eq!(asked, [&b"DELETE"[..], b"PUT", b"PATCH"]);
    }

    #[test]
    fn what_proxies_say_of_a_caller_is_removed_but_what_may_come_from_them() {
        let few = ["X-Forwarded-User".to_owned(), "x-ssl-client-verify".into(), "X-Other".into()];
        for (name, from_anybody, from_few) in [
            ("X-Forwarded-Client-Cert", true, true),
            ("Client-Cert-Chain", true, true),
            ("X-SSL-Client-S-DN", true, true),
            ("X_SSL_CLIENT_I_DN", true, true),
            ("ssl-client-subject-dn", true, true),
            ("X-Auth-Request-Email", true, true),
            ("X-WEBAUTH-USER", true, true),
            ("remote.groups", true, true),
            ("X-Forwarded-User", true, false),
            ("x-forwarded-USER", true, false),
            ("X_Forwarded_User", true, true),
            ("X-SSL-Client-Verify", true, false),
            ("X_SSL_Client_Verify", true, true),
            ("X-Other", false, false),
            ("X-SSL-Clientele", false, false),
            ("X-Auth", false, false),
            ("X-Forwarded-Access-Token", true, true),
            ("X-Forwarded-Tls-Client-Cert-Info", true, true),
            ("X-Forwarded-For", true, false),
            ("X_Forwarded.Ssl", true, false),
            ("X-Original-URI", true, false),
            ("CF-Connecting-IP", true, false),
            ("X-Forwarded", false, false),
            ("X-Original-Name", false, false),
        ] {
            assert_eq!(ReservedFields::new([]).contains(name.as_bytes()), from_anybody, "{name}");
            assert_eq!(ReservedFields::except(&few, []).contains(name.as_bytes()), from_few, "{name}");
        }
        // What a policy sets is nobody else's word.
        let set = ReservedFields::except(&few, []).and(["X-Forwarded-User"]);
        assert!(set.contains(b"X-Forwarded-User"));
    }

    #[test]
    fn what_may_come_from_a_few_does_so_in_its_own_spelling_whoever_else_reserves_it() {
        let few = ["X_Remote_User".to_owned(), "x-portal-id".into(), "Badge".into(), "ssl_client_dn".into()];
        let reserved = ReservedFields::except(&few, ["X-Portal.Id", "badge", "X-Internal"]);
        for (name, is_reserved) in [
            ("x_remote_USER", false),
            ("X-Remote-User", true),
            ("X-Portal-Id", false),
            ("X-Portal.Id", true),
            ("BADGE", false),
            ("SSL_Client_DN", false),
            ("SSL-Client-DN", true),
            ("X_Internal", true),
        ] {
            assert_eq!(reserved.contains(name.as_bytes()), is_reserved, "{name}");
        }
        let written = reserved.and(["Portal", "SSL-Client-DN", "X-Portal-Id"]);
        for name in ["SSL_Client_DN", "x-portal-id"] {
            assert!(written.contains(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn what_is_only_spelled_like_a_credential_is_removed() {
        let reserved = ReservedFields::only(["X-User-Id"]).and_alike([
            "X-Api-Key",
            "x_token",
            "X-Token",
            "X.User.Id",
            "Content-Type",
            "X-API-KEY",
        ]);
        for (name, is_reserved) in [
            ("X-Api-Key", false),
            ("x-api-KEY", false),
            ("X_Api_Key", true),
            ("x-api.key", true),
            ("X-Token", false),
            ("X_TOKEN", false),
            ("X.Token", true),
            ("X-User-Id", true),
            ("X.User.Id", true),
            ("Content-Type", false),
            ("content_type", true),
            ("Apikey", false),
        ] {
            assert_eq!(reserved.contains(name.as_bytes()), is_reserved, "{name}");
        }
        assert_eq!(reserved.known, KnownSet::of(&[]));
        let mut fields = Fields::default();
        for name in ["X-Api-Key", "X_Api_Key", "Content-Type", "Content_Type"] {
            fields.append(name, b"v").unwrap();
        }
        reserved.strip(&mut fields);
        let left: Vec<&[u8]> = fields.iter().map(|(name, _)| name).collect();
        assert_eq!(left, [&b"X-Api-Key"[..], b"Content-Type"]);
    }

    #[test]
    fn a_claimed_identity_is_removed_however_it_is_written() {
        let long = format!("X-{}-b", "a".repeat(70));
        let reserved = ReservedFields::new(["X-User-Id", "X-Internal", &long]);
        let mut fields = Fields::default();
        for name in [
            "X-User-Id",
            "x-user-id",
            "X-USER-ID",
            "X_User_Id",
            "x-user_id",
            "x-consumer-ID",
            "X.User.Id",
            "X-User~Id",
            "te",
            &long,
            &long.replace('-', "_"),
        ] {
            fields.append(name, b"admin").unwrap();
        }
        let other = format!("{long}x");
        for name in ["X-Other", "X-User-Idx", "X-User-I", "User-Id", &other] {
            fields.append(name, b"kept").unwrap();
        }
        reserved.strip_with(&mut fields, KnownSet::of(&[Known::Te]));
        let left: Vec<&[u8]> = fields.iter().map(|(name, _)| name).collect();
        assert_eq!(left, [&b"X-Other"[..], b"X-User-Idx", b"X-User-I", b"User-Id", other.as_bytes()]);
    }
}
