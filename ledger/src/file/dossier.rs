//! Dossiers (一措施一档案): everything about one measure in one zip archive, to be filed and handed over.
//!
//! An archive contains a readable document, the evidence files, the audit entries of the measure with everything that
//! was hashed, and the checksums by which all of it can be verified without this program. It contains only what the
//! principal who requests it may see; people appear as their unit and role.

use std::collections::{HashMap, HashSet};
use std::io::{self, Write};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use entity::check::{CheckKind, CheckResult};
use entity::close_out::CloseOutState;
use entity::deadline_change::DeadlineChangeState;
use entity::supervision_action::{SupervisionKind, SupervisionState};
use entity::{
    account, assignment, audit_entry, check, close_out, comment, deadline_change, evidence, inspection_round, measure,
    milestone, objection, problem, progress_report, region, responsible_party, supervision_action, unit,
};
use futures_util::TryStreamExt;
use minijinja::Environment;
use planner::Sql;
use sea_orm::{
    AccessMode, ConnectionTrait, DatabaseConnection, DbBackend, EntityTrait, IsolationLevel, TransactionOptions,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::runtime::Handle;
use zip::ZipWriter;
use zip::write::{SimpleFileOptions, StreamWriter};

use crate::Result;
use crate::file::storage::Storage;
use crate::people::policy::{self, Principal};
use crate::record::audit;
use crate::record::database;
use crate::record::database::Transaction;
use crate::rule::calendar::minute;
use crate::rule::workflow;

const PAGE: &str = "index.html";

/// Everything about one measure, read and ready to be packed.
pub struct Dossier {
    /// The file name of the archive.
    pub file_name: String,
    page: String,
    audit: String,
    readme: String,
    files: Vec<evidence::Model>,
}

/// Why packing a dossier failed.
#[derive(Debug, thiserror::Error)]
pub enum Unpacked {
    /// An evidence file is missing, or its content is not what the ledger records.
    #[error("{0}")]
    Evidence(String),
    /// The storage failed.
    #[error("file storage error")]
    Storage(#[from] object_store::Error),
    /// The archive could not be written: the client has disconnected, or the disk is full.
    #[error("cannot write the archive")]
    Write(#[from] io::Error),
    /// The archive could not be built.
    #[error("cannot build the archive")]
    Zip(#[from] zip::result::ZipError),
}

/// Reads the dossier of a measure as the principal may see it, all from one snapshot of the database. Returns `None` if
/// the principal may not see the measure.
pub async fn read(
    db: &DatabaseConnection,
    principal: &Principal,
    measure: i64,
    (now, zone): (DateTime<Utc>, Tz),
) -> Result<Option<Dossier>> {
    let is_postgres = db.get_database_backend() == DbBackend::Postgres;
    let options = TransactionOptions {
        isolation_level: is_postgres.then_some(IsolationLevel::RepeatableRead),
        access_mode: is_postgres.then_some(AccessMode::ReadOnly),
        ..TransactionOptions::default()
    };
    let reader = Reader { db: database::begin_with(db, options).await?, principal, measure, zone };
    let Some(held) = reader.one::<measure::Entity>("measure", measure).await? else { return Ok(None) };
    let entries = reader.audit(held.problem_id).await?;
    let Some((about, files)) = reader.about(held, now).await? else { return Ok(None) };
    let file_name = format!("一措施一档案 measure_{measure}.zip");
    let audit = serde_json::to_string_pretty(&entries).map_err(|error| unwritten(&error))? + "\n";
    let written = || {
        let mut templates = Environment::new();
        templates.add_template(PAGE, include_str!("../../templates/dossier.html"))?;
        templates.get_template(PAGE)?.render(minijinja::value::Serde(&about))
    };
    let page = written().map_err(|error| unwritten(&error))?;
    let readme = include_str!("../../templates/dossier.txt").replace("{moment}", &minute(now, reader.zone));
    Ok(Some(Dossier { file_name, page, audit, readme, files }))
}

/// Converts an error of the template or the serialiser. Neither can fail, since template and values are our own.
fn unwritten(error: &dyn std::error::Error) -> crate::Error {
    crate::Error::Unwritten(error.to_string())
}

/// Reads the rows that concern one measure and that the principal may see.
struct Reader<'a> {
    db: Transaction,
    principal: &'a Principal,
    measure: i64,
    zone: Tz,
}

/// The condition for rows of the measure's assignments. The key of the measure stands at `{}`.
const ANSWERS: &str = "held.assignment_id IN (SELECT x.id FROM assignment x WHERE x.measure_id = {})";
/// The condition for rows of the measure itself. The key of the measure stands at `{}`.
const OWN: &str = "held.measure_id = {}";

impl Reader<'_> {
    /// Returns the rows of a table that the principal may see and that satisfy a condition, ordered by id.
    async fn seen<E: EntityTrait>(
        &self,
        table: &str,
        condition: impl FnOnce(&mut Sql<'_>) -> String,
    ) -> Result<Vec<E::Model>> {
        let mut sql = Sql::within(self.db.get_database_backend(), &[], self.principal);
        let condition = condition(&mut sql);
        let seen = sql.seen(table, "held").map(|seen| format!(" AND {seen}")).unwrap_or_default();
        let text = format!("SELECT held.* FROM {table} held WHERE {condition}{seen} ORDER BY held.id");
        Ok(E::find().from_raw_sql(sql.statement(text)).all(&self.db).await?)
    }

    /// Returns the rows of a table that belong to the measure, by a condition with the measure's key at `{}`.
    async fn of<E: EntityTrait>(&self, table: &str, condition: &str) -> Result<Vec<E::Model>> {
        self.seen::<E>(table, |sql| condition.replace("{}", &sql.bind(self.measure))).await
    }

    /// Returns the rows of a table with these keys that the principal may see.
    async fn among<E: EntityTrait>(&self, table: &str, keys: HashSet<i64>) -> Result<Vec<E::Model>> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let among = |sql: &mut Sql<'_>| {
            let keys: Vec<String> = keys.into_iter().map(|key| sql.bind(key)).collect();
            format!("held.id IN ({})", keys.join(", "))
        };
        self.seen::<E>(table, among).await
    }

    async fn one<E: EntityTrait>(&self, table: &str, key: i64) -> Result<Option<E::Model>> {
        Ok(self.among::<E>(table, HashSet::from([key])).await?.pop())
    }

    fn maybe(&self, at: Option<DateTime<Utc>>) -> Option<String> {
        at.map(|at| minute(at, self.zone))
    }

    /// Returns the entries of the measure in the chain of its problem and of the problems merged into that, each part
    /// as it was hashed. Network addresses are included only if the principal may see them elsewhere.
    async fn audit(&self, problem: i64) -> Result<Vec<Value>> {
        let chains = audit::chains(&self.db, problem).await?;
        let place = |entry: &audit_entry::Model| {
            chains.iter().position(|chain| *chain == entry.chain).map(|chain| (chain, entry.position))
        };
        let mut entries = self.of::<audit_entry::Entity>("audit_entry", OWN).await?;
        entries.retain(|entry| place(entry).is_some());
        entries.sort_by_key(place);
        let told = |entry| audit::entire(entry, self.principal.sees_address_of(entry));
        Ok(entries.iter().map(told).collect())
    }

    #[allow(clippy::too_many_lines, reason = "one list of everything in a dossier")]
    async fn about(
        &self,
        measure: measure::Model,
        now: DateTime<Utc>,
    ) -> Result<Option<(Value, Vec<evidence::Model>)>> {
        let Some(problem) = self.one::<problem::Entity>("problem", measure.problem_id).await? else { return Ok(None) };
        let round = self.one::<inspection_round::Entity>("inspection_round", problem.round_id).await?;
        let issuer = self.one::<region::Entity>("region", problem.region_id).await?;
        let milestones = self.of::<milestone::Entity>("milestone", OWN).await?;
        let parties = self.of::<responsible_party::Entity>("responsible_party", OWN).await?;
        let assignments = self.of::<assignment::Entity>("assignment", OWN).await?;
        let changes = self.of::<deadline_change::Entity>("deadline_change", OWN).await?;
        let reports = self.of::<progress_report::Entity>("progress_report", ANSWERS).await?;
        let checks = self.of::<check::Entity>("\"check\"", ANSWERS).await?;
        let cycles = self.of::<close_out::Entity>("close_out", ANSWERS).await?;
        let objections = self.of::<objection::Entity>("objection", OBJECTIONS).await?;
        let supervision = self.of::<supervision_action::Entity>("supervision_action", OWN).await?;
        let comments = self.of::<comment::Entity>("comment", OWN).await?;
        let files = self.of::<evidence::Entity>("evidence", ANSWERS).await?;

        let people = reports.iter().map(|row| row.author_id).chain(files.iter().map(|row| row.uploader_id));
        let people = people.chain(comments.iter().map(|row| row.author_id));
        let people = people.chain(supervision.iter().flat_map(|row| [row.issuer_id, row.lifter_id]));
        let people = people.chain(changes.iter().flat_map(|row| [row.requester_id, row.endorser_id, row.decider_id]));
        let people = people.chain(objections.iter().flat_map(|row| [row.recorder_id, row.decider_id]));
        let people =
            people.chain(cycles.iter().flat_map(|row| {
                [row.applicant_id, row.verifier_id, row.publisher_id, row.closer_id, row.discloser_id]
            }));
        let accounts = self.among::<account::Entity>("account", people.flatten().collect()).await?;
        let accounts: HashMap<i64, account::Model> =
            accounts.into_iter().map(|account| (account.id, account)).collect();
        let named = assignments.iter().map(|row| Some(row.unit_id)).chain(checks.iter().map(|row| row.checker_id));
        let named = named.chain(supervision.iter().map(|row| row.recipient_id));
        let named = named.chain(accounts.values().map(|account| account.unit_id));
        let named = named.chain([measure.lead_unit_id, measure.supervising_unit_id]);
        let units = self.among::<unit::Entity>("unit", named.flatten().collect()).await?;
        let units: HashMap<i64, String> = units.into_iter().map(|unit| (unit.id, unit.name)).collect();
        let unit = |id: Option<i64>| id.and_then(|id| units.get(&id).cloned());
        // Never the name of a person: the unit and the role of the account.
        let who = |id: Option<i64>| {
            let account = accounts.get(&id?)?;
            let role = policy::role_name(account.role);
            Some(unit(account.unit_id).map_or_else(|| role.to_owned(), |unit| format!("{unit}（{role}）")))
        };
        let numbers: HashMap<i64, usize> = assignments.iter().map(|row| row.id).zip(1..).collect();
        let number = |id: i64| numbers.get(&id).copied();
        let about = json!({
            "id": format!("measure_{}", measure.id),
            "made": minute(now, self.zone),
            "round": round.map(|round| json!({ "name": round.name, "entered": round.entered_on,
                "feedback": round.feedback_on })),
            "problem": { "number": problem.number, "title": problem.title, "description": problem.description,
                "goal": problem.goal, "deadline": problem.due_raw, "region": issuer.map(|region| region.name),
                "status": workflow::status_name(problem.status) },
            "measure": { "number": measure.number, "content": measure.content, "deadline": measure.due_raw,
                "due_on": measure.due_on, "ongoing": measure.due_ongoing,
                "status": workflow::status_name(measure.status), "completed_on": measure.completed_on,
                "lead": unit(measure.lead_unit_id), "supervising": unit(measure.supervising_unit_id),
                "stated": measure.stated_progress },
            "parties": parties.iter().map(|row| &row.raw).collect::<Vec<_>>(),
            "milestones": milestones.iter().map(|row| json!({ "label": row.label, "due_on": row.due_on }))
                .collect::<Vec<_>>(),
            "changes": changes.iter().map(|row| json!({ "state": change_name(row.state), "old": row.old_raw,
                "new": row.new_raw, "new_due_on": row.new_due_on, "reason": row.reason,
                "requested": [minute(row.requested_at, self.zone), who(row.requester_id)],
                "endorsed": row.endorsed_at.map(|at| json!([minute(at, self.zone), who(row.endorser_id)])),
                "decided": row.decided_at.map(|at| json!([minute(at, self.zone), who(row.decider_id)])),
                "decision": row.decision })).collect::<Vec<_>>(),
            "assignments": assignments.iter().zip(1..).map(|(row, number)| json!({ "number": number,
                "unit": unit(Some(row.unit_id)), "status": workflow::status_name(row.status), "due_on": row.due_on,
                "completed_on": row.completed_on, "accepted": self.maybe(row.accepted_at),
                "declined": self.maybe(row.declined_at), "decline_reason": row.decline_reason })).collect::<Vec<_>>(),
            "reports": reports.iter().map(|row| json!({ "assignment": number(row.assignment_id), "period": row.period,
                "text": row.text, "stated": row.stated, "at": minute(row.submitted_at, self.zone),
                "by": who(row.author_id) })).collect::<Vec<_>>(),
            "checks": checks.iter().map(|row| json!({ "assignment": number(row.assignment_id),
                "kind": check_name(row.kind), "period": row.period, "due_on": row.due_on,
                "result": if row.result == CheckResult::Passed { "通过" } else { "不通过" }, "findings": row.findings,
                "on": row.checked_on, "by": unit(row.checker_id) })).collect::<Vec<_>>(),
            "cycles": cycles.iter().map(|row| json!({ "assignment": number(row.assignment_id), "cycle": row.cycle,
                "state": close_out_name(row.state), "application": row.application,
                "applied": [minute(row.applied_at, self.zone), who(row.applicant_id)], "opinion": row.opinion,
                "verified": row.verified_at.map(|at| json!([minute(at, self.zone), who(row.verifier_id)])),
                "notice": row.notice, "contact": row.contact, "notice_from": row.notice_from,
                "notice_until": row.notice_until, "publisher": who(row.publisher_id), "decision": row.decision,
                "closed_on": row.closed_on, "closer": who(row.closer_id), "relapse": row.relapse,
                "reopened": self.maybe(row.reopened_at), "disclosed": self.maybe(row.disclosed_at),
                "objections": objections.iter().filter(|one| one.close_out_id == row.id).map(|one| json!({
                    "text": one.text, "at": minute(one.raised_at, self.zone), "by": who(one.recorder_id),
                    "received": one.received_on,
                    "upheld": one.is_upheld, "answer": one.answer, "decided": self.maybe(one.decided_at),
                    "decider": who(one.decider_id) })).collect::<Vec<_>>() })).collect::<Vec<_>>(),
            "supervision": supervision.iter().map(|row| json!({ "kind": supervision_name(row.kind),
                "state": supervision_state_name(row.state), "assignment": row.assignment_id.and_then(number),
                "recipient": unit(row.recipient_id), "reason": row.reason, "answer_by": row.answer_by,
                "document_number": row.document_number, "meeting": self.maybe(row.meeting_at), "place": row.place,
                "issued": [minute(row.issued_at, self.zone), who(row.issuer_id)],
                "lifted": row.lifted_at.map(|at| json!([minute(at, self.zone), who(row.lifter_id)])),
                "lift_reason": row.lift_reason })).collect::<Vec<_>>(),
            "comments": comments.iter().map(|row| json!({ "text": row.text, "at": minute(row.written_at, self.zone),
                "by": who(row.author_id) })).collect::<Vec<_>>(),
            "files": files.iter().map(|row| json!({ "assignment": number(row.assignment_id), "name": row.name,
                "path": path_of(row), "size": row.size, "media_type": row.media_type, "sha256": row.sha256,
                "at": minute(row.uploaded_at, self.zone), "by": who(row.uploader_id) })).collect::<Vec<_>>(),
        });
        Ok(Some((about, files)))
    }
}

/// The condition for objections to the close-outs of the measure. The key of the measure stands at `{}`.
const OBJECTIONS: &str = "held.close_out_id IN (SELECT c.id FROM close_out c \
    JOIN assignment x ON x.id = c.assignment_id \
    WHERE x.measure_id = {})";

/// The most bytes of an evidence file's name in the archive. File systems accept 255.
const MAX_NAME: usize = 200;

/// Returns the path of an evidence file in the archive: its id and its name, shortened to what file systems accept.
fn path_of(file: &evidence::Model) -> String {
    let (stem, ending) = match file.name.rsplit_once('.') {
        Some((stem, ending)) if ending.len() < 20 => (stem, format!(".{ending}")),
        _ => (file.name.as_str(), String::new()),
    };
    let room = stem.floor_char_boundary(MAX_NAME - ending.len());
    format!("evidence/{}-{}{ending}", file.id, &stem[..room])
}

fn check_name(kind: CheckKind) -> &'static str {
    match kind {
        CheckKind::SelfInspection => "自查",
        CheckKind::Verification => "核查",
        CheckKind::SpotCheck => "抽查",
        CheckKind::Supervision => "督导检查",
    }
}

fn change_name(state: DeadlineChangeState) -> &'static str {
    match state {
        DeadlineChangeState::Requested => "申请",
        DeadlineChangeState::Endorsed => "市级同意",
        DeadlineChangeState::Approved => "批准",
        DeadlineChangeState::Rejected => "不批准",
    }
}

fn close_out_name(state: CloseOutState) -> &'static str {
    match state {
        CloseOutState::Applied => "提请销号",
        CloseOutState::Returned => "退回",
        CloseOutState::Verified => "核查通过",
        CloseOutState::Publicised => "公示中",
        CloseOutState::Objected => "异议成立",
        CloseOutState::Closed => "销号",
        CloseOutState::Reopened => "反弹",
    }
}

fn supervision_name(kind: SupervisionKind) -> &'static str {
    match kind {
        SupervisionKind::Urge => "催办",
        SupervisionKind::Supervise => "督办",
        SupervisionKind::YellowCard => "黄牌",
        SupervisionKind::List => "挂牌督办",
        SupervisionKind::RedCard => "红牌",
        SupervisionKind::Summon => "约谈",
    }
}

fn supervision_state_name(state: SupervisionState) -> &'static str {
    match state {
        SupervisionState::Proposed => "系统建议",
        SupervisionState::Issued => "生效",
        SupervisionState::Lifted => "解除",
        SupervisionState::Dismissed => "未采纳",
    }
}

impl Dossier {
    /// Checks that all evidence files exist, before anything is packed. Fails with the first one that is missing.
    pub async fn check(&self, storage: &Storage) -> Result<(), Unpacked> {
        for file in &self.files {
            if !storage.holds(&file.place).await? {
                return Err(lost(file));
            }
        }
        Ok(())
    }

    /// Writes the archive to `out`, a few kilobytes at a time.
    ///
    /// This function blocks, so it needs a thread of its own. It reads the storage on `runtime`.
    pub fn pack<W: Write>(&self, storage: &Storage, runtime: &Handle, out: W) -> Result<(), Unpacked> {
        let mut archive = Archive { zip: ZipWriter::new_stream(out), sums: String::new() };
        for (name, text) in [("README.txt", &self.readme), (PAGE, &self.page), ("audit.json", &self.audit)] {
            archive.begin(name, text.len() as u64, zip::CompressionMethod::Deflated)?;
            archive.zip.write_all(text.as_bytes())?;
            archive.note(name, &hex::encode(Sha256::digest(text)));
        }
        for file in &self.files {
            let found = runtime.block_on(storage.read(&file.place))?;
            let (size, mut bytes) = found.ok_or_else(|| lost(file))?;
            let path = path_of(file);
            // Evidence files are mostly compressed already.
            archive.begin(&path, size, zip::CompressionMethod::Stored)?;
            let mut sha = Sha256::new();
            while let Some(chunk) = runtime.block_on(bytes.try_next())? {
                sha.update(&chunk);
                archive.zip.write_all(&chunk)?;
            }
            let hash = hex::encode(sha.finalize());
            if hash != file.sha256 {
                let (id, name) = (file.id, &file.name);
                return Err(Unpacked::Evidence(format!("佐证材料 evidence_{id}（{name}）内容被改动，档案未生成")));
            }
            archive.note(&path, &hash);
        }
        let sums = std::mem::take(&mut archive.sums);
        archive.begin("SHA256SUMS", sums.len() as u64, zip::CompressionMethod::Deflated)?;
        archive.zip.write_all(sums.as_bytes())?;
        archive.zip.finish()?.into_inner().flush()?;
        Ok(())
    }
}

fn lost(file: &evidence::Model) -> Unpacked {
    Unpacked::Evidence(format!("佐证材料 evidence_{}（{}）的文件缺失，档案未生成", file.id, file.name))
}

/// An archive that is being written, and the checksums of its files.
struct Archive<W: Write> {
    zip: ZipWriter<StreamWriter<W>>,
    sums: String,
}

impl<W: Write> Archive<W> {
    /// Begins a file of the archive.
    fn begin(&mut self, name: &str, size: u64, method: zip::CompressionMethod) -> Result<(), Unpacked> {
        let is_large = size >= u64::from(u32::MAX / 2);
        let options = SimpleFileOptions::default().compression_method(method).large_file(is_large);
        Ok(self.zip.start_file(name, options)?)
    }

    /// Adds a checksum in the format of `sha256sum`.
    fn note(&mut self, name: &str, hash: &str) {
        for part in [hash, "  ", name, "\n"] {
            self.sums.push_str(part);
        }
    }
}
