//! What an expression can ask: the words, what each stands for, and who answers.

use crate::kind::Kind;
use crate::value::Value;
use std::borrow::Cow;

/// Something that is known of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fact {
    /// `request.method`
    Method,
    /// `request.path`: normalised, as it was routed.
    Path,
    /// `request.host`: in lower case, without port.
    Host,
    /// `request.scheme`: `http` or `https`.
    Scheme,
    /// `request.query`: as sent, without `?`; empty when there is none.
    Query,
    /// `request.size`: the declared length of the body; 0 when there is none, -1 when it is not declared.
    Size,
    /// `request.headers[…]`
    Headers,
    /// `request.parameters[…]`: the query's, decoded.
    Parameters,
    /// `client.address`
    ClientAddress,
    /// `authenticated`
    Authenticated,
    /// `consumer`: empty when nobody is known.
    Consumer,
    /// `roles`
    Roles,
    /// `groups`
    Groups,
    /// `claims`: empty when nobody is known.
    Claims,
    /// `consumer_metadata`: what is written of the consumer; empty when none is known.
    Metadata,
    /// `now`
    Now,
}

impl Fact {
    /// The word that stands for it.
    pub(crate) fn name(self) -> &'static str {
        VOCABULARY.iter().find(|word| word.fact == self).map_or("", |word| word.name)
    }

    /// Whether it is about who calls.
    #[must_use]
    pub const fn is_identity(self) -> bool {
        matches!(
            self,
            Self::Authenticated | Self::Consumer | Self::Roles | Self::Groups | Self::Claims | Self::Metadata
        )
    }
}

/// A word that stands for a fact.
#[derive(Clone, Copy, Debug)]
pub struct Word {
    /// As it is written: `request.path`.
    pub name: &'static str,
    /// What it stands for.
    pub fact: Fact,
}

const fn word(name: &'static str, fact: Fact) -> Word {
    Word { name, fact }
}

/// Every word. A name before a dot is only a family of words.
pub const VOCABULARY: &[Word] = &[
    word("request.method", Fact::Method),
    word("request.path", Fact::Path),
    word("request.host", Fact::Host),
    word("request.scheme", Fact::Scheme),
    word("request.query", Fact::Query),
    word("request.size", Fact::Size),
    word("request.headers", Fact::Headers),
    word("request.parameters", Fact::Parameters),
    word("request.time", Fact::Now),
    word("client.address", Fact::ClientAddress),
    word("authenticated", Fact::Authenticated),
    word("consumer", Fact::Consumer),
    word("roles", Fact::Roles),
    word("groups", Fact::Groups),
    word("claims", Fact::Claims),
    word("consumer_metadata", Fact::Metadata),
    word("now", Fact::Now),
];

impl Fact {
    pub(crate) fn kind(self) -> Kind {
        let text = || Box::new(Kind::Text);
        match self {
            Self::Method | Self::Path | Self::Host | Self::Scheme | Self::Query => Kind::Text,
            Self::ClientAddress | Self::Consumer => Kind::Text,
            Self::Size => Kind::Int,
            Self::Headers | Self::Parameters => Kind::Map(text()),
            Self::Authenticated => Kind::Bool,
            Self::Roles | Self::Groups => Kind::List(text()),
            Self::Claims | Self::Metadata => Kind::Map(Box::new(Kind::Dynamic)),
            Self::Now => Kind::Timestamp,
        }
    }
}

/// What is found under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found<'v> {
    /// Nothing.
    Nothing,
    /// The value.
    One(Cow<'v, str>),
    /// More than one, or one that only some readers find: services disagree which of them counts, so there is
    /// something and it has no value.
    Several,
}

impl Found<'_> {
    /// Whether there is something.
    #[must_use]
    pub const fn is_there(&self) -> bool {
        !matches!(self, Self::Nothing)
    }
}

/// Who answers an expression's questions about one request. Each is asked only when it matters.
pub trait Facts {
    /// The value of a fact, of the kind that its description says; null where it cannot be told, so that whatever asks for it
    /// fails. `Headers` and `Parameters` are never
    /// asked here.
    fn fact(&self, fact: Fact) -> Value<'_>;

    /// The value of a field, whose name is in lower case. The lines of one that is a list are joined with a comma and
    /// a space (RFC 9110 section 5.3).
    fn header(&self, name: &str) -> Found<'_>;

    /// The value of a query parameter, decoded.
    fn parameter(&self, name: &str) -> Found<'_>;

    /// Bytes that may be looked at to find a parameter, whether or not it is there: they are paid for each time.
    fn parameter_cost(&self) -> usize;
}
