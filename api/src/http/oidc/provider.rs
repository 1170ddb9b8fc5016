//! What is asked of a provider (OpenID Connect): where to send a browser, and whom the code means that it brings back. What
//! the provider says of itself is asked for when it is first needed, kept for an hour, and asked for anew when a token is
//! signed with a key that is not known.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use ledger::people::identity::Vouched;
use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreClientAuthMethod, CoreErrorResponseType, CoreIdToken, CoreIdTokenClaims,
    CoreIdTokenVerifier, CoreProviderMetadata, CoreUserInfoClaims,
};
use openidconnect::{
    AccessToken, AccessTokenHash, AuthType, AuthorizationCode, ClaimsVerificationError, ClientId, ClientSecret,
    CsrfToken, EndpointMaybeSet, EndpointNotSet, EndpointSet, HttpRequest, HttpResponse, IssuerUrl, Nonce,
    OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RequestTokenError, Scope, TokenResponse,
};
use tokio::sync::Semaphore;
use ureq::Agent;
use url::Url;

use super::client::{self, Unheard};
use super::journey::{Journey, Key};
use crate::context::Oidc;

/// How long what a provider says of itself is taken for true.
const FRESH: TimeDelta = TimeDelta::hours(1);
/// So many sign-ins wait for the provider at once; each takes a thread.
const WAITING: usize = 16;

/// Why nobody is vouched for. What a failure says is for the log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("too many sign-ins wait for the provider")]
    Busy,
    #[error("the provider gave no answer that can be used: {0}")]
    Unheard(String),
    #[error("the provider does not take this program for the client that it says it is: {0}")]
    NotKnown(String),
    #[error("the provider does not take the code: {0}")]
    Spent(String),
    #[error("the provider's token is not to be believed: {0}")]
    NotBelieved(String),
}

/// The client as it is after discovery.
type Client =
    CoreClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointMaybeSet, EndpointMaybeSet>;

type Known = (Arc<CoreProviderMetadata>, DateTime<Utc>);

/// A provider.
pub(crate) struct Provider {
    inner: Arc<Inner>,
    waiting: Arc<Semaphore>,
}

struct Inner {
    oidc: Arc<Oidc>,
    key: Key,
    agent: OnceLock<Agent>,
    known: Mutex<Option<Known>>,
}

impl Provider {
    pub(crate) fn new(oidc: Arc<Oidc>, key: Key) -> Self {
        let inner = Inner { oidc, key, agent: OnceLock::new(), known: Mutex::new(None) };
        Self { inner: Arc::new(inner), waiting: Arc::new(Semaphore::new(WAITING)) }
    }

    /// Where to send the browser.
    pub(crate) async fn departure(&self, journey: Journey, now: DateTime<Utc>) -> Result<Url, Failure> {
        self.beside(move |inner| inner.departure(&journey, now)).await
    }

    /// Whom a code means that a browser brought back.
    pub(crate) async fn vouch(&self, code: String, journey: Journey, now: DateTime<Utc>) -> Result<Vouched, Failure> {
        self.beside(move |inner| inner.vouch(code, &journey, now)).await
    }

    /// Waits for the provider beside the threads that answer. Each request is bounded in time, and so is the whole.
    async fn beside<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let place = self.waiting.clone().try_acquire_owned().map_err(|_| Failure::Busy)?;
        let (inner, span) = (self.inner.clone(), tracing::Span::current());
        let done = tokio::task::spawn_blocking(move || {
            let _place = place;
            span.in_scope(|| work(&inner))
        });
        done.await.map_err(|error| Failure::Unheard(error.to_string()))?
    }
}

impl Inner {
    fn departure(&self, journey: &Journey, now: DateTime<Utc>) -> Result<Url, Failure> {
        let client = self.client(&*self.metadata(now)?)?;
        let (state, nonce) = (journey.state(&self.key), journey.nonce(&self.key));
        let verifier = PkceCodeVerifier::new(journey.verifier(&self.key));
        let (address, _, _) = client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                move || CsrfToken::new(state),
                move || Nonce::new(nonce),
            )
            .add_scope(Scope::new("email".to_owned()))
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier))
            .url();
        Ok(address)
    }

    fn vouch(&self, code: String, journey: &Journey, now: DateTime<Utc>) -> Result<Vouched, Failure> {
        let metadata = self.metadata(now)?;
        let client = self.client(&metadata)?;
        let answer = client
            .exchange_code(AuthorizationCode::new(code))
            .map_err(|error| Failure::Unheard(error.to_string()))?
            .set_pkce_verifier(PkceCodeVerifier::new(journey.verifier(&self.key)))
            .request(&|request: HttpRequest| self.call(request))
            .map_err(|error| match &error {
                RequestTokenError::ServerResponse(said) => match said.error() {
                    // Some providers have a word of their own for a code that was used; whoever begins again is helped.
                    CoreErrorResponseType::InvalidGrant | CoreErrorResponseType::Extension(_) => {
                        Failure::Spent(chain(&error))
                    }
                    _ => Failure::NotKnown(chain(&error)),
                },
                _ => Failure::Unheard(chain(&error)),
            })?;
        let token = answer.id_token().ok_or_else(|| Failure::NotBelieved("there is no ID token".to_owned()))?;
        let nonce = Nonce::new(journey.nonce(&self.key));
        let vouched = match self.read(&client, token, answer.access_token(), &nonce, now) {
            // The keys change; a code works once, but its token can be looked at again.
            Err(ClaimsVerificationError::SignatureVerification(_)) => {
                let client = self.client(&*self.ask(now)?)?;
                self.read(&client, token, answer.access_token(), &nonce, now)
            }
            read => read,
        };
        vouched.map_err(|error| Failure::NotBelieved(chain(&error)))
    }

    /// Believes a token that is signed by the provider, for this client and this journey, and not over.
    fn read(
        &self,
        client: &Client,
        token: &CoreIdToken,
        access: &AccessToken,
        nonce: &Nonce,
        now: DateTime<Utc>,
    ) -> Result<Vouched, ClaimsVerificationError> {
        let verifier = client.id_token_verifier().set_time_fn(move || now);
        let claims = token.claims(&verifier, nonce)?;
        is_of(claims, token, &verifier, access)?;
        let (email, is_verified) = match claims.email() {
            Some(email) => (Some(email.as_str().to_owned()), claims.email_verified()),
            None => self.more(client, claims, access),
        };
        if email.is_some() && is_verified != Some(true) {
            tracing::warn!("the provider has not verified the address (email_verified)");
        }
        Ok(Vouched {
            issuer: claims.issuer().to_string(),
            subject: claims.subject().to_string(),
            verified_email: email.filter(|_| is_verified == Some(true)),
        })
    }

    /// The address of somebody whose token has none: some providers give it to whoever asks for more only.
    fn more(
        &self,
        client: &Client,
        claims: &CoreIdTokenClaims,
        access: &AccessToken,
    ) -> (Option<String>, Option<bool>) {
        let Ok(request) = client.user_info(access.clone(), Some(claims.subject().clone())) else {
            return (None, None);
        };
        let answer: Result<CoreUserInfoClaims, _> = request.request(&|request: HttpRequest| self.call(request));
        match answer {
            Ok(more) => (more.email().map(|email| email.as_str().to_owned()), more.email_verified()),
            Err(error) => {
                tracing::warn!(error = chain(&error), "the provider says no more of somebody");
                (None, None)
            }
        }
    }

    fn client(&self, metadata: &CoreProviderMetadata) -> Result<Client, Failure> {
        let oidc = &self.oidc;
        let back = RedirectUrl::new(oidc.callback()).map_err(|error| Failure::Unheard(error.to_string()))?;
        let takes = |method| {
            let methods = metadata.token_endpoint_auth_methods_supported();
            methods.map_or(method == CoreClientAuthMethod::ClientSecretBasic, |methods| methods.contains(&method))
        };
        let in_body = !takes(CoreClientAuthMethod::ClientSecretBasic) && takes(CoreClientAuthMethod::ClientSecretPost);
        let secret = ClientSecret::new(oidc.client_secret.clone());
        let client =
            CoreClient::from_provider_metadata(metadata.clone(), ClientId::new(oidc.client_id.clone()), Some(secret));
        Ok(client.set_redirect_uri(back).set_auth_type(if in_body {
            AuthType::RequestBody
        } else {
            AuthType::BasicAuth
        }))
    }

    /// What the provider says of itself, not older than an hour.
    fn metadata(&self, now: DateTime<Utc>) -> Result<Arc<CoreProviderMetadata>, Failure> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match known {
            Some((known, at)) if now - at < FRESH => Ok(known),
            _ => self.ask(now),
        }
    }

    /// Asks the provider what it says of itself, and for its keys.
    fn ask(&self, now: DateTime<Utc>) -> Result<Arc<CoreProviderMetadata>, Failure> {
        let issuer = IssuerUrl::new(self.oidc.issuer.clone()).map_err(|error| Failure::Unheard(error.to_string()))?;
        let found = CoreProviderMetadata::discover(&issuer, &|request: HttpRequest| self.call(request));
        let found = Arc::new(found.map_err(|error| Failure::Unheard(chain(&error)))?);
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some((found.clone(), now));
        Ok(found)
    }

    fn call(&self, request: HttpRequest) -> Result<HttpResponse, Unheard> {
        client::call(self.agent.get_or_init(client::agent), request)
    }
}

/// Whether the access token is the one that came with the ID token, where that says so.
fn is_of(
    claims: &CoreIdTokenClaims,
    token: &CoreIdToken,
    verifier: &CoreIdTokenVerifier<'_>,
    access: &AccessToken,
) -> Result<(), ClaimsVerificationError> {
    let Some(said) = claims.access_token_hash() else { return Ok(()) };
    let wrong = |why: String| ClaimsVerificationError::Other(why);
    let algorithm = token.signing_alg().map_err(|error| wrong(error.to_string()))?;
    let key = token.signing_key(verifier).map_err(|error| wrong(error.to_string()))?;
    let hash = AccessTokenHash::from_token(access, algorithm, key).map_err(|error| wrong(error.to_string()))?;
    if hash == *said { Ok(()) } else { Err(wrong("the access token is another's".to_owned())) }
}

/// An error with its causes, for the log.
fn chain(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        words = format!("{words}: {inner}");
        cause = inner.source();
    }
    words
}
