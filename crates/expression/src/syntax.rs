//! What was written, before names and kinds are known.

use std::ops::Range;

/// A part of an expression and where it stands.
#[derive(Debug)]
pub(crate) struct Syntax {
    pub(crate) place: Range<usize>,
    /// How many parts lie within each other, itself included.
    pub(crate) depth: usize,
    pub(crate) form: Form,
}

#[derive(Debug)]
pub(crate) enum Form {
    Null,
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(String),
    Name(String),
    Select {
        of: Box<Syntax>,
        name: String,
    },
    Index {
        of: Box<Syntax>,
        key: Box<Syntax>,
    },
    /// `function(…)`, or `on.function(…)`.
    Call {
        function: String,
        place: Range<usize>,
        on: Option<Box<Syntax>>,
        arguments: Vec<Syntax>,
    },
    List(Vec<Syntax>),
    Map(Vec<(Syntax, Syntax)>),
    Not(Box<Syntax>),
    Negate(Box<Syntax>),
    /// `&&`: flat, because people write long ones.
    Every(Vec<Syntax>),
    /// `||`
    Either(Vec<Syntax>),
    Arithmetic(Arithmetic, Box<Syntax>, Box<Syntax>),
    Compare(Comparison, Box<Syntax>, Box<Syntax>),
    /// `in`
    Within(Box<Syntax>, Box<Syntax>),
    Conditional(Box<[Syntax; 3]>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    Unequal,
    Less,
    AtMost,
    Greater,
    AtLeast,
}

impl Arithmetic {
    pub(crate) const fn sign(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
        }
    }
}

impl Comparison {
    pub(crate) const fn sign(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::Unequal => "!=",
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::Greater => ">",
            Self::AtLeast => ">=",
        }
    }
}
