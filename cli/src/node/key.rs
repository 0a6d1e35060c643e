//! Who this machine is: an Ed25519 key in the home that nobody else reads, and the token that the gateway gave for it.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use gatehouse_core::{Secret, hex, private};
use ring::{
    rand::SystemRandom,
    signature::{Ed25519KeyPair, KeyPair},
};
use sha2::{Digest, Sha256};

use crate::exit::{Exit, Failed};

const KEY_FILE: &str = "device.key";
const TOKEN_FILE: &str = "device.token";
/// A key in PKCS#8 has 83 bytes.
const KEY_BYTES_MAX: u64 = 1024;

pub(crate) struct Identity {
    pair: Ed25519KeyPair,
    /// The SHA-256 of the public key, in hex: the id of the device.
    pub(crate) id: String,
    folder: PathBuf,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Identity")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl Identity {
    /// Reads the key of this folder, making one when there is none.
    pub(crate) fn open(folder: &Path) -> Result<Self, Failed> {
        let path = folder.join(KEY_FILE);
        let failed = |what: &str, error: &dyn std::fmt::Display| {
            Failed::new(
                Exit::Configuration,
                format!("cannot {what} {}: {error}", path.display()),
            )
        };
        private::create_folder(folder).map_err(|error| failed("make the folder of", &error))?;
        let document = match read(&path) {
            Ok(document) => document,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())
                    .map_err(|error| failed("make a key for", &error))?;
                private::create_new(&path, made.as_ref()).map_err(|error| failed("write", &error))?;
                made.as_ref().to_vec()
            }
            Err(error) => return Err(failed("read", &error)),
        };
        let pair = Ed25519KeyPair::from_pkcs8(&document).map_err(|error| {
            failed("use", &error).next("move it away: a new key is made, and the node has to be paired again")
        })?;
        let id = hex::encode(&Sha256::digest(pair.public_key().as_ref()));
        Ok(Self {
            pair,
            id,
            folder: folder.to_owned(),
        })
    }

    /// The public key as the protocol writes it.
    pub(crate) fn public_key(&self) -> String {
        data_encoding::BASE64URL_NOPAD.encode(self.pair.public_key().as_ref())
    }

    /// The signature of a text as the protocol writes it.
    pub(crate) fn sign(&self, text: &str) -> String {
        data_encoding::BASE64URL_NOPAD.encode(self.pair.sign(text.as_bytes()).as_ref())
    }

    /// The token that a gateway gave for this key.
    pub(crate) fn token(&self) -> Option<Secret> {
        let text = read(&self.folder.join(TOKEN_FILE)).ok()?;
        let text = String::from_utf8(text).ok()?;
        Some(text.trim().to_owned())
            .filter(|text| !text.is_empty())
            .map(Secret::new)
    }

    /// Keeps it. Without it the node asks anew with the gateway's token.
    pub(crate) fn keep_token(&self, token: &Secret) {
        self.forget_token();
        let kept = private::create_new(&self.folder.join(TOKEN_FILE), token.expose().as_bytes());
        if let Err(error) = kept {
            crate::output::remark(&format!("the token of this node was not kept: {error}"));
        }
    }

    pub(crate) fn forget_token(&self) {
        let _ = fs::remove_file(self.folder.join(TOKEN_FILE));
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    io::Read::read_to_end(
        &mut io::Read::take(fs::File::open(path)?, KEY_BYTES_MAX),
        &mut bytes,
    )?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use ring::signature::{ED25519, UnparsedPublicKey};

    use super::*;

    #[test]
    fn a_key_is_made_once_for_its_owner_alone_and_signs_as_the_protocol_says() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("node");

        let made = Identity::open(&folder).unwrap();
        let again = Identity::open(&folder).unwrap();

        assert_eq!((made.id.len(), &made.id), (64, &again.id));
        let mode = fs::metadata(folder.join(KEY_FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let key = data_encoding::BASE64URL_NOPAD
            .decode(again.public_key().as_bytes())
            .unwrap();
        let signature = data_encoding::BASE64URL_NOPAD
            .decode(made.sign("v3|x").as_bytes())
            .unwrap();
        UnparsedPublicKey::new(&ED25519, key)
            .verify(b"v3|x", &signature)
            .unwrap();

        assert!(made.token().is_none());
        made.keep_token(&Secret::new("t".to_owned()));
        assert_eq!(again.token().unwrap().expose(), "t");
        let mode = fs::metadata(folder.join(TOKEN_FILE))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::write(folder.join(KEY_FILE), "no key").unwrap();
        assert!(
            Identity::open(&folder)
                .unwrap_err()
                .to_string()
                .contains("device.key")
        );
    }
}
