//! What the handlers share, and how each of them lets a request in.

use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::http::header;
use futures_util::future::BoxFuture;
use tracing::Instrument;

use crate::context::{Caller, Oidc, Options, Services};
use crate::error::{Code, Refused, Unserved};
use crate::gate::rate::Rate;
use crate::gate::{self, Admitted, Gate};
use crate::graphql::engine::Engine;
use crate::graphql::rights;
use crate::graphql::schema::sdl;
use crate::http::files::Files;
use crate::http::oidc::Passage;
use crate::http::places::Open;
use crate::http::request;
use crate::language::Language;

/// A header that no page elsewhere can send without being asked about it.
const UPLOAD: &str = "x-rectify-upload";

/// Says whether the program is fit to serve, and why not.
pub type Probe = Arc<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// What the handlers share.
pub(crate) struct AppState {
    pub(crate) engine: Arc<Engine>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) files: Files,
    /// Signing in by a provider, where there is one.
    pub(crate) passage: Option<Passage>,
    /// The connections that stay open.
    pub(crate) streams: Open,
    pub(crate) options: Options,
    rate: Rate,
    pub(crate) sdl: String,
    pub(crate) ready: Probe,
}

impl AppState {
    /// Puts together what the handlers share.
    pub(crate) fn new(services: Services, options: Options, ready: Probe) -> Self {
        let gate =
            Arc::new(Gate::new(services.db.clone(), services.clock.clone(), services.zone, options.open, options.idle));
        let passage = |oidc: &Arc<Oidc>| Passage::new(services.clone(), oidc.clone(), options.origins.clone());
        Self {
            passage: options.oidc.as_ref().and_then(passage),
            files: Files::new(services.clone(), options.limits.evidence),
            engine: Arc::new(Engine::new(services, gate.clone(), &options)),
            gate,
            streams: Open::within(options.limits.streams),
            rate: Rate::per_minute(options.limits.requests_per_minute),
            options,
            sdl: sdl(),
            ready,
        }
    }

    /// Who asks, as far as the request says.
    pub(crate) fn caller(&self, request: &HttpRequest) -> Caller {
        Caller {
            language: Language::preferred(request),
            request_id: request::id(request.headers()),
            address: request::address(request, &self.options.proxies, &self.options.proxy_header),
            is_forwarded: request::is_forwarded(request.headers()),
            admitted: Admitted::nobody(),
        }
    }

    /// Says whose request it is, and refuses those who come to the wrong host, with a dead token or too often.
    pub(crate) async fn let_in(&self, request: &HttpRequest, caller: &mut Caller) -> Result<(), Refused> {
        self.admit(request, caller)?;
        let authorization = gate::authorization(request.headers());
        caller.admitted = self
            .engine
            .in_time(self.gate.admit(authorization, caller.is_forwarded).instrument(caller.span()))
            .await??;
        self.admit_account(caller)
    }

    /// Refuses those who come to the wrong host, from a page of another origin, or too often.
    pub(crate) fn admit(&self, request: &HttpRequest, caller: &Caller) -> Result<(), Refused> {
        request::of_known_host(request, &self.options.hosts)?;
        request::of_known_origin(request, &self.options.origins)?;
        self.admit_again(caller)
    }

    /// Refuses those who ask too often on a connection that they have.
    pub(crate) fn admit_again(&self, caller: &Caller) -> Result<(), Refused> {
        self.rate.check(caller.address)?;
        self.admit_account(caller)
    }

    /// Refuses an account that asks too often, from wherever.
    fn admit_account(&self, caller: &Caller) -> Result<(), Refused> {
        self.rate.check_account(caller.admitted.principal.account)
    }

    /// Says whose request it is, as `/graphql` does; nobody's is refused.
    pub(crate) async fn admit_somebody(&self, request: &HttpRequest, caller: &mut Caller) -> Result<(), Refused> {
        self.let_in(request, caller).await?;
        rights::check(&caller.admitted.principal, None)
    }

    /// Says whose request it is that sends a file, which no page elsewhere may.
    pub(crate) async fn admit_upload(&self, request: &HttpRequest, caller: &mut Caller) -> Result<(), Unserved> {
        self.admit_somebody(request, caller).await?;
        gate::may_change(&caller.admitted.principal)?;
        if caller.admitted.session.is_none() { knows_what_it_does(request) } else { Ok(()) }
    }
}

/// Where there is no token, a page elsewhere must not send files by a form: a form cannot send this header, and a browser
/// says where it is from, which has been looked at.
fn knows_what_it_does(request: &HttpRequest) -> Result<(), Unserved> {
    if request.headers().contains_key(UPLOAD) || request.headers().contains_key(header::ORIGIN) {
        return Ok(());
    }
    let code = Code::Forbidden;
    let (zh, en) =
        ("未登录时上传须带请求头 x-rectify-upload: 1", "without a token, send the header x-rectify-upload: 1");
    Err(Unserved::new(code.status(), code.as_str(), zh, en))
}
