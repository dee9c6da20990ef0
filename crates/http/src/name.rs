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

            /// What a line with this field begins with: the name, a colon and a space.
            pub(crate) const fn prefix(self) -> &'static str {
                match self { $( Self::$ident => concat!($text, ": "), )+ }
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
    XConsumerCustomId, "X-Consumer-Custom-ID";
    XConsumerUsername, "X-Consumer-Username";
    XCredentialIdentifier, "X-Credential-Identifier";
    XAnonymousConsumer, "X-Anonymous-Consumer";
    RatelimitLimit, "RateLimit-Limit";
    RatelimitRemaining, "RateLimit-Remaining";
    RatelimitReset, "RateLimit-Reset";
}

/// Room for the longest well-known name.
const LONGEST: usize = 32;

/// A name in lower case, filled up with zeros: what names are compared by, eight bytes at a time.
type Folded = [u8; LONGEST];

/// Slots of the look-up table; a power of two. With the weights of [`slot`] no two names share one.
const SLOTS: usize = 1024;

/// The slot of a name: a weighted sum of its length, first, last and fourth-last byte, the case of letters left
/// out. The weights were found by search; the table's construction proves them at compile time.
const fn slot(name: &[u8]) -> Option<usize> {
    const CASE: u8 = 0x20;
    let (Some(first), Some(last)) = (name.first(), name.last()) else { return None };
    let (_, tail) = name.split_at(name.len().saturating_sub(4));
    let Some(inner) = tail.first() else { return None };
    let sum = name
        .len()
        .wrapping_mul(14)
        .wrapping_add(((*first | CASE) as usize).wrapping_mul(333))
        .wrapping_add(((*last | CASE) as usize).wrapping_mul(278))
        .wrapping_add(((*inner | CASE) as usize).wrapping_mul(5));
    Some(sum & (SLOTS - 1))
}

/// A name that is well known, and what it is compared by.
#[derive(Clone, Copy)]
struct Entry {
    known: Known,
    length: u8,
    folded: Folded,
}

/// The slots, and behind each the name that it may be.
static TABLE: [Option<Entry>; SLOTS] = table();

#[allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "runs at compile time only"
)]
const fn table() -> [Option<Entry>; SLOTS] {
    let mut table = [None; SLOTS];
    let mut position = 0;
    while position < Known::ALL.len() {
        let known = Known::ALL[position];
        let name = known.as_str().as_bytes();
        let Some(slot) = slot(name) else { panic!("a name is empty") };
        assert!(name.len() <= LONGEST, "a name is longer than the room for it");
        assert!(table[slot].is_none(), "two names share a slot: search for other weights");
        let mut folded = [0; LONGEST];
        let mut at = 0;
        while at < name.len() {
            let byte = name[at].to_ascii_lowercase();
            assert!(byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-', "see `differs`");
            folded[at] = byte;
            at += 1;
        }
        table[slot] = Some(Entry { known, length: name.len() as u8, folded });
        position += 1;
    }
    table
}

/// The bits in which bytes differ from those of a folded name, but for the case of letters. Of what stands in a
/// folded name only letters have the bit next to the one that makes them lower case.
const fn differs(name: u64, folded: u64) -> u64 {
    const LETTER: u64 = u64::from_le_bytes([0x40; 8]);
    (name ^ folded) & !((folded & LETTER) >> 1)
}

/// Whether a name is the folded one, of which it has the length. Words may overlap: that is quicker than to
/// look at what is left byte by byte.
fn is_folded(name: &[u8], folded: &Folded) -> bool {
    let Some(folded) = folded.get(..name.len()) else { return false };
    let word = |bytes: &[u8; 8]| u64::from_le_bytes(*bytes);
    let half = |bytes: &[u8; 4]| u64::from(u32::from_le_bytes(*bytes));
    if let (Some(last), Some(folded_last)) = (name.last_chunk(), folded.last_chunk()) {
        let pairs = name.as_chunks().0.iter().zip(folded.as_chunks().0);
        let all = pairs.fold(0, |all, (name, folded)| all | differs(word(name), word(folded)));
        return all | differs(word(last), word(folded_last)) == 0;
    }
    match (name.first_chunk(), name.last_chunk(), folded.first_chunk(), folded.last_chunk()) {
        (Some(first), Some(last), Some(folded_first), Some(folded_last)) => {
            differs(half(first), half(folded_first)) | differs(half(last), half(folded_last)) == 0
        }
        _ => name.eq_ignore_ascii_case(folded),
    }
}

impl Known {
    /// The name with this number (`known as u8`).
    pub(crate) fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// Every well-known name.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied()
    }

    /// Finds a name regardless of case (RFC 9110 section 5.1).
    #[must_use]
    pub fn find(name: &[u8]) -> Option<Self> {
        let entry = TABLE.get(slot(name)?)?.as_ref()?;
        (usize::from(entry.length) == name.len() && is_folded(name, &entry.folded)).then_some(entry.known)
    }
}

/// A set of well-known names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownSet(u128);

impl KnownSet {
    /// The set of these names.
    #[must_use]
    pub const fn of(names: &[Known]) -> Self {
        let mut bits = 0;
        let mut rest = names;
        while let [first, others @ ..] = rest {
            bits |= 1 << (*first as u8);
            rest = others;
        }
        Self(bits)
    }

    /// Whether the name with this number is in it; numbers that no name has are not.
    pub(crate) const fn has_number(self, number: u8) -> bool {
        number < 128 && self.0 >> number & 1 == 1
    }

    /// The names of both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether the name is in it.
    #[must_use]
    pub const fn contains(self, known: Known) -> bool {
        self.has_number(known as u8)
    }
}

const _: () = assert!(Known::ALL.len() <= 128, "a set has a bit for each name");

impl FromIterator<Known> for KnownSet {
    fn from_iter<I: IntoIterator<Item = Known>>(names: I) -> Self {
        Self(names.into_iter().fold(0, |bits, known| bits | 1 << (known as u8)))
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

/// A field name of the configuration: looked up once, then as quick to use as a well-known one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FieldName {
    known: Option<Known>,
    text: Box<str>,
}

impl FieldName {
    /// A name. The caller has checked that it is a token.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self { known: Known::find(text.as_bytes()), text: text.into() }
    }

    /// The name as text, as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether this is the name, regardless of case.
    #[must_use]
    pub fn is(&self, name: Name<'_>) -> bool {
        match (self.known, name) {
            (Some(own), Name::Known(known)) => own == known,
            (None, Name::Other(text)) => self.text.eq_ignore_ascii_case(text),
            _ => false,
        }
    }
}

impl<'a> From<&'a FieldName> for Name<'a> {
    fn from(name: &'a FieldName) -> Self {
        name.known.map_or(Name::Other(&name.text), Name::Known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_other_byte_makes_another_name_unless_it_is_the_letter_in_the_other_case() {
        for known in Known::ALL {
            for place in 0..known.as_str().len() {
                for byte in 0..=u8::MAX {
                    let mut name = known.as_str().as_bytes().to_vec();
                    name[place] = byte;
                    let same = name.eq_ignore_ascii_case(known.as_str().as_bytes());
                    let found = Known::find(&name);
                    assert_eq!(found == Some(*known), same, "{known:?} with {byte} at {place}");
                    assert!(
                        same || found
                            .is_none_or(|other| name.eq_ignore_ascii_case(other.as_str().as_bytes()))
                    );
                }
            }
        }
    }

    #[test]
    fn sets_hold_what_they_were_made_of() {
        let set = KnownSet::of(&[Known::Host, Known::RatelimitReset]);
        for known in Known::ALL {
            assert_eq!(set.contains(*known), matches!(known, Known::Host | Known::RatelimitReset));
        }
        assert!(!set.has_number(u8::MAX));
    }

    #[test]
    fn a_name_of_the_configuration_is_the_same_name() {
        for text in ["x-request-id", "X-Own"] {
            let name = FieldName::new(text);
            assert!(name.is(Name::from(text)) && name.is(Name::from(text.to_uppercase().as_str())));
            assert!(!name.is(Name::from("Host")) && !name.is(Name::from("X-Other")));
        }
    }

    #[test]
    fn every_known_name_is_found_in_any_case() {
        for known in Known::ALL {
            assert_eq!(Known::find(known.as_str().as_bytes()), Some(*known));
            assert_eq!(Known::find(known.as_str().to_uppercase().as_bytes()), Some(*known));
        }
    }

    #[test]
    fn look_alikes_are_not_found() {
        for name in ["", "h", "hostt", "host\0", "h\u{f6}st", "content_length", "transfer-encodinG "] {
            assert_eq!(Known::find(name.as_bytes()), None, "{name}");
        }
    }
}
