//! Workbooks over HTTP: exporting the ledger (`GET /export/ledger.xlsx`) and the form of a month's account
//! (`GET /export/monthly-account`), importing a ledger (`POST /import`), and importing progress reports (整改进展) from
//! a filled-in form (`POST /import?sheet=progress`). Each is limited by the caller's rights.

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};
use chrono::NaiveDate;
use entity::inspection_round::RoundLevel;
use entity::{inspection_round, region};
use futures_util::StreamExt;
use ledger::fault::{Fault, FaultCode};
use ledger::people::policy::{self, Act};
use ledger::record::audit::By;
use ledger::rule::calendar::Month;
use sea_orm::{ColumnTrait, DatabaseConnection, EntityTrait, QueryFilter};
use serde::Deserialize;
use serde_json::{Value, json};
use workbook::{Columns, ExportScope, FormOf, Import, ImportOptions, MAX_BYTES, Mapping, Upload};

use crate::client::ImportPlace;
use crate::context::Caller;
use crate::error::{Code, Unserved};
use crate::gate;
use crate::http::export::{XLSX, send};
use crate::http::files::{answer, refuse, slot, slots};
use crate::http::form::form;
use crate::http::state::AppState;
use crate::http::transfer::Transfer;
use crate::language::Language;
use crate::noun::pending_import;
use crate::noun::region::Region;
use crate::noun::round::InspectionRound;
use crate::noun::unit::Unit;
use crate::part::payload::key_of;

/// The most bytes that a form may have in addition to its file.
const FORM: usize = 64 << 10;

/// The query parameters of an export.
#[derive(Deserialize)]
struct Which {
    round: Option<String>,
    region: Option<String>,
    #[serde(default)]
    layout: Layout,
}

/// The columns of an exported ledger.
#[derive(Clone, Copy, Deserialize, Default)]
#[serde(rename_all = "camelCase")]
enum Layout {
    /// Those of the sheet that was last imported into the round.
    #[default]
    Imported,
    /// The usual ones.
    Standard,
}

/// Finds a round (督察轮次) by its global id or its name.
async fn round_of(db: &DatabaseConnection, words: &str) -> Result<Option<inspection_round::Model>, Unserved> {
    let found = match key_of::<InspectionRound>(&words.into()) {
        Some(key) => inspection_round::Entity::find_by_id(key),
        None => inspection_round::Entity::find().filter(inspection_round::Column::Name.eq(words)),
    };
    found.one(db).await.map_err(|failure| Unserved::masked(&failure))
}

/// Finds a region (行政区) by its global id or its code.
async fn region_of(db: &DatabaseConnection, words: &str) -> Result<Option<region::Model>, Unserved> {
    match key_of::<Region>(&words.into()) {
        Some(key) => region::Entity::find_by_id(key).one(db).await.map_err(|failure| Unserved::masked(&failure)),
        None => Ok(ledger::region::find(db, words).await?),
    }
}

/// Returns the code of a region that an import names by its global id. Any other text is taken for a code and returned
/// as it is: the region may not exist yet.
async fn code_of(db: &DatabaseConnection, words: String) -> Result<String, Unserved> {
    if key_of::<Region>(&words.as_str().into()).is_none() {
        return Ok(words);
    }
    let found = region_of(db, &words).await?;
    found.and_then(|region| region.code).ok_or_else(|| {
        let (zh, en) = (format!("没有行政区 {words}，或它没有代码"), format!("there is no region {words} with a code"));
        Unserved::malformed(&zh, &en)
    })
}

/// Returns the name of a round that an import names by its global id. Any other text is taken for a name and returned
/// as it is: the round may not exist yet.
async fn name_of(db: &DatabaseConnection, words: String) -> Result<String, Unserved> {
    if key_of::<InspectionRound>(&words.as_str().into()).is_none() {
        return Ok(words);
    }
    let found = round_of(db, &words).await?;
    found.map(|round| round.name).ok_or_else(|| {
        let (zh, en) = (format!("没有督察轮次 {words}"), format!("there is no inspection round {words}"));
        Unserved::malformed(&zh, &en)
    })
}

/// Reads the level of a round that an import creates.
fn level_of(code: &str) -> Result<RoundLevel, Unserved> {
    workbook::round_level(code).ok_or_else(|| {
        Unserved::malformed(
            "level 应为 CENTRAL、REGIONAL_BUREAU、PROVINCE、PREFECTURE 或 COUNTY",
            "`level` must be CENTRAL, REGIONAL_BUREAU, PROVINCE, PREFECTURE or COUNTY",
        )
    })
}

/// Keeps a file as a pending import and begins to read it. Returns the key of the import.
async fn keep(state: &AppState, by: &By, into: ImportPlace, received: Received) -> Result<i64, Unserved> {
    let acting = state.files.acting(by);
    let mapping = received.mapping.map(|bytes| workbook::decoded(&bytes)).transpose()?;
    let upload = Upload {
        file_name: received.file,
        content: received.bytes,
        round: name_of(acting.db, into.round).await?,
        region: code_of(acting.db, into.region).await?,
        issued_by: match into.issued_by {
            Some(words) => Some(code_of(acting.db, words).await?),
            None => None,
        },
        level: into.level.as_deref().map(level_of).transpose()?,
        as_of: into.as_of,
        creates_units: into.creates_units,
        mapping: mapping.as_deref().map(Mapping::parse).transpose()?.unwrap_or_default(),
    };
    Ok(state.files.services.imports.keep(by, upload).await?)
}

/// Receives a file that a form of the desk sends.
async fn bytes_of(field: &mut actix_multipart::Field) -> Result<Vec<u8>, Unserved> {
    let mut transfer = Transfer::begin();
    let mut bytes = Vec::new();
    while let Some(chunk) = transfer.wait(field.next()).await? {
        let chunk = chunk.map_err(|_| Unserved::malformed("文件没有传完", "no complete file was received"))?;
        transfer.count(chunk.len());
        bytes.extend_from_slice(&chunk);
        if bytes.len() > MAX_BYTES {
            return Err(too_large());
        }
    }
    Ok(bytes)
}

/// Keeps a file that a form of the desk sends as a pending import. `field` is the file in the form.
pub(crate) async fn keep_field(
    state: &AppState,
    caller: &Caller,
    into: ImportPlace,
    (file, field): (String, &mut actix_multipart::Field),
) -> Result<String, Unserved> {
    let by = caller.by();
    if !by.principal.may(Act::KeepLedger) {
        return Err(ledger::Error::from(policy::not_allowed(Act::KeepLedger)).into());
    }
    gate::may_change(&by.principal)?;
    let _held = slots(&state.files.arriving, caller, MAX_BYTES >> 20)?;
    let bytes = bytes_of(field).await?;
    let keeping = keep(state, &by, into, Received { file, bytes, mapping: None });
    Ok(pending_import::id_of(state.gate.writing(&caller.admitted, keeping).await?))
}

/// `GET /export/ledger.xlsx?round=round_1&region=540329`: exports the ledger as a workbook, optionally limited to a
/// round (by global id or name) and a region (by global id or code). `layout=standard` writes the usual columns instead
/// of those of the imported sheet; the header `x-rectify-layout` says which there are.
pub(crate) async fn export(request: HttpRequest, state: web::Data<AppState>) -> HttpResponse {
    let mut caller = state.caller(&request);
    let given: Result<HttpResponse, Unserved> = async {
        state.admit_somebody(&request, &mut caller).await?;
        let which = web::Query::<Which>::from_query(request.query_string()).map_err(|_| {
            Unserved::malformed(
                "参数应为 round、region、layout（imported 或 standard）",
                "expected parameters: round, region, layout (imported or standard)",
            )
        })?;
        let by = caller.by();
        let acting = state.files.acting(&by);
        let working = slot(&state.files.workbooks, &caller)?;
        let leaving = slot(&state.files.exports, &caller)?;
        // A round or region that does not exist has no rows: no key is 0.
        let round = match &which.round {
            Some(words) => Some(round_of(acting.db, words).await?.map_or(0, |round| round.id)),
            None => None,
        };
        let region = match &which.region {
            Some(words) => Some(region_of(acting.db, words).await?.map_or(0, |region| region.id)),
            None => None,
        };
        let columns = match which.layout {
            Layout::Imported => Columns::Imported,
            Layout::Standard => Columns::Standard,
        };
        let wanted = ExportScope { round, region, columns };
        let exported = workbook::export(acting.db, &by.principal, wanted, (acting.now, acting.zone)).await?;
        drop(working);
        let is_imported = columns == Columns::Imported && exported.standard.is_empty();
        let mut response = send(("整改台账.xlsx", XLSX), exported.bytes, leaving);
        let name = HeaderName::from_static("x-rectify-layout");
        let layout = HeaderValue::from_static(if is_imported { "imported" } else { "standard" });
        response.headers_mut().insert(name, layout);
        Ok(response)
    }
    .await;
    given.unwrap_or_else(|why| refuse(&why, &caller))
}

/// The query parameters of the form of a month's account.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WhichForm {
    month: Option<String>,
    unit: Option<String>,
}

/// `GET /export/monthly-account?month=2023-04&unit=unit_5`: exports the form of a month's account (月调度表) with what
/// the unit owes, to be filled in and imported. Both may be left out: for the current month, and the caller's own unit.
pub(crate) async fn month_form(request: HttpRequest, state: web::Data<AppState>) -> HttpResponse {
    let mut caller = state.caller(&request);
    let given: Result<HttpResponse, Unserved> = async {
        state.admit_somebody(&request, &mut caller).await?;
        let which = web::Query::<WhichForm>::from_query(request.query_string()).map_err(|_| {
            Unserved::malformed("参数应为 month（如 2023-04）和 unit", "expected parameters: month (2023-04), unit")
        })?;
        give_form(&state, &caller, which.month.as_deref(), which.unit.as_deref()).await
    }
    .await;
    given.unwrap_or_else(|why| refuse(&why, &caller))
}

/// Answers with the form of a month's account of a unit, which is given by its global id. Without a month, it is that
/// of the current one; without a unit, that of the units for which the caller reports.
pub(crate) async fn give_form(
    state: &AppState,
    caller: &Caller,
    month: Option<&str>,
    unit: Option<&str>,
) -> Result<HttpResponse, Unserved> {
    let by = caller.by();
    let acting = state.files.acting(&by);
    let month = match month {
        None => Month::of(acting.today()),
        Some(text) => Month::begun(text, acting.today())
            .map_err(|fault| Unserved::malformed(&fault.message.zh, &fault.message.en))?,
    };
    let named = unit.map(|id| key_of::<Unit>(&id.into()));
    let units = match &named {
        Some(key) => key.as_slice(),
        None => by.principal.answered_units(),
    };
    let _working = slot(&state.files.workbooks, caller)?;
    let leaving = slot(&state.files.exports, caller)?;
    let (of, at) = (FormOf::Units(units), (acting.now, acting.zone));
    let form = Box::pin(workbook::month_form(acting.db, &by.principal, of, month, at)).await?;
    let Some(form) = form else {
        let zh = "该单位当月没有应交账的事项，或您无权查看；整改办请用参数 unit 指明单位";
        let en = "the unit owes no account for that month, or you may not see it; offices name the unit by `unit`";
        return Err(ledger::Error::from(Fault::new(FaultCode::NotFound, zh, en, &[])).into());
    };
    Ok(send((&format!("月调度表-{}.xlsx", month.name()), XLSX), form, leaving))
}

/// Submits the progress reports of a filled-in form that a page of the desk sends. `field` is the file in the form.
/// Returns how many lines were accepted, and what is wrong with the others.
pub(crate) async fn report_field(
    state: &AppState,
    caller: &Caller,
    (file, field): (String, &mut actix_multipart::Field),
) -> Result<Vec<workbook::Line>, Unserved> {
    let by = caller.by();
    if !by.principal.may(Act::Report) {
        return Err(ledger::Error::from(policy::not_allowed(Act::Report)).into());
    }
    gate::may_change(&by.principal)?;
    let _held = slots(&state.files.arriving, caller, MAX_BYTES >> 20)?;
    let bytes = bytes_of(field).await?;
    let _slot = slot(&state.files.workbooks, caller)?;
    let name = stem(&file);
    let opened = tokio::task::spawn_blocking(move || workbook::open(&name, bytes)).await;
    let sheets = opened.map_err(|failure| Unserved::masked(&failure))??;
    let acting = state.files.acting(&by);
    Ok(state.gate.writing(&caller.admitted, Box::pin(workbook::report(&acting, &sheets))).await?)
}

/// The query parameters of an import.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "each is a parameter of its own in the address")]
struct How {
    sheet: Option<String>,
    name: Option<String>,
    round: Option<String>,
    region: Option<String>,
    issued_by: Option<String>,
    level: Option<String>,
    as_of: Option<NaiveDate>,
    #[serde(default)]
    dry_run: bool,
    #[serde(default)]
    create_units: bool,
    #[serde(default)]
    accept_proposals: bool,
    #[serde(default)]
    write_mapping: bool,
    #[serde(default)]
    keep: bool,
}

impl How {
    /// Reads the parameters of a request.
    fn of(request: &HttpRequest) -> Result<Self, Unserved> {
        let how = web::Query::<Self>::from_query(request.query_string()).map_err(|_| {
            Unserved::malformed(
                "参数应为 round、region、issuedBy、level、asOf、dryRun、createUnits、acceptProposals、\
                 writeMapping、keep、name，或 sheet=progress",
                "expected parameters: round, region, issuedBy, level, asOf, dryRun, createUnits, \
                 acceptProposals, writeMapping, keep, name, or sheet=progress",
            )
        })?;
        Ok(how.into_inner())
    }

    /// Returns whether a form of progress reports is imported. Refuses a caller who may not import what they send,
    /// before they send it, and parameters that do not fit.
    fn is_progress(&self, by: &By) -> Result<bool, Unserved> {
        let is_progress = match self.sheet.as_deref() {
            None => false,
            Some("progress") => true,
            Some(_) => return Err(Unserved::malformed("sheet 只能是 progress", "`sheet` can only be `progress`")),
        };
        let act = if is_progress { Act::Report } else { Act::KeepLedger };
        if !by.principal.may(act) {
            return Err(ledger::Error::from(policy::not_allowed(act)).into());
        }
        if is_progress && self.dry_run {
            return Err(Unserved::malformed(
                "填报表不支持 dryRun：每一行各自办理，有误的行会逐行说明，不影响其他行",
                "dryRun is not available for progress forms: rows are processed one by one, errors are listed by row",
            ));
        }
        if !is_progress && (self.round.is_none() || self.region.is_none()) {
            return Err(Unserved::malformed(
                "请给出 round（督察轮次名称）和 region（行政区代码）",
                "the parameters round (name) and region (code) are required",
            ));
        }
        Ok(is_progress)
    }
}

/// `POST /import?round=…&region=540329`: imports a workbook, which is the body or the part `file` of a form; the part
/// `mapping` may have decisions about how to read it. `round` is the name or global id of the round, `level` its level
/// if it is created; `region` and `issuedBy` are the code or global id of a region. With `keep=true`, it answers at
/// once with the id of a pending import, which waits for decisions. With `sheet=progress`, it imports a filled-in form
/// of progress reports instead, and these parameters are not needed.
pub(crate) async fn import(request: HttpRequest, payload: web::Payload, state: web::Data<AppState>) -> HttpResponse {
    let mut caller = state.caller(&request);
    let taken: Result<Value, Unserved> = Box::pin(async {
        state.admit_upload(&request, &mut caller).await?;
        let how = How::of(&request)?;
        let is_progress = how.is_progress(&caller.by())?;
        let level = how.level.as_deref().map(level_of).transpose()?;
        // Receive the whole body before taking a place for processing: a slow sender then occupies memory only.
        let _held = slots(&state.files.arriving, &caller, megabytes(&request)?)?;
        let received = receive(&request, payload, how.name.as_deref()).await?;
        state
            .gate
            .writing(&caller.admitted, Box::pin(processed(&state, &caller, (how, level, is_progress), received)))
            .await
    })
    .await;
    match taken {
        Ok(told) => {
            if told.get("importId").is_some() {
                return answer(StatusCode::ACCEPTED).json(told);
            }
            let is_whole = told["faults"].as_array().is_none_or(Vec::is_empty) && told["outcome"] != "REJECTED";
            let status = if is_whole { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
            answer(status).json(told)
        }
        Err(why) => refuse(&why, &caller),
    }
}

/// Keeps a received file as a pending import, or imports it: its progress reports, or its ledger. Returns the answer.
async fn processed(
    state: &AppState,
    caller: &Caller,
    (how, level, is_progress): (How, Option<RoundLevel>, bool),
    received: Received,
) -> Result<Value, Unserved> {
    let by = caller.by();
    let acting = state.files.acting(&by);
    let into = how.round.zip(how.region);
    if let Some((round, region)) = into.clone().filter(|_| how.keep && !is_progress) {
        let into = ImportPlace {
            round,
            region,
            issued_by: how.issued_by,
            level: how.level,
            as_of: how.as_of,
            creates_units: how.create_units,
        };
        let id = keep(state, &by, into, received).await?;
        return Ok(json!({ "importId": pending_import::id_of(id) }));
    }
    let Received { file, bytes, mapping } = received;
    let name = stem(&file);
    let _slot = slot(&state.files.workbooks, caller)?;
    let opened = tokio::task::spawn_blocking(move || workbook::open(&name, bytes)).await;
    let sheets = opened.map_err(|failure| Unserved::masked(&failure))??;
    let Some((round, region)) = into.filter(|_| !is_progress) else {
        let lines = Box::pin(workbook::report(&acting, &sheets)).await?;
        return Ok(lines_of(&lines, caller.language));
    };
    let round = name_of(acting.db, round).await?;
    let issued_by = match how.issued_by {
        Some(words) => Some(code_of(acting.db, words).await?),
        None => None,
    };
    let mut mapping = match mapping {
        None => Mapping::default(),
        Some(bytes) => Mapping::parse(&workbook::decoded(&bytes)?)?,
    };
    mapping.as_of = how.as_of.or(mapping.as_of);
    let options = ImportOptions {
        round,
        level,
        region: code_of(acting.db, region).await?,
        issued_by,
        dry_run: how.dry_run,
        create_units: how.create_units,
        takes_proposals: how.accept_proposals,
        mapping,
        grace_days: acting.grace_days,
    };
    let task = Import {
        sheets: &sheets,
        options: &options,
        by: &by,
        now: acting.now,
        zone: acting.zone,
        progress: &|_, _| {},
    };
    // On the heap: the work of an import is large.
    let told = Box::pin(workbook::import(acting.db, &task)).await?;
    let mut answer = workbook::told(&told, caller.language == Language::English);
    if how.write_mapping {
        answer["mapping"] = told.mapping().into();
    }
    Ok(answer)
}

/// Returns the size of the body in megabytes, rounded up, from the `Content-Length` header; the largest allowed size
/// without it.
fn megabytes(request: &HttpRequest) -> Result<usize, Unserved> {
    let length = request.headers().get(header::CONTENT_LENGTH);
    let given = length.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    match given {
        None => Ok(MAX_BYTES >> 20),
        // A form has headers and boundaries in addition to its file.
        Some(length) if length > MAX_BYTES + FORM => Err(too_large()),
        Some(length) => Ok(length.div_ceil(1 << 20).clamp(1, MAX_BYTES >> 20)),
    }
}

fn too_large() -> Unserved {
    let code = Code::PayloadTooLarge;
    let most = MAX_BYTES >> 20;
    let (zh, en) = (format!("文件超过 {most} MB，请拆分"), format!("the file is larger than {most} MB: split it"));
    Unserved::new(code.status(), code.as_str(), zh, en)
}

/// What an import receives.
struct Received {
    /// Name of the file: from the form or the parameter `name`, otherwise 台账.
    file: String,
    /// Content of the file, at most `MAX_BYTES` long.
    bytes: Vec<u8>,
    /// Content of the part `mapping` of a form.
    mapping: Option<Vec<u8>>,
}

/// Receives the file: the part of a form that is not `mapping`, or the body itself.
async fn receive(request: &HttpRequest, mut payload: web::Payload, name: Option<&str>) -> Result<Received, Unserved> {
    let broken = || Unserved::malformed("文件没有传完，或表单中没有名为 file 的文件", "no complete file was received");
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let (mut bytes, mut mapping) = (Vec::new(), None);
    let add = |bytes: &mut Vec<u8>, chunk: &[u8]| {
        bytes.extend_from_slice(chunk);
        if bytes.len() <= MAX_BYTES { Ok(()) } else { Err(too_large()) }
    };
    let mut transfer = Transfer::begin();
    let mut file = name.unwrap_or("台账").to_owned();
    if kind.trim_start().to_ascii_lowercase().starts_with("multipart/form-data") {
        let mut form = form(request.headers(), payload);
        let mut has_file = false;
        while let Some(field) = transfer.wait(form.next()).await? {
            let mut field = field.map_err(|_| broken())?;
            let said = field.content_disposition();
            let is_mapping = said.and_then(|said| said.get_name()) == Some("mapping");
            // The file comes once, and so does the mapping.
            if if is_mapping { mapping.is_some() } else { has_file } {
                return Err(broken());
            }
            if let Some(given) = said.and_then(|said| said.get_filename()).filter(|_| !is_mapping) {
                given.clone_into(&mut file);
            }
            has_file |= !is_mapping;
            let part = if is_mapping { mapping.insert(Vec::new()) } else { &mut bytes };
            while let Some(chunk) = transfer.wait(field.next()).await? {
                let chunk = chunk.map_err(|_| broken())?;
                transfer.count(chunk.len());
                add(part, &chunk)?;
            }
        }
        if !has_file {
            return Err(broken());
        }
    } else {
        while let Some(chunk) = transfer.wait(payload.next()).await? {
            let chunk = chunk.map_err(|_| broken())?;
            transfer.count(chunk.len());
            add(&mut bytes, &chunk)?;
        }
    }
    Ok(Received { file, bytes, mapping })
}

/// Returns the name of a file without its extension.
fn stem(file: &str) -> String {
    file.rsplit_once('.').map_or(file, |(stem, _)| stem).to_owned()
}

/// Renders the outcome of an import of progress reports: how many rows were accepted, and the faults by row.
fn lines_of(lines: &[workbook::Line], language: Language) -> Value {
    let taken = lines.iter().filter(|line| line.faults.is_empty()).count();
    let faults: Vec<Value> = lines
        .iter()
        .flat_map(|line| {
            line.faults.iter().map(move |fault| {
                json!({ "row": line.row, "assignment": line.assignment, "code": fault.code.as_str(),
                    "message": language.of(&fault.message) })
            })
        })
        .collect();
    json!({ "taken": taken, "faults": faults })
}
