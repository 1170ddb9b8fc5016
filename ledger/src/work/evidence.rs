//! Evidence (佐证材料): the record of a file in the ledger. Its bytes are in the file storage, named by their hash.

use entity::evidence;
use planner::{Trouble, trouble};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter,
};
use serde_json::json;

use super::acting::Acting;
use super::held::HeldAssignment;
use super::hold::{On, seen};
use crate::fault::{Fault, FaultCode, is_blank};
use crate::file::storage::{Arrived, Storage, Stored};
use crate::people::policy::{Act, Principal};
use crate::record::change::ChangeKind;
use crate::rule::workflow;
use crate::{Error, Result};

/// The maximum number of files of an assignment.
pub const MAX_FILES: u64 = 500;

/// Returns a safe file name of at most 120 characters, with its extension.
///
/// Removes folders, invisible characters, characters that change the direction of writing, and `"<>:|?*`.
pub fn plain_name(given: &str) -> String {
    let is_kept = |letter: char| (letter == ' ' || !is_blank(letter)) && !r#""<>:|?*"#.contains(letter);
    // Some systems drop dots and blanks at the end, so that the extension before them would take effect.
    let is_edge = |letter: char| letter == '.' || letter.is_whitespace();
    let last = given.rsplit(['/', '\\']).find(|part| !part.is_empty()).unwrap_or_default();
    let clean: String = last.chars().filter(|letter| is_kept(*letter)).collect();
    let clean = clean.trim_end_matches(is_edge);
    let (stem, ending) = clean.rsplit_once('.').unwrap_or((clean, ""));
    let stem: String = stem.trim_matches(is_edge).chars().take(100).collect();
    let stem = if stem.is_empty() { "佐证材料" } else { &stem };
    let ending: String = ending.trim().chars().take(15).collect();
    if ending.is_empty() { stem.to_owned() } else { format!("{stem}.{ending}") }
}

/// Checks whether the caller may add evidence to an assignment, before the upload is read.
pub async fn may_add(acting: &Acting<'_>, assignment: Option<i64>) -> Result<()> {
    let held = HeldAssignment::take(acting, On { assignment, version: None }).await?;
    takes_files(acting, &held).await
}

/// Refuses evidence on an assignment that is settled (unless closed as ongoing) or has [`MAX_FILES`] files.
async fn takes_files(acting: &Acting<'_>, held: &HeldAssignment) -> Result<()> {
    held.permit(acting, Act::Report)?;
    if workflow::is_settled(held.row.status) && held.row.status != entity::assignment::Status::ClosedOngoing {
        let name = workflow::status_name(held.row.status);
        let (zh, en) =
            (format!("“{name}”的任务不再补充佐证材料"), "this assignment is settled and takes no more evidence");
        return Err(Fault::new(FaultCode::WrongState, zh, en, &["assignmentId"]).into());
    }
    let there = evidence::Entity::find().filter(evidence::Column::AssignmentId.eq(held.row.id));
    if there.count(&held.transaction).await? >= MAX_FILES {
        let zh = format!("一项任务最多 {MAX_FILES} 份佐证材料");
        let en = format!("an assignment has at most {MAX_FILES} files of evidence");
        return Err(Fault::new(FaultCode::Conflict, zh, en, &["assignmentId"]).into());
    }
    Ok(())
}

/// Adds a stored file to an assignment as evidence and returns the key of the evidence.
pub async fn add(acting: &Acting<'_>, assignment: Option<i64>, file: &Stored) -> Result<i64> {
    let held = HeldAssignment::take(acting, On { assignment, version: None }).await?;
    takes_files(acting, &held).await?;
    let row = evidence::ActiveModel {
        assignment_id: Set(held.row.id),
        uploader_id: Set(acting.by.principal.account),
        name: Set(file.name.clone()),
        media_type: Set(file.media_type.clone()),
        size: Set(file.size),
        sha256: Set(file.sha256.clone()),
        place: Set(file.place.clone()),
        uploaded_at: Set(acting.now),
        ..Default::default()
    };
    let id = row.insert(&held.transaction).await?.id;
    let said = json!({ "evidence": id, "name": file.name, "sha256": file.sha256, "size": file.size });
    held.settle_beside(acting, ChangeKind::EvidenceAdded, said).await?;
    Ok(id)
}

/// Moves an uploaded file to its final place in the storage and adds it to an assignment as evidence.
///
/// If adding it fails, the file is removed again, unless other evidence has the same content. Returns the key of the
/// evidence and the stored file.
pub async fn keep(
    acting: &Acting<'_>,
    assignment: Option<i64>,
    storage: &Storage,
    file: Arrived,
) -> Result<(i64, Stored)> {
    let _removal = storage.lock_removal(&file).await;
    let stored = storage.keep(file).await?;
    let added = add(acting, assignment, &stored).await;
    // If the connection broke during the commit, the row may exist after all. The file then stays: a file without a row
    // does no harm.
    let may_be_there = |why: &Error| matches!(why, Error::Database(why) if trouble(why) == Some(Trouble::Away));
    if added.as_ref().is_err_and(|why| !may_be_there(why)) {
        let same = evidence::Entity::find().filter(evidence::Column::Place.eq(stored.place.as_str()));
        // If this query fails, the file stays, as other evidence may use it.
        if same.count(acting.db).await? == 0 {
            storage.remove(&stored.place).await?;
        }
    }
    Ok((added?, stored))
}

/// Returns the evidence with this key, or `None` if it does not exist or the caller may not see it.
pub async fn find<C: ConnectionTrait>(db: &C, principal: &Principal, id: i64) -> Result<Option<evidence::Model>> {
    seen::<evidence::Entity, _>(db, principal, ("evidence", id), |_| String::new()).await
}

#[cfg(test)]
mod tests {
    use super::plain_name;

    #[test]
    fn names_lose_their_tricks_and_keep_their_ending() {
        assert_eq!(plain_name("../../etc/passwd"), "passwd");
        assert_eq!(plain_name("C:\\temp\\验收 照片.jpg"), "验收 照片.jpg");
        assert_eq!(plain_name("gpj.\u{202e}exe.jpg"), "gpj.exe.jpg");
        assert_eq!(plain_name("a.exe\u{200b}"), "a.exe");
        assert_eq!(plain_name(".htaccess"), "佐证材料.htaccess");
        assert_eq!(plain_name(" \u{3000} .pdf"), "佐证材料.pdf");
        assert_eq!(plain_name("验收/.pdf"), "佐证材料.pdf");
        assert_eq!(plain_name("验收.pdf/"), "验收.pdf");
        assert_eq!(plain_name("照片.exe. . "), "照片.exe");
        assert_eq!(plain_name("///"), "佐证材料");
        assert!(plain_name(&"长".repeat(500)).chars().count() <= 120);
    }
}
