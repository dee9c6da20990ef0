//! Node's HTTP: a service that sends whole answers in one piece and resets what it has not read, and one that closes idle
//! connections all the time.

use crate::program::{Server, go, node, succeeds};
use crate::site::{Door, Keys};

#[test]
fn answers_of_node_over_http_2_come_whole() {
    let keys = Keys::default();
    let server = Server::start(node("origin.mjs", &["2"]));
    let gateway = keys.gateway(&format!("endpoints: [\"h2://{}\"]", server.address));
    for door in [Door::Plain, Door::Tls] {
        let mut client = node("client.mjs", &[&door.url(&gateway)]);
        client.args(door.trust(&keys));
        succeeds(client);
    }
}

#[test]
fn answers_of_node_over_http_2_come_whole_to_clients_of_go() {
    let keys = Keys::default();
    let server = Server::start(node("origin.mjs", &["2"]));
    let gateway = keys.gateway(&format!("endpoints: [\"h2://{}\"]", server.address));
    for (version, door) in [("1", Door::Plain), ("2", Door::Tls)] {
        for (page, size) in [("read", "3000"), ("unread", "3000"), ("unread", "100000")] {
            let url = format!("{}/{page}", door.url(&gateway));
            let mut client = go(&["load", version, "POST,GET,PUT", "600", "50", size, "0s", &url]);
            client.args(door.trust(&keys));
            succeeds(client);
        }
    }
}

#[test]
fn connections_that_node_closes_for_being_idle_fail_no_request_that_may_be_sent_again() {
    let keys = Keys::default();
    for (methods, retries) in [("GET,DELETE", ""), ("GET,PUT", ", retries: { keep_body: 64KiB }")] {
        let server = Server::start(node("origin.mjs", &["1", "5"]));
        let gateway = keys.gateway(&format!("endpoints: [\"http://{}\"]{retries}", server.address));
        // Pauses from none to twice of what is allowed, so that many requests meet a connection as it is closed.
        let url = format!("{}/read", Door::Plain.url(&gateway));
        succeeds(go(&["load", "1", methods, "2000", "16", "200", "10ms", &url]));
        let counts: serde_json::Value = serde_json::from_str(&gateway.get("/counts").text()).unwrap();
        let [connections, requests] = ["connections", "requests"].map(|name| counts[name].as_u64().unwrap());
        let some = connections > 50 && requests > connections + 50;
        assert!(some, "some are kept and some are closed: {counts}");
    }
}
