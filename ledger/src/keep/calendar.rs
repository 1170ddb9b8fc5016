//! The days of the working-day calendar that an administrator sets; they take precedence over the announced ones.

use chrono::NaiveDate;
use entity::holiday;
use sea_orm::EntityTrait;
use serde_json::{Value, json};

use super::input::optional_line;
use super::shared::{note_own, permit_anywhere};
use crate::Result;
use crate::fault;
use crate::people::policy::Act;
use crate::record::audit::Entry;
use crate::record::database;
use crate::rule::holiday as rule;
use crate::work::Acting;

fn state(row: Option<&holiday::Model>) -> Value {
    row.map_or_else(|| json!({}), |row| json!({ "isWorking": row.is_working, "name": row.name }))
}

/// Sets whether a local date is a working day, with an optional name; `None` restores the announced calendar.
///
/// A public notice that is already published keeps its last day.
pub async fn set(acting: &Acting<'_>, day: NaiveDate, said: Option<(bool, Option<String>)>) -> Result<()> {
    permit_anywhere(acting, Act::KeepDictionaries)?;
    fault::day(day, ("日期", "the date"), &["input", "day"])?;
    let name = |given| optional_line(given, 20, ("名称", "the name"), "name");
    let said =
        said.map(|(works, given)| Ok::<_, crate::Error>((works, name(given)?.unwrap_or_default()))).transpose()?;
    let transaction = database::begin(acting.db).await?;
    let before = holiday::Entity::find_by_id(day).one(&transaction).await?;
    match said {
        Some((is_working, name)) => rule::set(&transaction, day, is_working, &name).await?,
        None => {
            holiday::Entity::delete_by_id(day).exec(&transaction).await?;
        }
    }
    let after = holiday::Entity::find_by_id(day).one(&transaction).await?;
    if before != after {
        let said = Entry::of("EDITED", format!("calendar_{}", day.format("%Y"))).changed(
            json!({ "day": day, "was": state(before.as_ref()) }),
            json!({ "day": day, "is": state(after.as_ref()) }),
        );
        note_own(&transaction, acting, said).await?;
    }
    Ok(transaction.commit().await?)
}
