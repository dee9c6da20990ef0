//! The binary: arguments, signals, threads, wiring. What serves requests is in the crates below.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line prints")]
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, reason = "tests may overflow loudly"))]

mod arguments;
mod check;
mod demo;
mod explain;
mod file;
mod routes;
mod run;
mod token;

use arguments::{Arguments, Task};
use clap::Parser;
use std::process::ExitCode;

#[cfg(feature = "count-allocations")]
#[global_allocator]
static ALLOCATOR: &stats_alloc::StatsAlloc<std::alloc::System> = &stats_alloc::INSTRUMENTED_SYSTEM;

#[cfg(not(feature = "count-allocations"))]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let done = match Arguments::parse().task {
        Task::Run(arguments) => run::run(&arguments),
        Task::Check(arguments) => check::run(&arguments),
        Task::Explain(arguments) => explain::run(&arguments),
        Task::Routes(arguments) => routes::run(&arguments),
        Task::Token(arguments) => token::run(&arguments),
        Task::Demo(arguments) => demo::run(&arguments),
    };
    done.unwrap_or_else(|error| {
        eprintln!("torana: {error:#}");
        ExitCode::FAILURE
    })
}
