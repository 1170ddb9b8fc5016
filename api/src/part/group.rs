//! Dimensions and figures that several nouns share: what their lists can be grouped by, and which values are
//! aggregated. A dimension or figure of a single noun is declared with that noun.

use planner::{Dimension, Figure, FigureKind, Named};

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

pub(crate) const REGION: Dimension = Dimension {
    name: "REGION",
    description: "行政区 · Region to which the item belongs; for a problem or a measure, the region that issued it.",
    key: "{t}.region_id",
    of: Some(Named { prefix: "region", table: "region", name: "SELECT name FROM region WHERE id = {}" }),
};

pub(crate) const ROUND: Dimension = Dimension {
    name: "ROUND",
    description: "督察轮次 · Inspection round to which the item belongs.",
    key: "{t}.round_id",
    of: Some(Named {
        prefix: "round",
        table: "inspection_round",
        name: "SELECT name FROM inspection_round WHERE id = {}",
    }),
};

pub(crate) const LEAD_UNIT: Dimension = Dimension {
    name: "LEAD_UNIT",
    description: "牵头单位 · Lead unit (牵头单位; for a complaint case 主办单位).",
    key: "{t}.lead_unit_id",
    of: Some(Named { prefix: "unit", table: "unit", name: "SELECT name FROM unit WHERE id = {}" }),
};

pub(crate) const PROBLEM: Dimension = Dimension {
    name: "PROBLEM",
    description: "反馈问题 · Problem to which the item belongs; the label of the group is the problem's title.",
    key: "{t}.problem_id",
    of: Some(Named { prefix: "problem", table: "problem", name: "SELECT title FROM problem WHERE id = {}" }),
};

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
