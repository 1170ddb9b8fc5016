//! Evidence (佐证材料) as the API shows it; its bytes come and go by `files.rs`.

use async_graphql::ID;
use planner::{Kind, Noun, SortKey, SortType, Sql, noun};

use crate::noun::account::Account;
use crate::noun::assignment::{Assignment, AssignmentFilter};
use crate::part::filter::{DateTimeFilter, RelationFilter, TextFilter, filter};
use crate::part::order::order;
use crate::part::scalar::Moment;

fn url(_: &mut Sql<'_>, evidence: &str) -> String {
    format!("'/evidence/evidence_' || {evidence}.id")
}

const UPLOADED_AT: SortKey = SortKey::column("{t}.uploaded_at", "uploaded_at", SortType::Moment);

noun! {
    /// A file that proves what is reported (佐证材料). Files are added and never changed.
    pub(crate) Evidence from "evidence" as "evidence" {
        order: &[UPLOADED_AT.reversed()],
        total: None,
        filter: EvidenceFilter,
        by: EvidenceOrder
    }
    /// The global id.
    id: ID = Kind::Id;
    /// The name as uploaded, without folders.
    name: String = Kind::Column("name");
    /// What its first bytes say it is.
    mediaType: String = Kind::Column("media_type");
    /// How many bytes.
    size: f64 = Kind::Column("size");
    /// The SHA-256 of its content, in hexadecimal.
    sha256: String = Kind::Column("sha256");
    /// Where to get it, below the API's address and with the same token.
    url: String = Kind::Expression(url);
    /// Who uploaded it.
    uploader: Option<Account> = Kind::One(<Account as Noun>::table, "uploader_id");
    /// When.
    uploadedAt: Moment = Kind::Column("uploaded_at");
    /// What it proves.
    assignment: Assignment = Kind::One(<Assignment as Noun>::table, "assignment_id");
}

order! { EvidenceOrder by EvidenceOrderField {
    /// When it was uploaded.
    UploadedAt = UPLOADED_AT,
} }

filter! {
    /// Demands on evidence.
    EvidenceFilter {
        /// Its name.
        name: TextFilter = |name| name.condition("name", &["name"]),
        /// The SHA-256 of its content.
        sha256: TextFilter = |sha256| sha256.condition("sha256", &["sha256"]),
        /// When it was uploaded.
        uploaded_at: DateTimeFilter = |at| at.condition("uploaded_at"),
        /// What it proves.
        assignment: RelationFilter<AssignmentFilter> = |assignment| assignment.condition("assignment_id", <Assignment as Noun>::table()),
    }
}
