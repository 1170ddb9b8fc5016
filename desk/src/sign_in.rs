//! Signing in and out, setting up the installation, and the language of pages.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use chrono::DateTime;
use minijinja::context;
use minijinja::value::Serde;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::page::{State, Stopped, Visit, back, see_other, stop};
use crate::session::{self, Banner};
use crate::variables::{self, Given};

/// Signs in with a password, and a code where the account has a second factor.
const SIGN_IN: &str = include_str!("../pages/sign-in/sign-in.graphql");
/// Signs in to an account of the demo.
const SIGN_IN_AS_DEMO: &str = include_str!("../pages/sign-in/demo.graphql");
/// What the page of the sign-in shows.
const PAGE: &str = include_str!("../pages/sign-in/page.graphql");
/// Exchanges the code of a sign-in at a provider for a session.
const WITH_CODE: &str = include_str!("../pages/sign-in-finish/sign-in.graphql");
const SIGN_OUT: &str = "mutation { done: signOut { isEnded } }";
/// Asks for a link to set a new password.
const ASK: &str = include_str!("../pages/forgotten/ask.graphql");
/// Creates the first account.
const SET_UP: &str = include_str!("../pages/set-up/set-up.graphql");

/// Refuses a form without a session that was not sent by a page of this site.
fn check(request: &HttpRequest) -> Result<(), Stopped> {
    if session::is_from_here(request) { Ok(()) } else { Err(Stopped::Foreign) }
}

fn input(given: &Given, names: &[&str]) -> Map<String, Value> {
    let fields = names.iter().filter_map(|name| Some(((*name).to_owned(), json!(variables::first(given, name)?))));
    Map::from_iter([("input".to_owned(), Value::Object(fields.collect()))])
}

/// `POST /sign-in`: opens a session.
pub(crate) async fn sign_in(request: HttpRequest, given: web::Form<Given>, desk: State) -> HttpResponse {
    let done = async {
        check(&request)?;
        let mut visit = Visit::begin(&request, &desk, true).await?;
        let payload = if let Some(account) = variables::first(&given, "accountId") {
            // A demo account is offered only to callers without a session.
            visit.session = desk.client.admit(&request, None, visit.is_english).await?;
            let variables = Map::from_iter([("accountId".to_owned(), json!(account))]);
            visit.ask(SIGN_IN_AS_DEMO, variables).await?
        } else {
            visit.ask(SIGN_IN, input(&given, &["email", "password", "code"])).await?
        };
        opened(&visit, &given, &payload["done"]).await
    };
    done.await.unwrap_or_else(|stopped| stop(&request, &desk, &stopped))
}

/// Answers a sign-in: sends the browser on with its cookie, or shows the form again.
async fn opened(visit: &Visit<'_>, given: &Given, payload: &Value) -> Result<HttpResponse, Stopped> {
    if payload["token"].is_null() {
        let error = &payload["errors"][0];
        let data = visit.ask(PAGE, Map::new()).await?;
        let own = context! {
            data => minijinja::Value::from(Serde(&data)),
            title => visit.words("登录", "Sign in"),
            email => variables::first(given, "email"),
            needs_code => error["code"] == "SECOND_FACTOR_REQUIRED" || variables::first(given, "code").is_some(),
            error => error["message"].as_str(),
            to => variables::first(given, "to"),
        };
        return visit.write(StatusCode::UNPROCESSABLE_ENTITY, "pages/sign-in/page.html", own);
    }
    Ok(enter(visit, payload, &back(variables::first(given, "to"))))
}

/// Sends the browser on with the session that a payload opened.
pub(crate) fn enter(visit: &Visit<'_>, payload: &Value, to: &str) -> HttpResponse {
    let now = (visit.desk.options.clock)();
    let until = payload["expiresAt"].as_str().and_then(|at| DateTime::parse_from_rfc3339(at).ok());
    let seconds = until.map_or(0, |until| (until.to_utc() - now).num_seconds());
    let secret = payload["token"].as_str().unwrap_or_default().to_owned();
    let to = if payload["hasToSetUpSecondFactor"] == true { "/second-factor" } else { to };
    see_other(to).cookie(session::begin(secret, seconds, visit.desk)).finish()
}

/// `GET /sign-in/provider?to=…`: sends the browser to the provider of sign-ins.
pub(crate) async fn depart(request: HttpRequest, desk: State) -> HttpResponse {
    let done = async {
        let visit = Visit::begin(&request, &desk, true).await?;
        let found = visit.ask(PAGE, Map::new()).await?;
        let provider = found["signInProvider"]["url"].as_str().ok_or(Stopped::Missing)?.to_owned();
        let mut proof = [0_u8; 32];
        getrandom::fill(&mut proof).map_err(|error| {
            tracing::error!(%error, "the operating system returned no random bytes");
            Stopped::Failed
        })?;
        let proof = hex::encode(proof);
        let challenge = hex::encode(Sha256::digest(proof.as_bytes()));
        let given = crate::page::pairs(request.query_string());
        let to = back(variables::first(&given, "to"));
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("challenge", &challenge)
            .append_pair("to", &format!("{}/sign-in/finish", desk.options.public_url))
            .finish();
        let address = format!("{provider}?{query}");
        Ok::<_, Stopped>(see_other(&address).cookie(session::journey(&proof, &to, &desk)).finish())
    };
    done.await.unwrap_or_else(|stopped| stop(&request, &desk, &stopped))
}

/// `POST /sign-in/finish`: exchanges the code that the provider's sign-in ended with for a session.
pub(crate) async fn finish(request: HttpRequest, given: web::Form<Given>, desk: State) -> HttpResponse {
    let done = async {
        check(&request)?;
        let visit = Visit::begin(&request, &desk, true).await?;
        let (proof, to) = session::read_journey(&request, &desk).ok_or(Stopped::Foreign)?;
        let code = variables::first(&given, "code").unwrap_or_default();
        let input = json!({ "code": code, "proof": proof });
        let payload = visit.ask(WITH_CODE, Map::from_iter([("input".to_owned(), input)])).await?;
        opened(&visit, &vec![("to".to_owned(), to)], &payload["done"]).await
    };
    done.await.unwrap_or_else(|stopped| stop(&request, &desk, &stopped))
}

/// `POST /sign-out`: ends the session.
pub(crate) async fn sign_out(request: HttpRequest, given: web::Form<Given>, desk: State) -> HttpResponse {
    let done = async {
        let visit = Visit::begin(&request, &desk, false).await?;
        visit.check_form(&given)?;
        visit.ask(SIGN_OUT, Map::new()).await?;
        Ok::<_, Stopped>(see_other("/sign-in").cookie(session::end(&desk)).finish())
    };
    done.await.unwrap_or_else(|stopped| stop(&request, &desk, &stopped))
}

/// `POST /forgotten`: asks for a link by mail. The answer does not tell whether there is such an account.
pub(crate) async fn ask_for_link(request: HttpRequest, given: web::Form<Given>, desk: State) -> HttpResponse {
    let done = async {
        check(&request)?;
        let visit = Visit::begin(&request, &desk, true).await?;
        visit.ask(ASK, input(&given, &["email"])).await?;
        let text = visit.words(
            "如果该邮箱已登记账户，链接将在几分钟内寄到，30 分钟内有效",
            "If there is an account with this address, a link will arrive in a few minutes; it is valid for 30 minutes",
        );
        Ok::<_, Stopped>(see_other("/sign-in").cookie(Banner::done(text).cookie(&desk)).finish())
    };
    done.await.unwrap_or_else(|stopped| stop(&request, &desk, &stopped))
}

/// `POST /set-up`: creates the first administrator with the code that the server printed.
pub(crate) async fn set_up(request: HttpRequest, given: web::Form<Given>, desk: State) -> HttpResponse {
    let done = async {
        check(&request)?;
        let visit = Visit::begin(&request, &desk, true).await?;
        let payload = visit.ask(SET_UP, input(&given, &["code", "email", "name", "password"])).await?;
        let payload = &payload["done"];
        if payload["token"].is_null() {
            let own = context! {
                title => visit.words("初始设置", "Set up"),
                errors => minijinja::Value::from(Serde(&payload["errors"])),
                email => variables::first(&given, "email"),
                name => variables::first(&given, "name"),
            };
            return visit.write(StatusCode::UNPROCESSABLE_ENTITY, "pages/set-up/page.html", own);
        }
        opened(&visit, &given, payload).await
    };
    done.await.unwrap_or_else(|stopped| stop(&request, &desk, &stopped))
}

/// `GET /language/{language}?to=…`: keeps the choice of a language, and goes back.
pub(crate) async fn choose_language(request: HttpRequest, language: web::Path<String>, desk: State) -> HttpResponse {
    let given = crate::page::pairs(request.query_string());
    let to = back(variables::first(&given, "to"));
    see_other(&to).cookie(session::language(language.as_str() == "en", &desk)).finish()
}
