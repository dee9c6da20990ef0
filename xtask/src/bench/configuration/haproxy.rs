use super::{Doors, Surroundings};

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
    Ok(format!(
        "global\n  nbthread 1\n  maxconn 4096\n\
         defaults\n  mode http\n  option forwardfor\n  timeout connect 10s\n  timeout client 60s\n  timeout server 60s\n\
         frontend plain\n  bind {} backlog 4096\n{fields}\
         frontend tls\n  bind {} ssl crt {} alpn h2,http/1.1 ssl-min-ver TLSv1.3\n{fields}\
         backend origin\n  http-reuse always\n  server origin {}\n",
        doors.plain,
        doors.tls,
        file.display(),
        around.origin
    ))
}
