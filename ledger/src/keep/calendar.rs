//! The days of the working-day calendar that people set, for the whole country or for a region; they take precedence
//! over the announced ones.

use chrono::NaiveDate;
use entity::holiday;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::{Value, json};

use super::input::optional_line;
use super::region::live;
use super::shared::{note_own, permit_anywhere};
use crate::Result;
use crate::fault::{self, Thing};
use crate::people::policy::Act;
use crate::record::audit::Entry;
use crate::record::database::{self, Transaction};
use crate::rule::holiday as rule;
use crate::work::Acting;

fn state(row: Option<&holiday::Model>) -> Value {
    row.map_or_else(|| json!({}), |row| json!({ "isWorking": row.is_working, "name": row.name }))
}

/// Sets whether a local date is a working day in a region and below it, or in the whole country, with an optional name;
/// `None` removes what is set there, so that the region above or the announced calendar holds again.
///
/// A public notice that is already published keeps its last day. An administrator sets days everywhere, a regional or
/// city office those of its region and below.
pub async fn set(
    acting: &Acting<'_>,
    (day, region): (NaiveDate, Option<Option<i64>>),
    said: Option<(bool, Option<String>)>,
) -> Result<()> {
    permit_anywhere(acting, Act::KeepCalendar)?;
    fault::day(day, ("日期", "the date"), &["input", "day"])?;
    let name = |given| optional_line(given, 20, ("名称", "the name"), "name");
    let said =
        said.map(|(works, given)| Ok::<_, crate::Error>((works, name(given)?.unwrap_or_default()))).transpose()?;
    let transaction = database::begin(acting.db).await?;
    let region = match region {
        Some(region) => Some(live(&transaction, region).await?),
        None => None,
    };
    if !acting.by.principal.keeps_calendar_of(region.as_ref().map(|region| region.path.as_str())) {
        return Err(fault::unknown(Thing::RegionInReach, &["input", "regionId"]).into());
    }
    let at = (day, region.map(|region| region.id));
    let before = row(&transaction, at).await?;
    match (said, &before) {
        (Some((is_working, name)), _) => rule::set(&transaction, at, is_working, &name).await?,
        (None, Some(there)) => {
            holiday::Entity::delete_by_id(there.id).exec(&transaction).await?;
        }
        (None, None) => {}
    }
    let after = row(&transaction, at).await?;
    if before != after {
        let said = Entry::of("EDITED", format!("calendar_{}", day.format("%Y"))).changed(
            json!({ "day": day, "region": at.1, "was": state(before.as_ref()) }),
            json!({ "day": day, "region": at.1, "is": state(after.as_ref()) }),
        );
        note_own(&transaction, acting, said).await?;
    }
    Ok(transaction.commit().await?)
}

/// Returns what is set for a day of a region, or of the whole country.
async fn row(db: &Transaction, (day, region): (NaiveDate, Option<i64>)) -> Result<Option<holiday::Model>> {
    let of_region = match region {
        Some(region) => holiday::Column::RegionId.eq(region),
        None => holiday::Column::RegionId.is_null(),
    };
    Ok(holiday::Entity::find().filter(holiday::Column::Day.eq(day)).filter(of_region).one(db).await?)
}
