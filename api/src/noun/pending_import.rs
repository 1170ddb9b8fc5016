//! Imports that wait for decisions: how an uploaded file was read, what is asked, what is wrong and what would change;
//! and the mutations that answer, import and discard.

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};
use entity::pending_import::PendingState;
use serde::{Deserialize, Deserializer};
use workbook::{Anew, Decision, Pending};

use crate::context::Request;
use crate::error::masked;
use crate::language::Language;
use crate::noun::round::InspectionLevel;
use crate::part::payload::{UserError, outcome};
use crate::part::reread::Reread;
use crate::part::scalar::{Date, Moment};

/// What stands before the key in the id of a pending import.
const PREFIX: &str = "import_";
/// The most answers of one mutation.
const MAX_ANSWERS: usize = 500;
/// The most characters of an answer.
const MAX_CHARACTERS: usize = 2_000;

/// How far a pending import has come.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
pub(crate) enum ImportState {
    /// 正在读取 · The file is being read; nothing is written.
    Reading,
    /// 待确认 · The file was read, and there are questions or faults.
    Asking,
    /// 可以导入 · The file was read without questions and faults, and waits to be imported.
    Ready,
    /// 正在导入 · The file is being imported.
    Running,
    /// 已导入 · The file was imported.
    Done,
    /// 无法读取 · The file cannot be read or imported; `error` says why.
    Failed,
    /// 已中断 · The program stopped while it read or imported the file. Nothing was written: read or import it again.
    Interrupted,
}

/// How sure the reading of a column is.
#[derive(Enum, Copy, Clone, Eq, PartialEq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum ImportSureness {
    /// 确定 · The heading has one meaning.
    Sure,
    /// 很可能 · The meaning is likely, for the reason given.
    Likely,
    /// 待确认 · The heading has several meanings, and a person has to decide.
    Asked,
    /// 已确认 · A person has decided.
    Decided,
    /// 沿用 · A person has decided at an earlier import of the same office with the same headings.
    Remembered,
    /// 未使用 · The column is not read.
    Unused,
}

/// A column of a sheet, and what it was taken for.
#[derive(SimpleObject, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ImportColumn {
    /// Letters of the column, such as `F`.
    column: String,
    /// Heading as printed; of a heading over several rows, all of them.
    heading: String,
    /// Key by which a decision about the column is given.
    key: String,
    /// Code of its meaning, such as `lead-unit`; null if it is not read.
    meaning: Option<String>,
    /// Name of its meaning in Chinese; null if it is not read.
    label: Option<String>,
    /// How sure the meaning is.
    sureness: ImportSureness,
    /// Why the meaning is likely or asked; null otherwise.
    reason: Option<String>,
    /// Up to three values of the column. Names of people are left out.
    samples: Vec<String>,
}

/// A sheet of the file, and how it was read.
#[derive(SimpleObject, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ImportSheet {
    /// Name of the sheet.
    name: String,
    /// What it contains: `ledger`, `progress`, `close-outs` or `cases`.
    kind: String,
    /// First and last row of the headings, from 1.
    heading_rows: Vec<i32>,
    /// Local date on which its statuses were true; null if neither its title nor a decision says so.
    #[serde(deserialize_with = "day")]
    as_of: Option<Date>,
    /// Its columns in order.
    columns: Vec<ImportColumn>,
}

/// Something that a person has to decide, with a proposal.
#[derive(SimpleObject, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ImportQuestion {
    /// Topic: `columns`, `deadlines`, `units`, `leads`, `new-units` or `not-applicable`.
    topic: String,
    /// Sheet in which it first arose.
    sheet: String,
    /// Row in which it first arose, from 1.
    row: i32,
    /// Letters of the column in which it first arose.
    column: String,
    /// What is decided; the answer repeats it as its key.
    printed: String,
    /// What is asked, in the language of the request.
    message: String,
    /// Answer that is proposed.
    proposal: String,
    /// Answer that is proposed, as people write it; it can be given as an answer, too.
    proposal_label: String,
    /// Other answers that are possible, where they can be listed.
    choices: Vec<String>,
    /// The choices as people write them, in the same order.
    choice_labels: Vec<String>,
    /// Up to three values of the sheet that help to decide.
    samples: Vec<String>,
    /// Number of rows that it concerns.
    rows: i32,
    /// Whether its proposal has been taken already.
    is_taken: bool,
}

/// A cell that cannot be read.
#[derive(SimpleObject, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ImportFault {
    /// Name of the sheet.
    sheet: String,
    /// Row number, from 1.
    row: i32,
    /// Letters of the column.
    column: String,
    /// Value of the cell.
    value: String,
    /// What is wrong and what was expected, in the language of the request.
    message: String,
}

/// How a file was read, and what its import changes or would change.
#[derive(SimpleObject, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ImportReport {
    /// What the file contains: `ledger`, `progress`, `close-outs` or `cases`.
    kind: String,
    /// Local date on which the statuses were true; null if it is not known.
    #[serde(deserialize_with = "day")]
    as_of: Option<Date>,
    /// Number of problems in the file.
    problems: i32,
    /// Number of measures in the file.
    measures: i32,
    /// Number of complaint cases in the file.
    cases: i32,
    /// Number of problems that are new.
    new_problems: i32,
    /// Number of measures that are new.
    new_measures: i32,
    /// Number of assignments that are new.
    new_assignments: i32,
    /// Number of progress reports that are new.
    new_reports: i32,
    /// Number of stated statuses that change.
    restated: i32,
    /// Number of complaint cases that are new.
    new_cases: i32,
    /// Names of the units that are new.
    new_units: Vec<String>,
    /// Remarks for a person to look at, in the language of the request. They do not prevent the import.
    remarks: Vec<String>,
    /// How each sheet was read.
    sheets: Vec<ImportSheet>,
    /// The first 500 questions.
    questions: Vec<ImportQuestion>,
    /// Number of all questions.
    question_count: i32,
    /// The first 500 faults.
    faults: Vec<ImportFault>,
    /// Number of all faults.
    fault_count: i32,
}

/// An uploaded file that waits for decisions before it is imported. Only the account that uploaded it sees it, for 30
/// days; of more than 20 files, the oldest are deleted.
#[derive(SimpleObject)]
pub(crate) struct PendingImport {
    /// Id of the import.
    import_id: ID,
    /// Name of the file.
    file_name: String,
    /// Name of the inspection round (督察轮次) to which the file belongs.
    round: String,
    /// Code of the answering region.
    region: String,
    /// Name of the answering region; its code if the ledger has no such region yet.
    region_name: String,
    /// Code of the issuing region; null if it is the answering region.
    issued_by: Option<String>,
    /// Name of the issuing region, or its code if the ledger has no such region yet; null if it is the answering one.
    issued_by_name: Option<String>,
    /// Level of the round if the import creates it; null if its name tells it.
    level: Option<InspectionLevel>,
    /// Whether unknown units are created.
    has_units_created: bool,
    /// How far it has come.
    state: ImportState,
    /// Number of measures processed so far.
    processed: i32,
    /// Number of measures in the file; 0 while it is not known.
    total: i32,
    /// Why the file cannot be read, in the language of the request; null otherwise.
    error: Option<String>,
    /// How the file was read the last time; null while it has not been read, and if it cannot be read.
    report: Option<ImportReport>,
    /// When the file was uploaded.
    uploaded_at: Moment,
    /// When anything about it last changed.
    updated_at: Moment,
}

/// Reads a local date or null.
fn day<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Date>, D::Error> {
    Ok(Option::deserialize(from)?.map(Date))
}

/// Returns the id of a pending import with this key.
pub(crate) fn id_of(key: i64) -> String {
    format!("{PREFIX}{key}")
}

/// Returns the key in an id; 0, which no import has, if the id is not one of a pending import.
fn key_of(id: &ID) -> i64 {
    id.strip_prefix(PREFIX).and_then(|key| key.parse().ok()).unwrap_or_default()
}

impl PendingImport {
    fn of(row: &Pending, language: Language) -> Self {
        let report = row.report(language == Language::English);
        let error = report.as_ref().and_then(|report| Some(report["error"].as_str()?.to_owned()));
        let report = report.and_then(|report| serde_json::from_value(report).ok());
        let state = match row.state {
            _ if row.is_interrupted => ImportState::Interrupted,
            PendingState::Reading => ImportState::Reading,
            PendingState::Running => ImportState::Running,
            PendingState::Done => ImportState::Done,
            PendingState::Failed => ImportState::Failed,
            PendingState::Read if row.is_ready() => ImportState::Ready,
            PendingState::Read => ImportState::Asking,
        };
        Self {
            import_id: id_of(row.id).into(),
            file_name: row.file_name.clone(),
            round: row.round.clone(),
            region_name: row.region_name.clone().unwrap_or_else(|| row.region.clone()),
            region: row.region.clone(),
            issued_by_name: row.issued_by_name.clone().or_else(|| row.issued_by.clone()),
            issued_by: row.issued_by.clone(),
            level: row.level.map(Into::into),
            has_units_created: row.creates_units,
            state,
            processed: i32::try_from(row.processed).unwrap_or(i32::MAX),
            total: i32::try_from(row.total).unwrap_or(i32::MAX),
            error,
            report,
            uploaded_at: Moment(row.created_at),
            updated_at: Moment(row.updated_at),
        }
    }
}

/// The queries for pending imports.
#[derive(Default)]
pub(crate) struct PendingImportQuery;

#[Object]
impl PendingImportQuery {
    /// Files that the caller has uploaded and that wait for decisions, or were imported in the last 30 days; the newest
    /// first. `POST /import?keep=true` uploads one.
    async fn pending_imports(&self, ctx: &Context<'_>) -> async_graphql::Result<Vec<PendingImport>> {
        let request = ctx.data::<Request>()?;
        let rows = request.imports.list(&request.by).await.map_err(|failure| masked(&failure))?;
        Ok(rows.iter().map(|row| PendingImport::of(row, request.language)).collect())
    }

    /// A file that the caller has uploaded; null if there is none with this id.
    async fn pending_import(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Id of the pending import.")] import_id: ID,
    ) -> async_graphql::Result<Option<PendingImport>> {
        let request = ctx.data::<Request>()?;
        let row = request.imports.find(&request.by, key_of(&import_id)).await.map_err(|failure| masked(&failure))?;
        Ok(row.map(|row| PendingImport::of(&row, request.language)))
    }
}

/// The answer to a question about a file.
#[derive(InputObject)]
pub(crate) struct ImportAnswerInput {
    /// Topic of the question.
    topic: String,
    /// What is decided: `printed` of the question, or `key` of a column.
    printed: String,
    /// The answer: the proposal, one of the choices, or what the topic asks for. Several units are separated by `；`.
    answer: String,
}

/// Input of `decideImport`: answers to questions about a file.
#[derive(InputObject)]
pub(crate) struct DecideImportInput {
    /// Id of the pending import.
    import_id: ID,
    /// Answers, at most 500. Answers that were given before stay, unless they are given anew.
    answers: Vec<ImportAnswerInput>,
    /// Local date on which the statuses were true. If omitted, it stays as it is.
    as_of: Option<Date>,
    /// Whether unknown units are created. If omitted, it stays as it is.
    has_units_created: Option<bool>,
    /// Level of the round if the import creates it; another level than that of an existing round is refused. If
    /// omitted, it stays as it is.
    level: Option<InspectionLevel>,
}

/// Input of `runImport`: a file to import.
#[derive(InputObject)]
pub(crate) struct RunImportInput {
    /// Id of the pending import.
    import_id: ID,
}

/// Input of `discardImport`: a file to forget.
#[derive(InputObject)]
pub(crate) struct DiscardImportInput {
    /// Id of the pending import.
    import_id: ID,
}

/// Result of a mutation on a pending import.
#[derive(SimpleObject)]
pub(crate) struct PendingImportPayload {
    /// The import after the mutation; null if it was refused or the import was discarded.
    import: Option<PendingImport>,
    /// Reasons why the mutation was refused, in which case nothing was written; empty on success.
    errors: Vec<UserError>,
    #[graphql(flatten)]
    reread: Reread,
}

impl PendingImportPayload {
    async fn of(done: ledger::Result<i64>, request: &Request) -> async_graphql::Result<Self> {
        let (done, errors) = outcome(done, request.language)?;
        let row = match done {
            Some(key) => request.imports.find(&request.by, key).await.map_err(|failure| masked(&failure))?,
            None => None,
        };
        Ok(Self { import: row.map(|row| PendingImport::of(&row, request.language)), errors, reread: Reread })
    }
}

/// The mutations on pending imports.
#[derive(Default)]
pub(crate) struct PendingImportMutation;

#[Object]
impl PendingImportMutation {
    /// Answers questions about a file that waits to be imported, and reads it again in the background.
    async fn decide_import(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The file and the answers.")] input: DecideImportInput,
    ) -> async_graphql::Result<PendingImportPayload> {
        let request = ctx.data::<Request>()?;
        let decisions: ledger::Result<Vec<Decision>> = decisions(input.answers);
        let done = async {
            let anew = Anew {
                as_of: input.as_of.map(|day| day.0),
                creates_units: input.has_units_created,
                level: input.level.map(Into::into),
            };
            request.imports.decide(&request.by, key_of(&input.import_id), decisions?, anew).await
        };
        PendingImportPayload::of(done.await, request).await
    }

    /// Imports a file that was read without open questions and faults, in the background: all of it or, if anything
    /// prevents it, nothing. `state`, `processed` and `total` tell how far it has come.
    async fn run_import(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The file to import.")] input: RunImportInput,
    ) -> async_graphql::Result<PendingImportPayload> {
        let request = ctx.data::<Request>()?;
        let done = request.imports.run(&request.by, key_of(&input.import_id)).await;
        PendingImportPayload::of(done, request).await
    }

    /// Forgets an uploaded file. What was imported from it stays.
    async fn discard_import(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The file to forget.")] input: DiscardImportInput,
    ) -> async_graphql::Result<PendingImportPayload> {
        let request = ctx.data::<Request>()?;
        let done = request.imports.discard(&request.by, key_of(&input.import_id)).await;
        PendingImportPayload::of(done, request).await
    }
}

/// Checks the lengths of answers.
fn decisions(answers: Vec<ImportAnswerInput>) -> ledger::Result<Vec<Decision>> {
    let path = ["input", "answers"];
    if answers.len() > MAX_ANSWERS {
        let zh = format!("一次最多回答 {MAX_ANSWERS} 个问题");
        let en = format!("at most {MAX_ANSWERS} questions can be answered at once");
        return Err(ledger::fault::Fault::invalid(zh, en, &path).into());
    }
    let one = |given: ImportAnswerInput| {
        if given.printed.chars().count() > MAX_CHARACTERS || given.answer.chars().count() > MAX_CHARACTERS {
            let (zh, en) = (
                format!("回答不能超过 {MAX_CHARACTERS} 字"),
                format!("an answer has at most {MAX_CHARACTERS} characters"),
            );
            return Err(ledger::fault::Fault::invalid(zh, en, &path).into());
        }
        Ok(Decision { topic: given.topic, printed: given.printed, answer: given.answer })
    };
    answers.into_iter().map(one).collect()
}
