//! Reporting progress (整改进展): a report is appended, the assignment moves on, measure and problem follow, all in one
//! transaction; a version that is no longer current is refused and nothing is lost of what the other person wrote.

use std::collections::HashSet;

use chrono::{Datelike, NaiveDate};
use entity::{progress_report, quantity};
use sea_orm::{ActiveValue::Set, EntityTrait, QueryTrait};
use serde_json::json;

use super::{Desk, Held, On};
use crate::fault::{self, Fault, FaultCode};
use crate::people::policy::Act;
use crate::record::change::ChangeKind;
use crate::rule::calendar::YEARS;
use crate::rule::workflow::Step;
use crate::{Error, Result};

/// The most letters of one report.
pub const MAX_LETTERS: usize = 100_000;
/// The most quantities of one report.
pub const MAX_QUANTITIES: usize = 50;
/// The most that is counted of anything.
pub const MAX_AMOUNT: f64 = 1e12;

/// A report to be submitted.
#[derive(Debug, Clone)]
pub struct Report {
    /// What it is on.
    pub on: On,
    /// The month that it reports on: 2023-04.
    pub period: String,
    /// The text.
    pub text: String,
    /// What was counted.
    pub quantities: Vec<Quantity>,
    /// When the work was completed (完成), where it is.
    pub completed_on: Option<NaiveDate>,
    /// That it is not completed, though that was reported before (更正).
    pub retracts_completion: bool,
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

/// Submits a report. Whoever reports has taken the assignment on.
pub async fn report(desk: &Desk<'_>, report: &Report) -> Result<i64> {
    let report = &read(report, desk.today()).map_err(Error::Refused)?;
    let (mut held, key) = Held::take_to_add(desk, report.on, "progress_report").await?;
    held.permit(desk, Act::Report)?;
    let status = held.step(Step::Report)?;
    if report.retracts_completion && held.row.completed_on.is_none() {
        let (zh, en) = ("没有已填报的完成日期，无须更正", "no completion was reported: there is nothing to take back");
        return Err(Fault::new(FaultCode::WrongState, zh, en, &["input", "retractsCompletion"]).into());
    }
    held.writes.insert_one(progress_report::ActiveModel {
        id: Set(key),
        assignment_id: Set(held.row.id),
        period: Set(report.period.clone()),
        text: Set(report.text.clone()),
        author_id: Set(desk.by.principal.account),
        submitted_at: Set(desk.now),
        ..Default::default()
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
        held.writes.insert(quantity::Entity::insert_many(quantities).into_query());
    }
    let mut moved = held.moved(status);
    moved.reported_on = Set(Some(desk.today()));
    if held.row.accepted_at.is_none() {
        moved.accepted_at = Set(Some(desk.now));
        moved.declined_at = Set(None);
        moved.decline_reason = Set(None);
    }
    // The first quantity is the one that the pace is measured by.
    let leading = report.quantities.first();
    moved.quantity_done = Set(leading.and_then(|one| one.done).or(held.row.quantity_done));
    moved.quantity_target = Set(leading.and_then(|one| one.target).or(held.row.quantity_target));
    if report.completed_on.is_some() || report.retracts_completion {
        moved.completed_on = Set(report.completed_on);
    }
    let said = json!({ "report": key, "period": report.period });
    held.settle(desk, ChangeKind::ProgressReported, moved, said).await
}

const UNIT: (&str, &str) = ("计量单位", "the unit of measure");
const LABEL: (&str, &str) = ("指标名称", "the label");

/// Reads a report: its fields of one line as such, its text without the blanks around it. All faults at once.
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
        faults.push(Fault::invalid("请填写进展情况", "say how far it is", &["input", "text"]));
    } else if given.text.trim().chars().count() > MAX_LETTERS {
        let zh = format!("进展情况超过 {MAX_LETTERS} 字，请精简或作为佐证材料上传");
        let en = format!("more than {MAX_LETTERS} characters: shorten it, or add it as evidence");
        faults.push(Fault::invalid(zh, en, &["input", "text"]));
    } else {
        match fault::text(&given.text, 1..=MAX_LETTERS, ("进展情况", "the text"), &["input", "text"]) {
            Ok(text) => report.text = text,
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
    let (zh, en) = match month(period) {
        Some(first) if !YEARS.contains(&first.year()) => {
            ("报告期应在 1990 年至 2100 年之间", "the period is of the years 1990 to 2100")
        }
        Some(first) if first > today => ("报告期不能晚于本月", "the period cannot begin after today"),
        Some(_) => return None,
        None => ("报告期应为年月，如 2023-04", "the period is a year and a month: 2023-04"),
    };
    Some(Fault::invalid(zh, en, &["input", "period"]))
}

/// What is wrong with a report whose texts are read.
fn check(report: &Report, today: NaiveDate) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut object = |zh: &str, en: &str, path: &[&str]| faults.push(Fault::invalid(zh, en, path));
    if report.quantities.len() > MAX_QUANTITIES {
        let (zh, en) = (format!("量化指标不超过 {MAX_QUANTITIES} 项"), format!("at most {MAX_QUANTITIES} quantities"));
        object(&zh, &en, &["input", "quantities"]);
    }
    if report.retracts_completion && report.completed_on.is_some() {
        let (zh, en) = ("更正为未完成时不填完成日期", "what is not completed has no day of completion");
        object(zh, en, &["input", "completedOn"]);
    }
    if let Some(day) = report.completed_on {
        let what = ("完成日期", "the day of completion");
        faults.extend(fault::past_day(day, today, what, &["input", "completedOn"]).err());
    }
    let mut labels = HashSet::new();
    for (index, one) in report.quantities.iter().enumerate() {
        let index = index.to_string();
        let path = |last: &'static str| vec!["input", "quantities", &index, last];
        if !labels.insert(one.label.as_str()) {
            let (zh, en) = ("指标名称重复", "there is a quantity of this label already");
            faults.push(Fault::invalid(zh, en, &path("label")));
        }
        // What is no number is in no range.
        let refused = |value: Option<f64>| value.is_some_and(|value| !(0.0..=MAX_AMOUNT).contains(&value));
        if refused(one.done) {
            let (zh, en) = ("完成量应为 0 至 1 万亿的数", "what is done is a number from 0 to 1e12");
            faults.push(Fault::invalid(zh, en, &path("done")));
        }
        if refused(one.target) || one.target == Some(0.0) {
            let (zh, en) = ("目标量应为大于 0、不超过 1 万亿的数", "a target is a number above 0, up to 1e12");
            faults.push(Fault::invalid(zh, en, &path("target")));
        }
    }
    faults
}

/// The first day of a month that is written as `2023-04`, and in no other way.
fn month(period: &str) -> Option<NaiveDate> {
    let first = NaiveDate::parse_from_str(&format!("{period}-01"), "%Y-%m-%d").ok()?;
    (first.format("%Y-%m").to_string() == period).then_some(first)
}
