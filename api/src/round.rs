//! Inspection rounds (督察轮次).

use crate::scalar::Date;
use async_graphql::{Enum, ID};
use planner::{Connection, Dimension, Kind, Link, SortKey, SortType, noun};
use sea_orm::ActiveEnum;

use crate::case::InspectionCase;
use crate::filter::{DateFilter, TextFilter, filter};
use crate::measure::Measure;
use crate::order::order;
use crate::problem::Problem;

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
