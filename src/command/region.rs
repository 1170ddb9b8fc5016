//! `rectify region`: lists, adds and loads administrative divisions (行政区).

use entity::region::{Column, Entity, Model};
use ledger::keep::region as keep;
use ledger::record::audit::By;
use sea_orm::sea_query::ExprTrait;
use sea_orm::{ColumnTrait, DatabaseConnection, EntityTrait, QueryFilter, QueryOrder};

use super::{acting, current, set_up};
use crate::settings::Settings;
use crate::{Failure, say};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Region {
    /// 列出行政区：已载入的，或内置的（--all）
    List {
        /// 名称或代码中的文字
        words: Option<String>,
        /// 列出内置的全部行政区划
        #[arg(long)]
        all: bool,
    },
    /// 在已有行政区下添加一个，如乡镇
    Add {
        /// 名称
        name: String,
        /// 上级行政区代码
        #[arg(long, value_name = "CODE")]
        parent: String,
        /// 代码
        #[arg(long)]
        code: Option<String>,
    },
    /// 载入内置的全部行政区划（至县级），或只载入一个及其上级
    Load {
        /// 行政区代码，不写则载入全部
        code: Option<String>,
    },
}

pub(crate) async fn run(settings: &Settings, region: Region) -> Result<(), Failure> {
    match region {
        Region::List { words, all: true } => {
            let words = words.unwrap_or_default();
            let matching =
                |division: &&ledger::region::Division| division.name.contains(&words) || division.code.contains(&words);
            for division in ledger::region::divisions().iter().filter(matching) {
                say!("{} {}", division.code, division.name);
            }
        }
        Region::List { words, all: false } => {
            let db = current(settings).await?;
            let words = words.unwrap_or_default();
            let rows = Entity::find()
                .filter(Column::Name.contains(&words).or(Column::Code.contains(&words)))
                .order_by_asc(Column::Code)
                .all(&db)
                .await?;
            for row in rows {
                say!("{} {}{}", row.code.unwrap_or_default(), "  ".repeat(row.rank.unsigned_abs() as usize), row.name);
            }
        }
        Region::Add { name, parent, code } => {
            let db = set_up(settings).await?;
            let parent = ensure(&db, &parent).await?;
            let new = keep::New { parent: Some(parent.id), name: name.clone(), code };
            keep::create(&acting(settings, &db, &By::program()), new).await?;
            say!("已添加：{}（{}之下）", name.trim(), parent.name);
        }
        Region::Load { code: Some(code) } => {
            let db = set_up(settings).await?;
            let row = ensure(&db, &code).await?;
            say!("已载入：{}", row.name);
        }
        Region::Load { code: None } => {
            let db = set_up(settings).await?;
            let transaction = ledger::record::database::begin(&db).await?;
            let added = ledger::region::load_all(&transaction).await?;
            transaction.commit().await?;
            say!("已载入 {added} 个行政区");
        }
    }
    Ok(())
}

/// Returns the region with a code. Loads a built-in region that is not in the database yet, with all its ancestors.
async fn ensure(db: &DatabaseConnection, code: &str) -> Result<Model, Failure> {
    let transaction = ledger::record::database::begin(db).await?;
    let row = ledger::region::ensure(&transaction, code, &["code"]).await?;
    transaction.commit().await?;
    Ok(row)
}
