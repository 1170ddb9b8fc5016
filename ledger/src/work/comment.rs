//! Comments (批示、意见) on measures.

use entity::comment;
use sea_orm::{ActiveModelTrait, ActiveValue::Set};
use serde_json::json;

use super::acting::{Acting, MAX_WORDS, permit};
use super::hold::hold_measure;
use super::settle::settle_measure;
use crate::Result;
use crate::people::policy::{Act, Standing};
use crate::record::change::ChangeKind;
use crate::rule::personal;

/// Adds a comment to a measure and returns the key of the measure.
pub async fn write(acting: &Acting<'_>, measure: Option<i64>, text: &str) -> Result<i64> {
    let text = personal::public_text(text, 1..=MAX_WORDS, ("意见", "the comment"), &["input", "text"])?;
    let (transaction, found, level) = hold_measure(acting, measure).await?;
    permit(acting, Act::Comment, Standing::of_measure(level, &found))?;
    let row = comment::ActiveModel {
        measure_id: Set(found.id),
        author_id: Set(acting.by.principal.account),
        text: Set(text),
        written_at: Set(acting.now),
        ..Default::default()
    };
    let id = row.insert(&transaction).await?.id;
    let after = json!({ "comment": id });
    settle_measure(acting, transaction, (found.problem_id, found.id), ChangeKind::Commented, (json!({}), after))
        .await?;
    Ok(found.id)
}
