//! The routes: which handler answers which path, and the probes for deployments (`/healthz` and `/readyz`).

use actix_web::{HttpResponse, guard, web};

use crate::client::Client;
use crate::context::{Options, Services};
use crate::http::state::{AppState, Probe};
use crate::http::{
    answer, briefing, calendar, dossier, evidence, export, graphiql, oidc, resumed, thumbnail, unsubscribe, upload,
    websocket, workbook,
};

/// The API: its state, which all workers of the server share.
#[derive(Clone)]
pub struct Api(web::Data<AppState>);

impl Api {
    /// Builds the API from the services and the settings.
    pub fn new(services: Services, options: Options, ready: Probe) -> Self {
        Self(web::Data::new(AppState::new(services, options, ready)))
    }

    /// Returns a client that calls the API in the same process.
    pub fn client(&self) -> Client {
        Client::new(self.0.clone())
    }

    /// Returns the function that adds the routes to an actix application.
    pub fn routes(&self) -> impl FnOnce(&mut web::ServiceConfig) + Clone + use<> {
        let state = self.0.clone();
        move |config| {
            config
                .app_data(state)
                .service(web::resource("/graphql").route(web::route().to(answer::graphql)))
                .route("/graphql/ws", web::get().to(websocket::connect))
                .service(
                    web::resource("/evidence")
                        .route(web::post().to(upload::upload))
                        .route(web::put().to(resumed::upload)),
                )
                .route("/evidence/{id}", read().to(evidence::download))
                .route("/evidence/{id}/thumbnail", read().to(thumbnail::thumbnail))
                .route("/dossier/{id}", read().to(dossier::dossier))
                .route("/sign-in/oidc", web::get().to(oidc::sign_in::depart))
                .route("/sign-in/oidc/callback", web::get().to(oidc::sign_in::arrive))
                .route("/calendar/{secret}.ics", read().to(calendar::calendar))
                .service(
                    web::resource("/unsubscribe/{token}")
                        .guard(guard::Post())
                        .route(web::post().to(unsubscribe::unsubscribe)),
                )
                .route("/schema.graphql", read().to(schema_document))
                .route("/export/ledger.xlsx", read().to(workbook::export))
                .route("/export/briefing.{format}", read().to(briefing::export))
                .route("/export/monthly-account", read().to(workbook::month_form))
                .route("/export/{list}.{format}", read().to(export::export))
                .route("/import", web::post().to(workbook::import))
                .route("/healthz", read().to(alive))
                .route("/readyz", read().to(ready_to_serve))
                .service(
                    web::scope("")
                        .guard(guard::Any(guard::Get()).or(guard::Head()))
                        .route("/graphiql", read().to(graphiql::graphiql))
                        .route("/set-password", read().to(graphiql::set_password))
                        .route("/assets/{name}", read().to(graphiql::asset)),
                );
        }
    }
}

/// Begins a route for GET and HEAD; a response to HEAD has no body.
fn read() -> actix_web::Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

async fn alive() -> HttpResponse {
    HttpResponse::Ok().body("ok")
}

async fn ready_to_serve(state: web::Data<AppState>) -> HttpResponse {
    let answer = (state.ready)().await;
    let is_open = answer.is_ok() && state.gate.is_open(false).await.unwrap_or(false);
    readiness_of(answer, is_open.then_some(OPEN))
}

/// What the readiness probe adds for an open installation, to warn its operators.
const OPEN: &str = "open: no account exists yet, so anyone on this machine can read and write everything";

/// Answers a readiness probe: `ready` and what is degraded, or the reason with status 503.
pub async fn readiness(ready: &Probe) -> HttpResponse {
    readiness_of(ready().await, None)
}

/// Answers with what a probe found, and a line more if there is one.
fn readiness_of(found: Result<Vec<String>, String>, more: Option<&str>) -> HttpResponse {
    match found {
        Ok(degraded) => {
            let degraded = degraded.into_iter().map(|what| format!("degraded: {what}"));
            let lines = std::iter::once("ready".to_owned()).chain(degraded).chain(more.map(str::to_owned));
            HttpResponse::Ok().body(lines.collect::<Vec<_>>().join("\n"))
        }
        Err(why) => HttpResponse::ServiceUnavailable().body(why),
    }
}

async fn schema_document(state: web::Data<AppState>) -> HttpResponse {
    if !state.options.introspection {
        return HttpResponse::NotFound().finish();
    }
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body(state.sdl.clone())
}
