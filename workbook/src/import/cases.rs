//! Imports complaint cases: finds their regions, and writes those that the round does not have.

use std::collections::HashMap;

use chrono::NaiveDate;
use entity::inspection_case::CaseState;
use entity::region;
use planner::Bilingual;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use super::{Writer, fault};
use crate::case_list::{ReadCase, ReadCases};
use crate::field::Field;
use crate::layout::Layout;
use crate::sheet::Sheet;
use ledger::Result;
use ledger::rule::calendar::plus_days;
use ledger::work::case_import::{self, StatedCase};

/// Days within which a case is due if its list does not say: those of a central inspection's cases.
const DUE_DAYS: i64 = 30;

impl Writer<'_> {
    /// Writes the cases of sheets, each with its layout.
    pub(super) async fn cases(&mut self, sheets: Vec<(&Sheet, Layout, ReadCases)>) -> Result<()> {
        let mut stated = Vec::new();
        let below = region::Entity::find().filter(region::Column::Path.starts_with(&self.region.path));
        let regions: Vec<region::Model> = below.all(self.db).await?;
        let own = self.region.clone();
        let mut units: HashMap<i64, i64> = HashMap::new();
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
                stated.push(self.stated(case, region, lead));
            }
        }
        if !self.faults.is_empty() {
            return Ok(());
        }
        if stated.iter().any(|case| case.state != CaseState::Resolved) {
            self.summary.remarks.push(format!("名单没有办理期限，按交办后 {DUE_DAYS} 日登记"));
        }
        let (by, now) = (self.import.by, self.import.now);
        self.summary.new_cases = case_import::import(self.db, by, self.round.id, &stated, now).await?;
        Ok(())
    }

    fn stated(&self, case: ReadCase, region: &region::Model, lead_unit: i64) -> StatedCase {
        let known_by =
            self.mapping.as_of.unwrap_or_else(|| self.import.now.with_timezone(&self.import.zone).date_naive());
        let resolved_on: Option<NaiveDate> = (case.state == CaseState::Resolved).then_some(known_by);
        StatedCase {
            number: case.number,
            channel: case.channel,
            is_key: case.is_key,
            summary: case.summary,
            region: region.clone(),
            lead_unit,
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
