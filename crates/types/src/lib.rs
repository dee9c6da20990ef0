//! Units, identifiers and secrets that every layer shares.
