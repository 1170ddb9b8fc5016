//! A second, plain implementation of who may see what: filters the rows of the whole ledger for an account, following
//! the table of roles in the domain's description. It shares no code with the program's policy.

use std::collections::HashSet;

use entity::account::{Model as Account, Role};
use entity::inspection_round::RoundLevel;
use entity::unit::Kind;

use super::graph::{Tables, of_chain};
use super::people::OVERSEERS;

/// Returns the rows that an account may see. References to removed rows become null when the graph is built.
pub(crate) fn allowed(all: &Tables, viewer: i64) -> Tables {
    let account = all.accounts.iter().find(|account| account.id == viewer).unwrap();
    let eyes = Eyes { all, account, role: account.role };
    let mut left = all.clone();
    left.viewer = Some(viewer);

    left.assignments.retain(|row| eyes.sees_assignment(row));
    let assignments: HashSet<i64> = left.assignments.iter().map(|row| row.id).collect();
    let answered: HashSet<i64> = left.assignments.iter().map(|row| row.measure_id).collect();
    left.measures.retain(|row| answered.contains(&row.id) || eyes.sees_measure(row));
    let measures: HashSet<i64> = left.measures.iter().map(|row| row.id).collect();
    let mended: HashSet<i64> = left.measures.iter().map(|row| row.problem_id).collect();
    left.problems.retain(|row| mended.contains(&row.id) || eyes.oversees(row.region_id));
    left.cases.retain(|row| eyes.sees_case(row));
    let cases: HashSet<i64> = left.cases.iter().map(|row| row.id).collect();
    let rounds = left.problems.iter().map(|row| row.round_id).chain(left.cases.iter().map(|row| row.round_id));
    let rounds: HashSet<i64> = rounds.collect();
    // The regional office keeps the ledger and must be able to choose among all rounds; other offices among those of
    // the levels that they keep in which nothing has been entered yet.
    let entered: HashSet<i64> =
        all.problems.iter().map(|row| row.round_id).chain(all.cases.iter().map(|row| row.round_id)).collect();
    let is_kept = |level: RoundLevel| match eyes.role {
        Role::RegionalOffice => true,
        Role::CityOffice => matches!(level, RoundLevel::Prefecture | RoundLevel::County),
        Role::CountyOffice => level == RoundLevel::County,
        _ => false,
    };
    left.rounds.retain(|row| {
        eyes.role == Role::RegionalOffice
            || rounds.contains(&row.id)
            || (is_kept(row.level) && !entered.contains(&row.id))
    });

    left.units.retain(|row| eyes.sees_unit(row));
    let units: HashSet<i64> = left.units.iter().map(|row| row.id).collect();
    left.delegations.retain(|row| [row.account_id, row.delegate_id].contains(&viewer));
    let linked: HashSet<i64> = left.delegations.iter().flat_map(|row| [row.account_id, row.delegate_id]).collect();
    left.accounts.retain(|row| {
        eyes.role == Role::Administrator
            || row.id == viewer
            || row.unit_id.is_some_and(|unit| units.contains(&unit))
            || linked.contains(&row.id)
    });
    left.known = Some(all.accounts.iter().filter(|row| eyes.knows(row)).map(|row| row.id).collect());

    // Rows that are visible with the row to which they belong.
    left.parties
        .retain(|row| measures.contains(&row.measure_id) && row.unit_id.is_none_or(|unit| units.contains(&unit)));
    left.reports.retain(|row| assignments.contains(&row.assignment_id));
    left.checks.retain(|row| assignments.contains(&row.assignment_id));
    left.evidence.retain(|row| assignments.contains(&row.assignment_id));
    left.close_outs.retain(|row| assignments.contains(&row.assignment_id));
    let close_outs: HashSet<i64> = left.close_outs.iter().map(|row| row.id).collect();
    left.objections.retain(|row| close_outs.contains(&row.close_out_id));
    // A row about one assignment is visible with the assignment, a row about a whole measure with the measure.
    let of_seen = |measure: Option<i64>, assignment: Option<i64>| match assignment {
        Some(assignment) => assignments.contains(&assignment),
        None => measure.is_some_and(|measure| measures.contains(&measure)),
    };
    left.extensions.retain(|row| of_seen(Some(row.measure_id), row.assignment_id));
    left.supervision.retain(|row| of_seen(Some(row.measure_id), row.assignment_id));
    // The contact of a summons is visible to those who see the unit that was summoned.
    for row in &mut left.supervision {
        row.contact = row.contact.take().filter(|_| row.recipient_id.is_some_and(|unit| units.contains(&unit)));
    }
    left.comments.retain(|row| measures.contains(&row.measure_id));
    left.case_reports.retain(|row| cases.contains(&row.case_id));
    let problems: HashSet<i64> = left.problems.iter().map(|row| row.id).collect();
    left.accountability.retain(|row| problems.contains(&row.problem_id));
    // Results of a visible round: those of the round as a whole, and of regions above or below.
    let rounds: HashSet<i64> = left.rounds.iter().map(|row| row.id).collect();
    left.round_results
        .retain(|row| rounds.contains(&row.round_id) && row.region_id.is_none_or(|region| eyes.is_beside(region)));
    left.published_figures.retain(|row| rounds.contains(&row.round_id) && eyes.is_beside(row.region_id));
    // Ownership by regions above or below, not by siblings.
    left.ownership.retain(|row| problems.contains(&row.problem_id) && eyes.is_beside(row.region_id));
    left.audit.retain(|row| match eyes.role {
        Role::Administrator => {
            ["account_", "region_", "unit_", "schedule_", "mail_", "suppression_", "webhook_", "calendar_"]
                .iter()
                .any(|of| row.chain.starts_with(of))
        }
        Role::RegionalOffice if row.chain.starts_with("round_") => true,
        _ if of_chain(&row.chain).is_some() => of_chain(&row.chain).is_some_and(|case| cases.contains(&case)),
        // An entry about a whole problem: visible to accounts that oversee the region that issued it.
        _ if row.measure_id.is_none() => {
            let of = row.chain.strip_prefix("problem_").and_then(|key| key.parse::<i64>().ok());
            all.problems.iter().any(|problem| Some(problem.id) == of && eyes.oversees(problem.region_id))
        }
        _ => of_seen(row.measure_id, row.assignment_id),
    });
    left.sessions.retain(|row| eyes.role == Role::Administrator || row.account_id == viewer);
    if eyes.role != Role::Administrator {
        left.addresses_shown = false;
        let of_unit = all.addresses.iter().filter(|one| Some(one.unit_id) == eyes.account.unit_id);
        let own: HashSet<&str> = of_unit.map(|one| one.address.as_str()).chain([eyes.account.email.as_str()]).collect();
        left.mails.retain(|row| own.contains(row.recipient.as_str()));
        left.schedules.clear();
        left.runs.clear();
    }
    left
}

struct Eyes<'a> {
    all: &'a Tables,
    account: &'a Account,
    role: Role,
}

impl Eyes<'_> {
    /// Checks whether a region is `top` or lies below it.
    fn is_below(&self, region: i64, top: i64) -> bool {
        let path = |id: i64| &self.all.regions.iter().find(|region| region.id == id).unwrap().path;
        path(region).starts_with(path(top).as_str())
    }

    /// Checks whether a region is the account's own or below it; only offices, leaders and inspectors oversee regions.
    fn oversees(&self, region: i64) -> bool {
        OVERSEERS.contains(&self.role) && self.account.region_id.is_some_and(|own| self.is_below(region, own))
    }

    /// Returns the units for which this account answers: its own and, for a party committee, also the government of its
    /// region, which holds the assignments of both.
    fn answers(&self) -> Vec<i64> {
        let Some(own) = self.all.units.iter().find(|unit| Some(unit.id) == self.account.unit_id) else {
            return Vec::new();
        };
        let region = self.all.regions.iter().find(|region| region.id == own.region_id).unwrap();
        let names = [format!("{}委", region.name), format!("中共{}委员会", region.name)];
        let government = (own.kind == Kind::PartyCommittee && names.contains(&own.name)).then(|| {
            let of_region =
                |unit: &&entity::unit::Model| unit.region_id == own.region_id && unit.kind == Kind::Government;
            self.all.units.iter().filter(of_region).map(|unit| unit.id).min()
        });
        [own.id].into_iter().chain(government.flatten()).collect()
    }

    /// Checks whether a region is the account's own, below it or above it.
    fn is_beside(&self, region: i64) -> bool {
        self.account.region_id.is_some_and(|own| self.is_below(region, own) || self.is_below(own, region))
    }

    /// Checks whether a complaint case is visible: to units that lead it or assist with it, and to overseers of its
    /// region.
    fn sees_case(&self, row: &entity::inspection_case::Model) -> bool {
        match self.role {
            Role::LeadUnit | Role::ResponsibleUnit => {
                let assisting = self.all.case_units.iter().filter(|one| one.case_id == row.id).map(|one| one.unit_id);
                let answers = self.answers();
                assisting.chain([row.lead_unit_id]).any(|unit| answers.contains(&unit))
            }
            _ => self.oversees(row.region_id),
        }
    }

    fn sees_measure(&self, row: &entity::measure::Model) -> bool {
        let unit = self.account.unit_id;
        match self.role {
            Role::LeadUnit => unit.is_some() && row.lead_unit_id == unit,
            Role::SupervisingUnit => unit.is_some() && row.supervising_unit_id == unit,
            _ => self.oversees(row.region_id),
        }
    }

    fn sees_assignment(&self, row: &entity::assignment::Model) -> bool {
        let of_measure = || {
            let measure = self.all.measures.iter().find(|measure| measure.id == row.measure_id);
            self.sees_measure(measure.unwrap())
        };
        match self.role {
            Role::ResponsibleUnit => self.answers().contains(&row.unit_id),
            Role::LeadUnit => of_measure() || self.answers().contains(&row.unit_id),
            Role::SupervisingUnit => of_measure(),
            _ => self.oversees(row.region_id),
        }
    }

    /// Checks whether a unit is visible: the own unit, units of regions above or below, and units that have assignments
    /// of a measure that the own unit leads or supervises.
    fn sees_unit(&self, row: &entity::unit::Model) -> bool {
        if self.role == Role::Administrator {
            return true;
        }
        let follows = [Role::LeadUnit, Role::SupervisingUnit].contains(&self.role) && self.account.unit_id.is_some();
        let answers = self.all.assignments.iter().filter(|answer| answer.unit_id == row.id);
        let mut measures =
            answers.filter_map(|answer| self.all.measures.iter().find(|measure| measure.id == answer.measure_id));
        let unit = self.account.unit_id;
        self.is_beside(row.region_id)
            || self.answers().contains(&row.id)
            || (follows && measures.any(|measure| measure.lead_unit_id == unit || measure.supervising_unit_id == unit))
    }

    /// Checks whether an account's personal data are shown in full: its own, those of the same unit, and to superiors
    /// those of all units that they oversee.
    fn knows(&self, row: &Account) -> bool {
        let is_superior =
            [Role::RegionalOffice, Role::CityOffice, Role::CountyOffice, Role::Leader].contains(&self.role);
        let region = self.all.units.iter().find(|unit| Some(unit.id) == row.unit_id).map(|unit| unit.region_id);
        self.role == Role::Administrator
            || row.id == self.account.id
            || (row.unit_id.is_some() && row.unit_id == self.account.unit_id)
            || (is_superior && region.is_some_and(|region| self.oversees(region)))
    }
}
