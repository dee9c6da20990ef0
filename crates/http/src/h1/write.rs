//! Writing heads, and leaving out what belongs to one connection only.

use super::BodyFraming;
use super::scan::list;
use crate::fields::Fields;
use crate::head::{RequestHead, ResponseHead, TargetForm};
use crate::name::{Known, KnownSet, Name};

/// Removes the fields that describe this connection and not the message (RFC 9110 section 7.6.1), and
/// those that `Connection` names. `Content-Length` stays; `Transfer-Encoding` goes, the writer sets it.
///
/// A field that others rely on end to end cannot be removed by naming it in `Connection`: otherwise a
/// client could make the gateway drop the very fields by which it tells the upstream who is calling.
pub fn remove_hop_by_hop(fields: &mut Fields, names_fields: bool) {
    if names_fields {
        remove_named(fields);
    }
    fields.remove_known(HOP_BY_HOP);
}

/// The well-known fields that [`remove_hop_by_hop`] removes besides those that `Connection` names.
pub const HOP_BY_HOP: KnownSet = KnownSet::of(&[
    Known::Connection,
    Known::KeepAlive,
    Known::ProxyConnection,
    Known::Te,
    Known::TransferEncoding,
    Known::Upgrade,
    Known::Http2Settings,
    Known::ProxyAuthorization,
    Known::Expect,
]);

/// Removes the fields that `Connection` names, as far as it may; see [`remove_hop_by_hop`].
pub fn remove_named(fields: &mut Fields) {
    let named: Vec<u8> =
        fields.get_all(Known::Connection).flat_map(|value| value.iter().copied().chain([b','])).collect();
    fields.retain(|name, _| match name {
        Name::Known(known) if !may_be_named(known) => true,
        name => !list(&named).any(|option| option.eq_ignore_ascii_case(name.as_str().as_bytes())),
    });
}

/// Well-known fields that `Connection` may not remove.
const fn may_be_named(known: Known) -> bool {
    !matches!(
        known,
        Known::Host
            | Known::ContentLength
            | Known::ContentType
            | Known::ContentEncoding
            | Known::Authorization
            | Known::Cookie
            | Known::SetCookie
            | Known::CacheControl
            | Known::Origin
            | Known::Forwarded
            | Known::XForwardedFor
            | Known::XForwardedProto
            | Known::XForwardedHost
            | Known::XForwardedPort
            | Known::XForwardedPrefix
            | Known::XRealIp
            | Known::XRequestId
            | Known::XConsumerId
            | Known::Via
    )
}

/// Writes the request line and fields, the framing field that `framing` asks for, and the protocol that the
/// upstream may switch to, if one is to be asked for. The caller has checked that it is a token.
pub fn write_request_head(
    head: &RequestHead,
    framing: BodyFraming,
    upgrade: Option<&str>,
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(head.method_bytes());
    out.push(b' ');
    match head.target_form() {
        TargetForm::Asterisk => out.push(b'*'),
        TargetForm::Origin => {
            out.extend_from_slice(head.path());
            if let Some(query) = head.query() {
                out.push(b'?');
                out.extend_from_slice(query);
            }
        }
    }
    out.extend_from_slice(b" HTTP/1.1\r\n");
    head.fields.write(out);
    write_framing(&head.fields, framing, out);
    if let Some(protocol) = upgrade {
        out.extend_from_slice(b"Connection: Upgrade\r\nUpgrade: ");
        out.extend_from_slice(protocol.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
}

/// Writes the status line and fields, the framing field that `framing` asks for, and `Connection`.
///
/// A `Content-Length` that the fields hold is kept, also where no body follows (HEAD, 304).
/// `connection` is the value of the `Connection` field, if one is to be sent.
pub fn write_response_head(
    head: &ResponseHead,
    framing: BodyFraming,
    connection: Option<&'static str>,
    out: &mut Vec<u8>,
) {
    if head.status == 200 {
        out.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
    } else {
        write_status_line(head.status, out);
    }
    head.fields.write(out);
    write_framing(&head.fields, framing, out);
    if let Some(connection) = connection {
        out.extend_from_slice(b"Connection: ");
        out.extend_from_slice(connection.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
}

fn write_status_line(status: u16, out: &mut Vec<u8>) {
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(itoa::Buffer::new().format(status).as_bytes());
    out.push(b' ');
    out.extend_from_slice(reason_phrase(status).as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn write_framing(fields: &Fields, framing: BodyFraming, out: &mut Vec<u8>) {
    match framing {
        BodyFraming::Chunked => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
        BodyFraming::Length(length) if !fields.contains(Known::ContentLength) => {
            out.extend_from_slice(b"Content-Length: ");
            out.extend_from_slice(itoa::Buffer::new().format(length).as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        BodyFraming::Length(_) | BodyFraming::None | BodyFraming::UntilClose => {}
    }
}

/// The registered phrase (RFC 9110 section 16.2 and IANA's registry); recipients ignore it, people read it.
#[expect(clippy::too_many_lines, reason = "a table: a status a line")]
const fn reason_phrase(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        101 => "Switching Protocols",
        102 => "Processing",
        103 => "Early Hints",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        203 => "Non-Authoritative Information",
        204 => "No Content",
        205 => "Reset Content",
        206 => "Partial Content",
        207 => "Multi-Status",
        208 => "Already Reported",
        226 => "IM Used",
        300 => "Multiple Choices",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        305 => "Use Proxy",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Range Not Satisfiable",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        422 => "Unprocessable Content",
        423 => "Locked",
        424 => "Failed Dependency",
        425 => "Too Early",
        426 => "Upgrade Required",
        428 => "Precondition Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        451 => "Unavailable For Legal Reasons",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        506 => "Variant Also Negotiates",
        507 => "Insufficient Storage",
        508 => "Loop Detected",
        510 => "Not Extended",
        511 => "Network Authentication Required",
        _ => "",
    }
}
