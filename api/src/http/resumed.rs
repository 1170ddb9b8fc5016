//! `PUT /evidence`: uploads a file of evidence (佐证材料) in parts. What has arrived stays for a while, so that a
//! client whose connection breaks goes on from there.
//!
//! An upload is known by the caller and a name that the client chooses. Each part says its place in the file
//! (`Content-Range`); a part without bytes asks how far the upload is. Uploads are kept in the memory of the process,
//! also complete ones: a client that has lost the answer to the last part gets it again.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::web;
use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::StreamExt;
use ledger::fault::FaultCode;
use ledger::file::media;
use ledger::file::storage::{Arriving, Stored, Unstored};
use ledger::work::evidence;
use planner::Bilingual;
use serde::Deserialize;
use serde_json::json;

use crate::context::Caller;
use crate::error::Unserved;
use crate::http::files::{Files, answer, refuse, slot, too_large};
use crate::http::places::{Full, Holder, Place};
use crate::http::state::AppState;
use crate::http::transfer::Transfer;
use crate::http::upload::{created, keep};
use crate::noun::assignment::Assignment;
use crate::part::payload::key_of;

/// How long an upload waits for its next part, and how long its last answer is kept: one hour.
const PATIENCE: TimeDelta = TimeDelta::hours(1);

/// The uploads that have begun, by caller and name.
pub(crate) type Begun = Mutex<Uploads>;
type Uploads = HashMap<(Holder, String), Upload>;

/// How far an upload is.
pub(crate) enum Upload {
    /// A part of it is arriving.
    Arriving,
    /// It waits for its next part.
    Waiting(Box<Partial>),
    /// It is complete, and evidence.
    Complete(Complete),
}

impl Upload {
    /// Returns when the upload has last changed; none while a part of it arrives.
    fn touched(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Arriving => None,
            Self::Waiting(partial) => Some(partial.touched),
            Self::Complete(complete) => Some(complete.touched),
        }
    }
}

/// An upload of which a part has arrived.
pub(crate) struct Partial {
    arriving: Arriving,
    file: IntendedFile,
    touched: DateTime<Utc>,
    _place: Place<Holder>,
}

/// An upload whose last part has arrived.
pub(crate) struct Complete {
    file: IntendedFile,
    kept: (i64, Stored),
    touched: DateTime<Utc>,
}

/// What an upload is to become.
#[derive(Clone, PartialEq, Eq)]
struct IntendedFile {
    /// The assignment that it belongs to.
    assignment: Option<i64>,
    /// The name of the file.
    name: String,
    size: u64,
}

/// The query parameters of a part.
#[derive(Deserialize)]
struct PartQuery {
    assignment: String,
    name: String,
    upload: String,
}

/// The place of a part in its file, from `Content-Range`.
#[derive(Debug, PartialEq, Eq)]
struct Range {
    /// The first byte and the number of bytes; none for a question how far the upload is.
    part: Option<(u64, u64)>,
    /// The size of the whole file.
    size: u64,
}

/// What a part has led to.
enum PartOutcome {
    /// The file is complete, and evidence.
    Complete(HttpResponse),
    /// So many bytes have arrived.
    Stored {
        /// The bytes that have arrived.
        arrived: u64,
        /// The bytes of the whole file.
        size: u64,
    },
}

/// `PUT /evidence?assignment=assignment_7&name=报告.pdf&upload=5f0c…` with `Content-Range: bytes 0-999/5000`: uploads a
/// part of a file.
pub(crate) async fn upload(request: HttpRequest, payload: web::Payload, state: web::Data<AppState>) -> HttpResponse {
    let caller = state.caller(&request);
    let known = caller.clone();
    // Run as a task of its own, which continues when the client disconnects: what has arrived has to be put aside.
    let taken = actix_web::rt::spawn(async move {
        let mut caller = caller;
        take(&request, payload, &state, &mut caller).await
    });
    match taken.await {
        Ok(Ok(PartOutcome::Complete(answer))) => answer,
        Ok(Ok(PartOutcome::Stored { arrived: offset, size })) => {
            answer(StatusCode::ACCEPTED).json(json!({ "upload": { "offset": offset, "size": size } }))
        }
        Ok(Err(why)) => refuse(&why, &known),
        Err(failed) => refuse(&Unserved::masked(&failed), &known),
    }
}

async fn take(
    request: &HttpRequest,
    mut payload: web::Payload,
    state: &AppState,
    caller: &mut Caller,
) -> Result<PartOutcome, Unserved> {
    let files = &state.files;
    state.admit_upload(request, caller).await?;
    let wish = web::Query::<PartQuery>::from_query(request.query_string()).map_err(|_| misplaced())?.into_inner();
    let range = request.headers().get(header::CONTENT_RANGE).and_then(|range| range.to_str().ok());
    let range = range.and_then(read_range).ok_or_else(misplaced)?;
    if wish.upload.is_empty() || wish.upload.len() > 64 || !wish.upload.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(misplaced());
    }
    if range.size > files.most {
        return Err(too_large(files.most));
    }
    let by = caller.by();
    let assignment = key_of::<Assignment>(&wish.assignment.as_str().into());
    evidence::may_add(&files.acting(&by), assignment).await?;
    let name = (Holder::of(caller), wish.upload);
    let now = (files.services.clock)();
    forget_old(files, now).await;
    let file = IntendedFile { assignment, name: evidence::plain_name(&wish.name), size: range.size };
    if range.size == 0 {
        media::recognise(&[], &file.name).map_err(Unstored::Unfit)?;
    }
    if let Some(answer) = repeated(files, &name, &file, range.part) {
        // The answer reaches a client only after it has sent its part.
        if let Some((_, length)) = range.part {
            let _slot = slot(&files.uploads, caller)?;
            pass_over(&mut payload, length).await?;
        }
        return Ok(PartOutcome::Complete(answer));
    }
    let Some((start, length)) = range.part else {
        return match begun(files).get(&name) {
            Some(Upload::Waiting(partial)) => {
                Ok(PartOutcome::Stored { arrived: partial.arriving.size(), size: partial.file.size })
            }
            Some(Upload::Arriving) => Err(busy()),
            Some(Upload::Complete(_)) | None => Ok(PartOutcome::Stored { arrived: 0, size: range.size }),
        };
    };
    // What is too long is refused before any of it is written, so that the upload can go on from where it was.
    let sent = request.headers().get(header::CONTENT_LENGTH).and_then(|sent| sent.to_str().ok()?.parse::<u64>().ok());
    if sent.is_some_and(|sent| sent > length) {
        return Err(misplaced());
    }
    let _slot = slot(&files.uploads, caller)?;
    let begin = |uploads: &Uploads| {
        let arriving = files.services.storage.receive(&file.name, files.most);
        let place =
            files.resumed.take(Holder::of(caller)).map_err(|full| too_many(full, Holder::of(caller), uploads, now))?;
        Ok::<_, Unserved>(Box::new(Partial { arriving, file: file.clone(), touched: now, _place: place }))
    };
    let (held, mut partial) = hold(files, name, begin)?;
    let offset = partial.arriving.size();
    let received = if partial.file == file && offset == start {
        receive(&mut payload, &mut partial.arriving, start + length).await
    } else {
        Err(Broken::Client(elsewhere(offset)))
    };
    let so_far = match received {
        Ok(()) if start + length == range.size => {
            let arrived = partial.arriving.finish().await?;
            let kept = keep(state, caller, assignment, arrived).await?;
            let answer = created(&kept);
            let touched = (files.services.clock)();
            held.leave(Upload::Complete(Complete { file, kept, touched }));
            return Ok(PartOutcome::Complete(answer));
        }
        Err(Broken::Refused(why)) => {
            partial.arriving.abort().await;
            return Err(why);
        }
        Ok(()) => Ok(PartOutcome::Stored { arrived: start + length, size: range.size }),
        Err(Broken::Client(why)) => Err(why),
    };
    // What has begun with a part that does not fit has no place.
    if partial.arriving.size() > 0 {
        partial.touched = (files.services.clock)();
        held.leave(Upload::Waiting(partial));
    }
    so_far
}

/// Answers the question how far a complete upload is, and a repeated part of it, with the evidence that it has become.
/// A client that has lost the answer would otherwise send the whole file again, and make it evidence twice. Only a
/// first part that is not the whole file begins a new upload.
fn repeated(
    files: &Files,
    name: &(Holder, String),
    file: &IntendedFile,
    part: Option<(u64, u64)>,
) -> Option<HttpResponse> {
    match begun(files).get(name) {
        Some(Upload::Complete(complete)) if complete.file == *file => {
            let is_repeated = part.is_none_or(|(start, length)| start > 0 || length == file.size);
            is_repeated.then(|| created(&complete.kept))
        }
        _ => None,
    }
}

/// That a part of an upload is arriving. Dropped, also when the request is given up, the upload is over.
struct Held<'a> {
    files: &'a Files,
    name: (Holder, String),
}

impl Held<'_> {
    /// Leaves the upload as it is now.
    fn leave(self, upload: Upload) {
        begun(self.files).insert(self.name.clone(), upload);
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let mut uploads = begun(self.files);
        if let Some(Upload::Arriving) = uploads.get(&self.name) {
            uploads.remove(&self.name);
        }
    }
}

/// Takes an upload for one part, or begins it. No other part of it can arrive meanwhile.
fn hold(
    files: &Files,
    name: (Holder, String),
    begin: impl FnOnce(&Uploads) -> Result<Box<Partial>, Unserved>,
) -> Result<(Held<'_>, Box<Partial>), Unserved> {
    let mut uploads = begun(files);
    let partial = match uploads.remove(&name) {
        Some(Upload::Waiting(partial)) => partial,
        Some(Upload::Arriving) => {
            uploads.insert(name, Upload::Arriving);
            return Err(busy());
        }
        complete => match begin(&uploads) {
            Ok(partial) => partial,
            Err(refused) => {
                // What is complete is still answered.
                uploads.extend(complete.map(|complete| (name, complete)));
                return Err(refused);
            }
        },
    };
    uploads.insert(name.clone(), Upload::Arriving);
    Ok((Held { files, name }, partial))
}

/// Why a part did not arrive whole.
enum Broken {
    /// The client stopped, was too slow, or sent more than it said: the upload can go on.
    Client(Unserved),
    /// The file is refused, or the storage failed: the upload is over.
    Refused(Unserved),
}

/// Writes the bytes of a part to the storage as they arrive, up to the byte `end` of the file.
async fn receive(payload: &mut web::Payload, arriving: &mut Arriving, end: u64) -> Result<(), Broken> {
    let mut transfer = Transfer::begin();
    while arriving.size() < end {
        match transfer.wait(payload.next()).await.map_err(Broken::Client)? {
            Some(Ok(chunk)) => {
                transfer.count(chunk.len());
                if arriving.size() + chunk.len() as u64 > end {
                    return Err(Broken::Client(misplaced()));
                }
                arriving.write(&chunk).await.map_err(|why| Broken::Refused(why.into()))?;
            }
            _ => return Err(Broken::Client(Unserved::malformed("这一部分没有传完", "the part is incomplete"))),
        }
    }
    Ok(())
}

/// Reads a part that is not needed, up to its length, under the rules for one that is.
async fn pass_over(payload: &mut web::Payload, length: u64) -> Result<(), Unserved> {
    let (mut transfer, mut read) = (Transfer::begin(), 0);
    while read < length
        && let Some(Ok(chunk)) = transfer.wait(payload.next()).await?
    {
        transfer.count(chunk.len());
        read += chunk.len() as u64;
    }
    Ok(())
}

/// Gives up the uploads that have waited too long for their next part, and forgets the answers that are as old.
async fn forget_old(files: &Files, now: DateTime<Utc>) {
    let is_old = |upload: &Upload| upload.touched().is_some_and(|touched| now - touched > PATIENCE);
    let old: Vec<_> = begun(files).extract_if(|_, upload| is_old(upload)).map(|(_, upload)| upload).collect();
    for upload in old {
        if let Upload::Waiting(partial) = upload {
            partial.arriving.abort().await;
        }
    }
}

fn begun(files: &Files) -> MutexGuard<'_, Uploads> {
    files.begun.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads `bytes 0-999/5000`, or `bytes */5000`.
fn read_range(text: &str) -> Option<Range> {
    let (place, size) = text.strip_prefix("bytes ")?.split_once('/')?;
    let size: u64 = size.parse().ok()?;
    if place == "*" {
        return Some(Range { part: None, size });
    }
    let (first, last) = place.split_once('-')?;
    let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last && last < size).then(|| Range { part: Some((first, last - first + 1)), size })
}

/// Makes the refusal of a part that does not say where it belongs.
fn misplaced() -> Unserved {
    Unserved::malformed(
        "分段上传须给出 assignment、name、upload，以及 Content-Range: bytes 起-止/总长，且内容与之相符",
        "a part needs assignment, name and upload, and Content-Range: bytes FIRST-LAST/SIZE that fits its content",
    )
}

/// Makes the refusal of a request about an upload of which a part is arriving.
fn busy() -> Unserved {
    let (zh, en) = ("另一部分正在传输，请稍后再试", "another part of it is arriving: try again soon");
    Unserved { retry_after: Some(1), ..Unserved::new(StatusCode::CONFLICT, FaultCode::Conflict.as_str(), zh, en) }
}

/// Makes the refusal of an upload that has no place beside those that are not complete. A place is held until its
/// upload is complete, or has had no part for an hour.
fn too_many(full: Full, holder: Holder, uploads: &Uploads, now: DateTime<Utc>) -> Unserved {
    let (zh, en) = match full {
        Full::Share => ("您有过多未传完的文件", "too many of your uploads are unfinished"),
        Full::All => ("本服务有过多未传完的文件", "too many uploads of this service are unfinished"),
    };
    let patience = PATIENCE.num_minutes();
    let holding = uploads.iter().filter(|((by, _), _)| full == Full::All || *by == holder);
    let waiting = holding.filter_map(|(_, upload)| match upload {
        Upload::Waiting(partial) => {
            Some((partial.touched + PATIENCE - now).num_seconds().clamp(1, PATIENCE.num_seconds()))
        }
        Upload::Arriving | Upload::Complete(_) => None,
    });
    let refused = full.of(zh, en);
    Unserved {
        message: Bilingual::new(
            format!("{zh}：请先传完其中一个；{patience} 分钟没有续传的会自动放弃"),
            format!("{en}: finish one of them first; one that gets no part for {patience} minutes is given up"),
        ),
        retry_after: waiting.min().map(i64::cast_unsigned).or(refused.retry_after),
        ..refused.into()
    }
}

/// Makes the refusal of a part that does not follow what has arrived.
fn elsewhere(offset: u64) -> Unserved {
    Unserved::new(
        StatusCode::CONFLICT,
        FaultCode::Conflict.as_str(),
        format!("已收到 {offset} 字节，请从该处续传同一文件"),
        format!("{offset} bytes have arrived: go on from there, with the same file"),
    )
}

#[cfg(test)]
mod tests {
    use super::{Range, read_range};

    #[test]
    fn a_range_names_bytes_of_the_file_or_asks() {
        assert_eq!(read_range("bytes 0-9/100"), Some(Range { part: Some((0, 10)), size: 100 }));
        assert_eq!(read_range("bytes */100"), Some(Range { part: None, size: 100 }));
        for wrong in ["bytes 5-4/100", "bytes 0-100/100", "0-9/100", "bytes 0-9/*", "bytes -9/100", "bytes a-b/c"] {
            assert_eq!(read_range(wrong), None, "{wrong}");
        }
    }
}
