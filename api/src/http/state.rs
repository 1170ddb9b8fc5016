//! The state that all handlers share, and the checks by which they admit requests.

use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::http::header;
use futures_util::future::BoxFuture;
use tracing::Instrument;

use crate::context::{Caller, Oidc, Options, Services};
use crate::error::{Code, Refused, Unserved};
use crate::gate::rate::Rate;
use crate::gate::{self, Admitted, Gate, Presumed};
use crate::graphql::engine::{self, Engine};
use crate::graphql::rights;
use crate::graphql::schema::sdl;
use crate::http::files::Files;
use crate::http::observe;
use crate::http::oidc::Passage;
use crate::http::places::Open;
use crate::http::request;
use crate::http::thumbnail::Thumbnails;
use crate::language::Language;

/// A header that a page of another origin cannot send without a CORS preflight request.
const UPLOAD: &str = "x-rectify-upload";

/// Checks whether the program is ready to serve; the error says why not. Returns what is degraded although the program
/// can serve, in an English line for each.
pub type Probe = Arc<dyn Fn() -> BoxFuture<'static, Result<Vec<String>, String>> + Send + Sync>;

/// The state that all handlers share.
pub(crate) struct AppState {
    pub(crate) engine: Arc<Engine>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) files: Files,
    pub(crate) thumbnails: Thumbnails,
    /// Signing in with an OpenID Connect provider, if there is one.
    pub(crate) passage: Option<Passage>,
    /// The WebSockets and event streams that are open.
    pub(crate) streams: Open,
    pub(crate) options: Options,
    rate: Rate,
    /// The schema in the schema definition language.
    pub(crate) sdl: String,
    pub(crate) ready: Probe,
}

impl AppState {
    /// Builds the state from the services and the settings.
    pub(crate) fn new(services: Services, options: Options, ready: Probe) -> Self {
        let reader = engine::reader(&services, &options);
        let open = (options.open, options.idle);
        let gate = Gate::new(&services.db, reader.clone(), services.clock.clone(), services.zone, open);
        let gate = Arc::new(gate);
        let passage = |oidc: &Arc<Oidc>| Passage::new(services.clone(), oidc.clone(), options.origins.clone());
        Self {
            passage: options.oidc.as_ref().and_then(passage),
            thumbnails: Thumbnails::new(),
            files: Files::new(services.clone(), options.limits.evidence),
            engine: Arc::new(Engine::new(services, reader, gate.clone(), &options)),
            gate,
            streams: Open::within(options.limits.streams),
            rate: Rate::per_minute(options.limits.requests_per_minute),
            options,
            sdl: sdl(),
            ready,
        }
    }

    /// Reads the caller from the head of a request. The caller is anonymous until it is admitted.
    pub(crate) fn caller(&self, request: &HttpRequest) -> Caller {
        let noted = observe::noted(request);
        Caller {
            language: Language::preferred(request),
            request_id: noted.id.clone(),
            noted,
            address: request::address(request, &self.options.proxies, &self.options.proxy_header),
            is_forwarded: request::is_forwarded(request.headers()),
            admitted: Admitted::nobody(),
        }
    }

    /// Authenticates a request. Refuses one for an unknown host, from a page of an unknown origin, with an invalid
    /// token, or from an address or account that sends requests too often.
    pub(crate) async fn let_in(&self, request: &HttpRequest, caller: &mut Caller) -> Result<(), Refused> {
        self.let_in_as(request, caller, gate::authorization(request.headers())).await
    }

    /// Authenticates a request like [`Self::let_in`], by the secret of a session instead of a header.
    pub(crate) async fn let_in_with(
        &self,
        request: &HttpRequest,
        caller: &mut Caller,
        secret: Option<&str>,
    ) -> Result<(), Refused> {
        let authorization = secret.map(|secret| format!("Bearer {secret}"));
        self.let_in_as(request, caller, authorization.as_deref()).await
    }

    async fn let_in_as(
        &self,
        request: &HttpRequest,
        caller: &mut Caller,
        authorization: Option<&str>,
    ) -> Result<(), Refused> {
        self.admit(request, caller)?;
        self.authenticate(caller, authorization).await?;
        self.admit_account(&caller.admitted)
    }

    /// Authenticates a caller whose request has passed the other checks of [`Self::let_in`].
    pub(crate) async fn authenticate(&self, caller: &mut Caller, authorization: Option<&str>) -> Result<(), Refused> {
        // Pinned, because it would make the futures of all routes large.
        let admitting = Box::pin(self.gate.admit(authorization, caller.is_forwarded));
        caller.admitted = self.engine.in_time(admitting.instrument(caller.span())).await??;
        caller.note_account();
        Ok(())
    }

    /// Lets a request in like [`Self::let_in`], or returns for whom it would be if nothing has changed since a moment
    /// ago. The caller stays anonymous then, until [`Self::authenticate`] is called.
    pub(crate) async fn presume(
        &self,
        request: &HttpRequest,
        caller: &mut Caller,
    ) -> Result<Option<Presumed>, Refused> {
        let Some(presumed) = self.gate.presume(gate::authorization(request.headers())) else {
            self.let_in(request, caller).await?;
            return Ok(None);
        };
        self.admit(request, caller)?;
        self.admit_account(&presumed.admitted)?;
        Ok(Some(presumed))
    }

    /// Refuses a request for an unknown host, from a page of an unknown origin, or from a caller who sends requests too
    /// often.
    pub(crate) fn admit(&self, request: &HttpRequest, caller: &Caller) -> Result<(), Refused> {
        request::of_known_host(request, &self.options.hosts)?;
        request::of_known_origin(request, &self.options.origins)?;
        self.admit_again(caller)
    }

    /// Refuses an operation on an open connection if its address or account sends requests too often.
    pub(crate) fn admit_again(&self, caller: &Caller) -> Result<(), Refused> {
        self.rate.check(caller.address)?;
        self.admit_account(&caller.admitted)
    }

    /// Refuses a request if its account sends requests too often, from any address.
    fn admit_account(&self, admitted: &Admitted) -> Result<(), Refused> {
        self.rate.check_account(admitted.principal.account)
    }

    /// Authenticates a request like [`Self::let_in`], and refuses an anonymous one.
    pub(crate) async fn admit_somebody(&self, request: &HttpRequest, caller: &mut Caller) -> Result<(), Refused> {
        self.let_in(request, caller).await?;
        rights::check(&caller.admitted.principal, None)
    }

    /// Authenticates a request that uploads a file. Refuses a read-only token, and a request without a token that a
    /// page of another origin could have made.
    pub(crate) async fn admit_upload(&self, request: &HttpRequest, caller: &mut Caller) -> Result<(), Unserved> {
        self.admit_somebody(request, caller).await?;
        gate::may_change(&caller.admitted.principal)?;
        if caller.admitted.session.is_none() { knows_what_it_does(request) } else { Ok(()) }
    }
}

/// Refuses an upload without a token if a page of another origin could have sent it with a form. A form cannot send the
/// header `x-rectify-upload`; and if there is an `Origin` header, the origin has already been checked.
fn knows_what_it_does(request: &HttpRequest) -> Result<(), Unserved> {
    if request.headers().contains_key(UPLOAD) || request.headers().contains_key(header::ORIGIN) {
        return Ok(());
    }
    let code = Code::Forbidden;
    let (zh, en) =
        ("未登录时上传须带请求头 x-rectify-upload: 1", "without a token, send the header x-rectify-upload: 1");
    Err(Unserved::new(code.status(), code.as_str(), zh, en))
}
