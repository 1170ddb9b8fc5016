//! The HTTP client for providers: bounded in time and in bytes, follows nothing, believes the certificates that the system
//! believes, and speaks in the clear with this machine only.

use std::time::Duration;

use openidconnect::{HttpRequest, HttpResponse};
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use url::Url;

use crate::context::is_safe;

/// How long one request to a provider may take, from looking up its name to the last byte.
const PATIENCE: Duration = Duration::from_secs(5);
/// The most bytes of an answer.
const MOST: u64 = 1 << 20;

/// Why a provider gave no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unheard {
    #[error("{0}")]
    Failed(#[from] ureq::Error),
    #[error("{0}")]
    Malformed(#[from] openidconnect::http::Error),
    #[error("{0} is not https")]
    InTheClear(String),
}

/// A client; making one reads the system's certificates.
pub(crate) fn agent() -> Agent {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "a certificate of the system could not be read");
    }
    let roots: Vec<_> = found.certs.iter().map(|root| Certificate::from_der(root).to_owned()).collect();
    Agent::config_builder()
        .tls_config(TlsConfig::builder().root_certs(RootCerts::new_with_certs(&roots)).build())
        .timeout_global(Some(PATIENCE))
        // Whoever answers must not send us, and the secret, elsewhere.
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .build()
        .into()
}

/// Sends one request.
pub(crate) fn call(agent: &Agent, request: HttpRequest) -> Result<HttpResponse, Unheard> {
    // Addresses beside the issuer's are the provider's to name.
    let address = request.uri().to_string();
    if !Url::parse(&address).is_ok_and(|address| is_safe(&address)) {
        return Err(Unheard::InTheClear(address));
    }
    let (parts, body) = request.into_parts();
    let mut answer = if body.is_empty() {
        agent.run(openidconnect::http::Request::from_parts(parts, ()))?
    } else {
        agent.run(openidconnect::http::Request::from_parts(parts, body))?
    };
    let body = answer.body_mut().with_config().limit(MOST).read_to_vec()?;
    let mut response = openidconnect::http::Response::builder().status(answer.status());
    if let Some(kind) = answer.headers().get("content-type") {
        response = response.header("content-type", kind);
    }
    Ok(response.body(body)?)
}
