//! What the handlers of file transfers share: the limits on concurrent transfers, responses that are files, and
//! refusals. A file that the caller may not see is answered like one that does not exist.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, Charset, ContentDisposition, ContentEncoding};
use actix_web::http::header::{DispositionParam, DispositionType, ExtendedValue};
use actix_web::{HttpResponse, HttpResponseBuilder};
use ledger::fault::{self, FaultCode, Thing};
use ledger::file::media::Unfit;
use ledger::file::storage::Unstored;
use ledger::record::audit::By;
use ledger::work::Acting;
use serde_json::json;

use crate::context::{Caller, Services};
use crate::error::{Code, Unserved};
use crate::http::headers;
use crate::http::places::{Holder, Place, Places};
use crate::http::resumed::Begun;

/// The most concurrent uploads, in total and of one account. Each takes a few megabytes of memory.
const UPLOADS: (usize, usize) = (16, 4);
/// The most uploads in parts that are not complete, in total and of one account. Each keeps up to 5 MiB in memory.
const RESUMED: (usize, usize) = (32, 4);
/// The most concurrent downloads, in total and of one account. Each takes a file descriptor.
const DOWNLOADS: (usize, usize) = (256, 32);
/// The most dossiers that are packed concurrently, in total and for one account. Each takes a thread.
const DOSSIERS: (usize, usize) = (8, 2);
/// The most workbooks that are read or written concurrently, in total and for one account. Each may take a few hundred
/// megabytes of memory.
const WORKBOOKS: (usize, usize) = (4, 1);
/// The most workbooks that are sent concurrently, in total and to one account. Each is kept in memory as a whole.
const EXPORTS: (usize, usize) = (16, 4);
/// The most megabytes of workbooks that are kept in memory while they arrive, in total and of one account: the latter
/// is one workbook of the largest allowed size.
const ARRIVING: (usize, usize) = (128, 32);
/// The services and limits of the handlers of files.
pub(crate) struct Files {
    pub(crate) services: Services,
    /// The most bytes of one file of evidence.
    pub(crate) most: u64,
    pub(crate) uploads: Shared,
    /// The places of uploads in parts that are not complete.
    pub(crate) resumed: Shared,
    pub(crate) begun: Begun,
    pub(crate) downloads: Shared,
    pub(crate) dossiers: Shared,
    pub(crate) workbooks: Shared,
    pub(crate) exports: Shared,
    pub(crate) arriving: Shared,
}

/// A pool of places that callers share.
type Shared = Arc<Places<Holder>>;

/// Makes the refusal for a file that does not exist or may not be seen.
pub(crate) fn not_there() -> Unserved {
    ledger::Error::from(fault::unknown(Thing::Evidence, &[])).into()
}

impl From<ledger::Error> for Unserved {
    fn from(error: ledger::Error) -> Self {
        let ledger::Error::Refused(faults) = &error else { return Self::masked(&error) };
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

/// Returns a number of bytes for messages: in whole MB, or in bytes if it is less than 1 MB.
fn size_of(bytes: u64) -> String {
    if bytes >= 1 << 20 { format!("{} MB", bytes >> 20) } else { format!("{bytes} B") }
}

/// Makes the refusal of a file with more than `most` bytes.
pub(crate) fn too_large(most: u64) -> Unserved {
    Unserved::new(
        Code::PayloadTooLarge.status(),
        Code::PayloadTooLarge.as_str(),
        format!("文件超过 {}，请压缩或拆分后上传", size_of(most)),
        format!("the file is larger than {}: compress it, or split it and upload the parts", size_of(most)),
    )
}

impl Files {
    /// Makes the pools of places. `most` is the most bytes of one file of evidence.
    pub(crate) fn new(services: Services, most: u64) -> Self {
        let shared = |(most, share)| Places::new(most, share);
        Self {
            services,
            most,
            uploads: shared(UPLOADS),
            resumed: shared(RESUMED),
            begun: Begun::default(),
            downloads: shared(DOWNLOADS),
            dossiers: shared(DOSSIERS),
            workbooks: shared(WORKBOOKS),
            exports: shared(EXPORTS),
            arriving: shared(ARRIVING),
        }
    }
}

/// Takes one place of a pool for the caller.
pub(crate) fn slot(places: &Shared, caller: &Caller) -> Result<Place<Holder>, Unserved> {
    slots(places, caller, 1)
}

/// Takes several places of a pool for the caller.
pub(crate) fn slots(places: &Shared, caller: &Caller, count: usize) -> Result<Place<Holder>, Unserved> {
    places.take_many(Holder::of(caller), count).map_err(|full| full.of("同时传输的文件", "file transfers").into())
}

impl Files {
    /// Returns the context for acts of the ledger, with the current time.
    pub(crate) fn acting<'a>(&'a self, by: &'a By) -> Acting<'a> {
        Acting {
            db: &self.services.db,
            by,
            now: (self.services.clock)(),
            zone: self.services.zone,
            grace_days: self.services.grace_days,
            reader: None,
        }
    }
}

/// Begins a response that is a file. Browsers save it and never display it, whatever its media type.
pub(crate) fn attachment(name: &str, media_type: &str) -> HttpResponseBuilder {
    let named = ContentDisposition {
        disposition: DispositionType::Attachment,
        parameters: vec![DispositionParam::FilenameExt(ExtendedValue {
            charset: Charset::Ext("UTF-8".to_owned()),
            language_tag: None,
            value: name.as_bytes().to_vec(),
        })],
    };
    let mut answer = answer(StatusCode::OK);
    answer
        .content_type(media_type)
        .insert_header(named)
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::CONTENT_SECURITY_POLICY, headers::DOWNLOAD))
        .insert_header((header::HeaderName::from_static("cross-origin-resource-policy"), "same-origin"))
        .insert_header((header::CACHE_CONTROL, "private, no-store"))
        // Most files are compressed already, and compression would hide the known length.
        .insert_header(ContentEncoding::Identity);
    answer
}

/// Begins a response that may not be cached.
pub(crate) fn answer(status: StatusCode) -> HttpResponseBuilder {
    let mut answer = HttpResponse::build(status);
    answer.insert_header((header::CACHE_CONTROL, "no-store"));
    answer
}

/// Renders a refusal as JSON: `{"errors": [{"code", "message", "requestId"}]}`.
pub(crate) fn refuse(why: &Unserved, caller: &Caller) -> HttpResponse {
    let mut answer = answer(why.status);
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
