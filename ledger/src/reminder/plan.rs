//! Turns the candidates of a rule into one digest per address and day, by the history of mails.

use std::collections::{HashMap, HashSet};

use chrono::NaiveDate;
use chrono_tz::Tz;
use entity::{suppression, unit, unit_address};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter, QuerySelect, QueryTrait, Statement,
};

use super::candidate::{Candidate, Find, Matter};
use super::rules::Rules;
use crate::Result;
use crate::record::database::Transaction;
use crate::rule::calendar::plus_days;

/// One mail to be sent: everything that one address has to be told on one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest {
    /// The mail address.
    pub recipient: String,
    /// The key of the unit to which the address belongs: of several, that with the smallest key.
    pub unit: i64,
    /// The items, the most urgent first.
    pub items: Vec<Item>,
}

/// One line of a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Item {
    /// The local date that it is about.
    pub due_on: NaiveDate,
    /// The measure, complaint case or region.
    pub matter: Matter,
    /// The key of the assignment, or `None` for the measure as a whole or a complaint case.
    pub assignment: Option<i64>,
}

/// An item that reaches no one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unreachable {
    /// The name of the unit that has no address, or `None` if the ledger names no unit.
    pub unit: Option<String>,
    /// The measure, complaint case or region.
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
    /// The addresses to which a digest is owed, in ascending order. Their digests are made one by one, because those of
    /// a whole nation take much memory.
    owed: Vec<Addressed>,
    /// The items that reach no one.
    pub unreachable: Vec<Unreachable>,
}

impl Plan {
    /// Returns the mails to be sent, by address.
    pub fn digests(&self) -> impl Iterator<Item = Digest> + Send {
        self.owed.iter().map(Addressed::digest)
    }

    /// Returns the addresses to which a digest is owed, in parts of at most so many.
    pub(crate) fn parts(&self, most: usize) -> std::slice::Chunks<'_, Addressed> {
        self.owed.chunks(most)
    }

    /// Returns the number of mails to be sent.
    pub fn count(&self) -> usize {
        self.owed.len()
    }
}

/// A row of the history: that an address was told about an item.
#[derive(FromQueryResult)]
struct Past {
    recipient: String,
    measure_id: Option<i64>,
    case_id: Option<i64>,
    region_id: Option<i64>,
    assignment_id: Option<i64>,
    due_on: Option<NaiveDate>,
    local_day: NaiveDate,
}

impl Past {
    /// Returns the item, as it is told today.
    fn item(&self) -> Option<Item> {
        let matter = Matter::of_keys(self.measure_id, self.case_id, self.region_id)?;
        Some(Item { due_on: self.due_on?, matter, assignment: self.assignment_id })
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

/// What one address may have to be told of one item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Line {
    /// The item.
    pub(super) item: Item,
    /// The local date on which the address was told of it last, as far as that may silence it.
    pub(super) told_on: Option<NaiveDate>,
    /// An address that was told on this local date or later needs no mail for its sake.
    since: NaiveDate,
    /// Whether it goes along with a mail that is sent for the sake of other items.
    goes_along: bool,
    /// The key of the region whose rule holds.
    pub(super) region: Option<i64>,
}

impl Line {
    /// Whether it is owed on the day.
    pub(super) fn is_owed(&self) -> bool {
        self.told_on.is_none_or(|day| day < self.since)
    }
}

/// What one address may have to be told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Addressed {
    address: String,
    /// The smallest key of the units under which the address was found.
    unit: Option<i64>,
    /// The lines; sorted once all of them are known, the most urgent first.
    lines: Vec<Line>,
}

impl Addressed {
    fn add(&mut self, unit: i64, line: Line) {
        self.unit = Some(self.unit.map_or(unit, |known| known.min(unit)));
        // By a quarter, where a vector would double: a nation's lines would take twice their memory.
        if self.lines.len() == self.lines.capacity() {
            self.lines.reserve_exact((self.lines.len() / 4).max(4));
        }
        self.lines.push(line);
    }

    /// Returns the mail address.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Returns the digest: the lines that are owed, and those that go along with them.
    pub(crate) fn digest(&self) -> Digest {
        let said = self.lines.iter().filter(|line| line.goes_along || line.is_owed());
        let mut items: Vec<Item> = said.map(|line| line.item).collect();
        items.dedup();
        // An address that is told about an assignment needs no second line about its measure.
        let about = |item: &Item| (item.due_on, item.matter);
        let answers: HashSet<_> = items.iter().filter(|item| item.assignment.is_some()).map(about).collect();
        items.retain(|item| item.assignment.is_some() || !answers.contains(&about(item)));
        Digest { recipient: self.address.clone(), unit: self.unit.unwrap_or_default(), items }
    }
}

/// The addresses and lines of a day, which grow with the candidates. A ledger may have millions of them, so a line is
/// small, and the history of mails is read past the lines instead of being kept.
struct Lines {
    /// The addresses of each unit, by their places.
    of_unit: HashMap<i64, Vec<usize>>,
    /// The place of each address.
    places: HashMap<String, usize>,
    all: Vec<Addressed>,
    unreachable: HashSet<(Option<i64>, Matter, NaiveDate)>,
}

impl Lines {
    /// Begins with the addresses of all units. A unit whose only address is suppressed (停止投递) reaches no one.
    async fn begin<C: ConnectionTrait>(db: &C) -> Result<Self> {
        let suppressed = suppression::Entity::find().select_only().column(suppression::Column::Address).into_query();
        let known = unit_address::Entity::find().filter(unit_address::Column::Address.not_in_subquery(suppressed));
        let mut lines =
            Self { of_unit: HashMap::new(), places: HashMap::new(), all: Vec::new(), unreachable: HashSet::new() };
        for row in known.all(db).await? {
            let place = lines.place(&row.address);
            lines.of_unit.entry(row.unit_id).or_default().push(place);
        }
        Ok(lines)
    }

    /// Returns the place of an address.
    fn place(&mut self, address: &str) -> usize {
        if let Some(place) = self.places.get(address) {
            return *place;
        }
        let place = self.all.len();
        self.places.insert(address.to_owned(), place);
        self.all.push(Addressed { address: address.to_owned(), ..Addressed::default() });
        place
    }

    /// Adds the lines of a candidate.
    fn add(&mut self, candidate: &Candidate) {
        if candidate.units.is_empty() && candidate.people.is_empty() {
            self.unreachable.insert((None, candidate.matter, candidate.due_on));
        }
        for told in &candidate.units {
            let Some(addresses) = self.of_unit.get(&told.unit) else {
                self.unreachable.insert((Some(told.unit), candidate.matter, candidate.due_on));
                continue;
            };
            let line = Line::of(candidate, candidate.assignment.filter(|_| told.answers));
            for place in addresses {
                self.all[*place].add(told.unit, line);
            }
        }
        for person in &candidate.people {
            let place = self.place(&person.address);
            self.all[place].add(person.unit, Line::of(candidate, None));
        }
    }

    /// Sorts the lines of each address, before they are compared with the history.
    fn sort(&mut self) {
        self.all.iter_mut().for_each(|addressed| addressed.lines.sort_unstable_by_key(|line| line.item));
    }

    /// Notes that an address was told of an item on a day. What it was told about one assignment also counts for the
    /// measure as a whole.
    fn told(&mut self, address: &str, item: &Item, day: NaiveDate) {
        let Some(place) = self.places.get(address) else { return };
        let lines = &mut self.all[*place].lines;
        let whole = Item { assignment: None, ..*item };
        for item in [*item, whole].iter().take(if item.assignment.is_some() { 2 } else { 1 }) {
            let from = lines.partition_point(|line| line.item < *item);
            let same = lines[from..].iter_mut().take_while(|line| line.item == *item);
            same.for_each(|line| line.told_on = line.told_on.max(Some(day)));
        }
    }
}

impl Line {
    fn of(candidate: &Candidate, assignment: Option<i64>) -> Self {
        Self {
            item: Item { due_on: candidate.due_on, matter: candidate.matter, assignment },
            told_on: None,
            since: candidate.since,
            goes_along: candidate.goes_along,
            region: candidate.region,
        }
    }
}

/// Returns the digests of a reminder on a day. `kind` is its name, under which its history is stored.
pub async fn plan(
    db: &Transaction,
    (kind, find): (&str, Find),
    (today, zone): (NaiveDate, Tz),
    rules: &Rules,
) -> Result<Plan> {
    plan_after(db, (kind, find), (today, zone), rules, None).await
}

/// Returns the digests of a reminder on a day of a simulation.
pub async fn plan_after(
    db: &Transaction,
    (kind, find): (&str, Find),
    (today, zone): (NaiveDate, Tz),
    rules: &Rules,
    supposed: Option<&Supposed>,
) -> Result<Plan> {
    let mut lines = Lines::begin(db).await?;
    find(db, (today, zone), rules, &mut |candidate| lines.add(&candidate)).await?;
    remember(db, kind, &mut lines, today, supposed).await?;
    let Lines { all, unreachable, .. } = lines;
    let mut owed: Vec<Addressed> = all.into_iter().filter(|one| one.lines.iter().any(Line::is_owed)).collect();
    owed.sort_unstable_by(|one, other| one.address.cmp(&other.address));
    Ok(Plan { owed, unreachable: named(db, unreachable).await? })
}

/// Returns how each item of an address stands on a day, the most urgent first. `units` are those of the address.
pub(super) async fn standings(
    db: &Transaction,
    (kind, find): (&str, Find),
    (today, zone): (NaiveDate, Tz),
    rules: &Rules,
    (address, units): (&str, &[i64]),
) -> Result<Vec<Line>> {
    let mut lines = Lines::begin(db).await?;
    let place = lines.place(address);
    lines.of_unit = units.iter().map(|unit| (*unit, vec![place])).collect();
    let mut each = |mut candidate: Candidate| {
        candidate.units.retain(|told| units.contains(&told.unit));
        candidate.people.retain(|person| person.address == address);
        lines.add(&candidate);
    };
    find(db, (today, zone), rules, &mut each).await?;
    remember(db, kind, &mut lines, today, None).await?;
    let mut own = std::mem::take(&mut lines.all[place].lines);
    own.dedup_by_key(|line| line.item);
    Ok(own)
}

/// Notes in each line when its address was told of its item last, up to and including `today`. Only mails count that a
/// server has accepted or that still wait: what failed or was cancelled told no one.
async fn remember(
    db: &Transaction,
    kind: &str,
    lines: &mut Lines,
    today: NaiveDate,
    supposed: Option<&Supposed>,
) -> Result<()> {
    lines.sort();
    let Some(since) = lines.all.iter().flat_map(|one| &one.lines).map(|line| line.since).min() else { return Ok(()) };
    let until = supposed.map_or(today, |supposed| today.min(plus_days(supposed.from, -1)));
    let statement = Statement::from_sql_and_values(
        db.get_database_backend(),
        "SELECT m.recipient, i.measure_id, i.case_id, i.region_id, i.assignment_id, i.due_on, m.local_day FROM mail m \
         JOIN mail_item i ON i.mail_id = m.id \
         WHERE m.kind = $1 AND m.local_day >= $2 AND m.local_day <= $3 AND m.state IN ('QUEUED', 'SENDING', 'SENT')",
        vec![kind.into(), since.into(), until.into()],
    );
    let told = |row: Past| {
        if let Some(item) = row.item() {
            lines.told(&row.recipient, &item, row.local_day);
        }
    };
    db.each(statement, told).await?;
    for (day, digest) in supposed.into_iter().flat_map(|supposed| &supposed.sent).filter(|(day, _)| *day >= since) {
        digest.items.iter().for_each(|item| lines.told(&digest.recipient, item, *day));
    }
    Ok(())
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
