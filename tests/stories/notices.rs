//! Notices at once: after each step of an assignment and of a case, whoever has to act or to know next gets a mail, and
//! nobody else does.

use std::cell::Cell;
use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::mail_words::deliver;
use crate::scene::{CaseScene, MeasureScene};
use crate::support::{Server, World, stories};

stories!(
    each_step_of_an_assignment_tells_the_next_person_and_nobody_else,
    each_step_of_a_case_tells_the_next_person_and_nobody_else,
    a_mailbox_of_two_units_gets_one_mail_and_questions_go_to_the_office,
    an_import_and_a_new_measure_tell_what_they_should,
);

/// The city's water department, which leads the measure.
const LEAD: &str = "water@city.example";

/// The unit that supervises the measure.
const SUPERVISES: &str = "organisation@city.example";

/// The mailboxes of the offices and the counties.
const REGION: &str = "u540000@gov.example";
const CITY: &str = "u540300@gov.example";
const LUOLONG: &str = "u540329@gov.example";
const LEIWUQI: &str = "u540323@gov.example";
const CHAYA: &str = "u540325@gov.example";
/// The mailbox of the first county and that of its account, which applied.
const APPLICANTS: [&str; 2] = [LUOLONG, "c540329@gov.example"];
/// Those, and the lead unit.
const CONCERNED: [&str; 3] = [LUOLONG, "c540329@gov.example", LEAD];

/// The outbox, as an administrator sees it.
struct Outbox<'a> {
    server: &'a Server,
    administrator: String,
    /// The number of mails that were there at the last look.
    seen: Cell<usize>,
}

impl<'a> Outbox<'a> {
    fn open(world: &World, server: &'a Server) -> Self {
        let email = "administrator@gov.example";
        world.done(&["account", "create", email, "--role", "administrator", "--no-password"]);
        let administrator = world.done(&["token", "create", email]).trim().to_owned();
        Self { server, administrator, seen: Cell::new(0) }
    }

    fn mails(&self) -> Vec<Value> {
        let query = "{ mails(first: 200) { nodes { kind to state } } }";
        let mails = self.server.data_as(&self.administrator, query, &json!({}))["mails"]["nodes"].clone();
        mails.as_array().unwrap().clone()
    }

    /// Asserts that the mails since the last look are of one kind, and go to these addresses.
    fn told(&self, kind: &str, addresses: &[&str]) {
        let mails = self.mails();
        let word = |mail: &Value, field: &str| mail[field].as_str().unwrap().to_owned();
        let mut new: Vec<(String, String)> =
            mails[self.seen.get()..].iter().map(|mail| (word(mail, "kind"), word(mail, "to"))).collect();
        self.seen.set(mails.len());
        new.sort();
        let mut expected: Vec<_> = addresses.iter().map(|to| (kind.to_owned(), (*to).to_owned())).collect();
        expected.sort();
        assert_eq!(new, expected, "{kind}");
    }

    /// Returns the states of delivery of the mails of each kind.
    fn states(&self) -> BTreeMap<String, Vec<String>> {
        let mut states: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for mail in self.mails() {
            let state = mail["state"].as_str().unwrap().to_owned();
            states.entry(mail["kind"].as_str().unwrap().to_owned()).or_default().push(state);
        }
        for states in states.values_mut() {
            states.sort();
        }
        states
    }
}

/// Gives the measure of a scene a supervising unit.
fn supervise(scene: &MeasureScene<'_>, unit: &str) {
    let query = "query($id: ID!, $unit: String) { measure(id: $id) { version } \
        units(filter: {name: {eq: $unit}}) { nodes { id } } }";
    let there = scene.server.data_as(&scene.region, query, &json!({ "id": scene.measure, "unit": unit }));
    let input = json!({"measureId": scene.measure, "version": there["measure"]["version"],
        "supervisingUnitId": there["units"]["nodes"][0]["id"]});
    let edit = "mutation($input: EditMeasureInput!) { editMeasure(input: $input) { errors { message } } }";
    let edited = scene.server.data_as(&scene.region, edit, &json!({ "input": input }));
    assert_eq!(edited["editMeasure"]["errors"], json!([]));
}

/// Assigns the measure of a scene to all counties.
fn assign(scene: &MeasureScene<'_>) {
    let query = "query($id: ID!) { measure(id: $id) { version } }";
    let version =
        scene.server.data_as(&scene.city, query, &json!({ "id": scene.measure }))["measure"]["version"].clone();
    let assign = json!({"measureId": scene.measure, "version": version, "hasSelectorsResolved": true});
    assert_eq!(scene.act(&scene.city, "assignMeasure", "AssignMeasureInput", &assign)["errors"], json!([]));
}

fn each_step_of_an_assignment_tells_the_next_person_and_nobody_else(world: &World) {
    let scene = MeasureScene::set(world);
    world.done(&["unit", "set", "市水利局", "--mail", LEAD]);
    let leader = ["account", "create", "leader@city.example", "--role", "leader", "--region", "540300"];
    world.done(&[&leader[..], &["--no-password"]].concat());
    let leader = world.done(&["token", "create", "leader@city.example"]).trim().to_owned();
    world.done(&["unit", "set", "市委组织部", "--mail", SUPERVISES]);
    supervise(&scene, "市委组织部");
    let outbox = Outbox::open(world, &scene.server);
    the_answers(&scene, &outbox);
    the_extensions(&scene, &outbox);
    the_supervision(&scene, &outbox, &leader);
    the_close_out(&scene, &outbox);

    // Sent at last, a mail that asks for what was done meanwhile is left out, and one that tells of it is not.
    let sent = deliver(world, "2023-05-20T02:30:00Z");
    let states = outbox.states();
    for (kind, [sent, cancelled]) in [
        // Only the county that is still to accept.
        ("assigned", [1, 2]),
        ("accepted", [2, 0]),
        // The lead unit is told that it happened.
        ("declined", [1, 1]),
        ("not-applicable-proposed", [0, 1]),
        ("not-applicable-confirmed", [2, 0]),
        ("not-applicable-rejected", [3, 0]),
        ("extension-requested", [0, 2]),
        ("extension-endorsed", [2, 1]),
        ("extension-approved", [2, 0]),
        ("extension-rejected", [2, 0]),
        ("urge", [0, 2]),
        ("supervision-lifted", [2, 0]),
        ("comment", [4, 0]),
        ("applied", [0, 2]),
        ("returned", [0, 3]),
        // The lead unit was asked to publish the notice.
        ("verified", [2, 1]),
        ("publicised", [2, 0]),
        ("objection", [0, 4]),
        ("objection-rejected", [3, 0]),
        ("closed", [3, 0]),
        ("relapse", [3, 0]),
    ] {
        let expected = [vec!["CANCELLED".to_owned(); cancelled], vec!["SENT".to_owned(); sent]].concat();
        assert_eq!(states[kind], expected, "{kind}");
    }
    assert_eq!(states.len(), 21);
    assert_eq!(sent.len(), states.values().flatten().filter(|state| *state == "SENT").count());
}

/// Asserts who is told when the units answer the assignment.
fn the_answers(scene: &MeasureScene<'_>, outbox: &Outbox<'_>) {
    let [luolong, leiwuqi, chaya] = &scene.counties;
    let city = &scene.city;
    assign(scene);
    outbox.told("assigned", &[LUOLONG, LEIWUQI, CHAYA]);
    scene.done(luolong, "acceptAssignment", "AcceptAssignmentInput", &scene.on("洛隆县", json!({})));
    outbox.told("accepted", &[CITY, LEAD]);
    let declined = json!({"reason": "电站属省电力公司管理。"});
    scene.done(leiwuqi, "declineAssignment", "DeclineAssignmentInput", &scene.on("类乌齐县", declined));
    outbox.told("declined", &[CITY, LEAD]);
    scene.done(city, "confirmNotApplicable", "ConfirmNotApplicableInput", &scene.on("类乌齐县", json!({})));
    outbox.told("not-applicable-confirmed", &[LEIWUQI, "c540323@gov.example"]);
    let propose = json!({"reason": "我县境内没有小水电站。"});
    scene.done(chaya, "proposeNotApplicable", "ProposeNotApplicableInput", &scene.on("察雅县", propose));
    outbox.told("not-applicable-proposed", &[CITY]);
    let reject = json!({"reason": "察雅县有一座停运电站。"});
    scene.done(city, "rejectNotApplicable", "RejectNotApplicableInput", &scene.on("察雅县", reject));
    outbox.told("not-applicable-rejected", &[CHAYA, "c540325@gov.example", LEAD]);
}

/// Asserts who is told when an extension is approved, first by the city office and then by the regional one, and when
/// another one is rejected.
fn the_extensions(scene: &MeasureScene<'_>, outbox: &Outbox<'_>) {
    let (luolong, city, region) = (&scene.counties[0], &scene.city, &scene.region);
    let later = json!({"newDueOn": "2023-12-31", "reason": "汛期无法施工。"});
    scene.done(luolong, "requestExtension", "RequestExtensionInput", &scene.beside("洛隆县", later));
    outbox.told("extension-requested", &[CITY]);
    let pending = "{ deadlineChanges(filter: {state: [REQUESTED, ENDORSED]}) { nodes { id } } }";
    let extension = scene.server.data_as(luolong, pending, &json!({}))["deadlineChanges"]["nodes"][0]["id"].clone();
    let decide = |decision: &str| json!({"extensionId": extension, "decision": decision, "words": "情况属实。"});
    scene.done(city, "decideExtension", "DecideExtensionInput", &decide("ENDORSE"));
    outbox.told("extension-endorsed", &[REGION, APPLICANTS[0], APPLICANTS[1]]);
    scene.done(region, "decideExtension", "DecideExtensionInput", &decide("APPROVE"));
    outbox.told("extension-approved", &APPLICANTS);
    let longer = json!({"newDueOn": "2024-12-31", "reason": "再次遇到汛期。"});
    scene.done(luolong, "requestExtension", "RequestExtensionInput", &scene.beside("洛隆县", longer));
    outbox.told("extension-requested", &[CITY]);
    let extension = scene.server.data_as(luolong, pending, &json!({}))["deadlineChanges"]["nodes"][0]["id"].clone();
    let rejection = json!({"extensionId": extension, "decision": "REJECT", "words": "理由不充分。"});
    scene.done(city, "decideExtension", "DecideExtensionInput", &rejection);
    outbox.told("extension-rejected", &APPLICANTS);
}

/// Asserts who is told when supervision is issued and lifted, and a leader comments.
fn the_supervision(scene: &MeasureScene<'_>, outbox: &Outbox<'_>, leader: &str) {
    let city = &scene.city;
    let urge = json!({"kind": "URGE", "reason": "汛期将至，请加快拆除。"});
    scene.done(city, "issueSupervision", "IssueSupervisionInput", &scene.beside("洛隆县", urge));
    outbox.told("urge", &[LUOLONG, LEAD]);
    let urged = "{ supervisionActions { nodes { id } } }";
    let action = scene.server.data_as(city, urged, &json!({}))["supervisionActions"]["nodes"][0]["id"].clone();
    let lift = json!({"actionId": action, "reason": "已加快推进。"});
    scene.done(city, "liftSupervision", "LiftSupervisionInput", &lift);
    outbox.told("supervision-lifted", &[LUOLONG, LEAD]);

    // A leader's comment goes to the units that still answer; that of an office to nobody.
    let comment = json!({"measureId": scene.measure, "text": "请逐站销账。"});
    scene.act(city, "commentOnMeasure", "CommentOnMeasureInput", &comment);
    outbox.told("comment", &[]);
    scene.act(leader, "commentOnMeasure", "CommentOnMeasureInput", &comment);
    outbox.told("comment", &[LUOLONG, CHAYA, LEAD, SUPERVISES]);
}

/// Asserts who is told when the assignment is returned, verified, publicised, objected to, closed and reopened.
fn the_close_out(scene: &MeasureScene<'_>, outbox: &Outbox<'_>) {
    let (luolong, city, region) = (&scene.counties[0], &scene.city, &scene.region);
    scene.apply(luolong, "洛隆县");
    outbox.told("applied", &[CITY]);
    let back = json!({"reason": "河道恢复不彻底，请补充佐证材料。"});
    scene.done(city, "returnCloseOut", "ReturnCloseOutInput", &scene.on("洛隆县", back));
    outbox.told("returned", &CONCERNED);
    scene.apply(luolong, "洛隆县");
    outbox.told("applied", &[CITY]);
    let opinion = json!({"opinion": "现场核查属实。"});
    scene.done(city, "verifyCloseOut", "VerifyCloseOutInput", &scene.on("洛隆县", opinion));
    outbox.told("verified", &CONCERNED);
    let notice = json!({"text": "洛隆县小水电站整改完成情况公示。", "contact": "昌都市整改办 0895-0000000"});
    scene.done(city, "publiciseCloseOut", "PubliciseCloseOutInput", &scene.on("洛隆县", notice));
    outbox.told("publicised", &APPLICANTS);
    // The regional office recorded the objection, so that the city office is told to decide.
    scene.clock.set("2023-04-12T10:00");
    let object = json!({"text": "下游仍有弃渣未清理。", "receivedOn": "2023-04-12"});
    scene.done(region, "raiseObjection", "RaiseObjectionInput", &scene.beside("洛隆县", object));
    outbox.told("objection", &[LUOLONG, "c540329@gov.example", LEAD, CITY]);
    let objections = "{ closeOuts(filter: {state: [PUBLICISED]}) { nodes { objections { id } } } }";
    let objections = scene.server.data_as(city, objections, &json!({}))["closeOuts"]["nodes"][0]["objections"].clone();
    let decision = json!({"objectionId": objections[0]["id"], "isUpheld": false, "answer": "经核实，弃渣已清理。"});
    scene.done(city, "decideObjection", "DecideObjectionInput", &decision);
    outbox.told("objection-rejected", &CONCERNED);
    scene.clock.set("2023-05-20T10:00");
    let close = json!({"decision": "同意销号。"});
    scene.done(region, "closeAssignment", "CloseAssignmentInput", &scene.on("洛隆县", close));
    outbox.told("closed", &CONCERNED);
    let relapse = json!({"reason": "巡查发现电站私自恢复运行。"});
    scene.done(region, "reopenAssignment", "ReopenAssignmentInput", &scene.on("洛隆县", relapse));
    outbox.told("relapse", &CONCERNED);
}

fn each_step_of_a_case_tells_the_next_person_and_nobody_else(world: &World) {
    let scene = CaseScene::set(world);
    let outbox = Outbox::open(world, &scene.server);
    let CaseScene { region, city, lead, assisting, .. } = &scene;
    let (of_region, of_city) = ("u540000@gov.example", "u540300@gov.example");
    let (of_lead, of_assisting) = ("u540329@gov.example", "u540323@gov.example");
    let resolvers = [of_lead, "a540329@gov.example"];

    let case = scene.done(city, "handOverCase", &scene.wanted(json!({})))["id"].as_str().unwrap().to_owned();
    outbox.told("case-handed-over", &[of_lead, of_assisting]);
    scene.done(lead, "acceptCase", &scene.on(&case, json!({})));
    scene.done(assisting, "reportOnCase", &json!({"caseId": case, "text": "已联合检查。"}));
    let partly = json!({"finding": "TRUE", "text": "已停产。", "isPartial": true});
    scene.done(lead, "resolveCase", &scene.on(&case, partly));
    outbox.told("case-resolved", &[]);
    let resolved = json!({"finding": "TRUE", "text": "洗砂场已拆除，河道已恢复。"});
    scene.done(lead, "resolveCase", &scene.on(&case, resolved.clone()));
    outbox.told("case-resolved", &[of_city]);
    scene.done(city, "returnCase", &scene.on(&case, json!({"reason": "河道底泥未清理。"})));
    outbox.told("case-returned", &resolvers);
    scene.done(lead, "resolveCase", &scene.on(&case, resolved));
    outbox.told("case-resolved", &[of_city]);
    scene.done(city, "verifyCase", &scene.on(&case, json!({"opinion": "现场核查，整改到位。"})));
    outbox.told("case-verified", &[of_region, resolvers[0], resolvers[1]]);
    scene.done(region, "closeCase", &scene.on(&case, json!({"decision": "同意销号。"})));
    outbox.told("case-closed", &[of_lead, "a540329@gov.example", of_assisting]);
    let again = json!({"reason": "洗砂场夜间恢复生产。", "dueOn": "2025-06-20"});
    scene.done(region, "reopenCase", &scene.on(&case, again));
    outbox.told("case-relapse", &resolvers);

    deliver(world, "2025-05-28T04:00:00Z");
    let states = outbox.states();
    for (kind, [sent, cancelled]) in [
        ("case-handed-over", [1, 1]),
        ("case-resolved", [0, 2]),
        // The case is under way again, so that what was returned may still be read.
        ("case-returned", [2, 0]),
        ("case-verified", [2, 1]),
        ("case-closed", [3, 0]),
        ("case-relapse", [2, 0]),
    ] {
        let expected = [vec!["CANCELLED".to_owned(); cancelled], vec!["SENT".to_owned(); sent]].concat();
        assert_eq!(states[kind], expected, "{kind}");
    }
}

fn a_mailbox_of_two_units_gets_one_mail_and_questions_go_to_the_office(world: &World) {
    let scene = MeasureScene::set(world);
    for unit in ["类乌齐县人民政府", "察雅县人民政府"] {
        world.done(&["unit", "set", unit, "--mail", "shared@gov.example"]);
    }
    let outbox = Outbox::open(world, &scene.server);
    assign(&scene);
    outbox.told("assigned", &["u540329@gov.example", "shared@gov.example"]);
    scene.done(&scene.counties[0], "acceptAssignment", "AcceptAssignmentInput", &scene.on("洛隆县", json!({})));
    outbox.told("accepted", &["u540300@gov.example"]);
    scene.apply(&scene.counties[0], "洛隆县");
    let opinion = json!({"opinion": "现场核查属实。"});
    scene.done(&scene.city, "verifyCloseOut", "VerifyCloseOutInput", &scene.on("洛隆县", opinion));

    let mails = deliver(world, "2023-04-10T02:00:00Z");
    let of = |kind: &str, to: &str| {
        let found = mails.iter().find(|(of, mail)| of == kind && mail["to"] == json!([to]));
        found.unwrap_or_else(|| panic!("no {kind} to {to}")).1.clone()
    };
    let shared = of("assigned", "shared@gov.example");
    let text = shared["text"].as_str().unwrap();
    assert!(text.contains("类乌齐县人民政府、察雅县人民政府"), "{text}");
    // A county asks its city's office, and this the regional one.
    let city = "昌都市生态环境保护督察整改办";
    assert_eq!(shared["reply_to"], format!("{city} <u540300@gov.example>"));
    assert!(text.contains(&format!("或联系{city}（u540300@gov.example）")), "{text}");
    assert!(shared["html"].as_str().unwrap().contains(city));
    let accepted = of("accepted", "u540300@gov.example");
    assert_eq!(accepted["reply_to"], "西藏自治区生态环境保护督察整改办 <u540000@gov.example>");
    // Digests too.
    world.done(&["job", "run", "overdue", "--at", "2023-07-03"]);
    let digests = deliver(world, "2023-07-03T02:00:00Z");
    let digest = digests.iter().find(|(_, mail)| mail["to"] == json!(["shared@gov.example"])).unwrap();
    assert_eq!(digest.1["reply_to"], format!("{city} <u540300@gov.example>"));
    // A mail about an account is no business of the office.
    let invite = ["account", "create", "new@gov.example", "--role", "city-office", "--unit", city, "--invite"];
    world.done(&invite);
    let invited = deliver(world, "2023-07-03T03:00:00Z");
    assert_eq!((invited[0].0.as_str(), &invited[0].1["reply_to"]), ("invitation", &json!("")));
}

fn an_import_and_a_new_measure_tell_what_they_should(world: &World) {
    let scene = MeasureScene::set(world);
    let outbox = Outbox::open(world, &scene.server);
    // The scene has imported a ledger with assignments.
    outbox.told("assigned", &[]);
    let there = "query($name: String) { problems(first: 1) { nodes { id } } \
        units(filter: {name: {eq: $name}}) { nodes { id } } }";
    let there = scene.server.data_as(&scene.region, there, &json!({"name": "察雅县人民政府"}));
    let unit = &there["units"]["nodes"][0]["id"];
    let create = "mutation($input: CreateMeasureInput!) { createMeasure(input: $input) { errors { message } \
        warnings { code } } }";
    let mut input = json!({"problemId": there["problems"]["nodes"][0]["id"], "content": "新增的一项管护措施",
        "deadline": "2023年12月31日", "leadUnitId": unit, "parties": [{"unitId": unit}]});
    let created = scene.server.data_as(&scene.region, create, &json!({ "input": input }));
    assert_eq!(created["createMeasure"], json!({"errors": [], "warnings": []}));
    outbox.told("assigned", &["u540325@gov.example"]);
    // A unit without an address is not told, which the act says.
    let there = "query($name: String) { units(filter: {name: {eq: $name}}) { nodes { id } } }";
    let silent = scene.server.data_as(&scene.region, there, &json!({"name": "市水利局"}))["units"]["nodes"][0].clone();
    input["parties"] = json!([{"unitId": silent["id"]}]);
    input["content"] = json!("新增的另一项管护措施");
    let created = scene.server.data_as(&scene.region, create, &json!({ "input": input }));
    assert_eq!(created["createMeasure"], json!({"errors": [], "warnings": [{"code": "NOBODY_TOLD"}]}));
    outbox.told("assigned", &[]);
}
