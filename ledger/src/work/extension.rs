//! Extensions (延期): requested by the unit, endorsed by the city office, decided by the regional office.
//!
//! An extension moves the deadline of one answer; the measure's is the latest of its answers'. A request keeps the
//! deadline that it replaces, so that the first deadline is never lost.

use chrono::{DateTime, NaiveDate, Utc};
use entity::assignment::Status;
use entity::deadline_change::{self, DeadlineChangeState};
use entity::{assignment, measure, measure_region};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveEnum, ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait,
    QueryFilter, Statement,
};
use serde_json::json;

use super::acting::{Acting, MAX_WORDS, is_own};
use super::event::Event;
use super::held::HeldAssignment;
use super::hold::{On, in_sight};
use super::telling::{Announcement, Done};
use crate::Result;
use crate::fault::{self, Fault, FaultCode, Thing};
use crate::people::policy::{self, Act};
use crate::record::change::ChangeKind;
use crate::record::concern::due_order;
use crate::record::database::Transaction;
use crate::rule::calendar;
use crate::rule::deadline::{Columns, printed};
use crate::rule::workflow;
use crate::statistics::kept;

/// Requests a later deadline for an assignment.
///
/// `new_due_on` is a local date after the current deadline, by at most ten years. An assignment has one pending request
/// at a time. Notifies the office that decides first at once. Returns the result, and the key of the request.
pub async fn request(acting: &Acting<'_>, on: On, new_due_on: NaiveDate, reason: &str) -> Result<(Done, i64)> {
    let reason = fault::text(reason, 2..=MAX_WORDS, ("延期理由", "the reason"), &["input", "reason"])?;
    let held = HeldAssignment::take(acting, on).await?;
    // Both the assigned unit and its county office may request an extension.
    let act = if acting.by.principal.may(Act::Report) { Act::Report } else { Act::TakeOn };
    held.permit(acting, act)?;
    let path = ["input", "newDueOn"];
    let wrong = |code, zh: String, en: String| Fault::new(code, zh, en, &path);
    let Some(old) = held.row.due_on.or(held.row.due_by) else {
        let (zh, en) = ("这项措施没有截止日期，无须延期", "the measure has no due date to extend");
        return Err(wrong(FaultCode::WrongState, zh.to_owned(), en.to_owned()).into());
    };
    if new_due_on <= old || new_due_on > calendar::plus_days(old, calendar::TEN_YEARS) {
        let zh = format!("新的时限应晚于 {old}，且不超过十年");
        let en = format!("the new deadline must be later than {old}, by at most ten years");
        return Err(wrong(FaultCode::Invalid, zh, en).into());
    }
    fault::day(new_due_on, ("新的时限", "the new deadline"), &path)?;
    if workflow::is_done(held.row.status, held.row.completed_on.is_some()) {
        let (zh, en) = done(held.row.status);
        return Err(wrong(FaultCode::WrongState, zh, en.to_owned()).into());
    }
    let pending = deadline_change::Entity::find()
        .filter(deadline_change::Column::AssignmentId.eq(held.row.id))
        .filter(deadline_change::Column::State.is_in([DeadlineChangeState::Requested, DeadlineChangeState::Endorsed]))
        .count(&held.transaction)
        .await?;
    if pending > 0 {
        let (zh, en) = ("这项任务已有延期申请在办", "this assignment already has a pending request for an extension");
        return Err(wrong(FaultCode::Conflict, zh.to_owned(), en.to_owned()).into());
    }
    let row = deadline_change::ActiveModel {
        measure_id: Set(held.measure.id),
        assignment_id: Set(Some(held.row.id)),
        state: Set(DeadlineChangeState::Requested),
        reason: Set(reason.clone()),
        old_raw: Set(in_force(&held)),
        old_due_on: Set(held.row.due_on),
        new_raw: Set(printed(new_due_on)),
        new_due_on: Set(Some(new_due_on)),
        requester_id: Set(acting.by.principal.account),
        requester_actor_id: Set(acting.by.principal.delegate),
        requested_at: Set(acting.now),
        ..Default::default()
    };
    let id = row.insert(&held.transaction).await?.id;
    let said = json!({ "extension": id, "oldDueOn": old, "newDueOn": new_due_on, "reason": reason });
    let told = Announcement::of(Event::ExtensionRequested, &reason);
    let warnings = held.tell(acting, told.with(json!({ "extension": id, "newDueOn": new_due_on }))).await?;
    let key = held.settle_beside(acting, ChangeKind::ExtensionRequested, said).await?;
    Ok((Done { key, warnings }, id))
}

/// Says that the deadline of an assignment no longer moves, because its work is done.
pub(crate) fn done(status: Status) -> (String, &'static str) {
    if workflow::is_done(status, false) {
        let name = workflow::status_name(status);
        return (format!("“{name}”的任务无须延期"), "the work is done: this assignment needs no extension");
    }
    let zh = "已填报完成的任务无须延期；还没有完成的，请先填报进展更正".to_owned();
    (zh, "the work was reported as completed and needs no extension; if it is not, correct that by a report first")
}

/// Returns the text of the deadline that an assignment has: that of the plan, or the date of its last extension.
fn in_force(held: &HeldAssignment) -> String {
    match held.row.due_on {
        Some(day) if held.row.due_on != held.measure.plan_due_on => printed(day),
        _ => held.measure.due_raw.clone(),
    }
}

/// A decision on a request for an extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// An office that verifies, usually the city's, endorses the request (市级同意).
    Endorse,
    /// An office that may change deadlines approves the request (批准), and the deadline of the assignment moves.
    Approve,
    /// Either office rejects the request (不批准).
    Reject,
}

/// Endorses, approves or rejects a request for an extension; `words` is the opinion (审批意见).
///
/// The requester may not decide it, and a decided request does not change any more. The unit and the requester are
/// notified at once; of an endorsed request, also the office that decides next.
pub async fn decide(acting: &Acting<'_>, extension: Option<i64>, decision: Decision, words: &str) -> Result<Done> {
    let words = fault::text(words, 2..=MAX_WORDS, ("审批意见", "the opinion"), &["input", "words"])?;
    let path = ["input", "extensionId"];
    let unknown = || fault::unknown(Thing::Extension, &path);
    let found = match extension {
        Some(id) => in_sight::<deadline_change::Entity>(acting, "deadline_change", id).await?.ok_or_else(unknown)?,
        None => return Err(unknown().into()),
    };
    let held = match HeldAssignment::take(acting, On { assignment: found.assignment_id, version: None }).await {
        Err(crate::Error::Refused(_)) => return Err(unknown().into()),
        held => held?,
    };
    let there = deadline_change::Entity::find_by_id(found.id).one(&held.transaction).await?.ok_or_else(unknown)?;
    let is_open = match (decision, there.state) {
        (Decision::Endorse, DeadlineChangeState::Requested) | (Decision::Approve, DeadlineChangeState::Endorsed) => {
            true
        }
        (Decision::Approve, DeadlineChangeState::Requested) => policy::endorses_and_approves(held.level),
        (Decision::Reject, state) => matches!(state, DeadlineChangeState::Requested | DeadlineChangeState::Endorsed),
        _ => false,
    };
    let act = match (decision, there.state) {
        (Decision::Approve, _) | (Decision::Reject, DeadlineChangeState::Endorsed) => Act::ChangeDeadline,
        _ => Act::Verify,
    };
    held.permit(acting, act)?;
    if !is_open {
        let (zh, en) = (
            "延期须先由市整改办同意，再由区整改办批准；已作结论的不再更改",
            "the city office must endorse a request before the regional office approves it, and a decision is final",
        );
        return Err(Fault::new(FaultCode::WrongState, zh, en, &path).into());
    }
    if is_own(acting, [there.requester_id, there.requester_actor_id]) {
        let (zh, en) = ("申请人不能审批自己的申请", "you made this request and may not decide on it");
        return Err(Fault::new(FaultCode::NotAllowed, zh, en, &["input"]).into());
    }
    // The plan may have changed in the meantime, and no extension moves a deadline back.
    if decision != Decision::Reject && held.row.due_on >= there.new_due_on {
        let (zh, en) = (
            "时限已不早于所申请的日期，无须再延，请不予批准",
            "the deadline is already on or after the requested date: reject the request",
        );
        return Err(Fault::new(FaultCode::WrongState, zh, en, &path).into());
    }
    let mut change = deadline_change::ActiveModel { id: Set(there.id), ..Default::default() };
    if decision == Decision::Endorse {
        change.state = Set(DeadlineChangeState::Endorsed);
        change.endorser_id = Set(acting.by.principal.account);
        change.endorsed_at = Set(Some(acting.now));
    } else {
        let is_approved = decision == Decision::Approve;
        change.state = Set(if is_approved { DeadlineChangeState::Approved } else { DeadlineChangeState::Rejected });
        change.decider_id = Set(acting.by.principal.account);
        change.decided_at = Set(Some(acting.now));
    }
    change.decision = Set(Some(words.clone()));
    let now = change.update(&held.transaction).await?;
    if let (Decision::Approve, Some(until)) = (decision, now.new_due_on) {
        extend(&held.transaction, &held, until, acting.now).await?;
    }
    let event = match decision {
        Decision::Endorse => Event::ExtensionEndorsed,
        Decision::Approve => Event::ExtensionApproved,
        Decision::Reject => Event::ExtensionRejected,
    };
    let told = Announcement::of(event, &words).with(json!({ "extension": there.id, "newDueOn": now.new_due_on }));
    let warnings = held.tell(acting, told.submitted_by(there.requester_id)).await?;
    let said = json!({ "extension": there.id, "state": now.state.to_value(), "words": words });
    Ok(Done { key: held.settle_beside(acting, ChangeKind::ExtensionDecided, said).await?, warnings })
}

/// Moves the deadline of one answer to a later date, and the measure's to the latest of its answers'.
///
/// The caller holds the lock on the problem.
async fn extend(db: &Transaction, held: &HeldAssignment, until: NaiveDate, now: DateTime<Utc>) -> Result<()> {
    let moved = async {
        let row = assignment::ActiveModel {
            id: Set(held.row.id),
            due_on: Set(Some(until)),
            due_by: Set(Some(until)),
            ..Default::default()
        };
        assignment::Entity::update(row).exec(db).await?;
        update_deadline(db, held.measure.id, now).await
    };
    kept::around(db, &[held.measure.problem_id], Box::pin(moved)).await
}

/// Changes the deadline in the plan of a measure for all its answers, except those whose extension lasts longer.
///
/// The caller holds the lock on the problem.
pub(crate) async fn move_plan(
    db: &Transaction,
    measure: &measure::Model,
    plan: Columns,
    now: DateTime<Utc>,
) -> Result<()> {
    let moved = async {
        follow_plan(db, measure, &plan).await?;
        let row = measure::ActiveModel {
            id: Set(measure.id),
            due_raw: Set(plan.raw),
            due_immediate: Set(plan.immediate),
            due_ongoing: Set(plan.ongoing),
            plan_due_on: Set(plan.on),
            plan_due_by: Set(plan.by),
            ..Default::default()
        };
        measure::Entity::update(row).exec(db).await?;
        update_deadline(db, measure.id, now).await
    };
    kept::around(db, &[measure.problem_id], Box::pin(moved)).await
}

/// Sets the deadline of a measure's answers to that of a new plan. An answer with an extension keeps it if it ends
/// after the new plan.
pub(crate) async fn follow_plan(db: &Transaction, measure: &measure::Model, plan: &Columns) -> Result<()> {
    const FOLLOW: &str = "UPDATE assignment SET due_on = $2, due_by = $3 WHERE measure_id = $1 \
        AND (due_by IS NULL OR due_by <= $4 OR due_by <= $5)";
    // No extension ends after a plan without a date.
    let until = |by: Option<NaiveDate>| due_order(by);
    let values =
        [measure.id.into(), plan.on.into(), plan.by.into(), until(measure.plan_due_by).into(), until(plan.by).into()];
    db.execute_raw(Statement::from_sql_and_values(db.get_database_backend(), FOLLOW, values)).await?;
    Ok(())
}

/// Sets the deadline of a measure to the latest of its answers', in its row and in the lists of all regions that it
/// concerns; without answers, to that of the plan.
pub(crate) async fn update_deadline(db: &Transaction, measure: i64, now: DateTime<Utc>) -> Result<()> {
    const LATEST: &str = "UPDATE measure SET version = version + 1, updated_at = $2, \
        due_on = coalesce((SELECT max(a.due_on) FROM assignment a WHERE a.measure_id = $1), plan_due_on), \
        due_by = coalesce((SELECT max(a.due_by) FROM assignment a WHERE a.measure_id = $1), plan_due_by) \
        WHERE id = $1 RETURNING due_on";
    let values = [measure.into(), now.into()];
    let row = db.query_one_raw(Statement::from_sql_and_values(db.get_database_backend(), LATEST, values)).await?;
    let due_on: Option<NaiveDate> = row.map(|row| row.try_get("", "due_on")).transpose()?.flatten();
    measure_region::Entity::update_many()
        .col_expr(measure_region::Column::DueOrder, Expr::value(due_order(due_on)))
        .filter(measure_region::Column::MeasureId.eq(measure))
        .exec(db)
        .await?;
    Ok(())
}
