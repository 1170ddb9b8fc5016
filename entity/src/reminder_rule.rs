//! Rules of reminders as people set them, by kind and region. Rows are only added: the latest of a kind and region
//! holds, and the earlier ones are its history.

use sea_orm::entity::prelude::*;

/// What was set for one kind of reminder in one region. Whatever is null holds as the region above has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "reminder_rule")]
pub struct Model {
    /// Primary key. Stays the same across backups and a move between databases.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Kind of reminder.
    pub kind: ReminderKind,
    /// Region for whose items it holds, with the regions below; null for all.
    pub region_id: Option<i64>,
    /// Whether the reminder is sent at all.
    pub is_on: Option<bool>,
    /// Numbers of days before a date, separated by commas.
    pub days_before: Option<String>,
    /// Number of days after which a reminder is repeated.
    pub again_after: Option<i32>,
    /// Number of days overdue after which the rectification office is told.
    pub office_after: Option<i32>,
    /// Number of days overdue after which leaders are told.
    pub leader_after: Option<i32>,
    /// Number of days overdue after which listing is proposed.
    pub listing_after: Option<i32>,
    /// Number of days overdue, or without a report, after which a yellow card is proposed.
    pub card_after: Option<i32>,
    /// Day of the month on which units get the form of the monthly account.
    pub account_form_day: Option<i32>,
    /// Day of the month on which leaders and offices get the figures of the month before.
    pub account_report_day: Option<i32>,
    /// Who is told beside the unit that answers: values of [`Copied`], separated by commas; empty for no one.
    pub copied: Option<String>,
    /// Whether it is sent on working days only.
    pub working_days_only: Option<bool>,
    /// Local time from which it is not sent.
    pub quiet_from: Option<Time>,
    /// Local time until which it is not sent.
    pub quiet_until: Option<Time>,
    /// Reason for the change.
    pub reason: String,
    /// When it was set.
    pub set_at: DateTimeUtc,
    /// Account that set it; null for the program and administrators on the command line.
    pub setter_id: Option<i64>,
}

/// Kind of reminder that has a rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum ReminderKind {
    /// Quarterly self-inspection (季度自查).
    #[sea_orm(string_value = "QUARTERLY_SELF_INSPECTION")]
    QuarterlySelfInspection,
    /// Half-yearly verification (半年核查).
    #[sea_orm(string_value = "HALF_YEAR_VERIFICATION")]
    HalfYearVerification,
    /// Yearly spot check (年度抽查).
    #[sea_orm(string_value = "YEARLY_SPOT_CHECK")]
    YearlySpotCheck,
    /// What is due soon (临期).
    #[default]
    #[sea_orm(string_value = "DUE_SOON")]
    DueSoon,
    /// What is overdue (逾期).
    #[sea_orm(string_value = "OVERDUE")]
    Overdue,
    /// What stays overdue, told upwards (逐级督办).
    #[sea_orm(string_value = "ESCALATION")]
    Escalation,
    /// What nobody has reported on for long (久无进展).
    #[sea_orm(string_value = "STALE_PROGRESS")]
    StaleProgress,
    /// The account of each month (月账): the form to units, then the figures to leaders and offices.
    #[sea_orm(string_value = "MONTHLY_ACCOUNT")]
    MonthlyAccount,
    /// Close-outs whose public notice has ended, which can be closed (公示期满).
    #[sea_orm(string_value = "NOTICE_ENDED")]
    NoticeEnded,
    /// Complaint cases that are due soon (交办件临期).
    #[sea_orm(string_value = "CASE_DUE_SOON")]
    CaseDueSoon,
    /// Complaint cases that are overdue (交办件逾期).
    #[sea_orm(string_value = "CASE_OVERDUE")]
    CaseOverdue,
}

/// Who is told beside the unit that answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum Copied {
    /// The lead unit (牵头单位) of the measure.
    #[sea_orm(string_value = "LEAD_UNIT")]
    LeadUnit,
    /// The supervising unit (督导单位) of the measure.
    #[sea_orm(string_value = "SUPERVISING_UNIT")]
    SupervisingUnit,
    /// The rectification office (整改办): of the region for a self-inspection, the nearest above for a case.
    #[sea_orm(string_value = "OFFICE")]
    Office,
}

/// No relations are declared; queries write their own joins.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
