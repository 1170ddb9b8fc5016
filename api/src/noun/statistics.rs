//! Statistics (挂图作战): the figures on the wall.

use crate::part::scalar::Date;
use async_graphql::{Context, Enum, InputObject, Object, SimpleObject};
use ledger::statistics::{self, Figures, Question};
use planner::Noun;
use sea_orm::Value;

use crate::context::Request;
use crate::error::masked;
use crate::noun::region::Region;
use crate::noun::region::SubtreeFilter;

/// What figures are split by.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "ledger::statistics::Dimension")]
pub(crate) enum StatisticsDimension {
    /// The direct children of the region asked for. Rows may overlap: a measure of several counties counts in each.
    Region,
    /// 牵头单位
    LeadUnit,
    /// 督察轮次
    Round,
    /// 领域. Rows may overlap: a problem may belong to several.
    Domain,
    /// The workflow state. Rows partition the whole.
    Status,
    /// The form of the deadline. Rows partition the whole.
    DeadlineClass,
}

/// What is counted.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "ledger::statistics::Counted")]
pub(crate) enum StatisticsCount {
    /// 反馈问题
    Problems,
    /// 整改措施
    Measures,
    /// 责任分解
    Assignments,
}

/// Demands on what is counted.
#[derive(InputObject, Default)]
pub(crate) struct StatisticsFilter {
    /// Where it was issued or is answered.
    region: Option<SubtreeFilter>,
}

/// The figures at a date.
#[derive(SimpleObject)]
pub(crate) struct Statistics {
    /// The day that they are of.
    as_of: Date,
    /// Everything that was asked for, each row once.
    total: StatisticsFigures,
    /// The groups.
    rows: Vec<StatisticsRow>,
}

/// Figures of everything that was asked for.
#[derive(SimpleObject)]
pub(crate) struct StatisticsFigures {
    /// All rows.
    all: i64,
    /// Completed (完成), closed ones included.
    completed: i64,
    /// Closed (销号).
    closed: i64,
    /// Completed and not yet closed (待销号).
    waiting_for_close_out: i64,
    /// Not applicable (不涉及).
    not_applicable: i64,
    /// Open past the deadline (逾期).
    overdue: i64,
    /// Completed ÷ (all − not applicable); null where that is zero.
    completion_rate: Option<f64>,
    /// Closed ÷ (all − not applicable); null where that is zero.
    close_out_rate: Option<f64>,
    /// Overdue ÷ all whose deadline has passed; null where none has.
    overdue_rate: Option<f64>,
}

/// Figures of one group.
#[derive(SimpleObject)]
pub(crate) struct StatisticsRow {
    /// What the group is: a global id, or a code; empty where the dimension is not set.
    key: String,
    /// Its name, in Chinese.
    label: String,
    /// Its figures.
    #[graphql(flatten)]
    figures: StatisticsFigures,
}

impl From<&Figures> for StatisticsFigures {
    fn from(figures: &Figures) -> Self {
        Self {
            all: figures.all,
            completed: figures.completed,
            closed: figures.closed,
            waiting_for_close_out: figures.completed - figures.closed,
            not_applicable: figures.not_applicable,
            overdue: figures.overdue,
            completion_rate: figures.completion_rate(),
            close_out_rate: figures.close_out_rate(),
            overdue_rate: figures.overdue_rate(),
        }
    }
}

impl From<&Figures> for StatisticsRow {
    fn from(group: &Figures) -> Self {
        let key = group.key.clone().unwrap_or_default();
        let label = group.label.clone().unwrap_or_else(|| statistics::label_of(&key).to_owned());
        Self { key, label, figures: group.into() }
    }
}

/// Asking for statistics.
#[derive(Default)]
pub(crate) struct StatisticsQuery;

#[Object]
impl StatisticsQuery {
    /// How far the rectification is at a date, split by one dimension.
    async fn statistics(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only what satisfies this.")] filter: Option<StatisticsFilter>,
        #[graphql(desc = "The day that the figures are of; today when left out.")] as_of: Option<Date>,
        #[graphql(desc = "What to split by.")] by: StatisticsDimension,
        #[graphql(desc = "What to count.", default_with = "StatisticsCount::Measures")] count: StatisticsCount,
    ) -> async_graphql::Result<Statistics> {
        let request = ctx.data::<Request>()?;
        let as_of = as_of.map_or_else(|| request.today(), |day| day.0);
        let within = filter.and_then(|filter| filter.region).and_then(|region| region.within);
        // A region that is not there concerns nothing.
        let within = within.map(|id| match <Region as Noun>::table().key(&id) {
            Some(Value::BigInt(Some(key))) => key,
            _ => 0,
        });
        let question = Question { within, as_of, by: by.into(), counted: count.into() };
        let answer = statistics::answer(&request.db, &question, request.principal())
            .await
            .map_err(|failure| masked(&failure))?;
        Ok(Statistics {
            as_of: Date(as_of),
            total: (&answer.total).into(),
            rows: answer.rows.iter().map(StatisticsRow::from).collect(),
        })
    }
}
