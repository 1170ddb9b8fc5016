//! Accountability (责任追究): how many people were held to account for a problem.

use async_graphql::{Context, Enum, ID, InputObject, Object};
use ledger::work::accountability as acts;
use planner::{Condition, Dimension, Figure, FigureKind, Kind, Noun, SortKey, SortType, noun};
use sea_orm::ActiveEnum;

use crate::context::Request;
use crate::noun::account::Account;
use crate::noun::problem::{Problem, ProblemFilter};
use crate::noun::region::Region;
use crate::noun::round::InspectionRound;
use crate::part::filter::{DateFilter, RelationFilter, filter};
use crate::part::group;
use crate::part::order::order;
use crate::part::payload::{key_of, payload};
use crate::part::scalar::{Date, Moment};

/// The rank of those who were held to account.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "entity::accountability::Rank")]
pub(crate) enum AccountableRank {
    /// 厅局级
    DepartmentBureau,
    /// 县处级
    CountyDivision,
    /// 乡科级
    TownshipSection,
    /// 科级以下
    Below,
}

/// What being held to account meant.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "entity::accountability::Consequence")]
pub(crate) enum Consequence {
    /// 党纪处分
    PartyDiscipline,
    /// 政务处分
    Administrative,
    /// 组织处理: 诫勉、通报 …
    Organisational,
    /// 移送司法
    Judicial,
}

const DECIDED_ON: SortKey = SortKey::column("{t}.decided_on", "decided_on", SortType::Date);

const GROUPS: &[Dimension] = &[
    Dimension::plain("RANK", "The rank.", "{t}.rank"),
    Dimension::plain("CONSEQUENCE", "What it meant.", "{t}.consequence"),
    group::PROBLEM,
    group::ROUND,
    group::REGION,
];

const FIGURES: &[Figure] = &[
    Figure {
        name: "peopleHeld",
        description: "How many people, by the records that stand: what is withdrawn adds nothing.",
        expression: "CASE WHEN {t}.withdrawn_at IS NULL THEN {t}.people END",
        kind: FigureKind::Number,
    },
    Figure {
        name: "decidedOn",
        description: "When it was decided.",
        expression: "{t}.decided_on",
        kind: FigureKind::Date,
    },
];

noun! {
    /// So many people of one rank who were held to account for a problem (责任追究). Nobody is named.
    pub(crate) Accountability from "accountability" as "accountability" {
        order: &[DECIDED_ON.reversed()],
        total: None,
        filter: AccountabilityFilter,
        by: AccountabilityOrder,
        groups: GROUPS,
        figures: FIGURES
    }
    /// The global id.
    id: ID = Kind::Id;
    /// Their rank.
    rank: AccountableRank = Kind::Column("rank");
    /// What it meant for them.
    consequence: Consequence = Kind::Column("consequence");
    /// How many they are.
    people: i32 = Kind::Column("people");
    /// When it was decided.
    decidedOn: Date = Kind::Column("decided_on");
    /// Who recorded it; null where the account may not be seen.
    recorder: Option<Account> = Kind::One(<Account as Noun>::table, "recorder_id");
    /// When it was recorded.
    recordedAt: Moment = Kind::Column("recorded_at");
    /// Since when it counts no more; null for one that stands.
    withdrawnAt: Option<Moment> = Kind::Column("withdrawn_at");
    /// Why it was withdrawn.
    withdrawReason: Option<String> = Kind::Column("withdraw_reason");
    /// The problem.
    problem: Problem = Kind::One(<Problem as Noun>::table, "problem_id");
    /// The round of that problem.
    round: InspectionRound = Kind::One(<InspectionRound as Noun>::table, "round_id");
    /// The region that issued the problem.
    region: Region = Kind::One(<Region as Noun>::table, "region_id");
    /// Grows with every change; a mutation that names an older one is refused.
    version: i32 = Kind::Column("version");
}

order! { AccountabilityOrder by AccountabilityOrderField {
    /// When it was decided.
    DecidedOn = DECIDED_ON,
    /// How many they are.
    People = SortKey::column("{t}.people", "people", SortType::Integer),
} }

filter! {
    /// Demands on who was held to account.
    AccountabilityFilter {
        /// The rank is one of these.
        rank: Vec<AccountableRank> = |ranks| Condition::In(
            "rank",
            ranks.iter().map(|rank| entity::accountability::Rank::from(*rank).to_value().into()).collect(),
        ),
        /// What it meant is one of these.
        consequence: Vec<Consequence> = |consequences| Condition::In(
            "consequence",
            consequences
                .iter()
                .map(|consequence| entity::accountability::Consequence::from(*consequence).to_value().into())
                .collect(),
        ),
        /// When it was decided.
        decided_on: DateFilter = |day| day.condition("decided_on"),
        /// Whether it is withdrawn.
        withdrawn: bool = |withdrawn| Condition::Null("withdrawn_at", !withdrawn),
        /// The problem.
        problem: RelationFilter<ProblemFilter> = |problem| problem.condition("problem_id", <Problem as Noun>::table()),
    }
}

/// Who was held to account for a problem.
#[derive(InputObject)]
pub(crate) struct RecordAccountabilityInput {
    /// The problem.
    problem_id: ID,
    /// Their rank.
    rank: AccountableRank,
    /// What it meant for them.
    consequence: Consequence,
    /// How many they are, 1 to 100,000.
    people: i32,
    /// When it was decided, not after today.
    decided_on: Date,
}

/// What a record should have said.
#[derive(InputObject)]
pub(crate) struct CorrectAccountabilityInput {
    /// The record.
    accountability_id: ID,
    /// The version of it that the caller saw.
    version: i32,
    /// Their rank.
    rank: AccountableRank,
    /// What it meant for them.
    consequence: Consequence,
    /// How many they are, 1 to 100,000.
    people: i32,
    /// When it was decided, not after today.
    decided_on: Date,
}

/// A record that was wrong from the beginning, or was lifted.
#[derive(InputObject)]
pub(crate) struct WithdrawAccountabilityInput {
    /// The record.
    accountability_id: ID,
    /// The version of it that the caller saw.
    version: i32,
    /// Why, at most 5,000 letters; nobody is named.
    reason: String,
}

payload! {
    /// What came of an act on who was held to account.
    AccountabilityPayload {
        /// The record as it is now; null when nothing was done.
        accountability: Accountability,
        /// Why nothing was done; empty when it was.
        errors
    }
}

fn record(rank: AccountableRank, consequence: Consequence, people: i32, decided_on: Date) -> acts::Record {
    acts::Record { rank: rank.into(), consequence: consequence.into(), people, decided_on: decided_on.0 }
}

/// What is done about accountability.
#[derive(Default)]
pub(crate) struct AccountabilityMutation;

#[Object]
impl AccountabilityMutation {
    /// 责任追究: records who was held to account for a problem. By the city or regional office.
    async fn record_accountability(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The record.")] input: RecordAccountabilityInput,
    ) -> async_graphql::Result<AccountabilityPayload> {
        let request = ctx.data::<Request>()?;
        let record = record(input.rank, input.consequence, input.people, input.decided_on);
        let done = acts::record(&request.desk(), key_of::<Problem>(&input.problem_id), record).await;
        AccountabilityPayload::of(done, request)
    }

    /// Corrects such a record. By the city or regional office.
    async fn correct_accountability(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What it should have said.")] input: CorrectAccountabilityInput,
    ) -> async_graphql::Result<AccountabilityPayload> {
        let request = ctx.data::<Request>()?;
        let record = record(input.rank, input.consequence, input.people, input.decided_on);
        let key = key_of::<Accountability>(&input.accountability_id);
        AccountabilityPayload::of(acts::correct(&request.desk(), key, input.version, record).await, request)
    }

    /// Withdraws such a record: it stays and counts no more. By the city or regional office.
    async fn withdraw_accountability(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The record, and why.")] input: WithdrawAccountabilityInput,
    ) -> async_graphql::Result<AccountabilityPayload> {
        let request = ctx.data::<Request>()?;
        let key = key_of::<Accountability>(&input.accountability_id);
        AccountabilityPayload::of(acts::withdraw(&request.desk(), key, input.version, &input.reason).await, request)
    }
}
