//! The rules of reminders: what holds for each kind of reminder in each region.
//!
//! The settings of the program are the defaults. People set other values for the whole ledger or for the items of a
//! region and those below it; whatever is not set there holds as the region above has it. A value counts from the next
//! occurrence on, because every run reads the rules anew.

use std::collections::{BTreeSet, HashMap};
use std::ops::Deref;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use chrono_tz::Tz;
use entity::region;
use entity::reminder_rule::{self, Copied, ReminderKind};
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use sea_orm::{ActiveEnum, ColumnTrait, ConnectionTrait, EntityTrait, Iterable, QueryFilter};

use super::candidate::Timing;
use crate::Result;
use crate::region::lineage;
use crate::rule::calendar::{Month, local_day, moment, plus_days};
use crate::rule::holiday::{Calendars, WorkingDays};

/// What holds for one kind of reminder in one region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Whether the reminder is sent at all.
    pub is_on: bool,
    /// How many days before a date to remind of it; empty for what is not reminded of before.
    pub days_before: Vec<i64>,
    /// How many days after a reminder to repeat it.
    pub again_after: i64,
    /// After how many days overdue the rectification office is told, for an escalation.
    pub office_after: i64,
    /// After how many days overdue leaders are told, for an escalation.
    pub leader_after: i64,
    /// After how many days overdue listing (挂牌督办) is proposed, for an escalation.
    pub listing_after: i64,
    /// After how many days overdue, or without a report, a yellow card (黄牌) is proposed, for an escalation.
    pub card_after: i64,
    /// The day of the month on which units get the form of the monthly account.
    pub account_form_day: u32,
    /// The day of the month on which leaders and offices get the figures of the month before.
    pub account_report_day: u32,
    /// Who is told beside the unit that answers.
    pub copied: BTreeSet<Copied>,
    /// Whether it is sent on working days only.
    pub working_days_only: bool,
    /// The local times between which it is not sent; the first may be later than the second, across midnight.
    pub quiet: Option<(NaiveTime, NaiveTime)>,
}

impl Rule {
    /// The rule of a kind that nobody has changed.
    fn by_default(kind: ReminderKind, timing: &Timing) -> Self {
        let (days_before, copied): (&[i64], &[Copied]) = match kind {
            ReminderKind::QuarterlySelfInspection => (&timing.self_inspection_before, &[Copied::Office]),
            ReminderKind::DueSoon => (&timing.due_soon_before, &[Copied::LeadUnit]),
            ReminderKind::Overdue => (&[], &[Copied::LeadUnit, Copied::SupervisingUnit]),
            ReminderKind::Escalation
            | ReminderKind::StaleProgress
            | ReminderKind::MonthlyAccount
            | ReminderKind::NoticeEnded => (&[], &[]),
            ReminderKind::HalfYearVerification | ReminderKind::YearlySpotCheck => (&timing.office_check_before, &[]),
            ReminderKind::CaseDueSoon => (&timing.case_due_soon_before, &[]),
            ReminderKind::CaseOverdue => (&[], &[Copied::Office]),
        };
        Self {
            is_on: true,
            days_before: days_before.to_vec(),
            again_after: if kind == ReminderKind::StaleProgress { timing.stale_after } else { timing.again_after },
            office_after: timing.office_after,
            leader_after: timing.leader_after,
            listing_after: timing.listing_after,
            card_after: timing.card_after,
            account_form_day: timing.account_form_day,
            account_report_day: timing.account_report_day,
            copied: copied.iter().copied().collect(),
            working_days_only: true,
            quiet: Some(QUIET),
        }
    }

    /// Returns the rule with what a row sets.
    fn with(mut self, row: &reminder_rule::Model) -> Self {
        let set = |to: &mut i64, value: Option<i32>| *to = value.map_or(*to, i64::from);
        set(&mut self.again_after, row.again_after);
        set(&mut self.office_after, row.office_after);
        set(&mut self.leader_after, row.leader_after);
        set(&mut self.listing_after, row.listing_after);
        set(&mut self.card_after, row.card_after);
        let set = |to: &mut u32, value: Option<i32>| {
            *to = value.and_then(|day| u32::try_from(day).ok()).unwrap_or(*to);
        };
        set(&mut self.account_form_day, row.account_form_day);
        set(&mut self.account_report_day, row.account_report_day);
        self.is_on = row.is_on.unwrap_or(self.is_on);
        self.working_days_only = row.working_days_only.unwrap_or(self.working_days_only);
        if let Some(days) = &row.days_before {
            self.days_before = read_days(days);
        }
        if let Some(copied) = &row.copied {
            self.copied = read_copied(copied);
        }
        if let (Some(from), Some(until)) = (row.quiet_from, row.quiet_until) {
            self.quiet = Some((from, until)).filter(|_| from != until);
        }
        self
    }

    /// Whether a local time lies within the quiet hours; their end does not.
    fn is_quiet(&self, time: NaiveTime) -> bool {
        self.quiet.is_some_and(
            |(from, until)| {
                if from < until { from <= time && time < until } else { time >= from || time < until }
            },
        )
    }

    /// Returns the first local date on or after which a reminder that is repeated silences the next one of `today`.
    pub(super) fn silent_since(&self, today: NaiveDate) -> NaiveDate {
        plus_days(today, 1 - self.again_after)
    }
}

/// What holds for one kind of reminder in one region, with the working days of the region.
#[derive(Debug, Clone, Copy)]
pub struct RegionRule<'a> {
    rule: &'a Rule,
    days: &'a WorkingDays,
}

impl Deref for RegionRule<'_> {
    type Target = Rule;

    fn deref(&self) -> &Rule {
        self.rule
    }
}

impl RegionRule<'_> {
    /// Returns the first day from `day` on on which something is sent, or `None` while it is off.
    pub fn next_day(&self, day: NaiveDate) -> Option<NaiveDate> {
        self.is_on.then(|| self.moved_on(day))
    }

    /// Whether it is sent on a day.
    pub(super) fn is_sent_on(&self, day: NaiveDate) -> bool {
        self.is_on && !self.is_off(day)
    }

    /// Returns the day from which a reminder of something due on `due_on` is owed: that of the last mark reached. A
    /// mark on a day off moves to the last working day before it. Returns `None` before the first mark and after the
    /// due date.
    pub(super) fn owed_since(&self, due_on: NaiveDate, today: NaiveDate) -> Option<NaiveDate> {
        if due_on < today {
            return None;
        }
        self.marks(due_on).filter(|day| *day <= today).max()
    }

    /// Returns the marks of a date: the days before it on which it is reminded of.
    fn marks(&self, due_on: NaiveDate) -> impl Iterator<Item = NaiveDate> {
        self.days_before.iter().map(move |before| {
            let day = plus_days(due_on, -before);
            if self.working_days_only { self.days.last_by(day) } else { day }
        })
    }

    /// Returns the day on which something due on `due_on`, of which an address was told on `told_on`, is told again if
    /// it stays as it is: at the next mark, or after the pause. `None` if no mark is left.
    pub(super) fn next_after(&self, (due_on, told_on): (NaiveDate, NaiveDate), today: NaiveDate) -> Option<NaiveDate> {
        if due_on < today {
            return Some(self.moved_on(plus_days(told_on, self.again_after)));
        }
        self.marks(due_on).filter(|day| *day > today).min()
    }

    /// Returns the day on which units get the form of a month's account: on a day off, the next working day.
    pub(super) fn account_form_on(&self, month: Month) -> NaiveDate {
        self.moved_on(month.day(self.account_form_day))
    }

    /// Returns the day on which leaders and offices get the figures of a month's accounts, in the month after it: on a
    /// day off, the next working day.
    pub(super) fn account_report_on(&self, month: Month) -> NaiveDate {
        self.moved_on(month.next().day(self.account_report_day))
    }

    /// Whether nothing is sent on a day because it is a day off.
    fn is_off(&self, day: NaiveDate) -> bool {
        self.working_days_only && !self.days.contains(day)
    }

    /// Returns the first day from `day` on that is not off.
    fn moved_on(&self, day: NaiveDate) -> NaiveDate {
        if self.working_days_only { self.days.first_from(day) } else { day }
    }

    /// Returns the moment from which a digest may be sent: `now`, or the end of the quiet hours and days off.
    pub fn sent_from(&self, now: DateTime<Utc>, zone: Tz) -> DateTime<Utc> {
        let local = now.with_timezone(&zone);
        let today = local_day(now, zone);
        let begins =
            self.quiet.map_or(NaiveTime::MIN, |(from, until)| if from < until { NaiveTime::MIN } else { until });
        if self.is_off(today) {
            return moment(self.days.first_from(today), begins, zone);
        }
        if !self.is_quiet(local.time()) {
            return now;
        }
        let Some((from, until)) = self.quiet else { return now };
        if from < until || local.time() < until {
            return moment(today, until, zone);
        }
        moment(self.moved_on(plus_days(today, 1)), until, zone)
    }
}

/// The quiet hours by default: from 21:00 to 7:00 local time.
const QUIET: (NaiveTime, NaiveTime) = match (NaiveTime::from_hms_opt(21, 0, 0), NaiveTime::from_hms_opt(7, 0, 0)) {
    (Some(from), Some(until)) => (from, until),
    _ => (NaiveTime::MIN, NaiveTime::MIN),
};

/// The most days by which a mark moves back from days off, and by which a search for candidates therefore reaches
/// further than the marks.
const MAX_MOVED: i64 = 30;

/// Reads numbers of days that a row stores as `30,7,1`.
pub fn read_days(stored: &str) -> Vec<i64> {
    stored.split(',').filter_map(|days| days.parse().ok()).collect()
}

/// Reads who is told, which a row stores as `LEAD_UNIT,OFFICE`.
pub fn read_copied(stored: &str) -> BTreeSet<Copied> {
    stored.split(',').filter_map(|copied| Copied::try_from_value(&copied.to_owned()).ok()).collect()
}

/// The rules of all kinds in all regions, with their calendars.
#[derive(Debug, Clone)]
pub struct Rules {
    /// The days on which offices work.
    calendars: Calendars,
    /// What holds for the whole ledger.
    everywhere: HashMap<ReminderKind, Rule>,
    /// What holds in the regions for which, or above which, something is set.
    of_regions: HashMap<(ReminderKind, i64), Rule>,
}

impl Rules {
    /// Reads the rules as they are now. `timing` has the defaults.
    pub async fn read<C: ConnectionTrait>(db: &C, timing: &Timing) -> Result<Self> {
        Self::supposing(db, timing, None).await
    }

    /// Reads the rules as they would be if a row were the latest of its kind and region.
    pub async fn supposing<C: ConnectionTrait>(
        db: &C,
        timing: &Timing,
        supposed: Option<&reminder_rule::Model>,
    ) -> Result<Self> {
        let calendars = Calendars::read(db).await?;
        let mut rows = current(db).await?;
        if let Some(supposed) = supposed {
            rows.retain(|row| (row.kind, row.region_id) != (supposed.kind, supposed.region_id));
            rows.push(supposed.clone());
        }
        let defaults = ReminderKind::iter().map(|kind| (kind, Rule::by_default(kind, timing)));
        let mut everywhere: HashMap<ReminderKind, Rule> = defaults.collect();
        let (of_all, of_regions): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.region_id.is_none());
        for row in of_all {
            everywhere.entry(row.kind).and_modify(|rule| *rule = rule.clone().with(&row));
        }
        let mut rules = Self { calendars, everywhere, of_regions: HashMap::new() };
        if !of_regions.is_empty() {
            rules.spread(db, &of_regions).await?;
        }
        Ok(rules)
    }

    /// Works out what holds in each region at or below one for which something is set.
    async fn spread<C: ConnectionTrait>(&mut self, db: &C, rows: &[reminder_rule::Model]) -> Result<()> {
        let set: HashMap<(ReminderKind, Option<i64>), &reminder_rule::Model> =
            rows.iter().map(|row| ((row.kind, row.region_id), row)).collect();
        let kinds: BTreeSet<ReminderKind> = rows.iter().map(|row| row.kind).collect();
        for region in region::Entity::find().all(db).await? {
            let line = lineage(&region.path);
            for kind in &kinds {
                let found: Vec<_> = line.iter().filter_map(|above| set.get(&(*kind, Some(*above)))).collect();
                if found.is_empty() {
                    continue;
                }
                let rule = found.into_iter().fold(self.everywhere[kind].clone(), |rule, row| rule.with(row));
                self.of_regions.insert((*kind, region.id), rule);
            }
        }
        Ok(())
    }

    /// Returns what holds for a kind in a region, or for items of no region.
    pub fn of(&self, kind: ReminderKind, region: Option<i64>) -> RegionRule<'_> {
        let own = region.and_then(|region| self.of_regions.get(&(kind, region)));
        RegionRule { rule: own.unwrap_or_else(|| &self.everywhere[&kind]), days: self.calendars.of(region) }
    }

    /// Returns what holds for a kind in all regions that differ from the whole ledger, and in the whole ledger.
    pub(super) fn all(&self, kind: ReminderKind) -> impl Iterator<Item = RegionRule<'_>> {
        let with_rules = self.of_regions.keys().filter(move |(of, _)| *of == kind).map(|(_, region)| *region);
        let differing = with_rules.chain(self.calendars.regions());
        differing.map(Some).chain(std::iter::once(None)).map(move |region| self.of(kind, region))
    }

    /// Returns how many days ahead a search has to look for what may have to be reminded of, or `None` if nothing is.
    pub(super) fn reach(&self, kind: ReminderKind) -> Option<i64> {
        self.all(kind).flat_map(|rule| &rule.rule.days_before).max().map(|days| days + MAX_MOVED)
    }

    /// Returns the fewest days after which a kind is repeated, or `None` if it is off everywhere.
    pub(super) fn soonest_again(&self, kind: ReminderKind) -> Option<i64> {
        self.all(kind).filter(|rule| rule.is_on).map(|rule| rule.again_after).min()
    }

    /// Returns the fewest days overdue after which the office is told.
    pub(super) fn soonest_office(&self) -> i64 {
        self.all(ReminderKind::Escalation)
            .map(|rule| std::cmp::min(rule.office_after, rule.leader_after))
            .min()
            .unwrap_or_default()
    }

    /// Returns the fewest days overdue after which listing is proposed.
    pub(crate) fn soonest_listing(&self) -> i64 {
        self.all(ReminderKind::Escalation).map(|rule| rule.listing_after).min().unwrap_or_default()
    }

    /// Returns the fewest days overdue, or without a report, after which a yellow card is proposed.
    pub(crate) fn soonest_card(&self) -> i64 {
        self.all(ReminderKind::Escalation).map(|rule| rule.card_after).min().unwrap_or_default()
    }

    /// Returns the first day from `day` on on which a kind is sent anywhere, or `None` if it is sent nowhere.
    pub fn next_day(&self, kind: ReminderKind, day: NaiveDate) -> Option<NaiveDate> {
        self.all(kind).filter_map(|rule| rule.next_day(day)).min()
    }
}

/// Whether a kind is told again while it stays as it is. The others are told at their marks, or once.
pub fn repeats(kind: ReminderKind) -> bool {
    match kind {
        ReminderKind::QuarterlySelfInspection
        | ReminderKind::HalfYearVerification
        | ReminderKind::YearlySpotCheck
        | ReminderKind::Overdue
        | ReminderKind::StaleProgress
        | ReminderKind::NoticeEnded
        | ReminderKind::CaseOverdue => true,
        ReminderKind::DueSoon | ReminderKind::Escalation | ReminderKind::MonthlyAccount | ReminderKind::CaseDueSoon => {
            false
        }
    }
}

/// Returns the kind of reminder of a job or of a mail by its name.
pub fn kind_of(name: &str) -> Option<ReminderKind> {
    ReminderKind::iter().find(|kind| name_of(*kind) == name)
}

/// Returns the name of the job, and of the mails, of a kind of reminder, such as `due-soon`.
pub fn name_of(kind: ReminderKind) -> &'static str {
    match kind {
        ReminderKind::QuarterlySelfInspection => "quarterly-self-inspection",
        ReminderKind::HalfYearVerification => "half-year-verification",
        ReminderKind::YearlySpotCheck => "yearly-spot-check",
        ReminderKind::DueSoon => "due-soon",
        ReminderKind::Overdue => "overdue",
        ReminderKind::Escalation => "escalation",
        ReminderKind::StaleProgress => "stale-progress",
        ReminderKind::MonthlyAccount => "monthly-account",
        ReminderKind::NoticeEnded => "notice-ended",
        ReminderKind::CaseDueSoon => "case-due-soon",
        ReminderKind::CaseOverdue => "case-overdue",
    }
}

/// Returns the rows that hold: the latest of each kind and region.
async fn current<C: ConnectionTrait>(db: &C) -> Result<Vec<reminder_rule::Model>> {
    use reminder_rule::Column;
    let latest = Query::select()
        .expr(Expr::col(Column::Id).max())
        .from(reminder_rule::Entity)
        .group_by_columns([Column::Kind, Column::RegionId])
        .to_owned();
    Ok(reminder_rule::Entity::find().filter(Column::Id.in_subquery(latest)).all(db).await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono_tz::Asia::Shanghai;
    use proptest::prelude::*;

    fn rules() -> Rules {
        let timing = Timing::default();
        let everywhere = ReminderKind::iter().map(|kind| (kind, Rule::by_default(kind, &timing))).collect();
        Rules { calendars: Calendars::default(), everywhere, of_regions: HashMap::new() }
    }

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn a_reminder_is_owed_from_the_nearest_mark_on_and_marks_on_days_off_come_before() {
        let rules = rules();
        let rule = rules.of(ReminderKind::DueSoon, None);
        // The marks of 2022-12-31, a Saturday: 1 December, Saturday 24 December, 30 December.
        let owed = |today| rule.owed_since(day("2022-12-31"), day(today)).map(|day| day.to_string());
        assert_eq!(owed("2022-11-30"), None);
        assert_eq!(owed("2022-12-01").as_deref(), Some("2022-12-01"));
        assert_eq!(owed("2022-12-22").as_deref(), Some("2022-12-01"));
        assert_eq!(owed("2022-12-23").as_deref(), Some("2022-12-23"));
        assert_eq!(owed("2022-12-31").as_deref(), Some("2022-12-30"));
        assert_eq!(owed("2023-01-01"), None);
    }

    #[test]
    fn quiet_hours_and_days_off_end_in_the_morning_of_a_working_day() {
        let rules = rules();
        let from = |now: &str| {
            let now = DateTime::parse_from_rfc3339(now).unwrap().to_utc();
            rules.of(ReminderKind::Overdue, None).sent_from(now, Shanghai).with_timezone(&Shanghai).to_rfc3339()
        };
        // A Thursday, a Friday evening, a Saturday and the holidays of October 2026.
        assert_eq!(from("2026-11-26T08:00:00+08:00"), "2026-11-26T08:00:00+08:00");
        assert_eq!(from("2026-11-26T06:59:00+08:00"), "2026-11-26T07:00:00+08:00");
        assert_eq!(from("2026-11-26T21:00:00+08:00"), "2026-11-27T07:00:00+08:00");
        assert_eq!(from("2026-11-27T23:30:00+08:00"), "2026-11-30T07:00:00+08:00");
        assert_eq!(from("2026-11-28T12:00:00+08:00"), "2026-11-30T07:00:00+08:00");
        assert_eq!(from("2026-10-01T12:00:00+08:00"), "2026-10-08T07:00:00+08:00");
    }

    proptest! {
        #[test]
        fn whichever_days_are_missed_each_mark_is_said_at_most_once_and_the_last_run_says_the_last(
            up in proptest::collection::btree_set(0_i64..=45, 1..46)
        ) {
            let rules = rules();
            let rule = rules.of(ReminderKind::DueSoon, None);
            let due = NaiveDate::from_ymd_opt(2022, 12, 31).unwrap();
            let mut told: Option<NaiveDate> = None;
            let mut said = 0;
            for before in up.iter().rev() {
                let today = plus_days(due, -before);
                if let Some(since) = rule.owed_since(due, today)
                    && told.is_none_or(|day| day < since)
                {
                    told = Some(today);
                    said += 1;
                }
            }
            prop_assert!(said <= 3);
            prop_assert_eq!(told.is_some(), up.iter().any(|before| *before <= 30));
        }

        #[test]
        fn what_may_be_sent_from_a_moment_on_is_not_held_then(minutes in 0_i64..2_000_000) {
            let rules = rules();
            let now = DateTime::from_timestamp(1_577_836_800 + minutes * 60, 0).unwrap();
            let rule = rules.of(ReminderKind::Overdue, None);
            let from = rule.sent_from(now, Shanghai);
            prop_assert!(from >= now);
            prop_assert_eq!(rule.sent_from(from, Shanghai), from);
            let local = from.with_timezone(&Shanghai);
            prop_assert!(rule.is_sent_on(local.date_naive()) && !rule.is_quiet(local.time()));
        }
    }
}
