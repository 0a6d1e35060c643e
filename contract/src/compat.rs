//! wire compat
