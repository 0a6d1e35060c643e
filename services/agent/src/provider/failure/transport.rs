//! Failures of a connection, told apart by what somebody would do about them.

use std::{error::Error, io};

use gatehouse_core::Chain;
use gatehouse_proto::agent::v1::FailureKind;
use rustls::{AlertDescription, CertificateError};

use super::callee::Callee;
use crate::provider::Unanswered;

/// Why there is no connection, or none any more.
#[derive(Debug)]
enum Cause {
    NoSuchName,
    Refused,
    Unreachable,
    /// Nobody accepted in time.
    NotAccepted,
    Certificate(CertificateError),
    /// It speaks, and no TLS.
    NoTls,
    /// It refused or broke off the handshake.
    Handshake,
    /// It speaks, and no HTTP.
    NoHttp,
    /// Its answer has more or longer headers than anybody reads.
    LargeHead,
    /// It accepted, and hung up without an answer.
    HungUp,
    /// An answer broke off.
    BrokenOff,
    Late,
    Other,
}

/// Reads a failure of the connection, before or inside an answer.
pub(crate) fn from_transport(callee: &Callee<'_>, error: &reqwest::Error) -> Unanswered {
    let (provider, origin) = (callee.provider, callee.origin());
    let entry = format!("models.providers.{provider}.baseUrl");
    let host = callee.url.host_str().unwrap_or_default();
    let reason = callee.words(&innermost(error));
    let away = format!("provider {provider} cannot be reached at {origin}");
    let cause = cause(error);
    let message = match &cause {
        Cause::NoSuchName => {
            format!("{away}: no host is called {host}{reason}. Check {entry} and this machine's DNS")
        }
        Cause::Refused => {
            format!("{away}: connection refused. Start the server, or check host and port of {entry}")
        }
        Cause::Unreachable => format!("{away}{reason}. Check this machine's network and {entry}"),
        // The handshake belongs to the connection.
        Cause::NotAccepted if callee.url.scheme() == "https" => {
            format!(
                "{away}: no TLS connection came about in time. Check host, port and scheme (http:// or https://) of {entry}, and firewalls"
            )
        }
        Cause::NotAccepted => {
            format!(
                "{away}: nobody accepted the connection in time. Check host and port of {entry}, and firewalls"
            )
        }
        Cause::Certificate(wrong) => format!("{away}: {}", certificate(wrong, host, &entry)),
        Cause::NoTls => {
            format!("{away}: it speaks no TLS there. Check port and scheme (http:// or https://) of {entry}")
        }
        Cause::Handshake => format!(
            "{away}: the TLS handshake failed{reason}. Check {entry}, and what the server asks of its clients"
        ),
        Cause::NoHttp => {
            format!(
                "{away}: it speaks no HTTP there{reason}. Check port and scheme (http:// or https://) of {entry}"
            )
        }
        Cause::LargeHead => format!(
            "provider {provider} at {origin} answered with more headers than are read. Look at what a proxy before it adds"
        ),
        Cause::HungUp => format!(
            "provider {provider} at {origin} closed the connection without an answer. Look into its log"
        ),
        Cause::BrokenOff => {
            format!(
                "the answer of provider {provider} at {origin} broke off in the middle{reason}. Look into its log"
            )
        }
        Cause::Late => {
            format!(
                "provider {provider} at {origin} did not answer in time. Raise models.providers.{provider}.timeoutSeconds, or ask a faster model"
            )
        }
        Cause::Other => format!("{away}{reason}. Check {entry} and that it runs"),
    };
    let kind = match cause {
        Cause::Late | Cause::NotAccepted => FailureKind::Timeout,
        _ => FailureKind::Unavailable,
    };
    callee.failed(kind, message)
}

fn certificate(wrong: &CertificateError, host: &str, entry: &str) -> String {
    match wrong {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "its certificate has expired. Renew it, or check this machine's clock".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not valid yet. Check this machine's clock".to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!("its certificate is not for {host}. Write a name of the certificate in {entry}")
        }
        other => {
            let reason = match other {
                CertificateError::UnknownIssuer => String::new(),
                other => format!(" ({other})"),
            };
            format!(
                "its certificate is not trusted{reason}. Add the authority that signed it to this machine's, or start the gateway \
                 with SSL_CERT_FILE naming a PEM file that holds it"
            )
        }
    }
}

fn cause(error: &reqwest::Error) -> Cause {
    let links = || links(error);
    if let Some(tls) = links().find_map(|link| link.downcast_ref::<rustls::Error>()) {
        return of_tls(tls);
    }
    let io = links()
        .find_map(|link| link.downcast_ref::<io::Error>())
        .map(io::Error::kind);
    if error.is_connect() {
        // The resolver's errors have no type of their own.
        if links().any(|link| link.to_string().starts_with("dns error")) {
            return Cause::NoSuchName;
        }
        return match io {
            _ if error.is_timeout() => Cause::NotAccepted,
            Some(io::ErrorKind::ConnectionRefused) => Cause::Refused,
            Some(io::ErrorKind::TimedOut) => Cause::NotAccepted,
            Some(io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable) => Cause::Unreachable,
            Some(io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset) => Cause::Handshake,
            _ => Cause::Other,
        };
    }
    if error.is_timeout() {
        return Cause::Late;
    }
    if error.is_body() || error.is_decode() {
        return Cause::BrokenOff;
    }
    match links().find_map(|link| link.downcast_ref::<hyper::Error>()) {
        Some(http) if http.is_parse_too_large() => Cause::LargeHead,
        Some(http) if http.is_parse() => Cause::NoHttp,
        Some(http) if http.is_incomplete_message() || http.is_canceled() || http.is_closed() => Cause::HungUp,
        _ if matches!(
            io,
            Some(io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
        ) =>
        {
            Cause::HungUp
        }
        _ => Cause::Other,
    }
}

fn of_tls(error: &rustls::Error) -> Cause {
    match error {
        rustls::Error::InvalidCertificate(wrong) => Cause::Certificate(wrong.clone()),
        rustls::Error::InvalidMessage(_) => Cause::NoTls,
        rustls::Error::AlertReceived(AlertDescription::UnrecognisedName) => {
            Cause::Certificate(CertificateError::NotValidForName)
        }
        _ => Cause::Handshake,
    }
}

/// An error and its causes, those inside of `io::Error` as well: its `source` passes over them.
fn links(error: &reqwest::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    let first: &(dyn Error + 'static) = error;
    std::iter::successors(Some(first), |link| next(*link))
}

fn next<'e>(link: &'e (dyn Error + 'static)) -> Option<&'e (dyn Error + 'static)> {
    let inside = link.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    inside
        .map(|inside| inside as &(dyn Error + 'static))
        .or_else(|| link.source())
}

/// The last cause, in its own words. The outer ones repeat the address with its query.
fn innermost(error: &reqwest::Error) -> String {
    match links(error).skip(1).last() {
        Some(last) => Chain(last).to_string(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests;
