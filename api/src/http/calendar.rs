//! The calendar of a person's deadlines, which calendar programs fetch by a secret address.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use ledger::fault::FaultCode;
use ledger::people::account::{authentication, session};
use ledger::rule::ics;
use ledger::work::own_deadlines;

use crate::context::Caller;
use crate::error::Unserved;
use crate::http::files::{answer, refuse};
use crate::http::state::AppState;
use crate::language::Language;

/// `GET /calendar/{secret}.ics`: the deadlines that the owner of the secret sees and answers.
pub(crate) async fn calendar(
    request: HttpRequest,
    secret: web::Path<String>,
    state: web::Data<AppState>,
) -> HttpResponse {
    let caller = state.caller(&request);
    let given = give(&request, &secret, &state, &caller).await;
    given.unwrap_or_else(|why| refuse(&why, &caller))
}

async fn give(
    request: &HttpRequest,
    secret: &str,
    state: &AppState,
    caller: &Caller,
) -> Result<HttpResponse, Unserved> {
    state.admit(request, caller)?;
    let services = &state.files.services;
    let now = (services.clock)();
    let Some(found) = authentication::authenticate_calendar(&state.gate.reader, secret, (now, services.zone)).await?
    else {
        let (zh, en) = (
            "日历订阅已失效，请登录后在“我的”中重新建立",
            "this calendar has ended: sign in and create it again under “My account”",
        );
        return Err(Unserved::new(StatusCode::NOT_FOUND, FaultCode::NotFound.as_str(), zh, en));
    };
    if found.is_stale {
        session::touch(&services.db, found.session, now).await?;
    }
    let deadlines = own_deadlines::find(&services.db, &found.principal).await?;
    let name = match caller.language {
        Language::English => "Rectify: deadlines",
        Language::Chinese => "整改时限",
    };
    let text = ics::calendar(name, &services.public_url, &deadlines, now);
    Ok(answer(StatusCode::OK).content_type("text/calendar; charset=utf-8").body(text))
}
