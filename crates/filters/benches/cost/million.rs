//! A million consumers with a key each, from a file as people write it. A thousand of them are busy, as callers are; or
//! they come in no order, which leaves none of them in any cache of the processor. Then a key waits for memory twice, for
//! its place in the table and for its caller, which on many machines alone is longer than the bar: what one such wait
//! takes here is told beside, and the bar is for the first.

use crate::case::{Case, head};
use std::time::Instant;
use torana_config::{ResolveError, Resolver, parse};

pub const NAME: &str = "key_auth, 1,000,000 consumers";

/// Callers that are busy.
const BUSY: u32 = 1_000;

/// A file of consumers, and nothing else.
struct File(String);

impl Resolver for File {
    fn environment(&self, _: &str) -> Result<String, ResolveError> {
        Err(ResolveError::Missing)
    }

    fn file(&self, _: &str) -> Result<String, ResolveError> {
        Ok(self.0.clone())
    }
}

/// Of any number another one; each once in 2^32.
fn scattered(number: u32) -> u32 {
    let mut bits = number.wrapping_mul(2_654_435_761);
    bits ^= bits >> 15;
    bits = bits.wrapping_mul(0x85eb_ca6b);
    bits ^ bits >> 13
}

fn key(number: u32) -> String {
    format!("{:08x}{:08x}{number:08x}", scattered(number), scattered(!number))
}

/// Bytes of memory that the process holds.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0) * 1024
}

/// Nanoseconds of one read after the other, each at a place that the one before says, of so much memory.
fn read_of_memory(bytes: usize) -> u128 {
    const READS: usize = 1_000_000;
    /// A line of the cache.
    const STEP: usize = 64 / size_of::<usize>();
    let lines = bytes / 64;
    let mut order: Vec<usize> = (0..lines).collect();
    for last in (1..lines).rev() {
        order.swap(last, scattered(u32::try_from(last).unwrap()) as usize % last);
    }
    let mut memory = vec![0; lines * STEP];
    for (place, next) in order.iter().zip(order.iter().cycle().skip(1)) {
        memory[place * STEP] = next * STEP;
    }
    let start = Instant::now();
    let end = (0..READS).fold(0, |place: usize, _| memory[place]);
    let taken = start.elapsed();
    std::hint::black_box(end);
    taken.as_nanos() / READS as u128
}

pub fn case(consumers: u32) -> (Case, String) {
    let lines: String = (0..consumers)
        .map(|number| {
            format!(
                "{{\"id\":\"00000000-0000-4000-8000-{number:012x}\",\"username\":\"user-{number}\",\"groups\":[\"gold\"],\"keys\":[\"{}\"]}}\n",
                key(number)
            )
        })
        .collect();
    let file = File(lines);
    let text = "consumers: { files: [consumers.jsonl] }\npolicies: { key_auth: { headers: [apikey] } }\n";
    let before = resident();
    let case = Case::from(NAME, text, &file);
    let each = resident().saturating_sub(before) / u64::from(consumers);
    let document = parse("cost.yaml", &format!("{text}routes: [{{ respond: {{ status: 204 }} }}]\n"), &file);
    let start = Instant::now();
    let anew = torana_plan::consumers(&document.document.unwrap(), &file).0.unwrap();
    let told = format!(
        "{} consumers: {each} bytes of memory each, read anew in {} ms; a read of memory takes {} ns of 64 MiB, {} of 512",
        anew.len(),
        start.elapsed().as_millis(),
        read_of_memory(64 << 20),
        read_of_memory(512 << 20)
    );
    (case, told)
}

/// Every one once before one comes again.
pub fn in_no_order(mut case: Case, consumers: u32) -> Case {
    case.name = format!("{NAME} in no order");
    case.bar = None;
    case.heads(move |number| caller(number as u64, consumers))
}

/// A thousand of them, one after the other and again.
pub fn busy(mut case: Case, consumers: u32) -> Case {
    case.name = format!("{NAME}, a thousand busy");
    case.bar(300).heads(move |number| caller(number as u64 % u64::from(BUSY), consumers))
}

fn caller(number: u64, consumers: u32) -> String {
    head(&format!("apikey: {}", key(u32::try_from(number * 7_368_787 % u64::from(consumers)).unwrap())))
}
