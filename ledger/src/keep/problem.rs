//! Manual maintenance of problems (反馈问题): entering, editing and withdrawing them, and deleting those entered by
//! mistake.

use entity::{inspection_round, milestone, problem, problem_domain, problem_region};
use sea_orm::sea_query::Expr;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde_json::{Value, json};

use super::input::{MAX_CONTENT, MAX_TITLE, needed_line, number, optional, read_deadline};
use super::measure;
use super::region::live;
use super::shared::{HeldProblem, begins, count, difference, note, only_one, permit, said_of, tell};
use crate::Result;
use crate::fault::{self, Fault, FaultCode, Thing};
use crate::patch::Patch;
use crate::people::policy::Act;
use crate::record::audit::Entry;
use crate::record::change;
use crate::record::concern::{self, Concern, due_order};
use crate::record::database;
use crate::record::database::Transaction;
use crate::rule::deadline::{Columns, Deadline};
use crate::rule::roll_up;
use crate::rule::sameness;
use crate::statistics::kept;
use crate::work::{Acting, MAX_WORDS, in_sight, seen};

/// The maximum number of domains (领域) of a problem.
const MAX_DOMAINS: usize = 20;

/// A problem to enter.
#[derive(Debug, Clone)]
pub struct New {
    /// The key of the inspection round that found the problem.
    pub round: Option<i64>,
    /// The key of the region that issues the problem.
    pub region: Option<i64>,
    /// The number as printed; the numbers of a round may have gaps.
    pub number: Option<String>,
    /// The title: the first sentence of the text.
    pub title: String,
    /// The rest of the text.
    pub description: Option<String>,
    /// The rectification goal (整改目标).
    pub goal: Option<String>,
    /// The deadline as printed.
    pub deadline: Option<String>,
    /// The tags of the domains (领域), at most 20.
    pub domains: Vec<String>,
    /// The key of the problem of an earlier round at which it looks back (回头看).
    pub looks_back_at: Option<i64>,
}

/// Changes to a problem.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// The number as printed.
    pub number: Patch<Option<String>>,
    /// The title: the first sentence of the text.
    pub title: Patch<String>,
    /// The rest of the text.
    pub description: Patch<Option<String>>,
    /// The rectification goal (整改目标).
    pub goal: Patch<Option<String>>,
    /// The deadline as printed.
    pub deadline: Patch<Option<String>>,
    /// The tags of the domains (领域); replaces all of them.
    pub domains: Patch<Vec<String>>,
    /// The key of the problem of an earlier round at which it looks back (回头看).
    pub looks_back_at: Patch<Option<i64>>,
}

fn title(given: &str) -> Result<String> {
    needed_line(given, MAX_TITLE, ("问题标题", "the title"), "title")
}

fn description(given: Option<String>) -> Result<Option<String>> {
    optional(given, MAX_CONTENT, ("问题描述", "the description"), "description")
}

fn goal(given: Option<String>) -> Result<Option<String>> {
    optional(given, MAX_CONTENT, ("整改目标", "the goal"), "goal")
}

fn domains(given: Vec<String>) -> Result<Vec<String>> {
    if given.len() > MAX_DOMAINS {
        let zh = format!("领域最多 {MAX_DOMAINS} 个");
        let en = format!("a problem has at most {MAX_DOMAINS} domains");
        return Err(Fault::invalid(zh, en, &["input", "domains"]).into());
    }
    let read = |tag: String| fault::line(&tag, 1..=20, ("领域", "a domain"), &["input", "domains"]);
    let mut tags = given.into_iter().map(read).collect::<Result<Vec<String>, Fault>>()?;
    tags.sort();
    tags.dedup();
    Ok(tags)
}

fn taken() -> Fault {
    let zh = "本轮次本地区已有这个编号（或没有编号而标题相同）的问题";
    let en = "the region already has a problem with this number (or with this title, if unnumbered) in this round";
    Fault::new(FaultCode::Conflict, zh, en, &["input", "number"])
}

fn state(row: &problem::Model, domains: &[String]) -> Value {
    json!({
        "number": row.number,
        "title": row.title,
        "description": row.description,
        "goal": row.goal,
        "deadline": said_of(&Columns::of_problem(row)),
        "domains": domains,
        "looksBackAt": row.looks_back_at_id.map(|id| format!("problem_{id}")),
    })
}

/// Checks the problem at which a problem of `round` looks back: the caller sees it, and it is of the round at which
/// `round` looks back or, if there is none, of any other round.
async fn earlier(
    db: &Transaction,
    acting: &Acting<'_>,
    round: &inspection_round::Model,
    given: Option<i64>,
) -> Result<Option<i64>> {
    let path = ["input", "looksBackAtId"];
    let Some(id) = given else { return Ok(None) };
    let found = seen::<problem::Entity, _>(db, &acting.by.principal, ("problem", id), |_| String::new()).await?;
    let found = found.ok_or_else(|| fault::unknown(Thing::Problem, &path))?;
    if found.round_id == round.id {
        let (zh, en) =
            ("所回头看的问题应属于以前的轮次", "a problem looks back at a problem of another round, not of its own");
        return Err(Fault::invalid(zh, en, &path).into());
    }
    if round.looks_back_at_id.is_some_and(|at| at != found.round_id) {
        let (zh, en) = (
            "所回头看的问题应属于本轮次所回头看的轮次",
            "the problem must be of the round at which this problem's round looks back",
        );
        return Err(Fault::invalid(zh, en, &path).into());
    }
    Ok(Some(found.id))
}

/// Enters a problem and returns its key.
pub async fn create(acting: &Acting<'_>, new: New) -> Result<i64> {
    let (number, title, description, goal, tags, deadline) = fault::all((
        number(new.number),
        title(&new.title),
        description(new.description),
        goal(new.goal),
        domains(new.domains),
        read_deadline(new.deadline, acting.today()),
    ))?;
    let round = match new.round {
        Some(id) => in_sight::<inspection_round::Entity>(acting, "inspection_round", id).await?,
        None => None,
    };
    let Some(round) = round else {
        return Err(fault::unknown(Thing::Round, &["input", "roundId"]).into());
    };
    let transaction = database::begin(acting.db).await?;
    let issuer = live(&transaction, new.region).await?;
    permit(&transaction, acting, Act::KeepLedger, (round.id, issuer.id)).await?;
    let looks_back_at_id = earlier(&transaction, acting, &round, new.looks_back_at).await?;
    let from = begins(&transaction, acting, round.id).await?;
    let columns = Columns::of(deadline.as_ref(), from, acting.grace_days);
    let last: Option<Option<i32>> = problem::Entity::find()
        .select_only()
        .column_as(problem::Column::Position.max(), "last")
        .filter(problem::Column::RoundId.eq(round.id))
        .filter(problem::Column::RegionId.eq(issuer.id))
        .into_tuple()
        .one(&transaction)
        .await?;
    let row = problem::ActiveModel {
        round_id: Set(round.id),
        region_id: Set(issuer.id),
        identity: Set(sameness::problem(number.as_deref(), &title)),
        number: Set(number),
        position: Set(last.flatten().unwrap_or_default() + 1),
        title: Set(title),
        description: Set(description),
        goal: Set(goal),
        looks_back_at_id: Set(looks_back_at_id),
        due_raw: Set(columns.raw),
        due_immediate: Set(columns.immediate),
        due_on: Set(columns.on),
        due_ongoing: Set(columns.ongoing),
        due_by: Set(columns.by),
        status: Set(entity::assignment::Status::Assigned),
        status_stated_on: Set(Some(acting.today())),
        issued_on: Set(from),
        version: Set(1),
        created_at: Set(acting.now),
        updated_at: Set(acting.now),
        ..Default::default()
    };
    let row = only_one(row.insert(&transaction).await, taken)?;
    write_domains(&transaction, row.id, &tags).await?;
    write_steps(&transaction, row.id, deadline.as_ref()).await?;
    let lineage = crate::region::lineage(&issuer.path);
    let entered = Concern { id: row.id, due_order: due_order(row.due_on), lineage };
    concern::problems(&transaction, &[entered]).await?;
    kept::add(&transaction, row.id).await?;
    let mut after = state(&row, &tags);
    after["round"] = json!(format!("round_{}", round.id));
    after["region"] = json!(format!("region_{}", issuer.id));
    let said = Entry::of("CREATED", format!("problem_{}", row.id)).changed(json!({}), after);
    note(&transaction, acting, row.id, said).await?;
    tell(&transaction, acting, &[row.id], None).await?;
    transaction.commit().await?;
    Ok(row.id)
}

async fn write_domains(db: &Transaction, problem: i64, tags: &[String]) -> Result<()> {
    problem_domain::Entity::delete_many().filter(problem_domain::Column::ProblemId.eq(problem)).exec(db).await?;
    let rows =
        tags.iter().map(|tag| problem_domain::ActiveModel { problem_id: Set(problem), domain: Set(tag.clone()) });
    Ok(database::insert_all(db, rows).await?)
}

async fn write_steps(db: &Transaction, problem: i64, deadline: Option<&Deadline>) -> Result<()> {
    milestone::Entity::delete_many().filter(milestone::Column::ProblemId.eq(problem)).exec(db).await?;
    let steps = deadline.map(|deadline| deadline.steps(Some(problem), None)).unwrap_or_default();
    Ok(database::insert_all(db, steps).await?)
}

/// Edits a problem and returns its key.
pub async fn edit(acting: &Acting<'_>, problem: Option<i64>, version: i32, changes: Changes) -> Result<i64> {
    let HeldProblem { transaction, row } = HeldProblem::take(acting, problem, Some(version)).await?;
    let tags: Vec<String> = problem_domain::Entity::find()
        .select_only()
        .column(problem_domain::Column::Domain)
        .filter(problem_domain::Column::ProblemId.eq(row.id))
        .order_by_asc(problem_domain::Column::Domain)
        .into_tuple()
        .all(&transaction)
        .await?;
    let before = state(&row, &tags);
    let (number, title, description, goal, tags_now, deadline) = fault::all((
        changes.number.read(row.number.clone(), number),
        changes.title.read(row.title.clone(), |given| title(&given)),
        changes.description.read(row.description.clone(), description),
        changes.goal.read(row.goal.clone(), goal),
        changes.domains.read(tags.clone(), domains),
        changes.deadline.read(None, |given| read_deadline(given, acting.today()).map(Some)),
    ))?;
    let identity = sameness::problem(number.as_deref(), &title);
    let mut now = problem::Model { identity, number, title, description, goal, ..row.clone() };
    if let Patch::Set(given) = changes.looks_back_at {
        let round = inspection_round::Entity::find_by_id(row.round_id).one(&transaction).await?;
        let round = round.ok_or_else(|| fault::unknown(Thing::Round, &["input", "problemId"]))?;
        now.looks_back_at_id = earlier(&transaction, acting, &round, given).await?;
    }
    if let Some(deadline) = &deadline {
        let columns = Columns::of(deadline.as_ref(), row.issued_on, acting.grace_days);
        (now.due_raw, now.due_immediate) = (columns.raw, columns.immediate);
        (now.due_on, now.due_ongoing, now.due_by) = (columns.on, columns.ongoing, columns.by);
    }
    let Some((before, after)) = difference(before, state(&now, &tags_now)) else { return Ok(row.id) };
    let is_counted = now.due_by != row.due_by;
    let counted = if is_counted { vec![row.id] } else { Vec::new() };
    kept::around(&transaction, &counted, async {
        if now.due_on != row.due_on {
            problem_region::Entity::update_many()
                .col_expr(problem_region::Column::DueOrder, Expr::value(due_order(now.due_on)))
                .filter(problem_region::Column::ProblemId.eq(row.id))
                .exec(&transaction)
                .await?;
        }
        now.version += 1;
        now.updated_at = acting.now;
        only_one(problem::ActiveModel::from(now).reset_all().update(&transaction).await, taken)?;
        if tags != tags_now {
            write_domains(&transaction, row.id, &tags_now).await?;
        }
        if let Some(deadline) = &deadline {
            write_steps(&transaction, row.id, deadline.as_ref()).await?;
        }
        Ok(())
    })
    .await?;
    let said = Entry::of("EDITED", format!("problem_{}", row.id)).changed(before, after);
    note(&transaction, acting, row.id, said).await?;
    tell(&transaction, acting, &[row.id], None).await?;
    transaction.commit().await?;
    Ok(row.id)
}

/// Withdraws a problem (撤销): its open measures are withdrawn with it. Nothing is deleted.
///
/// Refuses a problem without open measures.
pub async fn retire(acting: &Acting<'_>, problem: Option<i64>, version: i32, reason: &str) -> Result<i64> {
    let reason = fault::text(reason, 2..=MAX_WORDS, ("撤销理由", "the reason"), &["input", "reason"])?;
    let HeldProblem { transaction, row } = HeldProblem::take(acting, problem, Some(version)).await?;
    let measures = entity::measure::Entity::find()
        .filter(entity::measure::Column::ProblemId.eq(row.id))
        .order_by_asc(entity::measure::Column::Position)
        .all(&transaction)
        .await?;
    kept::around(&transaction, &[row.id], async {
        let mut any = false;
        for of in &measures {
            any |= measure::withdraw(&transaction, acting, of, &reason).await?;
        }
        if !any {
            let (zh, en) = ("这个问题没有未办结的措施可撤销", "the problem has no open measures to withdraw");
            return Err(Fault::new(FaultCode::WrongState, zh, en, &["input", "problemId"]).into());
        }
        roll_up::problems(&transaction, &[row.id], acting.now).await?;
        measure::state_of_unanswered(&transaction, acting, row.id).await?;
        Ok(())
    })
    .await?;
    let after = json!({ "reason": reason });
    let said = Entry::of("RETIRED", format!("problem_{}", row.id)).changed(json!({}), after);
    note(&transaction, acting, row.id, said).await?;
    tell(&transaction, acting, &[row.id], None).await?;
    transaction.commit().await?;
    Ok(row.id)
}

/// Deletes a problem that was entered by mistake, and returns the key that it had.
///
/// Refuses a problem that has measures or records of accountability, or at which another one looks back.
pub async fn delete(acting: &Acting<'_>, problem: Option<i64>, version: i32) -> Result<i64> {
    const LOOKERS: &str = "SELECT count(*) AS amount FROM problem WHERE looks_back_at_id = $1";
    let HeldProblem { transaction, row } = HeldProblem::take(acting, problem, Some(version)).await?;
    if count(&transaction, LOOKERS, vec![row.id.into()]).await? > 0 {
        let (zh, en) = (
            "有“回头看”问题回头看这个问题，请先修改那个问题",
            "another problem looks back at this one: edit that one first",
        );
        return Err(Fault::new(FaultCode::WrongState, zh, en, &["input", "problemId"]).into());
    }
    let sql = "SELECT (SELECT count(*) FROM measure WHERE problem_id = $1) \
        + (SELECT count(*) FROM accountability WHERE problem_id = $1) AS amount";
    let measures = count(&transaction, sql, vec![row.id.into()]).await?;
    if measures > 0 {
        let zh = format!("这个问题下还有 {measures} 条措施或责任追究记录：请先删除误录的措施，或撤销这个问题");
        let en = format!(
            "the problem still has {measures} measures or records of accountability: delete measures entered by \
             mistake, or withdraw the problem"
        );
        return Err(Fault::new(FaultCode::WrongState, zh, en, &["input", "problemId"]).into());
    }
    kept::around(&transaction, &[row.id], async {
        let object = format!("problem_{}", row.id);
        let regions = concern::leave_problem(&transaction, row.id).await?;
        change::note_removed(&transaction, &object, &regions, acting.now).await?;
        let said = Entry::of("DELETED", object).changed(state(&row, &[]), json!({}));
        note(&transaction, acting, row.id, said).await?;
        problem::Entity::delete_by_id(row.id).exec(&transaction).await?;
        Ok(())
    })
    .await?;
    transaction.commit().await?;
    Ok(row.id)
}
