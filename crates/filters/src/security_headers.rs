//! What browsers are told to be careful about. What the service says about it stays, unless asked otherwise.

use std::sync::Arc;
use torana_filter::{Exchange, OnResponse, Verdict};
use torana_http::{Fields, Known, ResponseHead};
use torana_plan::SecurityHeadersPlan;

/// Fields that make browsers careful.
#[derive(Clone, Debug)]
pub struct SecurityHeadersFilter {
    plan: Arc<SecurityHeadersPlan>,
}

impl SecurityHeadersFilter {
    /// Prepares the filter.
    #[must_use]
    pub fn prepare(plan: &Arc<SecurityHeadersPlan>) -> Self {
        Self { plan: Arc::clone(plan) }
    }

    /// What it does; it asks for nothing.
    #[must_use]
    pub fn describe(&self) -> String {
        let mut names: Vec<&str> = self.plan.fields.iter().map(|(name, _)| name.as_str()).collect();
        if self.plan.transport.is_some() {
            names.insert(0, "Strict-Transport-Security over TLS");
        }
        let how = if self.plan.overwrite { "sets" } else { "adds, where they are missing," };
        format!("nothing; {how} {} on the answer", names.join(", "))
    }

    fn set(&self, fields: &mut Fields, name: &str, value: &str) {
        if self.plan.overwrite || !fields.contains(name) {
            // Names and values were checked with the configuration.
            let _ = fields.insert(name, value.as_bytes());
        }
    }
}

impl OnResponse for SecurityHeadersFilter {
    async fn on_response(&self, exchange: &mut Exchange, response: &mut ResponseHead) -> Verdict {
        let fields = &mut response.fields;
        for name in &self.plan.remove {
            fields.remove(name.as_str());
        }
        for (name, value) in &self.plan.fields {
            self.set(fields, name, value);
        }
        match &self.plan.transport {
            Some(value) if exchange.secure => {
                self.set(fields, Known::StrictTransportSecurity.as_str(), value);
            }
            // A field that came over an open connection is none (RFC 6797 section 8.1), and is not passed on.
            Some(_) if !exchange.secure => {
                fields.remove(Known::StrictTransportSecurity);
            }
            _ => {}
        }
        Verdict::Continue
    }
}
