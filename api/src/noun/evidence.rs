//! Evidence (佐证材料) in the schema. Its bytes are uploaded and downloaded over plain HTTP, below `/evidence`.

use async_graphql::ID;
use chrono::DateTime;
use planner::{Dimension, Finish, Kind, Noun, SortKey, SortType, Sql, noun};

use serde_json::{Value as Json, json};

use crate::context::Request;
use crate::noun::account::Account;
use crate::noun::assignment::{Assignment, AssignmentFilter};
use crate::part::filter::{DateTimeFilter, NumberFilter, RelationFilter, TextFilter, filter};
use crate::part::group;
use crate::part::order::order;
use crate::part::scalar::Moment;

fn url(_: &mut Sql<'_>, evidence: &str) -> String {
    format!("'/evidence/evidence_' || {evidence}.id")
}

/// Returns the signed path of a file, from its key.
pub(crate) fn view_url(request: &Request, _: &Finish, key: &Json) -> Json {
    address(request, key, "")
}

/// Returns the signed path of a thumbnail, from the key of a photograph.
pub(crate) fn thumbnail_url(request: &Request, _: &Finish, key: &Json) -> Json {
    address(request, key, "/thumbnail")
}

fn address(request: &Request, key: &Json, what: &str) -> Json {
    let Some(key) = key.as_i64() else { return Json::Null };
    // Rounded, so that a page that is loaded again has the same addresses and browsers keep the pictures.
    let hour = request.now.timestamp().div_euclid(HOUR) * HOUR;
    let until = DateTime::from_timestamp(hour + 2 * HOUR, 0).unwrap_or(request.now);
    let token = request.link_key.sign(&format!("evidence_{key}"), until);
    json!(format!("/evidence/evidence_{key}{what}?key={token}"))
}

/// The seconds of an hour.
const HOUR: i64 = 3_600;

const UPLOADED_AT: SortKey = SortKey::column("{t}.uploaded_at", "uploaded_at", SortType::Moment);

const GROUPS: &[Dimension] = &[
    Dimension::plain("MEDIA_TYPE", "文件类型 · Media type of the file, such as `image/jpeg`.", "{t}.media_type"),
    group::ANSWERING_UNIT,
    group::ANSWERING_REGION,
];

noun! {
    /// A file that proves the reported work (佐证材料). Files are only added, never changed.
    pub(crate) Evidence from "evidence" as "evidence" {
        order: &[UPLOADED_AT.reversed()],
        total: None,
        filter: EvidenceFilter,
        by: EvidenceOrder,
        groups: GROUPS
    }
    /// Global id of the file.
    id: ID = Kind::Id;
    /// File name as uploaded, without folders, control characters and characters that file systems refuse; at most 120
    /// characters.
    name: String = Kind::Column("name");
    /// Media type detected from the file's first bytes, such as `application/pdf`.
    mediaType: String = Kind::Column("media_type");
    /// Size of the file in bytes.
    size: f64 = Kind::Column("size");
    /// SHA-256 of the content, in lower-case hexadecimal.
    sha256: String = Kind::Column("sha256");
    /// Path of the file below the API's address, such as `/evidence/evidence_12`; download it with the same token.
    url: String = Kind::Expression(url);
    /// Path at which a browser can open the file without a header, for at least an hour: whoever has it may see this
    /// file. Photographs are shown, other files are saved.
    viewUrl: String = Kind::Finished(|_, evidence| format!("{evidence}.id"), "evidenceView");
    /// Path of a small picture of a photograph, at most 320 pixels wide and high, with the same validity as `viewUrl`;
    /// null for other files.
    thumbnailUrl: Option<String> = Kind::Finished(
        |_, evidence| format!("CASE WHEN {evidence}.media_type IN ('image/jpeg', 'image/png') THEN {evidence}.id END"),
        "evidenceThumbnail",
    );
    /// Account that uploaded the file; null if no account is recorded or the caller may not see it.
    uploader: Option<Account> = Kind::One(<Account as Noun>::table, "uploader_id");
    /// When the file was uploaded.
    uploadedAt: Moment = Kind::Column("uploaded_at");
    /// Assignment (责任分解) whose work the file proves.
    assignment: Assignment = Kind::One(<Assignment as Noun>::table, "assignment_id");
}

order! { EvidenceOrder by EvidenceOrderField {
    /// 上传时间 · Moment at which the file was uploaded.
    UploadedAt = UPLOADED_AT,
} }

filter! {
    /// Conditions on evidence. All that are given have to hold.
    EvidenceFilter {
        /// Condition on the file name.
        name: TextFilter = |name| name.condition("name", &["name"]),
        /// Condition on the media type of the content, such as `image/jpeg`.
        media_type: TextFilter = |kind| kind.condition("media_type", &["media_type"]),
        /// Condition on the size of the file in bytes.
        size: NumberFilter = |size| size.condition("size"),
        /// Condition on the SHA-256 of the content, in lower-case hexadecimal.
        sha256: TextFilter = |sha256| sha256.condition("sha256", &["sha256"]),
        /// Condition on the moment of the upload.
        uploaded_at: DateTimeFilter = |at| at.condition("uploaded_at"),
        /// Condition on the assignment whose work the file proves.
        assignment: RelationFilter<AssignmentFilter> =
            |assignment| assignment.condition("assignment_id", <Assignment as Noun>::table()),
    }
}
