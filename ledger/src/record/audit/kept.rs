//! What the audit records of the ledger's rows. Acts write it into their entries, and a verification compares it with
//! the rows.

use entity::{account, assignment, inspection_case};
use sea_orm::ActiveEnum;
use serde_json::{Value, json};

/// Returns the fields of an assignment that the audit records.
pub(crate) fn assignment(row: &assignment::Model) -> Value {
    json!({
        "status": row.status.to_value(),
        "completedOn": row.completed_on,
        "unit": row.unit_id,
        "version": row.version,
        "acceptedAt": row.accepted_at,
        "declinedAt": row.declined_at,
    })
}

/// Returns the fields of a case that the audit records.
pub(crate) fn case(row: &inspection_case::Model) -> Value {
    json!({
        "state": row.state.to_value(),
        "number": row.number,
        "leadUnit": row.lead_unit_id,
        "dueOn": row.due_on,
        "batch": row.batch,
        "handling": row.handling.map(|handling| handling.to_value()),
        "repeatOf": row.repeat_of_id,
        "finding": row.finding.map(|finding| finding.to_value()),
        "resolvedOn": row.resolved_on,
        "closedOn": row.closed_on,
        "version": row.version,
    })
}

/// Returns the fields of an account that the audit records: its rights, and nothing that names a person.
pub(crate) fn account(row: &account::Model) -> Value {
    json!({ "role": row.role.to_value(), "unit": row.unit_id, "region": row.region_id, "validUntil": row.valid_until })
}
