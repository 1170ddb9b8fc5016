//! Progress reports (整改进展).
//!
//! One transaction, most often a single statement (`held::add`), appends the report, updates the assignment and rolls
//! the status up to measure and problem. An outdated version is refused, so that no concurrent change is overwritten.

use std::collections::HashSet;

use chrono::{Datelike, NaiveDate};
use entity::assignment::StatedPace;
use entity::{assignment, progress_report, quantity};
use sea_orm::{ActiveValue::Set, EntityTrait, QueryTrait};
use serde_json::{Value, json};

use super::acting::Acting;
use super::held::{self, AssignmentAct};
use super::hold::On;
use crate::fault::{self, Fault, FaultCode};
use crate::people::policy::Act;
use crate::record::change::ChangeKind;
use crate::rule::calendar::{Month, YEARS};
use crate::rule::workflow::{self, Step};
use crate::{Error, Result};

/// The maximum length of a report, in characters.
pub const MAX_LETTERS: usize = 100_000;
/// The maximum length of the difficulties and of the next steps of a report, in characters.
pub const MAX_FURTHER: usize = 10_000;
/// The maximum number of quantities in a report.
pub const MAX_QUANTITIES: usize = 50;
/// The maximum value of a quantity, done or target.
pub const MAX_AMOUNT: f64 = 1e12;

/// The label of the quantity that has the share of the measure that is done, in percent (累计完成比例).
pub const SHARE: &str = "累计完成比例";

/// A progress report to submit.
#[derive(Debug, Clone)]
pub struct Report {
    /// The assignment that the report is about.
    pub on: On,
    /// The month that the report covers, as `YYYY-MM`: `2023-04`.
    pub period: String,
    /// The text of the report.
    pub text: String,
    /// The difficulties (存在的困难和问题), if it states any.
    pub difficulties: Option<String>,
    /// The next steps (下一步打算), if it states any.
    pub next_steps: Option<String>,
    /// Whether the work is on schedule (是否达到序时进度), as the unit states; `None` if it does not say.
    pub stated_pace: Option<StatedPace>,
    /// The quantities (量化指标) reported; the first one measures the pace.
    pub quantities: Vec<Quantity>,
    /// The local date on which the work was completed (完成); `None` if it is not completed or was reported before.
    pub completed_on: Option<NaiveDate>,
    /// Whether the report withdraws (更正) a completion date reported before.
    pub retracts_completion: bool,
}

/// A quantity (量化指标) of a progress report.
#[derive(Debug, Clone)]
pub struct Quantity {
    /// What is counted; unique within the report.
    pub label: String,
    /// The amount done, from 0 to [`MAX_AMOUNT`].
    pub done: Option<f64>,
    /// The amount to be done, above 0 and up to [`MAX_AMOUNT`].
    pub target: Option<f64>,
    /// The unit of measure, such as 万亩, 座 or 公里.
    pub unit: Option<String>,
}

impl Quantity {
    /// Makes the quantity of the share of the measure that is done, from 0 to 100 percent.
    pub fn share(percent: f64) -> Self {
        Self { label: SHARE.to_owned(), done: Some(percent), target: Some(100.0), unit: Some("%".to_owned()) }
    }
}

/// Submits a progress report, which also accepts the assignment (签收) if it was not accepted before.
///
/// Returns the key of the assignment.
pub async fn report(acting: &Acting<'_>, report: &Report) -> Result<i64> {
    let report = &read(report, acting.today()).map_err(Error::Refused)?;
    let kind = ChangeKind::ProgressReported;
    let submit = |act: &mut AssignmentAct, key| submit(acting, report, act, key);
    Box::pin(held::add(acting, (report.on, "progress_report", kind), submit)).await
}

/// Submits a report with this key. Returns the update of the assignment, and what the audit entry records in addition.
fn submit(
    acting: &Acting<'_>,
    report: &Report,
    act: &mut AssignmentAct,
    key: i64,
) -> Result<(assignment::ActiveModel, Value)> {
    act.permit(acting, Act::Report)?;
    let status = act.step(Step::Report)?;
    if report.retracts_completion && act.row.completed_on.is_none() {
        let (zh, en) = ("没有已填报的完成日期，无须更正", "no completion date was reported: there is none to withdraw");
        return Err(Fault::new(FaultCode::WrongState, zh, en, &["input", "isCompletionRetracted"]).into());
    }
    act.writes.insert_one(progress_report::ActiveModel {
        id: Set(key),
        assignment_id: Set(act.row.id),
        period: Set(report.period.clone()),
        text: Set(report.text.clone()),
        difficulties: Set(report.difficulties.clone()),
        next_steps: Set(report.next_steps.clone()),
        stated: Set(report.stated_pace.map(|pace| workflow::pace_name(pace).to_owned())),
        author_id: Set(acting.by.principal.account),
        submitted_at: Set(acting.now),
    });
    let quantities = report.quantities.iter().enumerate().map(|(index, one)| quantity::ActiveModel {
        progress_report_id: Set(key),
        position: Set(index as i32 + 1),
        label: Set(one.label.clone()),
        done: Set(one.done),
        target: Set(one.target),
        unit: Set(one.unit.clone()),
        ..Default::default()
    });
    if !report.quantities.is_empty() {
        act.writes.insert(quantity::Entity::insert_many(quantities).into_query());
    }
    let mut moved = act.moved(status);
    moved.reported_on = Set(Some(acting.today()));
    if act.row.accepted_at.is_none() {
        moved.accepted_at = Set(Some(acting.now));
        moved.declined_at = Set(None);
        moved.decline_reason = Set(None);
    }
    // The pace is derived from the first quantity only.
    let leading = report.quantities.first();
    moved.quantity_done = Set(leading.and_then(|one| one.done).or(act.row.quantity_done));
    moved.quantity_target = Set(leading.and_then(|one| one.target).or(act.row.quantity_target));
    if let Some(pace) = report.stated_pace {
        moved.stated_pace = Set(Some(pace));
        moved.stated_pace_on = Set(Some(acting.today()));
    }
    if report.completed_on.is_some() || report.retracts_completion {
        moved.completed_on = Set(report.completed_on);
        moved.is_completed_by = Set(false);
    }
    Ok((moved, json!({ "report": key, "period": report.period })))
}

const UNIT: (&str, &str) = ("计量单位", "the unit of measure");
const LABEL: (&str, &str) = ("指标名称", "the label");

/// Normalizes and checks a report: collapses single-line fields to one line and trims the text.
///
/// Returns all faults at once, not only the first.
fn read(given: &Report, today: NaiveDate) -> Result<Report, Vec<Fault>> {
    let mut report = given.clone();
    let mut faults = Vec::new();
    match fault::line(&given.period, 0..=20, ("报告期", "the period"), &["input", "period"]) {
        Ok(period) => {
            faults.extend(wrong_period(&period, today));
            report.period = period;
        }
        Err(fault) => faults.push(fault),
    }
    if fault::is_empty(&given.text) {
        faults.push(Fault::invalid("请填写进展情况", "describe the progress", &["input", "text"]));
    } else if given.text.trim().chars().count() > MAX_LETTERS {
        let zh = format!("进展情况超过 {MAX_LETTERS} 字，请精简或作为佐证材料上传");
        let en = format!("the text exceeds {MAX_LETTERS} characters: shorten it, or upload it as evidence");
        faults.push(Fault::invalid(zh, en, &["input", "text"]));
    } else {
        match fault::text(&given.text, 1..=MAX_LETTERS, ("进展情况", "the text"), &["input", "text"]) {
            Ok(text) => report.text = text,
            Err(fault) => faults.push(fault),
        }
    }
    let further = [
        (&mut report.difficulties, ("存在的困难和问题", "the difficulties"), "difficulties"),
        (&mut report.next_steps, ("下一步打算", "the next steps"), "nextSteps"),
    ];
    for (said, what, field) in further {
        let given = said.take().filter(|text| !fault::is_empty(text));
        match given.map(|text| fault::text(&text, 1..=MAX_FURTHER, what, &["input", field])).transpose() {
            Ok(text) => *said = text,
            Err(fault) => faults.push(fault),
        }
    }
    for (index, one) in report.quantities.iter_mut().enumerate() {
        let index = index.to_string();
        let path = |last: &'static str| vec!["input", "quantities", &index, last];
        let unit = one.unit.take().filter(|unit| !fault::is_empty(unit));
        match unit.map(|unit| fault::line(&unit, 0..=20, UNIT, &path("unit"))).transpose() {
            Ok(unit) => one.unit = unit,
            Err(fault) => faults.push(fault),
        }
        match fault::line(&one.label, 1..=100, LABEL, &path("label")) {
            Ok(label) => one.label = label,
            Err(fault) => faults.push(fault),
        }
    }
    faults.extend(check(&report, today));
    if faults.is_empty() { Ok(report) } else { Err(faults) }
}

fn wrong_period(period: &str, today: NaiveDate) -> Option<Fault> {
    let (zh, en) = match Month::parse(period).map(Month::first_day) {
        Some(first) if !YEARS.contains(&first.year()) => {
            ("报告期应在 1990 年至 2100 年之间", "the period must be between 1990 and 2100")
        }
        Some(first) if first > today => ("报告期不能晚于本月", "the period cannot be later than the current month"),
        Some(_) => return None,
        None => ("报告期应为年月，如 2023-04", "the period must be a year and month, such as 2023-04"),
    };
    Some(Fault::invalid(zh, en, &["input", "period"]))
}

/// Returns the faults of a report whose texts have been normalized.
fn check(report: &Report, today: NaiveDate) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut object = |zh: &str, en: &str, path: &[&str]| faults.push(Fault::invalid(zh, en, path));
    if report.quantities.len() > MAX_QUANTITIES {
        let zh = format!("量化指标不超过 {MAX_QUANTITIES} 项");
        let en = format!("a report has at most {MAX_QUANTITIES} quantities");
        object(&zh, &en, &["input", "quantities"]);
    }
    if report.retracts_completion && report.completed_on.is_some() {
        let (zh, en) = ("更正为未完成时不填完成日期", "leave out the completion date when withdrawing the completion");
        object(zh, en, &["input", "completedOn"]);
    }
    if let Some(day) = report.completed_on {
        let what = ("完成日期", "the completion date");
        faults.extend(fault::past_day(day, today, what, &["input", "completedOn"]).err());
    }
    let mut labels = HashSet::new();
    for (index, one) in report.quantities.iter().enumerate() {
        let index = index.to_string();
        let path = |last: &'static str| vec!["input", "quantities", &index, last];
        if !labels.insert(one.label.as_str()) {
            let (zh, en) = ("指标名称重复", "another quantity has the same label");
            faults.push(Fault::invalid(zh, en, &path("label")));
        }
        // `contains` is false for NaN, which is refused too.
        let refused = |value: Option<f64>| value.is_some_and(|value| !(0.0..=MAX_AMOUNT).contains(&value));
        if refused(one.done) {
            let (zh, en) = ("完成量应为 0 至 1 万亿的数", "the amount done must be a number from 0 to 1e12");
            faults.push(Fault::invalid(zh, en, &path("done")));
        }
        if refused(one.target) || one.target == Some(0.0) {
            let (zh, en) =
                ("目标量应为大于 0、不超过 1 万亿的数", "the target must be a number above 0 and at most 1e12");
            faults.push(Fault::invalid(zh, en, &path("target")));
        }
    }
    faults
}
