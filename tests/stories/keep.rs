//! Keeping the ledger through the API: a regional office enters, edits, corrects, withdraws and merges; an
//! administrator keeps regions, units, schedules and the calendar. After every step, lists, counts and figures equal a
//! full recount.

use std::collections::{BTreeMap, BTreeSet};

use entity::account::Role;
use entity::inspection_round::RoundLevel;
use entity::{
    assignment, case_region, inspection_case, measure, measure_region, problem, problem_region, region, region_tally,
};
use sea_orm::{ActiveEnum, EntityTrait};
use serde_json::{Value, json};

use crate::policy::{Authority, Scene, input_of};
use crate::scene::add_evidence;
use crate::support::allowed::allowed;
use crate::support::clocked::StoryClock;
use crate::support::socket::Socket;
use crate::support::{Server, World, block_on, stories};

stories!(
    a_regional_office_keeps_its_ledger_by_hand,
    a_county_runs_its_own_special_inspection_to_the_end,
    a_look_back_refers_to_the_round_and_the_problems_before,
    an_administrator_keeps_regions_and_units,
    an_administrator_keeps_schedules_mails_and_the_calendar,
    who_does_not_keep_the_ledger_changes_nothing_and_hears_nothing_of_what_is_hidden,
);

/// An account that acts on a server.
struct Office<'a> {
    world: &'a World,
    server: &'a Server,
    token: String,
}

impl Office<'_> {
    /// Executes a mutation and returns its payload.
    fn act(&self, name: &str, selected: &str, input: &Value) -> Value {
        let kind = input_of(name);
        let query = format!(
            "mutation($input: {kind}!) {{ {name}(input: $input) {{ {selected} errors {{ code message path }} }} }}"
        );
        self.server.data_as(&self.token, &query, &json!({ "input": input }))[name].clone()
    }

    /// Executes a mutation that must succeed, asserts that lists and figures are consistent, and returns the payload.
    fn done(&self, name: &str, selected: &str, input: &Value) -> Value {
        let given = self.act(name, selected, input);
        assert_eq!(given["errors"], json!([]), "{name} {input}");
        agree(self.world);
        given
    }

    /// Executes a mutation that must be refused; returns the error's code and its path, joined by dots.
    fn refused(&self, name: &str, input: &Value) -> (String, String) {
        let given = self.act(name, "", input);
        let error = &given["errors"][0];
        assert!(error.is_object(), "{name} {input} must be refused: {given}");
        let path: Vec<&str> = error["path"].as_array().unwrap().iter().map(|step| step.as_str().unwrap()).collect();
        (error["code"].as_str().unwrap().to_owned(), path.join("."))
    }

    fn read(&self, query: &str, variables: &Value) -> Value {
        self.server.data_as(&self.token, query, variables)
    }

    /// Returns the id of the unit or region with a name.
    fn id_of(&self, root: &str, name: &str) -> String {
        let query = format!("query($name: String!) {{ {root}(filter: {{name: {{eq: $name}}}}) {{ nodes {{ id }} }} }}");
        let found = self.read(&query, &json!({ "name": name }));
        found[root]["nodes"][0]["id"].as_str().unwrap_or_else(|| panic!("no {name}: {found}")).to_owned()
    }

    /// Returns the current version of an object.
    fn version(&self, id: &str) -> i64 {
        let on = |noun: &str| format!("... on {noun} {{ version }}");
        let every: Vec<String> = ["InspectionRound", "Problem", "Measure", "Assignment", "Region", "Unit"]
            .iter()
            .map(|noun| on(noun))
            .collect();
        let query = format!("query($id: ID!) {{ node(id: $id) {{ {} }} }}", every.join(" "));
        self.read(&query, &json!({ "id": id }))["node"]["version"].as_i64().unwrap()
    }

    /// Returns an input `{name: id, version, …}` with the object's current version.
    fn on(&self, name: &str, id: &str, more: impl Into<Value>) -> Value {
        let mut input = json!({ name: id, "version": self.version(id) });
        input.as_object_mut().unwrap().extend(more.into().as_object().unwrap().clone());
        input
    }
}

/// A subscription to all changes of the ledger.
struct Watcher(Socket);

impl Watcher {
    fn of(server: &Server, token: &str) -> Self {
        let mut socket = Socket::open_as(server, token);
        socket.subscribe("watching", "subscription { ledgerChanged { kind removedId } }", &json!({}));
        socket.say(&json!({"type": "ping"}));
        socket.hear_that(|message| *message == json!({"type": "pong"}));
        Self(socket)
    }

    /// Reads events until the next edit; returns the id of a removed object, if there was one.
    fn removed(&mut self) -> Option<String> {
        let mut removed = None;
        loop {
            let told = self.0.hear_of("watching")["payload"]["data"]["ledgerChanged"].clone();
            match told["removedId"].as_str() {
                Some(id) => {
                    assert_eq!((&told["kind"], &removed), (&json!("REMOVED"), &None), "one removal at most");
                    removed = Some(id.to_owned());
                }
                None if told["kind"] == "EDITED" => return removed,
                None => {}
            }
        }
    }
}

fn id(payload: &Value, noun: &str) -> String {
    payload[noun]["id"].as_str().unwrap().to_owned()
}

/// Asserts that region paths, concern lists, kept counts and kept figures equal a recount.
fn agree(world: &World) {
    assert!(world.done(&["statistics", "check"]).contains("一致"), "the figures differ");
    block_on(async {
        let db = world.db().await;
        let regions = region::Entity::find().all(&db).await.unwrap();
        let path = |id: i64| regions.iter().find(|region| region.id == id).unwrap().path.clone();
        for region in &regions {
            let above = region.parent_id.map_or("/".to_owned(), path);
            assert_eq!(region.path, format!("{above}{}/", region.id), "{}", region.name);
        }
        let lineage = |region: i64| ledger::region::lineage(&path(region));
        let measures = measure::Entity::find().all(&db).await.unwrap();
        let answers = assignment::Entity::find().all(&db).await.unwrap();
        let (mut of_problem, mut of_measure) = (BTreeSet::new(), BTreeSet::new());
        for problem in problem::Entity::find().all(&db).await.unwrap() {
            let day = ledger::record::concern::due_order(problem.due_on);
            let parts = measures.iter().filter(|measure| measure.problem_id == problem.id);
            let mut all: BTreeSet<i64> = lineage(problem.region_id).into_iter().collect();
            for part in parts {
                assert_eq!((part.round_id, part.region_id), (problem.round_id, problem.region_id));
                let answered =
                    answers.iter().filter(|answer| answer.measure_id == part.id).map(|answer| answer.region_id);
                let regions: BTreeSet<i64> = answered.chain([part.region_id]).flat_map(lineage).collect();
                all.extend(&regions);
                let day = ledger::record::concern::due_order(part.due_on);
                of_measure.extend(regions.into_iter().map(|region| (region, part.id, day)));
            }
            of_problem.extend(all.into_iter().map(|region| (region, problem.id, day)));
        }
        let listed = problem_region::Entity::find().all(&db).await.unwrap();
        let listed: BTreeSet<_> = listed.iter().map(|row| (row.region_id, row.problem_id, row.due_order)).collect();
        assert_eq!(listed, of_problem, "the lists of problems");
        let listed = measure_region::Entity::find().all(&db).await.unwrap();
        let listed: BTreeSet<_> = listed.iter().map(|row| (row.region_id, row.measure_id, row.due_order)).collect();
        assert_eq!(listed, of_measure, "the lists of measures");
        let cases = inspection_case::Entity::find().all(&db).await.unwrap();
        let of_case = |case: &inspection_case::Model| {
            let (id, day) = (case.id, case.due_on);
            lineage(case.region_id).into_iter().map(move |region| (region, id, day))
        };
        let wanted: BTreeSet<_> = cases.iter().flat_map(of_case).collect();
        let listed = case_region::Entity::find().all(&db).await.unwrap();
        let listed: BTreeSet<_> = listed.iter().map(|row| (row.region_id, row.case_id, row.due_order)).collect();
        assert_eq!(listed, wanted, "the lists of cases");
        let mut wanted: BTreeMap<(i64, String), i64> = BTreeMap::new();
        for (noun, rows) in [("PROBLEM", &of_problem), ("MEASURE", &of_measure)] {
            for (region, ..) in rows {
                *wanted.entry((*region, noun.to_owned())).or_default() += 1;
            }
        }
        let counts = region_tally::Entity::find().all(&db).await.unwrap();
        let counts = counts.into_iter().filter(|row| row.amount != 0);
        let counts: BTreeMap<_, _> = counts.map(|row| ((row.region_id, row.noun.to_value()), row.amount)).collect();
        assert_eq!(counts, wanted, "the kept counts");
    });
}

/// Starts a server with the small demo and a clock; returns tokens of a regional office, a city office, a county's unit
/// and an administrator.
fn set(world: &World) -> (Server, StoryClock, [String; 4]) {
    world.file("rectify.toml", b"max_requests_per_minute = 0\n");
    world.done(&["demo", "--bare"]);
    world.done(&["region", "load", "540300"]);
    let people = [
        ("region@gov.example", "regional-office", "云川省生态环境保护督察整改办"),
        ("city@gov.example", "city-office", "云溪市生态环境保护督察整改办"),
        ("county@gov.example", "responsible-unit", "白河县人民政府"),
        ("admin@gov.example", "administrator", "云川省生态环境局"),
    ]
    .map(|(email, role, unit)| world.account(email, role, unit));
    let (server, clock) = world.serve_under_clock("2027-01-15T09:00");
    (server, clock, people)
}

const MEASURE: &str = "measure { id version status deadline { raw dueOn overdueAfter } \
    deadlineChanges { nodes { oldDueOn newRaw newDueOn state } } \
    checkPlans { kind every } responsibleParties { nodes { raw } } assignments { totalCount nodes { id status \
    unit { name } } } }";

/// A county office opens a special inspection, enters what it found, has it mended, verifies, publicises and closes it.
/// Neither the offices above nor a sibling do that in its place.
fn a_county_runs_its_own_special_inspection_to_the_end(world: &World) {
    let (server, clock, [region, city, unit, _]) = set(world);
    let county = world.account("office@gov.example", "county-office", "白河县生态环境保护督察整改办");
    let sibling = world.account("sibling@gov.example", "county-office", "青坪县生态环境保护督察整改办");
    let [region, city, unit, county, sibling] =
        [region, city, unit, county, sibling].map(|token| Office { world, server: &server, token });
    let place = county.id_of("regions", "白河县");
    let leads = county.id_of("units", "白河县人民政府");

    // Rounds of its own level only; its siblings do not find it, and the offices above do.
    let mut new = json!({"name": "白河县2027年第一季度专项督查", "level": "PREFECTURE", "kind": "SPECIAL",
        "enteredOn": "2027-01-10", "feedbackOn": "2027-01-12"});
    assert_eq!(county.refused("createRound", &new).0, "NOT_ALLOWED");
    new["level"] = json!("COUNTY");
    let round = id(&county.done("createRound", "round { id }", &new), "round");
    let new = json!({"roundId": round, "regionId": place, "number": "1", "title": "乡镇污水处理站停运",
        "deadline": "2027年3月31日"});
    let problem = id(&county.done("createProblem", "problem { id }", &new), "problem");
    let elsewhere = county.id_of("regions", "青坪县");
    let mut beside = new.clone();
    beside["regionId"] = json!(elsewhere);
    assert_eq!(county.refused("createProblem", &beside).0, "NOT_ALLOWED");
    assert_eq!(sibling.refused("createProblem", &beside).0, "NOT_FOUND", "a round of a sibling is none");
    let rounds = "{ inspectionRounds(filter: {name: {search: \"第一季度\"}}) { totalCount } }";
    let found = |office: &Office<'_>| office.read(rounds, &json!({}))["inspectionRounds"]["totalCount"].clone();
    assert_eq!([&county, &city, &region, &sibling].map(found), [1, 1, 1, 0].map(Value::from));
    let new = json!({"problemId": problem, "number": "1", "content": "修复曝气设备，恢复运行",
        "deadline": "2027年3月31日", "leadUnitId": leads, "parties": [{"unitId": leads}]});
    let made = county.done("createMeasure", MEASURE, &new)["measure"].clone();
    let measure = made["id"].as_str().unwrap();
    let answer = made["assignments"]["nodes"][0]["id"].as_str().unwrap().to_owned();

    // Mended, and more time than planned: the county office decides on its own.
    let on = |office: &Office<'_>, more: Value| office.on("assignmentId", &answer, more);
    unit.done("acceptAssignment", "assignment { id }", &on(&unit, json!({})));
    let asked = json!({"assignmentId": answer, "newDueOn": "2027-04-30", "reason": "配件尚未到货。"});
    unit.done("requestExtension", "assignment { id }", &asked);
    let pending =
        county.read("{ deadlineChanges { nodes { id availableActions { action isAvailable } } } }", &json!({}));
    let pending = &pending["deadlineChanges"]["nodes"][0];
    assert!(
        pending["availableActions"].as_array().unwrap().contains(&json!({"action": "APPROVE", "isAvailable": true})),
        "{pending}"
    );
    let granted = json!({"extensionId": pending["id"], "decision": "APPROVE", "words": "情况属实。"});
    county.done("decideExtension", "assignment { dueOn }", &granted);
    let report = json!({"period": "2027-01", "text": "设备已修复，恢复运行。", "completedOn": "2027-01-15"});
    unit.done("reportProgress", "assignment { id }", &on(&unit, report));
    add_evidence(world, &clock, &answer);
    let check = json!({"assignmentId": answer, "kind": "SELF_INSPECTION", "result": "PASSED"});
    unit.done("recordCheck", "assignment { id }", &check);
    let applied = json!({"application": "整改任务已全部完成，申请销号。"});
    unit.done("applyForCloseOut", "assignment { id }", &on(&unit, applied));

    // What waits for whom, and who may take which step.
    let tasks = |office: &Office<'_>| {
        let query = "{ viewer { tasks(first: 200, filter: {kind: [VERIFY, PUBLICISE, CLOSE]}) { \
            nodes { kind assignment { id } } } } }";
        let found = office.read(query, &json!({}));
        let nodes = found["viewer"]["tasks"]["nodes"].as_array().unwrap().clone();
        let mine = nodes.into_iter().filter(|task| task["assignment"]["id"] == answer.as_str());
        mine.map(|task| task["kind"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(tasks(&county), ["VERIFY"]);
    assert_eq!(tasks(&city), Vec::<String>::new());
    let verify = || json!({"opinion": "现场核查，已恢复运行。"});
    assert_eq!(sibling.refused("verifyCloseOut", &on(&county, verify())).0, "NOT_FOUND");
    county.done("verifyCloseOut", "assignment { id }", &on(&county, verify()));
    let notice = json!({"text": "乡镇污水处理站整改完成情况公示。", "contact": "白河县整改办 0895-0000000"});
    county.done("publiciseCloseOut", "assignment { id }", &on(&county, notice));
    clock.set("2027-02-15T09:00");
    assert_eq!(tasks(&county), ["CLOSE"]);
    let close = || json!({"decision": "同意销号。"});
    for office in [&region, &city] {
        assert_eq!(office.refused("closeAssignment", &on(&county, close())).0, "NOT_ALLOWED");
    }
    let closed = county.done("closeAssignment", "assignment { status }", &on(&county, close()));
    assert_eq!(closed["assignment"]["status"], "CLOSED");
    let message = region.act("reopenAssignment", "", &on(&county, json!({"reason": "再次停运。"})));
    assert_eq!(message["errors"][0]["message"], "您不能办理此事，须由县整改办办理");
    county.done("reopenAssignment", "assignment { id }", &on(&county, json!({"reason": "再次停运。"})));

    // The ledger stays in its hands; the offices above may also mend it.
    let edit = |office: &Office<'_>, text: &str| office.on("measureId", measure, json!({"content": text}));
    assert_eq!(sibling.refused("editMeasure", &edit(&county, "修复设备")).0, "NOT_FOUND");
    county.done("editMeasure", "measure { id }", &edit(&county, "修复曝气设备，稳定运行"));
    city.done("editMeasure", "measure { id }", &edit(&county, "修复曝气设备，长期稳定运行"));
}

#[expect(clippy::too_many_lines, reason = "the steps form one story")]
fn a_regional_office_keeps_its_ledger_by_hand(world: &World) {
    let (server, _clock, [region, city, county, _]) = set(world);
    let office = |token: &String| Office { world, server: &server, token: token.clone() };
    let (region, city, county) = (office(&region), office(&city), office(&county));
    let city_id = region.id_of("regions", "云溪市");
    let elsewhere = region.id_of("regions", "昌都市");

    // A round.
    let new = json!({"name": "省级专项督察2027", "level": "PROVINCE", "kind": "SPECIAL", "enteredOn": "2027-01-10"});
    let round = id(&region.done("createRound", "round { id }", &new), "round");
    assert_eq!(region.refused("createRound", &new), ("CONFLICT".into(), "input.name".into()));
    let early = region.on("roundId", &round, json!({"feedbackOn": "2027-01-01"}));
    assert_eq!(region.refused("editRound", &early), ("INVALID".into(), "input.feedbackOn".into()));
    assert_eq!(city.refused("createRound", &new).0, "NOT_ALLOWED");

    // A problem.
    let mut new = json!({"roundId": round, "regionId": city_id, "number": "一", "title": "河道采砂场未复绿",
        "deadline": "2027年6月30日前完成，长期坚持", "domains": ["水", "矿山", "水"]});
    let selected = "problem { id status deadline { dueOn ongoing } domains { name } }";
    let made = region.done("createProblem", selected, &new);
    assert_eq!(made["problem"]["deadline"], json!({"dueOn": "2027-06-30", "ongoing": true}));
    assert_eq!(made["problem"]["domains"], json!([{"name": "水"}, {"name": "矿山"}]));
    let problem = id(&made, "problem");
    assert_eq!(region.refused("createProblem", &new), ("CONFLICT".into(), "input.number".into()));
    new["number"] = json!("二");
    new["deadline"] = json!("尽快完成");
    assert_eq!(region.refused("createProblem", &new), ("INVALID".into(), "input.deadline".into()));
    new["deadline"] = json!("立行立改");
    new["regionId"] = json!(elsewhere);
    assert_eq!(region.refused("createProblem", &new).0, "NOT_ALLOWED");
    new["regionId"] = json!(city_id);
    let urgent = id(&region.done("createProblem", "problem { id }", &new), "problem");

    // A measure: a named unit gets an assignment at once; a selector is resolved when the city office assigns.
    let bureau = region.id_of("units", "云溪市生态环境局");
    let county_unit = region.id_of("units", "白河县人民政府");
    let mut new = json!({"problemId": problem, "number": "1", "content": "拆除采砂设施，恢复河滩植被",
        "deadline": "2027年5月31日",
        "leadUnitId": bureau, "parties": [{"unitId": county_unit}, {"selector": "ALL_COUNTIES"}]});
    let made = region.done("createMeasure", MEASURE, &new)["measure"].clone();
    assert_eq!(made["responsibleParties"]["nodes"], json!([{"raw": "白河县人民政府"}, {"raw": "各县（区）"}]));
    assert_eq!(made["assignments"]["nodes"][0]["unit"]["name"], "白河县人民政府");
    let measure = made["id"].as_str().unwrap().to_owned();
    assert_eq!(region.refused("createMeasure", &new), ("CONFLICT".into(), "input.content".into()));
    new["parties"] = json!([{"unitId": county_unit, "selector": "ALL_COUNTIES"}]);
    assert_eq!(region.refused("createMeasure", &new), ("INVALID".into(), "input.parties.0".into()));
    new["parties"] = json!([{"unitId": "unit_999999"}]);
    assert_eq!(region.refused("createMeasure", &new), ("NOT_FOUND".into(), "input.parties".into()));
    new["leadUnitId"] = Value::Null;
    assert_eq!(region.refused("createMeasure", &new), ("INVALID".into(), "input.leadUnitId".into()));
    let orphaned = region.on("measureId", &measure, json!({"leadUnitId": null}));
    assert_eq!(region.refused("editMeasure", &orphaned), ("INVALID".into(), "input.leadUnitId".into()));
    let all =
        city.done("assignMeasure", MEASURE, &city.on("measureId", &measure, json!({"hasSelectorsResolved": true})));
    assert_eq!(all["measure"]["assignments"]["totalCount"], 3);

    // Of two concurrent edits the second is stale. A county sees what changed, but not which other units answer.
    let edit = region.on(
        "measureId",
        &measure,
        json!({"content": "拆除采砂设施并复绿", "parties": [{"selector": "ALL_COUNTIES"}]}),
    );
    region.done("editMeasure", MEASURE, &edit);
    assert_eq!(region.refused("editMeasure", &edit), ("STALE_VERSION".into(), "input.version".into()));
    assert_eq!(city.refused("editMeasure", &edit).0, "NOT_ALLOWED");
    let trail = "query($id: ID!) { measure(id: $id) { audit { nodes { act after } } \
        problem { audit { nodes { act after } } } } }";
    let acts = |office: &Office<'_>| -> Vec<String> {
        let read = office.read(trail, &json!({ "id": measure }));
        let nodes = read["measure"]["problem"]["audit"]["nodes"].as_array().unwrap().clone();
        assert!(!read.to_string().contains("各县") || office.token == region.token, "{read}");
        nodes.iter().map(|entry| entry["act"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(acts(&county), ["EDITED", "ASSIGNED", "ASSIGNED", "CREATED"]);
    assert_eq!(acts(&region).iter().filter(|act| *act == "PARTIES_SET").count(), 2);

    // The deadline is corrected to one without a date and back; each change is kept.
    let change = |deadline: &str| {
        let input = region.on("measureId", &measure, json!({"deadline": deadline, "reason": "印制有误"}));
        region.done("changeDeadline", MEASURE, &input)["measure"].clone()
    };
    let changed = change("长期坚持");
    assert_eq!(changed["deadline"], json!({"raw": "长期坚持", "dueOn": null, "overdueAfter": null}));
    let changed = change("2027年2月28日");
    assert_eq!(
        changed["deadlineChanges"]["nodes"],
        json!([{"oldDueOn": "2027-05-31", "newRaw": "长期坚持", "newDueOn": null, "state": "APPROVED"},
            {"oldDueOn": null, "newRaw": "2027年2月28日", "newDueOn": "2027-02-28", "state": "APPROVED"}])
    );
    let same = region.on("measureId", &measure, json!({"deadline": "2027年2月28日", "reason": "再次确认"}));
    assert_eq!(region.refused("changeDeadline", &same).0, "INVALID");

    // Its plan of checks.
    let plans =
        json!({"plans": [{"kind": "SELF_INSPECTION", "every": "HALF_YEAR"}, {"kind": "SPOT_CHECK", "every": "NEVER"}]});
    let planned = region.done("planChecks", MEASURE, &region.on("measureId", &measure, plans.clone()));
    assert_eq!(planned["measure"]["checkPlans"], plans["plans"]);

    // A withdrawn measure is not counted. Assigning a county again reopens only that county's assignment.
    let withdrawn = region.on("measureId", &measure, json!({"reason": "与另一措施重复"}));
    assert_eq!(region.done("retireMeasure", MEASURE, &withdrawn)["measure"]["status"], "NOT_APPLICABLE");
    let again = region.on("measureId", &measure, json!({"reason": "再次撤销"}));
    assert_eq!(region.refused("retireMeasure", &again).0, "WRONG_STATE");
    let anew = city.on("measureId", &measure, json!({"unitIds": [county_unit]}));
    let taken = city.done("assignMeasure", MEASURE, &anew)["measure"].clone();
    assert_eq!(taken["status"], "ASSIGNED");
    let answer =
        taken["assignments"]["nodes"].as_array().unwrap().iter().find(|one| one["status"] == "ASSIGNED").unwrap();
    let answer = answer["id"].as_str().unwrap().to_owned();

    // A measure entered by mistake can be deleted until work on it begins.
    let slip = json!({"problemId": problem, "content": "误录的措施", "deadline": "立行立改", "leadUnitId": bureau});
    let slip = id(&region.done("createMeasure", "measure { id }", &slip), "measure");
    let mut watchers =
        [Watcher::of(&server, &region.token), Watcher::of(&server, &city.token), Watcher::of(&server, &county.token)];
    let gone = region.done("deleteMeasure", "isDeleted deletedId", &region.on("measureId", &slip, json!({})));
    assert_eq!((&gone["isDeleted"], &gone["deletedId"]), (&json!(true), &json!(slip)));
    assert_eq!(watchers.each_mut().map(Watcher::removed), [Some(slip.clone()), Some(slip), None]);
    let report = county.on("assignmentId", &answer, json!({"period": "2027-01", "text": "已进场施工。"}));
    county.done("reportProgress", "assignment { status }", &report);
    assert_eq!(region.refused("deleteMeasure", &region.on("measureId", &measure, json!({}))).0, "WRONG_STATE");
    assert_eq!(region.refused("deleteProblem", &region.on("problemId", &problem, json!({}))).0, "WRONG_STATE");

    merging_measures(&region, &county, (&problem, &measure, &answer), &urgent);

    // A later feedback date moves the grace period of immediate deadlines, which is thirty days.
    let fed_back = region.on("roundId", &round, json!({"feedbackOn": "2027-02-10"}));
    let version = "query($id: ID!) { problem(id: $id) { version } }";
    let version = || region.read(version, &json!({ "id": urgent }))["problem"]["version"].as_i64().unwrap();
    let before = version();
    region.done("editRound", "round { feedbackOn }", &fed_back);
    assert_eq!(version(), before + 1, "who works on the problem notices");
    let due = "query($id: ID!) { problem(id: $id) { deadline { overdueAfter } } }";
    assert_eq!(region.read(due, &json!({ "id": urgent }))["problem"]["deadline"]["overdueAfter"], "2027-03-12");

    // Merging two problems, and two rounds.
    let title =
        region.on("problemId", &urgent, json!({"title": "河道采砂场未复绿（重复）", "number": null, "deadline": null}));
    region.done("editProblem", "problem { id }", &title);
    let extra =
        json!({"problemId": urgent, "content": "开展河道巡查", "deadline": "长期坚持", "leadUnitId": county_unit});
    region.done("createMeasure", "measure { id }", &extra);
    let empty = region.on("problemId", &urgent, json!({"title": null}));
    assert_eq!(region.refused("editProblem", &empty), ("INVALID".to_owned(), "input.title".to_owned()));
    let merge = region.on("problemId", &urgent, json!({ "intoId": problem }));
    let mut watcher = Watcher::of(&server, &region.token);
    let merged = region.done("mergeProblems", "problem { id measures { totalCount } }", &merge);
    assert_eq!(merged["problem"], json!({"id": problem, "measures": {"totalCount": 3}}));
    assert_eq!(watcher.removed(), Some(urgent));
    let twin =
        json!({"name": "省级专项督察（2027年）", "level": "PROVINCE", "kind": "SPECIAL", "feedbackOn": "2027-02-20"});
    let twin = id(&region.done("createRound", "round { id }", &twin), "round");
    assert_eq!(region.refused("deleteRound", &region.on("roundId", &round, json!({}))).0, "WRONG_STATE");
    let into = json!({"roundId": round, "intoId": twin});
    let one = region.done("mergeRounds", "round { id problems { totalCount } }", &into);
    assert_eq!(one["round"], json!({"id": twin, "problems": {"totalCount": 1}}));
    let withdrawn = region.on("problemId", &problem, json!({"reason": "不在本次督察范围"}));
    assert_eq!(region.done("retireProblem", "problem { status }", &withdrawn)["problem"]["status"], "NOT_APPLICABLE");
    let empty = json!({"name": "误建", "level": "COUNTY", "kind": "ROUTINE"});
    let empty = id(&region.done("createRound", "round { id }", &empty), "round");
    region.done("deleteRound", "isDeleted", &region.on("roundId", &empty, json!({})));
    assert!(world.done(&["audit", "verify"]).contains("全部相接"));
}

fn a_look_back_refers_to_the_round_and_the_problems_before(world: &World) {
    let (server, _clock, [region, city, ..]) = set(world);
    let office = |token: &String| Office { world, server: &server, token: token.clone() };
    let (region, city) = (office(&region), office(&city));
    let (city_id, province) = (region.id_of("regions", "云溪市"), region.id_of("regions", "云川省"));
    let wrong = |code: &str| (code.to_owned(), "input.looksBackAtId".to_owned());
    let round = |name: &str, kind: &str, at: &Value| {
        let level = "PROVINCE";
        json!({"name": name, "level": level, "kind": kind, "looksBackAtId": at})
    };
    let open = |name: &str, kind: &str| {
        id(&region.done("createRound", "round { id }", &round(name, kind, &Value::Null)), "round")
    };
    let (first, other) = (open("省级例行督察2025", "ROUTINE"), open("省级专项督察2025", "SPECIAL"));
    let ordinary = round("省级专项督察2027", "SPECIAL", &json!(first));
    assert_eq!(region.refused("createRound", &ordinary), wrong("INVALID"), "only a look-back looks back");
    let nothing = round("省级督察回头看2027", "LOOK_BACK", &json!("round_999999"));
    assert_eq!(region.refused("createRound", &nothing), wrong("NOT_FOUND"));
    let back = open("省级督察回头看2027", "LOOK_BACK");
    let look_at = |at: &str| region.on("roundId", &back, json!({ "looksBackAtId": at }));
    assert_eq!(region.refused("editRound", &look_at(&back)), wrong("INVALID"), "not at itself");

    let problem = |round: &str, place: &str, number: &str, at: &Value| {
        json!({"roundId": round, "regionId": place, "number": number, "title": format!("河道采砂场{number}未复绿"),
            "looksBackAtId": at})
    };
    let enter = |round: &str, place: &str, number: &str, at: &Value| {
        id(&region.done("createProblem", "problem { id }", &problem(round, place, number, at)), "problem")
    };
    let (known, hidden) = (enter(&first, &city_id, "一", &Value::Null), enter(&other, &province, "一", &Value::Null));

    // As long as the round states none, a problem looks back at a problem of any other round.
    let later = enter(&back, &city_id, "一", &json!(hidden));
    let beside = problem(&back, &city_id, "二", &json!(later));
    assert_eq!(region.refused("createProblem", &beside), wrong("INVALID"), "of another round");
    let edit = |at: &Value| region.on("problemId", &later, json!({ "looksBackAtId": at }));
    assert_eq!(region.refused("editProblem", &edit(&json!(later))), wrong("INVALID"), "not at itself");
    let read = "query($id: ID!) { problem(id: $id) { looksBackAt { id } lookedBackBy { id } \
        round { looksBackAt { id } lookedBackBy { id } } } }";
    let seen = |office: &Office<'_>, id: &str| office.read(read, &json!({ "id": id }))["problem"].clone();
    assert_eq!(seen(&region, &later)["looksBackAt"]["id"], json!(hidden));
    assert_eq!(seen(&city, &later)["looksBackAt"], Value::Null, "the city does not see the province's problem");

    // The round and its problems have to agree.
    assert_eq!(region.refused("editRound", &look_at(&first)), wrong("WRONG_STATE"));
    region.done("editProblem", "problem { id }", &edit(&json!(known)));
    region.done("editRound", "round { id }", &look_at(&first));
    assert_eq!(region.refused("editProblem", &edit(&json!(hidden))), wrong("INVALID"));
    let routine = region.on("roundId", &back, json!({"kind": "ROUTINE"}));
    assert_eq!(region.refused("editRound", &routine), wrong("INVALID"));
    let of = |id: &str| json!({ "id": id });
    assert_eq!(
        seen(&city, &later),
        json!({"looksBackAt": of(&known), "lookedBackBy": [],
            "round": {"looksBackAt": of(&first), "lookedBackBy": []}})
    );
    assert_eq!(
        seen(&city, &known),
        json!({"looksBackAt": null, "lookedBackBy": [of(&later)],
            "round": {"looksBackAt": null, "lookedBackBy": [of(&back)]}})
    );

    // What is looked back at is not deleted; a merge takes the references along.
    let delete = region.on("problemId", &known, json!({}));
    assert_eq!(region.refused("deleteProblem", &delete).0, "WRONG_STATE");
    let merge = json!({"roundId": first, "intoId": back});
    assert_eq!(region.refused("mergeRounds", &merge), ("CONFLICT".into(), "input.roundId".into()));
    let stays = enter(&first, &city_id, "二", &Value::Null);
    let merge = region.on("problemId", &known, json!({ "intoId": stays }));
    region.done("mergeProblems", "problem { id }", &merge);
    assert_eq!(seen(&city, &later)["looksBackAt"], of(&stays));
    region.done("editProblem", "problem { id }", &edit(&Value::Null));
    assert_eq!(seen(&city, &stays)["lookedBackBy"], json!([]));
    region.done("deleteProblem", "isDeleted", &region.on("problemId", &stays, json!({})));
    assert_eq!(region.refused("deleteRound", &region.on("roundId", &first, json!({}))).0, "WRONG_STATE");
    region.done("editRound", "round { id }", &region.on("roundId", &back, json!({ "looksBackAtId": null })));
    region.done("deleteRound", "isDeleted", &region.on("roundId", &first, json!({})));
    assert!(world.done(&["audit", "verify"]).contains("无缺失"));
}

fn an_administrator_keeps_regions_and_units(world: &World) {
    let (server, _clock, [region, city, _, admin]) = set(world);
    let office = |token: &String| Office { world, server: &server, token: token.clone() };
    let (region, city, admin) = (office(&region), office(&city), office(&admin));
    let county = admin.id_of("regions", "白河县");
    let whole = "unit { id name kind sector version aliases { alias } addresses { address } }";

    // A unit with aliases; an ambiguous name is refused.
    let new = json!({"regionId": county, "name": "白河县林草工作站", "aliases": ["白河县林业和草原工作站"],
        "addresses": [" Lcj@Gov.Example "]});
    let unit = admin.done("createUnit", whole, &new)["unit"].clone();
    assert_eq!(unit["addresses"], json!([{"address": "lcj@gov.example"}]));
    assert_eq!((&unit["kind"], &unit["sector"]), (&json!("DEPARTMENT"), &json!("林草")));
    let unit_id = unit["id"].as_str().unwrap().to_owned();
    let alike = json!({"regionId": county, "name": "白河县林业和草原工作站"});
    assert_eq!(admin.refused("createUnit", &alike), ("CONFLICT".into(), "input.name".into()));
    let bad = admin.on("unitId", &unit_id, json!({"addresses": ["nobody"]}));
    assert_eq!(admin.refused("editUnit", &bad), ("INVALID".into(), "input.addresses".into()));
    // Only the administrator sees and edits the mail addresses of units.
    let seen = "query($id: ID!) { unit: node(id: $id) { ... on Unit { isReachable addresses { address } } } }";
    let seen = region.read(seen, &json!({ "id": unit_id }))["unit"].clone();
    assert_eq!(seen, json!({"isReachable": true, "addresses": []}));
    assert_eq!(region.refused("editUnit", &bad).0, "NOT_ALLOWED");

    // After renaming, the unit is still found by its former name, which printed ledgers use.
    let renamed = admin.done("editUnit", whole, &admin.on("unitId", &unit_id, json!({"name": "白河县林草服务站"})));
    assert_eq!(renamed["unit"]["aliases"], json!([{"alias": "白河县林业和草原工作站"}, {"alias": "白河县林草工作站"}]));

    // A unit registered twice, with assignments of the same measure: merging removes the one without work.
    let twin = json!({"regionId": county, "name": "白河县林业站", "addresses": ["zhan@gov.example"]});
    let twin = id(&admin.done("createUnit", "unit { id }", &twin), "unit");
    let measures = city.read("{ measures(first: 2) { nodes { id } } }", &json!({}))["measures"]["nodes"].clone();
    let [both, single] = [0, 1].map(|place| measures[place]["id"].as_str().unwrap().to_owned());
    for (measure, units) in [(&both, json!([unit_id, twin])), (&single, json!([twin]))] {
        let input = city.on("measureId", measure, json!({ "unitIds": units }));
        city.done("assignMeasure", "measure { id }", &input);
    }
    assert_eq!(admin.refused("retireUnit", &admin.on("unitId", &twin, json!({}))).0, "WRONG_STATE");
    let merge = admin.on("unitId", &twin, json!({ "intoId": unit_id }));
    let merged = admin.done("mergeUnits", whole, &merge);
    assert_eq!(merged["unit"]["addresses"], json!([{"address": "lcj@gov.example"}, {"address": "zhan@gov.example"}]));
    let gone =
        "query($id: ID!) { node(id: $id) { ... on Unit { retiredOn mergedInto { id } assignments { totalCount } } } }";
    let gone = city.read(gone, &json!({ "id": twin }))["node"].clone();
    assert_eq!(
        gone,
        json!({"retiredOn": "2027-01-15", "mergedInto": {"id": unit_id}, "assignments": {"totalCount": 0}})
    );
    let refused = city.refused("assignMeasure", &city.on("measureId", &both, json!({"unitIds": [twin]})));
    assert_eq!(refused, ("NOT_FOUND".into(), "input.unitIds".into()));

    // A township, moved to another county.
    let town = json!({"parentId": county, "name": "新桥镇", "code": "990121901"});
    let town_id = id(&admin.done("createRegion", "region { id level }", &town), "region");
    assert_eq!(admin.refused("createRegion", &town), ("CONFLICT".into(), "input.code".into()));
    let mut twin = town.clone();
    twin.as_object_mut().unwrap().remove("code");
    assert_eq!(admin.refused("createRegion", &twin), ("CONFLICT".into(), "input.name".into()));
    twin["name"] = json!(format!("{}\u{200b}", twin["name"].as_str().unwrap()));
    assert_eq!(
        admin.refused("createRegion", &twin),
        ("CONFLICT".into(), "input.name".into()),
        "an invisible character makes no other name"
    );
    let other = admin.id_of("regions", "青坪县");
    let moved = admin.on("regionId", &town_id, json!({"parentId": other, "name": "新桥街道"}));
    admin.done("editRegion", "region { parent { id } }", &moved);
    let under = admin.on("regionId", &other, json!({ "parentId": town_id }));
    assert_eq!(admin.refused("editRegion", &under), ("INVALID".into(), "input.parentId".into()));

    // A county merged into its neighbour, which takes over its assignments and sub-regions.
    let of_county = "query($id: ID!) { assignments(filter: {region: {within: $id}}) { totalCount } }";
    let count = |id: &str| city.read(of_county, &json!({ "id": id }))["assignments"]["totalCount"].as_i64().unwrap();
    let (before, there) = (count(&other), count(&county));
    assert!(before > 0 && there > 0);
    assert_eq!(admin.refused("retireRegion", &admin.on("regionId", &other, json!({}))).0, "WRONG_STATE");
    let answered = "query($id: ID!) { assignments(first: 1, filter: {region: {within: $id}}) { nodes {
        measure { problem { id version } } } } }";
    let answered =
        city.read(answered, &json!({ "id": other }))["assignments"]["nodes"][0]["measure"]["problem"].clone();
    let merge = admin.on("regionId", &other, json!({ "intoId": county }));
    let merged = admin.done("mergeRegions", "region { id children { nodes { name } } }", &merge);
    assert_eq!(merged["region"], json!({"id": county, "children": {"nodes": [{"name": "新桥街道"}]}}));
    assert_eq!((count(&other), count(&county)), (0, before + there));
    let now = "query($id: ID!) { problem(id: $id) { version } }";
    let now = city.read(now, &json!({ "id": answered["id"] }))["problem"]["version"].as_i64().unwrap();
    assert_eq!(now, answered["version"].as_i64().unwrap() + 1, "who works on the problem notices");
    let file = world.file("县.xlsx", &crate::support::ledgers::city(&crate::support::ledgers::CITY_ROWS));
    let import = world.run(&["import", &file, "--round", "又一轮", "--region", "990122", "--create-units"]);
    assert!(import.code != 0 && import.out.contains("青坪县已撤并"), "{}", import.out);
    let trail = "query($id: ID!) { auditEntries(filter: {objectId: $id}) { nodes { act before } } }";
    let trail = admin.read(trail, &json!({ "id": county }))["auditEntries"]["nodes"].clone();
    assert_eq!(trail[0]["act"], "MERGED");
    assert!(world.done(&["audit", "verify"]).contains("全部相接"));
}

fn an_administrator_keeps_schedules_mails_and_the_calendar(world: &World) {
    let (server, _clock, [region, _, _, admin]) = set(world);
    let office = |token: &String| Office { world, server: &server, token: token.clone() };
    let (region, admin) = (office(&region), office(&admin));
    world.done(&["job", "list"]);

    // A schedule: invalid values are refused; an edited schedule starts from now.
    let schedules = admin.read("{ schedules { id name cron timeZone enabled } }", &json!({}))["schedules"].clone();
    let overdue = schedules.as_array().unwrap().iter().find(|one| one["name"] == "overdue").unwrap()["id"].clone();
    let edit = |more: Value| {
        let mut input = json!({ "scheduleId": overdue });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        input
    };
    for (bad, place) in [
        (json!({"cron": "whenever"}), "input.cron"),
        (json!({"cron": "0 0 8 31 2 *"}), "input.cron"),
        (json!({"timeZone": "Mars/Olympus"}), "input.timeZone"),
    ] {
        assert_eq!(admin.refused("editSchedule", &edit(bad)), ("INVALID".into(), place.into()));
    }
    let selected = "schedule { cron enabled lastOccurrence nextOccurrences(count: 1) }";
    let edited = admin.done("editSchedule", selected, &edit(json!({"cron": "0 30 9 * * MON", "misfire": "SKIP"})));
    assert_eq!(edited["schedule"]["nextOccurrences"], json!(["2027-01-18T01:30:00+00:00"]));
    assert_eq!(edited["schedule"]["lastOccurrence"], "2027-01-15T01:00:00+00:00");
    admin.done("editSchedule", selected, &edit(json!({"enabled": false})));
    assert!(world.done(&["job", "list"]).contains("停用 · 0 30 9 * * MON"));

    // A queued mail is cancelled, and queued again.
    world.done(&["job", "run", "overdue", "--at", "2027-01-15"]);
    let mail = admin.read("{ mails(first: 1) { nodes { id state } } }", &json!({}))["mails"]["nodes"][0].clone();
    assert_eq!(mail["state"], "QUEUED");
    let act = |office: &Office<'_>, name: &str| {
        let query =
            format!("mutation($id: ID!) {{ {name}(input: {{mailId: $id}}) {{ mail {{ state }} errors {{ code }} }} }}");
        office.read(&query, &json!({"id": mail["id"]}))[name].clone()
    };
    let code = |given: Value| given["errors"][0]["code"].clone();
    assert_eq!(code(act(&region, "cancelMail")), "NOT_ALLOWED");
    assert_eq!(code(act(&admin, "requeueMail")), "WRONG_STATE");
    assert_eq!(act(&admin, "cancelMail"), json!({"mail": {"state": "CANCELLED"}, "errors": []}));
    assert_eq!(code(act(&admin, "cancelMail")), "WRONG_STATE");
    assert_eq!(act(&admin, "requeueMail"), json!({"mail": {"state": "QUEUED"}, "errors": []}));

    // The calendar: built-in holidays, and days that an administrator sets.
    let days = |year: i32| {
        let read = region
            .read("query($year: Int!) { calendar(year: $year) { day isWorking isSet } }", &json!({ "year": year }));
        read["calendar"].as_array().unwrap().clone()
    };
    assert!(days(2026).contains(&json!({"day": "2026-10-01", "isWorking": false, "isSet": false})));
    assert_eq!(days(2031), [] as [Value; 0]);
    assert_eq!(days(-34174), [] as [Value; 0]);
    let long_ago = json!({"day": "0001-02-23", "isWorking": false});
    assert_eq!(admin.refused("setCalendarDay", &long_ago), ("INVALID".into(), "input.day".into()));
    let new_year = json!({"day": "2031-02-23", "isWorking": false, "name": "藏历新年"});
    admin.done("setCalendarDay", "days { day }", &new_year);
    assert_eq!(days(2031), [json!({"day": "2031-02-23", "isWorking": false, "isSet": true})]);
    admin.done("setCalendarDay", "days { day }", &json!({"day": "2031-02-23"}));
    assert_eq!(days(2031), [] as [Value; 0]);
    let acts = admin.read("{ auditEntries(first: 20) { nodes { act objectId } } }", &json!({}));
    let noted = acts["auditEntries"]["nodes"].as_array().unwrap();
    for (act, object) in [
        ("EDITED", overdue.as_str().unwrap()),
        ("CANCELLED", mail["id"].as_str().unwrap()),
        ("EDITED", "calendar_2031"),
    ] {
        assert!(noted.contains(&json!({"act": act, "objectId": object})), "{noted:?}");
    }
    assert!(world.done(&["audit", "verify"]).contains("全部相接"));
}

/// A measure that was entered twice in different words is merged; the work on both is combined.
fn merging_measures(
    region: &Office<'_>,
    county: &Office<'_>,
    (problem, measure, answer): (&str, &str, &str),
    elsewhere: &str,
) {
    let named = ["白河县人民政府", "云溪市林业和草原局"].map(|unit| json!({"unitId": region.id_of("units", unit)}));
    let lead = region.id_of("units", "云溪市生态环境局");
    let new = json!({"problemId": problem, "number": "1之二", "content": "采砂设施全部拆除，河滩恢复植被",
        "deadline": "2027年6月30日",
        "leadUnitId": lead, "parties": named});
    let twin = region.done("createMeasure", MEASURE, &new)["measure"].clone();
    let twin_id = twin["id"].as_str().unwrap();
    let theirs = twin["assignments"]["nodes"].as_array().unwrap();
    let theirs = theirs.iter().find(|one| one["unit"]["name"] == "白河县人民政府").unwrap()["id"].as_str().unwrap();
    let report = county.on("assignmentId", theirs, json!({"period": "2027-01", "text": "已拆除三处。"}));
    county.done("reportProgress", "assignment { status }", &report);

    let other =
        json!({"problemId": elsewhere, "content": "另一问题的措施", "deadline": "长期坚持", "leadUnitId": lead});
    let other = id(&region.done("createMeasure", "measure { id }", &other), "measure");
    for wrong in [other.as_str(), "measure_999999"] {
        let merge = region.on("measureId", twin_id, json!({ "intoId": wrong }));
        assert_eq!(region.refused("mergeMeasures", &merge), ("NOT_FOUND".into(), "input.intoId".into()));
    }
    region.done("deleteMeasure", "isDeleted", &region.on("measureId", &other, json!({})));
    // An accepted measure cannot be deleted, and a measure with a pending decision cannot be merged.
    let third = json!({"problemId": problem, "content": "设置警示标志", "deadline": "长期坚持", "leadUnitId": lead,
        "parties": [{"unitId": region.id_of("units", "白河县人民政府")}]});
    let third = region.done("createMeasure", MEASURE, &third)["measure"].clone();
    let (third, asked) = (third["id"].as_str().unwrap(), third["assignments"]["nodes"][0]["id"].as_str().unwrap());
    let declined = county.on("assignmentId", asked, json!({"reason": "不属本县管辖"}));
    county.done("declineAssignment", "assignment { id }", &declined);
    let merge = region.on("measureId", third, json!({ "intoId": measure }));
    assert_eq!(region.refused("mergeMeasures", &merge).0, "WRONG_STATE", "the declined assignment is pending");
    county.done("acceptAssignment", "assignment { id }", &county.on("assignmentId", asked, json!({})));
    assert_eq!(region.refused("deleteMeasure", &region.on("measureId", third, json!({}))).0, "WRONG_STATE");
    let not_ours = county.on("assignmentId", asked, json!({"reason": "本县没有采砂点"}));
    county.done("proposeNotApplicable", "assignment { id }", &not_ours);
    let merge = region.on("measureId", third, json!({ "intoId": measure }));
    assert_eq!(region.refused("mergeMeasures", &merge).0, "WRONG_STATE", "the proposal of not applicable is pending");
    let back = region.on("measureId", twin_id, json!({ "intoId": third }));
    assert_eq!(
        region.refused("mergeMeasures", &back).0,
        "WRONG_STATE",
        "a pending proposal blocks the merge in either direction"
    );
    let itself = region.on("measureId", twin_id, json!({ "intoId": twin_id }));
    assert_eq!(region.refused("mergeMeasures", &itself).0, "INVALID");

    let before =
        region.read("query($id: ID!) { measure(id: $id) { assignments { totalCount } } }", &json!({"id": measure}));
    let ask = json!({"assignmentId": theirs, "newDueOn": "2027-12-31", "reason": "汛期无法施工"});
    county.done("requestExtension", "assignment { id }", &ask);
    let merge = region.on("measureId", twin_id, json!({ "intoId": measure }));
    assert_eq!(
        region.refused("mergeMeasures", &merge),
        ("WRONG_STATE".into(), "input.measureId".into()),
        "the extension is pending"
    );
    let asked = "query($id: ID!) { measure(id: $id) { deadlineChanges { nodes { id } } } }";
    let asked = region.read(asked, &json!({ "id": twin_id }))["measure"]["deadlineChanges"]["nodes"][0]["id"].clone();
    let no = json!({"extensionId": asked, "decision": "REJECT", "words": "不予延期"});
    region.done("decideExtension", "assignment { id }", &no);
    let merge = region.on("measureId", twin_id, json!({ "intoId": measure }));
    let selected = "measure { id number deadline { raw } responsibleParties { nodes { raw } } \
        assignments { totalCount nodes { id unit { name } reports { totalCount } } } \
        audit(first: 1) { nodes { act before } } }";
    let merged = region.done("mergeMeasures", selected, &merge)["measure"].clone();
    assert_eq!(
        (&merged["id"], &merged["number"], &merged["deadline"]["raw"]),
        (&json!(measure), &json!("1"), &json!("2027年2月28日"))
    );
    let answers = merged["assignments"]["nodes"].as_array().unwrap();
    let total = before["measure"]["assignments"]["totalCount"].as_u64().unwrap();
    assert_eq!(
        merged["assignments"]["totalCount"],
        total + 1,
        "the unit that both name counts once, the one that only the twin names is added"
    );
    let mine: Vec<&Value> = answers.iter().filter(|one| one["unit"]["name"] == "白河县人民政府").collect();
    assert_eq!((mine.len(), &mine[0]["reports"]["totalCount"]), (1, &json!(2)), "{mine:?} {answer}");
    assert_eq!(merged["audit"]["nodes"][0]["act"], "MERGED");
    assert!(merged["audit"]["nodes"][0]["before"].as_str().unwrap().contains(twin_id), "{merged}");
    // The audit entries of the removed assignment are kept in the history of the merge entry.
    let audit = "query($id: ID!) { assignment(id: $id) { audit(first: 1) { nodes { act before } } } }";
    let noted = county.read(audit, &json!({"id": mine[0]["id"]}))["assignment"]["audit"]["nodes"][0].clone();
    assert_eq!(noted["act"], "MERGED");
    let history: Value = serde_json::from_str(noted["before"].as_str().unwrap()).unwrap();
    let acts: Vec<&str> =
        history["history"].as_array().unwrap().iter().map(|one| one["act"].as_str().unwrap()).collect();
    assert_eq!(acts, ["ASSIGNED", "PROGRESS_REPORTED", "EXTENSION_REQUESTED", "EXTENSION_DECIDED"]);
    assert!(history["history"][1]["after"].as_str().unwrap().contains("2027-01"), "{history}");
    assert_eq!(region.read("query($id: ID!) { node(id: $id) { id } }", &json!({ "id": twin_id }))["node"], Value::Null);
}

/// Returns the input of a mutation, or its members besides id and version.
type Further = fn() -> Value;

/// Every mutation that keeps problems and measures: its name, the member with the id, and the rest of its input.
const KEPT: [(&str, &str, Further); 11] = [
    ("editProblem", "problemId", || json!({"title": "改动"})),
    ("retireProblem", "problemId", || json!({"reason": "撤销"})),
    ("mergeProblems", "problemId", || json!({"intoId": "problem_1"})),
    ("deleteProblem", "problemId", || json!({})),
    ("createMeasure", "problemId", || json!({"content": "措施", "deadline": "长期坚持"})),
    ("editMeasure", "measureId", || json!({"content": "改动"})),
    ("changeDeadline", "measureId", || json!({"deadline": "2031年", "reason": "更正"})),
    ("planChecks", "measureId", || json!({"plans": []})),
    ("mergeMeasures", "measureId", || json!({"intoId": "measure_1"})),
    ("retireMeasure", "measureId", || json!({"reason": "撤销"})),
    ("deleteMeasure", "measureId", || json!({})),
];

/// Mutations for administrators: other roles are refused, whatever the input names.
const DICTIONARIES: [(&str, Further); 9] = [
    ("editSchedule", || json!({"scheduleId": "schedule_1", "enabled": false})),
    ("createRegion", || json!({"parentId": "region_2", "name": "某县"})),
    ("editRegion", || json!({"regionId": "region_4", "version": 1, "name": "改名县"})),
    ("mergeRegions", || json!({"regionId": "region_4", "version": 1, "intoId": "region_5"})),
    ("retireRegion", || json!({"regionId": "region_4", "version": 1})),
    ("createUnit", || json!({"regionId": "region_4", "name": "某单位"})),
    ("editUnit", || json!({"unitId": "unit_1", "version": 1, "name": "改名局"})),
    ("mergeUnits", || json!({"unitId": "unit_1", "version": 1, "intoId": "unit_2"})),
    ("retireUnit", || json!({"unitId": "unit_1", "version": 1})),
];

/// Mutations of rounds: roles other than the regional office are refused, whatever the input names.
const ROUNDS: [(&str, Further); 10] = [
    ("createRound", || json!({"name": "某轮", "level": "PROVINCE", "kind": "ROUTINE"})),
    ("editRound", || json!({"roundId": "round_1", "version": 1, "name": "改名"})),
    ("mergeRounds", || json!({"roundId": "round_1", "intoId": "round_2"})),
    ("deleteRound", || json!({"roundId": "round_1", "version": 1})),
    ("recordRoundResult", || json!({"roundId": "round_1", "kind": "FINED", "amount": 2})),
    ("correctRoundResult", || json!({"resultId": "roundresult_1", "version": 1, "kind": "FINED", "amount": 2})),
    ("withdrawRoundResult", || json!({"resultId": "roundresult_1", "version": 1, "reason": "登记有误"})),
    ("recordPublishedFigure", || {
        json!({"roundId": "round_1", "regionId": "region_1", "counted": "MEASURES", "topic": "TOTAL", "amount": 2,
            "asOf": "2026-01-01", "source": "通报"})
    }),
    ("correctPublishedFigure", || {
        json!({"figureId": "publishedfigure_1", "version": 1, "regionId": "region_1", "counted": "MEASURES",
            "topic": "TOTAL", "amount": 2, "asOf": "2026-01-01", "source": "通报"})
    }),
    ("withdrawPublishedFigure", || json!({"figureId": "publishedfigure_1", "version": 1, "reason": "登记有误"})),
];

fn who_does_not_keep_the_ledger_changes_nothing_and_hears_nothing_of_what_is_hidden(world: &World) {
    let scene = Scene::of(world);
    let tables = &scene.tables;
    let before = scene.audited();
    let (mut refused, mut unseen) = (0, 0);
    for person in &scene.people {
        let left = allowed(tables, person.account);
        let version = |id: i64, of: &str| match of {
            "problemId" => tables.problems.iter().find(|row| row.id == id).map(|row| row.version),
            _ => tables.measures.iter().find(|row| row.id == id).map(|row| row.version),
        };
        let given = |of: &str, id: i64, further: Value| {
            let mut input = json!({ of: format!("{}_{id}", of.trim_end_matches("Id")) });
            input.as_object_mut().unwrap().extend(further.as_object().unwrap().clone());
            input
        };
        for (name, of, further) in KEPT {
            let (seen, all): (Vec<i64>, Vec<i64>) = match of {
                "problemId" => (
                    left.problems.iter().map(|row| row.id).collect(),
                    tables.problems.iter().map(|row| row.id).collect(),
                ),
                _ => (
                    left.measures.iter().map(|row| row.id).collect(),
                    tables.measures.iter().map(|row| row.id).collect(),
                ),
            };
            let mut further = further();
            let number = |id: i64| version(id, of).unwrap_or(1);
            let with_version = |further: &mut Value, id: i64| {
                if name != "createMeasure" {
                    further["version"] = json!(number(id));
                }
            };
            // There may be no hidden row: a supervising unit can see a measure of every problem.
            if let Some(hidden) = all.iter().copied().find(|id| *id != 1 && !seen.contains(id)) {
                with_version(&mut further, hidden);
                scene.act(person, name, &given(of, 999_999, further.clone()));
                let nothing = scene.act(person, name, &given(of, 999_999, further.clone()));
                let secret = scene.act(person, name, &given(of, hidden, further.clone()));
                assert_eq!(secret, nothing, "{person:?} {name}");
                // `mergeProblems` names two problems; the visible one may be refused first.
                if name != "mergeProblems" || person.role == Role::RegionalOffice {
                    assert_eq!(secret.0[0]["code"], "NOT_FOUND", "{person:?} {name} {secret:?}");
                }
                unseen += 1;
            }
            // Offices that keep the ledger are covered by other stories: they may edit what their region issued.
            let keeps = |id: i64| {
                let of_problem = || tables.problems.iter().find(|row| row.id == id).map(|row| row.round_id);
                let of_measure = || tables.measures.iter().find(|row| row.id == id).map(|row| row.round_id);
                let round = if of == "problemId" { of_problem() } else { of_measure() }.unwrap();
                let level = tables.rounds.iter().find(|row| row.id == round).unwrap().level;
                Authority::of(person.role, level).keeps
            };
            for id in seen.into_iter().filter(|id| *id != 1 && !keeps(*id)).take(3) {
                with_version(&mut further, id);
                let (errors, _) = scene.act(person, name, &given(of, id, further.clone()));
                assert_eq!(errors[0]["code"], "NOT_ALLOWED", "{person:?} {name} {errors}");
                refused += 1;
            }
        }
        let others = DICTIONARIES.iter().filter(|_| person.role != Role::Administrator);
        let rounds = ROUNDS.iter().filter(|_| person.role != Role::RegionalOffice);
        for (name, input) in others.chain(rounds) {
            let (errors, _) = scene.act(person, name, &input());
            // Offices of lower levels keep ledgers, too, and are told that there is no such record.
            let keeps_some = Authority::of(person.role, RoundLevel::County).keeps;
            let is_of_record = name.starts_with("correct") || name.starts_with("withdraw");
            let expected = if keeps_some && is_of_record { "NOT_FOUND" } else { "NOT_ALLOWED" };
            assert_eq!(errors[0]["code"], expected, "{person:?} {name} {errors}");
            refused += 1;
        }
    }
    assert_eq!(scene.audited(), before);
    assert!(refused > 250 && unseen > 100, "{refused} {unseen}");
}
