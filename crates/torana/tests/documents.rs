//! Every example in the documents works: files are good, commands succeed, links lead somewhere.
#![allow(clippy::panic, reason = "tests fail by panicking")]

mod process;

use process::{Process, torana};
use std::path::{Path, PathBuf};
use std::process::Command;
use torana_testkit::Authority;

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn documents() -> Vec<(PathBuf, String)> {
    let mut paths = vec![root().join("README.md"), root().join("ARCHITECTURE.md")];
    for folder in ["docs", "docs/filters", "docs/reference"] {
        let folder = std::fs::read_dir(root().join(folder)).expect(folder);
        paths.extend(folder.map(|entry| entry.expect("an entry").path()));
    }
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).expect("text");
        (path, text)
    };
    paths.into_iter().filter(|path| path.extension().is_some_and(|kind| kind == "md")).map(read).collect()
}

/// The blocks of one language.
fn blocks<'t>(text: &'t str, language: &str) -> Vec<&'t str> {
    let fence = format!("```{language}\n");
    text.split(&fence).skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

/// The names of warnings: each stands above what it says.
fn warnings(said: &str) -> impl Iterator<Item = &str> {
    let below = said.lines().skip(2);
    said.lines().zip(below).filter(|(_, below)| below.trim_start().starts_with('⚠')).map(|(name, _)| name)
}

#[test]
fn every_configuration_is_good() {
    let folder = tempfile::tempdir().expect("a folder");
    // The certificates that examples name.
    let certificates = folder.path().join("certs");
    std::fs::create_dir(&certificates).expect("a folder");
    let authority = Authority::default();
    std::fs::write(certificates.join("ca.pem"), &authority.pem).expect("written");
    authority.issue(&["site.example"]).write(&certificates, "site");
    authority.issue(&["other.example"]).write(&certificates, "other");
    let mut count = 0;
    for (path, text) in documents() {
        for block in blocks(&text, "yaml") {
            count += 1;
            let file = folder.path().join("example.yaml");
            std::fs::write(&file, block).expect("written");
            let checked = torana().arg("check").arg(&file).output().expect("torana runs");
            let said = String::from_utf8_lossy(&checked.stderr).into_owned();
            assert!(checked.status.success(), "{}:\n{block}\n{said}", path.display());
            // Whoever copies an example shall not be warned, but for secrets that nothing else could stand for.
            let codes = warnings(&said);
            let known = [
                ("hmac_auth.md", "weak-signatures"), // Kong's own options, which the page calls weak.
                ("limits.md", "limit-without-consumer"),
            ];
            for code in codes.filter(|code| *code != "secret-in-clear") {
                let told = known.iter().any(|(page, own)| path.ends_with(page) && *own == code);
                assert!(told, "{}: {code}\n{block}\n{said}", path.display());
            }
        }
    }
    assert!(count >= 8, "{count} examples");
}

/// The keys that are named in the last column of a page's tables: `key: value`, or one of `{ key, key }`.
fn keys_in_tables(text: &str) -> Vec<&str> {
    let cells = text.lines().filter_map(|line| line.strip_suffix(" |")?.rsplit(" | ").next());
    let code = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    let is_part = |one: char| one.is_ascii_lowercase() || one == '_';
    let keys = code.flat_map(move |code| {
        let begins = code.match_indices("{ ").chain(code.match_indices(", "));
        let words = std::iter::once(0).chain(begins.map(|(at, _)| at.saturating_add(2)));
        words.filter_map(move |at| {
            let rest = code.get(at..)?;
            let (word, behind) = rest.split_at(rest.find(|one| !is_part(one)).unwrap_or(rest.len()));
            let is_key =
                behind.starts_with(": ") || at > 0 && [",", " }"].iter().any(|end| behind.starts_with(end));
            is_key.then_some(word)
        })
    });
    keys.filter(|key| !key.is_empty()).collect()
}

#[test]
fn what_stands_for_parts_of_other_gateways_is_there() {
    let schema = std::fs::read_to_string(root().join("schema/torana.schema.json")).expect("the schema");
    let page = std::fs::read_to_string(root().join("docs/migrating.md")).expect("the page");
    let keys = keys_in_tables(&page);
    assert!(keys.len() > 50 && keys.contains(&"strip_prefix"), "{keys:?}");
    for key in keys {
        assert!(schema.contains(&format!("\"{key}\": {{")), "`{key}` is no key of the configuration");
    }
}

/// A request that a page shows is served by the example above it.
#[test]
fn every_request_is_served() {
    const GATEWAY: &str = "https://gateway.example";
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("example.yaml");
    let mut count = 0;
    for (path, text) in documents() {
        for (place, _) in text.match_indices("```sh\n") {
            let (above, below) = text.split_at(place);
            let shown = blocks(below, "sh").first().copied().unwrap_or_default();
            let mut lines = shown.lines().filter(|line| line.contains(GATEWAY)).peekable();
            if lines.peek().is_none() {
                continue;
            }
            let example = blocks(above, "yaml").pop().unwrap_or_else(|| panic!("{}", path.display()));
            std::fs::write(&file, example).expect("written");
            let gateway = Process::run(&file);
            for line in lines {
                count += 1;
                let line = line.replace(GATEWAY, &format!("http://{}", gateway.address));
                let line = line.replacen("curl ", "curl --silent --show-error --fail --max-time 30 ", 1);
                let done = Command::new("sh").args(["-c", &line]).output().expect("sh runs");
                let said = String::from_utf8_lossy(&done.stderr).into_owned();
                assert!(done.status.success(), "{}: {line}\n{said}", path.display());
            }
        }
    }
    assert!(count >= 1, "{count} requests");
}

#[test]
fn every_command_succeeds() {
    let mut count = 0;
    for (path, text) in documents() {
        let lines = blocks(&text, "console").into_iter().flat_map(str::lines);
        for line in lines.filter_map(|line| line.strip_prefix("$ torana ")) {
            count += 1;
            let words = line.split_ascii_whitespace();
            let done = torana().args(words).current_dir(root()).output().expect("torana runs");
            let said = String::from_utf8_lossy(&done.stderr).into_owned();
            // That a request would be refused, or that another service decides, is an explanation too.
            let explained = line.starts_with("explain ") && matches!(done.status.code(), Some(3..=5));
            assert!(done.status.success() || explained, "{}: {line}\n{said}", path.display());
        }
    }
    assert!(count >= 4, "{count} commands");
}

/// What a page has installed is this program.
#[test]
fn what_is_installed_is_torana() {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("the page");
    let folder = blocks(&readme, "sh").into_iter().flat_map(str::lines).find_map(|line| {
        line.strip_prefix("cargo install ")?.split_once("--path ")?.1.split_ascii_whitespace().next()
    });
    let manifest = root().join(folder.expect("a line that installs")).join("Cargo.toml");
    assert_eq!(
        manifest.canonicalize().expect("it is there"),
        Path::new(env!("CARGO_MANIFEST_PATH")).canonicalize().expect("it is there")
    );
    assert_eq!(Path::new(env!("CARGO_BIN_EXE_torana")).file_stem().expect("a name"), "torana");
}

#[test]
fn every_link_and_named_file_is_there() {
    for (path, text) in documents() {
        let folder = path.parent().expect("a folder");
        let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for link in links.filter(|link| !link.starts_with("http")) {
            let file = link.split('#').next().unwrap_or_default();
            assert!(file.is_empty() || folder.join(file).exists(), "{}: {link}", path.display());
        }
        for named in text.split('`').filter(|word| word.ends_with(".rs") && !word.contains(' ')) {
            let places = [root().join(named), root().join("crates").join(named)];
            let beside_proxy = root().join("crates/proxy/src").join(named);
            assert!(
                places.iter().any(|place| place.exists()) || beside_proxy.exists(),
                "{}: {named}",
                path.display()
            );
        }
    }
}

/// What a heading is called in a link: small letters, digits, and hyphens in place of blanks.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'));
    kept.collect::<String>().trim().to_lowercase().replace(' ', "-")
}

fn headings(text: &str) -> Vec<&str> {
    let prose = text.split("```").step_by(2).flat_map(str::lines);
    prose.filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim()).collect()
}

#[test]
fn every_link_into_a_document_meets_a_heading() {
    for (path, text) in documents() {
        let folder = path.parent().expect("a folder");
        let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for (file, heading) in
            links.filter(|link| !link.starts_with("http")).filter_map(|link| link.split_once('#'))
        {
            let other = (!file.is_empty()).then(|| std::fs::read_to_string(folder.join(file)).expect(file));
            let known =
                headings(other.as_ref().unwrap_or(&text)).into_iter().any(|known| anchor(known) == heading);
            assert!(known, "{}: {file}#{heading}", path.display());
        }
    }
}

#[test]
fn nothing_is_said_twice_in_a_document() {
    for (path, text) in documents() {
        let mut said = std::collections::HashSet::new();
        let prose = text.split("```").step_by(2).flat_map(str::lines);
        for line in prose.filter(|line| line.len() > 80 && !line.starts_with('|')) {
            assert!(said.insert(line), "{}: {line}", path.display());
        }
        let mut sections = headings(&text);
        let count = sections.len();
        sections.sort_unstable();
        sections.dedup();
        assert!(
            sections.len() == count || path.ends_with("reference/configuration.md"),
            "{}",
            path.display()
        );
    }
}
