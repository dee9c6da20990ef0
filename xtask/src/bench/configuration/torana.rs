use std::fmt::Write;
use std::net::SocketAddr;

use super::Surroundings;
use crate::bench::cases::{Extras, Protocol};

/// Beside the configuration.
pub(in crate::bench) const SECRET_FILE: &str = "jwt.secret";
pub(in crate::bench) const SECRET: &str = "a secret for measurements, 32 bytes long at least";

pub(in crate::bench) fn torana(
    around: &Surroundings,
    address: SocketAddr,
    protocol: Protocol,
    extras: Extras,
) -> String {
    let mut text = match extras {
        Extras::PoliciesAndLog => {
            format!("access_log: {{ to: {} }}\n", around.folder.join("torana.log").display())
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
    for number in 0..1_000 {
        let path = match number % 3 {
            0 => format!("/api/v1/group{}/item{number}", number / 10),
            1 => format!("/api/v1/group{}/{{id}}/part{number}", number / 10),
            _ => format!("/static/group{}/set{number}/*", number / 10),
        };
        let _ = writeln!(text, "- {{ path: \"{path}\", service: origin }}");
    }
}
