use std::fmt::Write;
use std::net::SocketAddr;

use super::Surroundings;
use super::routes::{Pattern, routes};
use crate::bench::cases::{Extras, Protocol};

/// Beside the configuration.
pub(in crate::bench) const SECRET_FILE: &str = "jwt.secret";
/// Where the access log is written, beside the configuration.
pub(in crate::bench) const TORANA_LOG: &str = "torana.log";
pub(in crate::bench) const SECRET: &str = "a secret for measurements, 32 bytes long at least";

pub(in crate::bench) fn torana(
    around: &Surroundings,
    address: SocketAddr,
    protocol: Protocol,
    extras: Extras,
) -> String {
    let mut text = match extras {
        Extras::PoliciesAndLog => {
            format!("access_log: {{ to: {} }}\n", around.folder.join(TORANA_LOG).display())
        }
        Extras::None | Extras::Policies => "access_log: off\n".to_owned(),
    };
    let listen = match protocol {
        Protocol::Http1 => address.to_string(),
        Protocol::Https | Protocol::Http2 => around.certificate.listener(address),
    };
    let _ = writeln!(text, "listen: {listen}");
    let _ = writeln!(text, "services: {{ origin: {{ endpoints: [http://{}] }} }}", around.origin);
    if extras == Extras::None {
        text.push_str("routes: [{ path: /*, service: origin }]\n");
    } else {
        policies(&mut text);
    }
    text
}

/// A verified token, a role, a limit, and a thousand routes.
fn policies(text: &mut String) {
    let _ = writeln!(
        text,
        "policies:\n  jwt: {{ secret: \"${{file:{SECRET_FILE}}}\" }}\n  roles: [user]\n  rate_limit: 100000000/second\nroutes:"
    );
    for route in routes() {
        let path = match route {
            Pattern::Exact(path) => path,
            Pattern::Segment(before, after) => format!("{before}{{id}}{after}"),
            Pattern::Below(path) => format!("{path}*"),
        };
        let _ = writeln!(text, "- {{ path: \"{path}\", service: origin }}");
    }
}
