//! What can go wrong with a request: kind, side, retry and reason as data.
