//! Who may do what: every mutation, for every role, on visible and on hidden rows.

use std::collections::BTreeSet;

use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{BaseType, FieldDefinition, Type, TypeKind, TypeSystemDefinition};
use chrono::NaiveDate;
use entity::account::Role;
use entity::inspection_round::RoundLevel;
use entity::supervision_action::{self, SupervisionState};
use entity::{assignment, measure};
use sea_orm::{
    ActiveEnum, ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseConnection, EntityTrait,
    PaginatorTrait, QueryFilter,
};
use serde_json::{Value, json};

use crate::policy_cases;
use crate::support::allowed::allowed;
use crate::support::graph::Tables;
use crate::support::ledgers::{CITY_ROWS, ROUND, city};
use crate::support::people::{Person, Post, employ};
use crate::support::{PASSWORD, Server, World, block_on, stories};

stories!(
    whoever_acts_is_refused_what_belongs_to_others_and_hears_nothing_of_what_is_hidden,
    accounts_are_kept_by_administrators_and_everybody_keeps_their_own,
    once_somebody_has_an_account_nobody_comes_in_without_one,
);

/// Accounts of each role, placed so that siblings and measures of another province are hidden from them.
const POSTS: [Post; 12] = [
    (Role::RegionalOffice, None, Some("990000")),
    (Role::CityOffice, None, Some("990100")),
    (Role::CountyOffice, Some("白河县生态环境保护督察整改办"), None),
    (Role::LeadUnit, Some("云溪市生态环境局"), None),
    (Role::LeadUnit, Some("青坪县人民政府"), None),
    (Role::ResponsibleUnit, Some("白河县人民政府"), None),
    (Role::SupervisingUnit, Some("云溪市水利局"), None),
    (Role::Leader, None, Some("990121")),
    (Role::Leader, None, Some("990100")),
    (Role::Inspector, None, Some("990121")),
    (Role::Inspector, None, Some("990000")),
    (Role::Administrator, None, None),
];

/// Statements that add what the demo lacks: supervising units, a county that leads, and pending decisions on every
/// assignment.
const WORK: &[&str] = &[
    // Rounds of each level that an office of its own closes.
    "UPDATE inspection_round SET level = 'COUNTY' WHERE name LIKE '%省级%'",
    "UPDATE inspection_round SET level = 'PREFECTURE' WHERE name LIKE '%回头看%'",
    "UPDATE measure SET supervising_unit_id = (SELECT id FROM unit WHERE name = '云溪市水利局') WHERE id % 2 = 0",
    "UPDATE measure SET lead_unit_id = (SELECT id FROM unit WHERE name = '青坪县人民政府') WHERE id % 5 = 0",
    "INSERT INTO close_out (assignment_id, cycle, state, application, applied_at) SELECT id, 7, 'APPLIED', \
        '已完成', '2026-03-03T00:00:00+00:00' FROM assignment",
    "INSERT INTO objection (close_out_id, text, raised_at) SELECT id, '未到位', '2026-04-06T00:00:00+00:00' \
        FROM close_out WHERE assignment_id NOT IN (SELECT id FROM assignment WHERE status = 'PUBLICISED')",
    "INSERT INTO objection (close_out_id, text, raised_at, is_upheld, answer, decided_at) SELECT id, '未到位', \
        '2026-04-06T00:00:00+00:00', FALSE, '已核实', '2026-04-07T00:00:00+00:00' FROM close_out \
        WHERE assignment_id IN (SELECT id FROM assignment WHERE status = 'PUBLICISED')",
    "INSERT INTO evidence (assignment_id, name, media_type, size, sha256, place, uploaded_at) SELECT id, \
        '现场.jpg', 'image/jpeg', 1000, 'a', 'x', '2026-03-01T00:00:00+00:00' FROM assignment",
    "INSERT INTO unit (region_id, name, kind) SELECT id, '青坪经济开发区管理委员会', 'GOVERNMENT' FROM region \
        WHERE code = '990122'",
    "INSERT INTO deadline_change (measure_id, assignment_id, state, reason, old_raw, new_raw, new_due_on, \
        requested_at) SELECT measure_id, id, CASE WHEN measure_id % 2 = 0 THEN 'REQUESTED' ELSE 'REJECTED' END, \
        '雨季', '年底', '2036年', '2036-01-01', '2026-03-04T00:00:00+00:00' FROM assignment",
    "INSERT INTO supervision_action (measure_id, assignment_id, kind, state, reason, issued_at) \
        SELECT measure_id, id, CASE WHEN id % 2 = 0 THEN 'URGE' ELSE 'LIST' END, 'ISSUED', '逾期', \
        '2026-04-01T00:00:00+00:00' FROM assignment",
    "INSERT INTO supervision_action (measure_id, assignment_id, kind, state, reason, issued_at) \
        SELECT measure_id, id, 'LIST', 'PROPOSED', '逾期', '2026-04-02T00:00:00+00:00' FROM assignment",
    "INSERT INTO accountability (problem_id, round_id, region_id, rank, consequence, people, decided_on, \
        recorded_at, version, updated_at) SELECT id, round_id, region_id, 'BELOW', 'JUDICIAL', 2, '2026-01-01', \
        '2026-04-01T00:00:00+00:00', 1, '2026-04-01T00:00:00+00:00' FROM problem",
];

/// The level of the round that an assignment belongs to, and the relation of an account's unit to it.
#[derive(Debug, Clone, Copy)]
struct Standing {
    level: RoundLevel,
    answers: bool,
    leads: bool,
    supervises: bool,
}

/// The kind of object that a mutation acts on.
#[derive(Debug, Clone, Copy, PartialEq)]
enum About {
    Assignment,
    Measure,
    Objection,
    Extension,
    Supervision,
    Proposal,
}

/// The maximum number of assignments on which each person tries every mutation.
const MAX_ASSIGNMENTS: usize = 24;

/// A mutation: its name, the kind of object it acts on, and a function that returns its input without id and version.
type Deed = (&'static str, About, fn() -> Value);

const DEEDS: [Deed; 35] = [
    ("reportProgress", About::Assignment, || json!({"period": "2026-05", "text": "推进中"})),
    ("acceptAssignment", About::Assignment, || json!({})),
    ("declineAssignment", About::Assignment, || json!({"reason": "非我单位职责"})),
    ("assignMeasure", About::Measure, || json!({"hasSelectorsResolved": true})),
    ("proposeNotApplicable", About::Assignment, || json!({"reason": "辖区内没有"})),
    ("confirmNotApplicable", About::Assignment, || json!({})),
    ("rejectNotApplicable", About::Assignment, || json!({"reason": "辖区内有"})),
    ("recordCheck", About::Assignment, || json!({"kind": "SELF_INSPECTION", "result": "PASSED"})),
    ("recordCheck", About::Assignment, || json!({"kind": "VERIFICATION", "result": "PASSED"})),
    ("recordCheck", About::Assignment, || json!({"kind": "SPOT_CHECK", "result": "PASSED"})),
    ("recordCheck", About::Assignment, || json!({"kind": "SUPERVISION", "result": "PASSED"})),
    ("applyForCloseOut", About::Assignment, || json!({"application": "已完成"})),
    ("verifyCloseOut", About::Assignment, || json!({"opinion": "属实"})),
    ("returnCloseOut", About::Assignment, || json!({"reason": "不属实"})),
    ("publiciseCloseOut", About::Assignment, || json!({"text": "公示内容", "contact": "整改办"})),
    ("closeAssignment", About::Assignment, || json!({"decision": "同意"})),
    ("reopenAssignment", About::Assignment, || json!({"reason": "反弹了"})),
    ("raiseObjection", About::Assignment, || json!({"text": "有异味"})),
    ("decideObjection", About::Objection, || json!({"isUpheld": false, "answer": "已核实"})),
    ("discloseCloseOut", About::Assignment, || json!({"isPublic": false})),
    ("requestExtension", About::Assignment, || json!({"newDueOn": "2031-01-01", "reason": "雨季"})),
    ("decideExtension", About::Extension, || json!({"decision": "APPROVE", "words": "同意"})),
    ("decideExtension", About::Extension, || json!({"decision": "ENDORSE", "words": "同意"})),
    ("decideExtension", About::Extension, || json!({"decision": "APPROVE", "words": "批准"})),
    ("decideExtension", About::Extension, || json!({"decision": "REJECT", "words": "不同意"})),
    ("issueSupervision", About::Assignment, || json!({"kind": "URGE", "reason": "逾期"})),
    ("issueSupervision", About::Assignment, || json!({"kind": "SUPERVISE", "reason": "逾期"})),
    ("issueSupervision", About::Assignment, || json!({"kind": "LIST", "reason": "逾期"})),
    ("issueSupervision", About::Assignment, || json!({"kind": "YELLOW_CARD", "reason": "逾期"})),
    ("issueSupervision", About::Assignment, || json!({"kind": "RED_CARD", "reason": "逾期"})),
    ("issueSupervision", About::Assignment, || json!({"kind": "SUMMON", "reason": "逾期"})),
    ("liftSupervision", About::Supervision, || json!({"reason": "已办"})),
    ("decideSupervision", About::Proposal, || json!({"isAdopted": true, "reason": "逾期"})),
    ("decideSupervision", About::Proposal, || json!({"isAdopted": false, "reason": "已办"})),
    ("commentOnMeasure", About::Measure, || json!({"text": "请加快"})),
];

/// Mutations of accounts and sessions, covered by the stories below unless a comment names another module.
const OF_ACCOUNTS: &[&str] = &[
    "signIn",
    // Covered by `provider`.
    "signInWithCode",
    "signInAsDemo",
    "signOut",
    "revokeSession",
    "createToken",
    "createAccount",
    "setAccountDisabled",
    "setPassword",
    // Covered by `people`.
    "createFirstAccount",
    "requestPasswordReset",
    "setPasswordWithLink",
    "enrolSecondFactor",
    "confirmSecondFactor",
    "removeSecondFactor",
    "updateAccount",
    "inviteAccount",
    "exportAccount",
    "eraseAccount",
    // Covered by `delegation`.
    "delegate",
    "revokeDelegation",
    "actFor",
    // Covered by `own_mail`.
    "acknowledgeMail",
    "setMailMuted",
    "createCalendar",
    "suppressAddress",
    "liftSuppression",
    "reportBounce",
];

/// Mutations that keep the ledger, covered by `keep`, `runJob`, covered by `desk`, and those on pending imports,
/// covered by `pending_import`; that on the rules of reminders, covered by `rules`; those on remembered decisions,
/// covered by `decisions`; and `eraseLeader`, covered by `leaders`.
const OF_KEEPING: [&str; 56] = [
    "setReminderRule",
    "decideImport",
    "runImport",
    "discardImport",
    "changeImportDecision",
    "forgetImportDecision",
    "takeOverImportDecisions",
    "eraseLeader",
    "editSchedule",
    "runJob",
    "requeueMail",
    // Covered by `administration`.
    "requeueMails",
    // Covered by `batches`.
    "assignMeasures",
    "verifyCloseOuts",
    "issueSupervisions",
    "closeAssignments",
    // Covered by `saved_views`.
    "saveView",
    "deleteView",
    "cancelMail",
    // Covered by `webhooks`.
    "createWebhook",
    "editWebhook",
    "deleteWebhook",
    "rotateWebhookSecret",
    "testWebhook",
    "resendDelivery",
    // Covered by `calendars`.
    "setCalendarDay",
    "createRound",
    "editRound",
    "mergeRounds",
    "deleteRound",
    "recordRoundResult",
    "correctRoundResult",
    "withdrawRoundResult",
    "recordPublishedFigure",
    "correctPublishedFigure",
    "withdrawPublishedFigure",
    "createProblem",
    "editProblem",
    "retireProblem",
    "mergeProblems",
    "deleteProblem",
    "createMeasure",
    "editMeasure",
    "changeDeadline",
    "planChecks",
    "mergeMeasures",
    "retireMeasure",
    "deleteMeasure",
    "createRegion",
    "editRegion",
    "mergeRegions",
    "retireRegion",
    "createUnit",
    "editUnit",
    "mergeUnits",
    "retireUnit",
];

/// Checks whether a role may execute a mutation on a visible assignment, following the table of roles in the domain's
/// description. `there` is the kind of the existing supervision, or the state of the existing extension.
/// What an office may do to what a round of a level found.
pub(crate) struct Authority {
    /// It stands above those who submit.
    pub(crate) above: bool,
    /// It keeps the ledger and decides on deadlines.
    pub(crate) keeps: bool,
    /// It closes.
    pub(crate) closes: bool,
}

impl Authority {
    pub(crate) fn of(role: Role, level: RoundLevel) -> Self {
        let offices = [Role::RegionalOffice, Role::CityOffice, Role::CountyOffice];
        let (closing, judging) = match level {
            RoundLevel::Central | RoundLevel::RegionalBureau | RoundLevel::Province => (0, 1),
            RoundLevel::Prefecture => (1, 1),
            RoundLevel::County => (2, 2),
        };
        Self {
            above: offices[..=judging].contains(&role),
            keeps: offices[..=closing].contains(&role),
            closes: role == offices[closing],
        }
    }
}

fn does(role: Role, name: &str, input: &Value, standing: Standing, there: &str) -> bool {
    let regional = role == Role::RegionalOffice;
    let Authority { above, keeps, closes } = Authority::of(role, standing.level);
    let answering = [Role::ResponsibleUnit, Role::LeadUnit].contains(&role) && standing.answers;
    let leading = role == Role::LeadUnit && standing.leads;
    let supervising = role == Role::SupervisingUnit && standing.supervises;
    let county = role == Role::CountyOffice;
    let which = input["kind"].as_str().or(input["decision"].as_str()).unwrap_or_default();
    match name {
        "reportProgress" | "proposeNotApplicable" => answering,
        "acceptAssignment" | "declineAssignment" | "applyForCloseOut" | "requestExtension" => answering || county,
        "recordCheck" if which == "SELF_INSPECTION" => county || (role == Role::ResponsibleUnit && standing.answers),
        "recordCheck" if which == "SPOT_CHECK" => regional,
        "recordCheck" if which == "SUPERVISION" => supervising,
        "publiciseCloseOut" | "raiseObjection" => leading || above,
        // Once the city office has endorsed an extension, only the regional office can reject it.
        "decideExtension" if which == "APPROVE" || (which == "REJECT" && there == "ENDORSED") => keeps,
        "issueSupervision" if which == "URGE" => supervising || county || above,
        "liftSupervision" if there == "URGE" => supervising || county || above,
        "commentOnMeasure" => role == Role::Leader || leading || supervising || regional || role == Role::CityOffice,
        "closeAssignment" | "reopenAssignment" | "discloseCloseOut" => closes,
        "assignMeasure"
        | "confirmNotApplicable"
        | "rejectNotApplicable"
        | "recordCheck"
        | "verifyCloseOut"
        | "returnCloseOut"
        | "decideObjection"
        | "decideExtension"
        | "issueSupervision"
        | "decideSupervision"
        | "liftSupervision" => above,
        other => panic!("{other} is not in the table of who does what"),
    }
}

/// The ledger of the small demo and a county of another province, with accounts of every role.
pub(crate) struct Scene {
    pub(crate) server: Server,
    pub(crate) people: Vec<Person>,
    pub(crate) tables: Tables,
    pub(crate) db: DatabaseConnection,
    pub(crate) runtime: tokio::runtime::Runtime,
}

impl Scene {
    pub(crate) fn of(world: &World) -> Self {
        world.file("rectify.toml", b"max_requests_per_minute = 0\n");
        world.done(&["demo"]);
        let county = world.file("县.xlsx", &city(&CITY_ROWS));
        let of = ["--round", ROUND, "--region", "540329", "--issued-by", "540300", "--create-units"];
        world.done(&[&["import", county.as_str()], of.as_slice()].concat());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (db, people, tables) = runtime.block_on(async {
            let db = world.db().await;
            for statement in WORK {
                db.execute_unprepared(statement).await.unwrap_or_else(|why| panic!("{statement}: {why}"));
            }
            let people = employ(&db, &POSTS).await;
            let tables = Tables::read(&db, NaiveDate::default()).await;
            (db, people, tables)
        });
        Self { server: world.serve(), people, tables, db, runtime }
    }

    /// Restores the state of an assignment.
    fn restore(&self, answer: &assignment::Model) {
        let was = assignment::ActiveModel {
            id: Set(answer.id),
            status: Set(answer.status),
            completed_on: Set(answer.completed_on),
            accepted_at: Set(answer.accepted_at),
            declined_at: Set(answer.declined_at),
            ..Default::default()
        };
        self.runtime.block_on(was.update(&self.db)).unwrap();
    }

    /// Returns the number of audit entries about acts. Denials, which have entries as well, are not counted.
    pub(crate) fn audited(&self) -> u64 {
        let done = || entity::audit_entry::Entity::find().filter(entity::audit_entry::Column::Act.ne("DENIED"));
        self.runtime.block_on(async { done().count(&self.db).await.unwrap() })
    }

    /// Executes a mutation as a person; returns the errors of its payload, and the number of SQL statements.
    pub(crate) fn act(&self, person: &Person, name: &str, input: &Value) -> (Value, u64) {
        let before = self.server.statements();
        let answer = self.ask(person, &json!({"query": deed(name), "variables": {"input": input}}));
        let errors = answer["data"][name]["errors"].clone();
        assert!(errors.is_array(), "{person:?} {name} {input}: {answer}");
        (errors, self.server.statements() - before)
    }

    pub(crate) fn ask(&self, person: &Person, request: &Value) -> Value {
        self.server.ask(request, &[("authorization", person.bearer.as_str())]).json()
    }
}

/// Returns the document of a mutation with one input, selecting its errors.
fn deed(name: &str) -> String {
    let ty = input_of(name);
    format!("mutation($input: {ty}!) {{ {name}(input: $input) {{ errors {{ code message path }} }} }}")
}

/// Returns the name of a mutation's input type.
pub(crate) fn input_of(name: &str) -> String {
    format!("{}{}Input", name[..1].to_uppercase(), &name[1..])
}

/// Completes an input with the id of the object of an assignment and its current version.
fn input(scene: &Scene, about: About, answer: &assignment::Model, further: &Value) -> Value {
    let tables = &scene.tables;
    let mut input = further.clone();
    let mut put = |name: &str, value: Value| drop(input.as_object_mut().unwrap().insert(name.to_owned(), value));
    match about {
        About::Assignment => {
            let found = assignment::Entity::find_by_id(answer.id).one(&scene.db);
            let version = scene.runtime.block_on(found).unwrap().unwrap().version;
            put("assignmentId", json!(format!("assignment_{}", answer.id)));
            put("version", json!(version));
        }
        About::Measure => {
            let found = measure::Entity::find_by_id(answer.measure_id).one(&scene.db);
            let version = scene.runtime.block_on(found).unwrap().unwrap().version;
            put("measureId", json!(format!("measure_{}", answer.measure_id)));
            put("version", json!(version));
        }
        About::Objection => {
            let cycle = tables.close_outs.iter().find(|cycle| cycle.assignment_id == answer.id).unwrap().id;
            let objection = tables.objections.iter().find(|objection| objection.close_out_id == cycle).unwrap().id;
            put("objectionId", json!(format!("objection_{objection}")));
        }
        About::Extension => {
            let asked = tables.extensions.iter().find(|asked| asked.assignment_id == Some(answer.id)).unwrap().id;
            put("extensionId", json!(format!("extension_{asked}")));
        }
        About::Supervision | About::Proposal => {
            put("actionId", json!(format!("supervision_{}", supervision(tables, about, answer).id)));
        }
    }
    input
}

/// Returns the supervision action of an assignment that is in force, or proposed.
fn supervision<'t>(tables: &'t Tables, about: About, answer: &assignment::Model) -> &'t supervision_action::Model {
    let state = if about == About::Proposal { SupervisionState::Proposed } else { SupervisionState::Issued };
    let mut all = tables.supervision.iter();
    all.find(|action| action.assignment_id == Some(answer.id) && action.state == state).unwrap()
}

/// Returns a copy of an input with an id that does not exist.
fn made_up(about: About, input: &Value) -> Value {
    let mut input = input.clone();
    let (name, id) = match about {
        About::Assignment => ("assignmentId", "assignment_999999"),
        About::Measure => ("measureId", "measure_999999"),
        About::Objection => ("objectionId", "objection_999999"),
        About::Extension => ("extensionId", "extension_999999"),
        About::Supervision | About::Proposal => ("actionId", "supervision_999999"),
    };
    input[name] = json!(id);
    input
}

/// Removes the version from the input of a mutation that takes none.
fn without_version(name: &str, mut input: Value) -> Value {
    if ["recordCheck", "raiseObjection", "discloseCloseOut", "requestExtension", "issueSupervision", "commentOnMeasure"]
        .contains(&name)
    {
        input.as_object_mut().unwrap().remove("version");
    }
    input
}

fn whoever_acts_is_refused_what_belongs_to_others_and_hears_nothing_of_what_is_hidden(world: &World) {
    let scene = Scene::of(world);
    let tables = &scene.tables;
    let (mut done, mut refused, mut hidden) = (BTreeSet::new(), 0, 0);
    for person in &scene.people {
        let left = allowed(tables, person.account);
        let unit = tables.accounts.iter().find(|account| account.id == person.account).unwrap().unit_id;
        let standing = |answer: &assignment::Model| {
            let measure = tables.measures.iter().find(|measure| measure.id == answer.measure_id).unwrap();
            Standing {
                level: tables.rounds.iter().find(|round| round.id == measure.round_id).unwrap().level,
                answers: unit == Some(answer.unit_id),
                leads: unit.is_some() && unit == measure.lead_unit_id,
                supervises: unit.is_some() && unit == measure.supervising_unit_id,
            }
        };
        // One assignment of each standing in each state, and a hidden one, if possible of a visible measure.
        let mut seen: Vec<&assignment::Model> = Vec::new();
        let mut kinds = BTreeSet::new();
        for answer in &left.assignments {
            let Standing { level, answers, leads, supervises } = standing(answer);
            if kinds.insert((level.to_value(), answers, leads, supervises, answer.status.to_value())) {
                seen.push(answer);
            }
        }
        seen.truncate(MAX_ASSIGNMENTS);
        let measures: BTreeSet<i64> = left.measures.iter().map(|measure| measure.id).collect();
        let is_hidden = |answer: &&assignment::Model| left.assignments.iter().all(|other| other.id != answer.id);
        let mut siblings: Vec<&assignment::Model> = tables.assignments.iter().filter(is_hidden).collect();
        siblings.sort_by_key(|answer| !measures.contains(&answer.measure_id));
        let stranger = tables.assignments.iter().find(|answer| !measures.contains(&answer.measure_id));
        assert!(seen.is_empty() == (person.role == Role::Administrator), "{person:?} sees {}", seen.len());
        for (name, about, further) in DEEDS {
            let further = further();
            let target = if about == About::Measure { stranger } else { siblings.first().copied() };
            let target = target.unwrap_or_else(|| panic!("nothing is hidden from {person:?}"));
            let before = scene.audited();
            let given = without_version(name, input(&scene, about, target, &further));
            // The first request only puts the document into the server's cache, so that both others take the same path.
            scene.act(person, name, &made_up(about, &given));
            let nothing = scene.act(person, name, &made_up(about, &given));
            let secret = scene.act(person, name, &given);
            assert_eq!(secret, nothing, "{person:?} {name} {given}");
            assert_eq!(secret.0[0]["code"], "NOT_FOUND", "{person:?} {name} {given}: {secret:?}");
            assert_eq!(scene.audited(), before, "{person:?} {name} {given}");
            hidden += 1;
            for answer in &seen {
                let before = scene.audited();
                let given = without_version(name, input(&scene, about, answer, &further));
                let about_it = match about {
                    About::Supervision => supervision(tables, about, answer).kind.to_value(),
                    About::Extension => {
                        let of = tables.extensions.iter().find(|one| one.assignment_id == Some(answer.id)).unwrap();
                        let found = entity::deadline_change::Entity::find_by_id(of.id).one(&scene.db);
                        scene.runtime.block_on(found).unwrap().unwrap().state.to_value()
                    }
                    _ => String::new(),
                };
                let may = does(person.role, name, &further, standing(answer), &about_it);
                let (errors, _) = scene.act(person, name, &given);
                let codes: BTreeSet<&str> =
                    errors.as_array().unwrap().iter().map(|error| error["code"].as_str().unwrap()).collect();
                let what = || format!("{person:?} {name} {given} {:?} {about_it}: {errors}", standing(answer));
                let written = scene.audited() - before;
                if !may {
                    assert_eq!(codes, BTreeSet::from(["NOT_ALLOWED"]), "{}", what());
                    refused += 1;
                }
                if codes.is_empty() {
                    // Assigning writes an entry for the measure and one for each assignment.
                    assert!(written == 1 || (name == "assignMeasure" && written > 1), "{written} {}", what());
                    done.insert(name);
                    scene.restore(answer);
                } else {
                    assert_eq!(written, 0, "{}", what());
                    let by_state = BTreeSet::from(["WRONG_STATE", "CONFLICT", "INVALID"]);
                    assert!(!may || codes.is_subset(&by_state), "{}", what());
                }
            }
        }
    }
    for person in &scene.people {
        let query = "{ auditEntries(first: 200, filter: {act: {eq: \"ASSIGNED\"}}) { nodes { objectId after \
            assignment { id } } } }";
        let entries = scene.ask(person, &json!({"query": query}))["data"]["auditEntries"]["nodes"].clone();
        for entry in entries.as_array().unwrap() {
            // The units are named in the entries of the assignments, not of the measure, which other counties see.
            assert!(entry["assignment"]["id"] == entry["objectId"] || entry["after"] == "{}", "{person:?} {entry}");
        }
    }
    let all: BTreeSet<&str> = DEEDS.iter().map(|(name, ..)| *name).collect();
    assert_eq!(done, all, "each mutation must succeed for some person");
    assert!(refused > 1_000 && hidden == DEEDS.len() * scene.people.len(), "{refused} {hidden}");
}

fn accounts_are_kept_by_administrators_and_everybody_keeps_their_own(world: &World) {
    let scene = Scene::of(world);
    let listed = DEEDS
        .iter()
        .map(|(name, ..)| *name)
        .chain(OF_ACCOUNTS.iter().copied())
        .chain(OF_KEEPING)
        .chain(policy_cases::names());
    let listed: BTreeSet<String> = listed.map(str::to_owned).collect();
    let known: BTreeSet<String> = fields("Mutation").into_iter().map(|field| field.name.node.to_string()).collect();
    assert_eq!(listed, known, "every mutation must be in one of the lists of this story");
    // A session that others try to end, and the account that they try to change.
    let victim = scene.people.iter().find(|person| person.role == Role::ResponsibleUnit).unwrap();
    let token = "mutation($account: ID) { createToken(input: {accountId: $account, name: \"集成\"}) { token \
        errors { code message path } } }";
    let revoke = "mutation($session: ID!) { revokeSession(input: {sessionId: $session}) { isEnded \
        errors { code message path } } }";
    let disable = "mutation($account: ID!) { setAccountDisabled(input: {accountId: $account, \
        isDisabled: false}) { errors { code message path } } }";
    let password = "mutation($account: ID) { setPassword(input: {accountId: $account, password: \"another long \
        password\", currentPassword: \"correct horse battery\"}) { errors { code message path } } }";
    let create = "mutation { createAccount(input: {email: \"x\", name: \"某某\", role: LEADER}) { \
        errors { code message path } } }";
    let own = "{ sessions { nodes { id } } }";
    let said = |person: &Person, query: &str, variables: Value| {
        let before = scene.server.statements();
        let answer = scene.ask(person, &json!({"query": query, "variables": variables}));
        let payload = answer["data"].as_object().unwrap_or_else(|| panic!("{answer}")).values().next().unwrap().clone();
        (payload, scene.server.statements() - before)
    };
    let session = said(victim, own, json!({})).0["nodes"][0]["id"].clone();
    // The path of an error begins with the argument and names the member at fault.
    let short = "mutation { setPassword(input: {password: \"short\"}) { errors { path } } }";
    assert_eq!(said(victim, short, json!({})).0["errors"][0]["path"], json!(["input", "password"]));
    let account = format!("account_{}", victim.account);
    let others = scene.people.iter().filter(|person| person.account != victim.account);
    for person in others.filter(|person| person.role != Role::Administrator) {
        let before = scene.audited();
        for (query, name, real) in [
            (token, "account", json!(account)),
            (revoke, "session", session.clone()),
            (disable, "account", json!(account)),
            (password, "account", json!(account)),
        ] {
            let unknown = json!({name: real.as_str().unwrap().split('_').next().unwrap().to_owned() + "_999999"});
            said(person, query, unknown.clone());
            let nothing = said(person, query, unknown);
            let secret = said(person, query, json!({name: real}));
            assert_eq!(secret, nothing, "{person:?} {query}");
            let code = if query == disable { "NOT_ALLOWED" } else { "NOT_FOUND" };
            assert_eq!(secret.0["errors"][0]["code"], code, "{person:?} {query}");
        }
        assert_eq!(said(person, create, json!({})).0["errors"][0]["code"], "NOT_ALLOWED", "{person:?}");
        assert_eq!(scene.audited(), before, "{person:?}");
        // A person can create and revoke tokens of their own.
        let made = said(person, token, json!({})).0;
        assert!(made["token"].is_string(), "{person:?} {made}");
        let sessions = said(person, own, json!({})).0["nodes"].clone();
        assert_eq!(sessions.as_array().unwrap().len(), 2, "{person:?} {sessions}");
        let ended = said(person, revoke, json!({"session": sessions[0]["id"]})).0;
        assert_eq!(ended, json!({"isEnded": true, "errors": []}), "{person:?}");
        assert_eq!(scene.audited(), before + 2, "{person:?}");
    }
    // A read-only token cannot execute mutations, whatever its owner may do.
    let office = &scene.people[0];
    let reading = "mutation { createToken(input: {name: \"只读\", isReadOnly: true}) { token } }";
    let made = said(office, reading, json!({})).0["token"].as_str().unwrap().to_owned();
    let reader = Person { bearer: format!("Bearer {made}"), ..office.clone() };
    let before = scene.audited();
    let answer = &allowed(&scene.tables, office.account).assignments[0];
    for (name, about, further) in DEEDS {
        let given = without_version(name, input(&scene, about, answer, &further()));
        let request = json!({"query": deed(name), "variables": {"input": given}});
        let answer = scene.ask(&reader, &request);
        assert_eq!(answer["errors"][0]["extensions"]["code"], "FORBIDDEN", "{name} {given}: {answer}");
    }
    for own in [token, password, revoke] {
        let answer = scene.ask(&reader, &json!({"query": own, "variables": {"session": "session_1"}}));
        assert_eq!(answer["errors"][0]["extensions"]["code"], "FORBIDDEN", "{own}: {answer}");
    }
    assert_eq!(scene.audited(), before);
    // Signing in needs no rights. Only demo accounts can be signed in to without a password, and only on this machine.
    let wrong = "mutation { signIn(input: {email: \"person1@demo.example\", password: \"wrong password\"}) { \
        token errors { code } } }";
    let demo = "mutation($account: ID!) { signInAsDemo(accountId: $account) { token errors { code } } }";
    assert_eq!(said(victim, wrong, json!({})).0, json!({"token": null, "errors": [{"code": "SIGN_IN_FAILED"}]}));
    let refused = said(victim, demo, json!({"account": "account_999999"})).0;
    assert_eq!(refused, json!({"token": null, "errors": [{"code": "NOT_FOUND"}]}));
    assert!(said(victim, demo, json!({"account": account})).0["token"].is_string());
    // The administrator confirms with their own password when they set another.
    let keeper = scene.people.iter().find(|person| person.role == Role::Administrator).unwrap();
    let email =
        format!("person{}@demo.example", scene.people.iter().position(|one| one.account == keeper.account).unwrap());
    world.done_with(&["account", "password", &email], &format!("{PASSWORD}\n"));
    let keeper = &Person { bearer: format!("Bearer {}", scene.server.sign_in(&email)), ..keeper.clone() };
    let before = scene.audited();
    assert!(said(keeper, token, json!({"account": account})).0["token"].is_string());
    assert_eq!(said(keeper, disable, json!({"account": account})).0, json!({"errors": []}));
    assert_eq!(said(keeper, create, json!({})).0["errors"][0]["code"], "INVALID");
    assert_eq!(said(keeper, revoke, json!({"session": session})).0, json!({"isEnded": true, "errors": []}));
    assert_eq!(scene.audited(), before + 3);
    let over = scene.server.ask(&json!({"query": own}), &[("authorization", victim.bearer.as_str())]);
    assert_eq!((over.status, over.code().as_str()), (401, "UNAUTHENTICATED"));
    assert_eq!(said(keeper, password, json!({"account": account})).0, json!({"errors": []}));
    let ended = "mutation { signOut { isEnded } }";
    assert_eq!(said(keeper, ended, json!({})).0, json!({"isEnded": true}));
    assert_eq!(scene.audited(), before + 5);
}

fn once_somebody_has_an_account_nobody_comes_in_without_one(world: &World) {
    world.file("rectify.toml", b"max_requests_per_minute = 0\n");
    world.done(&["demo"]);
    let (server, clock) = world.serve_under_clock("2026-10-13T09:00");
    assert!(server.data("{ problems { totalCount } }", &json!({}))["problems"]["totalCount"].as_u64() > Some(0));
    block_on(async {
        let db = world.db().await;
        let first = "INSERT INTO account (name, email, role, created_at, is_demo) \
            VALUES ('某某', 'a@b.example', 'ADMINISTRATOR', '2026-01-02T03:04:05+00:00', FALSE)";
        db.execute_unprepared(first).await.unwrap();
    });
    // The gate caches for a second whether the installation is open.
    clock.set("2026-10-13T09:01");
    let public = [
        "signIn",
        "signInAsDemo",
        "signInProvider",
        "signInWithCode",
        "createFirstAccount",
        "requestPasswordReset",
        "setPasswordWithLink",
        "installation",
        "demoAccounts",
        "notices",
        "publicNotices",
        "mailLink",
        "acknowledgeMail",
        "mailSubscription",
    ];
    for (root, operation) in [("Query", "query"), ("Mutation", "mutation"), ("Subscription", "subscription")] {
        for field in fields(root) {
            let name = field.name.node.as_str();
            let document = format!("{operation} {{ {} }}", example(&field));
            let answer = server.ask(&json!({"query": document}), &[]);
            if public.contains(&name) {
                // The token of the example is that of no link.
                let code = if name == "mailLink" { "BAD_USER_INPUT" } else { "" };
                assert_eq!((answer.status, answer.code().as_str()), (200, code), "{document}: {}", answer.body);
                let both = format!("{operation} {{ {} other: {} }}", example(&field), example(&fields(root)[0]));
                let answer = server.ask(&json!({"query": both}), &[]);
                assert_eq!(
                    (answer.status, answer.code().as_str()),
                    (401, "UNAUTHENTICATED"),
                    "{both}: {}",
                    answer.body
                );
            } else {
                let said = (answer.status, answer.code());
                assert_eq!((said.0, said.1.as_str()), (401, "UNAUTHENTICATED"), "{document}: {}", answer.body);
                assert!(answer.json().get("data").is_none_or(Value::is_null), "{document}: {}", answer.body);
            }
        }
    }
}

/// Returns the fields of an object type of the schema.
fn fields(ty: &str) -> Vec<FieldDefinition> {
    let definitions = parse_schema(api::sdl()).unwrap().definitions;
    let found = definitions.into_iter().find_map(|definition| match definition {
        TypeSystemDefinition::Type(definition) if definition.node.name.node == ty => match definition.node.kind {
            TypeKind::Object(object) => Some(object.fields.into_iter().map(|field| field.node).collect()),
            _ => None,
        },
        _ => None,
    });
    found.unwrap()
}

/// Returns a selection of a field with its required arguments, selecting `__typename`.
fn example(field: &FieldDefinition) -> String {
    let needed = field.arguments.iter().filter(|one| !one.node.ty.node.nullable && one.node.default_value.is_none());
    let given: Vec<String> =
        needed.map(|one| format!("{}: {}", one.node.name.node, value(&one.node.ty.node))).collect();
    let arguments = if given.is_empty() { String::new() } else { format!("({})", given.join(", ")) };
    format!("{}{arguments} {{ __typename }}", field.name.node)
}

/// Returns a literal of a type.
fn value(ty: &Type) -> String {
    let name = match &ty.base {
        BaseType::List(_) => return "[]".to_owned(),
        BaseType::Named(name) => name.as_str(),
    };
    match name {
        "Int" | "Float" => return "1".to_owned(),
        "Boolean" => return "true".to_owned(),
        "ID" | "String" => return "\"x\"".to_owned(),
        "Date" => return "\"2026-01-01\"".to_owned(),
        "DateTime" => return "\"2026-01-01T00:00:00Z\"".to_owned(),
        _ => {}
    }
    let definitions = parse_schema(api::sdl()).unwrap().definitions;
    let found = definitions.into_iter().find_map(|definition| match definition {
        TypeSystemDefinition::Type(definition) if definition.node.name.node == name => Some(definition.node.kind),
        _ => None,
    });
    match found.unwrap() {
        TypeKind::Enum(listed) => listed.values[0].node.value.node.to_string(),
        TypeKind::InputObject(input) => {
            let members =
                input.fields.iter().filter(|one| !one.node.ty.node.nullable && one.node.default_value.is_none());
            let members = members.map(|one| format!("{}: {}", one.node.name.node, value(&one.node.ty.node)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
        }
        other => panic!("{name} is {other:?}"),
    }
}
