//! Where a document is: `https://login.example.com/keys?version=2`.

use std::fmt;
use std::str::FromStr;

use crate::text_form::text_form;
use crate::{EndpointUrl, ParseError};

/// A URL of something that the gateway itself fetches: an origin ([`EndpointUrl`]), a path and perhaps a
/// query. Credentials and fragments are refused.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResourceUrl {
    text: Box<str>,
    origin: EndpointUrl,
    target: Box<str>,
}

impl ResourceUrl {
    pub(crate) const EXPECTED: &str = "a URL such as `https://login.example.com/keys`";

    /// Where to connect.
    #[must_use]
    pub const fn origin(&self) -> &EndpointUrl {
        &self.origin
    }

    /// The path with its leading slash, without the query.
    #[must_use]
    pub fn path(&self) -> &str {
        self.target.split_once('?').map_or(&*self.target, |(path, _)| path)
    }

    /// The query without its question mark.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.target.split_once('?').map(|(_, query)| query)
    }

    /// The URL as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for ResourceUrl {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let error = |problem| ParseError::new(Self::EXPECTED, problem);
        let after_scheme = text.find("://").map_or(0, |at| at.saturating_add(3));
        let rest = text.get(after_scheme..).unwrap_or_default();
        let split = rest.find(['/', '?', '#']).map_or(text.len(), |at| after_scheme.saturating_add(at));
        let (origin, target) = text.split_at_checked(split).unwrap_or((text, ""));
        let origin = origin.parse()?;
        if target.contains('#') {
            return Err(error("a fragment is never sent"));
        }
        if !target.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(error("a URL holds visible ASCII characters alone"));
        }
        let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
        Ok(Self { text: text.into(), origin, target: target.into() })
    }
}

impl fmt::Display for ResourceUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

text_form! {
    ResourceUrl, format: "torana-resource-url", pattern: "^https?://[^\\s#]+$",
    description: "A URL of something that the gateway fetches.",
    examples: ["https://login.example.com/keys", "http://127.0.0.1:9000/jwks.json"]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_origin_path_and_query() {
        let url: ResourceUrl = "http://keys.test:8080/a/b?c=d/e".parse().unwrap();
        assert_eq!((url.origin().port(), url.path(), url.query()), (8080, "/a/b", Some("c=d/e")));
        assert_eq!(url.to_string(), "http://keys.test:8080/a/b?c=d/e");
        let bare: ResourceUrl = "http://keys.test".parse().unwrap();
        assert_eq!((bare.path(), bare.query()), ("/", None));
        let query: ResourceUrl = "http://keys.test?x".parse().unwrap();
        assert_eq!((query.path(), query.query()), ("/", Some("x")));
        for bad in
            ["", "keys.test", "ftp://a/", "http://u:p@a/", "http://a/#x", "http://a/ b", "http:///x", "/x"]
        {
            assert!(bad.parse::<ResourceUrl>().is_err(), "{bad}");
        }
    }
}
