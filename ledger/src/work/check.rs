//! Checks: self-inspection (自查), verification (核查), spot check (抽查) and supervising check (督导检查).
//!
//! A check covers a period. A second check of the same kind in the same period replaces the first; the audit keeps
//! both.

use chrono::{Datelike, Months, NaiveDate};
use entity::check::{self, CheckKind, CheckResult};
use entity::inspection_round;
use sea_orm::{ActiveEnum, ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};
use serde_json::json;

use super::acting::{Acting, MAX_WORDS};
use super::held::HeldAssignment;
use super::hold::On;
use crate::Result;
use crate::fault::{self, Fault, FaultCode};
use crate::people::policy::{Act, Reach};
use crate::record::change::ChangeKind;
use crate::rule::calendar::{Quarter, last_day_of_month};
use crate::rule::workflow;

/// The outcome of a check to record.
#[derive(Debug, Clone)]
pub struct Found {
    /// The kind of check.
    pub kind: CheckKind,
    /// The local date of the check, not after today; `None` means today.
    pub checked_on: Option<NaiveDate>,
    /// The name of the period that the check settles, such as `2023Q1`: the one of its date or, if it was made late, an
    /// earlier one. `None` means the one of its date.
    pub period: Option<String>,
    /// Whether the check passed.
    pub result: CheckResult,
    /// What the check found; required if it failed.
    pub findings: Option<String>,
}

/// Returns the name and the last day of the period in which a check on `day` falls.
///
/// The period of a self-inspection is a quarter, that of a verification a half-year (`2026H1`), that of a spot check a
/// year (`2026`), and that of a supervising check a month (`2026-04`).
pub fn period(kind: CheckKind, day: NaiveDate) -> (String, NaiveDate) {
    let year = day.year();
    match kind {
        CheckKind::SelfInspection => {
            let quarter = Quarter::of(day);
            (quarter.name(), quarter.last_day())
        }
        CheckKind::Verification => {
            let half = if day.month() <= 6 { 1 } else { 2 };
            (format!("{year}H{half}"), last_day_of_month(year, half * 6).unwrap_or(day))
        }
        CheckKind::SpotCheck => (year.to_string(), last_day_of_month(year, 12).unwrap_or(day)),
        CheckKind::Supervision => {
            (day.format("%Y-%m").to_string(), last_day_of_month(year, day.month()).unwrap_or(day))
        }
    }
}

/// The most years back that a check made late may settle.
const YEARS_BACK: i32 = 10;

/// Returns the name and the last day of the period that a check settles: the one of its date, or an earlier one by
/// name.
fn settled(found: &Found, checked_on: NaiveDate) -> Result<(String, NaiveDate)> {
    let of_date = period(found.kind, checked_on);
    let Some(wanted) = &found.period else { return Ok(of_date) };
    let months = (0..12 * YEARS_BACK as u32).map_while(|back| checked_on.checked_sub_months(Months::new(back)));
    let known = months.map(|day| period(found.kind, day)).find(|(name, _)| name == wanted.trim());
    known.ok_or_else(|| {
        let name = of_date.0;
        let zh = format!("检查周期应写作 {name} 这样的形式，且不晚于检查日期所在的周期");
        let en = format!("write the period like {name}; it must not be after the one in which the check was made");
        Fault::invalid(zh, en, &["input", "period"]).into()
    })
}

/// Records a check of an assignment, or replaces the one of the same kind and period.
pub async fn record(acting: &Acting<'_>, on: On, found: &Found) -> Result<i64> {
    let checked_on = found.checked_on.unwrap_or_else(|| acting.today());
    let path = ["input", "findings"];
    let findings = match found.findings.as_deref().filter(|text| !fault::is_empty(text)) {
        Some(text) => fault::text(text, 2..=MAX_WORDS, ("检查发现", "the findings"), &path).map(Some),
        None if found.result == CheckResult::Failed => {
            let (zh, en) = ("未通过的检查应写明发现的问题", "a failed check must state its findings");
            Err(Fault::invalid(zh, en, &path))
        }
        None => Ok(None),
    };
    let what = ("检查日期", "the date of the check");
    let ((), findings) =
        fault::all((fault::past_day(checked_on, acting.today(), what, &["input", "checkedOn"]), findings))?;
    let mut held = HeldAssignment::take(acting, on).await?;
    held.permit(
        acting,
        match found.kind {
            CheckKind::SelfInspection => Act::SelfInspect,
            CheckKind::Verification => Act::Verify,
            CheckKind::SpotCheck => Act::SpotCheck,
            CheckKind::Supervision => Act::Inspect,
        },
    )?;
    if held.row.status == entity::assignment::Status::NotApplicable {
        let name = workflow::status_name(held.row.status);
        let (zh, en) = (format!("“{name}”的任务无须检查"), "an assignment that is not applicable needs no checks");
        return Err(Fault::new(FaultCode::WrongState, zh, en, &["input", "assignmentId"]).into());
    }
    let round = inspection_round::Entity::find_by_id(held.measure.round_id).one(&held.transaction).await?;
    if let Some(feedback) = round.and_then(|round| round.feedback_on).filter(|feedback| checked_on < *feedback) {
        let zh = format!("检查日期不能早于督察反馈日期 {feedback}");
        let en = format!("the check cannot be dated before the round's feedback on {feedback}");
        return Err(Fault::invalid(zh, en, &["input", "checkedOn"]).into());
    }
    let (period, due_on) = settled(found, checked_on)?;
    let checker = match &acting.by.principal.reach {
        Reach::Role { unit, .. } => *unit,
        _ => None,
    };
    let there = check::Entity::find()
        .filter(check::Column::AssignmentId.eq(held.row.id))
        .filter(check::Column::Kind.eq(found.kind))
        .filter(check::Column::Period.eq(period.as_str()))
        .one(&held.transaction)
        .await?;
    let before = there.as_ref().map(|there| json!({ "result": there.result.to_value(), "findings": there.findings }));
    let mut row = check::ActiveModel {
        assignment_id: Set(held.row.id),
        kind: Set(found.kind),
        period: Set(period.clone()),
        due_on: Set(due_on),
        result: Set(found.result),
        findings: Set(findings.clone()),
        checked_on: Set(checked_on),
        checker_id: Set(checker),
        ..Default::default()
    };
    match there {
        Some(there) => {
            row.id = Set(there.id);
            held.writes.update_one(row)?;
        }
        None => {
            held.writes.insert_one(row);
        }
    }
    let said = json!({
        "check": found.kind.to_value(),
        "period": period,
        "result": found.result.to_value(),
        "findings": findings,
        "replaces": before,
    });
    held.settle_beside(acting, ChangeKind::Checked, said).await
}
