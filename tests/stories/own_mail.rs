//! What the recipients of mails can do with them: acting by their links, taking deadlines into their calendar,
//! switching digests off, and reading what they were told; and the addresses to which nothing is sent.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use entity::language::Language;
use ledger::record::link_key::LinkKey;
use scheduler::{Context, Links, Post};
use serde_json::{Value, json};

use crate::scene::{CaseScene, MeasureScene};
use crate::schedule;
use crate::support::{Answer, PASSWORD, Server, Smtp, World, asked, block_on, stories};

stories!(
    an_assignment_is_accepted_from_a_mail_without_signing_in,
    a_mail_to_others_is_acknowledged_and_accepts_nothing,
    a_case_is_accepted_from_a_mail_once,
    digests_bring_a_calendar_where_it_is_wanted,
    a_calendar_program_reads_the_deadlines_of_its_owner_only,
    a_person_switches_a_digest_off_and_a_unit_cannot,
    nothing_is_sent_to_an_address_from_which_mails_come_back,
    everybody_reads_the_mails_to_them,
);

/// Runs a job as of a moment, delivers what is queued then, and returns the mails as a server received them. Links lead
/// to `/m/…`, signed with the key of the server under a clock.
fn told(world: &World, job: &str, at: &str) -> Vec<Value> {
    let smtp = Smtp::start();
    let now: DateTime<Utc> = at.parse::<DateTime<chrono::FixedOffset>>().unwrap().to_utc();
    block_on(async {
        let db = world.db().await;
        let links = Links::new("http://ledger.example", "{public_url}/m/{token}", LinkKey::new("story"));
        let context = Context {
            post: Arc::new(Post::open(&smtp.url, "整改台账 <ledger@gov.example>").unwrap()),
            writer: scheduler::writer(links, Language::Zh).unwrap(),
            clock: Arc::new(move || now),
            ..schedule::context(world, &db, &now.to_rfc3339())
        };
        for name in [job, "deliver-mail"] {
            scheduler::run_at(&context, scheduler::find(name).unwrap(), now, false).await.unwrap();
        }
        db.close().await.unwrap();
    });
    smtp.mails().iter().map(|mail| serde_json::from_str(mail).unwrap()).collect()
}

/// Returns the token of the link to an item in the only mail to an address.
fn token(mails: &[Value], to: &str, item: &str) -> String {
    let of: Vec<&Value> = mails.iter().filter(|mail| mail["to"] == json!([to])).collect();
    assert_eq!(of.len(), 1, "one mail to {to}: {mails:?}");
    let text = of[0]["text"].as_str().unwrap();
    let links = text.split("http://ledger.example/m/").skip(1).map(|rest| rest.split_whitespace().next().unwrap());
    let found = links.into_iter().find(|token| token.starts_with(&format!("{item}."))).map(str::to_owned);
    found.unwrap_or_else(|| panic!("no link to {item}: {text}"))
}

/// Sends the button of the page of a link, from an origin.
fn press(server: &Server, token: &str, origin: &str) -> Answer {
    let headers = [("origin", origin), ("content-type", "application/x-www-form-urlencoded")];
    asked(server, "POST", &format!("/m/{token}"), &headers, b"")
}

/// Opens an address as a browser does that reads Chinese.
fn get(server: &Server, path: &str) -> Answer {
    asked(server, "GET", path, &[("accept-language", "zh")], b"")
}

fn page(server: &Server, token: &str) -> Answer {
    get(server, &format!("/m/{token}"))
}

const LINK: &str = "kind actions assignmentId expiresAt acknowledgedAt item { itemId dueOn isSettled }";

fn link(server: &Server, token: &str) -> Value {
    let query = format!("query($token: String!) {{ mailLink(token: $token) {{ {LINK} }} }}");
    server.data(&query, &json!({ "token": token }))["mailLink"].clone()
}

fn acknowledge(server: &Server, token: &str) -> Value {
    let query = format!(
        "mutation($input: AcknowledgeMailInput!) {{ acknowledgeMail(input: $input) {{ \
         link {{ {LINK} }} errors {{ code message path }} }} }}"
    );
    server.data(&query, &json!({ "input": { "token": token } }))["acknowledgeMail"].clone()
}

/// Assigns the measure of a scene to its counties.
fn assign(scene: &MeasureScene<'_>) {
    let query = "query($id: ID!) { measure(id: $id) { version } }";
    let version = scene.server.data_as(&scene.city, query, &json!({ "id": scene.measure }))["measure"].clone();
    let input = json!({"measureId": scene.measure, "version": version["version"], "hasSelectorsResolved": true});
    assert_eq!(scene.act(&scene.city, "assignMeasure", "AssignMeasureInput", &input)["errors"], json!([]));
    // What is told at once is no part of these stories.
    told(scene.world, "deliver-mail", "2023-04-10T10:00:00+08:00");
}

/// Returns what an assignment of a county says of being accepted, and who accepted it as the audit has it.
fn accepted(scene: &MeasureScene<'_>, county: &str) -> (Value, Vec<Value>) {
    let (id, _) = scene.of(county);
    let query = "query($id: ID!) { assignment(id: $id) { status acceptedAt } \
        auditEntries(first: 50, filter: {objectId: $id, act: {eq: \"ACCEPTED\"}}) { \
        nodes { actor { id } changes { field after } } } }";
    let data = scene.server.data_as(&scene.city, query, &json!({ "id": id }));
    (data["assignment"].clone(), data["auditEntries"]["nodes"].as_array().unwrap().clone())
}

fn an_assignment_is_accepted_from_a_mail_without_signing_in(world: &World) {
    let scene = MeasureScene::set(world);
    assign(&scene);
    let mails = told(world, "due-soon", "2023-05-31T09:00:00+08:00");
    scene.clock.set("2023-05-31T10:00");
    let (server, county) = (&scene.server, "u540329@gov.example");
    let token = token(&mails, county, &scene.measure);

    // Reading changes nothing, whoever reads: mail programs open links by themselves.
    let shown = page(server, &token);
    assert!(shown.status == 200 && shown.body.contains("贵单位接收这项任务"), "{}", shown.body);
    assert!(shown.body.contains("登录并申请延期") && !shown.body.contains("责任分解"), "{}", shown.body);
    let known = link(server, &token);
    assert_eq!(known["kind"], "due-soon");
    assert_eq!(known["actions"], json!(["ACCEPT", "REQUEST_EXTENSION"]));
    assert_eq!((&known["item"]["itemId"], &known["item"]["dueOn"]), (&json!(scene.measure), &json!("2023-06-30")));
    assert_eq!(known["expiresAt"], "2023-06-30T01:00:00+00:00");
    assert_eq!(accepted(&scene, "洛隆县").0["acceptedAt"], Value::Null);

    // The button works from this page only.
    for origin in ["https://attacker.example", "null"] {
        assert_eq!(press(server, &token, origin).status, 403, "{origin}");
    }
    assert_eq!(accepted(&scene, "洛隆县").0["acceptedAt"], Value::Null);
    let pressed = press(server, &token, &server.base);
    assert_eq!((pressed.status, pressed.header("location")), (303, format!("/m/{token}").as_str()));
    let (assignment, entries) = accepted(&scene, "洛隆县");
    assert_eq!(assignment, json!({"status": "ASSIGNED", "acceptedAt": "2023-05-31T02:00:00+00:00"}));
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0]["actor"], Value::Null, "nobody has signed in");
    let holder = json!({"field": "mailHolder", "after": "u***@gov.example"});
    assert!(entries[0]["changes"].as_array().unwrap().contains(&holder), "{entries:?}");
    let others = accepted(&scene, "类乌齐县").0;
    assert_eq!(others["acceptedAt"], Value::Null, "the other counties answer for themselves");

    // A second press says when it was done, and changes nothing.
    scene.clock.set("2023-06-01T10:00");
    let again = acknowledge(server, &token);
    assert_eq!(again["errors"][0]["code"], "WRONG_STATE");
    assert_eq!(again["errors"][0]["message"], "已于 2023-05-31 10:00 签收，无须重复办理");
    assert_eq!(again["link"]["acknowledgedAt"], "2023-05-31T02:00:00+00:00");
    assert_eq!(again["link"]["actions"], json!(["REQUEST_EXTENSION"]));
    assert_eq!(accepted(&scene, "洛隆县").1.len(), 1);
    let shown = page(server, &token);
    assert!(shown.body.contains("签收时间") && !shown.body.contains("<form method=\"post\" action=\"/m/"));
    let list = world.done(&["mail", "list"]);
    assert!(list.contains(county), "{list}");

    // After signing in, the second button asks for an extension; without signing in, it leads there.
    let (id, _) = scene.of("洛隆县");
    assert_eq!(known["assignmentId"], json!(id));
    let form = get(server, &format!("/acts/requestExtension?on={id}&back=/measures/{}", scene.measure));
    assert_eq!(form.status, 303);
    assert!(
        form.header("location").starts_with("/sign-in?to=%2Facts%2FrequestExtension"),
        "{}",
        form.header("location")
    );

    // A changed token, and one that is over, open and do nothing.
    for wrong in [token.replace("mail_", "mail_9"), token.replacen(&scene.measure, "measure_1", 1), "x".to_owned()] {
        assert_eq!(page(server, &wrong).status, 404, "{wrong}");
        assert_eq!(acknowledge(server, &wrong)["errors"][0]["path"], json!(["input", "token"]), "{wrong}");
    }
    scene.clock.set("2023-06-30T09:00");
    let over = page(server, &token);
    assert!(over.status == 404 && over.body.contains("链接已过期"), "{}", over.body);
    assert!(acknowledge(server, &token)["errors"][0]["message"].as_str().unwrap().contains("链接已过期"));
}

fn a_mail_to_others_is_acknowledged_and_accepts_nothing(world: &World) {
    let scene = MeasureScene::set(world);
    assign(&scene);
    world.done(&["unit", "set", "市水利局", "--mail", "lead@gov.example"]);
    let mails = told(world, "due-soon", "2023-05-31T09:00:00+08:00");
    scene.clock.set("2023-05-31T10:00");
    let (server, measure) = (&scene.server, &scene.measure);
    let of_lead = token(&mails, "lead@gov.example", measure);
    assert_eq!(link(server, &of_lead)["actions"], json!(["ACKNOWLEDGE"]), "a lead unit accepts for no county");
    assert_eq!(acknowledge(server, &of_lead)["errors"], json!([]));
    // Nor does a mail whose address is no longer that of the unit.
    let of_county = token(&mails, "u540323@gov.example", measure);
    world.done(&["unit", "set", "类乌齐县人民政府", "--mail", "new@gov.example"]);
    assert_eq!(link(server, &of_county)["actions"], json!(["ACKNOWLEDGE"]));
    assert_eq!(acknowledge(server, &of_county)["link"]["acknowledgedAt"], "2023-05-31T02:00:00+00:00");
    // Nor one about what has begun: it says that it was read.
    let of_busy = token(&mails, "u540325@gov.example", measure);
    let report = json!({"period": "2023-05", "text": "已开始拆除。"});
    let [.., busy] = &scene.counties;
    scene.done(busy, "reportProgress", "ReportProgressInput", &scene.on("察雅县", report));
    assert_eq!(link(server, &of_busy)["actions"], json!(["ACKNOWLEDGE", "REQUEST_EXTENSION"]));
    assert_eq!(acknowledge(server, &of_busy)["errors"], json!([]));
    for county in ["洛隆县", "类乌齐县", "察雅县"] {
        let (assignment, entries) = accepted(&scene, county);
        // Reporting takes a task on, without a word about the mail.
        let is_begun = county == "察雅县";
        assert_eq!((assignment["acceptedAt"].is_null(), entries.len()), (!is_begun, 0), "{county}");
    }
    // An administrator sees who has read what.
    world.employ("admin@gov.example", "administrator", "昌都市生态环境保护督察整改办");
    let admin = world.done(&["token", "create", "admin@gov.example"]).trim().to_owned();
    let query = "{ mails(first: 50, filter: {kind: {eq: \"due-soon\"}}) { nodes { to acknowledgedAt } } \
        auditEntries(filter: {act: {eq: \"MAIL_ACKNOWLEDGED\"}}) { nodes { changes { field after } } } }";
    let data = server.data_as(&admin, query, &json!({}));
    let mut read: Vec<&str> = Vec::new();
    for mail in data["mails"]["nodes"].as_array().unwrap() {
        if mail["acknowledgedAt"] == "2023-05-31T02:00:00+00:00" {
            read.push(mail["to"].as_str().unwrap());
        }
    }
    read.sort_unstable();
    assert_eq!(read, ["lead@gov.example", "u540323@gov.example", "u540325@gov.example"]);
    assert_eq!(data["auditEntries"]["nodes"].as_array().unwrap().len(), 3, "{data}");
}

fn a_case_is_accepted_from_a_mail_once(world: &World) {
    let scene = CaseScene::set(world);
    let case = scene.done(&scene.city, "handOverCase", &scene.wanted(json!({})));
    let case = case["id"].as_str().unwrap().to_owned();
    let at = (scene.clock.now() + chrono::TimeDelta::minutes(1)).to_rfc3339();
    let mails = told(world, "deliver-mail", &at);
    let token = token(&mails, "u540329@gov.example", &case);
    assert_eq!(link(&scene.server, &token)["actions"], json!(["ACCEPT"]));
    // Two who press the button at the same time: one accepts, the other is told.
    let both = std::thread::scope(|scope| {
        let press = || scope.spawn(|| acknowledge(&scene.server, &token)["errors"].as_array().unwrap().len());
        let (one, other) = (press(), press());
        one.join().unwrap() + other.join().unwrap()
    });
    assert_eq!(both, 1);
    let query = "query($id: ID!) { inspectionCase(id: $id) { state reports(first: 9) { nodes { step } } } }";
    let found = scene.server.data_as(&scene.city, query, &json!({ "id": case }))["inspectionCase"].clone();
    assert_eq!(found["state"], "IN_PROGRESS");
    assert_eq!(found["reports"]["nodes"], json!([{"step": "ACCEPT"}]));
}

/// Creates an administrator, and returns a token.
fn administrator(world: &World) -> String {
    world.account("admin@gov.example", "administrator", "昌都市生态环境保护督察整改办")
}

/// Returns the lines of a calendar, unfolded (RFC 5545).
fn lines(calendar: &str) -> Vec<String> {
    calendar.replace("\r\n ", "").replace("\n ", "").lines().map(str::to_owned).collect()
}

fn has(lines: &[String], line: &str) -> bool {
    lines.iter().any(|one| one == line)
}

fn digests_bring_a_calendar_where_it_is_wanted(world: &World) {
    let scene = MeasureScene::set(world);
    assign(&scene);
    let admin = administrator(world);
    let query = "{ units(filter: {name: {eq: \"洛隆县人民政府\"}}) { nodes { id version hasCalendar } } }";
    let unit = scene.server.data_as(&admin, query, &json!({}))["units"]["nodes"][0].clone();
    assert_eq!(unit["hasCalendar"], false);
    let edit = "mutation($input: EditUnitInput!) { editUnit(input: $input) { errors { message } } }";
    let input = json!({"unitId": unit["id"], "version": unit["version"], "hasCalendar": true});
    assert_eq!(scene.server.data_as(&admin, edit, &json!({ "input": input }))["editUnit"]["errors"], json!([]));

    let mails = told(world, "due-soon", "2023-05-31T09:00:00+08:00");
    let to = |address: &str| mails.iter().find(|mail| mail["to"] == json!([address])).unwrap();
    assert_eq!(to("u540323@gov.example")["calendars"], json!([]), "another county did not ask for it");
    let calendars = to("u540329@gov.example")["calendars"].as_array().unwrap();
    assert_eq!(calendars.len(), 1);
    let found = lines(calendars[0].as_str().unwrap());
    let (id, version) = scene.of("洛隆县");
    let measure = &scene.measure;
    for line in [
        "METHOD:PUBLISH".to_owned(),
        format!("UID:{id}@ledger.example"),
        format!("SEQUENCE:{version}"),
        "DTSTART;VALUE=DATE:20230630".to_owned(),
        "SUMMARY:十九-6 拆除停运电站，恢复河道。".to_owned(),
        format!("URL:http://ledger.example/measures/{measure}"),
    ] {
        assert!(has(&found, &line), "{line}: {found:?}");
    }
    // Quarters to be inspected are events of their own; the item has the same id the next time.
    let mails = told(world, "quarterly-self-inspection", "2023-09-29T09:00:00+08:00");
    let mail = mails.iter().find(|mail| mail["to"] == json!(["u540329@gov.example"])).unwrap();
    let found = lines(mail["calendars"][0].as_str().unwrap());
    assert!(found.iter().any(|line| line.starts_with("UID:assignment_") && line.contains(".2023q3@")), "{found:?}");
}

fn a_calendar_program_reads_the_deadlines_of_its_owner_only(world: &World) {
    let scene = MeasureScene::set(world);
    assign(&scene);
    let server = &scene.server;
    let session = server.sign_in("c540329@gov.example");
    let create = "mutation { createCalendar(input: {}) { calendarUrl expiresAt errors { code } } }";
    let with_token = server.data_as(&scene.counties[0], create, &json!({}))["createCalendar"].clone();
    assert_eq!(with_token["errors"][0]["code"], "NOT_ALLOWED", "a token makes no address");
    let made = server.data_as(&session, create, &json!({}))["createCalendar"].clone();
    let url = made["calendarUrl"].as_str().unwrap().to_owned();
    let path = url.strip_prefix(&server.base).unwrap().to_owned();
    assert!(path.starts_with("/calendar/rcc_"), "{path}");

    let read = |path: &str| get(server, path);
    let answer = read(&path);
    assert_eq!((answer.status, answer.header("content-type")), (200, "text/calendar; charset=utf-8"));
    let found = lines(&answer.body);
    let host = url.strip_prefix("http://").unwrap().split(':').next().unwrap();
    let (own, _) = scene.of("洛隆县");
    let (other, _) = scene.of("类乌齐县");
    assert!(has(&found, &format!("UID:{own}@{host}")) && has(&found, "DTSTART;VALUE=DATE:20230630"), "{found:?}");
    assert!(!answer.body.contains(&format!("{other}@")), "{found:?}");

    // The database keeps no secret; the address opens nothing else, and nothing else opens it.
    let secret = path.strip_prefix("/calendar/").unwrap().strip_suffix(".ics").unwrap().to_owned();
    block_on(async {
        use sea_orm::EntityTrait;
        let rows = entity::session::Entity::find().all(&world.db().await).await.unwrap();
        assert!(rows.iter().all(|row| !secret.contains(&row.hash)), "{rows:?}");
    });
    let answer = server.ask_as(&secret, "{ viewer { id } }", &json!({}));
    assert_eq!((answer.status, answer.code().as_str()), (401, "UNAUTHENTICATED"));
    assert_eq!(read(&format!("/calendar/{}.ics", scene.counties[0])).status, 404);

    // What is done is left out.
    scene.apply(&scene.counties[0], "洛隆县");
    assert!(!read(&path).body.contains(&format!("{own}@")));

    // A new address ends the old one; ending it like a token ends it for good.
    let again = server.data_as(&session, create, &json!({}))["createCalendar"]["calendarUrl"].clone();
    let new = again.as_str().unwrap().strip_prefix(&server.base).unwrap().to_owned();
    assert_eq!((read(&path).status, read(&new).status), (404, 200));
    let listed = "{ sessions(first: 9) { nodes { id isCalendar revokedAt lastUsedAt } } }";
    let sessions = server.data_as(&session, listed, &json!({}))["sessions"]["nodes"].clone();
    let is_open = |one: &&Value| one["isCalendar"] == true && one["revokedAt"].is_null();
    let open: Vec<&Value> = sessions.as_array().unwrap().iter().filter(is_open).collect();
    assert_eq!(open.len(), 1, "{sessions}");
    let revoke = "mutation($input: RevokeSessionInput!) { revokeSession(input: $input) { isEnded } }";
    let input = json!({ "input": { "sessionId": open[0]["id"] } });
    assert_eq!(server.data_as(&session, revoke, &input)["revokeSession"]["isEnded"], true);
    assert_eq!(read(&new).status, 404);
}

fn a_person_switches_a_digest_off_and_a_unit_cannot(world: &World) {
    let scene = MeasureScene::set(world);
    let (server, region) = (&scene.server, &scene.region);
    world.done_with(
        &["account", "create", "leader@gov.example", "--role", "leader", "--region", "540300"],
        &format!("{PASSWORD}\n"),
    );
    // The leader of two measures: one is late already, the other later.
    let query = "{ measures(first: 50) { nodes { id version content } } }";
    let measures = server.data_as(region, query, &json!({}))["measures"]["nodes"].clone();
    let lead = |words: &str| {
        let of = measures.as_array().unwrap().iter();
        let found = of.clone().find(|one| one["content"].as_str().unwrap().contains(words)).unwrap();
        let edit = "mutation($input: EditMeasureInput!) { editMeasure(input: $input) { errors { message path } } }";
        let leaders = json!([{"post": "LEAD", "name": "副市长 李某某", "email": "leader@gov.example"}]);
        let input = json!({"measureId": found["id"], "version": found["version"], "leaders": leaders});
        assert_eq!(server.data_as(region, edit, &json!({ "input": input }))["editMeasure"]["errors"], json!([]));
    };
    lead("开展干部专题培训");
    lead("建立巡查制度");
    world.done(&["unit", "set", "市委组织部", "--mail", "lead@gov.example"]);
    let mails = told(world, "escalation", "2023-04-11T09:00:00+08:00");
    let to = |address: &str| mails.iter().find(|mail| mail["to"] == json!([address]));
    let own = to("leader@gov.example").unwrap_or_else(|| panic!("{mails:?}"));
    assert_eq!(own["list_unsubscribe_post"], "List-Unsubscribe=One-Click");
    for mail in &mails {
        let is_optional = mail["to"] == json!(["leader@gov.example"]);
        assert_eq!(mail["list_unsubscribe"].is_null(), !is_optional, "an order to a unit stays: {mail}");
    }
    let header = own["list_unsubscribe"].as_str().unwrap();
    let path = header.trim_start_matches('<').trim_end_matches('>').strip_prefix("http://ledger.example").unwrap();
    scene.clock.set("2023-04-11T10:00");

    // Looking switches nothing off; the page offers a button. One click does, from a program without an origin.
    let shown = get(server, path);
    assert!(shown.status == 200 && shown.body.contains("l***@gov.example"), "{}", shown.body);
    let session = server.sign_in("leader@gov.example");
    let muted = || {
        let data = server.data_as(&session, "{ myMailSettings { kind isMuted } }", &json!({}));
        let all = data["myMailSettings"].as_array().unwrap().clone();
        let kinds = all.iter().filter(|one| one["isMuted"] == true).map(|one| one["kind"].as_str().unwrap().to_owned());
        kinds.collect::<Vec<_>>()
    };
    assert_eq!(muted(), Vec::<String>::new());
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let click = |path: &str| asked(server, "POST", path, &form, b"List-Unsubscribe=One-Click").status;
    assert_eq!((click(path), click(path)), (200, 200));
    assert_eq!(click(&path.replace("mail_", "mail_1")), 404);
    assert_eq!(muted(), ["escalation"]);
    let shown = get(server, path);
    assert!(shown.body.contains("已退订"), "{}", shown.body);

    // On and off again, by the person; nobody else's, and only what there is.
    let set = "mutation($input: SetMailMutedInput!) { setMailMuted(input: $input) { errors { code path } } }";
    let put = |kind: &str, is_muted: bool| {
        let input = json!({ "input": { "kind": kind, "isMuted": is_muted } });
        server.data_as(&session, set, &input)["setMailMuted"]["errors"].clone()
    };
    assert_eq!(put("escalation", false), json!([]));
    assert_eq!(muted(), Vec::<String>::new());
    assert_eq!(put("returned", true), json!([{"code": "INVALID", "path": ["input", "kind"]}]));
    assert_eq!(put("escalation", true), json!([]));

    // What is switched off is not sent, and the outbox says why.
    block_on(async {
        use sea_orm::ConnectionTrait;
        let again = "UPDATE mail SET state = 'QUEUED' WHERE recipient = 'leader@gov.example'";
        world.db().await.execute_unprepared(again).await.unwrap();
    });
    assert_eq!(told(world, "deliver-mail", "2023-04-12T09:00:00+08:00"), Vec::<Value>::new());
    assert!(world.done(&["mail", "list"]).contains("收件人已关闭此类提醒"));
}

fn nothing_is_sent_to_an_address_from_which_mails_come_back(world: &World) {
    let scene = MeasureScene::set(world);
    assign(&scene);
    let (server, admin) = (&scene.server, administrator(world));
    let report = |token: &str, kind: &str| {
        let query = "mutation($input: ReportBounceInput!) { reportBounce(input: $input) { \
            suppression { id address reason detail } errors { code } } }";
        let input = json!({"address": "U540329@gov.example", "kind": kind, "detail": "550 no such mailbox"});
        server.data_as(token, query, &json!({ "input": input }))["reportBounce"].clone()
    };
    assert_eq!(report(&scene.city, "HARD")["errors"][0]["code"], "NOT_ALLOWED");
    assert_eq!(report(&admin, "SOFT"), json!({"suppression": null, "errors": []}), "a full mailbox stays in use");
    let found = report(&admin, "HARD");
    assert_eq!(found["suppression"]["address"], "u540329@gov.example");
    assert_eq!(found["suppression"]["reason"], "HARD_BOUNCE");
    assert_eq!(report(&admin, "HARD"), found, "a second report changes nothing");

    // Administrators are told once, and nothing goes to the address.
    let mails = told(world, "due-soon", "2023-05-31T09:00:00+08:00");
    let to = |address: &str| mails.iter().filter(|mail| mail["to"] == json!([address])).count();
    assert_eq!((to("admin@gov.example"), to("u540329@gov.example"), to("u540323@gov.example")), (1, 0, 1));
    let notice = mails.iter().find(|mail| mail["to"] == json!(["admin@gov.example"])).unwrap();
    assert_eq!(notice["subject"], "【邮件退信】u540329@gov.example 已停止投递");
    let text = notice["text"].as_str().unwrap();
    assert!(text.contains("洛隆县人民政府") && text.contains("550 no such mailbox"), "{text}");
    let rehearsed = world.done(&["job", "run", "due-soon", "--at", "2023-05-31", "--dry-run"]);
    assert!(rehearsed.contains("洛隆县人民政府（未设邮箱）"), "its items reach no one: {rehearsed}");

    // An act that would tell the unit says that it cannot.
    let urge = "mutation($input: IssueSupervisionInput!) { issueSupervision(input: $input) { \
        warnings { code } errors { code } } }";
    let input = scene.beside("洛隆县", json!({"kind": "URGE", "reason": "请加快拆除。"}));
    let urged = server.data_as(&scene.city, urge, &json!({ "input": input }))["issueSupervision"].clone();
    assert_eq!((&urged["errors"], &urged["warnings"]), (&json!([]), &json!([{"code": "NOBODY_TOLD"}])));

    // The list is for administrators; lifting sends again.
    let query = "{ suppressions { totalCount nodes { address account { id } } } \
        auditEntries(filter: {act: {eq: \"SUPPRESSED\"}}) { nodes { changes { field after } } } }";
    assert_eq!(server.data_as(&scene.city, query, &json!({}))["suppressions"]["totalCount"], 0);
    let seen = server.data_as(&admin, query, &json!({}));
    assert_eq!(seen["suppressions"]["totalCount"], 1);
    assert!(seen["auditEntries"].to_string().contains("u***@gov.example"), "{seen}");
    let lift = "mutation($input: LiftSuppressionInput!) { liftSuppression(input: $input) { isDeleted } }";
    let input = json!({ "input": { "suppressionId": found["suppression"]["id"] } });
    assert_eq!(server.data_as(&admin, lift, &input)["liftSuppression"]["isDeleted"], true);
    let mails = told(world, "due-soon", "2023-06-23T09:00:00+08:00");
    assert!(mails.iter().any(|mail| mail["to"] == json!(["u540329@gov.example"])), "{mails:?}");

    // The same by the command line.
    let run = |arguments: &[&str]| world.done(&[&["mail"], arguments].concat());
    run(&["suppress", "u540323@gov.example", "--detail", "单位要求停发"]);
    assert_eq!(world.run(&["mail", "suppress", "u540323@gov.example"]).code, 1, "it is suppressed already");
    run(&["bounce", "u540325@gov.example", "--soft"]);
    let shown = run(&["suppressed"]);
    assert!(shown.contains("u540323@gov.example") && shown.contains("单位要求停发"), "{shown}");
    assert!(!shown.contains("u540325"), "{shown}");
    let why = run(&["why-not", "--to", "u540323@gov.example", "--job", "due-soon", "--on", "2023-06-23"]);
    assert!(why.contains("停止投递名单") && why.contains("单位要求停发"), "{why}");
    run(&["lift", "u540323@gov.example"]);
    assert_eq!(run(&["suppressed"]), "");
}

fn everybody_reads_the_mails_to_them(world: &World) {
    let scene = MeasureScene::set(world);
    assign(&scene);
    let (server, admin) = (&scene.server, administrator(world));
    let mails = told(world, "due-soon", "2023-05-31T09:00:00+08:00");
    scene.clock.set("2023-05-31T10:00");
    let token = token(&mails, "u540329@gov.example", &scene.measure);
    assert_eq!(acknowledge(server, &token)["errors"], json!([]));
    let query = "{ viewer { inbox(first: 50, filter: {kind: {eq: \"due-soon\"}}) { totalCount nodes { \
        to kind subject localDay state acknowledgedAt } } } mails(first: 50, filter: {kind: {eq: \"due-soon\"}}) { \
        nodes { to items { measure { id } } } } }";
    let read = |who: &str| server.data_as(who, query, &json!({}));
    let county = read(&scene.counties[0]);
    assert_eq!(county["viewer"]["inbox"]["totalCount"], 1);
    let mail = &county["viewer"]["inbox"]["nodes"][0];
    assert_eq!((&mail["to"], &mail["state"]), (&json!("u540329@gov.example"), &json!("SENT")));
    assert_eq!(mail["acknowledgedAt"], "2023-05-31T02:00:00+00:00");
    assert!(mail["subject"].as_str().unwrap().starts_with("【整改催办·剩余30天】"), "{mail}");
    assert_eq!(county["mails"]["nodes"][0]["items"], json!([{"measure": {"id": scene.measure}}]));
    assert_eq!(county["mails"]["nodes"].as_array().unwrap().len(), 1, "no sibling's mails");
    assert_eq!(read(&scene.counties[1])["viewer"]["inbox"]["nodes"][0]["to"], "u540323@gov.example");
    assert_eq!(read(&scene.inspector)["mails"]["nodes"], json!([]));
    assert!(read(&admin)["mails"]["nodes"].as_array().unwrap().len() >= 3, "an administrator sees all");
    // On the page of the account, too.
    let cookie = format!("rectify={}; rectify-language=zh", server.sign_in("c540329@gov.example"));
    let page = asked(server, "GET", "/me", &[("cookie", &cookie)], b"");
    assert!(page.status == 200 && page.body.contains("收到的邮件"), "{}", page.body);
    assert!(page.body.contains("剩余30天") && page.body.contains("建立或更换日历订阅"), "{}", page.body);
}
