//! Statistics (挂图作战): how far the rectification is at a date, split by one dimension, counted in problems, measures or
//! assignments. One statement; a row of several regions, lead units or domains counts in each, so only the total adds up.

use chrono::NaiveDate;
use entity::assignment::Status;
use planner::Sql;
use sea_orm::{ConnectionTrait, FromQueryResult, Statement};

use crate::Result;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// 反馈问题
    Problems,
    /// 整改措施
    Measures,
    /// 责任分解
    Assignments,
}

/// What the figures are split by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dimension {
    /// The direct children of the region that is asked for.
    Region,
    /// 牵头单位
    LeadUnit,
    /// 督察轮次
    Round,
    /// 领域
    Domain,
    /// The workflow state.
    Status,
    /// The form of the deadline.
    DeadlineClass,
}

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Question {
    /// Only what concerns this region or one below it; the whole nation without.
    pub within: Option<i64>,
    /// The local day that the figures are of.
    pub as_of: NaiveDate,
    /// What they are split by.
    pub by: Dimension,
    /// What is counted.
    pub counted: Counted,
}

/// The figures of one group, as numbers of rows.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct Figures {
    /// What the group is: a key of a row, or a code.
    pub key: Option<String>,
    /// Its name, where it has one.
    pub label: Option<String>,
    /// All rows.
    pub all: i64,
    /// Completed by the day, closed ones included.
    pub completed: i64,
    /// Closed.
    pub closed: i64,
    /// Not applicable.
    pub not_applicable: i64,
    /// Past their deadline, the applicable ones.
    pub due: i64,
    /// Past their deadline and open.
    pub overdue: i64,
}

/// What figures are counted from: a problem, a measure or an assignment. Dates are local.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item {
    /// The workflow state.
    pub status: Status,
    /// When it was completed.
    pub completed_on: Option<NaiveDate>,
    /// What governs "overdue".
    pub due_by: Option<NaiveDate>,
}

impl Item {
    fn is_closed(&self) -> bool {
        matches!(self.status, Status::Closed | Status::ClosedOngoing)
    }

    /// Whether it was completed by the end of a day; what is closed without a date always was.
    fn is_completed(&self, as_of: NaiveDate) -> bool {
        self.completed_on.map_or(self.is_closed(), |day| day <= as_of)
    }

    fn is_past_due(&self, as_of: NaiveDate) -> bool {
        self.status != Status::NotApplicable && self.due_by.is_some_and(|day| day < as_of)
    }
}

impl Figures {
    /// The rule of the figures; `statement` says the same in SQL, and `tests/stories/pace.rs` holds the two together.
    pub fn count(items: &[Item], as_of: NaiveDate) -> Self {
        let count = |wanted: &dyn Fn(&Item) -> bool| items.iter().filter(|item| wanted(item)).count() as i64;
        Self {
            key: None,
            label: None,
            all: items.len() as i64,
            completed: count(&|item| item.is_completed(as_of)),
            closed: count(&|item| item.is_closed() && item.is_completed(as_of)),
            not_applicable: count(&|item| item.status == Status::NotApplicable),
            due: count(&|item| item.is_past_due(as_of)),
            overdue: count(&|item| item.is_past_due(as_of) && !item.is_completed(as_of)),
        }
    }

    /// Completed ÷ (all − not applicable); none without any.
    pub fn completion_rate(&self) -> Option<f64> {
        ratio(self.completed, self.all - self.not_applicable)
    }

    /// Closed ÷ (all − not applicable); none without any.
    pub fn close_out_rate(&self) -> Option<f64> {
        ratio(self.closed, self.all - self.not_applicable)
    }

    /// Open past the deadline ÷ past the deadline; none where nothing is.
    pub fn overdue_rate(&self) -> Option<f64> {
        ratio(self.overdue, self.due)
    }
}

fn ratio(part: i64, whole: i64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// The answer: the total, and the groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// All rows that concern the region, each once.
    pub total: Figures,
    /// The groups, the largest first; regions by their code.
    pub rows: Vec<Figures>,
}

/// Answers in one statement.
pub async fn answer<C: ConnectionTrait>(db: &C, question: &Question) -> Result<Answer> {
    let backend = db.get_database_backend();
    let mut sql = Sql::new(backend, &[]);
    let text = statement(&mut sql, question);
    let statement = Statement::from_sql_and_values(backend, text, sql.into_values());
    let mut rows = Figures::find_by_statement(statement).all(db).await?;
    // The total comes first; it is there even when nothing is counted.
    let total = if rows.is_empty() { Figures::count(&[], question.as_of) } else { rows.remove(0) };
    Ok(Answer { total, rows })
}

/// The items with what the figures need of them, then the groups. An item stands in the list of every region it concerns.
fn statement(sql: &mut Sql<'_>, question: &Question) -> String {
    let as_of = sql.bind(question.as_of);
    let items = items(sql, question);
    let (join, key, label, order) = dimension(sql, question);
    // When something was closed is known by when it was completed; what is closed without that always was.
    let closed = "i.status IN ('CLOSED', 'CLOSED_ONGOING')";
    let completed = format!("(i.completed_on <= {as_of} OR (i.completed_on IS NULL AND {closed}))");
    let past_due = format!("(i.status <> 'NOT_APPLICABLE' AND i.due_by < {as_of})");
    let count = |condition: &str| format!("coalesce(sum(CASE WHEN {condition} THEN 1 ELSE 0 END), 0)");
    let figures = format!(
        "count(*) AS \"all\", {} AS completed, {} AS closed, {} AS not_applicable, {} AS due, {} AS overdue",
        count(&completed),
        count(&format!("{closed} AND {completed}")),
        count("i.status = 'NOT_APPLICABLE'"),
        count(&past_due),
        count(&format!("{past_due} AND NOT coalesce({completed}, FALSE)")),
    );
    format!(
        "WITH items AS ({items}) \
         SELECT * FROM (SELECT NULL AS key, NULL AS label, {figures}, 0 AS part, '' AS place FROM items i \
         UNION ALL SELECT {key}, {label}, {figures}, 1, {order} FROM items i {join} GROUP BY {key}, {label}, {order}) figures \
         ORDER BY part, place, \"all\" DESC, key"
    )
}

fn items(sql: &mut Sql<'_>, question: &Question) -> String {
    let columns = "status, completed_on, due_by";
    match question.counted {
        Counted::Problems | Counted::Measures => {
            let (table, problem, lead) = match question.counted {
                Counted::Problems => ("problem", "x.id", "NULL"),
                _ => ("measure", "x.problem_id", "x.lead_unit_id"),
            };
            let concerning = question.within.map(|within| {
                let within = sql.bind(within);
                format!(" JOIN {table}_region list ON list.{table}_id = x.id AND list.region_id = {within}")
            });
            format!(
                "SELECT x.id, x.{}, x.due_on, x.due_ongoing, x.due_immediate, x.round_id, x.region_id, \
                 {problem} AS problem_id, {lead} AS lead_unit_id FROM {table} x{}",
                columns.replace(", ", ", x."),
                concerning.unwrap_or_default()
            )
        }
        Counted::Assignments => {
            let concerning = question.within.map(|within| {
                let within = sql.bind(within);
                let top = format!("(SELECT path FROM region WHERE id = {within})");
                format!(" JOIN region r ON r.id = x.region_id AND substr(r.path, 1, length({top})) = {top}")
            });
            format!(
                "SELECT x.id, x.status, x.completed_on, m.due_by, m.due_on, m.due_ongoing, m.due_immediate, m.round_id, \
                 x.region_id, m.problem_id, m.lead_unit_id FROM assignment x JOIN measure m ON m.id = x.measure_id{}",
                concerning.unwrap_or_default()
            )
        }
    }
}

/// The join that leads to the groups, their key, label and order.
fn dimension(sql: &mut Sql<'_>, question: &Question) -> (String, String, String, String) {
    let none = String::new();
    // A bare constant may not be grouped by.
    let (no_label, no_order) = ("CAST(NULL AS text)", "CAST('' AS text)");
    match question.by {
        Dimension::Region => {
            let parent = match question.within {
                Some(within) => format!("g.parent_id = {}", sql.bind(within)),
                None => "g.parent_id = (SELECT id FROM region WHERE parent_id IS NULL)".to_owned(),
            };
            let join = match question.counted {
                Counted::Problems => "JOIN problem_region l ON l.problem_id = i.id JOIN region g ON g.id = l.region_id",
                Counted::Measures => "JOIN measure_region l ON l.measure_id = i.id JOIN region g ON g.id = l.region_id",
                Counted::Assignments => {
                    "JOIN region r ON r.id = i.region_id JOIN region g ON substr(r.path, 1, length(g.path)) = g.path"
                }
            };
            let key = "'region_' || g.id".to_owned();
            (format!("{join} AND {parent}"), key, "g.name".to_owned(), "coalesce(g.code, '999999999999')".to_owned())
        }
        Dimension::LeadUnit => {
            let join = match question.counted {
                // A problem is led by whoever leads one of its measures.
                Counted::Problems => {
                    "LEFT JOIN (SELECT DISTINCT problem_id, lead_unit_id FROM measure) l ON l.problem_id = i.id \
                     LEFT JOIN unit g ON g.id = l.lead_unit_id"
                }
                _ => "LEFT JOIN unit g ON g.id = i.lead_unit_id",
            };
            (join.to_owned(), "coalesce('unit_' || g.id, '')".to_owned(), "g.name".to_owned(), no_order.to_owned())
        }
        Dimension::Round => (
            "JOIN inspection_round g ON g.id = i.round_id".to_owned(),
            "'round_' || g.id".to_owned(),
            "g.name".to_owned(),
            no_order.to_owned(),
        ),
        Dimension::Domain => (
            "LEFT JOIN problem_domain g ON g.problem_id = i.problem_id".to_owned(),
            "coalesce(g.domain, '')".to_owned(),
            "g.domain".to_owned(),
            no_order.to_owned(),
        ),
        Dimension::Status => (none, "i.status".to_owned(), no_label.to_owned(), no_order.to_owned()),
        Dimension::DeadlineClass => {
            let class = "CASE WHEN i.due_on IS NOT NULL AND i.due_ongoing THEN 'DATED_ONGOING' \
                         WHEN i.due_on IS NOT NULL THEN 'DATED' WHEN i.due_immediate THEN 'IMMEDIATE' \
                         WHEN i.due_ongoing THEN 'ONGOING' ELSE 'NONE' END";
            (none, class.to_owned(), no_label.to_owned(), no_order.to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use sea_orm::Iterable;

    fn day() -> impl Strategy<Value = NaiveDate> {
        (0_i64..60).prop_map(|days| crate::calendar::plus_days(NaiveDate::from_ymd_opt(2023, 1, 1).unwrap(), days))
    }

    fn item() -> impl Strategy<Value = Item> {
        let status = proptest::sample::select(Status::iter().collect::<Vec<_>>());
        (status, proptest::option::of(day()), proptest::option::of(day()))
            .prop_map(|(status, completed_on, due_by)| Item { status, completed_on, due_by })
    }

    #[test]
    fn a_zero_denominator_gives_no_rate() {
        let none = Figures::count(&[], NaiveDate::default());
        assert_eq!((none.completion_rate(), none.close_out_rate(), none.overdue_rate()), (None, None, None));
    }

    proptest! {
        #[test]
        fn figures_add_up_over_any_partition_and_grow_with_time(
            items in proptest::collection::vec(item(), 0..30), at in day(), cut in 0_usize..30
        ) {
            let all = Figures::count(&items, at);
            let (left, right) = items.split_at(cut.min(items.len()));
            let (left, right) = (Figures::count(left, at), Figures::count(right, at));
            prop_assert_eq!(all.all, left.all + right.all);
            prop_assert_eq!(all.completed, left.completed + right.completed);
            prop_assert_eq!(all.overdue, left.overdue + right.overdue);
            prop_assert!(all.closed <= all.completed && all.overdue <= all.due && all.due <= all.all);
            let later = Figures::count(&items, crate::calendar::plus_days(at, 7));
            prop_assert!(later.completed >= all.completed && later.due >= all.due);
        }
    }
}
