//! Complaint cases (交办案件), ownership (主责、共性) and accountability (责任追究) as objects of the schema.

use entity::inspection_case::CaseState;
use sea_orm::ActiveEnum;
use serde_json::json;

use super::{Object, Tables};

/// Returns the key of the complaint case whose audit chain this is, or `None` for other chains.
pub(crate) fn of_chain(chain: &str) -> Option<i64> {
    chain.strip_prefix("case_")?.parse().ok()
}

impl Tables {
    pub(super) fn case(&self, row: &entity::inspection_case::Model) -> Object {
        let open = [CaseState::HandedOver, CaseState::InProgress, CaseState::PartlyResolved].contains(&row.state);
        let mut pollution: Vec<String> =
            self.case_pollution.iter().filter(|one| one.case_id == row.id).map(|one| one.kind.to_value()).collect();
        pollution.sort();
        let pollution = pollution.iter().map(|kind| Object::part("CasePollution", json!({"kind": kind})));
        let assisting = self.case_units.iter().filter(|one| one.case_id == row.id).map(|one| one.unit_id);
        let reports = self.case_reports.iter().filter(|one| one.case_id == row.id).map(|one| one.id);
        let audit = self.audit.iter().filter(|entry| of_chain(&entry.chain) == Some(row.id)).map(|entry| entry.id);
        let values = json!({"number": row.number, "batch": row.batch, "isRepeat": row.repeat_of_id.is_some(),
            "handling": row.handling.map(|one| one.to_value()),
            "state": row.state.to_value(), "channel": row.channel.to_value(),
            "isKey": row.is_key, "summary": row.summary, "handedOverOn": row.handed_over_on, "dueOn": row.due_on,
            "isOverdue": open && row.due_on < self.today, "finding": row.finding.map(|one| one.to_value()),
            "resolvedOn": row.resolved_on, "closedOn": row.closed_on, "version": row.version,
            "createdAt": row.created_at, "updatedAt": row.updated_at});
        Object::new("InspectionCase", row.id, values)
            .parts("pollution", pollution.collect())
            .one("round", "InspectionRound", row.round_id)
            .one("region", "Region", row.region_id)
            .within([row.region_id])
            .one("leadUnit", "Unit", row.lead_unit_id)
            .one("repeatOf", "InspectionCase", row.repeat_of_id)
            .many("assistingUnits", "Unit", assisting.collect())
            .many("reports", "CaseReport", reports.collect())
            .many("audit", "AuditEntry", audit.collect())
    }

    /// Returns the regions that own a problem and those that share it, in the API's order.
    pub(super) fn owners(&self, problem: i64) -> Vec<Object> {
        let mut owners: Vec<_> = self.ownership.iter().filter(|one| one.problem_id == problem).collect();
        owners.sort_by_key(|one| (one.kind.to_value(), one.region_id));
        let part = |one: &&entity::ownership::Model| {
            Object::part("Ownership", json!({"kind": one.kind.to_value()})).one("region", "Region", one.region_id)
        };
        owners.iter().map(part).collect()
    }
}

pub(super) fn report(row: &entity::case_report::Model) -> Object {
    let values = json!({"step": row.step.to_value(), "text": row.text,
        "finding": row.finding.map(|one| one.to_value()), "writtenAt": row.written_at});
    Object::new("CaseReport", row.id, values).one("author", "Account", row.author_id).one(
        "inspectionCase",
        "InspectionCase",
        row.case_id,
    )
}

pub(super) fn accountability(row: &entity::accountability::Model) -> Object {
    let held = row.withdrawn_at.is_none().then_some(row.people);
    let values = json!({"rank": row.rank.to_value(), "consequence": row.consequence.to_value(),
        "people": row.people, "peopleHeld": held, "decidedOn": row.decided_on, "recordedAt": row.recorded_at,
        "withdrawnAt": row.withdrawn_at, "withdrawReason": row.withdraw_reason, "version": row.version});
    Object::new("Accountability", row.id, values)
        .one("recorder", "Account", row.recorder_id)
        .one("problem", "Problem", row.problem_id)
        .one("round", "InspectionRound", row.round_id)
        .one("region", "Region", row.region_id)
}
