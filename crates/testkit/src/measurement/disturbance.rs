//! What happens while limits are measured that several share.

use std::thread::sleep;
use std::time::Duration;

use crate::RedisServer;

/// What happens during a measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disturbance {
    /// It is left alone.
    Nothing,
    /// The server stands still for a quarter of the time.
    Pause,
    /// The server is killed and started without its memory, so often.
    Restart,
    /// One of those that share the limit dies with what it holds.
    Death,
    /// The clock of each is ahead of the one before it.
    Clocks,
}

impl Disturbance {
    /// Whether the server is there all the time, and everybody who shares the limit.
    #[must_use]
    pub fn is_calm(self) -> bool {
        matches!(self, Self::Nothing | Self::Clocks)
    }

    /// Whether the server is away for a while.
    #[must_use]
    pub fn takes_server_away(self) -> bool {
        matches!(self, Self::Pause | Self::Restart)
    }

    /// Does it, beside a measurement of this length that has just begun; gives what `die` gives, and `T::default()` where
    /// nobody has to die.
    pub fn disturb<T: Default>(
        self,
        server: &mut RedisServer,
        restarts: u32,
        length: Duration,
        die: impl FnOnce() -> T,
    ) -> T {
        match self {
            Self::Nothing | Self::Clocks => {}
            Self::Pause => {
                sleep(length / 4);
                server.pause();
                sleep(length / 4);
                server.resume();
            }
            Self::Restart => {
                for _ in 0..restarts {
                    sleep(length / (restarts + 2));
                    server.restart();
                }
            }
            Self::Death => {
                sleep(length / 3);
                return die();
            }
        }
        T::default()
    }
}
