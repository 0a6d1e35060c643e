//! What a route declares of itself.

use std::time::Duration;

/// What one route lets in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Policy {
    pub(super) auth: Auth,
    /// The largest body; what a caller or an account may send can be less.
    pub(super) body_max: usize,
    /// Until when the head of the answer is there.
    pub(super) time_max: Time,
    /// What a page of this route may load.
    pub(super) csp: &'static str,
}

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Auth {
    /// Anybody who can reach the listener: what it says is no secret.
    Open,
    /// Anybody, up to the handshake, which asks for the token.
    Handshake,
    /// Whoever signs as the account's platform does; the bridge checks it.
    Platform,
    /// Whoever shows what a hook wants: the session service checks it.
    Hook,
    /// Who shows the gateway token.
    Bearer,
    /// Who was given the link: the session service checks it.
    Link,
    /// Whom the entry of the plugin lets in: the handler checks it.
    Plugin,
}

/// How long a route may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Time {
    Within(Duration),
    /// As long as the method's own deadline says, after a body that keeps its rate.
    OfMethod,
}
