//! Whether there is any reason to look at a service's endpoints one by one.
//!
//! The alarm counts what has happened and is never taken back. Whoever has looked at all endpoints and found
//! nothing notes up to which count that holds. So nothing is missed that happens while somebody looks, however
//! long that takes and however many look, and configurations that follow one another do not calm each other.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// Raised when an endpoint of a service leaves what is ordinary. After it has, never before.
#[derive(Debug, Default)]
pub struct Alarm {
    /// How often it was raised.
    count: AtomicU64,
    /// Held while an ejection is decided, so that two do not exceed the share together.
    pub(super) ejecting: Mutex<()>,
}

impl Alarm {
    pub(super) fn raise(&self) {
        self.count.fetch_add(1, Ordering::Release);
    }

    /// To be read before the endpoints are looked at.
    pub(super) fn count(&self) -> u64 {
        self.count.load(Ordering::Acquire)
    }
}

/// Up to which count of the alarm nothing is out of the ordinary with the endpoints of one configuration.
#[derive(Debug, Default)]
pub struct Calm(AtomicU64);

impl Calm {
    /// Whether nothing has happened since all was well.
    pub(super) fn holds(&self, count: u64) -> bool {
        self.0.load(Ordering::Relaxed) == count
    }

    /// All was well for who read this count first and looked then. Of several who look at once the slowest may
    /// write last, and then it is looked at once more.
    pub(super) fn note(&self, count: u64) {
        self.0.store(count, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    /// Who looks: reads the count, looks, notes what was found; over again.
    #[derive(Clone, Copy, Default)]
    struct Looking {
        step: usize,
        count: u64,
        quiet: bool,
    }

    const LOOKS: usize = 3 * 2;
    /// An ejection, its end by itself, another one.
    const HAPPENS: usize = 5;

    struct World {
        alarm: Alarm,
        calm: Calm,
        out: Cell<bool>,
    }

    impl World {
        fn happens(&self, step: usize) {
            match step {
                0 | 3 => self.out.set(true),
                2 => self.out.set(false),
                _ => self.alarm.raise(),
            }
        }

        fn looks(&self, who: &mut Looking) {
            match who.step % 3 {
                0 => who.count = self.alarm.count(),
                1 => who.quiet = self.calm.holds(who.count) || !self.out.get(),
                _ if who.quiet => self.calm.note(who.count),
                _ => {}
            }
            who.step += 1;
        }
    }

    /// Runs an order of steps, each by one of three, and holds after each that nobody is told that all is well while an
    /// endpoint is out whose alarm was raised.
    fn run(order: &[usize]) {
        let world = World { alarm: Alarm::default(), calm: Calm::default(), out: Cell::new(false) };
        let (mut looking, mut happened) = ([Looking::default(); 2], 0);
        for who in order {
            match looking.get_mut(*who) {
                Some(looking) => world.looks(looking),
                None => {
                    world.happens(happened);
                    happened += 1;
                }
            }
            let raised = happened == 2 || happened == HAPPENS;
            assert!(!(raised && world.calm.holds(world.alarm.count())), "{order:?}");
        }
    }

    fn orders(left: [usize; 3], order: &mut Vec<usize>, count: &mut usize) {
        if left == [0; 3] {
            *count += 1;
            return run(order);
        }
        for who in 0..3 {
            let mut left = left;
            if let Some(rest) = left[who].checked_sub(1) {
                left[who] = rest;
                order.push(who);
                orders(left, order, count);
                order.pop();
            }
        }
    }

    #[test]
    fn in_no_order_of_steps_is_an_alarm_lost() {
        let mut count = 0;
        // One who looks twice, and one who looks once and may be overtaken at every step.
        orders([LOOKS, 3, HAPPENS], &mut Vec::new(), &mut count);
        assert_eq!(count, 168_168);
    }
}
