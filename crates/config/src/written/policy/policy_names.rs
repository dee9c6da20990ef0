//! The names of the policies that ask something else than who calls; those are named by [`super::AuthWay`].

macro_rules! names {
    ($( $constant:ident = $name:literal, )+) => {
        $(
            #[doc = concat!("`", $name, "`")]
            pub const $constant: &str = $name;
        )+
        /// All of them.
        pub const ALL: &[&str] = &[ $( $constant, )+ ];
    };
}

names! {
    CORRELATION_ID = "correlation_id",
    SECURITY_HEADERS = "security_headers",
    CORS = "cors",
    IP_RESTRICTION = "ip_restriction",
    REQUEST_SIZE = "request_size",
    REQUIRED_HEADERS = "required_headers",
    BOT_DETECTION = "bot_detection",
    CSRF = "csrf",
    ACCESS = "access",
    ROLES = "roles",
    ACL = "acl",
    ALLOW_IF = "allow_if",
    RATE_LIMIT = "rate_limit",
    TERMINATE = "terminate",
}
