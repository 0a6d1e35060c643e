//! What a client is told whose handshake is refused: the codes that existing clients know, each with a next step.

use gatehouse_contract::{Grants, Role};
use gatehouse_core::Kind;
use gatehouse_proto::device::v1::AdmitDeviceResponse;

use super::Failed;
use crate::{
    auth::{Denied, mode::Mode},
    close::Close,
    device::Device,
    dialect::{Asked, Dialect},
    error::Refusal,
    throttle::Lockout,
};

/// Who showed nothing that opens the gateway.
pub(super) fn denied(denied: Denied, asked: &Asked, mode: &Mode) -> Box<Failed> {
    match denied {
        Denied::LockedOut(lockout) => locked_out(lockout),
        Denied::Missing => nothing_shown(asked, mode),
        // A client throws its device token away at this code, and asks a person for another credential.
        Denied::Unknown | Denied::Expired if asked.device_token.is_some() => device_token_unknown(),
        Denied::ForeignDevice => device_token_unknown(),
        Denied::Unknown => mismatch(
            "unauthorized: the gateway token does not match",
            "token_mismatch",
            asked.device.is_some(),
        ),
        Denied::Expired => mismatch(
            "unauthorized: this token is no longer good",
            "token_expired",
            false,
        ),
    }
}

/// Clients know one code for a token that is not good, and stop asking with it.
fn mismatch(message: &'static str, why: &'static str, has_device: bool) -> Box<Failed> {
    let reason = match why {
        "token_expired" => "token-expired",
        _ => "token-mismatch",
    };
    let step = if has_device {
        "retry_with_device_token"
    } else {
        "update_auth_credentials"
    };
    let refusal = Refusal::invalid(message)
        .detail("code", "AUTH_TOKEN_MISMATCH")
        .detail("authReason", why)
        .detail("canRetryWithDeviceToken", has_device)
        .detail("recommendedNextStep", step);
    Failed::new(refusal, reason)
}

pub(super) fn device_token_unknown() -> Box<Failed> {
    let message = "unauthorized: this gateway knows no such token of this device; use the gateway token";
    let refusal = Refusal::invalid(message)
        .detail("code", "AUTH_DEVICE_TOKEN_MISMATCH")
        .detail("authReason", "device_token_mismatch")
        .detail("recommendedNextStep", "update_auth_credentials");
    Failed::new(refusal, "device-token")
}

pub(super) fn node_only() -> Refusal {
    Refusal::invalid("unauthorized: this token is a node's; connect with role node")
        .detail("code", "AUTH_SCOPE_MISMATCH")
        .detail("recommendedNextStep", "review_auth_configuration")
}

pub(super) fn locked_out(lockout: Lockout) -> Box<Failed> {
    let refusal = Refusal::invalid("too many failed logins from this address; wait before trying again")
        .detail("code", "AUTH_RATE_LIMITED")
        .detail("recommendedNextStep", "wait_then_retry")
        .retry_after(lockout.wait);
    Failed::new(refusal, "throttled")
}

fn nothing_shown(asked: &Asked, mode: &Mode) -> Box<Failed> {
    if asked.dialect == Dialect::V4 && asked.device.is_none() {
        return Failed::new(device_required(asked, mode), "no-token");
    }
    let (message, code, why, reason) = match mode {
        Mode::Password => (
            "unauthorized: the gateway password is missing; send it as auth.password",
            "AUTH_PASSWORD_MISSING",
            "password_missing",
            "no-password",
        ),
        Mode::Token | Mode::Proxy(_) | Mode::Open(_) => (
            "unauthorized: the gateway token is missing; `gatehouse token show` prints it",
            "AUTH_TOKEN_MISSING",
            "token_missing",
            "no-token",
        ),
    };
    let refusal = Refusal::invalid(message)
        .detail("code", code)
        .detail("authReason", why)
        .detail("recommendedNextStep", "update_auth_configuration");
    Failed::new(refusal, reason)
}

/// Without a device, and without what would do instead.
pub(super) fn device_required(asked: &Asked, mode: &Mode) -> Refusal {
    let message = match (asked.role, mode) {
        (Role::Node, _) => "device identity required: a node connects with the device block of its key",
        (Role::Operator, Mode::Password) => {
            "device identity required: connect with the gateway password; send it as auth.password"
        }
        (Role::Operator, Mode::Token | Mode::Proxy(_) | Mode::Open(_)) => {
            "device identity required: connect with the gateway token; `gatehouse token show` prints it"
        }
    };
    let step = match asked.role {
        Role::Node => "review_auth_configuration",
        Role::Operator => "update_auth_configuration",
    };
    Refusal::new(Kind::Forbidden, message)
        .coded("NOT_PAIRED")
        .detail("code", "DEVICE_IDENTITY_REQUIRED")
        .detail("reason", "device-identity-required")
        .detail("requestedRole", asked.role.as_str())
        .detail("recommendedNextStep", step)
}

/// A device that asks for more than its token is good for. A token alone is no reason to give it more.
pub(super) fn beyond_token(asked: &Asked, bound: &Grants) -> Box<Failed> {
    let message = "unauthorized: the device token is not good for these scopes; connect with the gateway token to ask for them";
    let refusal = Refusal::invalid(message)
        .detail("code", "AUTH_SCOPE_MISMATCH")
        .detail("authReason", "scope_mismatch")
        .detail("requestedRole", asked.role.as_str())
        .detail("requestedScopes", asked.scopes.clone().unwrap_or_default())
        .detail("approvedRoles", vec![bound.role().as_str()])
        .detail("approvedScopes", bound.scopes().collect::<Vec<_>>())
        .detail("recommendedNextStep", "review_auth_configuration");
    Failed::new(refusal, "device-token-scopes")
}

/// A setup code that is not good: unknown, used or over. Which of them is nobody's business who guesses.
pub(super) fn code_invalid() -> Box<Failed> {
    let message = "unauthorized: the setup code is not good: it is used once, within ten minutes; make another with `gatehouse pair`";
    let refusal = Refusal::invalid(message)
        .detail("code", "AUTH_BOOTSTRAP_TOKEN_INVALID")
        .detail("authReason", "bootstrap_token_invalid")
        .detail("recommendedNextStep", "review_auth_configuration");
    Failed::new(refusal, "setup-code")
}

/// A device that waits until somebody approves it.
pub(super) fn pending(asked: &Asked, device: &Device, answer: &AdmitDeviceResponse) -> Box<Failed> {
    let (requirement, hint, reason) = match answer.reason.as_str() {
        "role-upgrade" => (
            "device is asking for a higher role than currently approved",
            "Review the requested role upgrade, then approve the pending request.",
            "role-upgrade",
        ),
        "scope-upgrade" => (
            "device is asking for more scopes than currently approved",
            "Review the requested scopes, then approve the pending upgrade.",
            "scope-upgrade",
        ),
        "metadata-upgrade" => (
            "device identity changed and must be re-approved",
            "Review the refreshed device details, then approve the pending request.",
            "metadata-upgrade",
        ),
        _ => (
            "device is not approved yet",
            "Approve this device from the pending pairing requests.",
            "not-paired",
        ),
    };
    let message = format!("pairing required: {requirement}");
    let told = format!("{message} (requestId: {})", answer.request_id);
    let refusal = Refusal::new(Kind::Forbidden, message)
        .coded("NOT_PAIRED")
        .detail("code", "PAIRING_REQUIRED")
        .detail("reason", reason)
        .detail("requestId", answer.request_id.clone())
        .detail("remediationHint", hint)
        .detail("deviceId", &*device.id)
        .detail("requestedRole", asked.role.as_str())
        .detail("requestedScopes", asked.scopes.clone().unwrap_or_default())
        // So clients come again by themselves, and are in as soon as somebody has approved; without it they wait for a person.
        .detail("recommendedNextStep", "wait_then_retry")
        .detail("retryable", true)
        .detail("pauseReconnect", false);
    Failed::new(refusal, "pairing-required").closing(Close::with_reason(1008, &told))
}
