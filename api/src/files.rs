//! Files over HTTP: evidence comes and goes in streams, and the dossier of a measure is packed as it is sent. Whoever may
//! not see something is told what they would be told if it were not there.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use actix_multipart::Multipart;
use actix_web::body::SizedStream;
use actix_web::error::PayloadError;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, ContentDisposition, ContentEncoding, DispositionParam, DispositionType};
use actix_web::http::header::{Charset, ExtendedValue};
use actix_web::web::{self, Bytes};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use futures_util::{Stream, StreamExt};
use ledger::audit::By;
use ledger::dossier::{self, Unpacked};
use ledger::fault::{Fault, FaultCode};
use ledger::media::{self, Unfit};
use ledger::storage::{Arrived, Arriving, Unstored};
use ledger::work::{Desk, evidence};
use serde::Deserialize;
use serde_json::json;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::assignment::Assignment;
use crate::context::{Caller, Door};
use crate::error::{Code, Refused, Unserved};
use crate::evidence::Evidence;
use crate::gate;
use crate::headers;
use crate::http::Served;
use crate::measure::Measure;
use crate::payload::key_of;
use crate::places::{Holder, Place, Places};
use crate::transfer::{Transfer, ending, paced};

/// So many files arrive at once, and of one account; each takes some megabytes of memory.
const UPLOADS: (usize, usize) = (16, 4);
/// So many files are downloaded at once, and by one account; each takes a descriptor.
const DOWNLOADS: (usize, usize) = (256, 32);
/// So many dossiers are packed at once, and for one account; each takes a thread.
const DOSSIERS: (usize, usize) = (8, 2);
/// So many workbooks are read or written at once, and of one account; each may take some hundred megabytes of memory.
const WORKBOOKS: (usize, usize) = (4, 1);
/// So many workbooks are sent at once, and to one account; each is held whole.
const EXPORTS: (usize, usize) = (16, 4);
/// So many megabytes of workbooks are held while they arrive, and of one account: one workbook of the largest.
const ARRIVING: (usize, usize) = (128, 32);
/// A dossier is sent in pieces of so many bytes.
const CHUNK: usize = 64 << 10;
/// How much more is read of a body that is refused, and for how long: callers that are still sending read no answer.
const LINGER: (usize, Duration) = (256 << 20, Duration::from_secs(5));
/// A header that no page elsewhere can send without being asked about it.
const UPLOAD: &str = "x-rectify-upload";

/// What serves files.
pub(crate) struct Files {
    door: Door,
    /// The most bytes of one file.
    most: u64,
    uploads: Shared,
    downloads: Shared,
    dossiers: Shared,
    pub(crate) workbooks: Shared,
    pub(crate) exports: Shared,
    pub(crate) arriving: Shared,
}

/// Places that accounts share.
type Shared = Arc<Places<Holder>>;

fn not_there() -> Unserved {
    Unserved::new(StatusCode::NOT_FOUND, FaultCode::NotFound.as_str(), "没有这份材料", "there is no such file")
}

impl From<ledger::Error> for Unserved {
    fn from(error: ledger::Error) -> Self {
        let faults = match &error {
            ledger::Error::Refused(faults) => faults,
            // What the ledger says in Chinese only, of files.
            ledger::Error::Invalid(said) => {
                return Self::new(StatusCode::UNPROCESSABLE_ENTITY, FaultCode::Invalid.as_str(), said, said);
            }
            ledger::Error::NotFound(said) => {
                return Self::new(StatusCode::NOT_FOUND, FaultCode::NotFound.as_str(), said, said);
            }
            _ => return Self::masked(&error),
        };
        let Some(fault) = faults.first() else { return Self::masked(&error) };
        let status = match fault.code {
            FaultCode::NotFound => StatusCode::NOT_FOUND,
            FaultCode::NotAllowed => StatusCode::FORBIDDEN,
            FaultCode::StaleVersion | FaultCode::WrongState | FaultCode::Conflict => StatusCode::CONFLICT,
            FaultCode::Invalid | FaultCode::SignInFailed | FaultCode::SecondFactorRequired => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
        };
        Self { status, code: fault.code.as_str(), message: fault.message.clone(), retry_after: None }
    }
}

impl From<Unstored> for Unserved {
    fn from(why: Unstored) -> Self {
        let (status, code, message) = match why {
            Unstored::Unfit(Unfit::Kind(message)) => {
                (Code::UnsupportedMediaType.status(), Code::UnsupportedMediaType.as_str(), message)
            }
            Unstored::Unfit(Unfit::Content(message)) => {
                (StatusCode::UNPROCESSABLE_ENTITY, FaultCode::Invalid.as_str(), message)
            }
            Unstored::TooLarge(most) => return too_large(most),
            Unstored::Failed(error) => return Self::masked(&error),
        };
        Self { status, code, message, retry_after: None }
    }
}

/// A number of bytes, as people say it.
fn size_of(bytes: u64) -> String {
    if bytes >= 1 << 20 { format!("{} MB", bytes >> 20) } else { format!("{bytes} B") }
}

fn too_large(most: u64) -> Unserved {
    Unserved::new(
        Code::PayloadTooLarge.status(),
        Code::PayloadTooLarge.as_str(),
        format!("文件超过 {}，请压缩或拆分后上传", size_of(most)),
        format!("the file has more than {}: make it smaller, or send it in parts", size_of(most)),
    )
}

impl Files {
    pub(crate) fn new(door: Door, most: u64) -> Self {
        let shared = |(most, share)| Places::new(most, share);
        Self {
            door,
            most,
            uploads: shared(UPLOADS),
            downloads: shared(DOWNLOADS),
            dossiers: shared(DOSSIERS),
            workbooks: shared(WORKBOOKS),
            exports: shared(EXPORTS),
            arriving: shared(ARRIVING),
        }
    }
}

/// A place among those who are served at once.
pub(crate) fn slot(places: &Shared, caller: &Caller) -> Result<Place<Holder>, Unserved> {
    slots(places, caller, 1)
}

/// Several such places.
pub(crate) fn slots(places: &Shared, caller: &Caller, count: usize) -> Result<Place<Holder>, Unserved> {
    places.take_many(Holder::of(caller), count).map_err(|full| full.of("同时传输的文件", "files under way").into())
}

/// The body of a request, for whoever reads on.
#[derive(Clone)]
struct Body(Rc<RefCell<web::Payload>>);

impl Stream for Body {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.borrow_mut().poll_next_unpin(context)
    }
}

/// What an upload's address says.
#[derive(Deserialize)]
struct Where {
    assignment: Option<String>,
    name: Option<String>,
}

/// `POST /evidence?assignment=assignment_7`
pub(crate) async fn upload(request: HttpRequest, payload: web::Payload, served: web::Data<Served>) -> HttpResponse {
    let caller = served.caller(&request);
    let known = caller.clone();
    // It goes on when the connection is gone: what has been written of the file has to be cleared away.
    let taken = actix_web::rt::spawn(async move {
        let mut caller = caller;
        take(&request, payload, &served, &mut caller).await
    });
    match taken.await {
        Ok(Ok((id, stored))) => {
            let media_type = stored.media_type;
            let file = json!({ "id": format!("evidence_{id}"), "name": stored.name, "size": stored.size,
                "sha256": stored.sha256, "mediaType": media_type });
            answer(StatusCode::CREATED, &known).json(json!({ "evidence": file }))
        }
        Ok(Err(why)) => refuse(&why, &known),
        Err(failed) => refuse(&Unserved::masked(&failed), &known),
    }
}

/// Says whose request it is, as `/graphql` does; nobody's is refused.
pub(crate) async fn admit(request: &HttpRequest, served: &Served, caller: &mut Caller) -> Result<(), Refused> {
    served.let_in(request, caller).await?;
    gate::check(&caller.admitted.principal, None)
}

async fn take(
    request: &HttpRequest,
    payload: web::Payload,
    served: &Served,
    caller: &mut Caller,
) -> Result<(i64, evidence::Stored), Unserved> {
    let files = &served.files;
    let mut body = Body(Rc::new(RefCell::new(payload)));
    let taken = async {
        admit_upload(request, served, caller).await?;
        let by = caller.by();
        let wish = web::Query::<Where>::from_query(request.query_string())
            .map_err(|_| Unserved::malformed("参数应为 assignment、name", "the parameters are assignment, name"))?
            .into_inner();
        let assignment = key_of::<Assignment>(&wish.assignment.as_deref().unwrap_or_default().into());
        // Who may not add anything is told so before anything is read.
        evidence::may_add(&files.desk(&by), assignment).await?;
        let _slot = slot(&files.uploads, caller)?;
        let arrived = receive(request, &mut body, files, wish.name.as_deref()).await?;
        Ok(evidence::keep(&files.desk(&by), assignment, &files.door.storage, arrived).await?)
    }
    .await;
    if taken.is_err() {
        linger(&mut body).await;
    }
    taken
}

/// The same for who sends a file, which no page elsewhere may.
pub(crate) async fn admit_upload(request: &HttpRequest, served: &Served, caller: &mut Caller) -> Result<(), Unserved> {
    admit(request, served, caller).await?;
    gate::may_change(&caller.admitted.principal)?;
    if caller.admitted.session.is_none() { knows_what_it_does(request) } else { Ok(()) }
}

/// Where there is no token, a page elsewhere must not send files by a form: a form cannot send this header, and a browser
/// says where it is from, which has been looked at.
fn knows_what_it_does(request: &HttpRequest) -> Result<(), Unserved> {
    if request.headers().contains_key(UPLOAD) || request.headers().contains_key(header::ORIGIN) {
        return Ok(());
    }
    let code = Code::Forbidden;
    let (zh, en) =
        ("未登录时上传须带请求头 x-rectify-upload: 1", "without a token, send the header x-rectify-upload: 1");
    Err(Unserved::new(code.status(), code.as_str(), zh, en))
}

impl Files {
    pub(crate) fn desk<'a>(&'a self, by: &'a By) -> Desk<'a> {
        Desk { db: &self.door.db, by, now: (self.door.clock)(), zone: self.door.zone, grace_days: self.door.grace_days }
    }
}

/// The file of a body: the part `file` of a form, or the body itself under the name of the address.
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
    // A form has a few words around its file.
    let around = if is_form { 64 << 10 } else { 0 };
    if length.is_some_and(|length| length > files.most.saturating_add(around)) {
        return Err(too_large(files.most));
    }
    if !is_form {
        let unnamed =
            || Unserved::malformed("直接上传须给出文件名：&name=验收照片.jpg", "name the file: &name=photo.jpg");
        let name = evidence::plain_name(name.filter(|name| !name.is_empty()).ok_or_else(unnamed)?);
        return store(files.door.storage.receive(&name, files.most), body).await;
    }
    let malformed = || {
        Unserved::malformed(
            "表单应为 multipart/form-data，且只含一个名为 file 的文件",
            "send multipart/form-data with one file, named file",
        )
    };
    let mut form = Multipart::new(headers, body.clone());
    let mut transfer = Transfer::begin();
    let mut field = transfer.wait(form.next()).await?.ok_or_else(malformed)?.map_err(|_| malformed())?;
    let given = field.content_disposition().filter(|said| said.get_name() == Some("file"));
    let given = given.and_then(|said| match said.get_filename_ext() {
        Some(name) => String::from_utf8(name.value.clone()).ok(),
        None => said.get_filename().map(str::to_owned),
    });
    let name = evidence::plain_name(&given.ok_or_else(malformed)?);
    let arrived = store(files.door.storage.receive(&name, files.most), &mut field).await?;
    drop(field);
    match transfer.wait(form.next()).await {
        Ok(None) => Ok(arrived),
        more => {
            files.door.storage.discard(&arrived).await;
            more?;
            Err(malformed())
        }
    }
}

/// Puts bytes into the storage as they come; whatever goes wrong, nothing stays there.
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
            Ok(Some(Err(_))) => Err(Unserved::malformed("文件没有传完", "the file ended early")),
            Ok(None) => return Ok(arriving.finish().await?),
            Err(late) => Err(late),
        };
        if let Err(why) = written {
            arriving.abort().await;
            return Err(why);
        }
    }
}

/// Reads some more of a body that is refused, and drops it.
async fn linger(body: &mut Body) {
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
    // Who sends for longer than this finds the connection closed.
    let _ = tokio::time::timeout(time, rest).await;
}

/// `GET /evidence/evidence_3`
pub(crate) async fn download(request: HttpRequest, id: web::Path<String>, served: web::Data<Served>) -> HttpResponse {
    let mut caller = served.caller(&request);
    let given = give(&request, &id, &served, &mut caller).await;
    given.unwrap_or_else(|why| refuse(&why, &caller))
}

async fn give(request: &HttpRequest, id: &str, served: &Served, caller: &mut Caller) -> Result<HttpResponse, Unserved> {
    admit(request, served, caller).await?;
    let door = &served.files.door;
    let key = key_of::<Evidence>(&id.into()).ok_or_else(not_there)?;
    let slot = slot(&served.files.downloads, caller)?;
    let principal = &caller.admitted.principal;
    let row = evidence::find(&door.db, principal, key).await?.ok_or_else(not_there)?;
    let found = door.storage.read(&row.place).await.map_err(|error| Unserved::masked(&error))?;
    let Some((size, bytes)) = found else {
        tracing::error!(evidence = row.id, place = row.place, "the storage has lost a file");
        let code = Code::Internal;
        let (zh, en) = ("文件已丢失，请联系管理员核查存储", "the file is lost: tell the administrator");
        return Err(Unserved::new(code.status(), code.as_str(), zh, en));
    };
    let media_type = if media::is_kept(&row.media_type) { row.media_type.as_str() } else { "application/octet-stream" };
    let bytes = bytes.inspect(move |chunk| {
        if let Err(error) = chunk {
            tracing::error!(error = error as &dyn std::error::Error, evidence = key, "a file broke off");
        }
    });
    Ok(attachment(caller, &row.name, media_type).body(SizedStream::new(size, paced(bytes, slot))))
}

/// `GET /dossier/measure_12`
pub(crate) async fn dossier(request: HttpRequest, id: web::Path<String>, served: web::Data<Served>) -> HttpResponse {
    let mut caller = served.caller(&request);
    let packed = pack(&request, &id, &served, &mut caller).await;
    packed.unwrap_or_else(|why| refuse(&why, &caller))
}

async fn pack(request: &HttpRequest, id: &str, served: &Served, caller: &mut Caller) -> Result<HttpResponse, Unserved> {
    admit(request, served, caller).await?;
    let files = &served.files;
    let slot = slot(&files.dossiers, caller)?;
    let (door, now) = (&files.door, (files.door.clock)());
    let not_there =
        || ledger::Error::from(Fault::new(FaultCode::NotFound, "没有这项整改措施", "there is no such measure", &[]));
    let key = key_of::<Measure>(&id.into()).ok_or_else(not_there)?;
    let read = dossier::read(&door.db, &caller.admitted.principal, key, (now, door.zone)).await?;
    let dossier = read.ok_or_else(not_there)?;
    // What is known to be missing is said while there is a status to say it with.
    dossier.check(&door.storage).await.map_err(|why| match why {
        Unpacked::Evidence(zh) => {
            tracing::error!(why = zh, "a dossier could not be packed");
            let en = "a file of the evidence is missing: the dossier was not made";
            Unserved::new(Code::Internal.status(), Code::Internal.as_str(), zh, en)
        }
        other => Unserved::masked(&other),
    })?;
    let mut answer = attachment(caller, &dossier.file_name, "application/zip");
    let (sender, receiver) = mpsc::channel(2);
    let is_whole = Arc::new(AtomicBool::new(false));
    let told = is_whole.clone();
    let (storage, runtime) = (door.storage.clone(), Handle::current());
    tokio::task::spawn_blocking(move || {
        let out = Sending { sender, runtime: runtime.clone(), transfer: Transfer::begin(), is_broken: false };
        let mut out = std::io::BufWriter::with_capacity(CHUNK, out);
        let packed = dossier.pack(&storage, &runtime, &mut out);
        let is_out = std::io::Write::flush(&mut out).is_ok();
        let is_left = out.get_ref().sender.is_closed() || out.get_ref().is_broken;
        match packed {
            Ok(()) if is_out && !out.get_ref().is_broken => told.store(true, Ordering::Release),
            Err(error) if !is_left => {
                tracing::error!(error = &error as &dyn std::error::Error, "a dossier broke off");
            }
            _ => {}
        }
        // The channel ends after the outcome is known; the place does not wait for what is still to be read.
        drop((slot, out));
    });
    // The body ends without its end where it is not whole, so that nobody takes it for whole.
    Ok(answer.streaming(ending(receiver, move || is_whole.load(Ordering::Acquire))))
}

/// Sends on what is written, as fast as it is taken. Where nobody takes it any more it fails, once: what the archive writes
/// to end itself after that goes nowhere.
struct Sending {
    sender: mpsc::Sender<std::io::Result<Bytes>>,
    runtime: Handle,
    transfer: Transfer,
    is_broken: bool,
}

impl std::io::Write for Sending {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.is_broken {
            return Ok(bytes.len());
        }
        let sent = self.transfer.wait(self.sender.send(Ok(Bytes::copy_from_slice(bytes))));
        if matches!(self.runtime.block_on(sent), Ok(Ok(()))) {
            self.transfer.count(bytes.len());
            return Ok(bytes.len());
        }
        self.is_broken = true;
        Err(std::io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// An answer that is a file, to be kept and not shown, whatever it says of itself.
pub(crate) fn attachment(caller: &Caller, name: &str, media_type: &str) -> HttpResponseBuilder {
    let named = ContentDisposition {
        disposition: DispositionType::Attachment,
        parameters: vec![DispositionParam::FilenameExt(ExtendedValue {
            charset: Charset::Ext("UTF-8".to_owned()),
            language_tag: None,
            value: name.as_bytes().to_vec(),
        })],
    };
    let mut answer = answer(StatusCode::OK, caller);
    answer
        .content_type(media_type)
        .insert_header(named)
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::CONTENT_SECURITY_POLICY, headers::DOWNLOAD))
        .insert_header((header::HeaderName::from_static("cross-origin-resource-policy"), "same-origin"))
        .insert_header((header::CACHE_CONTROL, "private, no-store"))
        // Most of it is packed already, and its length is known.
        .insert_header(ContentEncoding::Identity);
    answer
}

pub(crate) fn answer(status: StatusCode, caller: &Caller) -> HttpResponseBuilder {
    let mut answer = HttpResponse::build(status);
    answer.insert_header((header::CACHE_CONTROL, "no-store"));
    answer.insert_header((header::HeaderName::from_static("x-request-id"), caller.request_id.as_str()));
    answer
}

pub(crate) fn refuse(why: &Unserved, caller: &Caller) -> HttpResponse {
    let mut answer = answer(why.status, caller);
    if why.status == StatusCode::UNAUTHORIZED {
        answer.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
    }
    if let Some(seconds) = why.retry_after {
        answer.insert_header((header::RETRY_AFTER, seconds.to_string()));
    }
    let error =
        json!({ "code": why.code, "message": caller.language.of(&why.message), "requestId": caller.request_id });
    answer.json(json!({ "errors": [error] }))
}
