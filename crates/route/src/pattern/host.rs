//! Host patterns: a name, `*.suffix` or `prefix.*`, each with a port if need be.

use super::{PatternError, PatternProblem};
use std::fmt;

/// Longest host name (RFC 1035 section 2.3.4).
const LONGEST_NAME: usize = 253;
/// Longest label (the same).
const LONGEST_LABEL: usize = 63;

/// What a host pattern compares. Texts are in lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HostKind {
    /// Exactly this name or address; IPv6 in brackets.
    Exact(Box<str>),
    /// One or more labels before this, which begins with a dot.
    Suffix(Box<str>),
    /// One or more labels after this, which ends with a dot.
    Prefix(Box<str>),
}

/// A host pattern. Displays what was written, in lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostPattern {
    kind: HostKind,
    port: Option<u16>,
}

impl HostPattern {
    /// Reads `name`, `*.suffix` or `prefix.*`, with `:port` behind it if the port matters.
    ///
    /// # Errors
    /// [`PatternError`] says what is wrong, where, and what to write.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        if text.is_empty() {
            return Err(PatternError::new(0, PatternProblem::Empty));
        }
        if let Some(offset) = text.find(['/', '@']) {
            return Err(PatternError::new(offset, PatternProblem::NotAHost));
        }
        let lower = text.to_ascii_lowercase();
        let (name, port) = split_port(&lower)?;
        let name = name.strip_suffix('.').unwrap_or(name);
        let kind = if let Some(suffix) = name.strip_prefix('*') {
            let labels = suffix
                .strip_prefix('.')
                .ok_or_else(|| PatternError::new(0, PatternProblem::MisplacedHostWildcard))?;
            check_name(labels, 2)?;
            HostKind::Suffix(suffix.into())
        } else if let Some(prefix) = name.strip_suffix('*') {
            let labels = prefix
                .strip_suffix('.')
                .ok_or_else(|| PatternError::new(prefix.len(), PatternProblem::MisplacedHostWildcard))?;
            check_name(labels, 0)?;
            HostKind::Prefix(prefix.into())
        } else if is_bracketed(name) {
            HostKind::Exact(name.into())
        } else {
            check_name(name, 0)?;
            HostKind::Exact(name.into())
        };
        Ok(Self { kind, port })
    }

    /// What is compared.
    #[must_use]
    pub const fn kind(&self) -> &HostKind {
        &self.kind
    }

    /// The port that the request must name, if any.
    #[must_use]
    pub const fn port(&self) -> Option<u16> {
        self.port
    }

    /// Whether a host (in lower case, without a last dot) and the port that was written with it match.
    pub(crate) fn matches(&self, host: &str, port: Option<u16>) -> bool {
        let name = match &self.kind {
            HostKind::Exact(name) => **name == *host,
            HostKind::Suffix(suffix) => host.strip_suffix(&**suffix).is_some_and(|rest| !rest.is_empty()),
            HostKind::Prefix(prefix) => host.strip_prefix(&**prefix).is_some_and(|rest| !rest.is_empty()),
        };
        name && (self.port.is_none() || self.port == port)
    }

    /// A host that matches, with its port.
    pub(crate) fn example(&self) -> String {
        let name = match &self.kind {
            HostKind::Exact(name) => name.to_string(),
            HostKind::Suffix(suffix) => format!("x{suffix}"),
            HostKind::Prefix(prefix) => format!("{prefix}x"),
        };
        self.port.map_or_else(|| name.clone(), |port| format!("{name}:{port}"))
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            HostKind::Exact(name) => formatter.write_str(name)?,
            HostKind::Suffix(suffix) => write!(formatter, "*{suffix}")?,
            HostKind::Prefix(prefix) => write!(formatter, "{prefix}*")?,
        }
        self.port.map_or(Ok(()), |port| write!(formatter, ":{port}"))
    }
}

fn split_port(text: &str) -> Result<(&str, Option<u16>), PatternError> {
    let Some((name, port)) = text.rsplit_once(':') else { return Ok((text, None)) };
    if name.starts_with('[') && !name.ends_with(']') {
        return Ok((text, None));
    }
    match port.parse::<u16>() {
        Ok(port) if port > 0 => Ok((name, Some(port))),
        _ => Err(PatternError::new(name.len(), PatternProblem::InvalidPort)),
    }
}

fn is_bracketed(name: &str) -> bool {
    let inner = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    inner.is_some_and(|inner| inner.parse::<std::net::Ipv6Addr>().is_ok())
}

/// Checks labels; `start` is where the name begins within the pattern.
fn check_name(name: &str, start: usize) -> Result<(), PatternError> {
    let mut offset = start;
    for label in name.split('.') {
        if let Some((at, character)) = label
            .char_indices()
            .find(|(_, character)| !matches!(character, 'a'..='z' | '0'..='9' | '-' | '_'))
        {
            let problem = match character {
                '*' => PatternProblem::MisplacedHostWildcard,
                other => PatternProblem::InvalidHostCharacter(other),
            };
            return Err(PatternError::new(offset.saturating_add(at), problem));
        }
        if label.is_empty() || label.len() > LONGEST_LABEL {
            return Err(PatternError::new(offset, PatternProblem::InvalidLabel));
        }
        offset = offset.saturating_add(label.len()).saturating_add(1);
    }
    if name.len() > LONGEST_NAME {
        return Err(PatternError::new(start, PatternProblem::InvalidLabel));
    }
    Ok(())
}

/// A request's host in lower case without a last dot, on the stack.
pub(crate) struct LowerHost {
    bytes: [u8; LONGEST_NAME + 3],
    length: usize,
}

impl LowerHost {
    /// A host that is too long or not ASCII equals no pattern and becomes the empty one.
    pub(crate) fn new(host: &[u8]) -> Self {
        let host = host.strip_suffix(b".").unwrap_or(host);
        let mut lower = Self { bytes: [0; LONGEST_NAME + 3], length: 0 };
        if let Some(room) = lower.bytes.get_mut(..host.len())
            && host.is_ascii()
        {
            room.copy_from_slice(host);
            room.make_ascii_lowercase();
            lower.length = host.len();
        }
        lower
    }

    pub(crate) fn as_str(&self) -> &str {
        self.bytes.get(..self.length).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> PatternProblem {
        HostPattern::parse(text).unwrap_err().problem
    }

    #[test]
    fn patterns_match_what_they_say() {
        let matches = |pattern: &str, host: &str, port| {
            HostPattern::parse(pattern).unwrap().matches(LowerHost::new(host.as_bytes()).as_str(), port)
        };
        assert!(matches("API.example.com", "api.Example.com.", None));
        assert!(!matches("api.example.com", "example.com", None));
        assert!(matches("*.example.com", "a.b.example.com", Some(80)));
        assert!(!matches("*.example.com", "example.com", None));
        assert!(!matches("*.example.com", ".example.com.evil", None));
        assert!(matches("api.*", "api.example.com", None));
        assert!(!matches("api.*", "api.", None));
        assert!(matches("api.example.com:81", "api.example.com", Some(81)));
        assert!(!matches("api.example.com:81", "api.example.com", None));
        assert!(matches("[::1]:80", "[::1]", Some(80)));
    }

    #[test]
    fn what_is_no_host_is_refused() {
        assert_eq!(problem(""), PatternProblem::Empty);
        assert_eq!(problem("http://a"), PatternProblem::NotAHost);
        assert_eq!(problem("a.*.b"), PatternProblem::MisplacedHostWildcard);
        assert_eq!(problem("*a.b"), PatternProblem::MisplacedHostWildcard);
        assert_eq!(problem("*"), PatternProblem::MisplacedHostWildcard);
        assert_eq!(problem("a..b"), PatternProblem::InvalidLabel);
        assert_eq!(problem("a:0"), PatternProblem::InvalidPort);
        assert_eq!(problem("ü.de"), PatternProblem::InvalidHostCharacter('ü'));
    }
}
