//! Audit entries as the API shows them: what was changed, by whom, on whose behalf and when, with the state before and
//! after.

use async_graphql::{ID, SimpleObject};
use chrono::DateTime;
use ledger::record::audit::words;
use ledger::rule::calendar::minute;
use planner::{Condition, Dimension, Finish, Kind, Noun, SortKey, SortType, noun};
use serde_json::{Value as Json, json};

use crate::context::Request;
use crate::language::Language;
use crate::noun::account::Account;
use crate::noun::assignment::Assignment;
use crate::noun::case::InspectionCase;
use crate::noun::measure::Measure;
use crate::part::filter::{DateTimeFilter, RelationFilter, TextFilter, filter};
use crate::part::order::order;
use crate::part::scalar::Moment;

/// One field that an act changed.
#[derive(SimpleObject)]
pub(crate) struct AuditChange {
    /// Name of the field, such as `status`.
    field: String,
    /// Label of the field, in the language of the request, such as `状态`.
    label: String,
    /// Value before the change, in words; a row is given by its global id, a moment in the ledger's time zone. Null if
    /// it was not set.
    before: Option<String>,
    /// Value after the change, in words; a row is given by its global id, a moment in the ledger's time zone. Null if
    /// it is not set.
    after: Option<String>,
}

/// Returns what an act is called, from its code.
pub fn act_in_words(code: &str, is_english: bool) -> String {
    let (zh, en) = words::act(code);
    (if is_english { en } else { zh }).to_owned()
}

/// Returns what an act is called, from its code, in the language of the request.
pub(crate) fn label(request: &Request, _: &Finish, act: &Json) -> Json {
    json!(act_in_words(act.as_str().unwrap_or_default(), request.language == Language::English))
}

/// Returns the changed fields of an entry, from its states before and after.
pub(crate) fn changes(request: &Request, finish: &Finish, entry: &Json) -> Json {
    let text = |name: &str| entry[name].as_str().unwrap_or_default();
    // Moments are shown as local time; all else is shown as it is.
    let local = |value: &str| match DateTime::parse_from_rfc3339(value) {
        Ok(at) => minute(at.to_utc(), request.zone),
        Err(_) => value.to_owned(),
    };
    let one = |change: &words::ChangedField| {
        let (zh, en) = change.label;
        let field = |name: &str| match name {
            "field" => json!(change.field),
            "label" => json!(if request.language == Language::English { en } else { zh }),
            "before" => json!(change.before.as_deref().map(local)),
            "after" => json!(change.after.as_deref().map(local)),
            _ => json!("AuditChange"),
        };
        finish.fields.iter().map(|(key, name)| (key.clone(), field(name))).collect::<serde_json::Map<_, _>>()
    };
    words::changes(text("before"), text("after")).iter().map(one).map(Json::Object).collect()
}

const AT: SortKey = SortKey::column("{t}.at", "at", SortType::Moment);

const GROUPS: &[Dimension] = &[Dimension::plain("ACT", "操作 · Code of what was done.", "{t}.act")];

noun! {
    /// One recorded change, chained to the entry before it by its hash. Entries are added and never changed.
    pub(crate) AuditEntry from "audit_entry" as "audit" {
        order: &[AT.reversed()],
        total: None,
        filter: AuditEntryFilter,
        by: AuditEntryOrder,
        groups: GROUPS
    }
    /// Global id of the entry, for example `audit_9`.
    id: ID = Kind::Id;
    /// Code of what was done, for example `CLOSED` or `PASSWORD_SET`.
    act: String = Kind::Column("act");
    /// Global id of the object that was changed, for example `assignment_7`. It is an id, not an object, because the
    /// object may no longer exist.
    objectId: ID = Kind::Column("object");
    /// When the change was made.
    at: Moment = Kind::Column("at");
    /// Account that made the change; null for the program itself, or if the caller may not see the account.
    actor: Option<Account> = Kind::One(<Account as Noun>::table, "actor_id");
    /// Account that the actor represented as its delegate; null if the actor was no delegate, or if the caller may not
    /// see the account.
    onBehalfOf: Option<Account> = Kind::One(<Account as Noun>::table, "on_behalf_of_id");
    /// What was done, in the language of the request, such as `核查通过`.
    label: String = Kind::Finished(|_, entry| format!("{entry}.act"), "auditLabel");
    /// Fields that were changed, with their values before and after, in words; empty if the act changed none that
    /// people know.
    changes: Vec<AuditChange> = Kind::Finished(
        |sql, entry| {
            let text = |column: &str| sql.as_text(&format!("{entry}.{column}"));
            sql.object(&[("before", text("before")), ("after", text("after"))])
        },
        "auditChanges",
    );
    /// State before the change, as JSON text.
    before: String = Kind::Column("before");
    /// State after the change and details of the act, as JSON text.
    after: String = Kind::Column("after");
    /// Name of the hash chain that the entry belongs to, for example `problem_7`.
    chain: String = Kind::Column("chain");
    /// Position of the entry in its chain, starting at 1.
    position: i32 = Kind::Column("position");
    /// Hash of the previous entry of the chain; empty for the first entry.
    previousHash: String = Kind::Column("previous");
    /// SHA-256 hash of the entry, in hexadecimal. `rectify audit verify` recomputes it.
    hash: String = Kind::Column("hash");
    /// Assignment that the change concerns; null if it concerns none, or if the caller may not see it.
    assignment: Option<Assignment> = Kind::One(<Assignment as Noun>::table, "assignment_id");
    /// Measure that the change concerns; null if it concerns none, or if the caller may not see it.
    measure: Option<Measure> = Kind::One(<Measure as Noun>::table, "measure_id");
    /// Complaint case that the change concerns; null if it concerns none, or if the caller may not see it.
    inspectionCase: Option<InspectionCase> = Kind::One(<InspectionCase as Noun>::table, "case_id");
}

order! { AuditEntryOrder by AuditEntryOrderField {
    /// 操作时间 · When the change was made.
    At = AT,
} }

filter! {
    /// Conditions on audit entries. All that are given have to hold.
    AuditEntryFilter {
        /// Condition on the code of what was done, for example `CLOSED`.
        act: TextFilter = |act| act.condition("act", &["act"]),
        /// The object that was changed has this global id.
        object_id: ID = |id| Condition::Compare("object", "=", id.as_str().into()),
        /// Condition on when the change was made.
        at: DateTimeFilter = |at| at.condition("at"),
        /// Condition on the account that made the change.
        actor: RelationFilter<crate::noun::account::AccountFilter> =
            |actor| actor.condition("actor_id", <Account as Noun>::table()),
    }
}
