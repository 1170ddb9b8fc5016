//! Kinds of pollution that cases are about: several tags each.

use sea_orm::entity::prelude::*;

/// One tag of one case.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "case_pollution")]
pub struct Model {
    /// The case.
    #[sea_orm(primary_key, auto_increment = false)]
    pub case_id: i64,
    /// The tag.
    #[sea_orm(primary_key, auto_increment = false)]
    pub kind: Pollution,
}

/// A kind of pollution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum Pollution {
    /// 水
    #[sea_orm(string_value = "WATER")]
    Water,
    /// 大气
    #[sea_orm(string_value = "AIR")]
    Air,
    /// 土壤
    #[sea_orm(string_value = "SOIL")]
    Soil,
    /// 噪声
    #[sea_orm(string_value = "NOISE")]
    Noise,
    /// 生态
    #[sea_orm(string_value = "ECOLOGY")]
    Ecology,
    /// 固废
    #[sea_orm(string_value = "WASTE")]
    Waste,
    /// 辐射
    #[sea_orm(string_value = "RADIATION")]
    Radiation,
    /// 其他
    #[sea_orm(string_value = "OTHER")]
    Other,
}

/// Tables are joined where they are read; no relation is declared here.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
