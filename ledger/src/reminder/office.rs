//! The rectification offices (整改办) of cities and the levels above, which are told what remains undone below them.

use std::collections::{HashMap, HashSet};

use entity::region::{self, Level};
use entity::unit::{self, Kind};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder};

use crate::Result;
use crate::region::lineage;

/// The rectification offices of cities and the levels above.
pub(super) struct Offices {
    /// The key of each office, by the key of its region.
    by_region: HashMap<i64, i64>,
    /// The keys of the regions at the level of a province.
    provinces: HashSet<i64>,
    /// The lineage of each region, by its key: the keys from the root down to the region itself.
    lines: HashMap<i64, Vec<i64>>,
}

impl Offices {
    pub(super) async fn read<C: ConnectionTrait>(db: &C) -> Result<Self> {
        let regions = region::Entity::find().all(db).await?;
        let is_city = |region: &&region::Model| !matches!(region.level, Level::County | Level::Township);
        let cities: HashSet<i64> = regions.iter().filter(is_city).map(|region| region.id).collect();
        let provinces =
            regions.iter().filter(|region| region.level == Level::Province).map(|region| region.id).collect();
        let lines = regions.iter().map(|region| (region.id, lineage(&region.path))).collect();
        let units = unit::Entity::find()
            .filter(unit::Column::Kind.eq(Kind::RectificationOffice))
            .filter(unit::Column::RetiredOn.is_null())
            .order_by_desc(unit::Column::Id)
            .all(db)
            .await?;
        let offices = units.into_iter().map(|unit| (unit.region_id, unit.id));
        Ok(Self { by_region: offices.filter(|(region, _)| cities.contains(region)).collect(), provinces, lines })
    }

    /// Returns the key of the office of the province that a region belongs to.
    pub(super) fn of_province(&self, region: i64) -> Option<i64> {
        let line = self.lines.get(&region)?;
        line.iter()
            .find(|region| self.provinces.contains(region))
            .and_then(|region| self.by_region.get(region))
            .copied()
    }

    /// Returns the key of the nearest office at or above a region, and the key of the region to which the office
    /// belongs.
    pub(super) fn above(&self, region: i64) -> Option<(i64, i64)> {
        let line = self.lines.get(&region)?;
        line.iter().rev().find_map(|region| Some((*self.by_region.get(region)?, *region)))
    }
}
