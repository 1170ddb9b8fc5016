//! Setting the rules of reminders (提醒规则). A change adds a row, so that the earlier ones stay as history; it counts
//! from the next occurrence on.

use std::collections::BTreeSet;

use chrono::NaiveTime;
use entity::region;
use entity::reminder_rule::{self, Column, Copied, ReminderKind};
use sea_orm::sea_query::{Expr, ExprTrait, Query, SimpleExpr};
use sea_orm::{ActiveEnum, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder};
use serde_json::{Value, json};

use super::region::live;
use super::shared::{difference, note_own, permit_anywhere, take_row};
use crate::Result;
use crate::fault::{self, Fault, Thing};
use crate::patch::Patch;
use crate::people::policy::Act;
use crate::record::audit::Entry;
use crate::record::database::{self, Transaction};
use crate::work::Acting;

/// The most marks before a date.
const MAX_MARKS: usize = 10;
/// The most days of a threshold.
const MAX_DAYS: i64 = 365;
/// The last day of the month that every month has.
const LAST_DAY: i64 = 28;

/// Changes to what is set for one kind of reminder. `None` in a patch leaves the value to the region above or, for the
/// whole ledger, to the settings of the program.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// Whether the reminder is sent at all.
    pub is_on: Patch<Option<bool>>,
    /// How many days before a date to remind of it: at most 10 numbers from 0 to 365.
    pub days_before: Patch<Option<Vec<i64>>>,
    /// After how many days to repeat a reminder, from 1 to 365.
    pub again_after: Patch<Option<i64>>,
    /// After how many days overdue the rectification office is told, from 0 to 365.
    pub office_after: Patch<Option<i64>>,
    /// After how many days overdue leaders are told, from 0 to 365.
    pub leader_after: Patch<Option<i64>>,
    /// After how many days overdue listing is proposed, from 0 to 365.
    pub listing_after: Patch<Option<i64>>,
    /// After how many days overdue, or without a report, a yellow card is proposed, from 1 to 365.
    pub card_after: Patch<Option<i64>>,
    /// The day of the month on which units get the form of the monthly account, from 1 to 28.
    pub account_form_day: Patch<Option<i64>>,
    /// The day of the month on which leaders and offices get the figures of the month before, from 1 to 28.
    pub account_report_day: Patch<Option<i64>>,
    /// Who is told beside the unit that answers.
    pub copied: Patch<Option<BTreeSet<Copied>>>,
    /// Whether it is sent on working days only.
    pub working_days_only: Patch<Option<bool>>,
    /// The local times between which it is not sent; two equal ones for none.
    pub quiet: Patch<Option<(NaiveTime, NaiveTime)>>,
}

/// Sets what holds for a kind of reminder of the items in a region and below it, or of the whole ledger. Returns the
/// key of the row that holds now.
///
/// An administrator sets rules everywhere, a regional or city office those of its region and below.
pub async fn set(
    acting: &Acting<'_>,
    (kind, region): (ReminderKind, Option<Option<i64>>),
    changes: Changes,
    reason: &str,
) -> Result<Option<i64>> {
    let transaction = database::begin(acting.db).await?;
    let Asked { there, now, reason } = asked(acting, &transaction, (kind, region), changes, reason).await?;
    let region_id = now.region_id;
    let Some((before, after)) = difference(state(&there), state(&now)) else {
        return Ok(Some(there.id).filter(|id| *id != 0));
    };
    let row = reminder_rule::ActiveModel {
        kind: Set(kind),
        region_id: Set(region_id),
        is_on: Set(now.is_on),
        days_before: Set(now.days_before),
        again_after: Set(now.again_after),
        office_after: Set(now.office_after),
        leader_after: Set(now.leader_after),
        listing_after: Set(now.listing_after),
        card_after: Set(now.card_after),
        account_form_day: Set(now.account_form_day),
        account_report_day: Set(now.account_report_day),
        copied: Set(now.copied),
        working_days_only: Set(now.working_days_only),
        quiet_from: Set(now.quiet_from),
        quiet_until: Set(now.quiet_until),
        reason: Set(reason.clone()),
        set_at: Set(acting.now),
        setter_id: Set(acting.by.principal.account),
        ..Default::default()
    };
    let id = reminder_rule::Entity::insert(row).exec(&transaction).await?.last_insert_id;
    let target = region_id.map_or_else(|| "everywhere".to_owned(), |region| format!("region_{region}"));
    let chain = format!("reminder_{}_{target}", kind.to_value().to_lowercase());
    note_own(&transaction, acting, Entry::of("RULE_SET", chain).changed(before, after)).await?;
    transaction.commit().await?;
    Ok(Some(id))
}

/// Returns the row that [`set`] would add, and writes nothing.
pub async fn rehearse(
    acting: &Acting<'_>,
    (kind, region): (ReminderKind, Option<Option<i64>>),
    changes: Changes,
    reason: &str,
) -> Result<reminder_rule::Model> {
    let transaction = database::begin(acting.db).await?;
    let Asked { now, .. } = asked(acting, &transaction, (kind, region), changes, reason).await?;
    transaction.rollback().await?;
    Ok(now)
}

/// A change that may be made.
struct Asked {
    /// What is set before it.
    there: reminder_rule::Model,
    /// What is set after it.
    now: reminder_rule::Model,
    reason: String,
}

/// Checks whether the caller may set a rule, and what.
#[expect(clippy::option_option, reason = "a region may be named or not, and what is named may be unknown")]
async fn asked(
    acting: &Acting<'_>,
    transaction: &Transaction,
    (kind, region): (ReminderKind, Option<Option<i64>>),
    changes: Changes,
    reason: &str,
) -> Result<Asked> {
    permit_anywhere(acting, Act::KeepReminders)?;
    let region = match region {
        Some(region) => Some(live(transaction, region).await?),
        None => None,
    };
    if !acting.by.principal.keeps_reminders_of(region.as_ref().map(|region| region.path.as_str())) {
        return Err(fault::unknown(Thing::RegionInReach, &["input", "regionId"]).into());
    }
    if let Some(region) = &region {
        // Its row stands for the chain of its rules.
        take_row::<region::Entity>(transaction, Some(region.id), Thing::RegionInReach, "regionId").await?;
    }
    let region_id = region.map(|region| region.id);
    let there = latest(transaction, kind, region_id).await?.unwrap_or_default();
    let reason =
        fault::line(reason, 1..=200, ("修改原因", "the reason"), &["input", "reason"]).map_err(crate::Error::from);
    let (reason, now) = fault::all((reason, merged(&there, changes)))?;
    Ok(Asked { there, now: reminder_rule::Model { kind, region_id, ..now }, reason })
}

/// Returns what was set for a kind in a region, or for the whole ledger, the latest first; at most 100 rows.
pub async fn history<C: ConnectionTrait>(
    db: &C,
    kind: ReminderKind,
    region: Option<i64>,
) -> Result<Vec<reminder_rule::Model>> {
    use sea_orm::QuerySelect;
    let rows = reminder_rule::Entity::find().filter(Column::Kind.eq(kind)).filter(of(region));
    Ok(rows.order_by_desc(Column::Id).limit(100).all(db).await?)
}

/// Returns what holds for each kind by a row of a region, or of the whole ledger: the latest of each kind.
pub async fn own<C: ConnectionTrait>(db: &C, region: Option<i64>) -> Result<Vec<reminder_rule::Model>> {
    let latest = Query::select()
        .expr(Expr::col(Column::Id).max())
        .from(reminder_rule::Entity)
        .and_where(of(region))
        .group_by_col(Column::Kind)
        .to_owned();
    Ok(reminder_rule::Entity::find().filter(Column::Id.in_subquery(latest)).all(db).await?)
}

async fn latest<C: ConnectionTrait>(
    db: &C,
    kind: ReminderKind,
    region: Option<i64>,
) -> Result<Option<reminder_rule::Model>> {
    let rows = reminder_rule::Entity::find().filter(Column::Kind.eq(kind)).filter(of(region));
    Ok(rows.order_by_desc(Column::Id).one(db).await?)
}

fn of(region: Option<i64>) -> SimpleExpr {
    region.map_or_else(|| Column::RegionId.is_null(), |region| Column::RegionId.eq(region))
}

/// Returns a row with changes, which are checked.
fn merged(there: &reminder_rule::Model, changes: Changes) -> Result<reminder_rule::Model> {
    let number = |patch: Patch<Option<i64>>, was: Option<i32>, (least, most): (i64, i64), name: &str| match patch {
        Patch::Keep => Ok(was),
        Patch::Set(None) => Ok(None),
        Patch::Set(Some(number)) if (least..=most).contains(&number) => Ok(i32::try_from(number).ok()),
        Patch::Set(Some(_)) if most == LAST_DAY => {
            let zh = format!("每月的日期应为 {least} 至 {most}，因为每个月都有这些日期");
            let en = format!("the day of the month must be from {least} to {most}, which every month has");
            Err(crate::Error::from(Fault::invalid(zh, en, &["input", name])))
        }
        Patch::Set(Some(_)) => {
            let zh = format!("天数应为 {least} 至 {most}");
            let en = format!("the number of days must be from {least} to {most}");
            Err(Fault::invalid(zh, en, &["input", name]).into())
        }
    };
    let days_before = match changes.days_before {
        Patch::Keep => Ok(there.days_before.clone()),
        Patch::Set(None) => Ok(None),
        Patch::Set(Some(marks)) => stored_marks(&marks).map(Some),
    };
    let (days_before, again_after, office_after, leader_after, listing_after, card_after) = fault::all((
        days_before,
        number(changes.again_after, there.again_after, (1, MAX_DAYS), "againAfter"),
        number(changes.office_after, there.office_after, (0, MAX_DAYS), "officeAfter"),
        number(changes.leader_after, there.leader_after, (0, MAX_DAYS), "leaderAfter"),
        number(changes.listing_after, there.listing_after, (0, MAX_DAYS), "listingAfter"),
        number(changes.card_after, there.card_after, (1, MAX_DAYS), "cardAfter"),
    ))?;
    let (account_form_day, account_report_day) = fault::all((
        number(changes.account_form_day, there.account_form_day, (1, LAST_DAY), "accountFormDay"),
        number(changes.account_report_day, there.account_report_day, (1, LAST_DAY), "accountReportDay"),
    ))?;
    let names = |copied: BTreeSet<Copied>| copied.iter().map(ActiveEnum::to_value).collect::<Vec<_>>().join(",");
    let quiet = changes.quiet.or(there.quiet_from.zip(there.quiet_until));
    Ok(reminder_rule::Model {
        is_on: changes.is_on.or(there.is_on),
        days_before,
        again_after,
        office_after,
        leader_after,
        listing_after,
        card_after,
        account_form_day,
        account_report_day,
        copied: match changes.copied {
            Patch::Keep => there.copied.clone(),
            Patch::Set(copied) => copied.map(names),
        },
        working_days_only: changes.working_days_only.or(there.working_days_only),
        quiet_from: quiet.map(|(from, _)| from),
        quiet_until: quiet.map(|(_, until)| until),
        ..there.clone()
    })
}

/// Returns marks as they are stored, the farthest first.
fn stored_marks(marks: &[i64]) -> Result<String> {
    if marks.len() > MAX_MARKS || marks.iter().any(|days| !(0..=MAX_DAYS).contains(days)) {
        let zh = format!("提前天数最多 {MAX_MARKS} 个，每个应为 0 至 {MAX_DAYS}");
        let en = format!("there may be at most {MAX_MARKS} numbers of days, each from 0 to {MAX_DAYS}");
        return Err(Fault::invalid(zh, en, &["input", "daysBefore"]).into());
    }
    let sorted: BTreeSet<i64> = marks.iter().copied().collect();
    Ok(sorted.iter().rev().map(ToString::to_string).collect::<Vec<_>>().join(","))
}

fn state(row: &reminder_rule::Model) -> Value {
    json!({
        "isOn": row.is_on, "daysBefore": row.days_before, "againAfter": row.again_after,
        "officeAfter": row.office_after, "leaderAfter": row.leader_after, "listingAfter": row.listing_after,
        "cardAfter": row.card_after, "accountFormDay": row.account_form_day,
        "accountReportDay": row.account_report_day,
        "copied": row.copied, "isOnWorkingDaysOnly": row.working_days_only,
        "quietFrom": row.quiet_from, "quietUntil": row.quiet_until,
    })
}
