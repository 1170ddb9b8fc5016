//! Requests to an OpenID Connect provider: where to send a browser, and which user the code belongs to that the browser
//! brings back. The metadata and keys of the provider are fetched when they are first needed, are used for an hour, and
//! are fetched again when a token is signed with an unknown key.

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

/// How long the metadata of the provider is used before it is fetched again.
const FRESH: TimeDelta = TimeDelta::hours(1);
/// The most sign-ins that wait for the provider at once. Each occupies a thread.
const WAITING: usize = 16;

/// Why the provider has not vouched for a user. The texts are for the log only.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("too many sign-ins wait for the provider")]
    Busy,
    #[error("the provider gave no usable response: {0}")]
    Unheard(String),
    #[error("the provider does not accept this program as its client: {0}")]
    NotKnown(String),
    #[error("the provider does not accept the code: {0}")]
    Spent(String),
    #[error("the token of the provider cannot be verified: {0}")]
    NotBelieved(String),
}

/// A client whose endpoints are known from discovery.
type Client =
    CoreClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointMaybeSet, EndpointMaybeSet>;

type Known = (Arc<CoreProviderMetadata>, DateTime<Utc>);

/// An OpenID Connect provider.
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
    /// Makes a provider whose metadata is not known yet.
    pub(crate) fn new(oidc: Arc<Oidc>, key: Key) -> Self {
        let inner = Inner { oidc, key, agent: OnceLock::new(), known: Mutex::new(None) };
        Self { inner: Arc::new(inner), waiting: Arc::new(Semaphore::new(WAITING)) }
    }

    /// Returns the address of the provider to send the browser to.
    pub(crate) async fn departure(&self, journey: Journey, now: DateTime<Utc>) -> Result<Url, Failure> {
        self.beside(move |inner| inner.departure(&journey, now)).await
    }

    /// Exchanges the code that a browser brought back for the identity of its user.
    pub(crate) async fn vouch(&self, code: String, journey: Journey, now: DateTime<Utc>) -> Result<Vouched, Failure> {
        self.beside(move |inner| inner.vouch(code, &journey, now)).await
    }

    /// Runs requests to the provider on a thread of their own, so that they do not block the threads that answer
    /// requests. Each request has a timeout, so the whole work is limited in time.
    ///
    /// # Errors
    ///
    /// Returns [`Failure::Busy`] if too many sign-ins wait already.
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
                    // Some providers report a used code with an error code of their own. Starting again helps in any
                    // case.
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
            // The provider may have changed its keys. The code cannot be used twice, but its token can be verified
            // again.
            Err(ClaimsVerificationError::SignatureVerification(_)) => {
                let client = self.client(&*self.ask(now)?)?;
                self.read(&client, token, answer.access_token(), &nonce, now)
            }
            read => read,
        };
        vouched.map_err(|error| Failure::NotBelieved(chain(&error)))
    }

    /// Verifies an ID token and returns the identity in it. The token must be signed by the provider, be issued to this
    /// client for this journey, and not have expired.
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
            tracing::warn!("the provider has not verified the user's e-mail address (email_verified)");
        }
        Ok(Vouched {
            issuer: claims.issuer().to_string(),
            subject: claims.subject().to_string(),
            verified_email: email.filter(|_| is_verified == Some(true)),
        })
    }

    /// Fetches the e-mail address of a user whose token has none, and whether it is verified. Some providers return the
    /// address only from their userinfo endpoint.
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
                tracing::warn!(error = chain(&error), "the userinfo endpoint of the provider failed");
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

    /// Returns the metadata and keys of the provider, at most an hour old.
    fn metadata(&self, now: DateTime<Utc>) -> Result<Arc<CoreProviderMetadata>, Failure> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match known {
            Some((known, at)) if now - at < FRESH => Ok(known),
            _ => self.ask(now),
        }
    }

    /// Fetches the metadata and keys of the provider.
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

/// Verifies that the access token belongs to the ID token, if the ID token contains its hash (`at_hash`).
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
    if hash == *said { Ok(()) } else { Err(wrong("the access token does not belong to the ID token".to_owned())) }
}

/// Returns the text of an error with its causes, for the log.
fn chain(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        words = format!("{words}: {inner}");
        cause = inner.source();
    }
    words
}
