//! Regions (行政区): the built-in divisions of China down to counties, the tree that they form, and divisions that
//! users add below them.
//!
//! The built-in list is `data/divisions.csv`, from the MIT-licensed data set china-division 2.7 (codes as in GB/T
//! 2260), without functional zones.

use std::collections::HashMap;
use std::sync::LazyLock;

use entity::region::{ActiveModel, Column, Entity, Level, Model};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};

use crate::Result;
use crate::fault::{Fault, FaultCode};
use crate::record::database::Transaction;
use crate::rule::name_order::name_order;

/// The code of the root region, the nation.
pub const NATION: &str = "100000";

/// Returns the key of the nation, which stays; none before it is entered.
pub async fn nation<C: ConnectionTrait>(db: &C) -> Result<Option<i64>> {
    let nation = Entity::find().select_only().column(Column::Id).filter(Column::ParentId.is_null());
    Ok(nation.into_tuple().one(db).await?)
}

/// A built-in administrative division.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Division {
    /// The six-digit code as in GB/T 2260, such as `540329`.
    pub code: &'static str,
    /// The full name, such as 昌都市.
    pub name: &'static str,
}

static DIVISIONS: LazyLock<Vec<Division>> = LazyLock::new(|| {
    let lines = include_str!("../data/divisions.csv").lines().skip(1);
    lines.filter_map(|line| line.split_once(',')).map(|(code, name)| Division { code, name }).collect()
});

static BY_CODE: LazyLock<HashMap<&'static str, Division>> =
    LazyLock::new(|| DIVISIONS.iter().map(|division| (division.code, *division)).collect());

/// Returns the built-in divisions, ordered by code.
pub fn divisions() -> &'static [Division] {
    &DIVISIONS
}

impl Division {
    /// Returns the administrative level, which follows from the trailing zeros of the code.
    pub fn level(self) -> Level {
        if self.code == NATION {
            Level::Nation
        } else if self.code.ends_with("0000") {
            Level::Province
        } else if self.code.ends_with("00") {
            Level::Prefecture
        } else {
            Level::County
        }
    }

    /// Returns the division above this one, or `None` for the nation. A county that a province administers directly has
    /// the province as its parent.
    pub fn parent(self) -> Option<Self> {
        if self.code == NATION {
            return None;
        }
        let prefecture = format!("{}00", &self.code[..4]);
        let province = format!("{}0000", &self.code[..2]);
        [prefecture.as_str(), province.as_str(), NATION]
            .into_iter()
            .filter(|code| *code != self.code)
            .find_map(|code| BY_CODE.get(code).copied())
    }
}

/// Returns the number of a level: 0 for the nation, 4 for a township.
pub fn rank(level: Level) -> i32 {
    match level {
        Level::Nation => 0,
        Level::Province => 1,
        Level::Prefecture => 2,
        Level::County => 3,
        Level::Township => 4,
    }
}

/// Returns the ids in a region's path, from the root down to the region itself: 1, 27 and 313 for `/1/27/313/`.
pub fn lineage(path: &str) -> Vec<i64> {
    path.split('/').filter_map(|id| id.parse().ok()).collect()
}

/// Returns the region with this code, or `None` if the database has none.
pub async fn find<C: ConnectionTrait>(db: &C, code: &str) -> Result<Option<Model>> {
    Ok(Entity::find().filter(Column::Code.eq(code)).one(db).await?)
}

/// Returns the fault for a code that no region has.
pub(crate) fn no_such_code(code: &str, path: &[&str]) -> Fault {
    let (zh, en) = (format!("没有代码为 {code} 的行政区"), format!("there is no region with the code {code}"));
    Fault::new(FaultCode::NotFound, zh, en, path)
}

/// Returns the region with this code. Creates it, with its ancestors, if it is built in and not in the database yet.
///
/// `path` is the path of the code in the caller's input, for the fault.
pub async fn ensure(db: &Transaction, code: &str, path: &[&str]) -> Result<Model> {
    if let Some(found) = find(db, code).await? {
        return Ok(found);
    }
    let Some(division) = BY_CODE.get(code).copied() else {
        let mut unknown = no_such_code(code, path);
        unknown.message.zh.push_str("：请用 `rectify region list` 查代码，或用 `rectify region add` 添加");
        unknown.message.en.push_str(": `rectify region list` shows the codes, and `rectify region add` adds a region");
        return Err(unknown.into());
    };
    let mut chain = vec![division];
    while let Some(parent) = chain.last().copied().and_then(Division::parent) {
        chain.push(parent);
    }
    let mut above: Option<Model> = None;
    for division in chain.into_iter().rev() {
        above = Some(match find(db, division.code).await? {
            Some(found) => found,
            None => insert(db, Some(division.code), division.name, division.level(), above.as_ref()).await?,
        });
    }
    above.ok_or_else(|| no_such_code(code, path).into())
}

/// Adds a division below another. Its level is the next one below its parent's.
pub async fn add(db: &Transaction, code: Option<&str>, name: &str, parent: &Model) -> Result<Model> {
    insert(db, code, name, level_below(parent)?, Some(parent)).await
}

/// Returns the level of the divisions below another. There are none below a township.
pub(crate) fn level_below(parent: &Model) -> Result<Level, Fault> {
    match parent.level {
        Level::Nation => Ok(Level::Province),
        Level::Province => Ok(Level::Prefecture),
        Level::Prefecture => Ok(Level::County),
        Level::County => Ok(Level::Township),
        Level::Township => {
            let zh = format!("{}是乡镇级，下面不再设行政区", parent.name);
            let en = format!("{} is a township: no region can be added below it", parent.name);
            Err(Fault::new(FaultCode::WrongState, zh, en, &["input", "parentId"]))
        }
    }
}

async fn insert(
    db: &Transaction,
    code: Option<&str>,
    name: &str,
    level: Level,
    parent: Option<&Model>,
) -> Result<Model> {
    // The path contains the row's own key, which is known only after the first write.
    let provisional = format!("new:{}:{name}:{}", parent.map_or(0, |parent| parent.id), code.unwrap_or_default());
    let row = ActiveModel {
        code: Set(code.map(str::to_owned)),
        name: Set(name.to_owned()),
        name_order: Set(name_order(name)),
        level: Set(level),
        rank: Set(rank(level)),
        parent_id: Set(parent.map(|parent| parent.id)),
        path: Set(provisional),
        ..Default::default()
    }
    .insert(db)
    .await?;
    let path = format!("{}{}/", parent.map_or("/", |parent| parent.path.as_str()), row.id);
    let mut row: ActiveModel = row.into();
    row.path = Set(path);
    Ok(row.update(db).await?)
}

/// Creates every built-in division that is missing, and returns how many it created.
pub async fn load_all(db: &Transaction) -> Result<usize> {
    let known: Vec<Model> = Entity::find().order_by_asc(Column::Path).all(db).await?;
    let mut by_code: HashMap<String, Model> =
        known.into_iter().filter_map(|region| Some((region.code.clone()?, region))).collect();
    let mut added = 0;
    let mut all: Vec<Division> = divisions().to_vec();
    all.sort_by_key(|division| (rank(division.level()), division.code));
    for division in all {
        if by_code.contains_key(division.code) {
            continue;
        }
        let parent = division.parent().and_then(|parent| by_code.get(parent.code));
        let row = insert(db, Some(division.code), division.name, division.level(), parent).await?;
        by_code.insert(division.code.to_owned(), row);
        added += 1;
    }
    Ok(added)
}

/// Returns the region and all its ancestors, from the root down.
pub async fn with_ancestors<C: ConnectionTrait>(db: &C, region: &Model) -> Result<Vec<Model>> {
    let ids = lineage(&region.path);
    Ok(Entity::find().filter(Column::Id.is_in(ids)).order_by_asc(Column::Rank).all(db).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_division_hangs_from_one_above_it() {
        assert!(divisions().len() > 3_200);
        for division in divisions().iter().filter(|division| division.code != NATION) {
            let parent = division.parent().unwrap_or_else(|| panic!("{division:?}"));
            assert!(rank(parent.level()) < rank(division.level()), "{division:?} under {parent:?}");
        }
        let parent = |code: &str| BY_CODE[code].parent().unwrap().name;
        assert_eq!(parent("540329"), "昌都市");
        assert_eq!(parent("429004"), "湖北省");
        assert_eq!(parent("110101"), "北京市");
        assert_eq!(parent("540000"), "中华人民共和国");
    }

    #[test]
    fn a_path_names_the_line_of_ancestors() {
        assert_eq!(lineage("/1/27/313/2790/"), [1, 27, 313, 2790]);
        assert!(lineage("/").is_empty());
    }
}
