//! Imports a ledger in one transaction: reads the sheets, resolves units, compares the rows with the database, and
//! writes what is new. Where something has to be decided it goes on with the proposal, so that one run tells all
//! questions, all faults and all that would change; nothing is kept unless every question is answered. Importing the
//! same file again changes nothing.

mod cases;
mod remember;
mod resolve;
mod write;

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use entity::inspection_round::{RoundKind, RoundLevel};
use entity::region::Level;
use entity::responsible_party::Selector;
use entity::{inspection_round, region};
use planner::Bilingual;
use sea_orm::{
    ActiveEnum, ActiveModelTrait, ActiveValue::Set, ColumnTrait, DatabaseConnection, EntityTrait, QueryFilter,
};

use self::resolve::Units;
use super::bounds::refused;
use super::case_list::{self, ReadCases};
use super::field::Field;
use super::form::Form;
use super::layout::{Kind, Layout, visible};
use super::mapping::{Mapping, write_mapping};
use super::question::{Question, Questions};
use super::reading::{self, CellFault, Manner, Read, ReadMeasure, ReadProblem, SheetReading, fault};
use super::sheet::Sheet;
use ledger::Result;
use ledger::fault::{self as faults, Fault, FaultCode};
use ledger::people::policy::{self, Act};
use ledger::record::audit::By;
use ledger::record::database;
use ledger::record::database::Transaction;
use ledger::rule::calendar;
use ledger::rule::holiday::WorkingDays;
use ledger::rule::sameness::normalised;
use ledger::rule::wording::shortened;

/// The round and region that a file belongs to, and how to read it.
#[derive(Debug, Clone)]
pub struct ImportOptions {
    /// Name of the inspection round (督察轮次); created if it does not exist.
    pub round: String,
    /// Level of the round if it is created; `None` if its name tells it.
    pub level: Option<RoundLevel>,
    /// Code of the answering region (`540329`).
    pub region: String,
    /// Code of the region that issued the problems and measures; `None` if it is the answering region.
    pub issued_by: Option<String>,
    /// Report what would be written, and write nothing.
    pub dry_run: bool,
    /// Take the proposals for unknown units and for unclear lists of units.
    pub create_units: bool,
    /// Take the proposals for all questions.
    pub takes_proposals: bool,
    /// What a person has decided about the file.
    pub mapping: Mapping,
    /// Grace period of an immediate deadline without a date, in days.
    pub grace_days: i64,
}

/// The parameters of an import.
pub struct Import<'a> {
    /// Sheets of the file.
    pub sheets: &'a [Sheet],
    /// The round and region that the file belongs to, and how to read it.
    pub options: &'a ImportOptions,
    /// The account or program that imports.
    pub by: &'a By,
    /// Time of the import.
    pub now: DateTime<Utc>,
    /// Time zone of the ledger.
    pub zone: Tz,
    /// Called with the number of measures processed so far and the total.
    pub progress: &'a (dyn Fn(usize, usize) + Sync),
}

/// What an import read, and what it wrote or would write.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Local date on which the statuses were true; the latest, if sheets have dates of their own.
    pub as_of: Option<NaiveDate>,
    /// Number of problems read.
    pub problems: usize,
    /// Number of measures read.
    pub measures: usize,
    /// Number of problems created.
    pub new_problems: usize,
    /// Number of measures created.
    pub new_measures: usize,
    /// Number of assignments created.
    pub new_assignments: usize,
    /// Number of responsible parties created.
    pub new_parties: usize,
    /// Number of progress reports created.
    pub new_reports: usize,
    /// Number of stated statuses that this later ledger updated.
    pub restated: usize,
    /// Number of complaint cases read.
    pub cases: usize,
    /// Number of complaint cases created.
    pub new_cases: usize,
    /// Names of the units created.
    pub new_units: Vec<String>,
    /// Suggested readings that were accepted: the printed text with its prefix, and the unit.
    pub readings: Vec<(String, String)>,
    /// Remarks for a person to look at. They do not prevent the import.
    pub remarks: Vec<Bilingual>,
}

/// What became of an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The ledger was written.
    Written,
    /// The database already contained everything.
    Unchanged,
    /// Dry run: the ledger would be written.
    Rehearsed,
    /// The file has faults, or questions without an answer; nothing was written.
    Rejected,
}

/// The result of an import: how the file was read, what is asked, what is wrong, and what was written or would be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// What became of the import.
    pub outcome: Outcome,
    /// What the file contains.
    pub kind: Kind,
    /// How each sheet was read.
    pub sheets: Vec<SheetReading>,
    /// All questions, those that were answered by their proposals included.
    pub questions: Vec<Question>,
    /// All faults.
    pub faults: Vec<CellFault>,
    /// What was read, and what was written or would be. Counts nothing new if there are faults.
    pub summary: Summary,
}

impl Report {
    /// Returns the mapping file: how the sheets were read, and each question with its proposal.
    pub fn mapping(&self) -> String {
        write_mapping(self.kind, self.summary.as_of, &self.sheets, &self.questions)
    }

    /// Returns the questions that keep the import from being written.
    pub fn open_questions(&self) -> impl Iterator<Item = &Question> {
        self.questions.iter().filter(|question| question.is_open())
    }
}

impl Summary {
    fn changes_nothing(&self) -> bool {
        self.new_problems
            + self.new_measures
            + self.new_parties
            + self.new_assignments
            + self.new_reports
            + self.restated
            + self.new_cases
            == 0
            && self.new_units.is_empty()
    }
}

/// Imports a ledger. Writes everything or, if there is any fault, an open question, or on a dry run, nothing. Fails if
/// the file contains no ledger, if a region is retired or the issuer is not above the answering region, or if the
/// account may not keep the ledger of the answering region.
pub async fn import(db: &DatabaseConnection, import: &Import<'_>) -> Result<Report> {
    let options = import.options;
    let known = remember::load(db, options).await?;
    let answering = region::Entity::find().filter(region::Column::Code.eq(&options.region)).one(db).await?;
    let working = WorkingDays::read(db, answering.map(|region| region.id)).await?;
    let manner = Manner {
        mapping: &known.mapping,
        remembered: &known.columns,
        working: &|day| working.contains(day),
        takes_proposals: options.takes_proposals,
    };
    let mut reads: Vec<Read> = Vec::new();
    for sheet in import.sheets {
        let before = reads.last().and_then(|read| read.as_of);
        reads.extend(reading::read(sheet, manner, before));
    }
    let lists = cases_of(import.sheets, &known);
    if reads.is_empty() && lists.is_empty() {
        return Err(no_ledger(import.sheets));
    }
    if lists.is_empty() && reads.iter().all(|read| read.problems.is_empty() && read.faults.is_empty()) {
        return Err(refused("台账只有表头，没有内容", "the ledger has headings and no rows"));
    }
    let sheets: Vec<SheetReading> = reads
        .iter()
        .filter_map(|read| Some(read.reading(import.sheets.iter().find(|sheet| sheet.name == read.sheet)?)))
        .collect();
    let of_cases = lists.iter().map(|(sheet, layout, _)| reading::described(sheet, layout, None));
    let sheets: Vec<SheetReading> = sheets.into_iter().chain(of_cases).collect();
    let found = sheets.first().map_or(Kind::Ledger, |sheet| sheet.kind);
    let kind = options.mapping.kind.unwrap_or(found);
    if (kind == Kind::Cases) != (found == Kind::Cases) {
        let (wanted, found) = (kind.label(), found.label());
        return Err(refused(
            format!("文件是{}，不是{}", found.zh, wanted.zh),
            format!("the file is a {}, not a {}", found.en, wanted.en),
        ));
    }
    let mut questions = Questions::default();
    for read in &mut reads {
        for question in std::mem::take(&mut read.questions).into_vec() {
            questions.ask(question);
        }
    }
    let mut faults: Vec<CellFault> = reads.iter().flat_map(|read| read.faults.clone()).collect();
    faults.extend(repeated_across_sheets(import.sheets, &reads));
    let days = days(&reads, calendar::local_day(import.now, import.zone), &mut faults);
    let transaction = database::begin(db).await?;
    let (region, issuer) = regions(&transaction, options).await?;
    let (round, new_round) = round(&transaction, options, &issuer).await?;
    allowed(import.by, round.level, (&region, &issuer))?;
    let new_level = new_round.then_some(round.level);
    let mut writer = Writer {
        import,
        mapping: &known.mapping,
        db: &transaction,
        units: Units::load(&transaction, &region, &issuer).await?,
        region,
        issuer,
        round,
        faults,
        questions,
        summary: Summary::default(),
    };
    let rows = writer.resolve(import.sheets, &reads, &days).await?;
    if writer.faults.is_empty() {
        writer.write(rows).await?;
        writer.cases(lists).await?;
    }
    let place = (writer.round.id, writer.region.id);
    let Writer { mut faults, questions, mut summary, issuer, .. } = writer;
    let questions = questions.into_vec();
    remark(&mut summary, &reads);
    if let Some(level) = new_level {
        summary.remarks.push(opened(options, level));
    }
    summary.remarks.extend(import.sheets.iter().flat_map(|sheet| sheet.hidden.iter().cloned()));
    let has_open = questions.iter().any(Question::is_open);
    let unchanged = summary.changes_nothing() && !new_round;
    let outcome = if !faults.is_empty() || has_open {
        faults.sort_by(|a, b| (&a.sheet, a.row, &a.column).cmp(&(&b.sheet, b.row, &b.column)));
        transaction.rollback().await?;
        Outcome::Rejected
    } else if options.dry_run {
        transaction.rollback().await?;
        Outcome::Rehearsed
    } else {
        let by = (import.by, import.now);
        remember::store(&transaction, issuer.id, &options.round, &sheets, &options.mapping, &questions, by).await?;
        if !reads.is_empty() {
            let form = form_of(import.sheets, &reads);
            remember::store_form(&transaction, place, form.as_ref(), import.now).await?;
        }
        transaction.commit().await?;
        if unchanged { Outcome::Unchanged } else { Outcome::Written }
    };
    Ok(Report { outcome, kind, sheets, questions, faults, summary })
}

/// Returns the form of the sheets; none if they have several.
fn form_of(sheets: &[Sheet], reads: &[Read]) -> Option<Form> {
    let of = |read: &Read| Form::of(sheets.iter().find(|sheet| sheet.name == read.sheet)?, &read.layout);
    let (first, rest) = reads.split_first()?;
    let form = of(first)?;
    let is_same = |other: Form| other.columns == form.columns;
    rest.iter().all(|read| of(read).is_some_and(is_same)).then_some(form)
}

/// Reads the sheets that have complaint cases, each with its layout.
fn cases_of<'s>(sheets: &'s [Sheet], known: &remember::Known) -> Vec<(&'s Sheet, Layout, ReadCases)> {
    let layouts = sheets.iter().filter_map(|sheet| {
        let layout = Layout::find(sheet, &known.mapping.columns, &known.columns)?;
        (layout.kind() == Kind::Cases).then_some((sheet, layout))
    });
    layouts
        .map(|(sheet, layout)| {
            let read = case_list::read(sheet, &layout);
            (sheet, layout, read)
        })
        .collect()
}

/// Returns the error for a file without a table that is understood, which names the headings that were seen.
fn no_ledger(sheets: &[Sheet]) -> ledger::Error {
    let seen: Vec<String> = sheets
        .iter()
        .filter_map(|sheet| {
            let widest = sheet.filled_rows().into_iter().take(30).rev().max_by_key(|row| sheet.columns(*row).len())?;
            let cells = sheet.columns(widest).into_iter().map(|place| sheet.text(widest, place));
            let cells: Vec<String> = cells.take(8).map(|cell| shortened(&visible(cell), 12)).collect();
            Some(format!("“{}”第 {} 行：{}", sheet.name, widest + 1, cells.join("｜")))
        })
        .take(3)
        .collect();
    let seen = seen.join("；");
    refused(
        format!(
            "文件中没有找到台账：需要一行表头，至少包括“反馈问题”“整改措施（整改任务）”“整改时限”等列。见到的是：{seen}"
        ),
        format!(
            "the file has no ledger: a row of headings is expected, at least with the columns 反馈问题, 整改措施 (or \
             整改任务) and 整改时限; seen: {seen}"
        ),
    )
}

/// Returns the answering and the issuing region, created if they are in the built-in list.
async fn regions(db: &Transaction, options: &ImportOptions) -> Result<(region::Model, region::Model)> {
    let region = ledger::region::ensure(db, &options.region, &["region"]).await?;
    let issuer = match &options.issued_by {
        Some(code) => ledger::region::ensure(db, code, &["issuedBy"]).await?,
        None => region.clone(),
    };
    if let Some(gone) = [&region, &issuer].into_iter().find(|region| region.retired_on.is_some()) {
        let zh = format!("{}已撤并，不能再导入台账", gone.name);
        let en = format!("{} is retired: no ledger can be imported for it", gone.name);
        let field = if gone.id == region.id { "region" } else { "issuedBy" };
        return Err(Fault::new(FaultCode::WrongState, zh, en, &[field]).into());
    }
    if !region.path.starts_with(&issuer.path) {
        let (own, above) = (&region.name, &issuer.name);
        let zh = format!("{own}不在{above}之下：--issued-by 应为 --region 本级或上级的代码");
        let en = format!(
            "{own} is not below {above}: `issuedBy` (--issued-by) must be the code of the region itself or of one \
             above it"
        );
        return Err(Fault::invalid(zh, en, &["issuedBy"]).into());
    }
    Ok((region, issuer))
}

/// Returns the date of each sheet. Reports each sheet without one as a fault; its rows are compared as of `today`, so
/// that their faults and questions are told as well, and are not written.
fn days(reads: &[Read], today: NaiveDate, faults: &mut Vec<CellFault>) -> Vec<NaiveDate> {
    let mut days: Vec<NaiveDate> = Vec::new();
    for read in reads {
        if read.as_of.is_none() {
            faults.push(CellFault {
                sheet: read.sheet.clone(),
                row: 1,
                column: "A".to_owned(),
                heading: "标题".to_owned(),
                value: String::new(),
                problem: Bilingual::new("标题中没有截止日期", "the title has no date"),
                expected: Bilingual::new(
                    "如“截至2023年4月30日”的日期；或指明数据截至日期（asOf），如 2023-04-30",
                    "a date such as 截至2023年4月30日; or give the date of the data (`asOf`), such as 2023-04-30",
                ),
            });
        }
        days.push(read.as_of.unwrap_or(today));
    }
    days
}

/// Adds what a person should know about how the sheets were read.
fn remark(summary: &mut Summary, reads: &[Read]) {
    let dated = || reads.iter().filter_map(|read| Some((&read.sheet, read.as_of?)));
    summary.as_of = dated().map(|(_, day)| day).max();
    summary.remarks.dedup();
    if dated().any(|(_, day)| Some(day) != summary.as_of) {
        let of_sheet = |(sheet, day): (&String, NaiveDate)| {
            Bilingual::new(format!("工作表“{sheet}”截至 {day}"), format!("sheet “{sheet}” is as of {day}"))
        };
        summary.remarks.extend(dated().map(of_sheet));
    }
    for read in reads {
        let sheet = &read.sheet;
        summary.remarks.extend(read.layout.unknown.iter().map(|(_, heading, _)| {
            Bilingual::new(
                format!("“{heading}”列不在表头词典中，未导入"),
                format!("column “{heading}”: the heading is not known; not imported"),
            )
        }));
        summary.remarks.extend(read.layout.repeated.iter().map(|(_, heading, first)| {
            Bilingual::new(
                format!("“{heading}”列与“{first}”列同义，只读取后者"),
                format!("columns “{heading}” and “{first}” mean the same; only the latter is read"),
            )
        }));
        summary.remarks.extend(read.left_out.iter().map(|(row, what)| {
            Bilingual::new(
                format!("工作表“{sheet}”第 {row} 行是{}，未导入", what.zh),
                format!("sheet “{sheet}”, row {row}: {}; not imported", what.en),
            )
        }));
        summary.remarks.extend(read.remarks.iter().map(|(row, remark)| {
            Bilingual::new(
                format!("工作表“{sheet}”第 {row} 行：{}", remark.zh),
                format!("sheet “{sheet}”, row {row}: {}", remark.en),
            )
        }));
        if read.layout.place(Field::Reporter).is_some() {
            let heading = read.layout.heading(Field::Reporter);
            summary.remarks.push(Bilingual::new(
                format!("“{heading}”列是个人信息，未读取；填报人请用账号登记"),
                format!("column “{heading}” has personal data and is not read; give reporters accounts instead"),
            ));
        }
    }
}

/// Checks that the account may keep the ledger of the answering region in a round of this level: its own region or one
/// below it. What a prefecture or a county issues is imported by an office that the issuing region belongs to as well.
fn allowed(by: &By, level: RoundLevel, (region, issuer): (&region::Model, &region::Model)) -> Result<()> {
    let act = Act::KeepLedger;
    let keeps = |region: &region::Model| by.principal.permits_of_region(act, level, &region.path);
    let is_local = matches!(level, RoundLevel::Prefecture | RoundLevel::County);
    if keeps(region) && (!is_local || keeps(issuer)) {
        return Ok(());
    }
    Err(policy::not_allowed_at(act, level).into())
}

/// Returns faults for measures that occur in two sheets, and for different problems with the same number in two sheets,
/// as in a file with sheets of several rounds. Rows of the same sheet are compared when it is read.
fn repeated_across_sheets(sheets: &[Sheet], reads: &[Read]) -> Vec<CellFault> {
    let mut seen: HashMap<(String, String), &str> = HashMap::new();
    let mut titles: HashMap<String, (&str, &str)> = HashMap::new();
    let mut faults = Vec::new();
    for read in reads {
        let Some(sheet) = sheets.iter().find(|sheet| sheet.name == read.sheet) else { continue };
        for problem in &read.problems {
            let (first, title) = titles.entry(problem.identity()).or_insert((&read.sheet, &problem.title));
            if normalised(title) != normalised(&problem.title) {
                let expected = Bilingual::new(
                    format!("不同问题用不同编号（与工作表“{first}”的问题编号相同）；不同轮次请分别导入"),
                    format!(
                        "a number of its own for each problem (sheet “{first}” has a problem with the same number); \
                         import different rounds separately"
                    ),
                );
                let repeated = reading::repeated_number();
                faults.push(fault(sheet, &read.layout, problem.row, Field::Problem, repeated, expected));
                continue;
            }
            for measure in &problem.measures {
                let first = seen.entry((problem.identity(), measure.identity())).or_insert(&read.sheet);
                if *first != read.sheet {
                    let expected = Bilingual::new(
                        format!("每条措施只列一次（与工作表“{first}”重复）"),
                        format!("each measure once (sheet “{first}” has it, too)"),
                    );
                    let repeated = reading::repeated_row();
                    faults.push(fault(sheet, &read.layout, measure.row, Field::Measure, repeated, expected));
                }
            }
        }
    }
    faults
}

/// Returns the level with a code, in any case and with `-` or `_`, such as `PREFECTURE` or `regional-bureau`.
pub fn round_level(code: &str) -> Option<RoundLevel> {
    RoundLevel::try_from_value(&code.trim().to_uppercase().replace('-', "_")).ok()
}

/// Returns the name of a level in Chinese, and its code as the command line spells it.
fn level_name(level: RoundLevel) -> (&'static str, &'static str) {
    match level {
        RoundLevel::Central => ("中央", "central"),
        RoundLevel::RegionalBureau => ("督察局", "regional-bureau"),
        RoundLevel::Province => ("省级", "province"),
        RoundLevel::Prefecture => ("市级", "prefecture"),
        RoundLevel::County => ("县级", "county"),
    }
}

/// Returns the remark on a new round: its level, whether its name tells it, and the office that closes what it found.
fn opened(options: &ImportOptions, level: RoundLevel) -> Bilingual {
    let (office, english_office) = match level {
        RoundLevel::Central | RoundLevel::RegionalBureau | RoundLevel::Province => ("区整改办", "regional office"),
        RoundLevel::Prefecture => ("市整改办", "city office"),
        RoundLevel::County => ("县整改办", "county office"),
    };
    let (told, english_told) = match options.level {
        Some(_) => ("", ""),
        None => (
            "；级别按名称判断，如不符，请在导入时选定级别，或修改督察轮次",
            "; the level is told from the name: if it is wrong, choose it when you import, or edit the round",
        ),
    };
    let (name, (zh, en)) = (options.round.trim(), level_name(level));
    Bilingual::new(
        format!("新建督察轮次“{name}”：{zh}，由{office}销号{told}"),
        format!("new inspection round “{name}”: level {en}, closed by the {english_office}{english_told}"),
    )
}

/// Returns the error for a level that is given for a round that exists with another one.
fn other_level(name: &str, level: RoundLevel) -> ledger::Error {
    let (zh, en) = level_name(level);
    Fault::invalid(
        format!("已有督察轮次“{name}”，级别是{zh}：导入时请不选级别，或先修改督察轮次"),
        format!(
            "there is an inspection round “{name}” of the level {en}: choose no level when importing, or edit the round"
        ),
        &["level"],
    )
    .into()
}

/// Returns the level of a round by its name. A round that names nobody is taken for an inspection from above: a
/// prefecture or a county that issues a plan answers one, unless the round bears its name or is a special or quarterly
/// inspection (专项督查, 季度督查) of its own.
fn level_of(name: &str, issuer: &region::Model) -> RoundLevel {
    let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
    if has(&["中央"]) || (has(&["轮"]) && !has(&["自治区", "省", "市级", "县级"])) {
        return RoundLevel::Central;
    }
    if has(&["督察局"]) {
        return RoundLevel::RegionalBureau;
    }
    if has(&["自治区", "省"]) {
        return RoundLevel::Province;
    }
    let is_own = has(&["专项", "季度", "市级", "县级", "区级", &issuer.name]);
    match issuer.level {
        Level::Nation => RoundLevel::Central,
        Level::Prefecture if is_own => RoundLevel::Prefecture,
        Level::County | Level::Township if is_own => RoundLevel::County,
        Level::Province | Level::Prefecture | Level::County | Level::Township => RoundLevel::Province,
    }
}

/// Returns the round of an import, and whether it was created. The kind of a new round is derived from its name, and so
/// is its level where none is given; see [`level_of`].
async fn round(
    db: &Transaction,
    options: &ImportOptions,
    issuer: &region::Model,
) -> Result<(inspection_round::Model, bool)> {
    let given = options.round.trim();
    let name = faults::line(&options.round, 1..=200, ("督察轮次名称", "the round's name"), &["round"])?;
    // Older rounds were stored before names were cleaned, so look up the given name as well.
    for known in [name.as_str(), given] {
        let found = inspection_round::Entity::find().filter(inspection_round::Column::Name.eq(known)).one(db).await?;
        if let Some(round) = found {
            if options.level.is_some_and(|level| level != round.level) {
                return Err(other_level(&round.name, round.level));
            }
            return Ok((round, false));
        }
    }
    let level = options.level.unwrap_or_else(|| level_of(&name, issuer));
    let kind = if name.contains("回头看") {
        RoundKind::LookBack
    } else if name.contains("专项") {
        RoundKind::Special
    } else {
        RoundKind::Routine
    };
    let row =
        inspection_round::ActiveModel { name: Set(name), level: Set(level), kind: Set(kind), ..Default::default() };
    Ok((row.insert(db).await?, true))
}

/// A problem as read, with the units of its measures resolved.
struct Row<'a> {
    sheet: &'a Sheet,
    read: &'a Read,
    /// The local date on which the statuses of the sheet were true.
    as_of: NaiveDate,
    problem: &'a ReadProblem,
    measures: Vec<(&'a ReadMeasure, Resolved)>,
}

#[derive(Default)]
struct Resolved {
    lead: Option<i64>,
    supervising: Option<i64>,
    accepting: Option<i64>,
    parties: Vec<(String, PartyRow)>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum PartyRow {
    Unit(i64),
    Selector(Selector),
}

struct Writer<'a> {
    import: &'a Import<'a>,
    /// What was decided for this file, and what was remembered.
    mapping: &'a Mapping,
    db: &'a Transaction,
    units: Units,
    region: region::Model,
    issuer: region::Model,
    round: inspection_round::Model,
    faults: Vec<CellFault>,
    questions: Questions,
    summary: Summary,
}
