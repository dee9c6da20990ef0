//! Numbers of things in sentences.

/// `1 route`, `2 routes`: a number with its regular English noun.
///
/// ```
/// assert_eq!(torana_types::counted(1, "route"), "1 route");
/// assert_eq!(torana_types::counted(0_u8, "entry"), "0 entries");
/// assert_eq!(torana_types::counted(2_u64, "retry budget"), "2 retry budgets");
/// ```
#[must_use]
pub fn counted<N: Copy + TryInto<u64> + std::fmt::Display>(number: N, noun: &str) -> String {
    let one = matches!(number.try_into(), Ok(1));
    let vowel_before_y = |stem: &str| stem.ends_with(['a', 'e', 'o', 'u']);
    match noun.strip_suffix('y') {
        _ if one => format!("{number} {noun}"),
        Some(stem) if !vowel_before_y(stem) => format!("{number} {stem}ies"),
        _ => format!("{number} {noun}s"),
    }
}
