//! Where answers go. Each activity names the service that it came from, and the bot's token is shown there: so only hosts of Microsoft's are
//! taken, whole or behind a dot, and never because a name looks like one.

use std::fmt;

use url::{Host, Url};

/// Longer ones are not Microsoft's.
const BYTES_MAX: usize = 1024;
/// Services that take activities.
const CONNECTORS: [&str; 3] = [
    "smba.trafficmanager.net",
    "botframework.com",
    "teams.microsoft.com",
];
const CONNECTORS_US_GOVERNMENT: [&str; 2] = ["teams.microsoft.us", "botframework.azure.us"];
/// Places of files whose address is the permission: they are fetched without a token. Storage accounts
/// (`blob.core.windows.net`) are anybody's, and are not among them.
const FILES: [&str; 2] = ["sharepoint.com", "svc.ms"];
const FILES_US_GOVERNMENT: [&str; 1] = ["sharepoint.us"];

/// Why an address is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Untrusted {
    /// It is not one.
    #[error("it is not an https URL of a host with a name")]
    Malformed,
    /// Its host is not Microsoft's.
    #[error("its host is not one of Microsoft's for this cloud")]
    Stranger,
}

/// Which hosts are believed.
#[derive(Clone, Debug)]
pub struct Hosts {
    connectors: Vec<&'static str>,
    files: Vec<&'static str>,
    /// The one place beside them that is taken, over http: of the Playground, or of a test.
    local: Local,
}

/// What is taken on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Local {
    Nothing,
    /// Every port of loopback.
    Loopback,
    /// This origin.
    Origin(String),
}

/// Where a file may be fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FilePlace {
    /// With the bot's token.
    Connector(Url),
    /// Without it.
    Open(Url),
}

impl Hosts {
    /// Those of Microsoft's public cloud.
    #[must_use]
    pub fn public() -> Self {
        Self {
            connectors: CONNECTORS.into(),
            files: FILES.into(),
            local: Local::Nothing,
        }
    }

    /// Those of the cloud of the government of the United States.
    #[must_use]
    pub fn us_government() -> Self {
        Self {
            connectors: CONNECTORS_US_GOVERNMENT.into(),
            files: FILES_US_GOVERNMENT.into(),
            local: Local::Nothing,
        }
    }

    /// Loopback alone: what the Playground uses. No token goes there, because there is none.
    #[must_use]
    pub fn playground() -> Self {
        Self {
            connectors: Vec::new(),
            files: Vec::new(),
            local: Local::Loopback,
        }
    }

    /// This origin alone. For a stand-in of Microsoft's services; no setting leads here.
    #[must_use]
    pub fn only(origin: &Url) -> Self {
        Self {
            connectors: Vec::new(),
            files: Vec::new(),
            local: Local::Origin(origin.origin().ascii_serialization()),
        }
    }

    /// Where a connector is, as an activity names it.
    ///
    /// # Errors
    /// When it is none of Microsoft's.
    pub fn connector(&self, text: &str) -> Result<ServiceUrl, Untrusted> {
        let mut url = self.taken(text, &self.connectors)?;
        if !url.path().ends_with('/') {
            let path = format!("{}/", url.path());
            url.set_path(&path);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(Untrusted::Malformed);
        }
        Ok(ServiceUrl(url))
    }

    /// Where a file is, as an activity names it.
    ///
    /// # Errors
    /// When it is in no place of Microsoft's.
    pub fn file(&self, text: &str) -> Result<FilePlace, Untrusted> {
        // Addresses of files carry their permission and are long.
        if text.len() > 8 * BYTES_MAX {
            return Err(Untrusted::Malformed);
        }
        match self.taken_at_length(text, &self.connectors) {
            Ok(url) => Ok(FilePlace::Connector(url)),
            Err(Untrusted::Malformed) => Err(Untrusted::Malformed),
            Err(Untrusted::Stranger) => self.taken_at_length(text, &self.files).map(FilePlace::Open),
        }
    }

    fn taken(&self, text: &str, hosts: &[&str]) -> Result<Url, Untrusted> {
        if text.len() > BYTES_MAX {
            return Err(Untrusted::Malformed);
        }
        self.taken_at_length(text, hosts)
    }

    fn taken_at_length(&self, text: &str, hosts: &[&str]) -> Result<Url, Untrusted> {
        let url = Url::parse(text).map_err(|_| Untrusted::Malformed)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Untrusted::Malformed);
        }
        if self.is_local(&url) {
            return Ok(url);
        }
        let Some(Host::Domain(host)) = url.host() else {
            return Err(Untrusted::Malformed);
        };
        if url.scheme() != "https" || url.port().is_some() {
            return Err(Untrusted::Malformed);
        }
        let is_ours = |suffix: &str| {
            host.strip_suffix(suffix)
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        if !hosts.iter().any(|suffix| is_ours(suffix)) {
            return Err(Untrusted::Stranger);
        }
        Ok(url)
    }

    fn is_local(&self, url: &Url) -> bool {
        match &self.local {
            Local::Nothing => false,
            Local::Origin(origin) => url.origin().ascii_serialization() == *origin,
            Local::Loopback => {
                let loopback = match url.host() {
                    Some(Host::Domain(name)) => name == "localhost",
                    Some(Host::Ipv4(ip)) => ip.is_loopback(),
                    Some(Host::Ipv6(ip)) => ip.is_loopback(),
                    None => false,
                };
                loopback && url.scheme() == "http"
            }
        }
    }
}

/// Where a connector is. It ends in a slash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceUrl(Url);

impl ServiceUrl {
    /// Whether a token's claim names the same service. It is compared as Microsoft's own packages do: all of it, except the case of letters
    /// and a slash at the end.
    #[must_use]
    pub fn is_named_by(&self, claim: &str) -> bool {
        fn bare(url: &Url) -> &str {
            url.as_str().strip_suffix('/').unwrap_or(url.as_str())
        }
        Url::parse(claim).is_ok_and(|claim| bare(&claim).eq_ignore_ascii_case(bare(&self.0)))
    }

    /// An address below it. Each part is one segment, whatever it holds.
    ///
    /// # Panics
    /// Never: its scheme has paths.
    #[must_use]
    pub fn below(&self, segments: &[&str]) -> Url {
        let mut url = self.0.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }
}

impl fmt::Display for ServiceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::{FilePlace, Hosts, Untrusted};

    #[test]
    fn answers_go_to_microsoft_alone() {
        let hosts = Hosts::public();
        for ours in [
            "https://smba.trafficmanager.net/emea/5a1d/",
            "https://SMBA.trafficmanager.net/amer",
            "https://europe.botframework.com/",
            "https://smba.trafficmanager.net:443/teams/",
        ] {
            assert!(hosts.connector(ours).is_ok(), "{ours}");
        }
        for stranger in [
            "https://smba.trafficmanager.net.evil.example/",
            "https://evilbotframework.com/",
            "https://evil-smba.trafficmanager.net/",
            "https://trafficmanager.net/",
            "https://smba.trafficmanager.net./",
            "https://evil.example/smba.trafficmanager.net/",
            "https://anybody.sharepoint.com/",
            "https://anybody.blob.core.windows.net/",
            "https://teams.microsoft.us/",
        ] {
            assert_eq!(hosts.connector(stranger), Err(Untrusted::Stranger), "{stranger}");
        }
        for malformed in [
            "http://smba.trafficmanager.net/",
            "https://smba.trafficmanager.net:8443/",
            "https://smba.trafficmanager.net@evil.example/",
            "https://token@smba.trafficmanager.net/",
            "https://smba.trafficmanager.net/?x=1",
            "https://smba.trafficmanager.net/#x",
            "https://169.254.169.254/",
            "https://[::1]/",
            "http://localhost:3978/",
            "file:///etc/passwd",
            "smba.trafficmanager.net",
            "",
        ] {
            assert_eq!(
                hosts.connector(malformed),
                Err(Untrusted::Malformed),
                "{malformed}"
            );
        }
    }

    #[test]
    fn each_cloud_keeps_to_its_own_hosts() {
        let government = Hosts::us_government();

        assert!(
            government
                .connector("https://smba.infra.gcc.teams.microsoft.us/teams/")
                .is_ok()
        );
        assert_eq!(
            government.connector("https://smba.trafficmanager.net/emea/"),
            Err(Untrusted::Stranger)
        );
    }

    #[test]
    fn the_playground_is_on_this_machine_and_nowhere_else() {
        let hosts = Hosts::playground();

        assert!(hosts.connector("http://localhost:56150/_connector").is_ok());
        assert!(hosts.connector("http://127.0.0.1:56150/").is_ok());
        assert!(hosts.connector("http://127.evil.example/").is_err());
        assert!(hosts.connector("http://localhost.evil.example/").is_err());
        assert!(hosts.connector("https://smba.trafficmanager.net/emea/").is_err());
    }

    #[test]
    fn an_id_stays_one_segment_of_an_address() {
        let service = Hosts::public()
            .connector("https://smba.trafficmanager.net/emea")
            .expect("one of Microsoft's");

        let url = service.below(&["v3", "conversations", "19:a/../b?c#d@thread.tacv2;messageid=1"]);

        assert_eq!(
            url.as_str(),
            "https://smba.trafficmanager.net/emea/v3/conversations/19:a%2F..%2Fb%3Fc%23d@thread.tacv2;messageid=1"
        );
    }

    #[test]
    fn a_claim_names_the_whole_service_whatever_its_letters_and_the_slash_at_its_end() {
        let service = Hosts::public()
            .connector("https://smba.trafficmanager.net/emea/5a1d")
            .expect("one of Microsoft's");

        for same in [
            "https://smba.trafficmanager.net/emea/5a1d/",
            "https://SMBA.TrafficManager.net/EMEA/5A1D",
            "https://smba.trafficmanager.net:443/emea/5a1d",
        ] {
            assert!(service.is_named_by(same), "{same}");
        }
        for another in [
            "https://smba.trafficmanager.net/emea/",
            "https://smba.trafficmanager.net/emea/5a1d/7",
            "https://smba.trafficmanager.net/emea/5a1d//",
            "https://smba.trafficmanager.net/emea/5a1d/?x=1",
            "http://smba.trafficmanager.net/emea/5a1d/",
            "https://europe.botframework.com/emea/5a1d/",
            "smba.trafficmanager.net/emea/5a1d",
            "",
        ] {
            assert!(!service.is_named_by(another), "{another}");
        }
    }

    #[test]
    fn the_token_goes_for_files_of_the_connector_and_for_no_others() {
        let hosts = Hosts::public();
        let open = "https://contoso.sharepoint.com/_layouts/15/download.aspx?UniqueId=1&tempauth=x";
        let connector = "https://smba.trafficmanager.net/emea/v3/attachments/0-1/views/original";

        assert_eq!(
            hosts.file(open),
            Ok(FilePlace::Open(Url::parse(open).expect("a URL")))
        );
        assert_eq!(
            hosts.file(connector),
            Ok(FilePlace::Connector(Url::parse(connector).expect("a URL")))
        );
        for stranger in ["https://sharepoint.com.evil.example/x", "https://evilsvc.ms/x"] {
            assert_eq!(hosts.file(stranger), Err(Untrusted::Stranger), "{stranger}");
        }
        assert_eq!(
            hosts.file("http://contoso.sharepoint.com/x"),
            Err(Untrusted::Malformed)
        );
    }
}
