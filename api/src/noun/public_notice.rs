//! Public notices (公示): the close-out notices that anyone may read without signing in.

use async_graphql::{Error, ID};
use planner::{Bilingual, Condition, Dimension, Kind, Noun, Root, SortKey, SortType, Sql, noun};

use crate::error::{Code, coded};
use crate::noun::region::SubtreeFilter;
use crate::part::filter::{DateFilter, TextFilter, filter};
use crate::part::group::dated;
use crate::part::order::order;
use crate::part::read::Fact;
use crate::part::scalar::Date;

const NEWEST: SortKey = SortKey::column("{t}.id", "id", SortType::Integer).reversed();

const GROUPS: &[Dimension] = dated!(
    "{t}.notice_from",
    "first day of the notice",
    [
        Dimension::plain("REGION", "行政区 · Name of the region of the answering unit.", "{t}.region"),
        Dimension::plain("ROUND", "督察轮次 · Name of the inspection round.", "{t}.round"),
    ]
);

/// Returns SQL for the id of a notice.
fn id(_: &mut Sql<'_>, notice: &str) -> String {
    format!("'notice_' || {notice}.id")
}

/// Returns the SQL condition that objections to a notice are taken today.
fn takes_objections(sql: &mut Sql<'_>, notice: &str) -> String {
    let today = sql.fact("today");
    format!("({notice}.closed_on IS NULL AND {notice}.notice_from <= {today} AND {notice}.notice_until >= {today})")
}

/// Returns SQL for whether objections to a notice are taken today.
fn is_open(sql: &mut Sql<'_>, notice: &str) -> String {
    let condition = takes_objections(sql, notice);
    sql.boolean(&condition)
}

noun! {
    /// A close-out notice that anyone may read without signing in.
    // What is public is public for everybody, so the source asks nothing about the caller.
    pub(crate) PublicNotice from "(SELECT c.id, r.name AS round, p.title AS problem, m.number, m.content, \
        u.name AS unit, g.name AS region, g.code AS region_code, a.region_id, c.notice, c.contact, c.notice_from, \
        c.notice_until, c.closed_on \
        FROM close_out c JOIN assignment a ON a.id = c.assignment_id JOIN measure m ON m.id = a.measure_id \
        JOIN problem p ON p.id = m.problem_id JOIN inspection_round r ON r.id = p.round_id \
        JOIN unit u ON u.id = a.unit_id JOIN region g ON g.id = a.region_id \
        WHERE c.disclosed_at IS NOT NULL AND c.notice IS NOT NULL)" {
        order: &[NEWEST],
        total: None,
        filter: PublicNoticeFilter,
        by: PublicNoticeOrder,
        groups: GROUPS
    }
    /// Id of the notice, such as `notice_12`. A notice is no `Node`, so `node` does not resolve the id: callers without
    /// an account read notices, and `node` serves accounts only.
    id: ID = Kind::Expression(id);
    /// Name of the inspection round (督察轮次).
    round: String = Kind::Column("round");
    /// Title of the problem (反馈问题).
    problem: String = Kind::Column("problem");
    /// Number of the measure as printed, such as `12-02`; null where none is printed.
    number: Option<String> = Kind::Column("number");
    /// Text of the measure (整改措施).
    content: String = Kind::Column("content");
    /// Name of the unit that answers for the assignment.
    unit: String = Kind::Column("unit");
    /// Name of the region (行政区) of that unit.
    region: String = Kind::Column("region");
    /// Division code of that region, such as `540329`; null if it has none.
    regionCode: Option<String> = Kind::Column("region_code");
    /// Text of the public notice.
    notice: String = Kind::Column("notice");
    /// Office that takes objections to the notice, and how to reach it.
    contact: String = Kind::Column("contact");
    /// First day of the public notice, a local date.
    noticeFrom: Date = Kind::Column("notice_from");
    /// Last day of the public notice, a local date.
    noticeUntil: Date = Kind::Column("notice_until");
    /// Local date on which the assignment was closed; null before that.
    closedOn: Option<Date> = Kind::Column("closed_on");
    /// Whether objections are taken on the current local day: the notice has begun, has not ended, and the assignment
    /// is not closed.
    isOpen: bool = Kind::Expression(is_open);
}

order! { PublicNoticeOrder by PublicNoticeOrderField {
    /// 公示开始 · First day of the notice.
    NoticeFrom = SortKey::column("{t}.notice_from", "notice_from", SortType::Date),
    /// 公示截止 · Last day of the notice.
    NoticeUntil = SortKey::column("{t}.notice_until", "notice_until", SortType::Date),
} }

filter! {
    /// Conditions on public notices. All that are given have to hold.
    PublicNoticeFilter {
        /// Condition on the words of the notice; `search` also looks into the problem, the measure and the unit.
        text: TextFilter = |text| text.condition("notice", &["notice", "problem", "content", "unit"]),
        /// The unit that answers belongs to this region or to one below it.
        region: SubtreeFilter = |region| region.below(),
        /// Condition on the division code of the region: `startsWith: "5403"` selects a city and its counties.
        region_code: TextFilter = |code| code.condition("region_code", &["region_code"]),
        /// Condition on the name of the inspection round.
        round: TextFilter = |round| round.condition("round", &["round"]),
        /// Condition on the name of the unit that answers.
        unit: TextFilter = |unit| unit.condition("unit", &["unit"]),
        /// True: only notices to which objections are taken on the current local day. False: only the others.
        is_open: bool = |wanted| Condition::Holds(takes_objections, *wanted),
        /// Condition on the first day of the notice.
        notice_from: DateFilter = |day| day.condition("notice_from"),
        /// Condition on the last day of the notice.
        notice_until: DateFilter = |day| day.condition("notice_until"),
        /// Condition on the local date on which the assignment was closed.
        closed_on: DateFilter = |day| day.condition("closed_on"),
    }
}

/// Returns SQL for whether a notice is on the page that [`page`] describes.
fn on_page(sql: &mut Sql<'_>, notice: &str) -> String {
    let (before, most) = (sql.fact("before"), sql.fact("most"));
    format!(
        "{notice}.id IN (SELECT c.id FROM close_out c WHERE c.disclosed_at IS NOT NULL AND c.notice IS NOT NULL \
         AND c.id < {before} ORDER BY c.id DESC LIMIT {most})"
    )
}

/// Reads the arguments of the plain list `publicNotices`: its rows, and the facts that they depend on.
pub(crate) fn page(most: u64, after: Option<&str>) -> Result<(Root<'static>, [Fact; 2]), Error> {
    let before = match after {
        Some(id) => id.strip_prefix("notice_").and_then(|key| key.parse().ok()).ok_or_else(|| {
            let (zh, en) =
                (format!("`after: {id}` 不是公示的编号"), format!("`after: {id}` is not the id of a public notice"));
            coded(Code::BadUserInput, Bilingual::new(zh, en))
        })?,
        None => i64::MAX,
    };
    let rows = Root::Where(<PublicNotice as Noun>::table(), Condition::Holds(on_page, true));
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    Ok((rows, [("before", before.into()), ("most", most.into())]))
}
