//! What fuzzers have found, again: each input that was kept is a test of the check that found it.

use std::path::Path;

/// The fewest inputs of a target; fewer mean that the folder is not the one that is meant.
const FEWEST: usize = 20;

/// Runs the check of a fuzz target on every input in `fuzz/corpus/TARGET` of this repository.
///
/// # Panics
/// The check panics on an input, which is then told, or there are hardly any inputs.
#[track_caller]
pub fn replay(target: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let mut count = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let input = std::fs::read(&path).unwrap();
        let outcome = std::panic::catch_unwind(|| check(&input));
        assert!(outcome.is_ok(), "{} fails: {:?}", path.display(), String::from_utf8_lossy(&input));
        count += 1;
    }
    assert!(count >= FEWEST, "{count} inputs in {}", folder.display());
}
