//! Turns the candidates of a rule into one digest per address and day, by the history of mails.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::NaiveDate;
use entity::{suppression, unit, unit_address};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter, QuerySelect, QueryTrait, Statement,
};

use super::candidate::{Candidate, Matter};
use crate::Result;
use crate::rule::calendar::plus_days;

/// One mail to be sent: everything that one address has to be told on one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest {
    /// The mail address.
    pub recipient: String,
    /// The key of the unit under which the address was found.
    pub unit: i64,
    /// The items, the most urgent first.
    pub items: Vec<Item>,
}

/// One line of a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Item {
    /// The local date that it is about.
    pub due_on: NaiveDate,
    /// The measure or complaint case.
    pub matter: Matter,
    /// The key of the assignment, or `None` for the measure as a whole or a complaint case.
    pub assignment: Option<i64>,
}

/// An item that reaches no one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unreachable {
    /// The name of the unit that has no address, or `None` if the ledger names no unit.
    pub unit: Option<String>,
    /// The measure or complaint case.
    pub matter: Matter,
    /// The local date that it is about.
    pub due_on: NaiveDate,
}

impl Unreachable {
    /// Returns it as an item of a digest, as which it would have been told.
    pub fn item(&self) -> Item {
        Item { due_on: self.due_on, matter: self.matter, assignment: None }
    }
}

/// The result of planning the candidates of a rule.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// The mails to be sent.
    pub digests: Vec<Digest>,
    /// The items that reach no one.
    pub unreachable: Vec<Unreachable>,
}

/// A row of the history: when an address was last told about an item.
#[derive(FromQueryResult)]
struct Line {
    recipient: String,
    measure_id: Option<i64>,
    case_id: Option<i64>,
    assignment_id: Option<i64>,
    due_on: Option<NaiveDate>,
    last: NaiveDate,
}

/// Everything that one address may have to be told.
struct Desk {
    /// The key of the unit under which the address was found.
    unit: i64,
    items: BTreeSet<Item>,
    /// Whether the address has to be told of one of them today.
    is_owed: bool,
}

/// What was told, and on which day last.
#[derive(Default)]
struct History {
    /// Keyed by address, matter, date and assignment.
    of_answers: HashMap<(String, Matter, NaiveDate, Option<i64>), NaiveDate>,
    /// Keyed by address, matter and date. A reminder about one assignment also counts as one about its measure.
    of_wholes: HashMap<(String, Matter, NaiveDate), NaiveDate>,
}

impl History {
    /// Adds that an address was told about an item on a day.
    fn add(&mut self, address: &str, item: &Item, day: NaiveDate) {
        let later = |last: &mut NaiveDate| *last = day.max(*last);
        let whole = (address.to_owned(), item.matter, item.due_on);
        self.of_wholes.entry(whole).and_modify(later).or_insert(day);
        let answer = (address.to_owned(), item.matter, item.due_on, item.assignment);
        self.of_answers.entry(answer).and_modify(later).or_insert(day);
    }

    /// Returns the day on which an address was last told about an item.
    fn last(&self, address: &str, item: &Item) -> Option<NaiveDate> {
        let address = address.to_owned();
        match item.assignment {
            Some(_) => self.of_answers.get(&(address, item.matter, item.due_on, item.assignment)).copied(),
            None => self.of_wholes.get(&(address, item.matter, item.due_on)).copied(),
        }
    }

    /// Checks whether an address was told about an item on a day or later.
    fn tells(&self, address: &str, item: &Item, since: NaiveDate) -> bool {
        self.last(address, item).is_some_and(|day| day >= since)
    }
}

/// Digests of a simulation, which count as sent, in place of what was sent from its first day on.
#[derive(Debug, Clone)]
pub struct Supposed {
    /// The first day of the simulation.
    pub from: NaiveDate,
    /// The digests of one kind of reminder, each with its day.
    pub sent: Vec<(NaiveDate, Digest)>,
}

/// Turns candidates into the digests of a day. `kind` is the name of the reminder, under which its history is stored.
pub async fn plan<C: ConnectionTrait>(db: &C, kind: &str, candidates: &[Candidate], today: NaiveDate) -> Result<Plan> {
    plan_after(db, kind, candidates, today, None).await
}

/// Turns candidates into the digests of a day of a simulation.
pub async fn plan_after<C: ConnectionTrait>(
    db: &C,
    kind: &str,
    candidates: &[Candidate],
    today: NaiveDate,
    supposed: Option<&Supposed>,
) -> Result<Plan> {
    let mut addresses: HashMap<i64, Vec<String>> = HashMap::new();
    // A unit whose only address is suppressed (停止投递) reaches no one.
    let suppressed = suppression::Entity::find().select_only().column(suppression::Column::Address).into_query();
    let known = unit_address::Entity::find().filter(unit_address::Column::Address.not_in_subquery(suppressed));
    for row in known.all(db).await? {
        addresses.entry(row.unit_id).or_default().push(row.address);
    }
    let history = history(db, kind, candidates, today, supposed).await?;
    let mut desks: BTreeMap<String, Desk> = BTreeMap::new();
    let mut unreachable: HashSet<(Option<i64>, Matter, NaiveDate)> = HashSet::new();
    for candidate in candidates {
        if candidate.units.is_empty() && candidate.people.is_empty() {
            unreachable.insert((None, candidate.matter, candidate.due_on));
        }
        let mut tell = |address: &String, unit: i64, assignment: Option<i64>| {
            let item = Item { due_on: candidate.due_on, matter: candidate.matter, assignment };
            let is_owed = !history.tells(address, &item, candidate.since);
            if is_owed || candidate.goes_along {
                let desk = || Desk { unit, items: BTreeSet::new(), is_owed: false };
                let desk = desks.entry(address.clone()).or_insert_with(desk);
                desk.items.insert(item);
                desk.is_owed |= is_owed;
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
    let digests = desks
        .into_iter()
        .filter(|(_, desk)| desk.is_owed)
        .map(|(recipient, Desk { unit, items, .. })| {
            // An address that is told about an assignment needs no second line about its measure.
            let answers: HashSet<(Matter, NaiveDate)> =
                items.iter().filter(|item| item.assignment.is_some()).map(|item| (item.matter, item.due_on)).collect();
            let spare = |item: &Item| item.assignment.is_none() && answers.contains(&(item.matter, item.due_on));
            Digest { recipient, unit, items: items.into_iter().filter(|item| !spare(item)).collect() }
        })
        .collect();
    Ok(Plan { digests, unreachable: named(db, unreachable).await? })
}

/// What one address would be told of an item, and why not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Standing {
    /// The item.
    pub(super) item: Item,
    /// The local date on which the address was told of it last, as far as that silences it.
    pub(super) told_on: Option<NaiveDate>,
    /// Whether it is owed on the day.
    pub(super) is_owed: bool,
    /// The region whose rule holds.
    pub(super) region: Option<i64>,
}

/// Returns how each candidate of an address stands on a day, the most urgent first.
pub(super) async fn standings<C: ConnectionTrait>(
    db: &C,
    kind: &str,
    candidates: &[Candidate],
    today: NaiveDate,
    (address, units): (&str, &[i64]),
) -> Result<Vec<Standing>> {
    let history = history(db, kind, candidates, today, None).await?;
    let mut standings: BTreeMap<Item, Standing> = BTreeMap::new();
    for candidate in candidates {
        let of_units = candidate.units.iter().filter(|told| units.contains(&told.unit));
        let answers = of_units.map(|told| candidate.assignment.filter(|_| told.answers));
        let of_people = candidate.people.iter().filter(|person| person.address == address).map(|_| None);
        for assignment in answers.chain(of_people) {
            let item = Item { due_on: candidate.due_on, matter: candidate.matter, assignment };
            let told_on = history.last(address, &item);
            let is_owed = !history.tells(address, &item, candidate.since);
            standings.insert(item, Standing { item, told_on, is_owed, region: candidate.region });
        }
    }
    Ok(standings.into_values().collect())
}

/// Returns when each address was last told about each item, up to and including `today`. Only mails count that a server
/// has accepted or that still wait: what failed or was cancelled told no one.
async fn history<C: ConnectionTrait>(
    db: &C,
    kind: &str,
    candidates: &[Candidate],
    today: NaiveDate,
    supposed: Option<&Supposed>,
) -> Result<History> {
    let mut history = History::default();
    let Some(since) = candidates.iter().map(|candidate| candidate.since).min() else { return Ok(history) };
    let until = supposed.map_or(today, |supposed| today.min(plus_days(supposed.from, -1)));
    let statement = Statement::from_sql_and_values(
        db.get_database_backend(),
        "SELECT m.recipient, i.measure_id, i.case_id, i.assignment_id, i.due_on, max(m.local_day) AS last FROM mail m \
         JOIN mail_item i ON i.mail_id = m.id \
         WHERE m.kind = $1 AND m.local_day >= $2 AND m.local_day <= $3 AND m.state IN ('QUEUED', 'SENDING', 'SENT') \
         GROUP BY m.recipient, i.measure_id, i.case_id, i.assignment_id, i.due_on",
        vec![kind.into(), since.into(), until.into()],
    );
    let rows = Line::find_by_statement(statement).all(db).await?;
    for row in rows {
        let matter = row.measure_id.map(Matter::Measure).or(row.case_id.map(Matter::Case));
        let Some((due_on, matter)) = row.due_on.zip(matter) else { continue };
        history.add(&row.recipient, &Item { due_on, matter, assignment: row.assignment_id }, row.last);
    }
    for (day, digest) in supposed.into_iter().flat_map(|supposed| &supposed.sent).filter(|(day, _)| *day >= since) {
        for item in &digest.items {
            history.add(&digest.recipient, item, *day);
        }
    }
    Ok(history)
}

/// Adds the names of units to the items that reach no one, and sorts the items.
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
