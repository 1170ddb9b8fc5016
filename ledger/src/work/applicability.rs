//! Not applicable (不涉及): a unit proposes that a measure is not applicable to it, and the level above decides.

use entity::assignment::Status;
use sea_orm::ActiveValue::Set;
use serde_json::json;

use super::acting::{Acting, MAX_WORDS, is_own};
use super::event::Event;
use super::held::HeldAssignment;
use super::hold::On;
use super::telling::{Announcement, Done};
use crate::Result;
use crate::fault::{self, Fault, FaultCode};
use crate::people::policy::Act;
use crate::record::change::ChangeKind;
use crate::rule::workflow::Step;

/// Proposes that the measure is not applicable to the assigned unit, and notifies the office that decides at once.
pub async fn propose(acting: &Acting<'_>, on: On, reason: &str) -> Result<Done> {
    let reason = fault::text(reason, 2..=MAX_WORDS, ("理由", "the reason"), &["input", "reason"])?;
    let held = HeldAssignment::take(acting, on).await?;
    held.permit(acting, Act::Report)?;
    let mut moved = held.moved(held.step(Step::ProposeNotApplicable)?);
    moved.proposer_id = Set(acting.by.principal.account);
    moved.proposer_actor_id = Set(acting.by.principal.delegate);
    let warnings = held.tell(acting, Announcement::of(Event::NotApplicableProposed, &reason)).await?;
    let said = json!({ "reason": reason });
    Ok(Done { key: held.settle(acting, ChangeKind::NotApplicableProposed, moved, said).await?, warnings })
}

/// Confirms that the measure is not applicable, or that the unit rightly declined (退回) the assignment.
///
/// The assignment no longer counts. The proposer may not confirm it. The unit and the proposer are notified at once.
pub async fn confirm(acting: &Acting<'_>, on: On) -> Result<Done> {
    let held = HeldAssignment::take(acting, on).await?;
    held.permit(acting, Act::Verify)?;
    let is_declined = held.row.status == Status::Assigned && held.row.declined_at.is_some();
    let status = if is_declined { Status::NotApplicable } else { held.step(Step::ConfirmNotApplicable)? };
    not_by_proposer(acting, &held)?;
    let moved = held.moved(status);
    let told = Announcement::of(Event::NotApplicableConfirmed, "").with(json!({ "isDeclined": is_declined }));
    let warnings = held.tell(acting, told.submitted_by(held.row.proposer_id)).await?;
    Ok(Done { key: held.settle(acting, ChangeKind::NotApplicableConfirmed, moved, json!({})).await?, warnings })
}

/// Rejects the proposal that the measure is not applicable, and notifies the assigned unit, the lead unit and the
/// proposer at once.
///
/// The assignment is in progress again if a report was submitted before, else assigned. The proposer may not reject it.
pub async fn reject(acting: &Acting<'_>, on: On, reason: &str) -> Result<Done> {
    let reason = fault::text(reason, 2..=MAX_WORDS, ("理由", "the reason"), &["input", "reason"])?;
    let held = HeldAssignment::take(acting, on).await?;
    held.permit(acting, Act::Verify)?;
    let back = held.step(Step::RejectNotApplicable)?;
    not_by_proposer(acting, &held)?;
    let moved = held.moved(if held.row.reported_on.is_some() { Status::InProgress } else { back });
    let told = Announcement::of(Event::NotApplicableRejected, &reason).submitted_by(held.row.proposer_id);
    let warnings = held.tell(acting, told).await?;
    let said = json!({ "reason": reason });
    Ok(Done { key: held.settle(acting, ChangeKind::NotApplicableRejected, moved, said).await?, warnings })
}

/// Refuses the proposer and their delegate: no one may decide on their own proposal.
fn not_by_proposer(acting: &Acting<'_>, held: &HeldAssignment) -> Result<()> {
    if is_own(acting, [held.row.proposer_id, held.row.proposer_actor_id]) {
        let (zh, en) = (
            "提出人不能认定自己提出的事项，须由他人办理",
            "you made this proposal and may not decide on it: someone else must",
        );
        return Err(Fault::new(FaultCode::NotAllowed, zh, en, &["input"]).into());
    }
    Ok(())
}
