//! Listening sockets that outlive a process: handed to its successor, or opened by the service manager.
//!
//! A successor is the same program started anew (perhaps from a newer file). It gets one end of a socket pair
//! as its standard input. Over it the old process sends each listening socket with its name, and the new one
//! says when it serves. Both then hold the same sockets: what the kernel queues on one is lost by neither,
//! and the old process may stop accepting at any time. When the new one ends first, the old one goes on.
//!
//! A service manager (systemd) passes its sockets by numbers instead, which `listenfd` turns into listeners.

mod channel;
mod inherited;

pub use channel::{Handover, Predecessor};
pub use inherited::{Inherited, Use};
