//! `GET /evidence/{id}`: downloads a file of evidence (佐证材料).

use actix_web::body::SizedStream;
use actix_web::{HttpRequest, HttpResponse, web};
use futures_util::StreamExt;
use ledger::file::media;
use ledger::work::evidence;

use crate::context::Caller;
use crate::error::{Code, Unserved};
use crate::http::files::{attachment, not_there, refuse, slot};
use crate::http::state::AppState;
use crate::http::transfer::paced;
use crate::noun::evidence::Evidence;
use crate::part::payload::key_of;

/// `GET /evidence/evidence_3`: downloads a file of evidence by its global id.
pub(crate) async fn download(request: HttpRequest, id: web::Path<String>, state: web::Data<AppState>) -> HttpResponse {
    let mut caller = state.caller(&request);
    let given = give(&request, &id, &state, &mut caller).await;
    given.unwrap_or_else(|why| refuse(&why, &caller))
}

async fn give(
    request: &HttpRequest,
    id: &str,
    state: &AppState,
    caller: &mut Caller,
) -> Result<HttpResponse, Unserved> {
    state.admit_somebody(request, caller).await?;
    let services = &state.files.services;
    let key = key_of::<Evidence>(&id.into()).ok_or_else(not_there)?;
    let slot = slot(&state.files.downloads, caller)?;
    let principal = &caller.admitted.principal;
    let row = evidence::find(&services.db, principal, key).await?.ok_or_else(not_there)?;
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
    Ok(attachment(caller, &row.name, media_type).body(SizedStream::new(size, paced(bytes, slot))))
}
