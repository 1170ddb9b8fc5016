//! Imports that wait for decisions. The uploaded file is kept with what was decided so far and how it was read the last
//! time; reading and importing go on in the background, and tell how far they have come.
//!
//! An import belongs to the account that uploaded it. It is deleted after [`KEPT_DAYS`] days, or when the account has
//! more than [`MAX_PENDING`] of them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;
use entity::inspection_round::RoundLevel;
use entity::pending_import::{self, PendingState};
use planner::Bilingual;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, DatabaseConnection, DbBackend, EntityTrait, ExprTrait,
    FromQueryResult, QueryFilter, QueryOrder, QuerySelect,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::import::{Import, ImportOptions, Outcome, import};
use super::kept::at;
use super::mapping::Mapping;
use super::question::Topic;
use super::sheet;
use super::told::told;
use ledger::fault::{Fault, FaultCode};
use ledger::people::account::session;
use ledger::people::policy::{self, Act};
use ledger::record::audit::By;
use ledger::{Error, Result};

/// The days after which a pending import is deleted.
const KEPT_DAYS: i64 = 30;
/// The most pending imports of an account.
const MAX_PENDING: usize = 20;
/// The most questions, and the most faults, that are kept of a report.
const LISTED: usize = 500;
/// How many files are read or imported at the same time by this process; others wait.
const TOGETHER: usize = 2;
/// How often other processes are told how far an import has come.
const PULSE: Duration = Duration::from_secs(2);
/// The time without news after which an import of another process counts as interrupted.
const SILENCE: TimeDelta = TimeDelta::seconds(60);

/// A file to keep, and where it is to be imported.
#[derive(Debug)]
pub struct Upload {
    /// Name of the file.
    pub file_name: String,
    /// Content of the file.
    pub content: Vec<u8>,
    /// Name of the inspection round.
    pub round: String,
    /// Code of the answering region.
    pub region: String,
    /// Code of the issuing region; `None` if it is the answering region.
    pub issued_by: Option<String>,
    /// Level of the round if it is created; `None` if its name tells it.
    pub level: Option<RoundLevel>,
    /// Local date on which the statuses were true; `None` for the date in the title.
    pub as_of: Option<NaiveDate>,
    /// Whether unknown units are created.
    pub creates_units: bool,
    /// What has been decided already.
    pub mapping: Mapping,
}

/// The answer to a question of an import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Topic of the question, such as `columns`.
    pub topic: String,
    /// What is decided: the key of the question.
    pub printed: String,
    /// The answer, as the mapping file has it.
    pub answer: String,
}

/// What is said about a file besides the answers to its questions; `None` leaves it as it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Anew {
    /// Local date on which the statuses were true.
    pub as_of: Option<NaiveDate>,
    /// Whether unknown units are created.
    pub creates_units: Option<bool>,
    /// Level of the round if it is created.
    pub level: Option<RoundLevel>,
}

/// A pending import, without its file.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct Pending {
    /// Key.
    pub id: i64,
    /// Name of the file.
    pub file_name: String,
    /// Name of the inspection round.
    pub round: String,
    /// Code of the answering region.
    pub region: String,
    /// Name of the answering region; none if the ledger has no such region yet.
    pub region_name: Option<String>,
    /// Code of the issuing region; none if it is the answering region.
    pub issued_by: Option<String>,
    /// Name of the issuing region; none if there is none, or if the ledger has no such region yet.
    pub issued_by_name: Option<String>,
    /// Level of the round if it is created; none if its name tells it.
    pub level: Option<RoundLevel>,
    /// Local date on which the statuses were true, as decided.
    pub as_of: Option<NaiveDate>,
    /// Whether unknown units are created.
    pub creates_units: bool,
    /// Decisions as JSON.
    pub decisions: String,
    /// How far it has come.
    pub state: PendingState,
    /// Measures processed so far.
    pub processed: i64,
    /// Measures in the file, as far as known.
    pub total: i64,
    /// How the file was read the last time, as JSON in each language.
    pub report: Option<String>,
    /// When the file was uploaded.
    pub created_at: DateTime<Utc>,
    /// When the row was last changed.
    pub updated_at: DateTime<Utc>,
    /// Whether it was being processed when the program stopped.
    #[sea_orm(skip)]
    pub is_interrupted: bool,
}

impl Pending {
    /// Returns the decisions so far.
    pub fn decisions(&self) -> Vec<Decision> {
        serde_json::from_str(&self.decisions).unwrap_or_default()
    }

    /// Returns the last report in one language; `None` while the file has not been read.
    pub fn report(&self, is_english: bool) -> Option<Value> {
        let mut both: Value = serde_json::from_str(self.report.as_deref()?).ok()?;
        Some(both[if is_english { "en" } else { "zh" }].take())
    }

    /// Whether it can be imported: it was read, and nothing is asked or at fault.
    pub fn is_ready(&self) -> bool {
        self.state == PendingState::Read && self.report(false).is_some_and(|report| report["outcome"] == "REHEARSED")
    }

    /// Whether it is being read or imported.
    pub fn is_busy(&self) -> bool {
        !self.is_interrupted && matches!(self.state, PendingState::Reading | PendingState::Running)
    }
}

/// How far a task has come: processed and total.
type Progress = Arc<(AtomicUsize, AtomicUsize)>;

/// The pending imports of a ledger, and the tasks of this process that read and import them.
#[derive(Clone)]
pub struct Imports {
    db: DatabaseConnection,
    zone: Tz,
    grace_days: i64,
    clock: Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>,
    running: Arc<Mutex<HashMap<i64, Progress>>>,
    places: Arc<Semaphore>,
}

/// A task of this process, which is listed among those that run until it ends, by a panic too.
struct Running<'a> {
    imports: &'a Imports,
    id: i64,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.imports.running.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

impl Imports {
    /// Makes the service on a database. `zone` is the ledger's time zone, `grace_days` the grace period of an immediate
    /// deadline in days.
    pub fn new(
        db: DatabaseConnection,
        zone: Tz,
        grace_days: i64,
        clock: Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>,
    ) -> Self {
        Self { db, zone, grace_days, clock, running: Arc::default(), places: Arc::new(Semaphore::new(TOGETHER)) }
    }

    /// Keeps a file and begins to read it. Returns the key of the import. Imports that are too old, and the oldest ones
    /// of an account that has too many, are deleted.
    pub async fn keep(&self, by: &By, upload: Upload) -> Result<i64> {
        may_keep(by)?;
        let now = (self.clock)();
        let decisions: Vec<Decision> = upload
            .mapping
            .given()
            .map(|(topic, printed, answer)| Decision {
                topic: topic.as_str().to_owned(),
                printed: printed.to_owned(),
                answer: answer.to_owned(),
            })
            .collect();
        let row = pending_import::ActiveModel {
            account_id: Set(by.principal.account),
            file_name: Set(upload.file_name),
            content: Set(upload.content),
            round: Set(upload.round),
            region: Set(upload.region),
            issued_by: Set(upload.issued_by),
            level: Set(upload.level),
            as_of: Set(upload.as_of.or(upload.mapping.as_of)),
            creates_units: Set(upload.creates_units),
            decisions: Set(json!(decisions).to_string()),
            state: Set(PendingState::Reading),
            processed: Set(0),
            total: Set(0),
            report: Set(None),
            created_at: Set(now),
            updated_at: Set(now),
            ..Default::default()
        };
        let id = row.insert(&self.db).await?.id;
        self.clear(by, now).await?;
        self.begin(by, id, true);
        Ok(id)
    }

    async fn clear(&self, by: &By, now: DateTime<Utc>) -> Result<()> {
        let old = pending_import::Column::CreatedAt.lt(now - TimeDelta::days(KEPT_DAYS));
        let beyond: Vec<i64> = self.list(by).await?.into_iter().skip(MAX_PENDING).map(|one| one.id).collect();
        let gone = pending_import::Entity::delete_many().filter(old.or(pending_import::Column::Id.is_in(beyond)));
        gone.exec(&self.db).await?;
        Ok(())
    }

    /// Returns the imports of the caller, the newest first.
    pub async fn list(&self, by: &By) -> Result<Vec<Pending>> {
        let before = self.running();
        let rows =
            Self::rows(by).order_by_desc(pending_import::Column::Id).into_model::<Pending>().all(&self.db).await?;
        Ok(rows.into_iter().map(|row| self.followed(row, &before)).collect())
    }

    /// Returns an import of the caller, or `None` if the caller has none with this key.
    pub async fn find(&self, by: &By, id: i64) -> Result<Option<Pending>> {
        let before = self.running();
        let row =
            Self::rows(by).filter(pending_import::Column::Id.eq(id)).into_model::<Pending>().one(&self.db).await?;
        Ok(row.map(|row| self.followed(row, &before)))
    }

    fn rows(by: &By) -> sea_orm::Select<pending_import::Entity> {
        use pending_import::Column;
        let own = match by.principal.account {
            Some(account) => Column::AccountId.eq(account),
            None => Column::AccountId.is_null(),
        };
        // Everything but the file.
        let columns = [
            Column::Id,
            Column::FileName,
            Column::Round,
            Column::Region,
            Column::IssuedBy,
            Column::Level,
            Column::AsOf,
            Column::CreatesUnits,
            Column::Decisions,
            Column::State,
            Column::Processed,
            Column::Total,
            Column::Report,
            Column::CreatedAt,
            Column::UpdatedAt,
        ];
        let name =
            |of: &str| Expr::cust(format!("(SELECT min(r.name) FROM region r WHERE r.code = pending_import.{of})"));
        let all = pending_import::Entity::find().select_only().columns(columns);
        all.expr_as(name("region"), "region_name").expr_as(name("issued_by"), "issued_by_name").filter(own)
    }

    /// Returns the tasks of this process.
    fn running(&self) -> HashMap<i64, Progress> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Adds what this process knows of the progress. `before` are the tasks that ran before the row was read: a task
    /// that has ended since then was not interrupted, although the row still says that it runs.
    fn followed(&self, mut row: Pending, before: &HashMap<i64, Progress>) -> Pending {
        if let Some(progress) = self.running().get(&row.id).or_else(|| before.get(&row.id)) {
            row.processed = progress.0.load(Ordering::Relaxed) as i64;
            row.total = progress.1.load(Ordering::Relaxed) as i64;
            return row;
        }
        // On SQLite there is no other process; elsewhere another one tells that it is alive.
        let is_silent = !self.has_others() || (self.clock)() - row.updated_at > SILENCE;
        row.is_interrupted = row.is_busy() && is_silent;
        row
    }

    fn has_others(&self) -> bool {
        self.db.get_database_backend() != DbBackend::Sqlite
    }

    /// Adds decisions to an import, and what is said anew, and begins to read its file again.
    pub async fn decide(&self, by: &By, id: i64, decisions: Vec<Decision>, anew: Anew) -> Result<i64> {
        let row = self.idle(by, id).await?;
        let mut all = row.decisions();
        // Refused before it is kept, if it cannot be read; each answer is told by its place.
        let fault = |(place, decision): (usize, &Decision)| {
            let path = ["input", "answers", &place.to_string(), "answer"];
            mapping_of(std::slice::from_ref(decision)).err().map(|why| at(why, &path))
        };
        let mut faults = Vec::new();
        for why in decisions.iter().enumerate().filter_map(fault) {
            match why {
                Error::Refused(of) => faults.extend(of),
                other => return Err(other),
            }
        }
        if !faults.is_empty() {
            return Err(Error::Refused(faults));
        }
        for decision in decisions {
            all.retain(|known| (&known.topic, &known.printed) != (&decision.topic, &decision.printed));
            all.push(decision);
        }
        let changed = pending_import::ActiveModel {
            decisions: Set(json!(all).to_string()),
            as_of: Set(anew.as_of.or(row.as_of)),
            creates_units: Set(anew.creates_units.unwrap_or(row.creates_units)),
            level: Set(anew.level.or(row.level)),
            state: Set(PendingState::Reading),
            processed: Set(0),
            total: Set(0),
            updated_at: Set((self.clock)()),
            ..Default::default()
        };
        self.change(id, changed).await?;
        self.begin(by, id, true);
        Ok(id)
    }

    /// Begins to import a file that was read without questions and faults.
    pub async fn run(&self, by: &By, id: i64) -> Result<i64> {
        let row = self.idle(by, id).await?;
        if !row.is_ready() && !row.is_interrupted {
            let zh = "还有未回答的问题或有误的单元格，不能导入";
            let en = "there are questions without an answer, or faults: it cannot be imported yet";
            return Err(Fault::new(FaultCode::WrongState, zh, en, &["input", "importId"]).into());
        }
        let changed = pending_import::ActiveModel {
            state: Set(PendingState::Running),
            processed: Set(0),
            total: Set(0),
            updated_at: Set((self.clock)()),
            ..Default::default()
        };
        self.change(id, changed).await?;
        self.begin(by, id, false);
        Ok(id)
    }

    /// Deletes an import that is not being processed. What was imported stays.
    pub async fn discard(&self, by: &By, id: i64) -> Result<i64> {
        let row = self.find(by, id).await?.ok_or_else(unknown)?;
        if row.is_busy() {
            return Err(busy());
        }
        pending_import::Entity::delete_by_id(id).exec(&self.db).await?;
        Ok(id)
    }

    /// Changes a row without reading its file.
    async fn change(&self, id: i64, row: pending_import::ActiveModel) -> Result<()> {
        pending_import::Entity::update_many().set(row).filter(pending_import::Column::Id.eq(id)).exec(&self.db).await?;
        Ok(())
    }

    /// Returns an import of the caller that waits for decisions.
    async fn idle(&self, by: &By, id: i64) -> Result<Pending> {
        may_keep(by)?;
        let row = self.find(by, id).await?.ok_or_else(unknown)?;
        if row.is_busy() {
            return Err(busy());
        }
        if row.state == PendingState::Done {
            let (zh, en) = ("这个文件已经导入，请重新上传", "this file has been imported: upload it again");
            return Err(Fault::new(FaultCode::WrongState, zh, en, &["input", "importId"]).into());
        }
        Ok(row)
    }

    /// Reads or imports a file in the background.
    fn begin(&self, by: &By, id: i64, dry_run: bool) {
        let progress: Progress = Arc::default();
        self.running.lock().unwrap_or_else(PoisonError::into_inner).insert(id, progress.clone());
        let (imports, by) = (self.clone(), by.clone());
        tokio::spawn(async move {
            let _running = Running { imports: &imports, id };
            let task = Box::pin(async {
                // It waits for its place while others are told that it is alive.
                let _place = imports.places.acquire().await;
                let done = imports.process(&by, id, dry_run, &progress).await;
                // The import is committed. The note comes before the outcome is kept: whoever sees that the import is
                // done then reads no standby that lacks it.
                if let Some(session) = by.session
                    && let Err(error) = session::note_written(&imports.db, session).await
                {
                    tracing::warn!(%error, import = id, "it could not be noted that an import has written");
                }
                done
            });
            let done = imports.while_telling(id, &progress, task).await;
            if let Err(error) = imports.record_outcome(id, dry_run, done, &progress).await {
                tracing::error!(%error, import = id, "the outcome of an import could not be kept");
            }
        });
    }

    /// Runs a task and tells other processes meanwhile how far it has come. SQLite has no other process, and its one
    /// writer is the task.
    async fn while_telling<T>(&self, id: i64, progress: &Progress, task: impl Future<Output = T>) -> T {
        if !self.has_others() {
            return task.await;
        }
        let mut task = std::pin::pin!(task);
        loop {
            match tokio::time::timeout(PULSE, &mut task).await {
                Ok(done) => return done,
                Err(_) => self.tell(id, progress).await,
            }
        }
    }

    async fn tell(&self, id: i64, progress: &Progress) {
        let news = pending_import::ActiveModel {
            processed: Set(progress.0.load(Ordering::Relaxed) as i64),
            total: Set(progress.1.load(Ordering::Relaxed) as i64),
            updated_at: Set((self.clock)()),
            ..Default::default()
        };
        if let Err(error) = self.change(id, news).await {
            tracing::warn!(%error, import = id, "the progress of an import could not be kept");
        }
    }

    async fn process(&self, by: &By, id: i64, dry_run: bool, progress: &Progress) -> Result<Value> {
        let row = pending_import::Entity::find_by_id(id).one(&self.db).await?.ok_or_else(unknown)?;
        let stem = row.file_name.rsplit_once('.').map_or(row.file_name.as_str(), |(stem, _)| stem).to_owned();
        let content = row.content;
        let opened = tokio::task::spawn_blocking(move || sheet::open(&stem, content)).await;
        let sheets = opened.map_err(|error| Error::from(sea_orm::DbErr::Custom(error.to_string())))??;
        let decisions: Vec<Decision> = serde_json::from_str(&row.decisions).unwrap_or_default();
        let mut mapping = mapping_of(&decisions)?;
        mapping.as_of = row.as_of;
        let options = ImportOptions {
            round: row.round,
            level: row.level,
            region: row.region,
            issued_by: row.issued_by,
            dry_run,
            create_units: row.creates_units,
            takes_proposals: false,
            mapping,
            grace_days: self.grace_days,
        };
        let task = Import {
            sheets: &sheets,
            options: &options,
            by,
            now: (self.clock)(),
            zone: self.zone,
            progress: &|processed, total| {
                progress.0.store(processed, Ordering::Relaxed);
                progress.1.store(total, Ordering::Relaxed);
            },
        };
        let report = import(&self.db, &task).await?;
        let is_done = matches!(report.outcome, Outcome::Written | Outcome::Unchanged);
        let both = json!({ "zh": cut(told(&report, false)), "en": cut(told(&report, true)) });
        Ok(json!({ "isDone": is_done, "report": both }))
    }

    /// Keeps what became of a task.
    async fn record_outcome(&self, id: i64, dry_run: bool, done: Result<Value>, progress: &Progress) -> Result<()> {
        let (state, report) = match done {
            Ok(mut done) => {
                let state = if !dry_run && done["isDone"] == true { PendingState::Done } else { PendingState::Read };
                (state, done["report"].take())
            }
            Err(Error::Refused(faults)) => {
                let message = faults.into_iter().next().map(|fault| fault.message);
                (PendingState::Failed, failed(&message.unwrap_or_else(|| Bilingual::new("无法导入", "not possible"))))
            }
            Err(error) => {
                tracing::error!(%error, import = id, "an import failed");
                let words = Bilingual::new(
                    "系统内部错误，未写入任何内容，请稍后重试",
                    "an internal error: nothing was written, try again later",
                );
                (PendingState::Failed, failed(&words))
            }
        };
        let mut row = pending_import::ActiveModel {
            state: Set(state),
            processed: Set(progress.0.load(Ordering::Relaxed) as i64),
            total: Set(progress.1.load(Ordering::Relaxed) as i64),
            report: Set(Some(report.to_string())),
            updated_at: Set((self.clock)()),
            ..Default::default()
        };
        if state == PendingState::Done {
            row.content = Set(Vec::new());
        }
        self.change(id, row).await
    }
}

/// Returns the report of a file that cannot be read.
fn failed(why: &Bilingual) -> Value {
    json!({ "zh": { "error": why.zh }, "en": { "error": why.en } })
}

/// Cuts long lists of questions and faults; their numbers stay.
fn cut(mut report: Value) -> Value {
    for (list, count) in [("questions", "questionCount"), ("faults", "faultCount")] {
        if let Some(items) = report[list].as_array_mut() {
            let length = items.len();
            items.truncate(LISTED);
            report[count] = length.into();
        }
    }
    report
}

/// Returns the mapping of decisions.
fn mapping_of(decisions: &[Decision]) -> Result<Mapping> {
    let mut mapping = Mapping::default();
    for Decision { topic, printed, answer } in decisions {
        let known = Topic::of(topic).ok_or_else(|| {
            let (zh, en) = (format!("没有“{topic}”这类问题"), format!("there are no questions about “{topic}”"));
            Error::from(Fault::invalid(zh, en, &["input", "answers"]))
        })?;
        mapping.decide(known, printed, answer)?;
    }
    Ok(mapping)
}

fn may_keep(by: &By) -> Result<()> {
    if by.principal.may(Act::KeepLedger) { Ok(()) } else { Err(policy::not_allowed(Act::KeepLedger).into()) }
}

fn unknown() -> Error {
    let (zh, en) = ("没有这个待导入的文件，或它不是您上传的", "there is no such pending import of yours");
    Fault::new(FaultCode::NotFound, zh, en, &["input", "importId"]).into()
}

fn busy() -> Error {
    let (zh, en) = ("文件正在读取或导入，请稍候", "the file is being read or imported: wait until that is done");
    Fault::new(FaultCode::WrongState, zh, en, &["input", "importId"]).into()
}
