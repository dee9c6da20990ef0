//! Field names: the well-known ones as small numbers, all others as text.

macro_rules! known_names {
    ($( $ident:ident, $text:literal; )+) => {
        /// A field name that Torana knows by number, so that look-ups compare one byte.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        #[allow(missing_docs, reason = "each is the name of the field it stands for")]
        pub enum Known { $( $ident, )+ }

        impl Known {
            const ALL: &'static [Self] = &[ $( Self::$ident, )+ ];

            /// The name as it is usually written.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $( Self::$ident => $text, )+ }
            }
        }
    };
}

known_names! {
    Host, "Host";
    Connection, "Connection";
    KeepAlive, "Keep-Alive";
    ProxyConnection, "Proxy-Connection";
    Te, "TE";
    Trailer, "Trailer";
    TransferEncoding, "Transfer-Encoding";
    Upgrade, "Upgrade";
    ContentLength, "Content-Length";
    ContentType, "Content-Type";
    ContentEncoding, "Content-Encoding";
    ContentLanguage, "Content-Language";
    ContentRange, "Content-Range";
    ContentDisposition, "Content-Disposition";
    Accept, "Accept";
    AcceptEncoding, "Accept-Encoding";
    AcceptLanguage, "Accept-Language";
    AcceptRanges, "Accept-Ranges";
    UserAgent, "User-Agent";
    Authorization, "Authorization";
    ProxyAuthorization, "Proxy-Authorization";
    ProxyAuthenticate, "Proxy-Authenticate";
    ProxyAuthenticationInfo, "Proxy-Authentication-Info";
    Cookie, "Cookie";
    SetCookie, "Set-Cookie";
    Referer, "Referer";
    Origin, "Origin";
    Date, "Date";
    Server, "Server";
    Etag, "ETag";
    LastModified, "Last-Modified";
    CacheControl, "Cache-Control";
    Expires, "Expires";
    Age, "Age";
    Vary, "Vary";
    Location, "Location";
    IfNoneMatch, "If-None-Match";
    IfModifiedSince, "If-Modified-Since";
    IfMatch, "If-Match";
    IfRange, "If-Range";
    IfUnmodifiedSince, "If-Unmodified-Since";
    Range, "Range";
    Expect, "Expect";
    Via, "Via";
    Forwarded, "Forwarded";
    XForwardedFor, "X-Forwarded-For";
    XForwardedProto, "X-Forwarded-Proto";
    XForwardedHost, "X-Forwarded-Host";
    XForwardedPort, "X-Forwarded-Port";
    XForwardedPrefix, "X-Forwarded-Prefix";
    XRealIp, "X-Real-IP";
    XRequestId, "X-Request-Id";
    Allow, "Allow";
    RetryAfter, "Retry-After";
    WwwAuthenticate, "WWW-Authenticate";
    Http2Settings, "HTTP2-Settings";
    Pragma, "Pragma";
    Priority, "Priority";
    Traceparent, "traceparent";
    Tracestate, "tracestate";
    StrictTransportSecurity, "Strict-Transport-Security";
    XConsumerId, "X-Consumer-Id";
    RatelimitLimit, "RateLimit-Limit";
    RatelimitRemaining, "RateLimit-Remaining";
    RatelimitReset, "RateLimit-Reset";
}

/// Slots of the look-up table; a power of two. With the weights of [`slot`] no two names share one.
const SLOTS: usize = 1024;

/// The slot of a name: a weighted sum of its length, first, last and fourth-last byte, all folded to
/// lower case. The weights were found by search; the table's construction proves them at compile time.
const fn slot(name: &[u8]) -> Option<usize> {
    let (Some(first), Some(last)) = (name.first(), name.last()) else { return None };
    let (_, tail) = name.split_at(name.len().saturating_sub(4));
    let Some(inner) = tail.first() else { return None };
    let sum = name
        .len()
        .wrapping_mul(14)
        .wrapping_add((first.to_ascii_lowercase() as usize).wrapping_mul(333))
        .wrapping_add((last.to_ascii_lowercase() as usize).wrapping_mul(278))
        .wrapping_add((inner.to_ascii_lowercase() as usize).wrapping_mul(5));
    Some(sum & (SLOTS - 1))
}

static TABLE: [Option<Known>; SLOTS] = table();

#[allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    reason = "runs at compile time only"
)]
const fn table() -> [Option<Known>; SLOTS] {
    let mut table = [None; SLOTS];
    let mut position = 0;
    while position < Known::ALL.len() {
        let known = Known::ALL[position];
        let Some(slot) = slot(known.as_str().as_bytes()) else { panic!("a name is empty") };
        assert!(table[slot].is_none(), "two names share a slot: search for other weights");
        table[slot] = Some(known);
        position += 1;
    }
    table
}

impl Known {
    /// The name with this number (`known as u8`).
    pub(crate) fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// Finds a name regardless of case (RFC 9110 section 5.1).
    #[must_use]
    pub fn find(name: &[u8]) -> Option<Self> {
        let known = *TABLE.get(slot(name)?)?;
        known.filter(|known| known.as_str().as_bytes().eq_ignore_ascii_case(name))
    }
}

/// A field name to look up or to add.
#[derive(Clone, Copy, Debug)]
pub enum Name<'a> {
    /// One of the well-known names.
    Known(Known),
    /// Any other name; compared without regard to case.
    Other(&'a str),
}

impl<'a> Name<'a> {
    /// The name as text.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        match self {
            Name::Known(known) => known.as_str(),
            Name::Other(text) => text,
        }
    }
}

impl From<Known> for Name<'_> {
    fn from(known: Known) -> Self {
        Name::Known(known)
    }
}

impl<'a> From<&'a str> for Name<'a> {
    fn from(text: &'a str) -> Self {
        Known::find(text.as_bytes()).map_or(Name::Other(text), Name::Known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_name_is_found_in_any_case() {
        for known in Known::ALL {
            assert_eq!(Known::find(known.as_str().as_bytes()), Some(*known));
            assert_eq!(Known::find(known.as_str().to_uppercase().as_bytes()), Some(*known));
        }
    }

    #[test]
    fn look_alikes_are_not_found() {
        for name in ["", "h", "hostt", "h\u{f6}st", "content_length", "transfer-encodinG "] {
            assert_eq!(Known::find(name.as_bytes()), None, "{name}");
        }
    }
}
