//! Numbers that published reports state about inspection rounds (公布数), in addition to those that the ledger counts.

use async_graphql::{Context, Enum, ID, InputObject, Object};
use ledger::keep::published as keep;
use ledger::statistics::published as rule;
use ledger::work::available::{self, Subject};
use planner::{Condition, Dimension, Kind, Noun, SortKey, SortType, Sql, noun};

use crate::context::Request;
use crate::noun::account::Account;
use crate::noun::region::{Region, SubtreeFilter};
use crate::noun::round::{InspectionRound, InspectionRoundFilter};
use crate::part::action::{self, AvailableAction};
use crate::part::filter::{DateFilter, RelationFilter, filter, one_of};
use crate::part::group::{self, dated};
use crate::part::order::order;
use crate::part::payload::{key_of, payload};
use crate::part::scalar::{Date, Moment};

/// What a published figure counts.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "entity::published_figure::Counted")]
pub(crate) enum PublishedFigureCounted {
    /// 反馈问题 · Problems.
    Problems,
    /// 整改措施 · Measures.
    Measures,
    /// 问责人数 · People who were held to account.
    People,
    /// 交办案件 · Complaint cases.
    Cases,
}

/// Which of what is counted a published figure is about.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "entity::published_figure::Topic")]
pub(crate) enum PublishedFigureTopic {
    /// 总数 · All of them.
    Total,
    /// 已完成 · Those that are completed.
    Completed,
    /// 已销号 · Those that are closed.
    Closed,
    /// 达到序时进度 · Those that are on schedule, as reports state it.
    OnSchedule,
    /// 未达序时进度 · Those that are behind schedule, as reports state it, reported to the office above or not.
    Behind,
    /// 职级 · People of the rank that the label names; only of people.
    Rank,
    /// 追责方式 · People with the consequence that the label names; only of people.
    Consequence,
    /// 其他 · Those that the label describes.
    Other,
}

const KEY: SortKey = SortKey::column("{t}.id", "id", SortType::Integer);

/// Returns SQL for the difference, as JSON.
fn is_different(sql: &mut Sql<'_>, figure: &str) -> String {
    let differs = rule::differs(sql, figure);
    sql.boolean(&differs)
}

const GROUPS: &[Dimension] = dated!(
    "{t}.as_of",
    "date of the figures",
    [
        Dimension::plain("COUNTED", "统计对象 · What is counted.", "{t}.counted"),
        Dimension::plain("TOPIC", "统计内容 · Which of them are counted.", "{t}.topic"),
        group::ROUND,
        Dimension { description: "行政区 · Region that the figures speak of.", ..group::REGION },
    ]
);

noun! {
    /// A number that a published report states about an inspection round (公布数), with its source and with the number
    /// that the ledger counts for the same thing today. It changes nothing that is counted.
    pub(crate) PublishedFigure from "published_figure" as "publishedfigure" {
        order: &[KEY.reversed()],
        total: None,
        filter: PublishedFigureFilter,
        by: PublishedFigureOrder,
        groups: GROUPS
    }
    /// Global id of the record, for example `publishedfigure_3`.
    id: ID = Kind::Id;
    /// What is counted.
    counted: PublishedFigureCounted = Kind::Column("counted");
    /// Which of them are counted.
    topic: PublishedFigureTopic = Kind::Column("topic");
    /// Words of the report for what is counted, as printed, such as 县处级; null if none were given.
    label: Option<String> = Kind::Column("label");
    /// Number that the report states, from 0 to 1,000,000,000.
    amount: i64 = Kind::Column("amount");
    /// Number that the ledger counts today for the same round, the region with those below it, and the same topic. Null
    /// where it counts none: for other topics (`OTHER`), for people of a rank or a consequence by another name than
    /// those of `AccountableRank` and `Consequence`, for completed cases and the pace of cases; and where the caller
    /// may not see everything that would be counted.
    ///
    /// `ON_SCHEDULE` and `BEHIND` are what ledgers state (`statedPace`), the latter with `BEHIND_AND_REPORTED`. People
    /// are added up over the records of the round's problems that stand.
    computed: Option<i64> = Kind::Expression(rule::computed);
    /// Whether `computed` is known and another number than `amount`.
    isDifferent: bool = Kind::Expression(is_different);
    /// Local date until which the report counts.
    asOf: Date = Kind::Column("as_of");
    /// Title of the report, with its number or the page.
    source: String = Kind::Column("source");
    /// Region that the number speaks of, with all regions below it.
    region: Region = Kind::One(<Region as Noun>::table, "region_id");
    /// Account that made the record; null if no account did, or if the caller may not see it.
    recorder: Option<Account> = Kind::One(<Account as Noun>::table, "recorder_id");
    /// When the record was made.
    recordedAt: Moment = Kind::Column("recorded_at");
    /// When the record was withdrawn; null while it stands.
    withdrawnAt: Option<Moment> = Kind::Column("withdrawn_at");
    /// Reason why the record was withdrawn; null while it stands.
    withdrawReason: Option<String> = Kind::Column("withdraw_reason");
    /// Inspection round (督察轮次) that the report is about.
    round: InspectionRound = Kind::One(<InspectionRound as Noun>::table, "round_id");
    /// What can be done to it, and whether the caller may do it now; those that are not available say why.
    availableActions: Vec<AvailableAction> =
        Kind::Finished(|sql, figure| available::facts(sql, Subject::PublishedFigure, figure), action::PUBLISHED_FIGURE);
    /// Version number, increased by every change. Mutations take it so that a concurrent change is detected
    /// (`STALE_VERSION`).
    version: i32 = Kind::Column("version");
}

order! { PublishedFigureOrder by PublishedFigureOrderField {
    /// 公布数 · Number that the report states.
    Amount = SortKey::column("{t}.amount", "amount", SortType::Integer),
    /// 截至日期 · Local date until which the report counts.
    AsOf = SortKey::column("{t}.as_of", "as_of", SortType::Date),
    /// 登记时间 · Moment at which the record was made.
    RecordedAt = SortKey::column("{t}.recorded_at", "recorded_at", SortType::Moment),
} }

filter! {
    /// Conditions on published figures. All that are given have to hold.
    PublishedFigureFilter {
        /// What is counted is one of these.
        counted: Vec<PublishedFigureCounted> =
            |counted| one_of::<_, entity::published_figure::Counted>("counted", counted),
        /// The topic is one of these.
        topic: Vec<PublishedFigureTopic> = |topics| one_of::<_, entity::published_figure::Topic>("topic", topics),
        /// Condition on the inspection round that the report is about.
        round: RelationFilter<InspectionRoundFilter> =
            |round| round.condition("round_id", <InspectionRound as Noun>::table()),
        /// Condition on the region that the number speaks of.
        region: SubtreeFilter = |region| region.below(),
        /// Condition on the local date until which the report counts.
        as_of: DateFilter = |day| day.condition("as_of"),
        /// True: only withdrawn records. False: only records that stand.
        is_withdrawn: bool = |withdrawn| Condition::Null("withdrawn_at", !withdrawn),
        /// True: the number that the ledger counts today is known and another one. False: it is the same or not known.
        is_different: bool = |wanted| Condition::Holds(rule::differs, *wanted),
    }
}

/// Input of `recordPublishedFigure`: a number that a published report states about a round.
#[derive(InputObject)]
pub(crate) struct RecordPublishedFigureInput {
    /// Global id of the inspection round that the report is about.
    round_id: ID,
    /// Global id of the region that the number speaks of: the caller's own, or one below it.
    region_id: ID,
    /// What is counted.
    counted: PublishedFigureCounted,
    /// Which of them are counted. `RANK` and `CONSEQUENCE` are only of people; of these, there are only totals and
    /// `OTHER` besides.
    topic: PublishedFigureTopic,
    /// Words of the report for what is counted, such as 县处级, at most 100 characters; required for `RANK`,
    /// `CONSEQUENCE` and `OTHER`.
    label: Option<String>,
    /// Number that the report states, from 0 to 1,000,000,000.
    amount: i64,
    /// Local date until which the report counts, not after today.
    as_of: Date,
    /// Title of the report, with its number or the page, 2 to 300 characters.
    source: String,
}

/// Input of `correctPublishedFigure`: the record as it should read. All fields are replaced.
#[derive(InputObject)]
pub(crate) struct CorrectPublishedFigureInput {
    /// Global id of the record to correct.
    figure_id: ID,
    /// Version of the record that the caller read; an outdated one is refused.
    version: i32,
    /// Global id of the region that the number speaks of: the caller's own, or one below it.
    region_id: ID,
    /// What is counted.
    counted: PublishedFigureCounted,
    /// Which of them are counted. `RANK` and `CONSEQUENCE` are only of people; of these, there are only totals and
    /// `OTHER` besides.
    topic: PublishedFigureTopic,
    /// Words of the report for what is counted, such as 县处级, at most 100 characters; required for `RANK`,
    /// `CONSEQUENCE` and `OTHER`.
    label: Option<String>,
    /// Number that the report states, from 0 to 1,000,000,000.
    amount: i64,
    /// Local date until which the report counts, not after today.
    as_of: Date,
    /// Title of the report, with its number or the page, 2 to 300 characters.
    source: String,
}

/// Input of `withdrawPublishedFigure`: a record that was wrong from the beginning.
#[derive(InputObject)]
pub(crate) struct WithdrawPublishedFigureInput {
    /// Global id of the record to withdraw.
    figure_id: ID,
    /// Version of the record that the caller read; an outdated one is refused.
    version: i32,
    /// Reason for the withdrawal, 2 to 5,000 characters.
    reason: String,
}

payload! {
    /// Result of recording, correcting or withdrawing a published figure.
    PublishedFigurePayload {
        /// Record as it is now; null if the mutation was refused.
        published_figure: PublishedFigure,
        /// Reasons why the mutation was refused; empty if it was carried out.
        errors
    }
}

/// Mutations on published figures.
#[derive(Default)]
pub(crate) struct PublishedFigureMutation;

#[Object]
impl PublishedFigureMutation {
    /// Records a number that a published report states about an inspection round (公布数). Requires an office that
    /// keeps rounds of its level.
    async fn record_published_figure(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Round, number and source.")] input: RecordPublishedFigureInput,
    ) -> async_graphql::Result<PublishedFigurePayload> {
        let request = ctx.data::<Request>()?;
        let record = keep::Record {
            region: key_of::<Region>(&input.region_id),
            counted: input.counted.into(),
            topic: input.topic.into(),
            label: input.label,
            amount: input.amount,
            as_of: input.as_of.0,
            source: input.source,
        };
        let done = keep::record(&request.acting(), key_of::<InspectionRound>(&input.round_id), &record).await;
        PublishedFigurePayload::of(done, request)
    }

    /// Corrects a published figure that is not withdrawn. Requires an office that keeps rounds of its level.
    async fn correct_published_figure(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Record as it should read.")] input: CorrectPublishedFigureInput,
    ) -> async_graphql::Result<PublishedFigurePayload> {
        let request = ctx.data::<Request>()?;
        let record = keep::Record {
            region: key_of::<Region>(&input.region_id),
            counted: input.counted.into(),
            topic: input.topic.into(),
            label: input.label,
            amount: input.amount,
            as_of: input.as_of.0,
            source: input.source,
        };
        let figure = key_of::<PublishedFigure>(&input.figure_id);
        PublishedFigurePayload::of(keep::correct(&request.acting(), figure, input.version, &record).await, request)
    }

    /// Withdraws a published figure: it stays readable and is marked. Requires an office that
    /// keeps rounds of its level.
    async fn withdraw_published_figure(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Record to withdraw, and the reason.")] input: WithdrawPublishedFigureInput,
    ) -> async_graphql::Result<PublishedFigurePayload> {
        let request = ctx.data::<Request>()?;
        let figure = key_of::<PublishedFigure>(&input.figure_id);
        let done = keep::withdraw(&request.acting(), figure, input.version, &input.reason).await;
        PublishedFigurePayload::of(done, request)
    }
}
