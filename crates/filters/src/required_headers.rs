//! Fields without which a request is not served.

use std::sync::Arc;
use torana_fault::{Fault, Reason};
use torana_filter::{Exchange, OnRequest, Outside, Verdict};
use torana_http::Fields;
use torana_plan::{RequiredHeadersPlan, RequiredValue};

/// Fields without which a request is not served.
#[derive(Clone, Debug)]
pub struct RequiredHeadersFilter {
    plan: Arc<RequiredHeadersPlan>,
}

impl RequiredHeadersFilter {
    /// Prepares the filter.
    #[must_use]
    pub fn prepare(plan: &Arc<RequiredHeadersPlan>) -> Self {
        Self { plan: Arc::clone(plan) }
    }

    /// What it asks for.
    #[must_use]
    pub fn describe(&self) -> String {
        let fields = self.plan.fields.iter().map(|(name, value)| match value {
            RequiredValue::Some => format!("`{name}`"),
            RequiredValue::Exact(exact) => format!("`{name}: {exact}`"),
            RequiredValue::Regex(regex) => format!("`{name}` like `{}`", regex.as_str()),
            RequiredValue::Absent => format!("no `{name}`"),
        });
        format!("the fields {}", fields.collect::<Vec<_>>().join(", "))
    }
}

/// A value that is asked for has to be the only one: services disagree which of several counts.
fn holds(fields: &Fields, name: &str, wanted: &RequiredValue) -> bool {
    let mut values = fields.get_all(name);
    let first = values.next();
    let more = values.next().is_some();
    match (wanted, first) {
        (RequiredValue::Absent, first) => first.is_none(),
        (RequiredValue::Some, Some(value)) => !value.is_empty() || more,
        (RequiredValue::Exact(exact), Some(value)) => !more && value == exact.as_bytes(),
        (RequiredValue::Regex(regex), Some(value)) => !more && regex.is_match(value),
        (_, None) => false,
    }
}

impl OnRequest for RequiredHeadersFilter {
    async fn on_request(&self, exchange: &mut Exchange, _: &dyn Outside) -> Verdict {
        let fields = &exchange.request.fields;
        match self.plan.fields.iter().find(|(name, wanted)| !holds(fields, name, wanted)) {
            None => Verdict::Continue,
            Some((name, _)) => {
                let detail = format!("the field {name} is not as it has to be");
                Verdict::Fail(Fault::new(Reason::HeaderNotAccepted).because(detail))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_as_asked_and_the_only_one() {
        let mut fields = Fields::default();
        fields.append("X-One", b"1").unwrap();
        fields.append("X-Two", b"1").unwrap();
        fields.append("x-two", b"2").unwrap();
        fields.append("X-Empty", b"").unwrap();
        let exact = |text: &str| RequiredValue::Exact(text.into());
        let regex = RequiredValue::Regex(torana_route::AnchoredRegex::parse("[0-9]").unwrap());
        for (name, wanted, yes) in [
            ("x-one", &RequiredValue::Some, true),
            ("X-ONE", &exact("1"), true),
            ("X-One", &exact("11"), false),
            ("X-One", &regex, true),
            ("X-Two", &RequiredValue::Some, true),
            ("X-Two", &exact("1"), false),
            ("X-Two", &regex, false),
            ("X-Empty", &RequiredValue::Some, false),
            ("X-Empty", &RequiredValue::Absent, false),
            ("X-None", &RequiredValue::Absent, true),
            ("X-None", &RequiredValue::Some, false),
            ("X-None", &exact(""), false),
        ] {
            assert_eq!(holds(&fields, name, wanted), yes, "{name} {wanted:?}");
        }
    }
}
