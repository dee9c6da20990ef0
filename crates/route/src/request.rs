//! What the router asks of a request, and requests that were made up to show something.

use std::fmt;

/// A request as the router sees it.
pub trait RequestView {
    /// The host without its port, in any case; empty when unknown. IPv6 addresses stand in brackets.
    fn host(&self) -> &[u8];
    /// The port that was written with the host.
    fn port(&self) -> Option<u16>;
    /// The method.
    fn method(&self) -> &[u8];
    /// The normalised path.
    fn path(&self) -> &[u8];
    /// The query as it was sent, without `?`.
    fn query(&self) -> Option<&[u8]>;
    /// How many lines a field has, and the first. The name is in lower case.
    fn header(&self, name: &str) -> (usize, Option<&[u8]>);

    /// Whether a condition holds by one of several values too, and by what stands behind a `;`: as for a service that
    /// takes the first, or the last.
    fn is_loose(&self) -> bool {
        false
    }

    /// Whether one of the field's lines is so.
    fn any_header(&self, name: &str, is_so: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        self.header(name).1.is_some_and(is_so)
    }
}

/// A request that was made up to show a finding. Displays as `GET http://host/path?query`, followed by its
/// fields.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExampleRequest {
    /// The method.
    pub method: String,
    /// The host with its port if that matters.
    pub host: String,
    /// The path.
    pub path: String,
    /// Query parameters, not encoded.
    pub query: Vec<(String, String)>,
    /// Fields.
    pub headers: Vec<(String, String)>,
}

impl RequestView for ExampleRequest {
    fn host(&self) -> &[u8] {
        self.split_host().0.as_bytes()
    }

    fn port(&self) -> Option<u16> {
        self.split_host().1
    }

    fn method(&self) -> &[u8] {
        self.method.as_bytes()
    }

    fn path(&self) -> &[u8] {
        self.path.as_bytes()
    }

    /// Nothing: no route is found by a query that was not encoded.
    fn query(&self) -> Option<&[u8]> {
        None
    }

    fn header(&self, name: &str) -> (usize, Option<&[u8]>) {
        let mut values = self.headers.iter().filter(|(own, _)| own.eq_ignore_ascii_case(name));
        let first = values.next().map(|(_, value)| value.as_bytes());
        (usize::from(first.is_some()).saturating_add(values.count()), first)
    }
}

impl ExampleRequest {
    fn split_host(&self) -> (&str, Option<u16>) {
        let cut = self.host.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
        cut.map_or((&self.host, None), |(host, port)| (host, Some(port)))
    }
}

impl fmt::Display for ExampleRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = if self.host.is_empty() { "gateway" } else { &self.host };
        write!(formatter, "{} http://{host}{}", self.method, self.path)?;
        for (index, (name, value)) in self.query.iter().enumerate() {
            write!(formatter, "{}{name}={value}", if index == 0 { '?' } else { '&' })?;
        }
        for (name, value) in &self.headers {
            write!(formatter, " -H '{name}: {value}'")?;
        }
        Ok(())
    }
}
