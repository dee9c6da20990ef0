//! What is known of a value before there is a request.

use std::fmt;

/// The kind of a value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Known only when it is there, as everything in a claim.
    Dynamic,
    /// `null`
    Null,
    /// `true` or `false`
    Bool,
    /// A whole number of 64 bits.
    Int,
    /// A floating-point number of 64 bits.
    Double,
    /// Text.
    Text,
    /// A moment, in UTC.
    Timestamp,
    /// A span of time.
    Duration,
    /// A list of values of that kind.
    List(Box<Kind>),
    /// Values of that kind by name.
    Map(Box<Kind>),
    /// A range of addresses.
    Network,
}

impl Kind {
    /// Whether a value of this kind may turn out to be one of the other.
    pub(crate) fn may_be(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Dynamic, _) | (_, Self::Dynamic) => true,
            (Self::List(own), Self::List(others)) | (Self::Map(own), Self::Map(others)) => own.may_be(others),
            (own, others) => own == others,
        }
    }

    /// Whether it may turn out to be a number.
    pub(crate) const fn may_be_number(&self) -> bool {
        matches!(self, Self::Dynamic | Self::Int | Self::Double)
    }

    /// Whether the two can be compared for equality at all.
    pub(crate) fn comparable(&self, other: &Self) -> bool {
        self.may_be(other)
            || (self.may_be_number() && other.may_be_number())
            || matches!(self, Self::Null)
            || matches!(other, Self::Null)
    }

    /// The kind that values of both share.
    pub(crate) fn join(self, other: &Self) -> Self {
        if self == *other { self } else { Self::Dynamic }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dynamic => formatter.write_str("a value"),
            Self::Null => formatter.write_str("null"),
            Self::Bool => formatter.write_str("a bool"),
            Self::Int => formatter.write_str("an int"),
            Self::Double => formatter.write_str("a double"),
            Self::Text => formatter.write_str("a string"),
            Self::Timestamp => formatter.write_str("a timestamp"),
            Self::Duration => formatter.write_str("a duration"),
            Self::List(_) => formatter.write_str("a list"),
            Self::Map(_) => formatter.write_str("a map"),
            Self::Network => formatter.write_str("a network"),
        }
    }
}
