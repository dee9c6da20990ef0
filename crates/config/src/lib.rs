//! The written form: YAML with source spans, diagnostics, JSON Schema.
