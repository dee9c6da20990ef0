//! What holds for the whole gateway.

use super::PrepareError;
use crate::forwarded::{Forwarded, ViaName};
use crate::pipeline::RequestIdField;
use crate::registry::Registry;
use std::sync::Arc;
use torana_config::written::{AccessLogFormat, EncodedSlashes as Written, LimitsConfig};
use torana_http::FieldName;
use torana_http::h1::HeadLimits;
use torana_observe::{AccessLog, AccessLogSettings, LogFormat, LogTarget, Metrics};
use torana_plan::Settings;
use torana_route::{EncodedSlashes, NormalizeOptions};
use torana_transport::ServerSettings;
use torana_transport::h2::Http2Settings;
use torana_types::{ByteSize, TimeSpan};

const _: () = assert!(
    LimitsConfig::MOST_FIELDS as usize == HeadLimits::MAX_FIELDS,
    "what may be written is what a head has room for"
);

pub(super) fn server(settings: &Settings) -> ServerSettings {
    let http2 = Http2Settings::default();
    let (limits, timeouts) = (&settings.limits, &settings.timeouts);
    ServerSettings {
        head_limits: HeadLimits {
            head_bytes: limits.head_bytes.as_usize(),
            target_bytes: limits.target_bytes.as_usize(),
            fields: usize::from(limits.header_count.get()),
        },
        body_bytes: limits.body_bytes.on().map_or(u64::MAX, |size| size.as_u64()),
        handshake_timeout: timeouts.handshake.as_duration(),
        head_timeout: timeouts.head.as_duration(),
        body_idle_timeout: timeouts.body.as_duration(),
        keep_alive_timeout: timeouts.keep_alive.as_duration(),
        write_timeout: timeouts.write.as_duration(),
        http2: Http2Settings {
            ping_after: settings.http2.ping_after.map_or(http2.ping_after, TimeSpan::as_duration),
            ping_timeout: settings.http2.ping_timeout.map_or(http2.ping_timeout, TimeSpan::as_duration),
            max_streams: u32::from(settings.http2.max_streams.get()),
            stream_window: window(settings.http2.stream_window),
            connection_window: window(settings.http2.connection_window),
        },
        min_rate: limits.min_rate.on().map_or(0, |rate| rate.as_u64()),
        half_close_timeout: timeouts.half_close.as_duration(),
    }
}

/// A window of HTTP/2; the plan has checked that it is one.
pub(super) fn window(size: ByteSize) -> u32 {
    u32::try_from(size.as_u64()).unwrap_or(u32::MAX >> 1)
}

pub(super) const fn paths(settings: &Settings) -> NormalizeOptions {
    NormalizeOptions {
        encoded_slashes: match settings.paths.encoded_slashes {
            Written::Reject => EncodedSlashes::Reject,
            Written::Keep => EncodedSlashes::Keep,
        },
    }
}

pub(super) fn forwarded(settings: &Settings) -> Forwarded {
    let written = &settings.forwarded;
    let via = written.via.on().map(|name| ViaName::new(name));
    Forwarded::new(written.x_forwarded, written.forwarded, via)
}

pub(super) fn request_id(settings: &Settings) -> Option<RequestIdField> {
    let written = &settings.request_id;
    let name = written.header.on()?.clone();
    Some(RequestIdField { name: FieldName::new(&name), trust_incoming: written.trust_incoming })
}

/// The access log: the one in use where nothing about it changed.
pub(super) fn access_log(
    settings: &Settings,
    registry: &Registry,
    metrics: &Arc<Metrics>,
) -> Result<Option<(AccessLogSettings, AccessLog)>, PrepareError> {
    let Some(written) = &settings.access_log else { return Ok(None) };
    let target = match written.to.as_str() {
        "stdout" => LogTarget::Stdout,
        file => LogTarget::File(file.into()),
    };
    let format = match written.format {
        AccessLogFormat::Json => LogFormat::Json,
        AccessLogFormat::Human => LogFormat::Human,
    };
    let wanted = AccessLogSettings { format, target, query: written.query };
    if let Some(known) = registry.access_log.as_ref().filter(|(settings, _)| *settings == wanted) {
        return Ok(Some(known.clone()));
    }
    let log = AccessLog::start(wanted.clone(), Arc::clone(metrics))
        .map_err(|source| PrepareError::AccessLog { file: written.to.clone().into(), source })?;
    Ok(Some((wanted, log)))
}
