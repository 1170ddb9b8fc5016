//! Creates the first schema of the ledger: regions and units, rounds, problems and measures, assignments with their
//! reports and checks, the outbox and the schedules. Codes in text columns are spelt as in GraphQL, so that reads need
//! no mapping.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, boolean, date, date_null, double_null, integer, string, string_null, text, text_null,
    timestamp_with_time_zone, timestamp_with_time_zone_null,
};

use crate::draft::{Draft, code, code_null};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// Workflow statuses of assignments, and of measures and problems as their roll-up.
const STATUSES: [&str; 11] = [
    "REOPENED",
    "ASSIGNED",
    "NOT_APPLICABLE_PROPOSED",
    "RETURNED",
    "IN_PROGRESS",
    "SUBMITTED",
    "VERIFIED",
    "PUBLICISED",
    "CLOSED_ONGOING",
    "CLOSED",
    "NOT_APPLICABLE",
];

/// Date by which rows without a deadline are sorted: after all others.
const NO_DEADLINE: &str = "9999-12-31";

/// Adds the columns of a deadline: its text as printed, its normal form, and `due_by`, the date after which it is
/// overdue (`due_on`, or the end of the grace period of an immediate deadline).
fn deadline(table: &mut TableCreateStatement) {
    table
        .col(text("due_raw"))
        .col(boolean("due_immediate"))
        .col(date_null("due_on"))
        .col(boolean("due_ongoing"))
        .col(date_null("due_by"))
        .col(due_order());
}

/// Returns a generated column, never null, for sorting by deadline.
fn due_order() -> ColumnDef {
    let order = Expr::cust(format!("coalesce(due_on, {})", date_literal()));
    ColumnDef::new("due_order").date().generated(order, true).not_null().to_owned()
}

fn date_literal() -> String {
    format!("'{NO_DEADLINE}'")
}

#[expect(clippy::too_many_lines, reason = "one list of tables reads better than several")]
fn drafts() -> Vec<Draft> {
    vec![
        // Regions, units and accounts.
        Draft::with_id("region")
            .col(string_null("code"))
            .col(string("name"))
            .col(code("level", &["NATION", "PROVINCE", "PREFECTURE", "COUNTY", "TOWNSHIP"]))
            .col(integer("rank").check(Expr::col("rank").between(0, 4)))
            .may_refer_to("parent_id", "region")
            .col(string("path"))
            .unique(&["code"])
            .unique(&["path"])
            .index(&["parent_id"])
            .index(&["rank", "code", "id"]),
        Draft::with_id("unit")
            .refers_to("region_id", "region")
            .col(string("name"))
            .col(code(
                "kind",
                &["PARTY_COMMITTEE", "GOVERNMENT", "DEPARTMENT", "RECTIFICATION_OFFICE", "ENTERPRISE", "OTHER"],
            ))
            .col(string_null("sector"))
            .unique(&["region_id", "name"])
            .index(&["name", "id"]),
        Draft::with_id("unit_alias")
            .belongs_to("unit_id", "unit")
            .col(string("alias"))
            .unique(&["unit_id", "alias"])
            .index(&["alias"]),
        Draft::with_id("unit_address")
            .belongs_to("unit_id", "unit")
            .col(string("address"))
            .unique(&["unit_id", "address"]),
        Draft::with_id("account")
            .may_refer_to("unit_id", "unit")
            .col(string("name"))
            .col(string("email"))
            .col(timestamp_with_time_zone("created_at"))
            .unique(&["email"])
            .index(&["unit_id"]),
        // Inspection rounds, problems, measures and assignments.
        Draft::with_id("inspection_round")
            .col(string("name"))
            .col(code("level", &["CENTRAL", "REGIONAL_BUREAU", "PROVINCE", "PREFECTURE", "COUNTY"]))
            .col(code("kind", &["ROUTINE", "LOOK_BACK", "SPECIAL"]))
            .col(date_null("entered_on"))
            .col(date_null("feedback_on"))
            .unique(&["name"]),
        Draft::with_id("problem")
            .refers_to("round_id", "inspection_round")
            .refers_to("region_id", "region")
            .col(text("identity"))
            .col(string_null("number"))
            .col(integer("position"))
            .col(text("title"))
            .col(text_null("description"))
            .col(text_null("goal"))
            .with(deadline)
            .col(string_null("rated_progress"))
            .col(code("status", &STATUSES))
            .col(date_null("status_stated_on"))
            .col(date_null("completed_on"))
            .col(date("issued_on"))
            .col(integer("version"))
            .col(timestamp_with_time_zone("created_at"))
            .col(timestamp_with_time_zone("updated_at"))
            .unique(&["round_id", "region_id", "identity"])
            .index(&["round_id", "position", "id"])
            .index(&["round_id", "due_order", "id"])
            .index(&["round_id", "rated_progress"])
            .index(&["region_id"])
            .index(&["due_order", "id"])
            .index(&["position", "id"])
            .index(&["updated_at", "id"])
            .index(&["status", "due_order", "id"]),
        Draft::new("problem_domain")
            .belongs_to("problem_id", "problem")
            .col(string("domain"))
            .primary_key(&["problem_id", "domain"])
            .index(&["domain", "problem_id"]),
        Draft::with_id("measure")
            .belongs_to("problem_id", "problem")
            .refers_to("round_id", "inspection_round")
            .refers_to("region_id", "region")
            .col(text("identity"))
            .col(string_null("number"))
            .col(integer("position"))
            .col(text("content"))
            .with(deadline)
            .may_refer_to("lead_unit_id", "unit")
            .may_refer_to("supervising_unit_id", "unit")
            .col(code("status", &STATUSES))
            .col(date_null("status_stated_on"))
            .col(text_null("stated_progress"))
            .col(date_null("completed_on"))
            .col(date("issued_on"))
            .col(date_null("reported_on"))
            .col(double_null("quantity_done"))
            .col(double_null("quantity_target"))
            .col(code_null("pace_override", &["AHEAD", "ON_SCHEDULE", "BEHIND"]))
            .col(text_null("pace_reason"))
            .col(integer("version"))
            .col(timestamp_with_time_zone("created_at"))
            .col(timestamp_with_time_zone("updated_at"))
            .unique(&["problem_id", "identity"])
            .index(&["problem_id", "position", "id"])
            .index(&["round_id", "due_order", "id"])
            .index(&["round_id", "due_on"])
            .index(&["round_id", "position", "id"])
            .index(&["region_id"])
            .index(&["lead_unit_id", "due_order", "id"])
            .index(&["supervising_unit_id"])
            .index(&["due_by"])
            .index(&["due_order", "id"])
            .index(&["position", "id"])
            .index(&["updated_at", "id"])
            .index(&["status", "due_order", "id"]),
        Draft::with_id("milestone")
            .may_belong_to("problem_id", "problem")
            .may_belong_to("measure_id", "measure")
            .check("(problem_id IS NULL) <> (measure_id IS NULL)")
            .col(integer("position"))
            .col(string("label"))
            .col(date("due_on"))
            .index(&["problem_id", "position"])
            .index(&["measure_id", "position"]),
        Draft::with_id("responsible_party")
            .belongs_to("measure_id", "measure")
            .col(integer("position"))
            .col(text("raw"))
            .may_refer_to("unit_id", "unit")
            .col(code_null("selector", &["ALL_COUNTIES", "ALL_DEPARTMENTS"]))
            .may_refer_to("region_id", "region")
            .check("(unit_id IS NULL) <> (selector IS NULL)")
            .unique(&["measure_id", "unit_id"])
            .unique(&["measure_id", "selector"])
            .index(&["measure_id", "position", "id"])
            .index(&["unit_id", "measure_id"])
            .index(&["region_id"]),
        Draft::with_id("assignment")
            .belongs_to("measure_id", "measure")
            .refers_to("unit_id", "unit")
            .refers_to("region_id", "region")
            .col(code("status", &STATUSES))
            .col(date_null("completed_on"))
            .col(date_null("reported_on"))
            .col(double_null("quantity_done"))
            .col(double_null("quantity_target"))
            .col(code_null("pace_override", &["AHEAD", "ON_SCHEDULE", "BEHIND"]))
            .col(text_null("pace_reason"))
            .col(integer("version"))
            .col(timestamp_with_time_zone("created_at"))
            .col(timestamp_with_time_zone("updated_at"))
            .unique(&["measure_id", "unit_id"])
            .index(&["unit_id", "status", "id"])
            .index(&["region_id", "status", "id"])
            .index(&["status", "id"])
            .index(&["updated_at", "id"]),
        // Progress reports and checks.
        Draft::with_id("progress_report")
            .belongs_to("assignment_id", "assignment")
            .col(string("period"))
            .col(text("text"))
            .col(string_null("stated"))
            .may_refer_to("author_id", "account")
            .col(timestamp_with_time_zone("submitted_at"))
            .index(&["assignment_id", "submitted_at", "id"])
            .index(&["author_id"])
            .index(&["submitted_at", "id"]),
        Draft::with_id("quantity")
            .belongs_to("progress_report_id", "progress_report")
            .col(integer("position"))
            .col(string("label"))
            .col(double_null("done"))
            .col(double_null("target"))
            .col(string_null("unit"))
            .index(&["progress_report_id", "position"]),
        Draft::with_id("check")
            .belongs_to("assignment_id", "assignment")
            .col(code("kind", &["SELF_INSPECTION", "VERIFICATION", "SPOT_CHECK"]))
            .col(string("period"))
            .col(date("due_on"))
            .col(code("result", &["PASSED", "FAILED"]))
            .col(text_null("findings"))
            .col(date("checked_on"))
            .may_refer_to("checker_id", "unit")
            .unique(&["assignment_id", "kind", "period"])
            .index(&["kind", "period", "assignment_id"])
            .index(&["checker_id"]),
        Draft::with_id("check_plan")
            .belongs_to("measure_id", "measure")
            .col(code("kind", &["SELF_INSPECTION", "VERIFICATION", "SPOT_CHECK"]))
            .col(code("every", &["NEVER", "QUARTER", "HALF_YEAR", "YEAR"]))
            .unique(&["measure_id", "kind"]),
        // The regions that a row concerns: the issuing region, the answering regions, and all their ancestors. The
        // primary key is ordered by deadline, so that any page of a region's list is a range of it.
        Draft::new("problem_region")
            .belongs_to("region_id", "region")
            .belongs_to("problem_id", "problem")
            .col(date("due_order"))
            .primary_key(&["region_id", "due_order", "problem_id"])
            .unique(&["problem_id", "region_id"]),
        Draft::new("measure_region")
            .belongs_to("region_id", "region")
            .belongs_to("measure_id", "measure")
            .col(date("due_order"))
            .primary_key(&["region_id", "due_order", "measure_id"])
            .unique(&["measure_id", "region_id"]),
        // Stored counts of the rows that concern a region.
        Draft::new("region_tally")
            .belongs_to("region_id", "region")
            .col(code("noun", &["PROBLEM", "MEASURE"]))
            .col(big_integer("amount").check(Expr::col("amount").gte(0)))
            .primary_key(&["region_id", "noun"]),
        // Schedules and mail.
        Draft::with_id("schedule")
            .col(string("name"))
            .col(string("cron"))
            .col(string("time_zone"))
            .col(boolean("enabled"))
            .col(code("misfire", &["ALL", "LATEST", "SKIP"]))
            .col(timestamp_with_time_zone("last_occurrence"))
            .unique(&["name"]),
        Draft::with_id("job_run")
            .belongs_to("schedule_id", "schedule")
            .col(timestamp_with_time_zone("occurrence"))
            .col(timestamp_with_time_zone("started_at"))
            .col(timestamp_with_time_zone_null("finished_at"))
            .col(code("state", &["RUNNING", "SUCCEEDED", "FAILED", "SKIPPED"]))
            .col(integer("mails_queued"))
            .col(text_null("error"))
            .unique(&["schedule_id", "occurrence"]),
        Draft::with_id("mail")
            .col(string("cause"))
            .col(string("kind"))
            .col(string("recipient"))
            .may_refer_to("unit_id", "unit")
            .col(date("local_day"))
            .col(text("subject"))
            .col(text("reason"))
            .col(code("state", &["QUEUED", "SENDING", "SENT", "FAILED", "CANCELLED"]))
            .col(integer("attempts"))
            .col(timestamp_with_time_zone("next_attempt_at"))
            .col(string_null("lease"))
            .col(timestamp_with_time_zone_null("leased_until"))
            .col(timestamp_with_time_zone_null("sent_at"))
            .col(text_null("last_error"))
            .col(timestamp_with_time_zone("created_at"))
            .unique(&["cause"])
            .index(&["state", "next_attempt_at", "id"])
            .index(&["created_at", "id"])
            .index(&["unit_id"]),
        Draft::with_id("mail_item")
            .belongs_to("mail_id", "mail")
            .belongs_to("measure_id", "measure")
            .may_belong_to("assignment_id", "assignment")
            .col(date_null("due_on"))
            .index(&["mail_id", "id"])
            .index(&["assignment_id"])
            .index(&["measure_id", "mail_id"]),
    ]
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for draft in drafts() {
            draft.create(manager).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for draft in drafts().into_iter().rev() {
            manager.drop_table(Table::drop().table(draft.name).to_owned()).await?;
        }
        Ok(())
    }
}
