use super::{Doors, Surroundings};

pub(in crate::bench) fn nginx(around: &Surroundings, doors: &Doors) -> String {
    let folder = around.folder.display();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|name| format!("  {name}_temp_path {folder}/{name};\n"))
        .collect();
    let server = |listen: String, more: String| {
        format!(
            "  server {{\n    listen {listen} backlog=4096;\n{more}    location / {{\n\
             \x20     proxy_pass http://origin;\n\
             \x20     proxy_http_version 1.1;\n      proxy_set_header Connection \"\";\n\
             \x20     proxy_set_header Host $http_host;\n\
             \x20     proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;\n\
             \x20     proxy_set_header X-Forwarded-Proto $scheme;\n\
             \x20     proxy_set_header X-Forwarded-Host $http_host;\n\
             \x20     proxy_set_header X-Forwarded-Port $server_port;\n\
             \x20     proxy_set_header X-Request-Id $request_id;\n\
             \x20   }}\n  }}\n"
        )
    };
    let plain = server(doors.plain.to_string(), String::new());
    // Buffered, as Torana's is.
    let log = format!("    access_log {folder}/nginx.log combined buffer=64k flush=1s;\n");
    let logged = server(doors.logged.to_string(), log);
    let (certificate, key) = (around.certificate.certificate.display(), around.certificate.key.display());
    let tls = server(
        format!("{} ssl http2", doors.tls),
        format!(
            "    ssl_certificate {certificate};\n    ssl_certificate_key {key};\n    ssl_protocols TLSv1.3;\n"
        ),
    );
    format!(
        "worker_processes 1;\ndaemon off;\npid {folder}/nginx.pid;\nerror_log {folder}/error.log;\n\
         events {{ worker_connections 16384; }}\n\
         http {{\n  access_log off;\n  keepalive_requests 1000000000;\n  http2_max_concurrent_streams 256;\n\
         {temporary}\
         \x20 upstream origin {{ server {}; keepalive 128; keepalive_requests 1000000000; }}\n{plain}{logged}{tls}}}\n",
        around.origin
    )
}
