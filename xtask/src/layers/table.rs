//! The layers of the workspace: one line a crate, with the reason it stands where it stands.

/// A crate of the workspace.
pub(super) struct Place {
    pub(super) package: &'static str,
    pub(super) layer: u8,
    pub(super) reason: &'static str,
}

const fn place(package: &'static str, layer: u8, reason: &'static str) -> Place {
    Place { package, layer, reason }
}

/// A normal dependency points from a higher layer to a strictly lower one. Siblings don't know each other:
/// what two of them share belongs below.
pub(super) const PLACES: &[Place] = &[
    place("torana-types", 0, "units, identifiers and secrets, which every crate may name"),
    place("torana-fault", 0, "what can go wrong with a request, which every crate may raise"),
    place("torana-identity", 0, "who calls, as data that filters, limits and logs read"),
    place("torana-config", 1, "the written form and its diagnostics; reading references is passed in"),
    place("torana-route", 1, "the matcher, pure, so that explain and properties use the very code"),
    place("torana-expression", 1, "conditions over requests; what is known is asked through a trait"),
    place("torana-balance", 1, "balancers and health as state machines; clock and randomness are passed in"),
    place(
        "torana-cache",
        1,
        "what of answers may be kept; fields are asked through a trait, the clock is passed in",
    ),
    place("torana-limit", 1, "limit algorithms; the clock is passed in"),
    place("torana-http", 1, "heads, framing and codec without a socket"),
    place(
        "torana-certificate",
        1,
        "certificates as bytes in and words out; files and the clock are passed in",
    ),
    place("torana-credential", 1, "verifying credentials over bytes; the clock is passed in"),
    place("torana-plan", 2, "brings configuration and routes together as plain data"),
    place("torana-filter", 2, "what a filter is: it sees heads and faults, never a socket"),
    place(
        "torana-store",
        2,
        "where shared state lives, behind one trait; filters ask it, so it lies below them",
    ),
    place("torana-filters", 3, "the filters themselves, one folder each"),
    place("torana-transport", 3, "the only crate that reads and writes sockets of clients and services"),
    place("torana-observe", 3, "metric names, access log, tracing"),
    place("torana-proxy", 4, "the pipeline: plan, filters and transport in one order"),
    place("torana-admin", 4, "shows and changes what runs; never in a request's way"),
    place("torana", 5, "the binary: arguments, signals, runtimes, wiring"),
    place("torana-testkit", 5, "serves the tests of all; may start a whole gateway"),
    place("torana-bench", 5, "programs around the proxies in benchmarks; shares no code with them"),
    place("xtask", 6, "developer tasks; may ask any crate what it generates, and what tests are made of"),
];

/// The highest layer that stays free of input and output.
pub(super) const HIGHEST_PURE_LAYER: u8 = 1;

/// What a pure crate must not reach, not even through another crate: these bring sockets, threads or a
/// runtime, and with them time and order that a property test cannot hold.
pub(super) const IMPURE: &[&str] = &["tokio", "mio", "socket2", "hyper", "reqwest", "async-std", "smol"];
