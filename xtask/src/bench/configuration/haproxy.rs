use super::routes::{Pattern, routes};
use super::{Doors, SECRET, Surroundings};

/// It writes no file itself, so there is no door with a log.
pub(in crate::bench) fn haproxy(around: &Surroundings, doors: &Doors) -> anyhow::Result<String> {
    // It wants certificate and key in one file.
    let both =
        [std::fs::read(&around.certificate.certificate)?, std::fs::read(&around.certificate.key)?].concat();
    let file = around.folder.join("haproxy.pem");
    std::fs::write(&file, both)?;
    let fields = "  http-request set-header X-Forwarded-Proto %[ssl_fc,iif(https,http)]\n\
                  \x20 http-request set-header X-Forwarded-Host %[req.hdr(host)]\n\
                  \x20 http-request set-header X-Forwarded-Port %[dst_port]\n\
                  \x20 http-request set-header X-Request-Id %[uuid()]\n\
                  \x20 default_backend origin\n";
    let policies = policies(around)?;
    Ok(format!(
        "global\n  nbthread 1\n  maxconn 4096\n\
         defaults\n  mode http\n  option forwardfor\n  timeout connect 10s\n  timeout client 60s\n  timeout server 60s\n\
         frontend plain\n  bind {} backlog 4096\n{fields}\
         frontend policies\n  bind {} backlog 4096\n{policies}{fields}\
         frontend tls\n  bind {} ssl crt {} alpn h2,http/1.1 ssl-min-ver TLSv1.3\n{fields}\
         backend origin\n  http-reuse always\n  server origin {}\n",
        doors.plain,
        doors.policies,
        doors.tls,
        file.display(),
        around.origin
    ))
}

/// A verified token, which it verifies each time, a role, a limit, and a thousand routes in maps.
fn policies(around: &Surroundings) -> anyhow::Result<String> {
    let (mut exact, mut below, mut segment) = (String::new(), String::new(), String::new());
    for pattern in routes() {
        match &pattern {
            Pattern::Exact(path) => exact.push_str(&format!("{path} origin\n")),
            Pattern::Below(path) => below.push_str(&format!("{path} origin\n")),
            Pattern::Segment(..) => segment.push_str(&format!("{} origin\n", pattern.regex())),
        }
    }
    let (exact, below) = (around.write("exact.map", &exact)?, around.write("below.map", &below)?);
    let segment = around.write("segment.map", &segment)?;
    Ok(format!(
        "  stick-table type ip size 100k expire 10s store http_req_rate(1s)\n\
         \x20 http-request track-sc0 src\n\
         \x20 http-request deny deny_status 429 if {{ sc_http_req_rate(0) gt 100000000 }}\n\
         \x20 http-request set-var(txn.token) http_auth_bearer\n\
         \x20 http-request set-var(txn.exp) var(txn.token),jwt_payload_query('$.exp','int')\n\
         \x20 http-request set-var(txn.now) date()\n\
         \x20 http-request deny deny_status 401 unless {{ var(txn.token),jwt_header_query('$.alg') -m str HS256 }}\n\
         \x20 http-request deny deny_status 401 unless {{ \"var(txn.token),jwt_verify(HS256,'{SECRET}')\" -m int 1 }}\n\
         \x20 http-request deny deny_status 401 if {{ var(txn.exp),sub(txn.now) -m int lt 0 }}\n\
         \x20 http-request deny deny_status 403 unless {{ var(txn.token),jwt_payload_query('$.roles[0]') -m str user }}\n\
         \x20 http-request set-var(txn.route) path,map({exact})\n\
         \x20 http-request set-var(txn.route) path,map_beg({below}) unless {{ var(txn.route) -m found }}\n\
         \x20 http-request set-var(txn.route) path,map_reg({segment}) unless {{ var(txn.route) -m found }}\n\
         \x20 http-request deny deny_status 404 unless {{ var(txn.route) -m found }}\n"
    ))
}
