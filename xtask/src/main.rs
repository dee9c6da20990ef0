//! Developer tasks: `cargo xtask ci` is everything that CI checks, and each check is also a task of its
//! own. Nothing here is shipped.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    reason = "a tool for developers: it prints, and an overflow in it may be loud"
)]

mod bench;
mod certificate;
mod chaos;
mod ci;
mod consumers;
mod dependencies;
mod endurance;
mod files;
mod generated;
mod instructions;
mod layers;
mod limits;
mod lines;
mod memory;
mod pinned;
mod reference;
mod release;
mod schema;
mod server;
mod suite;
mod workspace;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Developer tasks of Torana")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Everything that CI checks, one after the other, up to the first failure
    Ci,
    /// All tests, several programs of them at once
    Test,
    /// Do all crates depend downward only, and is none too large a part?
    Layers,
    /// Is no file too long?
    Files,
    /// Is the committed JSON Schema the one that the code gives?
    Schema(generated::Arguments),
    /// Are the committed reference pages what the code says?
    Reference(generated::Arguments),
    /// Build the binary that is published: optimised by what it was seen doing under load
    Release,
    /// Compare the cost of a request with other proxies on this machine
    Bench(bench::Arguments),
    /// Count the instructions of a request, and show which functions they go to
    Instructions(instructions::Arguments),
    /// Kill origins at random behind a gateway that is reloaded, for as long as asked
    Chaos(chaos::Arguments),
    /// Measure the memory of an idle process and of an idle connection
    Memory(memory::Arguments),
    /// Measure the memory of a million consumers, and how long their file takes to be taken over
    Consumers(consumers::Arguments),
    /// Send huge bodies through in both directions: right, in constant memory, no faster than they are read
    Large(endurance::LargeArguments),
    /// Minutes of mixed traffic with faults on both sides, after which nothing may be left
    Soak(endurance::SoakArguments),
    /// How exact limits are that several gateways share, for 30 seconds each on a real server
    Limits(limits::Arguments),
    /// Do all dependencies keep what deny.toml says about licences, versions and sources?
    Dependencies,
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().task {
        Task::Ci => ci::run(),
        Task::Test => suite::run(),
        Task::Layers => layers::run(),
        Task::Files => files::run(),
        Task::Schema(arguments) => schema::run(&arguments),
        Task::Reference(arguments) => reference::run(&arguments),
        Task::Release => release::run(),
        Task::Bench(arguments) => bench::run(&arguments),
        Task::Instructions(arguments) => instructions::run(&arguments),
        Task::Chaos(arguments) => chaos::run(&arguments),
        Task::Memory(arguments) => memory::run(&arguments),
        Task::Consumers(arguments) => consumers::run(&arguments),
        Task::Large(arguments) => endurance::large(&arguments),
        Task::Soak(arguments) => endurance::soak(&arguments),
        Task::Limits(arguments) => limits::run(&arguments),
        Task::Dependencies => dependencies::run(),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_consistent() {
        super::Arguments::command().debug_assert();
    }
}
