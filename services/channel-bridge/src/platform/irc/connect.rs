//! The socket to the server, with or without TLS.

use std::sync::Arc;

use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::{config::IrcConfig, wire::Socket};
use crate::adapter::Ended;

/// The longest file of certificates: all public roots together have a quarter of it.
const CA_FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Connects.
pub(super) async fn connect(config: &IrcConfig) -> Result<Box<dyn Socket>, Ended> {
    let failed =
        |error: &std::io::Error| format!("cannot connect to {}:{}: {error}", config.server, config.port);
    let retry = |error: &std::io::Error| Ended::Retry(failed(error));
    let socket = TcpStream::connect((config.server.as_str(), config.port))
        .await
        .map_err(|error| retry(&error))?;
    socket.set_nodelay(true).map_err(|error| retry(&error))?;
    if !config.tls {
        return Ok(Box::new(socket));
    }
    let name = ServerName::try_from(config.server.clone())
        .map_err(|_| Ended::Failed("server: not a name that a certificate can carry".into()))?;
    let connector = TlsConnector::from(Arc::new(trust(config)?));
    let socket = connector
        .connect(name, socket)
        .await
        .map_err(|error| match hint(&error) {
            Some(hint) => Ended::Retry(format!("{}; {hint}", failed(&error))),
            None => retry(&error),
        })?;
    Ok(Box::new(socket))
}

/// What an operator can do about a handshake that failed.
fn hint(error: &std::io::Error) -> Option<&'static str> {
    match error.get_ref()?.downcast_ref::<rustls::Error>()? {
        rustls::Error::InvalidMessage(_) => Some(
            "this port does not speak TLS: set channels.irc.port to the one that does (often 6697), or channels.irc.tls to false",
        ),
        rustls::Error::InvalidCertificate(_) => {
            Some("if the server is yours, name its certificate in channels.irc.tlsCaFile")
        }
        _ => None,
    }
}

/// The public roots, those of this machine, and the operator's own.
fn trust(config: &IrcConfig) -> Result<ClientConfig, Ended> {
    let mut roots = RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(file) = &config.tls_ca_file {
        let unreadable =
            |reason: String| Ended::Failed(format!("tlsCaFile: {} {reason}", file.path().display()));
        let pem = file
            .read(CA_FILE_BYTES_MAX)
            .map_err(|error| unreadable(error.to_string()))?;
        for certificate in CertificateDer::pem_slice_iter(&pem.bytes) {
            let certificate = certificate.map_err(|error| unreadable(error.to_string()))?;
            roots
                .add(certificate)
                .map_err(|error| unreadable(error.to_string()))?;
        }
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| Ended::Failed(format!("tls: {error}")))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}
