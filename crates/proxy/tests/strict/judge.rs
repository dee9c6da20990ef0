//! A gateway that adds nothing, in front of an origin that answers with the target it was asked for. It is asked by two
//! doors: one route streams what comes by it, and one has a policy that reads the body before it goes on.

use super::yaml::Running;
use std::time::Duration;
use torana_testkit::{Client, Origin, ReceivedRequest, Reply, eventually};

const PATIENCE: Duration = Duration::from_secs(30);
/// Longer inputs are not sent byte by byte.
const CUT_BELOW: usize = 400;

pub struct Judge {
    origin: Origin,
    /// Who is asked, with the whole body, whether a request may go on. It may.
    _asked: Origin,
    holding: Running,
    streaming: Running,
}

/// Which way a body takes through a gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Door {
    Holding,
    Streaming,
}

/// A request as the origin saw it: its head, line by line, and its body.
pub type Seen<'a> = (&'a str, &'a str);

impl Judge {
    pub fn new() -> Self {
        Self::with_limits("")
    }

    pub fn with_limits(limits: &str) -> Self {
        let origin = Origin::respond(|request| Reply::ok(request.target.clone()));
        let asked = Origin::always(Reply::ok(""));
        let gateway = |policies: &str| {
            Running::start(&format!(
                "access_log: off\nrequest_id: {{ header: off }}\nforwarded: {{ x_forwarded: false, via: off }}\n\
                 limits: {{ {limits} }}\nservices: {{ s: {{ endpoints: [\"{}\"] }} }}\n\
                 routes: [{{ path: /*, service: s, policies: {{ {policies} }} }}]\n",
                origin.url()
            ))
        };
        let holding = gateway(&format!("forward_auth: {{ url: \"{}\", body: 64KiB }}", asked.url()));
        let streaming = gateway("");
        Self { origin, _asked: asked, holding, streaming }
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
        for (door, mut client) in self.clients(input) {
            for (head, _) in seen {
                self.own_answer(&mut client, head, input);
            }
            let response = client.read_response();
            let shown = shown(input);
            assert_eq!(response.status, status, "{shown}: {}", response.text());
            assert_eq!(response.header("Connection"), Some("close"), "{shown}");
            client.expect_closed();
            self.saw(door, seen, input);
        }
    }

    /// The input is forwarded as exactly these requests, each answered in turn.
    #[track_caller]
    pub fn forwards(&self, input: impl AsRef<[u8]>, seen: &[Seen<'_>]) {
        let input = input.as_ref();
        for (door, mut client) in self.clients(input) {
            for (head, _) in seen {
                self.own_answer(&mut client, head, input);
            }
            self.saw(door, seen, input);
        }
    }

    /// The requests are forwarded and answered, and nothing of what comes behind them is.
    #[track_caller]
    pub fn ends_after(&self, input: impl AsRef<[u8]>, seen: &[Seen<'_>]) {
        let input = input.as_ref();
        for (door, mut client) in self.clients(input) {
            for (head, _) in seen {
                self.own_answer(&mut client, head, input);
            }
            client.expect_closed();
            self.saw(door, seen, input);
        }
    }

    /// A request that its client gives up half-way goes nowhere as a whole one.
    #[track_caller]
    pub fn abandons(&self, input: impl AsRef<[u8]>) {
        let input = input.as_ref();
        for (door, mut client) in self.clients(input) {
            client.finish_sending();
            if let Ok(response) = client.try_read_response() {
                assert!(response.status >= 400, "{}: {}", shown(input), response.status);
            }
            self.saw(door, &[], input);
        }
    }

    /// Clients that have sent the input, by each door and in different pieces.
    fn clients<'a>(&'a self, input: &'a [u8]) -> impl Iterator<Item = (Door, Client)> + 'a {
        let sizes = if input.len() < CUT_BELOW { vec![input.len(), 1] } else { vec![input.len()] };
        let ways = [Door::Holding, Door::Streaming].into_iter();
        ways.flat_map(move |door| sizes.clone().into_iter().map(move |size| (door, size))).map(
            |(door, size)| {
                self.origin.forget();
                let mut client = self.connect(door);
                for piece in input.chunks(size) {
                    // Who was refused already need not take the rest.
                    if client.try_send(piece).is_err() {
                        break;
                    }
                }
                (door, client)
            },
        )
    }

    fn connect(&self, door: Door) -> Client {
        Client::connect(match door {
            Door::Holding => self.holding.address,
            Door::Streaming => self.streaming.address,
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
    fn saw(&self, door: Door, seen: &[Seen<'_>], input: &[u8]) {
        for number in 0..2 {
            let target = format!("/canary/{number}");
            let request = format!("GET {target} HTTP/1.1\r\nHost: canary\r\nConnection: close\r\n\r\n");
            let response = self.connect(door).exchange(request);
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
        let expected: Vec<String> = seen.iter().map(|seen| sent(door, seen)).collect();
        assert_eq!(heads, expected, "{door:?} {}", shown(input));
        for (request, (_, body)) in whole.iter().zip(seen) {
            assert_eq!(String::from_utf8_lossy(&request.body), *body, "{}", shown(input));
        }
    }

    pub fn origin(&self) -> &Origin {
        &self.origin
    }
}

/// A head as it goes over the wire, in the way that the origin shows it. One whose body was held says its length.
fn sent(door: Door, (head, body): &Seen<'_>) -> String {
    let frames = |line: &&str| {
        let name = line.split(':').next().unwrap_or_default();
        ["Content-Length", "Transfer-Encoding"].iter().any(|framing| framing.eq_ignore_ascii_case(name))
    };
    let mut lines: Vec<&str> = head.split('\n').collect();
    let framed = lines.iter().any(frames);
    let length = format!("Content-Length: {}", body.len());
    if door == Door::Holding && framed {
        lines.retain(|line| !frames(line));
        lines.push(&length);
    }
    String::from_utf8_lossy(&bytes(&format!("{}\r\n\r\n", lines.join("\r\n")))).into_owned()
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
