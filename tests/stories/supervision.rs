//! Escalation: what stays overdue is reported to the next level, once per level; listing (挂牌督办) is proposed by the
//! system and decided by a person.

use serde_json::{Value, json};

use crate::scene::MeasureScene;
use crate::support::ledgers::{CITY_ROWS, ROUND, city};
use crate::support::{Server, World, read, stories};

stories!(
    what_stays_overdue_goes_up_once_per_level,
    the_lead_leader_of_a_measure_is_told_under_their_own_address,
    listing_is_proposed_once_and_a_person_decides,
    nothing_is_proposed_of_what_is_done,
    a_summons_says_when_where_and_whom_to_ask,
);

const CITY: &str = "昌都市生态环境保护督察整改办";

/// Imports a county's ledger with three measures due on 2022-12-31, and adds the city office that is notified.
fn scene(world: &World) {
    world.done(&["migrate"]);
    // The levels are reached on weekends.
    world.done(&["reminder", "set", "escalation", "--working-days-only", "false"]);
    let file = world.file("县.xlsx", &city(&CITY_ROWS));
    world.done(&["import", &file, "--round", ROUND, "--region", "540329", "--issued-by", "540300", "--create-units"]);
    world.entered("2022-12-01");
    world.done(&["unit", "add", CITY, "--region", "540300", "--mail", "office@city.example"]);
}

/// Returns how many assignments a dry run of the escalation reports to an address, if any.
fn told(world: &World, address: &str, day: &str) -> Option<u32> {
    let said = world.done(&["job", "run", "escalation", "--at", day, "--dry-run"]);
    let line = said.lines().find(|line| line.contains(address))?;
    line.rsplit('：').next()?.trim_end_matches(" 项").trim().parse().ok()
}

fn the_lead_leader_of_a_measure_is_told_under_their_own_address(world: &World) {
    scene(world);
    world.account("leader@city.example", "leader", "市水利局");
    world.done(&["unit", "add", "西藏自治区生态环境保护督察整改办", "--region", "540000"]);
    let office = world.account("office@region.example", "regional-office", "西藏自治区生态环境保护督察整改办");
    let server = world.serve();
    let query =
        "{ measures(first: 20, filter: {leadUnit: {is: {name: {eq: \"市水利局\"}}}}) { nodes { id version } } }";
    let set = |leaders: &Value| {
        let measure = server.data_as(&office, query, &json!({}))["measures"]["nodes"][0].clone();
        let input = json!({ "measureId": measure["id"], "version": measure["version"], "leaders": leaders });
        let edit = "mutation($input: EditMeasureInput!) { editMeasure(input: $input) { errors { message } } }";
        assert_eq!(server.data_as(&office, edit, &json!({ "input": input }))["editMeasure"]["errors"], json!([]));
    };
    let case = json!({ "post": "CASE", "name": "市长 赵某某", "email": "case@city.example" });
    set(&json!([{ "post": "LEAD", "name": "副市长 李某某" }, case]));
    // Without an address of the lead leader, the leader in charge of the case is told; the accounts are not.
    assert_eq!(told(world, "case@city.example", "2023-01-18"), Some(1));
    assert_eq!(told(world, "leader@city.example", "2023-01-18"), None);
    set(&json!([{ "post": "LEAD", "name": "副市长 李某某", "email": "li@city.example" }, case]));
    assert_eq!(told(world, "li@city.example", "2023-01-14"), None, "the second level begins after fifteen days");
    assert_eq!(told(world, "case@city.example", "2023-01-18"), None);
    assert_eq!(told(world, "li@city.example", "2023-01-18"), Some(1));
    assert!(run(world, "escalation", "2023-01-18").contains("已写入发件箱 2 封"), "to the office and to the leader");
    assert_eq!(told(world, "li@city.example", "2023-01-19"), None, "once");
    world.done(&["job", "run", "deliver-mail", "--at", "2023-01-18"]);
    let letters = || {
        let files = std::fs::read_dir(world.dir.path().join("data/mail")).unwrap().map(|entry| entry.unwrap().path());
        let texts = files.filter(|path| path.extension().is_some_and(|ending| ending == "html")).map(read);
        texts.filter(|text| text.contains("您是这项措施的牵头领导")).count()
    };
    assert_eq!(letters(), 1);
    // Whoever is no longer the leader when the mail is sent is not written to.
    set(&json!([{ "post": "LEAD", "name": "副市长 王某某", "email": "wang@city.example" }]));
    assert!(run(world, "escalation", "2023-01-20").contains("已写入发件箱 1 封"));
    set(&json!([{ "post": "LEAD", "name": "副市长 孙某某" }]));
    world.done(&["job", "run", "deliver-mail", "--at", "2023-01-20"]);
    assert_eq!(letters(), 1);
    assert_eq!(told(world, "leader@city.example", "2023-01-21"), Some(1), "the accounts, where no address is known");
    assert!(!read(world.log()).contains("@city.example"), "addresses are not logged");
}

fn run(world: &World, job: &str, day: &str) -> String {
    world.done(&["job", "run", job, "--at", day])
}

fn what_stays_overdue_goes_up_once_per_level(world: &World) {
    scene(world);
    world.account("leader@city.example", "leader", "市水利局");
    assert_eq!(told(world, "office@city.example", "2023-01-06"), None, "the first level begins after seven days");
    // The city office is notified of every overdue assignment, once.
    assert_eq!(told(world, "office@city.example", "2023-01-07"), Some(3));
    assert_eq!(told(world, "leader@city.example", "2023-01-07"), None);
    assert!(run(world, "escalation", "2023-01-07").contains("已写入发件箱 1 封"));
    assert_eq!(told(world, "office@city.example", "2023-01-08"), None);
    // A leader is notified of what their unit 市水利局 leads, once. A missed day is caught up.
    assert_eq!(told(world, "leader@city.example", "2023-01-14"), None);
    assert_eq!(told(world, "leader@city.example", "2023-01-18"), Some(1));
    assert!(run(world, "escalation", "2023-01-18").contains("已写入发件箱 1 封"));
    assert_eq!(told(world, "leader@city.example", "2023-01-19"), None);
    // Proposals are written first; then the city office is notified of them.
    assert!(run(world, "propose-listing", "2023-01-30").contains("3 项"));
    assert_eq!(told(world, "office@city.example", "2023-01-30"), Some(3));
    assert!(run(world, "escalation", "2023-01-30").contains("已写入发件箱 1 封"));
    assert_eq!(told(world, "office@city.example", "2023-01-31"), None, "each level is notified once");
    world.done(&["job", "run", "deliver-mail", "--at", "2023-01-31"]);
    let files = std::fs::read_dir(world.dir.path().join("data/mail")).unwrap().map(|entry| entry.unwrap().path());
    let letters: Vec<String> =
        files.filter(|path| path.extension().is_some_and(|ending| ending == "html")).map(read).collect();
    assert_eq!(letters.len(), 3);
    let last =
        letters.iter().find(|letter| letter.contains("升级督办·逾期30天")).unwrap_or_else(|| panic!("{letters:?}"));
    assert_eq!(last.matches("建议挂牌督办，待决定").count(), 3, "{last}");
}

const PROPOSED: &str = "{ supervisionActions(filter: {state: [PROPOSED]}) { nodes { id kind state reason issuer { id } \
    recipient { name } assignment { id unit { name } } } } }";
const DECIDE: &str = "mutation($input: DecideSupervisionInput!) { decideSupervision(input: $input) \
    { assignment { measure { supervisionActions { nodes { kind state reason liftReason } } } } errors { code message \
    path } } }";

fn decide(server: &Server, token: &str, action: &Value, is_adopted: bool) -> Value {
    let answer_by = if is_adopted { json!("2023-03-10") } else { Value::Null };
    let input = json!({"actionId": action["id"], "isAdopted": is_adopted, "reason": "逾期一个月，问题突出",
        "answerBy": answer_by});
    server.data_as(token, DECIDE, &json!({ "input": input }))["decideSupervision"].clone()
}

fn listing_is_proposed_once_and_a_person_decides(world: &World) {
    scene(world);
    world.done(&["unit", "set", "洛隆县人民政府", "--mail", "gov@county.example"]);
    assert!(run(world, "propose-listing", "2023-01-29").contains("0 项"));
    assert!(run(world, "propose-listing", "2023-01-30").contains("3 项"));
    assert!(run(world, "propose-listing", "2023-02-15").contains("0 项"), "a proposal must not be repeated");
    let office = world.account("person@city.example", "city-office", CITY);
    let region = world.account("person@region.example", "regional-office", CITY);
    let county = world.account("person@county.example", "responsible-unit", "洛隆县人民政府");
    let (server, _clock) = world.serve_under_clock("2023-02-20T09:00");
    let proposed = server.data_as(&office, PROPOSED, &json!({}))["supervisionActions"]["nodes"].clone();
    let proposed = proposed.as_array().unwrap();
    assert_eq!(proposed.len(), 3);
    assert_eq!((&proposed[0]["kind"], &proposed[0]["issuer"]), (&json!("LIST"), &Value::Null));
    assert_eq!(proposed[0]["reason"], "逾期30天仍未完成整改，系统建议挂牌督办");
    assert_eq!(proposed[0]["recipient"]["name"], "洛隆县人民政府");

    // The unit concerned cannot decide; a proposal cannot be lifted.
    assert_eq!(decide(&server, &county, &proposed[0], false)["errors"][0]["code"], "NOT_ALLOWED");
    let lift = "mutation($input: LiftSupervisionInput!) { liftSupervision(input: $input) { errors { code } } }";
    let input = json!({"input": {"actionId": proposed[0]["id"], "reason": "已办"}});
    assert_eq!(server.data_as(&office, lift, &input)["liftSupervision"]["errors"][0]["code"], "WRONG_STATE");

    let input = json!({"input": {"actionId": proposed[0]["id"], "isAdopted": false, "reason": "不必",
        "answerBy": "2023-03-10"}});
    let refused = server.data_as(&office, DECIDE, &input)["decideSupervision"]["errors"][0].clone();
    assert_eq!(
        (&refused["code"], &refused["path"][1]),
        (&json!("INVALID"), &json!("answerBy")),
        "a dismissed proposal has no deadline to answer"
    );

    // An assignment can be listed once: an existing proposal must be decided, a listing in force must be lifted.
    let issuing = "mutation($input: IssueSupervisionInput!) { issueSupervision(input: $input) { errors { code } } }";
    let issue = |of: &Value| {
        let input = json!({"input": {"assignmentId": of["assignment"]["id"], "kind": "LIST", "reason": "长期逾期"}});
        server.data_as(&office, issuing, &input)["issueSupervision"]["errors"][0]["code"].clone()
    };
    assert_eq!(issue(&proposed[0]), "WRONG_STATE");
    let adopted = decide(&server, &office, &proposed[0], true);
    assert_eq!(issue(&proposed[0]), "WRONG_STATE");
    assert_eq!(adopted["errors"], json!([]));
    let expected = json!([{"kind": "LIST", "state": "ISSUED", "reason": "逾期一个月，问题突出", "liftReason": null}]);
    assert_eq!(adopted["assignment"]["measure"]["supervisionActions"]["nodes"], expected);
    assert_eq!(
        decide(&server, &office, &proposed[0], false)["errors"][0]["code"],
        "WRONG_STATE",
        "a proposal is decided once"
    );
    let dismissed = decide(&server, &office, &proposed[1], false);
    let expected = json!("DISMISSED");
    assert_eq!(dismissed["assignment"]["measure"]["supervisionActions"]["nodes"][0]["state"], expected);
    assert!(run(world, "propose-listing", "2023-03-15").contains("0 项"), "a dismissed proposal must not be repeated");

    // An assignment that was completed meanwhile can no longer be listed.
    let version = server.data_as(
        &county,
        "query($id: ID!) { assignment(id: $id) { version } }",
        &json!({"id": proposed[2]["assignment"]["id"]}),
    );
    let report = "mutation($input: ReportProgressInput!) { reportProgress(input: $input) { errors { message } } }";
    let input = json!({"input": {"assignmentId": proposed[2]["assignment"]["id"],
        "version": version["assignment"]["version"],
        "period": "2023-02", "text": "已完成。", "completedOn": "2023-02-19"}});
    assert_eq!(server.data_as(&county, report, &input)["reportProgress"]["errors"], json!([]));
    let late = decide(&server, &office, &proposed[2], true);
    assert_eq!(
        (&late["errors"][0]["code"], &late["errors"][0]["path"][1]),
        (&json!("WRONG_STATE"), &json!("isAdopted"))
    );
    assert_eq!(decide(&server, &office, &proposed[2], false)["errors"], json!([]));

    // The unit is notified by mail of the listing in force only.
    let mails = world.done(&["mail", "list"]);
    assert_eq!(mails.matches("挂牌督办").count(), 1, "{mails}");
    assert!(mails.contains("gov@county.example") && mails.contains("答复期限：2023年3月10日"), "{mails}");
    let trail = "{ auditEntries(filter: {act: {eq: \"SUPERVISION_PROPOSED\"}}) { nodes { actor { id } } } }";
    let entries = server.data_as(&office, trail, &json!({}))["auditEntries"]["nodes"].clone();
    assert_eq!(entries, json!([{"actor": null}, {"actor": null}, {"actor": null}]));
    assert!(world.done(&["audit", "verify"]).contains("无缺失"));

    // Missing a later deadline leads to a new proposal.
    let measure = "{ measures(filter: {text: {search: \"巡查制度\"}}) { nodes { id version } } }";
    let measure = server.data_as(&region, measure, &json!({}))["measures"]["nodes"][0].clone();
    let change = "mutation($input: ChangeDeadlineInput!) { changeDeadline(input: $input) { errors { message } } }";
    let input = json!({"input": {"measureId": measure["id"], "version": measure["version"], "deadline": "2023年2月28日",
        "reason": "雨季"}});
    assert_eq!(server.data_as(&region, change, &input)["changeDeadline"]["errors"], json!([]));
    assert!(run(world, "propose-listing", "2023-03-29").contains("0 项"));
    assert!(run(world, "propose-listing", "2023-03-30").contains("1 项"));
}

fn nothing_is_proposed_of_what_is_done(world: &World) {
    use sea_orm::ConnectionTrait;
    scene(world);
    crate::support::block_on(async {
        let db = world.db().await;
        let done = "UPDATE assignment SET completed_on = '2022-12-30' WHERE id = (SELECT min(a.id) FROM assignment a \
            JOIN measure m ON m.id = a.measure_id WHERE m.due_by = '2022-12-31')";
        db.execute_unprepared(done).await.unwrap();
    });
    assert!(world.done(&["job", "run", "propose-listing", "--at", "2023-01-30", "--dry-run"]).contains("会对 2 项"));
    assert!(run(world, "propose-listing", "2023-01-30").contains("2 项"));
}

fn a_summons_says_when_where_and_whom_to_ask(world: &World) {
    let scene = MeasureScene::set(world);
    let [county, ..] = scene.counties.clone();
    let query = "query($id: ID!) { measure(id: $id) { version } }";
    let version =
        scene.server.data_as(&scene.city, query, &json!({ "id": scene.measure }))["measure"]["version"].clone();
    let assign = json!({"measureId": scene.measure, "version": version, "hasSelectorsResolved": true});
    assert_eq!(scene.act(&scene.city, "assignMeasure", "AssignMeasureInput", &assign)["errors"], json!([]));
    let issue = |input: Value| {
        scene.act(&scene.city, "issueSupervision", "IssueSupervisionInput", &scene.beside("洛隆县", input))
    };
    let paths = |given: &Value| {
        let errors = given["errors"].as_array().unwrap().iter();
        errors.map(|error| error["path"][1].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };

    // What a kind does not have is refused, at its field; so is what is too long or past.
    let talk = json!({"meetingAt": "2023-04-14T09:30:00+08:00", "place": "三楼会议室", "contact": "王某 0895-0000000"});
    let with = |kind: &str, more: Value| {
        let mut input = json!({"kind": kind, "reason": "多次督办未见成效。"});
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        input
    };
    for kind in ["URGE", "SUPERVISE", "LIST"] {
        assert_eq!(paths(&issue(with(kind, talk.clone()))), ["meetingAt", "place", "contact"], "{kind}");
    }
    assert_eq!(paths(&issue(with("URGE", json!({"documentNumber": "督〔2023〕1号"})))), ["documentNumber"]);
    let long = json!({"documentNumber": "号".repeat(101), "place": "楼".repeat(201), "contact": "王".repeat(201),
        "meetingAt": "2023-04-09T23:59:00+08:00"});
    assert_eq!(paths(&issue(with("SUMMON", long))), ["documentNumber", "place", "contact", "meetingAt"]);

    let numbered = json!({"documentNumber": "督〔2023〕2号"});
    for kind in ["SUPERVISE", "LIST"] {
        assert_eq!(issue(with(kind, numbered.clone()))["errors"], json!([]), "{kind}");
    }
    let mut whole = talk.clone();
    whole["documentNumber"] = json!("督〔2023〕3号");
    assert_eq!(issue(with("SUMMON", whole))["errors"], json!([]));
    let read = "{ supervisionActions(filter: {kind: [SUMMON]}) { nodes { documentNumber meetingAt place contact } } }";
    let seen = |token: &str| scene.server.data_as(token, read, &json!({}))["supervisionActions"]["nodes"].clone();
    let of_county = seen(&county);
    assert_eq!(of_county[0]["documentNumber"], "督〔2023〕3号");
    assert_eq!((&of_county[0]["place"], &of_county[0]["contact"]), (&talk["place"], &talk["contact"]));
    assert!(of_county[0]["meetingAt"].as_str().unwrap().starts_with("2023-04-14T"), "{of_county}");
    assert_eq!(seen(&scene.city), of_county);
    assert_eq!(seen(&scene.counties[1]), json!([]), "another county sees neither the summons nor its contact");

    // The contact is personal data: the audit, which cannot be altered, does not keep it.
    let trail = "{ auditEntries(filter: {act: {eq: \"SUPERVISED\"}}) { nodes { after } } }";
    let trail = scene.server.data_as(&scene.city, trail, &json!({}))["auditEntries"]["nodes"].to_string();
    assert!(trail.contains("督〔2023〕3号") && trail.contains("三楼会议室"), "{trail}");
    assert!(!trail.contains("王某") && !trail.contains("0895"), "{trail}");
    assert!(world.done(&["audit", "verify"]).contains("无缺失"));
}
