//! Every metric: its name without suffix, what it means, and its kind.

/// How a metric behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows; `_total` is added to its name.
    Counter,
    /// Goes up and down.
    Gauge,
    /// A distribution.
    Histogram,
}

/// A metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Family {
    /// Its name, unit included.
    pub name: &'static str,
    /// What it means.
    pub help: &'static str,
    /// How it behaves.
    pub kind: Kind,
}

macro_rules! families {
    ($( $constant:ident, $kind:ident, $name:literal, $help:literal; )+) => {
        $( #[doc = $help] pub const $constant: Family = Family { name: $name, help: $help, kind: Kind::$kind }; )+
        /// All of them.
        pub const ALL: &[Family] = &[ $( $constant, )+ ];
    };
}

families! {
    REQUESTS, Counter, "torana_requests", "Requests by route, service, status and the reason of a failure";
    REQUEST_DURATION, Histogram, "torana_request_duration_seconds", "From the first byte of a request to the last of its response";
    UPSTREAM_DURATION, Histogram, "torana_upstream_duration_seconds", "From sending a request to a service to the first byte of its answer";
    RECEIVED, Counter, "torana_received_bytes", "Bytes of request bodies";
    SENT, Counter, "torana_sent_bytes", "Bytes of responses, heads included";
    CONNECTIONS_OPEN, Gauge, "torana_connections_open", "Connections of clients";
    CONNECTIONS, Counter, "torana_connections", "Connections of clients since the start";
    TUNNELS_OPEN, Gauge, "torana_tunnels_open", "Connections that were switched to another protocol, such as WebSocket";
    TUNNELS, Counter, "torana_tunnels", "Connections that were switched to another protocol since the start";
    ACCEPT_ERRORS, Counter, "torana_accept_errors", "Connections that could not be accepted, for want of file descriptors for example";
    REQUESTS_IN_FLIGHT, Gauge, "torana_requests_in_flight", "Requests whose response has not ended";
    BUFFERS_LENT, Gauge, "torana_buffers_lent", "Read buffers in use by requests and responses under way";
    TLS_HANDSHAKES, Counter, "torana_tls_handshakes", "TLS handshakes with clients by version, and whether an earlier session went on";
    TLS_HANDSHAKE_ERRORS, Counter, "torana_tls_handshake_errors", "Connections that ended before a first request, by reason: no TLS could be agreed on, or a PROXY header was wrong";
    HTTP2_ENDED, Counter, "torana_http2_connections_ended", "HTTP/2 connections of clients that have ended, by cause";
    HTTP2_REFUSED, Counter, "torana_http2_streams_refused", "HTTP/2 requests of clients that were refused before they were read as one: malformed, a head far too large, or more at once than max_streams; they have no line in the access log";
    POOL_OPEN, Gauge, "torana_pool_connections_open", "Connections to an endpoint";
    POOL_IDLE, Gauge, "torana_pool_connections_idle", "Connections to an endpoint that wait for a request";
    POOL_WAITING, Gauge, "torana_pool_waiting", "Requests that wait for a connection to an endpoint";
    POOL_CREATED, Counter, "torana_pool_connections_created", "Connections opened to an endpoint";
    POOL_REUSED, Counter, "torana_pool_connections_reused", "Requests that were sent on a connection that was open already";
    POOL_LOST, Counter, "torana_pool_connections_lost", "HTTP/2 connections to an endpoint that were given up because it answered no PING or took nothing for too long";
    POOL_BROKEN, Counter, "torana_pool_connections_broken", "HTTP/2 connections to an endpoint that were ended because it broke the protocol or spent too many frames on nothing, by cause";
    ENDPOINT_IN_FLIGHT, Gauge, "torana_endpoint_in_flight", "Requests under way at an endpoint";
    RETRIES_ACTIVE, Gauge, "torana_retries_active", "Retries at a service whose answer has not begun";
    RETRIES, Counter, "torana_retries", "Retries that a service's budget had room for";
    RETRIES_REFUSED, Counter, "torana_retries_refused", "Retries that a service's budget had no room for";
    HEDGES, Counter, "torana_hedges", "Second tries made because the first took long, by whether theirs was the answer";
    BREAKER_STATE, Gauge, "torana_breaker_state", "1 for the state that a service's breaker is in, else 0";
    BREAKER_TRANSITIONS, Counter, "torana_breaker_transitions", "How often a service's breaker has entered a state";
    BREAKER_REFUSED, Counter, "torana_breaker_refused", "Requests that a service's breaker has refused";
    BREAKER_STALE, Counter, "torana_breaker_stale", "Kept answers that were given because a service's breaker refused";
    BREAKER_STALE_BYTES, Gauge, "torana_breaker_stale_bytes", "What the answers take that are kept for when a service's breaker refuses";
    ADAPTIVE_LIMIT, Gauge, "torana_adaptive_limit", "Requests that a service was found to be able to work on at once";
    ADAPTIVE_UNDER_WAY, Gauge, "torana_adaptive_under_way", "Requests that a service works on, where that is bounded by what it can do";
    ADAPTIVE_REFUSED, Counter, "torana_adaptive_refused", "Requests beyond what a service can work on";
    CONNECTIONS_REFUSED, Counter, "torana_connections_refused", "Connections of clients that were closed because there were as many as there may be, in all or from one address";
    REQUESTS_SHED, Counter, "torana_requests_shed", "Requests refused because work waited too long, by their importance";
    WORKER_TASKS, Gauge, "torana_worker_tasks", "Tasks that live on a worker: connections, streams of HTTP/2, what it does for itself";
    QUEUE_DELAY, Gauge, "torana_queue_delay_seconds", "How long work last waited for its turn on a worker; 0 unless limits.queue_delay is given";
    QUEUE_PRESSURE, Gauge, "torana_queue_pressure", "What a worker refuses: from 0 to 1 a share of low importance, from 1 to 2 of normal, and so on";
    BUFFERED_BYTES, Gauge, "torana_buffered_bytes", "Bytes of bodies that are held in memory";
    BUFFERED_REFUSED, Counter, "torana_buffered_refused", "Bodies that could not be held because limits.buffered_bytes was reached";
    ENDPOINT_IN_SERVICE, Gauge, "torana_endpoint_in_service", "1 while an endpoint is asked, 0 while its probes fail or it is ejected";
    ENDPOINT_EJECTIONS, Counter, "torana_endpoint_ejections", "How often requests have ejected an endpoint";
    PROBES, Counter, "torana_probes", "Probes of an endpoint, by result";
    MIRRORED, Counter, "torana_mirrored", "Copies of requests, by route and what became of them";
    LIMITER_KEYS, Gauge, "torana_limiter_keys", "Callers that a limit remembers";
    LIMITER_ALLOWED, Counter, "torana_limiter_allowed", "Requests that a limit let through";
    LIMITER_DENIED, Counter, "torana_limiter_denied", "Requests that a limit refused";
    LIMITER_OVERFLOW, Counter, "torana_limiter_overflow", "Requests counted on a shared state because a limit remembers too many callers";
    LIMITER_WOULD_REFUSE, Counter, "torana_limiter_would_refuse", "Requests that a limit in shadow would have refused";
    LIMITER_WITHOUT_STORE, Counter, "torana_limiter_without_store", "Requests that were decided without the store because it did not answer";
    STORE_QUESTIONS, Counter, "torana_store_questions", "Commands sent to the store";
    STORE_FAILURES, Counter, "torana_store_failures", "Commands that the store did not answer in time or refused, and connections that could not be made";
    KEYS_FETCHED, Gauge, "torana_keys_fetched_timestamp_seconds", "When the keys of an issuer that are in force were fetched, by the URL that is configured; 0: never";
    KEYS_FAILURES, Counter, "torana_keys_fetch_failures", "Attempts to fetch the keys of an issuer that failed, by the URL that is configured";
    LIMITER_UNDER_WAY, Gauge, "torana_limiter_under_way", "Requests under way that a limit counts as such";
    RELOADS, Counter, "torana_reloads", "Reloads of the configuration, by result";
    LAST_RELOAD, Gauge, "torana_config_last_reload_success_timestamp_seconds", "When the configuration in force was loaded";
    LOG_LINES, Counter, "torana_access_log_lines", "Lines given to the access log";
    LOG_DROPPED, Counter, "torana_access_log_dropped", "Lines of the access log that were dropped because writing was too slow";
    LOG_ERRORS, Counter, "torana_access_log_errors", "Writes of the access log that failed";
    BUILD_INFO, Gauge, "torana_build_info", "Always 1; the version is a label";
    START_TIME, Gauge, "process_start_time_seconds", "When the process started";
    RESIDENT_MEMORY, Gauge, "process_resident_memory_bytes", "Memory in use";
}

#[cfg(test)]
mod tests {
    use super::ALL;

    #[test]
    fn names_are_distinct_and_well_formed() {
        let mut names: Vec<&str> = ALL.iter().map(|family| family.name).collect();
        assert!(names.iter().all(|name| {
            name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        }));
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
    }
}
