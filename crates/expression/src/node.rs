//! The compiled form: names resolved, kinds checked, expressions and networks ready to be used.

use crate::facts::Fact;
use crate::syntax::{Arithmetic, Comparison};
use regex::Regex;
use torana_types::Network;

/// What is done with a request's facts.
#[derive(Debug)]
pub(crate) enum Node {
    Null,
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(Box<str>),
    Timestamp(i64),
    Duration(i64),
    Fact(Fact),
    /// The value of a field or parameter.
    Lookup(Table, Key),
    /// Whether a field or parameter is there.
    Held(Table, Key),
    /// The element that a loop is at; 0 is the innermost loop's.
    Variable(usize),
    Select(Box<Node>, Box<str>),
    /// Whether a map has the key.
    Has(Box<Node>, Box<str>),
    Index(Box<Node>, Box<Node>),
    /// A map that stands in the expression, looked up in.
    Pick(Box<Node>, Vec<(Box<str>, Node)>),
    Every(Vec<Node>),
    Either(Vec<Node>),
    Not(Box<Node>),
    Negate(Box<Node>),
    Arithmetic(Arithmetic, Box<[Node; 2]>),
    Compare(Comparison, Box<[Node; 2]>),
    /// Whether the second, a list or a map, holds the first.
    Within(Box<[Node; 2]>),
    /// Whether one of a list that stands in the expression is the first.
    OneOf(Box<Node>, Vec<Node>),
    Conditional(Box<[Node; 3]>),
    List(Vec<Node>),
    Loop(Loop, Box<Node>, Box<Node>),
    Method(Method, Box<Node>),
    Text2(TextTest, Box<[Node; 2]>),
    Split(Box<[Node; 2]>),
    Matches(Box<Node>, Regex),
    /// Whether the network contains the address that is written in the text.
    Contains(Network, Box<Node>),
}

/// Something that is only looked up in by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Table {
    Headers,
    Parameters,
}

/// The name that is looked up.
#[derive(Debug)]
pub(crate) enum Key {
    /// As it is compared: of a field in lower case.
    Fixed(Box<str>),
    Computed(Box<Node>),
}

/// What is asked of the elements of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loop {
    All,
    Exists,
    ExistsOne,
    Filter,
    Map,
}

/// A function of one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Size,
    Lower,
    Upper,
    Trim,
    ToInt,
    ToDouble,
    ToText,
    ToTimestamp,
    FullYear,
    Month,
    DayOfMonth,
    DayOfMonthFromOne,
    DayOfWeek,
    DayOfYear,
    Hours,
    Minutes,
    Seconds,
    Milliseconds,
}

/// A test of one text with another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TextTest {
    Contains,
    StartsWith,
    EndsWith,
}
