//! Statistics (挂图作战): progress figures of the rectification at a date, split by one or two dimensions, and at the
//! end of each of several months.

use crate::part::scalar::Date;
use async_graphql::{Context, Enum, InputObject, Object, SimpleObject};
use chrono::NaiveDate;
use ledger::rule::calendar::Month;
use ledger::statistics::{self, Answer, Clock, Counted, Dimension, Figures, Group, More, Only, Question};
use planner::{Bilingual, Noun};
use sea_orm::{ActiveEnum, Value};

use crate::context::Request;
use crate::error::{Code, coded, masked};
use crate::noun::assignment::Status;
use crate::noun::region::{Region, SubtreeFilter};
use crate::noun::round::{InspectionRound, InspectionRoundFilter};
use crate::noun::unit::{Unit, UnitFilter};
use crate::part::filter::{RelationFilter, code_of};

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
    /// 县（区） · One row for each county within the requested region, however far below it. Rows may overlap like
    /// those by `REGION`.
    County,
    /// 责任单位 · One row for each unit within the requested region that answers, judged by what it answers itself.
    /// Rows overlap when problems or measures are counted.
    Unit,
    /// 行业 · One row for each sector of the lead unit, such as 水利; of assignments, of the answering unit. Rows may
    /// overlap when problems are counted.
    Sector,
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

/// Form of a deadline.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
pub(crate) enum DeadlineClass {
    /// 定期完成 · The deadline is a date.
    Dated,
    /// 定期完成并长期坚持 · The deadline is a date, and the work goes on after it.
    DatedOngoing,
    /// 立行立改 · The work has to be done immediately.
    Immediate,
    /// 长期坚持 · The work goes on without a date.
    Ongoing,
    /// 未载明时限 · No deadline is printed.
    None,
}

/// Conditions on the items that statistics count. All that are given have to hold.
#[derive(InputObject, Default)]
pub(crate) struct StatisticsFilter {
    /// Region that the items concern: where they were issued or are answered. If omitted, the caller's own region, or
    /// everything that the caller may see if their rights are not limited to a region.
    region: Option<SubtreeFilter>,
    /// Condition on the inspection round.
    round: Option<RelationFilter<InspectionRoundFilter>>,
    /// Condition on the lead unit; a problem is led by the lead units of its measures.
    lead_unit: Option<RelationFilter<UnitFilter>>,
    /// Condition on the unit that answers; a measure or a problem counts if one of its answering units satisfies it,
    /// and is judged with the answers of the others, too. For what these units have done themselves, count
    /// `ASSIGNMENTS`.
    unit: Option<RelationFilter<UnitFilter>>,
    /// The problem belongs to one of these domains, such as `水`.
    domains: Option<Vec<String>>,
    /// The sector of the lead unit (of assignments: of the answering unit) is one of these, such as `水利`.
    sectors: Option<Vec<String>>,
    /// The form of the deadline is one of these.
    deadline_class: Option<Vec<DeadlineClass>>,
    /// The current workflow status is one of these. For today only: refused for a past `asOf`.
    status: Option<Vec<Status>>,
}

impl StatisticsFilter {
    /// Returns the key of the region, and the other conditions.
    fn read(&self) -> (Option<i64>, Only) {
        let within = self.region.as_ref().and_then(|region| region.within.as_ref());
        // No region has the key 0, so an id that is not a region's counts nothing.
        let within = within.map(|id| match <Region as Noun>::table().key(id) {
            Some(Value::BigInt(Some(key))) => key,
            _ => 0,
        });
        let unit = |filter: &RelationFilter<UnitFilter>, column| filter.condition(column, <Unit as Noun>::table());
        let statuses = |statuses: &Vec<Status>| {
            statuses.iter().map(|status| entity::assignment::Status::from(*status).to_value()).collect()
        };
        let classes =
            |classes: &Vec<DeadlineClass>| classes.iter().map(|class| code_of(*class)).collect::<Vec<String>>();
        let only = Only {
            round: self.round.as_ref().map(|round| round.condition("round_id", <InspectionRound as Noun>::table())),
            lead_unit: self.lead_unit.as_ref().map(|filter| unit(filter, "lead_unit_id")),
            unit: self.unit.as_ref().map(|filter| unit(filter, "unit_id")),
            domains: self.domains.clone(),
            sectors: self.sectors.clone(),
            classes: self.deadline_class.as_ref().map(classes),
            statuses: self.status.as_ref().map(statuses),
        };
        (within, only)
    }
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
    /// Whether there are more groups than `rows` has, which is at most 20,000.
    is_cut_off: bool,
}

/// Progress figures that are known of every set of items.
#[derive(SimpleObject)]
pub(crate) struct ItemFigures {
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

/// Progress figures of a set of items (problems, measures or assignments).
#[derive(SimpleObject)]
pub(crate) struct StatisticsFigures {
    #[graphql(flatten)]
    figures: ItemFigures,
    /// Number of items that are due and were completed by their deadline; null in a briefing, like all that follows.
    on_time: Option<i64>,
    /// Share completed by the deadline (按期完成率) as a fraction: `onTime` ÷ the number of applicable items whose
    /// deadline has passed; null if there are none, or if it is not known of all.
    on_time_rate: Option<f64>,
    /// Number of assignments with a deadline that are completed, ahead of schedule or on schedule (达到序时进度); null
    /// for a past date and unless assignments are counted.
    on_schedule: Option<i64>,
    /// Share on schedule (序时进度达标率) as a fraction: `onSchedule` ÷ the applicable assignments with a deadline;
    /// null like `onSchedule`, and if there are none.
    on_schedule_rate: Option<f64>,
    /// Number of assignments that owe the self-inspection of the last quarter that was over at the date; null unless
    /// assignments are counted.
    checks_due: Option<i64>,
    /// Share of the self-inspections owed that were made (自查完成率) as a fraction; null if none were owed, and unless
    /// assignments are counted.
    check_completion_rate: Option<f64>,
    /// Share of the self-inspections made that were passed (自查通过率) as a fraction; null if none were made, and
    /// unless assignments are counted.
    check_pass_rate: Option<f64>,
    /// Share of the monthly accounts owed for the month of the date that have been given (按月交账率) as a fraction;
    /// null if none were owed, and unless assignments are counted.
    timeliness: Option<f64>,
    /// Number of assignments that were reopened (反弹) by the date; null unless assignments are counted.
    reopened: Option<i64>,
    /// Relapse rate (反弹率) as a fraction: `reopened` ÷ the assignments that had ever been closed by the date; null if
    /// there are none, and unless assignments are counted.
    relapse_rate: Option<f64>,
}

/// Fields of `StatisticsFigures` and of rows that are counted only if they are selected.
const MORE: [&str; 11] = [
    "onTime",
    "onTimeRate",
    "onSchedule",
    "onScheduleRate",
    "checksDue",
    "checkCompletionRate",
    "checkPassRate",
    "timeliness",
    "reopened",
    "relapseRate",
    "rank",
];

/// Group of items in one dimension.
#[derive(SimpleObject)]
pub(crate) struct StatisticsKey {
    /// Key of the group: a global id such as `region_4`, or a code such as `IN_PROGRESS`; empty for items without a
    /// value in the dimension.
    key: String,
    /// Name of the group in Chinese, such as 白河县; 未明确 for items without a value in the dimension.
    label: String,
    /// Official code of the region that is the group, as in GB/T 2260; null for other groups.
    code: Option<String>,
}

impl From<&statistics::Key> for StatisticsKey {
    fn from(group: &statistics::Key) -> Self {
        let label = group.label.clone().unwrap_or_else(|| statistics::label_of(&group.key).to_owned());
        Self { key: group.key.clone(), label, code: group.code.clone() }
    }
}

/// Progress figures of one group of items.
#[derive(SimpleObject)]
pub(crate) struct StatisticsRow {
    /// Key of the group: a global id such as `region_4`, or a code such as `IN_PROGRESS`; empty for items without a
    /// value in the dimension.
    key: String,
    /// Name of the group in Chinese, such as 白河县; 未明确 for items without a value in the dimension.
    label: String,
    /// Official code of the region that is the group, as in GB/T 2260; null for other groups.
    code: Option<String>,
    /// Group in the second dimension; null if the figures are split by one.
    and: Option<StatisticsKey>,
    /// Place among the rows, from 1, by the rule of `briefing`: completion rate, then fewer overdue, more on schedule
    /// and more monthly accounts. Rows that are equal share a place. Null unless the figures are split by `REGION`,
    /// `COUNTY`, `UNIT` or `LEAD_UNIT` alone, and without a completion rate.
    rank: Option<i32>,
    /// Progress figures of the items in the group.
    #[graphql(flatten)]
    figures: StatisticsFigures,
}

impl From<&Figures> for ItemFigures {
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

impl StatisticsFigures {
    /// Returns the figures, with what else was counted for a question.
    fn of(figures: &Figures, more: Option<(&Question, &More)>) -> Self {
        let answers = more.filter(|(question, _)| question.counted == Counted::Assignments).map(|(_, more)| more);
        let paced = more.filter(|(question, _)| question.knows_pace()).map(|(_, more)| more);
        Self {
            figures: figures.into(),
            on_time: more.map(|(_, more)| more.on_time),
            on_time_rate: more.and_then(|(_, more)| more.on_time_rate(figures.due)),
            on_schedule: paced.map(|more| more.on_schedule),
            on_schedule_rate: paced.and_then(More::on_schedule_rate),
            checks_due: answers.map(|more| more.checks_due),
            check_completion_rate: answers.and_then(More::check_completion_rate),
            check_pass_rate: answers.and_then(More::check_pass_rate),
            timeliness: answers.and_then(More::timeliness),
            reopened: answers.map(|more| more.reopened),
            relapse_rate: answers.and_then(More::relapse_rate),
        }
    }
}

impl From<&Figures> for StatisticsFigures {
    fn from(figures: &Figures) -> Self {
        Self::of(figures, None)
    }
}

impl StatisticsRow {
    fn of(question: &Question, group: &Group) -> Self {
        let key = group.figures.key.clone().unwrap_or_default();
        let label = group.figures.label.clone().unwrap_or_else(|| statistics::label_of(&key).to_owned());
        Self {
            key,
            label,
            code: group.code.clone(),
            and: group.and.as_ref().map(Into::into),
            rank: group.rank.and_then(|rank| rank.try_into().ok()),
            figures: StatisticsFigures::of(&group.figures, Some((question, &group.more))),
        }
    }
}

impl Statistics {
    fn of(question: &Question, answer: &Answer) -> Self {
        Self {
            as_of: Date(question.as_of),
            total: StatisticsFigures::of(&answer.total, Some((question, &answer.more))),
            rows: answer.rows.iter().map(|group| StatisticsRow::of(question, group)).collect(),
            is_cut_off: answer.is_cut,
        }
    }
}

/// What is asked for in both queries, other than the day.
struct Asked {
    filter: StatisticsFilter,
    by: Option<StatisticsDimension>,
    and: Option<StatisticsDimension>,
    count: StatisticsCount,
}

impl Asked {
    /// Returns the questions for these days, if they can be answered.
    fn questions(self, ctx: &Context<'_>, days: &[NaiveDate]) -> async_graphql::Result<Vec<Question>> {
        let request = ctx.data::<Request>()?;
        let today = request.today();
        let refused = |zh: &str, en: &str| coded(Code::BadUserInput, Bilingual::new(zh, en));
        let (within, only) = self.filter.read();
        for condition in [&only.round, &only.lead_unit, &only.unit].into_iter().flatten() {
            condition.check().map_err(|refusal| coded(Code::BadUserInput, refusal.0))?;
        }
        let wants_groups = self.by.is_some() && ctx.look_ahead().field("rows").exists();
        let dimensions: Vec<Dimension> = [self.by, self.and].into_iter().flatten().map(Into::into).collect();
        if let [by, and] = dimensions.as_slice()
            && (by == and || (by.is_answering() && and.is_answering()))
        {
            return Err(refused(
                "`and` 应与 `by` 不同；`REGION`、`COUNTY`、`UNIT` 三者只能选一个",
                "`and` must differ from `by`, and only one of them can be `REGION`, `COUNTY` or `UNIT`",
            ));
        }
        let is_past = days.iter().any(|day| *day < today);
        if is_past && wants_groups && dimensions.contains(&Dimension::Status) {
            return Err(refused(
                "`STATUS` 只能拆分今天的数据，以往的状态没有留存：请省略 `asOf`、只取 `total`，或换维度",
                "`STATUS` splits today's figures only, past statuses are not stored: omit `asOf`, select only `total`, \
                 or use another dimension",
            ));
        }
        if is_past && only.statuses.is_some() {
            return Err(refused(
                "`filter.status` 只能筛选今天的数据，以往的状态没有留存：请省略 `asOf` 或 `status`",
                "`filter.status` applies to today's figures only, past statuses are not stored: omit `asOf` or \
                 `status`",
            ));
        }
        let selects = |part: &str| MORE.iter().any(|field| ctx.look_ahead().field(part).field(field).exists());
        let wants_more = selects("total") || selects("rows");
        let by = dimensions.first().copied().unwrap_or(Dimension::Round);
        let question = Question {
            within,
            as_of: today,
            by,
            and: dimensions.get(1).copied().filter(|_| wants_groups),
            only,
            clock: Some(Clock { today, zone: request.zone }),
            wants_more,
            counted: self.count.into(),
            wants_groups,
        };
        Ok(days.iter().map(|day| Question { as_of: *day, ..question.clone() }).collect())
    }
}

/// Returns the day that an argument names, or today. Of a day to come nothing is known.
fn day_of(ctx: &Context<'_>, argument: &str, given: Option<Date>) -> async_graphql::Result<NaiveDate> {
    let today = ctx.data::<Request>()?.today();
    match given {
        Some(Date(day)) if day > today => Err(coded(
            Code::BadUserInput,
            Bilingual::new(
                format!("`{argument}` 不能晚于今天（{today}）"),
                format!("`{argument}` must not be after today ({today})"),
            ),
        )),
        given => Ok(given.map_or(today, |day| day.0)),
    }
}

/// Returns the answers to questions, in their order.
async fn answered(ctx: &Context<'_>, questions: Vec<Question>) -> async_graphql::Result<Vec<Statistics>> {
    let request = ctx.data::<Request>()?;
    let answers =
        statistics::answers(&request.db, &questions, request.principal()).await.map_err(|failure| masked(&failure))?;
    Ok(questions.iter().zip(&answers).map(|(question, answer)| Statistics::of(question, answer)).collect())
}

/// The most months in one answer.
const MAX_MONTHS: i32 = 36;

/// The queries for progress statistics.
#[derive(Default)]
pub(crate) struct StatisticsQuery;

#[Object]
impl StatisticsQuery {
    /// Progress figures of the rectification at a date, split by one or two dimensions. For a past date, the items that
    /// exist now are judged by what was completed, closed and due by then, and split by the regions, units, domains and
    /// deadlines that they have now; rows by `STATUS` are refused. Within a region, and in the row of each region, a
    /// problem or measure that several regions answer is judged by the answers of that region; by all answers only for
    /// the region that issued it and those above.
    async fn statistics(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Counts only items that satisfy this filter.")] filter: Option<StatisticsFilter>,
        #[graphql(desc = "Local date to which the figures apply, not after today; today if omitted.")] as_of: Option<
            Date,
        >,
        #[graphql(desc = "Dimension by which to split the figures.")] by: StatisticsDimension,
        #[graphql(desc = "Second dimension, by which each row is split.")] and: Option<StatisticsDimension>,
        #[graphql(desc = "Kind of item to count.", default_with = "StatisticsCount::Measures")] count: StatisticsCount,
    ) -> async_graphql::Result<Statistics> {
        let as_of = day_of(ctx, "asOf", as_of)?;
        let asked = Asked { filter: filter.unwrap_or_default(), by: Some(by), and, count };
        let mut answers = answered(ctx, asked.questions(ctx, &[as_of])?).await?;
        Ok(answers.remove(0))
    }

    /// Progress figures at the end of each of several months, the earliest first; the last month counts until the date
    /// that is asked for. Each is what `statistics` answers for that day.
    async fn monthly_statistics(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Counts only items that satisfy this filter.")] filter: Option<StatisticsFilter>,
        #[graphql(desc = "Local date of the last figures, not after today; today if omitted.")] until: Option<Date>,
        #[graphql(desc = "Number of months, from 1 to 36.", default = 12)] months: i32,
        #[graphql(desc = "Dimension by which to split the figures; without it, `rows` is empty.")] by: Option<
            StatisticsDimension,
        >,
        #[graphql(desc = "Kind of item to count.", default_with = "StatisticsCount::Measures")] count: StatisticsCount,
    ) -> async_graphql::Result<Vec<Statistics>> {
        if !(1..=MAX_MONTHS).contains(&months) {
            let zh = format!("`months: {months}` 超出范围，应为 1 至 {MAX_MONTHS}");
            let en = format!("`months: {months}` is out of range: ask for 1 to {MAX_MONTHS} months");
            return Err(coded(Code::BadUserInput, Bilingual::new(zh, en)));
        }
        let until = day_of(ctx, "until", until)?;
        let earlier = std::iter::successors(Some(Month::of(until)), |month| Some(month.previous()));
        let mut days: Vec<NaiveDate> = earlier.map(|month| month.last_day().min(until)).take(months as usize).collect();
        days.reverse();
        let asked = Asked { filter: filter.unwrap_or_default(), by, and: None, count };
        answered(ctx, asked.questions(ctx, &days)?).await
    }
}
