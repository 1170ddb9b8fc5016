//! Merging what turned out to be one: rounds, problems, measures, units, regions. Everything that named the one names the
//! other from then on, in one transaction with the lists and figures; what cannot be told apart is refused and named.

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

/// The most names that a refusal lists.
const NAMED: u64 = 5;

fn itself(field: &str) -> Fault {
    Fault::invalid("不能与自身合并", "it cannot be merged into itself", &["input", field])
}

/// What stands in the way, by name.
fn clash(what: (&str, &str), names: &[String], field: &str) -> Fault {
    let (zh, en) = what;
    let listed = names.join("、");
    Fault::new(FaultCode::Conflict, format!("{zh}：{listed}"), format!("{en}: {listed}"), &["input", field])
}

/// Runs statements that each take what is merged and what it is merged into.
async fn repoint(db: &Transaction, statements: &[&str], from: i64, into: i64) -> Result<()> {
    for statement in statements {
        let values: Vec<Value> = vec![from.into(), into.into()];
        db.execute_raw(Statement::from_sql_and_values(db.get_database_backend(), *statement, values)).await?;
    }
    Ok(())
}

/// The first names that a statement finds, of what is merged and what it is merged into.
async fn names(db: &Transaction, statement: &str, from: i64, into: i64) -> Result<Vec<String>> {
    let text = format!("{statement} LIMIT {NAMED}");
    let values: Vec<Value> = vec![from.into(), into.into()];
    let rows = db.query_all_raw(Statement::from_sql_and_values(db.get_database_backend(), text, values)).await?;
    Ok(rows.iter().map(|row| row.try_get("", "name")).collect::<Result<_, _>>()?)
}
