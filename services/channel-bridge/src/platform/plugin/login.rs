//! How a person links an account, as its plugin says it.

use gatehouse_core::{Secret, Timestamp};
use gatehouse_proto::channel::v1::LoginWanted;

use super::said;
use crate::account::login::Login;

/// The longest text to be scanned and to be typed. The contract has the same bounds.
const QR_BYTES_MAX: usize = 4_096;
const PAIR_CODE_BYTES_MAX: usize = 64;

/// What is to be scanned or typed. `None`: there is neither.
pub(super) fn read(wire: LoginWanted) -> Option<Login> {
    let LoginWanted {
        qr,
        pair_code,
        how,
        expires_at,
    } = wire;
    let (qr, pair_code) = (code(qr, QR_BYTES_MAX), code(pair_code, PAIR_CODE_BYTES_MAX));
    if qr.is_none() && pair_code.is_none() {
        return None;
    }
    Some(Login {
        qr,
        pair_code,
        how: said(&how),
        expires_at: (expires_at > 0).then(|| Timestamp::from_ms(expires_at)),
    })
}

/// A code within its bound. It is shown on terminals, so nothing in it moves their cursor.
fn code(code: String, bytes_max: usize) -> Option<Secret> {
    let fits = !code.is_empty() && code.len() <= bytes_max && !code.contains(char::is_control);
    fits.then(|| Secret::new(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_without_bound_and_one_for_the_terminals_cursor_are_none() {
        let read = |qr: &str, pair_code: &str| {
            read(LoginWanted {
                qr: qr.to_owned(),
                pair_code: pair_code.to_owned(),
                how: "in the\napplication".to_owned(),
                expires_at: 0,
            })
        };

        let both = read("2@abc", "ABCD-1234").expect("something to do");
        assert_eq!((both.how.as_str(), both.expires_at), ("in the application", None));
        assert_eq!(both.qr.expect("a code").expose(), "2@abc");
        assert!(read("", "").is_none());
        assert!(read(&"x".repeat(4_097), "").is_none());
        assert!(read("", "\u{1b}[2J").is_none());
        assert!(
            !format!("{:?}", read("2@abc", "")).contains("2@abc"),
            "it opens the account"
        );
    }
}
