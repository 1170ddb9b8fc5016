//! Describes the items of digests in words, for whoever looks at what a reminder would tell.

use std::collections::HashMap;

use chrono::NaiveDate;
use entity::{assignment, inspection_case, measure, region, unit};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, JoinType, QueryFilter, QuerySelect};

use super::candidate::Matter;
use super::plan::Item;
use crate::Result;

/// An item in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// The local date that it is about.
    pub due_on: NaiveDate,
    /// The number of the measure or complaint case as printed, if it has one.
    pub number: Option<String>,
    /// The text of the measure, the summary of the case, or the name of the region.
    pub text: String,
    /// The name of the unit whose assignment it is; `None` for the measure as a whole or a complaint case.
    pub unit: Option<String>,
}

/// Describes items, in their order, by four statements. Items whose measure, case or region is gone are left out.
pub async fn describe<C: ConnectionTrait>(db: &C, items: &[Item]) -> Result<Vec<Described>> {
    let measures = measure::Entity::find()
        .filter(measure::Column::Id.is_in(items.iter().filter_map(|item| item.matter.measure())))
        .all(db)
        .await?;
    let cases = inspection_case::Entity::find()
        .filter(inspection_case::Column::Id.is_in(items.iter().filter_map(|item| item.matter.case())))
        .all(db)
        .await?;
    let regions = region::Entity::find()
        .filter(region::Column::Id.is_in(items.iter().filter_map(|item| item.matter.region())))
        .all(db)
        .await?;
    let units: Vec<(i64, String)> = assignment::Entity::find()
        .select_only()
        .column(assignment::Column::Id)
        .column(unit::Column::Name)
        .join(
            JoinType::InnerJoin,
            assignment::Entity::belongs_to(unit::Entity).from(assignment::Column::UnitId).to(unit::Column::Id).into(),
        )
        .filter(assignment::Column::Id.is_in(items.iter().filter_map(|item| item.assignment)))
        .into_tuple()
        .all(db)
        .await?;
    let units: HashMap<i64, String> = units.into_iter().collect();
    let of_measures = measures.into_iter().map(|row| (Matter::Measure(row.id), (row.number, row.content)));
    let of_cases = cases.into_iter().map(|row| (Matter::Case(row.id), (Some(row.number), row.summary)));
    let of_regions = regions.into_iter().map(|row| (Matter::Region(row.id), (None, row.name)));
    let words: HashMap<Matter, (Option<String>, String)> = of_measures.chain(of_cases).chain(of_regions).collect();
    let described = items.iter().filter_map(|item| {
        let (number, text) = words.get(&item.matter)?.clone();
        let unit = item.assignment.and_then(|id| units.get(&id).cloned());
        Some(Described { due_on: item.due_on, number, text, unit })
    });
    Ok(described.collect())
}
