//! What an act writes, gathered until it is sent: writes that do not meet go to the database together, which saves a journey
//! for each.

use planner::together;
use sea_orm::sea_query::{InsertStatement, SubQueryStatement, UpdateStatement};
use sea_orm::{ActiveModelTrait, ConnectionTrait, EntityTrait, Insert, QueryTrait, Update, ValidatedUpdateOne};

use crate::Result;
use crate::record::database::Transaction;

/// Writes that wait to be sent. None of them may read what another writes, or change a row that another changes: on
/// PostgreSQL they all see the database as it was before the first.
#[derive(Debug, Default)]
pub(crate) struct Writes(Vec<SubQueryStatement>);

impl Writes {
    /// Adds rows, whose keys are given or of no interest.
    pub(crate) fn insert(&mut self, rows: InsertStatement) {
        self.0.push(rows.into());
    }

    /// Adds a row.
    pub(crate) fn insert_one<A: ActiveModelTrait>(&mut self, row: A) {
        self.insert(Insert::one(row).into_query());
    }

    /// Changes rows.
    pub(crate) fn update(&mut self, change: UpdateStatement) {
        self.0.push(change.into());
    }

    /// Changes the row of this key.
    pub(crate) fn update_one<A>(&mut self, row: A) -> Result<()>
    where
        A: ActiveModelTrait,
        A::Entity: EntityTrait,
    {
        let row: ValidatedUpdateOne<A> = Update::one(row).validate()?;
        self.update(row.into_query());
        Ok(())
    }

    /// Sends what waits: before anything that reads it, and before the transaction ends.
    pub(crate) async fn send(&mut self, db: &Transaction) -> Result<()> {
        for statement in together(db.get_database_backend(), std::mem::take(&mut self.0)) {
            db.execute_raw(statement).await?;
        }
        Ok(())
    }
}
