//! Close-out (销号) of assignments.
//!
//! A cycle runs from the application through verification or return, public notice (公示) and objections (异议) to the
//! decision. A closed cycle is never changed, except to record a relapse (反弹); the next application then starts a new
//! cycle.

use chrono::NaiveDate;
use entity::check::{self, CheckKind, CheckResult};
use entity::close_out::{self, CloseOutState};
use entity::{evidence, objection};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
};
use serde_json::json;

use super::acting::{Acting, MAX_WORDS, is_own};
use super::event::Event;
use super::held::HeldAssignment;
use super::hold::{On, in_sight};
use super::telling::{Announcement, Done};
use crate::Result;
use crate::fault::{self, Fault, FaultCode, Thing};
use crate::people::policy::Act;
use crate::record::change::ChangeKind;
use crate::rule::calendar;
use crate::rule::holiday::WorkingDays;
use crate::rule::personal;
use crate::rule::workflow::Step;

/// The permitted length of a public notice (公示), in working days.
const NOTICE_DAYS: std::ops::RangeInclusive<i64> = 5..=10;

/// Applies for close-out (提请销号).
///
/// Requires at least one piece of evidence, and that the latest self-inspection passed; after a relapse, a new one.
/// Unless a completion date was reported before, the assignment is completed today. The office that verifies is told at
/// once.
pub async fn apply(acting: &Acting<'_>, on: On, application: &str) -> Result<Done> {
    let application =
        fault::text(application, 2..=MAX_WORDS, ("销号申请", "the application"), &["input", "application"])?;
    let mut held = HeldAssignment::take(acting, on).await?;
    held.permit(acting, Act::ApplyForCloseOut)?;
    let status = held.step(Step::Submit)?;
    let proofs = evidence::Entity::find()
        .filter(evidence::Column::AssignmentId.eq(held.row.id))
        .count(&held.transaction)
        .await?;
    let inspection = check::Entity::find()
        .filter(check::Column::AssignmentId.eq(held.row.id))
        .filter(check::Column::Kind.eq(CheckKind::SelfInspection))
        .order_by_desc(check::Column::DueOn)
        .order_by_desc(check::Column::Id)
        .one(&held.transaction)
        .await?;
    let mut faults = Vec::new();
    let mut need =
        |zh: &str, en: &str| faults.push(Fault::new(FaultCode::WrongState, zh, en, &["input", "assignmentId"]));
    if proofs == 0 {
        need("提请销号前须上传佐证材料", "upload evidence before applying for close-out");
    }
    let last = current(&held).await?;
    // A self-inspection from before a relapse says nothing about the work done since.
    let since = last.as_ref().and_then(|last| last.reopened_at).map(|at| calendar::local_day(at, acting.zone));
    let passed = |check: &check::Model| {
        check.result == CheckResult::Passed && since.is_none_or(|since| check.checked_on >= since)
    };
    if !inspection.as_ref().is_some_and(passed) {
        need(
            "提请销号前最近一次自查须为通过，反弹后须重新自查",
            "the latest self-inspection must have passed before applying for close-out; after a relapse, a new one is \
             required",
        );
    }
    if !faults.is_empty() {
        return Err(crate::Error::Refused(faults));
    }
    let cycle = last.as_ref().map_or(1, |last| last.cycle + 1);
    let row = close_out::ActiveModel {
        assignment_id: Set(held.row.id),
        cycle: Set(cycle),
        state: Set(CloseOutState::Applied),
        application: Set(application.clone()),
        applicant_id: Set(acting.by.principal.account),
        applicant_actor_id: Set(acting.by.principal.delegate),
        applied_at: Set(acting.now),
        ..Default::default()
    };
    held.writes.insert_one(row);
    let mut moved = held.moved(status);
    moved.completed_on = Set(held.row.completed_on.or(Some(acting.today())));
    let warnings = held.tell(acting, Announcement::of(Event::Applied, &application)).await?;
    let said = json!({ "cycle": cycle });
    Ok(Done { key: held.settle(acting, ChangeKind::CloseOutApplied, moved, said).await?, warnings })
}

/// Verifies an application (核查通过), and notifies whoever may publish the notice next, the unit and the applicant at
/// once.
///
/// The applicant may not verify it.
pub async fn verify(acting: &Acting<'_>, on: On, opinion: &str) -> Result<Done> {
    let opinion = fault::text(opinion, 2..=MAX_WORDS, ("核查意见", "the opinion"), &["input", "opinion"])?;
    let mut held = HeldAssignment::take(acting, on).await?;
    held.permit(acting, Act::Verify)?;
    let status = held.step(Step::Verify)?;
    let cycle = running(&held).await?;
    not_by_applicant(acting, &cycle)?;
    let mut change = close_out::ActiveModel { id: Set(cycle.id), ..Default::default() };
    change.state = Set(CloseOutState::Verified);
    change.opinion = Set(Some(opinion.clone()));
    change.verifier_id = Set(acting.by.principal.account);
    change.verified_at = Set(Some(acting.now));
    held.writes.update_one(change)?;
    let moved = held.moved(status);
    let told = Announcement::of(Event::Verified, &opinion).submitted_by(cycle.applicant_id);
    let warnings = held.tell(acting, told).await?;
    let said = json!({ "cycle": cycle.cycle });
    Ok(Done { key: held.settle(acting, ChangeKind::Verified, moved, said).await?, warnings })
}

/// Returns an application (退回) and notifies the assigned unit, the lead unit and the applicant at once.
///
/// The applicant may not return it. The completion date of the assignment is cleared.
pub async fn send_back(acting: &Acting<'_>, on: On, reason: &str) -> Result<Done> {
    let reason = fault::text(reason, 2..=MAX_WORDS, ("退回原因", "the reason"), &["input", "reason"])?;
    let mut held = HeldAssignment::take(acting, on).await?;
    held.permit(acting, Act::Verify)?;
    let status = held.step(Step::Return)?;
    let cycle = running(&held).await?;
    not_by_applicant(acting, &cycle)?;
    let mut change = close_out::ActiveModel { id: Set(cycle.id), ..Default::default() };
    change.state = Set(CloseOutState::Returned);
    change.opinion = Set(Some(reason.clone()));
    change.verifier_id = Set(acting.by.principal.account);
    change.verified_at = Set(Some(acting.now));
    held.writes.update_one(change)?;
    let mut moved = held.moved(status);
    moved.completed_on = Set(None);
    moved.is_completed_by = Set(false);
    let told = Announcement::of(Event::Returned, &reason).submitted_by(cycle.applicant_id);
    let warnings = held.tell(acting, told).await?;
    let said = json!({ "cycle": cycle.cycle, "reason": reason });
    Ok(Done { key: held.settle(acting, ChangeKind::Returned, moved, said).await?, warnings })
}

/// A public notice (公示) to publish.
#[derive(Debug, Clone)]
pub struct Notice {
    /// The text of the notice.
    pub text: String,
    /// The office that receives objections, with its address or telephone number; never a person.
    pub contact: String,
    /// The length of the notice period in working days after today, from 5 to 10.
    pub working_days: i64,
}

fn notice_period(working_days: i64) -> Result<(), Fault> {
    if NOTICE_DAYS.contains(&working_days) {
        return Ok(());
    }
    let (least, most) = (NOTICE_DAYS.start(), NOTICE_DAYS.end());
    let zh = format!("公示期应为 {least} 至 {most} 个工作日");
    let en = format!("the notice period must be {least} to {most} working days");
    Err(Fault::invalid(zh, en, &["input", "workingDays"]))
}

/// Starts the public notice (公示) of a verified close-out, and notifies the unit and the applicant at once.
pub async fn publicise(acting: &Acting<'_>, on: On, notice: &Notice) -> Result<Done> {
    let what = ("受理单位及联系方式", "the contact");
    let (text, contact, ()) = fault::all((
        personal::public_text(&notice.text, 2..=MAX_WORDS, ("公示内容", "the notice"), &["input", "text"]),
        personal::public_line(&notice.contact, 2..=200, what, &["input", "contact"]),
        notice_period(notice.working_days),
    ))?;
    let mut held = HeldAssignment::take(acting, on).await?;
    held.permit(acting, Act::Publicise)?;
    let status = held.step(Step::Publicise)?;
    let cycle = running(&held).await?;
    let calendar = WorkingDays::read(&held.transaction, Some(held.row.region_id)).await?;
    let until = calendar.after(acting.today(), notice.working_days)?;
    let mut change = close_out::ActiveModel { id: Set(cycle.id), ..Default::default() };
    change.state = Set(CloseOutState::Publicised);
    change.notice = Set(Some(text.clone()));
    change.contact = Set(Some(contact));
    change.notice_from = Set(Some(acting.today()));
    change.notice_until = Set(Some(until));
    change.publisher_id = Set(acting.by.principal.account);
    held.writes.update_one(change)?;
    let moved = held.moved(status);
    let said = json!({ "cycle": cycle.cycle, "noticeFrom": acting.today(), "noticeUntil": until });
    let told = Announcement::of(Event::Publicised, &text).with(json!({ "noticeUntil": until }));
    let warnings = held.tell(acting, told.submitted_by(cycle.applicant_id)).await?;
    Ok(Done { key: held.settle(acting, ChangeKind::Publicised, moved, said).await?, warnings })
}

/// Records an objection (异议) that was received during the notice period.
///
/// `received_on` is a local date, not after today; `None` means today. The objector is not recorded. The assigned unit,
/// the lead unit, the applicant and the office that decides are notified at once.
pub async fn object(acting: &Acting<'_>, on: On, text: &str, received_on: Option<NaiveDate>) -> Result<Done> {
    let received_on = received_on.unwrap_or_else(|| acting.today());
    let path = ["input", "receivedOn"];
    let (text, ()) = fault::all((
        personal::text(text, 2..=MAX_WORDS, ("异议内容", "the objection"), &["input", "text"]),
        fault::past_day(received_on, acting.today(), ("收到异议的日期", "the date of receipt"), &path),
    ))?;
    let held = HeldAssignment::take(acting, on).await?;
    held.permit(acting, Act::Publicise)?;
    held.step(Step::UpholdObjection)?;
    let cycle = running(&held).await?;
    if let (Some(from), Some(until)) = (cycle.notice_from, cycle.notice_until)
        && !(from..=until).contains(&received_on)
    {
        let zh = format!("公示期为 {from} 至 {until}，只登记期内收到的异议；其后发现问题，请在销号后按反弹处理");
        let en = format!(
            "the notice period is {from} to {until}; only objections received within it are recorded, later findings \
             are reported as a relapse after close-out"
        );
        return Err(Fault::new(FaultCode::WrongState, zh, en, &path).into());
    }
    let recorded: Vec<String> = objection::Entity::find()
        .select_only()
        .column(objection::Column::Text)
        .filter(objection::Column::CloseOutId.eq(cycle.id))
        .into_tuple()
        .all(&held.transaction)
        .await?;
    if recorded.iter().any(|one| fault::says_the_same(one, &text)) {
        let (zh, en) = ("同样内容的异议已经登记", "an objection with the same text has already been recorded");
        return Err(Fault::new(FaultCode::Conflict, zh, en, &["input", "text"]).into());
    }
    let row = objection::ActiveModel {
        close_out_id: Set(cycle.id),
        text: Set(text.clone()),
        recorder_id: Set(acting.by.principal.account),
        raised_at: Set(acting.now),
        received_on: Set(Some(received_on)),
        ..Default::default()
    };
    let objection = row.insert(&held.transaction).await?.id;
    let told = Announcement::of(Event::Objected, &text).with(json!({ "objection": objection }));
    let told = told.submitted_by(cycle.applicant_id);
    let warnings = held.tell(acting, told).await?;
    let said = json!({ "objection": objection, "cycle": cycle.cycle, "receivedOn": received_on });
    Ok(Done { key: held.settle_beside(acting, ChangeKind::Objected, said).await?, warnings })
}

/// Decides an objection (异议). The applicant may not decide it.
///
/// If the objection is upheld, the assignment is in progress again, its completion date is cleared, and its notice is
/// withdrawn from the public. If it is rejected, the notice period continues. The assigned unit, the lead unit and the
/// applicant are notified at once either way.
pub async fn decide_objection(
    acting: &Acting<'_>,
    objection: Option<i64>,
    is_upheld: bool,
    answer: &str,
) -> Result<Done> {
    let answer = fault::text(answer, 2..=MAX_WORDS, ("答复", "the answer"), &["input", "answer"])?;
    let unknown = || fault::unknown(Thing::Objection, &["input", "objectionId"]);
    let found = match objection {
        Some(id) => in_sight::<objection::Entity>(acting, "objection", id).await?.ok_or_else(unknown)?,
        None => return Err(unknown().into()),
    };
    let cycle = close_out::Entity::find_by_id(found.close_out_id).one(acting.db).await?.ok_or_else(unknown)?;
    // An assignment that the caller may not see is reported like a missing objection.
    let mut held = match HeldAssignment::take(acting, On { assignment: Some(cycle.assignment_id), version: None }).await
    {
        Err(crate::Error::Refused(_)) => return Err(unknown().into()),
        held => held?,
    };
    held.permit(acting, Act::DecideObjection)?;
    not_by_applicant(acting, &cycle)?;
    let there = objection::Entity::find_by_id(found.id).one(&held.transaction).await?.ok_or_else(unknown)?;
    if there.decided_at.is_some() {
        let (zh, en) = ("这项异议已有结论", "this objection has already been decided");
        return Err(Fault::new(FaultCode::WrongState, zh, en, &["input", "objectionId"]).into());
    }
    let change = objection::ActiveModel {
        id: Set(there.id),
        is_upheld: Set(Some(is_upheld)),
        answer: Set(Some(answer.clone())),
        decider_id: Set(acting.by.principal.account),
        decided_at: Set(Some(acting.now)),
        ..Default::default()
    };
    held.writes.update_one(change)?;
    let said = json!({ "objection": there.id, "isUpheld": is_upheld });
    if !is_upheld {
        let told = Announcement::of(Event::ObjectionRejected, &answer).submitted_by(cycle.applicant_id);
        let warnings = held.tell(acting, told).await?;
        return Ok(Done { key: held.settle_beside(acting, ChangeKind::ObjectionDecided, said).await?, warnings });
    }
    let status = held.step(Step::UpholdObjection)?;
    let mut change = close_out::ActiveModel { id: Set(cycle.id), ..Default::default() };
    change.state = Set(CloseOutState::Objected);
    // The objection was right, so the notice must no longer be public.
    change.disclosed_at = Set(None);
    held.writes.update_one(change)?;
    let mut moved = held.moved(status);
    moved.completed_on = Set(None);
    moved.is_completed_by = Set(false);
    let told = Announcement::of(Event::ObjectionUpheld, &answer).submitted_by(cycle.applicant_id);
    let warnings = held.tell(acting, told).await?;
    Ok(Done { key: held.settle(acting, ChangeKind::ObjectionDecided, moved, said).await?, warnings })
}

/// Closes an assignment (销号) after its notice period, once all objections are decided.
///
/// An assignment to an ongoing measure (长期坚持) becomes closed as ongoing: its checks continue. The applicant may not
/// close it. The assigned unit, the lead unit and the applicant are notified at once.
pub async fn close(acting: &Acting<'_>, on: On, decision: &str) -> Result<Done> {
    let decision = fault::text(decision, 2..=MAX_WORDS, ("销号意见", "the decision"), &["input", "decision"])?;
    let mut held = HeldAssignment::take(acting, on).await?;
    held.permit(acting, Act::Close)?;
    let step = if held.measure.due_ongoing { Step::CloseOngoing } else { Step::Close };
    let status = held.step(step)?;
    let cycle = running(&held).await?;
    not_by_applicant(acting, &cycle)?;
    let open = objection::Entity::find()
        .filter(objection::Column::CloseOutId.eq(cycle.id))
        .filter(objection::Column::DecidedAt.is_null())
        .count(&held.transaction)
        .await?;
    let wrong = |zh: String, en: String| Fault::new(FaultCode::WrongState, zh, en, &["input", "assignmentId"]);
    if open > 0 {
        return Err(wrong(format!("尚有 {open} 项异议未作结论"), format!("objections not yet decided: {open}")).into());
    }
    if let Some(until) = cycle.notice_until.filter(|until| acting.today() <= *until) {
        return Err(wrong(
            format!("公示期至 {until}，期满后方可销号"),
            format!("the notice period ends on {until}: close the assignment after that"),
        )
        .into());
    }
    let mut change = close_out::ActiveModel { id: Set(cycle.id), ..Default::default() };
    change.state = Set(CloseOutState::Closed);
    change.decision = Set(Some(decision.clone()));
    change.closer_id = Set(acting.by.principal.account);
    change.closed_on = Set(Some(acting.today()));
    held.writes.update_one(change)?;
    let mut moved = held.moved(status);
    moved.completed_on = Set(held.row.completed_on.or(Some(acting.today())));
    let told = Announcement::of(Event::Closed, &decision).with(json!({ "isOngoing": held.measure.due_ongoing }));
    let warnings = held.tell(acting, told.submitted_by(cycle.applicant_id)).await?;
    let said = json!({ "cycle": cycle.cycle });
    Ok(Done { key: held.settle(acting, ChangeKind::Closed, moved, said).await?, warnings })
}

/// Reopens a closed assignment after a relapse (反弹).
///
/// Its notice is withdrawn from the public, its completion date is cleared, and the assigned unit, the lead unit and
/// the applicant are notified at once.
pub async fn reopen(acting: &Acting<'_>, on: On, reason: &str) -> Result<Done> {
    let reason = fault::text(reason, 2..=MAX_WORDS, ("反弹情况", "the relapse"), &["input", "reason"])?;
    let mut held = HeldAssignment::take(acting, on).await?;
    held.permit(acting, Act::Reopen)?;
    let status = held.step(Step::Reopen)?;
    let cycle = current(&held).await?;
    if let Some(cycle) = &cycle {
        let mut change = close_out::ActiveModel { id: Set(cycle.id), ..Default::default() };
        change.state = Set(CloseOutState::Reopened);
        change.relapse = Set(Some(reason.clone()));
        change.reopened_at = Set(Some(acting.now));
        // The notice no longer describes the facts.
        change.disclosed_at = Set(None);
        held.writes.update_one(change)?;
    }
    let mut moved = held.moved(status);
    moved.completed_on = Set(None);
    moved.is_completed_by = Set(false);
    let submitter = cycle.as_ref().and_then(|cycle| cycle.applicant_id);
    let warnings = held.tell(acting, Announcement::of(Event::Reopened, &reason).submitted_by(submitter)).await?;
    Ok(Done { key: held.settle(acting, ChangeKind::Reopened, moved, json!({ "reason": reason })).await?, warnings })
}

/// Makes the notice of a close-out public without sign-in, or withdraws it from the public if `is_public` is false.
///
/// This is an act of its own, so that nothing becomes public automatically.
pub async fn disclose(acting: &Acting<'_>, on: On, is_public: bool) -> Result<i64> {
    let mut held = HeldAssignment::take(acting, on).await?;
    held.permit(acting, Act::Disclose)?;
    let cycle = running(&held).await?;
    let stands = matches!(cycle.state, CloseOutState::Publicised | CloseOutState::Closed);
    if is_public && !stands {
        let (zh, en) = (
            "没有公示中或已销号的公示，不能公开",
            "only the notice of a publicised or closed close-out can be made public",
        );
        return Err(Fault::new(FaultCode::WrongState, zh, en, &["input", "assignmentId"]).into());
    }
    let mut change = close_out::ActiveModel { id: Set(cycle.id), ..Default::default() };
    change.disclosed_at = Set(is_public.then_some(acting.now));
    change.discloser_id = Set(acting.by.principal.account.filter(|_| is_public));
    held.writes.update_one(change)?;
    held.settle_beside(acting, ChangeKind::Disclosed, json!({ "cycle": cycle.cycle, "isPublic": is_public })).await
}

/// Returns the newest close-out cycle of an assignment.
async fn current(held: &HeldAssignment) -> Result<Option<close_out::Model>> {
    let found = close_out::Entity::find()
        .filter(close_out::Column::AssignmentId.eq(held.row.id))
        .order_by_desc(close_out::Column::Cycle)
        .one(&held.transaction)
        .await?;
    Ok(found)
}

/// Returns the newest close-out cycle of an assignment whose status implies that there is one.
///
/// It is missing only if the status was stated by an imported ledger, which is an error for the caller.
async fn running(held: &HeldAssignment) -> Result<close_out::Model> {
    current(held).await?.map_or_else(
        || {
            let (zh, en) =
                ("没有销号申请记录：请先提请销号", "there is no application for close-out: apply for close-out first");
            Err(Fault::new(FaultCode::WrongState, zh, en, &["input", "assignmentId"]).into())
        },
        Ok,
    )
}

/// Refuses the applicant and their delegate: no one may decide on their own application.
fn not_by_applicant(acting: &Acting<'_>, cycle: &close_out::Model) -> Result<()> {
    if is_own(acting, [cycle.applicant_id, cycle.applicant_actor_id]) {
        let (zh, en) = (
            "申请人不能审核自己的申请，须由他人办理",
            "you applied for this close-out and may not decide on it: someone else must",
        );
        return Err(Fault::new(FaultCode::NotAllowed, zh, en, &["input"]).into());
    }
    Ok(())
}
