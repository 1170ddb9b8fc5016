//! Maintenance of inspection rounds (督察轮次): opening and editing them, and deleting those that have no content.

use chrono::NaiveDate;
use entity::inspection_round::{ActiveModel, Entity, Model, RoundKind, RoundLevel};
use entity::problem;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    ActiveEnum, ActiveModelTrait, ActiveValue::NotSet, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter,
    QueryOrder, QuerySelect, Statement,
};
use serde_json::{Value, json};

use super::decision;
use super::input::needed_line;
use super::shared::{begins, count, difference, note_own, only_one, permit_anywhere, tell};
use crate::fault::{self, Fault, FaultCode, Thing};
use crate::patch::Patch;
use crate::people::policy::{self, Act, Reach};
use crate::record::audit::Entry;
use crate::record::database;
use crate::record::database::Transaction;
use crate::rule::calendar::plus_days;
use crate::statistics::kept;
use crate::work::{self, Acting, current, hold};
use crate::{Error, Result};

/// An inspection round to open.
#[derive(Debug, Clone)]
pub struct New {
    /// The unique name of the round, such as 第二轮中央生态环境保护督察.
    pub name: String,
    /// The level of the inspecting authority.
    pub level: RoundLevel,
    /// The kind of inspection: routine (例行), look-back (回头看) or special (专项).
    pub kind: RoundKind,
    /// The local date on which the team enters (进驻).
    pub entered_on: Option<NaiveDate>,
    /// The local date on which the team feeds back its problems (反馈); grace periods begin on it.
    pub feedback_on: Option<NaiveDate>,
    /// The key of the earlier round at which it looks back; must be `None` unless it is a look-back (回头看).
    pub looks_back_at: Option<i64>,
}

/// Changes to an inspection round.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// The unique name of the round.
    pub name: Patch<String>,
    /// The level of the inspecting authority.
    pub level: Patch<RoundLevel>,
    /// The kind of inspection.
    pub kind: Patch<RoundKind>,
    /// The local date on which the team enters (进驻).
    pub entered_on: Patch<Option<NaiveDate>>,
    /// The local date of the feedback (反馈). Immediate deadlines without a date move with it.
    pub feedback_on: Patch<Option<NaiveDate>>,
    /// The key of the earlier round at which it looks back.
    pub looks_back_at: Patch<Option<i64>>,
}

fn name(given: &str) -> Result<String> {
    needed_line(given, 200, ("督察轮次名称", "the round's name"), "name")
}

fn taken() -> Fault {
    let (zh, en) = ("已有同名的督察轮次", "another round has this name");
    Fault::new(FaultCode::Conflict, zh, en, &["input", "name"])
}

/// Checks the dates of a round, and that they are in order.
fn in_order(entered_on: Option<NaiveDate>, feedback_on: Option<NaiveDate>) -> Result<()> {
    let day = |day: Option<NaiveDate>, what, field| day.map_or(Ok(()), |day| fault::day(day, what, &["input", field]));
    fault::all((
        day(entered_on, ("进驻日期", "the date of entry"), "enteredOn"),
        day(feedback_on, ("反馈日期", "the date of feedback"), "feedbackOn"),
    ))?;
    if entered_on.zip(feedback_on).is_some_and(|(entered, feedback)| feedback < entered) {
        let (zh, en) = ("反馈日期不能早于进驻日期", "the date of feedback cannot be before the date of entry");
        return Err(Fault::invalid(zh, en, &["input", "feedbackOn"]).into());
    }
    Ok(())
}

fn state(row: &Model) -> Value {
    json!({
        "name": row.name,
        "level": row.level.to_value(),
        "kind": row.kind.to_value(),
        "enteredOn": row.entered_on,
        "feedbackOn": row.feedback_on,
        "looksBackAt": row.looks_back_at_id.map(|id| format!("round_{id}")),
    })
}

/// Checks the round at which a round looks back: the caller sees it, it is another one, and only a look-back has one.
async fn earlier(db: &Transaction, acting: &Acting<'_>, of: &Model, given: Option<i64>) -> Result<Option<i64>> {
    let path = ["input", "looksBackAtId"];
    let Some(id) = given else { return Ok(None) };
    let table = ("inspection_round", id);
    let found = work::seen::<Entity, _>(db, &acting.by.principal, table, |_| String::new()).await?;
    let found = found.ok_or_else(|| fault::unknown(Thing::Round, &path))?;
    if found.id == of.id {
        let (zh, en) = ("不能回头看本轮次自身", "a round cannot look back at itself");
        return Err(Fault::invalid(zh, en, &path).into());
    }
    if of.kind != RoundKind::LookBack {
        let (zh, en) = ("只有“回头看”轮次才填所回头看的轮次", "only a look-back looks back at a round: leave it out");
        return Err(Fault::invalid(zh, en, &path).into());
    }
    Ok(Some(found.id))
}

/// Refuses that a round looks back at `at` while one of its problems looks back at a problem of yet another round.
async fn agrees(db: &Transaction, round: i64, at: i64) -> Result<()> {
    const OTHERS: &str = "SELECT count(*) AS amount FROM problem p JOIN problem e ON e.id = p.looks_back_at_id \
        WHERE p.round_id = $1 AND e.round_id <> $2";
    let problems = count(db, OTHERS, vec![round.into(), at.into()]).await?;
    if problems == 0 {
        return Ok(());
    }
    let zh = format!("本轮次有 {problems} 个问题所回头看的问题不属于该轮次，请先修改这些问题");
    let en = format!("{problems} problems of the round look back at problems of another round: edit them first");
    Err(Fault::new(FaultCode::WrongState, zh, en, &["input", "looksBackAtId"]).into())
}

/// Opens a round and returns its key.
pub async fn open(acting: &Acting<'_>, new: &New) -> Result<i64> {
    acting.by.principal.require_at(Act::KeepLedger, new.level)?;
    let (name, ()) = fault::all((name(&new.name), in_order(new.entered_on, new.feedback_on)))?;
    let row = Model {
        id: 0,
        name,
        level: new.level,
        kind: new.kind,
        entered_on: new.entered_on,
        feedback_on: new.feedback_on,
        looks_back_at_id: None,
        version: 1,
    };
    let transaction = database::begin(acting.db).await?;
    let looks_back_at_id = earlier(&transaction, acting, &row, new.looks_back_at).await?;
    let row = Model { looks_back_at_id, ..row };
    let after = state(&row);
    let mut fresh = ActiveModel::from(row).reset_all();
    fresh.id = NotSet;
    let row = only_one(fresh.insert(&transaction).await, taken)?;
    let said = Entry::of("OPENED", format!("round_{}", row.id)).changed(json!({}), after);
    note_own(&transaction, acting, said).await?;
    transaction.commit().await?;
    Ok(row.id)
}

/// Begins a transaction, locks a round and reads it, if the caller may maintain everything in it.
///
/// A round with problems or cases of regions outside the caller's subtree is refused. `field` is the input field to
/// which an error points.
pub(super) async fn take(
    acting: &Acting<'_>,
    round: Option<i64>,
    version: Option<i32>,
    field: &str,
) -> Result<(Transaction, Model)> {
    permit_anywhere(acting, Act::KeepLedger)?;
    let transaction = database::begin(acting.db).await?;
    let row = seen(acting, &transaction, round, field).await?;
    keeps_all(acting, &transaction, row.id).await?;
    current(version, row.version, ("督察轮次", "round"))?;
    Ok((transaction, row))
}

/// Refuses a round of a level that the caller does not keep, or with problems or cases of regions outside the caller's
/// subtree.
pub(super) async fn keeps_all(acting: &Acting<'_>, db: &Transaction, round: i64) -> Result<()> {
    const OTHERS: &str = "SELECT o.level, (SELECT count(*) FROM (SELECT region_id FROM problem WHERE round_id = $1 \
        UNION SELECT region_id FROM inspection_case WHERE round_id = $1) held \
        JOIN region r ON r.id = held.region_id WHERE substr(r.path, 1, length($2)) <> $2) AS others \
        FROM inspection_round o WHERE o.id = $1";
    let principal = &acting.by.principal;
    if principal.reach == Reach::Everything {
        return Ok(());
    }
    let place = principal.region().ok_or_else(|| policy::not_allowed(Act::KeepLedger))?;
    let values = [round.into(), place.path.clone().into()];
    let found = db.query_one_raw(Statement::from_sql_and_values(db.get_database_backend(), OTHERS, values)).await?;
    let found = found.ok_or_else(|| policy::not_allowed(Act::KeepLedger))?;
    let (level, others): (RoundLevel, i64) = (found.try_get("", "level")?, found.try_get("", "others")?);
    principal.require_at(Act::KeepLedger, level)?;
    if others > 0 { Err(policy::not_allowed_at(Act::KeepLedger, level).into()) } else { Ok(()) }
}

/// Locks and returns a round that the caller may see; `field` is the input field to which an error points.
pub(super) async fn seen(acting: &Acting<'_>, db: &Transaction, round: Option<i64>, field: &str) -> Result<Model> {
    let unknown = || Error::from(fault::unknown(Thing::Round, &["input", field]));
    let id = round.ok_or_else(unknown)?;
    hold::<Entity>(db, acting.by, "inspection_round", id).await?.ok_or_else(unknown)
}

/// Edits a round. A new feedback date also moves the grace periods that are counted from it.
pub async fn edit(acting: &Acting<'_>, round: Option<i64>, version: i32, changes: Changes) -> Result<i64> {
    let (transaction, row) = take(acting, round, Some(version), "roundId").await?;
    let there = row.clone();
    let (entered_on, feedback_on) = (changes.entered_on.or(row.entered_on), changes.feedback_on.or(row.feedback_on));
    let (name, ()) =
        fault::all((changes.name.read(row.name, |given| name(&given)), in_order(entered_on, feedback_on)))?;
    let mut now = Model {
        name,
        level: changes.level.or(row.level),
        kind: changes.kind.or(row.kind),
        entered_on,
        feedback_on,
        looks_back_at_id: changes.looks_back_at.or(row.looks_back_at_id),
        version: row.version + 1,
        id: row.id,
    };
    if (now.looks_back_at_id, now.kind) != (there.looks_back_at_id, there.kind) {
        now.looks_back_at_id = earlier(&transaction, acting, &now, now.looks_back_at_id).await?;
        if let Some(at) = now.looks_back_at_id {
            agrees(&transaction, now.id, at).await?;
        }
    }
    let Some((before, after)) = difference(state(&there), state(&now)) else { return Ok(there.id) };
    acting.by.principal.require_at(Act::KeepLedger, now.level)?;
    let has_moved = there.feedback_on != now.feedback_on;
    let row = only_one(ActiveModel::from(now).reset_all().update(&transaction).await, taken)?;
    if there.name != row.name {
        decision::move_round(&transaction, &there.name, &row.name).await?;
    }
    if has_moved {
        let problems = held(&transaction, row.id).await?;
        // Acts on assignments that do not lock a problem before they read notice its new version.
        let raise = problem::Entity::update_many()
            .col_expr(problem::Column::Version, Expr::col(problem::Column::Version).add(1));
        raise.filter(problem::Column::RoundId.eq(row.id)).exec(&transaction).await?;
        move_grace(&transaction, acting, row.id, &problems).await?;
    }
    let said = Entry::of("EDITED", format!("round_{}", row.id)).changed(before, after);
    note_own(&transaction, acting, said).await?;
    transaction.commit().await?;
    Ok(row.id)
}

/// Locks the problems of a round, in the order of their keys, and returns the keys.
pub(super) async fn held(db: &Transaction, round: i64) -> Result<Vec<i64>> {
    let held = problem::Entity::find()
        .select_only()
        .column(problem::Column::Id)
        .filter(problem::Column::RoundId.eq(round))
        .order_by_asc(problem::Column::Id)
        .lock_exclusive();
    Ok(held.into_tuple().all(db).await?)
}

/// Recomputes what is counted from a round's feedback: the start of the allotted time, and the end of the grace period
/// of every problem and measure whose deadline is immediate and has no date.
///
/// Only the grace periods affect the statistics.
pub(super) async fn move_grace(db: &Transaction, acting: &Acting<'_>, round: i64, problems: &[i64]) -> Result<()> {
    const GRACED: &str = "SELECT id FROM problem WHERE round_id = $1 AND due_immediate AND due_on IS NULL \
        UNION SELECT problem_id FROM measure WHERE round_id = $1 AND due_immediate AND plan_due_on IS NULL ORDER BY 1";
    const MOVED: &[&str] = &[
        "UPDATE problem SET issued_on = $2, \
            due_by = CASE WHEN due_immediate AND due_on IS NULL THEN $3 ELSE due_by END WHERE round_id = $1",
        "UPDATE measure SET issued_on = $2, \
            due_by = CASE WHEN due_immediate AND due_on IS NULL THEN $3 ELSE due_by END, \
            plan_due_by = CASE WHEN due_immediate AND plan_due_on IS NULL THEN $3 ELSE plan_due_by END \
            WHERE round_id = $1",
        "UPDATE assignment SET due_by = $3 WHERE due_on IS NULL AND CAST($2 AS date) IS NOT NULL \
            AND measure_id IN (SELECT id FROM measure WHERE round_id = $1 AND due_immediate)",
    ];
    let backend = db.get_database_backend();
    let from = begins(db, acting, round).await?;
    let by = plus_days(from, acting.grace_days);
    let graced = db.query_all_raw(Statement::from_sql_and_values(backend, GRACED, [round.into()])).await?;
    let graced: Vec<i64> = graced.iter().map(|row| row.try_get_by_index(0)).collect::<Result<_, _>>()?;
    kept::around(db, &graced, async {
        for text in MOVED {
            let values = [round.into(), from.into(), by.into()];
            db.execute_raw(Statement::from_sql_and_values(backend, *text, values)).await?;
        }
        Ok(())
    })
    .await?;
    tell(db, acting, problems, None).await
}

/// Deletes a round without problems, cases, results and published figures, which was opened by mistake, and returns the
/// key that it had.
pub async fn delete(acting: &Acting<'_>, round: Option<i64>, version: i32) -> Result<i64> {
    const HELD: &str = "SELECT (SELECT count(*) FROM problem WHERE round_id = $1) \
        + (SELECT count(*) FROM inspection_case WHERE round_id = $1) \
        + (SELECT count(*) FROM round_result WHERE round_id = $1) \
        + (SELECT count(*) FROM published_figure WHERE round_id = $1) AS amount";
    const LOOKERS: &str = "SELECT count(*) AS amount FROM inspection_round WHERE looks_back_at_id = $1";
    let (transaction, row) = take(acting, round, Some(version), "roundId").await?;
    if count(&transaction, LOOKERS, vec![row.id.into()]).await? > 0 {
        let (zh, en) = (
            "有“回头看”轮次回头看该轮次，请先修改那个轮次",
            "another round looks back at this one: edit that round first",
        );
        return Err(Fault::new(FaultCode::WrongState, zh, en, &["input", "roundId"]).into());
    }
    let problems = count(&transaction, HELD, vec![row.id.into()]).await?;
    if problems > 0 {
        let zh = format!("该轮次下还有 {problems} 个问题、案件、成果或公布数：请先合并到另一轮次");
        let en = format!(
            "the round still has {problems} problems, cases, results or published figures: merge it into another \
             round first"
        );
        return Err(Fault::new(FaultCode::WrongState, zh, en, &["input", "roundId"]).into());
    }
    let (id, before) = (row.id, state(&row));
    Entity::delete_by_id(id).exec(&transaction).await?;
    let said = Entry::of("DELETED", format!("round_{id}")).changed(before, json!({}));
    note_own(&transaction, acting, said).await?;
    transaction.commit().await?;
    Ok(id)
}
