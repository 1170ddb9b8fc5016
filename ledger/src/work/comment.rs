//! Comments (批示、意见) on measures.

use entity::account::Role;
use entity::{assignment, comment};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};
use serde_json::json;

use super::acting::{Acting, MAX_WORDS, permit};
use super::event::Event;
use super::hold::hold_measure;
use super::settle::settle_measure;
use super::telling::{self, Announcement, Done, Subject};
use crate::Result;
use crate::people::policy::{Act, Reach, Standing};
use crate::record::change::ChangeKind;
use crate::rule::personal;
use crate::rule::workflow;

/// Adds a comment to a measure. If a leader comments (批示), the units of the measure are notified at once: those that
/// still answer, the lead unit and the supervising unit.
pub async fn write(acting: &Acting<'_>, measure: Option<i64>, text: &str) -> Result<Done> {
    let text = personal::public_text(text, 1..=MAX_WORDS, ("意见", "the comment"), &["input", "text"])?;
    let (transaction, found, level) = hold_measure(acting, measure).await?;
    permit(acting, Act::Comment, Standing::of_measure(level, &found))?;
    let row = comment::ActiveModel {
        measure_id: Set(found.id),
        author_id: Set(acting.by.principal.account),
        text: Set(text.clone()),
        written_at: Set(acting.now),
        ..Default::default()
    };
    let id = row.insert(&transaction).await?.id;
    let warnings = if matches!(acting.by.principal.reach, Reach::Role { role: Role::Leader, .. }) {
        let answers =
            assignment::Entity::find().filter(assignment::Column::MeasureId.eq(found.id)).all(&transaction).await?;
        let open = answers.into_iter().filter(|answer| !workflow::is_settled(answer.status));
        let subject = Subject {
            id: format!("measure_{}", found.id),
            act: id,
            answers: open.map(|answer| (answer.unit_id, Some(answer.id))).collect(),
            measure: Some(found.id),
            lead: found.lead_unit_id,
            supervising: found.supervising_unit_id,
            ..Subject::default()
        };
        telling::tell(&transaction, acting, subject, Announcement::of(Event::Commented, &text)).await?
    } else {
        Vec::new()
    };
    let after = json!({ "comment": id });
    settle_measure(acting, transaction, (found.problem_id, found.id), ChangeKind::Commented, (json!({}), after))
        .await?;
    Ok(Done { key: found.id, warnings })
}
