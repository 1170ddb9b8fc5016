//! Merge of two measures, such as a measure and its copy with the changed wording of a later ledger.

use std::collections::HashMap;

use entity::assignment::Status;
use entity::deadline_change::{self, DeadlineChangeState};
use entity::{assignment, audit_entry, check, close_out, measure};
use sea_orm::{
    ActiveEnum, ActiveModelTrait, ActiveValue::Set, ColumnTrait, Condition, EntityTrait, PaginatorTrait, QueryFilter,
    QueryOrder,
};
use serde_json::{Value, json};

use super::shared::{clash, itself, repoint};
use crate::Result;
use crate::fault::{self, Fault, FaultCode, Thing};
use crate::keep::measure::{grow, note_answer, take};
use crate::keep::shared::{note, tell};
use crate::people::policy::Act;
use crate::record::audit::{self, Entry};
use crate::record::change;
use crate::record::concern;
use crate::record::database::Transaction;
use crate::rule::deadline::Columns;
use crate::rule::roll_up;
use crate::rule::workflow::is_further;
use crate::statistics::kept;
use crate::work::{Acting, extension};

/// Moves what belongs to an assignment to the assignment that stays.
const OF_ANSWER: &[&str] = &[
    "UPDATE progress_report SET assignment_id = $2 WHERE assignment_id = $1",
    "UPDATE \"check\" SET assignment_id = $2 WHERE assignment_id = $1",
    "UPDATE evidence SET assignment_id = $2 WHERE assignment_id = $1",
    "UPDATE deadline_change SET assignment_id = $2 WHERE assignment_id = $1",
    "UPDATE supervision_action SET assignment_id = $2 WHERE assignment_id = $1",
    "UPDATE mail_item SET assignment_id = $2 WHERE assignment_id = $1",
    "UPDATE change SET assignment_id = $2 WHERE assignment_id = $1",
];

/// Moves what belongs to a measure to the measure that stays, whose own parties, check plans and leaders take
/// precedence.
const OF_MEASURE: &[&str] = &[
    "UPDATE assignment SET measure_id = $2, version = version + 1 WHERE measure_id = $1",
    "DELETE FROM responsible_party WHERE measure_id = $1 AND EXISTS (SELECT 1 FROM responsible_party p \
        WHERE p.measure_id = $2 AND (p.unit_id = responsible_party.unit_id \
        OR p.selector = responsible_party.selector))",
    "UPDATE responsible_party SET measure_id = $2, \
        position = position + (SELECT coalesce(max(p.position), 0) FROM responsible_party p WHERE p.measure_id = $2) \
        WHERE measure_id = $1",
    "DELETE FROM check_plan WHERE measure_id = $1 AND kind IN (SELECT p.kind FROM check_plan p \
        WHERE p.measure_id = $2)",
    "UPDATE check_plan SET measure_id = $2 WHERE measure_id = $1",
    "DELETE FROM leader WHERE measure_id = $1 AND post IN (SELECT l.post FROM leader l WHERE l.measure_id = $2)",
    "UPDATE leader SET measure_id = $2 WHERE measure_id = $1",
    "UPDATE deadline_change SET measure_id = $2 WHERE measure_id = $1",
    "UPDATE supervision_action SET measure_id = $2 WHERE measure_id = $1",
    "UPDATE comment SET measure_id = $2 WHERE measure_id = $1",
    "UPDATE mail_item SET measure_id = $2 WHERE measure_id = $1",
    "UPDATE change SET measure_id = $2 WHERE measure_id = $1",
];

/// Merges a measure into another one of the same problem, and returns the key of the measure that stays.
///
/// If a unit has an assignment to both, the one that has advanced further stays and takes over the reports, evidence
/// and checks of the other. Wording, deadline and lead unit are those of the measure that stays. The audit entry of the
/// merge contains the audit history of the rows that go. Refused while a decision is pending on an assignment or an
/// extension.
pub async fn measures(acting: &Acting<'_>, from: Option<i64>, version: i32, into: Option<i64>) -> Result<i64> {
    if from.is_some() && from == into {
        return Err(itself("intoId").into());
    }
    let (transaction, gone) = take(acting, from, version, Act::KeepLedger).await?;
    let stays = beside(&transaction, &gone, into).await?;
    let pairs = pairs(&transaction, &gone, &stays).await?;
    nothing_waits(&transaction, &gone, &pairs).await?;
    let problem = gone.problem_id;
    let history = kept::around(&transaction, &[problem], async {
    extension::follow_plan(&transaction, &gone, &Columns::of_plan(&stays)).await?;
    for (yields, remains) in pairs {
        let dropped = checked_twice(&transaction, yields.id, remains.id).await?;
        repoint(&transaction, OF_ANSWER, yields.id, remains.id).await?;
        assignment::Entity::delete_by_id(yields.id).exec(&transaction).await?;
        let together = assignment::ActiveModel {
            id: Set(remains.id),
            accepted_at: Set(remains.accepted_at.or(yields.accepted_at)),
            reported_on: Set(remains.reported_on.max(yields.reported_on)),
            due_on: Set(remains.due_on.max(yields.due_on)),
            due_by: Set(remains.due_by.max(yields.due_by)),
            quantity_done: Set(remains.quantity_done.or(yields.quantity_done)),
            quantity_target: Set(remains.quantity_target.or(yields.quantity_target)),
            version: Set(remains.version + 1),
            updated_at: Set(acting.now),
            ..Default::default()
        };
        let together = together.update(&transaction).await?;
        let history = audit::history(&transaction, audit_entry::Column::AssignmentId.eq(yields.id)).await?;
        let before = json!({
            "merged": format!("assignment_{}", yields.id), "status": yields.status.to_value(), "droppedChecks": dropped,
            "history": history,
        });
        let after = audit::kept::assignment(&together);
        note_answer(&transaction, acting, &stays, (remains.id, audit::MERGED), (before, after)).await?;
    }
    let of_gone = Condition::all()
        .add(audit_entry::Column::MeasureId.eq(gone.id))
        .add(audit_entry::Column::AssignmentId.is_null());
    let history = audit::history(&transaction, of_gone).await?;
    repoint(&transaction, OF_MEASURE, gone.id, stays.id).await?;
    extension::update_deadline(&transaction, stays.id, acting.now).await?;
    grow(&transaction, acting, &stays).await?;
    let regions = concern::leave_measure(&transaction, gone.id).await?;
    change::note_removed(&transaction, &format!("measure_{}", gone.id), &regions, acting.now).await?;
    measure::Entity::delete_by_id(gone.id).exec(&transaction).await?;
    concern::renew(&transaction, &[problem]).await?;
    roll_up::problems(&transaction, &[problem], acting.now).await?;
        Ok(history)
    })
    .await?;
    let before = json!({
        "merged": format!("measure_{}", gone.id), "number": gone.number, "content": gone.content, "history": history,
    });
    let object = format!("measure_{}", stays.id);
    let said = Entry::of(audit::MERGED, object).measure(Some(stays.id)).changed(before, json!({}));
    note(&transaction, acting, problem, said).await?;
    tell(&transaction, acting, &[problem], Some(stays.id)).await?;
    transaction.commit().await?;
    Ok(stays.id)
}

/// Refuses a merge that would lose a pending decision.
///
/// A decision is pending on an assignment that was declined (退回) or proposed as not applicable (不涉及), if it
/// belongs to the measure that goes or to a unit with assignments to both measures, and on a request to extend the
/// deadline of the measure that goes.
async fn nothing_waits(
    db: &Transaction,
    gone: &measure::Model,
    pairs: &[(assignment::Model, assignment::Model)],
) -> Result<()> {
    let waits =
        |answer: &assignment::Model| answer.status == Status::NotApplicableProposed || answer.declined_at.is_some();
    let going = assignment::Entity::find().filter(assignment::Column::MeasureId.eq(gone.id)).all(db).await?;
    let paired = pairs.iter().flat_map(|(yields, remains)| [yields, remains]);
    let proposing = going.iter().chain(paired).any(waits);
    let open = [DeadlineChangeState::Requested, DeadlineChangeState::Endorsed];
    let extensions = deadline_change::Entity::find()
        .filter(deadline_change::Column::MeasureId.eq(gone.id))
        .filter(deadline_change::Column::State.is_in(open))
        .count(db)
        .await?;
    if proposing || extensions > 0 {
        let (zh, en) = (
            "还有待处理的退回、待确认的“不涉及”或待批的延期申请，请先办结再合并",
            "a declined assignment (退回), a proposal of 不涉及 or a request for an extension is pending: decide on it \
             first",
        );
        return Err(Fault::new(FaultCode::WrongState, zh, en, &["input", "measureId"]).into());
    }
    Ok(())
}

/// Deletes the earlier of two checks of the same kind and period, as a period is checked once.
///
/// Returns the deleted checks as the audit records them.
async fn checked_twice(db: &Transaction, yields: i64, remains: i64) -> Result<Vec<Value>> {
    let of = async |answer: i64| {
        let of = check::Entity::find().filter(check::Column::AssignmentId.eq(answer));
        of.order_by_asc(check::Column::Id).all(db).await
    };
    let there = of(remains).await?;
    let mut dropped = Vec::new();
    for one in of(yields).await? {
        let Some(other) = there.iter().find(|other| (other.kind, &other.period) == (one.kind, &one.period)) else {
            continue;
        };
        let gone = if one.checked_on > other.checked_on { other } else { &one };
        check::Entity::delete_by_id(gone.id).exec(db).await?;
        dropped.push(json!({
            "check": gone.id, "kind": gone.kind.to_value(), "period": gone.period, "result": gone.result.to_value(),
            "checkedOn": gone.checked_on, "findings": gone.findings,
        }));
    }
    Ok(dropped)
}

/// Returns the measure that stays, which must belong to the same problem.
async fn beside(db: &Transaction, gone: &measure::Model, into: Option<i64>) -> Result<measure::Model> {
    let unknown = || fault::unknown(Thing::MeasureBeside, &["input", "intoId"]);
    let id = into.ok_or_else(unknown)?;
    let found = measure::Entity::find_by_id(id).filter(measure::Column::ProblemId.eq(gone.problem_id)).one(db).await?;
    Ok(found.ok_or_else(unknown)?)
}

/// Returns the assignments of units that have one to each measure, as pairs: the one that goes and the one that stays.
///
/// An assignment with a close-out cycle stays, else the one that has advanced further. Refused if both have a cycle.
async fn pairs(
    db: &Transaction,
    gone: &measure::Model,
    stays: &measure::Model,
) -> Result<Vec<(assignment::Model, assignment::Model)>> {
    let answers = async |measure: i64| {
        let of = assignment::Entity::find().filter(assignment::Column::MeasureId.eq(measure));
        of.order_by_asc(assignment::Column::Id).all(db).await
    };
    let mut there: HashMap<i64, assignment::Model> =
        answers(stays.id).await?.into_iter().map(|answer| (answer.unit_id, answer)).collect();
    let mut pairs = Vec::new();
    for one in answers(gone.id).await? {
        let Some(other) = there.remove(&one.unit_id) else { continue };
        let has_cycle = async |answer: i64| {
            let of = close_out::Entity::find().filter(close_out::Column::AssignmentId.eq(answer));
            of.one(db).await.map(|found| found.is_some())
        };
        let remains = match (has_cycle(one.id).await?, has_cycle(other.id).await?) {
            (true, true) => {
                let unit = entity::unit::Entity::find_by_id(one.unit_id).one(db).await?;
                let what = (
                    "这些单位对两项措施都有销号记录，无法合并",
                    "the measures cannot be merged, as these units have applied for the close-out of both",
                );
                return Err(
                    clash(what, &unit.map(|unit| unit.name).into_iter().collect::<Vec<_>>(), "measureId").into()
                );
            }
            (true, false) => true,
            (false, true) => false,
            (false, false) => is_further(one.status, other.status),
        };
        pairs.push(if remains { (other, one) } else { (one, other) });
    }
    Ok(pairs)
}
