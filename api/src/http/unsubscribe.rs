//! Switching a digest off with one click, as mail programs offer it by the header `List-Unsubscribe` (RFC 8058).

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use ledger::fault::FaultCode;
use ledger::people::muted;

use crate::context::Caller;
use crate::error::Unserved;
use crate::http::files::{answer, refuse};
use crate::http::state::AppState;

/// `POST /unsubscribe/{token}`: switches off the kind of a mail for its address. Mail programs send it by themselves,
/// so it carries no origin; the token proves the right to.
pub(crate) async fn unsubscribe(
    request: HttpRequest,
    token: web::Path<String>,
    state: web::Data<AppState>,
) -> HttpResponse {
    let caller = state.caller(&request);
    let done = mute(&request, &token, &state, &caller).await;
    done.unwrap_or_else(|why| refuse(&why, &caller))
}

async fn mute(request: &HttpRequest, token: &str, state: &AppState, caller: &Caller) -> Result<HttpResponse, Unserved> {
    state.admit(request, caller)?;
    let by = caller.by();
    if muted::unsubscribe(&state.files.acting(&by), &state.files.services.link_key, token).await? {
        return Ok(answer(StatusCode::OK).content_type("text/plain; charset=utf-8").body("已退订\nUnsubscribed\n"));
    }
    let (zh, en) = ("退订链接已过期或有误", "this link to unsubscribe has expired or is wrong");
    Err(Unserved::new(StatusCode::NOT_FOUND, FaultCode::NotFound.as_str(), zh, en))
}
