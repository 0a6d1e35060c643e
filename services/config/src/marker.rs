//! What stands in place of a secret in everything that leaves the config service.

/// OpenClaw's word, so that its clients keep it as they keep OpenClaw's.
pub const MARKER: &str = "__OPENCLAW_REDACTED__";
