//! A gateway that adds nothing, in front of an origin that answers with the target it was asked for.

use super::yaml::Running;
use std::time::Duration;
use torana_testkit::{Client, Origin, ReceivedRequest, Reply, eventually};

const PATIENCE: Duration = Duration::from_secs(30);
/// Longer inputs are not sent byte by byte.
const CUT_BELOW: usize = 400;

pub struct Judge {
    origin: Origin,
    gateway: Running,
}

/// A request as the origin saw it: its head, line by line, and its body.
pub type Seen<'a> = (&'a str, &'a str);

impl Judge {
    pub fn new() -> Self {
        Self::with_limits("")
    }

    pub fn with_limits(limits: &str) -> Self {
        let origin = Origin::respond(|request| Reply::ok(request.target.clone()));
        let gateway = Running::start(&format!(
            "access_log: off\nrequest_id: {{ header: off }}\nforwarded: {{ x_forwarded: false, via: off }}\n\
             limits: {{ {limits} }}\nservices: {{ s: {{ endpoints: [\"{}\"] }} }}\n\
             routes: [{{ path: /*, service: s }}]\n",
            origin.url()
        ));
        Self { origin, gateway }
    }

    /// The input is answered with `status` alone, the connection ends, and no whole request goes on.
    #[track_caller]
    pub fn refuses(&self, status: u16, input: impl AsRef<[u8]>) {
        self.answers(&[], status, input);
    }

    /// First come requests that are forwarded, then something that is refused.
    #[track_caller]
    pub fn answers(&self, seen: &[Seen<'_>], status: u16, input: impl AsRef<[u8]>) {
        let input = input.as_ref();
        for client in self.clients(input) {
            let mut client = client;
            for (head, _) in seen {
                self.own_answer(&mut client, head, input);
            }
            let response = client.read_response();
            let shown = shown(input);
            assert_eq!(response.status, status, "{shown}: {}", response.text());
            assert_eq!(response.header("Connection"), Some("close"), "{shown}");
            client.expect_closed();
            self.saw(seen, input);
        }
    }

    /// The input is forwarded as exactly these requests, each answered in turn.
    #[track_caller]
    pub fn forwards(&self, input: impl AsRef<[u8]>, seen: &[Seen<'_>]) {
        let input = input.as_ref();
        for client in self.clients(input) {
            let mut client = client;
            for (head, _) in seen {
                self.own_answer(&mut client, head, input);
            }
            self.saw(seen, input);
        }
    }

    /// The requests are forwarded and answered, and nothing of what comes behind them is.
    #[track_caller]
    pub fn ends_after(&self, input: impl AsRef<[u8]>, seen: &[Seen<'_>]) {
        let input = input.as_ref();
        for client in self.clients(input) {
            let mut client = client;
            for (head, _) in seen {
                self.own_answer(&mut client, head, input);
            }
            client.expect_closed();
            self.saw(seen, input);
        }
    }

    /// A request that its client gives up half-way goes nowhere as a whole one.
    #[track_caller]
    pub fn abandons(&self, input: impl AsRef<[u8]>) {
        let input = input.as_ref();
        for client in self.clients(input) {
            let mut client = client;
            client.finish_sending();
            if let Ok(response) = client.try_read_response() {
                assert!(response.status >= 400, "{}: {}", shown(input), response.status);
            }
            self.saw(&[], input);
        }
    }

    /// Clients that have sent the input, in different pieces.
    fn clients<'a>(&'a self, input: &'a [u8]) -> impl Iterator<Item = Client> + 'a {
        let ways = if input.len() < CUT_BELOW { 2 } else { 1 };
        (0..ways).map(move |way| {
            self.origin.forget();
            let mut client = Client::connect(self.gateway.address);
            let size = if way == 0 { input.len() } else { 1 };
            for piece in input.chunks(size) {
                // Who was refused already need not take the rest.
                if client.try_send(piece).is_err() {
                    break;
                }
            }
            client
        })
    }

    #[track_caller]
    fn own_answer(&self, client: &mut Client, head: &str, input: &[u8]) {
        let target = head.split(' ').nth(1).unwrap();
        let response =
            if head.starts_with("HEAD") { client.read_response_to_head() } else { client.read_response() };
        assert_eq!(response.status, 200, "{}: {}", shown(input), response.text());
        if !head.starts_with("HEAD") {
            assert_eq!(response.text(), target, "{}", shown(input));
        }
    }

    /// What arrived are these requests and no other whole one, also after further clients came.
    #[track_caller]
    fn saw(&self, seen: &[Seen<'_>], input: &[u8]) {
        for number in 0..2 {
            let target = format!("/canary/{number}");
            let request = format!("GET {target} HTTP/1.1\r\nHost: canary\r\nConnection: close\r\n\r\n");
            let response = Client::connect(self.gateway.address).exchange(request);
            assert_eq!(response.text(), target, "after {}", shown(input));
        }
        let settled = |request: &ReceivedRequest| request.complete || request.abandoned;
        eventually(PATIENCE, || self.origin.requests().iter().all(settled));
        let received = self.origin.requests();
        let whole: Vec<&ReceivedRequest> = received
            .iter()
            .filter(|request| request.complete && request.header("Host") != Some("canary"))
            .collect();
        let heads: Vec<String> = whole.iter().map(|request| request.head_text()).collect();
        let expected: Vec<String> = seen.iter().map(|(head, _)| sent(head)).collect();
        assert_eq!(heads, expected, "{}", shown(input));
        for (request, (_, body)) in whole.iter().zip(seen) {
            assert_eq!(String::from_utf8_lossy(&request.body), *body, "{}", shown(input));
        }
    }

    pub fn origin(&self) -> &Origin {
        &self.origin
    }
}

/// A head as it goes over the wire, in the way that the origin shows it.
fn sent(head: &str) -> String {
    String::from_utf8_lossy(&bytes(&format!("{}\r\n\r\n", head.replace('\n', "\r\n")))).into_owned()
}

fn shown(input: &[u8]) -> String {
    format!("{:?}", String::from_utf8_lossy(&input[..input.len().min(300)]))
}

/// A POST with these fields beside Host, each on a line of its own, then this body.
pub fn post(fields: &str, body: &str) -> Vec<u8> {
    let lines = fields.replace('\n', "\r\n");
    bytes(&format!("POST /post HTTP/1.1\r\nHost: a\r\n{lines}\r\n\r\n{body}"))
}

/// Each character one byte, up to U+00FF.
pub fn bytes(text: &str) -> Vec<u8> {
    text.chars().map(|character| u8::try_from(u32::from(character)).unwrap()).collect()
}
