//! What lists of several nouns can be grouped by, and what is reckoned over them; what only one has stands with it.

use planner::{Dimension, Figure, FigureKind, Named};

pub(crate) const STATUS: Dimension = Dimension::plain("STATUS", "The workflow state.", "{t}.status");

pub(crate) const DUE_ON: Dimension = Dimension::plain("DUE_ON", "The latest date of the deadline.", "{t}.due_on");

pub(crate) const DEADLINE_CLASS: Dimension =
    Dimension::plain("DEADLINE_CLASS", "The form of the deadline.", ledger::rule::deadline::CLASS);

pub(crate) const REGION: Dimension = Dimension {
    name: "REGION",
    description: "The region.",
    key: "{t}.region_id",
    of: Some(Named { prefix: "region", table: "region", name: "SELECT name FROM region WHERE id = {}" }),
};

pub(crate) const ROUND: Dimension = Dimension {
    name: "ROUND",
    description: "The inspection round (督察轮次).",
    key: "{t}.round_id",
    of: Some(Named {
        prefix: "round",
        table: "inspection_round",
        name: "SELECT name FROM inspection_round WHERE id = {}",
    }),
};

pub(crate) const LEAD_UNIT: Dimension = Dimension {
    name: "LEAD_UNIT",
    description: "The lead unit (牵头单位、主办单位).",
    key: "{t}.lead_unit_id",
    of: Some(Named { prefix: "unit", table: "unit", name: "SELECT name FROM unit WHERE id = {}" }),
};

pub(crate) const PROBLEM: Dimension = Dimension {
    name: "PROBLEM",
    description: "The problem; its label is the title.",
    key: "{t}.problem_id",
    of: Some(Named { prefix: "problem", table: "problem", name: "SELECT title FROM problem WHERE id = {}" }),
};

pub(crate) const DUE: Figure =
    Figure { name: "dueOn", description: "Their latest dates.", expression: "{t}.due_on", kind: FigureKind::Date };

pub(crate) const COMPLETED: Figure = Figure {
    name: "completedOn",
    description: "When they were completed.",
    expression: "{t}.completed_on",
    kind: FigureKind::Date,
};

pub(crate) const UPDATED: Figure = Figure {
    name: "updatedAt",
    description: "When they last changed.",
    expression: "{t}.updated_at",
    kind: FigureKind::Moment,
};
