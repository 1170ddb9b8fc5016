//! Who sees what, and who does what: the whole policy, in this file. Every path passes it — lists, nested fields, counts,
//! mutations, subscriptions, exports, mails, files — as a condition in its statement (`Sight`) or as a question before an
//! act (`permits`). What is not allowed here is denied.
//!
//! Source: the table of roles in the domain's description (区整改办 … 系统管理员), which the tests repeat.

use entity::account::Role;
use entity::audit_entry;
use planner::{Condition, Member, Sight};

use crate::fault::{Fault, FaultCode};
use crate::record::concern;

/// Somebody who asks: an account at work, or the local administrator of an installation that has no accounts yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The account whose rights these are; none for the local administrator and for nobody.
    pub account: Option<i64>,
    /// Who really acts, where that is a delegate.
    pub delegate: Option<i64>,
    /// Whether nothing may be changed.
    pub is_read_only: bool,
    /// Whether a token of an integration asks, and not a person who signed in.
    pub is_token: bool,
    /// What the rights reach.
    pub reach: Reach,
}

/// How far somebody's rights reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// Nothing but what is public.
    Nothing,
    /// Everything: the local administrator, the command line, the scheduler.
    Everything,
    /// What a role gives.
    Role {
        /// The role.
        role: Role,
        /// The region that it is about.
        place: Option<Place>,
        /// The unit that it is about.
        unit: Option<i64>,
        /// The units whose assignments it answers: its own; a party committee answers together with its government.
        answers: Vec<i64>,
    },
}

/// A region with its line of ancestors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The region.
    pub region: i64,
    /// Its path: the ids from the root down to it.
    pub path: String,
}

impl Place {
    /// Whether nothing lies above it.
    fn is_the_nation(&self) -> bool {
        crate::region::lineage(&self.path).len() == 1
    }
}

/// The tables of the ledger.
const LEDGER: [&str; 23] = [
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
    "inspection_case",
    "case_pollution",
    "case_report",
    "accountability",
    "ownership",
];

/// What can be done. Reading is not an act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Act {
    /// Writing rounds, problems and measures.
    KeepLedger,
    /// Writing regions, units, aliases and addresses, and the calendar of holidays.
    KeepDictionaries,
    /// Making and ending accounts and tokens of others; schedules; mail.
    KeepAccounts,
    /// 责任分解: a measure to concrete units; 主责、共性: a problem to regions.
    Assign,
    /// 签收 or 退回 an assignment.
    TakeOn,
    /// Progress, evidence, 不涉及, asking for an extension.
    Report,
    /// 提请销号.
    ApplyForCloseOut,
    /// 自查.
    SelfInspect,
    /// 核查, 退回, 不涉及 confirmed, an extension supported; 验收 of a case.
    Verify,
    /// 抽查.
    SpotCheck,
    /// 督导检查.
    Inspect,
    /// 公示, and objections recorded.
    Publicise,
    /// Objections decided.
    DecideObjection,
    /// 销号, also of a case; returning a case that is verified.
    Close,
    /// 反弹, also of a case.
    Reopen,
    /// An extension decided.
    ChangeDeadline,
    /// 催办.
    Urge,
    /// 督办、挂牌、约谈, and lifting them.
    Supervise,
    /// 批示、意见.
    Comment,
    /// Making a close-out notice public.
    Disclose,
    /// 交办: a case to a unit.
    HandOverCase,
    /// 签收、办理、办结 of a case: by the unit that leads, reports also by those that assist.
    AnswerCase,
    /// 责任追究.
    HoldToAccount,
}

/// Who does what. A role of a unit does it where the unit stands to the row as `Standing` says.
fn doers(act: Act) -> &'static [Role] {
    use Role::{
        Administrator, CityOffice, CountyOffice, LeadUnit, Leader, RegionalOffice, ResponsibleUnit, SupervisingUnit,
    };
    match act {
        Act::KeepLedger | Act::Close | Act::Reopen | Act::ChangeDeadline | Act::SpotCheck | Act::Disclose => {
            &[RegionalOffice]
        }
        Act::KeepDictionaries | Act::KeepAccounts => &[Administrator],
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

/// How a row stands to units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// Who answers; none for a measure as a whole.
    pub answers: Option<i64>,
    /// Who leads.
    pub leads: Option<i64>,
    /// Who supervises.
    pub supervises: Option<i64>,
}

/// What a role is called.
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

/// What others read for the reason of an extension that was granted for one's sake.
pub const OTHERS_EXTENSION: &str = "（其他单位申请的延期）";

/// The refusal of an act: who may do it.
pub fn not_allowed(act: Act) -> Fault {
    let who = doers(act).iter().map(|role| role_name(*role)).collect::<Vec<_>>().join("、");
    Fault::new(
        FaultCode::NotAllowed,
        format!("您不能办理此事，须由{who}办理"),
        format!("you may not do this; these may: {who}"),
        &["input"],
    )
}

impl Principal {
    /// Nobody: sees what is public.
    pub fn nobody() -> Self {
        Self { account: None, delegate: None, is_read_only: true, is_token: false, reach: Reach::Nothing }
    }

    /// The local administrator: sees and does everything.
    pub fn local() -> Self {
        Self { account: None, delegate: None, is_read_only: false, is_token: false, reach: Reach::Everything }
    }

    /// Whether anything that is not public may be asked for.
    pub fn is_somebody(&self) -> bool {
        self.reach != Reach::Nothing
    }

    /// Whether it may do something at all, to whatever row.
    pub fn may(&self, act: Act) -> bool {
        match &self.reach {
            Reach::Nothing => false,
            Reach::Everything => true,
            Reach::Role { role, .. } => !self.is_read_only && doers(act).contains(role),
        }
    }

    /// Whether it may do something to a row that it sees.
    pub fn permits(&self, act: Act, row: Standing) -> bool {
        if !self.may(act) {
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
            // Offices and leaders: whatever they see.
            _ => true,
        }
    }

    /// Whether it may see the network address that somebody acted from: whose sessions it sees with theirs, which are one's
    /// own, and for administrators everybody's. A delegate sees none.
    pub fn sees_address_of(&self, entry: &audit_entry::Model) -> bool {
        match &self.reach {
            Reach::Everything | Reach::Role { role: Role::Administrator, .. } => true,
            Reach::Nothing => false,
            Reach::Role { .. } => self.delegate.is_none() && self.account.is_some() && self.account == entry.actor_id,
        }
    }

    /// Whether it may do something to what a region has issued, by the region's path: its own region, or one below.
    pub fn permits_of_region(&self, act: Act, path: &str) -> bool {
        let is_below = match self.reach {
            Reach::Everything => true,
            _ => self.region().is_some_and(|own| path.starts_with(&own.path)),
        };
        self.may(act) && is_below
    }

    /// The region whose whole subtree may be seen; none where rights do not go by region.
    pub fn region(&self) -> Option<&Place> {
        match &self.reach {
            Reach::Role { role, place: Some(place), .. } if goes_by_region(*role) => Some(place),
            _ => None,
        }
    }
}

/// Roles that see a region with everything below it.
fn goes_by_region(role: Role) -> bool {
    matches!(role, Role::RegionalOffice | Role::CityOffice | Role::CountyOffice | Role::Leader | Role::Inspector)
}

impl Sight for Principal {
    fn rows(&self, table: &str) -> Condition {
        let table = table.trim_matches('"');
        match &self.reach {
            Reach::Everything => Condition::always(),
            Reach::Nothing => Condition::never(),
            Reach::Role { role, place, unit, answers } => match table {
                // The divisions of the country are public, and the calendar is; aliases are reached through their unit only.
                "region" | "holiday" | "unit_alias" => Condition::always(),
                "unit" => units(*role, place.as_ref(), *unit, answers),
                "account" => accounts(*role, self.account),
                // The name in full and the telephone: for the same unit and its superiors.
                "account.person" => persons(*role, place.as_ref(), *unit, self.account),
                // Of the ledger with what it concerns; of accounts for administrators.
                "audit_entry" => audit(*role, place.as_ref()),
                // A delegate sees nobody's sessions.
                "session" => owned(*role, self.account.filter(|_| self.delegate.is_none())),
                // Whoever keeps the ledger chooses a round for what he enters.
                "inspection_round" if *role == Role::RegionalOffice => Condition::always(),
                "unit_address" | "mail" | "mail_item" | "schedule" | "job_run" => only(*role == Role::Administrator),
                _ if *role == Role::Administrator => Condition::never(),
                // Whose region is the nation sees the whole ledger, and nothing need be asked of its rows.
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
                "ownership" => ownership(place.as_ref()),
                "change" => Condition::Any(vec![of_owner(table), removals(*role, place.as_ref())]),
                _ => of_owner(table),
            },
        }
    }

    fn implies(&self, member: &Member) -> bool {
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

/// The row concerns the list's region by something that may be seen: it was issued there, or an answer of there is seen.
fn concerns(member: &Member) -> Condition {
    const WITHIN: &str = "EXISTS (SELECT 1 FROM region r JOIN region top ON substr(r.path, 1, length(top.path)) = top.path \
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

/// A region with everything below it. A measure that several counties answer is seen by each, with its own answer only.
fn of_region(table: &str, place: &Place) -> Condition {
    match table {
        "problem" => Condition::Member(concern::problems_of(place.region.into())),
        "measure" => Condition::Member(concern::measures_of(place.region.into())),
        "inspection_case" => Condition::Member(concern::cases_of(place.region.into())),
        _ => Condition::Matches(BELOW, place.path.clone().into()),
    }
}

/// The row's region is the one with this path, or below it.
const BELOW: &str = "EXISTS (SELECT 1 FROM region r WHERE r.id = {t}.region_id AND substr(r.path, 1, length({})) = {})";

/// What a unit leads, answers or supervises, by its role.
fn of_unit(table: &str, role: Role, unit: Option<i64>, answers: &[i64]) -> Condition {
    if table == "inspection_case" {
        return case_of_unit(role, answers);
    }
    // Each by measures that it leads, by those that it supervises, and by its own answers.
    let (led, supervised, answered) = match table {
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
        _ => Vec::new(),
    })
}

/// The cases that a unit leads or assists with. Nobody supervises a case.
fn case_of_unit(role: Role, answers: &[i64]) -> Condition {
    const LED: &str = "SELECT c.id FROM inspection_case c WHERE c.lead_unit_id = {}";
    const ASSISTED: &str = "SELECT c.case_id FROM case_unit c WHERE c.unit_id = {}";
    let answering = answers.iter().filter(|_| matches!(role, Role::LeadUnit | Role::ResponsibleUnit));
    Condition::Among(answering.flat_map(|unit| [(LED, (*unit).into()), (ASSISTED, (*unit).into())]).collect())
}

/// What is no more, told to the regions that could see it.
fn removals(role: Role, place: Option<&Place>) -> Condition {
    match place {
        Some(place) if goes_by_region(role) => Condition::Matches(BELOW, place.path.clone().into()),
        _ => Condition::never(),
    }
}

/// How regions stand to a problem that is seen: those of one's own subtree and those above; which siblings share it is theirs.
fn ownership(place: Option<&Place>) -> Condition {
    let beside = place.map(|place| Condition::Matches(BESIDE, place.path.clone().into()));
    with("problem", "problem_id").and(Condition::Any(beside.into_iter().collect()))
}

/// The row that a column refers to is seen.
fn with(table: &'static str, column: &'static str) -> Condition {
    Condition::Exists { table, column: "id", key: column, condition: Condition::always().into() }
}

/// What belongs to something is seen with it.
fn of_owner(table: &str) -> Condition {
    let with_if = |table, column| Condition::Any(vec![Condition::Null(column, true), with(table, column)]);
    let of_round =
        |table| Condition::Exists { table, column: "round_id", key: "id", condition: Condition::always().into() };
    match table {
        // A round is known by what it found, and by the complaints that came during it.
        "inspection_round" => Condition::Any(vec![of_round("problem"), of_round("inspection_case")]),
        // A party that may not be seen would name a sibling.
        "responsible_party" => with("measure", "measure_id").and(with_if("unit", "unit_id")),
        "progress_report" | "check" | "evidence" | "close_out" => with("assignment", "assignment_id"),
        "objection" => with("close_out", "close_out_id"),
        // What is about one answer is seen with it; what is about the whole, with the measure.
        "supervision_action" => with("measure", "measure_id").and(with_if("assignment", "assignment_id")),
        // A deadline that was moved for one is moved for all: each sees from when and to when, not what was said for it.
        "deadline_change" => with("measure", "measure_id").and(Condition::Any(vec![
            Condition::Null("assignment_id", true),
            Condition::Compare("state", "=", "APPROVED".into()),
            with("assignment", "assignment_id"),
        ])),
        "comment" => with("measure", "measure_id"),
        "change" => Condition::Any(vec![
            with("inspection_case", "case_id"),
            with("problem", "problem_id")
                .and(with_if("measure", "measure_id"))
                .and(with_if("assignment", "assignment_id")),
        ]),
        "case_report" => with("inspection_case", "case_id"),
        "accountability" => with("problem", "problem_id"),
        // Parts without an id of their own, reached through their owner only.
        "problem_domain" | "milestone" | "quantity" | "check_plan" | "case_pollution" => Condition::always(),
        _ => Condition::never(),
    }
}

/// The row's region is the one with this path, below it or above it.
const BESIDE: &str = "EXISTS (SELECT 1 FROM region r WHERE r.id = {t}.region_id \
    AND (substr(r.path, 1, length({})) = {} OR substr({}, 1, length(r.path)) = r.path))";

/// Units: one's own, wherever that is; one's region's, those below and those above; and whoever answers what one leads or
/// supervises.
fn units(role: Role, place: Option<&Place>, unit: Option<i64>, answers: &[i64]) -> Condition {
    const ANSWERING: &str = "EXISTS (SELECT 1 FROM assignment a JOIN measure m ON m.id = a.measure_id \
        WHERE a.unit_id = {t}.id AND {} IN (m.lead_unit_id, m.supervising_unit_id))";
    if role == Role::Administrator {
        return Condition::always();
    }
    let beside = place.map(|place| Condition::Matches(BESIDE, place.path.clone().into()));
    let answering = unit
        .filter(|_| matches!(role, Role::LeadUnit | Role::SupervisingUnit))
        .map(|unit| Condition::Matches(ANSWERING, unit.into()));
    let own = (!answers.is_empty()).then(|| Condition::In("id", answers.iter().map(|unit| (*unit).into()).collect()));
    Condition::Any(beside.into_iter().chain(own).chain(answering).collect())
}

/// Accounts: one's own, and those of units that may be seen.
fn accounts(role: Role, own: Option<i64>) -> Condition {
    if role == Role::Administrator {
        return Condition::always();
    }
    let unit = Condition::Exists { table: "unit", column: "id", key: "unit_id", condition: Condition::always().into() };
    Condition::Any(own.map(|own| Condition::Compare("id", "=", own.into())).into_iter().chain([unit]).collect())
}

/// Whose personal data are shown: one's own, the unit's, and for offices and leaders those of everybody below.
fn persons(role: Role, place: Option<&Place>, unit: Option<i64>, own: Option<i64>) -> Condition {
    const OF_REGION: &str = "EXISTS (SELECT 1 FROM unit u JOIN region r ON r.id = u.region_id \
        WHERE u.id = {t}.unit_id AND substr(r.path, 1, length({})) = {})";
    if role == Role::Administrator {
        return Condition::always();
    }
    let own = own.map(|own| Condition::Compare("id", "=", own.into()));
    let same = unit.map(|unit| Condition::Compare("unit_id", "=", unit.into()));
    let is_superior = matches!(role, Role::RegionalOffice | Role::CityOffice | Role::CountyOffice | Role::Leader);
    let below = place.filter(|_| is_superior).map(|place| Condition::Matches(OF_REGION, place.path.clone().into()));
    Condition::Any(own.into_iter().chain(same).chain(below).collect())
}

/// The audit of the ledger with what it concerns: of a problem as a whole, and of who leads and answers, for the offices of
/// the region that issued it. That of accounts, dictionaries and the machine for administrators, that of rounds for who keeps them.
fn audit(role: Role, place: Option<&Place>) -> Condition {
    const ISSUED_BELOW: &str = "EXISTS (SELECT 1 FROM problem p JOIN region r ON r.id = p.region_id \
        WHERE p.id = {t}.problem_id AND substr(r.path, 1, length({})) = {})";
    let chains = |of: &[&'static str]| -> Vec<Condition> {
        of.iter().map(|of| Condition::StartsWith("chain", format!("{of}_"))).collect()
    };
    if role == Role::Administrator {
        return Condition::Any(chains(&["account", "region", "unit", "schedule", "mail", "calendar"]));
    }
    let rounds = if role == Role::RegionalOffice { chains(&["round"]) } else { Vec::new() };
    if goes_by_region(role) && place.is_some_and(Place::is_the_nation) {
        let of_ledger = [Condition::Null("problem_id", false), Condition::Null("case_id", false)];
        return Condition::Any(rounds.into_iter().chain(of_ledger).collect());
    }
    let of_measure = Condition::Null("assignment_id", true).and(with("measure", "measure_id"));
    let issued = place.filter(|_| goes_by_region(role)).map(|place| {
        let of_problem = Condition::Matches(ISSUED_BELOW, place.path.clone().into());
        Condition::Null("measure_id", true).and(Condition::Null("problem_id", false)).and(of_problem)
    });
    let every = [with("assignment", "assignment_id"), of_measure, with("inspection_case", "case_id")];
    Condition::Any(every.into_iter().chain(issued).chain(rounds).collect())
}

/// Sessions and tokens: one's own; administrators see all.
fn owned(role: Role, own: Option<i64>) -> Condition {
    if role == Role::Administrator {
        return Condition::always();
    }
    own.map_or_else(Condition::never, |own| Condition::Compare("account_id", "=", own.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(role: Role) -> Principal {
        let place = Place { region: 4, path: "/1/2/4/".to_owned() };
        let reach = Reach::Role { role, place: Some(place), unit: Some(7), answers: vec![7] };
        Principal { account: Some(1), delegate: None, is_read_only: false, is_token: false, reach }
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
    fn a_unit_acts_where_it_stands() {
        let mine = Standing { answers: Some(7), ..Standing::default() };
        let led = Standing { answers: Some(8), leads: Some(7), ..Standing::default() };
        assert!(of(Role::ResponsibleUnit).permits(Act::Report, mine));
        assert!(!of(Role::ResponsibleUnit).permits(Act::Report, led));
        assert!(!of(Role::LeadUnit).permits(Act::Report, led));
        assert!(of(Role::LeadUnit).permits(Act::Publicise, led));
        assert!(!of(Role::LeadUnit).permits(Act::Publicise, mine));
    }

    #[test]
    fn a_list_of_a_region_above_ones_own_holds_whatever_one_sees() {
        let list = |region: i64| match of_region("problem", &Place { region, path: String::new() }) {
            Condition::Member(member) => member,
            other => panic!("{other:?}"),
        };
        assert!(of(Role::CountyOffice).implies(&list(2)));
        assert!(of(Role::CountyOffice).implies(&list(4)));
        assert!(!of(Role::CountyOffice).implies(&list(5)));
        assert!(!of(Role::LeadUnit).implies(&list(2)));
    }
}
