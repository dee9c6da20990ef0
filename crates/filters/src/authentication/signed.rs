//! A request as signatures see it: what the client sent, whatever the gateway has made of it since.

use torana_credential::signature::SignedRequest;
use torana_filter::Exchange;
use torana_http::Version;
use torana_http::h1::BodyFraming;

/// The request as it was received. Fields that the gateway has removed or set are missing or other than signed;
/// a signature over them is then not accepted.
pub(crate) fn signed_request(exchange: &Exchange) -> SignedRequest<'_> {
    let request = &exchange.request;
    SignedRequest {
        method: request.method_bytes(),
        secure: exchange.secure,
        host: request.host(),
        path: request.received_path(),
        query: request.received_query(),
        version: match request.version {
            Version::Http10 => "1.0",
            Version::Http11 | Version::Unsupported => "1.1",
            // As Kong writes it; the version has no minor number (RFC 9113 section 8.3.1).
            Version::Http2 => "2.0",
        },
        fields: request.fields.iter().collect(),
    }
}

/// Whether no byte of a body can come.
pub(crate) fn has_no_body(exchange: &Exchange) -> bool {
    matches!(exchange.request.framing, BodyFraming::None | BodyFraming::Length(0))
}
