//! The nearest known word, for "did you mean".

/// The candidate with the fewest edits from `word`, if it is near enough to be a slip of the hand:
/// at most a third of the longer word's letters, and at least one edit is always allowed.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A word of many letters is compared with none: the comparison costs the product of the lengths.
    if word.len() > 64 {
        return None;
    }
    let lower = word.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(edits, candidate)| {
            let longer = word.chars().count().max(candidate.chars().count());
            *edits <= longer.div_ceil(3).max(1)
        })
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, candidate)| candidate)
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
        assert_eq!(did_you_mean("banana", known).unwrap(), "known here: `services`, `routes` and `listen`");
    }
}
