//! Names of parameters that services take for one another.

/// Whether a service may take a parameter's name, decoded, for the wanted one: it is that one; or in another case (ASP.NET);
/// with `.`, a space or `[` for `_`, behind spaces, or before a NUL (PHP); with brackets behind it, as lists are written (PHP,
/// Rails, qs); or with whatever brackets between the same words (Rack). No allocation.
#[must_use]
pub fn is_alike_parameter(name: &[u8], wanted: &str) -> bool {
    let wanted = wanted.as_bytes();
    let trimmed = name.trim_ascii_start();
    is_taken_for(name, wanted) || is_taken_for(trimmed, wanted) || has_words_of(trimmed, wanted)
}

/// Whether it begins so, and nothing counts that stands behind.
fn is_taken_for(name: &[u8], wanted: &[u8]) -> bool {
    let Some((start, rest)) = name.split_at_checked(wanted.len()) else { return false };
    is_same(start, wanted) && (matches!(rest.first(), Some(0 | b'[')) || rest.trim_ascii().is_empty())
}

/// Whether the words between the brackets begin with those of the other: Rack 1 and 2 ask for no more than one bracket of
/// either kind between two, and for none in front and behind.
fn has_words_of(name: &[u8], wanted: &[u8]) -> bool {
    fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
        text.split(|byte| matches!(byte, b'[' | b']')).filter(|word| !word.is_empty())
    }
    let mut own = words(name);
    words(wanted).next().is_some()
        && words(wanted).all(|word| own.next().is_some_and(|own| is_same(own, word)))
}

fn is_same(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(one, other)| folded(*one) == folded(*other))
}

const fn folded(byte: u8) -> u8 {
    match byte {
        b'.' | b' ' | b'[' => b'_',
        other => other.to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::is_alike_parameter;

    #[test]
    fn names_that_services_take_for_one_another_are_alike() {
        for (name, wanted, alike) in [
            ("tenant_id", "tenant_id", true),
            ("Tenant_ID", "tenant_id", true),
            ("tenant.id", "tenant_id", true),
            ("tenant id", "tenant_id", true),
            ("tenant[id", "tenant_id", true),
            ("tenant_id", "tenant.id", true),
            (" \ttenant_id", "tenant_id", true),
            ("tenant_id ", "tenant_id", true),
            ("tenant_id\0x", "tenant_id", true),
            ("tenant_id[]", "tenant_id", true),
            ("tenant_id[0][x]", "tenant_id", true),
            ("[tenant_id]", "tenant_id", true),
            ("[tenant_id][]", "tenant_id", true),
            ("tenant_id]", "tenant_id", true),
            ("[tenant_id", "tenant_id", true),
            ("]tenant_id", "tenant_id", true),
            (" [[Tenant_ID]]", "tenant_id", true),
            ("][tenant_id]x", "tenant_id", true),
            ("filter][name]", "filter[name]", true),
            ("[filter]name", "filter[name]", true),
            ("filter[[name", "filter[name]", true),
            ("filter[name]", "filter[name]", true),
            ("filter[name][]", "Filter[Name]", true),
            ("x ", "x_", true),
            (" x", " x", true),
            ("tenant_ids", "tenant_id", false),
            ("tenant_i", "tenant_id", false),
            ("tenant-id", "tenant_id", false),
            ("tenantid", "tenant_id", false),
            ("tenant[id]", "tenant_id", false),
            ("[]", "[]", true),
            ("[x", "[]", false),
            ("filter[other]", "filter[name]", false),
            ("filter", "filter[name]", false),
            ("x tenant_id", "tenant_id", false),
            ("", "a", false),
            ("\0", "a", false),
        ] {
            assert_eq!(is_alike_parameter(name.as_bytes(), wanted), alike, "{name:?} {wanted}");
        }
    }
}
