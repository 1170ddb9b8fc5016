//! The rules of reminders (提醒规则): what holds for each kind of reminder in each region, and who has set it.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use async_graphql::{Context, Enum, ID, InputObject, MaybeUndefined, Object, SimpleObject};
use chrono::{NaiveDate, NaiveTime};
use entity::{region, reminder_rule as row, unit};
use ledger::fault::Fault;
use ledger::keep::{Patch, reminder_rule as keep};
use ledger::people::policy::Act;
use ledger::reminder::{RegionRule, Rules, name_of, read_copied, read_days};
use ledger::rule::calendar::plus_days;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, Iterable, QueryFilter, QuerySelect, QueryTrait};

use crate::context::{Request, Simulated};
use crate::error::masked;
use crate::noun::region::{Region, region_id};
use crate::part::patch::clearable;
use crate::part::payload::{UserError, key_of, outcome};
use crate::part::reread::Reread;
use crate::part::scalar::{Date, Moment};

/// Kind of reminder that has a rule.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "entity::reminder_rule::ReminderKind")]
pub(crate) enum ReminderKind {
    /// 季度自查 · What has to be self-inspected by the end of a quarter.
    QuarterlySelfInspection,
    /// 半年核查 · What the city office has to verify by the end of a half-year.
    HalfYearVerification,
    /// 年度抽查 · What the office of the province has to spot-check by the end of a year.
    YearlySpotCheck,
    /// 临期 · What is due soon.
    DueSoon,
    /// 逾期 · What is overdue.
    Overdue,
    /// 逐级督办 · What stays overdue, told upwards.
    Escalation,
    /// 久无进展 · What nobody has reported on for long. `againAfter` is also the number of days without a report after
    /// which it is told of first; ongoing measures may take three times as long.
    StaleProgress,
    /// 月账 · The account of each month: the form on the day `accountFormDay` to units that have not given it, the
    /// figures on the day `accountReportDay` of the next month to leaders and offices. A day off moves both to the next
    /// working day.
    MonthlyAccount,
    /// 公示期满 · Close-outs whose public notice has ended, told to the office that closes them from the first working
    /// day after it.
    NoticeEnded,
    /// 交办件临期 · Complaint cases that are due soon.
    CaseDueSoon,
    /// 交办件逾期 · Complaint cases that are overdue.
    CaseOverdue,
}

/// Who is told in addition to the unit that answers.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "entity::reminder_rule::Copied")]
pub(crate) enum ReminderCopy {
    /// 牵头单位 · The lead unit of the measure.
    LeadUnit,
    /// 督导单位 · The supervising unit of the measure.
    SupervisingUnit,
    /// 整改办 · The rectification office: of the region for a self-inspection, the nearest above for a case.
    Office,
}

/// What holds for one kind of reminder of the items in a region, as set there, above it, or by the program's settings.
#[derive(SimpleObject)]
pub(crate) struct ReminderRule {
    /// Kind of reminder.
    kind: ReminderKind,
    /// Global id of the region whose items it is about; null for items of no region.
    region_id: Option<ID>,
    /// Whether the reminder is sent at all.
    is_on: bool,
    /// Marks: how many days before a date to remind of it, the farthest first; empty for kinds that remind only after.
    /// A mark on a day off moves to the last working day before it.
    days_before: Vec<i32>,
    /// Number of days after which an overdue item, or a self-inspection whose quarter has ended, is told again.
    again_after: i32,
    /// Number of days overdue after which the rectification office is told, of an escalation.
    office_after: i32,
    /// Number of days overdue after which leaders are told, of an escalation.
    leader_after: i32,
    /// Number of days overdue after which listing (挂牌督办) is proposed.
    listing_after: i32,
    /// Number of days overdue, or without a report, after which a yellow card (黄牌) is proposed; three times as many
    /// without a report for an ongoing measure (长期坚持).
    card_after: i32,
    /// Day of the month on which units get the form of the monthly account.
    account_form_day: i32,
    /// Day of the month on which leaders and offices get the figures of the monthly accounts of the month before.
    account_report_day: i32,
    /// Who is told in addition to the unit that answers.
    copied: Vec<ReminderCopy>,
    /// Whether it is sent on working days only.
    is_on_working_days_only: bool,
    /// Local time, such as `21:00`, from which it is not sent; null without quiet hours.
    quiet_from: Option<String>,
    /// Local time, such as `07:00`, until which it is not sent; null without quiet hours.
    quiet_until: Option<String>,
    /// First day from today on on which it may be sent, by the calendar; null while it is off.
    next_day: Option<Date>,
    /// What is set for this very region, or for the whole ledger; null if nothing was ever set, and for callers who set
    /// no rules there.
    own: Option<ReminderRuleChange>,
}

/// What was once set for one kind of reminder in one region. Null fields hold as the region above has them.
#[derive(SimpleObject)]
pub(crate) struct ReminderRuleChange {
    /// Whether the reminder is sent at all.
    is_on: Option<bool>,
    /// How many days before a date to remind of it, the farthest first.
    days_before: Option<Vec<i32>>,
    /// Number of days after which a reminder is repeated.
    again_after: Option<i32>,
    /// Number of days overdue after which the rectification office is told.
    office_after: Option<i32>,
    /// Number of days overdue after which leaders are told.
    leader_after: Option<i32>,
    /// Number of days overdue after which listing is proposed.
    listing_after: Option<i32>,
    /// Number of days overdue, or without a report, after which a yellow card is proposed.
    card_after: Option<i32>,
    /// Day of the month on which units get the form of the monthly account.
    account_form_day: Option<i32>,
    /// Day of the month on which leaders and offices get the figures of the month before.
    account_report_day: Option<i32>,
    /// Who is told in addition to the unit that answers.
    copied: Option<Vec<ReminderCopy>>,
    /// Whether it is sent on working days only.
    is_on_working_days_only: Option<bool>,
    /// Local time from which it is not sent; equal to `quietUntil` if there are no quiet hours.
    quiet_from: Option<String>,
    /// Local time until which it is not sent.
    quiet_until: Option<String>,
    /// Reason for the change.
    reason: String,
    /// When it was set. It counts from the next occurrence of the job.
    set_at: Moment,
    /// Global id of the account that set it; null for an administrator on the command line.
    setter_id: Option<ID>,
}

/// Input of `setReminderRule`: what to set for one kind of reminder. A field that is left out keeps what is set, null
/// leaves it to the region above.
#[derive(InputObject)]
pub(crate) struct SetReminderRuleInput {
    /// Kind of reminder.
    kind: ReminderKind,
    /// Global id of the region for whose items it holds, with the regions below; without it, for the whole ledger.
    region_id: Option<ID>,
    /// Whether the reminder is sent at all.
    is_on: MaybeUndefined<bool>,
    /// How many days before a date to remind of it: at most 10 numbers from 0 to 365.
    days_before: MaybeUndefined<Vec<i32>>,
    /// Number of days after which a reminder is repeated, from 1 to 365.
    again_after: MaybeUndefined<i32>,
    /// Number of days overdue after which the rectification office is told, from 0 to 365.
    office_after: MaybeUndefined<i32>,
    /// Number of days overdue after which leaders are told, from 0 to 365.
    leader_after: MaybeUndefined<i32>,
    /// Number of days overdue after which listing is proposed, from 0 to 365.
    listing_after: MaybeUndefined<i32>,
    /// Number of days overdue, or without a report, after which a yellow card is proposed, from 1 to 365.
    card_after: MaybeUndefined<i32>,
    /// Day of the month on which units get the form of the monthly account, from 1 to 28.
    account_form_day: MaybeUndefined<i32>,
    /// Day of the month on which leaders and offices get the figures of the month before, from 1 to 28.
    account_report_day: MaybeUndefined<i32>,
    /// Who is told in addition to the unit that answers; an empty list for no one.
    copied: MaybeUndefined<Vec<ReminderCopy>>,
    /// Whether it is sent on working days only.
    is_on_working_days_only: MaybeUndefined<bool>,
    /// Local time, such as `21:00`, from which nothing is sent; required with `quietUntil`, equal to it for no quiet
    /// hours.
    quiet_from: MaybeUndefined<String>,
    /// Local time, such as `07:00`, from which it is sent again.
    quiet_until: MaybeUndefined<String>,
    /// Reason for the change, at most 200 characters.
    reason: String,
    /// Whether only to say what the change would cause; then nothing is written.
    #[graphql(default)]
    is_rehearsal: bool,
}

/// Result of `setReminderRule`.
#[derive(SimpleObject)]
pub(crate) struct ReminderRulePayload {
    /// What holds now; null if the mutation was refused or rehearsed.
    rule: Option<ReminderRule>,
    /// What the change would cause; null unless it was rehearsed.
    rehearsal: Option<ReminderRuleRehearsal>,
    /// Reasons why the mutation was refused, in which case nothing was written; empty if it was carried out.
    errors: Vec<UserError>,
    #[graphql(flatten)]
    reread: Reread,
}

/// The digests of a reminder that would go out within 30 days, to units at or below the region of the rule, without a
/// change of its rule and with it.
#[derive(SimpleObject)]
pub(crate) struct ReminderRuleRehearsal {
    /// Kind of reminder.
    kind: ReminderKind,
    /// First local date: tomorrow.
    from: Date,
    /// Last local date.
    to: Date,
    /// Number of digests by the rule as it is.
    digest_count_before: i32,
    /// Number of digests by the changed rule.
    digest_count_after: i32,
    /// The days on which the numbers differ.
    days: Vec<ReminderRuleRehearsalDay>,
}

/// A day on which a changed rule sends more or fewer digests.
#[derive(SimpleObject)]
pub(crate) struct ReminderRuleRehearsalDay {
    /// Local date of the digests.
    day: Date,
    /// Number of digests by the rule as it is.
    digest_count_before: i32,
    /// Number of digests by the changed rule.
    digest_count_after: i32,
}

/// How many days a change is rehearsed.
const REHEARSED_DAYS: i64 = 30;

fn small(number: i64) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

fn time(time: NaiveTime) -> String {
    time.format("%H:%M").to_string()
}

impl ReminderRule {
    fn of(
        rule: RegionRule<'_>,
        (kind, region): (row::ReminderKind, Option<i64>),
        own: Option<row::Model>,
        today: Date,
    ) -> Self {
        let day = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
        Self {
            kind: kind.into(),
            region_id: region.map(region_id),
            is_on: rule.is_on,
            days_before: rule.days_before.iter().copied().map(small).collect(),
            again_after: small(rule.again_after),
            office_after: small(rule.office_after),
            leader_after: small(rule.leader_after),
            listing_after: small(rule.listing_after),
            card_after: small(rule.card_after),
            account_form_day: day(rule.account_form_day),
            account_report_day: day(rule.account_report_day),
            copied: rule.copied.iter().copied().map(Into::into).collect(),
            is_on_working_days_only: rule.working_days_only,
            quiet_from: rule.quiet.map(|(from, _)| time(from)),
            quiet_until: rule.quiet.map(|(_, until)| time(until)),
            next_day: rule.next_day(today.0).map(Date),
            own: own.map(Into::into),
        }
    }
}

impl From<row::Model> for ReminderRuleChange {
    fn from(row: row::Model) -> Self {
        Self {
            is_on: row.is_on,
            days_before: row.days_before.map(|stored| read_days(&stored).into_iter().map(small).collect()),
            again_after: row.again_after,
            office_after: row.office_after,
            leader_after: row.leader_after,
            listing_after: row.listing_after,
            card_after: row.card_after,
            account_form_day: row.account_form_day,
            account_report_day: row.account_report_day,
            copied: row.copied.map(|stored| read_copied(&stored).into_iter().map(Into::into).collect()),
            is_on_working_days_only: row.working_days_only,
            quiet_from: row.quiet_from.map(time),
            quiet_until: row.quiet_until.map(time),
            reason: row.reason,
            set_at: Moment(row.set_at),
            setter_id: row.setter_id.map(|key| ID(format!("account_{key}"))),
        }
    }
}

/// Whether the caller sets the rules of a region, or may set any and asks about the whole ledger.
async fn keeps(request: &Request, region: Option<i64>) -> ledger::Result<bool> {
    let Some(key) = region else { return Ok(request.principal().may(Act::KeepReminders)) };
    let region = region::Entity::find_by_id(key).one(&request.db).await?;
    Ok(region.is_some_and(|region| request.principal().keeps_reminders_of(Some(&region.path))))
}

/// Reads what holds for kinds in a region.
async fn read(
    request: &Request,
    kinds: impl Iterator<Item = row::ReminderKind>,
    region: Option<i64>,
) -> ledger::Result<Vec<ReminderRule>> {
    let rules = Rules::read(&request.db, &request.timing).await?;
    let own = if keeps(request, region).await? { keep::own(&request.db, region).await? } else { Vec::new() };
    let today = Date(request.today());
    let rule = |kind| {
        let own = own.iter().find(|row| row.kind == kind).cloned();
        ReminderRule::of(rules.of(kind, region), (kind, region), own, today)
    };
    Ok(kinds.map(rule).collect())
}

/// Queries on the rules of reminders.
#[derive(Default)]
pub(crate) struct ReminderRuleQuery;

#[Object]
impl ReminderRuleQuery {
    /// What holds for each kind of reminder of the items in a region, or of items of no region. Empty for callers who
    /// have not signed in.
    async fn reminder_rules(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Global id of the region.")] region_id: Option<ID>,
    ) -> async_graphql::Result<Vec<ReminderRule>> {
        let request = ctx.data::<Request>()?;
        if !request.principal().is_somebody() {
            return Ok(Vec::new());
        }
        let region = region_id.and_then(|id| key_of::<Region>(&id));
        read(request, row::ReminderKind::iter(), region).await.map_err(|failure| masked(&failure))
    }

    /// What was set for a kind of reminder in a region, or for the whole ledger: the latest 100 changes, the latest
    /// first. Empty for callers who may set no rules.
    async fn reminder_rule_history(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Kind of reminder.")] kind: ReminderKind,
        #[graphql(desc = "Global id of the region; without it, the whole ledger.")] region_id: Option<ID>,
    ) -> async_graphql::Result<Vec<ReminderRuleChange>> {
        let request = ctx.data::<Request>()?;
        let region = region_id.and_then(|id| key_of::<Region>(&id));
        if !keeps(request, region).await.map_err(|failure| masked(&failure))? {
            return Ok(Vec::new());
        }
        let rows = keep::history(&request.db, kind.into(), region).await.map_err(|failure| masked(&failure))?;
        Ok(rows.into_iter().map(Into::into).collect())
    }
}

/// Mutations on the rules of reminders.
#[derive(Default)]
pub(crate) struct ReminderRuleMutation;

#[Object]
impl ReminderRuleMutation {
    /// Sets what holds for a kind of reminder of the items in a region and below it. It counts from the next occurrence
    /// of the job; earlier rules are kept as history. Administrators set rules everywhere, regional and city offices
    /// those of their region and below.
    async fn set_reminder_rule(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to set, and for which items.")] input: SetReminderRuleInput,
    ) -> async_graphql::Result<ReminderRulePayload> {
        let request = ctx.data::<Request>()?;
        let kind = input.kind.into();
        let region = input.region_id.as_ref().map(key_of::<Region>);
        let reason = input.reason.clone();
        if input.is_rehearsal {
            let rehearsed = async {
                let row = keep::rehearse(&request.acting(), (kind, region), changes(input)?, &reason).await?;
                rehearsal(request, row).await
            };
            let (rehearsal, errors) = outcome(rehearsed.await, request.language)?;
            return Ok(ReminderRulePayload { rule: None, rehearsal, errors, reread: Reread });
        }
        let set = async {
            let changes = changes(input)?;
            keep::set(&request.acting(), (kind, region), changes, &reason).await
        };
        let (done, errors) = outcome(set.await, request.language)?;
        let rule = match done {
            Some(_) => {
                let rules = read(request, std::iter::once(kind), region.flatten()).await;
                rules.map_err(|failure| masked(&failure))?.pop()
            }
            None => None,
        };
        Ok(ReminderRulePayload { rule, rehearsal: None, errors, reread: Reread })
    }
}

/// Simulates a reminder without a rule and with it.
async fn rehearsal(request: &Request, rule: row::Model) -> ledger::Result<ReminderRuleRehearsal> {
    let (kind, region) = (rule.kind, rule.region_id);
    let range = (plus_days(request.today(), 1), plus_days(request.today(), REHEARSED_DAYS));
    let name = Some(name_of(kind));
    let before = (request.reminding.simulate)(range, name, None).await?;
    let after = (request.reminding.simulate)(range, name, Some(rule)).await?;
    let units = match region {
        Some(region) => Some(units_below(&request.db, region).await?),
        None => None,
    };
    let mut days: BTreeMap<NaiveDate, (i64, i64)> = BTreeMap::new();
    let counted = |one: &&Simulated| units.as_ref().is_none_or(|units| units.contains(&one.unit));
    before.iter().filter(counted).for_each(|one| days.entry(one.day).or_default().0 += 1);
    after.iter().filter(counted).for_each(|one| days.entry(one.day).or_default().1 += 1);
    Ok(ReminderRuleRehearsal {
        kind: kind.into(),
        from: Date(range.0),
        to: Date(range.1),
        digest_count_before: small(days.values().map(|(before, _)| before).sum()),
        digest_count_after: small(days.values().map(|(_, after)| after).sum()),
        days: days
            .into_iter()
            .filter(|(_, (before, after))| before != after)
            .map(|(day, (before, after))| ReminderRuleRehearsalDay {
                day: Date(day),
                digest_count_before: small(before),
                digest_count_after: small(after),
            })
            .collect(),
    })
}

/// Returns the keys of the units at or below a region.
async fn units_below<C: ConnectionTrait>(db: &C, region: i64) -> ledger::Result<HashSet<i64>> {
    let Some(region) = region::Entity::find_by_id(region).one(db).await? else { return Ok(HashSet::new()) };
    let below = region::Entity::find().filter(region::Column::Path.starts_with(&region.path));
    let below = below.select_only().column(region::Column::Id).into_query();
    let units = unit::Entity::find().filter(unit::Column::RegionId.in_subquery(below));
    let keys = units.select_only().column(unit::Column::Id).into_tuple::<i64>().all(db).await?;
    Ok(keys.into_iter().collect())
}

/// Returns the changes that an input asks for.
fn changes(input: SetReminderRuleInput) -> ledger::Result<keep::Changes> {
    let number = |given: MaybeUndefined<i32>| clearable(given.map_value(i64::from));
    let copied = input.copied.map_value(|copied| copied.into_iter().map(Into::into).collect::<BTreeSet<_>>());
    Ok(keep::Changes {
        is_on: clearable(input.is_on),
        days_before: clearable(input.days_before.map_value(|days| days.into_iter().map(i64::from).collect())),
        again_after: number(input.again_after),
        office_after: number(input.office_after),
        leader_after: number(input.leader_after),
        listing_after: number(input.listing_after),
        card_after: number(input.card_after),
        account_form_day: number(input.account_form_day),
        account_report_day: number(input.account_report_day),
        copied: clearable(copied),
        working_days_only: clearable(input.is_on_working_days_only),
        quiet: quiet(input.quiet_from, input.quiet_until)?,
    })
}

/// Returns the change of the quiet hours. Both times are given or neither.
fn quiet(
    from: MaybeUndefined<String>,
    until: MaybeUndefined<String>,
) -> Result<Patch<Option<(NaiveTime, NaiveTime)>>, Fault> {
    match (clearable(from), clearable(until)) {
        (Patch::Keep, Patch::Keep) => Ok(Patch::Keep),
        (Patch::Set(None), Patch::Set(None)) => Ok(Patch::Set(None)),
        (Patch::Set(Some(from)), Patch::Set(Some(until))) => {
            Ok(Patch::Set(Some((clock_time(&from, "quietFrom")?, clock_time(&until, "quietUntil")?))))
        }
        _ => {
            let (zh, en) = ("免打扰的起止时间应一并填写", "quiet hours need both a beginning and an end");
            Err(Fault::invalid(zh, en, &["input", "quietUntil"]))
        }
    }
}

/// Reads a local time such as `21:00`.
fn clock_time(given: &str, name: &str) -> Result<NaiveTime, Fault> {
    NaiveTime::parse_from_str(given, "%H:%M").map_err(|_| {
        let (zh, en) = ("时间应写成 21:00 的形式", "a time has the form 21:00");
        Fault::invalid(zh, en, &["input", name])
    })
}
