//! Kinds of pollution that complaint cases are about. A case can have several.

use sea_orm::entity::prelude::*;

/// A kind of pollution of a case.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "case_pollution")]
pub struct Model {
    /// Case that it belongs to.
    #[sea_orm(primary_key, auto_increment = false)]
    pub case_id: i64,
    /// Kind of pollution.
    #[sea_orm(primary_key, auto_increment = false)]
    pub kind: Pollution,
}

/// Kind of pollution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum Pollution {
    /// Water (水).
    #[sea_orm(string_value = "WATER")]
    Water,
    /// Air (大气).
    #[sea_orm(string_value = "AIR")]
    Air,
    /// Soil (土壤).
    #[sea_orm(string_value = "SOIL")]
    Soil,
    /// Noise (噪声).
    #[sea_orm(string_value = "NOISE")]
    Noise,
    /// Ecology (生态).
    #[sea_orm(string_value = "ECOLOGY")]
    Ecology,
    /// Solid waste (固废).
    #[sea_orm(string_value = "WASTE")]
    Waste,
    /// Radiation (辐射).
    #[sea_orm(string_value = "RADIATION")]
    Radiation,
    /// Other (其他).
    #[sea_orm(string_value = "OTHER")]
    Other,
}

/// No relations are declared; queries write their own joins.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
