//! Adds the workflow of assignments up to close-out (销号): acceptance, evidence, close-out cycles, objections,
//! extensions, supervision, comments, holidays, and the audit.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_integer_null, boolean, date, date_null, integer, string, string_null, text, text_null,
    timestamp_with_time_zone, timestamp_with_time_zone_null,
};
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

use crate::draft::{Draft, code};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[expect(clippy::too_many_lines, reason = "one list of tables reads better than several")]
fn drafts() -> Vec<Draft> {
    vec![
        Draft::with_id("evidence")
            .belongs_to("assignment_id", "assignment")
            .may_refer_to("uploader_id", "account")
            .col(string("name"))
            .col(string("media_type"))
            .col(big_integer("size"))
            .col(string("sha256"))
            .col(string("place"))
            .col(timestamp_with_time_zone("uploaded_at"))
            .index(&["assignment_id", "uploaded_at", "id"])
            .index(&["uploaded_at", "id"])
            .index(&["uploader_id"]),
        // A cycle runs from application to decision. After a relapse, a new one begins.
        Draft::with_id("close_out")
            .belongs_to("assignment_id", "assignment")
            .col(integer("cycle"))
            .col(code("state", &["APPLIED", "RETURNED", "VERIFIED", "PUBLICISED", "OBJECTED", "CLOSED", "REOPENED"]))
            .col(text("application"))
            .may_refer_to("applicant_id", "account")
            .col(timestamp_with_time_zone("applied_at"))
            .col(text_null("opinion"))
            .may_refer_to("verifier_id", "account")
            .col(timestamp_with_time_zone_null("verified_at"))
            .col(text_null("notice"))
            .col(string_null("contact"))
            .col(date_null("notice_from"))
            .col(date_null("notice_until"))
            .may_refer_to("publisher_id", "account")
            .col(text_null("decision"))
            .may_refer_to("closer_id", "account")
            .col(date_null("closed_on"))
            .col(text_null("relapse"))
            .col(timestamp_with_time_zone_null("reopened_at"))
            .may_refer_to("discloser_id", "account")
            .col(timestamp_with_time_zone_null("disclosed_at"))
            .unique(&["assignment_id", "cycle"])
            .index(&["disclosed_at", "id"]),
        Draft::with_id("objection")
            .belongs_to("close_out_id", "close_out")
            .col(text("text"))
            .may_refer_to("recorder_id", "account")
            .col(timestamp_with_time_zone("raised_at"))
            .col(boolean("is_upheld").null().to_owned())
            .col(text_null("answer"))
            .may_refer_to("decider_id", "account")
            .col(timestamp_with_time_zone_null("decided_at"))
            .index(&["close_out_id", "id"]),
        Draft::with_id("deadline_change")
            .belongs_to("measure_id", "measure")
            .may_belong_to("assignment_id", "assignment")
            .col(code("state", &["REQUESTED", "ENDORSED", "APPROVED", "REJECTED"]))
            .col(text("reason"))
            .col(text("old_raw"))
            .col(date_null("old_due_on"))
            .col(text("new_raw"))
            .col(date("new_due_on"))
            .may_refer_to("requester_id", "account")
            .col(timestamp_with_time_zone("requested_at"))
            .may_refer_to("endorser_id", "account")
            .col(timestamp_with_time_zone_null("endorsed_at"))
            .may_refer_to("decider_id", "account")
            .col(timestamp_with_time_zone_null("decided_at"))
            .col(text_null("decision"))
            .index(&["measure_id", "id"])
            .index(&["assignment_id"]),
        Draft::with_id("supervision_action")
            .belongs_to("measure_id", "measure")
            .may_belong_to("assignment_id", "assignment")
            .col(code("kind", &["URGE", "SUPERVISE", "LIST", "SUMMON"]))
            .col(code("state", &["PROPOSED", "ISSUED", "LIFTED", "DISMISSED"]))
            .may_refer_to("issuer_id", "account")
            .may_refer_to("recipient_id", "unit")
            .col(text("reason"))
            .col(date_null("answer_by"))
            .col(timestamp_with_time_zone("issued_at"))
            .may_refer_to("lifter_id", "account")
            .col(timestamp_with_time_zone_null("lifted_at"))
            .col(text_null("lift_reason"))
            .index(&["measure_id", "id"])
            .index(&["assignment_id"])
            .index(&["recipient_id"]),
        // Comments of leaders on measures (批示、意见).
        Draft::with_id("comment")
            .belongs_to("measure_id", "measure")
            .may_refer_to("author_id", "account")
            .col(text("text"))
            .col(timestamp_with_time_zone("written_at"))
            .index(&["measure_id", "id"]),
        // Exceptions to the week: holidays, and weekend days that are worked.
        Draft::new("holiday").col(date("day").primary_key().to_owned()).col(boolean("is_working")).col(string("name")),
        // Each entry contains the hash of the previous entry in its chain.
        Draft::with_id("audit_entry")
            .col(string("chain"))
            .col(integer("position"))
            .col(string("act"))
            .col(string("object"))
            .col(big_integer_null("measure_id"))
            .col(big_integer_null("assignment_id"))
            .col(timestamp_with_time_zone("at"))
            .col(big_integer_null("actor_id"))
            .col(big_integer_null("on_behalf_of_id"))
            .col(string_null("address"))
            .col(string_null("request_id"))
            .col(text("before"))
            .col(text("after"))
            .col(string("previous"))
            .col(string("hash"))
            .unique(&["chain", "position"])
            .index(&["measure_id", "id"])
            .index(&["assignment_id", "id"])
            .index(&["at", "id"]),
        // One signature covers all entries of a day and the previous day's seal.
        Draft::new("audit_head")
            .col(date("day").primary_key().to_owned())
            .col(timestamp_with_time_zone("until"))
            .col(big_integer("entries"))
            .col(string("digest"))
            .col(string("signature"))
            .col(timestamp_with_time_zone("sealed_at")),
    ]
}

/// Returns the columns for accepting (签收) and declining (退回) an assignment.
fn ownership() -> [ColumnDef; 3] {
    [
        timestamp_with_time_zone_null("accepted_at"),
        timestamp_with_time_zone_null("declined_at"),
        text_null("decline_reason"),
    ]
}

const CHANGE_KINDS: &str = "'IMPORTED', 'PROGRESS_REPORTED', 'ASSIGNED', 'ACCEPTED', 'DECLINED', \
    'NOT_APPLICABLE_PROPOSED', 'NOT_APPLICABLE_CONFIRMED', 'NOT_APPLICABLE_REJECTED', 'CLOSE_OUT_APPLIED', 'VERIFIED', \
    'RETURNED', 'PUBLICISED', 'OBJECTED', 'OBJECTION_DECIDED', 'CLOSED', 'REOPENED', 'CHECKED', 'EVIDENCE_ADDED', \
    'EXTENSION_REQUESTED', 'EXTENSION_DECIDED', 'SUPERVISED', 'SUPERVISION_LIFTED', 'COMMENTED', 'DISCLOSED', 'EDITED'";

/// Allows more kinds of changes. SQLite cannot alter a CHECK constraint, so the table is recreated.
async fn widen_changes(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let db = manager.get_connection();
    if db.get_database_backend() == DbBackend::Postgres {
        db.execute_unprepared("ALTER TABLE change DROP CONSTRAINT change_kind_check").await?;
        let check = format!("ALTER TABLE change ADD CONSTRAINT change_kind_check CHECK (kind IN ({CHANGE_KINDS}))");
        db.execute_unprepared(&check).await?;
        return Ok(());
    }
    let statements = [
        format!(
            "CREATE TABLE change_wide (id integer NOT NULL PRIMARY KEY AUTOINCREMENT, \
             kind varchar NOT NULL CHECK (kind IN ({CHANGE_KINDS})), at timestamp_with_timezone_text NOT NULL, \
             problem_id bigint NOT NULL REFERENCES problem (id) ON DELETE CASCADE, \
             measure_id bigint REFERENCES measure (id) ON DELETE CASCADE, \
             assignment_id bigint REFERENCES assignment (id) ON DELETE CASCADE)"
        ),
        "INSERT INTO change_wide SELECT id, kind, at, problem_id, measure_id, assignment_id FROM change".to_owned(),
        "DROP TABLE change".to_owned(),
        "ALTER TABLE change_wide RENAME TO change".to_owned(),
        "CREATE INDEX ix_change_problem_id ON change (problem_id)".to_owned(),
        "CREATE INDEX ix_change_measure_id ON change (measure_id)".to_owned(),
        "CREATE INDEX ix_change_assignment_id ON change (assignment_id)".to_owned(),
    ];
    for statement in statements {
        db.execute_unprepared(&statement).await?;
    }
    Ok(())
}

/// Adds triggers that prevent changing and deleting entries, by any database user.
async fn append_only(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let db = manager.get_connection();
    if db.get_database_backend() == DbBackend::Postgres {
        db.execute_unprepared(
            "CREATE FUNCTION refuse_change_of_audit() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN RAISE EXCEPTION 'audit entries are never changed'; END $$",
        )
        .await?;
        for table in ["audit_entry", "audit_head"] {
            let trigger = format!(
                "CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} \
                 FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_audit()"
            );
            db.execute_unprepared(&trigger).await?;
        }
        return Ok(());
    }
    for table in ["audit_entry", "audit_head"] {
        for event in ["UPDATE", "DELETE"] {
            let trigger = format!(
                "CREATE TRIGGER {table}_no_{} BEFORE {event} ON {table} \
                 BEGIN SELECT RAISE(ABORT, 'audit entries are never changed'); END",
                event.to_lowercase()
            );
            db.execute_unprepared(&trigger).await?;
        }
    }
    Ok(())
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in ownership() {
            manager.alter_table(Table::alter().table("assignment").add_column(column).to_owned()).await?;
        }
        widen_changes(manager).await?;
        for draft in drafts() {
            draft.create(manager).await?;
        }
        append_only(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for draft in drafts().into_iter().rev() {
            manager.drop_table(Table::drop().table(draft.name).to_owned()).await?;
        }
        for column in ownership().iter().rev() {
            let name = column.get_column_name();
            manager.alter_table(Table::alter().table("assignment").drop_column(name).to_owned()).await?;
        }
        Ok(())
    }
}
