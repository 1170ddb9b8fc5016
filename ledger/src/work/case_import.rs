//! Complaint cases from published lists (边督边改公开情况一览表): inserted as the list states them.

use chrono::{DateTime, NaiveDate, Utc};
use entity::case_pollution::{self, Pollution};
use entity::case_report::{self, CaseStep};
use entity::inspection_case::{self, CaseState, Channel, Finding, Handling};
use entity::{case_unit, region};
use sea_orm::{ActiveEnum, ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};
use serde_json::json;

use crate::Result;
use crate::record::audit::{self, By, Entry};
use crate::record::change::{self, ChangeKind};
use crate::record::concern::{self, Concern};
use crate::record::database::{self, Transaction};
use crate::record::writes::Writes;

/// A case as a list states it.
#[derive(Debug, Clone)]
pub struct StatedCase {
    /// Number of the case as printed.
    pub number: String,
    /// How the complaint was received.
    pub channel: Channel,
    /// Whether it is a key case (重点案件).
    pub is_key: bool,
    /// Batch in which the inspection handed it over (批次), as printed.
    pub batch: Option<String>,
    /// How soon it has to be handled (办理类型).
    pub handling: Option<Handling>,
    /// Number of the earlier case that it repeats (重复件).
    pub repeat_of: Option<String>,
    /// What the complaint is about.
    pub summary: String,
    /// Region that has to rectify it.
    pub region: region::Model,
    /// Lead unit (主办单位).
    pub lead_unit: i64,
    /// Assisting units (协办单位), each once and without the lead unit.
    pub assisting: Vec<i64>,
    /// Kinds of pollution, each once.
    pub pollution: Vec<Pollution>,
    /// Local date on which the case was handed over.
    pub handed_over_on: NaiveDate,
    /// Local date by which the case is to be resolved.
    pub due_on: NaiveDate,
    /// State of the case.
    pub state: CaseState,
    /// Whether the complaint was found to be true.
    pub finding: Option<Finding>,
    /// Local date by which the list says that the case is resolved.
    pub resolved_on: Option<NaiveDate>,
    /// Reports in order: what the investigation found, and what was done.
    pub reports: Vec<(CaseStep, String)>,
}

/// What an import of cases has done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Imported {
    /// The number of cases that the round did not have.
    pub new: usize,
    /// The new cases whose earlier case was not found, or not as the only one: their numbers, each with the number that
    /// it was looked for by.
    pub unknown_repeats: Vec<(String, String)>,
}

/// Inserts the cases that the round does not have yet.
pub async fn import(
    db: &Transaction,
    by: &By,
    round: i64,
    mut cases: Vec<StatedCase>,
    now: DateTime<Utc>,
) -> Result<Imported> {
    let mut done = Imported::default();
    // A case comes after the one that it repeats, even if its list has them in another order.
    cases.sort_by_key(|case| (case.handed_over_on, case.repeat_of.is_some()));
    for case in &cases {
        let known = inspection_case::Entity::find()
            .filter(inspection_case::Column::RoundId.eq(round))
            .filter(inspection_case::Column::RegionId.eq(case.region.id))
            .filter(inspection_case::Column::Number.eq(&case.number));
        if known.one(db).await?.is_some() {
            continue;
        }
        let earlier = match &case.repeat_of {
            Some(number) => earlier(db, round, case, number).await?,
            None => None,
        };
        if let (Some(number), None) = (&case.repeat_of, earlier) {
            done.unknown_repeats.push((case.number.clone(), number.clone()));
        }
        let row = inspection_case::ActiveModel {
            round_id: Set(round),
            region_id: Set(case.region.id),
            number: Set(case.number.clone()),
            channel: Set(case.channel),
            is_key: Set(case.is_key),
            batch: Set(case.batch.clone()),
            handling: Set(case.handling),
            repeat_of_id: Set(earlier),
            summary: Set(case.summary.clone()),
            lead_unit_id: Set(case.lead_unit),
            handed_over_on: Set(case.handed_over_on),
            due_on: Set(case.due_on),
            state: Set(case.state),
            finding: Set(case.finding),
            resolved_on: Set(case.resolved_on),
            version: Set(1),
            created_at: Set(now),
            updated_at: Set(now),
            ..Default::default()
        };
        let row = row.insert(db).await?;
        let kinds = case.pollution.iter();
        let kinds = kinds.map(|kind| case_pollution::ActiveModel { case_id: Set(row.id), kind: Set(*kind) });
        database::insert_all(db, kinds).await?;
        let units = case.assisting.iter();
        let units = units.map(|unit| case_unit::ActiveModel { case_id: Set(row.id), unit_id: Set(*unit) });
        database::insert_all(db, units).await?;
        let reports = case.reports.iter().map(|(step, text)| case_report::ActiveModel {
            case_id: Set(row.id),
            step: Set(*step),
            text: Set(Some(text.clone())),
            finding: Set(if *step == CaseStep::Report { None } else { case.finding }),
            written_at: Set(now),
            ..Default::default()
        });
        database::insert_all(db, reports).await?;
        let lineage = crate::region::lineage(&case.region.path);
        concern::cases(db, &[Concern { id: row.id, due_order: case.due_on, lineage }]).await?;
        let mut writes = Writes::default();
        change::write_case(&mut writes, ChangeKind::Imported, row.id, now);
        let noted = Entry::of(ChangeKind::Imported.to_value(), format!("case_{}", row.id));
        let noted = noted.changed(json!({}), audit::kept::case(&row));
        let end = audit::end(db, &noted.chain).await?;
        audit::write(&mut writes, by, noted, end, now)?;
        writes.send(db).await?;
        done.new += 1;
    }
    Ok(done)
}

/// Returns the key of the case of the round with a number that a case repeats: one that was handed over on the same day
/// or earlier, of the same region or, if that has none, the only one of another region.
async fn earlier(db: &Transaction, round: i64, case: &StatedCase, number: &str) -> Result<Option<i64>> {
    let found = inspection_case::Entity::find()
        .filter(inspection_case::Column::RoundId.eq(round))
        .filter(inspection_case::Column::Number.eq(number))
        .filter(inspection_case::Column::HandedOverOn.lte(case.handed_over_on))
        .all(db)
        .await?;
    let own = found.iter().find(|row| row.region_id == case.region.id);
    Ok(own.or(if let [only] = found.as_slice() { Some(only) } else { None }).map(|row| row.id))
}
