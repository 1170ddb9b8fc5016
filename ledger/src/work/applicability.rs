//! 不涉及: a body says that a measure does not concern it, and the level above decides.

use entity::assignment::Status;
use serde_json::json;

use super::{Desk, Done, Held, MAX_WORDS, On, Told};
use crate::Result;
use crate::change::ChangeKind;
use crate::fault;
use crate::policy::Act;
use crate::workflow::Step;

/// Proposes that the measure does not concern the answering body.
pub async fn propose(desk: &Desk<'_>, on: On, reason: &str) -> Result<i64> {
    let reason = fault::text(reason, 2..=MAX_WORDS, ("理由", "the reason"), &["input", "reason"])?;
    let held = Held::take(desk, on).await?;
    held.permit(desk, Act::Report)?;
    let moved = held.moved(held.step(Step::ProposeNotApplicable)?);
    held.settle(desk, ChangeKind::NotApplicableProposed, moved, json!({ "reason": reason })).await
}

/// Confirms it: the assignment counts no more. Also confirms what a body has declined (退回).
pub async fn confirm(desk: &Desk<'_>, on: On) -> Result<i64> {
    let held = Held::take(desk, on).await?;
    held.permit(desk, Act::Verify)?;
    let is_declined = held.row.status == Status::Assigned && held.row.declined_at.is_some();
    let status = if is_declined { Status::NotApplicable } else { held.step(Step::ConfirmNotApplicable)? };
    let moved = held.moved(status);
    held.settle(desk, ChangeKind::NotApplicableConfirmed, moved, json!({})).await
}

/// Does not accept it: the body has to answer.
pub async fn reject(desk: &Desk<'_>, on: On, reason: &str) -> Result<Done> {
    let reason = fault::text(reason, 2..=MAX_WORDS, ("理由", "the reason"), &["input", "reason"])?;
    let held = Held::take(desk, on).await?;
    held.permit(desk, Act::Verify)?;
    let back = held.step(Step::RejectNotApplicable)?;
    let moved = held.moved(if held.row.reported_on.is_some() { Status::InProgress } else { back });
    let told = Told { kind: "returned", headline: "不涉及未获认定", why: &reason, submitter: None };
    let warnings = held.tell(desk, &told).await?;
    let said = json!({ "reason": reason });
    Ok(Done { key: held.settle(desk, ChangeKind::NotApplicableRejected, moved, said).await?, warnings })
}
