//! The ledger in memory: every row becomes an object of the schema. Rows are read with `SELECT * FROM table` and linked
//! by comparing keys, without the planner.

mod cases;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

pub(crate) use cases::of_chain;
use chrono::{Datelike, NaiveDate};
use entity::assignment::Status;
use ledger::rule::name_order::name_order;
use ledger::rule::pace::{Facts, Pace};
use sea_orm::{ActiveEnum, DatabaseConnection, FromQueryResult, Statement};
use serde_json::{Value, json};

/// The types with a global id, and the prefix of their ids.
pub(crate) const NOUNS: [(&str, &str); 27] = [
    ("Region", "region"),
    ("Unit", "unit"),
    ("InspectionRound", "round"),
    ("Problem", "problem"),
    ("Measure", "measure"),
    ("ResponsibleParty", "party"),
    ("Assignment", "assignment"),
    ("ProgressReport", "report"),
    ("Check", "check"),
    ("Account", "account"),
    ("Session", "session"),
    ("Delegation", "delegation"),
    ("CloseOut", "closeout"),
    ("Objection", "objection"),
    ("Evidence", "evidence"),
    ("DeadlineChange", "extension"),
    ("SupervisionAction", "supervision"),
    ("Comment", "comment"),
    ("InspectionCase", "case"),
    ("CaseReport", "casereport"),
    ("Accountability", "accountability"),
    ("RoundResult", "roundresult"),
    ("PublishedFigure", "publishedfigure"),
    ("AuditEntry", "audit"),
    ("Mail", "mail"),
    ("Schedule", "schedule"),
    ("JobRun", "run"),
];

/// An object of the schema.
#[derive(Debug)]
pub(crate) struct Object {
    pub(crate) noun: &'static str,
    pub(crate) key: i64,
    /// Its fields, plus the values by which lists are ordered, grouped and aggregated.
    cells: HashMap<String, Cell>,
    /// Keys of the regions that issued it or answer for it.
    regions: Vec<i64>,
}

/// The value of a field.
#[derive(Debug)]
pub(crate) enum Cell {
    /// A scalar as the API shows it.
    Plain(Value),
    /// An embedded object without a global id.
    Part(Object),
    /// A list of embedded objects.
    Parts(Vec<Object>),
    /// A reference to one object, by type and key.
    One(&'static str, Option<i64>),
    /// References to the objects of a connection, in any order.
    Many(&'static str, Vec<i64>),
    /// References to the objects of a plain list, in this order.
    All(&'static str, Vec<i64>),
}

impl Object {
    pub(crate) fn part(noun: &'static str, values: Value) -> Self {
        let Value::Object(values) = values else { unreachable!("an object is described by an object") };
        let cells = values.into_iter().map(|(name, value)| (name, Cell::Plain(value))).collect();
        Self { noun, key: 0, cells, regions: Vec::new() }
    }

    fn new(noun: &'static str, key: i64, values: Value) -> Self {
        let (_, prefix) = NOUNS.iter().find(|(known, _)| *known == noun).unwrap();
        let id = Cell::Plain(json!(format!("{prefix}_{key}")));
        Self { key, ..Self::part(noun, values).with("id", id).with("key", Cell::Plain(json!(key))) }
    }

    fn with(mut self, name: &str, cell: Cell) -> Self {
        self.cells.insert(name.to_owned(), cell);
        self
    }

    fn one(self, name: &str, noun: &'static str, key: impl Into<Option<i64>>) -> Self {
        self.with(name, Cell::One(noun, key.into()))
    }

    fn many(self, name: &str, noun: &'static str, keys: Vec<i64>) -> Self {
        self.with(name, Cell::Many(noun, keys))
    }

    fn parts(self, name: &str, parts: Vec<Object>) -> Self {
        self.with(name, Cell::Parts(parts))
    }

    /// Removes references to objects that are not in `there`.
    fn keep_to(&mut self, there: &HashSet<(&str, i64)>) {
        for cell in self.cells.values_mut() {
            match cell {
                Cell::Plain(_) => {}
                Cell::Part(part) => part.keep_to(there),
                Cell::Parts(parts) => parts.iter_mut().for_each(|part| part.keep_to(there)),
                Cell::One(noun, key) => *key = key.filter(|key| there.contains(&(*noun, *key))),
                Cell::Many(noun, keys) | Cell::All(noun, keys) => keys.retain(|key| there.contains(&(*noun, *key))),
            }
        }
    }

    fn lacks(&self, lacking: &mut BTreeSet<(&'static str, String)>) {
        for (name, cell) in &self.cells {
            match cell {
                Cell::One(_, None) => drop(lacking.insert((self.noun, name.clone()))),
                Cell::Part(part) => part.lacks(lacking),
                Cell::Parts(parts) => parts.iter().for_each(|part| part.lacks(lacking)),
                _ => {}
            }
        }
    }

    fn within(mut self, regions: impl IntoIterator<Item = i64>) -> Self {
        self.regions.extend(regions);
        self
    }

    /// Returns the value of a field.
    pub(crate) fn cell(&self, name: &str) -> &Cell {
        self.cells.get(name).unwrap_or_else(|| panic!("`{}` has no field `{name}`", self.noun))
    }

    /// Returns the value of a scalar field.
    pub(crate) fn value(&self, name: &str) -> &Value {
        match self.cell(name) {
            Cell::Plain(value) => value,
            other => panic!("`{name}` of `{}` is {other:?}", self.noun),
        }
    }
}

/// All objects by type, and the key of the account that reads them.
pub(crate) struct Graph {
    objects: HashMap<&'static str, Vec<Object>>,
    pub(crate) viewer: Option<i64>,
}

impl Graph {
    /// Returns the objects of a type.
    pub(crate) fn all(&self, noun: &str) -> &[Object] {
        self.objects.get(noun).map_or(&[], Vec::as_slice)
    }

    /// Returns the object of a type with the given key.
    pub(crate) fn one(&self, noun: &str, key: i64) -> Option<&Object> {
        self.all(noun).iter().find(|object| object.key == key)
    }

    /// Returns the object with the given global id.
    pub(crate) fn of_id(&self, id: &str) -> Option<&Object> {
        self.objects.values().flatten().find(|object| object.value("id") == id)
    }

    /// Returns the fields, each with its type, that are an empty reference in at least one object.
    pub(crate) fn lacking(&self) -> BTreeSet<(&'static str, String)> {
        let mut lacking = BTreeSet::new();
        self.objects.values().flatten().for_each(|object| object.lacks(&mut lacking));
        lacking
    }

    /// Returns the ids that a field of a type refers to.
    pub(crate) fn referred(&self, noun: &str, field: &str) -> BTreeSet<String> {
        let id = |object: &Object| match object.cell(field) {
            Cell::One(noun, Some(key)) => self.one(noun, *key)?.value("id").as_str().map(str::to_owned),
            _ => None,
        };
        self.all(noun).iter().filter_map(id).collect()
    }

    /// Checks whether an object is issued or answered in the region `top` or below it.
    pub(crate) fn is_within(&self, object: &Object, top: i64) -> bool {
        object.regions.iter().any(|region| {
            let mut region = Some(*region);
            while let Some(here) = region.filter(|here| *here != top) {
                let Cell::One(_, above) = self.one("Region", here).unwrap().cell("parent") else { unreachable!() };
                region = *above;
            }
            region.is_some()
        })
    }

    /// Builds the objects from rows. A reference to a row that is missing from the tables becomes null.
    pub(crate) fn of(tables: &Tables) -> Self {
        let mut objects = HashMap::from([
            ("Region", tables.regions.iter().map(|row| tables.region(row)).collect()),
            ("Unit", tables.units.iter().map(|row| tables.unit(row)).collect()),
            ("InspectionRound", tables.rounds.iter().map(|row| tables.round(row)).collect()),
            ("Problem", tables.problems.iter().map(|row| tables.problem(row)).collect()),
            ("Measure", tables.measures.iter().map(|row| tables.measure(row)).collect()),
            ("ResponsibleParty", tables.parties.iter().map(party).collect()),
            ("Assignment", tables.assignments.iter().map(|row| tables.assignment(row)).collect()),
            ("ProgressReport", tables.reports.iter().map(|row| tables.report(row)).collect()),
            ("Check", tables.checks.iter().map(check).collect()),
            ("Account", tables.accounts.iter().map(|row| tables.account(row)).collect()),
            ("Session", tables.sessions.iter().map(session).collect()),
            ("Delegation", tables.delegations.iter().map(delegation).collect()),
            ("CloseOut", tables.close_outs.iter().map(|row| tables.close_out(row)).collect()),
            ("Objection", tables.objections.iter().map(objection).collect()),
            ("Evidence", tables.evidence.iter().map(evidence).collect()),
            ("DeadlineChange", tables.extensions.iter().map(extension).collect()),
            ("SupervisionAction", tables.supervision.iter().map(supervision).collect()),
            ("Comment", tables.comments.iter().map(comment).collect()),
            ("InspectionCase", tables.cases.iter().map(|row| tables.case(row)).collect()),
            ("CaseReport", tables.case_reports.iter().map(cases::report).collect()),
            ("Accountability", tables.accountability.iter().map(cases::accountability).collect()),
            ("RoundResult", tables.round_results.iter().map(round_result).collect()),
            ("PublishedFigure", tables.published_figures.iter().map(published_figure).collect()),
            ("AuditEntry", tables.audit.iter().map(audit).collect()),
            ("Mail", tables.mails.iter().map(|row| tables.mail(row)).collect()),
            ("Schedule", tables.schedules.iter().map(|row| tables.schedule(row)).collect()),
            ("JobRun", tables.runs.iter().map(run).collect()),
        ]);
        let there: HashSet<(&str, i64)> = objects
            .iter()
            .flat_map(|(noun, list): (_, &Vec<Object>)| list.iter().map(|one| (*noun, one.key)))
            .collect();
        objects.values_mut().flatten().for_each(|object| object.keep_to(&there));
        Self { objects, viewer: tables.viewer }
    }
}

async fn rows<M: FromQueryResult>(db: &DatabaseConnection, table: &str) -> Vec<M> {
    let statement = Statement::from_string(db.get_database_backend(), format!("SELECT * FROM {table}"));
    M::find_by_statement(statement).all(db).await.unwrap()
}

/// The rows of all tables, or of those the rows that an account may see.
#[derive(Clone)]
pub(crate) struct Tables {
    pub(crate) today: NaiveDate,
    /// The account that reads; `None` for the local administrator.
    pub(crate) viewer: Option<i64>,
    /// The accounts whose names and telephone numbers are shown in full; `None` means all.
    pub(crate) known: Option<HashSet<i64>>,
    pub(crate) regions: Vec<entity::region::Model>,
    pub(crate) units: Vec<entity::unit::Model>,
    pub(crate) aliases: Vec<entity::unit_alias::Model>,
    pub(crate) addresses: Vec<entity::unit_address::Model>,
    /// Whether the mail addresses of units are shown.
    pub(crate) addresses_shown: bool,
    pub(crate) accounts: Vec<entity::account::Model>,
    pub(crate) sessions: Vec<entity::session::Model>,
    pub(crate) delegations: Vec<entity::delegation::Model>,
    pub(crate) rounds: Vec<entity::inspection_round::Model>,
    pub(crate) problems: Vec<entity::problem::Model>,
    pub(crate) domains: Vec<entity::problem_domain::Model>,
    pub(crate) measures: Vec<entity::measure::Model>,
    pub(crate) milestones: Vec<entity::milestone::Model>,
    pub(crate) parties: Vec<entity::responsible_party::Model>,
    pub(crate) assignments: Vec<entity::assignment::Model>,
    pub(crate) reports: Vec<entity::progress_report::Model>,
    pub(crate) quantities: Vec<entity::quantity::Model>,
    pub(crate) checks: Vec<entity::check::Model>,
    pub(crate) plans: Vec<entity::check_plan::Model>,
    pub(crate) close_outs: Vec<entity::close_out::Model>,
    pub(crate) objections: Vec<entity::objection::Model>,
    pub(crate) evidence: Vec<entity::evidence::Model>,
    pub(crate) extensions: Vec<entity::deadline_change::Model>,
    pub(crate) supervision: Vec<entity::supervision_action::Model>,
    pub(crate) comments: Vec<entity::comment::Model>,
    pub(crate) cases: Vec<entity::inspection_case::Model>,
    pub(crate) case_units: Vec<entity::case_unit::Model>,
    pub(crate) case_pollution: Vec<entity::case_pollution::Model>,
    pub(crate) case_reports: Vec<entity::case_report::Model>,
    pub(crate) accountability: Vec<entity::accountability::Model>,
    pub(crate) round_results: Vec<entity::round_result::Model>,
    pub(crate) published_figures: Vec<entity::published_figure::Model>,
    pub(crate) ownership: Vec<entity::ownership::Model>,
    pub(crate) audit: Vec<entity::audit_entry::Model>,
    pub(crate) schedules: Vec<entity::schedule::Model>,
    pub(crate) runs: Vec<entity::job_run::Model>,
    pub(crate) mails: Vec<entity::mail::Model>,
    pub(crate) items: Vec<entity::mail_item::Model>,
}

/// Collects the keys of the rows that satisfy a condition.
macro_rules! keys {
    ($rows:expr, $row:ident => $belongs:expr) => {
        $rows.iter().filter(|$row| $belongs).map(|$row| $row.id).collect::<Vec<i64>>()
    };
}

impl Tables {
    /// Reads the whole database.
    pub(crate) async fn read(db: &DatabaseConnection, today: NaiveDate) -> Self {
        Self {
            today,
            viewer: None,
            known: None,
            regions: rows(db, "region").await,
            units: rows(db, "unit").await,
            aliases: rows(db, "unit_alias").await,
            addresses: rows(db, "unit_address").await,
            addresses_shown: true,
            accounts: rows(db, "account").await,
            sessions: rows(db, "session").await,
            delegations: rows(db, "delegation").await,
            rounds: rows(db, "inspection_round").await,
            problems: rows(db, "problem").await,
            domains: rows(db, "problem_domain").await,
            measures: rows(db, "measure").await,
            milestones: rows(db, "milestone").await,
            parties: rows(db, "responsible_party").await,
            assignments: rows(db, "assignment").await,
            reports: rows(db, "progress_report").await,
            quantities: rows(db, "quantity").await,
            checks: rows(db, "\"check\"").await,
            plans: rows(db, "check_plan").await,
            close_outs: rows(db, "close_out").await,
            objections: rows(db, "objection").await,
            evidence: rows(db, "evidence").await,
            extensions: rows(db, "deadline_change").await,
            supervision: rows(db, "supervision_action").await,
            comments: rows(db, "comment").await,
            cases: rows(db, "inspection_case").await,
            case_units: rows(db, "case_unit").await,
            case_pollution: rows(db, "case_pollution").await,
            case_reports: rows(db, "case_report").await,
            accountability: rows(db, "accountability").await,
            round_results: rows(db, "round_result").await,
            published_figures: rows(db, "published_figure").await,
            ownership: rows(db, "ownership").await,
            audit: rows(db, "audit_entry").await,
            schedules: rows(db, "schedule").await,
            runs: rows(db, "job_run").await,
            mails: rows(db, "mail").await,
            items: rows(db, "mail_item").await,
        }
    }

    fn region(&self, row: &entity::region::Model) -> Object {
        let values = json!({"code": row.code, "name": row.name, "level": row.level.to_value(), "rank": row.rank,
            "nameOrder": name_order(&row.name), "retiredOn": row.retired_on, "version": row.version});
        Object::new("Region", row.id, values)
            .one("mergedInto", "Region", row.merged_into_id)
            .one("parent", "Region", row.parent_id)
            .many("children", "Region", keys!(self.regions, other => other.parent_id == Some(row.id)))
            .many("units", "Unit", keys!(self.units, other => other.region_id == row.id))
            .many("problems", "Problem", keys!(self.problems, other => other.region_id == row.id))
    }

    fn unit(&self, row: &entity::unit::Model) -> Object {
        let is_reachable = self.addresses.iter().any(|address| address.unit_id == row.id);
        let values = json!({"name": row.name, "kind": row.kind.to_value(), "sector": row.sector,
            "nameOrder": name_order(&row.name), "language": row.language.map(|language| language.to_value()),
            "hasCalendar": row.attaches_calendar, "isReachable": is_reachable,
            "retiredOn": row.retired_on, "version": row.version});
        let mut addresses: Vec<_> =
            self.addresses.iter().filter(|one| self.addresses_shown && one.unit_id == row.id).collect();
        addresses.sort_by_key(|one| &one.address);
        let addresses = addresses.iter().map(|one| Object::part("UnitAddress", json!({"address": one.address})));
        let mut aliases: Vec<_> = self.aliases.iter().filter(|alias| alias.unit_id == row.id).collect();
        aliases.sort_by_key(|alias| &alias.alias);
        let aliases = aliases.iter().map(|alias| Object::part("UnitAlias", json!({"alias": alias.alias})));
        Object::new("Unit", row.id, values)
            .one("region", "Region", row.region_id)
            .within([row.region_id])
            .parts("aliases", aliases.collect())
            .parts("addresses", addresses.collect())
            .one("mergedInto", "Unit", row.merged_into_id)
            .many("ledMeasures", "Measure", keys!(self.measures, other => other.lead_unit_id == Some(row.id)))
            .many("assignments", "Assignment", keys!(self.assignments, other => other.unit_id == row.id))
    }

    fn round(&self, row: &entity::inspection_round::Model) -> Object {
        let problems: Vec<_> = self.problems.iter().filter(|problem| problem.round_id == row.id).collect();
        let measures: Vec<_> = self.measures.iter().filter(|measure| measure.round_id == row.id).collect();
        let mut ratings: Vec<_> =
            counted(problems.iter().map(|problem| problem.rated_progress.clone())).into_iter().collect();
        ratings.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let ratings = ratings.into_iter().map(|(rating, count)| json!({"progress": rating, "count": count}));
        let years = |noun: &'static str, days: Vec<Option<NaiveDate>>| {
            let mut years: Vec<_> =
                counted(days.into_iter().map(|day| day.map(|day| day.year()))).into_iter().collect();
            years.sort_by_key(|(year, _)| year.is_none());
            let years = years.into_iter().map(|(year, count)| json!({"year": year, "count": count}));
            years.map(|one| Object::part(noun, one)).collect::<Vec<_>>()
        };
        let values = json!({"name": row.name, "level": row.level.to_value(), "kind": row.kind.to_value(),
            "enteredOn": row.entered_on, "feedbackOn": row.feedback_on, "version": row.version});
        let mut later = keys!(self.rounds, other => other.looks_back_at_id == Some(row.id));
        later.sort_unstable();
        Object::new("InspectionRound", row.id, values)
            .one("looksBackAt", "InspectionRound", row.looks_back_at_id)
            .with("lookedBackBy", Cell::All("InspectionRound", later))
            .many("problems", "Problem", problems.iter().map(|problem| problem.id).collect())
            .many("measures", "Measure", measures.iter().map(|measure| measure.id).collect())
            .many("inspectionCases", "InspectionCase", keys!(self.cases, other => other.round_id == row.id))
            .many("results", "RoundResult", keys!(self.round_results, other => other.round_id == row.id))
            .many(
                "publishedFigures",
                "PublishedFigure",
                keys!(self.published_figures, other => other.round_id == row.id),
            )
            .parts("problemsByProgress", ratings.map(|one| Object::part("ProgressCount", one)).collect())
            .parts(
                "measuresByDeadlineYear",
                years("DeadlineYearCount", measures.iter().map(|measure| measure.due_on).collect()),
            )
            .parts(
                "problemsByDeadlineYear",
                years("ProblemYearCount", problems.iter().map(|problem| problem.due_on).collect()),
            )
    }

    fn problem(&self, row: &entity::problem::Model) -> Object {
        let (class, deadline) = deadline(&row.due_raw, row.due_on, row.due_by, row.due_ongoing, row.due_immediate);
        let mut domains: Vec<_> = self.domains.iter().filter(|domain| domain.problem_id == row.id).collect();
        domains.sort_by_key(|domain| &domain.domain);
        let domains = domains.iter().map(|domain| Object::part("ProblemDomain", json!({"name": domain.domain})));
        let measures = keys!(self.measures, other => other.problem_id == row.id);
        let answers = self.assignments.iter().filter(|answer| measures.contains(&answer.measure_id));
        let values = json!({"number": row.number, "title": row.title, "description": row.description, "goal": row.goal,
            "category": row.category, "source": row.source,
            "ratedProgress": row.rated_progress, "status": row.status.to_value(),
            "statusStatedOn": row.status_stated_on,
            "completedOn": row.completed_on, "isCompletedBy": row.is_completed_by,
            "statedPace": row.stated_pace.map(|pace| pace.to_value()), "statedPaceOn": row.stated_pace_on,
            "createdAt": row.created_at, "updatedAt": row.updated_at,
            "position": row.position, "dueOn": row.due_on, "isOngoing": row.due_ongoing,
            "deadlineClass": class, "version": row.version, "isOverdue": self.is_overdue(row)});
        let chain = format!("problem_{}", row.id);
        let mut later: Vec<_> = self.problems.iter().filter(|other| other.looks_back_at_id == Some(row.id)).collect();
        later.sort_by_key(|other| (other.position, other.id));
        Object::new("Problem", row.id, values)
            .one("looksBackAt", "Problem", row.looks_back_at_id)
            .with("lookedBackBy", Cell::All("Problem", later.iter().map(|other| other.id).collect()))
            .many("audit", "AuditEntry", keys!(self.audit, other => other.chain == chain))
            .with("deadline", Cell::Part(deadline))
            .parts("milestones", self.milestones(|step| step.problem_id == Some(row.id)))
            .parts("domains", domains.collect())
            .one("region", "Region", row.region_id)
            .one("round", "InspectionRound", row.round_id)
            .within(answers.map(|answer| answer.region_id).chain([row.region_id]))
            .many("measures", "Measure", measures)
            .many("accountability", "Accountability", keys!(self.accountability, other => other.problem_id == row.id))
            .parts("ownership", self.owners(row.id))
    }

    fn measure(&self, row: &entity::measure::Model) -> Object {
        let (class, deadline) = deadline(&row.due_raw, row.due_on, row.due_by, row.due_ongoing, row.due_immediate);
        let pace = self.pace(&Facts {
            status: row.status,
            completed_on: row.completed_on,
            due_by: row.due_by,
            issued_on: row.issued_on,
            reported_on: row.reported_on,
            quantity_done: row.quantity_done,
            quantity_target: row.quantity_target,
            pace_override: row.pace_override,
        });
        let answers: Vec<_> = self.assignments.iter().filter(|answer| answer.measure_id == row.id).collect();
        let named = self.parties.iter().filter(|party| party.measure_id == row.id).filter_map(|party| party.unit_id);
        let units: HashSet<i64> = named.chain(answers.iter().map(|answer| answer.unit_id)).collect();
        let values = json!({"number": row.number, "content": row.content, "status": row.status.to_value(),
            "statusStatedOn": row.status_stated_on, "statedProgress": row.stated_progress, "pace": pace,
            "budget": row.budget.map(|yuan| yuan as f64 / 1e4), "outcome": row.outcome,
            "statedCloseOut": row.stated_close_out, "remark": row.remark,
            "completedOn": row.completed_on,
            "isCompletedBy": row.is_completed_by, "statedPaceOn": row.stated_pace_on,
            "statedPace": row.stated_pace.map(|pace| pace.to_value()),
            "version": row.version, "createdAt": row.created_at,
            "updatedAt": row.updated_at, "position": row.position, "dueOn": row.due_on, "isOngoing": row.due_ongoing,
            "plannedDueOn": row.plan_due_on, "deadlineClass": class, "statusRank": rank(row.status)});
        let mut plans: Vec<_> = self.plans.iter().filter(|plan| plan.measure_id == row.id).collect();
        plans.sort_by_key(|plan| plan.kind.to_value());
        let plans = plans.iter().map(|plan| {
            let values = json!({"kind": plan.kind.to_value(), "every": plan.every.to_value()});
            Object::part("CheckPlan", values)
        });
        Object::new("Measure", row.id, values)
            .parts("checkPlans", plans.collect())
            .with("deadline", Cell::Part(deadline))
            .parts("milestones", self.milestones(|step| step.measure_id == Some(row.id)))
            .one("problem", "Problem", row.problem_id)
            .one("round", "InspectionRound", row.round_id)
            .one("region", "Region", row.region_id)
            .one("leadUnit", "Unit", row.lead_unit_id)
            .one("supervisingUnit", "Unit", row.supervising_unit_id)
            .one("acceptingUnit", "Unit", row.accepting_unit_id)
            .many("responsibleParties", "ResponsibleParty", keys!(self.parties, other => other.measure_id == row.id))
            .many("responsibleUnits", "Unit", units.into_iter().collect())
            .many("assignments", "Assignment", answers.iter().map(|answer| answer.id).collect())
            .many("deadlineChanges", "DeadlineChange", keys!(self.extensions, other => other.measure_id == row.id))
            .many(
                "supervisionActions",
                "SupervisionAction",
                keys!(self.supervision, other => other.measure_id == row.id),
            )
            .many("comments", "Comment", keys!(self.comments, other => other.measure_id == row.id))
            .many("audit", "AuditEntry", keys!(self.audit, other => other.measure_id == Some(row.id)))
            .within(answers.iter().map(|answer| answer.region_id).chain([row.region_id]))
    }

    fn assignment(&self, row: &entity::assignment::Model) -> Object {
        let measure = self.measures.iter().find(|measure| measure.id == row.measure_id).unwrap();
        let pace = self.pace(&Facts {
            status: row.status,
            completed_on: row.completed_on,
            due_by: row.due_by,
            issued_on: measure.issued_on,
            reported_on: row.reported_on,
            quantity_done: row.quantity_done,
            quantity_target: row.quantity_target,
            pace_override: row.pace_override,
        });
        let reports: Vec<_> = self.reports.iter().filter(|report| report.assignment_id == row.id).collect();
        let latest = reports.iter().max_by_key(|report| (report.submitted_at, report.id));
        let values = json!({"status": row.status.to_value(), "pace": pace, "completedOn": row.completed_on,
            "isCompletedBy": row.is_completed_by, "statedPaceOn": row.stated_pace_on,
            "statedPace": row.stated_pace.map(|pace| pace.to_value()),
            "version": row.version, "createdAt": row.created_at, "updatedAt": row.updated_at,
            "acceptedAt": row.accepted_at, "declinedAt": row.declined_at, "declineReason": row.decline_reason,
            "dueOn": row.due_on, "overdueAfter": row.due_by, "statusRank": rank(row.status)});
        let stating = reports.iter().filter_map(|report| {
            let quantities = self.quantities_of(report);
            (!quantities.is_empty()).then_some((report.submitted_at, report.id, quantities))
        });
        let quantities = stating.max_by_key(|(at, id, _)| (*at, *id)).map(|(.., quantities)| quantities);
        Object::new("Assignment", row.id, values)
            .parts("quantities", quantities.unwrap_or_default())
            .one("measure", "Measure", row.measure_id)
            .one("unit", "Unit", row.unit_id)
            .one("region", "Region", row.region_id)
            .within([row.region_id])
            .one("latestReport", "ProgressReport", latest.map(|report| report.id))
            .many("reports", "ProgressReport", reports.iter().map(|report| report.id).collect())
            .many("checks", "Check", keys!(self.checks, other => other.assignment_id == row.id))
            .many("closeOuts", "CloseOut", keys!(self.close_outs, other => other.assignment_id == row.id))
            .many("evidence", "Evidence", keys!(self.evidence, other => other.assignment_id == row.id))
            .many("audit", "AuditEntry", keys!(self.audit, other => other.assignment_id == Some(row.id)))
    }

    fn quantities_of(&self, report: &entity::progress_report::Model) -> Vec<Object> {
        let mut quantities: Vec<_> = self.quantities.iter().filter(|one| one.progress_report_id == report.id).collect();
        quantities.sort_by_key(|one| one.position);
        let quantities = quantities.iter().map(|one| {
            let values = json!({"label": one.label, "done": one.done, "target": one.target, "unit": one.unit});
            Object::part("Quantity", values)
        });
        quantities.collect()
    }

    fn report(&self, row: &entity::progress_report::Model) -> Object {
        let values = json!({"period": row.period, "text": row.text, "stated": row.stated,
            "difficulties": row.difficulties, "nextSteps": row.next_steps,
            "submittedAt": row.submitted_at});
        Object::new("ProgressReport", row.id, values)
            .parts("quantities", self.quantities_of(row))
            .one("author", "Account", row.author_id)
            .one("assignment", "Assignment", row.assignment_id)
    }

    fn account(&self, row: &entity::account::Model) -> Object {
        let is_known = self.known.as_ref().is_none_or(|known| known.contains(&row.id));
        let (name, phone, email) = if is_known {
            (row.name.clone(), row.phone.clone(), Some(row.email.clone()))
        } else {
            (format!("{}**", row.name.chars().next().unwrap()), row.phone.as_deref().map(masked), None)
        };
        let region = self.regions.iter().find(|region| Some(region.id) == row.region_id);
        let code = region.and_then(|region| region.code.clone()).unwrap_or_else(|| "999999999999".to_owned());
        let values = json!({"name": name, "isKnown": is_known, "regionCode": code,
            "nameOrder": name_order(name.trim_end_matches('*')),
            "signedInAt": row.signed_in_at.filter(|_| is_known), "phone": phone,
            "language": row.language.map(|language| language.to_value()),
            "hasCalendar": row.attaches_calendar, "email": email, "role": row.role.to_value(),
            "validUntil": row.valid_until, "isDisabled": row.is_disabled, "createdAt": row.created_at,
            "hasSecondFactor": is_known.then_some(row.totp_since.is_some()), "erasedAt": row.erased_at,
            "version": row.version});
        Object::new("Account", row.id, values)
            .one("unit", "Unit", row.unit_id)
            .one("region", "Region", row.region_id)
            .within(row.region_id)
    }

    fn close_out(&self, row: &entity::close_out::Model) -> Object {
        let mut objections = keys!(self.objections, other => other.close_out_id == row.id);
        objections.sort_unstable();
        let values = json!({"cycle": row.cycle, "state": row.state.to_value(), "application": row.application,
            "appliedAt": row.applied_at, "opinion": row.opinion, "verifiedAt": row.verified_at, "notice": row.notice,
            "contact": row.contact, "noticeFrom": row.notice_from, "noticeUntil": row.notice_until,
            "decision": row.decision, "closedOn": row.closed_on, "documentNumber": row.document_number,
            "relapse": row.relapse,
            "reopenedAt": row.reopened_at, "disclosedAt": row.disclosed_at});
        Object::new("CloseOut", row.id, values)
            .one("applicant", "Account", row.applicant_id)
            .one("verifier", "Account", row.verifier_id)
            .one("assignment", "Assignment", row.assignment_id)
            .with("objections", Cell::All("Objection", objections))
    }

    fn mail(&self, row: &entity::mail::Model) -> Object {
        let mut items: Vec<_> = self.items.iter().filter(|item| item.mail_id == row.id).collect();
        items.sort_by_key(|item| item.id);
        let items = items.iter().map(|item| {
            let values = json!({"dueOn": item.due_on, "acknowledgedAt": item.acknowledged_at});
            Object::part("MailItem", values)
                .one("measure", "Measure", item.measure_id)
                .one("inspectionCase", "InspectionCase", item.case_id)
                .one("region", "Region", item.region_id)
        });
        let values = json!({"kind": row.kind, "to": row.recipient,
            "subject": Some(&row.subject).filter(|subject| !subject.is_empty()), "localDay": row.local_day,
            "state": row.state.to_value(), "attempts": row.attempts, "nextAttemptAt": row.next_attempt_at,
            "sentAt": row.sent_at, "acknowledgedAt": row.acknowledged_at,
            "bouncedAt": row.bounced_at, "lastError": row.last_error, "reason": row.reason,
            "createdAt": row.created_at});
        Object::new("Mail", row.id, values)
            .one("unit", "Unit", row.unit_id)
            .one("inspectionCase", "InspectionCase", row.case_id)
            .parts("items", items.collect())
    }

    fn schedule(&self, row: &entity::schedule::Model) -> Object {
        let values = json!({"name": row.name, "cron": row.cron, "timeZone": row.time_zone, "enabled": row.enabled,
            "misfire": row.misfire.to_value(), "lastOccurrence": row.last_occurrence,
            "failures": row.failures, "failingSince": row.failing_since, "retryAt": row.retry_at,
            "succeededAt": row.succeeded_at});
        Object::new("Schedule", row.id, values).many(
            "runs",
            "JobRun",
            keys!(self.runs, other => other.schedule_id == row.id),
        )
    }

    fn milestones(&self, belongs: impl Fn(&entity::milestone::Model) -> bool) -> Vec<Object> {
        let mut steps: Vec<_> = self.milestones.iter().filter(|step| belongs(step)).collect();
        steps.sort_by_key(|step| (step.due_on, step.position));
        let part = |step: &&entity::milestone::Model| {
            let of_measure = self.measures.iter().filter(|row| Some(row.id) == step.measure_id);
            let of_problem = self.problems.iter().filter(|row| Some(row.id) == step.problem_id);
            let mut completed = of_measure.map(|row| row.completed_on).chain(of_problem.map(|row| row.completed_on));
            let is_completed = completed.any(|day| day.is_some());
            Object::part("Milestone", json!({"label": step.label, "dueOn": step.due_on, "isCompleted": is_completed}))
                .one("measure", "Measure", step.measure_id)
                .one("problem", "Problem", step.problem_id)
        };
        steps.iter().map(part).collect()
    }

    fn is_overdue(&self, problem: &entity::problem::Model) -> bool {
        let is_settled = matches!(problem.status, Status::NotApplicable | Status::Closed | Status::ClosedOngoing);
        let is_completed = problem.completed_on.is_some_and(|day| day <= self.today);
        !is_settled && !is_completed && problem.due_by.is_some_and(|day| day < self.today)
    }

    fn pace(&self, facts: &Facts) -> Option<&'static str> {
        ledger::rule::pace::pace(facts, self.today).map(|pace| match pace {
            Pace::Done => "DONE",
            Pace::Overdue => "OVERDUE",
            Pace::Ahead => "AHEAD",
            Pace::OnSchedule => "ON_SCHEDULE",
            Pace::Behind => "BEHIND",
        })
    }
}

fn party(row: &entity::responsible_party::Model) -> Object {
    let values = json!({"raw": row.raw, "selector": row.selector.map(|one| one.to_value()), "position": row.position});
    Object::new("ResponsibleParty", row.id, values).one("unit", "Unit", row.unit_id).one(
        "region",
        "Region",
        row.region_id,
    )
}

fn check(row: &entity::check::Model) -> Object {
    let values = json!({"kind": row.kind.to_value(), "period": row.period, "dueOn": row.due_on,
        "result": row.result.to_value(), "findings": row.findings, "madeOn": row.checked_on});
    Object::new("Check", row.id, values).one("madeBy", "Unit", row.checker_id).one(
        "assignment",
        "Assignment",
        row.assignment_id,
    )
}

/// Masks a telephone number as `138****1234`; a number of fewer than 11 characters is masked entirely.
fn masked(phone: &str) -> String {
    let letters: Vec<char> = phone.chars().collect();
    if letters.len() < 11 {
        return "****".to_owned();
    }
    let piece = |letters: &[char]| letters.iter().collect::<String>();
    format!("{}****{}", piece(&letters[..3]), piece(&letters[letters.len() - 4..]))
}

fn session(row: &entity::session::Model) -> Object {
    let values = json!({"kind": row.kind.to_value(), "name": row.name, "isReadOnly": row.is_read_only,
        "address": row.address, "createdAt": row.created_at, "expiresAt": row.expires_at,
        "revokedAt": row.revoked_at, "lastUsedAt": row.last_used_at,
        "isLimited": row.is_limited, "isCalendar": row.is_calendar});
    Object::new("Session", row.id, values).one("account", "Account", row.account_id).one(
        "actor",
        "Account",
        row.actor_id,
    )
}

fn delegation(row: &entity::delegation::Model) -> Object {
    let values = json!({"reason": row.reason, "beginsAt": row.begins_at, "endsAt": row.ends_at,
        "revokedAt": row.revoked_at});
    Object::new("Delegation", row.id, values).one("account", "Account", row.account_id).one(
        "delegate",
        "Account",
        row.delegate_id,
    )
}

fn objection(row: &entity::objection::Model) -> Object {
    let values = json!({"text": row.text, "raisedAt": row.raised_at, "receivedOn": row.received_on,
        "isUpheld": row.is_upheld, "answer": row.answer,
        "decidedAt": row.decided_at});
    Object::new("Objection", row.id, values)
}

fn evidence(row: &entity::evidence::Model) -> Object {
    let values = json!({"name": row.name, "mediaType": row.media_type, "size": row.size, "sha256": row.sha256,
        "url": format!("/evidence/evidence_{}", row.id), "uploadedAt": row.uploaded_at});
    Object::new("Evidence", row.id, values).one("uploader", "Account", row.uploader_id).one(
        "assignment",
        "Assignment",
        row.assignment_id,
    )
}

fn extension(row: &entity::deadline_change::Model) -> Object {
    let values = json!({"state": row.state.to_value(), "reason": row.reason, "oldRaw": row.old_raw,
        "oldDueOn": row.old_due_on, "newRaw": row.new_raw, "newDueOn": row.new_due_on, "requestedAt": row.requested_at,
        "endorsedAt": row.endorsed_at, "decidedAt": row.decided_at, "decision": row.decision});
    Object::new("DeadlineChange", row.id, values)
        .one("requester", "Account", row.requester_id)
        .one("measure", "Measure", row.measure_id)
        .one("assignment", "Assignment", row.assignment_id)
}

fn supervision(row: &entity::supervision_action::Model) -> Object {
    let values = json!({"kind": row.kind.to_value(), "state": row.state.to_value(),
        "cause": row.cause.map(|cause| cause.to_value()), "reason": row.reason,
        "answerBy": row.answer_by, "documentNumber": row.document_number, "meetingAt": row.meeting_at,
        "place": row.place, "contact": row.contact, "issuedAt": row.issued_at, "liftedAt": row.lifted_at,
        "liftReason": row.lift_reason});
    Object::new("SupervisionAction", row.id, values)
        .one("issuer", "Account", row.issuer_id)
        .one("recipient", "Unit", row.recipient_id)
        .one("measure", "Measure", row.measure_id)
        .one("assignment", "Assignment", row.assignment_id)
}

fn round_result(row: &entity::round_result::Model) -> Object {
    let money = row.money.map(|yuan| yuan as f64 / 1e4);
    let stands = row.withdrawn_at.is_none();
    let values = json!({"kind": row.kind.to_value(), "title": row.title, "amount": row.amount, "money": money,
        "amountCounted": stands.then_some(row.amount), "moneyCounted": money.filter(|_| stands),
        "decidedOn": row.decided_on, "recordedAt": row.recorded_at, "withdrawnAt": row.withdrawn_at,
        "withdrawReason": row.withdraw_reason, "version": row.version});
    Object::new("RoundResult", row.id, values)
        .one("region", "Region", row.region_id)
        .one("recorder", "Account", row.recorder_id)
        .one("round", "InspectionRound", row.round_id)
}

fn published_figure(row: &entity::published_figure::Model) -> Object {
    let values = json!({"counted": row.counted.to_value(), "topic": row.topic.to_value(), "label": row.label,
        "amount": row.amount, "asOf": row.as_of, "source": row.source, "recordedAt": row.recorded_at,
        "withdrawnAt": row.withdrawn_at, "withdrawReason": row.withdraw_reason, "version": row.version});
    Object::new("PublishedFigure", row.id, values)
        .one("region", "Region", row.region_id)
        .within([row.region_id])
        .one("recorder", "Account", row.recorder_id)
        .one("round", "InspectionRound", row.round_id)
}

fn comment(row: &entity::comment::Model) -> Object {
    Object::new("Comment", row.id, json!({"text": row.text, "writtenAt": row.written_at}))
        .one("author", "Account", row.author_id)
        .one("measure", "Measure", row.measure_id)
}

fn audit(row: &entity::audit_entry::Model) -> Object {
    let values = json!({"act": row.act, "objectId": row.object, "at": row.at, "before": row.before,
        "after": row.after, "chain": row.chain, "position": row.position, "previousHash": row.previous,
        "hash": row.hash});
    Object::new("AuditEntry", row.id, values)
        .one("actor", "Account", row.actor_id)
        .one("onBehalfOf", "Account", row.on_behalf_of_id)
        .one("assignment", "Assignment", row.assignment_id)
        .one("measure", "Measure", row.measure_id)
        .one("inspectionCase", "InspectionCase", cases::of_chain(&row.chain))
}

fn run(row: &entity::job_run::Model) -> Object {
    let values = json!({"occurrence": row.occurrence, "startedAt": row.started_at, "finishedAt": row.finished_at,
        "state": row.state.to_value(), "mailsQueued": row.mails_queued, "error": row.error,
        "summary": row.summary,
        "attempts": row.attempts, "failureKind": row.failure_kind.map(|kind| kind.to_value())});
    Object::new("JobRun", row.id, values).one("schedule", "Schedule", row.schedule_id)
}

/// Returns the place of a status in lists ordered by status: how far the work has advanced, and last what is not
/// applicable.
fn rank(status: Status) -> u8 {
    match status {
        Status::Reopened => 0,
        Status::Assigned => 1,
        Status::Returned => 2,
        Status::InProgress => 3,
        Status::Submitted => 4,
        Status::Verified => 5,
        Status::Publicised => 6,
        Status::ClosedOngoing => 7,
        Status::Closed => 8,
        Status::NotApplicableProposed => 9,
        Status::NotApplicable => 10,
    }
}

/// Returns the deadline class and the `Deadline` object.
fn deadline(
    raw: &str,
    on: Option<NaiveDate>,
    by: Option<NaiveDate>,
    ongoing: bool,
    immediate: bool,
) -> (&'static str, Object) {
    let class = match (on, ongoing, immediate) {
        (Some(_), true, _) => "DATED_ONGOING",
        (Some(_), false, _) => "DATED",
        (None, _, true) => "IMMEDIATE",
        (None, true, false) => "ONGOING",
        (None, false, false) => "NONE",
    };
    let values = json!({"raw": raw, "dueOn": on, "overdueAfter": by, "ongoing": ongoing, "immediate": immediate});
    (class, Object::part("Deadline", values))
}

fn counted<T: Ord>(values: impl Iterator<Item = T>) -> BTreeMap<T, usize> {
    let mut counts = BTreeMap::new();
    for value in values {
        *counts.entry(value).or_default() += 1;
    }
    counts
}
