//! The audit as the API shows it: what was done to something, by whom, for whom, when, before and after.

use async_graphql::ID;
use planner::{Condition, Dimension, Kind, Noun, SortKey, SortType, noun};

use crate::noun::account::Account;
use crate::noun::assignment::Assignment;
use crate::noun::case::InspectionCase;
use crate::noun::measure::Measure;
use crate::part::filter::{DateTimeFilter, RelationFilter, TextFilter, filter};
use crate::part::order::order;
use crate::part::scalar::Moment;

const AT: SortKey = SortKey::column("{t}.at", "at", SortType::Moment);

const GROUPS: &[Dimension] = &[Dimension::plain("ACT", "What was done.", "{t}.act")];

noun! {
    /// One change, in its chain of hashes. Entries are added and never changed.
    pub(crate) AuditEntry from "audit_entry" as "audit" {
        order: &[AT.reversed()],
        total: None,
        filter: AuditEntryFilter,
        by: AuditEntryOrder,
        groups: GROUPS
    }
    /// The global id.
    id: ID = Kind::Id;
    /// What was done: `CLOSED`, `PASSWORD_SET` …
    act: String = Kind::Column("act");
    /// The global id of what it was done to.
    objectId: ID = Kind::Column("object");
    /// When.
    at: Moment = Kind::Column("at");
    /// Who did it; null for the program itself, and where the account may not be seen.
    actor: Option<Account> = Kind::One(<Account as Noun>::table, "actor_id");
    /// For whom, where a delegate acted.
    onBehalfOf: Option<Account> = Kind::One(<Account as Noun>::table, "on_behalf_of_id");
    /// What it was, as JSON.
    before: String = Kind::Column("before");
    /// What it became, as JSON.
    after: String = Kind::Column("after");
    /// The chain that it stands in.
    chain: String = Kind::Column("chain");
    /// Its place there, from 1.
    position: i32 = Kind::Column("position");
    /// The hash of the entry before it; empty for the first.
    previousHash: String = Kind::Column("previous");
    /// Its own hash: SHA-256, in hexadecimal. `rectify audit verify` recomputes it.
    hash: String = Kind::Column("hash");
    /// The assignment that it concerns.
    assignment: Option<Assignment> = Kind::One(<Assignment as Noun>::table, "assignment_id");
    /// The measure that it concerns.
    measure: Option<Measure> = Kind::One(<Measure as Noun>::table, "measure_id");
    /// The case that it concerns.
    inspectionCase: Option<InspectionCase> = Kind::One(<InspectionCase as Noun>::table, "case_id");
}

order! { AuditEntryOrder by AuditEntryOrderField {
    /// When.
    At = AT,
} }

filter! {
    /// Demands on entries of the audit.
    AuditEntryFilter {
        /// What was done.
        act: TextFilter = |act| act.condition("act", &["act"]),
        /// The global id of what it was done to.
        object_id: ID = |id| Condition::Compare("object", "=", id.as_str().into()),
        /// When.
        at: DateTimeFilter = |at| at.condition("at"),
        /// Who did it.
        actor: RelationFilter<crate::noun::account::AccountFilter> = |actor| actor.condition("actor_id", <Account as Noun>::table()),
    }
}
