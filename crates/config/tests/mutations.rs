//! Deliberately broken files, made from the good ones: reading never panics, and a file that is not
//! accepted always says where.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests fail by panicking")]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "a small random generator"
)]

use torana_config::{FixedResolver, has_errors, json_schema, parse, plain, render};

const GOOD: [&str; 3] = [
    include_str!("../../../examples/seed.yaml"),
    include_str!("../../../examples/minimal.yaml"),
    include_str!("../../../examples/hosts.yaml"),
];
const SECRET: &str = "value-of-the-secret-reference";
const FILES: u64 = 1_500;

/// SplitMix64: a few lines, and the same numbers on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % bound.max(1) as u64) as usize
    }

    fn pick<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len())]
    }
}

fn replace_one(text: &str, from: &str, to: &str, random: &mut Random) -> String {
    let places: Vec<usize> = text.match_indices(from).map(|(at, _)| at).collect();
    if places.is_empty() {
        return text.to_owned();
    }
    let at = places[random.below(places.len())];
    format!("{}{to}{}", &text[..at], &text[at + from.len()..])
}

fn on_one_line(text: &str, random: &mut Random, change: impl Fn(&str) -> String) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let at = 2 + random.below(lines.len() - 2);
    let changed = lines
        .iter()
        .enumerate()
        .map(|(place, line)| if place == at { change(line) } else { (*line).to_owned() });
    changed.collect::<Vec<_>>().join("\n")
}

fn character_boundary(text: &str, random: &mut Random) -> usize {
    let mut at = random.below(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[expect(clippy::too_many_lines, reason = "a table: an arm a way to break a file")]
fn mutate(text: &str, random: &mut Random) -> String {
    match random.below(14) {
        0 => on_one_line(text, random, |_| String::new()),
        1 => on_one_line(text, random, |line| format!("{line}\n{line}")),
        2 => replace_one(
            text,
            random.pick(&["[http", "{ limit: 100/minute }", "30s", "9001", "off"]),
            random.pick(&["{ a: 1 }", "[[]]", "true", "1.5"]),
            random,
        ),
        3 => replace_one(
            text,
            random.pick(&[
                "services",
                "endpoints",
                "path:",
                "policies",
                "listen",
                "weight",
                "secret",
                "service:",
            ]),
            random.pick(&["servcies", "endpoint", "pth:", "polices", "lisen", "wieght", "x"]),
            random,
        ),
        4 => on_one_line(text, random, |line| format!("   {line}")),
        5 => on_one_line(text, random, |line| line.trim_start().to_owned()),
        6 => on_one_line(text, random, |line| format!("\t{line}")),
        7 => replace_one(
            text,
            random.pick(&["/minute", "30s", "5s", "KiB", "10MB", ":9001", "http://"]),
            random.pick(&["/fortnight", "30", "5 lightyears", "kilos", "-1", ":port", "gopher://"]),
            random,
        ),
        8 => text[..character_boundary(text, random)].to_owned(),
        9 => {
            let at = character_boundary(text, random);
            let junk = ["\u{0}", "\u{fffd}", "%", "@", "`", "\u{feff}", "é", "*a", "&a", "!!x", "|", ": :"];
            format!("{}{}{}", &text[..at], random.pick(&junk), &text[at..])
        }
        10 => replace_one(text, random.pick(&["\"", "[", "]", "{", "}", ":", ","]), "", random),
        11 => {
            let at = character_boundary(text, random);
            format!(
                "{}{}{}",
                &text[..at],
                random.pick(&["[", "{", "- ", "? ", "\""]).repeat(200),
                &text[at..]
            )
        }
        12 => replace_one(
            text,
            random.pick(&["${env:JWT_SECRET}", "weighted", "HS256", "human", "reject", "least_connections"]),
            random.pick(&["${env:NOT_THERE}", "${env:", "weightd", "none", "humn", "${what:ever}"]),
            random,
        ),
        _ => (0..3).fold(text.to_owned(), |text, _| {
            let at = character_boundary(&text, random);
            let end = (at + 1 + random.below(12)).min(text.len());
            let end = (end..=text.len()).find(|end| text.is_char_boundary(*end)).unwrap();
            format!("{}{}", &text[..at], &text[end..])
        }),
    }
}

#[test]
fn broken_files_never_panic_and_always_say_where() {
    let resolver = FixedResolver::default().with_environment("JWT_SECRET", SECRET);
    let mut random = Random(20_260_101);
    let (mut broken, mut valid) = (0, 0);
    for number in 0..FILES {
        let text = mutate(GOOD[number as usize % GOOD.len()], &mut random);
        let parsed = parse("mutant.yaml", &text, &resolver);
        let rendered = render(&parsed.findings, &parsed.source, number % 2 == 0);
        assert!(!rendered.contains(SECRET), "file {number} shows a secret:\n{text}");
        if let Some(document) = &parsed.document {
            assert!(!has_errors(&parsed.findings));
            assert!(!document.redacted().to_string().contains(SECRET));
            valid += 1;
            continue;
        }
        broken += 1;
        assert!(has_errors(&parsed.findings), "file {number} is refused without a finding:\n{text}");
        for finding in &parsed.findings {
            let span =
                finding.span.as_ref().unwrap_or_else(|| panic!("no place: {}\n{text}", plain(finding)));
            assert!(span.line <= text.lines().count().max(1) && span.end <= text.len(), "{span}\n{text}");
            assert!(text.is_char_boundary(span.start) && text.is_char_boundary(span.end));
            assert!(
                rendered.contains(&format!("mutant.yaml:{}:", span.line)),
                "{}\n{rendered}",
                plain(finding)
            );
            assert!(
                !finding.message.contains("the form that its schema describes"),
                "{}\n{text}",
                plain(finding)
            );
        }
    }
    assert!(broken >= 300, "only {broken} of {FILES} files were broken ({valid} were still valid)");
}

#[test]
fn bytes_without_meaning_never_panic() {
    let mut random = Random(7);
    for _ in 0..300 {
        let bytes: Vec<u8> = (0..random.below(200)).map(|_| random.below(256) as u8).collect();
        let text = String::from_utf8_lossy(&bytes);
        let parsed = parse("noise.yaml", &text, &FixedResolver::default());
        assert!(parsed.document.is_none() && parsed.findings.iter().all(|finding| finding.span.is_some()));
    }
}

#[test]
fn the_schema_names_every_top_level_key_of_the_examples() {
    let schema = json_schema();
    for key in GOOD.iter().flat_map(|text| text.lines()).filter_map(|line| line.split_once(':')) {
        let name = key.0;
        if !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') {
            assert!(schema["properties"].get(name).is_some(), "{name}");
        }
    }
}
