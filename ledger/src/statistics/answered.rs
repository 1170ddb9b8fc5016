//! The conditions by which lists have the problems and measures that the figures count: as a region judges them, by the
//! answers within it. See [`super::own`] for the rule; figures read what is stored by it, these conditions the answers.

use planner::{Condition, Sql};
use sea_orm::Value;

use super::state::State;
use crate::record::concern;

/// What is asked of a problem or a measure as it is judged by some of its answers.
#[derive(Debug, Clone, Default)]
pub struct Answered {
    /// The key of the region that judges, by what it and the regions below it answer; what does not concern it does not
    /// satisfy the conditions. `None` for all answers that the caller may see.
    pub within: Option<i64>,
    /// The codes of the workflow status, of which the item has one.
    pub statuses: Option<Vec<String>>,
    /// Whether the item is completed.
    pub is_completed: Option<bool>,
    /// Whether the item is overdue.
    pub is_overdue: Option<bool>,
}

impl Answered {
    /// Returns the condition on measures.
    pub fn of_measures(&self) -> Condition {
        let list = |within: i64| Condition::Member(concern::measures_of(within.into()));
        self.condition(list, [measure_status, measure_completed, measure_overdue])
    }

    /// Returns the condition on problems.
    pub fn of_problems(&self) -> Condition {
        let list = |within: i64| Condition::Member(concern::problems_of(within.into()));
        self.condition(list, [problem_status, problem_completed, problem_overdue])
    }

    fn condition(&self, list: impl Fn(i64) -> Condition, [status, completed, overdue]: [Written; 3]) -> Condition {
        let is = |write: Written, wanted: Option<bool>| {
            wanted.map(|wanted| {
                let condition = Condition::Written(write, vec![self.within.into()]);
                if wanted { condition } else { Condition::Not(Box::new(condition)) }
            })
        };
        let statuses = self.statuses.as_ref().map(|codes| {
            let codes = codes.iter().map(|code| code.clone().into());
            Condition::Written(status, std::iter::once(self.within.into()).chain(codes).collect())
        });
        let listed = self.within.map(list);
        let all = [listed, statuses, is(completed, self.is_completed), is(overdue, self.is_overdue)];
        Condition::All(all.into_iter().flatten().collect())
    }
}

/// Writes a condition on a row. The first value is the region that judges, or null.
type Written = fn(&mut Sql<'_>, &str, &[Value]) -> String;

/// Writes a condition on a state and on the date after which the item is overdue.
type Judges = fn(&mut Sql<'_>, &State, &str, &[Value]) -> String;

fn measure_status(sql: &mut Sql<'_>, measure: &str, values: &[Value]) -> String {
    of_measure(sql, measure, values, status)
}

fn measure_completed(sql: &mut Sql<'_>, measure: &str, values: &[Value]) -> String {
    of_measure(sql, measure, values, completed)
}

fn measure_overdue(sql: &mut Sql<'_>, measure: &str, values: &[Value]) -> String {
    of_measure(sql, measure, values, overdue)
}

fn problem_status(sql: &mut Sql<'_>, problem: &str, values: &[Value]) -> String {
    of_problem(sql, problem, values, status)
}

fn problem_completed(sql: &mut Sql<'_>, problem: &str, values: &[Value]) -> String {
    of_problem(sql, problem, values, completed)
}

fn problem_overdue(sql: &mut Sql<'_>, problem: &str, values: &[Value]) -> String {
    of_problem(sql, problem, values, overdue)
}

fn status(sql: &mut Sql<'_>, state: &State, _: &str, codes: &[Value]) -> String {
    if codes.is_empty() {
        return "FALSE".to_owned();
    }
    let codes: Vec<String> = codes.iter().map(|code| sql.bind(code.clone())).collect();
    format!("{} IN ({})", state.status, codes.join(", "))
}

fn completed(sql: &mut Sql<'_>, state: &State, _: &str, _: &[Value]) -> String {
    state.is_completed(&sql.fact("today"))
}

fn overdue(sql: &mut Sql<'_>, state: &State, due_by: &str, _: &[Value]) -> String {
    state.is_overdue(due_by, &sql.fact("today"))
}

/// Writes a condition on the row `measure`, judged by those of its answers that are asked for; as a whole, if these are
/// all or none.
fn of_measure(sql: &mut Sql<'_>, measure: &str, values: &[Value], judges: Judges) -> String {
    let Some((within, values)) = values.split_first() else { return "FALSE".to_owned() };
    let answers = answers(sql, within);
    let whole = judges(sql, &State::of(measure), &format!("{measure}.due_by"), values);
    if answers.is_empty() {
        // Whoever sees all answers judges by all of them.
        return whole;
    }
    let own = judges(sql, &State::of("answer").rolled_up(), "max(answer.due_by)", values);
    let issued = issued(sql, measure, within);
    format!(
        "(SELECT CASE WHEN count(*) IN (0, {}) OR {issued} THEN {whole} ELSE {own} END FROM assignment answer \
         WHERE answer.measure_id = {measure}.id{answers})",
        all_of(measure)
    )
}

/// Writes a condition on the row `problem`, judged by what is asked for of its measures; as a whole, if these are all
/// measures, and each as a whole.
fn of_problem(sql: &mut Sql<'_>, problem: &str, values: &[Value], judges: Judges) -> String {
    let Some((within, values)) = values.split_first() else { return "FALSE".to_owned() };
    let answers = answers(sql, within);
    let due_by = format!("{problem}.due_by");
    let whole = judges(sql, &State::of(problem), &due_by, values);
    if answers.is_empty() {
        return whole;
    }
    let mut parts = vec![format!("part.problem_id = {problem}.id")];
    parts.extend(sql.seen("measure", "part"));
    if is_given(within) {
        parts.push(Condition::Member(concern::measures_of(within.clone())).to_sql(sql, "part"));
    }
    let is_own = format!("count(answer.id) NOT IN (0, {}) AND NOT {}", all_of("part"), issued(sql, "part", within));
    let (answered, part) = (State::of("answer").rolled_up(), State::of("part"));
    let either = |own: &str, whole: &str| format!("CASE WHEN {is_own} THEN {own} ELSE {whole} END");
    let each = State {
        status: either(&answered.status, &part.status),
        completed_on: either(&answered.completed_on, &part.completed_on),
        is_completed_by: either(&answered.is_completed_by, &part.is_completed_by),
    };
    let own = judges(sql, &State::of("one").rolled_up(), &due_by, values);
    let issued = issued(sql, problem, within);
    format!(
        "(SELECT CASE WHEN count(*) = 0 OR {issued} OR (max(one.is_own) = 0 AND count(*) = \
         (SELECT count(*) FROM measure w WHERE w.problem_id = {problem}.id)) THEN {whole} ELSE {own} END FROM \
         (SELECT {}, CASE WHEN {is_own} THEN 1 ELSE 0 END AS is_own FROM measure part \
         LEFT JOIN assignment answer ON answer.measure_id = part.id{answers} WHERE {} \
         GROUP BY part.id, part.status, part.completed_on, part.is_completed_by, part.region_id) one)",
        each.columns(),
        parts.join(" AND ")
    )
}

/// Writes the condition that the region that judges the row `item` issued it, or is above the one that did: it judges
/// the item as a whole.
fn issued(sql: &mut Sql<'_>, item: &str, within: &Value) -> String {
    let asked = is_given(within).then(|| within.clone());
    let regions: Vec<Value> = asked.into_iter().chain(sql.region()).collect();
    if regions.is_empty() {
        return "FALSE".to_owned();
    }
    Condition::All(regions.into_iter().map(Condition::Within).collect()).to_sql(sql, item)
}

/// Writes the number of all answers of a measure.
fn all_of(measure: &str) -> String {
    format!("(SELECT count(*) FROM assignment w WHERE w.measure_id = {measure}.id)")
}

/// Writes the condition on the row `answer` that it is asked for, to be appended to others.
fn answers(sql: &mut Sql<'_>, within: &Value) -> String {
    let seen = sql.seen("assignment", "answer").map(|seen| format!(" AND {seen}")).unwrap_or_default();
    if is_given(within) { seen + " AND " + &Condition::Within(within.clone()).to_sql(sql, "answer") } else { seen }
}

fn is_given(within: &Value) -> bool {
    *within != Value::BigInt(None)
}
