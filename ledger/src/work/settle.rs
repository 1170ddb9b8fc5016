//! Recording an act on a measure as a whole, or on another object of a problem, in the change feed and the audit.

use sea_orm::ActiveEnum;
use serde_json::Value;

use super::acting::Acting;
use crate::Result;
use crate::record::audit::{self, Entry};
use crate::record::change::{self, ChangeKind, Changed};
use crate::record::database::Transaction;
use crate::record::writes::Writes;

/// Records an act on a measure as a whole, in the change feed and the audit, and commits.
pub(crate) async fn settle_measure(
    acting: &Acting<'_>,
    transaction: Transaction,
    (problem, measure): (i64, i64),
    kind: ChangeKind,
    said: (Value, Value),
) -> Result<()> {
    settle_beside(acting, transaction, (problem, Some(measure), format!("measure_{measure}")), kind, said).await
}

/// Records an act on an object that belongs to a problem, in the change feed and the audit, and commits.
///
/// `object` is the global id of the object, such as `measure_7`.
pub(crate) async fn settle_beside(
    acting: &Acting<'_>,
    transaction: Transaction,
    (problem, measure, object): (i64, Option<i64>, String),
    kind: ChangeKind,
    (before, after): (Value, Value),
) -> Result<()> {
    let changed = Changed { problem, measure, assignment: None };
    let mut writes = Writes::default();
    change::write(&mut writes, kind, changed, acting.now);
    let noted = Entry::of(kind.to_value(), object).in_problem(problem).measure(measure).changed(before, after);
    let end = audit::end(&transaction, &noted.chain).await?;
    audit::write(&mut writes, acting.by, noted, end, acting.now)?;
    writes.send(&transaction).await?;
    Ok(transaction.commit().await?)
}
