//! The writes of an act, collected until they are sent. Independent writes go to the database together, which saves a
//! round trip for each.

use planner::{together, together_holding};
use sea_orm::sea_query::{InsertStatement, SelectStatement, SubQueryStatement, UpdateStatement};
use sea_orm::{
    ActiveModelTrait, ConnectionTrait, EntityTrait, Insert, QueryTrait, Statement, Update, ValidatedUpdateOne,
};

use crate::Result;
use crate::record::database::Transaction;

/// Pending writes. None of them may read what another writes, or change a row that another changes: on PostgreSQL they
/// all see the database as it was before the first.
#[derive(Debug, Default)]
pub(crate) struct Writes(Vec<SubQueryStatement>);

impl Writes {
    /// Adds an INSERT of rows whose keys are given or not needed.
    pub(crate) fn insert(&mut self, rows: InsertStatement) {
        self.0.push(rows.into());
    }

    /// Adds an INSERT of one row.
    pub(crate) fn insert_one<A: ActiveModelTrait>(&mut self, row: A) {
        self.insert(Insert::one(row).into_query());
    }

    /// Adds an UPDATE.
    pub(crate) fn update(&mut self, change: UpdateStatement) {
        self.0.push(change.into());
    }

    /// Adds an UPDATE of the row with this key.
    pub(crate) fn update_one<A>(&mut self, row: A) -> Result<()>
    where
        A: ActiveModelTrait,
        A::Entity: EntityTrait,
    {
        let row: ValidatedUpdateOne<A> = Update::one(row).validate()?;
        self.update(row.into_query());
        Ok(())
    }

    /// Sends the pending writes. Call this before anything reads them, and before the transaction ends.
    pub(crate) async fn send(&mut self, db: &Transaction) -> Result<()> {
        for statement in together(db.get_database_backend(), std::mem::take(&mut self.0)) {
            db.execute_raw(statement).await?;
        }
        Ok(())
    }

    /// Returns the pending writes as one statement for PostgreSQL, which is a transaction of its own and first locks
    /// the row that `hold` selects ([`together_holding`]); none if nothing is pending.
    pub(crate) fn holding(self, hold: SelectStatement) -> Option<Statement> {
        together_holding(hold, self.0)
    }
}
