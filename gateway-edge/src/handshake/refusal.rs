//! What a client is told whose handshake is refused: the codes that existing clients know, each with a next step.

use gatehouse_contract::Role;
use gatehouse_core::Kind;

use super::Failed;
use crate::{
    auth::Denied,
    device::Device,
    dialect::{Asked, Dialect},
    error::Refusal,
    throttle::Lockout,
};

/// Who showed nothing that opens the gateway.
pub(super) fn denied(denied: Denied, asked: &Asked) -> Box<Failed> {
    match denied {
        Denied::LockedOut(lockout) => locked_out(lockout),
        Denied::Missing => no_token(asked),
        // A client throws its device token away at this code, and asks a person for another credential.
        Denied::Unknown if asked.device_token.is_some() => device_token_unknown(),
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

fn device_token_unknown() -> Box<Failed> {
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

fn locked_out(lockout: Lockout) -> Box<Failed> {
    let refusal = Refusal::invalid("too many failed logins from this address; wait before trying again")
        .detail("code", "AUTH_RATE_LIMITED")
        .detail("recommendedNextStep", "wait_then_retry")
        .retry_after(lockout.wait);
    Failed::new(refusal, "throttled")
}

fn no_token(asked: &Asked) -> Box<Failed> {
    if asked.dialect == Dialect::V4 && asked.device.is_none() {
        return Failed::new(device_required(asked), "no-token");
    }
    let refusal =
        Refusal::invalid("unauthorized: the gateway token is missing; `gatehouse token show` prints it")
            .detail("code", "AUTH_TOKEN_MISSING")
            .detail("authReason", "token_missing")
            .detail("recommendedNextStep", "update_auth_configuration");
    Failed::new(refusal, "no-token")
}

/// Without a device, and without what would do instead.
pub(super) fn device_required(asked: &Asked) -> Refusal {
    let message = match asked.role {
        Role::Node => "device identity required: a node connects with the device block of its key",
        Role::Operator => {
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

/// A device that nobody has approved.
pub(super) fn not_paired(asked: &Asked, device: &Device) -> Refusal {
    Refusal::new(Kind::Forbidden, "pairing required: device is not approved yet")
        .coded("NOT_PAIRED")
        .detail("code", "PAIRING_REQUIRED")
        .detail("reason", "not-paired")
        .detail(
            "remediationHint",
            "Approve this device from the pending pairing requests.",
        )
        .detail("deviceId", &*device.id)
        .detail("requestedRole", asked.role.as_str())
        .detail("requestedScopes", asked.scopes.clone().unwrap_or_default())
        .detail("recommendedNextStep", "review_auth_configuration")
}
