//! Users of the system (填报人).

use sea_orm::entity::prelude::*;

/// One user.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "account")]
pub struct Model {
    /// The key; it survives re-import, backup and the move between databases.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// The unit that the user works for.
    pub unit_id: Option<i64>,
    /// The name shown to colleagues; personal data.
    pub name: String,
    /// The sign-in address, in lower case; personal data.
    pub email: String,
    /// When the account was made.
    pub created_at: DateTimeUtc,
    /// What the user may see and do.
    pub role: Role,
    /// The region that the role is about: the unit's, unless another was given.
    pub region_id: Option<i64>,
    /// The phone number; personal data.
    pub phone: Option<String>,
    /// The hash of the password, with its salt and cost; none for who signs in otherwise.
    pub password_hash: Option<String>,
    /// Made by the demo: has no password and is signed in to by one click, on this machine only.
    pub is_demo: bool,
    /// Whether nobody signs in to it any more.
    pub is_disabled: bool,
    /// The last local day on which it may be used; for inspectors.
    pub valid_until: Option<Date>,
    /// Wrong passwords since the last right one, of the last day.
    pub failures: i32,
    /// When the last of them was given.
    pub failed_at: Option<DateTimeUtc>,
    /// Until when no password is taken, after too many wrong ones.
    pub locked_until: Option<DateTimeUtc>,
    /// When it was last signed in to.
    pub signed_in_at: Option<DateTimeUtc>,
    /// When its owner was last told by mail that it is locked.
    pub lock_told_at: Option<DateTimeUtc>,
    /// When a link for a new password was last asked for.
    pub link_asked_at: Option<DateTimeUtc>,
    /// The secret of the second factor (TOTP), in Base32; none without one.
    pub totp_secret: Option<String>,
    /// Since when the second factor is asked for; none while it is only being set up.
    pub totp_since: Option<DateTimeUtc>,
    /// The time step of the last code that was taken, so that no code is taken twice.
    pub totp_step: Option<i64>,
    /// When the person was erased; the key stays, so that the audit stays whole.
    pub erased_at: Option<DateTimeUtc>,
    /// Grows with every change of who it is or what it may.
    pub version: i32,
}

/// What a user may see and do; `ledger::policy` says what each means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum Role {
    /// 区整改办
    #[sea_orm(string_value = "REGIONAL_OFFICE")]
    RegionalOffice,
    /// 市整改办
    #[sea_orm(string_value = "CITY_OFFICE")]
    CityOffice,
    /// 县整改办
    #[sea_orm(string_value = "COUNTY_OFFICE")]
    CountyOffice,
    /// 牵头单位
    #[sea_orm(string_value = "LEAD_UNIT")]
    LeadUnit,
    /// 责任单位
    #[sea_orm(string_value = "RESPONSIBLE_UNIT")]
    ResponsibleUnit,
    /// 督导单位
    #[sea_orm(string_value = "SUPERVISING_UNIT")]
    SupervisingUnit,
    /// 领导
    #[sea_orm(string_value = "LEADER")]
    Leader,
    /// 督察组
    #[sea_orm(string_value = "INSPECTOR")]
    Inspector,
    /// 系统管理员
    #[sea_orm(string_value = "ADMINISTRATOR")]
    Administrator,
}

/// Tables are joined where they are read; no relation is declared here.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
