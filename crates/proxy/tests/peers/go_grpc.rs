//! grpc-go on both sides: its own suite of interoperation, and what that leaves out.

use crate::program::{Server, go, succeeds};
use crate::site::{Door, Keys};

fn calls_go_through(keys: &Keys, service: &str) {
    let gateway = keys.gateway(service);
    for door in [Door::Plain, Door::Tls] {
        let mut client = go(&["grpc", "call", &door.address(&gateway)]);
        client.args(door.trust(keys));
        succeeds(client);
    }
}

#[test]
fn calls_of_grpc_go_get_through() {
    let server = Server::start(go(&["grpc", "serve"]));
    calls_go_through(&Keys::default(), &format!("endpoints: [\"h2://{}\"]", server.address));
}

#[test]
fn calls_of_grpc_go_get_through_to_a_service_behind_tls() {
    let keys = Keys::default();
    let [shown, key] = keys.shown();
    let server = Server::start(go(&["grpc", "serve", &shown, &key]));
    let service =
        format!("endpoints: [\"https://{}\"], protocol: auto, tls: {{ ca: ca.pem }}", server.address);
    calls_go_through(&keys, &service);
}
