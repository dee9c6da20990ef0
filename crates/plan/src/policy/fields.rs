//! Which fields of requests policies write, and which they look for.

use std::slice;

use torana_config::written::AclGroups;

use super::{AclPlan, KeyPart, PolicyPlan, RateLimitPlan};
use crate::reserved::GROUP_FIELDS;

impl PolicyPlan {
    /// The fields by which it tells services who calls: nobody else may send them.
    #[must_use]
    pub fn identity_fields(&self) -> Vec<&str> {
        match self {
            Self::Authentication(way) => way.identity_fields().collect(),
            Self::Acl(plan) => groups(plan).to_vec(),
            _ => Vec::new(),
        }
    }

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

fn groups(plan: &AclPlan) -> &'static [&'static str] {
    let [own, vouched] = &GROUP_FIELDS;
    match plan.groups {
        _ if !plan.send_groups => &[],
        AclGroups::Consumer => slice::from_ref(own),
        AclGroups::Authenticated => slice::from_ref(vouched),
        AclGroups::Both | AclGroups::ConsumerElseAuthenticated | AclGroups::AuthenticatedElseConsumer => {
            &GROUP_FIELDS
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
