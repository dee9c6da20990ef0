//! Which fields of requests policies look for.

use super::{KeyPart, PolicyPlan, RateLimitPlan};

impl PolicyPlan {
    /// The fields by which it judges requests or counts them, but for those in which callers show who they are.
    #[must_use]
    pub fn judged_fields(&self) -> Vec<&str> {
        match self {
            Self::RequiredHeaders(plan) => plan.fields.iter().map(|(name, _)| &**name).collect(),
            Self::AllowIf(plan) => plan.fields().collect(),
            Self::RateLimit(plan) => counted(plan),
            _ => Vec::new(),
        }
    }
}

fn counted(plan: &RateLimitPlan) -> Vec<&str> {
    let mut fields: Vec<&str> = plan.cost.request_header.as_deref().into_iter().collect();
    for part in &plan.by {
        match part {
            KeyPart::Header(name) => fields.push(name),
            KeyPart::Expression(expression) => fields.extend(expression.fields()),
            _ => {}
        }
    }
    fields
}
