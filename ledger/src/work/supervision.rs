//! Supervision (催办、督办、挂牌、约谈): issued by a person, lifted by a person.

use chrono::NaiveDate;
use entity::supervision_action::{self, SupervisionKind, SupervisionState};
use sea_orm::{ActiveEnum, ActiveModelTrait, ActiveValue::Set, EntityTrait};
use serde_json::json;

use super::{Desk, Done, Held, MAX_WORDS, On, Told, in_sight};
use crate::Result;
use crate::change::ChangeKind;
use crate::fault::{self, Fault, FaultCode};
use crate::policy::Act;

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

/// Issues supervision of an assignment; the answering unit and the lead unit are told at once.
pub async fn issue(desk: &Desk<'_>, on: On, new: &New) -> Result<Done> {
    let reason = fault::text(&new.reason, 2..=MAX_WORDS, ("督办事由", "the reason"), &["input", "reason"])?;
    new.answer_by.map(|day| fault::day(day, ("答复期限", "the answer"), &["input", "answerBy"])).transpose()?;
    if new.answer_by.is_some_and(|day| day < desk.today()) {
        let (zh, en) = ("答复期限不能早于今天", "an answer cannot be due before today");
        return Err(Fault::invalid(zh, en, &["input", "answerBy"]).into());
    }
    let held = Held::take(desk, on).await?;
    held.permit(desk, act(new.kind))?;
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
    let headline = match new.kind {
        SupervisionKind::Urge => "催办",
        SupervisionKind::Supervise => "督办",
        SupervisionKind::List => "挂牌督办",
        SupervisionKind::Summon => "约谈",
    };
    let warnings = held.tell(desk, &Told { kind: "supervision", headline, why: &reason, submitter: None }).await?;
    let said = json!({ "supervision": id, "kind": new.kind.to_value(), "reason": reason });
    Ok(Done { key: held.settle_beside(desk, ChangeKind::Supervised, said).await?, warnings })
}

/// Lifts supervision.
pub async fn lift(desk: &Desk<'_>, action: Option<i64>, reason: &str) -> Result<i64> {
    let reason = fault::text(reason, 2..=MAX_WORDS, ("解除理由", "the reason"), &["input", "reason"])?;
    let unknown =
        || Fault::new(FaultCode::NotFound, "没有这项督办", "there is no such supervision", &["input", "actionId"]);
    let found = match action {
        Some(id) => {
            in_sight::<supervision_action::Entity>(desk, "supervision_action", id).await?.ok_or_else(unknown)?
        }
        None => return Err(unknown().into()),
    };
    let mut held = match Held::take(desk, On { assignment: found.assignment_id, version: None }).await {
        Err(crate::Error::Refused(_)) => return Err(unknown().into()),
        held => held?,
    };
    held.permit(desk, act(found.kind))?;
    let there = supervision_action::Entity::find_by_id(found.id).one(&held.transaction).await?.ok_or_else(unknown)?;
    if there.state != SupervisionState::Issued {
        let (zh, en) = ("这项督办已不在执行中", "it is not in force");
        return Err(Fault::new(FaultCode::WrongState, zh, en, &["input", "actionId"]).into());
    }
    let change = supervision_action::ActiveModel {
        id: Set(there.id),
        state: Set(SupervisionState::Lifted),
        lifter_id: Set(desk.by.principal.account),
        lifted_at: Set(Some(desk.now)),
        lift_reason: Set(Some(reason.clone())),
        ..Default::default()
    };
    held.writes.update_one(change)?;
    held.settle_beside(desk, ChangeKind::SupervisionLifted, json!({ "supervision": there.id, "reason": reason })).await
}
