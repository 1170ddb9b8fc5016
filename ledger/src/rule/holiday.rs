//! Working days: weekdays, except for the public holidays and the weekend days worked in their place that the State
//! Council announces every year (国务院办公厅关于部分节假日安排的通知).
//!
//! The announced years are built in. Days that are set for the whole country take precedence, and days that are set for
//! a region, such as a holiday of one autonomous region (藏历新年, 雪顿节), go before those, for the region and those
//! below it.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use chrono::{Datelike, NaiveDate, Weekday};
use entity::{holiday, region};
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict};
use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};

use crate::Result;
use crate::fault::{Fault, FaultCode};
use crate::record::database::Transaction;
use crate::region::lineage;
use crate::rule::calendar::{YEARS, plus_days};

/// The most days ahead that a search for working days looks.
const SPAN: i64 = 400;

/// The announced days: whether each is worked, and its name. A line of the file has the form `first,last,rule,name`,
/// where `rule` is `work` or `rest`.
static BUILT_IN: LazyLock<HashMap<NaiveDate, (bool, &'static str)>> = LazyLock::new(|| {
    let line = |line: &'static str| {
        let mut parts = line.split(',');
        let (first, last, works) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()? == "work");
        Some((first, last, (works, parts.next()?)))
    };
    let spans = include_str!("../../data/holidays.csv").lines().filter_map(line);
    spans
        .flat_map(|(first, last, said): (NaiveDate, NaiveDate, (bool, &'static str))| {
            first.iter_days().take_while(move |day| *day <= last).map(move |day| (day, said))
        })
        .collect()
});

/// The working days of one region, or of the whole country.
#[derive(Debug, Clone, Default)]
pub struct WorkingDays {
    /// The days that are set for the region, above it or for the whole country, and whether each is worked.
    set: HashMap<NaiveDate, bool>,
}

impl WorkingDays {
    /// Reads the working days of a region, by its key, or of the whole country. Takes two statements.
    pub async fn read<C: ConnectionTrait>(db: &C, region: Option<i64>) -> Result<Self> {
        let rows = rows_of(db, region, None).await?;
        Ok(Self { set: rows.into_iter().map(|row| (row.day, row.is_working)).collect() })
    }

    /// Checks whether a day is a working day: as it is set, else as announced, else by the day of the week.
    pub fn contains(&self, day: NaiveDate) -> bool {
        let by_week = !matches!(day.weekday(), Weekday::Sat | Weekday::Sun);
        let announced = || BUILT_IN.get(&day).map(|(works, _)| *works);
        self.set.get(&day).copied().or_else(announced).unwrap_or(by_week)
    }

    /// Returns the last working day up to and including `day`, or `day` itself if the 400 days before it are all off.
    pub(crate) fn last_by(&self, day: NaiveDate) -> NaiveDate {
        (0..=SPAN).map(|before| plus_days(day, -before)).find(|day| self.contains(*day)).unwrap_or(day)
    }

    /// Returns the first working day from `day` on, or `day` itself if the 400 days after it are all off.
    pub(crate) fn first_from(&self, day: NaiveDate) -> NaiveDate {
        (0..=SPAN).map(|after| plus_days(day, after)).find(|day| self.contains(*day)).unwrap_or(day)
    }

    /// Returns the date a number of working days after another. Fails if there are not enough working days within 400
    /// days.
    pub fn after(&self, from: NaiveDate, days: i64) -> Result<NaiveDate, Fault> {
        self.count(from, days).ok_or_else(|| {
            let zh = "工作日历有误：一年内没有足够的工作日，请检查节假日设置";
            let en = "the calendar is wrong: a year has too few working days; check the holidays that are set";
            Fault::new(FaultCode::WrongState, zh, en, &[])
        })
    }

    /// Returns the date `days` working days after `from`, or `None` if it lies too far ahead.
    fn count(&self, from: NaiveDate, days: i64) -> Option<NaiveDate> {
        let later = (1..=SPAN).map(|after| plus_days(from, after));
        later.filter(|day| self.contains(*day)).nth(usize::try_from(days).ok()?.checked_sub(1)?)
    }
}

/// The working days of all regions, read once for a calculation over many of them.
#[derive(Debug, Clone, Default)]
pub struct Calendars {
    /// Those of regions for which, and above which, no day is set.
    everywhere: WorkingDays,
    /// Those of the regions for which days are set, by the key of the region.
    of_regions: HashMap<i64, WorkingDays>,
    /// The nearest of these regions at or above each region that has one, by keys.
    nearest: HashMap<i64, i64>,
}

impl Calendars {
    /// Reads the days that are set, and the tree of regions if some are set for a region.
    pub async fn read<C: ConnectionTrait>(db: &C) -> Result<Self> {
        let mut set: HashMap<Option<i64>, HashMap<NaiveDate, bool>> = HashMap::new();
        for row in holiday::Entity::find().all(db).await? {
            set.entry(row.region_id).or_default().insert(row.day, row.is_working);
        }
        let everywhere = WorkingDays { set: set.get(&None).cloned().unwrap_or_default() };
        let mut calendars = Self { everywhere, ..Self::default() };
        if set.keys().all(Option::is_none) {
            return Ok(calendars);
        }
        for region in region::Entity::find().all(db).await? {
            let line = lineage(&region.path);
            let Some(nearest) = line.iter().rev().find(|above| set.contains_key(&Some(**above))) else { continue };
            calendars.nearest.insert(region.id, *nearest);
            calendars.of_regions.entry(*nearest).or_insert_with(|| {
                // From the whole country down to the region, so that the nearest setting of a day remains.
                let of_line = std::iter::once(None).chain(line.iter().map(|above| Some(*above)));
                WorkingDays {
                    set: of_line.filter_map(|above| set.get(&above)).flatten().map(|(d, w)| (*d, *w)).collect(),
                }
            });
        }
        Ok(calendars)
    }

    /// Returns the working days of a region, or of the whole country.
    pub fn of(&self, region: Option<i64>) -> &WorkingDays {
        let own = region.and_then(|region| self.of_regions.get(self.nearest.get(&region)?));
        own.unwrap_or(&self.everywhere)
    }

    /// Returns the keys of the regions that have other working days than the whole country.
    pub(crate) fn regions(&self) -> impl Iterator<Item = i64> {
        self.nearest.keys().copied()
    }
}

/// Reads the days that hold in a region, or for the whole country: those of a period, or all. Days that are set nearer
/// come later.
async fn rows_of<C: ConnectionTrait>(
    db: &C,
    region: Option<i64>,
    period: Option<(NaiveDate, NaiveDate)>,
) -> Result<Vec<holiday::Model>> {
    let line = match region {
        Some(key) => region::Entity::find_by_id(key).one(db).await?.map(|region| lineage(&region.path)),
        None => None,
    };
    let line = line.unwrap_or_default();
    let of_line = holiday::Column::RegionId.is_null().or(holiday::Column::RegionId.is_in(line.iter().copied()));
    let mut found = holiday::Entity::find().filter(of_line);
    if let Some((first, last)) = period {
        found = found.filter(holiday::Column::Day.between(first, last));
    }
    let mut rows = found.all(db).await?;
    rows.sort_by_key(|row| row.region_id.map(|key| line.iter().position(|above| *above == key)));
    Ok(rows)
}

/// A day that is an exception to the working week.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Special {
    /// The local date.
    pub day: NaiveDate,
    /// Whether it is a working day.
    pub is_working: bool,
    /// The name, such as 国庆节; blank if it has none.
    pub name: String,
    /// Whether someone set it; if not, it was announced.
    pub is_set: bool,
    /// The key of the region for which it is set; `None` for the whole country.
    pub region: Option<i64>,
}

/// Returns the exceptional days of a year in a region, or in the whole country, in order.
pub async fn of_year<C: ConnectionTrait>(db: &C, year: i32, region: Option<i64>) -> Result<Vec<Special>> {
    let (Some(first), Some(last)) = (NaiveDate::from_ymd_opt(year, 1, 1), NaiveDate::from_ymd_opt(year, 12, 31)) else {
        return Ok(Vec::new());
    };
    // Other years have no exceptional days, and not every database can represent their dates.
    if !YEARS.contains(&year) {
        return Ok(Vec::new());
    }
    let announced = BUILT_IN.iter().filter(|(day, _)| (first..=last).contains(*day));
    let announced = announced.map(|(day, (works, name))| Special {
        day: *day,
        is_working: *works,
        name: (*name).to_owned(),
        is_set: false,
        region: None,
    });
    let set = rows_of(db, region, Some((first, last))).await?.into_iter().map(|row| Special {
        day: row.day,
        is_working: row.is_working,
        name: row.name,
        is_set: true,
        region: row.region_id,
    });
    let days: BTreeMap<NaiveDate, Special> = announced.chain(set).map(|special| (special.day, special)).collect();
    Ok(days.into_values().collect())
}

/// Sets whether a day is a working day in a region and below it, or in the whole country, whatever is announced for it.
/// Replaces an earlier setting of the same region.
pub async fn set(
    db: &Transaction,
    (day, region): (NaiveDate, Option<i64>),
    is_working: bool,
    name: &str,
) -> Result<()> {
    let row = holiday::ActiveModel {
        region_id: Set(region),
        day: Set(day),
        is_working: Set(is_working),
        name: Set(name.trim().to_owned()),
        ..Default::default()
    };
    let same = OnConflict::new()
        .exprs([Expr::cust("coalesce(region_id, 0)"), Expr::col(holiday::Column::Day)])
        .update_columns([holiday::Column::IsWorking, holiday::Column::Name])
        .to_owned();
    holiday::Entity::insert(row).on_conflict(same).exec_without_returning(db).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn after(from: &str, days: i64) -> String {
        WorkingDays::default().count(from.parse().unwrap(), days).unwrap().to_string()
    }

    #[test]
    fn holidays_are_passed_over_and_worked_weekends_count() {
        // An ordinary week, and the National Day holidays of 2026 (1–7 October; 10 October is worked).
        assert_eq!(after("2026-11-16", 5), "2026-11-23");
        assert_eq!(after("2026-09-30", 5), "2026-10-13");
        // The Spring Festival of 2026: 15–23 February; 14 and 28 February are worked.
        assert_eq!(after("2026-02-13", 2), "2026-02-24");
    }

    #[test]
    fn an_administrators_day_comes_first() {
        let day: NaiveDate = "2026-11-17".parse().unwrap();
        let days = WorkingDays { set: HashMap::from([(day, false)]) };
        assert_eq!(days.count("2026-11-16".parse().unwrap(), 1).unwrap().to_string(), "2026-11-18");
    }

    proptest! {
        #[test]
        fn more_working_days_end_later_on_a_working_day(start in 0_i64..3000, days in 1_i64..20) {
            let from = plus_days(NaiveDate::from_ymd_opt(2024, 1, 1).unwrap(), start);
            let none = WorkingDays::default();
            let (one, more) = (none.count(from, days).unwrap(), none.count(from, days + 1).unwrap());
            prop_assert!(from < one && one < more && none.contains(one));
        }
    }
}
