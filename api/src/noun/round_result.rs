//! Counted results of inspection rounds (督察成果).

use async_graphql::{Context, Enum, ID, InputObject, Object};
use ledger::keep::result as keep;
use planner::{Condition, Dimension, Figure, FigureKind, Kind, Noun, SortKey, SortType, Sql, noun};

use crate::context::Request;
use crate::noun::account::Account;
use crate::noun::region::Region;
use crate::noun::round::{InspectionRound, InspectionRoundFilter};
use crate::part::filter::{DateFilter, RelationFilter, filter, one_of};
use crate::part::group::{self, dated};
use crate::part::order::order;
use crate::part::payload::{key_of, payload};
use crate::part::scalar::{Date, Moment};

/// Kind of a result of an inspection round.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "entity::round_result::ResultKind")]
pub(crate) enum RoundResultKind {
    /// 关停取缔 · Plants that were closed or banned.
    ClosedDown,
    /// 罚款 · Fines.
    Fined,
    /// 行政处罚 · Administrative penalties.
    Penalised,
    /// 制度成果 · Rules and systems that were established.
    Institution,
    /// 其他 · Other results, which the title describes.
    Other,
}

const KEY: SortKey = SortKey::column("{t}.id", "id", SortType::Integer);

const MONEY: &str = "CAST({t}.money AS double precision) / 10000";

/// Returns SQL for the total of the fines in 万元; it is stored in yuan.
fn money(_: &mut Sql<'_>, result: &str) -> String {
    Sql::on(MONEY, result)
}

const GROUPS: &[Dimension] = dated!(
    "{t}.decided_on",
    "date of the decision",
    [
        Dimension::plain("KIND", "成果类型 · Kind of result.", "{t}.kind"),
        group::ROUND,
        Dimension {
            description: "行政区 · Region of the results; null for those of a round as a whole.",
            ..group::REGION
        },
    ]
);

const FIGURES: &[Figure] = &[
    Figure {
        name: "amountCounted",
        description: "Number of results per record; withdrawn records are left out.",
        expression: "CASE WHEN {t}.withdrawn_at IS NULL THEN {t}.amount END",
        kind: FigureKind::Number,
    },
    Figure {
        name: "moneyCounted",
        description: "Fines per record in 万元 (10,000 yuan), where known; withdrawn records are left out.",
        expression: "CASE WHEN {t}.withdrawn_at IS NULL THEN CAST({t}.money AS double precision) / 10000 END",
        kind: FigureKind::Number,
    },
];

noun! {
    /// A number of results (督察成果) of one kind to which an inspection round led, such as plants closed or fines.
    pub(crate) RoundResult from "round_result" as "roundresult" {
        order: &[KEY.reversed()],
        total: None,
        filter: RoundResultFilter,
        by: RoundResultOrder,
        groups: GROUPS,
        figures: FIGURES
    }
    /// Global id of the record, for example `roundresult_3`.
    id: ID = Kind::Id;
    /// Kind of result.
    kind: RoundResultKind = Kind::Column("kind");
    /// Name of the institution, or a remark; null if none was given.
    title: Option<String> = Kind::Column("title");
    /// Number of results, from 0 to 1,000,000.
    amount: i32 = Kind::Column("amount");
    /// Total of the fines in 万元 (10,000 yuan); null if it is not known, and for all kinds but fines (`FINED`).
    money: Option<f64> = Kind::Expression(money);
    /// Region of the results; null if they are those of the round as a whole.
    region: Option<Region> = Kind::One(<Region as Noun>::table, "region_id");
    /// Local date of the results, or until which they are counted; null if it is not known.
    decidedOn: Option<Date> = Kind::Column("decided_on");
    /// Account that made the record; null if no account did, or if the caller may not see it.
    recorder: Option<Account> = Kind::One(<Account as Noun>::table, "recorder_id");
    /// When the record was made.
    recordedAt: Moment = Kind::Column("recorded_at");
    /// When the record was withdrawn, since when it no longer counts; null while it stands.
    withdrawnAt: Option<Moment> = Kind::Column("withdrawn_at");
    /// Reason why the record was withdrawn; null while it stands.
    withdrawReason: Option<String> = Kind::Column("withdraw_reason");
    /// Inspection round (督察轮次) that led to the results.
    round: InspectionRound = Kind::One(<InspectionRound as Noun>::table, "round_id");
    /// Version number, increased by every change. Mutations take it so that a concurrent change is detected
    /// (`STALE_VERSION`).
    version: i32 = Kind::Column("version");
}

order! { RoundResultOrder by RoundResultOrderField {
    /// 数量 · Number of results.
    Amount = SortKey::column("{t}.amount", "amount", SortType::Integer),
    /// 登记时间 · Moment at which the record was made.
    RecordedAt = SortKey::column("{t}.recorded_at", "recorded_at", SortType::Moment),
} }

filter! {
    /// Conditions on results of rounds. All that are given have to hold.
    RoundResultFilter {
        /// The kind of result is one of these.
        kind: Vec<RoundResultKind> = |kinds| one_of::<_, entity::round_result::ResultKind>("kind", kinds),
        /// Condition on the inspection round that led to the results.
        round: RelationFilter<InspectionRoundFilter> =
            |round| round.condition("round_id", <InspectionRound as Noun>::table()),
        /// Condition on the local date of the results.
        decided_on: DateFilter = |day| day.condition("decided_on"),
        /// True: only withdrawn records. False: only records that stand.
        is_withdrawn: bool = |withdrawn| Condition::Null("withdrawn_at", !withdrawn),
    }
}

/// Input of `recordRoundResult`: results of one kind to which a round led.
#[derive(InputObject)]
pub(crate) struct RecordRoundResultInput {
    /// Global id of the inspection round.
    round_id: ID,
    /// Kind of result.
    kind: RoundResultKind,
    /// Name of the institution, or a remark, at most 200 characters; required for `INSTITUTION` and `OTHER`.
    title: Option<String>,
    /// Number of results, from 0 to 1,000,000.
    amount: i32,
    /// Total of the fines in 万元 (10,000 yuan), from 0 to 100,000,000; only for fines (`FINED`).
    money: Option<f64>,
    /// Global id of the region of the results: the caller's own, or one below it. Null for the round as a whole, for
    /// which all problems and complaint cases of the round must belong to that region or to regions below it.
    region_id: Option<ID>,
    /// Local date of the results, or until which they are counted, not after today; null if it is not known.
    decided_on: Option<Date>,
}

/// Input of `correctRoundResult`: the record as it should read. All fields are replaced.
#[derive(InputObject)]
pub(crate) struct CorrectRoundResultInput {
    /// Global id of the record to correct.
    result_id: ID,
    /// Version of the record that the caller read; an outdated one is refused.
    version: i32,
    /// Kind of result.
    kind: RoundResultKind,
    /// Name of the institution, or a remark, at most 200 characters; required for `INSTITUTION` and `OTHER`.
    title: Option<String>,
    /// Number of results, from 0 to 1,000,000.
    amount: i32,
    /// Total of the fines in 万元 (10,000 yuan), from 0 to 100,000,000; only for fines (`FINED`).
    money: Option<f64>,
    /// Global id of the region of the results: the caller's own, or one below it. Null for the round as a whole, for
    /// which all problems and complaint cases of the round must belong to that region or to regions below it.
    region_id: Option<ID>,
    /// Local date of the results, or until which they are counted, not after today; null if it is not known.
    decided_on: Option<Date>,
}

/// Input of `withdrawRoundResult`: a record that was wrong from the beginning.
#[derive(InputObject)]
pub(crate) struct WithdrawRoundResultInput {
    /// Global id of the record to withdraw.
    result_id: ID,
    /// Version of the record that the caller read; an outdated one is refused.
    version: i32,
    /// Reason for the withdrawal, 2 to 5,000 characters.
    reason: String,
}

payload! {
    /// Result of recording, correcting or withdrawing results of a round.
    RoundResultPayload {
        /// Record as it is now; null if the mutation was refused.
        round_result: RoundResult,
        /// Reasons why the mutation was refused; empty if it was carried out.
        errors
    }
}

/// Returns the key in the id of a region; 0, which no region has, for an id of something else.
fn region(id: &ID) -> i64 {
    key_of::<Region>(id).unwrap_or_default()
}

/// Mutations on results of rounds.
#[derive(Default)]
pub(crate) struct RoundResultMutation;

#[Object]
impl RoundResultMutation {
    /// Records results of an inspection round (督察成果), such as plants closed or fines. Requires a regional
    /// rectification office (区整改办).
    async fn record_round_result(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Round, kind and number of results.")] input: RecordRoundResultInput,
    ) -> async_graphql::Result<RoundResultPayload> {
        let request = ctx.data::<Request>()?;
        let record = keep::Record {
            kind: input.kind.into(),
            title: input.title,
            amount: input.amount,
            money: input.money,
            region: input.region_id.as_ref().map(region),
            decided_on: input.decided_on.map(|day| day.0),
        };
        let done = keep::record(&request.acting(), key_of::<InspectionRound>(&input.round_id), &record).await;
        RoundResultPayload::of(done, request)
    }

    /// Corrects a record of results that is not withdrawn. Requires a regional rectification office.
    async fn correct_round_result(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Record as it should read.")] input: CorrectRoundResultInput,
    ) -> async_graphql::Result<RoundResultPayload> {
        let request = ctx.data::<Request>()?;
        let record = keep::Record {
            kind: input.kind.into(),
            title: input.title,
            amount: input.amount,
            money: input.money,
            region: input.region_id.as_ref().map(region),
            decided_on: input.decided_on.map(|day| day.0),
        };
        let result = key_of::<RoundResult>(&input.result_id);
        RoundResultPayload::of(keep::correct(&request.acting(), result, input.version, &record).await, request)
    }

    /// Withdraws a record of results: it stays readable and no longer counts. Requires a regional rectification office.
    async fn withdraw_round_result(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Record to withdraw, and the reason.")] input: WithdrawRoundResultInput,
    ) -> async_graphql::Result<RoundResultPayload> {
        let request = ctx.data::<Request>()?;
        let result = key_of::<RoundResult>(&input.result_id);
        RoundResultPayload::of(keep::withdraw(&request.acting(), result, input.version, &input.reason).await, request)
    }
}
