//! `GET /evidence/{id}`: downloads a file of evidence (佐证材料).

use actix_web::body::SizedStream;
use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_DISPOSITION;
use actix_web::{HttpRequest, HttpResponse, web};
use entity::evidence::Model;
use futures_util::StreamExt;
use ledger::file::media;
use ledger::people::policy::Principal;
use ledger::work::evidence;
use serde::Deserialize;

use crate::context::Caller;
use crate::error::{Code, Unserved};
use crate::http::files::{attachment, not_there, refuse, slot};
use crate::http::state::AppState;
use crate::http::thumbnail::is_drawn;
use crate::http::transfer::paced;
use crate::noun::evidence::Evidence;
use crate::part::payload::key_of;

/// `GET /evidence/evidence_3`: downloads a file of evidence by its global id.
pub(crate) async fn download(
    request: HttpRequest,
    id: web::Path<String>,
    signed: web::Query<Signed>,
    state: web::Data<AppState>,
) -> HttpResponse {
    let mut caller = state.caller(&request);
    let given = give(&request, &id, &signed, &state, &mut caller).await;
    given.unwrap_or_else(|why| refuse(&why, &caller))
}

/// The parameter of a signed address: it stands for the right to see one file until it expires.
#[derive(Deserialize)]
pub(crate) struct Signed {
    key: Option<String>,
}

/// Finds a file that the caller may see: with a session or token, or by a signed address.
pub(crate) async fn find(
    request: &HttpRequest,
    id: &str,
    signed: &Signed,
    state: &AppState,
    caller: &mut Caller,
) -> Result<Model, Unserved> {
    let services = &state.files.services;
    let key = key_of::<Evidence>(&id.into()).ok_or_else(not_there)?;
    if let Some(token) = &signed.key {
        state.admit(request, caller)?;
        let now = (services.clock)();
        if services.link_key.read(token, now).map(|followed| followed.what) != Ok(id) {
            let (zh, en) = ("链接已过期，请刷新页面", "the address has expired: reload the page");
            return Err(Unserved::new(StatusCode::FORBIDDEN, Code::Forbidden.as_str(), zh, en));
        }
        let row = evidence::find(&services.db, &Principal::local(), key).await?;
        return row.ok_or_else(not_there);
    }
    state.admit_somebody(request, caller).await?;
    let row = evidence::find(&services.db, &caller.admitted.principal, key).await?;
    row.ok_or_else(not_there)
}

async fn give(
    request: &HttpRequest,
    id: &str,
    signed: &Signed,
    state: &AppState,
    caller: &mut Caller,
) -> Result<HttpResponse, Unserved> {
    let row = find(request, id, signed, state, caller).await?;
    let key = row.id;
    let services = &state.files.services;
    let slot = slot(&state.files.downloads, caller)?;
    let found = services.storage.read(&row.place).await.map_err(|error| Unserved::masked(&error))?;
    let Some((size, bytes)) = found else {
        tracing::error!(evidence = row.id, place = row.place, "a file of evidence is missing from the storage");
        let code = Code::Internal;
        let (zh, en) = ("文件已丢失，请联系管理员核查存储", "the file is missing: tell the administrator");
        return Err(Unserved::new(code.status(), code.as_str(), zh, en));
    };
    let media_type = if media::is_kept(&row.media_type) { row.media_type.as_str() } else { "application/octet-stream" };
    let bytes = bytes.inspect(move |chunk| {
        if let Err(error) = chunk {
            tracing::error!(error = error as &dyn std::error::Error, evidence = key, "the download of a file failed");
        }
    });
    let mut answer = attachment(&row.name, media_type);
    if signed.key.is_some() && is_drawn(media_type) {
        // A photograph is shown, not saved.
        answer.insert_header((CONTENT_DISPOSITION, "inline"));
    }
    Ok(answer.body(SizedStream::new(size, paced(bytes, slot))))
}
