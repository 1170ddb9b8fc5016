//! Batches: several acts of one kind in one transaction, all of them or none.

use futures_util::future::BoxFuture;
use planner::Sql;
use sea_orm::ConnectionTrait;

use super::acting::Acting;
use super::telling::Done;
use crate::fault::{Fault, FaultCode};
use crate::record::database::{self, Transaction};
use crate::{Error, Result};

/// The most acts of a batch.
const MAX_ACTS: usize = 100;

/// What the acts of a batch are on.
#[derive(Debug, Clone, Copy)]
pub enum BatchTarget {
    /// Measures (整改措施), each of which is named once.
    Measures,
    /// Assignments (责任分解), each of which is named once.
    Assignments,
    /// Assignments (责任分解) that the acts leave as they are: one may be named several times.
    BesideAssignments,
}

/// Carries out acts, each on one object, in the order given: all of them, or none if one is refused.
///
/// `keys` are the objects that the acts are on. The faults of every act are returned, with the place of its item in
/// their paths: `["input", "items", "3", "reason"]`.
pub async fn all_or_none(
    acting: &Acting<'_>,
    (on, keys): (BatchTarget, Vec<Option<i64>>),
    acts: Vec<BoxFuture<'_, Result<Done>>>,
) -> Result<Vec<Done>> {
    if acts.is_empty() || acts.len() > MAX_ACTS {
        let zh = format!("一次办理 1 至 {MAX_ACTS} 项");
        let en = format!("a batch has 1 to {MAX_ACTS} items");
        return Err(Fault::invalid(zh, en, &["input", "items"]).into());
    }
    named_once(on, &keys).map_err(Error::Refused)?;
    let whole = database::begin(acting.db).await?;
    hold_problems(&whole, acting, on, &keys).await?;
    let (mut done, mut faults) = (Vec::new(), Vec::new());
    for (place, act) in acts.into_iter().enumerate() {
        match whole.share(act).await {
            Ok(one) => done.push(one),
            Err(Error::Refused(of_item)) => faults.extend(of_item.into_iter().map(|fault| at(place, fault))),
            Err(failure) => return Err(failure),
        }
        if whole.has_failed() {
            break;
        }
    }
    if faults.is_empty() {
        whole.commit().await?;
        return Ok(done);
    }
    whole.rollback().await?;
    Err(Error::Refused(faults))
}

/// Refuses items that name an object once more: the first act changes it, so that the others could only be refused as
/// outdated.
fn named_once(on: BatchTarget, keys: &[Option<i64>]) -> Result<(), Vec<Fault>> {
    let field = match on {
        BatchTarget::Measures => "measureId",
        BatchTarget::Assignments => "assignmentId",
        BatchTarget::BesideAssignments => return Ok(()),
    };
    let again = |(place, key): (usize, &Option<i64>)| {
        let first = keys[..place].iter().position(|earlier| key.is_some() && earlier == key)?;
        let zh = format!("与第 {} 项是同一对象，请只列一次", first + 1);
        let en = format!("item {} is about the same object: name it once", first + 1);
        Some(at(place, Fault::new(FaultCode::Conflict, zh, en, &["input", field])))
    };
    let faults: Vec<Fault> = keys.iter().enumerate().filter_map(again).collect();
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

/// Returns the fault of an act with the place of its item in the path.
fn at(place: usize, mut fault: Fault) -> Fault {
    let within = usize::from(fault.path.first().is_some_and(|step| step == "input"));
    fault.path.splice(within..within, ["items".to_owned(), place.to_string()]);
    fault
}

/// Locks the problems of all items, in the order of their keys: two batches that lock them in the order of their items
/// could wait for each other. SQLite has locked the whole database.
async fn hold_problems(whole: &Transaction, acting: &Acting<'_>, on: BatchTarget, keys: &[Option<i64>]) -> Result<()> {
    let mut sql = Sql::within(whole.get_database_backend(), &[], &acting.by.principal);
    let lock = sql.lock(None);
    if lock.is_empty() || keys.iter().flatten().next().is_none() {
        return Ok(());
    }
    let keys: Vec<String> = keys.iter().flatten().map(|key| sql.bind(*key)).collect();
    let (table, of) = match on {
        BatchTarget::Measures => ("measure", "SELECT held.problem_id FROM measure held"),
        BatchTarget::Assignments | BatchTarget::BesideAssignments => {
            ("assignment", "SELECT of.problem_id FROM assignment held JOIN measure of ON of.id = held.measure_id")
        }
    };
    let seen = sql.seen(table, "held").map(|seen| format!(" AND {seen}")).unwrap_or_default();
    let text = format!(
        "SELECT p.id FROM problem p WHERE p.id IN ({of} WHERE held.id IN ({}){seen}) ORDER BY p.id{lock}",
        keys.join(", ")
    );
    whole.query_all_raw(sql.statement(text)).await?;
    Ok(())
}
