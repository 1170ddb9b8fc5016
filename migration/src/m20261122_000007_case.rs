//! Adds complaint cases (交办案件), accountability records (责任追究), and the ownership of problems by regions
//! (主责、共性).

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    boolean, date, date_null, integer, string, text, text_null, timestamp_with_time_zone, timestamp_with_time_zone_null,
};
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

use crate::draft::{Draft, code, code_null};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const STATES: [&str; 6] = ["HANDED_OVER", "IN_PROGRESS", "PARTLY_RESOLVED", "RESOLVED", "ACCEPTED", "CLOSED"];
const FINDINGS: [&str; 3] = ["TRUE", "PARTLY_TRUE", "UNTRUE"];

fn drafts() -> Vec<Draft> {
    vec![
        // The complainant is not stored.
        Draft::with_id("inspection_case")
            .refers_to("round_id", "inspection_round")
            .refers_to("region_id", "region")
            .col(string("number"))
            .col(code("channel", &["LETTER", "CALL"]))
            .col(boolean("is_key"))
            .col(text("summary"))
            .refers_to("lead_unit_id", "unit")
            .col(date("handed_over_on"))
            .col(date("due_on"))
            .col(code("state", &STATES))
            .col(code_null("finding", &FINDINGS))
            .col(date_null("resolved_on"))
            .may_refer_to("resolver_id", "account")
            .col(date_null("closed_on"))
            .col(integer("version"))
            .col(timestamp_with_time_zone("created_at"))
            .col(timestamp_with_time_zone("updated_at"))
            // A complaint can be handed over to several counties, but only once to each.
            .unique(&["round_id", "region_id", "number"])
            .index(&["region_id"])
            .index(&["lead_unit_id"])
            .index(&["resolver_id"])
            .index(&["due_on", "id"]),
        // The regions in whose lists a case appears (its own and all its ancestors), ordered by deadline.
        Draft::new("case_region")
            .belongs_to("region_id", "region")
            .belongs_to("case_id", "inspection_case")
            .col(date("due_order"))
            .primary_key(&["region_id", "due_order", "case_id"])
            .unique(&["case_id", "region_id"]),
        Draft::new("case_pollution")
            .belongs_to("case_id", "inspection_case")
            .col(code("kind", &["WATER", "AIR", "SOIL", "NOISE", "ECOLOGY", "WASTE", "RADIATION", "OTHER"]))
            .primary_key(&["case_id", "kind"]),
        // Assisting units (协办单位).
        Draft::new("case_unit")
            .belongs_to("case_id", "inspection_case")
            .refers_to("unit_id", "unit")
            .primary_key(&["case_id", "unit_id"])
            .index(&["unit_id"]),
        Draft::with_id("case_report")
            .belongs_to("case_id", "inspection_case")
            .col(code(
                "step",
                &["ACCEPT", "REPORT", "RESOLVE_PARTLY", "RESOLVE", "RETURN", "VERIFY", "CLOSE", "REOPEN"],
            ))
            .col(text_null("text"))
            .col(code_null("finding", &FINDINGS))
            .may_refer_to("author_id", "account")
            .col(timestamp_with_time_zone("written_at"))
            .index(&["case_id", "id"])
            .index(&["author_id"]),
        // Only numbers are stored, no names.
        Draft::with_id("accountability")
            .belongs_to("problem_id", "problem")
            .refers_to("round_id", "inspection_round")
            .refers_to("region_id", "region")
            .col(code("rank", &["DEPARTMENT_BUREAU", "COUNTY_DIVISION", "TOWNSHIP_SECTION", "BELOW"]))
            .col(code("consequence", &["PARTY_DISCIPLINE", "ADMINISTRATIVE", "ORGANISATIONAL", "JUDICIAL"]))
            .col(integer("people").check(Expr::col("people").gt(0)).to_owned())
            .col(date("decided_on"))
            .may_refer_to("recorder_id", "account")
            .col(timestamp_with_time_zone("recorded_at"))
            .col(timestamp_with_time_zone_null("withdrawn_at"))
            .col(text_null("withdraw_reason"))
            .col(integer("version"))
            .col(timestamp_with_time_zone("updated_at"))
            .index(&["problem_id", "decided_on", "id"])
            .index(&["decided_on", "id"])
            .index(&["round_id"])
            .index(&["region_id"])
            .index(&["recorder_id"]),
        Draft::new("ownership")
            .belongs_to("problem_id", "problem")
            .belongs_to("region_id", "region")
            .col(code("kind", &["PRINCIPAL", "SHARED"]))
            .primary_key(&["problem_id", "region_id"])
            .index(&["region_id"]),
    ]
}

const CHANGE_KINDS: &str = "'IMPORTED', 'PROGRESS_REPORTED', 'ASSIGNED', 'ACCEPTED', 'DECLINED', \
    'NOT_APPLICABLE_PROPOSED', 'NOT_APPLICABLE_CONFIRMED', 'NOT_APPLICABLE_REJECTED', 'CLOSE_OUT_APPLIED', 'VERIFIED', \
    'RETURNED', 'PUBLICISED', 'OBJECTED', 'OBJECTION_DECIDED', 'CLOSED', 'REOPENED', 'CHECKED', 'EVIDENCE_ADDED', \
    'EXTENSION_REQUESTED', 'EXTENSION_DECIDED', 'SUPERVISED', 'SUPERVISION_LIFTED', 'COMMENTED', 'DISCLOSED', 'EDITED', \
    'HANDED_OVER', 'RESOLVED', 'HELD_TO_ACCOUNT'";

/// Allows more kinds of changes, and changes of cases, which belong to no problem. SQLite cannot alter constraints, so
/// the table is recreated.
async fn widen_changes(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let of_one = "(problem_id IS NULL) <> (case_id IS NULL)";
    let statements = if manager.get_database_backend() == DbBackend::Postgres {
        vec![
            "ALTER TABLE change DROP CONSTRAINT change_kind_check".to_owned(),
            format!("ALTER TABLE change ADD CONSTRAINT change_kind_check CHECK (kind IN ({CHANGE_KINDS}))"),
            "ALTER TABLE change ALTER COLUMN problem_id DROP NOT NULL".to_owned(),
            "ALTER TABLE change ADD COLUMN case_id bigint REFERENCES inspection_case (id) ON DELETE CASCADE".to_owned(),
            format!("ALTER TABLE change ADD CONSTRAINT change_of_one_check CHECK ({of_one})"),
        ]
    } else {
        vec![
            format!(
                "CREATE TABLE change_wide (id integer NOT NULL PRIMARY KEY AUTOINCREMENT, \
                 kind varchar NOT NULL CHECK (kind IN ({CHANGE_KINDS})), at timestamp_with_timezone_text NOT NULL, \
                 problem_id bigint REFERENCES problem (id) ON DELETE CASCADE, \
                 measure_id bigint REFERENCES measure (id) ON DELETE CASCADE, \
                 assignment_id bigint REFERENCES assignment (id) ON DELETE CASCADE, \
                 case_id bigint REFERENCES inspection_case (id) ON DELETE CASCADE, CHECK ({of_one}))"
            ),
            "INSERT INTO change_wide (id, kind, at, problem_id, measure_id, assignment_id) \
             SELECT id, kind, at, problem_id, measure_id, assignment_id FROM change"
                .to_owned(),
            "DROP TABLE change".to_owned(),
            "ALTER TABLE change_wide RENAME TO change".to_owned(),
            "CREATE INDEX ix_change_problem_id ON change (problem_id)".to_owned(),
            "CREATE INDEX ix_change_measure_id ON change (measure_id)".to_owned(),
            "CREATE INDEX ix_change_assignment_id ON change (assignment_id)".to_owned(),
        ]
    };
    for statement in statements.iter().map(String::as_str).chain(["CREATE INDEX ix_change_case_id ON change (case_id)"])
    {
        manager.get_connection().execute_unprepared(statement).await?;
    }
    Ok(())
}

/// Lets notices refer to a case, and adds the case of an audit entry as a column generated from its chain. The chain is
/// part of the hash, so the column cannot contradict it.
async fn refer_to_cases(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let kept = if manager.get_database_backend() == DbBackend::Postgres { "STORED" } else { "VIRTUAL" };
    let of_chain = "CASE WHEN substr(chain, 1, 5) = 'case_' THEN CAST(substr(chain, 6) AS bigint) END";
    let statements = [
        "ALTER TABLE mail ADD COLUMN case_id bigint REFERENCES inspection_case (id) ON DELETE CASCADE".to_owned(),
        "CREATE INDEX ix_mail_case_id ON mail (case_id)".to_owned(),
        format!("ALTER TABLE audit_entry ADD COLUMN case_id bigint GENERATED ALWAYS AS ({of_chain}) {kept}"),
        "CREATE INDEX ix_audit_entry_case_id_at_id ON audit_entry (case_id, at, id)".to_owned(),
    ];
    for statement in statements {
        manager.get_connection().execute_unprepared(&statement).await?;
    }
    Ok(())
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for draft in drafts() {
            draft.create(manager).await?;
        }
        widen_changes(manager).await?;
        refer_to_cases(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        for statement in [
            "DROP INDEX ix_audit_entry_case_id_at_id",
            "ALTER TABLE audit_entry DROP COLUMN case_id",
            "DROP INDEX ix_mail_case_id",
            "DELETE FROM mail WHERE case_id IS NOT NULL",
            "DELETE FROM change WHERE case_id IS NOT NULL",
        ] {
            db.execute_unprepared(statement).await?;
        }
        // SQLite cannot drop these columns; they stay, empty.
        if manager.get_database_backend() == DbBackend::Postgres {
            for statement in [
                "ALTER TABLE mail DROP COLUMN case_id",
                "ALTER TABLE change DROP CONSTRAINT change_of_one_check",
                "ALTER TABLE change DROP COLUMN case_id",
            ] {
                db.execute_unprepared(statement).await?;
            }
        }
        for draft in drafts().into_iter().rev() {
            manager.drop_table(Table::drop().table(draft.name).to_owned()).await?;
        }
        Ok(())
    }
}
