//! Supervision (催办、督办、挂牌、约谈): issued by a person, lifted by a person. 挂牌 of what is long overdue is proposed by the
//! system (`propose`), and taken up or dismissed by a person (`decide`).

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, NaiveDate, Utc};
use entity::supervision_action::{self, SupervisionKind, SupervisionState};
use sea_orm::{
    ActiveEnum, ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect,
};
use serde_json::json;

use super::{Desk, Done, Held, MAX_WORDS, On, Told, hold_problem, in_sight};
use crate::Result;
use crate::fault::{self, Fault, FaultCode};
use crate::people::policy::Act;
use crate::record::audit::{self, Noted};
use crate::record::change::{self, ChangeKind, Changed};
use crate::record::database;
use crate::record::writes::Writes;
use crate::reminder::Open;
use crate::rule::calendar;
use crate::rule::workflow;

/// Supervision to be issued.
#[derive(Debug, Clone)]
pub struct New {
    /// How severe.
    pub kind: SupervisionKind,
    /// Why.
    pub reason: String,
    /// By when an answer is due, a local date.
    pub answer_by: Option<NaiveDate>,
}

fn act(kind: SupervisionKind) -> Act {
    if kind == SupervisionKind::Urge { Act::Urge } else { Act::Supervise }
}

/// What a mail says of supervision: its kind, what it is called, and why.
fn told(kind: SupervisionKind, why: &str) -> Told<'_> {
    let (kind, headline) = match kind {
        SupervisionKind::Urge => ("urge", "催办"),
        SupervisionKind::Supervise => ("supervision", "督办"),
        SupervisionKind::List => ("listing", "挂牌督办"),
        SupervisionKind::Summon => ("summons", "约谈"),
    };
    Told { kind, headline, why, submitter: None }
}

/// An answer that is asked for is due today at the earliest.
fn answerable(desk: &Desk<'_>, answer_by: Option<NaiveDate>) -> Result<(), Fault> {
    answer_by.map(|day| fault::day(day, ("答复期限", "the answer"), &["input", "answerBy"])).transpose()?;
    if answer_by.is_some_and(|day| day < desk.today()) {
        let (zh, en) = ("答复期限不能早于今天", "an answer cannot be due before today");
        return Err(Fault::invalid(zh, en, &["input", "answerBy"]));
    }
    Ok(())
}

/// Why, and by when an answer is due, as the mail says it.
fn why(reason: &str, answer_by: Option<NaiveDate>) -> String {
    let by = answer_by.map(|day| format!("\n答复期限：{}", day.format("%Y年%-m月%-d日"))).unwrap_or_default();
    format!("{reason}{by}")
}

/// Issues supervision of an assignment; the answering unit and the lead unit are told at once.
pub async fn issue(desk: &Desk<'_>, on: On, new: &New) -> Result<Done> {
    let reason = fault::text(&new.reason, 2..=MAX_WORDS, ("督办事由", "the reason"), &["input", "reason"])?;
    answerable(desk, new.answer_by)?;
    let held = Held::take(desk, on).await?;
    held.permit(desk, act(new.kind))?;
    let wrong = |zh: String, en: &str| Fault::new(FaultCode::WrongState, zh, en, &["input", "assignmentId"]);
    if workflow::is_settled(held.row.status) {
        let name = workflow::status_name(held.row.status);
        return Err(wrong(format!("“{name}”的任务无须督办"), "it is settled: there is nothing to supervise").into());
    }
    if new.kind == SupervisionKind::List
        && let Some(there) = listing(&held, &[SupervisionState::Issued, SupervisionState::Proposed]).await?
    {
        return Err(match there.state {
            SupervisionState::Proposed => wrong(
                "已有挂牌建议待决定，请先决定".to_owned(),
                "a proposal to list it waits for a decision: decide that",
            ),
            _ => wrong("已在挂牌督办中，解除后方可再次挂牌".to_owned(), "it is listed already: lift that first"),
        }
        .into());
    }
    let row = supervision_action::ActiveModel {
        measure_id: Set(held.measure.id),
        assignment_id: Set(Some(held.row.id)),
        kind: Set(new.kind),
        state: Set(SupervisionState::Issued),
        issuer_id: Set(desk.by.principal.account),
        recipient_id: Set(Some(held.row.unit_id)),
        reason: Set(reason.clone()),
        answer_by: Set(new.answer_by),
        issued_at: Set(desk.now),
        ..Default::default()
    };
    let id = row.insert(&held.transaction).await?.id;
    let why = why(&reason, new.answer_by);
    let warnings = held.tell(desk, &told(new.kind, &why)).await?;
    let said = json!({ "supervision": id, "kind": new.kind.to_value(), "reason": reason, "answerBy": new.answer_by });
    Ok(Done { key: held.settle_beside(desk, ChangeKind::Supervised, said).await?, warnings })
}

/// 挂牌 of an assignment in one of these states.
async fn listing(held: &Held, states: &[SupervisionState]) -> Result<Option<supervision_action::Model>> {
    let found = supervision_action::Entity::find()
        .filter(supervision_action::Column::AssignmentId.eq(held.row.id))
        .filter(supervision_action::Column::Kind.eq(SupervisionKind::List))
        .filter(supervision_action::Column::State.is_in(states.iter().copied()));
    Ok(found.one(&held.transaction).await?)
}

/// Supervision of this key, with the assignment that it is of held; refused unless it is in the state in which the act is
/// open.
async fn take(
    desk: &Desk<'_>,
    action: Option<i64>,
    (state, otherwise): (SupervisionState, (&str, &str)),
) -> Result<(Held, supervision_action::Model)> {
    let unknown =
        || Fault::new(FaultCode::NotFound, "没有这项督办", "there is no such supervision", &["input", "actionId"]);
    let found = match action {
        Some(id) => {
            in_sight::<supervision_action::Entity>(desk, "supervision_action", id).await?.ok_or_else(unknown)?
        }
        None => return Err(unknown().into()),
    };
    let held = match Held::take(desk, On { assignment: found.assignment_id, version: None }).await {
        Err(crate::Error::Refused(_)) => return Err(unknown().into()),
        held => held?,
    };
    held.permit(desk, if state == SupervisionState::Proposed { Act::Supervise } else { act(found.kind) })?;
    let there = supervision_action::Entity::find_by_id(found.id).one(&held.transaction).await?.ok_or_else(unknown)?;
    if there.state != state {
        let (zh, en) = otherwise;
        return Err(Fault::new(FaultCode::WrongState, zh, en, &["input", "actionId"]).into());
    }
    Ok((held, there))
}

/// Lifts supervision.
pub async fn lift(desk: &Desk<'_>, action: Option<i64>, reason: &str) -> Result<i64> {
    let reason = fault::text(reason, 2..=MAX_WORDS, ("解除理由", "the reason"), &["input", "reason"])?;
    let otherwise = ("这项督办不在执行中", "it is not in force");
    let (mut held, there) = take(desk, action, (SupervisionState::Issued, otherwise)).await?;
    held.writes.update_one(ended(desk, there.id, SupervisionState::Lifted, &reason))?;
    held.settle_beside(desk, ChangeKind::SupervisionLifted, json!({ "supervision": there.id, "reason": reason })).await
}

/// Supervision that a person ends, or does not take up.
fn ended(desk: &Desk<'_>, id: i64, state: SupervisionState, reason: &str) -> supervision_action::ActiveModel {
    supervision_action::ActiveModel {
        id: Set(id),
        state: Set(state),
        lifter_id: Set(desk.by.principal.account),
        lifted_at: Set(Some(desk.now)),
        lift_reason: Set(Some(reason.to_owned())),
        ..Default::default()
    }
}

/// What a person makes of a proposal.
#[derive(Debug, Clone)]
pub struct Decision {
    /// Whether it is taken up.
    pub is_adopted: bool,
    /// Why; the unit reads it where the proposal is taken up.
    pub reason: String,
    /// By when an answer is due, a local date.
    pub answer_by: Option<NaiveDate>,
}

/// Takes up what the system has proposed, which is then in force as if it had been issued, or dismisses it.
pub async fn decide(desk: &Desk<'_>, action: Option<i64>, decision: &Decision) -> Result<Done> {
    let reason = fault::text(&decision.reason, 2..=MAX_WORDS, ("理由", "the reason"), &["input", "reason"])?;
    answerable(desk, decision.answer_by)?;
    if !decision.is_adopted && decision.answer_by.is_some() {
        let (zh, en) =
            ("不采纳的建议没有答复期限，请去掉", "a proposal that is dismissed asks for no answer: leave it out");
        return Err(Fault::invalid(zh, en, &["input", "answerBy"]).into());
    }
    let otherwise = ("这项督办不是待决定的建议", "it is no proposal that waits for a decision");
    let (mut held, there) = take(desk, action, (SupervisionState::Proposed, otherwise)).await?;
    let said = json!({
        "supervision": there.id, "kind": there.kind.to_value(), "reason": reason, "answerBy": decision.answer_by,
    });
    if !decision.is_adopted {
        held.writes.update_one(ended(desk, there.id, SupervisionState::Dismissed, &reason))?;
        return Ok(held.settle_beside(desk, ChangeKind::SupervisionDismissed, said).await?.into());
    }
    if held.row.completed_on.is_some() || workflow::is_settled(held.row.status) {
        let (zh, en) =
            ("整改已完成或已办结，不能再采纳挂牌建议", "it is completed or settled meanwhile: dismiss the proposal");
        return Err(Fault::new(FaultCode::WrongState, zh, en, &["input", "isAdopted"]).into());
    }
    if listing(&held, &[SupervisionState::Issued]).await?.is_some() {
        let (zh, en) = ("已在挂牌督办中，不能重复采纳", "it is listed already: dismiss the proposal");
        return Err(Fault::new(FaultCode::Conflict, zh, en, &["input", "isAdopted"]).into());
    }
    held.writes.update_one(supervision_action::ActiveModel {
        id: Set(there.id),
        state: Set(SupervisionState::Issued),
        issuer_id: Set(desk.by.principal.account),
        reason: Set(reason.clone()),
        answer_by: Set(decision.answer_by),
        issued_at: Set(desk.now),
        ..Default::default()
    })?;
    let why = why(&reason, decision.answer_by);
    let warnings = held.tell(desk, &told(there.kind, &why)).await?;
    Ok(Done { key: held.settle_beside(desk, ChangeKind::Supervised, said).await?, warnings })
}

/// Proposes 挂牌督办 of every open answer that has been overdue for so many days, once for each deadline; says of how many.
/// Each problem is a transaction of its own, so that nobody waits for all of them.
///
/// Source: the domain's reminders, escalation: a proposal to list it after 30 days.
pub async fn propose(desk: &Desk<'_>, after: i64) -> Result<usize> {
    let problems: BTreeSet<i64> =
        unlisted(desk.db, desk, after, None).await?.into_iter().map(|row| row.problem_id).collect();
    let mut proposed = 0;
    for problem in problems {
        proposed += propose_of(desk, after, problem).await?;
    }
    Ok(proposed)
}

/// Of how many it would be proposed.
pub async fn to_propose(desk: &Desk<'_>, after: i64) -> Result<usize> {
    Ok(unlisted(desk.db, desk, after, None).await?.len())
}

async fn propose_of(desk: &Desk<'_>, after: i64, problem: i64) -> Result<usize> {
    let transaction = database::begin(desk.db).await?;
    if hold_problem(&transaction, desk.by, "problem", problem).await?.is_none() {
        return Ok(0);
    }
    // Looked for again: what was reported, or proposed by another scheduler, before the problem was held.
    let rows = unlisted(&transaction, desk, after, Some(problem)).await?;
    let kind = ChangeKind::SupervisionProposed;
    for row in &rows {
        let (measure, assignment) = (row.measure_id, row.assignment_id);
        let reason = format!("逾期{}天仍未完成整改，系统建议挂牌督办", (desk.today() - row.due_by).num_days());
        let action = supervision_action::ActiveModel {
            measure_id: Set(measure),
            assignment_id: Set(assignment),
            kind: Set(SupervisionKind::List),
            state: Set(SupervisionState::Proposed),
            recipient_id: Set(row.unit_id),
            reason: Set(reason.clone()),
            issued_at: Set(desk.now),
            ..Default::default()
        };
        let id = action.insert(&transaction).await?.id;
        let mut writes = Writes::default();
        change::write(&mut writes, kind, Changed { problem, measure: Some(measure), assignment }, desk.now);
        let noted = Noted {
            chain: audit::chain_of(problem),
            act: kind.to_value(),
            object: format!("supervision_{id}"),
            measure: Some(measure),
            assignment,
            before: json!({}),
            after: json!({ "supervision": id, "kind": SupervisionKind::List.to_value(), "reason": reason }),
        };
        let end = audit::end(&transaction, &noted.chain).await?;
        audit::write(&mut writes, desk.by, noted, end, desk.now)?;
        writes.send(&transaction).await?;
    }
    transaction.commit().await?;
    Ok(rows.len())
}

/// The answers that are open so many days after their deadline, of the whole ledger or of one problem, and of which 挂牌 was
/// neither proposed nor issued since that deadline.
async fn unlisted<C: ConnectionTrait>(db: &C, desk: &Desk<'_>, after: i64, problem: Option<i64>) -> Result<Vec<Open>> {
    let mut open = Open::due_by(db, calendar::plus_days(desk.today(), -after), desk.today(), problem).await?;
    // Where an office has to decide first, the unit is not the one to be urged.
    open.retain(|row| row.status.is_some_and(workflow::waits_for_unit));
    let mut listed = supervision_action::Entity::find()
        .select_only()
        .column(supervision_action::Column::AssignmentId)
        .column_as(supervision_action::Column::IssuedAt.max(), "at")
        .filter(supervision_action::Column::Kind.eq(SupervisionKind::List))
        .group_by(supervision_action::Column::AssignmentId);
    if problem.is_some() {
        let assignments: BTreeSet<i64> = open.iter().filter_map(|row| row.assignment_id).collect();
        listed = listed.filter(supervision_action::Column::AssignmentId.is_in(assignments));
    }
    let listed: HashMap<Option<i64>, DateTime<Utc>> =
        listed.into_tuple::<(Option<i64>, DateTime<Utc>)>().all(db).await?.into_iter().collect();
    let day = |at: &DateTime<Utc>| calendar::local_day(*at, desk.zone);
    open.retain(|row| listed.get(&row.assignment_id).map(day).is_none_or(|day| day <= row.due_by));
    Ok(open)
}
