//! The self-inspections of a year by unit and quarter: how many are owed, told, accepted by a mail server, acknowledged
//! and done.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use chrono_tz::Tz;
use entity::region;
use sea_orm::{ConnectionTrait, EntityTrait, FromQueryResult, Statement};

use super::check::self_inspections_owed;
use crate::Result;
use crate::people::policy::Principal;
use crate::rule::calendar::Quarter;

/// The self-inspections of one unit for one quarter. All are numbers of assignments.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cell {
    /// Those that are to be inspected: open ones without an inspection, and those that were inspected.
    pub owed: i64,
    /// Those of which the unit was told by a mail that waits or was accepted.
    pub told: i64,
    /// Those of which it was told by a mail that a server has accepted.
    pub accepted: i64,
    /// Those that the holder of a mail has acknowledged (签收).
    pub acknowledged: i64,
    /// Those that were inspected.
    pub inspected: i64,
    /// The key of the latest mail that told the unit, if any did.
    pub mail: Option<i64>,
}

/// The cells of a year, by the key of the unit, one for each quarter.
pub type Matrix = BTreeMap<i64, [Cell; 4]>;

#[derive(FromQueryResult)]
struct Owed {
    unit: i64,
    number: i64,
}

#[derive(FromQueryResult)]
struct Inspected {
    unit: i64,
    due_on: NaiveDate,
    number: i64,
}

#[derive(FromQueryResult)]
struct Told {
    unit: i64,
    due_on: NaiveDate,
    listed: i64,
    accepted: i64,
    acknowledged: i64,
    mail: Option<i64>,
}

/// Returns the self-inspections of a year, for the quarters that have begun, of units at or below a region, or below
/// that of the caller. Empty where the caller sets no rules of reminders. Takes seven statements.
pub async fn matrix<C: ConnectionTrait>(
    db: &C,
    principal: &Principal,
    (year, region): (i32, Option<i64>),
    (today, zone): (NaiveDate, Tz),
) -> Result<Matrix> {
    let backend = db.get_database_backend();
    let region = match region {
        Some(key) => match region::Entity::find_by_id(key).one(db).await? {
            Some(found) => Some(found),
            None => return Ok(Matrix::new()),
        },
        None => None,
    };
    // Offices see their own region unless they name one.
    let path = region.as_ref().map(|region| region.path.as_str()).or(principal.region().map(|own| own.path.as_str()));
    if !principal.keeps_reminders_of(path) {
        return Ok(Matrix::new());
    }
    let within = format!("{}%", path.unwrap_or_default());
    let of_region = "SELECT u.id FROM unit u JOIN region r ON r.id = u.region_id WHERE r.path LIKE";
    let mut matrix = Matrix::new();
    let quarters = Quarter::of_year(year);
    for (place, quarter) in quarters.iter().enumerate().filter(|(_, quarter)| quarter.first_day() <= today) {
        let Statement { sql, values, .. } = self_inspections_owed(backend, *quarter, zone);
        let mut values = values.map(|values| values.0).unwrap_or_default();
        values.push(within.clone().into());
        let text = format!(
            "SELECT unit, count(DISTINCT assignment) AS number FROM ({sql}) o WHERE unit IN ({of_region} ${}) \
             GROUP BY unit",
            values.len()
        );
        for row in Owed::find_by_statement(Statement::from_sql_and_values(backend, text, values)).all(db).await? {
            matrix.entry(row.unit).or_default()[place].owed = row.number;
        }
    }
    let [first, .., last] = quarters.map(Quarter::last_day);
    let range = || vec![first.into(), last.into(), within.clone().into()];
    let place = |day: NaiveDate| quarters.iter().position(|quarter| quarter.last_day() == day);
    let text = format!(
        "SELECT a.unit_id AS unit, c.due_on, count(*) AS number FROM \"check\" c \
         JOIN assignment a ON a.id = c.assignment_id \
         WHERE c.kind = 'SELF_INSPECTION' AND c.due_on BETWEEN $1 AND $2 AND a.unit_id IN ({of_region} $3) \
         GROUP BY a.unit_id, c.due_on"
    );
    for row in Inspected::find_by_statement(Statement::from_sql_and_values(backend, text, range())).all(db).await? {
        if let Some(place) = place(row.due_on) {
            let cell = &mut matrix.entry(row.unit).or_default()[place];
            cell.inspected = row.number;
            cell.owed += row.number;
        }
    }
    let text = format!(
        "SELECT a.unit_id AS unit, i.due_on, count(DISTINCT i.assignment_id) AS listed, \
         count(DISTINCT CASE WHEN m.state = 'SENT' THEN i.assignment_id END) AS accepted, \
         count(DISTINCT CASE WHEN i.acknowledged_at IS NOT NULL THEN i.assignment_id END) AS acknowledged, \
         max(m.id) AS mail FROM mail m JOIN mail_item i ON i.mail_id = m.id \
         JOIN assignment a ON a.id = i.assignment_id AND (a.unit_id = m.unit_id OR EXISTS ( \
           SELECT 1 FROM unit_address x WHERE x.unit_id = a.unit_id AND x.address = m.recipient)) \
         WHERE m.kind = 'quarterly-self-inspection' AND m.state IN ('QUEUED', 'SENDING', 'SENT') \
         AND i.due_on BETWEEN $1 AND $2 AND a.unit_id IN ({of_region} $3) GROUP BY a.unit_id, i.due_on"
    );
    for row in Told::find_by_statement(Statement::from_sql_and_values(backend, text, range())).all(db).await? {
        if let Some(place) = place(row.due_on) {
            let cell = &mut matrix.entry(row.unit).or_default()[place];
            (cell.told, cell.accepted, cell.acknowledged) = (row.listed, row.accepted, row.acknowledged);
            cell.mail = row.mail;
        }
    }
    Ok(matrix)
}
