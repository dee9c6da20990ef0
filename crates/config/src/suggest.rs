//! The nearest known word, for "did you mean".

/// The candidate with the fewest edits from `word`, if it is near enough to be a slip of the hand:
/// at most a third of the longer word's letters, and at least one edit is always allowed. A name of which the other is
/// whole words (`open` of `open_for`) is as near as one edit.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A word of many letters is compared with none: the comparison costs the product of the lengths.
    if word.len() > 64 {
        return None;
    }
    let lower = word.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| {
            let known = candidate.to_lowercase();
            let edits = strsim::damerau_levenshtein(&lower, &known);
            (if are_words_of(&lower, &known) { edits.min(1) } else { edits }, candidate)
        })
        .filter(|(edits, candidate)| {
            let longer = word.chars().count().max(candidate.chars().count());
            *edits <= longer.div_ceil(3).max(1)
        })
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, candidate)| candidate)
}

/// Whether all words of one of the two are words of the other.
fn are_words_of(one: &str, other: &str) -> bool {
    let within =
        |few: &str, many: &str| few.split('_').all(|word| many.split('_').any(|known| known == word));
    within(one, other) || within(other, one)
}

/// `did you mean ...?` for the nearest candidate, else a list of all when they are few.
#[must_use]
pub fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let candidates: Vec<&str> = candidates.into_iter().collect();
    match nearest(word, candidates.iter().copied()) {
        Some(near) => Some(format!("did you mean `{near}`?")),
        None if candidates.is_empty() || candidates.len() > 24 => None,
        None => Some(format!("known here: {}", list(&candidates))),
    }
}

/// `` `a`, `b` and `c` ``.
pub(crate) fn list(words: &[&str]) -> String {
    match words.split_last() {
        None => String::new(),
        Some((last, [])) => format!("`{last}`"),
        Some((last, first)) => {
            let first: Vec<String> = first.iter().map(|word| format!("`{word}`")).collect();
            format!("{} and `{last}`", first.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_slips_and_leaves_other_words_alone() {
        let known = ["services", "routes", "listen"];
        assert_eq!(nearest("routs", known), Some("routes"));
        assert_eq!(nearest("LISTEN", known), Some("listen"));
        assert_eq!(nearest("lsiten", known), Some("listen"));
        assert_eq!(nearest("banana", known), None);
        let known = ["failures", "window", "open_for", "on"];
        assert_eq!(nearest("open", known), Some("open_for"));
        assert_eq!(nearest("consecutive_failures", known), Some("failures"));
        assert_eq!(nearest("windwo", known), Some("window"));
        let known = ["services", "routes", "listen"];
        assert_eq!(did_you_mean("banana", known).unwrap(), "known here: `services`, `routes` and `listen`");
    }
}
