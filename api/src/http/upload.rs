//! `POST /evidence`: uploads a file of evidence (佐证材料), as the body or as the part `file` of a form. The file is
//! streamed to the storage.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::http::form::form;
use actix_web::error::PayloadError;
use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::web::{self, Bytes};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::{Stream, StreamExt};
use ledger::file::storage::{Arrived, Arriving, Stored};
use ledger::work::evidence;
use serde::Deserialize;
use serde_json::json;

use crate::context::Caller;
use crate::error::Unserved;
use crate::gate;
use crate::http::files::{Files, answer, refuse, slot, too_large};
use crate::http::state::AppState;
use crate::http::transfer::Transfer;
use crate::noun::assignment::Assignment;
use crate::part::payload::key_of;

/// How many more bytes of a refused body are read, and for how long: a client that is still sending does not read the
/// response.
const LINGER: (usize, Duration) = (256 << 20, Duration::from_secs(5));
/// The body of a request. It can be cloned, so that the rest can be read after the form parser has failed.
#[derive(Clone)]
struct Body(Rc<RefCell<web::Payload>>);

impl Stream for Body {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.borrow_mut().poll_next_unpin(context)
    }
}

/// The query parameters of an upload.
#[derive(Deserialize)]
struct UploadQuery {
    assignment: Option<String>,
    name: Option<String>,
}

/// `POST /evidence?assignment=assignment_7`: uploads a file for an assignment (责任分解). `name` is the file name; it
/// is required if the file is the body, and ignored in a form.
pub(crate) async fn upload(request: HttpRequest, payload: web::Payload, state: web::Data<AppState>) -> HttpResponse {
    let caller = state.caller(&request);
    let known = caller.clone();
    // Run as a task of its own, which continues when the client disconnects: a partially written file has to be
    // removed.
    let taken = actix_web::rt::spawn(async move {
        let mut caller = caller;
        take(&request, payload, &state, &mut caller).await
    });
    match taken.await {
        Ok(Ok(kept)) => created(&kept),
        Ok(Err(why)) => refuse(&why, &known),
        Err(failed) => refuse(&Unserved::masked(&failed), &known),
    }
}

/// Answers that a file was kept as the evidence with this key.
pub(crate) fn created((id, stored): &(i64, Stored)) -> HttpResponse {
    let file = json!({ "id": format!("evidence_{id}"), "name": stored.name, "size": stored.size,
        "sha256": stored.sha256, "mediaType": stored.media_type });
    answer(StatusCode::CREATED).json(json!({ "evidence": file }))
}

async fn take(
    request: &HttpRequest,
    payload: web::Payload,
    state: &AppState,
    caller: &mut Caller,
) -> Result<(i64, Stored), Unserved> {
    let files = &state.files;
    let mut body = Body(Rc::new(RefCell::new(payload)));
    let taken = async {
        state.admit_upload(request, caller).await?;
        let by = caller.by();
        let wish = web::Query::<UploadQuery>::from_query(request.query_string())
            .map_err(|_| Unserved::malformed("参数应为 assignment、name", "expected parameters: assignment, name"))?
            .into_inner();
        let assignment = key_of::<Assignment>(&wish.assignment.as_deref().unwrap_or_default().into());
        // Check the rights before the body is read.
        evidence::may_add(&files.acting(&by), assignment).await?;
        let _slot = slot(&files.uploads, caller)?;
        let arrived = receive(request, &mut body, files, wish.name.as_deref()).await?;
        keep(state, caller, assignment, arrived).await
    }
    .await;
    if taken.is_err() {
        linger(&mut body).await;
    }
    taken
}

/// Keeps a file that is a field of a form, as evidence of the assignment with the given global id.
pub(crate) async fn keep_field(
    state: &AppState,
    caller: &Caller,
    (assignment, name): (&str, &str),
    field: &mut actix_multipart::Field,
) -> Result<i64, Unserved> {
    let files = &state.files;
    gate::may_change(&caller.admitted.principal)?;
    let by = caller.by();
    let assignment = key_of::<Assignment>(&assignment.into());
    evidence::may_add(&files.acting(&by), assignment).await?;
    let _slot = slot(&files.uploads, caller)?;
    let name = evidence::plain_name(name);
    let arrived = store(files.services.storage.receive(&name, files.most), field).await?;
    let (id, _) = keep(state, caller, assignment, arrived).await?;
    Ok(id)
}

/// Keeps a file that has arrived whole as evidence of an assignment. Returns its key and what is stored.
pub(crate) async fn keep(
    state: &AppState,
    caller: &Caller,
    assignment: Option<i64>,
    arrived: Arrived,
) -> Result<(i64, Stored), Unserved> {
    let (files, by) = (&state.files, caller.by());
    let acting = files.acting(&by);
    let keeping = evidence::keep(&acting, assignment, &files.services.storage, arrived);
    Ok(state.gate.writing(&caller.admitted, keeping).await?)
}

/// Receives the file: the part `file` of a form, or the body itself with the name from the query parameter.
async fn receive(
    request: &HttpRequest,
    body: &mut Body,
    files: &Files,
    name: Option<&str>,
) -> Result<Arrived, Unserved> {
    let headers = request.headers();
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let is_form = kind.trim_start().to_ascii_lowercase().starts_with("multipart/form-data");
    let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    // A form has headers and boundaries in addition to its file.
    let around = if is_form { 64 << 10 } else { 0 };
    if length.is_some_and(|length| length > files.most.saturating_add(around)) {
        return Err(too_large(files.most));
    }
    if !is_form {
        let unnamed =
            || Unserved::malformed("直接上传须给出文件名：&name=验收照片.jpg", "name the file: &name=photo.jpg");
        let name = evidence::plain_name(name.filter(|name| !name.is_empty()).ok_or_else(unnamed)?);
        return store(files.services.storage.receive(&name, files.most), body).await;
    }
    let malformed = || {
        Unserved::malformed(
            "表单应为 multipart/form-data，且只含一个名为 file 的文件",
            "send multipart/form-data with one file, named file",
        )
    };
    let mut form = form(headers, body.clone());
    let mut transfer = Transfer::begin();
    let mut field = transfer.wait(form.next()).await?.ok_or_else(malformed)?.map_err(|_| malformed())?;
    let given = field.content_disposition().filter(|said| said.get_name() == Some("file"));
    let given = given.and_then(|said| match said.get_filename_ext() {
        Some(name) => String::from_utf8(name.value.clone()).ok(),
        None => said.get_filename().map(str::to_owned),
    });
    let name = evidence::plain_name(&given.ok_or_else(malformed)?);
    let arrived = store(files.services.storage.receive(&name, files.most), &mut field).await?;
    drop(field);
    match transfer.wait(form.next()).await {
        Ok(None) => Ok(arrived),
        more => {
            files.services.storage.discard(&arrived).await;
            more?;
            Err(malformed())
        }
    }
}

/// Writes bytes to the storage as they arrive. If anything fails, the partial file is removed.
async fn store<E>(
    mut arriving: Arriving,
    bytes: &mut (impl Stream<Item = Result<Bytes, E>> + Unpin),
) -> Result<Arrived, Unserved> {
    let mut transfer = Transfer::begin();
    loop {
        let written = match transfer.wait(bytes.next()).await {
            Ok(Some(Ok(chunk))) => {
                transfer.count(chunk.len());
                arriving.write(&chunk).await.map_err(Unserved::from)
            }
            Ok(Some(Err(_))) => Err(Unserved::malformed("文件没有传完", "the file is incomplete")),
            Ok(None) => return Ok(arriving.finish().await?),
            Err(late) => Err(late),
        };
        if let Err(why) = written {
            arriving.abort().await;
            return Err(why);
        }
    }
}

/// Reads and discards more of a body that is not needed, within the bounds of `LINGER`.
async fn linger<E>(body: &mut (impl Stream<Item = Result<Bytes, E>> + Unpin)) {
    let (most, time) = LINGER;
    let mut read = 0;
    let rest = async {
        while let Some(Ok(chunk)) = body.next().await {
            read += chunk.len();
            if read > most {
                break;
            }
        }
    };
    // If the client is still sending after that, the connection is closed.
    let _ = tokio::time::timeout(time, rest).await;
}
