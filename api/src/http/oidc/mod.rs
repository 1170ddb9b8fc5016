//! Signing in with a provider (OpenID Connect, authorization code flow with PKCE). `sign_in` handles the two addresses
//! that a browser visits, `journey` the cookie that it carries meanwhile, `provider` the requests to the provider, and
//! `client` is the HTTP client.

mod client;
mod journey;
mod provider;
pub(crate) mod sign_in;

use std::sync::Arc;

use actix_web::http::StatusCode;
use url::Url;

use crate::context::{Oidc, Services};
use crate::error::Unserved;
use crate::http::headers;
use journey::{Cookie, Key};
use provider::{Failure, Provider};

/// The most bytes of the address of a page to return to.
const MAX_PAGE_BYTES: usize = 500;

/// Sends browsers to the provider, and receives them when they return.
pub(crate) struct Passage {
    services: Services,
    oidc: Arc<Oidc>,
    key: Key,
    cookie: Cookie,
    provider: Provider,
    /// The origins, in addition to that of this program, whose pages a browser may return to.
    origins: Vec<String>,
}

impl Passage {
    /// Sets up signing in with the provider. None only if no key can be made from the client secret.
    pub(crate) fn new(services: Services, oidc: Arc<Oidc>, origins: Vec<String>) -> Option<Self> {
        let key = Key::of(&oidc.client_secret)?;
        let is_secure = headers::is_https(&oidc.public_url);
        if !is_secure {
            tracing::warn!(
                "public_url is not https: the cookie of sign-ins with the provider is neither Secure nor __Host-"
            );
        }
        let cookie = Cookie::new(is_secure);
        Some(Self { services, key: key.clone(), cookie, provider: Provider::new(oidc.clone(), key), oidc, origins })
    }

    /// Resolves the address of the page to return to. None unless it belongs to this program or to one of the other
    /// origins, is not too long, and has no fragment.
    fn page(&self, to: &str) -> Option<Url> {
        let home = Url::parse(&self.oidc.public_url).ok()?;
        let page = home.join(to).ok().filter(|_| to.len() <= MAX_PAGE_BYTES)?;
        let origin = page.origin();
        let may = origin == home.origin() || self.origins.contains(&origin.ascii_serialization());
        (may && page.fragment().is_none()).then_some(page)
    }
}

impl From<Failure> for Unserved {
    fn from(failure: Failure) -> Self {
        tracing::warn!(error = %failure, "a sign-in with the provider failed");
        let (status, code, zh, en) = match failure {
            Failure::Busy | Failure::Unheard(_) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "PROVIDER_UNAVAILABLE",
                "统一身份认证系统暂时无法访问，请稍后重试，或用密码登录",
                "the provider does not answer: try again later, or sign in with a password",
            ),
            Failure::NotKnown(_) => (
                StatusCode::BAD_GATEWAY,
                "PROVIDER_REFUSED",
                "统一身份认证系统不接受本系统的请求，请联系系统管理员核对设置",
                "the provider does not accept this system: ask the administrator to check the settings",
            ),
            Failure::Spent(_) => (
                StatusCode::BAD_REQUEST,
                "SIGN_IN_OVER",
                "这次登录已使用或已过期，请重新登录",
                "this sign-in was already used or has expired: start again",
            ),
            Failure::NotBelieved(_) => (
                StatusCode::BAD_GATEWAY,
                "PROVIDER_NOT_BELIEVED",
                "统一身份认证系统的答复未通过核验，请重新登录；如再次出现，请联系系统管理员",
                "the provider's response could not be verified: start again, and tell the administrator if it recurs",
            ),
        };
        Self::new(status, code, zh, en)
    }
}
