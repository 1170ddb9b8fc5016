//! What all merges share: errors, and the statements that move references.

use sea_orm::{ConnectionTrait, Statement, Value};

use crate::Result;
use crate::fault::{Fault, FaultCode};
use crate::record::database::Transaction;

/// The maximum number of names that an error lists.
const NAMED: u64 = 5;

/// Returns the error for a row that is to be merged into itself.
pub(super) fn itself(field: &str) -> Fault {
    Fault::invalid("不能与自身合并", "a row cannot be merged into itself", &["input", field])
}

/// Returns the error for a merge that is refused, with the names of the colliding rows.
pub(super) fn clash(what: (&str, &str), names: &[String], field: &str) -> Fault {
    let (zh, en) = what;
    let listed = names.join("、");
    Fault::new(FaultCode::Conflict, format!("{zh}：{listed}"), format!("{en}: {listed}"), &["input", field])
}

/// Runs statements with the key of the row that goes as `$1` and the key of the row that stays as `$2`.
pub(super) async fn repoint(db: &Transaction, statements: &[&str], from: i64, into: i64) -> Result<()> {
    for statement in statements {
        let values: Vec<Value> = vec![from.into(), into.into()];
        db.execute_raw(Statement::from_sql_and_values(db.get_database_backend(), *statement, values)).await?;
    }
    Ok(())
}

/// Returns the first few names that a statement finds, run with the same parameters as those of [`repoint`].
pub(super) async fn names(db: &Transaction, statement: &str, from: i64, into: i64) -> Result<Vec<String>> {
    let text = format!("{statement} LIMIT {NAMED}");
    let values: Vec<Value> = vec![from.into(), into.into()];
    let rows = db.query_all_raw(Statement::from_sql_and_values(db.get_database_backend(), text, values)).await?;
    Ok(rows.iter().map(|row| row.try_get("", "name")).collect::<Result<_, _>>()?)
}
