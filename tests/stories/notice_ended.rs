//! The end of a public notice (公示期满): the office that closes the measure is told, and sees it among its tasks.

use serde_json::json;

use crate::scene::MeasureScene;
use crate::support::{World, stories};

stories!(
    the_office_that_closes_is_told_on_the_first_working_day_after_the_notice,
    an_objection_that_is_not_decided_keeps_it_back,
);

const JOB: &str = "notice-ended";
const REGION: &str = "u540000@gov.example";

/// Sets a scene in which a notice of 洛隆县 runs from 28 April to Friday, 5 May 2023.
fn scene(world: &World) -> MeasureScene<'_> {
    let scene = MeasureScene::set(world);
    let query = "query($id: ID!) { measure(id: $id) { version } }";
    let version = scene.server.data_as(&scene.city, query, &json!({ "id": scene.measure }))["measure"].clone();
    let assign = json!({"measureId": scene.measure, "version": version["version"], "hasSelectorsResolved": true});
    scene.stepped(&scene.city, "assignMeasure", &assign);
    scene.apply(&scene.counties[0], "洛隆县");
    scene.clock.set("2023-04-28T10:00");
    scene.stepped(&scene.city, "verifyCloseOut", &scene.on("洛隆县", json!({"opinion": "现场核查属实。"})));
    let notice = json!({"text": "整改完成情况公示。", "contact": "昌都市整改办"});
    scene.stepped(&scene.city, "publiciseCloseOut", &scene.on("洛隆县", notice));
    scene
}

/// Returns the addresses that would be told on a day.
fn told(world: &World, day: &str) -> Vec<String> {
    let said = world.done(&["job", "run", JOB, "--at", day, "--dry-run"]);
    let lines = said.lines().filter_map(|line| line.strip_prefix("收件人 ")?.split_once('：'));
    lines.map(|(address, _)| address.to_owned()).collect()
}

fn the_office_that_closes_is_told_on_the_first_working_day_after_the_notice(world: &World) {
    let scene = scene(world);
    let none: Vec<String> = Vec::new();
    for day in ["2023-05-01", "2023-05-05", "2023-05-06", "2023-05-07"] {
        assert_eq!(told(world, day), none, "{day}");
    }
    let tasks = |token: &str| {
        let query = "{ viewer { tasks(first: 9, filter: {kind: [CLOSE]}) { totalCount } } }";
        scene.server.data_as(token, query, &json!({}))["viewer"]["tasks"]["totalCount"].clone()
    };
    scene.clock.set("2023-05-05T09:00");
    assert_eq!(tasks(&scene.region), 0);
    scene.clock.set("2023-05-08T09:00");
    assert_eq!((tasks(&scene.region), tasks(&scene.city)), (json!(1), json!(0)));
    // The round is a central one, so that the regional office closes, and nobody else is told.
    assert_eq!(told(world, "2023-05-08"), [REGION]);
    assert_eq!(told(world, "2023-05-09"), [REGION], "a missed day is made up for");
    let said = world.done(&["job", "run", JOB, "--at", "2023-05-08"]);
    assert!(said.contains("公示期满 3 天") && said.contains("洛隆县人民政府"), "{said}");
    let mails = crate::mail_words::deliver(world, "2023-05-08T01:00:00Z");
    let (_, mail) = mails.iter().find(|(kind, _)| kind == JOB).unwrap();
    let text = mail["text"].as_str().unwrap();
    assert!(text.contains("公示期：2023年4月28日至2023年5月5日") && text.contains("洛隆县人民政府"), "{text}");

    // Told again after seven days while it is not closed, and why.
    assert_eq!((told(world, "2023-05-12"), told(world, "2023-05-15")), (none.clone(), vec![REGION.to_owned()]));
    let why = world.done(&["mail", "why-not", "--to", REGION, "--job", JOB, "--on", "2023-05-10"]);
    assert!(why.contains("已于 2023-05-08 告知，下次 2023-05-15"), "{why}");
    let why = world.done(&["mail", "why-not", "--to", "u540329@gov.example", "--job", JOB, "--on", "2023-05-10"]);
    assert!(why.contains("没有到提醒时点的事项"), "{why}");
    world.done(&["reminder", "set", JOB, "--region", "540300", "--again-after", "3"]);
    assert_eq!(told(world, "2023-05-11"), [REGION]);
    let simulated = world.done(&["job", "simulate", "--from", "2023-05-09", "--to", "2023-05-19", "--job", JOB]);
    assert_eq!(simulated.lines().filter(|line| line.contains(REGION)).count(), 3, "11, 15 and 18 May: {simulated}");
    // A mail that waits when the measure is closed is not sent any more.
    world.done(&["job", "run", JOB, "--at", "2023-05-11"]);
    scene.stepped(&scene.region, "closeAssignment", &scene.on("洛隆县", json!({"decision": "同意销号。"})));
    let mails = crate::mail_words::deliver(world, "2023-05-11T01:00:00Z");
    assert!(mails.iter().all(|(kind, _)| kind != JOB), "{mails:?}");
    assert_eq!(told(world, "2023-05-15"), none, "it is closed");
}

fn an_objection_that_is_not_decided_keeps_it_back(world: &World) {
    let scene = scene(world);
    let object = scene.beside("洛隆县", json!({"text": "下游仍有弃渣未清理。", "receivedOn": "2023-04-28"}));
    scene.stepped(&scene.city, "raiseObjection", &object);
    assert_eq!(told(world, "2023-05-08"), Vec::<String>::new());
    let query = "{ closeOuts { nodes { objections { id } } } }";
    let found = scene.server.data_as(&scene.city, query, &json!({}));
    let objection = found["closeOuts"]["nodes"][0]["objections"][0]["id"].clone();
    let decision = json!({"objectionId": objection, "isUpheld": false, "answer": "经核实，弃渣已清理。"});
    scene.stepped(&scene.city, "decideObjection", &decision);
    assert_eq!(told(world, "2023-05-08"), [REGION]);
}
