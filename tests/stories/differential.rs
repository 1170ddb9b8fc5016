//! Compares the planner with a naive interpreter: both must give the same answers to random valid operations.
//! `RECTIFY_TEST_SEED` selects other operations, `RECTIFY_TEST_OPERATIONS` sets their number.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Display;
use std::str::FromStr;

use entity::account::Role;
use fastrand::Rng;
use ledger::statistics::{Figures, Item};
use sea_orm::{ActiveEnum, ConnectionTrait};
use serde_json::{Value, json};

use crate::support::allowed::allowed;
use crate::support::graph::{Graph, Tables};
use crate::support::interpreter::{Cursors, answer, compare};
use crate::support::ledgers::{CITY_ROWS, ROUND, city, province};
use crate::support::operations::{Operation, Operations};
use crate::support::own;
use crate::support::people::{OVERSEERS, Person, Post, employ};
use crate::support::{Server, World, block_on, stories};

stories!(
    random_operations_are_answered_as_a_naive_reading_answers_them,
    whoever_asks_is_answered_as_if_nothing_else_existed,
    figures_are_those_of_the_rows_that_one_sees,
);

/// Statements that add variety which the demo lacks: repeated names and moments, missing numbers, people, manual paces.
const VARIETY: [&str; 15] = [
    "UPDATE problem SET looks_back_at_id = id - 1 WHERE id % 3 = 0 AND id < 24",
    "UPDATE problem SET looks_back_at_id = 1 WHERE id IN (6, 9)",
    "UPDATE measure SET number = NULL WHERE id % 7 = 0",
    "UPDATE problem SET number = NULL WHERE id % 5 = 0",
    "UPDATE problem SET rated_progress = 'Level A: 基本完成' WHERE id % 4 = 1",
    "UPDATE measure SET supervising_unit_id = lead_unit_id WHERE id % 3 = 0",
    "UPDATE measure SET lead_unit_id = (SELECT max(u.id) FROM unit u JOIN region r ON r.id = u.region_id \
        WHERE r.code = '540300') WHERE id % 17 = 0",
    "UPDATE measure SET pace_override = 'AHEAD' WHERE id % 11 = 0",
    "UPDATE measure SET updated_at = '2026-01-02T03:04:05+00:00' WHERE id % 3 = 1",
    "UPDATE problem SET updated_at = '2026-01-02T03:04:05.120+00:00' WHERE id % 3 = 1",
    "UPDATE assignment SET updated_at = '2026-01-02T03:04:05.123456+00:00' WHERE id % 5 = 1",
    "INSERT INTO unit (region_id, name, kind, sector) SELECT 3, name, kind, sector FROM unit WHERE id < 3",
    "INSERT INTO unit (region_id, name, kind) SELECT id, name || '委', 'PARTY_COMMITTEE' FROM region \
        WHERE code = '990121'",
    "INSERT INTO unit_alias (unit_id, alias) VALUES (1, '县府'), (1, '人民政府'), (2, 'EPB')",
    "INSERT INTO account (name, email, created_at, is_demo) VALUES ('演示填报人', 'reporter@demo.example', \
        '2026-01-02T03:04:05+00:00', TRUE)",
];

/// The accounts that read: each role, mostly twice, so that there are siblings and levels, and units that lead, answer
/// and supervise at the same time.
const POSTS: [Post; 20] = [
    (Role::Administrator, None, None),
    (Role::RegionalOffice, Some("云川省生态环境保护督察整改办"), None),
    (Role::RegionalOffice, None, Some("540000")),
    (Role::CityOffice, Some("云溪市生态环境保护督察整改办"), None),
    (Role::CityOffice, None, Some("540300")),
    (Role::CountyOffice, Some("白河县生态环境保护督察整改办"), None),
    (Role::CountyOffice, Some("青坪县生态环境保护督察整改办"), None),
    (Role::CountyOffice, None, Some("540329")),
    (Role::LeadUnit, Some("云溪市生态环境局"), None),
    (Role::LeadUnit, Some("云溪市水利局"), Some("990122")),
    (Role::LeadUnit, Some("白河县人民政府"), None),
    (Role::ResponsibleUnit, Some("白河县人民政府"), None),
    (Role::ResponsibleUnit, Some("白河县委"), None),
    (Role::ResponsibleUnit, Some("青坪县人民政府"), Some("990123")),
    (Role::SupervisingUnit, Some("云溪市水利局"), None),
    (Role::SupervisingUnit, Some("云溪市林业和草原局"), None),
    (Role::Leader, None, Some("990100")),
    (Role::Leader, Some("东岭县人民政府"), None),
    (Role::Inspector, None, Some("990000")),
    (Role::Inspector, None, Some("990123")),
];

/// Statements that add the rows of finished work, with their authors.
const WORK: &[&str] = &[
    "INSERT INTO check_plan (measure_id, kind, every) SELECT id, CASE WHEN id % 2 = 0 THEN 'SELF_INSPECTION' \
        ELSE 'SPOT_CHECK' END, 'HALF_YEAR' FROM measure WHERE id % 3 = 0",
    "UPDATE unit SET retired_on = '2026-05-01', merged_into_id = (SELECT min(id) FROM unit), version = 2 \
        WHERE name LIKE '%林业和草原局' AND id NOT IN (SELECT unit_id FROM assignment)",
    "UPDATE region SET retired_on = '2026-06-01', merged_into_id = id - 1, version = 3 WHERE code = '990123'",
    "UPDATE progress_report SET author_id = id % 20 + 1 WHERE id % 4 = 0",
    // Extensions of single answers.
    "UPDATE assignment SET due_on = '2027-03-31', due_by = '2027-03-31' WHERE id % 5 = 1 AND due_on < '2027-01-01'",
    "UPDATE measure SET due_on = coalesce((SELECT max(a.due_on) FROM assignment a WHERE a.measure_id = measure.id), \
        due_on), due_by = coalesce((SELECT max(a.due_by) FROM assignment a WHERE a.measure_id = measure.id), due_by)",
    "UPDATE measure_region SET due_order = (SELECT coalesce(m.due_on, '9999-12-31') FROM measure m \
        WHERE m.id = measure_region.measure_id)",
    // Between accounts that otherwise see each other, and between accounts that do not.
    "INSERT INTO delegation (account_id, delegate_id, reason, begins_at, ends_at, created_at, revoked_at) \
        SELECT id, id % 7 + 1, '出差', '2026-02-01T00:00:00+00:00', '2026-02-20T00:00:00+00:00', \
        '2026-02-01T00:00:00+00:00', CASE WHEN id % 2 = 0 THEN created_at END FROM account WHERE id <> id % 7 + 1",
    "UPDATE assignment SET accepted_at = '2026-02-01T00:00:00+00:00' WHERE id % 2 = 0",
    "UPDATE assignment SET declined_at = '2026-02-02T00:00:00+00:00', decline_reason = '非我单位职责' \
        WHERE id % 13 = 0",
    "INSERT INTO evidence (assignment_id, uploader_id, name, media_type, size, sha256, place, uploaded_at) \
        SELECT id, id % 21 + 1, '现场' || id || '.jpg', 'image/jpeg', id * 1000, 'a' || id % 4, 'x', \
        '2026-03-01T00:00:00+00:00' FROM assignment WHERE id % 2 = 0",
    "INSERT INTO evidence (assignment_id, name, media_type, size, sha256, place, uploaded_at) SELECT id, \
        'Report.PDF', 'application/pdf', 5000000000, 'b' || id, 'x', '2026-03-02T00:00:00.500+00:00' FROM assignment \
        WHERE id % 3 = 0",
    "INSERT INTO close_out (assignment_id, cycle, state, application, applicant_id, applied_at) SELECT id, 7, \
        'APPLIED', '已完成', id % 21 + 1, '2026-03-03T00:00:00+00:00' FROM assignment WHERE id % 3 = 0",
    "INSERT INTO close_out (assignment_id, cycle, state, application, applied_at, opinion, verifier_id, \
        verified_at, notice, contact, notice_from, notice_until, decision, closed_on, disclosed_at) SELECT id, 2, \
        'CLOSED', '再次完成', '2026-04-03T00:00:00+00:00', '属实', 5, '2026-04-04T00:00:00+00:00', '公示', '整改办', \
        '2026-04-05', '2026-04-12', '同意', '2026-04-13', '2026-04-05T01:00:00+00:00' FROM assignment WHERE id % 6 = 0",
    "INSERT INTO objection (close_out_id, text, raised_at) SELECT id, '未到位', '2026-04-06T00:00:00+00:00' \
        FROM close_out WHERE id % 2 = 0",
    "INSERT INTO objection (close_out_id, text, raised_at, is_upheld, answer, decided_at) SELECT id, '有异味', \
        '2026-04-05T00:00:00+00:00', id % 3 = 0, '已核实', '2026-04-07T00:00:00+00:00' FROM close_out WHERE id % 4 = 0",
    "INSERT INTO deadline_change (measure_id, assignment_id, state, reason, old_raw, old_due_on, new_raw, \
        new_due_on, requester_id, requested_at, endorsed_at) SELECT measure_id, id, 'ENDORSED', '雨季', \
        '2025年12月31日', '2025-12-31', '2026年6月30日', '2026-06-30', id % 21 + 1, '2026-03-04T00:00:00+00:00', \
        '2026-03-05T00:00:00+00:00' FROM assignment WHERE id % 5 = 0",
    "INSERT INTO deadline_change (measure_id, state, reason, old_raw, new_raw, new_due_on, requested_at, \
        decided_at, decision) SELECT id, 'REJECTED', '资金', '长期坚持', '2027年', '2027-01-01', \
        '2026-03-04T00:00:00+00:00', '2026-03-06T00:00:00+00:00', '不同意' FROM measure WHERE id % 6 = 0",
    "INSERT INTO supervision_action (measure_id, assignment_id, kind, state, issuer_id, recipient_id, reason, \
        answer_by, issued_at) SELECT measure_id, id, 'URGE', 'ISSUED', id % 21 + 1, unit_id, '逾期', '2026-05-01', \
        '2026-04-01T00:00:00+00:00' FROM assignment WHERE id % 4 = 0",
    "INSERT INTO supervision_action (measure_id, kind, state, recipient_id, reason, issued_at, lifted_at, \
        lift_reason) SELECT id, 'LIST', 'LIFTED', lead_unit_id, '久拖', '2026-04-02T00:00:00+00:00', \
        '2026-04-20T00:00:00+00:00', '已完成' FROM measure WHERE id % 5 = 0",
    "UPDATE supervision_action SET document_number = '督〔2026〕' || id || '号', place = '三楼会议室', \
        meeting_at = '2026-04-10T01:30:00.000+00:00', contact = '王某 0895-0000000' WHERE id % 3 < 2",
    "INSERT INTO comment (measure_id, author_id, text, written_at) SELECT id, id % 21 + 1, '请 Speed up', \
        '2026-04-03T00:00:00+00:00' FROM measure WHERE id % 3 = 0",
    "INSERT INTO audit_entry (chain, position, act, object, measure_id, assignment_id, at, actor_id, before, \
        after, previous, hash) SELECT 'problem_' || (SELECT problem_id FROM measure WHERE measure.id = measure_id), \
        1000 + id, 'CLOSED', 'assignment_' || id, measure_id, id, '2026-04-13T00:00:00+00:00', id % 21 + 1, '{}', \
        '{}', '', 'h' || id FROM assignment WHERE id % 2 = 1",
    "INSERT INTO audit_entry (chain, position, act, object, measure_id, at, actor_id, on_behalf_of_id, before, \
        after, previous, hash) SELECT 'problem_' || problem_id, 100000 + id, 'COMMENTED', 'measure_' || id, id, \
        '2026-04-14T00:00:00+00:00', id % 21 + 1, 3, '{}', '{}', '', 'm' || id FROM measure WHERE id % 3 = 1",
    "UPDATE case_report SET author_id = id % 20 + 1 WHERE id % 4 > 0",
    "UPDATE inspection_case SET updated_at = '2026-01-02T03:04:05.120+00:00', number = 'D3' || number WHERE id % 3 = 1",
    "INSERT INTO round_result (round_id, kind, title, amount, money, region_id, recorder_id, recorded_at, version, \
        updated_at) SELECT o.id, CASE WHEN r.id % 2 = 0 THEN 'FINED' ELSE 'CLOSED_DOWN' END, \
        CASE WHEN r.id % 3 = 0 THEN 'Plants 砖厂' END, r.id % 7, CASE WHEN r.id % 2 = 0 THEN r.id * 12500 END, r.id, \
        r.id % 20 + 1, '2026-04-01T00:00:00+00:00', 1, '2026-04-01T00:00:00+00:00' FROM inspection_round o \
        JOIN region r ON r.code IN ('990000', '990100', '990121', '990122', '540300', '540329')",
    "INSERT INTO round_result (round_id, kind, title, amount, recorded_at, version, updated_at) \
        SELECT id, 'INSTITUTION', '河湖长制办法', id, '2026-04-02T00:00:00+00:00', 2, '2026-04-03T00:00:00+00:00' \
        FROM inspection_round",
    "UPDATE round_result SET decided_on = '2026-03-01' WHERE id % 3 > 0",
    "UPDATE round_result SET withdrawn_at = '2026-04-03T00:00:00+00:00', withdraw_reason = '重复' WHERE id % 5 = 0",
    "INSERT INTO published_figure (round_id, region_id, counted, topic, label, amount, as_of, source, recorder_id, \
        recorded_at, version, updated_at) SELECT o.id, r.id, CASE WHEN r.id % 2 = 0 THEN 'MEASURES' ELSE 'PEOPLE' END, \
        CASE WHEN r.id % 3 = 0 THEN 'OTHER' ELSE 'TOTAL' END, CASE WHEN r.id % 3 = 0 THEN 'Plants 砖厂' END, \
        r.id % 7 * 1000, '2026-03-01', '通报 No. 3', r.id % 20 + 1, '2026-04-01T00:00:00+00:00', 1, \
        '2026-04-01T00:00:00+00:00' FROM inspection_round o \
        JOIN region r ON r.code IN ('990000', '990100', '990121', '990122', '540300', '540329')",
    "UPDATE published_figure SET withdrawn_at = '2026-04-03T00:00:00+00:00', withdraw_reason = '重复', \
        as_of = '2026-04-01', recorder_id = NULL WHERE id % 4 = 0",
    "UPDATE accountability SET recorder_id = id % 20 + 1 WHERE id % 3 > 0",
    "UPDATE mail SET case_id = 3 WHERE id % 2 = 0",
    "INSERT INTO audit_entry (chain, position, act, object, at, actor_id, before, after, previous, hash) \
        SELECT 'case_' || id, 1, 'HANDED_OVER', 'case_' || id, '2026-04-15T00:00:00+00:00', id % 21 + 1, '{}', '{}', \
        '', 'c' || id FROM inspection_case WHERE id % 2 = 1",
    // A round that has only cases, one of them in another province; their lead unit is in a third county.
    "INSERT INTO inspection_round (name, level, kind) VALUES ('演示·信访交办', 'CENTRAL', 'SPECIAL')",
    "INSERT INTO inspection_case (round_id, region_id, number, channel, is_key, summary, lead_unit_id, \
        handed_over_on, due_on, state, version, created_at, updated_at) SELECT (SELECT max(id) \
        FROM inspection_round), r.id, 'X' || r.code, 'LETTER', TRUE, 'Smell 异味', (SELECT min(u.id) FROM unit u \
        JOIN region o ON o.id = u.region_id WHERE o.code = '990122'), '2026-01-01', '2026-02-01', 'IN_PROGRESS', 1, \
        '2026-01-02T03:04:05+00:00', '2026-01-02T03:04:05+00:00' FROM region r WHERE r.code IN ('540329', '540300', \
        '990121')",
    // Repeats of a case that not everybody who sees them sees.
    "UPDATE inspection_case SET repeat_of_id = (SELECT min(id) FROM inspection_case), batch = 'Batch 2', \
        handling = 'LONG_TERM' WHERE number LIKE 'X%'",
    "INSERT INTO case_unit (case_id, unit_id) SELECT c.id, (SELECT min(u.id) FROM unit u \
        JOIN region o ON o.id = u.region_id WHERE o.code = '990123') FROM inspection_case c WHERE c.number LIKE 'X%'",
    "INSERT INTO case_region (region_id, case_id, due_order) SELECT above.id, c.id, c.due_on \
        FROM inspection_case c JOIN region r ON r.id = c.region_id JOIN region above ON substr(r.path, 1, \
        length(above.path)) = above.path WHERE c.number LIKE 'X%'",
];

/// The ledger as one account sees it.
struct View {
    /// `None` for the local administrator.
    person: Option<Person>,
    tables: Tables,
    graph: Graph,
}

impl View {
    fn new(person: Option<Person>, tables: Tables) -> Self {
        let graph = Graph::of(&tables);
        Self { person, tables, graph }
    }
}

/// A server with a ledger in which every kind of row occurs, and the view of each account. The local administrator's
/// view comes first.
struct Setting {
    server: Server,
    views: Vec<View>,
}

impl Setting {
    fn of(world: &World) -> Self {
        let people = fill(world);
        let server = world.serve_with(&[("RECTIFY_MAX_COST", "1000000000000")]);
        report(&server);
        block_on(async {
            let db = world.db().await;
            for statement in WORK {
                db.execute_unprepared(statement).await.unwrap_or_else(|why| panic!("{statement}: {why}"));
            }
        });
        // What is stored for lists and figures follows the rows that were written directly.
        world.done(&["statistics", "check", "--mend"]);
        let today = server.data("{ statistics(by: STATUS) { asOf } }", &json!({}))["statistics"]["asOf"].clone();
        let tables =
            block_on(async { Tables::read(&world.db().await, today.as_str().unwrap().parse().unwrap()).await });
        let mut views: Vec<View> = people
            .into_iter()
            .map(|person| {
                let left = allowed(&tables, person.account);
                View::new(Some(person), left)
            })
            .collect();
        views.insert(0, View::new(None, tables));
        Self { server, views }
    }

    /// Executes an operation as the account of a view.
    fn ask(&self, view: &View, text: &str, variables: &Value) -> Value {
        let words = view.person.as_ref().map(|person| ("authorization", person.bearer.as_str()));
        self.server.ask(&json!({"query": text, "variables": variables}), words.as_slice()).json()
    }

    /// Asserts that the server answers an operation of a view's account as the interpreter does.
    fn compare(&self, view: &View, operation: &Operation, cursors: &mut Cursors, when: &str) {
        let variables = operation.variables();
        let expected = answer((&view.graph, &self.views[0].graph), cursors, &operation.text, &variables);
        let answer = self.ask(view, &operation.text, &json!(variables));
        if let Err(why) = agree(&expected, &answer, cursors) {
            panic!(
                "{when}, asked by {:?}\n{}\nwith {}\n{why}\nexpected {expected}\nanswered {answer}",
                view.person,
                operation.text,
                json!(variables),
            );
        }
    }
}

fn random_operations_are_answered_as_a_naive_reading_answers_them(world: &World) {
    let (seed, count) = (setting("RECTIFY_TEST_SEED", 1), setting("RECTIFY_TEST_OPERATIONS", 300));
    let setting = Setting::of(world);
    let whole = &setting.views[0];
    let mut operations = Operations::new(&whole.graph, seed);
    let mut cursors = Cursors::default();
    for turn in 0..count {
        let mut operation = operations.draw(&cursors);
        // The server caches known documents, which takes another code path.
        for time in ["new", "known"] {
            setting.compare(whole, &operation, &mut cursors, &format!("seed {seed}, operation {turn}, {time}"));
        }
        if operations.vary(&mut operation, &cursors) {
            setting.compare(whole, &operation, &mut cursors, &format!("seed {seed}, operation {turn}, varied"));
        }
    }
}

/// Ids, filters and cursors are drawn from the whole ledger. Hidden rows are asked for as well, and must be answered as
/// if they did not exist.
fn whoever_asks_is_answered_as_if_nothing_else_existed(world: &World) {
    let (seed, count) = (setting("RECTIFY_TEST_SEED", 2), setting("RECTIFY_TEST_OPERATIONS", 250));
    let setting = Setting::of(world);
    let mut operations = Operations::new(&setting.views[0].graph, seed);
    for view in &setting.views {
        let lacking = view.graph.lacking();
        let required: Vec<_> = lacking.iter().filter(|(noun, field)| operations.requires(noun, field)).collect();
        assert!(required.is_empty(), "{:?} would get null for {required:?}", view.person);
    }
    let mut cursors = Cursors::default();
    let mut rng = Rng::with_seed(seed);
    for (place, probe) in operations.probes().iter().enumerate() {
        for view in rng.choose_multiple(setting.views.iter(), 6) {
            setting.compare(view, probe, &mut cursors, &format!("seed {seed}, probe {place}"));
        }
    }
    for turn in 0..count {
        let mut operation = operations.draw(&cursors);
        for time in 0..3 {
            let view = &setting.views[rng.usize(1..setting.views.len())];
            setting.compare(view, &operation, &mut cursors, &format!("seed {seed}, operation {turn}, time {time}"));
        }
        if operations.vary(&mut operation, &cursors) {
            let view = &setting.views[rng.usize(1..setting.views.len())];
            setting.compare(view, &operation, &mut cursors, &format!("seed {seed}, operation {turn}, varied"));
        }
    }
}

/// A counted item, with its regions and its groups in each dimension.
struct Counted {
    /// Its state for whoever has the rights of a unit: by the answers that are visible.
    seen: Item,
    /// Its state for each region.
    each: HashMap<i64, Item>,
    /// The regions that issued it or answer for it, as far as they are visible, and all regions above them.
    regions: BTreeSet<i64>,
    groups: HashMap<&'static str, BTreeSet<String>>,
    /// It as a whole.
    whole: Item,
    /// What answers it, as far as it is visible: the key of the unit, the regions of the answer, and its state.
    answers: Vec<(String, BTreeSet<i64>, Item)>,
}

impl Counted {
    /// Returns its state for each unit that answers it within a region.
    fn by_unit(&self, place: i64, count: &str) -> Vec<(String, Item)> {
        let mut own: BTreeMap<&str, Vec<Item>> = BTreeMap::new();
        for (unit, regions, state) in &self.answers {
            if regions.contains(&place) {
                own.entry(unit).or_default().push(*state);
            }
        }
        let judge = if count == "PROBLEMS" { own::rolled_up } else { own::answered };
        own.into_iter().map(|(unit, states)| (unit.to_owned(), judge(self.whole, &states))).collect()
    }
}

#[expect(clippy::too_many_lines, reason = "one recount of all dimensions, from the same tables")]
fn counted(view: &View, count: &str) -> Vec<Counted> {
    let tables = &view.tables;
    let units: BTreeSet<i64> = tables.units.iter().map(|unit| unit.id).collect();
    let lineage = |region: i64| {
        let path = &tables.regions.iter().find(|other| other.id == region).unwrap().path;
        tables.regions.iter().filter(|above| path.starts_with(&above.path)).map(|above| above.id).collect::<Vec<_>>()
    };
    let problem_of = |id: i64| tables.problems.iter().find(|problem| problem.id == id).unwrap();
    let measure_of = |id: i64| tables.measures.iter().find(|measure| measure.id == id).unwrap();
    let led = |measures: &[&entity::measure::Model]| -> BTreeSet<String> {
        let key = |unit: Option<i64>| unit.filter(|unit| units.contains(unit)).map(|unit| format!("unit_{unit}"));
        let keys: BTreeSet<String> =
            measures.iter().map(|measure| key(measure.lead_unit_id).unwrap_or_default()).collect();
        if keys.is_empty() { BTreeSet::from([String::new()]) } else { keys }
    };
    let domains = |problem: i64| -> BTreeSet<String> {
        let of = tables.domains.iter().filter(|domain| domain.problem_id == problem);
        let keys: BTreeSet<String> = of.map(|domain| domain.domain.clone()).collect();
        if keys.is_empty() { BTreeSet::from([String::new()]) } else { keys }
    };
    let item = |status, completed_on, is_completed_by, due_by| Item { status, completed_on, is_completed_by, due_by };
    let sector = |unit: Option<i64>| {
        let unit = tables.units.iter().find(|other| Some(other.id) == unit);
        unit.and_then(|unit| unit.sector.clone())
    };
    let sectors = |sectors: Vec<Option<String>>| -> BTreeSet<String> {
        let known: BTreeSet<String> = sectors.into_iter().flatten().collect();
        if known.is_empty() { BTreeSet::from([String::new()]) } else { known }
    };
    let led_sectors = |measures: &[&entity::measure::Model]| {
        sectors(measures.iter().map(|measure| sector(measure.lead_unit_id)).collect())
    };
    let class =
        |noun: &str, key: i64| view.graph.one(noun, key).unwrap().value("deadlineClass").as_str().unwrap().to_owned();
    let answering = |one: &entity::assignment::Model| {
        let unit = if units.contains(&one.unit_id) { format!("unit_{}", one.unit_id) } else { String::new() };
        (
            unit,
            lineage(one.region_id).into_iter().collect(),
            item(one.status, one.completed_on, one.is_completed_by, one.due_by),
        )
    };
    let one = |(whole, states): (Item, (Item, HashMap<i64, Item>)),
               problem: i64,
               measures: &[&entity::measure::Model],
               class: String| Counted {
        whole,
        answers: tables
            .assignments
            .iter()
            .filter(|answer| measures.iter().any(|measure| measure.id == answer.measure_id))
            .map(answering)
            .collect(),
        regions: states.1.keys().copied().collect(),
        groups: HashMap::from([
            ("DEADLINE_CLASS", BTreeSet::from([class])),
            ("ROUND", BTreeSet::from([format!("round_{}", problem_of(problem).round_id)])),
            ("DOMAIN", domains(problem)),
            ("LEAD_UNIT", led(measures)),
            ("SECTOR", led_sectors(measures)),
        ]),
        seen: states.0,
        each: states.1,
    };
    let answers = |measure: i64| tables.assignments.iter().filter(move |answer| answer.measure_id == measure);
    let whole_of = |row: &entity::measure::Model| item(row.status, row.completed_on, row.is_completed_by, row.due_by);
    let of_measure = |row: &entity::measure::Model| {
        let whole = whole_of(row);
        let given: Vec<(BTreeSet<i64>, Item)> = answers(row.id)
            .map(|one| {
                let state = item(one.status, one.completed_on, one.is_completed_by, one.due_by);
                (lineage(one.region_id).into_iter().collect(), state)
            })
            .collect();
        let states: Vec<Item> = given.iter().map(|(_, state)| *state).collect();
        let issued = lineage(row.region_id).into_iter().collect();
        (own::answered(whole, &states), own::of_measure(whole, &issued, &given))
    };
    match count {
        "PROBLEMS" => {
            let problems = tables.problems.iter().map(|row| {
                let measures: Vec<_> = tables.measures.iter().filter(|one| one.problem_id == row.id).collect();
                let whole = item(row.status, row.completed_on, row.is_completed_by, row.due_by);
                let answered = measures.iter().filter(|measure| answers(measure.id).next().is_some());
                let seen: Vec<Item> = answered.map(|measure| of_measure(measure).0).collect();
                let each: Vec<_> = measures.iter().map(|measure| of_measure(measure).1).collect();
                let issued = lineage(row.region_id).into_iter().collect();
                let states = (own::rolled_up(whole, &seen), own::of_problem(whole, &issued, &each));
                one((whole, states), row.id, &measures, class("Problem", row.id))
            });
            problems.collect()
        }
        "MEASURES" => {
            let measures = tables
                .measures
                .iter()
                .map(|row| one((whole_of(row), of_measure(row)), row.problem_id, &[row], class("Measure", row.id)));
            measures.collect()
        }
        _ => {
            let assignments = tables.assignments.iter().map(|row| {
                let measure = measure_of(row.measure_id);
                let state = item(row.status, row.completed_on, row.is_completed_by, row.due_by);
                let each = lineage(row.region_id).into_iter().map(|region| (region, state)).collect();
                let mut one = one((state, (state, each)), measure.problem_id, &[measure], class("Measure", measure.id));
                one.answers = vec![answering(row)];
                one.groups.insert("SECTOR", sectors(vec![sector(Some(row.unit_id))]));
                one
            });
            assignments.collect()
        }
    }
}

/// Hidden rows must neither be counted nor form a group, in any dimension and within any region.
fn figures_are_those_of_the_rows_that_one_sees(world: &World) {
    let setting = Setting::of(world);
    let operation = "query($within: ID, $by: StatisticsDimension!, $count: StatisticsCount!) {
        statistics(filter: {region: {within: $within}}, by: $by, count: $count) {
            total { ...F } rows { key all completed closed notApplicable overdue unknown } } }
        fragment F on StatisticsFigures { all completed closed notApplicable overdue unknown }";
    let mut rng = Rng::with_seed(3);
    for view in &setting.views {
        let today = view.tables.today;
        let figures = |items: &[Item]| {
            let of = Figures::count(items, today);
            json!({"all": of.all, "completed": of.completed, "closed": of.closed,
                "notApplicable": of.not_applicable, "overdue": of.overdue, "unknown": of.unknown})
        };
        let top = view.tables.regions.iter().find(|region| region.parent_id.is_none()).unwrap().id;
        let own = view.person.as_ref().filter(|person| OVERSEERS.contains(&person.role)).and_then(|person| {
            view.tables.accounts.iter().find(|account| account.id == person.account).unwrap().region_id
        });
        let judges_by_region = own.is_some() || view.person.is_none();
        let state = |one: &Counted, region: i64| if judges_by_region { one.each[&region] } else { one.seen };
        let path = |id: i64| &view.tables.regions.iter().find(|region| region.id == id).unwrap().path;
        for count in ["PROBLEMS", "MEASURES", "ASSIGNMENTS"] {
            let all = counted(view, count);
            let dimensions =
                ["STATUS", "DEADLINE_CLASS", "ROUND", "DOMAIN", "LEAD_UNIT", "SECTOR", "UNIT", "REGION", "COUNTY"];
            for by in dimensions {
                let some = view.tables.regions[rng.usize(0..view.tables.regions.len())].id;
                for within in [None, Some(some)] {
                    // For an account that oversees a region, `within` is limited to that region.
                    let place = match (within, own) {
                        (Some(place), Some(own)) if !path(own).starts_with(path(place).as_str()) => place,
                        (_, Some(own)) => own,
                        (place, None) => place.unwrap_or(top),
                    };
                    let items: Vec<&Counted> = all.iter().filter(|one| one.regions.contains(&place)).collect();
                    let mut groups: BTreeMap<String, Vec<Item>> = BTreeMap::new();
                    for one in &items {
                        let here = state(one, place);
                        let keys: Vec<(String, Item)> = match by {
                            "UNIT" => one.by_unit(place, count),
                            "REGION" | "COUNTY" => {
                                let below = view.tables.regions.iter().filter(|region| match by {
                                    "REGION" => region.parent_id == Some(place),
                                    _ => {
                                        region.level == entity::region::Level::County
                                            && region.path.starts_with(path(place).as_str())
                                    }
                                });
                                let of = below.filter(|region| one.regions.contains(&region.id));
                                of.map(|region| (format!("region_{}", region.id), state(one, region.id))).collect()
                            }
                            "STATUS" => vec![(here.status.to_value(), here)],
                            _ => one.groups[by].iter().map(|key| (key.clone(), here)).collect(),
                        };
                        for (key, item) in keys {
                            groups.entry(key).or_default().push(item);
                        }
                    }
                    let variables =
                        json!({"within": within.map(|id| format!("region_{id}")), "by": by, "count": count});
                    let said = setting.ask(view, operation, &variables)["data"]["statistics"].clone();
                    let asked = format!("{:?} asks {variables}", view.person);
                    let items: Vec<Item> = items.into_iter().map(|one| state(one, place)).collect();
                    assert_eq!(said["total"], figures(&items), "{asked}");
                    let mut rows = BTreeMap::new();
                    for row in said["rows"].as_array().unwrap() {
                        let mut row = row.clone();
                        let key = row.as_object_mut().unwrap().remove("key").unwrap();
                        assert!(rows.insert(key.as_str().unwrap().to_owned(), row).is_none(), "{asked}");
                    }
                    let groups: BTreeMap<String, Value> =
                        groups.iter().map(|(key, items)| (key.clone(), figures(items))).collect();
                    assert_eq!(rows, groups, "{asked}");
                }
            }
        }
    }
}

fn agree(expected: &Value, answer: &Value, cursors: &mut Cursors) -> Result<(), String> {
    if let Some(errors) = answer.get("errors") {
        return Err(format!("refused: {errors}"));
    }
    compare(expected, &answer["data"], cursors, "data")
}

fn fill(world: &World) -> Vec<Person> {
    world.file("rectify.toml", b"max_requests_per_minute = 0\n");
    world.done(&["demo"]);
    let provincial = world.file("省.xlsx", &province());
    world.done(&["import", &provincial, "--round", "中央督察", "--region", "540000"]);
    let county = world.file("县.xlsx", &city(&CITY_ROWS));
    let of = ["--round", ROUND, "--region", "540329", "--issued-by", "540300", "--create-units"];
    world.done(&[&["import", county.as_str()], of.as_slice()].concat());
    world.done(&["job", "run", "overdue"]);
    let people = block_on(async {
        let db = world.db().await;
        for statement in VARIETY {
            db.execute_unprepared(statement).await.unwrap_or_else(|why| panic!("{statement}: {why}"));
        }
        employ(&db, &POSTS).await
    });
    // The statements pass by the acts, which keep the figures in line.
    world.done(&["statistics", "check", "--mend"]);
    people
}

/// Submits reports, most with quantities, on every fifth open assignment.
fn report(server: &Server) {
    let query =
        "{ assignments(first: 200, filter: {status: [ASSIGNED, IN_PROGRESS, RETURNED]}) { nodes { id version } } }";
    let assignments = server.data(query, &json!({}))["assignments"]["nodes"].clone();
    let mutation = "mutation($input: ReportProgressInput!) { reportProgress(input: $input) { errors { message } } }";
    for (index, assignment) in assignments.as_array().unwrap().iter().step_by(5).enumerate() {
        let quantities = json!([
            {"label": "管网", "done": index as f64 * 1.5, "target": 40, "unit": "公里"},
            {"label": "COD", "done": null, "target": 0.1, "unit": null},
        ]);
        let input = json!({"assignmentId": assignment["id"], "version": assignment["version"],
            "period": format!("2025-{:02}", index % 12 + 1), "text": format!("第{index}次填报，COD 已下降。"),
            "quantities": if index % 4 == 3 { Value::Null } else { quantities }});
        let taken = server.data(mutation, &json!({ "input": input }))["reportProgress"]["errors"].clone();
        assert_eq!(taken, json!([]));
    }
}

fn setting<T: FromStr>(name: &str, default: T) -> T
where
    T::Err: Display,
{
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|why| panic!("{name}: {why}")),
        Err(_) => default,
    }
}
