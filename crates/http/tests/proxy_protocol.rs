//! PROXY headers: what is written is read, however it is cut; everything else is refused.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests fail by panicking"
)]

use proptest::prelude::*;
use std::net::{IpAddr, SocketAddr};
use torana_http::proxy_protocol::{
    Introduction, LONGEST, ProxyVersion, read_introduction, write_introduction,
};

fn address() -> impl Strategy<Value = SocketAddr> {
    let ip = prop_oneof![
        any::<[u8; 4]>().prop_map(IpAddr::from),
        any::<[u8; 16]>().prop_map(|octets| IpAddr::from(octets).to_canonical())
    ];
    (ip, any::<u16>()).prop_map(|(ip, port)| SocketAddr::new(ip, port))
}

fn introduction() -> impl Strategy<Value = Introduction> {
    prop_oneof![
        Just(Introduction::Itself),
        (address(), address()).prop_map(|(source, destination)| Introduction::of(source, destination))
    ]
}

fn version() -> impl Strategy<Value = ProxyVersion> {
    prop_oneof![Just(ProxyVersion::V1), Just(ProxyVersion::V2)]
}

fn written(introduction: &Introduction, version: ProxyVersion) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_introduction(introduction, version, &mut bytes);
    bytes
}

/// Without the scope and flow that a socket address of IPv6 may also have.
fn comparable(introduction: Introduction) -> Introduction {
    match introduction {
        Introduction::Itself => introduction,
        Introduction::For { source, destination } => Introduction::For {
            source: SocketAddr::new(source.ip(), source.port()),
            destination: SocketAddr::new(destination.ip(), destination.port()),
        },
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_and_nothing_after_it(
        introduction in introduction(), version in version(), after in any::<Vec<u8>>()
    ) {
        let header = written(&introduction, version);
        let (read, length) = read_introduction(&[&header[..], &after].concat()).unwrap().unwrap();
        prop_assert_eq!((comparable(read), length), (comparable(introduction), header.len()));
    }

    #[test]
    fn every_beginning_of_a_header_waits_for_more(introduction in introduction(), version in version()) {
        let header = written(&introduction, version);
        for cut in 0..header.len() {
            prop_assert_eq!(read_introduction(&header[..cut]), Ok(None));
        }
    }

    #[test]
    fn any_bytes_are_read_alike_however_they_are_cut(
        mut bytes in proptest::collection::vec(any::<u8>(), 0..200), kind in 0..3, flips in any::<Vec<(usize, u8)>>()
    ) {
        let version = if kind == 1 { ProxyVersion::V1 } else { ProxyVersion::V2 };
        if kind > 0 {
            let source = "192.0.2.1:5".parse().unwrap();
            let mut header = written(&Introduction::of(source, "192.0.2.2:443".parse().unwrap()), version);
            for (place, value) in flips.into_iter().take(3) {
                let place = place % header.len();
                header[place] = value;
            }
            bytes.splice(0..0, header);
        }
        let whole = read_introduction(&bytes);
        for cut in 0..=bytes.len() {
            match read_introduction(&bytes[..cut]) {
                Ok(None) => {}
                Ok(Some((_, length))) => {
                    prop_assert!(length <= cut && length <= LONGEST);
                    prop_assert_eq!(read_introduction(&bytes[..cut]), whole);
                }
                Err(_) => prop_assert!(whole.is_err()),
            }
        }
    }
}

#[test]
fn version_1_is_read_to_the_letter() {
    let read = |line: &str| read_introduction(line.as_bytes());
    let whole = |line: &str| read(line).unwrap().unwrap();
    let (introduction, length) = whole("PROXY TCP4 192.0.2.1 192.0.2.2 51000 443\r\nGET /");
    let expected = Introduction::of("192.0.2.1:51000".parse().unwrap(), "192.0.2.2:443".parse().unwrap());
    assert_eq!((introduction, length), (expected, 42));
    assert_eq!(whole("PROXY UNKNOWN\r\n"), (Introduction::Itself, 15));
    assert_eq!(whole("PROXY UNKNOWN ffff::1 x y z\r\n").0, Introduction::Itself);
    for wrong in [
        "GET / HTTP/1.1\r\n",
        "PROXX",
        "PROXY\tTCP4",
        "PROXY TCP4 192.0.2.1 192.0.2.2 51000 443\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 51000 443\r\r\n",
        "PROXY TCP4 192.0.2.1  192.0.2.2 51000 443\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 51000\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 51000 443 x\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 051 443\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 +51 443\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 51000 65536\r\n",
        "PROXY TCP4 192.0.2.01 192.0.2.2 51000 443\r\n",
        "PROXY TCP4 ::1 ::1 51000 443\r\n",
        "PROXY TCP6 192.0.2.1 192.0.2.2 51000 443\r\n",
        "PROXY UDP4 192.0.2.1 192.0.2.2 51000 443\r\n",
        "PROXY UNKNOWNX\r\n",
    ] {
        assert!(read(wrong).is_err(), "{wrong:?}");
    }
    assert_eq!(read(&format!("PROXY UNKNOWN {}", "x".repeat(92))), Ok(None));
    assert!(read(&format!("PROXY UNKNOWN {}", "x".repeat(93))).is_err(), "107 bytes without an end");
}

#[test]
fn version_2_passes_over_extensions_and_refuses_what_does_not_fit() {
    let header = |command: u8, family: u8, rest: &[u8]| {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [&b"\r\n\r\n\0\r\nQUIT\n"[..], &[command, family], &length, rest].concat()
    };
    let addresses = [192, 0, 2, 1, 192, 0, 2, 2, 0, 80, 1, 187];
    let read = |bytes: &[u8]| read_introduction(bytes);
    let expected = Introduction::of("192.0.2.1:80".parse().unwrap(), "192.0.2.2:443".parse().unwrap());
    let extended = [&addresses[..], &[4, 0, 2, 9, 9, 1, 0, 0]].concat();
    assert_eq!(read(&header(0x21, 0x11, &extended)), Ok(Some((expected, 36))));
    assert_eq!(read(&header(0x20, 0x11, &addresses)), Ok(Some((Introduction::Itself, 28))), "LOCAL");
    assert_eq!(read(&header(0x20, 0, b"anything")), Ok(Some((Introduction::Itself, 24))));
    assert_eq!(read(&header(0x21, 0, &[])), Ok(Some((Introduction::Itself, 16))));
    assert_eq!(read(&header(0x21, 0x31, &[0; 216])), Ok(Some((Introduction::Itself, 232))));
    for (wrong, why) in [
        (header(0x11, 0x11, &addresses), "version 1 in the binary form"),
        (header(0x22, 0x11, &addresses), "a command that there is not"),
        (header(0x21, 0x12, &addresses), "UDP"),
        (header(0x21, 0x21, &addresses), "too short for IPv6"),
        (header(0x21, 0x11, &addresses[..11]), "cut off"),
        (header(0x21, 0x11, &[&addresses[..], &[4, 0, 9]].concat()), "an extension that is cut off"),
        (header(0x21, 0x31, &[0; 215]), "too short for paths"),
        (header(0x20, 0, &[0; LONGEST]), "too long"),
    ] {
        assert!(read(&wrong).is_err(), "{why}");
    }
    assert!(read(b"\r\n\r\nGET / HTTP/1.1").is_err());
}
