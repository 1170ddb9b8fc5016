//! What the rules return: the items to remind of, with the units and people to be told.

use chrono::NaiveDate;
use chrono_tz::Tz;
use futures_util::future::BoxFuture;

use super::rules::Rules;
use crate::Result;
use crate::record::database::Transaction;

/// Finds who might have to be told on a day of a time zone, and hands each candidate on.
pub type Find = for<'a> fn(&'a Transaction, (NaiveDate, Tz), &'a Rules, &'a mut Each<'a>) -> BoxFuture<'a, Result<()>>;

/// What is done with each candidate. They are handed on one after the other, because they may be very many.
pub type Each<'a> = dyn FnMut(Candidate) + Send + 'a;

/// When reminders are sent unless a rule says otherwise, in days. The defaults are those of the domain.
#[derive(Debug, Clone)]
pub struct Timing {
    /// How many days before the end of a quarter to remind of its self-inspection.
    pub self_inspection_before: Vec<i64>,
    /// How many days before the end of a half-year or a year to remind of verifications and spot checks.
    pub office_check_before: Vec<i64>,
    /// How many days before the deadline of a measure to remind of it.
    pub due_soon_before: Vec<i64>,
    /// How many days after a reminder to repeat it, for an overdue item and for a self-inspection whose quarter has
    /// ended.
    pub again_after: i64,
    /// After how many days without a report an open assignment is reminded of, and reminded of again.
    pub stale_after: i64,
    /// The day of the month on which units get the form of the monthly account (月账).
    pub account_form_day: u32,
    /// The day of the month on which leaders and offices get the figures of the month before.
    pub account_report_day: u32,
    /// How many days before the deadline of a complaint case to remind of it.
    pub case_due_soon_before: Vec<i64>,
    /// After how many days overdue the rectification office of the city is told.
    pub office_after: i64,
    /// After how many days overdue the measure's lead leader, or the leaders of the lead unit, are told.
    pub leader_after: i64,
    /// After how many days overdue listing (挂牌督办) is proposed.
    pub listing_after: i64,
    /// After how many days overdue, or without a report, a yellow card (黄牌) is proposed.
    pub card_after: i64,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            self_inspection_before: vec![15, 7, 1],
            office_check_before: vec![30, 7],
            due_soon_before: vec![30, 7, 1],
            again_after: 7,
            stale_after: 30,
            account_form_day: 25,
            account_report_day: 1,
            case_due_soon_before: vec![3, 1],
            office_after: 7,
            leader_after: 15,
            listing_after: 30,
            card_after: 30,
        }
    }
}

/// The subject of a reminder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Matter {
    /// A measure, by its key.
    Measure(i64),
    /// A complaint case, by its key.
    Case(i64),
    /// The figures of a region and those below it, by the key of the region.
    Region(i64),
}

impl Matter {
    /// Returns the key of the measure, or `None` if it is something else.
    pub fn measure(self) -> Option<i64> {
        if let Self::Measure(id) = self { Some(id) } else { None }
    }

    /// Returns the key of the complaint case, or `None` if it is something else.
    pub fn case(self) -> Option<i64> {
        if let Self::Case(id) = self { Some(id) } else { None }
    }

    /// Returns the key of the region, or `None` if it is something else.
    pub fn region(self) -> Option<i64> {
        if let Self::Region(id) = self { Some(id) } else { None }
    }

    /// Returns its global id, such as `measure_12`.
    pub fn id(self) -> String {
        match self {
            Self::Measure(key) => format!("measure_{key}"),
            Self::Case(key) => format!("case_{key}"),
            Self::Region(key) => format!("region_{key}"),
        }
    }

    /// Returns the subject of an item of a mail; `None` if it has none.
    pub(crate) fn of_keys(measure: Option<i64>, case: Option<i64>, region: Option<i64>) -> Option<Self> {
        measure.map(Self::Measure).or(case.map(Self::Case)).or(region.map(Self::Region))
    }
}

/// An item to remind of, with the units and people to be told.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The measure, complaint case or region.
    pub matter: Matter,
    /// The key of the assignment, for the units that are told about it.
    pub assignment: Option<i64>,
    /// The key of the region whose rule it follows, if it has one.
    pub region: Option<i64>,
    /// The local date that the reminder is about, such as the deadline.
    pub due_on: NaiveDate,
    /// The units to be told.
    pub units: Vec<Told>,
    /// The people to be told about the measure as a whole.
    pub people: Vec<Person>,
    /// An address that was told on this local date or later needs no mail for its sake.
    pub since: NaiveDate,
    /// Whether it goes along with a mail that is sent for the sake of other items, although it was told.
    pub goes_along: bool,
}

/// A unit to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// The key of the unit.
    pub unit: i64,
    /// Whether it is told about the assignment, rather than about the measure as a whole.
    pub answers: bool,
}

/// A person who is told under their own address, not through a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The mail address.
    pub address: String,
    /// The key of the unit under which they are told.
    pub unit: i64,
}
