//! Messages to other systems: signed, in the order of the events, tried again, to permitted addresses only, and in the
//! shape that robots expect; kept by administrators.

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use chrono::{DateTime, TimeDelta, Utc};
use entity::language::Language;
use hmac::{Hmac, KeyInit, Mac};
use scheduler::{Context, Webhooks};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::scene::{CaseScene, MeasureScene};
use crate::schedule;
use crate::support::receiver::{Posted, Receiver};
use crate::support::{PASSWORD, Server, Smtp, World, block_on, eventually, stories};

stories!(
    a_receiver_is_told_what_happens_by_signed_messages,
    a_receiver_of_a_region_learns_of_its_own_answers_only,
    a_message_that_fails_is_tried_again_with_the_same_id,
    a_receiver_that_fails_for_days_is_disabled_and_administrators_are_told,
    robots_get_what_they_understand_and_no_more_than_they_take,
    nothing_is_sent_inside_the_network_unless_the_setting_says_so,
    a_receiver_that_hangs_delays_no_mail_and_no_other_receiver,
    only_administrators_keep_webhooks,
);

pub(crate) fn administrator(world: &World) -> String {
    let email = "administrator@gov.example";
    world.done_with(&["account", "create", email, "--role", "administrator"], &format!("{PASSWORD}\n"));
    world.done(&["token", "create", email]).trim().to_owned()
}

/// Executes a mutation as an administrator; returns its payload.
pub(crate) fn act(server: &Server, token: &str, name: &str, input: &Value) -> Value {
    let ty = name[..1].to_uppercase() + &name[1..] + "Input";
    let payload = match name {
        "createWebhook" | "rotateWebhookSecret" => "webhook { id url } secret",
        "editWebhook" => "webhook { id isEnabled failingSince stoppedAt }",
        "deleteWebhook" => "isDeleted",
        _ => "delivery { id state }",
    };
    let query =
        format!("mutation($input: {ty}!) {{ {name}(input: $input) {{ {payload} errors {{ code message path }} }} }}");
    server.data_as(token, &query, &json!({ "input": input }))[name].clone()
}

/// Enters a receiver; returns its id and its secret.
pub(crate) fn enter(server: &Server, token: &str, input: &Value) -> (String, String) {
    let done = act(server, token, "createWebhook", input);
    assert_eq!(done["errors"], json!([]), "{input}");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (text(&done["webhook"]["id"]), text(&done["secret"]))
}

/// Delivers once what is due at a moment; `allowed` is the setting. Returns the number of attempts.
fn deliver_within(world: &World, now: DateTime<Utc>, allowed: &[&str]) -> usize {
    block_on(async {
        let db = world.db().await;
        let allowed: Vec<String> = allowed.iter().map(|entry| (*entry).to_owned()).collect();
        let context = Context {
            webhooks: Webhooks::new(&allowed, "http://ledger.example/", Language::Zh).unwrap(),
            ..schedule::context(world, &db, &now.to_rfc3339())
        };
        let tried = scheduler::deliver_webhooks(&context).await.unwrap();
        db.close().await.unwrap();
        tried
    })
}

pub(crate) fn deliver(world: &World, now: DateTime<Utc>) -> usize {
    deliver_within(world, now, &["127.0.0.0/8"])
}

/// Returns the log, the oldest message first.
pub(crate) fn log(server: &Server, token: &str) -> Vec<Value> {
    let query = "{ webhookDeliveries(first: 100, orderBy: [{ field: CREATED_AT }]) { nodes { \
        id event state attempts status answer lastError createdAt } } }";
    server.data_as(token, query, &json!({}))["webhookDeliveries"]["nodes"].as_array().unwrap().clone()
}

/// Computes the signature of a request anew, as a receiver does.
fn signed(posted: &Posted, secret: &str) -> String {
    let key = BASE64_STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    let [id, timestamp] = ["webhook-id", "webhook-timestamp"].map(|name| posted.headers[name].clone());
    mac.update(format!("{id}.{timestamp}.{}", posted.body).as_bytes());
    format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()))
}

pub(crate) fn assign(scene: &MeasureScene<'_>) {
    let query = "query($id: ID!) { measure(id: $id) { version } }";
    let found = scene.server.data_as(&scene.city, query, &json!({ "id": scene.measure }));
    let version = found["measure"]["version"].clone();
    let input = json!({ "measureId": scene.measure, "version": version, "hasSelectorsResolved": true });
    assert_eq!(scene.act(&scene.city, "assignMeasure", "AssignMeasureInput", &input)["errors"], json!([]));
}

fn a_receiver_is_told_what_happens_by_signed_messages(world: &World) {
    let scene = MeasureScene::set(world);
    let token = administrator(world);
    let receiver = Receiver::start("ok");
    let url = format!("{}?key=very-secret-key", receiver.url);
    let (id, secret) = enter(&scene.server, &token, &json!({ "name": "市数据共享平台", "url": url }));
    let shown = scene.server.data_as(&token, "{ webhooks { nodes { url events isEnabled } } }", &json!({}));
    let shown = &shown["webhooks"]["nodes"][0];
    assert!(shown["url"].as_str().unwrap().ends_with("/in?…"), "a key in the address is not shown: {shown}");
    assert_eq!((&shown["events"], &shown["isEnabled"]), (&json!([]), &json!(true)));

    assign(&scene);
    scene.stepped(&scene.counties[0], "acceptAssignment", &scene.on("洛隆县", json!({})));
    assert!(receiver.posted().is_empty(), "nothing is sent within the act");
    assert_eq!(deliver(world, scene.clock.now()), 2);
    assert_eq!(deliver(world, scene.clock.now()), 0, "nothing is sent twice");
    let posted = receiver.posted();
    let kinds: Vec<Value> = posted.iter().map(|posted| posted.json()["type"].clone()).collect();
    assert_eq!(kinds, ["assigned", "accepted"], "in the order of the events");
    for posted in &posted {
        assert_eq!(posted.headers["webhook-signature"], signed(posted, &secret));
        assert_eq!(posted.headers["webhook-timestamp"], scene.clock.now().timestamp().to_string());
        assert!(posted.headers["content-type"].starts_with("application/json"));
        assert!(!posted.body.contains('@'), "no address of a person: {}", posted.body);
    }
    assert_ne!(posted[0].headers["webhook-id"], posted[1].headers["webhook-id"]);
    let message = posted[1].json();
    let data = &message["data"];
    assert_eq!(message["timestamp"], "2023-04-10T01:00:00.000Z");
    assert_eq!(data["id"], scene.of("洛隆县").0);
    assert_eq!(data["measure"], scene.measure.as_str());
    assert_eq!(data["link"], format!("http://ledger.example/measures/{}", scene.measure));
    assert_eq!((&data["region"]["code"], &data["region"]["name"]), (&json!("540329"), &json!("洛隆县")));
    assert_eq!(data["units"][0]["name"], "洛隆县人民政府");
    assert_eq!(data["by"], json!({ "unit": "洛隆县人民政府" }));
    assert_eq!(data["deadline"], "2023-06-30");
    assert!(data["case"].is_null() && data["text"].as_str().unwrap().contains("拆除停运电站"), "{data}");
    let log = log(&scene.server, &token);
    assert_eq!(
        (&log[1]["state"], &log[1]["status"], &log[1]["attempts"]),
        (&json!("DELIVERED"), &json!(200), &json!(1))
    );
    assert_eq!(log[1]["id"], posted[1].headers["webhook-id"].as_str(), "the log names the id that is sent");

    // For a day after a rotation, both secrets sign.
    let rotated = act(&scene.server, &token, "rotateWebhookSecret", &json!({ "webhookId": id }));
    let next = rotated["secret"].as_str().unwrap().to_owned();
    assert_ne!(next, secret);
    let test =
        || assert_eq!(act(&scene.server, &token, "testWebhook", &json!({ "webhookId": id }))["errors"], json!([]));
    test();
    deliver(world, scene.clock.now());
    let posted = receiver.posted();
    let both = format!("{} {}", signed(&posted[0], &next), signed(&posted[0], &secret));
    assert_eq!((posted[0].headers["webhook-signature"].clone(), &posted[0].json()["type"]), (both, &json!("test")));
    scene.clock.pass(TimeDelta::hours(25));
    test();
    deliver(world, scene.clock.now());
    let posted = receiver.posted();
    assert_eq!(posted[0].headers["webhook-signature"], signed(&posted[0], &next));

    // Only chosen events, and none while it is disabled.
    let closed = json!({ "webhookId": id, "events": ["CLOSED", "DECLINED"] });
    assert_eq!(act(&scene.server, &token, "editWebhook", &closed)["errors"], json!([]));
    scene.stepped(&scene.counties[1], "acceptAssignment", &scene.on("类乌齐县", json!({})));
    let decline = json!({ "reason": "辖区内没有此类电站，经现场核实。" });
    scene.stepped(&scene.counties[2], "declineAssignment", &scene.on("察雅县", decline));
    assert_eq!(deliver(world, scene.clock.now()), 1);
    let posted = receiver.posted();
    assert_eq!(posted[0].json()["type"], "declined");
    assert!(!posted[0].body.contains("没有此类电站"), "what a person wrote stays in the ledger: {}", posted[0].body);

    // Again by hand, with the same id.
    let again = json!({ "deliveryId": posted[0].headers["webhook-id"] });
    assert_eq!(act(&scene.server, &token, "resendDelivery", &again)["errors"], json!([]));
    assert_eq!(act(&scene.server, &token, "resendDelivery", &again)["errors"][0]["code"], "WRONG_STATE");
    assert_eq!(deliver(world, scene.clock.now()), 1);
    assert_eq!(receiver.posted()[0].headers["webhook-id"], posted[0].headers["webhook-id"]);

    let gone = act(&scene.server, &token, "deleteWebhook", &json!({ "webhookId": id }));
    assert_eq!(gone["isDeleted"], true);
    assert!(self::log(&scene.server, &token).is_empty(), "its log goes with it");
    let acts = "{ auditEntries(first: 50) { nodes { act chain before after } } }";
    let entries = scene.server.data_as(&token, acts, &json!({}))["auditEntries"]["nodes"].to_string();
    assert!(entries.contains(&id) && !entries.contains("very-secret-key") && !entries.contains("whsec_"), "{entries}");
}

fn a_receiver_of_a_region_learns_of_its_own_answers_only(world: &World) {
    let scene = MeasureScene::set(world);
    let token = administrator(world);
    let region = |code: &str| {
        let query = "query($code: String) { region(code: $code) { id } }";
        scene.server.data_as(&token, query, &json!({ "code": code }))["region"]["id"].clone()
    };
    let (city, county) = (Receiver::start("ok"), Receiver::start("ok"));
    for (name, code, receiver) in [("市", "540300", &city), ("县", "540329", &county)] {
        let input = json!({ "name": name, "url": receiver.url, "regionId": region(code) });
        enter(&scene.server, &token, &input);
    }
    assign(&scene);
    scene.stepped(&scene.counties[1], "acceptAssignment", &scene.on("类乌齐县", json!({})));
    deliver(world, scene.clock.now());
    let (whole, own) = (city.posted(), county.posted());
    assert_eq!((whole.len(), own.len()), (2, 1), "an answer of another county is none of its business");
    let names = |posted: &Posted| {
        let units = posted.json()["data"]["units"].as_array().unwrap().clone();
        units.iter().map(|unit| unit["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert!(names(&whole[0]).len() > 1, "{:?}", names(&whole[0]));
    assert_eq!(names(&own[0]), ["洛隆县人民政府"]);

    // A complaint case goes by its region; its text, which may say who complained, is not sent.
    drop(scene);
    let other = World::sqlite();
    let cases = CaseScene::set(&other);
    let token = administrator(&other);
    enter(&cases.server, &token, &json!({ "name": "全部", "url": city.url }));
    cases.done(&cases.city, "handOverCase", &cases.wanted(json!({})));
    deliver(&other, cases.clock.now());
    let message = city.posted()[0].json();
    assert_eq!((&message["type"], &message["data"]["deadline"]), (&json!("case-handed-over"), &json!("2025-06-07")));
    assert!(message["data"]["text"].is_null() && !message.to_string().contains("洗砂场"), "{message}");
    assert!(message["data"]["link"].as_str().unwrap().starts_with("http://ledger.example/cases/case_"), "{message}");
}

fn a_message_that_fails_is_tried_again_with_the_same_id(world: &World) {
    let token = administrator(world);
    let (server, clock) = world.serve_under_clock("2023-04-10T09:00");
    let receiver = Receiver::start("ok");
    let (id, _) = enter(&server, &token, &json!({ "name": "平台", "url": receiver.url }));
    let test = || act(&server, &token, "testWebhook", &json!({ "webhookId": id }))["delivery"]["id"].clone();
    receiver.answers("500 Internal Server Error", "", "call 13800000000 about it");
    let first = test();
    clock.pass(TimeDelta::milliseconds(1));
    let second = test();
    let begun = clock.now();
    let at = |seconds: i64| deliver(world, begun + TimeDelta::seconds(seconds));
    assert_eq!(at(0), 1, "the second waits while the receiver is left alone");
    let failed = &log(&server, &token)[0];
    assert_eq!((&failed["state"], &failed["status"], &failed["attempts"]), (&json!("QUEUED"), &json!(500), &json!(1)));
    assert_eq!(failed["answer"], "call *** about it");
    assert_eq!(at(5), 0);
    let ready = server.get("/readyz");
    assert_eq!(ready.status, 200, "the service can serve");
    receiver.answers("500 Internal Server Error", "", "");
    assert_eq!(at(11), 1, "the next message is the probe");
    assert_eq!(at(20), 0, "the pause of the receiver has grown");
    receiver.answers("302 Found", &format!("location: {}\r\n", receiver.url), "");
    assert_eq!(at(150), 1, "a redirect is not followed");
    receiver.accepts();
    assert_eq!(at(300), 2);
    let ids: Vec<Value> = receiver.posted().iter().map(|posted| json!(posted.headers["webhook-id"])).collect();
    assert_eq!(ids[..2], [first.clone(), second.clone()]);
    assert!(ids.len() == 5 && ids.iter().all(|id| *id == first || *id == second), "{ids:?}");
    assert!(log(&server, &token).iter().all(|message| message["state"] == "DELIVERED"));
    assert_eq!(at(400), 0);

    // A sender that died holds its message for a minute, and the next one takes it over.
    clock.pass(TimeDelta::milliseconds(1));
    let third = test();
    let claim = |lease: &str, seconds: i64| {
        block_on(async {
            let (db, now) = (world.db().await, begun + TimeDelta::seconds(seconds));
            let key = id.trim_start_matches("webhook_").parse().unwrap();
            let claimed = ledger::record::webhook::claim(&db, key, lease, now).await.unwrap();
            db.close().await.unwrap();
            claimed.is_some()
        })
    };
    assert!(claim("dead", 500) && !claim("other", 530));
    assert_eq!(at(530), 0);
    assert_eq!(at(570), 1);
    assert_eq!(json!(receiver.posted()[0].headers["webhook-id"]), third);
}

fn a_receiver_that_fails_for_days_is_disabled_and_administrators_are_told(world: &World) {
    let server = world.serve();
    let token = administrator(world);
    let receiver = Receiver::start("ok");
    let (id, _) = enter(&server, &token, &json!({ "name": "停用的平台", "url": receiver.url }));
    let test = |errors: &Value| {
        let done = act(&server, &token, "testWebhook", &json!({ "webhookId": id }));
        assert_eq!(done["errors"].as_array().unwrap().len(), errors.as_array().unwrap().len(), "{done}");
    };
    test(&json!([]));
    // The server has a clock of its own; what follows is a minute later.
    let queued = &log(&server, &token)[0]["createdAt"];
    let begun = queued.as_str().unwrap().parse::<DateTime<Utc>>().unwrap() + TimeDelta::minutes(1);
    receiver.answers("503 Service Unavailable", "", "");
    deliver(world, begun);
    let ready = server.get("/readyz");
    assert!(ready.body.contains("\ndegraded: webhooks: 1 of them failing"), "{}", ready.body);
    assert!(!ready.body.contains("127.0.0.1") && !ready.body.contains("停用"), "probes are public: {}", ready.body);
    assert_eq!(server.figure("rectify_webhooks_failing"), 1);
    receiver.answers("503 Service Unavailable", "", "");
    deliver(world, begun + TimeDelta::days(4));
    let state = "{ webhooks { nodes { isEnabled failingSince stoppedAt } } }";
    let state = || server.data_as(&token, state, &json!({}))["webhooks"]["nodes"][0].clone();
    assert!(state()["isEnabled"] == false && state()["stoppedAt"].is_string(), "{}", state());
    let mails = world.done(&["mail", "list"]);
    assert!(mails.contains("administrator@gov.example") && mails.contains("停用的平台"), "{mails}");
    assert!(server.get("/readyz").body.contains("degraded: webhooks"));
    test(&json!(["it is disabled"]));
    assert_eq!(deliver(world, begun + TimeDelta::days(5)), 0);
    assert!(world.done(&["webhook", "list"]).contains("已自动停用"));

    let on = json!({ "webhookId": id, "isEnabled": true });
    let enabled = act(&server, &token, "editWebhook", &on)["webhook"].clone();
    assert_eq!((&enabled["isEnabled"], &enabled["stoppedAt"]), (&json!(true), &Value::Null));
    assert!(!server.get("/readyz").body.contains("webhooks"), "it begins anew");
    assert_eq!(deliver(world, begun + TimeDelta::days(5)), 1, "what waited is sent");

    // One that says it is gone is disabled at once.
    receiver.answers("410 Gone", "", "");
    test(&json!([]));
    deliver(world, begun + TimeDelta::days(6));
    assert_eq!(state()["isEnabled"], false);
}

fn robots_get_what_they_understand_and_no_more_than_they_take(world: &World) {
    let scene = MeasureScene::set(world);
    let token = administrator(world);
    let usual = r#"{"errcode":0,"errmsg":"ok"}"#;
    let (wecom, dingtalk) = (Receiver::start(usual), Receiver::start(usual));
    let secret = "SECb8f0f6ab3c1d4f6e9a7c";
    let input = json!({ "name": "企微群", "kind": "WECOM", "url": format!("{}?key=abcdefgh-1234", wecom.url) });
    let (of_wecom, none) = enter(&scene.server, &token, &input);
    assert_eq!(none, "", "a robot has no secret of ours");
    let url = format!("{}?access_token=0123abcd", dingtalk.url);
    let input = json!({ "name": "钉钉群", "kind": "DINGTALK", "url": url, "secret": secret });
    enter(&scene.server, &token, &input);
    let refused = act(&scene.server, &token, "createWebhook", &json!({ "name": "错", "url": url, "secret": secret }));
    assert_eq!(refused["errors"][0]["path"], json!(["input", "secret"]));
    assign(&scene);
    scene.stepped(&scene.counties[0], "acceptAssignment", &scene.on("洛隆县", json!({})));
    deliver(world, scene.clock.now());

    let posted = wecom.posted();
    assert_eq!(posted[1].path, "/in?key=abcdefgh-1234");
    assert!(!posted[1].headers.contains_key("webhook-signature"));
    let message = posted[1].json();
    assert_eq!(message["msgtype"], "markdown");
    let content = message["markdown"]["content"].as_str().unwrap();
    assert!(content.len() <= 4_096 && content.contains("【整改台账】签收"), "{content}");
    assert!(content.contains("> 责任单位：洛隆县人民政府") && content.contains("> 时限：2023-06-30"), "{content}");
    assert!(content.contains(&format!("[打开台账](http://ledger.example/measures/{})", scene.measure)), "{content}");

    let posted = dingtalk.posted();
    let query = |name: &str| {
        let address = url::Url::parse(&format!("http://robot.example{}", posted[1].path)).unwrap();
        let found = address.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
        found.unwrap_or_else(|| panic!("no {name} in {}", posted[1].path))
    };
    let timestamp = query("timestamp");
    assert_eq!((timestamp.as_str(), query("access_token").as_str()), ("1681088400000", "0123abcd"));
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("{timestamp}\n{secret}").as_bytes());
    assert_eq!(query("sign"), BASE64_STANDARD.encode(mac.finalize().into_bytes()));
    let message = posted[1].json();
    assert_eq!(message["msgtype"], "markdown");
    assert!(message["markdown"]["title"].as_str().unwrap().starts_with("签收"), "{message}");
    assert!(message["markdown"]["text"].as_str().unwrap().contains("洛隆县人民政府"), "{message}");

    // A robot answers 200 also to what it does not take.
    wecom.answers("200 OK", "", r#"{"errcode":93000,"errmsg":"invalid webhook url abcdefgh-1234"}"#);
    scene.clock.pass(TimeDelta::minutes(5));
    let test = || act(&scene.server, &token, "testWebhook", &json!({ "webhookId": of_wecom }));
    test();
    deliver(world, scene.clock.now());
    let failed = log(&scene.server, &token).into_iter().find(|message| message["event"] == "test").unwrap();
    assert_eq!((&failed["state"], &failed["status"]), (&json!("QUEUED"), &json!(200)));
    assert!(failed["lastError"].as_str().unwrap().contains("errcode 93000"), "{failed}");
    assert!(!failed["lastError"].as_str().unwrap().contains("abcdefgh"), "the key is masked: {failed}");
    assert!(!failed["answer"].as_str().unwrap().contains("abcdefgh"), "the key is masked: {failed}");

    // Twenty messages a minute, and no more.
    scene.clock.pass(TimeDelta::minutes(5));
    wecom.posted();
    for _ in 0..24 {
        test();
        scene.clock.pass(TimeDelta::milliseconds(1));
    }
    assert_eq!(deliver(world, scene.clock.now()), 20);
    assert_eq!(deliver(world, scene.clock.now() + TimeDelta::seconds(30)), 0, "the queue waits");
    assert_eq!(deliver(world, scene.clock.now() + TimeDelta::seconds(62)), 5);
    assert_eq!(wecom.posted().len(), 25);
}

fn nothing_is_sent_inside_the_network_unless_the_setting_says_so(world: &World) {
    let token = administrator(world);
    let (server, clock) = world.serve_under_clock("2023-04-10T09:00");
    let receiver = Receiver::start("ok");
    let port = receiver.url.trim_start_matches("http://127.0.0.1:").trim_end_matches("/in").to_owned();
    // A name that leads inside, addresses in several spellings, and what is not encrypted.
    let addresses = [
        format!("https://localhost:{port}/in"),
        format!("http://localhost:{port}/in"),
        format!("https://2130706433:{port}/in"),
        format!("https://[::ffff:127.0.0.1]:{port}/in"),
        "https://169.254.169.254/latest/meta-data".to_owned(),
        "https://[64:ff9b::a9fe:a9fe]/".to_owned(),
        "http://8.8.8.8/in".to_owned(),
    ];
    for (number, url) in addresses.iter().enumerate() {
        let (id, _) = enter(&server, &token, &json!({ "name": format!("内网 {number}"), "url": url }));
        act(&server, &token, "testWebhook", &json!({ "webhookId": id }));
    }
    assert_eq!(deliver_within(world, clock.now(), &[]), addresses.len());
    for message in log(&server, &token) {
        let why = message["lastError"].as_str().unwrap();
        assert!(message["status"].is_null() && why.contains("webhook_allow"), "{message}");
    }
    assert!(receiver.posted().is_empty());
    // The host is named: its address is permitted, and so is http.
    clock.pass(TimeDelta::minutes(5));
    deliver_within(world, clock.now(), &["localhost"]);
    assert_eq!(receiver.posted().len(), 1, "only http is understood there");

    for url in ["ftp://files.example/in", "https://user:secret@files.example/in", "https://", "file:///etc/passwd"] {
        let refused = act(&server, &token, "createWebhook", &json!({ "name": "坏地址", "url": url }));
        assert_eq!(refused["errors"][0]["path"], json!(["input", "url"]), "{url}");
        assert!(refused["webhook"].is_null());
    }
    let ran = world.program().args(["webhook", "list"]).env("RECTIFY_WEBHOOK_ALLOW", "[\"no host\"]").output().unwrap();
    assert_eq!(ran.status.code(), Some(2), "a setting that cannot be read is refused");
}

fn a_receiver_that_hangs_delays_no_mail_and_no_other_receiver(world: &World) {
    let token = administrator(world);
    let smtp = Smtp::start();
    let settings = [("RECTIFY_WEBHOOK_ALLOW", "[\"127.0.0.0/8\"]"), ("RECTIFY_MAIL_URL", &smtp.url)];
    let server = world.serve_with_scheduler(&settings);
    // Completes the TCP handshake, but never answers.
    let peer = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = peer.local_addr().unwrap();
    let receiver = Receiver::start("ok");
    let (hangs, _) = enter(&server, &token, &json!({ "name": "不答复", "url": format!("http://{address}/in") }));
    let (answers, _) = enter(&server, &token, &json!({ "name": "答复", "url": receiver.url }));
    for _ in 0..3 {
        act(&server, &token, "testWebhook", &json!({ "webhookId": hangs }));
    }
    act(&server, &token, "testWebhook", &json!({ "webhookId": answers }));
    // It is woken, not found by a tick; the one that hangs would hold it up for fifteen seconds.
    let posted = receiver.next(Duration::from_secs(12));
    assert_eq!(posted.json()["type"], "test");
    let query = "mutation($input: RequestPasswordResetInput!) { requestPasswordReset(input: $input) { isDone } }";
    server.data(query, &json!({ "input": { "email": "administrator@gov.example" } }));
    let sent = || {
        let mails = server.data_as(&token, "{ mails(first: 5) { nodes { state } } }", &json!({}));
        mails["mails"]["nodes"][0]["state"] == "SENT"
    };
    let begun = std::time::Instant::now();
    eventually("the mail is sent", sent);
    assert!(begun.elapsed() < Duration::from_secs(12), "the mail waits for the receiver that hangs");
    let waits = log(&server, &token);
    assert!(waits.iter().any(|message| message["state"] != "DELIVERED"), "{waits:?}");
}

fn only_administrators_keep_webhooks(world: &World) {
    let scene = MeasureScene::set(world);
    let token = administrator(world);
    let receiver = Receiver::start("ok");
    let (id, _) = enter(&scene.server, &token, &json!({ "name": "平台", "url": receiver.url }));
    act(&scene.server, &token, "testWebhook", &json!({ "webhookId": id }));
    let message = log(&scene.server, &token)[0]["id"].clone();
    let twice = act(&scene.server, &token, "createWebhook", &json!({ "name": "平台", "url": receiver.url }));
    assert_eq!(twice["errors"][0]["code"], "CONFLICT");
    for other in [&scene.region, &scene.city, &scene.counties[0], &scene.inspector] {
        let seen =
            scene.server.data_as(other, "{ webhooks { totalCount } webhookDeliveries { totalCount } }", &json!({}));
        assert_eq!(seen, json!({ "webhooks": { "totalCount": 0 }, "webhookDeliveries": { "totalCount": 0 } }));
        for (name, input) in [
            ("createWebhook", json!({ "name": "另一", "url": receiver.url })),
            ("editWebhook", json!({ "webhookId": id, "isEnabled": false })),
            ("rotateWebhookSecret", json!({ "webhookId": id })),
            ("testWebhook", json!({ "webhookId": id })),
            ("resendDelivery", json!({ "deliveryId": message })),
            ("deleteWebhook", json!({ "webhookId": id })),
        ] {
            assert_eq!(act(&scene.server, other, name, &input)["errors"][0]["code"], "NOT_ALLOWED", "{name}");
        }
    }
    // The command line.
    let added = world.done(&["webhook", "add", "命令行", &receiver.url, "--event", "closed", "--region", "540329"]);
    let number = added.lines().next().unwrap().trim_start_matches("已登记，编号 ").to_owned();
    assert!(added.contains("whsec_"), "{added}");
    let mut test = world.program();
    test.args(["webhook", "test", &number]).env("RECTIFY_WEBHOOK_ALLOW", "[\"127.0.0.1\"]");
    let ran = test.output().unwrap();
    let said = String::from_utf8(ran.stdout).unwrap();
    assert!(said.contains("已送达，接口答复 200"), "{said} {}", String::from_utf8_lossy(&ran.stderr));
    assert!(world.done(&["webhook", "log", &number]).contains("DELIVERED"));
    assert_eq!(world.run(&["webhook", "test", &number]).code, 1, "without the setting, the address is refused");
}
