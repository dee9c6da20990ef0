//! Balancers. Pure: the clock and the randomness are passed in.
