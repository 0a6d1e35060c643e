//! A certificate that is known by its SHA-256, and trusted for that alone: no authority and no name is asked.

use std::{fmt, str::FromStr, sync::Arc};

use rustls::{
    ClientConfig, DigitallySignedStruct, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use sha2::{Digest, Sha256};
use tokio_tungstenite::Connector;

/// The SHA-256 of a certificate.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fingerprint([u8; 32]);

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Fingerprint {
    type Err = String;

    /// As `gatehouse up`, OpenSSL and OpenClaw write it: with colons or without, in either case.
    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let text = text
            .strip_prefix("sha256:")
            .or_else(|| text.strip_prefix("SHA256:"))
            .unwrap_or(text);
        let digits: Vec<u8> = text.bytes().filter(|byte| !matches!(byte, b':' | b' ')).collect();
        let byte = |pair: &[u8]| {
            let pair = std::str::from_utf8(pair).ok()?;
            u8::from_str_radix(pair, 16).ok()
        };
        let is_hex = digits.iter().all(u8::is_ascii_hexdigit);
        let bytes: Option<Vec<u8>> = digits.chunks(2).map(byte).collect();
        bytes
            .filter(|_| is_hex && digits.len() == 64)
            .and_then(|bytes| bytes.try_into().ok())
            .map(Self)
            .ok_or_else(|| "a fingerprint is the SHA-256 of a certificate: 64 hexadecimal digits".to_owned())
    }
}

/// What connects to a gateway with this certificate and to no other.
pub(crate) fn connector(pinned: Fingerprint) -> Connector {
    let provider = Arc::new(ring::default_provider());
    let verifier = Pinned {
        pinned,
        provider: Arc::clone(&provider),
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring knows the versions of TLS")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Connector::Rustls(Arc::new(config))
}

#[derive(Debug)]
struct Pinned {
    pinned: Fingerprint,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let shown = Fingerprint(Sha256::digest(certificate).into());
        if shown == self.pinned {
            return Ok(ServerCertVerified::assertion());
        }
        Err(rustls::Error::General(format!(
            "its certificate has another fingerprint: {shown:?}"
        )))
    }

    // That it holds the key of the certificate is proved as ever.

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use rustls::{ServerConfig, pki_types::PrivateKeyDer};
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;
    use url::Url;

    use super::*;
    use crate::{client, exit::Exit, gateway::Gateway};

    /// A gateway with a certificate that nobody vouches for, as far as somebody connects to it.
    async fn gateway() -> (Url, Fingerprint) {
        let made = rcgen::generate_simple_self_signed(["gateway".to_owned()]).unwrap();
        let shown = Fingerprint(Sha256::digest(made.cert.der()).into());
        let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("wss://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                if let Ok(socket) = acceptor.accept(socket).await {
                    let _ = tokio_tungstenite::accept_async(socket).await;
                }
            }
        });
        (Url::parse(&url).unwrap(), shown)
    }

    #[tokio::test]
    async fn the_gateway_with_the_pinned_certificate_is_reached_and_no_other() {
        let (url, shown) = gateway().await;
        let pinned = |pinned| Gateway {
            url: url.clone(),
            token: None,
            pinned: Some(pinned),
            no_token: None,
            is_own: false,
            absent: None,
        };

        let reached = client::open(&pinned(shown)).await;
        let other = client::open(&pinned(Fingerprint([0; 32]))).await;

        assert!(reached.is_ok(), "{reached:?}");
        let refused = other.unwrap_err();
        assert_eq!(refused.exit, Exit::Unavailable);
        assert!(refused.message.contains("another fingerprint"), "{refused}");
    }

    #[test]
    fn a_fingerprint_is_read_however_it_is_written() {
        let plain = "0f".repeat(32);
        let colons = vec!["0F"; 32].join(":");
        let read = |text: &str| text.parse::<Fingerprint>();

        for text in [
            plain.clone(),
            colons.clone(),
            format!("sha256:{plain}"),
            format!(" {colons}\n"),
        ] {
            assert_eq!(read(&text).unwrap(), Fingerprint([15; 32]), "{text}");
        }
        for bad in [
            "",
            "0f",
            plain.trim_start_matches('0'),
            &format!("{plain}0f"),
            &"+f".repeat(32),
            &"zz".repeat(32),
        ] {
            read(bad).unwrap_err();
        }
    }
}
