//! Imports complaint cases: finds their regions and assisting units, and writes those that the round does not have.

use std::collections::{HashMap, HashSet};

use chrono::NaiveDate;
use entity::inspection_case::CaseState;
use entity::region;
use planner::Bilingual;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use super::resolve::Place;
use super::{PartyRow, Writer, fault};
use crate::case_list::{ReadCase, ReadCases};
use crate::field::Field;
use crate::layout::Layout;
use crate::sheet::Sheet;
use ledger::Result;
use ledger::rule::calendar::plus_days;
use ledger::work::case::MAX_ASSISTING;
use ledger::work::case_import::{self, StatedCase};

/// Days within which a case is due if its list does not say: those of a central inspection's cases.
const DUE_DAYS: i64 = 30;

impl Writer<'_> {
    /// Writes the cases of sheets, each with its layout.
    pub(super) async fn cases(&mut self, sheets: Vec<(&Sheet, Layout, ReadCases)>) -> Result<()> {
        let mut stated = Vec::new();
        let below = region::Entity::find().filter(region::Column::Path.starts_with(&self.region.path));
        let regions: Vec<region::Model> = below.all(self.db).await?;
        if sheets.iter().any(|(_, _, read)| read.cases.iter().any(|case| !case.assisting.is_empty())) {
            self.units.read_also(self.db, &regions).await?;
        }
        let own = self.region.clone();
        let mut units: HashMap<i64, i64> = HashMap::new();
        let mut refused = HashSet::new();
        for (sheet, layout, read) in sheets {
            self.faults.extend(read.faults);
            self.summary.remarks.extend(read.remarks);
            self.summary.cases += read.cases.len();
            for case in read.cases {
                let Some(region) = region_of(&regions, &own, &case.region) else {
                    let problem = Bilingual::new("没有这个行政区", "there is no such region");
                    let expected = Bilingual::new(
                        format!("{}或其下辖的行政区（可先用 rectify region add 登记）", own.name),
                        format!("{} or a region below it (rectify region add makes one)", own.name),
                    );
                    self.faults.push(fault(sheet, &layout, case.row, Field::CaseRegion, problem, expected));
                    continue;
                };
                let lead = match units.get(&region.id) {
                    Some(unit) => *unit,
                    None => self.government(region).await?,
                };
                units.insert(region.id, lead);
                // 县水利局 is a unit of the county of the case.
                self.units.stand_in(regions.iter().filter(|above| region.path.starts_with(&above.path)));
                let place = Place { sheet, layout: &layout, row: case.row, refused: &mut refused };
                let assisting = self.assisting(&case.assisting, lead, place).await?;
                stated.push(self.stated(case, region, (lead, assisting)));
            }
        }
        if !self.faults.is_empty() {
            return Ok(());
        }
        if stated.iter().any(|case| case.state != CaseState::Resolved) {
            self.summary.remarks.push(Bilingual::new(
                format!("名单没有办理期限，按交办后 {DUE_DAYS} 日登记"),
                format!("the list has no deadlines: cases are due {DUE_DAYS} days after they were handed over"),
            ));
        }
        let (by, now) = (self.import.by, self.import.now);
        let done = case_import::import(self.db, by, self.round.id, stated, now).await?;
        self.summary.new_cases = done.new;
        let unknown = done.unknown_repeats.iter().map(|(number, earlier)| {
            Bilingual::new(
                format!("案件 {number} 写明与 {earlier} 重复，本轮次没有更早交办的这一案件，或有几件，未登记重复"),
                format!(
                    "case {number} is said to repeat {earlier}, which the round does not have exactly once among \
                     earlier cases; not linked"
                ),
            )
        });
        self.summary.remarks.extend(unknown);
        Ok(())
    }

    /// Returns the units that assist with a case (协办单位), each once and without the lead unit.
    async fn assisting(&mut self, printed: &str, lead: i64, mut place: Place<'_>) -> Result<Vec<i64>> {
        let printed = Some(printed).filter(|printed| !printed.is_empty());
        let mut assisting = Vec::new();
        for (raw, party) in self.many(printed, Field::Assisting, &mut place).await? {
            match party {
                PartyRow::Unit(unit) if unit == lead => {}
                PartyRow::Unit(unit) => assisting.push(unit),
                PartyRow::Selector(_) => {
                    let problem = Bilingual::new("不是单位", "it is not a unit");
                    let expected = Bilingual::new("协办单位的名称", "the names of the assisting units");
                    self.refuse(&mut place, Field::Assisting, &raw, problem, expected);
                }
            }
        }
        if assisting.len() > MAX_ASSISTING {
            let problem = Bilingual::new("协办单位太多", "there are too many assisting units");
            let expected =
                Bilingual::new(format!("不超过 {MAX_ASSISTING} 个"), format!("at most {MAX_ASSISTING} units"));
            self.faults.push(fault(place.sheet, place.layout, place.row, Field::Assisting, problem, expected));
        }
        Ok(assisting)
    }

    /// Makes the case to import. `units` are its lead unit and its assisting units.
    fn stated(&self, case: ReadCase, region: &region::Model, units: (i64, Vec<i64>)) -> StatedCase {
        let known_by =
            self.mapping.as_of.unwrap_or_else(|| self.import.now.with_timezone(&self.import.zone).date_naive());
        let resolved_on: Option<NaiveDate> = (case.state == CaseState::Resolved).then_some(known_by);
        StatedCase {
            number: case.number,
            channel: case.channel,
            is_key: case.is_key,
            batch: case.batch,
            handling: case.handling,
            repeat_of: case.repeat_of,
            summary: case.summary,
            region: region.clone(),
            lead_unit: units.0,
            assisting: units.1,
            pollution: case.pollution,
            handed_over_on: case.handed_over_on,
            due_on: plus_days(case.handed_over_on, DUE_DAYS),
            state: case.state,
            finding: case.finding,
            resolved_on: resolved_on.map(|day| day.max(case.handed_over_on)),
            reports: case.reports,
        }
    }
}

/// Returns the region that a cell names at its end, as 云溪市青坪县 names 青坪县; the answering region if it is blank.
fn region_of<'a>(regions: &'a [region::Model], own: &'a region::Model, printed: &str) -> Option<&'a region::Model> {
    if printed.is_empty() {
        return Some(own);
    }
    let named = regions.iter().filter(|region| printed.ends_with(&region.name));
    named.max_by_key(|region| (region.name.len(), region.path.len()))
}
