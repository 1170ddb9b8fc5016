//! The search over everything that has words: problems, measures, cases, rounds, units, comments and reports in one
//! list.

use async_graphql::{Enum, Error};
use planner::{Bilingual, Condition, Dimension, Kind, Noun, SortKey, SortType, Sql, Texts, noun};

use crate::error::{Code, coded};
use crate::noun::case::InspectionCase;
use crate::noun::case_report::CaseReport;
use crate::noun::measure::Measure;
use crate::noun::problem::Problem;
use crate::noun::progress_report::ProgressReport;
use crate::noun::round::InspectionRound;
use crate::noun::supervision::Comment;
use crate::noun::unit::Unit;
use crate::part::filter::{codes_in, filter};
use crate::part::order::order;

/// Kind of an object that a search finds.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
pub(crate) enum SearchKind {
    /// 反馈问题 · A problem, by title and description.
    Problem,
    /// 整改措施 · A measure, by its text.
    Measure,
    /// 交办案件 · A complaint case, by its summary.
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

/// Hits in a name or a title come first; among them, in the order of the kinds.
const RANK: SortKey = SortKey::column("{t}.place", "place", SortType::Integer);

const GROUPS: &[Dimension] = &[Dimension::plain("KIND", "种类 · Kind of the object.", "{t}.kind")];

/// Returns SQL for the words around the first hit.
fn snippet(sql: &mut Sql<'_>, hit: &str) -> String {
    let word = sql.fact("search");
    sql.excerpt(&format!("{hit}.text"), &word)
}

/// Writes one part of the search: the objects of a table, by the SQL of their title and of all their text.
macro_rules! part {
    ($place:literal, $kind:literal, $table:literal, $id:literal, $title:literal, $text:literal) => {
        concat!(
            "SELECT x.id * 8 + ",
            $place,
            " AS id, '",
            $kind,
            "' AS kind, '",
            $id,
            "_' || x.id AS object_id, \
             CASE WHEN replace(lower(",
            $title,
            "), {fact:search}, '') <> lower(",
            $title,
            ") THEN 0 ELSE 8 END + ",
            $place,
            " AS place, ",
            $text,
            " AS text, x.id AS key FROM ",
            $table,
            " x WHERE {found:",
            $table,
            ":x} AND {sees:",
            $table,
            ":x}"
        )
    };
}

/// Writes the key of an object of one kind.
macro_rules! key_of {
    ($kind:literal, $column:literal) => {
        concat!("CASE WHEN hit.kind = '", $kind, "' THEN hit.key END AS ", $column)
    };
}

noun! {
    /// Something that a search has found, with the words around the hit.
    pub(crate) SearchHit from (concat!(
        "(SELECT hit.id, hit.kind, hit.object_id, hit.place, hit.text, ",
        key_of!("PROBLEM", "problem_id"), ", ", key_of!("MEASURE", "measure_id"), ", ",
        key_of!("INSPECTION_CASE", "case_id"), ", ", key_of!("INSPECTION_ROUND", "round_id"), ", ",
        key_of!("UNIT", "unit_id"), ", ", key_of!("COMMENT", "comment_id"), ", ",
        key_of!("CASE_REPORT", "case_report_id"), ", ", key_of!("PROGRESS_REPORT", "report_id"), " FROM (",
        part!(0, "PROBLEM", "problem", "problem", "x.title", "x.title || coalesce(' ' || x.description, '')"),
        " UNION ALL ", part!(1, "MEASURE", "measure", "measure", "x.content", "x.content"),
        " UNION ALL ", part!(2, "INSPECTION_CASE", "inspection_case", "case", "x.summary", "x.summary"),
        " UNION ALL ", part!(3, "INSPECTION_ROUND", "inspection_round", "round", "x.name", "x.name"),
        " UNION ALL ", part!(4, "UNIT", "unit", "unit", "x.name", "x.name"),
        " UNION ALL ", part!(5, "COMMENT", "comment", "comment", "''", "x.text"),
        " UNION ALL ", part!(6, "CASE_REPORT", "case_report", "casereport", "''", "x.text"),
        " UNION ALL ", part!(7, "PROGRESS_REPORT", "progress_report", "report", "''", "x.text"),
        ") hit)"
    )) {
        order: &[RANK],
        total: None,
        filter: SearchHitFilter,
        by: SearchHitOrder,
        groups: GROUPS
    }
    /// Kind of the object that was found.
    kind: SearchKind = Kind::Column("kind");
    /// Global id of the object that was found, for `node`.
    objectId: async_graphql::ID = Kind::Column("object_id");
    /// Place of the hit among all: the smaller the better. Hits in a name or a title are below 8.
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
    let words = text.split_whitespace().map(|word| Condition::Contains(Texts::from(&["text"]), word.to_owned()));
    Ok((Condition::All(words.collect()), planner::normal(first)))
}
