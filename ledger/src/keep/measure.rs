//! Manual maintenance of measures (整改措施): entering them with their parties, editing them, correcting deadlines,
//! planning checks, withdrawing them, and deleting those entered by mistake.

use chrono::NaiveDate;
use entity::assignment::{self, Status};
use entity::check::CheckKind;
use entity::check_plan::{self, Every};
use entity::deadline_change::{self, DeadlineChangeState};
use entity::{measure, milestone, problem};
use sea_orm::{
    ActiveEnum, ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};
use serde_json::{Value, json};

use super::input::{MAX_CONTENT, needed, number, read_deadline};
use super::leader::{self, Leader};
use super::party::{self, Named, Party};
use super::shared::{HeldProblem, count, difference, note, only_one, permit, said_of, tell};
use crate::Result;
use crate::fault::{self, Fault, FaultCode};
use crate::patch::Patch;
use crate::people::policy::Act;
use crate::record::audit::{self, Entry};
use crate::record::change::{self, ChangeKind};
use crate::record::concern::{self, Concern, due_order};
use crate::record::database::{self, Transaction};
use crate::rule::deadline::{Columns, Deadline};
use crate::rule::roll_up;
use crate::rule::sameness;
use crate::rule::workflow::{self, Step};
use crate::statistics::kept;
use crate::work::assigning::{answer, tell_assigned};
use crate::work::{Acting, Done, MAX_WORDS, available, current, extension, hold_measure};

/// A measure to enter.
#[derive(Debug, Clone)]
pub struct New {
    /// The key of the problem that the measure rectifies.
    pub problem: Option<i64>,
    /// The number as printed, such as `12-02`.
    pub number: Option<String>,
    /// The text of the measure.
    pub content: String,
    /// The deadline as printed.
    pub deadline: String,
    /// The lead unit (牵头单位); required.
    pub lead: Option<Named>,
    /// The supervising unit (督导单位).
    pub supervising: Option<Named>,
    /// What the measure costs (投资), in 万元 (10,000 yuan).
    pub budget: Option<f64>,
    /// The responsible parties (责任单位), in the printed order.
    pub parties: Vec<Party>,
    /// The leaders (牵头领导 and others), at most one for each post.
    pub leaders: Vec<Leader>,
}

/// Changes to a measure.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// The number as printed.
    pub number: Patch<Option<String>>,
    /// The text of the measure.
    pub content: Patch<String>,
    /// The lead unit (牵头单位); it can be replaced but not removed.
    pub lead: Patch<Option<Named>>,
    /// The supervising unit (督导单位).
    pub supervising: Patch<Option<Named>>,
    /// What the measure costs (投资), in 万元 (10,000 yuan).
    pub budget: Patch<Option<f64>>,
    /// The responsible parties (责任单位), in the printed order; replaces all of them. Existing assignments stay.
    pub parties: Patch<Vec<Party>>,
    /// The leaders (牵头领导 and others), at most one for each post; replaces all of them.
    pub leaders: Patch<Vec<Leader>>,
}

/// How often a measure is checked, where this differs from the default plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// The kind of check.
    pub kind: CheckKind,
    /// The interval between checks.
    pub every: Every,
}

fn content(given: &str) -> Result<String> {
    needed(given, MAX_CONTENT, ("整改措施", "the measure"), "content")
}

/// The most 万元 of one measure: a trillion yuan.
const MAX_BUDGET: f64 = 1e8;

/// Checks an amount in 万元, and returns it in yuan.
fn budget(given: Option<f64>) -> Result<Option<i64>> {
    let Some(amount) = given else { return Ok(None) };
    if !(0.0..=MAX_BUDGET).contains(&amount) {
        let (zh, en) = ("投资应为 0 至 100000000 万元", "the budget is between 0 and 100,000,000 (万元)");
        return Err(Fault::invalid(zh, en, &["input", "budget"]).into());
    }
    Ok(Some((amount * 1e4).round() as i64))
}

/// Parses a deadline as printed; a blank one is refused with these words (Chinese, English).
fn needed_deadline(given: String, today: NaiveDate, (zh, en): (&str, &str)) -> Result<Deadline> {
    read_deadline(Some(given), today)?.ok_or_else(|| Fault::invalid(zh, en, &["input", "deadline"]).into())
}

fn taken() -> Fault {
    let (zh, en) =
        ("这个问题下已有编号和内容相同的措施", "the problem already has a measure with this number and content");
    Fault::new(FaultCode::Conflict, zh, en, &["input", "content"])
}

/// Returns the fields of a measure that the audit records for all its readers; its parties and the names of
/// its leaders are not among them.
fn state(row: &measure::Model) -> Value {
    json!({ "number": row.number, "content": row.content, "budget": row.budget })
}

/// Enters a measure and assigns it to the units that it names, which are notified at once.
///
/// The units are its parties, or its lead unit if no party is a unit. The units that a selector such as 各县（区）
/// selects are assigned later, by the city office.
pub async fn create(acting: &Acting<'_>, new: New) -> Result<Done> {
    let (number, text, budget, deadline, leaders) = fault::all((
        number(new.number),
        content(&new.content),
        budget(new.budget),
        needed_deadline(
            new.deadline,
            acting.today(),
            (
                "请填写整改时限，如 2027年12月31日、长期坚持",
                "a measure needs a deadline, such as 2027年12月31日 or 长期坚持 (ongoing)",
            ),
        ),
        leader::checked(new.leaders),
    ))?;
    let HeldProblem { transaction, row: of } = HeldProblem::take(acting, new.problem, None).await?;
    let lead = party::lead(&transaction, acting, new.lead).await?;
    let supervising = party::one(&transaction, acting, new.supervising, "supervisingUnitId").await?;
    let named = party::named(&transaction, acting, &new.parties).await?;
    let columns = Columns::of(Some(&deadline), of.issued_on, acting.grace_days);
    let last: Option<Option<i32>> = measure::Entity::find()
        .select_only()
        .column_as(measure::Column::Position.max(), "last")
        .filter(measure::Column::ProblemId.eq(of.id))
        .into_tuple()
        .one(&transaction)
        .await?;
    let (row, answering, made, posts) = kept::around(&transaction, &[of.id], async {
        let row = measure::ActiveModel {
            problem_id: Set(of.id),
            round_id: Set(of.round_id),
            region_id: Set(of.region_id),
            identity: Set(sameness::measure(number.as_deref(), &text)),
            number: Set(number),
            position: Set(last.flatten().unwrap_or_default() + 1),
            content: Set(text),
            due_raw: Set(columns.raw.clone()),
            due_immediate: Set(columns.immediate),
            due_on: Set(columns.on),
            due_ongoing: Set(columns.ongoing),
            due_by: Set(columns.by),
            plan_due_on: Set(columns.on),
            plan_due_by: Set(columns.by),
            lead_unit_id: Set(Some(lead.id)),
            supervising_unit_id: Set(supervising.as_ref().map(|unit| unit.id)),
            budget: Set(budget),
            status: Set(Status::Assigned),
            status_stated_on: Set(Some(acting.today())),
            issued_on: Set(of.issued_on),
            version: Set(1),
            created_at: Set(acting.now),
            updated_at: Set(acting.now),
            ..Default::default()
        };
        let row = only_one(row.insert(&transaction).await, taken)?;
        party::write(&transaction, &row, &new.parties, &named).await?;
        let posts = leader::write(&transaction, row.id, &leaders).await?;
        database::insert_all(&transaction, deadline.steps(None, Some(row.id))).await?;
        database::insert_all(&transaction, deadline.plan(row.id)).await?;
        database::insert_all(&transaction, deadline.extension(row.id, acting.now)).await?;
        enter_own_list(&transaction, &row).await?;
        let answering = if named.is_empty() { vec![lead] } else { named };
        let made = answer(&transaction, &row, &answering, acting.now).await?;
        roll_up::problems(&transaction, &[of.id], acting.now).await?;
        Ok((row, answering, made, posts))
    })
    .await?;
    let mut after = state(&row);
    after["deadline"] = said_of(&columns);
    if !posts.is_empty() {
        after["leaders"] = leader::said_of(&posts);
    }
    let object = format!("measure_{}", row.id);
    let said = Entry::of("CREATED", object).measure(Some(row.id)).changed(json!({}), after);
    note(&transaction, acting, of.id, said).await?;
    party::note_change(&transaction, acting, &row, (Value::Null, party::said_of(&transaction, &row).await?)).await?;
    for (id, unit) in made.iter().zip(&answering) {
        let said = (json!({}), json!({ "status": Status::Assigned.to_value(), "unit": unit.id }));
        note_answer(&transaction, acting, &row, (*id, &ChangeKind::Assigned.to_value()), said).await?;
    }
    let asked = answering.iter().map(|unit| unit.id).zip(made);
    let warnings = tell_assigned(&transaction, acting, &row, asked).await?;
    tell(&transaction, acting, &[of.id], Some(row.id)).await?;
    transaction.commit().await?;
    Ok(Done { key: row.id, warnings })
}

/// Records a change of one assignment in the problem's audit chain.
pub(super) async fn note_answer(
    db: &Transaction,
    acting: &Acting<'_>,
    measure: &measure::Model,
    (assignment, act): (i64, &str),
    (before, after): (Value, Value),
) -> Result<()> {
    let noted = Entry::of(act.to_owned(), format!("assignment_{assignment}"))
        .in_problem(measure.problem_id)
        .measure(Some(measure.id))
        .assignment(Some(assignment))
        .changed(before, after);
    audit::note(db, acting.by, noted, acting.now).await
}

/// Enters a measure into the lists of its issuing region and of all regions above it.
async fn enter_own_list(db: &Transaction, measure: &measure::Model) -> Result<()> {
    let issuer = entity::region::Entity::find_by_id(measure.region_id).one(db).await?;
    let lineage = issuer.map(|issuer| crate::region::lineage(&issuer.path)).unwrap_or_default();
    concern::measures(db, &[Concern { id: measure.id, due_order: due_order(measure.due_on), lineage }]).await
}

/// Begins a transaction, locks the problem of a measure and reads the measure.
///
/// Checks that the caller may do `act` to what its issuing region has issued, and that `version` is current.
pub(super) async fn take(
    acting: &Acting<'_>,
    measure: Option<i64>,
    version: i32,
    act: Act,
) -> Result<(Transaction, measure::Model)> {
    let (transaction, row, _) = hold_measure(acting, measure).await?;
    permit(&transaction, acting, act, (row.round_id, row.region_id)).await?;
    current(Some(version), row.version, ("措施", "measure"))?;
    Ok((transaction, row))
}

/// Edits a measure and returns its key. Its deadline is changed by [`change_deadline`], which keeps the previous one.
pub async fn edit(acting: &Acting<'_>, measure: Option<i64>, version: i32, changes: Changes) -> Result<i64> {
    let (transaction, row) = take(acting, measure, version, Act::KeepLedger).await?;
    let parties_before = party::said_of(&transaction, &row).await?;
    let (number, content, budget, leaders) = fault::all((
        changes.number.read(row.number.clone(), number),
        changes.content.read(row.content.clone(), |given| content(&given)),
        changes.budget.read(row.budget, budget),
        changes.leaders.read(None, |given| leader::checked(given).map(Some)),
    ))?;
    let identity = sameness::measure(number.as_deref(), &content);
    let mut now = measure::Model { identity, number, content, budget, ..row.clone() };
    if let Patch::Set(lead) = changes.lead {
        now.lead_unit_id = Some(party::lead(&transaction, acting, lead).await?.id);
    }
    if let Patch::Set(supervising) = changes.supervising {
        now.supervising_unit_id =
            party::one(&transaction, acting, supervising, "supervisingUnitId").await?.map(|unit| unit.id);
    }
    if let Patch::Set(given) = changes.parties {
        let named = party::named(&transaction, acting, &given).await?;
        party::write(&transaction, &row, &given, &named).await?;
    }
    let parties_now = party::said_of(&transaction, &now).await?;
    let posts = match leaders {
        Some(leaders) => leader::write(&transaction, row.id, &leaders).await?,
        None => Vec::new(),
    };
    let mut text = difference(state(&row), state(&now));
    if !posts.is_empty() {
        let (_, after) = text.get_or_insert_with(|| (json!({}), json!({})));
        after["leaders"] = leader::said_of(&posts);
    }
    if text.is_none() && parties_before == parties_now {
        return Ok(row.id);
    }
    now.version += 1;
    now.updated_at = acting.now;
    let now = only_one(measure::ActiveModel::from(now).reset_all().update(&transaction).await, taken)?;
    if let Some((before, after)) = text {
        let object = format!("measure_{}", now.id);
        let said = Entry::of("EDITED", object).measure(Some(now.id)).changed(before, after);
        note(&transaction, acting, now.problem_id, said).await?;
    }
    party::note_change(&transaction, acting, &now, (parties_before, parties_now)).await?;
    tell(&transaction, acting, &[now.problem_id], Some(now.id)).await?;
    transaction.commit().await?;
    Ok(now.id)
}

/// Changes the deadline of a measure without a request: to correct a misprint or to register a new order (报备). It
/// applies to all assignments, except those whose extension ends later.
///
/// `printed` is the new deadline as printed. The previous deadline is kept as a deadline change.
pub async fn change_deadline(
    acting: &Acting<'_>,
    measure: Option<i64>,
    version: i32,
    printed: String,
    reason: &str,
) -> Result<i64> {
    let path = ["input", "deadline"];
    let (reason, deadline) = fault::all((
        fault::text(reason, 2..=MAX_WORDS, ("变更理由", "the reason"), &["input", "reason"]),
        needed_deadline(printed, acting.today(), ("请填写新的整改时限", "enter the new deadline")),
    ))?;
    let (transaction, row) = take(acting, measure, version, Act::ChangeDeadline).await?;
    let columns = Columns::of(Some(&deadline), row.issued_on, acting.grace_days);
    let before = Columns::of_plan(&row);
    if before == columns {
        let (zh, en) = ("新的时限与现有时限相同", "the new deadline is the same as the current one");
        return Err(Fault::invalid(zh, en, &path).into());
    }
    let change = deadline_change::ActiveModel {
        measure_id: Set(row.id),
        state: Set(DeadlineChangeState::Approved),
        reason: Set(reason.clone()),
        old_raw: Set(row.due_raw.clone()),
        old_due_on: Set(row.plan_due_on),
        new_raw: Set(columns.raw.clone()),
        new_due_on: Set(columns.on),
        requester_id: Set(acting.by.principal.account),
        requested_at: Set(acting.now),
        decider_id: Set(acting.by.principal.account),
        decided_at: Set(Some(acting.now)),
        ..Default::default()
    };
    change.insert(&transaction).await?;
    let (was, is) = (said_of(&before), said_of(&columns));
    extension::move_plan(&transaction, &row, columns, acting.now).await?;
    milestone::Entity::delete_many().filter(milestone::Column::MeasureId.eq(row.id)).exec(&transaction).await?;
    database::insert_all(&transaction, deadline.steps(None, Some(row.id))).await?;
    let object = format!("measure_{}", row.id);
    let after = json!({ "deadline": is, "reason": reason });
    let said = Entry::of("DEADLINE_CHANGED", object).measure(Some(row.id)).changed(json!({ "deadline": was }), after);
    note(&transaction, acting, row.problem_id, said).await?;
    tell(&transaction, acting, &[row.problem_id], Some(row.id)).await?;
    transaction.commit().await?;
    Ok(row.id)
}

/// Replaces the check plans of a measure; kinds of checks without a plan follow the default plan.
pub async fn plan_checks(acting: &Acting<'_>, measure: Option<i64>, version: i32, plans: &[Plan]) -> Result<i64> {
    let path = ["input", "plans"];
    if plans.iter().enumerate().any(|(place, plan)| plans[..place].iter().any(|other| other.kind == plan.kind)) {
        let (zh, en) = ("同一种检查只能有一个计划", "each kind of check can have only one plan");
        return Err(Fault::invalid(zh, en, &path).into());
    }
    if plans.iter().any(|plan| plan.kind == CheckKind::Supervision) {
        let (zh, en) = (
            "督导检查由督导单位自行安排，不列入计划",
            "supervising checks are scheduled by the supervising unit and cannot be planned",
        );
        return Err(Fault::invalid(zh, en, &path).into());
    }
    let (transaction, row) = take(acting, measure, version, Act::KeepLedger).await?;
    let there = check_plan::Entity::find()
        .filter(check_plan::Column::MeasureId.eq(row.id))
        .order_by_asc(check_plan::Column::Kind)
        .all(&transaction)
        .await?;
    let said_of = |kind: CheckKind, every: Every| json!({ "kind": kind.to_value(), "every": every.to_value() });
    let before: Vec<Value> = there.iter().map(|plan| said_of(plan.kind, plan.every)).collect();
    let after: Vec<Value> = plans.iter().map(|plan| said_of(plan.kind, plan.every)).collect();
    check_plan::Entity::delete_many().filter(check_plan::Column::MeasureId.eq(row.id)).exec(&transaction).await?;
    let rows = plans.iter().map(|plan| check_plan::ActiveModel {
        measure_id: Set(row.id),
        kind: Set(plan.kind),
        every: Set(plan.every),
        ..Default::default()
    });
    database::insert_all(&transaction, rows).await?;
    grow(&transaction, acting, &row).await?;
    let said = Entry::of("CHECKS_PLANNED", format!("measure_{}", row.id))
        .measure(Some(row.id))
        .changed(json!({ "plans": before }), json!({ "plans": after }));
    note(&transaction, acting, row.problem_id, said).await?;
    tell(&transaction, acting, &[row.problem_id], Some(row.id)).await?;
    transaction.commit().await?;
    Ok(row.id)
}

/// Increments the version of a measure after a change that is not in its own row.
pub(super) async fn grow(db: &Transaction, acting: &Acting<'_>, row: &measure::Model) -> Result<()> {
    let grown = measure::ActiveModel {
        id: Set(row.id),
        version: Set(row.version + 1),
        updated_at: Set(acting.now),
        ..Default::default()
    };
    grown.update(db).await?;
    Ok(())
}

/// Withdraws a measure (撤销): its open assignments become not applicable and no longer count.
///
/// Nothing is deleted; assigning the measure again resumes it. A measure with a close-out under way is refused.
pub async fn retire(acting: &Acting<'_>, measure: Option<i64>, version: i32, reason: &str) -> Result<i64> {
    let reason = fault::text(reason, 2..=MAX_WORDS, ("撤销理由", "the reason"), &["input", "reason"])?;
    let (transaction, row) = take(acting, measure, version, Act::KeepLedger).await?;
    kept::around(&transaction, &[row.problem_id], async {
        if !withdraw(&transaction, acting, &row, &reason).await? {
            let name = workflow::status_name(row.status);
            let (zh, en) = (format!("当前状态为“{name}”，没有可撤销的"), "the measure has nothing open to withdraw");
            return Err(Fault::new(FaultCode::WrongState, zh, en, &["input", "measureId"]).into());
        }
        roll_up::problems(&transaction, &[row.problem_id], acting.now).await?;
        state_of_unanswered(&transaction, acting, row.problem_id).await?;
        Ok(())
    })
    .await?;
    tell(&transaction, acting, &[row.problem_id], Some(row.id)).await?;
    transaction.commit().await?;
    Ok(row.id)
}

/// Withdraws the open assignments of a measure, or the measure itself if it has none, and returns whether any was open.
///
/// The audit records it. A measure with a close-out under way is refused.
pub(super) async fn withdraw(
    db: &Transaction,
    acting: &Acting<'_>,
    row: &measure::Model,
    reason: &str,
) -> Result<bool> {
    let answers = assignment::Entity::find()
        .filter(assignment::Column::MeasureId.eq(row.id))
        .order_by_asc(assignment::Column::Id)
        .all(db)
        .await?;
    let step = |status| workflow::next(status, Step::Retire);
    if let Some(busy) = answers.iter().find(|one| !workflow::is_settled(one.status) && step(one.status).is_none()) {
        let name = workflow::status_name(busy.status);
        let zh = format!("有责任单位正在办理销号（{name}），请先退回或办结");
        let en = format!("a close-out is in progress ({}): return or complete it first", busy.status.to_value());
        return Err(Fault::new(FaultCode::WrongState, zh, en, &["input"]).into());
    }
    let said = json!({ "reason": reason });
    let mut any = false;
    for one in &answers {
        let Some(status) = step(one.status) else { continue };
        let moved = assignment::ActiveModel {
            id: Set(one.id),
            status: Set(status),
            version: Set(one.version + 1),
            updated_at: Set(acting.now),
            ..Default::default()
        };
        let mut after = audit::kept::assignment(&moved.update(db).await?);
        after["reason"] = json!(reason);
        note_answer(db, acting, row, (one.id, "RETIRED"), (json!({}), after)).await?;
        any = true;
    }
    if answers.is_empty() && !workflow::is_settled(row.status) {
        let moved = measure::ActiveModel {
            id: Set(row.id),
            status: Set(Status::NotApplicable),
            status_stated_on: Set(Some(acting.today())),
            version: Set(row.version + 1),
            updated_at: Set(acting.now),
            ..Default::default()
        };
        moved.update(db).await?;
        any = true;
    }
    if any {
        let object = format!("measure_{}", row.id);
        let said = Entry::of("RETIRED", object).measure(Some(row.id)).changed(json!({}), said);
        note(db, acting, row.problem_id, said).await?;
    }
    Ok(any)
}

/// Marks a problem without assignments as not applicable if all its measures are.
///
/// The roll-up does not do this, as it derives the status from assignments.
pub(super) async fn state_of_unanswered(db: &Transaction, acting: &Acting<'_>, problem: i64) -> Result<()> {
    const OPEN: &str = "SELECT count(*) AS amount FROM measure m WHERE m.problem_id = $1 \
        AND (m.status <> 'NOT_APPLICABLE' OR EXISTS (SELECT 1 FROM assignment a WHERE a.measure_id = m.id))";
    if count(db, OPEN, vec![problem.into()]).await? > 0 {
        return Ok(());
    }
    let Some(row) = problem::Entity::find_by_id(problem).one(db).await? else { return Ok(()) };
    let moved = problem::ActiveModel {
        id: Set(row.id),
        status: Set(Status::NotApplicable),
        status_stated_on: Set(Some(acting.today())),
        version: Set(row.version + 1),
        updated_at: Set(acting.now),
        ..Default::default()
    };
    moved.update(db).await?;
    Ok(())
}

/// Deletes a measure that was entered by mistake, and returns the key of its problem.
///
/// Refuses a measure on which anything has been done.
pub async fn delete(acting: &Acting<'_>, measure: Option<i64>, version: i32) -> Result<i64> {
    let (transaction, row) = take(acting, measure, version, Act::KeepLedger).await?;
    let dealings = format!("SELECT {} AS amount", available::dealings("$1"));
    if count(&transaction, &dealings, vec![row.id.into()]).await? > 0 {
        return Err(available::was_dealt_with().into());
    }
    kept::around(&transaction, &[row.problem_id], async {
        let object = format!("measure_{}", row.id);
        // No measure: its readers lose it with its row, so the entry is for the offices of the issuing region.
        let said = Entry::of("DELETED", object).changed(state(&row), json!({}));
        note(&transaction, acting, row.problem_id, said).await?;
        let regions = concern::leave_measure(&transaction, row.id).await?;
        change::note_removed(&transaction, &format!("measure_{}", row.id), &regions, acting.now).await?;
        measure::Entity::delete_by_id(row.id).exec(&transaction).await?;
        concern::renew(&transaction, &[row.problem_id]).await?;
        roll_up::problems(&transaction, &[row.problem_id], acting.now).await?;
        Ok(())
    })
    .await?;
    tell(&transaction, acting, &[row.problem_id], None).await?;
    transaction.commit().await?;
    Ok(row.problem_id)
}
