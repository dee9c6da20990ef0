//! Names of parameters that services take for one another.

/// Whether a service may take a parameter's name, decoded, for the wanted one: it is that one; or in another case (ASP.NET);
/// with `.`, a space or `[` for `_`, behind spaces, or before a NUL (PHP); or with brackets behind it or around it, as
/// lists are written (PHP, Rails, qs). No allocation.
#[must_use]
pub fn is_alike_parameter(name: &[u8], wanted: &str) -> bool {
    let wanted = wanted.as_bytes();
    let begins = |name: &[u8]| {
        let rest = name.split_at_checked(wanted.len());
        rest.filter(|(start, _)| start.iter().zip(wanted).all(|(one, other)| folded(*one) == folded(*other)))
            .map_or(Rest::Other, |(_, rest)| Rest::of(rest))
    };
    let is = |name: &[u8]| matches!(begins(name), Rest::Nothing | Rest::Bracket);
    let trimmed = name.trim_ascii_start();
    is(name) || is(trimmed) || trimmed.strip_prefix(b"[").is_some_and(|inner| begins(inner) == Rest::End)
}

/// What stands behind the wanted name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rest {
    Nothing,
    /// `[…`
    Bracket,
    /// `]…`
    End,
    Other,
}

impl Rest {
    fn of(rest: &[u8]) -> Self {
        match rest.first() {
            None | Some(0) => Self::Nothing,
            Some(b'[') => Self::Bracket,
            Some(b']') => Self::End,
            Some(_) if rest.trim_ascii().is_empty() => Self::Nothing,
            Some(_) => Self::Other,
        }
    }
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
            ("filter[name]", "filter[name]", true),
            ("filter[name][]", "Filter[Name]", true),
            ("x ", "x_", true),
            (" x", " x", true),
            ("tenant_ids", "tenant_id", false),
            ("tenant_i", "tenant_id", false),
            ("tenant-id", "tenant_id", false),
            ("tenantid", "tenant_id", false),
            ("tenant_id]", "tenant_id", false),
            ("[tenant_id", "tenant_id", false),
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
