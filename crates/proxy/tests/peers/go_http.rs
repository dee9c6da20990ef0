//! Go's `net/http` on both sides: bodies, trailers, interim answers, conversations.

use crate::program::{Server, go, succeeds};
use crate::site::{Door, Keys};

fn requests_go_through(keys: &Keys, service: &str) {
    let gateway = keys.gateway(service);
    for (version, door) in [("1", Door::Plain), ("1", Door::Tls), ("2", Door::Tls)] {
        let mut client = go(&["http", "call", version, &door.url(&gateway)]);
        client.args(door.trust(keys));
        succeeds(client);
    }
}

#[test]
fn requests_of_go_get_through() {
    let server = Server::start(go(&["http", "serve"]));
    requests_go_through(&Keys::default(), &format!("endpoints: [\"http://{}\"]", server.address));
}

fn to_a_service_behind_tls(protocol: &str) {
    let keys = Keys::default();
    let [shown, key] = keys.shown();
    let server = Server::start(go(&["http", "serve", &shown, &key]));
    let service =
        format!("endpoints: [\"https://{}\"], protocol: {protocol}, tls: {{ ca: ca.pem }}", server.address);
    requests_go_through(&keys, &service);
}

#[test]
fn requests_of_go_get_through_to_a_service_behind_tls() {
    to_a_service_behind_tls("http1");
}

#[test]
fn requests_of_go_get_through_to_a_service_of_http_2() {
    to_a_service_behind_tls("http2");
}
