//! Links to media: for one medium, for a short time, and only ours.

use std::sync::Arc;

use data_encoding::BASE64URL_NOPAD;
use gatehouse_core::{Clock, Secret};
use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::MediaId;
use crate::error::Error;

/// Where the edge serves them. Browsers of the known pages take addresses below it for the gateway's own.
const PATH: &str = "/__openclaw__/media/";

/// A link holds for one to two of these, in seconds: as long as a page that was shown may take to draw itself, or to be looked at
/// again. All links made within one are the same, so that a browser keeps what it has.
const STEP_S: i64 = 3600;

/// Makes and checks them. Clones share the key.
#[derive(Clone, Debug)]
pub(crate) struct Links {
    key: Arc<Secret>,
    clock: Clock,
}

impl Links {
    pub(crate) fn new(key: Secret, clock: Clock) -> Self {
        Self {
            key: Arc::new(key),
            clock,
        }
    }

    /// The address of a medium on the gateway, from its root.
    pub(crate) fn to(&self, id: &MediaId) -> String {
        let expires_at = (self.now() / STEP_S + 2) * STEP_S;
        let signature = BASE64URL_NOPAD.encode(&self.mac(id, expires_at).finalize().into_bytes());
        format!("{PATH}{id}?e={expires_at}&s={signature}")
    }

    /// Whether a link is one of ours and still holds.
    ///
    /// # Errors
    /// When it is not. A link that was never ours and one that is over are told apart: who has the second had it from us.
    pub(crate) fn check(&self, id: &MediaId, expires_at: i64, signature: &str) -> Result<(), Error> {
        let given = BASE64URL_NOPAD
            .decode(signature.as_bytes())
            .map_err(|_| Error::LinkForged)?;
        self.mac(id, expires_at)
            .verify_slice(&given)
            .map_err(|_| Error::LinkForged)?;
        let now = self.now();
        // One from further ahead than any is made was made before the clock was set back.
        if expires_at <= now || expires_at > now + 2 * STEP_S {
            return Err(Error::LinkOver);
        }
        Ok(())
    }

    fn now(&self) -> i64 {
        self.clock.now().as_seconds()
    }

    fn mac(&self, id: &MediaId, expires_at: i64) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.key.expose().as_bytes())
            .expect("HMAC takes keys of every length");
        mac.update(format!("media\n{id}\n{expires_at}").as_bytes());
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links() -> Links {
        Links::new(Secret::generate(), Clock::system())
    }

    fn id(digit: char) -> MediaId {
        MediaId::parse(&digit.to_string().repeat(64)).unwrap()
    }

    fn parts(link: &str) -> (i64, String) {
        let (_, query) = link.split_once('?').unwrap();
        let (expires, signature) = query.split_once('&').unwrap();
        (
            expires.strip_prefix("e=").unwrap().parse().unwrap(),
            signature.strip_prefix("s=").unwrap().to_owned(),
        )
    }

    #[test]
    fn a_link_opens_its_medium_and_no_other_and_no_later() {
        let links = links();
        let (expires, signature) = parts(&links.to(&id('a')));

        links.check(&id('a'), expires, &signature).unwrap();
        for (other, at, shown) in [
            (id('b'), expires, signature.as_str()),
            (id('a'), expires + 1, &signature),
            (id('a'), expires, "AAAA"),
            (id('a'), expires, "no base64!"),
            (id('a'), expires, ""),
        ] {
            assert!(matches!(links.check(&other, at, shown), Err(Error::LinkForged)));
        }
        let elsewhere = Links::new(Secret::generate(), Clock::system());
        assert!(matches!(
            elsewhere.check(&id('a'), expires, &signature),
            Err(Error::LinkForged)
        ));
    }

    #[test]
    fn a_link_is_over_after_two_hours_at_the_latest() {
        let links = links();
        let sign = |at: i64| BASE64URL_NOPAD.encode(&links.mac(&id('a'), at).finalize().into_bytes());

        for at in [0, links.now(), links.now() + 3 * STEP_S] {
            assert!(
                matches!(links.check(&id('a'), at, &sign(at)), Err(Error::LinkOver)),
                "{at}"
            );
        }
        let (expires, _) = parts(&links.to(&id('a')));
        assert!((STEP_S..=2 * STEP_S).contains(&(expires - links.now())));
    }
}
