//! The configurations of the proxies: what each would be given in earnest, with logging off.

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::Path;

pub(super) const SECRET: &str = "a secret for measurements, 32 bytes long at least";

pub(super) fn plain(origin: SocketAddr) -> String {
    format!(
        "access_log: off\nservices: {{ origin: {{ endpoints: [http://{origin}] }} }}\n\
         routes: [{{ path: /*, service: origin }}]\n"
    )
}

/// A verified token, a role, a limit, and a thousand routes.
pub(super) fn policies(origin: SocketAddr) -> String {
    let mut text = format!(
        "access_log: off\nservices: {{ origin: {{ endpoints: [http://{origin}] }} }}\n\
         policies:\n  jwt: {{ secret: \"{SECRET}\" }}\n  roles: [user]\n  rate_limit: 100000000/second\nroutes:\n"
    );
    for number in 0..1_000 {
        let path = match number % 3 {
            0 => format!("/api/v1/group{}/item{number}", number / 10),
            1 => format!("/api/v1/group{}/{{id}}/part{number}", number / 10),
            _ => format!("/static/group{}/set{number}/*", number / 10),
        };
        let _ = writeln!(text, "- {{ path: \"{path}\", service: origin }}");
    }
    text
}

pub(super) fn nginx(folder: &Path, address: SocketAddr, origin: SocketAddr) -> String {
    let folder = folder.display();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|name| format!("  {name}_temp_path {folder}/{name};\n"))
        .collect();
    format!(
        "worker_processes 1;\ndaemon off;\npid {folder}/nginx.pid;\nerror_log {folder}/error.log;\n\
         events {{ worker_connections 16384; }}\n\
         http {{\n  access_log off;\n  keepalive_requests 1000000000;\n{temporary}\
         \x20 upstream origin {{ server {origin}; keepalive 128; keepalive_requests 1000000000; }}\n\
         \x20 server {{\n    listen {address} backlog=4096;\n    location / {{\n      proxy_pass http://origin;\n\
         \x20     proxy_http_version 1.1;\n      proxy_set_header Connection \"\";\n\
         \x20     proxy_set_header Host $http_host;\n\
         \x20     proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;\n\
         \x20     proxy_set_header X-Forwarded-Proto $scheme;\n\
         \x20     proxy_set_header X-Forwarded-Host $http_host;\n\
         \x20     proxy_set_header X-Forwarded-Port $server_port;\n\
         \x20     proxy_set_header X-Request-Id $request_id;\n\
         \x20   }}\n  }}\n}}\n"
    )
}
