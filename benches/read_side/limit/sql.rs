//! Parts that the statements share, as placeholders in their text.

/// SQL for the pace of a measure `m` at the date `$2`.
const PACE: &str = include_str!("pace.sql");
/// SQL for the members of the JSON object of a group's figures.
const FIGURES: &str = "'all', \"all\", 'completed', completed, 'closed', closed, 'notApplicable', not_applicable, \
    'overdue', overdue, 'completionRate', completion_rate, 'closeOutRate', close_out_rate, 'overdueRate', overdue_rate";
/// SQL array of workflow states, the least advanced first and not applicable last, for roll-ups.
const STATES: &str = "ARRAY['REOPENED', 'ASSIGNED', 'NOT_APPLICABLE_PROPOSED', 'RETURNED', 'IN_PROGRESS', 'SUBMITTED', \
    'VERIFIED', 'PUBLICISED', 'CLOSED_ONGOING', 'CLOSED', 'NOT_APPLICABLE']";
/// SQL list of final workflow states.
const SETTLED: &str = "'CLOSED', 'CLOSED_ONGOING', 'NOT_APPLICABLE'";

/// Expands the placeholders of a statement.
pub(super) fn spelt(sql: &str) -> String {
    let deadline = |of: &str| {
        format!(
            "json_build_object('raw', {of}.due_raw, 'dueOn', {of}.due_on, 'ongoing', {of}.due_ongoing, \
             'immediate', {of}.due_immediate)"
        )
    };
    let cursor =
        |of: &str| format!("encode(convert_to(json_build_array({of}.due_order, {of}.id)::text, 'UTF8'), 'hex')");
    sql.replace("{pace}", PACE)
        .replace("{figures}", FIGURES)
        .replace("{states}", STATES)
        .replace("{settled}", SETTLED)
        .replace("{deadline p}", &deadline("p"))
        .replace("{deadline m}", &deadline("m"))
        .replace("{cursor p}", &cursor("p"))
        .replace("{cursor m}", &cursor("m"))
}
