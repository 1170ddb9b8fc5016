//! The access policy: who may see which rows, and who may do which acts. What is not allowed here is denied.
//!
//! All access passes through this file: lists, nested fields, counts, mutations, subscriptions, exports, mails and
//! files. Reads carry the policy as a condition of their statement ([`Sight`]); acts check it first
//! ([`Principal::permits`]).
//!
//! Source: the table of roles in the domain's description (区整改办 … 系统管理员), which the tests repeat.

use entity::account::{self, Role};
use entity::audit_entry;
use entity::inspection_round::RoundLevel;
use entity::region;
use planner::{Condition, Member, Sight, Sql};
use sea_orm::{ActiveEnum, Iterable};

use crate::fault::{Fault, FaultCode};
use crate::record::concern;

/// The caller: an account, the local administrator of an installation without accounts, or an anonymous visitor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The account whose rights apply; `None` for the local administrator and for an anonymous caller.
    pub account: Option<i64>,
    /// The account that acts on behalf of `account`, if a delegate does (委托).
    pub delegate: Option<i64>,
    /// Whether the caller may only read.
    pub is_read_only: bool,
    /// Whether the caller is an integration with a token, rather than a person who signed in.
    pub is_token: bool,
    /// The extent of the rights.
    pub reach: Reach,
    /// The key of the nation, of whose list the local administrator need not check that it has a row; none if it is not
    /// known, and for others, whose region leads to it.
    pub nation: Option<i64>,
}

/// The extent of a caller's rights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// Only what is public.
    Nothing,
    /// Everything: the local administrator, the command line, the scheduler.
    Everything,
    /// The rights of a role.
    Role {
        /// The role of the account.
        role: Role,
        /// The region to which the role applies.
        place: Option<Place>,
        /// The unit to which the role applies.
        unit: Option<i64>,
        /// The units whose assignments the account answers: its own unit and, for a party committee, the government of
        /// the same region, with which it answers jointly.
        answers: Vec<i64>,
    },
}

/// A region and its ancestors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The key of the region.
    pub region: i64,
    /// The keys from the root down to the region, each followed by a slash: `/1/2/4/`.
    pub path: String,
    /// Whether many rows of the ledger are of the region. Only how rows are read depends on it, not which.
    pub has_many_rows: bool,
}

impl Place {
    /// Checks whether the region is the root.
    pub(crate) fn is_the_nation(&self) -> bool {
        crate::region::lineage(&self.path).len() == 1
    }
}

/// The tables whose rows belong to the ledger.
const LEDGER: &[&str] = &[
    "problem",
    "measure",
    "assignment",
    "inspection_round",
    "responsible_party",
    "progress_report",
    "check",
    "evidence",
    "close_out",
    "objection",
    "deadline_change",
    "supervision_action",
    "comment",
    "change",
    "problem_domain",
    "milestone",
    "quantity",
    "check_plan",
    "leader",
    "inspection_case",
    "case_pollution",
    "case_report",
    "accountability",
    "ownership",
    "round_result",
    "published_figure",
    "imported_sheet",
];

/// The acts that the policy governs. Reading is not an act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Act {
    /// Maintaining rounds with their results and published figures, problems and measures, importing ledgers, and
    /// maintaining what is remembered of imports.
    KeepLedger,
    /// Maintaining regions, units, aliases and addresses.
    KeepDictionaries,
    /// Maintaining the calendar of working days.
    KeepCalendar,
    /// Managing the accounts and tokens of others, schedules and mails.
    KeepAccounts,
    /// Setting the rules of reminders.
    KeepReminders,
    /// Assigning a measure to units (责任分解) and setting the ownership of a problem by regions (主责、共性).
    Assign,
    /// Accepting (签收) or declining (退回) an assignment.
    TakeOn,
    /// Reporting progress, uploading evidence, proposing 不涉及 and requesting an extension (延期).
    Report,
    /// Applying for close-out (提请销号).
    ApplyForCloseOut,
    /// Recording a self-inspection (自查).
    SelfInspect,
    /// Verifying (核查) or returning (退回) an application, deciding on 不涉及, endorsing or rejecting a new request
    /// for an extension, and verifying (验收) or returning a resolved case.
    Verify,
    /// Recording a spot check (抽查).
    SpotCheck,
    /// Recording a supervising check (督导检查).
    Inspect,
    /// Publishing a notice (公示) and recording objections (异议).
    Publicise,
    /// Deciding an objection (异议).
    DecideObjection,
    /// Closing an assignment or a case (销号), and returning a verified case.
    Close,
    /// Reopening an assignment or a case after a relapse (反弹).
    Reopen,
    /// Approving or rejecting an endorsed extension, and changing a deadline without a request (报备).
    ChangeDeadline,
    /// Urging (催办), and lifting it.
    Urge,
    /// Supervising (督办), listing (挂牌) and summoning (约谈), lifting them, and deciding on proposals.
    Supervise,
    /// Commenting (批示、意见) on a measure.
    Comment,
    /// Making the notice of a close-out public, or withdrawing it.
    Disclose,
    /// Handing a case over to a unit (交办), and correcting its fields until it is closed.
    HandOverCase,
    /// Accepting (签收) and resolving (办结) a case, by its lead unit; reporting on it, also by an assisting unit.
    AnswerCase,
    /// Recording accountability (责任追究).
    HoldToAccount,
}

/// Checks whether the office that closes what a round of this level found is also the one that endorses extensions: it
/// is, where the round is that of a prefecture or a county.
pub(crate) fn endorses_and_approves(level: RoundLevel) -> bool {
    match level {
        RoundLevel::Central | RoundLevel::RegionalBureau | RoundLevel::Province => false,
        RoundLevel::Prefecture | RoundLevel::County => true,
    }
}

/// Returns the roles that may do an act to what a round of a level found.
///
/// What a round found is closed by the office of its level: the regional office, down to the level of a province; the
/// city office; or the county office, which runs its own special inspections (专项督察) as a whole. An office may also
/// keep the ledgers of the levels below its own. [`Principal::permits`] further restricts the roles of a unit to the
/// rows in which that unit is involved.
pub fn doers(act: Act, level: RoundLevel) -> &'static [Role] {
    use Role::{
        Administrator, CityOffice, CountyOffice, LeadUnit, Leader, RegionalOffice, ResponsibleUnit, SupervisingUnit,
    };
    match act {
        Act::KeepLedger | Act::ChangeDeadline => match level {
            RoundLevel::Central | RoundLevel::RegionalBureau | RoundLevel::Province => &[RegionalOffice],
            RoundLevel::Prefecture => &[CityOffice, RegionalOffice],
            RoundLevel::County => &[CountyOffice, CityOffice, RegionalOffice],
        },
        Act::Close | Act::Reopen | Act::Disclose => match level {
            RoundLevel::Central | RoundLevel::RegionalBureau | RoundLevel::Province => &[RegionalOffice],
            RoundLevel::Prefecture => &[CityOffice],
            RoundLevel::County => &[CountyOffice],
        },
        Act::Publicise if level == RoundLevel::County => &[LeadUnit, CountyOffice, CityOffice, RegionalOffice],
        Act::Assign | Act::Verify | Act::DecideObjection | Act::Supervise | Act::HoldToAccount
            if level == RoundLevel::County =>
        {
            &[CountyOffice, CityOffice, RegionalOffice]
        }
        Act::SpotCheck => &[RegionalOffice],
        Act::KeepDictionaries | Act::KeepAccounts => &[Administrator],
        Act::KeepReminders | Act::KeepCalendar => &[CityOffice, RegionalOffice, Administrator],
        Act::Assign | Act::Verify | Act::DecideObjection | Act::Supervise | Act::HandOverCase | Act::HoldToAccount => {
            &[CityOffice, RegionalOffice]
        }
        Act::TakeOn | Act::ApplyForCloseOut => &[ResponsibleUnit, LeadUnit, CountyOffice],
        Act::Report | Act::AnswerCase => &[ResponsibleUnit, LeadUnit],
        Act::SelfInspect => &[CountyOffice, ResponsibleUnit],
        Act::Inspect => &[SupervisingUnit],
        Act::Publicise => &[LeadUnit, CityOffice, RegionalOffice],
        Act::Urge => &[SupervisingUnit, CountyOffice, CityOffice, RegionalOffice],
        Act::Comment => &[Leader, LeadUnit, SupervisingUnit, CityOffice, RegionalOffice],
    }
}

/// Returns who may do an act next to what a round of this level found: whether the lead unit may, and the levels of the
/// regions whose rectification offices may.
pub(crate) fn next_doers(act: Act, level: RoundLevel) -> (bool, Vec<region::Level>) {
    let roles = doers(act, level);
    let offices = region::Level::iter().filter(|level| office_of(*level).is_some_and(|role| roles.contains(&role)));
    (roles.contains(&Role::LeadUnit), offices.collect())
}

/// Returns the role of the rectification office of a region of this level; none where there are no offices.
fn office_of(level: region::Level) -> Option<Role> {
    match level {
        region::Level::Nation | region::Level::Province => Some(Role::RegionalOffice),
        region::Level::Prefecture => Some(Role::CityOffice),
        region::Level::County => Some(Role::CountyOffice),
        region::Level::Township => None,
    }
}

/// Where a row stands: the round in which it was found, and the units that are involved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The level of the round.
    pub level: RoundLevel,
    /// The unit that answers; `None` for a measure as a whole.
    pub answers: Option<i64>,
    /// The lead unit.
    pub leads: Option<i64>,
    /// The supervising unit.
    pub supervises: Option<i64>,
}

/// Returns the Chinese name of a role.
pub fn role_name(role: Role) -> &'static str {
    match role {
        Role::RegionalOffice => "区整改办",
        Role::CityOffice => "市整改办",
        Role::CountyOffice => "县整改办",
        Role::LeadUnit => "牵头单位",
        Role::ResponsibleUnit => "责任单位",
        Role::SupervisingUnit => "督导单位",
        Role::Leader => "领导",
        Role::Inspector => "督察组",
        Role::Administrator => "系统管理员",
    }
}

/// Returns the English name of a role, which is its code in words, such as `regional office`.
fn english_role_name(role: Role) -> String {
    role.to_value().to_lowercase().replace('_', " ")
}

impl Standing {
    /// Returns the standing of something that concerns a whole problem, not single units.
    pub(crate) fn of_round(level: RoundLevel) -> Self {
        Self { level, answers: None, leads: None, supervises: None }
    }

    /// Returns the standing of a measure as a whole.
    pub(crate) fn of_measure(level: RoundLevel, measure: &entity::measure::Model) -> Self {
        Self { leads: measure.lead_unit_id, supervises: measure.supervising_unit_id, ..Self::of_round(level) }
    }

    /// Returns the standing of a case, which its lead unit answers.
    pub(crate) fn of_case(level: RoundLevel, unit: i64) -> Self {
        Self { level, answers: Some(unit), leads: Some(unit), supervises: None }
    }
}

/// Returns the error for an act that the caller may do at no level; it names the roles that may at some.
pub fn not_allowed(act: Act) -> Fault {
    let mut roles: Vec<Role> = Vec::new();
    for role in RoundLevel::iter().flat_map(|level| doers(act, level)) {
        if !roles.contains(role) {
            roles.push(*role);
        }
    }
    named(&roles)
}

/// Returns the error for an act that the caller may not do to what a round of this level found; it names the roles that
/// may.
pub fn not_allowed_at(act: Act, level: RoundLevel) -> Fault {
    named(doers(act, level))
}

fn named(roles: &[Role]) -> Fault {
    let zh = roles.iter().map(|role| role_name(*role)).collect::<Vec<_>>().join("、");
    let en = roles.iter().map(|role| english_role_name(*role)).collect::<Vec<_>>().join(", ");
    Fault::new(
        FaultCode::NotAllowed,
        format!("您不能办理此事，须由{zh}办理"),
        format!("you may not do this; it can be done by: {en}"),
        &["input"],
    )
}

impl Principal {
    /// Returns the anonymous caller, who sees only what is public.
    pub fn nobody() -> Self {
        Self { account: None, delegate: None, is_read_only: true, is_token: false, reach: Reach::Nothing, nation: None }
    }

    /// Returns the local administrator, who may see and do everything.
    pub fn local() -> Self {
        Self {
            account: None,
            delegate: None,
            is_read_only: false,
            is_token: false,
            reach: Reach::Everything,
            nation: None,
        }
    }

    /// Returns whoever holds a mail to a unit, without an account: they may do what the links in the mail offer.
    pub(crate) fn holder_of_mail(unit: i64) -> Self {
        let reach = Reach::Role { role: Role::ResponsibleUnit, place: None, unit: Some(unit), answers: vec![unit] };
        Self { reach, ..Self::local() }
    }

    /// Checks whether the caller may see anything that is not public.
    pub fn is_somebody(&self) -> bool {
        self.reach != Reach::Nothing
    }

    /// Checks whether the caller may do `act` to what a round of some level found, regardless of the row.
    pub fn may(&self, act: Act) -> bool {
        RoundLevel::iter().any(|level| self.may_at(act, level))
    }

    /// Checks whether the caller may do `act` to what a round of this level found, regardless of the row.
    fn may_at(&self, act: Act, level: RoundLevel) -> bool {
        match &self.reach {
            Reach::Nothing => false,
            Reach::Everything => true,
            Reach::Role { role, .. } => !self.is_read_only && doers(act, level).contains(role),
        }
    }

    /// Checks whether the caller may do `act` to a row that they may see, given the units involved in it.
    pub fn permits(&self, act: Act, row: Standing) -> bool {
        if !self.may_at(act, row.level) {
            return false;
        }
        let Reach::Role { role, unit, answers, .. } = &self.reach else { return true };
        let is_answering = row.answers.is_some_and(|unit| answers.contains(&unit));
        match role {
            Role::ResponsibleUnit => is_answering,
            Role::LeadUnit => match act {
                Act::TakeOn | Act::Report | Act::ApplyForCloseOut | Act::AnswerCase => is_answering,
                _ => unit.is_some() && row.leads == *unit,
            },
            Role::SupervisingUnit => unit.is_some() && row.supervises == *unit,
            // The others may do it to every row that they see.
            Role::RegionalOffice
            | Role::CityOffice
            | Role::CountyOffice
            | Role::Leader
            | Role::Inspector
            | Role::Administrator => true,
        }
    }

    /// Checks whether the caller may see the network address in an audit entry.
    ///
    /// As with sessions, an account sees the addresses of its own acts, an administrator sees all, and a delegate none.
    pub(crate) fn sees_address_of(&self, entry: &audit_entry::Model) -> bool {
        match &self.reach {
            Reach::Everything => true,
            Reach::Nothing => false,
            Reach::Role { role, .. } => {
                administers(*role) || self.own_account().is_some_and(|own| entry.actor_id == Some(own))
            }
        }
    }

    /// Checks whether the caller may do `act` to what a region has issued in a round of this level: the caller's own
    /// region or one below it.
    ///
    /// `path` is the path of the region, as in [`Place::path`].
    pub fn permits_of_region(&self, act: Act, level: RoundLevel, path: &str) -> bool {
        let is_below = match self.reach {
            Reach::Everything => true,
            _ => self.region().is_some_and(|own| path.starts_with(&own.path)),
        };
        self.may_at(act, level) && is_below
    }

    /// Checks whether the caller may import files that a region has issued: the caller's own region or one below it
    /// and, for a regional office, one above it. `path` is the path of the region, as in [`Place::path`].
    pub(crate) fn may_import_of(&self, path: &str) -> bool {
        let is_beside = match &self.reach {
            Reach::Everything => true,
            Reach::Nothing => false,
            Reach::Role { role, .. } => self
                .region()
                .is_some_and(|own| path.starts_with(&own.path) || (enters_rounds(*role) && own.path.starts_with(path))),
        };
        self.may(Act::KeepLedger) && is_beside
    }

    /// Returns the keys of the units whose assignments the caller answers.
    pub fn answered_units(&self) -> &[i64] {
        if let Reach::Role { answers, .. } = &self.reach { answers } else { &[] }
    }

    /// Returns the region whose subtree the caller may see, or `None` if their rights do not depend on a region.
    pub fn region(&self) -> Option<&Place> {
        match &self.reach {
            Reach::Role { role, place: Some(place), .. } if goes_by_region(*role) => Some(place),
            _ => None,
        }
    }
}

/// The rights over accounts and what belongs to them. They depend on whose account it is, and on whether its user acts
/// in person.
impl Principal {
    /// Refuses a caller who may not do `act` at all; the fault names the roles that may.
    pub fn require(&self, act: Act) -> Result<(), Fault> {
        if self.may(act) { Ok(()) } else { Err(not_allowed(act)) }
    }

    /// Refuses a caller who may not do `act` to what a round of this level found; the fault names the roles that may.
    pub(crate) fn require_at(&self, act: Act, level: RoundLevel) -> Result<(), Fault> {
        if self.may_at(act, level) { Ok(()) } else { Err(not_allowed_at(act, level)) }
    }

    /// Returns the caller's account, or `None` if they have none or act as a delegate.
    pub(crate) fn own_account(&self) -> Option<i64> {
        self.account.filter(|_| self.delegate.is_none())
    }

    /// Refuses tokens and delegates, for acts whose effect would outlast the token or the delegation.
    pub(crate) fn in_person(&self) -> Result<(), Fault> {
        let (zh, en) = if self.delegate.is_some() {
            ("代办期间不能办理此事，须由本人办理", "this cannot be done as a delegate: the account's owner must do it")
        } else if self.is_token {
            ("令牌不能办理此事，请登录后办理", "this cannot be done with a token: sign in instead")
        } else {
            return Ok(());
        };
        Err(Fault::new(FaultCode::NotAllowed, zh, en, &["input"]))
    }

    /// Checks whether the caller may manage the password, the second factor, the tokens and the personal data of an
    /// account: users their own, administrators those of any account.
    ///
    /// The acts on them also require that the caller acts [in person](Self::in_person).
    pub(crate) fn manages(&self, account: i64) -> bool {
        self.account == Some(account) || self.may(Act::KeepAccounts)
    }

    /// Refuses a caller who does not [manage](Self::manages) an account; the fault names the roles that do.
    pub(crate) fn require_managed(&self, account: i64) -> Result<(), Fault> {
        if self.manages(account) { Ok(()) } else { Err(not_allowed(Act::KeepAccounts)) }
    }

    /// Refuses a caller who may not create an account with this role. Administrators may; they create another
    /// administrator, or an account with a password, in person only.
    pub fn may_create_account(&self, role: Role, has_password: bool) -> Result<(), Fault> {
        self.require(Act::KeepAccounts)?;
        if has_password || is_made_in_person(role) { self.in_person() } else { Ok(()) }
    }

    /// Checks whether the caller may edit an account: users their own, administrators any. A delegate may not.
    pub(crate) fn may_edit_account(&self, account: i64) -> bool {
        self.may(Act::KeepAccounts) || (self.own_account() == Some(account) && !self.is_read_only)
    }

    /// Refuses a caller who may not erase the personal data of an account. Administrators may, in person, except those
    /// of their own account.
    pub(crate) fn may_erase(&self, account: i64) -> Result<(), Fault> {
        self.require(Act::KeepAccounts)?;
        self.in_person()?;
        if self.account == Some(account) {
            let (zh, en) = (
                "不能注销自己的账户，须由其他管理员办理",
                "you cannot erase your own account: another administrator must do it",
            );
            return Err(Fault::new(FaultCode::NotAllowed, zh, en, &["input", "accountId"]));
        }
        Ok(())
    }

    /// Refuses a caller who may erase the personal data of no leader. Administrators and regional offices may, in
    /// person.
    pub(crate) fn may_erase_leaders(&self) -> Result<(), Fault> {
        if !self.may(Act::KeepAccounts) {
            self.require(Act::KeepLedger)?;
        }
        self.in_person()
    }

    /// Checks whether the caller may erase the leaders of measures that a region has issued: administrators everywhere,
    /// regional offices in their region and below it. `path` is the path of the region, as in [`Place::path`].
    pub(crate) fn erases_leaders_of(&self, path: &str) -> bool {
        self.may(Act::KeepAccounts) || self.permits_of_region(Act::KeepLedger, RoundLevel::Province, path)
    }

    /// Checks whether the caller may set the rules of reminders of a region and those below it: administrators all,
    /// regional and city offices those of their region and below. `path` is the path of the region, as in
    /// [`Place::path`]; none for the rules of the whole ledger.
    pub fn keeps_reminders_of(&self, path: Option<&str>) -> bool {
        self.keeps_of_region(Act::KeepReminders, path)
    }

    /// Checks whether the caller may set the working days of a region and those below it, like the [rules of
    /// reminders](Self::keeps_reminders_of); with `None` for `path`, those of the whole country.
    pub(crate) fn keeps_calendar_of(&self, path: Option<&str>) -> bool {
        self.keeps_of_region(Act::KeepCalendar, path)
    }

    fn keeps_of_region(&self, act: Act, path: Option<&str>) -> bool {
        self.may(Act::KeepAccounts) || path.is_some_and(|path| self.permits_of_region(act, RoundLevel::Province, path))
    }

    /// Checks whether the caller may end a session or token of `account`: users their own, administrators any. A
    /// delegate may only end the session in which they act (`is_current`).
    pub(crate) fn may_end_session(&self, account: i64, is_current: bool) -> bool {
        let is_own = self.account == Some(account) && (self.delegate.is_none() || is_current);
        is_own || self.may(Act::KeepAccounts)
    }

    /// Checks whether the caller may manage delegations of their account: in person, and not with a session that only
    /// serves to set up the second factor.
    pub(crate) fn may_delegate(&self) -> bool {
        self.is_somebody() && self.in_person().is_ok()
    }
}

/// Checks whether an account may delegate to another: the rights of an office must not leave it.
///
/// The accounts belong to the same unit or, if neither has a unit, have the same role in the same region.
pub(crate) fn is_colleague(one: &account::Model, other: &account::Model) -> bool {
    match (one.unit_id, other.unit_id) {
        (Some(unit), Some(other)) => unit == other,
        (None, None) => one.region_id.is_some() && one.region_id == other.region_id && one.role == other.role,
        (Some(_), None) | (None, Some(_)) => false,
    }
}

/// Checks whether a role manages accounts, dictionaries, schedules and mails. It sees no problems, measures or cases.
fn administers(role: Role) -> bool {
    match role {
        Role::Administrator => true,
        Role::RegionalOffice
        | Role::CityOffice
        | Role::CountyOffice
        | Role::LeadUnit
        | Role::ResponsibleUnit
        | Role::SupervisingUnit
        | Role::Leader
        | Role::Inspector => false,
    }
}

/// Checks whether an account with this role may only be created in person.
fn is_made_in_person(role: Role) -> bool {
    administers(role)
}

/// Checks whether an account with this role has to belong to a unit or a region.
pub(crate) fn needs_region(role: Role) -> bool {
    !administers(role)
}

/// Checks whether an account with this role has to belong to a unit.
pub(crate) fn needs_unit(role: Role) -> bool {
    match role {
        Role::LeadUnit | Role::ResponsibleUnit | Role::SupervisingUnit => true,
        Role::RegionalOffice
        | Role::CityOffice
        | Role::CountyOffice
        | Role::Leader
        | Role::Inspector
        | Role::Administrator => false,
    }
}

/// Checks whether an account with this role has to have a last date of validity.
pub fn needs_end(role: Role) -> bool {
    match role {
        Role::Inspector => true,
        Role::RegionalOffice
        | Role::CityOffice
        | Role::CountyOffice
        | Role::LeadUnit
        | Role::ResponsibleUnit
        | Role::SupervisingUnit
        | Role::Leader
        | Role::Administrator => false,
    }
}

/// Checks whether a role sees a region and everything below it.
fn goes_by_region(role: Role) -> bool {
    match role {
        Role::RegionalOffice | Role::CityOffice | Role::CountyOffice | Role::Leader | Role::Inspector => true,
        Role::LeadUnit | Role::ResponsibleUnit | Role::SupervisingUnit | Role::Administrator => false,
    }
}

/// Checks whether a role sees the personal data of the accounts in its region and below it, and the names of the
/// leaders of all measures that it sees.
fn is_superior(role: Role) -> bool {
    match role {
        Role::RegionalOffice | Role::CityOffice | Role::CountyOffice | Role::Leader => true,
        Role::LeadUnit | Role::ResponsibleUnit | Role::SupervisingUnit | Role::Inspector | Role::Administrator => false,
    }
}

/// Checks whether a role keeps the ledgers of rounds of some level.
fn keeps_ledgers(role: Role) -> bool {
    RoundLevel::iter().any(|level| doers(Act::KeepLedger, level).contains(&role))
}

/// Checks whether a role sees many rows of the ledger, which is a guess: of a unit, it is that it sees few.
fn sees_much(role: Role, place: Option<&Place>) -> bool {
    goes_by_region(role) && place.is_none_or(|place| place.is_the_nation() || place.has_many_rows)
}

/// Checks whether a role enters rounds and problems, so that it sees every round and the audit of rounds.
fn enters_rounds(role: Role) -> bool {
    match role {
        Role::RegionalOffice => true,
        Role::CityOffice
        | Role::CountyOffice
        | Role::LeadUnit
        | Role::ResponsibleUnit
        | Role::SupervisingUnit
        | Role::Leader
        | Role::Inspector
        | Role::Administrator => false,
    }
}

/// Checks whether a role sees the units that answer the measures in which its own unit is involved.
fn sees_answering_units(role: Role) -> bool {
    match role {
        Role::LeadUnit | Role::SupervisingUnit => true,
        Role::RegionalOffice
        | Role::CityOffice
        | Role::CountyOffice
        | Role::ResponsibleUnit
        | Role::Leader
        | Role::Inspector
        | Role::Administrator => false,
    }
}

/// Checks whether a role sees the cases that its unit leads or assists with.
fn answers_cases(role: Role) -> bool {
    match role {
        Role::LeadUnit | Role::ResponsibleUnit => true,
        Role::RegionalOffice
        | Role::CityOffice
        | Role::CountyOffice
        | Role::SupervisingUnit
        | Role::Leader
        | Role::Inspector
        | Role::Administrator => false,
    }
}

impl Sight for Principal {
    fn region(&self) -> Option<sea_orm::Value> {
        self.region().map(|own| own.region.into())
    }

    fn rows(&self, table: &str) -> Condition {
        let table = table.trim_matches('"');
        match &self.reach {
            Reach::Everything => Condition::always(),
            Reach::Nothing => Condition::never(),
            Reach::Role { role, place, unit, answers } => match table {
                // Regions and the calendar are public. Aliases are only reached through their unit.
                "region" | "holiday" | "unit_alias" => Condition::always(),
                "unit" => units(*role, place.as_ref(), *unit, answers),
                "account" => accounts(*role, self.account),
                // The full name and the telephone number: for the same unit and its superiors.
                "account.person" => persons(*role, place.as_ref(), *unit, self.account),
                // The full names of the leaders of a measure: for its units and their superiors.
                "leader.person" => leaders(*role, *unit, answers),
                // Entries about the ledger are seen with their object, entries about accounts by administrators.
                "audit_entry" => audit(*role, place.as_ref()),
                // A delegate sees no sessions.
                "session" => owned(*role, self.own_account()),
                "delegation" => delegations(self.account),
                "saved_view" => mine(self.own_account()),
                // What is remembered of imports is seen by those whose imports it answers.
                "import_decision" => decisions(*role, place.as_ref()),
                // The office that enters problems must be able to choose any round.
                "inspection_round" if enters_rounds(*role) => Condition::always(),
                "unit_address" | "mail_outage" | "suppression" | "schedule" | "job_run" | "webhook"
                | "webhook_delivery" => only(administers(*role)),
                "mail" => mails(*role, self.own_account(), *unit),
                "mail_item" => with("mail", "mail_id"),
                _ if administers(*role) => Condition::never(),
                // A role of the root region sees the whole ledger, so that no condition on its rows is needed.
                _ if place.as_ref().is_some_and(|place| goes_by_region(*role) && place.is_the_nation()) => {
                    only(LEDGER.contains(&table))
                }
                "problem" | "measure" | "assignment" | "inspection_case" => match place {
                    Some(place) if goes_by_region(*role) => of_region(table, place),
                    _ => of_unit(table, *role, *unit, answers),
                },
                "accountability" => match place {
                    Some(place) if goes_by_region(*role) => {
                        Condition::Among(vec![(concern::ACCOUNTABILITY, place.region.into())])
                    }
                    _ => of_owner(table),
                },
                "close_out" => match place {
                    Some(place) if goes_by_region(*role) => {
                        Condition::Matches(ANSWERED_BELOW, place.path.clone().into())
                    }
                    _ => of_owner(table),
                },
                "inspection_round" if goes_by_region(*role) => rounds(*role),
                // Found once, by the unit's own rows, rather than by looking into each round.
                "inspection_round" => {
                    let by_measures = of_unit(table, *role, *unit, answers);
                    Condition::Any(vec![by_measures, round_of_cases(*role, answers)])
                }
                "ownership" => ownership(place.as_ref()),
                "round_result" | "published_figure" | "imported_sheet" => results(place.as_ref()),
                "change" => Condition::Any(vec![of_owner(table), removals(*role, place.as_ref())]),
                _ => of_owner(table),
            },
        }
    }

    fn sees_few(&self, table: &str) -> bool {
        // The feed of changes is read on from where it was left.
        let table = table.trim_matches('"');
        let is_of_ledger = table == "audit_entry" || table != "change" && LEDGER.contains(&table);
        let few = |role, place| !administers(role) && !sees_much(role, place);
        is_of_ledger && matches!(&self.reach, Reach::Role { role, place, .. } if few(*role, place.as_ref()))
    }

    fn is_nation(&self, region: &sea_orm::Value) -> bool {
        let nation = match &self.reach {
            Reach::Everything => self.nation,
            Reach::Role { place: Some(place), .. } => crate::region::lineage(&place.path).first().copied(),
            _ => None,
        };
        nation.is_some_and(|nation| *region == nation.into())
    }

    fn implies(&self, member: &Member) -> bool {
        if self.reach == Reach::Everything {
            return self.is_nation(&member.value);
        }
        self.region().is_some_and(|place| {
            let lineage = crate::region::lineage(&place.path);
            lineage.iter().any(|region| member.value == (*region).into())
        })
    }

    fn lists(&self, member: &Member) -> Condition {
        match &self.reach {
            Reach::Role { .. } if !self.implies(member) && !concern::is_of_cases(member) => concerns(member),
            _ => Condition::always(),
        }
    }
}

/// Returns the condition that the caller may see why a row is in a region's list.
///
/// Either the region or one below it issued the row, or one of them has an assignment that the caller may see.
fn concerns(member: &Member) -> Condition {
    const WITHIN: &str = "EXISTS (SELECT 1 FROM region r JOIN region top ON substr(r.path, 1, \
        length(top.path)) = top.path \
        WHERE r.id = {t}.region_id AND top.id = {})";
    let within = || Condition::Matches(WITHIN, member.value.clone());
    let below = |table, column, condition: Condition| Condition::Exists {
        table,
        column,
        key: "id",
        condition: condition.into(),
    };
    let answered = below("assignment", "measure_id", within());
    let answered = if member.row == "problem_id" { below("measure", "problem_id", answered) } else { answered };
    Condition::Any(vec![within(), answered])
}

fn only(allowed: bool) -> Condition {
    if allowed { Condition::always() } else { Condition::never() }
}

/// Returns the condition that a row belongs to a region or one below it.
///
/// A measure that is assigned to several counties is seen by each of them, with its own assignments only.
fn of_region(table: &str, place: &Place) -> Condition {
    match table {
        "problem" => Condition::Member(concern::problems_of(place.region.into())),
        "measure" => Condition::Member(concern::measures_of(place.region.into())),
        "inspection_case" => Condition::Member(concern::cases_of(place.region.into())),
        _ => Condition::Matches(BELOW, place.path.clone().into()),
    }
}

/// Matches rows whose region is the one with this path or lies below it. The regions are found once, so that the
/// database can go by an index of the region.
const BELOW: &str = "{t}.region_id IN (SELECT r.id FROM region r WHERE substr(r.path, 1, length({})) = {})";

/// Matches close-outs of assignments below the region with this path. Work lists ask for the few of a region among all
/// that are open, so the database begins with the region's assignments.
const ANSWERED_BELOW: &str = "{t}.assignment_id IN (SELECT a.id FROM assignment a WHERE a.region_id IN \
    (SELECT r.id FROM region r WHERE substr(r.path, 1, length({})) = {}))";

/// Returns the condition that a unit leads, answers or supervises a row, depending on the role. A round is one in which
/// the unit has such a measure.
fn of_unit(table: &str, role: Role, unit: Option<i64>, answers: &[i64]) -> Condition {
    if table == "inspection_case" {
        return case_of_unit(role, answers);
    }
    // For each table, the rows by measures that the unit leads or supervises, and by its own assignments.
    let (led, supervised, answered) = match table {
        "inspection_round" => (
            "SELECT m.round_id FROM measure m WHERE m.lead_unit_id = {}",
            "SELECT m.round_id FROM measure m WHERE m.supervising_unit_id = {}",
            "SELECT m.round_id FROM assignment a JOIN measure m ON m.id = a.measure_id WHERE a.unit_id = {}",
        ),
        "problem" => (
            "SELECT m.problem_id FROM measure m WHERE m.lead_unit_id = {}",
            "SELECT m.problem_id FROM measure m WHERE m.supervising_unit_id = {}",
            "SELECT m.problem_id FROM assignment a JOIN measure m ON m.id = a.measure_id WHERE a.unit_id = {}",
        ),
        "measure" => (
            "SELECT m.id FROM measure m WHERE m.lead_unit_id = {}",
            "SELECT m.id FROM measure m WHERE m.supervising_unit_id = {}",
            "SELECT a.measure_id FROM assignment a WHERE a.unit_id = {}",
        ),
        _ => (
            "SELECT a.id FROM assignment a JOIN measure m ON m.id = a.measure_id WHERE m.lead_unit_id = {}",
            "SELECT a.id FROM assignment a JOIN measure m ON m.id = a.measure_id WHERE m.supervising_unit_id = {}",
            "SELECT a.id FROM assignment a WHERE a.unit_id = {}",
        ),
    };
    let by_unit = |query| unit.map(|unit| (query, unit.into()));
    let by_answers = answers.iter().map(|unit| (answered, (*unit).into()));
    Condition::Among(match role {
        Role::LeadUnit => by_unit(led).into_iter().chain(by_answers).collect(),
        Role::ResponsibleUnit => by_answers.collect(),
        Role::SupervisingUnit => by_unit(supervised).into_iter().collect(),
        Role::RegionalOffice
        | Role::CityOffice
        | Role::CountyOffice
        | Role::Leader
        | Role::Inspector
        | Role::Administrator => Vec::new(),
    })
}

/// Returns the condition that a unit leads a case or assists with it. Cases have no supervising unit.
fn case_of_unit(role: Role, answers: &[i64]) -> Condition {
    const LED: &str = "SELECT c.id FROM inspection_case c WHERE c.lead_unit_id = {}";
    const ASSISTED: &str = "SELECT c.case_id FROM case_unit c WHERE c.unit_id = {}";
    by_cases(role, answers, [LED, ASSISTED])
}

/// Returns the condition that a unit leads a case of a round or assists with one.
fn round_of_cases(role: Role, answers: &[i64]) -> Condition {
    const LED: &str = "SELECT c.round_id FROM inspection_case c WHERE c.lead_unit_id = {}";
    const ASSISTED: &str = "SELECT c.round_id FROM case_unit u JOIN inspection_case c ON c.id = u.case_id \
        WHERE u.unit_id = {}";
    by_cases(role, answers, [LED, ASSISTED])
}

/// Returns the condition that one of the queries, about the cases that a unit leads or assists with, returns the row.
fn by_cases(role: Role, answers: &[i64], queries: [&'static str; 2]) -> Condition {
    let answering = answers.iter().filter(|_| answers_cases(role));
    Condition::Among(answering.flat_map(|unit| queries.map(|query| (query, (*unit).into()))).collect())
}

/// Returns the condition for deletions in the change feed, which are shown to the regions that could see the row.
fn removals(role: Role, place: Option<&Place>) -> Condition {
    match place {
        Some(place) if goes_by_region(role) => Condition::Matches(BELOW, place.path.clone().into()),
        _ => Condition::never(),
    }
}

/// Returns the condition for visible ownership (主责、共性) of problems.
///
/// The problem must be visible, and the region must lie in the caller's subtree or above it: which siblings share a
/// problem is hidden.
fn ownership(place: Option<&Place>) -> Condition {
    let beside = place.map(|place| Condition::Matches(BESIDE, place.path.clone().into()));
    with("problem", "problem_id").and(Condition::Any(beside.into_iter().collect()))
}

/// Returns the condition for visible results, published figures and imported sheets of rounds.
///
/// The round must be visible and, for those of one region, that region must lie in the caller's subtree or above it.
fn results(place: Option<&Place>) -> Condition {
    let beside = place.map(|place| Condition::Matches(BESIDE, place.path.clone().into()));
    let of_region = Condition::Any([Condition::Null("region_id", true)].into_iter().chain(beside).collect());
    with("inspection_round", "round_id").and(of_region)
}

/// Returns the condition for visible decisions about imports.
///
/// These are the decisions that the caller's imports use: those about files issued by the caller's region, by one below
/// it or, for a regional office, by one above it. A text that a sibling entered (不涉及) is not seen.
fn decisions(role: Role, place: Option<&Place>) -> Condition {
    const BELOW_OR_ABOVE: &str = "EXISTS (SELECT 1 FROM region r WHERE r.id = {t}.region_id \
        AND (substr(r.path, 1, length({})) = {} OR ({t}.topic <> 'NOT_APPLICABLE' \
        AND substr({}, 1, length(r.path)) = r.path)))";
    match place {
        Some(place) if enters_rounds(role) => Condition::Matches(BELOW_OR_ABOVE, place.path.clone().into()),
        Some(place) if keeps_ledgers(role) => Condition::Matches(BELOW, place.path.clone().into()),
        _ => Condition::never(),
    }
}

/// Returns the condition that the caller may see the row of `table` to which `column` refers.
fn with(table: &'static str, column: &'static str) -> Condition {
    Condition::Exists { table, column: "id", key: column, condition: Condition::always().into() }
}

/// Returns the condition that the caller may see the owner of a row, for tables whose rows are seen with their owner.
fn of_owner(table: &str) -> Condition {
    let with_if = |table, column| Condition::Any(vec![Condition::Null(column, true), with(table, column)]);
    let of_round =
        |table| Condition::Exists { table, column: "round_id", key: "id", condition: Condition::always().into() };
    match table {
        // A round is seen with any of its problems or cases.
        "inspection_round" => Condition::Any(vec![of_round("problem"), of_round("inspection_case")]),
        // A party whose unit is hidden would name a sibling.
        "responsible_party" => with("measure", "measure_id").and(with_if("unit", "unit_id")),
        "progress_report" | "check" | "evidence" | "close_out" => with("assignment", "assignment_id"),
        "objection" => with("close_out", "close_out_id"),
        // Supervision and extensions of one assignment are seen with that assignment, those of a whole measure with the
        // measure.
        "supervision_action" | "deadline_change" => {
            with("measure", "measure_id").and(with_if("assignment", "assignment_id"))
        }
        "comment" => with("measure", "measure_id"),
        "milestone" => Condition::Any(vec![with("measure", "measure_id"), with("problem", "problem_id")]),
        "change" => Condition::Any(vec![
            with("inspection_case", "case_id"),
            with("problem", "problem_id")
                .and(with_if("measure", "measure_id"))
                .and(with_if("assignment", "assignment_id")),
        ]),
        "case_report" => with("inspection_case", "case_id"),
        "accountability" => with("problem", "problem_id"),
        // Rows without an id of their own are only reached through their owner.
        "problem_domain" | "quantity" | "check_plan" | "leader" | "case_pollution" => Condition::always(),
        _ => Condition::never(),
    }
}

/// Returns the condition for visible rounds: those with a visible problem or case and, for an office that keeps
/// ledgers, those of the levels that it keeps in which nothing has been entered yet.
fn rounds(role: Role) -> Condition {
    let of_rows = of_owner("inspection_round");
    let kept = RoundLevel::iter().filter(|level| doers(Act::KeepLedger, *level).contains(&role));
    let kept: Vec<Condition> = kept.map(|level| Condition::Compare("level", "=", level.to_value().into())).collect();
    if kept.is_empty() {
        return of_rows;
    }
    Condition::Any(vec![of_rows, Condition::Any(kept).and(Condition::Holds(is_empty_round, true))])
}

fn is_empty_round(_: &mut Sql<'_>, round: &str) -> String {
    let none = |table| format!("NOT EXISTS (SELECT 1 FROM {table} entered WHERE entered.round_id = {round}.id)");
    format!("({} AND {})", none("problem"), none("inspection_case"))
}

/// Matches rows whose region is the one with this path, or lies below or above it. The regions are found once.
const BESIDE: &str = "{t}.region_id IN (SELECT r.id FROM region r \
    WHERE substr(r.path, 1, length({})) = {} OR substr({}, 1, length(r.path)) = r.path)";

/// Returns the condition for visible units.
///
/// These are the caller's own unit; the units of the caller's region and of regions below and above it; and, for lead
/// and supervising units, the units that answer the measures they lead or supervise. An administrator sees all units.
fn units(role: Role, place: Option<&Place>, unit: Option<i64>, answers: &[i64]) -> Condition {
    const LED: &str = "SELECT a.unit_id FROM measure m JOIN assignment a ON a.measure_id = m.id \
        WHERE m.lead_unit_id = {}";
    const SUPERVISED: &str = "SELECT a.unit_id FROM measure m JOIN assignment a ON a.measure_id = m.id \
        WHERE m.supervising_unit_id = {}";
    if administers(role) {
        return Condition::always();
    }
    // Every region lies below the nation.
    if place.is_some_and(Place::is_the_nation) {
        return Condition::always();
    }
    let beside = place.map(|place| Condition::Matches(BESIDE, place.path.clone().into()));
    let answering = unit
        .filter(|_| sees_answering_units(role))
        .map(|unit| Condition::Among([LED, SUPERVISED].map(|query| (query, unit.into())).into()));
    let own = (!answers.is_empty()).then(|| Condition::In("id", answers.iter().map(|unit| (*unit).into()).collect()));
    Condition::Any(beside.into_iter().chain(own).chain(answering).collect())
}

/// Returns the condition for visible accounts.
///
/// These are the caller's own, those of visible units, and those that a delegation links to the caller's. An
/// administrator sees all.
fn accounts(role: Role, own: Option<i64>) -> Condition {
    if administers(role) {
        return Condition::always();
    }
    // A delegation is seen by its two accounts only, so every account that a visible one names may be seen.
    let named_by =
        |column| Condition::Exists { table: "delegation", column, key: "id", condition: Condition::always().into() };
    let others = [with("unit", "unit_id"), named_by("account_id"), named_by("delegate_id")];
    Condition::Any(own.map(|own| Condition::Compare("id", "=", own.into())).into_iter().chain(others).collect())
}

/// Returns the condition for visible delegations: those that the caller's account made or received. An administrator
/// sees no others either.
fn delegations(own: Option<i64>) -> Condition {
    let is_own = |column| own.map(|own| Condition::Compare(column, "=", own.into()));
    Condition::Any(["account_id", "delegate_id"].into_iter().filter_map(is_own).collect())
}

/// Returns the condition for accounts whose personal data are shown unmasked.
///
/// These are the caller's own account, those of the same unit and, for offices and leaders, those of units in the
/// region and below it. An administrator sees all.
fn persons(role: Role, place: Option<&Place>, unit: Option<i64>, own: Option<i64>) -> Condition {
    const OF_REGION: &str = "EXISTS (SELECT 1 FROM unit u JOIN region r ON r.id = u.region_id \
        WHERE u.id = {t}.unit_id AND substr(r.path, 1, length({})) = {})";
    if administers(role) {
        return Condition::always();
    }
    let own = own.map(|own| Condition::Compare("id", "=", own.into()));
    let same = unit.map(|unit| Condition::Compare("unit_id", "=", unit.into()));
    let below =
        place.filter(|_| is_superior(role)).map(|place| Condition::Matches(OF_REGION, place.path.clone().into()));
    Condition::Any(own.into_iter().chain(same).chain(below).collect())
}

/// Returns the condition for leaders of visible measures whose names are shown unmasked.
///
/// Superiors see a measure only if their region or one below it issued or answers it, so they know all its leaders.
/// Others know them if their unit leads, supervises or answers the measure.
fn leaders(role: Role, unit: Option<i64>, answers: &[i64]) -> Condition {
    const INVOLVED: &str = "EXISTS (SELECT 1 FROM measure m WHERE m.id = {t}.measure_id \
        AND {} IN (m.lead_unit_id, m.supervising_unit_id))";
    const ANSWERED: &str = "EXISTS (SELECT 1 FROM assignment a WHERE a.measure_id = {t}.measure_id AND a.unit_id = {})";
    if is_superior(role) {
        return Condition::always();
    }
    let involved = unit.map(|unit| Condition::Matches(INVOLVED, unit.into()));
    let answered = answers.iter().map(|unit| Condition::Matches(ANSWERED, (*unit).into()));
    Condition::Any(involved.into_iter().chain(answered).collect())
}

/// Returns the condition for visible mails: those that were sent or are to be sent to the caller's address, or to an
/// address of the caller's unit. An administrator sees all. A delegate sees those to the unit.
fn mails(role: Role, own: Option<i64>, unit: Option<i64>) -> Condition {
    const TO_PERSON: &str = "{t}.recipient = (SELECT o.email FROM account o WHERE o.id = {})";
    const TO_UNIT: &str = "{t}.recipient IN (SELECT x.address FROM unit_address x WHERE x.unit_id = {})";
    if administers(role) {
        return Condition::always();
    }
    let to_person = own.map(|own| Condition::Matches(TO_PERSON, own.into()));
    let to_unit = unit.map(|unit| Condition::Matches(TO_UNIT, unit.into()));
    Condition::Any(to_person.into_iter().chain(to_unit).collect())
}

/// Returns the condition for visible audit entries.
///
/// An entry about an assignment, a measure or a case is seen with it. An entry about a problem as a whole, or about the
/// units that lead and answer a measure, is seen by the offices of the issuing region. Entries about accounts, regions,
/// units, schedules, mails and the calendar are seen by administrators, those about rounds and decisions of imports by
/// the regional office.
fn audit(role: Role, place: Option<&Place>) -> Condition {
    const IMPORTS_BELOW: &str = "EXISTS (SELECT 1 FROM region r WHERE {t}.chain = 'imports_' || r.id \
        AND substr(r.path, 1, length({})) = {})";
    // The entries of these chains are few beside those of problems and cases, and have an index of their own.
    let apart = Condition::Null("problem_id", true).and(Condition::Null("case_id", true));
    let chains = |of: &[&'static str]| -> Condition {
        let of = of.iter().map(|of| Condition::StartsWith("chain", format!("{of}_"))).collect();
        apart.clone().and(Condition::Any(of))
    };
    if administers(role) {
        return chains(&["account", "region", "unit", "schedule", "mail", "suppression", "webhook", "calendar"]);
    }
    // The chain of a region's imports is that of the decisions about the files which it issued.
    let imports = place.filter(|_| keeps_ledgers(role)).map(|place| {
        let of_region = Condition::Matches(IMPORTS_BELOW, place.path.clone().into());
        chains(&["imports"]).and(of_region)
    });
    let rounds = enters_rounds(role).then(|| chains(&["round"]));
    let others = rounds.into_iter().chain(imports);
    if goes_by_region(role) && place.is_some_and(Place::is_the_nation) {
        let of_ledger = [Condition::Null("problem_id", false), Condition::Null("case_id", false)];
        return Condition::Any(of_ledger.into_iter().chain(others).collect());
    }
    let of_measure = Condition::Null("assignment_id", true).and(with("measure", "measure_id"));
    let issued = place.filter(|_| goes_by_region(role)).map(|place| {
        let condition = Condition::Matches(BELOW, place.path.clone().into()).into();
        let of_problem = Condition::Exists { table: "problem", column: "id", key: "problem_id", condition };
        Condition::Null("measure_id", true).and(of_problem)
    });
    let every = [with("assignment", "assignment_id"), of_measure, with("inspection_case", "case_id")];
    let every = every.into_iter().chain(issued).chain(others).collect();
    Condition::Any(every)
}

/// Returns the condition for visible sessions and tokens: the caller's own. An administrator sees all.
fn owned(role: Role, own: Option<i64>) -> Condition {
    if administers(role) { Condition::always() } else { mine(own) }
}

/// Returns the condition for what only the account sees that it belongs to.
fn mine(own: Option<i64>) -> Condition {
    own.map_or_else(Condition::never, |own| Condition::Compare("account_id", "=", own.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(role: Role) -> Principal {
        let place = Place { region: 4, path: "/1/2/4/".to_owned(), has_many_rows: false };
        let reach = Reach::Role { role, place: Some(place), unit: Some(7), answers: vec![7] };
        Principal { account: Some(1), reach, ..Principal::local() }
    }

    #[test]
    fn an_unknown_table_is_hidden_from_every_role() {
        for role in <Role as sea_orm::Iterable>::iter() {
            assert!(matches!(of(role).rows("secret"), Condition::Any(none) if none.is_empty()), "{role:?}");
        }
    }

    #[test]
    fn readers_do_nothing_and_a_read_only_token_does_nothing() {
        for role in [Role::Inspector, Role::Administrator, Role::Leader] {
            assert!(!of(role).may(Act::Close) && !of(role).may(Act::Report), "{role:?}");
        }
        let token = Principal { is_read_only: true, ..of(Role::RegionalOffice) };
        assert!(!token.may(Act::Close));
    }

    #[test]
    fn a_refusal_names_the_roles_in_its_language() {
        let message = not_allowed_at(Act::Verify, RoundLevel::Central).message;
        assert_eq!(message.zh, "您不能办理此事，须由市整改办、区整改办办理");
        assert_eq!(message.en, "you may not do this; it can be done by: city office, regional office");
    }

    #[test]
    fn what_a_round_found_is_closed_by_the_office_of_its_level() {
        use RoundLevel::{Central, County, Prefecture, Province, RegionalBureau};
        let closes = |role, level| of(role).permits(Act::Close, Standing::of_round(level));
        let levels = |role| RoundLevel::iter().filter(|level| closes(role, *level)).collect::<Vec<_>>();
        assert_eq!(levels(Role::RegionalOffice), [Central, RegionalBureau, Province]);
        assert_eq!(levels(Role::CityOffice), [Prefecture]);
        assert_eq!(levels(Role::CountyOffice), [County]);
        assert!(of(Role::CityOffice).permits_of_region(Act::KeepLedger, County, "/1/2/4/9/"));
        assert!(!of(Role::CityOffice).permits_of_region(Act::KeepLedger, Prefecture, "/1/2/5/"));
        assert!(!of(Role::CountyOffice).permits_of_region(Act::KeepLedger, Prefecture, "/1/2/4/"));
    }

    #[test]
    fn the_next_step_is_that_of_the_offices_that_may_take_it() {
        use region::Level::{County, Nation, Prefecture, Province};
        let region = vec![Nation, Province];
        let city = vec![Nation, Province, Prefecture];
        let county = vec![Nation, Province, Prefecture, County];
        assert_eq!(next_doers(Act::Verify, RoundLevel::Central), (false, city.clone()));
        assert_eq!(next_doers(Act::Verify, RoundLevel::County), (false, county));
        assert_eq!(next_doers(Act::Publicise, RoundLevel::Central), (true, city.clone()));
        assert_eq!(next_doers(Act::ChangeDeadline, RoundLevel::Province), (false, region));
        assert_eq!(next_doers(Act::ChangeDeadline, RoundLevel::Prefecture), (false, city));
        assert_eq!(next_doers(Act::Close, RoundLevel::Prefecture), (false, vec![Prefecture]));
        assert_eq!(next_doers(Act::Close, RoundLevel::County), (false, vec![County]));
    }

    #[test]
    fn a_unit_acts_where_it_stands() {
        let mine = Standing { answers: Some(7), ..Standing::of_round(RoundLevel::Province) };
        let led = Standing { answers: Some(8), leads: Some(7), ..Standing::of_round(RoundLevel::Province) };
        assert!(of(Role::ResponsibleUnit).permits(Act::Report, mine));
        assert!(!of(Role::ResponsibleUnit).permits(Act::Report, led));
        assert!(!of(Role::LeadUnit).permits(Act::Report, led));
        assert!(of(Role::LeadUnit).permits(Act::Publicise, led));
        assert!(!of(Role::LeadUnit).permits(Act::Publicise, mine));
    }

    #[test]
    fn a_list_of_a_region_above_ones_own_holds_whatever_one_sees() {
        let list =
            |region: i64| match of_region("problem", &Place { region, path: String::new(), has_many_rows: false }) {
                Condition::Member(member) => member,
                other => panic!("{other:?}"),
            };
        assert!(of(Role::CountyOffice).implies(&list(2)));
        assert!(of(Role::CountyOffice).implies(&list(4)));
        assert!(!of(Role::CountyOffice).implies(&list(5)));
        assert!(!of(Role::LeadUnit).implies(&list(2)));
    }
}
