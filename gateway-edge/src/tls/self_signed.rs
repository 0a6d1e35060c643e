//! A certificate of our own, for a gateway that was given none. It is kept, so that those who pinned it find it again.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    time::{Duration, SystemTime},
};

use gatehouse_core::{net, private};
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose};

/// Apple's systems take no certificate that is good for longer than 825 days, not even one that a person agreed to.
const GOOD_FOR: Duration = Duration::from_hours(820 * 24);

/// One with less time left is replaced at a start: those who pinned it have to pin the next.
const RENEWED_BEFORE: Duration = Duration::from_hours(30 * 24);

/// The clocks of others may be behind ours.
const BACKDATED: Duration = Duration::from_hours(24);

const CERTIFICATE: &str = "certificate.pem";
const KEY: &str = "key.pem";
const NAMES: &str = "names";

/// The certificate and its key, as PEM. One is made when there is none that still fits.
pub(super) fn kept(folder: &Path, names: &[String]) -> Result<(Vec<u8>, Vec<u8>), String> {
    let names = all_names(names);
    if let Some(found) = find(folder, &names) {
        return Ok(found);
    }
    let (certificate, key) = make(&names)?;
    let write = || {
        private::create_folder(folder)?;
        for (name, content) in [
            (KEY, &key),
            (CERTIFICATE, &certificate),
            (NAMES, &names.join("\n")),
        ] {
            let draft = folder.join(format!(".{name}"));
            let _ = fs::remove_file(&draft); // of a process that was killed while it wrote
            private::create_new(&draft, content.as_bytes())?;
            fs::rename(&draft, folder.join(name))?;
        }
        Ok::<_, std::io::Error>(())
    };
    if let Err(error) = write() {
        tracing::warn!(%error, "the certificate cannot be kept: the next start shows another one");
    }
    Ok((certificate.into_bytes(), key.into_bytes()))
}

/// What is kept, if it names all that is asked for and is good for a while.
fn find(folder: &Path, names: &[String]) -> Option<(Vec<u8>, Vec<u8>)> {
    let of = fs::read_to_string(folder.join(NAMES)).ok()?;
    let of: BTreeSet<&str> = of.lines().collect();
    let made = fs::metadata(folder.join(CERTIFICATE)).ok()?.modified().ok()?;
    // A clock that was set back says nothing about the certificate.
    let age = SystemTime::now().duration_since(made).unwrap_or_default();
    let fits = names.iter().all(|name| of.contains(name.as_str())) && age + RENEWED_BEFORE < GOOD_FOR;
    let read = |name: &str| fs::read(folder.join(name)).ok();
    fits.then(|| read(CERTIFICATE).zip(read(KEY))).flatten()
}

/// Every name that this machine has of itself. An address that comes and goes is none that others use.
fn all_names(more: &[String]) -> Vec<String> {
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = host.trim().to_ascii_lowercase();
    let mut names: BTreeSet<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).into();
    if !host.is_empty() {
        names.insert(format!("{host}.local"));
        names.insert(host);
    }
    names.extend(more.iter().map(|name| name.to_ascii_lowercase()));
    names.extend(net::own_addresses().iter().map(ToString::to_string));
    names.into_iter().filter(|name| !name.is_empty()).collect()
}

fn make(names: &[String]) -> Result<(String, String), String> {
    let failed = |error: rcgen::Error| format!("no certificate can be made: {error}");
    let mut params = CertificateParams::new(names.to_vec()).map_err(failed)?;
    params
        .distinguished_name
        .push(DnType::CommonName, "Gatehouse gateway");
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or(BACKDATED);
    let begins = rcgen::date_time_ymd(1970, 1, 1) + now.saturating_sub(BACKDATED);
    params.not_before = begins;
    params.not_after = begins + GOOD_FOR;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate().map_err(failed)?;
    let certificate = params.self_signed(&key).map_err(failed)?;
    Ok((certificate.pem(), key.serialize_pem()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_kept_until_it_lacks_a_name() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().join("tls");

        let first = kept(&at, &[]).unwrap();
        assert_eq!(kept(&at, &[]).unwrap(), first);
        let second = kept(&at, &["home.example.org".to_owned()]).unwrap();
        assert_ne!(second, first);
        assert_eq!(kept(&at, &[]).unwrap(), second, "it names all that the first did");

        let mode = |name| {
            std::os::unix::fs::PermissionsExt::mode(&fs::metadata(at.join(name)).unwrap().permissions())
        };
        assert_eq!(mode(KEY) & 0o077, 0);
    }
}
