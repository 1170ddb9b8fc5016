//! Statistics (挂图作战): progress figures of the rectification at a date, split by one dimension.

use crate::part::scalar::Date;
use async_graphql::{Context, Enum, InputObject, Object, SimpleObject};
use ledger::statistics::{self, Figures, Question};
use planner::{Bilingual, Noun};
use sea_orm::Value;

use crate::context::Request;
use crate::error::{Code, coded, masked};
use crate::noun::region::Region;
use crate::noun::region::SubtreeFilter;

/// Dimension by which statistics are split into rows.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "ledger::statistics::Dimension")]
pub(crate) enum StatisticsDimension {
    /// 行政区 · One row for each direct child of the requested region. Rows may overlap: a measure that several
    /// counties answer counts in each of them.
    Region,
    /// 牵头单位 · One row for each lead unit. A problem counts under every unit that leads one of its measures, so rows
    /// may overlap when problems are counted.
    LeadUnit,
    /// 督察轮次 · One row for each inspection round. Rows partition the total.
    Round,
    /// 领域 · One row for each domain of the problem, such as 水 or 大气. Rows may overlap: a problem may belong to
    /// several domains.
    Domain,
    /// 办理状态 · One row for each current workflow status. Rows partition the total. For today only: rows for a past
    /// `asOf` are refused, because past statuses are not stored.
    Status,
    /// 时限类别 · One row for each form of deadline: `DATED`, `DATED_ONGOING`, `IMMEDIATE`, `ONGOING` or `NONE`. Rows
    /// partition the total.
    DeadlineClass,
}

/// Kind of item that statistics count.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "ledger::statistics::Counted")]
pub(crate) enum StatisticsCount {
    /// 反馈问题 · Counts the problems that inspections fed back.
    Problems,
    /// 整改措施 · Counts the measures against the problems.
    Measures,
    /// 责任分解 · Counts the assignments of measures to single units.
    Assignments,
}

/// Conditions on the items that statistics count.
#[derive(InputObject, Default)]
pub(crate) struct StatisticsFilter {
    /// Region that the items concern: where they were issued or are answered. If omitted, the caller's own region, or
    /// everything that the caller may see if their rights are not limited to a region.
    region: Option<SubtreeFilter>,
}

/// Progress figures at a date: the total, and one row for each group.
#[derive(SimpleObject)]
pub(crate) struct Statistics {
    /// Local date to which the figures apply.
    as_of: Date,
    /// Figures of all requested items, each counted once.
    total: StatisticsFigures,
    /// Figures of each group: regions in the order of their codes, other groups with the largest first.
    rows: Vec<StatisticsRow>,
}

/// Progress figures of a set of items (problems, measures or assignments).
#[derive(SimpleObject)]
pub(crate) struct StatisticsFigures {
    /// Number of all items, whatever their status.
    all: i64,
    /// Number of items completed (完成) by the date, including those closed.
    completed: i64,
    /// Number of items closed (销号) whose completion date, if known, is not after the date.
    closed: i64,
    /// Number of items completed but not yet closed (待销号): `completed` − `closed`.
    waiting_for_close_out: i64,
    /// Number of items that are not applicable (不涉及).
    not_applicable: i64,
    /// Number of items overdue (逾期) at the date: past their deadline and not completed, as far as that is known.
    overdue: i64,
    /// Number of items of which nobody knows whether they were completed at the date, because a ledger of a later date
    /// states that they are. They are neither completed nor overdue.
    unknown: i64,
    /// Completion rate as a fraction, `0.5` for 50 %: `completed` ÷ (`all` − `notApplicable`); null if the divisor is
    /// zero, or if some items are `unknown`.
    completion_rate: Option<f64>,
    /// Close-out rate as a fraction, `0.5` for 50 %: `closed` ÷ (`all` − `notApplicable`); null if the divisor is zero,
    /// or if some items are `unknown`.
    close_out_rate: Option<f64>,
    /// Overdue rate as a fraction, `0.5` for 50 %: `overdue` ÷ the number of applicable items whose deadline has
    /// passed; null if there are none, or if some items are `unknown`.
    overdue_rate: Option<f64>,
}

/// Progress figures of one group of items.
#[derive(SimpleObject)]
pub(crate) struct StatisticsRow {
    /// Key of the group: a global id such as `region_4`, or a code such as `IN_PROGRESS`; empty for items without a
    /// value in the dimension.
    key: String,
    /// Name of the group in Chinese, such as 白河县; 未明确 for items without a value in the dimension.
    label: String,
    /// Progress figures of the items in the group.
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
            unknown: figures.unknown,
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

/// The query for progress statistics.
#[derive(Default)]
pub(crate) struct StatisticsQuery;

#[Object]
impl StatisticsQuery {
    /// Progress figures of the rectification at a date, split by one dimension. For a past date, the items that exist
    /// now are judged by what was completed, closed and due by then, and split by the regions, units, domains and
    /// deadlines that they have now; rows by `STATUS` are refused. Within a region, and in the row of each region, a
    /// problem or measure that several regions answer is judged by the answers of that region; by all answers only for
    /// the region that issued it and those above.
    async fn statistics(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Counts only items that satisfy this filter.")] filter: Option<StatisticsFilter>,
        #[graphql(desc = "Local date to which the figures apply; today if omitted.")] as_of: Option<Date>,
        #[graphql(desc = "Dimension by which to split the figures.")] by: StatisticsDimension,
        #[graphql(desc = "Kind of item to count.", default_with = "StatisticsCount::Measures")] count: StatisticsCount,
    ) -> async_graphql::Result<Statistics> {
        let request = ctx.data::<Request>()?;
        let as_of = as_of.map_or_else(|| request.today(), |day| day.0);
        let within = filter.and_then(|filter| filter.region).and_then(|region| region.within);
        // No region has the key 0, so an id that is not a region's counts nothing.
        let within = within.map(|id| match <Region as Noun>::table().key(&id) {
            Some(Value::BigInt(Some(key))) => key,
            _ => 0,
        });
        let wants_groups = ctx.look_ahead().field("rows").exists();
        if wants_groups && by == StatisticsDimension::Status && as_of < request.today() {
            return Err(coded(
                Code::BadUserInput,
                Bilingual::new(
                    "`by: STATUS` 只能拆分今天的数据，以往的状态没有留存：请省略 `asOf`、只取 `total`，或换维度",
                    "`by: STATUS` splits today's figures only, past statuses are not stored: omit `asOf`, select only \
                     `total`, or use another dimension",
                ),
            ));
        }
        let question = Question { within, as_of, by: by.into(), counted: count.into(), wants_groups };
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
