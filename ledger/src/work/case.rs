//! Complaint cases (交办案件): handed over, taken on, reported on, resolved, returned or verified, closed, and opened again on
//! a relapse. Each step is a row that stays; who complained is never asked for, and refused where it is written down.

use chrono::NaiveDate;
use entity::case_pollution::{self, Pollution};
use entity::case_report::{self, CaseStep};
use entity::inspection_case::{self, CaseState, Channel, Finding};
use entity::{case_region, case_unit, inspection_round, region};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveEnum, ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QuerySelect, TryInsertResult,
};
use serde_json::{Value, json};

use super::telling::{self, Matter};
use super::{Desk, Done, MAX_WORDS, Told, Warning, assigning, current, hold, in_sight, is_own, permit, wrong_state};
use crate::Result;
use crate::fault::{self, Fault, FaultCode};
use crate::people::policy::{self, Act, Standing};
use crate::record::audit::{self, Noted};
use crate::record::change::{self, ChangeKind};
use crate::record::concern::{self, Concern};
use crate::record::database;
use crate::record::database::Transaction;
use crate::record::writes::Writes;
use crate::rule::calendar;
use crate::rule::case_flow;
use crate::rule::personal;

/// The most units that assist with one case.
pub const MAX_ASSISTING: usize = 50;

/// A case to be handed over.
#[derive(Debug, Clone)]
pub struct New {
    /// The number as printed.
    pub number: String,
    /// The round.
    pub round: Option<i64>,
    /// The region that has to mend it.
    pub region: Option<i64>,
    /// How the complaint came.
    pub channel: Channel,
    /// What kinds of pollution it is about.
    pub pollution: Vec<Pollution>,
    /// Whether it is a key case.
    pub is_key: bool,
    /// What is complained of.
    pub summary: String,
    /// Who answers it.
    pub lead_unit: Option<i64>,
    /// Who assists.
    pub assisting: Vec<i64>,
    /// When it is handed over, a local date, not after today; today when left out.
    pub handed_over_on: Option<NaiveDate>,
    /// By when it is to be resolved, a local date.
    pub due_on: NaiveDate,
}

/// What an act is on: a case, and the version of it that the caller saw.
#[derive(Debug, Clone, Copy)]
pub struct On {
    /// The case; none when the caller's id is no case's.
    pub case: Option<i64>,
    /// The version; a report, which leaves the case as it is, asks for none.
    pub version: Option<i32>,
}

/// Hands a case over (交办); the lead unit is told at once.
pub async fn hand_over(desk: &Desk<'_>, new: New) -> Result<Done> {
    let number = personal::line(&new.number, 1..=40, ("案件编号", "the number"), &["input", "number"])?;
    let summary = personal::text(&new.summary, 2..=MAX_WORDS, ("案情摘要", "the summary"), &["input", "summary"])?;
    let handed_over_on = new.handed_over_on.unwrap_or_else(|| desk.today());
    let faults = check(&new, handed_over_on, desk.today());
    if !faults.is_empty() {
        return Err(crate::Error::Refused(faults));
    }
    permit(desk, Act::HandOverCase, Standing::default())?;
    let missing = |zh: &str, en: &str, place| Fault::new(FaultCode::NotFound, zh, en, &["input", place]);
    let round = match new.round {
        Some(id) => in_sight::<inspection_round::Entity>(desk, "inspection_round", id).await?,
        None => None,
    };
    let round = round.ok_or_else(|| missing("没有这个督察轮次", "there is no such round", "roundId"))?;
    let transaction = database::begin(desk.db).await?;
    let place = assigning::place(desk, &transaction, new.region).await?;
    let lead = new.lead_unit.unwrap_or_default();
    let units: Vec<i64> = new.assisting.iter().copied().chain([lead]).collect();
    let seen = assigning::visible(desk, &transaction, &units).await?;
    let (zh, en) = ("所选单位不存在，或不在您的管辖范围内", "the unit is not there, or not below you");
    for (units, place) in [(&[lead][..], "leadUnitId"), (&new.assisting[..], "assistingUnitIds")] {
        if units.iter().any(|unit| !seen.iter().any(|row| row.id == *unit)) {
            return Err(missing(zh, en, place).into());
        }
    }
    let row = write(desk, &transaction, &new, (number, summary, handed_over_on), (round.id, &place)).await?;
    let kinds: Vec<&str> = new.pollution.iter().map(|kind| case_flow::pollution_name(*kind)).collect();
    let why = format!("{}污染类型：{}。", if row.is_key { "重点案件。" } else { "" }, kinds.join("、"));
    let held = Held { transaction, row, assisting: new.assisting };
    let told = Told { kind: "case-handed-over", headline: "案件交办", why: &why, submitter: None };
    let warnings = held.tell(desk, &told).await?;
    let after = state(&held.row);
    Ok(Done { key: held.note(desk, ChangeKind::HandedOver, json!({}), after).await?, warnings })
}

/// Writes a case with its parts, once for each round and region.
async fn write(
    desk: &Desk<'_>,
    transaction: &Transaction,
    new: &New,
    (number, summary, handed_over_on): (String, String, NaiveDate),
    (round, place): (i64, &region::Model),
) -> Result<inspection_case::Model> {
    let row = inspection_case::ActiveModel {
        round_id: Set(round),
        region_id: Set(place.id),
        number: Set(number.clone()),
        channel: Set(new.channel),
        is_key: Set(new.is_key),
        summary: Set(summary),
        lead_unit_id: Set(new.lead_unit.unwrap_or_default()),
        handed_over_on: Set(handed_over_on),
        due_on: Set(new.due_on),
        state: Set(CaseState::HandedOver),
        version: Set(1),
        created_at: Set(desk.now),
        updated_at: Set(desk.now),
        ..Default::default()
    };
    let once = [inspection_case::Column::RoundId, inspection_case::Column::RegionId, inspection_case::Column::Number];
    let inserted = inspection_case::Entity::insert(row).on_conflict_do_nothing_on(once);
    let TryInsertResult::Inserted(inserted) = inserted.exec(transaction).await? else {
        let (zh, en) =
            (format!("案件 {number} 已交办给{}", place.name), format!("{number} is handed over there already"));
        return Err(Fault::new(FaultCode::Conflict, zh, en, &["input", "number"]).into());
    };
    let id = inserted.last_insert_id;
    let kinds = new.pollution.iter().map(|kind| case_pollution::ActiveModel { case_id: Set(id), kind: Set(*kind) });
    case_pollution::Entity::insert_many(kinds).exec_without_returning(transaction).await?;
    if !new.assisting.is_empty() {
        let units = new.assisting.iter().map(|unit| case_unit::ActiveModel { case_id: Set(id), unit_id: Set(*unit) });
        case_unit::Entity::insert_many(units).exec_without_returning(transaction).await?;
    }
    let lineage = crate::region::lineage(&place.path);
    concern::cases(transaction, &[Concern { id, due_order: new.due_on, lineage }]).await?;
    let row = inspection_case::Entity::find_by_id(id).one(transaction).await?;
    Ok(row.ok_or_else(|| sea_orm::DbErr::RecordNotFound("the case that was written".to_owned()))?)
}

/// What is wrong with a case by itself.
fn check(new: &New, handed_over_on: NaiveDate, today: NaiveDate) -> Vec<Fault> {
    let handed_over = ("交办日期", "the day that it is handed over");
    let too_early_or_late = fault::past_day(handed_over_on, today, handed_over, &["input", "handedOverOn"]);
    let mut faults: Vec<Fault> = too_early_or_late.err().into_iter().collect();
    let mut object = |zh: &str, en: &str, place| faults.push(Fault::invalid(zh, en, &["input", place]));
    let has_twice = |list: &[i64]| list.iter().enumerate().any(|(place, one)| list[..place].contains(one));
    let kinds = &new.pollution;
    if kinds.is_empty() || kinds.iter().enumerate().any(|(place, kind)| kinds[..place].contains(kind)) {
        object("请选择污染类型，每种一次", "name the kinds of pollution, each once", "pollution");
    }
    if new.assisting.len() > MAX_ASSISTING || has_twice(&new.assisting) {
        object("协办单位不超过 50 个，每个一次", "at most 50 assisting units, each once", "assistingUnitIds");
    }
    if new.lead_unit.is_some_and(|lead| new.assisting.contains(&lead)) {
        object("主办单位不能同时是协办单位", "the lead unit does not assist itself", "assistingUnitIds");
    }
    if new.due_on < handed_over_on || new.due_on > calendar::plus_days(handed_over_on, calendar::TEN_YEARS) {
        object(
            "办理时限不能早于交办日期，且不超过十年",
            "it is due on or after the day that it is handed over, within ten years",
            "dueOn",
        );
    }
    faults
}

/// Takes a case on (签收). By the lead unit.
pub async fn accept(desk: &Desk<'_>, on: On) -> Result<i64> {
    let held = Held::take(desk, on).await?;
    held.permit(desk, Act::AnswerCase)?;
    let moved = held.moved(CaseStep::Accept)?;
    held.settle(desk, (ChangeKind::Accepted, CaseStep::Accept), moved, None).await
}

/// Reports on a case. By the lead unit, or by one that assists.
pub async fn report(desk: &Desk<'_>, on: On, text: &str) -> Result<i64> {
    let text = personal::text(text, 1..=MAX_WORDS, ("办理情况", "the report"), &["input", "text"])?;
    let held = Held::take(desk, on).await?;
    let answers = |unit: &i64| {
        let standing = Standing { answers: Some(*unit), leads: Some(*unit), ..Standing::default() };
        desk.by.principal.permits(Act::AnswerCase, standing)
    };
    if ![held.row.lead_unit_id].iter().chain(&held.assisting).any(answers) {
        return Err(policy::not_allowed(Act::AnswerCase).into());
    }
    let moved = held.moved(CaseStep::Report)?;
    held.settle(desk, (ChangeKind::ProgressReported, CaseStep::Report), moved, Some(text)).await
}

/// What a case came to.
#[derive(Debug, Clone)]
pub struct Resolution {
    /// Whether what was complained of is so.
    pub finding: Finding,
    /// What was found and done.
    pub text: String,
    /// Whether it is resolved for the time being only (阶段性办结).
    pub is_partial: bool,
}

/// Resolves a case (阶段性办结、办结). By the lead unit.
pub async fn resolve(desk: &Desk<'_>, on: On, resolution: &Resolution) -> Result<i64> {
    let text = personal::text(&resolution.text, 2..=MAX_WORDS, ("办结情况", "the text"), &["input", "text"])?;
    let held = Held::take(desk, on).await?;
    held.permit(desk, Act::AnswerCase)?;
    let step = if resolution.is_partial { CaseStep::ResolvePartly } else { CaseStep::Resolve };
    let mut moved = held.moved(step)?;
    moved.finding = Set(Some(resolution.finding));
    moved.resolver_id = Set(desk.by.principal.account);
    moved.resolver_actor_id = Set(desk.by.principal.delegate);
    if !resolution.is_partial {
        moved.resolved_on = Set(Some(desk.today()));
    }
    held.settle(desk, (ChangeKind::Resolved, step), moved, Some(text)).await
}

/// Returns a case (退回): one that is resolved by the city or regional office, one that is verified by who closes. Whoever
/// resolved it and the lead unit are told at once.
pub async fn send_back(desk: &Desk<'_>, on: On, reason: &str) -> Result<Done> {
    let reason = personal::text(reason, 2..=MAX_WORDS, ("退回原因", "the reason"), &["input", "reason"])?;
    let held = Held::take(desk, on).await?;
    held.permit(desk, if held.row.state == CaseState::Accepted { Act::Close } else { Act::Verify })?;
    let mut moved = held.moved(CaseStep::Return)?;
    held.not_by_resolver(desk)?;
    moved.resolved_on = Set(None);
    let told = Told { kind: "case-returned", headline: "案件退回", why: &reason, submitter: held.row.resolver_id };
    let warnings = held.tell(desk, &told).await?;
    let step = (ChangeKind::Returned, CaseStep::Return);
    Ok(Done { key: held.settle(desk, step, moved, Some(reason)).await?, warnings })
}

/// Verifies a case (验收). Never by whoever resolved it.
pub async fn verify(desk: &Desk<'_>, on: On, opinion: &str) -> Result<i64> {
    let opinion = personal::text(opinion, 2..=MAX_WORDS, ("验收意见", "the opinion"), &["input", "opinion"])?;
    let held = Held::take(desk, on).await?;
    held.permit(desk, Act::Verify)?;
    let moved = held.moved(CaseStep::Verify)?;
    held.not_by_resolver(desk)?;
    held.settle(desk, (ChangeKind::Verified, CaseStep::Verify), moved, Some(opinion)).await
}

/// Closes a case (销号).
pub async fn close(desk: &Desk<'_>, on: On, decision: &str) -> Result<i64> {
    let decision = personal::text(decision, 2..=MAX_WORDS, ("销号意见", "the decision"), &["input", "decision"])?;
    let held = Held::take(desk, on).await?;
    held.permit(desk, Act::Close)?;
    let mut moved = held.moved(CaseStep::Close)?;
    held.not_by_resolver(desk)?;
    moved.closed_on = Set(Some(desk.today()));
    held.settle(desk, (ChangeKind::Closed, CaseStep::Close), moved, Some(decision)).await
}

/// Finds a relapse (反弹): a closed case has to be resolved again, by a day of its own. Whoever resolved it and the lead unit
/// are told at once.
pub async fn reopen(desk: &Desk<'_>, on: On, reason: &str, due_on: NaiveDate) -> Result<Done> {
    let reason = personal::text(reason, 2..=MAX_WORDS, ("反弹情况", "what relapsed"), &["input", "reason"])?;
    if due_on < desk.today() || due_on > calendar::plus_days(desk.today(), calendar::TEN_YEARS) {
        let (zh, en) = ("办理时限不能早于今天，且不超过十年", "it is due today or later, within ten years");
        return Err(Fault::invalid(zh, en, &["input", "dueOn"]).into());
    }
    let held = Held::take(desk, on).await?;
    held.permit(desk, Act::Reopen)?;
    let mut moved = held.moved(CaseStep::Reopen)?;
    moved.finding = Set(None);
    moved.resolved_on = Set(None);
    moved.closed_on = Set(None);
    moved.due_on = Set(due_on);
    case_region::Entity::update_many()
        .col_expr(case_region::Column::DueOrder, Expr::value(due_on))
        .filter(case_region::Column::CaseId.eq(held.row.id))
        .exec(&held.transaction)
        .await?;
    let told = Told { kind: "case-relapse", headline: "案件反弹", why: &reason, submitter: held.row.resolver_id };
    let warnings = held.tell(desk, &told).await?;
    let step = (ChangeKind::Reopened, CaseStep::Reopen);
    Ok(Done { key: held.settle(desk, step, moved, Some(reason)).await?, warnings })
}

/// A case in hand, locked.
struct Held {
    transaction: Transaction,
    /// The case as it was.
    row: inspection_case::Model,
    /// The units that assist.
    assisting: Vec<i64>,
}

impl Held {
    /// Takes a case in hand: one that the caller may not see is not there.
    async fn take(desk: &Desk<'_>, on: On) -> Result<Self> {
        let unknown =
            || Fault::new(FaultCode::NotFound, "没有这个交办案件", "there is no such case", &["input", "caseId"]);
        let Some(id) = on.case else { return Err(unknown().into()) };
        let transaction = database::begin(desk.db).await?;
        let found = hold::<inspection_case::Entity>(&transaction, desk.by, "inspection_case", id).await?;
        let row = found.ok_or_else(unknown)?;
        current(on.version, row.version, ("交办案件", "case"))?;
        let assisting = case_unit::Entity::find()
            .select_only()
            .column(case_unit::Column::UnitId)
            .filter(case_unit::Column::CaseId.eq(id))
            .into_tuple()
            .all(&transaction)
            .await?;
        Ok(Self { transaction, row, assisting })
    }

    /// Asks the policy: it is the lead unit that answers.
    fn permit(&self, desk: &Desk<'_>, act: Act) -> Result<()> {
        let lead = Some(self.row.lead_unit_id);
        permit(desk, act, Standing { answers: lead, leads: lead, ..Standing::default() })
    }

    /// The case in the state that a step leads to, to be changed further.
    fn moved(&self, step: CaseStep) -> Result<inspection_case::ActiveModel> {
        let (from, path) = (self.row.state, ["input", "caseId"]);
        let wrong = || wrong_state(from, &case_flow::open_from(step), case_flow::state_name, &path);
        let state = case_flow::next(from, step).ok_or_else(wrong)?;
        Ok(inspection_case::ActiveModel { id: Set(self.row.id), state: Set(state), ..Default::default() })
    }

    /// Nobody decides on what he resolved himself, nor does a delegate for him.
    fn not_by_resolver(&self, desk: &Desk<'_>) -> Result<()> {
        if is_own(desk, [self.row.resolver_id, self.row.resolver_actor_id]) {
            let (zh, en) = ("办结人不能审核自己办结的案件，须由他人办理", "whoever resolved it may not decide");
            return Err(Fault::new(FaultCode::NotAllowed, zh, en, &["input"]).into());
        }
        Ok(())
    }

    /// Writes what a step came to, with everything that follows, and commits.
    async fn settle(
        mut self,
        desk: &Desk<'_>,
        (kind, step): (ChangeKind, CaseStep),
        mut moved: inspection_case::ActiveModel,
        text: Option<String>,
    ) -> Result<i64> {
        let before = state(&self.row);
        moved.version = Set(self.row.version + 1);
        moved.updated_at = Set(desk.now);
        self.row = moved.update(&self.transaction).await?;
        let finding = self.row.finding.filter(|_| kind == ChangeKind::Resolved);
        let row = case_report::ActiveModel {
            case_id: Set(self.row.id),
            step: Set(step),
            text: Set(text),
            finding: Set(finding),
            author_id: Set(desk.by.principal.account),
            written_at: Set(desk.now),
            ..Default::default()
        };
        let report = row.insert(&self.transaction).await?.id;
        let mut after = state(&self.row);
        after["report"] = json!(report);
        self.note(desk, kind, before, after).await
    }

    /// Notes the change and the audit, in the case's own chain, and commits.
    async fn note(self, desk: &Desk<'_>, kind: ChangeKind, before: Value, after: Value) -> Result<i64> {
        let Self { transaction, row, .. } = self;
        let mut writes = Writes::default();
        change::write_case(&mut writes, kind, row.id, desk.now);
        let name = format!("case_{}", row.id);
        let noted = Noted {
            chain: name.clone(),
            act: kind.to_value(),
            object: name,
            measure: None,
            assignment: None,
            before,
            after,
        };
        let end = audit::end(&transaction, &noted.chain).await?;
        audit::write(&mut writes, desk.by, noted, end, desk.now)?;
        writes.send(&transaction).await?;
        transaction.commit().await?;
        Ok(row.id)
    }

    /// Tells the lead unit, and whoever submitted, each address once. Gives what could not be done.
    async fn tell(&self, desk: &Desk<'_>, told: &Told<'_>) -> Result<Vec<Warning>> {
        let matter = Matter {
            id: format!("case_{}", self.row.id),
            act: self.row.version,
            units: vec![self.row.lead_unit_id],
            number: Some(self.row.number.clone()),
            text: self.row.summary.clone(),
            items: Vec::new(),
            case: Some(self.row.id),
        };
        telling::tell(&self.transaction, desk, matter, told).await
    }
}

/// What the audit keeps of a case.
pub(crate) fn state(row: &inspection_case::Model) -> Value {
    json!({
        "state": row.state.to_value(),
        "number": row.number,
        "leadUnit": row.lead_unit_id,
        "dueOn": row.due_on,
        "finding": row.finding.map(|finding| finding.to_value()),
        "resolvedOn": row.resolved_on,
        "closedOn": row.closed_on,
        "version": row.version,
    })
}
