//! Notes of backups: when one was made of this database, and how its verification ended. The notes belong to the
//! database, so that no backup contains them.

use chrono::{DateTime, Utc};
use entity::backup::{ActiveModel, Column, Entity, Model};
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder,
};

use crate::Result;

/// A backup that was made.
#[derive(Debug, Clone, Copy)]
pub struct Made<'a> {
    /// The moment that it shows the ledger of.
    pub at: DateTime<Utc>,
    /// The name of its file, without folders.
    pub file_name: &'a str,
    /// The size of the file in bytes.
    pub bytes: u64,
    /// The number of rows of all tables.
    pub rows: u64,
    /// Whether the files of evidence are in it.
    pub has_files: bool,
}

/// Notes that a backup was made.
pub async fn note<C: ConnectionTrait>(db: &C, made: Made<'_>) -> Result<()> {
    let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let row = ActiveModel {
        id: NotSet,
        made_at: Set(made.at),
        file_name: Set(made.file_name.to_owned()),
        byte_count: Set(whole(made.bytes)),
        row_count: Set(whole(made.rows)),
        has_files: Set(made.has_files),
        verified_at: Set(None),
        fault_count: Set(None),
    };
    Entity::insert(row).exec_without_returning(db).await?;
    Ok(())
}

/// Notes how the verification of the backup of a moment ended. Returns false if no such backup was made of this
/// database.
pub async fn note_verified<C: ConnectionTrait>(
    db: &C,
    made_at: DateTime<Utc>,
    faults: usize,
    now: DateTime<Utc>,
) -> Result<bool> {
    let verified = ActiveModel {
        verified_at: Set(Some(now)),
        fault_count: Set(Some(i32::try_from(faults).unwrap_or(i32::MAX))),
        ..Default::default()
    };
    let noted = Entity::update_many().set(verified).filter(Column::MadeAt.eq(made_at)).exec(db).await?;
    Ok(noted.rows_affected > 0)
}

/// Returns the backup that was made last, if any was.
pub async fn last<C: ConnectionTrait>(db: &C) -> Result<Option<Model>> {
    Ok(Entity::find().order_by_desc(Column::MadeAt).one(db).await?)
}
