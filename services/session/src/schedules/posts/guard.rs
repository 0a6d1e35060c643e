//! Where something may be sent that others name.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use gatehouse_core::net::is_localhost;
use gatehouse_core::net::public::{NotPublic, is_off_limits, is_public, look_up};
use url::{Host, Url};

/// The longest address, in bytes.
const URL_BYTES_MAX: usize = 2_048;

/// Why nothing is sent there.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unfit {
    #[error("is not an address with https or http, or carries credentials")]
    Form,
    /// One that the configuration would have to list.
    #[error(
        "leads to this machine or into its network: cron.webhookSsrfPolicy.allowedHostnames lists hosts there that may be told"
    )]
    Private,
    #[error("leads to an address that is never used for others")]
    OffLimits,
    #[error("its name leads nowhere")]
    Unknown,
}

impl Unfit {
    /// Whether it may be another one later.
    pub(crate) fn may_pass(&self) -> bool {
        matches!(self, Self::Unknown)
    }
}

/// What the configuration says of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Guard {
    /// Hosts that may be in the own network, in lower case.
    own: Vec<String>,
}

/// Where a request goes: its address, and what its name means.
#[derive(Debug)]
pub(super) struct Aim {
    pub(super) url: Url,
    pub(super) host: String,
    pub(super) addresses: Vec<SocketAddr>,
}

impl Guard {
    pub(crate) fn new(own: &[String]) -> Self {
        let own = own.iter().map(|host| plain(host)).filter(|host| !host.is_empty());
        Self { own: own.collect() }
    }

    /// Reads an address. What its name means is asked when something is sent.
    ///
    /// # Errors
    /// When nothing will ever be sent there.
    pub(crate) fn read(&self, text: &str) -> Result<Url, Unfit> {
        let url = Url::parse(text).map_err(|_| Unfit::Form)?;
        let has_form = matches!(url.scheme(), "http" | "https")
            && url.username().is_empty()
            && url.password().is_none()
            && text.len() <= URL_BYTES_MAX;
        if !has_form {
            return Err(Unfit::Form);
        }
        let ip = match url.host().ok_or(Unfit::Form)? {
            Host::Ipv4(ip) => IpAddr::V4(ip),
            Host::Ipv6(ip) => IpAddr::V6(ip),
            Host::Domain(name) if is_localhost(name) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            Host::Domain(_) => return Ok(url),
        };
        self.judge(&url, ip).map(|()| url)
    }

    fn judge(&self, url: &Url, ip: IpAddr) -> Result<(), Unfit> {
        if is_public(ip) {
            return Ok(());
        }
        if !self.lists(url) {
            return Err(Unfit::Private);
        }
        // This machine is the operator's to list; where a cloud tells secrets is nobody's.
        if is_off_limits(ip) && !ip.to_canonical().is_loopback() {
            return Err(Unfit::OffLimits);
        }
        Ok(())
    }

    fn lists(&self, url: &Url) -> bool {
        let host = plain(url.host_str().unwrap_or_default());
        self.own.contains(&host)
    }

    /// Looks up where an address leads.
    pub(super) async fn aim(&self, text: &str) -> Result<Aim, Unfit> {
        let url = self.read(text)?;
        let port = url.port_or_known_default().ok_or(Unfit::Form)?;
        let host = url.host_str().unwrap_or_default().to_owned();
        let name = host.trim_start_matches('[').trim_end_matches(']');
        let addresses = look_up(name, port, |ip| self.judge(&url, ip).is_ok()).await;
        let addresses = addresses.map_err(|error| match error {
            NotPublic::Private => Unfit::Private,
            NotPublic::Unknown(_) => Unfit::Unknown,
        })?;
        Ok(Aim { url, host, addresses })
    }
}

/// A host as it is compared.
fn plain(host: &str) -> String {
    host.trim().trim_end_matches('.').to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_of_the_internet_unless_its_host_is_listed() {
        let nobody = Guard::default();
        for good in [
            "https://example.org/a?b=c",
            "http://8.8.8.8:8080/",
            "https://[2606:4700:4700::1111]/",
        ] {
            assert!(nobody.read(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "example.org",
            "ftp://example.org",
            "file:///etc/passwd",
            "https://a:b@example.org",
            "http://127.0.0.1/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://0177.0.0.1/",
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://10.0.0.1/",
            "http://169.254.169.254/latest/meta-data/",
            "http://[fd00:ec2::254]/",
            "http://localhost/",
            "http://LOCALHOST.:8080/",
            "https://gateway.localhost/",
        ] {
            assert!(nobody.read(bad).is_err(), "{bad}");
        }

        let listed = Guard::new(&[
            "192.168.1.7".to_owned(),
            "127.0.0.1".to_owned(),
            "169.254.169.254".to_owned(),
            " ".to_owned(),
        ]);
        assert!(nobody.read("http://localhost.example.org/").is_ok());
        assert!(
            Guard::new(&["localhost".to_owned()])
                .read("http://localhost:8/")
                .is_ok()
        );
        assert!(listed.read("http://192.168.1.7:8123/api").is_ok());
        assert!(listed.read("http://127.0.0.1:8123/api").is_ok());
        assert!(matches!(listed.read("http://192.168.1.8/"), Err(Unfit::Private)));
        assert!(matches!(
            listed.read("http://169.254.169.254/"),
            Err(Unfit::OffLimits)
        ));
    }

    #[tokio::test]
    async fn a_name_is_judged_by_where_it_leads() {
        let nobody = Guard::default().aim("http://localhost:8/").await;
        assert!(
            matches!(nobody, Err(Unfit::Private | Unfit::Unknown)),
            "{nobody:?}"
        );
        let trailing = Guard::default().aim("http://localhost.:8/").await;
        assert!(trailing.is_err(), "{trailing:?}");
        let own = Guard::new(&["LOCALHOST".to_owned()])
            .aim("http://localhost:8/")
            .await
            .unwrap();
        assert!(
            own.addresses
                .iter()
                .all(|address| address.ip().is_loopback() && address.port() == 8)
        );
    }
}
