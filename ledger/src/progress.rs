//! Reporting progress (整改进展): a report is appended, the assignment moves on, measure and problem follow, all in one
//! transaction; a version that is no longer current is refused and nothing is lost of what the other person wrote.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use entity::{assignment, measure, problem, progress_report, quantity};
use planner::Bilingual;
use sea_orm::sea_query::Query;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, DatabaseConnection, DatabaseTransaction, EntityTrait, JoinType,
    QueryFilter, QuerySelect,
};

use crate::change::{self, ChangeKind, Changed};
use crate::roll_up;
use crate::workflow::{self, Step};
use crate::{Result, calendar, database};

/// The most letters of one report.
pub const MAX_LETTERS: usize = 100_000;
/// The most quantities of one report.
pub const MAX_QUANTITIES: usize = 50;

/// A report to be submitted.
#[derive(Debug, Clone)]
pub struct Report {
    /// The assignment that it is on; none when the caller's id is no assignment's.
    pub assignment: Option<i64>,
    /// The version that the reporter saw.
    pub version: i32,
    /// The month that it reports on: 2023-04.
    pub period: String,
    /// The text.
    pub text: String,
    /// What was counted.
    pub quantities: Vec<Quantity>,
}

/// One counted thing.
#[derive(Debug, Clone)]
pub struct Quantity {
    /// What is counted.
    pub label: String,
    /// How much is done.
    pub done: Option<f64>,
    /// How much is to be done.
    pub target: Option<f64>,
    /// 万亩, 座, 公里 …
    pub unit: Option<String>,
}

/// Why a report was not taken; nothing was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Objection {
    /// A stable code.
    pub code: &'static str,
    /// What is wrong and what to do.
    pub message: Bilingual,
    /// Where in the input.
    pub path: Vec<String>,
}

impl Objection {
    fn new(code: &'static str, zh: impl Into<String>, en: impl Into<String>, path: &[&str]) -> Self {
        Self { code, message: Bilingual::new(zh, en), path: path.iter().map(|step| (*step).to_owned()).collect() }
    }
}

/// Submits a report. The outer error is a failure, the inner one the caller's to mend.
pub async fn report(
    db: &DatabaseConnection,
    report: &Report,
    now: DateTime<Utc>,
    zone: Tz,
) -> Result<Result<i64, Vec<Objection>>> {
    let objections = check(report);
    if !objections.is_empty() {
        return Ok(Err(objections));
    }
    let unknown = || {
        Ok(Err(vec![Objection::new(
            "NOT_FOUND",
            "没有这项责任分解",
            "there is no such assignment",
            &["input", "assignmentId"],
        )]))
    };
    let Some(id) = report.assignment else { return unknown() };
    let transaction = database::begin(db).await?;
    let Some(problem) = problem_of(&transaction, id).await? else { return unknown() };
    let Some((measure, mut answers)) = measure_of(&transaction, id).await? else { return unknown() };
    let Some(place) = answers.iter().position(|answer| answer.id == id) else { return unknown() };
    let there = answers.swap_remove(place);
    if there.version != report.version {
        let (current, given) = (there.version, report.version);
        let zh = format!("这项责任分解已被他人更新（当前版本 {current}，提交的是 {given}）：请刷新后核对再提交");
        let en = format!("somebody has changed the assignment (it is at version {current}, not {given}): look again");
        return Ok(Err(vec![Objection::new("STALE_VERSION", zh, en, &["input", "version"])]));
    }
    let Some(status) = workflow::next(there.status, Step::Report) else {
        let zh = "当前状态不能填报进展：提请销号后须先被退回，销号后须先认定反弹";
        let en = "no progress is reported in this state: it has to be returned, or found relapsed, first";
        return Ok(Err(vec![Objection::new("WRONG_STATE", zh, en, &["input", "assignmentId"])]));
    };
    let today = calendar::local_day(now, zone);
    let row = progress_report::ActiveModel {
        assignment_id: Set(id),
        period: Set(report.period.clone()),
        text: Set(report.text.trim().to_owned()),
        submitted_at: Set(now),
        ..Default::default()
    }
    .insert(&transaction)
    .await?;
    let quantities = report.quantities.iter().enumerate().map(|(index, one)| quantity::ActiveModel {
        progress_report_id: Set(row.id),
        position: Set(index as i32 + 1),
        label: Set(one.label.trim().to_owned()),
        done: Set(one.done),
        target: Set(one.target),
        unit: Set(one.unit.clone()),
        ..Default::default()
    });
    if !report.quantities.is_empty() {
        quantity::Entity::insert_many(quantities).exec_without_returning(&transaction).await?;
    }
    let (done, target) = (there.quantity_done, there.quantity_target);
    let mut moved: assignment::ActiveModel = there.into();
    moved.status = Set(status);
    moved.reported_on = Set(Some(today));
    // The first quantity is the one that the pace is measured by.
    let leading = report.quantities.first();
    moved.quantity_done = Set(leading.and_then(|one| one.done).or(done));
    moved.quantity_target = Set(leading.and_then(|one| one.target).or(target));
    moved.version = Set(report.version + 1);
    moved.updated_at = Set(now);
    answers.push(moved.update(&transaction).await?);
    // No figure moves by a report: what is reported on is neither completed nor closed nor inapplicable, before or after.
    roll_up::measure(&transaction, &measure, &answers, now).await?;
    let changed = Changed { problem, measure: Some(measure.id), assignment: Some(id) };
    change::note(&transaction, ChangeKind::ProgressReported, &[changed], now).await?;
    transaction.commit().await?;
    Ok(Ok(id))
}

/// The problem that an assignment belongs to, locked: whoever changes an answer holds its problem first, so that two who
/// report on one measure see each other's report when they roll it up.
async fn problem_of(db: &DatabaseTransaction, assignment: i64) -> Result<Option<i64>> {
    let measure = Query::select()
        .column(assignment::Column::MeasureId)
        .from(assignment::Entity)
        .and_where(assignment::Column::Id.eq(assignment))
        .to_owned();
    let problem = Query::select()
        .column(measure::Column::ProblemId)
        .from(measure::Entity)
        .and_where(measure::Column::Id.in_subquery(measure))
        .to_owned();
    let found = problem::Entity::find().select_only().column(problem::Column::Id);
    let found = found.filter(problem::Column::Id.in_subquery(problem)).lock_exclusive();
    Ok(found.into_tuple().one(db).await?)
}

/// The measure that an assignment belongs to, with all its answers; read once the problem is held, and so not locked.
async fn measure_of(
    db: &DatabaseTransaction,
    assignment: i64,
) -> Result<Option<(measure::Model, Vec<assignment::Model>)>> {
    let measure = Query::select()
        .column(assignment::Column::MeasureId)
        .from(assignment::Entity)
        .and_where(assignment::Column::Id.eq(assignment))
        .to_owned();
    let of = assignment::Entity::belongs_to(measure::Entity)
        .from(assignment::Column::MeasureId)
        .to(measure::Column::Id)
        .into();
    let rows = assignment::Entity::find()
        .select_also(measure::Entity)
        .join(JoinType::InnerJoin, of)
        .filter(assignment::Column::MeasureId.in_subquery(measure))
        .all(db)
        .await?;
    let (answers, measures): (Vec<assignment::Model>, Vec<Option<measure::Model>>) = rows.into_iter().unzip();
    Ok(measures.into_iter().next().flatten().map(|measure| (measure, answers)))
}

fn check(report: &Report) -> Vec<Objection> {
    let mut objections = Vec::new();
    let mut object = |zh: &str, en: &str, path: &[&str]| objections.push(Objection::new("INVALID", zh, en, path));
    let month = chrono::NaiveDate::parse_from_str(&format!("{}-01", report.period), "%Y-%m-%d");
    if month.is_err() || report.period.len() != 7 {
        object("报告期应为年月，如 2023-04", "the period is a year and a month: 2023-04", &["input", "period"]);
    }
    let letters = report.text.trim().chars().count();
    if letters == 0 {
        object("请填写进展情况", "say how far it is", &["input", "text"]);
    } else if letters > MAX_LETTERS {
        object(
            "进展情况超过 100000 字，请精简或作为佐证材料上传",
            "more than 100000 letters: shorten it, or add it as evidence",
            &["input", "text"],
        );
    }
    if report.text.chars().any(|letter| letter.is_control() && !matches!(letter, '\n' | '\r' | '\t')) {
        object("进展情况含有不可见的控制字符", "the text has invisible control characters", &["input", "text"]);
    }
    if report.quantities.len() > MAX_QUANTITIES {
        object("量化指标不超过 50 项", "at most 50 quantities", &["input", "quantities"]);
    }
    for (index, one) in report.quantities.iter().enumerate() {
        let index = index.to_string();
        let path = |last: &'static str| vec!["input", "quantities", &index, last];
        let unreadable = |text: &str, most: usize| text.chars().count() > most || text.chars().any(char::is_control);
        if one.unit.as_deref().is_some_and(|unit| unreadable(unit, 20)) {
            objections.push(Objection::new(
                "INVALID",
                "计量单位不超过 20 个字",
                "a unit of measure has at most 20 letters",
                &path("unit"),
            ));
        }
        if one.label.trim().is_empty() || unreadable(&one.label, 100) {
            objections.push(Objection::new(
                "INVALID",
                "指标名称应为 1 至 100 个字",
                "a label has 1 to 100 letters",
                &path("label"),
            ));
        }
        let refused = |value: Option<f64>| value.is_some_and(|value| !value.is_finite() || value < 0.0);
        if refused(one.done) {
            objections.push(Objection::new(
                "INVALID",
                "完成量应为不小于 0 的数",
                "what is done is a number, not below 0",
                &path("done"),
            ));
        }
        if refused(one.target) || one.target == Some(0.0) {
            objections.push(Objection::new(
                "INVALID",
                "目标量应为大于 0 的数",
                "a target is a number above 0",
                &path("target"),
            ));
        }
    }
    objections
}
