//! Merges of duplicate rounds, problems, measures, units and regions.
//!
//! A merge moves every reference from the row that goes to the row that stays, in one transaction with the lists and
//! the statistics. It is refused if both rows have content that would collide; the error names that content.

mod measure;
mod problem;
mod region;
mod round;
mod unit;

use sea_orm::{ConnectionTrait, Statement, Value};

use crate::Result;
use crate::fault::{Fault, FaultCode};
use crate::record::database::Transaction;

pub use measure::measures;
pub use problem::problems;
pub use region::regions;
pub use round::rounds;
pub use unit::units;

/// The maximum number of names that an error lists.
const NAMED: u64 = 5;

fn itself(field: &str) -> Fault {
    Fault::invalid("不能与自身合并", "a row cannot be merged into itself", &["input", field])
}

/// Returns the error for a merge that is refused, with the names of the colliding rows.
fn clash(what: (&str, &str), names: &[String], field: &str) -> Fault {
    let (zh, en) = what;
    let listed = names.join("、");
    Fault::new(FaultCode::Conflict, format!("{zh}：{listed}"), format!("{en}: {listed}"), &["input", field])
}

/// Runs statements with the key of the row that goes as `$1` and the key of the row that stays as `$2`.
async fn repoint(db: &Transaction, statements: &[&str], from: i64, into: i64) -> Result<()> {
    for statement in statements {
        let values: Vec<Value> = vec![from.into(), into.into()];
        db.execute_raw(Statement::from_sql_and_values(db.get_database_backend(), *statement, values)).await?;
    }
    Ok(())
}

/// Returns the first few names that a statement finds, run with the same parameters as those of [`repoint`].
async fn names(db: &Transaction, statement: &str, from: i64, into: i64) -> Result<Vec<String>> {
    let text = format!("{statement} LIMIT {NAMED}");
    let values: Vec<Value> = vec![from.into(), into.into()];
    let rows = db.query_all_raw(Statement::from_sql_and_values(db.get_database_backend(), text, values)).await?;
    Ok(rows.iter().map(|row| row.try_get("", "name")).collect::<Result<_, _>>()?)
}
