//! Accounts: the users of the system (填报人).

use sea_orm::entity::prelude::*;

use crate::language::Language;

/// An account.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "account")]
pub struct Model {
    /// Primary key. Stays the same across re-imports, backups and a move between databases.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Unit that the user works for.
    pub unit_id: Option<i64>,
    /// Name of the user. Personal data.
    pub name: String,
    /// Key by which the name is ordered: its characters' syllables, tones and themselves. Personal data.
    pub name_order: String,
    /// Mail address used to sign in, in lower case. Personal data.
    pub email: String,
    /// When the account was created.
    pub created_at: DateTimeUtc,
    /// Role, which determines what the user may see and do.
    pub role: Role,
    /// Region that the role applies to: the unit's, unless another was given.
    pub region_id: Option<i64>,
    /// Phone number. Personal data.
    pub phone: Option<String>,
    /// Language of mails to the user; null to use the unit's.
    pub language: Option<Language>,
    /// Hash of the password, with its salt and cost; null if the account has no password.
    pub password_hash: Option<String>,
    /// Whether the demo created it. Such an account has no password; users of the same machine sign in to it with one
    /// click.
    pub is_demo: bool,
    /// Whether it is disabled, so that it cannot be used to sign in.
    pub is_disabled: bool,
    /// Last local date on which it may be used; null for no limit. Meant for inspectors.
    pub valid_until: Option<Date>,
    /// Number of wrong passwords since the last right one, each within a day of the one before.
    pub failures: i32,
    /// When the last wrong password was entered.
    pub failed_at: Option<DateTimeUtc>,
    /// Until when no password is accepted, after too many wrong ones.
    pub locked_until: Option<DateTimeUtc>,
    /// When a user last signed in to it.
    pub signed_in_at: Option<DateTimeUtc>,
    /// When the user was last told by mail that it is locked.
    pub lock_told_at: Option<DateTimeUtc>,
    /// When a link for setting a new password was last requested.
    pub link_asked_at: Option<DateTimeUtc>,
    /// Secret of the second factor (TOTP), in Base32; null if there is none.
    pub totp_secret: Option<String>,
    /// Since when the second factor is required; null while it is being set up.
    pub totp_since: Option<DateTimeUtc>,
    /// TOTP time step of the last accepted code, so that no code is accepted twice.
    pub totp_step: Option<i64>,
    /// Whether digests of deadlines to the user bring a calendar of them.
    pub attaches_calendar: bool,
    /// When the personal data was erased. The row stays, because the audit refers to its id.
    pub erased_at: Option<DateTimeUtc>,
    /// Version number, incremented with every change of the account's data or rights.
    pub version: i32,
}

/// Role of a user; `ledger::people::policy` defines what each may see and do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum Role {
    /// Regional rectification office (区整改办).
    #[sea_orm(string_value = "REGIONAL_OFFICE")]
    RegionalOffice,
    /// City rectification office (市整改办).
    #[sea_orm(string_value = "CITY_OFFICE")]
    CityOffice,
    /// County rectification office (县整改办).
    #[sea_orm(string_value = "COUNTY_OFFICE")]
    CountyOffice,
    /// Lead unit (牵头单位).
    #[sea_orm(string_value = "LEAD_UNIT")]
    LeadUnit,
    /// Responsible unit (责任单位).
    #[sea_orm(string_value = "RESPONSIBLE_UNIT")]
    ResponsibleUnit,
    /// Supervising unit (督导单位).
    #[sea_orm(string_value = "SUPERVISING_UNIT")]
    SupervisingUnit,
    /// Leader (领导).
    #[sea_orm(string_value = "LEADER")]
    Leader,
    /// Inspector (督察组).
    #[sea_orm(string_value = "INSPECTOR")]
    Inspector,
    /// System administrator (系统管理员).
    #[sea_orm(string_value = "ADMINISTRATOR")]
    Administrator,
}

/// No relations are declared; queries write their own joins.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
