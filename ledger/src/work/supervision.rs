//! Supervision (督办): urging (催办), supervision proper (督办), yellow and red cards (黄牌、红牌), listing (挂牌督办)
//! and summons (约谈).
//!
//! A person issues and lifts supervision. The system proposes the listing of assignments that are long overdue
//! ([`propose`]) and cards ([`super::card::propose`]); a person adopts or dismisses the proposal ([`decide`]).

use std::collections::{BTreeSet, HashMap};
use std::fmt;

use chrono::{DateTime, NaiveDate, Utc};
use entity::reminder_rule::ReminderKind;
use entity::supervision_action::{self, SupervisionCause, SupervisionKind, SupervisionState};
use sea_orm::{
    ActiveEnum, ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect,
};
use serde_json::json;

use super::acting::{Acting, MAX_WORDS};
use super::event::Event;
use super::held::HeldAssignment;
use super::hold::{On, hold_problem, in_sight};
use super::telling::{Announcement, Done};
use crate::Result;
use crate::fault::{self, Fault, FaultCode, Thing};
use crate::people::policy::Act;
use crate::record::audit::{self, Entry};
use crate::record::change::{self, ChangeKind, Changed};
use crate::record::database::{self, Transaction};
use crate::record::writes::Writes;
use crate::reminder::{Open, Rules};
use crate::rule::calendar;
use crate::rule::workflow;

/// A supervision action to issue.
#[derive(Debug, Clone)]
pub struct New {
    /// The kind of supervision, from urging (催办) to summons (约谈).
    pub kind: SupervisionKind,
    /// The reason (督办事由), which the mail states.
    pub reason: String,
    /// The local date by which an answer is due; `None` if no answer is required.
    pub answer_by: Option<NaiveDate>,
    /// The number of the document (文号) by which it is issued; must be `None` for urging.
    pub document_number: Option<String>,
    /// The interview to which a summons (约谈) calls; must be empty for other kinds.
    pub interview: Interview,
}

/// The time and place of an interview (约谈), as far as they are known.
#[derive(Clone, Default)]
pub struct Interview {
    /// When the interview begins, today or later.
    pub meeting_at: Option<DateTime<Utc>>,
    /// Where the interview takes place.
    pub place: Option<String>,
    /// Whom the unit can ask, with a telephone number. Personal data: it is kept out of logs and of the audit.
    pub contact: Option<String>,
}

/// Leaves the contact out, which must not get into a log.
impl fmt::Debug for Interview {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Interview");
        shown.field("meeting_at", &self.meeting_at).field("place", &self.place).finish_non_exhaustive()
    }
}

impl Interview {
    /// Checks an interview; refuses any part of it if the supervision is not a summons.
    fn read(&self, kind: SupervisionKind, acting: &Acting<'_>) -> Result<Self> {
        let misplaced = |field: &str, is_given: bool| -> Result<(), Fault> {
            if kind == SupervisionKind::Summon || !is_given {
                return Ok(());
            }
            let (zh, en) =
                ("只有约谈才填时间、地点和联系人", "only a summons has a time, a place and a contact: leave it out");
            Err(Fault::invalid(zh, en, &["input", field]))
        };
        fault::all((
            misplaced("meetingAt", self.meeting_at.is_some()),
            misplaced("place", self.place.is_some()),
            misplaced("contact", self.contact.is_some()),
        ))?;
        let (place, contact, ()) = fault::all((
            line(self.place.as_deref(), 200, ("约谈地点", "the place"), "place"),
            line(self.contact.as_deref(), 200, ("联系人与电话", "the contact"), "contact"),
            self.meeting_at.map_or(Ok(()), |at| upcoming(acting, at)),
        ))?;
        Ok(Self { meeting_at: self.meeting_at, place, contact })
    }
}

/// Checks that an interview begins today or later.
fn upcoming(acting: &Acting<'_>, at: DateTime<Utc>) -> Result<(), Fault> {
    let (day, path) = (calendar::local_day(at, acting.zone), ["input", "meetingAt"]);
    fault::day(day, ("约谈时间", "the time of the interview"), &path)?;
    if day < acting.today() {
        let (zh, en) = ("约谈时间不能早于今天", "the interview cannot be before today");
        return Err(Fault::invalid(zh, en, &path));
    }
    Ok(())
}

/// Checks an optional text of one line; a blank one is none.
fn line(given: Option<&str>, most: usize, what: (&str, &str), field: &str) -> Result<Option<String>, Fault> {
    let given = given.filter(|given| !fault::is_empty(given));
    given.map(|given| fault::line(given, 1..=most, what, &["input", field])).transpose()
}

/// Checks the number of a document, which is refused unless `has_document`.
fn document(given: Option<&str>, has_document: bool) -> Result<Option<String>, Fault> {
    let number = line(given, 100, ("文号", "the document number"), "documentNumber")?;
    if number.is_some() && !has_document {
        let (zh, en) = (
            "催办和不采纳的建议没有文号，请去掉",
            "urging and a dismissed proposal have no document number: leave it out",
        );
        return Err(Fault::invalid(zh, en, &["input", "documentNumber"]));
    }
    Ok(number)
}

/// Returns the act of the policy that issuing or lifting this kind of supervision requires.
fn act(kind: SupervisionKind) -> Act {
    if kind == SupervisionKind::Urge { Act::Urge } else { Act::Supervise }
}

/// Returns the notice about a supervision action. The mail reads its document, time, place and contact from the action
/// when it is sent.
fn notice(kind: SupervisionKind, reason: &str, answer_by: Option<NaiveDate>, action: i64) -> Announcement<'_> {
    let event = match kind {
        SupervisionKind::Urge => Event::Urged,
        SupervisionKind::Supervise => Event::Supervised,
        SupervisionKind::YellowCard => Event::YellowCarded,
        SupervisionKind::List => Event::Listed,
        SupervisionKind::RedCard => Event::RedCarded,
        SupervisionKind::Summon => Event::Summoned,
    };
    Announcement::of(event, reason).with(json!({ "answerBy": answer_by, "supervision": action }))
}

/// Checks that the date by which an answer is due, if any, is today or later.
fn answerable(acting: &Acting<'_>, answer_by: Option<NaiveDate>) -> Result<(), Fault> {
    answer_by.map(|day| fault::day(day, ("答复期限", "the answer date"), &["input", "answerBy"])).transpose()?;
    if answer_by.is_some_and(|day| day < acting.today()) {
        let (zh, en) = ("答复期限不能早于今天", "the date by which an answer is due cannot be before today");
        return Err(Fault::invalid(zh, en, &["input", "answerBy"]));
    }
    Ok(())
}

/// Issues supervision of an assignment and notifies the assigned unit and the lead unit at once.
///
/// A settled assignment cannot be supervised, and an assignment cannot be listed (挂牌) or have a red card (红牌) twice
/// at the same time.
pub async fn issue(acting: &Acting<'_>, on: On, new: &New) -> Result<Done> {
    let (reason, (), document_number, interview) = fault::all((
        fault::text(&new.reason, 2..=MAX_WORDS, ("督办事由", "the reason"), &["input", "reason"]),
        answerable(acting, new.answer_by),
        document(new.document_number.as_deref(), new.kind != SupervisionKind::Urge),
        new.interview.read(new.kind, acting),
    ))?;
    let held = HeldAssignment::take(acting, on).await?;
    held.permit(acting, act(new.kind))?;
    let wrong = |zh: String, en: &str| Fault::new(FaultCode::WrongState, zh, en, &["input", "assignmentId"]);
    if workflow::is_settled(held.row.status) {
        let name = workflow::status_name(held.row.status);
        let en = "this assignment is settled and needs no supervision";
        return Err(wrong(format!("“{name}”的任务无须督办"), en).into());
    }
    if let Some((zh, en)) = obstacle(new.kind, &standing(&held).await?) {
        return Err(wrong(zh.to_owned(), en).into());
    }
    let row = supervision_action::ActiveModel {
        measure_id: Set(held.measure.id),
        assignment_id: Set(Some(held.row.id)),
        kind: Set(new.kind),
        state: Set(SupervisionState::Issued),
        issuer_id: Set(acting.by.principal.account),
        recipient_id: Set(Some(held.row.unit_id)),
        reason: Set(reason.clone()),
        answer_by: Set(new.answer_by),
        document_number: Set(document_number.clone()),
        meeting_at: Set(interview.meeting_at),
        place: Set(interview.place.clone()),
        contact: Set(interview.contact.clone()),
        issued_at: Set(acting.now),
        ..Default::default()
    };
    let id = row.insert(&held.transaction).await?.id;
    let warnings = held.tell(acting, notice(new.kind, &reason, new.answer_by, id)).await?;
    // The audit cannot be altered, so it only keeps whether there is a contact.
    let said = json!({
        "supervision": id, "kind": new.kind.to_value(), "reason": reason, "answerBy": new.answer_by,
        "documentNumber": document_number, "meetingAt": interview.meeting_at, "place": interview.place,
        "hasContact": interview.contact.is_some(),
    });
    Ok(Done { key: held.settle_beside(acting, ChangeKind::Supervised, said).await?, warnings })
}

/// Returns the supervision of the assignment that is in force or proposed.
async fn standing(held: &HeldAssignment) -> Result<Vec<(SupervisionKind, SupervisionState)>> {
    let found = supervision_action::Entity::find()
        .select_only()
        .column(supervision_action::Column::Kind)
        .column(supervision_action::Column::State)
        .filter(supervision_action::Column::AssignmentId.eq(held.row.id))
        .filter(supervision_action::Column::State.is_in([SupervisionState::Issued, SupervisionState::Proposed]));
    Ok(found.into_tuple().all(&held.transaction).await?)
}

/// What is in force or proposed: the kind and the state of each act of supervision.
pub(super) type There = [(SupervisionKind, SupervisionState)];

/// Returns why supervision of a kind cannot be issued beside what is there, in Chinese and English.
pub(super) fn obstacle(kind: SupervisionKind, there: &There) -> Option<(&'static str, &'static str)> {
    let is_pending = there.contains(&(kind, SupervisionState::Proposed));
    let pending = match kind {
        SupervisionKind::YellowCard => {
            ("已有黄牌建议待决定，请先决定", "a proposal of a yellow card is pending: decide on it first")
        }
        SupervisionKind::List => {
            ("已有挂牌建议待决定，请先决定", "a proposal to list it is pending: decide on it first")
        }
        SupervisionKind::RedCard => {
            ("已有红牌建议待决定，请先决定", "a proposal of a red card is pending: decide on it first")
        }
        SupervisionKind::Urge | SupervisionKind::Supervise | SupervisionKind::Summon => return None,
    };
    Some(pending).filter(|_| is_pending).or_else(|| doubled(kind, there))
}

/// Returns why supervision of a kind cannot be in force twice; only a listing and a red card cannot.
pub(super) fn doubled(kind: SupervisionKind, there: &There) -> Option<(&'static str, &'static str)> {
    let words = match kind {
        SupervisionKind::List => ("已在挂牌督办中，须先解除", "it is already listed: lift the listing first"),
        SupervisionKind::RedCard => ("已有红牌，须先解除", "it already has a red card: lift that card first"),
        _ => return None,
    };
    Some(words).filter(|_| there.contains(&(kind, SupervisionState::Issued)))
}

/// Locks the assignment under a supervision action, checks the policy, and reads the action.
///
/// `state` is the state that the action must be in; `otherwise` is the error message (Chinese, English) if it is not.
async fn take(
    acting: &Acting<'_>,
    action: Option<i64>,
    (state, otherwise): (SupervisionState, (&str, &str)),
) -> Result<(HeldAssignment, supervision_action::Model)> {
    let unknown = || fault::unknown(Thing::Supervision, &["input", "actionId"]);
    let found = match action {
        Some(id) => {
            in_sight::<supervision_action::Entity>(acting, "supervision_action", id).await?.ok_or_else(unknown)?
        }
        None => return Err(unknown().into()),
    };
    let held = match HeldAssignment::take(acting, On { assignment: found.assignment_id, version: None }).await {
        Err(crate::Error::Refused(_)) => return Err(unknown().into()),
        held => held?,
    };
    held.permit(acting, if state == SupervisionState::Proposed { Act::Supervise } else { act(found.kind) })?;
    let there = supervision_action::Entity::find_by_id(found.id).one(&held.transaction).await?.ok_or_else(unknown)?;
    if there.state != state {
        let (zh, en) = otherwise;
        return Err(Fault::new(FaultCode::WrongState, zh, en, &["input", "actionId"]).into());
    }
    Ok((held, there))
}

/// Lifts supervision that is in force, and notifies the assigned unit and the lead unit at once.
pub async fn lift(acting: &Acting<'_>, action: Option<i64>, reason: &str) -> Result<Done> {
    let reason = fault::text(reason, 2..=MAX_WORDS, ("解除理由", "the reason"), &["input", "reason"])?;
    let otherwise = ("这项督办不在执行中", "this supervision is not in force");
    let (mut held, there) = take(acting, action, (SupervisionState::Issued, otherwise)).await?;
    held.writes.update_one(ended(acting, there.id, SupervisionState::Lifted, &reason))?;
    let told = Announcement::of(Event::SupervisionLifted, &reason).with(json!({ "kind": there.kind.to_value() }));
    let warnings = held.tell(acting, told).await?;
    let said = json!({ "supervision": there.id, "reason": reason });
    Ok(Done { key: held.settle_beside(acting, ChangeKind::SupervisionLifted, said).await?, warnings })
}

/// Returns the update that ends a supervision action: as lifted, or as a dismissed proposal.
fn ended(acting: &Acting<'_>, id: i64, state: SupervisionState, reason: &str) -> supervision_action::ActiveModel {
    supervision_action::ActiveModel {
        id: Set(id),
        state: Set(state),
        lifter_id: Set(acting.by.principal.account),
        lifted_at: Set(Some(acting.now)),
        lift_reason: Set(Some(reason.to_owned())),
        ..Default::default()
    }
}

/// A person's decision on a proposed listing or card.
#[derive(Debug, Clone)]
pub struct Decision {
    /// Whether the proposal is adopted (采纳); otherwise it is dismissed.
    pub is_adopted: bool,
    /// The reason for the decision; if the proposal is adopted, the unit reads it as the reason of the supervision.
    pub reason: String,
    /// The local date by which an answer is due; must be `None` if the proposal is dismissed.
    pub answer_by: Option<NaiveDate>,
    /// The number of the document (文号) by which it is issued; must be `None` if the proposal is dismissed.
    pub document_number: Option<String>,
}

/// Adopts or dismisses a listing or a card that the system has proposed.
///
/// An adopted proposal is in force as if a person had issued it, and the unit is notified at once.
pub async fn decide(acting: &Acting<'_>, action: Option<i64>, decision: &Decision) -> Result<Done> {
    let (reason, (), document_number) = fault::all((
        fault::text(&decision.reason, 2..=MAX_WORDS, ("理由", "the reason"), &["input", "reason"]),
        answerable(acting, decision.answer_by),
        document(decision.document_number.as_deref(), decision.is_adopted),
    ))?;
    if !decision.is_adopted && decision.answer_by.is_some() {
        let (zh, en) = ("不采纳的建议没有答复期限，请去掉", "a dismissed proposal has no answer date: leave it out");
        return Err(Fault::invalid(zh, en, &["input", "answerBy"]).into());
    }
    let otherwise = ("这项督办不是待决定的建议", "this supervision is not a pending proposal");
    let (mut held, there) = take(acting, action, (SupervisionState::Proposed, otherwise)).await?;
    let said = json!({
        "supervision": there.id, "kind": there.kind.to_value(), "reason": reason, "answerBy": decision.answer_by,
        "documentNumber": document_number,
    });
    if !decision.is_adopted {
        held.writes.update_one(ended(acting, there.id, SupervisionState::Dismissed, &reason))?;
        return Ok(held.settle_beside(acting, ChangeKind::SupervisionDismissed, said).await?.into());
    }
    if held.row.completed_on.is_some() || workflow::is_settled(held.row.status) {
        let (zh, en) = (
            "整改已完成或已办结，不能再采纳建议",
            "the assignment has been completed or settled in the meantime: dismiss the proposal",
        );
        return Err(Fault::new(FaultCode::WrongState, zh, en, &["input", "isAdopted"]).into());
    }
    if let Some((zh, en)) = doubled(there.kind, &standing(&held).await?) {
        return Err(Fault::new(FaultCode::Conflict, zh, en, &["input", "isAdopted"]).into());
    }
    held.writes.update_one(supervision_action::ActiveModel {
        id: Set(there.id),
        state: Set(SupervisionState::Issued),
        issuer_id: Set(acting.by.principal.account),
        reason: Set(reason.clone()),
        answer_by: Set(decision.answer_by),
        document_number: Set(document_number),
        issued_at: Set(acting.now),
        ..Default::default()
    })?;
    let warnings = held.tell(acting, notice(there.kind, &reason, decision.answer_by, there.id)).await?;
    Ok(Done { key: held.settle_beside(acting, ChangeKind::Supervised, said).await?, warnings })
}

/// Proposes the listing (挂牌督办) of every open assignment that is at least `after` days overdue, once per deadline.
///
/// Each problem takes its own transaction, so that other callers wait for one problem at a time only. Returns the
/// number of proposals made.
///
/// Source: the escalation rule of the domain: a proposal to list after 30 days.
pub async fn propose(acting: &Acting<'_>, rules: &Rules) -> Result<usize> {
    let problems: BTreeSet<i64> =
        unlisted(acting.db, acting, rules, None).await?.into_iter().map(|row| row.problem_id).collect();
    let mut proposed = 0;
    for problem in problems {
        proposed += propose_of(acting, rules, problem).await?;
    }
    Ok(proposed)
}

/// Returns the number of assignments that [`propose`] would propose to list now, without writing anything.
pub async fn to_propose(acting: &Acting<'_>, rules: &Rules) -> Result<usize> {
    Ok(unlisted(acting.db, acting, rules, None).await?.len())
}

/// Proposes the listing of the overdue assignments of one problem and returns the number of proposals.
async fn propose_of(acting: &Acting<'_>, rules: &Rules, problem: i64) -> Result<usize> {
    let transaction = database::begin(acting.db).await?;
    if hold_problem(&transaction, acting.by, "problem", problem).await?.is_none() {
        return Ok(0);
    }
    // Read again: a report, or a proposal by another scheduler, may have come in before the problem was locked.
    let rows = unlisted(&transaction, acting, rules, Some(problem)).await?;
    for row in &rows {
        let days = (acting.today() - row.late_since(acting.zone)).num_days();
        let reason = match row.entered_late_on(acting.zone) {
            Some(_) => format!("台账导入时已逾期，导入{days}天后仍未完成整改，系统建议挂牌督办"),
            None => format!("逾期{days}天仍未完成整改，系统建议挂牌督办"),
        };
        let proposal = Proposal {
            kind: SupervisionKind::List,
            cause: SupervisionCause::Overdue,
            on: Changed { problem, measure: Some(row.measure_id), assignment: row.assignment_id },
            recipient: row.unit_id,
            reason,
        };
        proposal.write(&transaction, acting).await?;
    }
    transaction.commit().await?;
    Ok(rows.len())
}

/// Supervision that the system proposes for a person to decide on.
pub(super) struct Proposal {
    /// The kind of supervision.
    pub(super) kind: SupervisionKind,
    /// Why it is proposed.
    pub(super) cause: SupervisionCause,
    /// The measure or the assignment that it is about.
    pub(super) on: Changed,
    /// The unit to which it would be addressed.
    pub(super) recipient: Option<i64>,
    /// The reason in words, which a decision replaces.
    pub(super) reason: String,
}

impl Proposal {
    /// Writes the proposal, and notes it in the changes and in the audit.
    pub(super) async fn write(self, transaction: &Transaction, acting: &Acting<'_>) -> Result<()> {
        let Self { kind, cause, on, recipient, reason } = self;
        let Some(measure) = on.measure else { return Ok(()) };
        let action = supervision_action::ActiveModel {
            measure_id: Set(measure),
            assignment_id: Set(on.assignment),
            kind: Set(kind),
            state: Set(SupervisionState::Proposed),
            cause: Set(Some(cause)),
            recipient_id: Set(recipient),
            reason: Set(reason.clone()),
            issued_at: Set(acting.now),
            ..Default::default()
        };
        let id = action.insert(transaction).await?.id;
        let mut writes = Writes::default();
        change::write(&mut writes, ChangeKind::SupervisionProposed, on, acting.now);
        let noted = Entry::of(ChangeKind::SupervisionProposed.to_value(), format!("supervision_{id}"))
            .in_problem(on.problem)
            .measure(Some(measure))
            .assignment(on.assignment)
            .changed(json!({}), json!({ "supervision": id, "kind": kind.to_value(), "reason": reason }));
        let end = audit::end(transaction, &noted.chain).await?;
        audit::write(&mut writes, acting.by, noted, end, acting.now)?;
        writes.send(transaction).await
    }
}

/// Returns the open assignments that are overdue, for at least `after` days since their entry, and whose listing (挂牌)
/// was neither proposed nor issued since their deadline, of the whole ledger or of one problem.
async fn unlisted<C: ConnectionTrait>(
    db: &C,
    acting: &Acting<'_>,
    rules: &Rules,
    problem: Option<i64>,
) -> Result<Vec<Open>> {
    let long_ago = calendar::plus_days(acting.today(), -rules.soonest_listing());
    let mut open = Open::due_by(db, long_ago, acting.today(), problem).await?;
    open.retain(|row| {
        let after = rules.of(ReminderKind::Escalation, row.region_id).listing_after;
        row.late_since(acting.zone) <= calendar::plus_days(acting.today(), -after)
    });
    // The delay of an assignment that waits for an office's decision is not the unit's.
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
    let day = |at: &DateTime<Utc>| calendar::local_day(*at, acting.zone);
    open.retain(|row| listed.get(&row.assignment_id).map(day).is_none_or(|day| day <= row.due_by));
    Ok(open)
}
