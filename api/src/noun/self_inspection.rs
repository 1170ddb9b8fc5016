//! The self-inspections of a year, by unit and quarter: what is owed, told, accepted, acknowledged and done.

use std::collections::HashMap;

use async_graphql::{Context, ID, Object, SimpleObject};
use chrono::Datelike;
use entity::unit;
use ledger::reminder::{Cell, Matrix, matrix};
use ledger::rule::calendar::YEARS;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use crate::context::Request;
use crate::error::masked;
use crate::noun::region::Region;
use crate::part::payload::key_of;

/// The most units of an answer.
const MAX_UNITS: usize = 500;

/// The self-inspections of a unit in a year.
#[derive(SimpleObject)]
pub(crate) struct SelfInspectionRow {
    /// Global id of the unit.
    unit_id: ID,
    /// Name of the unit.
    unit_name: String,
    /// The four quarters of the year, in their order.
    quarters: Vec<SelfInspectionQuarter>,
}

/// The self-inspections of a unit for a quarter. All numbers are of assignments.
#[derive(SimpleObject)]
pub(crate) struct SelfInspectionQuarter {
    /// Quarter of the year, from 1 to 4.
    quarter: i32,
    /// Number to be inspected: open ones without an inspection, and those that were inspected. 0 before the quarter
    /// begins.
    owed_count: i32,
    /// Number of which the unit was told by a mail that waits or was accepted.
    told_count: i32,
    /// Number of which the unit was told by a mail that a server has accepted.
    accepted_count: i32,
    /// Number that the holder of a mail has acknowledged (签收).
    acknowledged_count: i32,
    /// Number that was inspected.
    inspected_count: i32,
    /// Global id of the latest mail that told the unit; null if none did. `requeueMail` sends it again.
    last_mail_id: Option<ID>,
}

impl SelfInspectionQuarter {
    fn of((place, cell): (usize, &Cell)) -> Self {
        let small = |number: i64| i32::try_from(number).unwrap_or(i32::MAX);
        Self {
            quarter: i32::try_from(place + 1).unwrap_or(i32::MAX),
            owed_count: small(cell.owed),
            told_count: small(cell.told),
            accepted_count: small(cell.accepted),
            acknowledged_count: small(cell.acknowledged),
            inspected_count: small(cell.inspected),
            last_mail_id: cell.mail.map(|key| ID(format!("mail_{key}"))),
        }
    }
}

/// Queries on self-inspections.
#[derive(Default)]
pub(crate) struct SelfInspectionQuery;

#[Object]
impl SelfInspectionQuery {
    /// The self-inspections (自查) of a year by unit and quarter, the units with the most that are not done first; at
    /// most 500 units. For administrators, and for regional and city offices in their region; empty for others.
    async fn self_inspections(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Year of the quarters; without it, the current one.")] year: Option<i32>,
        #[graphql(desc = "Global id of the region of the units, with those below it; without it, all, for \
                          administrators.")]
        region_id: Option<ID>,
    ) -> async_graphql::Result<Vec<SelfInspectionRow>> {
        let request = ctx.data::<Request>()?;
        let region = region_id.as_ref().map(key_of::<Region>);
        if region == Some(None) {
            return Ok(Vec::new());
        }
        let year = year.unwrap_or_else(|| request.today().year());
        if !YEARS.contains(&year) {
            return Ok(Vec::new());
        }
        let read = async {
            let found =
                matrix(&request.db, request.principal(), (year, region.flatten()), (request.today(), request.zone))
                    .await?;
            rows(request, found).await
        };
        read.await.map_err(|failure: ledger::Error| masked(&failure))
    }
}

/// Sorts units by what is not done, and adds their names.
async fn rows(request: &Request, found: Matrix) -> ledger::Result<Vec<SelfInspectionRow>> {
    let open = |cells: &[Cell; 4]| cells.iter().map(|cell| cell.owed - cell.inspected).sum::<i64>();
    let mut found: Vec<(i64, [Cell; 4])> = found.into_iter().collect();
    found.sort_by_key(|(unit, cells)| (-open(cells), *unit));
    found.truncate(MAX_UNITS);
    let units = unit::Entity::find().filter(unit::Column::Id.is_in(found.iter().map(|(unit, _)| *unit)));
    let mut names: HashMap<i64, String> =
        units.all(&request.db).await?.into_iter().map(|unit| (unit.id, unit.name)).collect();
    let row = |(unit, cells): (i64, [Cell; 4])| {
        Some(SelfInspectionRow {
            unit_id: ID(format!("unit_{unit}")),
            unit_name: names.remove(&unit)?,
            quarters: cells.iter().enumerate().map(SelfInspectionQuarter::of).collect(),
        })
    };
    Ok(found.into_iter().filter_map(row).collect())
}
