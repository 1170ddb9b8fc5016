//! Proposals of yellow and red cards (黄牌、红牌), on which a person decides ([`super::supervision::decide`]).
//!
//! An assignment that has been overdue for a month, or without a report for a month (an ongoing one for three), gets
//! a yellow card; one with two yellow cards in force, or listed for supervision (挂牌督办), a red card. A card is
//! proposed once: after a decision on it, the same cause has to last for another month. While a proposal is pending, or
//! a red card is in force, no other one is made of the assignment. The escalation rule of the region has the number of
//! days (`card_after`).

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use entity::reminder_rule::ReminderKind;
use entity::supervision_action::{self, SupervisionCause, SupervisionKind, SupervisionState};
use planner::Sql;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, Statement};

use super::acting::Acting;
use super::hold::hold_problem;
use super::supervision::Proposal;
use crate::Result;
use crate::record::change::Changed;
use crate::record::database;
use crate::reminder::{Rules, stale_progress};
use crate::rule::calendar::{local_day, plus_days};

/// The changes by which an office hands an assignment back to its unit.
const HANDED_BACK: &str = "'ASSIGNED', 'NOT_APPLICABLE_REJECTED', 'RETURNED', 'REOPENED', 'OBJECTION_DECIDED'";

/// The kinds of supervision on which cards depend.
const KINDS: [SupervisionKind; 3] = [SupervisionKind::YellowCard, SupervisionKind::List, SupervisionKind::RedCard];

/// Proposes every card that is due, and returns the number of proposals.
///
/// Each problem takes its own transaction, so that other callers wait for one problem at a time only.
pub async fn propose(acting: &Acting<'_>, rules: &Rules) -> Result<usize> {
    let problems: BTreeSet<i64> =
        due(acting.db, acting, rules, None).await?.into_iter().map(|proposal| proposal.on.problem).collect();
    let mut proposed = 0;
    for problem in problems {
        let transaction = database::begin(acting.db).await?;
        if hold_problem(&transaction, acting.by, "problem", problem).await?.is_none() {
            continue;
        }
        // Read again: a report, or a proposal by another scheduler, may have come in before the problem was locked.
        for proposal in due(&transaction, acting, rules, Some(problem)).await? {
            proposal.write(&transaction, acting).await?;
            proposed += 1;
        }
        transaction.commit().await?;
    }
    Ok(proposed)
}

/// Returns the number of cards that [`propose`] would propose now, without writing anything.
pub async fn to_propose(acting: &Acting<'_>, rules: &Rules) -> Result<usize> {
    Ok(due(acting.db, acting, rules, None).await?.len())
}

/// Returns the SQL expression of the card in force, `YELLOW_CARD` or `RED_CARD`, the more severe one; null if there is
/// none. `of` writes the condition on a row of supervision, such as `s.measure_id = t.id`. Cards that the caller may
/// not see are left out.
pub fn in_force(sql: &mut Sql<'_>, of: impl Fn(&str) -> String) -> String {
    let card = sql.alias();
    let seen = sql.seen("supervision_action", &card).map(|seen| format!(" AND {seen}")).unwrap_or_default();
    format!(
        "(SELECT CASE max(CASE {card}.kind WHEN 'RED_CARD' THEN 2 ELSE 1 END) WHEN 2 THEN 'RED_CARD' \
         WHEN 1 THEN 'YELLOW_CARD' END \
         FROM supervision_action {card} WHERE {} AND {card}.state = 'ISSUED' \
         AND {card}.kind IN ('YELLOW_CARD', 'RED_CARD'){seen})",
        of(&card)
    )
}

/// An assignment that waits for its unit and may be due for a card.
#[derive(FromQueryResult)]
struct Waiting {
    problem_id: i64,
    measure_id: i64,
    assignment_id: i64,
    unit_id: i64,
    region_id: i64,
    due_by: Option<NaiveDate>,
    reported_on: Option<NaiveDate>,
    created_at: DateTime<Utc>,
    is_ongoing: bool,
    /// When an office last handed it back to the unit.
    handed_back_at: Option<DateTime<Utc>>,
}

/// Returns the proposals that are due now, of the whole ledger or of one problem.
async fn due<C: ConnectionTrait>(
    db: &C,
    acting: &Acting<'_>,
    rules: &Rules,
    problem: Option<i64>,
) -> Result<Vec<Proposal>> {
    let today = acting.today();
    let mut values = vec![plus_days(today, -rules.soonest_card()).into(), today.into()];
    let of_problem = if problem.is_some() { " AND m.problem_id = $3" } else { "" };
    values.extend(problem.map(sea_orm::Value::from));
    // The delay of an assignment that waits for an office's decision, or was declined, is not the unit's.
    let text = format!(
        "SELECT m.problem_id, a.measure_id, a.id AS assignment_id, a.unit_id, a.region_id, a.due_by, a.reported_on, \
         a.created_at, m.due_ongoing AS is_ongoing, (SELECT max(c.at) FROM change c WHERE c.assignment_id = a.id \
             AND c.kind IN ({HANDED_BACK})) AS handed_back_at FROM assignment a JOIN measure m ON m.id = a.measure_id \
         WHERE a.status IN ('ASSIGNED', 'IN_PROGRESS', 'RETURNED', 'REOPENED') AND a.declined_at IS NULL \
         AND (a.completed_on IS NULL OR a.completed_on > $2) \
         AND (a.due_by <= $1 OR a.reported_on IS NULL OR a.reported_on <= $1 OR EXISTS (SELECT 1 \
             FROM supervision_action s WHERE s.assignment_id = a.id AND s.state = 'ISSUED' \
             AND s.kind IN ('YELLOW_CARD', 'LIST'))){of_problem} \
         ORDER BY m.problem_id, a.measure_id, a.id"
    );
    let statement = Statement::from_sql_and_values(db.get_database_backend(), text, values);
    let waiting = Waiting::find_by_statement(statement).all(db).await?;
    let given = given(db, problem.is_some().then_some(&waiting)).await?;
    let none = Vec::new();
    let proposal = |row: Waiting| {
        let after = rules.of(ReminderKind::Escalation, Some(row.region_id)).card_after;
        let given = Given { acts: given.get(&row.assignment_id).unwrap_or(&none), zone: acting.zone };
        row.proposal(&given, after, today)
    };
    Ok(waiting.into_iter().filter_map(proposal).collect())
}

/// Returns the cards and listings of assignments, all or those of some rows, by the key of the assignment.
async fn given<C: ConnectionTrait>(
    db: &C,
    of: Option<&Vec<Waiting>>,
) -> Result<HashMap<i64, Vec<supervision_action::Model>>> {
    let mut found = supervision_action::Entity::find().filter(supervision_action::Column::Kind.is_in(KINDS));
    if let Some(rows) = of {
        let assignments = rows.iter().map(|row| row.assignment_id);
        found = found.filter(supervision_action::Column::AssignmentId.is_in(assignments));
    }
    let mut given: HashMap<i64, Vec<supervision_action::Model>> = HashMap::new();
    for act in found.order_by_asc(supervision_action::Column::Id).all(db).await? {
        if let Some(assignment) = act.assignment_id {
            given.entry(assignment).or_default().push(act);
        }
    }
    Ok(given)
}

/// The cards and listings of one assignment.
struct Given<'a> {
    acts: &'a [supervision_action::Model],
    zone: Tz,
}

impl Given<'_> {
    fn of(
        &self,
        kind: SupervisionKind,
        state: SupervisionState,
    ) -> impl DoubleEndedIterator<Item = &supervision_action::Model> {
        self.acts.iter().filter(move |act| act.kind == kind && act.state == state)
    }

    /// Returns the local day on which a card of this kind and cause was last issued, lifted or dismissed. A card that a
    /// person issued unasked counts for every cause.
    fn last(&self, kind: SupervisionKind, cause: SupervisionCause) -> Option<NaiveDate> {
        let same = |act: &&supervision_action::Model| act.kind == kind && act.cause.is_none_or(|of| of == cause);
        let days = self.acts.iter().filter(same).map(|act| act.lifted_at.unwrap_or(act.issued_at));
        days.max().map(|at| local_day(at, self.zone))
    }

    /// Returns the cause of a red card, with the local day since when it is there.
    fn cause_of_red(&self) -> Option<(SupervisionCause, NaiveDate)> {
        let day = |act: &supervision_action::Model| local_day(act.issued_at, self.zone);
        let listed = self.of(SupervisionKind::List, SupervisionState::Issued).map(day).max();
        let mut yellow: Vec<NaiveDate> =
            self.of(SupervisionKind::YellowCard, SupervisionState::Issued).map(day).collect();
        yellow.sort_unstable();
        let second = yellow.get(1).map(|second| (SupervisionCause::TwoYellowCards, *second));
        listed.map(|day| (SupervisionCause::Listed, day)).or(second)
    }
}

impl Waiting {
    /// Returns the card to propose of the assignment, if one is due. `after` is the number of days of a month.
    fn proposal(self, given: &Given<'_>, after: i64, today: NaiveDate) -> Option<Proposal> {
        use SupervisionKind::{RedCard, YellowCard};
        use SupervisionState::{Issued, Proposed};
        let is_settled = given.of(RedCard, Issued).next().is_some()
            || [RedCard, YellowCard].into_iter().any(|kind| given.of(kind, Proposed).next().is_some());
        if is_settled {
            return None;
        }
        let (kind, cause, reason) = if let Some((cause, since)) = given.cause_of_red() {
            let last = given.last(RedCard, cause).filter(|last| *last >= since);
            if last.is_some_and(|last| plus_days(last, after) > today) {
                return None;
            }
            let why = if cause == SupervisionCause::Listed { "已挂牌督办" } else { "已有两张黄牌" };
            (RedCard, cause, format!("{why}，仍未完成整改，系统建议发红牌"))
        } else {
            let (cause, reason) = self.cause_of_yellow(given, after, today)?;
            (YellowCard, cause, format!("{reason}，系统建议发黄牌"))
        };
        let on =
            Changed { problem: self.problem_id, measure: Some(self.measure_id), assignment: Some(self.assignment_id) };
        Some(Proposal { kind, cause, on, recipient: Some(self.unit_id), reason })
    }

    /// Returns the cause of a yellow card, and the words for it.
    fn cause_of_yellow(&self, given: &Given<'_>, after: i64, today: NaiveDate) -> Option<(SupervisionCause, String)> {
        // Days that an office took are not the unit's: they count from when it got the assignment, or got it back.
        let entered_on = local_day(self.created_at, given.zone);
        let in_hand_since = self.handed_back_at.map_or(entered_on, |at| local_day(at, given.zone).max(entered_on));
        let lasts = |cause, since: NaiveDate, days: i64| {
            let since = given.last(SupervisionKind::YellowCard, cause).map_or(since, |last| last.max(since));
            plus_days(since, days) <= today
        };
        // No one is blamed for what was late before the ledger came in: days count from the entry.
        if let Some(due_by) = self.due_by {
            let late_since = due_by.max(in_hand_since);
            if due_by < today && lasts(SupervisionCause::Overdue, late_since, after) {
                let days = (today - late_since).num_days();
                let reason = if due_by < entered_on {
                    format!("台账导入时已逾期，导入{days}天后仍未完成整改")
                } else if due_by < in_hand_since {
                    format!("退回后{days}天仍未完成整改，已逾期{}天", (today - due_by).num_days())
                } else {
                    format!("逾期{days}天仍未完成整改")
                };
                return Some((SupervisionCause::Overdue, reason));
            }
        }
        let heard_on = self.reported_on.map_or(in_hand_since, |reported_on| reported_on.max(in_hand_since));
        let patience = if self.is_ongoing { after * stale_progress::ONGOING } else { after };
        lasts(SupervisionCause::Stale, heard_on, patience)
            .then(|| (SupervisionCause::Stale, format!("已{}天没有填报进展", (today - heard_on).num_days())))
    }
}
