//! GraphQL over HTTP: POST with JSON, GET for queries only, the right status and media type for each outcome; plus the
//! routes of what else is served, and the probes that keep a deployment honest.

use std::sync::Arc;

use actix_web::http::{Method, header};
use actix_web::{HttpRequest, HttpResponse, guard, web};
use futures_util::future::BoxFuture;
use futures_util::stream::{self, StreamExt};
use tracing::Instrument;

use crate::context::{Caller, Door, Oidc, Policy};
use crate::engine::{Answer, Engine, Manner};
use crate::error::{Code, Refused};
use crate::files::{self, Files};
use crate::gate::{self, Admitted, Gate};
use crate::oidc::{self, Passage};
use crate::page;
use crate::places::Open;
use crate::rate::Rate;
use crate::request::{self, Asked, Language};
use crate::response::{Media, body, refusal, refuse, respond, respond_all};
use crate::schema::sdl;
use crate::{events, websocket, workbook};

/// Says whether the program is fit to serve, and why not.
pub type Probe = Arc<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// What the handlers share.
pub(crate) struct Served {
    pub(crate) engine: Arc<Engine>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) files: Files,
    /// Signing in by a provider, where there is one.
    pub(crate) passage: Option<Passage>,
    /// The connections that stay open.
    pub(crate) streams: Open,
    policy: Policy,
    rate: Rate,
    sdl: String,
    ready: Probe,
}

/// Adds the routes to an actix application.
pub fn routes(door: Door, policy: Policy, ready: Probe) -> impl FnOnce(&mut web::ServiceConfig) + Clone {
    let gate = Arc::new(Gate::new(door.db.clone(), door.clock.clone(), door.zone, policy.open, policy.idle));
    let passage = |oidc: &Arc<Oidc>| Passage::new(door.clone(), oidc.clone(), policy.origins.clone());
    let served = web::Data::new(Served {
        passage: policy.oidc.as_ref().and_then(passage),
        files: Files::new(door.clone(), policy.limits.evidence),
        engine: Arc::new(Engine::new(door, gate.clone(), &policy)),
        gate,
        streams: Open::within(policy.limits.streams),
        rate: Rate::per_minute(policy.limits.requests_per_minute),
        policy,
        sdl: sdl(),
        ready,
    });
    move |config| {
        config
            .app_data(served)
            .service(web::resource("/graphql").route(web::route().to(graphql)))
            .route("/graphql/ws", web::get().to(websocket::connect))
            .service(web::resource("/evidence").route(web::post().to(files::upload)))
            .route("/evidence/{id}", read().to(files::download))
            .route("/dossier/{id}", read().to(files::dossier))
            .route("/sign-in/oidc", web::get().to(oidc::depart))
            .route("/sign-in/oidc/callback", web::get().to(oidc::arrive))
            .route("/schema.graphql", read().to(schema_document))
            .route("/export/ledger.xlsx", read().to(workbook::export))
            .route("/import", web::post().to(workbook::import))
            .route("/healthz", read().to(alive))
            .route("/readyz", read().to(ready_to_serve))
            .service(
                web::scope("")
                    .guard(guard::Any(guard::Get()).or(guard::Head()))
                    .route("/", read().to(page::graphiql))
                    .route("/set-password", read().to(page::set_password))
                    .route("/assets/{name}", read().to(page::asset)),
            );
    }
}

/// GET, and HEAD, which is answered without the body.
fn read() -> actix_web::Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

async fn alive() -> HttpResponse {
    HttpResponse::Ok().body("ok")
}

async fn ready_to_serve(served: web::Data<Served>) -> HttpResponse {
    let answer = readiness(&served.ready).await;
    let is_open = answer.status().is_success() && served.gate.is_open(false).await.unwrap_or(false);
    if is_open { HttpResponse::Ok().body(format!("ready\n{OPEN}")) } else { answer }
}

/// What an open installation says of itself to who watches it.
const OPEN: &str = "open: nobody has an account, and whoever is on this machine may read and write everything";

/// What a probe answers: `ready`, or why not with status 503.
pub async fn readiness(ready: &Probe) -> HttpResponse {
    match ready().await {
        Ok(()) => HttpResponse::Ok().body("ready"),
        Err(why) => HttpResponse::ServiceUnavailable().body(why),
    }
}

async fn schema_document(served: web::Data<Served>) -> HttpResponse {
    if !served.policy.introspection {
        return HttpResponse::NotFound().finish();
    }
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body(served.sdl.clone())
}

async fn graphql(request: HttpRequest, payload: web::Payload, served: web::Data<Served>) -> HttpResponse {
    let mut caller = served.caller(&request);
    let accepted = Media::accepted(request.headers());
    let answered = if let Some(media) = accepted {
        answer(&request, payload, &served, &mut caller, media).await
    } else {
        Err(Refused::new(
            Code::NotAcceptable,
            "Accept 应允许 application/graphql-response+json、application/json 或 text/event-stream",
            "accept application/graphql-response+json, application/json or text/event-stream",
        ))
    };
    let mut response = answered.unwrap_or_else(|refused| refuse(&refused, accepted.unwrap_or(Media::Json), &caller));
    if let Ok(id) = caller.request_id.parse() {
        response.headers_mut().insert(header::HeaderName::from_static("x-request-id"), id);
    }
    response
}

async fn answer(
    request: &HttpRequest,
    payload: web::Payload,
    served: &Served,
    caller: &mut Caller,
    media: Media,
) -> Result<HttpResponse, Refused> {
    served.let_in(request, caller).await?;
    let engine = &served.engine;
    let (asked, manner) = match *request.method() {
        Method::POST => {
            let limits = engine.limits();
            let json = request::body(request.headers(), payload, limits.body, limits.time).await?;
            let (mut asked, is_batch) = Asked::read_all(&json, engine.limits().batch)?;
            if is_batch {
                return Ok(respond_all(&answer_all(engine, asked, caller).await?));
            }
            (asked.swap_remove(0), Manner::Any)
        }
        Method::GET => (Asked::of_query_string(request.query_string())?, Manner::Safe),
        _ => {
            return Err(Refused::new(
                Code::MethodNotAllowed,
                "请用 POST，查询也可用 GET",
                "use POST, or GET for queries",
            ));
        }
    };
    if media == Media::Events {
        let stream = served.streams.begin(caller)?;
        // What is wrong with the document is told as an event: the protocol's clients look nowhere else.
        let answers = match engine.stream(asked, manner, caller.clone()).await {
            Err(refused) if refused.code.is_of_graphql() => stream::iter([Err(refused)]).boxed(),
            answers => answers?,
        };
        return Ok(events::respond(answers, caller.clone(), stream));
    }
    Ok(respond(engine.answer(asked, manner, caller).await?, media, manner))
}

async fn answer_all(engine: &Arc<Engine>, batch: Vec<Asked>, caller: &Caller) -> Result<Vec<String>, Refused> {
    let answers = engine.answer_all(batch, caller).await?.into_iter();
    let text = |answer: Result<Answer, Refused>| match answer {
        Ok(answer) => body(answer).0,
        Err(refused) => refusal(&refused, caller),
    };
    Ok(answers.map(text).collect())
}

impl Served {
    /// Who asks, as far as the request says.
    pub(crate) fn caller(&self, request: &HttpRequest) -> Caller {
        Caller {
            language: Language::preferred(request),
            request_id: request::id(request.headers()),
            address: request::address(request, &self.policy.proxies, &self.policy.proxy_header),
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
        request::of_known_host(request, &self.policy.hosts)?;
        request::of_known_origin(request, &self.policy.origins)?;
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
}
