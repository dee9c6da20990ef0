//! What the origin does with a request, by its number.

use std::time::Duration;

use crate::origin::{ReceivedRequest, Reply};

/// A small generator of numbers that look random (SplitMix64).
#[derive(Clone, Debug)]
pub(super) struct Mixer(u64);

impl Mixer {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Less than `end`, which is not zero.
    pub(super) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).expect("less than a usize")
    }

    /// Mostly small, seldom large.
    pub(super) fn size(&mut self) -> usize {
        match self.below(20) {
            0 => self.below(400_000),
            1..=4 => self.below(40_000),
            _ => self.below(800),
        }
    }
}

/// What comes of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Behaviour {
    /// A whole answer, and the connection stays.
    Whole,
    Chunked,
    UntilClose,
    Late,
    /// The answer is whole, but the connection ends without a word.
    ThenClose,
    ThenReset,
    /// The answer breaks off.
    CutByClose,
    CutByReset,
    CutBySilence,
    /// Nothing comes.
    CloseAtOnce,
    ResetAtOnce,
}

impl Behaviour {
    pub(super) fn of(number: u64) -> Self {
        match Mixer::new(number).below(24) {
            0..=9 => Self::Whole,
            10..=12 => Self::Chunked,
            13 => Self::UntilClose,
            14 => Self::Late,
            15 => Self::ThenClose,
            16 => Self::ThenReset,
            17 | 18 => Self::CutByClose,
            19 | 20 => Self::CutByReset,
            21 => Self::CutBySilence,
            22 => Self::CloseAtOnce,
            _ => Self::ResetAtOnce,
        }
    }

    /// Whether a client that behaves must get the whole answer. A connection that is reset right after an
    /// answer may take the answer's end with it.
    pub(super) const fn answers(self) -> bool {
        use Behaviour::{Chunked, Late, ThenClose, UntilClose, Whole};
        matches!(self, Whole | Chunked | UntilClose | Late | ThenClose)
    }
}

/// The body that belongs to a number, and to a size where it is a request's.
pub(super) fn body(number: u64, size: usize) -> Vec<u8> {
    let word = format!("{number:x}.");
    word.bytes().cycle().take(size).collect()
}

/// The body of the answer to a number.
pub(super) fn answer(number: u64) -> Vec<u8> {
    body(number, Mixer::new(!number).size())
}

/// `/mix/NUMBER` or, for a request with a body, `/mix/NUMBER/SIZE`.
pub(super) fn reply(request: &ReceivedRequest) -> Reply {
    let mut parts = request.target.split('/').skip(2);
    let number = parts.next().and_then(|number| number.parse().ok()).expect("the client's own number");
    let size = parts.next().map_or(0, |size| size.parse().expect("the client's own size"));
    assert!(request.body == body(number, size), "a body that was not sent arrived whole: {}", request.target);
    let mut random = Mixer::new(number.rotate_left(17));
    let answer = answer(number);
    // Less than a head and the answer, so that it is cut.
    let cut = random.below(answer.len() + 30);
    match Behaviour::of(number) {
        Behaviour::Whole => Reply::ok(answer),
        Behaviour::Chunked => Reply::ok("").chunked(answer.chunks(1 + random.below(5_000))),
        Behaviour::UntilClose => Reply::ok("").until_close(answer),
        Behaviour::Late => Reply::ok(answer).delay(Duration::from_millis(random.next() % 50)),
        Behaviour::ThenClose => Reply::ok(answer).then_close(),
        Behaviour::ThenReset => Reply::ok(answer).then_reset(),
        Behaviour::CutByClose => Reply::ok(answer).close_after_bytes(cut),
        Behaviour::CutByReset => Reply::ok(answer).reset_after_bytes(cut),
        Behaviour::CutBySilence => Reply::ok(answer).hang_after_bytes(cut),
        Behaviour::CloseAtOnce => Reply::close(),
        Behaviour::ResetAtOnce => Reply::reset(),
    }
}
