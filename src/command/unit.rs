//! `rectify unit`: lists and registers units (单位), and sets their mail addresses and aliases.

use std::collections::HashMap;
use std::path::PathBuf;

use entity::language::Language;
use entity::{region, unit, unit_address, unit_alias};
use ledger::keep::{Patch, unit as keep};
use ledger::record::audit::By;
use sea_orm::{ColumnTrait, DatabaseConnection, EntityTrait, QueryFilter, QueryOrder};

use super::{acting, current, read, set_up};
use crate::settings::{Settings, language};
use crate::{Failure, say};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Unit {
    /// 列出单位及其邮箱
    List,
    /// 登记一个单位
    Add {
        /// 名称
        name: String,
        /// 所属行政区代码
        #[arg(long, value_name = "CODE")]
        region: String,
        /// 邮箱，可重复
        #[arg(long, value_name = "ADDRESS")]
        mail: Vec<String>,
    },
    /// 设置一个单位的邮箱（重名时在名称前加行政区代码，如 540300/市水利局）
    Set {
        /// 单位名称或别名
        name: String,
        /// 邮箱，可重复；不写则清空
        #[arg(long, value_name = "ADDRESS")]
        mail: Vec<String>,
        /// 增加一个别名，可重复
        #[arg(long, value_name = "NAME")]
        alias: Vec<String>,
        /// 邮件语言：zh 或 en；只改语言时邮箱不变
        #[arg(long, value_parser = language)]
        language: Option<Language>,
    },
    /// 从 CSV 批量设置邮箱（列：单位,邮箱；多个邮箱用分号分隔）
    Load {
        /// CSV 文件，UTF-8
        file: PathBuf,
    },
}

pub(crate) async fn run(settings: &Settings, command: Unit) -> Result<(), Failure> {
    let db = match command {
        Unit::Add { .. } | Unit::Load { .. } => set_up(settings).await?,
        _ => current(settings).await?,
    };
    let by = By::program();
    let acting = acting(settings, &db, &by);
    match command {
        Unit::List => list(&db).await?,
        Unit::Add { name, region, mail } => {
            let transaction = ledger::record::database::begin(&db).await?;
            let region = ledger::region::ensure(&transaction, &region, &["region"]).await?;
            let new = keep::New { region: Some(region.id), name, addresses: mail, ..Default::default() };
            let unit = keep::create_within(&transaction, &acting, new).await?;
            transaction.commit().await?;
            say!("已登记：{}（{}）", unit.name, region.name);
        }
        Unit::Set { name, mail, alias, language } => {
            let transaction = ledger::record::database::begin(&db).await?;
            let unit = ledger::unit::find_by_name(&transaction, &name).await?;
            let alias_count = alias.len();
            let mut changes = keep::Changes::default();
            if let Some(language) = language {
                changes.language = Patch::Set(Some(language));
            }
            if !mail.is_empty() || (alias.is_empty() && language.is_none()) {
                changes.addresses = Patch::Set(mail.clone());
            }
            if !alias.is_empty() {
                let known = unit_alias::Entity::find().filter(unit_alias::Column::UnitId.eq(unit.id));
                let known = known.all(&transaction).await?.into_iter().map(|known| known.alias);
                changes.aliases = Patch::Set(known.chain(alias).collect());
            }
            keep::edit_within(&transaction, &acting, Some(unit.id), None, changes).await?;
            transaction.commit().await?;
            let said = match (mail.as_slice(), alias_count) {
                ([], 0) if language.is_some() => "已设置邮件语言".to_owned(),
                ([], 0) => "已清空邮箱".to_owned(),
                ([], count) => format!("已添加 {count} 个别名"),
                (mails, _) => mails.join("、"),
            };
            say!("{}：{said}", unit.name);
            for warning in keep::done(unit.id, &mail).warnings {
                say!("{}", warning.message.zh);
            }
        }
        Unit::Load { file } => {
            let bytes = read(&file)?;
            let text = workbook::decoded(&bytes)?;
            let transaction = ledger::record::database::begin(&db).await?;
            let mut faults = Vec::new();
            let mut set = 0;
            let mut lines = csv::ReaderBuilder::new()
                .has_headers(false)
                .flexible(true)
                .delimiter(workbook::separator(&text))
                .from_reader(text.as_bytes());
            for (index, line) in lines.records().enumerate() {
                let line = line.map_err(|error| Failure::Rejected(format!("{}：{error}", file.display())))?;
                let number = line.position().map_or(index as u64 + 1, csv::Position::line);
                let (Some(name), Some(mails)) = (line.get(0), line.get(1)) else {
                    faults.push(format!("第 {number} 行应有两列：单位,邮箱"));
                    continue;
                };
                if line.len() > 2 {
                    say!("第 {number} 行的第三列及以后未读取");
                }
                if index == 0 && matches!(name.trim(), "单位" | "unit" | "name") {
                    continue;
                }
                let mails: Vec<String> = mails
                    .split([';', '；'])
                    .map(|mail| mail.trim().to_owned())
                    .filter(|mail| !mail.is_empty())
                    .collect();
                let done = async {
                    let unit = ledger::unit::find_by_name(&transaction, name.trim()).await?;
                    let changes = keep::Changes { addresses: Patch::Set(mails), ..Default::default() };
                    keep::edit_within(&transaction, &acting, Some(unit.id), None, changes).await
                };
                match done.await {
                    Ok(_) => set += 1,
                    Err(ledger::Error::Database(error)) => return Err(error.into()),
                    Err(error) => faults.push(format!("第 {number} 行：{error}")),
                }
            }
            if !faults.is_empty() {
                transaction.rollback().await?;
                return Err(Failure::Rejected(format!("{}\n未写入任何内容", faults.join("\n"))));
            }
            transaction.commit().await?;
            say!("已设置 {set} 个单位的邮箱");
        }
    }
    Ok(())
}

/// Prints the units that are not retired, each with its region and mail addresses.
async fn list(db: &DatabaseConnection) -> Result<(), Failure> {
    let regions: HashMap<i64, region::Model> =
        region::Entity::find().all(db).await?.into_iter().map(|region| (region.id, region)).collect();
    let mut addresses: HashMap<i64, Vec<String>> = HashMap::new();
    for row in unit_address::Entity::find().order_by_asc(unit_address::Column::Id).all(db).await? {
        addresses.entry(row.unit_id).or_default().push(row.address);
    }
    for row in unit::Entity::find()
        .filter(unit::Column::RetiredOn.is_null())
        .order_by_asc(unit::Column::RegionId)
        .order_by_asc(unit::Column::Id)
        .all(db)
        .await?
    {
        let region = regions.get(&row.region_id);
        let code = region.and_then(|region| region.code.as_deref()).unwrap_or("-");
        let place = region.map_or("", |region| region.name.as_str());
        let mails = addresses.get(&row.id).map(|mails| mails.join(" ")).unwrap_or_default();
        say!("{code}\t{place}\t{}\t{mails}", row.name);
    }
    Ok(())
}
