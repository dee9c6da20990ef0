//! Clients and services of other makes, whose ways are not those of the test kit: Go's HTTP and gRPC, Node's HTTP, nginx.
//! Each has to get through the gateway what it gets without it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests fail by panicking"
)]

#[path = "peers/go_grpc.rs"]
mod go_grpc;
#[path = "peers/go_http.rs"]
mod go_http;
#[path = "peers/nginx.rs"]
mod nginx;
#[path = "peers/node.rs"]
mod node;
#[path = "peers/program.rs"]
mod program;
#[path = "peers/site.rs"]
mod site;
#[path = "yaml.rs"]
mod yaml;
