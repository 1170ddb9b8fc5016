//! Inspection rounds (督察轮次).

use crate::part::scalar::Date;
use async_graphql::{Context, Enum, ID, InputObject, MaybeUndefined, Object};
use ledger::keep::{Patch, merge, round as keep};
use planner::{Connection, Dimension, Kind, Link, SortKey, SortType, noun};
use sea_orm::ActiveEnum;

use crate::context::Request;
use crate::noun::case::InspectionCase;
use crate::noun::measure::Measure;
use crate::noun::problem::Problem;
use crate::part::filter::{DateFilter, TextFilter, filter};
use crate::part::order::order;
use crate::part::patch::{clearable, patch};
use crate::part::payload::{DeletePayload, key_of, payload};

/// Who inspected.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "entity::inspection_round::RoundLevel")]
pub(crate) enum InspectionLevel {
    /// 中央
    Central,
    /// 区域督察局
    RegionalBureau,
    /// 省、自治区本级
    Province,
    /// 市级
    Prefecture,
    /// 县级
    County,
}

/// Why an inspection came.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "entity::inspection_round::RoundKind")]
pub(crate) enum InspectionKind {
    /// 例行督察
    Routine,
    /// 回头看
    LookBack,
    /// 专项督察
    Special,
}

const NAME: SortKey = SortKey::column("{t}.name", "name", SortType::Text);

const GROUPS: &[Dimension] =
    &[Dimension::plain("LEVEL", "Who inspected.", "{t}.level"), Dimension::plain("KIND", "Why they came.", "{t}.kind")];

noun! {
    /// A round of an inspection (督察轮次).
    pub(crate) InspectionRound from "inspection_round" as "round" {
        order: &[SortKey::column("{t}.id", "id", SortType::Integer)],
        total: None,
        filter: InspectionRoundFilter,
        by: InspectionRoundOrder,
        groups: GROUPS
    }
    /// The global id.
    id: ID = Kind::Id;
    /// The name.
    name: String = Kind::Column("name");
    /// Who inspected.
    level: InspectionLevel = Kind::Column("level");
    /// Why they came.
    kind: InspectionKind = Kind::Column("kind");
    /// When the team moved in.
    enteredOn: Option<Date> = Kind::Column("entered_on");
    /// When it fed back its problems; grace periods begin here.
    feedbackOn: Option<Date> = Kind::Column("feedback_on");
    /// Grows with every change.
    version: i32 = Kind::Column("version");
    /// The problems that it found.
    problems(pages Problem): Connection<Problem> = Link::Column("round_id");
    /// The measures against them.
    measures(pages Measure): Connection<Measure> = Link::Column("round_id");
    /// The complaint cases (交办案件) that came during it.
    inspectionCases(pages InspectionCase): Connection<InspectionCase> = Link::Column("round_id");
    /// Its problems by their rating as printed, the most frequent first.
    problemsByProgress: Vec<ProgressCount> =
        Kind::List(<ProgressCount as planner::Noun>::table, Link::Inside);
    /// Its measures by the year of their latest date; null for those without a date, which come last.
    measuresByDeadlineYear: Vec<DeadlineYearCount> =
        Kind::List(<DeadlineYearCount as planner::Noun>::table, Link::Inside);
    /// Its problems by the year of their latest date; null for those without a date, which come last.
    problemsByDeadlineYear: Vec<ProblemYearCount> =
        Kind::List(<ProblemYearCount as planner::Noun>::table, Link::Inside);
}

noun! {
    /// How many problems bear a rating.
    pub(crate) ProgressCount from "(SELECT rated_progress AS progress, count(*) AS count FROM problem x WHERE x.round_id = {owner}.id AND {sees:problem:x} GROUP BY rated_progress)" {
        order: &[
            SortKey::column("{t}.count", "count", SortType::Integer).reversed(),
            SortKey::expression("coalesce({t}.progress, '')", SortType::Text)
        ],
        total: None
    }
    /// The rating as printed; null where none is.
    progress: Option<String> = Kind::Column("progress");
    /// How many.
    count: i32 = Kind::Column("count");
}

noun! {
    /// How many measures are due in a year.
    pub(crate) DeadlineYearCount from "(SELECT CAST(substr(CAST(due_on AS text), 1, 4) AS integer) AS year, count(*) AS count FROM measure x WHERE x.round_id = {owner}.id AND {sees:measure:x} GROUP BY 1)" {
        order: &[SortKey::expression("coalesce({t}.year, 9999)", SortType::Integer)],
        total: None
    }
    /// The year; null for those without a date.
    year: Option<i32> = Kind::Column("year");
    /// How many.
    count: i32 = Kind::Column("count");
}

noun! {
    /// How many problems are due in a year.
    pub(crate) ProblemYearCount from "(SELECT CAST(substr(CAST(due_on AS text), 1, 4) AS integer) AS year, count(*) AS count FROM problem x WHERE x.round_id = {owner}.id AND {sees:problem:x} GROUP BY 1)" {
        order: &[SortKey::expression("coalesce({t}.year, 9999)", SortType::Integer)],
        total: None
    }
    /// The year; null for those without a date.
    year: Option<i32> = Kind::Column("year");
    /// How many.
    count: i32 = Kind::Column("count");
}

order! { InspectionRoundOrder by InspectionRoundOrderField {
    /// The name.
    Name = NAME,
} }

filter! {
    /// Demands on inspection rounds.
    InspectionRoundFilter {
        /// When it fed back its problems.
        feedback_on: DateFilter = |day| day.condition("feedback_on"),
        /// Who inspected.
        level: Vec<InspectionLevel> = |levels| planner::Condition::In(
            "level",
            levels.iter().map(|level| entity::inspection_round::RoundLevel::from(*level).to_value().into()).collect(),
        ),
        /// The name.
        name: TextFilter = |name| name.condition("name", &["name"]),
    }
}

/// A round to be opened.
#[derive(InputObject)]
pub(crate) struct CreateRoundInput {
    /// Its name, unique: 第二轮中央生态环境保护督察.
    name: String,
    /// Who inspects.
    level: InspectionLevel,
    /// Why.
    kind: InspectionKind,
    /// When the team moves in.
    entered_on: Option<Date>,
    /// When it fed back its problems; grace periods begin here.
    feedback_on: Option<Date>,
}

/// What is to become of a round. What is left out stays; null clears.
#[derive(InputObject)]
pub(crate) struct EditRoundInput {
    /// The round.
    round_id: ID,
    /// The version that the caller saw.
    version: i32,
    /// Its name.
    name: MaybeUndefined<String>,
    /// Who inspects.
    level: MaybeUndefined<InspectionLevel>,
    /// Why.
    kind: MaybeUndefined<InspectionKind>,
    /// When the team moves in.
    entered_on: MaybeUndefined<Date>,
    /// When it fed back its problems. Deadlines that are immediate and have no date move with it.
    feedback_on: MaybeUndefined<Date>,
}

/// Two rounds that are one.
#[derive(InputObject)]
pub(crate) struct MergeRoundsInput {
    /// The round that goes.
    round_id: ID,
    /// The round that stays.
    into_id: ID,
}

/// A round opened by mistake.
#[derive(InputObject)]
pub(crate) struct DeleteRoundInput {
    /// The round.
    round_id: ID,
    /// The version that the caller saw.
    version: i32,
}

payload! {
    /// What came of an act on a round.
    RoundPayload {
        /// The round as it is now; null when nothing was done.
        round: InspectionRound,
        /// Why nothing was done; empty when it was.
        errors
    }
}

/// A day, where one may be cleared.
fn day(given: MaybeUndefined<Date>) -> Patch<Option<chrono::NaiveDate>> {
    clearable(given.map_value(|day| day.0))
}

/// What is done to rounds.
#[derive(Default)]
pub(crate) struct RoundMutation;

#[Object]
impl RoundMutation {
    /// Opens a round of inspection. By a regional office.
    async fn create_round(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The round.")] input: CreateRoundInput,
    ) -> async_graphql::Result<RoundPayload> {
        let request = ctx.data::<Request>()?;
        let new = keep::New {
            name: input.name,
            level: input.level.into(),
            kind: input.kind.into(),
            entered_on: input.entered_on.map(|day| day.0),
            feedback_on: input.feedback_on.map(|day| day.0),
        };
        RoundPayload::of(keep::open(&request.desk(), &new).await, request)
    }

    /// Edits a round. By the regional office that keeps all of its problems.
    async fn edit_round(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is to change.")] input: EditRoundInput,
    ) -> async_graphql::Result<RoundPayload> {
        let request = ctx.data::<Request>()?;
        let done = async {
            let changes = keep::Changes {
                name: patch(input.name, "name")?,
                level: patch(input.level.map_value(Into::into), "level")?,
                kind: patch(input.kind.map_value(Into::into), "kind")?,
                entered_on: day(input.entered_on),
                feedback_on: day(input.feedback_on),
            };
            keep::edit(&request.desk(), key_of::<InspectionRound>(&input.round_id), input.version, changes).await
        };
        RoundPayload::of(done.await, request)
    }

    /// Merges a round into another: its problems go over. By the regional office that keeps all of them.
    async fn merge_rounds(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The two.")] input: MergeRoundsInput,
    ) -> async_graphql::Result<RoundPayload> {
        let request = ctx.data::<Request>()?;
        let [from, into] = [&input.round_id, &input.into_id].map(key_of::<InspectionRound>);
        RoundPayload::of(merge::rounds(&request.desk(), from, into).await, request)
    }

    /// Deletes a round that holds no problem. By a regional office.
    async fn delete_round(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The round.")] input: DeleteRoundInput,
    ) -> async_graphql::Result<DeletePayload> {
        let request = ctx.data::<Request>()?;
        let round = key_of::<InspectionRound>(&input.round_id);
        let done = keep::delete(&request.desk(), round, input.version).await;
        DeletePayload::of(done, input.round_id, request.language)
    }
}
