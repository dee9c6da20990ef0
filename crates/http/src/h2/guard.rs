//! How many frames a peer may spend on nothing.
//!
//! Each kind of frame that costs its receiver more than its sender has a budget that refills with time and
//! with useful traffic. A budget that is empty ends the connection with ENHANCE_YOUR_CALM (RFC 9113
//! sections 5.4.1 and 10.5). Cancelling is earned by requests that are not cancelled: half of all requests
//! may be, for ever; all of them only for as long as the burst lasts (CVE-2023-44487).

use super::frames::{
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, FrameHeader, Frames, HEADERS, PADDED, PING, RST_STREAM,
    SETTINGS,
};
use super::opened::{Opened, Section};
use std::time::Duration;

/// What a peer has done too often.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Violation {
    /// Requests that were cancelled as soon as they were made.
    RapidReset,
    /// A field section in too many CONTINUATION frames.
    ContinuationFlood,
    /// PING.
    PingFlood,
    /// SETTINGS.
    SettingsFlood,
    /// Frames without content that end nothing.
    EmptyFrames,
    /// PRIORITY, WINDOW_UPDATE and frames of unknown kinds.
    ControlFlood,
}

impl Violation {
    /// The stable label in metrics and logs.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::RapidReset => "rapid_reset",
            Self::ContinuationFlood => "continuation_flood",
            Self::PingFlood => "ping_flood",
            Self::SettingsFlood => "settings_flood",
            Self::EmptyFrames => "empty_frames",
            Self::ControlFlood => "control_flood",
        }
    }
}

/// Bursts of frames; each budget refills by a tenth of its burst a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuardLimits {
    /// RST_STREAM beyond every second request.
    pub resets: u32,
    /// CONTINUATION frames of one field section.
    pub continuations: u32,
    /// PING; one more for each 16 KiB of data, and for each frame of a message that we send: peers of gRPC measure
    /// by a PING behind the data that they get what a connection carries.
    pub pings: u32,
    /// SETTINGS.
    pub settings: u32,
    /// Frames without content that end nothing.
    pub empty: u32,
    /// All others; one more for each eight bytes that we send and two for each frame of a message, because window
    /// updates follow data.
    pub control: u32,
}

impl Default for GuardLimits {
    fn default() -> Self {
        Self { resets: 200, continuations: 5, pings: 500, settings: 50, empty: 50, control: 2_000 }
    }
}

/// What a DATA frame that waits takes in memory at least; a larger one takes what it holds.
const FRAME_COST: u32 = 256;

/// A budget; time is passed in.
#[derive(Clone, Copy, Debug)]
struct Budget {
    left: u32,
    burst: u32,
    refilled: Duration,
}

impl Budget {
    const fn new(burst: u32) -> Self {
        Self { left: burst, burst, refilled: Duration::ZERO }
    }

    fn earn(&mut self, count: u32) {
        self.left = self.left.saturating_add(count).min(self.burst);
    }

    /// `false`: there is nothing left.
    fn spend(&mut self, cost: u32, now: Duration) -> bool {
        if self.left < cost {
            let passed = now.saturating_sub(self.refilled).as_millis();
            let refill = passed.saturating_mul(u128::from(self.burst)) / 10_000;
            self.refilled = now;
            self.earn(u32::try_from(refill).unwrap_or(u32::MAX));
        }
        match self.left.checked_sub(cost) {
            Some(left) => {
                self.left = left;
                true
            }
            None => false,
        }
    }
}

/// Watches what one peer sends. Times are since any fixed point, such as the connection's start.
#[derive(Debug)]
pub struct FrameGuard {
    frames: Frames,
    /// Those that we send.
    sent: Frames,
    limits: GuardLimits,
    resets: Budget,
    pings: Budget,
    settings: Budget,
    empty: Budget,
    control: Budget,
    newest_stream: u32,
    messages: Opened,
    /// Streams whose first field section has come whole.
    opened: u64,
    /// Whether the section at hand opens one.
    opens: bool,
    continuations: u32,
    section_since: Option<Duration>,
    /// Whether the frame at hand is the section's last.
    section_ends: bool,
    last_message: Option<Duration>,
    data: u64,
    overhead: u64,
    /// Bytes that have not yet earned anything.
    spare_data: u32,
    spare_sent: u32,
}

impl FrameGuard {
    /// A guard for a connection whose client has yet to send the preface.
    #[must_use]
    pub const fn for_client(limits: GuardLimits) -> Self {
        Self::new(Frames::after_preface(), Frames::at_once(), Opened::new(false), limits)
    }

    /// A guard for a connection to an upstream, which begins with frames.
    #[must_use]
    pub const fn for_upstream(limits: GuardLimits) -> Self {
        Self::new(Frames::at_once(), Frames::after_preface(), Opened::new(true), limits)
    }

    const fn new(frames: Frames, sent: Frames, messages: Opened, limits: GuardLimits) -> Self {
        Self {
            frames,
            sent,
            limits,
            // In halves: a new stream earns one, a reset costs two.
            resets: Budget::new(limits.resets.saturating_mul(2)),
            pings: Budget::new(limits.pings),
            settings: Budget::new(limits.settings),
            empty: Budget::new(limits.empty),
            control: Budget::new(limits.control),
            newest_stream: 0,
            messages,
            opened: 0,
            opens: false,
            continuations: 0,
            section_since: None,
            section_ends: false,
            last_message: None,
            data: 0,
            overhead: 0,
            spare_data: 0,
            spare_sent: 0,
        }
    }

    /// Looks at bytes that were received.
    ///
    /// # Errors
    /// A budget is empty: the connection should end.
    pub fn received(&mut self, mut bytes: &[u8], now: Duration) -> Result<(), Violation> {
        let (mut verdict, total) = (Ok(()), bytes.len());
        self.messages.begin(bytes);
        loop {
            let frame = self.frames.next(&mut bytes);
            // A header is found only behind the whole payload before it.
            if self.section_ends && (frame.is_some() || self.frames.is_past_payload()) {
                self.section_since = None;
                self.section_ends = false;
                self.opened = self.opened.saturating_add(u64::from(std::mem::take(&mut self.opens)));
            }
            let Some(frame) = frame else { return verdict };
            let at = total.saturating_sub(bytes.len());
            self.messages.received(frame, frame.stream > self.newest_stream, at, bytes);
            verdict = verdict.and(self.judge(frame, now));
        }
    }

    /// Looks at bytes that were sent; whether something of a message, DATA or a field section, is among them.
    pub fn sent(&mut self, mut bytes: &[u8]) -> bool {
        let count = bytes.len();
        let total = self.spare_sent.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
        self.control.earn(total / 8);
        self.spare_sent = total % 8;
        self.moved(count);
        let mut of_message = count > 0 && self.sent.is_in_message();
        while let Some(frame) = self.sent.next(&mut bytes) {
            self.messages.sent(frame);
            if matches!(frame.kind, DATA | HEADERS) {
                self.pings.earn(1);
                self.control.earn(2);
                of_message = true;
            }
        }
        of_message
    }

    /// The field sections that are to be rewritten, of those that begin in the bytes that were received last.
    #[must_use]
    pub fn sections(&self) -> &[Section] {
        self.messages.sections()
    }

    /// How many bytes of a frame's header that has not come whole were received, where it may be that of such a section.
    #[must_use]
    pub const fn cut(&self) -> usize {
        if self.messages.may_find() { self.frames.begun() } else { 0 }
    }

    /// Since when a field section is incomplete.
    #[must_use]
    pub const fn section_since(&self) -> Option<Duration> {
        self.section_since
    }

    /// How many streams the peer has opened by a field section that has come whole.
    #[must_use]
    pub const fn opened(&self) -> u64 {
        self.opened
    }

    /// When a frame of a message, DATA or HEADERS, was last received.
    #[must_use]
    pub const fn last_message(&self) -> Option<Duration> {
        self.last_message
    }

    /// Bytes of DATA whose frames have begun.
    #[must_use]
    pub const fn data(&self) -> u64 {
        self.data
    }

    /// What DATA frames take in memory beyond their content while they wait one by one, in bytes: much where
    /// they are small, which no window bounds (RFC 9113 section 10.5).
    #[must_use]
    pub const fn overhead(&self) -> u64 {
        self.overhead
    }

    fn moved(&mut self, count: usize) {
        const A_PING: u32 = 16 * 1024;
        let total = self.spare_data.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
        self.pings.earn(total / A_PING);
        self.spare_data = total % A_PING;
    }

    fn judge(&mut self, frame: FrameHeader, now: Duration) -> Result<(), Violation> {
        let FrameHeader { length, kind, flags, stream } = frame;
        let allowed = |allowed: bool, violation| if allowed { Ok(()) } else { Err(violation) };
        if matches!(kind, DATA | HEADERS) {
            self.last_message = Some(now);
        }
        match kind {
            DATA => {
                self.moved(length as usize);
                self.data = self.data.saturating_add(u64::from(length));
                let ends = flags & END_STREAM != 0;
                // How much of a padded one is content is not looked at.
                let content = if flags & PADDED == 0 { length } else { 0 };
                self.overhead = self.overhead.saturating_add(u64::from(FRAME_COST.saturating_sub(content)));
                allowed(length > 0 || ends || self.empty.spend(1, now), Violation::EmptyFrames)
            }
            HEADERS => {
                if stream > self.newest_stream {
                    self.newest_stream = stream;
                    self.opens = true;
                    self.resets.earn(1);
                }
                self.continuations = 0;
                self.section(flags, now);
                allowed(length > 0 || self.empty.spend(1, now), Violation::EmptyFrames)
            }
            CONTINUATION => {
                self.continuations = self.continuations.saturating_add(1);
                self.section(flags, now);
                allowed(self.continuations <= self.limits.continuations, Violation::ContinuationFlood)
            }
            // Who has the whole answer may keep the rest of what was asked: that was worked for, and costs no more.
            RST_STREAM if self.messages.takes_back_answered(stream) => Ok(()),
            RST_STREAM => allowed(self.resets.spend(2, now), Violation::RapidReset),
            PING if flags & ACK != 0 => allowed(self.control.spend(1, now), Violation::PingFlood),
            PING => allowed(self.pings.spend(1, now), Violation::PingFlood),
            SETTINGS if flags & ACK != 0 => allowed(self.control.spend(1, now), Violation::SettingsFlood),
            SETTINGS => allowed(self.settings.spend(1, now), Violation::SettingsFlood),
            _ => allowed(self.control.spend(1, now), Violation::ControlFlood),
        }
    }

    const fn section(&mut self, flags: u8, now: Duration) {
        if self.section_since.is_none() {
            self.section_since = Some(now);
        }
        self.section_ends = flags & END_HEADERS != 0;
    }
}

#[cfg(test)]
mod tests {
    use super::super::PREFACE;
    use super::*;

    const WINDOW_UPDATE: u8 = 8;

    fn frame(kind: u8, flags: u8, stream: u32, length: usize) -> Vec<u8> {
        let mut bytes = u32::try_from(length).unwrap().to_be_bytes()[1..].to_vec();
        bytes.extend_from_slice(&[kind, flags]);
        bytes.extend_from_slice(&stream.to_be_bytes());
        bytes.resize(9 + length, 0);
        bytes
    }

    /// How many of these frames pass at one moment.
    fn passed(
        guard: &mut FrameGuard,
        now: u64,
        frames: impl Iterator<Item = Vec<u8>>,
    ) -> (usize, Option<Violation>) {
        let mut count = 0;
        for frame in frames {
            if let Err(violation) = guard.received(&frame, Duration::from_secs(now)) {
                return (count, Some(violation));
            }
            count += 1;
        }
        (count, None)
    }

    fn fresh() -> FrameGuard {
        let mut guard = FrameGuard::for_client(GuardLimits::default());
        guard.received(PREFACE, Duration::ZERO).unwrap();
        guard
    }

    #[test]
    fn each_flood_is_named_and_refills_with_time() {
        let limits = GuardLimits::default();
        for (kind, flags, length, limit, violation) in [
            (PING, 0, 8, limits.pings, Violation::PingFlood),
            (SETTINGS, 0, 0, limits.settings, Violation::SettingsFlood),
            (DATA, 0, 0, limits.empty, Violation::EmptyFrames),
            (WINDOW_UPDATE, 0, 4, limits.control, Violation::ControlFlood),
            (200, 0, 1, limits.control, Violation::ControlFlood),
        ] {
            let mut guard = fresh();
            let flood = || std::iter::repeat_with(|| frame(kind, flags, 1, length)).take(10_000);
            assert_eq!(passed(&mut guard, 0, flood()), (limit as usize, Some(violation)), "{kind}");
            let (more, again) = passed(&mut guard, 1, flood());
            assert_eq!((more, again), (limit as usize / 10, Some(violation)), "{kind}: a tenth a second");
        }
    }

    #[test]
    fn cancelling_every_request_ends_soon_and_every_second_never() {
        let pairs = |every: u32| {
            (1..20_000_u32).flat_map(move |number| {
                let stream = number * 2 - 1;
                let reset = (number % every == 0).then(|| frame(RST_STREAM, 0, stream, 4));
                std::iter::once(frame(HEADERS, END_HEADERS | END_STREAM, stream, 10)).chain(reset)
            })
        };
        let (count, violation) = passed(&mut fresh(), 0, pairs(1));
        assert_eq!(violation, Some(Violation::RapidReset));
        assert!((700..900).contains(&count), "{count} frames");
        assert_eq!(passed(&mut fresh(), 0, pairs(2)).1, None);
    }

    #[test]
    fn giving_up_what_was_answered_costs_nothing_once() {
        let requests = |answered: bool| {
            let mut guard = fresh();
            (1..5_000_u32).map(|number| number * 2 - 1).position(|stream| {
                guard.received(&frame(HEADERS, END_HEADERS, stream, 10), Duration::ZERO).unwrap();
                if answered {
                    assert!(guard.sent(&frame(HEADERS, END_HEADERS | END_STREAM, stream, 10)));
                    guard.sent(&frame(RST_STREAM, 0, stream, 4));
                }
                guard.received(&frame(RST_STREAM, 0, stream, 4), Duration::ZERO).is_err()
            })
        };
        assert_eq!((requests(true), requests(false)), (None, Some(399)));
        let mut guard = fresh();
        guard.received(&frame(HEADERS, END_HEADERS, 1, 10), Duration::ZERO).unwrap();
        guard.sent(&frame(HEADERS, END_HEADERS | END_STREAM, 1, 10));
        let again = || std::iter::repeat_with(|| frame(RST_STREAM, 0, 1, 4)).take(1_000);
        assert_eq!(passed(&mut guard, 0, again()), (201, Some(Violation::RapidReset)));
    }

    #[test]
    fn a_field_section_lasts_until_the_payload_of_its_last_frame_has_come() {
        let since = |guard: &FrameGuard| guard.section_since().map(|since| since.as_secs());
        let mut guard = fresh();
        let mut at = |now, bytes: &[u8]| {
            guard.received(bytes, Duration::from_secs(now)).unwrap();
            since(&guard)
        };
        let whole = frame(HEADERS, END_HEADERS, 1, 10);
        assert_eq!(at(1, &whole), None);
        assert_eq!((at(2, &whole[..9]), at(3, &whole[9..18]), at(4, &whole[18..])), (Some(2), Some(2), None));
        assert_eq!((at(5, &frame(HEADERS, 0, 3, 10)), at(6, b"\0\0")), (Some(5), Some(5)));
        let last = frame(CONTINUATION, END_HEADERS, 3, 5);
        assert_eq!((at(7, &last[2..13]), at(8, &last[13..])), (Some(5), None));
        assert_eq!(at(9, &[&whole[..], &whole[..12]].concat()), Some(9));
        let behind = [&whole[12..], &frame(DATA, 0, 1, 5)[..]].concat();
        assert_eq!((at(10, &behind), at(11, &frame(HEADERS, END_HEADERS, 5, 0))), (None, None));
    }

    #[test]
    fn a_stream_is_opened_by_its_first_section_once_that_is_whole() {
        let mut guard = fresh();
        let mut opened = |bytes: &[u8]| {
            guard.received(bytes, Duration::ZERO).unwrap();
            guard.opened()
        };
        let head = frame(HEADERS, END_HEADERS, 1, 10);
        assert_eq!((opened(&head[..18]), opened(&head[18..])), (0, 1));
        assert_eq!(opened(&frame(HEADERS, END_HEADERS | END_STREAM, 1, 10)), 1, "trailers open none");
        assert_eq!(opened(&frame(HEADERS, 0, 3, 10)), 1);
        assert_eq!(opened(&frame(CONTINUATION, END_HEADERS, 3, 0)), 2);
        assert_eq!(opened(&[frame(HEADERS, END_HEADERS, 5, 0), head, frame(HEADERS, 4, 7, 3)].concat()), 4);
    }

    #[test]
    fn small_frames_cost_what_they_take_and_large_ones_nothing() {
        let mut guard = fresh();
        let mut cost = |flags, length| {
            let before = guard.overhead();
            guard.received(&frame(DATA, flags, 1, length), Duration::ZERO).unwrap();
            guard.overhead() - before
        };
        assert_eq!((cost(0, 25), cost(0, 255), cost(0, 256), cost(0, 16_384)), (231, 1, 0, 0));
        assert_eq!(cost(PADDED, 300), 256, "it may be one byte and padding");
    }

    #[test]
    fn window_updates_follow_data_freely() {
        let mut guard = fresh();
        for _ in 0..100_000 {
            assert!(guard.sent(&frame(DATA, 0, 1, 1)));
            guard.received(&frame(WINDOW_UPDATE, 0, 1, 4), Duration::ZERO).unwrap();
            guard.received(&frame(WINDOW_UPDATE, 0, 0, 4), Duration::ZERO).unwrap();
        }
    }

    #[test]
    fn the_rest_of_a_frame_is_of_the_message_too() {
        for (kind, is_message) in [(DATA, true), (HEADERS, true), (CONTINUATION, true), (PING, false)] {
            let mut guard = fresh();
            let sent = frame(kind, 0, 1, 100);
            let (first, rest) = sent.split_at(50);
            assert_eq!(
                (guard.sent(first), guard.sent(rest)),
                (is_message && kind != CONTINUATION, is_message)
            );
            assert!(!guard.sent(&frame(PING, 0, 0, 8)));
        }
    }

    #[test]
    fn pings_answer_messages_freely_and_nothing_else() {
        let limit = GuardLimits::default().pings as usize;
        for upstream in [false, true] {
            let new = || {
                if upstream {
                    let mut guard = FrameGuard::for_upstream(GuardLimits::default());
                    let _ = guard.sent(PREFACE);
                    guard
                } else {
                    fresh()
                }
            };
            let answered = |sent: Vec<u8>, cut: usize| {
                let mut guard = new();
                let (mut count, ping) = (0, frame(PING, 0, 0, 8));
                while count < 5_000 && guard.received(&ping, Duration::ZERO).is_ok() {
                    sent.chunks(cut).for_each(|piece| {
                        guard.sent(piece);
                    });
                    count += 1;
                }
                count
            };
            for kind in [DATA, HEADERS] {
                assert_eq!(
                    (answered(frame(kind, 0, 1, 5), 64), answered(frame(kind, 0, 1, 5), 4)),
                    (5_000, 5_000)
                );
            }
            // What answers PINGs themselves, or windows, are no messages.
            for kind in [PING, WINDOW_UPDATE, SETTINGS, RST_STREAM] {
                assert!(answered(frame(kind, ACK, 0, 8), 64) <= limit + 1, "{kind}");
            }
        }
    }

    #[test]
    fn a_field_section_has_a_start_and_few_pieces() {
        let mut guard = fresh();
        let now = Duration::from_secs(3);
        guard.received(&frame(HEADERS, 0, 1, 10), now).unwrap();
        assert_eq!(guard.section_since(), Some(now));
        let piece = || std::iter::repeat_with(|| frame(CONTINUATION, 0, 1, 10)).take(100);
        let limit = GuardLimits::default().continuations as usize;
        assert_eq!(passed(&mut guard, 4, piece()), (limit, Some(Violation::ContinuationFlood)));
        assert_eq!(guard.section_since(), Some(now), "the pieces do not begin it anew");
        guard.received(&frame(CONTINUATION, END_HEADERS, 1, 1), now).unwrap_err();
        assert_eq!(guard.section_since(), None);
    }
}
