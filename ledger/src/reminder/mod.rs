//! Reminders: who is to be told what, and when again. Each rule names its candidates; this file turns them into one digest
//! per address and day, leaving out what the address was told already. History decides, not the clock's ticks: a day that
//! nobody was up is caught up by the next run, and a second run finds everything said.

pub mod case;
pub mod due_soon;
pub mod escalation;
mod office;
mod open;
pub mod overdue;
pub mod quarterly_self_inspection;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::NaiveDate;
use entity::{unit, unit_address};
use sea_orm::{ConnectionTrait, DbBackend, EntityTrait, FromQueryResult, Statement, Value};

use crate::Result;
pub(crate) use open::Open;

/// How reminders are timed, in days. The defaults are the domain's.
#[derive(Debug, Clone)]
pub struct Timing {
    /// Before the end of a quarter, for its self-inspection.
    pub self_inspection_before: Vec<i64>,
    /// Before a deadline.
    pub due_soon_before: Vec<i64>,
    /// Between two reminders of the same overdue item, and of a self-inspection that is past its quarter.
    pub again_after: i64,
    /// Before the deadline of a complaint case.
    pub case_due_soon_before: Vec<i64>,
    /// Overdue for so long, the city's office is told.
    pub office_after: i64,
    /// Overdue for so long, the leaders of who leads are told.
    pub leader_after: i64,
    /// Overdue for so long, 挂牌督办 is proposed.
    pub listing_after: i64,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            self_inspection_before: vec![15, 7, 1],
            due_soon_before: vec![30, 7, 1],
            again_after: 7,
            case_due_soon_before: vec![3, 1],
            office_after: 7,
            leader_after: 15,
            listing_after: 30,
        }
    }
}

/// What is reminded of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Matter {
    /// A measure.
    Measure(i64),
    /// A complaint case.
    Case(i64),
}

impl Matter {
    /// The measure, where it is one.
    pub fn measure(self) -> Option<i64> {
        if let Self::Measure(id) = self { Some(id) } else { None }
    }

    /// The case, where it is one.
    pub fn case(self) -> Option<i64> {
        if let Self::Case(id) = self { Some(id) } else { None }
    }
}

/// Something to remind of, and the units to be told.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// What it is.
    pub matter: Matter,
    /// The assignment, for whoever answers for it.
    pub assignment: Option<i64>,
    /// The date that it is about.
    pub due_on: NaiveDate,
    /// The units to be told.
    pub units: Vec<Told>,
    /// People to be told of the measure as a whole.
    pub people: Vec<Person>,
    /// Whoever was told on this day or later is not told again.
    pub since: NaiveDate,
}

/// A unit to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// The unit.
    pub unit: i64,
    /// Whether it is told of the assignment, rather than of the measure as a whole.
    pub answers: bool,
}

/// A person to be told by name of the account, not of a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The address.
    pub address: String,
    /// The unit in which he is told.
    pub unit: i64,
}

/// One mail to be: everything that one address has to be told on one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest {
    /// The address.
    pub recipient: String,
    /// The unit that it was found under.
    pub unit: i64,
    /// What to say, the most urgent first.
    pub items: Vec<Item>,
}

/// One line of a digest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Item {
    /// The date that it is about.
    pub due_on: NaiveDate,
    /// What it is.
    pub matter: Matter,
    /// The assignment, for whoever answers for it.
    pub assignment: Option<i64>,
}

/// Something that nobody is told of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unreachable {
    /// The unit that has no address; none when the ledger names no unit.
    pub unit: Option<String>,
    /// What it is.
    pub matter: Matter,
    /// The date that it is about.
    pub due_on: NaiveDate,
}

/// What a rule found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// The mails to be.
    pub digests: Vec<Digest>,
    /// What reaches nobody.
    pub unreachable: Vec<Unreachable>,
}

#[derive(FromQueryResult)]
struct Line {
    recipient: String,
    measure_id: Option<i64>,
    case_id: Option<i64>,
    assignment_id: Option<i64>,
    due_on: Option<NaiveDate>,
    last: NaiveDate,
}

/// What was said, and on which day last.
#[derive(Default)]
struct History {
    /// By address, matter, date and assignment.
    of_answers: HashMap<(String, Matter, NaiveDate, Option<i64>), NaiveDate>,
    /// By address, matter and date: of a measure as a whole one was told by any of its answers.
    of_wholes: HashMap<(String, Matter, NaiveDate), NaiveDate>,
}

impl History {
    /// Whether an address was told of an item since a day.
    fn tells(&self, address: &str, item: &Item, since: NaiveDate) -> bool {
        let address = address.to_owned();
        let last = match item.assignment {
            Some(_) => self.of_answers.get(&(address, item.matter, item.due_on, item.assignment)),
            None => self.of_wholes.get(&(address, item.matter, item.due_on)),
        };
        last.is_some_and(|day| *day >= since)
    }
}

/// Turns candidates into the digests of a day. `kind` is the reminder's name, under which history is kept.
pub async fn plan<C: ConnectionTrait>(db: &C, kind: &str, candidates: &[Candidate], today: NaiveDate) -> Result<Plan> {
    let mut addresses: HashMap<i64, Vec<String>> = HashMap::new();
    for row in unit_address::Entity::find().all(db).await? {
        addresses.entry(row.unit_id).or_default().push(row.address);
    }
    let history = history(db, kind, candidates, today).await?;
    let mut digests: BTreeMap<String, (i64, BTreeSet<Item>)> = BTreeMap::new();
    let mut unreachable: HashSet<(Option<i64>, Matter, NaiveDate)> = HashSet::new();
    for candidate in candidates {
        if candidate.units.is_empty() && candidate.people.is_empty() {
            unreachable.insert((None, candidate.matter, candidate.due_on));
        }
        let mut tell = |address: &String, unit: i64, assignment: Option<i64>| {
            let item = Item { due_on: candidate.due_on, matter: candidate.matter, assignment };
            if !history.tells(address, &item, candidate.since) {
                digests.entry(address.clone()).or_insert_with(|| (unit, BTreeSet::new())).1.insert(item);
            }
        };
        for told in &candidate.units {
            let Some(addresses) = addresses.get(&told.unit) else {
                unreachable.insert((Some(told.unit), candidate.matter, candidate.due_on));
                continue;
            };
            for address in addresses {
                tell(address, told.unit, candidate.assignment.filter(|_| told.answers));
            }
        }
        for person in &candidate.people {
            tell(&person.address, person.unit, None);
        }
    }
    let digests = digests
        .into_iter()
        .map(|(recipient, (unit, items))| {
            // Whoever is told of an answer need not be told of the measure as a whole.
            let answers: HashSet<(Matter, NaiveDate)> =
                items.iter().filter(|item| item.assignment.is_some()).map(|item| (item.matter, item.due_on)).collect();
            let spare = |item: &Item| item.assignment.is_none() && answers.contains(&(item.matter, item.due_on));
            Digest { recipient, unit, items: items.into_iter().filter(|item| !spare(item)).collect() }
        })
        .collect();
    Ok(Plan { digests, unreachable: named(db, unreachable).await? })
}

/// When each address was last told of each item, up to a day.
async fn history<C: ConnectionTrait>(
    db: &C,
    kind: &str,
    candidates: &[Candidate],
    today: NaiveDate,
) -> Result<History> {
    let mut history = History::default();
    let Some(since) = candidates.iter().map(|candidate| candidate.since).min() else { return Ok(history) };
    let statement = select(
        db.get_database_backend(),
        "SELECT m.recipient, i.measure_id, i.case_id, i.assignment_id, i.due_on, max(m.local_day) AS last FROM mail m \
         JOIN mail_item i ON i.mail_id = m.id \
         WHERE m.kind = $1 AND m.local_day >= $2 AND m.local_day <= $3 AND m.state <> 'CANCELLED' \
         GROUP BY m.recipient, i.measure_id, i.case_id, i.assignment_id, i.due_on",
        vec![kind.into(), since.into(), today.into()],
    );
    let rows = Line::find_by_statement(statement).all(db).await?;
    for row in rows {
        let matter = row.measure_id.map(Matter::Measure).or(row.case_id.map(Matter::Case));
        let Some((due_on, matter)) = row.due_on.zip(matter) else { continue };
        let whole = history.of_wholes.entry((row.recipient.clone(), matter, due_on)).or_insert(row.last);
        *whole = row.last.max(*whole);
        history.of_answers.insert((row.recipient, matter, due_on, row.assignment_id), row.last);
    }
    Ok(history)
}

async fn named<C: ConnectionTrait>(
    db: &C,
    unreachable: HashSet<(Option<i64>, Matter, NaiveDate)>,
) -> Result<Vec<Unreachable>> {
    let names: HashMap<i64, String> = if unreachable.iter().any(|(unit, ..)| unit.is_some()) {
        unit::Entity::find().all(db).await?.into_iter().map(|unit| (unit.id, unit.name)).collect()
    } else {
        HashMap::new()
    };
    let mut list: Vec<Unreachable> = unreachable
        .into_iter()
        .map(|(unit, matter, due_on)| Unreachable {
            unit: unit.and_then(|unit| names.get(&unit).cloned()),
            matter,
            due_on,
        })
        .collect();
    list.sort();
    Ok(list)
}

/// A statement of one text for both databases.
fn select(backend: DbBackend, sql: &str, values: Vec<Value>) -> Statement {
    Statement::from_sql_and_values(backend, sql, values)
}

/// The day from which a reminder of something due on a day is owed: that of the nearest threshold reached.
fn owed_since(due_on: NaiveDate, today: NaiveDate, before: &[i64]) -> Option<NaiveDate> {
    let left = (due_on - today).num_days();
    let reached = before.iter().copied().filter(|days| left <= *days).min()?;
    (left >= 0).then(|| crate::rule::calendar::plus_days(due_on, -reached))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::calendar::plus_days;
    use proptest::prelude::*;

    #[test]
    fn a_reminder_is_owed_from_the_nearest_threshold_on() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let owed = |today: &str| owed_since(day("2022-12-31"), day(today), &[30, 7, 1]).map(|day| day.to_string());
        assert_eq!(owed("2022-11-30"), None);
        assert_eq!(owed("2022-12-01").as_deref(), Some("2022-12-01"));
        assert_eq!(owed("2022-12-10").as_deref(), Some("2022-12-01"));
        assert_eq!(owed("2022-12-24").as_deref(), Some("2022-12-24"));
        assert_eq!(owed("2022-12-31").as_deref(), Some("2022-12-30"));
        assert_eq!(owed("2023-01-01"), None);
    }

    proptest! {
        #[test]
        fn whichever_days_are_missed_each_threshold_is_said_at_most_once_and_the_last_run_says_the_last(
            up in proptest::collection::btree_set(0_i64..=40, 1..41)
        ) {
            let due = NaiveDate::from_ymd_opt(2022, 12, 31).unwrap();
            let mut told: Option<NaiveDate> = None;
            let mut said = 0;
            for before in up.iter().rev() {
                let today = plus_days(due, -before);
                if let Some(since) = owed_since(due, today, &[30, 7, 1])
                    && told.is_none_or(|day| day < since)
                {
                    told = Some(today);
                    said += 1;
                }
            }
            prop_assert!(said <= 3);
            prop_assert_eq!(told.is_some(), up.iter().any(|before| *before <= 30));
        }
    }
}
