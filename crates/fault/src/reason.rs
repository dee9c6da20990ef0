//! The reasons a request can fail, one table: label, side, status and public sentence.

/// At whose side the cause lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The client sent something wrong, too much, too slowly, or went away.
    Client,
    /// Torana itself could not, or its configuration did not allow it to, serve the request.
    Gateway,
    /// The upstream refused, failed, was too slow or answered with something invalid.
    Upstream,
}

macro_rules! reasons {
    ($( $(#[$doc:meta])* $name:ident, $label:literal, $side:ident, $status:literal, $message:literal; )+) => {
        /// Why a request failed. The labels are stable and part of the public interface.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Reason {
            $( $(#[$doc])* $name, )+
        }

        impl Reason {
            /// Every reason, in the order of [`Reason::index`].
            pub const ALL: &'static [Self] = &[ $( Self::$name, )+ ];
            /// Every label, in the order of [`Reason::index`].
            pub const LABELS: &'static [&'static str] = &[ $( $label, )+ ];

            /// The stable label in metrics, logs and problem documents.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self { $( Self::$name => $label, )+ }
            }

            /// Whose fault it is.
            #[must_use]
            pub const fn side(self) -> Side {
                match self { $( Self::$name => Side::$side, )+ }
            }

            /// The status code that a client sees (RFC 9110 section 15).
            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $( Self::$name => $status, )+ }
            }

            /// The one sentence that a client may read: neutral, nothing internal.
            #[must_use]
            pub const fn public_message(self) -> &'static str {
                match self { $( Self::$name => $message, )+ }
            }
        }
    };
}

impl Reason {
    /// Whether all connections to an endpoint were in use: nothing was sent, and nothing is known of the endpoint.
    #[must_use]
    pub const fn is_full_pool(self) -> bool {
        matches!(self, Self::PoolTimeout | Self::PoolQueueFull)
    }

    /// A dense number from zero, for arrays of counters.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

reasons! {
    /// The request line or a field breaks the grammar.
    MalformedRequest, "malformed_request", Client, 400, "The request is not valid HTTP.";
    /// A lower-case letter in the method: many services take `delete` for DELETE.
    LowerCaseMethod, "lower_case_method", Client, 400, "The method of the request is not written in upper case.";
    /// Two readings of where the body ends, or a framing that this hop does not support.
    AmbiguousFraming, "ambiguous_framing", Client, 400, "The length of the request body is ambiguous.";
    /// A transfer coding other than `chunked`.
    UnknownTransferCoding, "unknown_transfer_coding", Client, 501, "The transfer coding of the request is not supported.";
    /// The Host field is missing, repeated or invalid (RFC 9112 section 3.2).
    InvalidHost, "invalid_host", Client, 400, "The Host of the request is missing or not valid.";
    /// The Host is another name than the one that the connection's TLS was made for (RFC 9110 section 15.5.20), or other
    /// certificates are asked of clients by now.
    MisdirectedRequest, "misdirected_request", Client, 421, "The connection was made for another host, or under other demands on clients.";
    /// The path cannot be brought into one unambiguous form.
    InvalidPath, "invalid_path", Client, 400, "The path of the request is not valid.";
    /// What decides the route is there more than once, and services disagree which of them counts.
    AmbiguousRequest, "ambiguous_request", Client, 400, "The request can be read in more than one way.";
    /// The body breaks its framing, or ends before its declared end.
    MalformedBody, "malformed_body", Client, 400, "The request body is not framed correctly.";
    /// The request target exceeds its limit.
    TargetTooLong, "target_too_long", Client, 414, "The request target is too long.";
    /// The head exceeds its limit in bytes or fields.
    HeadTooLarge, "head_too_large", Client, 431, "The request header fields are too large.";
    /// The body exceeds its limit.
    BodyTooLarge, "body_too_large", Client, 413, "The request body is too large.";
    /// A version of HTTP that this listener does not speak.
    UnsupportedVersion, "unsupported_version", Client, 505, "This version of HTTP is not supported here.";
    /// A method that a gateway does not forward (CONNECT, TRACE).
    UnsupportedMethod, "unsupported_method", Client, 501, "The method is not supported here.";
    /// An expectation other than 100-continue (RFC 9110 section 10.1.1).
    ExpectationFailed, "expectation_failed", Client, 417, "The expectation of the request cannot be met.";
    /// The head did not arrive in time.
    ClientHeadTimeout, "client_head_timeout", Client, 408, "The request header fields did not arrive in time.";
    /// The body stopped arriving.
    ClientBodyTimeout, "client_body_timeout", Client, 408, "The request body did not arrive in time.";
    /// The client stopped reading the response.
    ClientWriteTimeout, "client_write_timeout", Client, 408, "The response could not be delivered in time.";
    /// The client closed before the response was complete.
    ClientClosed, "client_closed", Client, 499, "The client closed the connection.";
    /// No route matches host and path.
    NoRoute, "no_route", Client, 404, "No route matches this request.";
    /// A route matches, but not for this method.
    MethodNotAllowed, "method_not_allowed", Client, 405, "The method is not allowed for this resource.";
    /// No credential on a protected route.
    CredentialsMissing, "credentials_missing", Client, 401, "Authentication is required.";
    /// A credential that is malformed, wrong or revoked.
    CredentialsInvalid, "credentials_invalid", Client, 401, "The credentials are not valid.";
    /// A credential past its expiry.
    CredentialsExpired, "credentials_expired", Client, 401, "The credentials are not valid.";
    /// The keys that verify credentials were never fetched: nobody can be judged.
    KeysUnavailable, "keys_unavailable", Gateway, 503, "Credentials cannot be verified at the moment; try again.";
    /// The service that decides whether requests may pass gave no usable answer.
    ForwardAuthUnavailable, "forward_auth_unavailable", Gateway, 503, "It cannot be decided at the moment whether you may do this; try again.";
    /// The server that says what tokens mean gave no usable answer.
    IntrospectionUnavailable, "introspection_unavailable", Gateway, 503, "Credentials cannot be verified at the moment; try again.";
    /// The provider that logs callers in cannot be asked, or does not know the gateway.
    LoginUnavailable, "login_unavailable", Gateway, 503, "Nobody can log in at the moment; try again.";
    /// Too many wrong credentials came from this address.
    AuthenticationLimited, "authentication_limited", Client, 429, "Too many requests; try again later.";
    /// The caller is known but may not do this.
    Forbidden, "forbidden", Client, 403, "You are not allowed to do this.";
    /// The client's address may not call.
    AddressNotAllowed, "address_not_allowed", Client, 403, "You are not allowed to do this.";
    /// A page of an origin that may not.
    OriginNotAllowed, "origin_not_allowed", Client, 403, "You are not allowed to do this.";
    /// A page of another site made a browser send this.
    CrossSiteRequest, "cross_site_request", Client, 403, "You are not allowed to do this.";
    /// A program that may not, by what it calls itself.
    ProgramNotAllowed, "program_not_allowed", Client, 403, "You are not allowed to do this.";
    /// A field is missing, or not as it has to be.
    HeaderNotAccepted, "header_not_accepted", Client, 400, "A header field of the request is missing or not accepted.";
    /// A body that decides something is not what its type says, or has more than one reading.
    BodyNotAccepted, "body_not_accepted", Client, 400, "The request body is not what its type says.";
    /// The length of the body has to be declared (RFC 9110 section 15.5.12).
    LengthRequired, "length_required", Client, 411, "The length of the request body must be declared.";
    /// A request limit is used up.
    RateLimited, "rate_limited", Client, 429, "Too many requests; try again later.";
    /// A request costs more than its limit ever gives, however long the caller waits.
    CostAboveLimit, "cost_above_limit", Client, 429, "The request costs more than is allowed at once.";
    /// The caller has as many requests under way as it may have.
    ConcurrencyLimited, "concurrency_limited", Client, 429, "Too many requests at the same time; try again later.";
    /// A limit cannot be counted because its store does not answer, and nothing may pass uncounted.
    LimitStoreUnavailable, "limit_store_unavailable", Gateway, 503, "The service is not available; try again later.";
    /// Requests wait too long before the gateway gets to them, and this one is among the least important.
    Overloaded, "overloaded", Gateway, 503, "The service is overloaded; try again later.";
    /// The bodies of other requests fill the memory that is meant for buffering.
    MemoryFull, "memory_full", Gateway, 503, "The service is overloaded; try again later.";
    /// The same request passed this gateway too often.
    LoopDetected, "loop_detected", Gateway, 508, "The request runs in a loop.";
    /// The gateway is shutting down.
    Draining, "draining", Gateway, 503, "The service is shutting down; try again.";
    /// Something that must not happen inside Torana did.
    Internal, "internal", Gateway, 500, "The gateway failed to handle the request.";
    /// No endpoint of the service can take the request.
    NoEndpoint, "no_endpoint", Upstream, 503, "The service is not available.";
    /// The circuit breaker of the service is open.
    BreakerOpen, "breaker_open", Upstream, 503, "The service is not available; try again later.";
    /// As many requests are under way at the service as it was found to be able to work on.
    ServiceSaturated, "service_saturated", Upstream, 503, "The service is overloaded; try again later.";
    /// A fault that the configuration makes on purpose.
    InjectedFault, "injected_fault", Gateway, 503, "This error was made on purpose.";
    /// All connections to the endpoint are in use and the queue is full.
    PoolQueueFull, "pool_queue_full", Upstream, 503, "The service is not available.";
    /// All connections to the endpoint stayed in use for too long.
    PoolTimeout, "pool_timeout", Upstream, 503, "The service is not available.";
    /// The endpoint refused the connection or cannot be reached.
    UpstreamConnectFailed, "upstream_connect_failed", Upstream, 502, "The service could not be reached.";
    /// The endpoint did not accept the connection in time.
    UpstreamConnectTimeout, "upstream_connect_timeout", Upstream, 504, "The service did not answer in time.";
    /// No TLS with the endpoint: its certificate is not trusted, or the two cannot agree.
    UpstreamTlsFailed, "upstream_tls_failed", Upstream, 502, "The service could not be reached.";
    /// No connection with the endpoint can be switched to the protocol that the client asks for: HTTP/2 alone is spoken.
    UpgradeImpossible, "upgrade_impossible", Upstream, 501, "The service cannot switch to another protocol.";
    /// The endpoint's answer did not begin in time.
    UpstreamFirstByteTimeout, "upstream_first_byte_timeout", Upstream, 504, "The service did not answer in time.";
    /// The endpoint stopped in the middle of its answer, or of taking the request.
    UpstreamIdleTimeout, "upstream_idle_timeout", Upstream, 504, "The service did not answer in time.";
    /// The whole exchange took longer than allowed.
    TotalTimeout, "total_timeout", Upstream, 504, "The service did not answer in time.";
    /// The client wanted an answer sooner than it came.
    ClientDeadline, "client_deadline", Client, 504, "The answer did not come within the time that the client set.";
    /// Neither side of a switched connection has sent anything for too long.
    TunnelIdle, "tunnel_idle", Upstream, 504, "The connection was idle for too long.";
    /// The endpoint closed the connection before its answer was complete.
    UpstreamClosed, "upstream_closed", Upstream, 502, "The service closed the connection.";
    /// The endpoint gave up the request's stream (RFC 9113 section 6.4).
    UpstreamReset, "upstream_reset", Upstream, 502, "The service ended the request.";
    /// The endpoint's answer is not valid HTTP.
    UpstreamMalformed, "upstream_malformed", Upstream, 502, "The service sent an invalid answer.";
    /// The head of the endpoint's answer exceeds its limit.
    UpstreamHeadTooLarge, "upstream_head_too_large", Upstream, 502, "The service sent an invalid answer.";
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn labels_are_unique_snake_case_and_in_index_order() {
        let mut seen = HashSet::new();
        for (position, reason) in Reason::ALL.iter().enumerate() {
            assert_eq!(reason.index(), position);
            assert_eq!(Reason::LABELS[position], reason.label());
            assert!(seen.insert(reason.label()), "{} twice", reason.label());
            assert!(reason.label().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'));
        }
    }

    #[test]
    fn statuses_agree_with_the_side() {
        for reason in Reason::ALL {
            match reason.side() {
                Side::Client => assert!((400..500).contains(&reason.status()) || reason.status() >= 501),
                Side::Gateway | Side::Upstream => assert!(reason.status() >= 500),
            }
        }
    }
}
