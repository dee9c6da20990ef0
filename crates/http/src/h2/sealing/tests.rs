use super::super::frames::{DATA, END_STREAM, PADDED, PRIORITY, RST_STREAM};
use super::super::representations::representation;
use super::super::{FrameGuard, GuardLimits, PREFACE};
use super::*;
use proptest::prelude::*;
use std::time::Duration;

const SEAL: u64 = 0x0123_4567_89ab_cdef;
const MARK: &[u8] = b"\x0f\x14\x10fedcba9876543210";
const SUM: &[u8] = b"\x40\x05x-sum\x011";

fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
    bytes.extend_from_slice(&[kind, flags, 0, 0, 0, stream]);
    bytes.extend_from_slice(payload);
    bytes
}

fn trailers(payload: &[u8]) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, 1, payload)
}

fn guard(answers: bool) -> FrameGuard {
    if answers {
        let mut guard = FrameGuard::for_upstream(GuardLimits::default());
        guard.sent(
            &[&PREFACE[..], &frame(HEADERS, END_HEADERS, 1, b"\x83"), &frame(HEADERS, 5, 3, b"\x82")]
                .concat(),
        );
        guard
    } else {
        let mut guard = FrameGuard::for_client(GuardLimits::default());
        guard.received(PREFACE, Duration::ZERO).unwrap();
        guard
    }
}

/// What the library reads of these pieces.
fn passed<'p>(answers: bool, pieces: impl Iterator<Item = &'p [u8]>) -> Vec<u8> {
    let (mut guard, mut sealing) = (guard(answers), Sealing::new(Seal::new(SEAL)));
    let mut read = Vec::new();
    for piece in pieces {
        let _ = guard.received(piece, Duration::ZERO);
        let untouched = sealing.untouched(piece, guard.sections(), guard.cut());
        read.extend_from_slice(&piece[..untouched]);
        sealing.take(piece, untouched, guard.sections(), guard.cut());
        read.extend_from_slice(sealing.ready());
        sealing.consume(sealing.ready().len());
    }
    sealing.end();
    read.extend_from_slice(sealing.ready());
    read
}

fn whole(answers: bool, bytes: &[u8]) -> Vec<u8> {
    let at_once = passed(answers, std::iter::once(bytes));
    assert_eq!(passed(answers, bytes.chunks(1)), at_once, "byte by byte");
    at_once
}

/// A request whose trailers are this section.
fn asked(section: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let head = frame(HEADERS, END_HEADERS, 1, b"\x83\x84\x86");
    let before = [head, frame(DATA, 0, 1, b"abc")].concat();
    let read = whole(false, &[&before, section].concat());
    let rest = read.strip_prefix(&before[..]).unwrap().to_vec();
    (read, rest)
}

fn sealed(fields: &[u8]) -> Vec<u8> {
    trailers(&[MARK, fields, MARK].concat())
}

#[test]
fn the_fields_of_trailers_are_enclosed_and_nothing_else_of_them_is_kept() {
    let padded = [&[3][..], SUM, b"\0\0\0"].concat();
    let both = [&[3, 0, 0, 0, 0, 9][..], SUM, b"\0\0\0"].concat();
    let ends = END_HEADERS | END_STREAM;
    for section in [
        trailers(SUM),
        frame(HEADERS, ends | PADDED, 1, &padded),
        frame(HEADERS, ends | PADDED | PRIORITY, 1, &both),
        frame(HEADERS, ends | PRIORITY, 1, &both[1..][..5 + SUM.len()]),
        [frame(HEADERS, END_STREAM, 1, &SUM[..5]), frame(CONTINUATION, END_HEADERS, 1, &SUM[5..])].concat(),
        [
            frame(HEADERS, END_STREAM, 1, b""),
            frame(CONTINUATION, 0, 1, SUM),
            frame(CONTINUATION, END_HEADERS, 1, b""),
        ]
        .concat(),
    ] {
        assert_eq!(asked(&section).1, sealed(SUM), "{section:x?}");
    }
    assert_eq!(asked(&trailers(b"")).1, sealed(b""));
    let open = frame(HEADERS, END_HEADERS, 1, SUM);
    assert_eq!(asked(&open).1, frame(HEADERS, END_HEADERS, 1, &[MARK, SUM, MARK].concat()));
    let updates = &b"\x20\x3f\xe1\x1f"[..];
    let expected = trailers(&[updates, MARK, SUM, MARK].concat());
    assert_eq!(asked(&trailers(&[updates, SUM].concat())).1, expected);
    let later = [
        frame(HEADERS, END_STREAM, 1, &updates[..2]),
        frame(CONTINUATION, END_HEADERS, 1, &[&updates[2..], SUM].concat()),
    ];
    assert_eq!(asked(&later.concat()).1, expected);
}

#[test]
fn what_is_no_section_of_trailers_stays_as_it_is() {
    let ends = END_HEADERS | END_STREAM;
    for frames in [
        // Padding that is longer than the frame, no room for padding or priority.
        frame(HEADERS, ends | PADDED, 1, b"\x05abc"),
        frame(HEADERS, ends | PADDED, 1, b""),
        frame(HEADERS, ends | PRIORITY, 1, b"\0\0\0"),
        // A field that would go on in what follows it.
        trailers(b"\x40\x05x-sum\x141"),
        trailers(b"\x0f"),
        // Not what must follow.
        [frame(HEADERS, END_STREAM, 1, SUM), frame(DATA, 0, 1, b"x"), trailers(SUM)].concat()[..34].to_vec(),
        [frame(HEADERS, END_STREAM, 1, SUM), frame(CONTINUATION, END_HEADERS, 3, b"")].concat(),
        frame(HEADERS, ends, 1, &[0; LARGEST_FRAME + 1]),
        trailers(SUM)[..12].to_vec(),
        trailers(SUM)[..7].to_vec(),
        // On a stream that was cancelled, that has ended, or that has not begun.
        [frame(RST_STREAM, 0, 1, &[0, 0, 0, 8]), trailers(SUM)].concat(),
        [frame(DATA, END_STREAM, 1, b""), trailers(SUM)].concat(),
        frame(HEADERS, ends, 3, SUM),
    ] {
        assert_eq!(asked(&frames).1, frames, "{frames:x?}");
    }
}

#[test]
fn on_a_stream_that_we_have_reset_nothing_is_sealed() {
    let mut guard = guard(false);
    guard.received(&frame(HEADERS, END_HEADERS, 1, b"\x83"), Duration::ZERO).unwrap();
    guard.received(&trailers(SUM)[..9], Duration::ZERO).unwrap();
    assert_eq!(guard.sections(), [Section { at: 9, is_trailers: true }]);
    guard.received(&trailers(SUM)[9..], Duration::ZERO).unwrap();
    guard.received(&frame(HEADERS, END_HEADERS, 3, b"\x83"), Duration::ZERO).unwrap();
    guard.sent(&frame(RST_STREAM, 0, 3, &[0; 4]));
    guard.received(&frame(HEADERS, 5, 3, SUM), Duration::ZERO).unwrap();
    assert!(guard.sections().is_empty() && guard.cut() == 0);
}

#[test]
fn of_answers_what_is_behind_a_final_head_or_data_is_trailers() {
    let (last, interim) =
        (frame(HEADERS, END_HEADERS, 1, b"\x88"), frame(HEADERS, END_HEADERS, 1, b"\x48\x03103"));
    let unknown = frame(HEADERS, END_HEADERS, 1, b"\xbe");
    let padded = frame(HEADERS, END_HEADERS | PADDED, 1, b"\x02\x20\x89\0\0");
    let padding = frame(HEADERS, END_HEADERS | PADDED, 1, b"\x01\x88");
    let data = frame(DATA, 0, 1, b"x");
    let nothing = Vec::new();
    for (before, is_sealed) in [
        ([&last, &nothing, &nothing], true),
        ([&padded, &nothing, &nothing], true),
        ([&interim, &last, &data], true),
        ([&unknown, &data, &nothing], true),
        ([&interim, &nothing, &nothing], false),
        ([&unknown, &nothing, &nothing], false),
        ([&padding, &nothing, &nothing], false),
        ([&nothing, &nothing, &nothing], false),
    ] {
        let before = before.into_iter().flatten().copied().collect::<Vec<_>>();
        let read = whole(true, &[&before[..], &trailers(SUM)].concat());
        let expected = if is_sealed { sealed(SUM) } else { trailers(SUM) };
        assert_eq!(read, [before.clone(), expected].concat(), "{before:x?}");
    }
}

#[test]
fn a_head_in_pieces_becomes_one_of_whole_fields() {
    let head = &b"\x20\x83\x84\x86\x40\x05x-sum\x011"[..];
    for (answers, stream) in [(false, 1), (true, 1)] {
        for (ends, behind) in [(END_STREAM, frame(6, 0, 0, &[0; 8])), (0, frame(DATA, 0, stream, b"abc"))] {
            for cut in 0..=head.len() {
                let pieces = [
                    frame(HEADERS, ends, stream, &head[..cut]),
                    frame(CONTINUATION, 0, stream, b""),
                    frame(CONTINUATION, END_HEADERS, stream, &head[cut..]),
                ];
                let expected = [frame(HEADERS, ends | END_HEADERS, stream, head), behind.clone()].concat();
                assert_eq!(whole(answers, &[&pieces.concat()[..], &behind].concat()), expected);
            }
        }
    }
    // What would be too many frames has a field before its pseudo-fields.
    let fields: Vec<u8> = (0..10).flat_map(|_| field(8_500)).collect();
    let pieces = pieces(&whole(false, &in_pieces(&fields)));
    assert_eq!(pieces.concat(), [MARK, &fields].concat());
    assert!(pieces.len() <= 7);
    // And what is cut at its end is the library's to refuse.
    let cut = [frame(HEADERS, 0, 1, b"\x83"), frame(CONTINUATION, END_HEADERS, 1, b"\x40\x05x")].concat();
    assert_eq!(whole(false, &cut), cut);
}

/// The frames of a section, as the library would read them: what each adds, of which none ends within a field but what
/// begins with it.
fn pieces(mut frames: &[u8]) -> Vec<Vec<u8>> {
    let mut pieces = Vec::new();
    while let Some((header, rest)) = FrameHeader::read(frames) {
        assert_eq!(header.kind, if pieces.is_empty() { HEADERS } else { CONTINUATION });
        let (payload, rest) = rest.split_at(header.length as usize);
        assert!(payload.len() <= LARGEST_FRAME && (header.flags & END_HEADERS != 0) == rest.is_empty());
        pieces.push(payload.to_vec());
        frames = rest;
    }
    pieces
}

fn field(length: usize) -> Vec<u8> {
    let mut rest = length - 127;
    let mut bytes = b"\0\x05x-far\x7f".to_vec();
    while rest >= 128 {
        bytes.push(u8::try_from(rest % 128 + 128).unwrap());
        rest /= 128;
    }
    bytes.push(u8::try_from(rest).unwrap());
    bytes.resize(bytes.len() + length, b'x');
    bytes
}

fn in_pieces(fields: &[u8]) -> Vec<u8> {
    let mut frames = Vec::new();
    let count = fields.chunks(LARGEST_FRAME).len();
    for (number, piece) in fields.chunks(LARGEST_FRAME).enumerate() {
        let (kind, flags) = if number == 0 { (HEADERS, END_STREAM) } else { (CONTINUATION, 0) };
        let flags = if number + 1 == count { flags | END_HEADERS } else { flags };
        frames.extend(frame(kind, flags, 1, piece));
    }
    frames
}

#[test]
fn what_is_larger_than_a_frame_is_cut_between_its_fields() {
    for sizes in
        [&[9_000, 9_000, 9_000][..], &[16_300, 200], &[40_000, 200, 200], &[200, 40_000], &[16_376, 200]]
    {
        let fields: Vec<u8> = sizes.iter().flat_map(|size| field(*size)).collect();
        let pieces = pieces(&asked(&in_pieces(&fields)).1);
        assert_eq!(pieces.concat(), [MARK, &fields, MARK].concat(), "{sizes:?}");
        let mut within = 0_usize;
        for piece in &pieces {
            let mut at = within.min(piece.len());
            within -= at;
            while at < piece.len() {
                let length = representation(&piece[at..]).unwrap_or_else(|| {
                    assert_eq!(at, 0, "{sizes:?}: what begins behind others is whole");
                    representation(&field(40_000)).unwrap()
                });
                within = (at + length).saturating_sub(piece.len());
                at += length;
            }
        }
    }
}

#[test]
fn what_is_behind_a_field_larger_than_a_frame_fills_its_last_frame() {
    let fields: Vec<u8> = [16_500, 16_500, 16_500, 200].into_iter().flat_map(field).collect();
    let pieces = pieces(&asked(&in_pieces(&fields)).1);
    assert_eq!(pieces.concat(), [MARK, &fields, MARK].concat(), "none is cut off");
    assert!(pieces.len() <= 7, "{}", pieces.len());
}

#[test]
fn what_would_be_too_many_frames_lacks_its_end() {
    let fields: Vec<u8> = (0..10).flat_map(|_| field(8_500)).collect();
    let pieces = pieces(&asked(&in_pieces(&fields)).1);
    assert_eq!(pieces.concat(), [MARK, &fields].concat());
    assert!(pieces.len() <= 7);
    let most: Vec<u8> = (0..6).flat_map(|_| field(LARGEST_FRAME - 10)).collect();
    assert_eq!(most.len(), 6 * LARGEST_FRAME);
    assert!(self::pieces(&asked(&in_pieces(&most)).1).len() <= 8);
}

proptest! {
    #[test]
    fn however_the_bytes_are_cut_the_same_is_read(
        frames in prop::collection::vec((
            prop::sample::select(vec![DATA, HEADERS, HEADERS, HEADERS, CONTINUATION, CONTINUATION, RST_STREAM, 6]),
            any::<u8>(), 0_u8..8, prop::collection::vec(prop::sample::select(vec![0, 1, 0x20, 0x40, 0x82, 0x88, 0xbe]), 0..40),
        ), 0..24),
        cuts in prop::collection::vec(1_usize..60, 1..40),
        answers: bool,
    ) {
        let bytes: Vec<u8> = frames
            .iter()
            .flat_map(|(kind, flags, stream, payload)| frame(*kind, *flags, *stream, payload))
            .collect();
        let at_once = passed(answers, std::iter::once(&bytes[..]));
        let mut rest = &bytes[..];
        let pieces = cuts.iter().cycle().map_while(|cut| {
            let (piece, left) = rest.split_at((*cut).min(rest.len()));
            rest = left;
            (!piece.is_empty()).then_some(piece)
        });
        prop_assert_eq!(&passed(answers, pieces), &at_once);
        let sections = frames.iter().filter(|(kind, ..)| *kind == HEADERS).count();
        prop_assert!(at_once.len() <= bytes.len() + sections * 2 * MARK.len());
    }

    #[test]
    fn bytes_without_trailers_stay_as_they_are(
        frames in prop::collection::vec((
            prop::sample::select(vec![DATA, HEADERS, RST_STREAM, 6]),
            any::<u8>(), 0_u8..120, prop::collection::vec(any::<u8>(), 0..40),
        ), 0..24),
        cut in 1_usize..40,
    ) {
        // Each of its own stream.
        let bytes: Vec<u8> = (1_u8..).step_by(2).zip(&frames).flat_map(|(stream, (kind, flags, _, payload))| frame(*kind, *flags, stream, payload)).collect();
        prop_assert_eq!(passed(false, bytes.chunks(cut)), bytes);
    }
}
