//! What each filter adds to a request: `cargo bench -p torana-filters`. Ends with an error where one costs
//! more than its bar, unless `-- --quick` or without optimisation. A word takes the filters with it in the name.
#![allow(
    clippy::print_stdout,
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs,
    unreachable_pub,
    reason = "a program that measures and prints"
)]

#[path = "cost/asked.rs"]
mod asked;
#[path = "cost/callers.rs"]
mod callers;
#[path = "cost/case.rs"]
mod case;
#[path = "cost/edge.rs"]
mod edge;
#[path = "cost/measure.rs"]
mod measure;
#[path = "cost/million.rs"]
mod million;
#[path = "cost/permissions.rs"]
mod permissions;
#[path = "cost/signed.rs"]
mod signed;

use case::Case;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let quick = std::env::args().any(|word| word == "--quick") || cfg!(debug_assertions);
    let wanted = |name: &str| words.is_empty() || words.iter().any(|word| name.contains(word.as_str()));
    let batches = if quick { 50 } else { 5_000 };
    println!("{:<48} {:>10} {:>10}", "added by", "ns", "bar");
    let mut above = 0;
    let mut show = |case: &Case| {
        let nanoseconds = measure::median(case, batches);
        let bar = case.bar.map_or_else(String::new, |bar| bar.to_string());
        let missed = case.bar.is_some_and(|bar| nanoseconds > bar);
        above += usize::from(missed);
        println!("{:<48} {nanoseconds:>10} {bar:>10}{}", case.name, if missed { "  above" } else { "" });
    };
    let known = callers::cases().chain(asked::cases()).chain(signed::cases());
    for case in known.chain(permissions::cases()).chain(edge::cases()) {
        if wanted(case.0) {
            show(&(case.1)());
        }
    }
    if wanted(million::NAME) {
        let consumers = if quick { 10_000 } else { 1_000_000 };
        let (case, told) = million::case(consumers);
        let case = million::busy(case, consumers);
        show(&case);
        show(&million::in_no_order(case, consumers));
        println!("{told}");
    }
    if above > 0 && !quick {
        println!("{above} above the bar");
        std::process::exit(1);
    }
}
