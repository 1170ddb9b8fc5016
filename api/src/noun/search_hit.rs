//! The search over everything that has words: problems, measures, cases, rounds, units, comments and reports in one
//! list.

use async_graphql::{Enum, Error};
use planner::{Bilingual, Condition, Dimension, Indexed, Kind, Noun, SortKey, SortType, Sql, Texts, noun};

use crate::error::{Code, coded};
use crate::noun::case::{self, InspectionCase};
use crate::noun::case_report::{self, CaseReport};
use crate::noun::measure::{self, Measure};
use crate::noun::problem::{self, Problem};
use crate::noun::progress_report::{self, ProgressReport};
use crate::noun::round::InspectionRound;
use crate::noun::supervision::{self, Comment};
use crate::noun::unit::{self, Unit};
use crate::part::filter::{codes_in, filter};
use crate::part::order::order;

/// Kind of an object that a search finds.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
pub(crate) enum SearchKind {
    /// 反馈问题 · A problem, by number, title and description.
    Problem,
    /// 整改措施 · A measure, by its number and its text.
    Measure,
    /// 交办案件 · A complaint case, by its number and its summary.
    InspectionCase,
    /// 督察轮次 · An inspection round, by its name.
    InspectionRound,
    /// 单位 · A unit, by its name.
    Unit,
    /// 批示意见 · A comment of a leader, by its text.
    Comment,
    /// 案件办理 · A step of a complaint case, by its text.
    CaseReport,
    /// 进展报告 · A progress report, by its text.
    ProgressReport,
}

/// Hits in a number, a name or a title come first; among them, in the order of the kinds.
const RANK: SortKey = SortKey::column("{t}.place", "place", SortType::Integer);

const GROUPS: &[Dimension] = &[Dimension::plain("KIND", "种类 · Kind of the object.", "{t}.kind")];

/// Returns SQL for the words around the first hit.
fn snippet(sql: &mut Sql<'_>, hit: &str) -> String {
    let word = sql.fact("search");
    sql.excerpt(&format!("{hit}.text"), &word)
}

/// The texts that are searched, as the index has them.
const TEXTS: Texts = Texts::of_parts(
    &["text"],
    &[
        problem::TEXTS,
        measure::TEXTS,
        case::TEXTS,
        Indexed { name: "inspection_round", table: "inspection_round", columns: &["name"] },
        unit::NAMES,
        supervision::TEXTS,
        case_report::TEXTS,
        progress_report::TEXTS,
    ],
    &[(problem::NUMBERS, problem::TEXTS), (measure::NUMBERS, measure::TEXTS), (case::NUMBERS, case::TEXTS)],
);

/// Writes one part of the search: the objects of a table at one place among all, by the SQL of all their text, of the
/// condition by which the index narrows them, and of the condition that they belong to this place.
macro_rules! part {
    ($place:literal, $kind:literal, $table:literal, $id:literal, $text:expr) => {
        part!($place, $kind, $table, $id, $text, "TRUE")
    };
    ($place:literal, $kind:literal, $table:literal, $id:literal, $text:expr, $only:expr) => {
        part!($place, $kind, $table, $id, $text, concat!("{found:", $table, ":x}"), $only)
    };
    ($place:literal, $kind:literal, $table:literal, $id:literal, $text:expr, $found:expr, $only:expr) => {
        concat!(
            "SELECT x.id, '",
            $kind,
            "' AS kind, '",
            $id,
            "_' || x.id AS object_id, ",
            $place,
            " AS place, ",
            $text,
            " AS text FROM ",
            $table,
            " x WHERE ",
            $found,
            " AND {sees:",
            $table,
            ":x} AND ",
            $only
        )
    };
}

/// Writes the part of the objects that have the first word in their numbers; the others may be there or in the text.
macro_rules! numbered {
    ($place:literal, $kind:literal, $table:literal, $id:literal, $text:expr) => {
        part!(
            $place,
            $kind,
            $table,
            $id,
            concat!("x.number || ' ' || ", $text),
            concat!("{first:", $table, "_number:x}"),
            "{has:x.number}"
        )
    };
}

/// Writes the part of the objects that do not have the first word in their numbers; the others may be there.
macro_rules! unnumbered {
    ($place:literal, $kind:literal, $table:literal, $id:literal, $text:expr, $only:expr) => {
        part!(
            $place,
            $kind,
            $table,
            $id,
            concat!("coalesce(x.number || ' ', '') || ", $text),
            concat!("{worded:", $table, ":x}"),
            concat!($only, "NOT {has:coalesce(x.number, '')}")
        )
    };
}

/// The text of a problem.
macro_rules! problem_text {
    () => {
        "x.title || coalesce(' ' || x.description, '')"
    };
}

/// Writes one of the two parts of problems by their text: those with the first word in their titles, or the others.
macro_rules! problems {
    ($place:literal, $only:literal) => {
        unnumbered!($place, "PROBLEM", "problem", "problem", problem_text!(), concat!($only, " AND "))
    };
}

/// Writes the key of an object of one kind.
macro_rules! key_of {
    ($kind:literal, $column:literal) => {
        concat!("CASE WHEN hit.kind = '", $kind, "' THEN hit.id END AS ", $column)
    };
}

/// Writes the columns of the hits in parts.
macro_rules! hits {
    ($($part:expr),+) => {
        concat!(
            "(SELECT hit.id, hit.kind, hit.object_id, hit.place, hit.text, ",
            key_of!("PROBLEM", "problem_id"),
            ", ",
            key_of!("MEASURE", "measure_id"),
            ", ",
            key_of!("INSPECTION_CASE", "case_id"),
            ", ",
            key_of!("INSPECTION_ROUND", "round_id"),
            ", ",
            key_of!("UNIT", "unit_id"),
            ", ",
            key_of!("COMMENT", "comment_id"),
            ", ",
            key_of!("CASE_REPORT", "case_report_id"),
            ", ",
            key_of!("PROGRESS_REPORT", "report_id"),
            " FROM (",
            $($part),+,
            ") hit)"
        )
    };
}

/// Hands all parts to a macro, in the order of their places. The words of a problem may be in its title or elsewhere;
/// those of reports and comments are never in a title.
macro_rules! with_parts {
    ($to:ident) => {
        $to!(
            numbered!("0", "PROBLEM", "problem", "problem", problem_text!()),
            numbered!("1", "MEASURE", "measure", "measure", "x.content"),
            numbered!("2", "INSPECTION_CASE", "inspection_case", "case", "x.summary"),
            problems!("3", "{first:problem_title:x} AND {has:x.title}"),
            unnumbered!("4", "MEASURE", "measure", "measure", "x.content", ""),
            unnumbered!("5", "INSPECTION_CASE", "inspection_case", "case", "x.summary", ""),
            part!("6", "INSPECTION_ROUND", "inspection_round", "round", "x.name"),
            part!("7", "UNIT", "unit", "unit", "x.name"),
            problems!("8", "NOT {has:x.title}"),
            part!("13", "COMMENT", "comment", "comment", "x.text"),
            part!("14", "CASE_REPORT", "case_report", "casereport", "x.text"),
            part!("15", "PROGRESS_REPORT", "progress_report", "report", "x.text")
        )
    };
}

/// Lists the sources of the hits in each part.
macro_rules! each {
    ($($part:expr),+) => {
        &[$(hits!($part)),+]
    };
}

/// Writes the source of the hits in all parts.
macro_rules! together {
    ($first:expr $(, $part:expr)+) => {
        hits!($first $(, " UNION ALL ", $part)+)
    };
}

noun! {
    /// Something that a search has found, with the words around the hit.
    pub(crate) SearchHit from (with_parts!(together)) {
        order: &[RANK],
        total: None,
        parts: with_parts!(each),
        filter: SearchHitFilter,
        by: SearchHitOrder,
        groups: GROUPS
    }
    /// Kind of the object that was found.
    kind: SearchKind = Kind::Column("kind");
    /// Global id of the object that was found, for `node`.
    objectId: async_graphql::ID = Kind::Column("object_id");
    /// Place of the hit among all: the smaller the better. Hits in a number, a name or a title are below 8.
    rank: i32 = Kind::Column("place");
    /// About 80 characters around the first hit, as printed.
    snippet: String = Kind::Expression(snippet);
    /// Problem that was found; null for other kinds.
    problem: Option<Problem> = Kind::One(<Problem as Noun>::table, "problem_id");
    /// Measure that was found; null for other kinds.
    measure: Option<Measure> = Kind::One(<Measure as Noun>::table, "measure_id");
    /// Complaint case that was found; null for other kinds.
    inspectionCase: Option<InspectionCase> = Kind::One(<InspectionCase as Noun>::table, "case_id");
    /// Inspection round that was found; null for other kinds.
    round: Option<InspectionRound> = Kind::One(<InspectionRound as Noun>::table, "round_id");
    /// Unit that was found; null for other kinds.
    unit: Option<Unit> = Kind::One(<Unit as Noun>::table, "unit_id");
    /// Comment that was found; null for other kinds.
    comment: Option<Comment> = Kind::One(<Comment as Noun>::table, "comment_id");
    /// Step of a complaint case that was found; null for other kinds.
    caseReport: Option<CaseReport> = Kind::One(<CaseReport as Noun>::table, "case_report_id");
    /// Progress report that was found; null for other kinds.
    progressReport: Option<ProgressReport> = Kind::One(<ProgressReport as Noun>::table, "report_id");
}

order! { SearchHitOrder by SearchHitOrderField {
    /// 匹配程度 · Place of the hit among all.
    Rank = RANK,
} }

filter! {
    /// Conditions on what a search finds. All that are given have to hold.
    SearchHitFilter {
        /// The object is of one of these kinds.
        kind: Vec<SearchKind> = |kinds| codes_in("kind", kinds),
    }
}

/// Reads what is searched for: the condition on the hits, and the first word in the normal form of searches.
pub(crate) fn searched(text: &str) -> Result<(Condition, String), Error> {
    let Some(first) = text.split_whitespace().next() else {
        let (zh, en) = ("`text` 应给出要查找的词", "`text` must name at least one word to look for");
        return Err(coded(Code::BadUserInput, Bilingual::new(zh, en)));
    };
    let words = text.split_whitespace().map(|word| Condition::Contains(TEXTS, word.to_owned()));
    Ok((Condition::All(words.collect()), planner::normal(first)))
}
