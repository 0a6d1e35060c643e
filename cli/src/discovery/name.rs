//! What a gateway is called on the network: a word and a few digits that mean nothing and stay the same. The names of machines often are
//! those of people.

use std::{fs, io, path::Path};

use gatehouse_core::private;
use uuid::Uuid;

/// In the home.
const FILE: &str = "discovery.id";

/// Enough for the gateways of a network, and for nobody to be told by.
const DIGITS: usize = 6;

/// The name of the gateway of a home.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name(String);

impl Name {
    /// Reads it; the first one makes it.
    pub(super) fn of(home: &Path) -> io::Result<Self> {
        let path = home.join(FILE);
        let read = || Ok::<_, io::Error>(fs::read_to_string(&path)?.trim().to_owned());
        let is_id = |text: &str| text.len() == DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        match read() {
            Ok(id) if is_id(&id) => return Ok(Self(id)),
            Ok(_) => fs::remove_file(&path)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let id: String = Uuid::new_v4().simple().to_string().chars().take(DIGITS).collect();
        private::create_new(&path, format!("{id}\n").as_bytes())?;
        Ok(Self(id))
    }

    /// As people read it.
    pub(super) fn shown(&self) -> String {
        format!("Gatehouse {}", self.0)
    }

    /// As addresses are looked up.
    pub(super) fn host(&self) -> String {
        format!("gatehouse-{}.local.", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_keeps_its_name_and_two_homes_have_two() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());

        let name = Name::of(one.path()).unwrap();

        assert_eq!(Name::of(one.path()).unwrap(), name);
        assert_ne!(Name::of(other.path()).unwrap(), name);
        assert!(name.shown().starts_with("Gatehouse ") && name.host().ends_with(".local."));
        fs::write(one.path().join(FILE), "../../x").unwrap();
        assert!(
            !Name::of(one.path()).unwrap().host().contains('/'),
            "what is no name is made anew"
        );
    }
}
