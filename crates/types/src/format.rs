//! The names under which the schemas of this crate announce their textual forms, and their check.

use crate::{
    ByteSize, EndpointUrl, ListenAddr, Network, ParseError, Percent, Rate, ResourceUrl, StatusRange, TimeSpan,
};

/// Schema `format` of [`TimeSpan`].
pub const TIME_SPAN: &str = "torana-duration";
/// Schema `format` of [`ByteSize`].
pub const BYTE_SIZE: &str = "torana-byte-size";
/// Schema `format` of [`Rate`].
pub const RATE: &str = "torana-rate";
/// Schema `format` of [`ListenAddr`].
pub const LISTEN_ADDR: &str = "torana-listen";
/// Schema `format` of [`Network`].
pub const NETWORK: &str = "torana-network";
/// Schema `format` of [`EndpointUrl`].
pub const ENDPOINT_URL: &str = "torana-endpoint-url";
/// Schema `format` of [`Percent`].
pub const PERCENT: &str = "torana-percent";
/// Schema `format` of [`StatusRange`].
pub const STATUS: &str = "torana-status";
/// Schema `format` of [`ResourceUrl`].
pub const RESOURCE_URL: &str = "torana-resource-url";
/// Schema `format` of [`crate::Secret`]. Any text is one; what it marks must never be printed.
pub const SECRET: &str = "torana-secret";

/// Checks `text` against the form that a schema calls `format`.
///
/// Returns `None` when the name is not one of this crate's.
///
/// ```
/// assert!(torana_types::format::check("torana-duration", "5s").unwrap().is_ok());
/// assert!(torana_types::format::check("torana-duration", "5 parsecs").unwrap().is_err());
/// assert!(torana_types::format::check("date", "today").is_none());
/// ```
#[must_use]
pub fn check(format: &str, text: &str) -> Option<Result<(), ParseError>> {
    fn parses<T: std::str::FromStr<Err = ParseError>>(text: &str) -> Result<(), ParseError> {
        text.parse::<T>().map(|_| ())
    }
    Some(match format {
        TIME_SPAN => parses::<TimeSpan>(text),
        BYTE_SIZE => parses::<ByteSize>(text),
        RATE => parses::<Rate>(text),
        LISTEN_ADDR => parses::<ListenAddr>(text),
        NETWORK => parses::<Network>(text),
        ENDPOINT_URL => parses::<EndpointUrl>(text),
        PERCENT => parses::<Percent>(text),
        STATUS => parses::<StatusRange>(text),
        RESOURCE_URL => parses::<ResourceUrl>(text),
        SECRET => Ok(()),
        _ => return None,
    })
}
