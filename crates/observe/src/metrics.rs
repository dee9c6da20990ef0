//! All counters of the process, and the page that shows them.

use crate::histogram::Total;
use crate::names::{self, Family, Kind};
use crate::route::{RouteMetrics, RouteTotals};
use crate::samples::{Sample, Samples, Source};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// Routes that are not in use any more and still shown, so that no counter goes back in a reload.
const RETIRED: usize = 10_000;

/// All counters of the process.
#[derive(Default)]
pub struct Metrics {
    routes: Mutex<Routes>,
    connections: ConnectionMetrics,
    reloads: ReloadMetrics,
    access_log: AccessLogMetrics,
    source: OnceLock<Box<dyn Source>>,
    started: OnceLock<SystemTime>,
}

/// By the names of route and service.
type Routes = BTreeMap<(Box<str>, Box<str>), Arc<RouteMetrics>>;

impl fmt::Debug for Metrics {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Metrics").finish_non_exhaustive()
    }
}

/// Connections of clients.
#[derive(Debug, Default)]
pub struct ConnectionMetrics {
    opened: AtomicU64,
    closed: AtomicU64,
    accept_errors: AtomicU64,
    tunnels_opened: AtomicU64,
    tunnels_closed: AtomicU64,
    http2_ended: Mutex<BTreeMap<&'static str, u64>>,
    http2_refused: AtomicU64,
}

/// A connection that has left HTTP, counted as open until dropped.
#[derive(Debug)]
pub struct OpenTunnel<'a>(&'a ConnectionMetrics);

impl Drop for OpenTunnel<'_> {
    fn drop(&mut self) {
        self.0.tunnels_closed.fetch_add(1, Ordering::Relaxed);
    }
}

impl ConnectionMetrics {
    /// A connection has left HTTP.
    pub fn tunnel(&self) -> OpenTunnel<'_> {
        self.tunnels_opened.fetch_add(1, Ordering::Relaxed);
        OpenTunnel(self)
    }

    /// Tunnels at this moment.
    #[must_use]
    pub fn tunnels_open(&self) -> u64 {
        let closed = self.tunnels_closed.load(Ordering::Acquire);
        self.tunnels_opened.load(Ordering::Acquire).saturating_sub(closed)
    }

    /// A client connected.
    pub fn opened(&self) {
        self.opened.fetch_add(1, Ordering::Relaxed);
    }

    /// A client's connection ended.
    pub fn closed(&self) {
        self.closed.fetch_add(1, Ordering::Relaxed);
    }

    /// An HTTP/2 connection has ended for this cause, one of a fixed list.
    pub fn http2_ended(&self, cause: &'static str) {
        let mut ended = self.http2_ended.lock().unwrap_or_else(PoisonError::into_inner);
        let count = ended.entry(cause).or_default();
        *count = count.saturating_add(1);
    }

    /// So many HTTP/2 requests were refused before they were served.
    pub fn http2_refused(&self, count: u64) {
        self.http2_refused.fetch_add(count, Ordering::Relaxed);
    }

    /// A client could not be accepted.
    pub fn accept_failed(&self) {
        self.accept_errors.fetch_add(1, Ordering::Relaxed);
    }

    /// Connections at this moment.
    #[must_use]
    pub fn open(&self) -> u64 {
        let closed = self.closed.load(Ordering::Acquire);
        self.opened.load(Ordering::Acquire).saturating_sub(closed)
    }
}

/// Reloads.
#[derive(Debug, Default)]
pub struct ReloadMetrics {
    succeeded: AtomicU64,
    failed: AtomicU64,
    last: AtomicU64,
}

impl ReloadMetrics {
    /// A configuration came into force, the first included.
    pub fn succeeded(&self) {
        self.succeeded.fetch_add(1, Ordering::Relaxed);
        self.last.store(seconds(SystemTime::now()), Ordering::Relaxed);
    }

    /// A configuration was refused; the one before stays in force.
    pub fn failed(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }
}

/// The access log.
#[derive(Debug, Default)]
pub struct AccessLogMetrics {
    pub(crate) lines: AtomicU64,
    pub(crate) dropped: AtomicU64,
    pub(crate) errors: AtomicU64,
}

impl AccessLogMetrics {
    /// Lines that were dropped because writing was too slow.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

impl Metrics {
    /// Counters at zero.
    #[must_use]
    pub fn new() -> Arc<Self> {
        let metrics = Self::default();
        metrics.started.get_or_init(SystemTime::now);
        Arc::new(metrics)
    }

    /// The counters of a route. The same names give the same counters, over reloads too.
    #[must_use]
    pub fn route(&self, route: &str, service: Option<&str>) -> Arc<RouteMetrics> {
        let service = service.unwrap_or_default();
        let mut routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = routes.get(&(Box::from(route), Box::from(service))) {
            return Arc::clone(known);
        }
        let made = Arc::new(RouteMetrics::new(route, service));
        routes.insert((route.into(), service.into()), Arc::clone(&made));
        made
    }

    /// Forgets the counters of routes that nobody uses any more, when there are too many of them.
    pub fn sweep(&self) {
        let mut routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        let unused = routes.values().filter(|route| Arc::strong_count(route) == 1).count();
        if unused > RETIRED {
            routes.retain(|_, route| Arc::strong_count(route) > 1);
        }
    }

    /// Where requests are counted that found no route.
    #[must_use]
    pub fn unrouted(&self) -> Arc<RouteMetrics> {
        self.route("", None)
    }

    /// Connections of clients.
    #[must_use]
    pub const fn connections(&self) -> &ConnectionMetrics {
        &self.connections
    }

    /// Reloads.
    #[must_use]
    pub const fn reloads(&self) -> &ReloadMetrics {
        &self.reloads
    }

    /// The access log.
    #[must_use]
    pub const fn access_log(&self) -> &AccessLogMetrics {
        &self.access_log
    }

    /// Sets whom to ask for numbers that live elsewhere; the first one stays.
    pub fn set_source(&self, source: Box<dyn Source>) {
        let _ = self.source.set(source);
    }

    /// The page in the OpenMetrics text format, which Prometheus reads.
    #[must_use]
    pub fn render(self: &Arc<Self>) -> String {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Page(Arc::clone(self))));
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = prometheus_client::encoding::text::encode(&mut text, &registry);
        text
    }

    fn samples(&self) -> Samples {
        let mut samples = Samples::default();
        let load = |counter: &AtomicU64| as_f64(counter.load(Ordering::Relaxed));
        samples.add(names::CONNECTIONS_OPEN, &[], as_f64(self.connections.open()));
        samples.add(names::CONNECTIONS, &[], load(&self.connections.opened));
        samples.add(names::TUNNELS_OPEN, &[], as_f64(self.connections.tunnels_open()));
        samples.add(names::TUNNELS, &[], load(&self.connections.tunnels_opened));
        samples.add(names::ACCEPT_ERRORS, &[], load(&self.connections.accept_errors));
        let ended = self.connections.http2_ended.lock().unwrap_or_else(PoisonError::into_inner);
        for (cause, count) in ended.iter() {
            samples.add(names::HTTP2_ENDED, &[("cause", *cause)], as_f64(*count));
        }
        drop(ended);
        samples.add(names::HTTP2_REFUSED, &[], load(&self.connections.http2_refused));
        samples.add(names::RELOADS, &[("result", "ok")], load(&self.reloads.succeeded));
        samples.add(names::RELOADS, &[("result", "failed")], load(&self.reloads.failed));
        samples.add(names::LAST_RELOAD, &[], load(&self.reloads.last));
        samples.add(names::LOG_LINES, &[], load(&self.access_log.lines));
        samples.add(names::LOG_DROPPED, &[], load(&self.access_log.dropped));
        samples.add(names::LOG_ERRORS, &[], load(&self.access_log.errors));
        samples.add(names::BUILD_INFO, &[("version", env!("CARGO_PKG_VERSION"))], 1.0);
        let started = self.started.get().copied().map_or(0, seconds);
        samples.add(names::START_TIME, &[], as_f64(started));
        if let Some(bytes) = resident_memory() {
            samples.add(names::RESIDENT_MEMORY, &[], as_f64(bytes));
        }
        if let Some(source) = self.source.get() {
            source.collect(&mut samples);
        }
        samples
    }
}

/// The library writes values as they are; the format wants these escaped.
fn escape(value: &str) -> Cow<'_, str> {
    if value.contains(['\\', '"', '\n']) {
        Cow::Owned(value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
    } else {
        Cow::Borrowed(value)
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[allow(clippy::cast_precision_loss, reason = "the text format has doubles")]
const fn as_f64(number: u64) -> f64 {
    number as f64
}

/// The second number of this file is in pages, which are 4 KiB where Torana runs.
fn resident_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    text.split_ascii_whitespace().nth(1)?.parse::<u64>().ok()?.checked_mul(4096)
}

#[derive(Debug)]
struct Page(Arc<Metrics>);

impl Collector for Page {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let routes: Vec<Arc<RouteMetrics>> =
            self.0.routes.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        let totals: Vec<(Arc<RouteMetrics>, RouteTotals)> = routes
            .into_iter()
            .map(|route| (Arc::clone(&route), route.totals()))
            .filter(|(_, totals)| totals.total.count() > 0)
            .collect();
        encode_outcomes(&mut encoder, &totals)?;
        encode_histograms(&mut encoder, names::REQUEST_DURATION, &totals, |totals| &totals.total)?;
        encode_histograms(&mut encoder, names::UPSTREAM_DURATION, &totals, |totals| &totals.upstream)?;
        let mut samples = self.0.samples();
        for (route, totals) in &totals {
            let labels = [("route", &*route.route), ("service", &*route.service)];
            samples.add(names::RECEIVED, &labels, as_f64(totals.received));
            samples.add(names::SENT, &labels, as_f64(totals.sent));
        }
        samples
            .families
            .iter()
            .try_for_each(|(family, samples)| encode_samples(&mut encoder, *family, samples))
    }
}

fn encode_outcomes(
    encoder: &mut DescriptorEncoder<'_>,
    totals: &[(Arc<RouteMetrics>, RouteTotals)],
) -> fmt::Result {
    let Family { name, help, .. } = names::REQUESTS;
    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    for (route, totals) in totals {
        for ((status, reason), count) in &totals.outcomes {
            let status = if *status == 0 { "other".to_owned() } else { status.to_string() };
            let labels = [
                ("route", escape(&route.route)),
                ("service", escape(&route.service)),
                ("status", Cow::Owned(status)),
                ("reason", Cow::Borrowed(*reason)),
            ];
            metric.encode_family(&labels)?.encode_counter::<NoLabelSet, _, f64>(count, None)?;
        }
    }
    Ok(())
}

fn encode_histograms(
    encoder: &mut DescriptorEncoder<'_>,
    family: Family,
    totals: &[(Arc<RouteMetrics>, RouteTotals)],
    select: fn(&RouteTotals) -> &Total,
) -> fmt::Result {
    let mut metric = encoder.encode_descriptor(family.name, family.help, None, MetricType::Histogram)?;
    for (route, totals) in totals {
        let histogram = select(totals);
        if histogram.count() > 0 {
            let labels = [("route", escape(&route.route)), ("service", escape(&route.service))];
            metric.encode_family(&labels)?.encode_histogram::<NoLabelSet>(
                histogram.sum_seconds(),
                histogram.count(),
                &histogram.buckets(),
                None,
            )?;
        }
    }
    Ok(())
}

fn encode_samples(encoder: &mut DescriptorEncoder<'_>, family: Family, samples: &[Sample]) -> fmt::Result {
    let kind = if family.kind == Kind::Counter { MetricType::Counter } else { MetricType::Gauge };
    let mut metric = encoder.encode_descriptor(family.name, family.help, None, kind)?;
    for sample in samples {
        let labels: Vec<(&str, Cow<'_, str>)> =
            sample.labels.iter().map(|(name, value)| (*name, escape(value))).collect();
        if labels.is_empty() {
            encode_number(&mut metric, family.kind, sample.value)?;
        } else {
            encode_number(&mut metric.encode_family(&labels)?, family.kind, sample.value)?;
        }
    }
    Ok(())
}

fn encode_number(metric: &mut MetricEncoder<'_>, kind: Kind, value: f64) -> fmt::Result {
    if kind == Kind::Counter {
        metric.encode_counter::<NoLabelSet, _, f64>(&value, None)
    } else {
        metric.encode_gauge(&value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Observation;
    use std::time::Duration;
    use torana_fault::Reason;

    #[test]
    fn the_page_shows_what_was_counted() {
        let metrics = Metrics::new();
        let route = metrics.route("GET /a\"b", Some("users"));
        let observation = Observation {
            status: 429,
            reason: Some(Reason::RateLimited),
            total: Duration::from_millis(2),
            upstream: Some(Duration::from_millis(1)),
            received: 5,
            sent: 7,
        };
        route.record(&observation);
        metrics.connections().opened();
        metrics.reloads().succeeded();
        let text = metrics.render();
        for line in [
            r#"torana_requests_total{route="GET /a\"b",service="users",status="429",reason="rate_limited"} 1"#,
            r#"torana_request_duration_seconds_bucket{le="0.0025",route="GET /a\"b",service="users"} 1"#,
            r#"torana_sent_bytes_total{route="GET /a\"b",service="users"} 7.0"#,
            "torana_connections_open 1.0",
            r#"torana_reloads_total{result="ok"} 1.0"#,
            "# TYPE torana_requests counter",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
        // The same names are the same counters.
        metrics.route("GET /a\"b", Some("users")).record(&observation);
        assert_eq!(route.totals().total.count(), 2);
    }
}
