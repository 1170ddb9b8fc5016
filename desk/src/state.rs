//! The state that all handlers of the desk share, its settings, and its routes.

use std::sync::Arc;

use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::middleware::DefaultHeaders;
use actix_web::{HttpRequest, HttpResponse, guard, web};
use api::TableFormat;
use chrono_tz::Tz;

use crate::act::{self, Acts};
use crate::page::{self, Pages, Stopped};
use crate::schema::Schema;
use crate::view::View;
use crate::{asset, export, import, link, live, month, sign_in};

/// The content security policy of all pages: everything comes from this program, nothing is inline, and forms are sent
/// to this program only.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; form-action 'self'; base-uri 'none'; object-src 'none'; \
                      frame-ancestors 'none'";
/// The most bytes of a form without files.
const MAX_FORM_BYTES: usize = 512 << 10;

/// The settings of the desk.
#[derive(Clone)]
pub struct Options {
    /// The public address of this program, without a trailing slash.
    pub public_url: String,
    /// The time zone of the ledger.
    pub zone: Tz,
    /// The clock.
    pub clock: api::Clock,
}

/// Why the desk cannot be built: one of its own files is wrong.
#[derive(Debug)]
pub struct Unbuilt(pub(crate) String);

impl std::fmt::Display for Unbuilt {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Unbuilt {}

/// The state that all handlers share.
pub(crate) struct Desk {
    pub(crate) client: api::Client,
    pub(crate) schema: Arc<Schema>,
    pub(crate) pages: Pages,
    pub(crate) acts: Acts,
    pub(crate) view: View,
    pub(crate) options: Options,
    /// Whether the public address is https, so that cookies are sent over TLS only.
    pub(crate) is_secure: bool,
}

/// Builds the desk and returns the function that adds its routes to an actix application. They have to be added before
/// those of the API, which answer whatever is left.
///
/// # Errors
///
/// Fails if the document of a page cannot be parsed, or a form does not fit the schema of the API.
pub fn routes(
    client: api::Client,
    options: Options,
) -> Result<impl FnOnce(&mut web::ServiceConfig) + Clone + use<>, Unbuilt> {
    let schema = Arc::new(Schema::read(&api::sdl()).map_err(|error| Unbuilt(error.to_string()))?);
    let pages = Pages::read()?;
    let acts = Acts::read(&schema)?;
    let view = View::new(schema.clone(), options.zone);
    let is_secure = api::is_https(&options.public_url);
    let desk = web::Data::new(Desk { client, schema, pages, acts, view, options, is_secure });
    Ok(move |config: &mut web::ServiceConfig| {
        config.app_data(desk.clone());
        let headers = || {
            DefaultHeaders::new()
                .add((header::CONTENT_SECURITY_POLICY, POLICY))
                // With `no-referrer`, browsers would send forms with `Origin: null`.
                .add((header::REFERRER_POLICY, "same-origin"))
                .add((HeaderName::from_static("x-robots-tag"), "noindex"))
        };
        let form = || web::FormConfig::default().limit(MAX_FORM_BYTES);
        let post = |path: &str, route: actix_web::Route| {
            web::resource(path.to_owned())
                .guard(guard::Post())
                .app_data(form())
                .app_data(web::PayloadConfig::new(MAX_FORM_BYTES))
                .wrap(headers())
                .route(route)
        };
        config
            .service(post("/acts/{act}", web::post().to(act::carry_out)))
            .service(post("/several/{act}", web::post().to(act::carry_out_several)))
            .service(post("/sign-in", web::post().to(sign_in::sign_in)))
            .service(post("/sign-in/finish", web::post().to(sign_in::finish)))
            .service(post("/sign-out", web::post().to(sign_in::sign_out)))
            .service(post("/forgotten", web::post().to(sign_in::ask_for_link)))
            .service(post("/set-up", web::post().to(sign_in::set_up)))
            .service(post("/report/{id}", web::post().to(act::report)))
            .service(post("/m/{token}", web::post().to(link::acknowledge)))
            .service(post("/month", web::post().to(month::upload)))
            .service(post("/imports", web::post().to(import::upload)))
            .service(post("/imports/decisions", web::post().to(import::take_over)))
            .service(post("/imports/{id}", web::post().to(import::decide)));
        let get = |path: &str, route: actix_web::Route| {
            let reads = guard::Any(guard::Get()).or(guard::Head());
            web::resource(path.to_owned()).guard(reads).wrap(headers()).route(route)
        };
        config
            .service(get("/desk/{version}/{name}", web::route().to(asset::asset)))
            .service(get("/sign-in/provider", web::route().to(sign_in::depart)))
            .service(get("/m/{token}", web::route().to(link::follow)))
            .service(get("/briefings.{format}", web::route().to(export::briefing)))
            .service(get("/live", web::route().to(live::events)))
            .service(get("/acts/{act}", web::route().to(act::form)))
            .service(get("/month/form.xlsx", web::route().to(month::form)))
            .service(get("/imports/decisions/mapping.toml", web::route().to(import::mapping)))
            .service(get("/language/{language}", web::route().to(sign_in::choose_language)));
        config.default_service(web::route().to(unknown));
        for page in desk.pages.iter() {
            let name = page.name.clone();
            let show = move |request: actix_web::HttpRequest, desk: web::Data<Desk>| {
                let name = name.clone();
                async move { page::show(&request, &desk, &name).await }
            };
            config.service(get(&page.path, web::route().to(show)));
            if page.export().is_none() {
                continue;
            }
            for (ending, format) in [("xlsx", TableFormat::Xlsx), ("csv", TableFormat::Csv)] {
                let name = page.name.clone();
                let give = move |request: actix_web::HttpRequest, desk: web::Data<Desk>| {
                    let name = name.clone();
                    async move { export::export(&request, &desk, &name, format).await }
                };
                config.service(get(&format!("{}.{ending}", page.path), web::route().to(give)));
            }
        }
    })
}

/// Answers an address that nothing else answers: with a page if a browser asks for one, else with no content.
async fn unknown(request: HttpRequest, desk: web::Data<Desk>) -> HttpResponse {
    let accepted = request.headers().get(header::ACCEPT).and_then(|accepted| accepted.to_str().ok());
    if !request.method().is_safe() || !accepted.is_some_and(|accepted| accepted.contains("text/html")) {
        return HttpResponse::NotFound().finish();
    }
    let mut response = page::stop(&request, &desk, &Stopped::Unknown);
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    response
}
