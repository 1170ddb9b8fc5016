//! The HTTP client for OpenID Connect providers. It limits the time and the size of each response, follows no
//! redirects, trusts the root certificates of the operating system, and uses plain HTTP for addresses on this machine
//! only.

use std::time::Duration;

use openidconnect::{HttpRequest, HttpResponse};
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use url::Url;

use crate::context::is_safe;

/// How long one request to a provider may take, from the name lookup to the last byte of the response.
const PATIENCE: Duration = Duration::from_secs(5);
/// The most bytes of a response.
const MAX_RESPONSE_BYTES: u64 = 1 << 20;

/// Why a request to a provider got no usable response.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unheard {
    #[error("{0}")]
    Failed(#[from] ureq::Error),
    #[error("{0}")]
    Malformed(#[from] openidconnect::http::Error),
    #[error("the address {0} does not use https")]
    InTheClear(String),
}

/// Makes a client. This reads the root certificates of the operating system.
pub(crate) fn agent() -> Agent {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "a root certificate of the operating system could not be read");
    }
    let roots: Vec<_> = found.certs.iter().map(|root| Certificate::from_der(root).to_owned()).collect();
    Agent::config_builder()
        .tls_config(TlsConfig::builder().root_certs(RootCerts::new_with_certs(&roots)).build())
        .timeout_global(Some(PATIENCE))
        // A redirect could send the client secret to another server.
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .build()
        .into()
}

/// Sends one request and returns its response, with the `content-type` as the only header.
pub(crate) fn call(agent: &Agent, request: HttpRequest) -> Result<HttpResponse, Unheard> {
    // Apart from the issuer, addresses come from the provider's metadata, so each has to be checked.
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
    let body = answer.body_mut().with_config().limit(MAX_RESPONSE_BYTES).read_to_vec()?;
    let mut response = openidconnect::http::Response::builder().status(answer.status());
    if let Some(kind) = answer.headers().get("content-type") {
        response = response.header("content-type", kind);
    }
    Ok(response.body(body)?)
}
