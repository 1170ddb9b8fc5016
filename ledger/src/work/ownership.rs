//! Ownership (主责、共性): whether a region is principally responsible for a problem or shares it with others.

use entity::ownership::{self, OwnershipKind};
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveEnum, ActiveValue::Set, EntityTrait};
use serde_json::json;

use super::acting::{Acting, permit};
use super::assigning;
use super::hold::take_problem;
use super::settle::settle_beside;
use crate::Result;
use crate::people::policy::{Act, Standing};
use crate::record::change::ChangeKind;

/// Sets whether a region owns a problem (主责) or shares it (共性); `None` for `kind` removes the entry.
///
/// Returns the key of the problem.
pub async fn set(
    acting: &Acting<'_>,
    problem: Option<i64>,
    place: Option<i64>,
    kind: Option<OwnershipKind>,
) -> Result<i64> {
    let (transaction, problem, level) = take_problem(acting, problem).await?;
    permit(acting, Act::Assign, Standing::of_round(level))?;
    let place = assigning::place(acting, &transaction, place).await?;
    let was = ownership::Entity::find_by_id((problem.id, place.id)).one(&transaction).await?;
    let said =
        |kind: Option<OwnershipKind>| json!({ "region": place.id, "ownership": kind.map(|kind| kind.to_value()) });
    match kind {
        Some(kind) => {
            let row = ownership::ActiveModel { problem_id: Set(problem.id), region_id: Set(place.id), kind: Set(kind) };
            let mut written = OnConflict::columns([ownership::Column::ProblemId, ownership::Column::RegionId]);
            written.update_column(ownership::Column::Kind);
            ownership::Entity::insert(row).on_conflict(written).exec_without_returning(&transaction).await?;
        }
        None => {
            ownership::Entity::delete_by_id((problem.id, place.id)).exec(&transaction).await?;
        }
    }
    let object = (problem.id, None, format!("problem_{}", problem.id));
    let change = (said(was.map(|was| was.kind)), said(kind));
    settle_beside(acting, transaction, object, ChangeKind::Edited, change).await?;
    Ok(problem.id)
}
