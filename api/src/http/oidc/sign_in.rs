//! The two addresses that a browser visits. `GET /sign-in/oidc` sends it to the provider. `GET /sign-in/oidc/callback`
//! receives it when it returns, and sends it on with a code to the page that began the sign-in. The page exchanges the
//! code for a session with `signInWithCode`, and proves that it began the sign-in. No token is ever part of an address.

use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use tracing::Instrument;
use url::Url;

use super::journey::Journey;
use crate::context::Caller;
use crate::error::Unserved;
use crate::http::headers;
use crate::http::state::AppState;
use crate::language::Language;

/// Makes the refusal of a user whom the provider vouches for, but the ledger does not admit.
fn not_admitted(failure: ledger::Error) -> Unserved {
    match failure {
        ledger::Error::Refused(mut faults) if !faults.is_empty() => {
            let fault = faults.swap_remove(0);
            let (status, code) = (StatusCode::FORBIDDEN, fault.code.as_str());
            Unserved { status, code, message: fault.message, retry_after: None }
        }
        failure => Unserved::masked(&failure),
    }
}

fn not_here() -> Unserved {
    Unserved::new(
        StatusCode::NOT_FOUND,
        "NOT_FOUND",
        "本系统没有启用统一身份认证登录",
        "signing in with a provider is not enabled here",
    )
}

fn not_begun_here() -> Unserved {
    Unserved::new(
        StatusCode::BAD_REQUEST,
        "SIGN_IN_NOT_BEGUN",
        "这次登录不是从本浏览器发起的，或已经结束，请重新登录",
        "this sign-in was not started in this browser, or has already ended: start again",
    )
}

/// The query parameters with which a page begins a sign-in.
#[derive(Deserialize)]
struct Departure {
    challenge: Option<String>,
    to: Option<String>,
}

/// `GET /sign-in/oidc?challenge=…&to=…`: sends the browser to the provider. `challenge` is the SHA-256, in hexadecimal,
/// of a secret that the page keeps; `to` is the page to return to, the start page if it is absent.
pub(crate) async fn depart(request: HttpRequest, state: web::Data<AppState>) -> HttpResponse {
    let caller = state.caller(&request);
    let span = caller.span();
    async {
        match send_off(&request, &state, &caller).await {
            Ok(response) => response,
            Err(stopped) => page(&stopped, None, &state, &caller),
        }
    }
    .instrument(span)
    .await
}

async fn send_off(request: &HttpRequest, state: &AppState, caller: &Caller) -> Result<HttpResponse, Unserved> {
    state.admit(request, caller)?;
    let passage = state.passage.as_ref().ok_or_else(not_here)?;
    let given = web::Query::<Departure>::from_query(request.query_string()).ok().map(web::Query::into_inner);
    let is_hash = |text: &String| {
        text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    };
    let Some((challenge, to)) = given.and_then(|given| Some((given.challenge.filter(is_hash)?, given.to))) else {
        return Err(Unserved::new(
            StatusCode::BAD_REQUEST,
            "BAD_REQUEST",
            "请从登录页进入：缺少 challenge（十六进制的 SHA-256）",
            "start at a sign-in page: the challenge (a SHA-256 in hexadecimal) is missing",
        ));
    };
    let to = passage.page(to.as_deref().unwrap_or_default()).ok_or_else(|| {
        Unserved::new(
            StatusCode::FORBIDDEN,
            "FORBIDDEN",
            "不能返回这个网址：应为本系统（public_url）或 origins 中网站的页面",
            "cannot return to this address: it belongs neither to this system (public_url) nor to `origins`",
        )
    })?;
    let now = (passage.services.clock)();
    let journey = Journey::begin(challenge, to.into(), now).map_err(|failure| Unserved::masked(&failure))?;
    let cookie = journey.sealed(&passage.key).map_err(|failure| Unserved::masked(&failure))?;
    let address = passage.provider.departure(journey, now).await?;
    Ok(HttpResponse::SeeOther()
        .insert_header((header::LOCATION, address.as_str()))
        .insert_header((header::SET_COOKIE, passage.cookie.set(&cookie)))
        .finish())
}

/// The query parameters with which the provider sends a browser back.
#[derive(Deserialize)]
struct Arrival {
    state: Option<String>,
    code: Option<String>,
    error: Option<String>,
    iss: Option<String>,
}

/// `GET /sign-in/oidc/callback?state=…&code=…`: receives the browser from the provider and sends it on to the page that
/// began the sign-in, with a code in the fragment of the address. If the sign-in fails, it answers with a page that
/// says why.
pub(crate) async fn arrive(request: HttpRequest, state: web::Data<AppState>) -> HttpResponse {
    let caller = state.caller(&request);
    let span = caller.span();
    async {
        let journey = match take_back(&request, &state, &caller) {
            Ok(journey) => journey,
            Err(stopped) => return page(&stopped, None, &state, &caller),
        };
        let mut response = match let_in(&request, &state, &caller, &journey).await {
            Ok(response) => response,
            Err(stopped) => page(&stopped, Some(&journey.to), &state, &caller),
        };
        // Remove the cookie, whatever the outcome: a journey can be completed only once.
        if let Some(cookie) = state.passage.as_ref().and_then(|passage| passage.cookie.removed().parse().ok()) {
            response.headers_mut().insert(header::SET_COOKIE, cookie);
        }
        response
    }
    .instrument(span)
    .await
}

/// Returns the journey that a browser returns from. Refuses a browser whose cookie, state or issuer does not match.
fn take_back(request: &HttpRequest, state: &AppState, caller: &Caller) -> Result<Journey, Unserved> {
    state.admit(request, caller)?;
    let passage = state.passage.as_ref().ok_or_else(not_here)?;
    let given = arrival(request)?;
    let journey = passage.cookie.of(request).and_then(|cookie| Journey::opened(&passage.key, cookie));
    let journey = journey.ok_or_else(not_begun_here)?;
    let is_own = given.state.is_some_and(|state| journey.is_state(&passage.key, &state));
    if !is_own || given.iss.is_some_and(|issuer| issuer != passage.oidc.issuer) {
        return Err(not_begun_here());
    }
    Ok(journey)
}

fn arrival(request: &HttpRequest) -> Result<Arrival, Unserved> {
    let given = web::Query::<Arrival>::from_query(request.query_string());
    given.map(web::Query::into_inner).map_err(|_| not_begun_here())
}

async fn let_in(
    request: &HttpRequest,
    state: &AppState,
    caller: &Caller,
    journey: &Journey,
) -> Result<HttpResponse, Unserved> {
    let passage = state.passage.as_ref().ok_or_else(not_here)?;
    let given = arrival(request)?;
    let now = (passage.services.clock)();
    if journey.is_over(now) {
        return Err(Unserved::new(
            StatusCode::BAD_REQUEST,
            "SIGN_IN_OVER",
            "这次登录已超过 10 分钟，请重新登录",
            "this sign-in took more than 10 minutes: start again",
        ));
    }
    let Some(code) = given.code.filter(|_| given.error.is_none()) else {
        return Err(refused_there(given.error.as_deref()));
    };
    let vouched = passage.provider.vouch(code, journey.clone(), now).await?;
    let times = (now, passage.services.zone);
    let code =
        ledger::people::identity::admit(&passage.services.db, &caller.by(), &vouched, &journey.challenge, times).await;
    let code = code.map_err(not_admitted)?;
    let mut to = Url::parse(&journey.to).map_err(|failure| Unserved::masked(&failure))?;
    // In the fragment, which browsers do not send to servers, so that the code appears in no log.
    to.set_fragment(Some(&format!("sign-in-code={code}")));
    Ok(HttpResponse::SeeOther().insert_header((header::LOCATION, to.as_str())).finish())
}

/// Makes the refusal for a browser that returns without a code. The error is part of an address that anyone can write,
/// so it is logged in a cleaned form and not displayed.
fn refused_there(error: Option<&str>) -> Unserved {
    if error == Some("access_denied") {
        return Unserved::new(
            StatusCode::FORBIDDEN,
            "SIGN_IN_CANCELLED",
            "您取消了登录，或统一身份认证系统没有允许",
            "you cancelled the sign-in, or the provider did not allow it",
        );
    }
    let plain = |letter: &char| letter.is_ascii_alphanumeric() || *letter == '_';
    let error: String = error.unwrap_or("neither a code nor an error").chars().filter(plain).take(40).collect();
    tracing::warn!(error, "the provider sent a browser back without a code");
    Unserved::new(
        StatusCode::BAD_GATEWAY,
        "PROVIDER_REFUSED",
        "统一身份认证系统没有完成登录，请重试；如再次出现，请联系系统管理员",
        "the provider did not complete the sign-in: try again, and tell the administrator if it recurs",
    )
}

/// Renders the page for a failed sign-in: what happened, what to do, a link back, and the id of the request.
fn page(stopped: &Unserved, back: Option<&str>, state: &AppState, caller: &Caller) -> HttpResponse {
    let home = state.passage.as_ref().map_or("/", |passage| passage.oidc.public_url.as_str());
    let (language, title, again, id) = match caller.language {
        Language::Chinese => ("zh-CN", "登录未完成", "返回", "请求编号"),
        Language::English => ("en", "Not signed in", "Back", "Request"),
    };
    let text = format!(
        "<!doctype html>\n<html lang=\"{language}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n\
         <link rel=\"stylesheet\" href=\"/assets/sign-in.css\">\n</head>\n<body>\n<h1>{title}</h1>\n<p>{}</p>\n\
         <p><a href=\"{}\">{again}</a></p>\n<p><small>{} · {id} {}</small></p>\n</body>\n</html>\n",
        escaped(caller.language.of(&stopped.message)),
        escaped(back.unwrap_or(home)),
        stopped.code,
        escaped(&caller.request_id),
    );
    let mut response = HttpResponse::build(stopped.status);
    response
        .content_type("text/html; charset=utf-8")
        .insert_header((header::CONTENT_SECURITY_POLICY, headers::TEXT))
        .insert_header((header::CONTENT_LANGUAGE, language));
    if let Some(seconds) = stopped.retry_after {
        response.insert_header((header::RETRY_AFTER, seconds.to_string()));
    }
    response.body(text)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
