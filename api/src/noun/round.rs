//! Inspection rounds (督察轮次): their fields and counts, and the mutations that maintain them.

use crate::part::scalar::Date;
use async_graphql::{Context, Enum, ID, InputObject, MaybeUndefined, Object};
use ledger::keep::{Patch, merge, round as keep};
use ledger::work::available::{self, Subject};
use planner::{Connection, Dimension, Kind, Link, SortKey, SortType, noun};

use crate::context::Request;
use crate::noun::case::InspectionCase;
use crate::noun::measure::Measure;
use crate::noun::problem::Problem;
use crate::noun::published_figure::PublishedFigure;
use crate::noun::round_result::RoundResult;
use crate::part::action::{self, AvailableAction};
use crate::part::filter::{DateFilter, TextFilter, filter, one_of};
use crate::part::group::dated;
use crate::part::order::order;
use crate::part::patch::{clearable, patch};
use crate::part::payload::{DeletePayload, key_of, payload};

/// Level of the authority that carries out an inspection.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "entity::inspection_round::RoundLevel")]
pub(crate) enum InspectionLevel {
    /// 中央 · National level (中央生态环境保护督察).
    Central,
    /// 区域督察局 · Regional inspection bureau, such as 西南督察局.
    RegionalBureau,
    /// 省级 · The province or autonomous region itself (省、自治区本级).
    Province,
    /// 市级 · A prefecture or prefecture-level city.
    Prefecture,
    /// 县级 · A county or district.
    County,
}

/// Kind of an inspection: routine, look-back or special.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "entity::inspection_round::RoundKind")]
pub(crate) enum InspectionKind {
    /// 例行督察 · Routine inspection, part of a regular series.
    Routine,
    /// 回头看 · Look-back inspection, which follows up on an earlier one.
    LookBack,
    /// 专项督察 · Special inspection, limited to one subject.
    Special,
}

const NAME: SortKey = SortKey::column("{t}.name", "name", SortType::Text);

const GROUPS: &[Dimension] = dated!(
    "{t}.feedback_on",
    "feedback date",
    [
        Dimension::plain("LEVEL", "督察层级 · Level of the inspecting authority.", "{t}.level"),
        Dimension::plain("KIND", "督察类型 · Kind of inspection.", "{t}.kind"),
    ]
);

noun! {
    /// An inspection round (督察轮次): one visit of an inspection team, with the problems that it fed back.
    pub(crate) InspectionRound from "inspection_round" as "round" {
        order: &[SortKey::column("{t}.id", "id", SortType::Integer)],
        total: None,
        filter: InspectionRoundFilter,
        by: InspectionRoundOrder,
        groups: GROUPS
    }
    /// Global id of the round: opaque, permanent, and accepted by `node`.
    id: ID = Kind::Id;
    /// Name of the round, unique, such as 第二轮中央生态环境保护督察.
    name: String = Kind::Column("name");
    /// Level of the inspecting authority.
    level: InspectionLevel = Kind::Column("level");
    /// Kind of inspection: routine, look-back or special.
    kind: InspectionKind = Kind::Column("kind");
    /// Local date on which the inspection team arrived (进驻); null if it is not recorded.
    enteredOn: Option<Date> = Kind::Column("entered_on");
    /// Local date on which the team fed back its problems (反馈), from which grace periods of immediate deadlines are
    /// counted; null if it is not recorded.
    feedbackOn: Option<Date> = Kind::Column("feedback_on");
    /// Earlier round at which this one looks back; null if it is not recorded or not visible to the caller, and for all
    /// kinds but a look-back (回头看).
    looksBackAt: Option<InspectionRound> =
        Kind::One(<InspectionRound as planner::Noun>::table, "looks_back_at_id");
    /// Later rounds that look back at this one (回头看). Lists only rounds that the caller may see.
    lookedBackBy: Vec<InspectionRound> =
        Kind::List(<InspectionRound as planner::Noun>::table, Link::Part("looks_back_at_id"));
    /// What can be done to it, and whether the caller may do it now; those that are not available say why.
    availableActions: Vec<AvailableAction> =
        Kind::Finished(|sql, round| available::facts(sql, Subject::Round, round), action::ROUND);
    /// Version number, increased by every edit. Mutations take it so that a concurrent change is detected
    /// (`STALE_VERSION`).
    version: i32 = Kind::Column("version");
    /// Problems (反馈问题) that the inspection fed back.
    problems(pages Problem): Connection<Problem> = Link::Column("round_id");
    /// Measures (整改措施) of the problems of the round.
    measures(pages Measure): Connection<Measure> = Link::Column("round_id");
    /// Complaint cases (交办案件) that were handed over during the inspection.
    inspectionCases(pages InspectionCase): Connection<InspectionCase> = Link::Column("round_id");
    /// Results of the inspection (督察成果), such as plants closed or fines, including withdrawn records.
    results(pages RoundResult): Connection<RoundResult> = Link::Part("round_id");
    /// Numbers that published reports state about the round (公布数), including withdrawn records.
    publishedFigures(pages PublishedFigure): Connection<PublishedFigure> = Link::Part("round_id");
    /// Number of problems of the round for each printed progress rating, the most frequent rating first. Counts only
    /// problems that the caller may see.
    problemsByProgress: Vec<ProgressCount> =
        Kind::List(<ProgressCount as planner::Noun>::table, Link::Inside);
    /// Number of measures of the round for each year of their due dates, in ascending order; measures without a date
    /// are counted last, under a null year. Counts only measures that the caller may see.
    measuresByDeadlineYear: Vec<DeadlineYearCount> =
        Kind::List(<DeadlineYearCount as planner::Noun>::table, Link::Inside);
    /// Number of problems of the round for each year of their due dates, in ascending order; problems without a date
    /// are counted last, under a null year. Counts only problems that the caller may see.
    problemsByDeadlineYear: Vec<ProblemYearCount> =
        Kind::List(<ProblemYearCount as planner::Noun>::table, Link::Inside);
}

noun! {
    /// The number of problems of a round that have one progress rating.
    pub(crate) ProgressCount from "(SELECT rated_progress AS progress, count(*) AS count FROM problem x \
        WHERE x.round_id = {owner}.id AND {sees:problem:x} GROUP BY rated_progress)" {
        order: &[
            SortKey::column("{t}.count", "count", SortType::Integer).reversed(),
            SortKey::expression("coalesce({t}.progress, '')", SortType::Text)
        ],
        total: None
    }
    /// Progress rating as printed in the ledger, such as 全面完成，长期坚持; null for problems without one.
    progress: Option<String> = Kind::Column("progress");
    /// Number of problems with this rating.
    count: i32 = Kind::Column("count");
}

noun! {
    /// The number of measures of a round that are due in one year.
    pub(crate) DeadlineYearCount from "(SELECT CAST(substr(CAST(due_on AS text), 1, 4) AS integer) AS year, \
        count(*) AS count FROM measure x WHERE x.round_id = {owner}.id AND {sees:measure:x} GROUP BY 1)" {
        order: &[SortKey::expression("coalesce({t}.year, 9999)", SortType::Integer)],
        total: None
    }
    /// Year of the latest date of the deadline, such as 2025; null for measures without a date.
    year: Option<i32> = Kind::Column("year");
    /// Number of measures due in this year.
    count: i32 = Kind::Column("count");
}

noun! {
    /// The number of problems of a round that are due in one year.
    pub(crate) ProblemYearCount from "(SELECT CAST(substr(CAST(due_on AS text), 1, 4) AS integer) AS year, \
        count(*) AS count FROM problem x WHERE x.round_id = {owner}.id AND {sees:problem:x} GROUP BY 1)" {
        order: &[SortKey::expression("coalesce({t}.year, 9999)", SortType::Integer)],
        total: None
    }
    /// Year of the latest date of the deadline, such as 2025; null for problems without a date.
    year: Option<i32> = Kind::Column("year");
    /// Number of problems due in this year.
    count: i32 = Kind::Column("count");
}

order! { InspectionRoundOrder by InspectionRoundOrderField {
    /// 名称 · Name of the round.
    Name = NAME,
} }

filter! {
    /// Conditions on inspection rounds. A round must satisfy every condition that is given.
    InspectionRoundFilter {
        /// Condition on the local date on which the inspection fed back its problems.
        feedback_on: DateFilter = |day| day.condition("feedback_on"),
        /// Selects rounds of one of these levels; an empty list selects none.
        level: Vec<InspectionLevel> = |levels| one_of::<_, entity::inspection_round::RoundLevel>("level", levels),
        /// Condition on the name of the round.
        name: TextFilter = |name| name.condition("name", &["name"]),
    }
}

/// Input of `createRound`: the inspection round to open.
#[derive(InputObject)]
pub(crate) struct CreateRoundInput {
    /// Name of the round, unique, 2 to 200 characters, such as 第二轮中央生态环境保护督察.
    name: String,
    /// Level of the inspecting authority.
    level: InspectionLevel,
    /// Kind of inspection: routine, look-back or special.
    kind: InspectionKind,
    /// Local date on which the inspection team arrives (进驻); null if it is not known.
    entered_on: Option<Date>,
    /// Local date on which the team fed back its problems (反馈), not before `enteredOn`. Grace periods of immediate
    /// deadlines are counted from it. Null if it is not known.
    feedback_on: Option<Date>,
    /// Global id of the earlier round at which the round looks back; only for a look-back (`LOOK_BACK`).
    looks_back_at_id: Option<ID>,
}

/// Input of `editRound`. Omitted fields keep their value; null clears a field that may be empty.
#[derive(InputObject)]
pub(crate) struct EditRoundInput {
    /// Global id of the round to edit.
    round_id: ID,
    /// Version of the round that the caller read; refused as `STALE_VERSION` if it is no longer current.
    version: i32,
    /// New name, unique, 2 to 200 characters; cannot be null.
    name: MaybeUndefined<String>,
    /// New level of the inspecting authority; cannot be null.
    level: MaybeUndefined<InspectionLevel>,
    /// New kind of inspection; cannot be null.
    kind: MaybeUndefined<InspectionKind>,
    /// New local date on which the inspection team arrives (进驻); null clears it.
    entered_on: MaybeUndefined<Date>,
    /// New local date on which the team fed back its problems (反馈); null clears it. Immediate deadlines without a
    /// date of their own move with it.
    feedback_on: MaybeUndefined<Date>,
    /// Global id of the earlier round at which the round looks back; only for a look-back (`LOOK_BACK`). Null clears
    /// it. Refused while a problem of the round looks back at a problem of yet another round.
    looks_back_at_id: MaybeUndefined<ID>,
}

/// Input of `mergeRounds`: two rounds that record the same inspection.
#[derive(InputObject)]
pub(crate) struct MergeRoundsInput {
    /// Global id of the round to merge; it is deleted.
    round_id: ID,
    /// Global id of the round that remains.
    into_id: ID,
}

/// Input of `deleteRound`: a round that was opened by mistake.
#[derive(InputObject)]
pub(crate) struct DeleteRoundInput {
    /// Global id of the round to delete.
    round_id: ID,
    /// Version of the round that the caller read; refused as `STALE_VERSION` if it is no longer current.
    version: i32,
}

payload! {
    /// Result of a mutation on an inspection round.
    RoundPayload {
        /// The round after the mutation (for a merge, the one that remains); null if the mutation was refused.
        round: InspectionRound,
        /// Reasons why the mutation was refused, in which case nothing was written; empty on success.
        errors
    }
}

/// Returns the patch for a date that null clears.
fn day(given: MaybeUndefined<Date>) -> Patch<Option<chrono::NaiveDate>> {
    clearable(given.map_value(|day| day.0))
}

/// Returns the key in the id of a round; 0, which no round has, for an id of something else.
fn round(id: &ID) -> i64 {
    key_of::<InspectionRound>(id).unwrap_or_default()
}

/// Mutations on inspection rounds.
#[derive(Default)]
pub(crate) struct RoundMutation;

#[Object]
impl RoundMutation {
    /// Opens an inspection round. Requires a regional rectification office (区整改办).
    async fn create_round(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The round to open.")] input: CreateRoundInput,
    ) -> async_graphql::Result<RoundPayload> {
        let request = ctx.data::<Request>()?;
        let new = keep::New {
            name: input.name,
            level: input.level.into(),
            kind: input.kind.into(),
            entered_on: input.entered_on.map(|day| day.0),
            feedback_on: input.feedback_on.map(|day| day.0),
            looks_back_at: input.looks_back_at_id.as_ref().map(round),
        };
        RoundPayload::of(keep::open(&request.acting(), &new).await, request)
    }

    /// Edits an inspection round. Requires a regional rectification office, and all problems and complaint cases of the
    /// round must belong to its region or to regions below it.
    async fn edit_round(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The round and the fields to change.")] input: EditRoundInput,
    ) -> async_graphql::Result<RoundPayload> {
        let request = ctx.data::<Request>()?;
        let done = async {
            let changes = keep::Changes {
                name: patch(input.name, "name")?,
                level: patch(input.level.map_value(Into::into), "level")?,
                kind: patch(input.kind.map_value(Into::into), "kind")?,
                entered_on: day(input.entered_on),
                feedback_on: day(input.feedback_on),
                looks_back_at: clearable(input.looks_back_at_id.map_value(|id| round(&id))),
            };
            keep::edit(&request.acting(), key_of::<InspectionRound>(&input.round_id), input.version, changes).await
        };
        RoundPayload::of(done.await, request)
    }

    /// Merges an inspection round into another one, which takes over its problems, measures, results, published figures
    /// and complaint cases. Refused while both rounds have the same problem, or cases of the same number. Requires a
    /// regional rectification office, and all problems and cases of the round to merge must belong to its region or to
    /// regions below it.
    async fn merge_rounds(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The round to merge and the round that remains.")] input: MergeRoundsInput,
    ) -> async_graphql::Result<RoundPayload> {
        let request = ctx.data::<Request>()?;
        let [from, into] = [&input.round_id, &input.into_id].map(key_of::<InspectionRound>);
        RoundPayload::of(merge::rounds(&request.acting(), from, into).await, request)
    }

    /// Deletes an inspection round that has no problems, complaint cases, results and published figures, and at which
    /// no other looks back. Requires a regional rectification office.
    async fn delete_round(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The round to delete.")] input: DeleteRoundInput,
    ) -> async_graphql::Result<DeletePayload> {
        let request = ctx.data::<Request>()?;
        let round = key_of::<InspectionRound>(&input.round_id);
        let done = keep::delete(&request.acting(), round, input.version).await;
        DeletePayload::of(done, input.round_id, request.language)
    }
}
