//! Which fields of a head are sent in HTTP/2.

use crate::fields::Fields;
use crate::name::{Known, Name};

/// The fields that may be sent: without those of an HTTP/1 connection (RFC 9113 section 8.2.2), and without
/// `Host`, which is `:authority` there. Names are as they were received; HTTP/2 sends them in lower case.
pub fn sent_fields(fields: &Fields) -> impl Iterator<Item = (Name<'_>, &[u8])> {
    fields.named().filter(|(name, _)| {
        !matches!(
            name,
            Name::Known(
                Known::Connection
                    | Known::KeepAlive
                    | Known::ProxyConnection
                    | Known::TransferEncoding
                    | Known::Upgrade
                    | Known::Te
                    | Known::Http2Settings
                    | Known::Host
            )
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_to_a_connection_stays() {
        let mut fields = Fields::default();
        for (name, value) in
            [("Host", "a"), ("Connection", "x"), ("X-A", "1"), ("TE", "trailers"), ("Content-Length", "2")]
        {
            fields.append(name, value.as_bytes()).unwrap();
        }
        let sent: Vec<_> = sent_fields(&fields).map(|(name, value)| (name.as_str(), value)).collect();
        assert_eq!(sent, [("X-A", &b"1"[..]), ("Content-Length", b"2")]);
    }
}
