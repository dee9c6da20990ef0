//! An answer that is the same for every request.

use bytes::Bytes;
use torana_filter::Response;
use torana_http::{InvalidField, ResponseHead};

/// An answer that is the same for every request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FixedAnswer {
    status: u16,
    fields: Vec<(String, String)>,
    body: Bytes,
}

impl FixedAnswer {
    /// With this status, fields that a plan has found valid, and body.
    #[must_use]
    pub const fn new(status: u16, fields: Vec<(String, String)>, body: Bytes) -> Self {
        Self { status, fields, body }
    }

    /// The status code.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// The fields.
    #[must_use]
    pub fn fields(&self) -> &[(String, String)] {
        &self.fields
    }

    /// The answer.
    ///
    /// # Errors
    /// A field of the configuration that is none; planning found that first.
    pub fn response(&self) -> Result<Response, InvalidField> {
        let mut head = ResponseHead::new(self.status);
        for (name, value) in &self.fields {
            head.fields.append(name.as_str(), value.as_bytes())?;
        }
        Ok(Response { head, body: self.body.clone() })
    }
}
