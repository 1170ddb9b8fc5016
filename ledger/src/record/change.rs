//! The change feed: every act records what it changed in its own transaction, and subscribers read the feed from where
//! they left off.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use entity::change;
pub use entity::change::ChangeKind;
use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::Result;
use crate::record::database::{self, Transaction};
use crate::record::writes::Writes;

/// What was changed: a problem, or a measure or assignment below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Changed {
    /// The key of the problem.
    pub problem: i64,
    /// The key of the measure; `None` if the problem itself changed.
    pub measure: Option<i64>,
    /// The key of the assignment; `None` if the problem or measure itself changed.
    pub assignment: Option<i64>,
}

/// Records what an act changed.
pub async fn note(db: &Transaction, kind: ChangeKind, changed: &[Changed], at: DateTime<Utc>) -> Result<()> {
    Ok(database::insert_all(db, changed.iter().map(|one| row(kind, *one, at))).await?)
}

/// Adds the record of one change to the pending writes of an act.
pub(crate) fn write(writes: &mut Writes, kind: ChangeKind, changed: Changed, at: DateTime<Utc>) {
    writes.insert_one(row(kind, changed, at));
}

/// Records that something was deleted, once for each region that could see it, because subscribers can no longer read
/// the row itself.
pub(crate) async fn note_removed(db: &Transaction, removed: &str, regions: &[i64], at: DateTime<Utc>) -> Result<()> {
    let rows = regions.iter().map(|region| change::ActiveModel {
        kind: Set(ChangeKind::Removed),
        at: Set(at),
        removed: Set(Some(removed.to_owned())),
        region_id: Set(Some(*region)),
        ..Default::default()
    });
    Ok(database::insert_all(db, rows).await?)
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

/// Adds the record of a change to a complaint case to the pending writes of an act.
pub(crate) fn write_case(writes: &mut Writes, kind: ChangeKind, case: i64, at: DateTime<Utc>) {
    let row = change::ActiveModel { kind: Set(kind), at: Set(at), case_id: Set(Some(case)), ..Default::default() };
    writes.insert_one(row);
}

/// How far below the newest id a change may still become visible, because its transaction took the id before it
/// committed.
const WINDOW: i64 = 10_000;
/// The most changes read at once.
const BATCH: u64 = 500;

/// A reader's position in the feed. The reader looks back over a window of ids, so that it does not miss a change whose
/// transaction committed late.
#[derive(Debug, Clone, Default)]
pub struct Place {
    floor: i64,
    seen: BTreeSet<i64>,
}

impl Place {
    /// Returns the current end of the feed.
    pub async fn end<C: ConnectionTrait>(db: &C) -> Result<Self> {
        let mut place = Self::default();
        let newest: Option<Option<i64>> =
            change::Entity::find().select_only().column_as(change::Column::Id.max(), "id").into_tuple().one(db).await?;
        place.floor = (newest.flatten().unwrap_or(0) - WINDOW).max(0);
        while !place.next(db).await?.is_empty() {}
        Ok(place)
    }

    /// Returns the ids of the changes that became visible since the last call, in ascending order; empty if there are
    /// none.
    pub async fn next<C: ConnectionTrait>(&mut self, db: &C) -> Result<Vec<i64>> {
        // Usually there are few gaps, and everything above them is new.
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

    /// Returns the ids of the changes that became visible below the highest id seen so far.
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
