//! The rectification offices (整改办), which are told what remains undone below them.

use std::collections::HashMap;

use entity::region::{self, Level};
use entity::unit::{self, Kind};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder};

use crate::Result;
use crate::region::lineage;

/// The rectification offices of all regions.
pub(super) struct Offices {
    /// The key of each office, by the key of its region.
    by_region: HashMap<i64, i64>,
    /// The level of each region, by its key.
    levels: HashMap<i64, Level>,
    /// The lineage of each region, by its key: the keys from the root down to the region itself.
    lines: HashMap<i64, Vec<i64>>,
}

impl Offices {
    pub(super) async fn read<C: ConnectionTrait>(db: &C) -> Result<Self> {
        let regions = region::Entity::find().all(db).await?;
        let levels = regions.iter().map(|region| (region.id, region.level)).collect();
        let lines = regions.iter().map(|region| (region.id, lineage(&region.path))).collect();
        let units = unit::Entity::find()
            .filter(unit::Column::Kind.eq(Kind::RectificationOffice))
            .filter(unit::Column::RetiredOn.is_null())
            .order_by_desc(unit::Column::Id)
            .all(db)
            .await?;
        Ok(Self { by_region: units.into_iter().map(|unit| (unit.region_id, unit.id)).collect(), levels, lines })
    }

    /// Returns the key of the office of the province that a region belongs to.
    pub(super) fn of_province(&self, region: i64) -> Option<i64> {
        self.nearest(region, |level| level == Level::Province).map(|(office, _)| office)
    }

    /// Returns the key of the nearest office of a city or a level above, at or above a region, and the key of the
    /// region to which the office belongs.
    pub(super) fn above(&self, region: i64) -> Option<(i64, i64)> {
        self.nearest(region, |level| !matches!(level, Level::County | Level::Township))
    }

    /// Returns the key of the nearest office of a level, at or above a region, and the key of the region to which the
    /// office belongs.
    pub(super) fn nearest(&self, region: i64, is_asked: impl Fn(Level) -> bool) -> Option<(i64, i64)> {
        let line = self.lines.get(&region)?;
        let mut of_level = line.iter().rev().filter(|region| self.levels.get(region).copied().is_some_and(&is_asked));
        of_level.find_map(|region| Some((*self.by_region.get(region)?, *region)))
    }
}
