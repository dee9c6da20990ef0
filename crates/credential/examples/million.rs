//! What a million consumers with a key each cost: `cargo run --release -p torana-credential --example million`.
#![allow(
    clippy::print_stdout,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    reason = "a measurement"
)]

use std::time::Instant;
use torana_credential::directory::Builder;
use torana_identity::Consumer;

const CONSUMERS: u32 = 1_000_000;

/// Kilobytes of memory that the process holds.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

fn main() {
    let key = |number: u32| format!("key-{number:08x}-{:08x}", number.wrapping_mul(2_654_435_761));
    let (before, start) = (resident(), Instant::now());
    let mut builder = Builder::default();
    let group = builder.shared("gold");
    for number in 0..CONSUMERS {
        let consumer = Consumer {
            id: format!("00000000-0000-4000-8000-{number:012x}").into(),
            username: Some(format!("user-{number}").into()),
            groups: [std::sync::Arc::clone(&group)].into(),
            ..Consumer::default()
        };
        builder.consumer(consumer, &number).unwrap();
        builder.key(key(number).as_bytes(), u64::MAX, None).unwrap();
    }
    let directory = builder.build();
    let built = start.elapsed();
    let bytes = (resident() - before) * 1024 / u64::from(CONSUMERS);
    println!("{directory:?}: {bytes} bytes a consumer, built in {} ms", built.as_millis());
    let keys: Vec<String> =
        (0..CONSUMERS / 4).map(|number| key(number.wrapping_mul(7_919) % CONSUMERS)).collect();
    for round in ["first use of a key", "repeated"] {
        let start = Instant::now();
        let found = keys.iter().filter(|key| directory.by_key(key.as_bytes(), 0).is_some()).count();
        println!("{round}: {} ns, {found} found", start.elapsed().as_nanos() / keys.len() as u128);
    }
    let grown = (resident() - before) * 1024 / u64::from(CONSUMERS);
    println!("with a quarter of the keys used: {grown} bytes a consumer");
}
