//! `sigv4`: callers sign their requests as AWS clients do.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use torana_types::{ByteSize, TimeSpan};

use super::Replay;

/// Callers sign requests with AWS Signature Version 4 and an access key of a consumer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SigV4Config {
    /// Regions that a signature may be for; any when empty.
    pub regions: Vec<String>,
    /// Services that a signature may be for; any when empty.
    pub services: Vec<String>,
    /// How signers bring the path into its form.
    pub path: SigV4Path,
    /// How far the date of a request may be from now.
    pub clock_skew: TimeSpan,
    /// Whether a signature may stand in the query (presigned).
    pub presigned: bool,
    /// The longest life that a presigned request may give itself; AWS allows seven days.
    pub max_expires: TimeSpan,
    /// Whether a body may come that the signature does not cover (`UNSIGNED-PAYLOAD`).
    pub unsigned_payload: bool,
    /// Whether a body may come in signed chunks; the service gets it without them.
    pub chunked_payload: bool,
    /// The longest body that is read to be verified.
    pub max_body: ByteSize,
    /// Whether the same signature is accepted again while it is current.
    pub replay: Replay,
    /// How many signatures are remembered where none is accepted again. One caller has at most as many places as are
    /// free for others; beyond, new ones are refused.
    pub remember: u32,
    /// Whether signature and session token are removed before the service sees the request.
    pub hide_credentials: bool,
}

impl Default for SigV4Config {
    fn default() -> Self {
        Self {
            regions: Vec::new(),
            services: Vec::new(),
            path: SigV4Path::Auto,
            clock_skew: TimeSpan::from_secs(300),
            presigned: true,
            max_expires: TimeSpan::from_secs(604_800),
            unsigned_payload: false,
            chunked_payload: true,
            max_body: ByteSize::from_mib(1),
            replay: Replay::Accept,
            remember: 100_000,
            hide_credentials: true,
        }
    }
}

/// How signers bring the path into its form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SigV4Path {
    /// As the service of the signature does: `once` for `s3`, `twice` for others.
    Auto,
    /// Encoded once, segments as they are: S3.
    Once,
    /// Encoded twice, without dot segments and empty ones: every other service.
    Twice,
}
