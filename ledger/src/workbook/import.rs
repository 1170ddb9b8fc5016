//! Importing a ledger: resolve units, compare with what is there, write what is new, all in one transaction or not at all.
//! A second import of the same file finds nothing to do.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use chrono_tz::Tz;
use entity::assignment::Status;
use entity::inspection_round::{RoundKind, RoundLevel};
use entity::region::Level;
use entity::responsible_party::Selector;
use entity::{
    assignment, inspection_round, measure, milestone, problem, problem_domain, progress_report, region,
    responsible_party, unit, unit_alias,
};
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, DatabaseConnection, DatabaseTransaction, EntityTrait,
    PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
};

use super::columns::Column;
use super::parties::{Aliases, Party, Reader, is_plausible, scoped};
use super::reading::{self, Fault, Read, ReadMeasure, ReadProblem, fault, normalised, shortened};
use super::sheet::Sheet;
use crate::calendar;
use crate::concern::{self, Concern};
use crate::deadline::{Columns, Deadline};
use crate::roll_up::{self, Touched};
use crate::unit::{add, add_alias, ensure_government, government_name};
use crate::workflow::{self, Step};
use crate::{Error, Result, database};

/// Rows of one INSERT: at most 30 columns each, within SQLite's bound of 32,766 variables.
const CHUNK: usize = 1_000;

/// What a file answers, and how it is to be read.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The round's name; a new one is made.
    pub round: String,
    /// The code of the region that answers.
    pub region: String,
    /// The code of the region that issued the problems and measures, when it is another.
    pub issued_by: Option<String>,
    /// Tell what would happen and write nothing.
    pub dry_run: bool,
    /// Create unknown units, and take the suggested reading of ambiguous lists.
    pub create_units: bool,
    /// Readings that a person has decided.
    pub aliases: Aliases,
    /// The day that the statuses are of; else the date in the title.
    pub as_of: Option<NaiveDate>,
    /// The days that an immediate deadline without a date leaves.
    pub grace_days: i64,
}

/// An import: the sheets, what they answer, and when.
pub struct Import<'a> {
    /// The sheets of the file.
    pub sheets: &'a [Sheet],
    /// What they answer.
    pub answer: &'a Answer,
    /// The moment of the import.
    pub now: DateTime<Utc>,
    /// The ledger's time zone.
    pub zone: Tz,
    /// Told how many of all rows are dealt with.
    pub progress: &'a (dyn Fn(usize, usize) + Sync),
}

/// What an import read, and what it wrote or would write.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// The day that the statuses are of.
    pub as_of: Option<NaiveDate>,
    /// Problems read.
    pub problems: usize,
    /// Measures read.
    pub measures: usize,
    /// Problems that were not there.
    pub new_problems: usize,
    /// Measures that were not there.
    pub new_measures: usize,
    /// Assignments that were not there.
    pub new_assignments: usize,
    /// Responsible parties that were not there.
    pub new_parties: usize,
    /// Progress reports that were not there.
    pub new_reports: usize,
    /// Statuses stated anew by a later ledger.
    pub restated: usize,
    /// Units made, by name.
    pub new_units: Vec<String>,
    /// Readings taken of ambiguous lists: the words and the unit.
    pub readings: Vec<(String, String)>,
    /// What a person should look at, though it stands in nobody's way.
    pub remarks: Vec<String>,
}

/// How an import ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was written.
    Written(Summary),
    /// Everything was there already.
    Unchanged(Summary),
    /// It would be written.
    Rehearsed(Summary),
    /// Cells cannot be taken; nothing was written.
    Rejected(Vec<Fault>),
}

impl Summary {
    fn changes_nothing(&self) -> bool {
        self.new_problems
            + self.new_measures
            + self.new_parties
            + self.new_assignments
            + self.new_reports
            + self.restated
            == 0
            && self.new_units.is_empty()
    }
}

/// Imports a ledger.
pub async fn import(db: &DatabaseConnection, import: &Import<'_>) -> Result<Outcome> {
    let reads: Vec<Read> = import.sheets.iter().filter_map(reading::read).collect();
    if reads.is_empty() {
        return Err(Error::Invalid(
            "文件中没有找到台账：需要一行表头，至少包括“反馈问题”“整改措施（整改任务）”“整改时限”等列".to_owned(),
        ));
    }
    if reads.iter().all(|read| read.problems.is_empty() && read.faults.is_empty()) {
        return Err(Error::Invalid("台账只有表头，没有内容".to_owned()));
    }
    let mut faults: Vec<Fault> = reads.iter().flat_map(|read| read.faults.clone()).collect();
    faults.extend(repeated_across_sheets(import.sheets, &reads));
    let answer = import.answer;
    let Some(as_of) = answer.as_of.or_else(|| reads.iter().find_map(|read| read.as_of)) else {
        return Err(Error::Invalid("标题中没有截止日期，请用 --as-of 指明，如 --as-of 2023-04-30".to_owned()));
    };
    let transaction = database::begin(db).await?;
    let region = crate::region::ensure(&transaction, &answer.region).await?;
    let issuer = crate::region::ensure(&transaction, answer.issued_by.as_deref().unwrap_or(&answer.region)).await?;
    if !region.path.starts_with(&issuer.path) {
        return Err(Error::Invalid(format!(
            "{}不在{}之下：--issued-by 应为 --region 本级或上级的代码",
            region.name, issuer.name
        )));
    }
    let (round, new_round) = round(&transaction, &answer.round, issuer.level).await?;
    let mut writer = Writer {
        import,
        as_of,
        db: &transaction,
        units: Units::load(&transaction, &region, &issuer).await?,
        region,
        issuer,
        round,
        faults,
        summary: Summary::default(),
    };
    let rows = writer.resolve(import.sheets, &reads).await?;
    if !writer.faults.is_empty() {
        let mut faults = writer.faults;
        transaction.rollback().await?;
        faults.sort_by(|a, b| (&a.sheet, a.row, &a.column).cmp(&(&b.sheet, b.row, &b.column)));
        return Ok(Outcome::Rejected(faults));
    }
    writer.write(rows).await?;
    if !writer.faults.is_empty() {
        let faults = writer.faults;
        transaction.rollback().await?;
        return Ok(Outcome::Rejected(faults));
    }
    let mut summary = writer.summary;
    summary.as_of = Some(as_of);
    summary.remarks.dedup();
    for read in &reads {
        let unknown = read.unknown_headings.iter().map(|heading| format!("“{heading}”列不在表头词典中，未导入"));
        summary.remarks.extend(unknown);
        if read.layout.place(Column::Reporter).is_some() {
            let heading = read.layout.heading(Column::Reporter);
            summary.remarks.push(format!("“{heading}”列是个人信息，未读取；填报人请用账号登记"));
        }
    }
    if answer.dry_run {
        transaction.rollback().await?;
        return Ok(Outcome::Rehearsed(summary));
    }
    let unchanged = summary.changes_nothing() && !new_round;
    transaction.commit().await?;
    Ok(if unchanged { Outcome::Unchanged(summary) } else { Outcome::Written(summary) })
}

/// A measure that two sheets hold: rows of one sheet are compared when it is read.
fn repeated_across_sheets(sheets: &[Sheet], reads: &[Read]) -> Vec<Fault> {
    let mut seen: HashMap<(String, String), &str> = HashMap::new();
    let mut faults = Vec::new();
    for read in reads {
        let Some(sheet) = sheets.iter().find(|sheet| sheet.name == read.sheet) else { continue };
        for problem in &read.problems {
            for measure in &problem.measures {
                let first = seen.entry((problem.identity(), measure.identity())).or_insert(&read.sheet);
                if *first != read.sheet {
                    let expected = format!("每条措施只列一次（与工作表“{first}”重复）");
                    faults.push(fault(sheet, &read.layout, measure.row, Column::Measure, "重复的行", &expected));
                }
            }
        }
    }
    faults
}

/// The round of a name, made when it is new; who inspected and why is read from the name.
async fn round(db: &DatabaseTransaction, name: &str, issuer: Level) -> Result<(inspection_round::Model, bool)> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > 200 {
        return Err(Error::Invalid("督察轮次名称应为 1 至 200 个字".to_owned()));
    }
    let found = inspection_round::Entity::find().filter(inspection_round::Column::Name.eq(name)).one(db).await?;
    if let Some(round) = found {
        return Ok((round, false));
    }
    let level = if name.contains("中央") {
        RoundLevel::Central
    } else if name.contains("督察局") {
        RoundLevel::RegionalBureau
    } else if name.contains("自治区") || name.contains('省') {
        RoundLevel::Province
    } else {
        match issuer {
            Level::Nation => RoundLevel::Central,
            Level::Province => RoundLevel::Province,
            Level::Prefecture => RoundLevel::Prefecture,
            Level::County | Level::Township => RoundLevel::County,
        }
    };
    let kind = if name.contains("回头看") {
        RoundKind::LookBack
    } else if name.contains("专项") {
        RoundKind::Special
    } else {
        RoundKind::Routine
    };
    let row = inspection_round::ActiveModel {
        name: Set(name.to_owned()),
        level: Set(level),
        kind: Set(kind),
        ..Default::default()
    };
    Ok((row.insert(db).await?, true))
}

/// The units that a file may name: those of the regions it speaks of.
struct Units {
    /// By region and name or alias.
    by_name: HashMap<(i64, String), i64>,
    /// The regions from the root down to the answering and the issuing one.
    lines: Vec<region::Model>,
}

impl Units {
    async fn load(db: &DatabaseTransaction, region: &region::Model, issuer: &region::Model) -> Result<Self> {
        let mut lines = crate::region::with_ancestors(db, region).await?;
        for above in crate::region::with_ancestors(db, issuer).await? {
            if !lines.contains(&above) {
                lines.push(above);
            }
        }
        let ids: Vec<i64> = lines.iter().map(|line| line.id).collect();
        let units = unit::Entity::find().filter(unit::Column::RegionId.is_in(ids)).all(db).await?;
        let of: HashMap<i64, i64> = units.iter().map(|unit| (unit.id, unit.region_id)).collect();
        let mut by_name: HashMap<(i64, String), i64> = HashMap::new();
        for alias in
            unit_alias::Entity::find().filter(unit_alias::Column::UnitId.is_in(of.keys().copied())).all(db).await?
        {
            if let Some(region) = of.get(&alias.unit_id) {
                by_name.insert((*region, alias.alias), alias.unit_id);
            }
        }
        by_name.extend(units.into_iter().map(|unit| ((unit.region_id, unit.name), unit.id)));
        Ok(Self { by_name, lines })
    }

    /// Units named 市… belong to the line's prefecture, 自治区… and 省… to its province, 县… to its county.
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

    /// The names of the regions.
    fn places(&self) -> Vec<String> {
        self.lines.iter().map(|line| line.name.clone()).collect()
    }

    fn knows(&self, name: &str) -> bool {
        self.lines.iter().any(|line| self.by_name.contains_key(&(line.id, name.to_owned())))
    }
}

/// A problem with the units of its measures resolved.
struct Row<'a> {
    sheet: &'a Sheet,
    read: &'a Read,
    problem: &'a ReadProblem,
    measures: Vec<(&'a ReadMeasure, Resolved)>,
}

#[derive(Default)]
struct Resolved {
    lead: Option<i64>,
    supervising: Option<i64>,
    parties: Vec<(String, PartyRow)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum PartyRow {
    Unit(i64),
    Selector(Selector),
}

struct Writer<'a> {
    import: &'a Import<'a>,
    as_of: NaiveDate,
    db: &'a DatabaseTransaction,
    units: Units,
    region: region::Model,
    issuer: region::Model,
    round: inspection_round::Model,
    faults: Vec<Fault>,
    summary: Summary,
}

impl Writer<'_> {
    /// Turns the printed units into rows; what cannot be is a fault, each name once.
    async fn resolve<'r>(&mut self, sheets: &'r [Sheet], reads: &'r [Read]) -> Result<Vec<Row<'r>>> {
        let mut refused = HashSet::new();
        let mut rows = Vec::new();
        for read in reads {
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
                rows.push(Row { sheet, read, problem, measures });
            }
        }
        Ok(rows)
    }

    /// A cell that names exactly one unit.
    async fn one(&mut self, printed: Option<&str>, column: Column, place: &mut Place<'_>) -> Result<Option<i64>> {
        let Some(printed) = printed else { return Ok(None) };
        let parties = self.read(printed);
        match parties.as_slice() {
            [(_, Party::Unit(name))] => self.unit(name, column, place).await,
            [(_, Party::County(county))] => self.county(county, column, place).await,
            _ => {
                self.refuse(place, column, printed, "不是一个单位", "恰好一个单位（可用 --aliases 指明）");
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
                    let problem = format!("“{after}…”之后的“{name}”前缀不明确");
                    let expected = format!("建议读作“{suggestion}”：用 --aliases 指明，或用 --create-units 采用建议");
                    self.refuse(place, Column::Parties, &name, &problem, &expected);
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

    /// Remembers an accepted reading in the dictionary, so that it is not asked again.
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
            let problem = format!("“{name}”不像单位名称");
            self.refuse(place, column, name, &problem, "单位的名称，多个单位用顿号或逗号分隔（可用 --aliases 指明）");
            return Ok(None);
        }
        if !self.import.answer.create_units {
            let expected = "已登记的单位：用 --create-units 新建，或用 --aliases 指明它是谁";
            self.refuse(place, column, name, &format!("没有登记过单位“{name}”"), expected);
            return Ok(None);
        }
        let unit = add(self.db, home, name).await?;
        self.units.by_name.insert((home, name.to_owned()), unit.id);
        self.summary.new_units.push(name.to_owned());
        Ok(Some(unit.id))
    }

    /// The government of a county named in the text, which must lie in the issuing region.
    async fn county(&mut self, county: &str, column: Column, place: &mut Place<'_>) -> Result<Option<i64>> {
        let below = region::Entity::find().filter(region::Column::ParentId.eq(self.issuer.id));
        let known = below.filter(region::Column::Name.eq(county)).one(self.db).await?;
        let code = crate::region::divisions()
            .iter()
            .find(|division| {
                division.name == county
                    && division.parent().is_some_and(|parent| Some(parent.code) == self.issuer.code.as_deref())
            })
            .map(|division| division.code);
        let region = match (known, code) {
            (Some(region), _) => region,
            (None, Some(code)) => crate::region::ensure(self.db, code).await?,
            (None, None) => {
                let problem = format!("{}没有名为“{county}”的县（区）", self.issuer.name);
                self.refuse(place, column, county, &problem, "下辖的县（区）");
                return Ok(None);
            }
        };
        Ok(Some(self.government(&region).await?))
    }

    async fn government(&mut self, region: &region::Model) -> Result<i64> {
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

    fn refuse(&mut self, place: &mut Place<'_>, column: Column, name: &str, problem: &str, expected: &str) {
        if place.refused.insert((name.to_owned(), problem.to_owned())) {
            self.faults.push(fault(place.sheet, &place.read.layout, place.row, column, problem, expected));
        }
    }

    /// Compares with what is there and writes the rest.
    async fn write(&mut self, rows: Vec<Row<'_>>) -> Result<()> {
        let total: usize = rows.iter().map(|row| row.measures.len()).sum();
        (self.import.progress)(0, total);
        self.summary.problems = rows.len();
        self.summary.measures = total;
        let problems = self.problems(&rows).await?;
        let measures = self.measures(&rows, &problems).await?;
        if !self.faults.is_empty() {
            return Ok(());
        }
        self.parties(&rows, &problems, &measures).await?;
        let answered = self.assignments(&rows, &problems, &measures).await?;
        self.reports(&rows, &problems, &measures, &answered).await?;
        self.state(&rows, &problems, &measures).await?;
        self.concerns(&problems, &measures, &answered).await?;
        let touched = Touched { problems: problems.models().map(|problem| problem.id).collect() };
        roll_up::problems(self.db, &touched, self.import.now).await?;
        (self.import.progress)(total, total);
        Ok(())
    }

    async fn problems(&mut self, rows: &[Row<'_>]) -> Result<Problems> {
        let known = problem::Entity::find()
            .filter(problem::Column::RoundId.eq(self.round.id))
            .filter(problem::Column::RegionId.eq(self.issuer.id))
            // Whoever changes an answer holds its problem first, so that roll-ups see each other's.
            .order_by_asc(problem::Column::Id)
            .lock_exclusive()
            .all(self.db)
            .await?;
        let mut position = known.iter().map(|problem| problem.position).max().unwrap_or_default();
        let mut known = Known::of(known, |problem| problem.identity.clone());
        let mut new = Vec::new();
        let mut domains = Vec::new();
        for Row { problem: read, .. } in rows {
            let identity = read.identity();
            if let Some(there) = known.get(&identity) {
                if normalised(&there.title) != normalised(&read.title) {
                    self.summary.remarks.push(format!(
                        "第 {} 行的问题与台账中编号相同，标题不同：“{}”/“{}”",
                        read.row + 1,
                        shortened(&read.title, 20),
                        shortened(&there.title, 20)
                    ));
                }
                continue;
            }
            if new.iter().any(|row: &problem::ActiveModel| row.identity == Set(identity.clone())) {
                continue;
            }
            position += 1;
            domains.extend(read.domains.iter().map(|domain| (identity.clone(), domain.clone())));
            let stated = read.rating.as_ref().map(|(_, stated)| *stated);
            let deadline = Columns::of(read.deadline.as_ref(), self.grace_from(), self.import.answer.grace_days);
            new.push(problem::ActiveModel {
                round_id: Set(self.round.id),
                region_id: Set(self.issuer.id),
                identity: Set(identity),
                number: Set(read.number.clone()),
                position: Set(position),
                title: Set(read.title.clone()),
                description: Set(read.description.clone()),
                goal: Set(read.goal.clone()),
                due_raw: Set(deadline.raw),
                due_immediate: Set(deadline.immediate),
                due_on: Set(deadline.on),
                due_ongoing: Set(deadline.ongoing),
                due_by: Set(deadline.by),
                rated_progress: Set(read.rating.as_ref().map(|(printed, _)| printed.clone())),
                status: Set(stated.map_or(Status::Assigned, |stated| stated.status)),
                status_stated_on: Set(Some(self.as_of)),
                completed_on: Set(stated.filter(|stated| stated.completed).map(|_| self.as_of)),
                issued_on: Set(self.grace_from()),
                version: Set(1),
                created_at: Set(self.import.now),
                updated_at: Set(self.import.now),
                ..Default::default()
            });
        }
        self.summary.new_problems = new.len();
        for chunk in new.chunks(CHUNK) {
            let written = problem::Entity::insert_many(chunk.to_vec()).exec_with_returning(self.db).await?;
            known.extend(written);
        }
        let domains: Vec<problem_domain::ActiveModel> = domains
            .into_iter()
            .filter_map(|(identity, domain)| {
                let problem_id = Set(known.get(&identity)?.id);
                Some(problem_domain::ActiveModel { problem_id, domain: Set(domain) })
            })
            .collect();
        for chunk in domains.chunks(CHUNK) {
            problem_domain::Entity::insert_many(chunk.to_vec())
                .on_conflict(OnConflict::new().do_nothing().to_owned())
                .exec_without_returning(self.db)
                .await?;
        }
        let fresh: HashSet<&str> = new.iter().filter_map(|row| row.identity.try_as_ref().map(String::as_str)).collect();
        let steps = rows
            .iter()
            .filter(|row| fresh.contains(row.problem.identity().as_str()))
            .filter_map(|row| Some((row.problem.deadline.as_ref()?, known.get(&row.problem.identity())?.id)))
            .flat_map(|(deadline, id)| milestones(deadline, Some(id), None))
            .collect();
        self.milestones(steps).await?;
        Ok(known)
    }

    async fn measures(&mut self, rows: &[Row<'_>], problems: &Problems) -> Result<Measures> {
        let known = measure::Entity::find()
            .filter(measure::Column::RoundId.eq(self.round.id))
            .filter(measure::Column::RegionId.eq(self.issuer.id))
            .all(self.db)
            .await?;
        let mut positions: HashMap<i64, i32> = HashMap::new();
        for there in &known {
            let position = positions.entry(there.problem_id).or_default();
            *position = there.position.max(*position);
        }
        let numbered: HashSet<(i64, String)> =
            known.iter().filter_map(|there| Some((there.problem_id, there.number.clone()?))).collect();
        let mut known = Known::of(known, |measure| (measure.problem_id, measure.identity.clone()));
        let mut new = Vec::new();
        let mut steps = Vec::new();
        for row in rows {
            let Some(problem) = problems.get(&row.problem.identity()) else { continue };
            for (read, resolved) in &row.measures {
                let identity = read.identity();
                if let Some(there) = known.get(&(problem.id, identity.clone())) {
                    let changed = changed_deadline(read, there);
                    if let Some(expected) = changed {
                        let problem = "时限与台账不同";
                        self.faults.push(fault(
                            row.sheet,
                            &row.read.layout,
                            read.row,
                            Column::Deadline,
                            problem,
                            &expected,
                        ));
                    }
                    continue;
                }
                let alike = read.number.clone().map(|number| (problem.id, number));
                if alike.is_some_and(|number| numbered.contains(&number)) {
                    self.summary.remarks.push(format!(
                        "第 {} 行的措施与台账中编号相同，内容不同，作为新措施导入：“{}”",
                        read.row + 1,
                        shortened(&read.content, 20)
                    ));
                }
                let position = positions.entry(problem.id).or_default();
                *position += 1;
                let deadline = Columns::of(Some(&read.deadline), self.grace_from(), self.import.answer.grace_days);
                if !read.deadline.milestones.is_empty() {
                    steps.push((problem.id, identity.clone(), &read.deadline));
                }
                new.push(measure::ActiveModel {
                    problem_id: Set(problem.id),
                    round_id: Set(self.round.id),
                    region_id: Set(self.issuer.id),
                    identity: Set(identity),
                    number: Set(read.number.clone()),
                    position: Set(*position),
                    content: Set(read.content.clone()),
                    due_raw: Set(deadline.raw),
                    due_immediate: Set(deadline.immediate),
                    due_on: Set(deadline.on),
                    due_ongoing: Set(deadline.ongoing),
                    due_by: Set(deadline.by),
                    lead_unit_id: Set(resolved.lead),
                    supervising_unit_id: Set(resolved.supervising),
                    status: Set(Status::Assigned),
                    status_stated_on: Set(Some(self.as_of)),
                    stated_progress: Set(read.progress.clone().filter(|_| self.names_nobody(resolved))),
                    issued_on: Set(self.grace_from()),
                    version: Set(1),
                    created_at: Set(self.import.now),
                    updated_at: Set(self.import.now),
                    ..Default::default()
                });
            }
        }
        self.summary.new_measures = new.len();
        let total = new.len();
        for (index, chunk) in new.chunks(CHUNK).enumerate() {
            let written = measure::Entity::insert_many(chunk.to_vec()).exec_with_returning(self.db).await?;
            known.extend(written);
            (self.import.progress)(usize::midpoint(index * CHUNK, chunk.len()), total);
        }
        let steps = steps
            .into_iter()
            .filter_map(|(problem, identity, deadline)| Some((known.get(&(problem, identity))?.id, deadline)))
            .flat_map(|(id, deadline)| milestones(deadline, None, Some(id)))
            .collect();
        self.milestones(steps).await?;
        Ok(known)
    }

    async fn milestones(&self, rows: Vec<milestone::ActiveModel>) -> Result<()> {
        for chunk in rows.chunks(CHUNK) {
            milestone::Entity::insert_many(chunk.to_vec()).exec_without_returning(self.db).await?;
        }
        Ok(())
    }

    async fn parties(&mut self, rows: &[Row<'_>], problems: &Problems, measures: &Measures) -> Result<()> {
        let mut new = Vec::new();
        for (measure, _, resolved) in answered(rows, problems, measures) {
            for (index, (raw, party)) in resolved.parties.iter().enumerate() {
                let (unit_id, selector) = match party {
                    PartyRow::Unit(unit) => (Some(*unit), None),
                    PartyRow::Selector(selector) => (None, Some(*selector)),
                };
                new.push(responsible_party::ActiveModel {
                    measure_id: Set(measure.id),
                    position: Set(index as i32 + 1),
                    raw: Set(raw.clone()),
                    unit_id: Set(unit_id),
                    selector: Set(selector),
                    region_id: Set(selector.map(|_| self.issuer.id)),
                    ..Default::default()
                });
            }
        }
        for chunk in new.chunks(CHUNK) {
            let added = responsible_party::Entity::insert_many(chunk.to_vec())
                .on_conflict(OnConflict::new().do_nothing().to_owned())
                .exec_without_returning(self.db)
                .await?;
            self.summary.new_parties += usize::try_from(added).unwrap_or_default();
        }
        Ok(())
    }

    /// A county's file creates only that county's assignments, held by its government; a file of the issuing region
    /// itself assigns the units it names.
    async fn assignments(&mut self, rows: &[Row<'_>], problems: &Problems, measures: &Measures) -> Result<Assignments> {
        let ids: Vec<i64> = measures.models().map(|measure| measure.id).collect();
        let mut known = HashMap::new();
        for chunk in ids.chunks(CHUNK) {
            let there = assignment::Entity::find()
                .filter(assignment::Column::MeasureId.is_in(chunk.iter().copied()))
                .all(self.db)
                .await?;
            known.extend(there.into_iter().map(|row| ((row.measure_id, row.unit_id), row)));
        }
        let own =
            if self.region.id == self.issuer.id { None } else { Some(self.government(&self.region.clone()).await?) };
        let homes: HashMap<i64, i64> = unit::Entity::find()
            .filter(unit::Column::Id.is_in(self.units.by_name.values().copied().collect::<BTreeSet<i64>>()))
            .all(self.db)
            .await?
            .into_iter()
            .map(|unit| (unit.id, unit.region_id))
            .collect();
        let mut new = Vec::new();
        let mut reporting = BTreeMap::new();
        for (measure, read, resolved) in answered(rows, problems, measures) {
            let bodies: Vec<i64> = match own {
                Some(government) => vec![government],
                None => named_bodies(resolved),
            };
            if let Some(first) = bodies.first() {
                reporting.insert(measure.id, *first);
            }
            let stated = read.progress.as_deref().map(|text| {
                workflow::stated(text).map_or((Status::InProgress, false), |stated| (stated.status, stated.completed))
            });
            for unit in bodies {
                if known.contains_key(&(measure.id, unit)) {
                    continue;
                }
                let (status, completed) = stated.unwrap_or((Status::Assigned, false));
                new.push(assignment::ActiveModel {
                    measure_id: Set(measure.id),
                    unit_id: Set(unit),
                    region_id: Set(homes.get(&unit).copied().unwrap_or(self.region.id)),
                    status: Set(status),
                    completed_on: Set(completed.then_some(self.as_of)),
                    reported_on: Set(stated.map(|_| self.as_of)),
                    version: Set(1),
                    created_at: Set(self.import.now),
                    updated_at: Set(self.import.now),
                    ..Default::default()
                });
            }
        }
        self.summary.new_assignments = new.len();
        for chunk in new.chunks(CHUNK) {
            let written = assignment::Entity::insert_many(chunk.to_vec()).exec_with_returning(self.db).await?;
            known.extend(written.into_iter().map(|row| ((row.measure_id, row.unit_id), row)));
        }
        Ok(Assignments { known, reporting })
    }

    /// Appends what is reported and was not yet; the same text for the same month is the same report.
    async fn reports(
        &mut self,
        rows: &[Row<'_>],
        problems: &Problems,
        measures: &Measures,
        answered_by: &Assignments,
    ) -> Result<()> {
        let ids: Vec<i64> = answered_by.known.values().map(|assignment| assignment.id).collect();
        let mut there: HashSet<(i64, String, String)> = HashSet::new();
        for chunk in ids.chunks(CHUNK) {
            let reports = progress_report::Entity::find()
                .filter(progress_report::Column::AssignmentId.is_in(chunk.iter().copied()))
                .order_by_asc(progress_report::Column::Id)
                .all(self.db)
                .await?;
            let known =
                |report: progress_report::Model| (report.assignment_id, report.period, normalised(&report.text));
            there.extend(reports.into_iter().map(known));
        }
        let submitted_at = calendar::moment(self.as_of, NaiveTime::default(), self.import.zone);
        let period = self.as_of.format("%Y-%m").to_string();
        let mut new = Vec::new();
        for (measure, read, _) in answered(rows, problems, measures) {
            let unit = answered_by.reporting.get(&measure.id);
            let assignment = unit.and_then(|unit| answered_by.known.get(&(measure.id, *unit)));
            let (Some(assignment), Some(text)) = (assignment, &read.progress) else { continue };
            if !there.insert((assignment.id, period.clone(), normalised(text))) {
                continue;
            }
            let word = workflow::stated(text);
            new.push(progress_report::ActiveModel {
                assignment_id: Set(assignment.id),
                period: Set(period.clone()),
                text: Set(text.clone()),
                stated: Set(word.map(|_| shortened(text, 20))),
                submitted_at: Set(submitted_at),
                ..Default::default()
            });
            // An assignment of an earlier import moves on by the same rule as one that is reported on by hand; a file
            // that is older than the last report moves nothing.
            let earlier = assignment.reported_on.is_some_and(|day| day > self.as_of);
            if assignment.created_at < self.import.now && !earlier {
                let step = match word.map(|word| word.status) {
                    Some(Status::NotApplicableProposed) => Step::ProposeNotApplicable,
                    _ => Step::Report,
                };
                let status = match word.map(|word| word.status) {
                    Some(Status::Closed) => Status::Closed,
                    _ => workflow::next(assignment.status, step).unwrap_or(assignment.status),
                };
                let mut row: assignment::ActiveModel = assignment.clone().into();
                row.status = Set(status);
                // A status word says whether it is completed; plain words leave that as it was.
                if let Some(word) = word {
                    let since = assignment.completed_on.unwrap_or(self.as_of);
                    row.completed_on = Set(word.completed.then_some(since));
                }
                row.reported_on = Set(Some(self.as_of));
                row.version = Set(assignment.version + 1);
                row.updated_at = Set(self.import.now);
                row.update(self.db).await?;
            }
        }
        self.summary.new_reports = new.len();
        for chunk in new.chunks(CHUNK) {
            progress_report::Entity::insert_many(chunk.to_vec()).exec_without_returning(self.db).await?;
        }
        Ok(())
    }

    /// Whether nobody is assigned a measure: its progress is then the ledger's word.
    fn names_nobody(&self, resolved: &Resolved) -> bool {
        self.region.id == self.issuer.id && named_bodies(resolved).is_empty()
    }

    /// What the ledger states of measures and problems that no assignment backs; a later ledger states anew.
    async fn state(&mut self, rows: &[Row<'_>], problems: &Problems, measures: &Measures) -> Result<()> {
        let mut stated: BTreeMap<(Option<NaiveDate>, String), (Stating, Vec<i64>)> = BTreeMap::new();
        for row in rows {
            let Some(problem) = problems.get(&row.problem.identity()) else { continue };
            let rating = row.problem.rating.as_ref().map(|(_, stated)| *stated);
            if let Some((printed, rating)) = &row.problem.rating
                && problem.status_stated_on.is_some_and(|day| day < self.as_of)
            {
                let mut there: problem::ActiveModel = problem.clone().into();
                there.rated_progress = Set(Some(printed.clone()));
                there.status = Set(rating.status);
                there.status_stated_on = Set(Some(self.as_of));
                there.completed_on = Set(rating.completed.then(|| problem.completed_on.unwrap_or(self.as_of)));
                there.version = Set(problem.version + 1);
                there.updated_at = Set(self.import.now);
                there.update(self.db).await?;
                self.summary.restated += 1;
            }
            for (read, resolved) in &row.measures {
                let Some(measure) = measures.get(&(problem.id, read.identity())) else { continue };
                let fresh = measure.created_at == self.import.now;
                let later = measure.status_stated_on.is_some_and(|day| day < self.as_of);
                if !fresh && !later {
                    continue;
                }
                if !fresh {
                    self.summary.restated += 1;
                    if self.names_nobody(resolved) && measure.stated_progress != read.progress {
                        let mut there: measure::ActiveModel = measure.clone().into();
                        there.stated_progress = Set(read.progress.clone());
                        there.updated_at = Set(self.import.now);
                        there.update(self.db).await?;
                    }
                }
                // A problem rated as completed has no measure that is not.
                let stating = Stating {
                    status: rating.map_or_else(
                        || if read.progress.is_some() { Status::InProgress } else { Status::Assigned },
                        |rating| rating.status,
                    ),
                    completed_on: rating
                        .is_some_and(|rating| rating.completed)
                        .then(|| measure.completed_on.unwrap_or(self.as_of)),
                    reported_on: read.progress.as_ref().map(|_| self.as_of),
                };
                let key = (stating.completed_on, format!("{:?}{:?}", stating.status, stating.reported_on));
                stated.entry(key).or_insert_with(|| (stating, Vec::new())).1.push(measure.id);
            }
        }
        for (stating, ids) in stated.into_values() {
            for chunk in ids.chunks(CHUNK) {
                measure::Entity::update_many()
                    .col_expr(measure::Column::Version, Expr::cust("version + 1"))
                    .set(measure::ActiveModel {
                        status: Set(stating.status),
                        status_stated_on: Set(Some(self.as_of)),
                        completed_on: Set(stating.completed_on),
                        reported_on: Set(stating.reported_on),
                        updated_at: Set(self.import.now),
                        ..Default::default()
                    })
                    .filter(measure::Column::Id.is_in(chunk.iter().copied()))
                    .exec(self.db)
                    .await?;
            }
        }
        Ok(())
    }

    async fn concerns(&self, problems: &Problems, measures: &Measures, answered_by: &Assignments) -> Result<()> {
        let regions: BTreeSet<i64> =
            answered_by.known.values().map(|row| row.region_id).chain([self.issuer.id]).collect();
        let lineages: HashMap<i64, Vec<i64>> = region::Entity::find()
            .filter(region::Column::Id.is_in(regions))
            .all(self.db)
            .await?
            .into_iter()
            .map(|region| (region.id, crate::region::lineage(&region.path)))
            .collect();
        let mut of_measure: HashMap<i64, Vec<i64>> = HashMap::new();
        for row in answered_by.known.values() {
            of_measure.entry(row.measure_id).or_default().push(row.region_id);
        }
        let own = [self.issuer.id];
        let line = |regions: &[i64]| -> Vec<i64> {
            regions.iter().chain(&own).filter_map(|region| lineages.get(region)).flatten().copied().collect()
        };
        let mut of_problem: HashMap<i64, Vec<i64>> = HashMap::new();
        let mut concerns = Vec::new();
        for measure in measures.models() {
            let lineage = line(of_measure.get(&measure.id).map_or(&[], Vec::as_slice));
            of_problem.entry(measure.problem_id).or_default().extend(&lineage);
            concerns.push(Concern { id: measure.id, due_order: concern::due_order(measure.due_on), lineage });
        }
        concern::measures(self.db, &concerns).await?;
        let concerns: Vec<Concern> = problems
            .models()
            .map(|problem| Concern {
                id: problem.id,
                due_order: concern::due_order(problem.due_on),
                lineage: of_problem.remove(&problem.id).unwrap_or_else(|| line(&[])),
            })
            .collect();
        concern::problems(self.db, &concerns).await
    }

    /// Where grace periods and allotted time begin: the round's feedback, else the import's date.
    fn grace_from(&self) -> NaiveDate {
        self.round.feedback_on.unwrap_or(self.as_of)
    }
}

/// Where a cell stands, and the names that were refused already.
struct Place<'a> {
    sheet: &'a Sheet,
    read: &'a Read,
    row: u32,
    refused: &'a mut HashSet<(String, String)>,
}

/// What is stated of a measure.
struct Stating {
    status: Status,
    completed_on: Option<NaiveDate>,
    reported_on: Option<NaiveDate>,
}

/// A deadline in the ledger is changed by an extension, never by a file: what the ledger has, where a file differs.
fn changed_deadline(read: &ReadMeasure, there: &measure::Model) -> Option<String> {
    let same = there.due_on == read.deadline.due_on
        && there.due_ongoing == read.deadline.ongoing
        && there.due_immediate == read.deadline.immediate;
    (!same).then(|| format!("台账中的“{}”；时限变更请走延期，不能通过导入修改", there.due_raw))
}

type Problems = Known<String, problem::Model>;
type Measures = Known<(i64, String), measure::Model>;

/// The assignments of the file's measures, and which of them a measure's report goes to.
struct Assignments {
    known: HashMap<(i64, i64), assignment::Model>,
    reporting: BTreeMap<i64, i64>,
}

/// Rows by what makes them the same.
struct Known<K, M> {
    rows: HashMap<K, M>,
    key: fn(&M) -> K,
}

impl<K: Eq + std::hash::Hash, M> Known<K, M> {
    fn of(rows: Vec<M>, key: fn(&M) -> K) -> Self {
        let mut known = Self { rows: HashMap::new(), key };
        known.extend(rows);
        known
    }

    fn extend(&mut self, rows: Vec<M>) {
        let key = self.key;
        self.rows.extend(rows.into_iter().map(|row| (key(&row), row)));
    }

    fn get(&self, key: &K) -> Option<&M> {
        self.rows.get(key)
    }

    fn models(&self) -> impl Iterator<Item = &M> {
        self.rows.values()
    }
}

/// The file's measures with the rows that they became.
fn answered<'m, 'r>(
    rows: &'r [Row<'_>],
    problems: &'m Problems,
    measures: &'m Measures,
) -> impl Iterator<Item = (&'m measure::Model, &'r ReadMeasure, &'r Resolved)> {
    rows.iter().filter_map(|row| Some((row, problems.get(&row.problem.identity())?.id))).flat_map(
        move |(row, problem)| {
            row.measures
                .iter()
                .filter_map(move |(read, resolved)| Some((measures.get(&(problem, read.identity()))?, *read, resolved)))
        },
    )
}

/// The units that a file of the issuing region assigns: those it names, else the lead unit. The lead unit reports.
fn named_bodies(resolved: &Resolved) -> Vec<i64> {
    let mut bodies: Vec<i64> = resolved
        .parties
        .iter()
        .filter_map(|(_, party)| match party {
            PartyRow::Unit(unit) => Some(*unit),
            PartyRow::Selector(_) => None,
        })
        .collect();
    if let Some(lead) = resolved.lead {
        if bodies.is_empty() {
            bodies.push(lead);
        } else if let Some(place) = bodies.iter().position(|unit| *unit == lead) {
            bodies.swap(0, place);
        }
    }
    bodies
}

fn milestones(deadline: &Deadline, problem: Option<i64>, measure: Option<i64>) -> Vec<milestone::ActiveModel> {
    let rows = deadline.milestones.iter().enumerate().map(|(index, step)| milestone::ActiveModel {
        problem_id: Set(problem),
        measure_id: Set(measure),
        position: Set(index as i32 + 1),
        label: Set(step.label.clone()),
        due_on: Set(step.due_on),
        ..Default::default()
    });
    rows.collect()
}
