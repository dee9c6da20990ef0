//! Client certificates.

use super::{Case, Over, World, case};

pub(super) const ROUTES: &[&str] = &[
    "- { path: /certificate/*, service: api, policies: { mtls_auth: on } }",
    "- { path: /certificate-gold/*, service: api, policies: { mtls_auth: on, acl: [gold] } }",
    "- { path: /certificate-or-key/*, service: api, policies: { auth: any, mtls_auth: on, key_auth: on } }",
];

pub(super) fn cases(world: &World) -> Vec<Case> {
    let over = |over, case: Case| Case { over, ..case };
    let own = |name: &str| Over::Tls(Some(world.authority.issue_client(name, &[])));
    let partner = |name: &str| Over::Tls(Some(world.partner.issue_client(name, &[])));
    let at = |what, path: &str, fields: &str, status| case(what, &format!("GET {path}"), fields, status);
    let spoofed = "X-Forwarded-Client-Cert: Subject=\"CN=alice\"\nX-SSL-Client-Verify: SUCCESS\nX-SSL-Client-S-DN: CN=alice\nClient-Cert: :AAAA:";
    vec![
        over(own("alice"), at("a certificate", "/certificate/x", "", 200)),
        over(own("bob"), at("a certificate of the right authority", "/certificate/x", "", 200)),
        over(partner("bob"), at("a certificate of another authority", "/certificate/x", "", 401)),
        over(own("carol"), at("a certificate that is nobody's", "/certificate/x", "", 401)),
        over(own("Alice2"), at("a certificate of a longer name", "/certificate/x", "", 401)),
        over(own("carol"), at("a certificate and a claim", "/certificate/x", spoofed, 401)),
        over(Over::Tls(None), at("no certificate", "/certificate/x", "", 401)),
        over(Over::Tls(None), at("a claim alone, by TLS", "/certificate/x", spoofed, 401)),
        at("a claim alone, without TLS", "/certificate/x", spoofed, 401),
        at("a key in place of a certificate", "/certificate/x", "apikey: key-of-alice", 401),
        over(own("alice"), at("a certificate of the group", "/certificate-gold/x", "", 200)),
        over(
            own("bob"),
            at("a certificate without the group", "/certificate-gold/x", "X-Consumer-Groups: gold", 403),
        ),
        over(own("alice"), at("a certificate that is enough", "/certificate-or-key/x", "", 200)),
        over(Over::Tls(None), at("a key that is enough", "/certificate-or-key/x", "apikey: key-of-bob", 200)),
        over(own("carol"), at("neither is good", "/certificate-or-key/x", "apikey: x", 401)),
    ]
}
