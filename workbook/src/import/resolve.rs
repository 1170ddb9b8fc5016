//! Resolves printed names to units: looks up known ones, creates new ones if allowed, and reports the rest as faults.

use std::collections::{HashMap, HashSet};

use chrono::NaiveDate;
use entity::region::Level;
use entity::{region, unit, unit_alias};
use planner::Bilingual;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};

use super::{PartyRow, Resolved, Row, Writer};
use crate::columns::Column;
use crate::parties::{Party, Reader, is_plausible, scoped};
use crate::reading::{Read, fault};
use crate::sheet::Sheet;
use ledger::record::database::Transaction;
use ledger::unit::{add, add_alias, ensure_government, government_name};
use ledger::{Result, fault as faults};

/// The units that a file may name: those of the answering and the issuing region and their ancestors.
pub(super) struct Units {
    /// Unit ids by region id and name or alias.
    pub(super) by_name: HashMap<(i64, String), i64>,
    /// The regions from the nation down to the answering and the issuing region.
    lines: Vec<region::Model>,
}

impl Units {
    pub(super) async fn load(db: &Transaction, region: &region::Model, issuer: &region::Model) -> Result<Self> {
        let mut lines = ledger::region::with_ancestors(db, region).await?;
        for above in ledger::region::with_ancestors(db, issuer).await? {
            if !lines.contains(&above) {
                lines.push(above);
            }
        }
        let ids: Vec<i64> = lines.iter().map(|line| line.id).collect();
        let units = unit::Entity::find()
            .filter(unit::Column::RegionId.is_in(ids))
            .filter(unit::Column::RetiredOn.is_null())
            .all(db)
            .await?;
        let of: HashMap<i64, i64> = units.iter().map(|unit| (unit.id, unit.region_id)).collect();
        let aliases = unit_alias::Entity::find().filter(unit_alias::Column::UnitId.is_in(of.keys().copied()));
        let aliases = aliases.all(db).await?.into_iter();
        let known = aliases.filter_map(|alias| Some((*of.get(&alias.unit_id)?, alias.alias, alias.unit_id)));
        let known = known.chain(units.into_iter().map(|unit| (unit.region_id, unit.name, unit.id)));
        let mut by_name: HashMap<(i64, String), i64> = HashMap::new();
        let mut kept_so = Vec::new();
        for (region, name, unit) in known {
            // A name stored before names were cleaned also matches in its cleaned form, unless another unit has that
            // name.
            if let Ok(plain) = faults::single_name(&name)
                && plain != name
            {
                by_name.insert((region, plain), unit);
            }
            kept_so.push(((region, name), unit));
        }
        by_name.extend(kept_so);
        Ok(Self { by_name, lines })
    }

    /// Returns the region that a unit with this name belongs to. A name that begins with a region's name belongs to
    /// that region; 自治区… and 省… to the province, 市… to the prefecture, 县… to the county, and any other to the
    /// issuer.
    fn home(&self, name: &str, issuer: &region::Model) -> i64 {
        let of = |levels: &[Level]| {
            levels.iter().find_map(|level| self.lines.iter().find(|line| line.level == *level)).map(|line| line.id)
        };
        let named = self.lines.iter().filter(|line| name.starts_with(&line.name)).max_by_key(|line| line.name.len());
        if let Some(line) = named {
            return line.id;
        }
        let home = if name.starts_with("自治区") || name.starts_with('省') || name.starts_with("区党委") {
            of(&[Level::Province])
        } else if name.starts_with('市') || name.starts_with('州') || name.starts_with("地委") {
            of(&[Level::Prefecture, Level::Province])
        } else if name.starts_with('县') {
            of(&[Level::County])
        } else {
            None
        };
        home.unwrap_or(issuer.id)
    }

    fn find(&self, home: i64, name: &str) -> Option<i64> {
        if let Some(unit) = self.by_name.get(&(home, name.to_owned())) {
            return Some(*unit);
        }
        let mut elsewhere = self.lines.iter().filter_map(|line| self.by_name.get(&(line.id, name.to_owned())));
        match (elsewhere.next(), elsewhere.next()) {
            (Some(unit), None) => Some(*unit),
            _ => None,
        }
    }

    /// Returns the names of the regions.
    fn places(&self) -> Vec<String> {
        self.lines.iter().map(|line| line.name.clone()).collect()
    }

    fn knows(&self, name: &str) -> bool {
        self.lines.iter().any(|line| self.by_name.contains_key(&(line.id, name.to_owned())))
    }
}

impl Writer<'_> {
    /// Resolves the units of all measures. Reports each name that cannot be resolved as a fault, once. `days` has the
    /// date of each sheet.
    pub(super) async fn resolve<'r>(
        &mut self,
        sheets: &'r [Sheet],
        reads: &'r [Read],
        days: &[NaiveDate],
    ) -> Result<Vec<Row<'r>>> {
        let mut refused = HashSet::new();
        let mut rows = Vec::new();
        for (read, as_of) in reads.iter().zip(days.iter().copied()) {
            let sheet = sheets.iter().find(|sheet| sheet.name == read.sheet);
            let Some(sheet) = sheet else { continue };
            for problem in &read.problems {
                let mut measures = Vec::new();
                for measure in &problem.measures {
                    let mut place = Place { sheet, read, row: measure.row, refused: &mut refused };
                    let resolved = Resolved {
                        lead: self.one(measure.lead.as_deref(), Column::Lead, &mut place).await?,
                        supervising: self.one(measure.supervising.as_deref(), Column::Supervising, &mut place).await?,
                        parties: self.many(measure.parties.as_deref(), &mut place).await?,
                    };
                    measures.push((measure, resolved));
                }
                rows.push(Row { sheet, read, as_of, problem, measures });
            }
        }
        Ok(rows)
    }

    /// Resolves a cell that has to name exactly one unit.
    async fn one(&mut self, printed: Option<&str>, column: Column, place: &mut Place<'_>) -> Result<Option<i64>> {
        let Some(printed) = printed else { return Ok(None) };
        let parties = self.read(printed);
        match parties.as_slice() {
            [(_, Party::Unit(name))] => self.unit(name, column, place).await,
            [(_, Party::County(county))] => self.county(county, column, place).await,
            _ => {
                let problem = Bilingual::new("不是一个单位", "it is not one unit");
                let expected =
                    Bilingual::new("恰好一个单位（可用 --aliases 指明）", "exactly one unit (--aliases can name it)");
                self.refuse(place, column, printed, problem, expected);
                Ok(None)
            }
        }
    }

    fn read(&self, printed: &str) -> Vec<(String, Party)> {
        let (aliases, places) = (&self.import.answer.aliases, self.units.places());
        Reader { aliases, known: &|name| self.units.knows(name), places: &places }.read(printed)
    }

    async fn many(&mut self, printed: Option<&str>, place: &mut Place<'_>) -> Result<Vec<(String, PartyRow)>> {
        let Some(printed) = printed else { return Ok(Vec::new()) };
        let mut rows: Vec<(String, PartyRow)> = Vec::new();
        let parties = self.read(printed);
        for (raw, party) in parties {
            let row = match party {
                Party::Unit(name) => self.unit(&name, Column::Parties, place).await?.map(PartyRow::Unit),
                Party::County(county) => self.county(&county, Column::Parties, place).await?.map(PartyRow::Unit),
                Party::Selector(selector) => Some(PartyRow::Selector(selector)),
                Party::Ambiguous { name, after, suggestion } if self.import.answer.create_units => {
                    let unit = self.unit(&suggestion, Column::Parties, place).await?;
                    if let Some(unit) = unit {
                        self.confirm(&scoped(&after, &name), &suggestion, unit).await?;
                    }
                    unit.map(PartyRow::Unit)
                }
                Party::Ambiguous { name, after, suggestion } => {
                    let problem = Bilingual::new(
                        format!("“{after}…”之后的“{name}”前缀不明确"),
                        format!("the prefix of “{name}” after “{after}…” is not clear"),
                    );
                    let expected = Bilingual::new(
                        format!("建议读作“{suggestion}”：用 --aliases 指明，或用 --create-units 采用建议"),
                        format!(
                            "probably “{suggestion}”: name the unit with --aliases, or accept the suggestion with \
                             `createUnits` (--create-units)"
                        ),
                    );
                    self.refuse(place, Column::Parties, &name, problem, expected);
                    None
                }
            };
            if let Some(row) = row
                && !rows.iter().any(|(_, known)| *known == row)
            {
                rows.push((raw, row));
            }
        }
        Ok(rows)
    }

    /// Stores an accepted reading as an alias, so that it does not have to be confirmed again.
    async fn confirm(&mut self, name: &str, suggestion: &str, unit: i64) -> Result<()> {
        let home = self.units.home(suggestion, &self.issuer);
        if self.units.by_name.insert((home, name.to_owned()), unit).is_none() {
            add_alias(self.db, unit, name).await?;
            self.summary.readings.push((name.to_owned(), suggestion.to_owned()));
        }
        Ok(())
    }

    async fn unit(&mut self, name: &str, column: Column, place: &mut Place<'_>) -> Result<Option<i64>> {
        let home = self.units.home(name, &self.issuer);
        if let Some(unit) = self.units.find(home, name) {
            return Ok(Some(unit));
        }
        if !is_plausible(name) {
            let problem = Bilingual::new(
                format!("“{name}”不像单位名称"),
                format!("“{name}” does not look like the name of a unit"),
            );
            let expected = Bilingual::new(
                "单位的名称，多个单位用顿号或逗号分隔（可用 --aliases 指明）",
                "names of units, separated by commas (--aliases can name them)",
            );
            self.refuse(place, column, name, problem, expected);
            return Ok(None);
        }
        if !self.import.answer.create_units {
            let problem = Bilingual::new(format!("没有登记过单位“{name}”"), format!("there is no unit named “{name}”"));
            let expected = Bilingual::new(
                "已登记的单位：用 --create-units 新建，或用 --aliases 指明它是谁",
                "a known unit: create it with `createUnits` (--create-units), or name the unit with --aliases",
            );
            self.refuse(place, column, name, problem, expected);
            return Ok(None);
        }
        let unit = add(self.db, home, name).await?;
        self.units.by_name.insert((home, name.to_owned()), unit.id);
        self.summary.new_units.push(name.to_owned());
        Ok(Some(unit.id))
    }

    /// Resolves a county named in the text, which must be a child of the issuing region, to its government.
    async fn county(&mut self, county: &str, column: Column, place: &mut Place<'_>) -> Result<Option<i64>> {
        let below = region::Entity::find().filter(region::Column::ParentId.eq(self.issuer.id));
        let known = below.filter(region::Column::Name.eq(county)).one(self.db).await?;
        let code = ledger::region::divisions()
            .iter()
            .find(|division| {
                division.name == county
                    && division.parent().is_some_and(|parent| Some(parent.code) == self.issuer.code.as_deref())
            })
            .map(|division| division.code);
        let region = match (known, code) {
            (Some(region), _) => region,
            (None, Some(code)) => ledger::region::ensure(self.db, code, &["file"]).await?,
            (None, None) => {
                let issuer = &self.issuer.name;
                let problem = Bilingual::new(
                    format!("{issuer}没有名为“{county}”的县（区）"),
                    format!("{issuer} has no county named “{county}”"),
                );
                self.refuse(place, column, county, problem, Bilingual::new("下辖的县（区）", "one of its counties"));
                return Ok(None);
            }
        };
        Ok(Some(self.government(&region).await?))
    }

    pub(super) async fn government(&mut self, region: &region::Model) -> Result<i64> {
        let key = (region.id, government_name(&region.name));
        if let Some(unit) = self.units.by_name.get(&key) {
            return Ok(*unit);
        }
        let before = unit::Entity::find().filter(unit::Column::RegionId.eq(region.id)).count(self.db).await?;
        let unit = ensure_government(self.db, region).await?;
        let after = unit::Entity::find().filter(unit::Column::RegionId.eq(region.id)).count(self.db).await?;
        if after > before {
            self.summary.new_units.push(unit.name.clone());
        }
        self.units.by_name.insert(key, unit.id);
        Ok(unit.id)
    }

    fn refuse(&mut self, place: &mut Place<'_>, column: Column, name: &str, problem: Bilingual, expected: Bilingual) {
        if place.refused.insert((name.to_owned(), problem.zh.clone())) {
            self.faults.push(fault(place.sheet, &place.read.layout, place.row, column, problem, expected));
        }
    }
}

/// The place of a cell, and the names already reported as faults, each with the reason.
struct Place<'a> {
    sheet: &'a Sheet,
    read: &'a Read,
    row: u32,
    refused: &'a mut HashSet<(String, String)>,
}
