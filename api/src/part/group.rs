//! Dimensions and figures that several nouns share: what their lists can be grouped by, and which values are
//! aggregated. A dimension or figure of a single noun is declared with that noun.

use planner::{Dimension, Figure, FigureKind, Named};

/// Makes the dimensions of a noun: those given, and month, quarter and year of its main date. `$date` is SQL for that
/// date, or for text that begins with year and month; `$what` says which date it is.
macro_rules! dated {
    ($date:literal, $what:literal, [$($dimension:expr),* $(,)?]) => {
        &[
            $($dimension,)*
            Dimension::plain(
                "MONTH",
                concat!("月份 · Month of the ", $what, ", such as `2026-03`; null without one."),
                concat!("substr(CAST(", $date, " AS text), 1, 7)"),
            ),
            Dimension::plain(
                "QUARTER",
                concat!("季度 · Quarter of the ", $what, ", such as `2026Q1`; null without one."),
                concat!(
                    "substr(CAST(", $date, " AS text), 1, 4) || 'Q' || ((CAST(substr(CAST(", $date,
                    " AS text), 6, 2) AS integer) + 2) / 3)"
                ),
            ),
            Dimension::plain(
                "YEAR",
                concat!("年份 · Year of the ", $what, ", such as `2026`; null without one."),
                concat!("substr(CAST(", $date, " AS text), 1, 4)"),
            ),
        ]
    };
}
pub(crate) use dated;

/// The unit that the key of a group refers to.
pub(crate) const A_UNIT: Named =
    Named { prefix: "unit", table: "unit", name: "SELECT name FROM unit WHERE id = {}", code: None };

/// The region that the key of a group refers to.
pub(crate) const A_REGION: Named = Named {
    prefix: "region",
    table: "region",
    name: "SELECT name FROM region WHERE id = {}",
    code: Some("SELECT code FROM region WHERE id = {}"),
};

/// The inspection round that the key of a group refers to.
pub(crate) const A_ROUND: Named = Named {
    prefix: "round",
    table: "inspection_round",
    name: "SELECT name FROM inspection_round WHERE id = {}",
    code: None,
};

pub(crate) const STATUS: Dimension = Dimension::plain("STATUS", "办理状态 · Workflow status.", "{t}.status");

pub(crate) const STATED_PACE: Dimension = Dimension::plain(
    "STATED_PACE",
    "台账所述进度 · Pace that the last ledger states, as `StatedPace` spells it; null if none states one.",
    "{t}.stated_pace",
);

pub(crate) const DUE_ON: Dimension = Dimension::plain(
    "DUE_ON",
    "整改时限 · Due date: the latest date of the deadline, a local date; null for deadlines without a date.",
    "{t}.due_on",
);

pub(crate) const DEADLINE_CLASS: Dimension = Dimension::plain(
    "DEADLINE_CLASS",
    "时限类别 · Form of the deadline: `DATED`, `DATED_ONGOING`, `IMMEDIATE`, `ONGOING` or `NONE`.",
    ledger::rule::deadline::CLASS,
);

pub(crate) const REGION: Dimension = Dimension::of(
    "REGION",
    "行政区 · Region to which the item belongs; for a problem or a measure, the region that issued it.",
    "{t}.region_id",
    A_REGION,
);

pub(crate) const ROUND: Dimension =
    Dimension::of("ROUND", "督察轮次 · Inspection round to which the item belongs.", "{t}.round_id", A_ROUND);

pub(crate) const LEAD_UNIT: Dimension = Dimension::of(
    "LEAD_UNIT",
    "牵头单位 · Lead unit (牵头单位; for a complaint case 主办单位).",
    "{t}.lead_unit_id",
    A_UNIT,
);

pub(crate) const LEAD_SECTOR: Dimension = Dimension::plain(
    "SECTOR",
    "牵头单位行业 · Sector of the lead unit, such as 水利; null if it has none, or if the caller may not see the unit.",
    "{j}.sector",
)
.held_by("unit", "{j}.id = {t}.lead_unit_id AND {sees:unit:{j}}");

pub(crate) const PROBLEM: Dimension = Dimension::of(
    "PROBLEM",
    "反馈问题 · Problem to which the item belongs; the label of the group is the problem's title.",
    "{t}.problem_id",
    Named { prefix: "problem", table: "problem", name: "SELECT title FROM problem WHERE id = {}", code: None },
);

/// What hangs below an assignment is grouped by the unit that answers it.
pub(crate) const ANSWERING_UNIT: Dimension =
    Dimension::of("UNIT", "责任单位 · Unit that answers the assignment.", "{j}.unit_id", A_UNIT)
        .held_by("assignment", "{j}.id = {t}.assignment_id");

/// What hangs below an assignment is grouped by the region that answers it.
pub(crate) const ANSWERING_REGION: Dimension =
    Dimension::of("REGION", "行政区 · Region of the unit that answers the assignment.", "{j}.region_id", A_REGION)
        .held_by("assignment", "{j}.id = {t}.assignment_id");

pub(crate) const DUE: Figure = Figure {
    name: "dueOn",
    description: "Range of the due dates; a due date is the latest date of a deadline.",
    expression: "{t}.due_on",
    kind: FigureKind::Date,
};

pub(crate) const COMPLETED: Figure = Figure {
    name: "completedOn",
    description: "Range of the dates on which the items were completed (完成).",
    expression: "{t}.completed_on",
    kind: FigureKind::Date,
};

pub(crate) const UPDATED: Figure = Figure {
    name: "updatedAt",
    description: "Range of the moments at which the items last changed.",
    expression: "{t}.updated_at",
    kind: FigureKind::Moment,
};
