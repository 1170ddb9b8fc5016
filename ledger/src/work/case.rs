//! Complaint cases (交办案件): handing over, accepting, reporting, resolving, returning or verifying, closing, and
//! reopening after a relapse.
//!
//! Each step appends a row that is never changed. The complainant is never asked for, and texts that contain a personal
//! number are refused.

use chrono::NaiveDate;
use entity::case_pollution::{self, Pollution};
use entity::case_report::{self, CaseStep};
use entity::inspection_case::{self, CaseState, Channel, Finding, Handling};
use entity::inspection_round::RoundLevel;
use entity::{case_region, case_unit, inspection_round, region};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveEnum, ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, Iterable,
    PaginatorTrait, QueryFilter, Statement, TryInsertResult,
};
use serde_json::{Value, json};

use super::acting::{Acting, MAX_WORDS, is_own, permit};
use super::assigning;
use super::event::Event;
use super::hold::{current, hold, in_sight, seen, wrong_state};
use super::telling::{self, Announcement, Done, Subject, Warning};
use crate::Result;
use crate::fault::{self, Fault, FaultCode, Thing};
use crate::patch::Patch;
use crate::people::policy::{self, Act, Standing};
use crate::record::audit::{self, Entry};
use crate::record::change::{self, ChangeKind};
use crate::record::concern::{self, Concern};
use crate::record::database;
use crate::record::database::Transaction;
use crate::record::writes::Writes;
use crate::rule::calendar;
use crate::rule::case_flow;
use crate::rule::personal;

/// The maximum number of units that assist with a case.
pub const MAX_ASSISTING: usize = 50;

/// A case to hand over.
#[derive(Debug, Clone)]
pub struct New {
    /// The number of the case as printed, such as `D3SX202505280018`.
    pub number: String,
    /// The inspection round during which the complaint was received.
    pub round: Option<i64>,
    /// The region that has to rectify it.
    pub region: Option<i64>,
    /// How the complaint was received.
    pub channel: Channel,
    /// The batch in which the inspection handed it over (批次), as printed.
    pub batch: Option<String>,
    /// How soon it has to be handled (办理类型).
    pub handling: Option<Handling>,
    /// The earlier case of the same round that it repeats (重复件).
    pub repeat_of: Option<i64>,
    /// The kinds of pollution that the complaint is about, at least one.
    pub pollution: Vec<Pollution>,
    /// Whether it is a key case (重点案件).
    pub is_key: bool,
    /// What the complaint is about, without the complainant.
    pub summary: String,
    /// The lead unit (主办单位), which answers the case.
    pub lead_unit: Option<i64>,
    /// The assisting units (协办单位), at most [`MAX_ASSISTING`].
    pub assisting: Vec<i64>,
    /// The local date on which the case is handed over, not after today; `None` means today.
    pub handed_over_on: Option<NaiveDate>,
    /// The local date by which the case is to be resolved.
    pub due_on: NaiveDate,
}

/// Corrections of a case. Its round, its region and its lead unit stay as they are.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// The number of the case as printed.
    pub number: Patch<String>,
    /// How the complaint was received.
    pub channel: Patch<Channel>,
    /// The batch in which the inspection handed it over (批次), as printed.
    pub batch: Patch<Option<String>>,
    /// How soon it has to be handled (办理类型).
    pub handling: Patch<Option<Handling>>,
    /// The earlier case of the same round that it repeats (重复件).
    pub repeat_of: Patch<Option<i64>>,
    /// The kinds of pollution that the complaint is about, at least one.
    pub pollution: Patch<Vec<Pollution>>,
    /// Whether it is a key case (重点案件).
    pub is_key: Patch<bool>,
    /// What the complaint is about, without the complainant.
    pub summary: Patch<String>,
    /// The local date on which the case was handed over, not after today.
    pub handed_over_on: Patch<NaiveDate>,
    /// The local date by which the case is to be resolved.
    pub due_on: Patch<NaiveDate>,
}

/// The target of an act: a case and the version of it that the caller saw.
#[derive(Debug, Clone, Copy)]
pub struct CaseTarget {
    /// The key of the case; `None` if the id that the caller gave is not the id of a case.
    pub case: Option<i64>,
    /// The version that the caller saw; `None` for a report, which does not require one.
    pub version: Option<i32>,
}

/// Hands a case over (交办) and notifies the lead unit and the assisting units at once.
///
/// The same number may be handed over once per round and region.
pub async fn hand_over(acting: &Acting<'_>, mut new: New) -> Result<Done> {
    let number = number(&new.number)?;
    let summary = summary(&new.summary)?;
    new.batch = new.batch.as_deref().map(batch).transpose()?;
    let handed_over_on = new.handed_over_on.unwrap_or_else(|| acting.today());
    let faults = check(&new, handed_over_on, acting.today());
    if !faults.is_empty() {
        return Err(crate::Error::Refused(faults));
    }
    acting.by.principal.require(Act::HandOverCase)?;
    let round = match new.round {
        Some(id) => in_sight::<inspection_round::Entity>(acting, "inspection_round", id).await?,
        None => None,
    };
    let round = round.ok_or_else(|| fault::unknown(Thing::Round, &["input", "roundId"]))?;
    if let Some(id) = new.repeat_of {
        let earlier = in_sight::<inspection_case::Entity>(acting, "inspection_case", id).await?;
        check_repeated(earlier.as_ref(), round.id, handed_over_on)?;
    }
    let transaction = database::begin(acting.db).await?;
    let place = assigning::place(acting, &transaction, new.region).await?;
    let lead = new.lead_unit.unwrap_or_default();
    let units: Vec<i64> = new.assisting.iter().copied().chain([lead]).collect();
    let seen = assigning::visible(acting, &transaction, &units).await?;
    for (units, place) in [(&[lead][..], "leadUnitId"), (&new.assisting[..], "assistingUnitIds")] {
        if units.iter().any(|unit| !seen.iter().any(|row| row.id == *unit)) {
            return Err(fault::unknown(Thing::UnitInReach, &["input", place]).into());
        }
    }
    let row = write(acting, &transaction, &new, (number, summary, handed_over_on), (round.id, &place)).await?;
    let pollution: Vec<String> = new.pollution.iter().map(ActiveEnum::to_value).collect();
    let facts = json!({ "isKey": row.is_key, "pollution": pollution });
    let held = HeldCase { transaction, row, version: None, level: round.level, assisting: new.assisting };
    let warnings = held.tell(acting, Announcement::of(Event::CaseHandedOver, "").with(facts)).await?;
    let after = audit::kept::case(&held.row);
    Ok(Done { key: held.note(acting, ChangeKind::HandedOver, json!({}), after).await?, warnings })
}

fn number(given: &str) -> Result<String> {
    Ok(personal::line(given, 1..=40, ("案件编号", "the case number"), &["input", "number"])?)
}

fn summary(given: &str) -> Result<String> {
    Ok(personal::text(given, 2..=MAX_WORDS, ("案情摘要", "the summary"), &["input", "summary"])?)
}

fn batch(given: &str) -> Result<String> {
    Ok(personal::line(given, 1..=40, ("批次", "the batch"), &["input", "batch"])?)
}

/// Checks the case that another one repeats (重复件): the caller sees it, and it was handed over in the same round, on
/// the same day as the other case or earlier.
fn check_repeated(earlier: Option<&inspection_case::Model>, round: i64, handed_over_on: NaiveDate) -> Result<()> {
    let path = ["input", "repeatOfId"];
    let earlier = earlier.ok_or_else(|| fault::unknown(Thing::Case, &path))?;
    if earlier.round_id != round || earlier.handed_over_on > handed_over_on {
        let (zh, en) = (
            "重复件须是同一督察轮次、不晚于本件交办的案件",
            "the case that this one repeats must be of the same round, and handed over on the same day or earlier",
        );
        return Err(Fault::invalid(zh, en, &path).into());
    }
    Ok(())
}

/// Inserts a case with its kinds of pollution and assisting units.
///
/// Refuses a number that the region already has in the round.
async fn write(
    acting: &Acting<'_>,
    transaction: &Transaction,
    new: &New,
    (number, summary, handed_over_on): (String, String, NaiveDate),
    (round, place): (i64, &region::Model),
) -> Result<inspection_case::Model> {
    let row = inspection_case::ActiveModel {
        round_id: Set(round),
        region_id: Set(place.id),
        number: Set(number.clone()),
        batch: Set(new.batch.clone()),
        channel: Set(new.channel),
        is_key: Set(new.is_key),
        handling: Set(new.handling),
        repeat_of_id: Set(new.repeat_of),
        summary: Set(summary),
        lead_unit_id: Set(new.lead_unit.unwrap_or_default()),
        handed_over_on: Set(handed_over_on),
        due_on: Set(new.due_on),
        state: Set(CaseState::HandedOver),
        version: Set(1),
        created_at: Set(acting.now),
        updated_at: Set(acting.now),
        ..Default::default()
    };
    let once = [inspection_case::Column::RoundId, inspection_case::Column::RegionId, inspection_case::Column::Number];
    let inserted = inspection_case::Entity::insert(row).on_conflict_do_nothing_on(once);
    let TryInsertResult::Inserted(inserted) = inserted.exec(transaction).await? else {
        return Err(taken(&number, &place.name).into());
    };
    let id = inserted.last_insert_id;
    let kinds = new.pollution.iter().map(|kind| case_pollution::ActiveModel { case_id: Set(id), kind: Set(*kind) });
    database::insert_all(transaction, kinds).await?;
    let units = new.assisting.iter().map(|unit| case_unit::ActiveModel { case_id: Set(id), unit_id: Set(*unit) });
    database::insert_all(transaction, units).await?;
    let lineage = crate::region::lineage(&place.path);
    concern::cases(transaction, &[Concern { id, due_order: new.due_on, lineage }]).await?;
    let row = inspection_case::Entity::find_by_id(id).one(transaction).await?;
    Ok(row.ok_or_else(|| sea_orm::DbErr::RecordNotFound("the case just inserted".to_owned()))?)
}

fn taken(number: &str, place: &str) -> Fault {
    let zh = format!("案件 {number} 已交办给{place}");
    let en = format!("case {number} has already been handed over to {place}");
    Fault::new(FaultCode::Conflict, zh, en, &["input", "number"])
}

/// Corrects a case that is not closed, for an office that hands cases over, and returns its key.
pub async fn edit(acting: &Acting<'_>, on: CaseTarget, changes: Changes) -> Result<i64> {
    let held = HeldCase::take(acting, on).await?;
    held.permit(acting, Act::HandOverCase)?;
    let row = &held.row;
    if row.state == CaseState::Closed {
        return Err(wrong_state(row.state, &case_flow::EDITABLE, case_flow::state_name, &["input", "caseId"]).into());
    }
    let kinds = pollution_of(&held.transaction, row.id).await?;
    let is_repeat_given = matches!(changes.repeat_of, Patch::Set(_));
    let new = New {
        number: changes.number.read(row.number.clone(), |given| number(&given))?,
        round: Some(row.round_id),
        region: Some(row.region_id),
        channel: changes.channel.or(row.channel),
        batch: changes.batch.read(row.batch.clone(), |given| given.as_deref().map(batch).transpose())?,
        handling: changes.handling.or(row.handling),
        repeat_of: changes.repeat_of.or(row.repeat_of_id),
        pollution: changes.pollution.or(kinds.clone()),
        is_key: changes.is_key.or(row.is_key),
        summary: changes.summary.read(row.summary.clone(), |given| summary(&given))?,
        lead_unit: Some(row.lead_unit_id),
        assisting: held.assisting.clone(),
        handed_over_on: Some(changes.handed_over_on.or(row.handed_over_on)),
        due_on: changes.due_on.or(row.due_on),
    };
    let handed_over_on = new.handed_over_on.unwrap_or(row.handed_over_on);
    let faults = check(&new, handed_over_on, acting.today());
    if !faults.is_empty() {
        return Err(crate::Error::Refused(faults));
    }
    held.check_number(&new.number).await?;
    held.check_repeats(acting, new.repeat_of, handed_over_on, is_repeat_given).await?;
    held.correct(acting, new, handed_over_on, kinds).await
}

/// Returns the kinds of pollution of a case.
async fn pollution_of(db: &Transaction, case: i64) -> Result<Vec<Pollution>> {
    let rows = case_pollution::Entity::find().filter(case_pollution::Column::CaseId.eq(case)).all(db).await?;
    Ok(Pollution::iter().filter(|kind| rows.iter().any(|row| row.kind == *kind)).collect())
}

/// Returns what the audit keeps of a correction: the state of the case, and the fields that only corrections change.
fn corrected(row: &inspection_case::Model, kinds: &[Pollution]) -> Value {
    let mut kept = audit::kept::case(row);
    kept["channel"] = json!(row.channel.to_value());
    kept["isKey"] = json!(row.is_key);
    kept["pollution"] = kinds.iter().map(ActiveEnum::to_value).collect();
    kept["summary"] = json!(row.summary);
    kept["handedOverOn"] = json!(row.handed_over_on);
    kept
}

/// Returns the faults of a new case that can be found without the database.
fn check(new: &New, handed_over_on: NaiveDate, today: NaiveDate) -> Vec<Fault> {
    let handed_over = ("交办日期", "the date of handing over");
    let too_early_or_late = fault::past_day(handed_over_on, today, handed_over, &["input", "handedOverOn"]);
    let mut faults: Vec<Fault> = too_early_or_late.err().into_iter().collect();
    let mut object = |zh: &str, en: &str, place| faults.push(Fault::invalid(zh, en, &["input", place]));
    let has_twice = |list: &[i64]| list.iter().enumerate().any(|(place, one)| list[..place].contains(one));
    let kinds = &new.pollution;
    if kinds.is_empty() || kinds.iter().enumerate().any(|(place, kind)| kinds[..place].contains(kind)) {
        object("请选择污染类型，每种一次", "select the kinds of pollution, each once", "pollution");
    }
    if new.assisting.len() > MAX_ASSISTING || has_twice(&new.assisting) {
        object("协办单位不超过 50 个，每个一次", "select at most 50 assisting units, each once", "assistingUnitIds");
    }
    if new.lead_unit.is_some_and(|lead| new.assisting.contains(&lead)) {
        object("主办单位不能同时是协办单位", "the lead unit cannot also be an assisting unit", "assistingUnitIds");
    }
    if new.due_on < handed_over_on || new.due_on > calendar::plus_days(handed_over_on, calendar::TEN_YEARS) {
        object(
            "办理时限不能早于交办日期，且不超过十年",
            "the due date must be on or after the date of handing over, and within ten years of it",
            "dueOn",
        );
    }
    faults
}

/// Accepts a case (签收) for its lead unit.
pub async fn accept(acting: &Acting<'_>, on: CaseTarget) -> Result<i64> {
    let held = HeldCase::take(acting, on).await?;
    held.permit(acting, Act::AnswerCase)?;
    let moved = held.moved(CaseStep::Accept)?;
    held.settle(acting, (ChangeKind::Accepted, CaseStep::Accept), moved, None).await
}

/// Adds a progress report on a case, by the lead unit or an assisting unit.
pub async fn report(acting: &Acting<'_>, on: CaseTarget, text: &str) -> Result<i64> {
    let text = personal::text(text, 1..=MAX_WORDS, ("办理情况", "the report"), &["input", "text"])?;
    let held = HeldCase::take(acting, on).await?;
    let answers = |unit: &i64| acting.by.principal.permits(Act::AnswerCase, Standing::of_case(held.level, *unit));
    if ![held.row.lead_unit_id].iter().chain(&held.assisting).any(answers) {
        return Err(policy::not_allowed(Act::AnswerCase).into());
    }
    let moved = held.moved(CaseStep::Report)?;
    held.settle(acting, (ChangeKind::ProgressReported, CaseStep::Report), moved, Some(text)).await
}

/// The resolution of a case.
#[derive(Debug, Clone)]
pub struct Resolution {
    /// Whether the complaint was found to be true.
    pub finding: Finding,
    /// What was found and done.
    pub text: String,
    /// Whether the case is resolved only in part (阶段性办结) and work on it continues.
    pub is_partial: bool,
}

/// Resolves a case (办结), in part (阶段性办结) or in full, for its lead unit.
///
/// The office that verifies is notified at once of a case that is resolved in full.
pub async fn resolve(acting: &Acting<'_>, on: CaseTarget, resolution: &Resolution) -> Result<Done> {
    let text = personal::text(&resolution.text, 2..=MAX_WORDS, ("办结情况", "the resolution"), &["input", "text"])?;
    let held = HeldCase::take(acting, on).await?;
    held.permit(acting, Act::AnswerCase)?;
    let step = if resolution.is_partial { CaseStep::ResolvePartly } else { CaseStep::Resolve };
    let mut moved = held.moved(step)?;
    moved.finding = Set(Some(resolution.finding));
    moved.resolver_id = Set(acting.by.principal.account);
    moved.resolver_actor_id = Set(acting.by.principal.delegate);
    if !resolution.is_partial {
        moved.resolved_on = Set(Some(acting.today()));
    }
    let warnings = if resolution.is_partial {
        Vec::new()
    } else {
        held.tell(acting, Announcement::of(Event::CaseResolved, &text)).await?
    };
    Ok(Done { key: held.settle(acting, (ChangeKind::Resolved, step), moved, Some(text)).await?, warnings })
}

/// Returns a case (退回) to the lead unit and notifies that unit and the resolver at once.
///
/// A resolved case is returned by an office that may verify it (city or regional), a verified case by an office that
/// may close it. The resolver may not return it.
pub async fn send_back(acting: &Acting<'_>, on: CaseTarget, reason: &str) -> Result<Done> {
    let reason = personal::text(reason, 2..=MAX_WORDS, ("退回原因", "the reason"), &["input", "reason"])?;
    let held = HeldCase::take(acting, on).await?;
    held.permit(acting, if held.row.state == CaseState::Accepted { Act::Close } else { Act::Verify })?;
    let mut moved = held.moved(CaseStep::Return)?;
    held.not_by_resolver(acting)?;
    moved.resolved_on = Set(None);
    let told = Announcement::of(Event::CaseReturned, &reason).submitted_by(held.row.resolver_id);
    let warnings = held.tell(acting, told).await?;
    let step = (ChangeKind::Returned, CaseStep::Return);
    Ok(Done { key: held.settle(acting, step, moved, Some(reason)).await?, warnings })
}

/// Verifies a resolved case (验收), and notifies the closing office, the lead unit and the resolver at once.
///
/// The resolver may not verify it.
pub async fn verify(acting: &Acting<'_>, on: CaseTarget, opinion: &str) -> Result<Done> {
    let opinion = personal::text(opinion, 2..=MAX_WORDS, ("验收意见", "the opinion"), &["input", "opinion"])?;
    let held = HeldCase::take(acting, on).await?;
    held.permit(acting, Act::Verify)?;
    let moved = held.moved(CaseStep::Verify)?;
    held.not_by_resolver(acting)?;
    let told = Announcement::of(Event::CaseVerified, &opinion).submitted_by(held.row.resolver_id);
    let warnings = held.tell(acting, told).await?;
    let step = (ChangeKind::Verified, CaseStep::Verify);
    Ok(Done { key: held.settle(acting, step, moved, Some(opinion)).await?, warnings })
}

/// Closes a verified case (销号), and notifies the lead unit, the assisting units and the resolver at once.
///
/// The resolver may not close it.
pub async fn close(acting: &Acting<'_>, on: CaseTarget, decision: &str) -> Result<Done> {
    let decision = personal::text(decision, 2..=MAX_WORDS, ("销号意见", "the decision"), &["input", "decision"])?;
    let held = HeldCase::take(acting, on).await?;
    held.permit(acting, Act::Close)?;
    let mut moved = held.moved(CaseStep::Close)?;
    held.not_by_resolver(acting)?;
    moved.closed_on = Set(Some(acting.today()));
    let told = Announcement::of(Event::CaseClosed, &decision).submitted_by(held.row.resolver_id);
    let warnings = held.tell(acting, told).await?;
    let step = (ChangeKind::Closed, CaseStep::Close);
    Ok(Done { key: held.settle(acting, step, moved, Some(decision)).await?, warnings })
}

/// Reopens a closed case after a relapse (反弹), with a new due date.
///
/// Notifies the lead unit and the resolver at once.
pub async fn reopen(acting: &Acting<'_>, on: CaseTarget, reason: &str, due_on: NaiveDate) -> Result<Done> {
    let reason = personal::text(reason, 2..=MAX_WORDS, ("反弹情况", "the relapse"), &["input", "reason"])?;
    if due_on < acting.today() || due_on > calendar::plus_days(acting.today(), calendar::TEN_YEARS) {
        let (zh, en) =
            ("办理时限不能早于今天，且不超过十年", "the due date must be today or later, and within ten years");
        return Err(Fault::invalid(zh, en, &["input", "dueOn"]).into());
    }
    let held = HeldCase::take(acting, on).await?;
    held.permit(acting, Act::Reopen)?;
    let mut moved = held.moved(CaseStep::Reopen)?;
    moved.finding = Set(None);
    moved.resolved_on = Set(None);
    moved.closed_on = Set(None);
    moved.due_on = Set(due_on);
    held.due(due_on).await?;
    let told = Announcement::of(Event::CaseReopened, &reason).submitted_by(held.row.resolver_id);
    let warnings = held.tell(acting, told).await?;
    let step = (ChangeKind::Reopened, CaseStep::Reopen);
    Ok(Done { key: held.settle(acting, step, moved, Some(reason)).await?, warnings })
}

/// A case that an act works on, locked within a transaction.
struct HeldCase {
    transaction: Transaction,
    /// The case before the act.
    row: inspection_case::Model,
    /// The version that the caller saw.
    version: Option<i32>,
    /// The level of the round in which it was handed over.
    level: RoundLevel,
    /// The keys of the assisting units.
    assisting: Vec<i64>,
}

impl HeldCase {
    /// Begins a transaction, locks the case and reads it.
    ///
    /// A case that the caller may not see is reported like one that does not exist.
    async fn take(acting: &Acting<'_>, on: CaseTarget) -> Result<Self> {
        const AROUND: &str = "SELECT r.level, u.unit_id FROM inspection_round r \
            LEFT JOIN case_unit u ON u.case_id = $1 WHERE r.id = $2";
        let unknown = || fault::unknown(Thing::Case, &["input", "caseId"]);
        let Some(id) = on.case else { return Err(unknown().into()) };
        let transaction = database::begin(acting.db).await?;
        let found = hold::<inspection_case::Entity>(&transaction, acting.by, "inspection_case", id).await?;
        let row = found.ok_or_else(unknown)?;
        let values = [id.into(), row.round_id.into()];
        let around = Statement::from_sql_and_values(transaction.get_database_backend(), AROUND, values);
        let (mut level, mut assisting) = (None, Vec::new());
        for found in transaction.query_all_raw(around).await? {
            level = Some(found.try_get("", "level")?);
            assisting.extend(found.try_get::<Option<i64>>("", "unit_id")?);
        }
        Ok(Self { transaction, row, version: on.version, level: level.ok_or_else(unknown)?, assisting })
    }

    /// Checks that the policy allows the caller to do `act` to this case, which its lead unit answers, and that the
    /// caller saw its current version.
    fn permit(&self, acting: &Acting<'_>, act: Act) -> Result<()> {
        permit(acting, act, Standing::of_case(self.level, self.row.lead_unit_id))?;
        Ok(current(self.version, self.row.version, ("交办案件", "case"))?)
    }

    /// Returns an update of the case to the state that a step leads to, or an error if the step is not open now.
    ///
    /// The caller may set more columns of it.
    fn moved(&self, step: CaseStep) -> Result<inspection_case::ActiveModel> {
        let (from, path) = (self.row.state, ["input", "caseId"]);
        let wrong = || wrong_state(from, &case_flow::open_from(step), case_flow::state_name, &path);
        let state = case_flow::next(from, step).ok_or_else(wrong)?;
        Ok(inspection_case::ActiveModel { id: Set(self.row.id), state: Set(state), ..Default::default() })
    }

    /// Refuses a number that another case of the round and the region has.
    async fn check_number(&self, number: &str) -> Result<()> {
        let others = inspection_case::Entity::find()
            .filter(inspection_case::Column::RoundId.eq(self.row.round_id))
            .filter(inspection_case::Column::RegionId.eq(self.row.region_id))
            .filter(inspection_case::Column::Number.eq(number))
            .filter(inspection_case::Column::Id.ne(self.row.id));
        if others.count(&self.transaction).await? == 0 {
            return Ok(());
        }
        let place = region::Entity::find_by_id(self.row.region_id).one(&self.transaction).await?;
        Err(taken(number, &place.map(|place| place.name).unwrap_or_default()).into())
    }

    /// Checks the case that this one repeats, which the caller sees if they give it, and that none repeats this one
    /// that was handed over earlier.
    async fn check_repeats(
        &self,
        acting: &Acting<'_>,
        repeat_of: Option<i64>,
        handed_over_on: NaiveDate,
        is_given: bool,
    ) -> Result<()> {
        if let Some(id) = repeat_of {
            let earlier = if is_given {
                let table = ("inspection_case", id);
                seen::<inspection_case::Entity, _>(&self.transaction, &acting.by.principal, table, |_| String::new())
                    .await?
            } else {
                inspection_case::Entity::find_by_id(id).one(&self.transaction).await?
            };
            let earlier = earlier.filter(|earlier| earlier.id != self.row.id);
            check_repeated(earlier.as_ref(), self.row.round_id, handed_over_on)?;
        }
        let later = inspection_case::Entity::find()
            .filter(inspection_case::Column::RepeatOfId.eq(self.row.id))
            .filter(inspection_case::Column::HandedOverOn.lt(handed_over_on));
        if later.count(&self.transaction).await? == 0 {
            return Ok(());
        }
        let zh = "重复本件的案件交办得更早，交办日期不能晚于它们";
        let en = "a case that repeats this one was handed over earlier: the date cannot be after it";
        Err(Fault::invalid(zh, en, &["input", "handedOverOn"]).into())
    }

    /// Writes what was corrected, records it in the change feed and the audit, and commits; writes nothing if nothing
    /// differs. `kinds` are the kinds of pollution before.
    async fn correct(
        mut self,
        acting: &Acting<'_>,
        new: New,
        handed_over_on: NaiveDate,
        kinds: Vec<Pollution>,
    ) -> Result<i64> {
        let before = corrected(&self.row, &kinds);
        let pollution: Vec<Pollution> = Pollution::iter().filter(|kind| new.pollution.contains(kind)).collect();
        let now = inspection_case::Model {
            number: new.number,
            channel: new.channel,
            batch: new.batch,
            handling: new.handling,
            repeat_of_id: new.repeat_of,
            is_key: new.is_key,
            summary: new.summary,
            handed_over_on,
            due_on: new.due_on,
            ..self.row.clone()
        };
        if corrected(&now, &pollution) == before {
            return Ok(self.row.id);
        }
        if now.due_on != self.row.due_on {
            self.due(now.due_on).await?;
        }
        if pollution != kinds {
            let old = case_pollution::Entity::delete_many().filter(case_pollution::Column::CaseId.eq(now.id));
            old.exec(&self.transaction).await?;
            let kinds =
                pollution.iter().map(|kind| case_pollution::ActiveModel { case_id: Set(now.id), kind: Set(*kind) });
            database::insert_all(&self.transaction, kinds).await?;
        }
        let mut row = inspection_case::ActiveModel::from(now).reset_all();
        row.version = Set(self.row.version + 1);
        row.updated_at = Set(acting.now);
        self.row = row.update(&self.transaction).await?;
        let after = corrected(&self.row, &pollution);
        self.note(acting, ChangeKind::Edited, before, after).await
    }

    /// Moves the case to another date in the lists of its regions.
    async fn due(&self, due_on: NaiveDate) -> Result<()> {
        case_region::Entity::update_many()
            .col_expr(case_region::Column::DueOrder, Expr::value(due_on))
            .filter(case_region::Column::CaseId.eq(self.row.id))
            .exec(&self.transaction)
            .await?;
        Ok(())
    }

    /// Refuses the resolver of the case, and their delegate: no one may decide on a case that they resolved.
    fn not_by_resolver(&self, acting: &Acting<'_>) -> Result<()> {
        if is_own(acting, [self.row.resolver_id, self.row.resolver_actor_id]) {
            let (zh, en) = (
                "办结人不能审核自己办结的案件，须由他人办理",
                "you resolved this case and may not decide on it: someone else must",
            );
            return Err(Fault::new(FaultCode::NotAllowed, zh, en, &["input"]).into());
        }
        Ok(())
    }

    /// Writes the changed case and a row for the step, records both in the change feed and the audit, and commits.
    ///
    /// `text` is what the caller wrote about the step. Returns the key of the case.
    async fn settle(
        mut self,
        acting: &Acting<'_>,
        (kind, step): (ChangeKind, CaseStep),
        mut moved: inspection_case::ActiveModel,
        text: Option<String>,
    ) -> Result<i64> {
        let before = audit::kept::case(&self.row);
        moved.version = Set(self.row.version + 1);
        moved.updated_at = Set(acting.now);
        self.row = moved.update(&self.transaction).await?;
        let finding = self.row.finding.filter(|_| kind == ChangeKind::Resolved);
        let row = case_report::ActiveModel {
            case_id: Set(self.row.id),
            step: Set(step),
            text: Set(text),
            finding: Set(finding),
            author_id: Set(acting.by.principal.account),
            written_at: Set(acting.now),
            ..Default::default()
        };
        let report = row.insert(&self.transaction).await?.id;
        let mut after = audit::kept::case(&self.row);
        after["report"] = json!(report);
        self.note(acting, kind, before, after).await
    }

    /// Records an act on the case in the change feed and in the case's own audit chain, and commits.
    ///
    /// Returns the key of the case.
    async fn note(self, acting: &Acting<'_>, kind: ChangeKind, before: Value, after: Value) -> Result<i64> {
        let Self { transaction, row, .. } = self;
        let mut writes = Writes::default();
        change::write_case(&mut writes, kind, row.id, acting.now);
        let name = format!("case_{}", row.id);
        let noted = Entry::of(kind.to_value(), name).changed(before, after);
        let end = audit::end(&transaction, &noted.chain).await?;
        audit::write(&mut writes, acting.by, noted, end, acting.now)?;
        writes.send(&transaction).await?;
        transaction.commit().await?;
        Ok(row.id)
    }

    /// Queues the immediate notices of an event, one mail per address.
    ///
    /// Returns warnings about recipients that have no address.
    async fn tell(&self, acting: &Acting<'_>, told: Announcement<'_>) -> Result<Vec<Warning>> {
        let subject = Subject {
            id: format!("case_{}", self.row.id),
            act: self.row.version.into(),
            answers: vec![(self.row.lead_unit_id, None)],
            assisting: self.assisting.clone(),
            case: Some(self.row.id),
            place: Some((self.level, self.row.region_id)),
            ..Subject::default()
        };
        telling::tell(&self.transaction, acting, subject, told).await
    }
}
