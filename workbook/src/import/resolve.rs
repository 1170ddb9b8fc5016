//! Resolves printed names to units: looks up known ones, creates new ones if allowed, and reports the rest as faults.

use std::collections::{HashMap, HashSet};

use chrono::NaiveDate;
use entity::region::Level;
use entity::{region, unit, unit_alias};
use planner::Bilingual;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};

use super::{PartyRow, Resolved, Row, Writer};
use crate::field::Field;
use crate::layout::Layout;
use crate::parties::{Party, Reader, is_plausible, plain, scoped};
use crate::question::{Question, Topic};
use crate::reading::{Read, fault, letters};
use crate::sheet::Sheet;
use ledger::record::database::Transaction;
use ledger::unit::{add, add_alias, ensure_government, government_name, name_key, selector_name};
use ledger::{Result, fault as faults};

/// The units that a file may name: those of the answering and the issuing region and their ancestors.
pub(super) struct Units {
    /// Unit ids by region id and name or alias.
    pub(super) by_name: HashMap<(i64, String), i64>,
    /// The regions from the nation down to the answering and the issuing region, then those of [`Units::stand_in`].
    lines: Vec<region::Model>,
    /// The number of the regions down to the answering and the issuing region.
    own_lines: usize,
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
        let by_name = Self::named(db, ids).await?;
        Ok(Self { by_name, own_lines: lines.len(), lines })
    }

    /// Reads the units of regions, by region id and name or alias.
    async fn named(db: &Transaction, ids: Vec<i64>) -> Result<HashMap<(i64, String), i64>> {
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
        Ok(by_name)
    }

    /// Reads the units of further regions, which names may refer to after [`Units::stand_in`].
    pub(super) async fn read_also(&mut self, db: &Transaction, regions: &[region::Model]) -> Result<()> {
        let is_new = |region: &&region::Model| !self.lines.iter().any(|line| line.id == region.id);
        let ids: Vec<i64> = regions.iter().filter(is_new).map(|region| region.id).collect();
        if !ids.is_empty() {
            self.by_name.extend(Self::named(db, ids).await?);
        }
        Ok(())
    }

    /// Takes the names that follow from the place of these regions, below the answering region, until the next call:
    /// 县水利局 is a unit of the county among them.
    pub(super) fn stand_in<'r>(&mut self, below: impl IntoIterator<Item = &'r region::Model>) {
        self.lines.truncate(self.own_lines);
        for region in below {
            if !self.lines.iter().any(|line| line.id == region.id) {
                self.lines.push(region.clone());
            }
        }
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

    /// Returns the one known unit whose name means the same as a name that is not known, with its name: 县住建局 is
    /// 白河县住房和城乡建设局.
    fn alike(&self, home: i64, name: &str) -> Option<(String, i64)> {
        let places = self.places();
        let key = name_key(name, &places);
        let mut alike = self
            .by_name
            .iter()
            .filter(|((region, known), _)| *region == home && !known.contains('…') && name_key(known, &places) == key)
            .map(|((_, known), unit)| (known.clone(), *unit))
            .collect::<Vec<_>>();
        alike.sort();
        let first = alike.first()?.1;
        alike.iter().all(|(_, unit)| *unit == first).then(|| alike.swap_remove(0))
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
                    let layout = &read.layout;
                    let mut place = Place { sheet, layout, row: measure.row, refused: &mut refused };
                    let (lead, others) = self.first(measure.lead.as_deref(), Field::Lead, &mut place).await?;
                    let (supervising, _) =
                        self.first(measure.supervising.as_deref(), Field::Supervising, &mut place).await?;
                    let (accepting, _) = self.first(measure.accepting.as_deref(), Field::Accepting, &mut place).await?;
                    let mut parties = self.many(measure.parties.as_deref(), Field::Parties, &mut place).await?;
                    parties.extend(others);
                    parties.extend(self.many(measure.assisting.as_deref(), Field::Assisting, &mut place).await?);
                    let mut seen = HashSet::new();
                    parties.retain(|(_, party)| seen.insert(*party));
                    measures.push((measure, Resolved { lead, supervising, accepting, parties }));
                }
                rows.push(Row { sheet, read, as_of, problem, measures });
            }
        }
        Ok(rows)
    }

    /// Resolves a cell that has to name exactly one unit.
    async fn one(&mut self, printed: Option<&str>, column: Field, place: &mut Place<'_>) -> Result<Option<i64>> {
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

    /// Resolves the cell of the lead, supervising or accepting unit. If it names several, the first one is proposed;
    /// the others are returned.
    async fn first(
        &mut self,
        printed: Option<&str>,
        column: Field,
        place: &mut Place<'_>,
    ) -> Result<(Option<i64>, Vec<(String, PartyRow)>)> {
        let Some(printed) = printed else { return Ok((None, Vec::new())) };
        let names: Vec<String> = self
            .read(printed)
            .into_iter()
            .filter_map(|(_, party)| match party {
                Party::Unit(name) => Some(name),
                Party::County(county) => Some(government_name(&county)),
                Party::Ambiguous { suggestion, .. } => Some(suggestion),
                Party::Selector(_) => None,
            })
            .collect();
        if names.len() < 2 {
            return Ok((self.one(Some(printed), column, place).await?, Vec::new()));
        }
        let all = self.many(Some(printed), column, place).await?;
        let decided = self.mapping.lead(printed).map(str::to_owned);
        if decided.is_none() {
            let (zh, en) = match column {
                Field::Supervising => ("督导？台账只记一个", "supervises? The ledger records one"),
                Field::Accepting => ("验收？台账只记一个", "accepts the work? The ledger records one"),
                _ => ("牵头？其余作为责任单位", "leads? The others are responsible"),
            };
            let question = Question {
                choices: names.clone(),
                ..self.question(
                    (Topic::Leads, column, place),
                    printed,
                    (
                        &format!("“{printed}”有几个单位，哪一个{zh}"),
                        &format!("“{printed}” names several units; which one {en}"),
                    ),
                    &names[0],
                )
            };
            self.questions.ask(question);
        }
        let lead = match decided {
            Some(lead) => self.unit(&lead, column, place).await?,
            None => all.iter().find_map(|(_, party)| match party {
                PartyRow::Unit(unit) => Some(*unit),
                PartyRow::Selector(_) => None,
            }),
        };
        let others = all.into_iter().filter(|(_, party)| lead.map(PartyRow::Unit) != Some(*party)).collect();
        Ok((lead, others))
    }

    fn read(&self, printed: &str) -> Vec<(String, Party)> {
        let (aliases, places) = (&self.mapping.units, self.units.places());
        Reader { aliases, known: &|name| self.units.knows(name), places: &places }.read(printed)
    }

    pub(super) async fn many(
        &mut self,
        printed: Option<&str>,
        column: Field,
        place: &mut Place<'_>,
    ) -> Result<Vec<(String, PartyRow)>> {
        let Some(printed) = printed else { return Ok(Vec::new()) };
        let mut rows: Vec<(String, PartyRow)> = Vec::new();
        let parties = self.read(printed);
        if parties.iter().any(|(_, party)| matches!(party, Party::Ambiguous { .. })) {
            self.ask_about_list(printed, &parties, column, place);
        }
        for (raw, party) in parties {
            let row = match party {
                Party::Unit(name) => self.unit(&name, column, place).await?.map(PartyRow::Unit),
                Party::County(county) => self.county(&county, column, place).await?.map(PartyRow::Unit),
                Party::Selector(selector) => Some(PartyRow::Selector(selector)),
                Party::Ambiguous { name, after, suggestion } => {
                    let unit = self.unit(&suggestion, column, place).await?;
                    if let Some(unit) = unit {
                        self.confirm(&scoped(&after, &name), &suggestion, unit).await?;
                    }
                    unit.map(PartyRow::Unit)
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

    /// Asks how a list is to be read in which a prefix may or may not carry over.
    fn ask_about_list(&mut self, printed: &str, parties: &[(String, Party)], column: Field, place: &mut Place<'_>) {
        let unclear: Vec<(String, String)> = parties
            .iter()
            .filter_map(|(_, party)| match party {
                Party::Ambiguous { name, after, suggestion } => Some((
                    format!("“{after}…”之后的“{name}”前缀不明确，建议读作“{suggestion}”"),
                    format!("the prefix of “{name}” after “{after}…” is not clear, probably “{suggestion}”"),
                )),
                _ => None,
            })
            .collect();
        let (zh, en): (Vec<String>, Vec<String>) = unclear.into_iter().unzip();
        let names: Vec<String> = parties
            .iter()
            .map(|(_, party)| match party {
                Party::Unit(name) => name.clone(),
                Party::County(county) => government_name(county),
                Party::Ambiguous { suggestion, .. } => suggestion.clone(),
                Party::Selector(selector) => selector_name(*selector).to_owned(),
            })
            .collect();
        let proposal = names.join("；");
        let question =
            self.question((Topic::Units, column, place), &plain(printed), (&zh.join("；"), &en.join("; ")), &proposal);
        self.questions.ask(question);
    }

    /// Makes a question about a cell. Its proposal is taken if the caller takes proposals about units.
    fn question(
        &self,
        (topic, column, place): (Topic, Field, &Place<'_>),
        printed: &str,
        (zh, en): (&str, &str),
        proposal: &str,
    ) -> Question {
        let options = self.import.options;
        let creates = options.create_units && matches!(topic, Topic::Units | Topic::NewUnits);
        Question {
            topic,
            sheet: place.sheet.name.clone(),
            row: place.row + 1,
            column: place.layout.place(column).map(letters).unwrap_or_default(),
            printed: printed.to_owned(),
            asked: Bilingual::new(zh, en),
            proposal: proposal.to_owned(),
            choices: Vec::new(),
            samples: Vec::new(),
            rows: 1,
            is_taken: options.takes_proposals || creates,
        }
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

    async fn unit(&mut self, name: &str, column: Field, place: &mut Place<'_>) -> Result<Option<i64>> {
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
        // A unit that was decided to be another one, under its own name.
        let decided = self.mapping.new_unit(name).map(|known| known.map(str::to_owned));
        if let Some(Some(known)) = &decided
            && let Some(unit) = self.units.find(self.units.home(known, &self.issuer), known)
        {
            self.units.by_name.insert((home, name.to_owned()), unit);
            add_alias(self.db, unit, name).await?;
            return Ok(Some(unit));
        }
        if decided.is_none() {
            if let Some((known, unit)) = self.units.alike(home, name) {
                let zh = format!("没有登记过单位“{name}”；是否就是“{known}”？");
                let en = format!("there is no unit named “{name}”; is it “{known}”?");
                let question = self.question((Topic::NewUnits, column, place), name, (&zh, &en), &known);
                self.questions.ask(Question { choices: vec!["true".to_owned(), known.clone()], ..question });
                self.units.by_name.insert((home, name.to_owned()), unit);
                add_alias(self.db, unit, name).await?;
                self.summary.readings.push((name.to_owned(), known));
                return Ok(Some(unit));
            }
            let zh = format!("没有登记过单位“{name}”，是否新建？");
            let en = format!("there is no unit named “{name}”; create it?");
            let question = self.question((Topic::NewUnits, column, place), name, (&zh, &en), "true");
            self.questions.ask(question);
        }
        let unit = add(self.db, home, name).await?;
        self.units.by_name.insert((home, name.to_owned()), unit.id);
        self.summary.new_units.push(name.to_owned());
        Ok(Some(unit.id))
    }

    /// Resolves a county named in the text, which must be a child of the issuing region, to its government.
    async fn county(&mut self, county: &str, column: Field, place: &mut Place<'_>) -> Result<Option<i64>> {
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

    pub(super) fn refuse(
        &mut self,
        place: &mut Place<'_>,
        column: Field,
        name: &str,
        problem: Bilingual,
        expected: Bilingual,
    ) {
        if place.refused.insert((name.to_owned(), problem.zh.clone())) {
            self.faults.push(fault(place.sheet, place.layout, place.row, column, problem, expected));
        }
    }
}

/// The place of a cell, and the names already reported as faults, each with the reason.
pub(super) struct Place<'a> {
    pub(super) sheet: &'a Sheet,
    pub(super) layout: &'a Layout,
    pub(super) row: u32,
    pub(super) refused: &'a mut HashSet<(String, String)>,
}
