//! The feed of changes: every act notes what it changed, in its own transaction, and whoever watches the ledger reads on.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use entity::change;
pub use entity::change::ChangeKind;
use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::Result;
use crate::record::database::Transaction;
use crate::record::writes::Writes;

/// Rows of one INSERT.
const CHUNK: usize = 1_000;

/// What was changed: a problem, or a measure or assignment below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Changed {
    /// The problem.
    pub problem: i64,
    /// The measure.
    pub measure: Option<i64>,
    /// The assignment.
    pub assignment: Option<i64>,
}

/// Notes what an act changed.
pub async fn note(db: &Transaction, kind: ChangeKind, changed: &[Changed], at: DateTime<Utc>) -> Result<()> {
    for chunk in changed.chunks(CHUNK) {
        let rows = chunk.iter().map(|one| row(kind, *one, at));
        change::Entity::insert_many(rows).exec_without_returning(db).await?;
    }
    Ok(())
}

/// The same for one thing, to be sent with what else the act writes.
pub(crate) fn write(writes: &mut Writes, kind: ChangeKind, changed: Changed, at: DateTime<Utc>) {
    writes.insert_one(row(kind, changed, at));
}

/// Notes that something is no more, for each region that could see it: whoever watches has no row to be shown.
pub(crate) async fn note_removed(db: &Transaction, removed: &str, regions: &[i64], at: DateTime<Utc>) -> Result<()> {
    for chunk in regions.chunks(CHUNK) {
        let rows = chunk.iter().map(|region| change::ActiveModel {
            kind: Set(ChangeKind::Removed),
            at: Set(at),
            removed: Set(Some(removed.to_owned())),
            region_id: Set(Some(*region)),
            ..Default::default()
        });
        change::Entity::insert_many(rows).exec_without_returning(db).await?;
    }
    Ok(())
}

fn row(kind: ChangeKind, changed: Changed, at: DateTime<Utc>) -> change::ActiveModel {
    change::ActiveModel {
        kind: Set(kind),
        at: Set(at),
        problem_id: Set(Some(changed.problem)),
        measure_id: Set(changed.measure),
        assignment_id: Set(changed.assignment),
        ..Default::default()
    }
}

/// The same for a case.
pub(crate) fn write_case(writes: &mut Writes, kind: ChangeKind, case: i64, at: DateTime<Utc>) {
    let row = change::ActiveModel { kind: Set(kind), at: Set(at), case_id: Set(Some(case)), ..Default::default() };
    writes.insert_one(row);
}

/// How far below the newest number a change may still become visible: its transaction took the number before it ended.
const WINDOW: i64 = 10_000;
/// The most changes read at once.
const BATCH: u64 = 500;

/// A reader's place in the feed. It looks back over a window of numbers, so that a change whose transaction ended late is
/// not passed over.
#[derive(Debug, Clone, Default)]
pub struct Place {
    floor: i64,
    seen: BTreeSet<i64>,
}

impl Place {
    /// The end of the feed.
    pub async fn end<C: ConnectionTrait>(db: &C) -> Result<Self> {
        let mut place = Self::default();
        let newest: Option<Option<i64>> =
            change::Entity::find().select_only().column_as(change::Column::Id.max(), "id").into_tuple().one(db).await?;
        place.floor = (newest.flatten().unwrap_or(0) - WINDOW).max(0);
        while !place.next(db).await?.is_empty() {}
        Ok(place)
    }

    /// The changes that became visible since, in the order of their numbers; empty when there are none.
    pub async fn next<C: ConnectionTrait>(&mut self, db: &C) -> Result<Vec<i64>> {
        // Most often the gaps are few, and what is above them new.
        let known = self.seen.last().copied().unwrap_or(self.floor);
        let mut query =
            change::Entity::find().select_only().column(change::Column::Id).order_by_asc(change::Column::Id);
        query = query.filter(change::Column::Id.gt(known)).limit(BATCH);
        let mut found: Vec<i64> = query.into_tuple().all(db).await?;
        found.extend(self.late(db, known).await?);
        found.sort_unstable();
        self.seen.extend(&found);
        if let Some(newest) = self.seen.last() {
            self.floor = self.floor.max(newest.saturating_sub(WINDOW));
            self.seen = self.seen.split_off(&(self.floor + 1));
        }
        Ok(found)
    }

    /// What became visible below what was seen already.
    async fn late<C: ConnectionTrait>(&self, db: &C, known: i64) -> Result<Vec<i64>> {
        let gaps: Vec<i64> = (self.floor + 1..known).filter(|id| !self.seen.contains(id)).collect();
        let (Some(first), Some(last)) = (gaps.first(), gaps.last()) else { return Ok(Vec::new()) };
        let there: Vec<i64> = change::Entity::find()
            .select_only()
            .column(change::Column::Id)
            .filter(change::Column::Id.between(*first, *last))
            .into_tuple()
            .all(db)
            .await?;
        Ok(there.into_iter().filter(|id| !self.seen.contains(id)).collect())
    }
}
