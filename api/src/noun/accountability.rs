//! Accountability (责任追究): how many people were held to account for a problem.

use async_graphql::{Context, Enum, ID, InputObject, Object};
use ledger::work::accountability as acts;
use planner::{Condition, Dimension, Figure, FigureKind, Kind, Noun, SortKey, SortType, noun};

use crate::context::Request;
use crate::noun::account::Account;
use crate::noun::problem::{Problem, ProblemFilter};
use crate::noun::region::Region;
use crate::noun::round::InspectionRound;
use crate::part::filter::{DateFilter, RelationFilter, filter, one_of};
use crate::part::group::{self, dated};
use crate::part::order::order;
use crate::part::payload::{key_of, payload};
use crate::part::scalar::{Date, Moment};

/// Administrative rank of the people who were held to account.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "entity::accountability::Rank")]
pub(crate) enum AccountableRank {
    /// 厅局级 · Department or bureau level.
    DepartmentBureau,
    /// 县处级 · County or division level.
    CountyDivision,
    /// 乡科级 · Township or section level.
    TownshipSection,
    /// 科级以下 · Below section level.
    Below,
    /// 其他 · A rank that is known and none of the others, such as that of a manager of an enterprise.
    Other,
    /// 未说明 · The source does not state the rank, only the number of people or the consequence.
    Unknown,
}

/// Consequence for the people who were held to account.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "entity::accountability::Consequence")]
pub(crate) enum Consequence {
    /// 党纪处分 · Sanction under Party discipline.
    PartyDiscipline,
    /// 政务处分 · Administrative sanction.
    Administrative,
    /// 组织处理 · Organisational measure such as an admonition (诫勉) or a circulated criticism (通报).
    Organisational,
    /// 移送司法 · Transfer to the judicial authorities.
    Judicial,
    /// 其他 · A consequence that is known and none of the others.
    Other,
    /// 未说明 · The source does not state the consequence, only the number of people or the rank.
    Unknown,
}

const DECIDED_ON: SortKey = SortKey::column("{t}.decided_on", "decided_on", SortType::Date);

const GROUPS: &[Dimension] = dated!(
    "{t}.decided_on",
    "date of the decision",
    [
        Dimension::plain("RANK", "职级 · Rank of the people held to account.", "{t}.rank"),
        Dimension::plain("CONSEQUENCE", "追责方式 · Consequence for the people held to account.", "{t}.consequence"),
        group::PROBLEM,
        group::ROUND,
        group::REGION,
    ]
);

const FIGURES: &[Figure] = &[
    Figure {
        name: "peopleHeld",
        description: "Number of people per record; withdrawn records are left out.",
        expression: "CASE WHEN {t}.withdrawn_at IS NULL THEN {t}.people END",
        kind: FigureKind::Number,
    },
    Figure {
        name: "decidedOn",
        description: "Earliest and latest local date of the decisions.",
        expression: "{t}.decided_on",
        kind: FigureKind::Date,
    },
];

noun! {
    /// A number of people of one rank who faced one consequence for a problem (责任追究). No one is named. Every person
    /// is counted in one record only, so that the sums by rank and the sums by consequence both give the total.
    pub(crate) Accountability from "accountability" as "accountability" {
        order: &[DECIDED_ON.reversed()],
        total: None,
        filter: AccountabilityFilter,
        by: AccountabilityOrder,
        groups: GROUPS,
        figures: FIGURES
    }
    /// Global id of the record, for example `accountability_3`.
    id: ID = Kind::Id;
    /// Rank of the people who were held to account.
    rank: AccountableRank = Kind::Column("rank");
    /// Consequence for the people who were held to account.
    consequence: Consequence = Kind::Column("consequence");
    /// Number of people who were held to account, from 1 to 100,000.
    people: i32 = Kind::Column("people");
    /// Local date on which the consequence was decided.
    decidedOn: Date = Kind::Column("decided_on");
    /// Account that made the record; null if no account did, or if the caller may not see it.
    recorder: Option<Account> = Kind::One(<Account as Noun>::table, "recorder_id");
    /// When the record was made.
    recordedAt: Moment = Kind::Column("recorded_at");
    /// When the record was withdrawn, since when it no longer counts; null while it stands.
    withdrawnAt: Option<Moment> = Kind::Column("withdrawn_at");
    /// Reason why the record was withdrawn; null while it stands.
    withdrawReason: Option<String> = Kind::Column("withdraw_reason");
    /// Problem that the people were held to account for.
    problem: Problem = Kind::One(<Problem as Noun>::table, "problem_id");
    /// Inspection round (督察轮次) of that problem.
    round: InspectionRound = Kind::One(<InspectionRound as Noun>::table, "round_id");
    /// Region that issued the problem.
    region: Region = Kind::One(<Region as Noun>::table, "region_id");
    /// Version number, increased by every change. Mutations take it so that a concurrent change is detected
    /// (`STALE_VERSION`).
    version: i32 = Kind::Column("version");
}

order! { AccountabilityOrder by AccountabilityOrderField {
    /// 决定日期 · Date of the decision.
    DecidedOn = DECIDED_ON,
    /// 人数 · Number of people who were held to account.
    People = SortKey::column("{t}.people", "people", SortType::Integer),
} }

filter! {
    /// Conditions on accountability records. All that are given have to hold.
    AccountabilityFilter {
        /// The rank is one of these.
        rank: Vec<AccountableRank> = |ranks| one_of::<_, entity::accountability::Rank>("rank", ranks),
        /// The consequence is one of these.
        consequence: Vec<Consequence> =
            |consequences| one_of::<_, entity::accountability::Consequence>("consequence", consequences),
        /// Condition on the local date on which the consequence was decided.
        decided_on: DateFilter = |day| day.condition("decided_on"),
        /// True: only withdrawn records. False: only records that stand.
        is_withdrawn: bool = |withdrawn| Condition::Null("withdrawn_at", !withdrawn),
        /// Condition on the problem that the people were held to account for.
        problem: RelationFilter<ProblemFilter> = |problem| problem.condition("problem_id", <Problem as Noun>::table()),
    }
}

/// Input of `recordAccountability`: people of one rank who faced one consequence for a problem.
#[derive(InputObject)]
pub(crate) struct RecordAccountabilityInput {
    /// Problem that the people were held to account for.
    problem_id: ID,
    /// Rank of the people who were held to account.
    rank: AccountableRank,
    /// Consequence for the people who were held to account.
    consequence: Consequence,
    /// Number of people who were held to account, from 1 to 100,000.
    people: i32,
    /// Local date on which the consequence was decided, not after today.
    decided_on: Date,
}

/// Input of `correctAccountability`: the record as it should read. All fields are replaced.
#[derive(InputObject)]
pub(crate) struct CorrectAccountabilityInput {
    /// Global id of the record to correct.
    accountability_id: ID,
    /// Version of the record that the caller read; an outdated one is refused.
    version: i32,
    /// Rank of the people who were held to account.
    rank: AccountableRank,
    /// Consequence for the people who were held to account.
    consequence: Consequence,
    /// Number of people who were held to account, from 1 to 100,000.
    people: i32,
    /// Local date on which the consequence was decided, not after today.
    decided_on: Date,
}

/// Input of `withdrawAccountability`: a record that was wrong from the beginning, or whose consequence was lifted.
#[derive(InputObject)]
pub(crate) struct WithdrawAccountabilityInput {
    /// Global id of the record to withdraw.
    accountability_id: ID,
    /// Version of the record that the caller read; an outdated one is refused.
    version: i32,
    /// Reason for the withdrawal, 2 to 5,000 characters. It must not name anyone.
    reason: String,
}

payload! {
    /// Result of recording, correcting or withdrawing who was held to account.
    AccountabilityPayload {
        /// Record as it is now; null if the mutation was refused.
        accountability: Accountability,
        /// Reasons why the mutation was refused; empty if it was carried out.
        errors
    }
}

fn record(rank: AccountableRank, consequence: Consequence, people: i32, decided_on: Date) -> acts::Record {
    acts::Record { rank: rank.into(), consequence: consequence.into(), people, decided_on: decided_on.0 }
}

/// Mutations on accountability records.
#[derive(Default)]
pub(crate) struct AccountabilityMutation;

#[Object]
impl AccountabilityMutation {
    /// Records how many people were held to account for a problem (责任追究). For city and regional offices. If the
    /// source splits the same people by rank and, separately, by consequence, record only one of the two splits, with
    /// `UNKNOWN` for the other: both would count everyone twice.
    async fn record_accountability(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Problem, rank, consequence and number of people.")] input: RecordAccountabilityInput,
    ) -> async_graphql::Result<AccountabilityPayload> {
        let request = ctx.data::<Request>()?;
        let record = record(input.rank, input.consequence, input.people, input.decided_on);
        let done = acts::record(&request.acting(), key_of::<Problem>(&input.problem_id), record).await;
        AccountabilityPayload::of(done, request)
    }

    /// Corrects an accountability record that is not withdrawn. For city and regional offices.
    async fn correct_accountability(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Record, and its fields as they should read.")] input: CorrectAccountabilityInput,
    ) -> async_graphql::Result<AccountabilityPayload> {
        let request = ctx.data::<Request>()?;
        let record = record(input.rank, input.consequence, input.people, input.decided_on);
        let key = key_of::<Accountability>(&input.accountability_id);
        AccountabilityPayload::of(acts::correct(&request.acting(), key, input.version, record).await, request)
    }

    /// Withdraws an accountability record: it stays readable and no longer counts. For city and regional offices.
    async fn withdraw_accountability(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Record to withdraw, and the reason.")] input: WithdrawAccountabilityInput,
    ) -> async_graphql::Result<AccountabilityPayload> {
        let request = ctx.data::<Request>()?;
        let key = key_of::<Accountability>(&input.accountability_id);
        AccountabilityPayload::of(acts::withdraw(&request.acting(), key, input.version, &input.reason).await, request)
    }
}
