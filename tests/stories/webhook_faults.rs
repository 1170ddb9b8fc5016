//! Messages to other systems when something goes wrong: a clock that was ahead, a sender that died, and a receiver that
//! is disabled while it answers; and events that are none of a receiver's business.

use chrono::{DateTime, TimeDelta, Utc};
use ledger::record::webhook::{self, Claimed, Outcome};
use serde_json::{Value, json};

use crate::scene::{CaseScene, MeasureScene};
use crate::support::receiver::Receiver;
use crate::support::{Server, World, block_on, stories};
use crate::webhooks::{act, administrator, assign, deliver, enter, log};

stories!(
    a_receiver_of_one_region_gets_no_events_of_another,
    moments_that_a_clock_which_was_ahead_has_left_are_taken_back,
    a_message_whose_last_sender_died_is_parked_and_the_next_one_sent,
    what_a_receiver_answers_after_it_was_disabled_says_nothing_about_it,
);

/// Queues a test message; returns its id.
fn test(server: &Server, token: &str, webhook: &str) -> Value {
    let done = act(server, token, "testWebhook", &json!({ "webhookId": webhook }));
    assert_eq!(done["errors"], json!([]));
    done["delivery"]["id"].clone()
}

/// Claims the next message to a receiver, as another process does.
fn claim(world: &World, webhook: &str, lease: &str, now: DateTime<Utc>) -> Option<Claimed> {
    block_on(async {
        let db = world.db().await;
        let key = webhook.trim_start_matches("webhook_").parse().unwrap();
        let claimed = webhook::claim(&db, key, lease, now).await.unwrap();
        db.close().await.unwrap();
        claimed
    })
}

fn a_receiver_of_one_region_gets_no_events_of_another(world: &World) {
    let scene = MeasureScene::set(world);
    let token = administrator(world);
    world.done(&["region", "load", "540104"]);
    let region = |server: &Server, code: &str| {
        let query = "query($code: String) { region(code: $code) { id } }";
        server.data_as(&token, query, &json!({ "code": code }))["region"]["id"].clone()
    };
    let (whole, other) = (Receiver::start("ok"), Receiver::start("ok"));
    enter(&scene.server, &token, &json!({ "name": "全部", "url": whole.url }));
    let elsewhere = json!({ "name": "别处", "url": other.url, "regionId": region(&scene.server, "540104") });
    enter(&scene.server, &token, &elsewhere);
    assign(&scene);
    scene.stepped(&scene.counties[0], "acceptAssignment", &scene.on("洛隆县", json!({})));
    deliver(world, scene.clock.now());
    assert_eq!((whole.posted().len(), other.posted().len()), (2, 0));
    let queued = log(&scene.server, &token);
    assert_eq!(queued.len(), 2, "nothing is queued for it either: {queued:?}");

    // Nor those of a complaint case.
    drop(scene);
    let cases = World::sqlite();
    let scene = CaseScene::set(&cases);
    let token = administrator(&cases);
    cases.done(&["region", "load", "540104"]);
    let query = "query($code: String) { region(code: $code) { id } }";
    for (name, code, receiver) in [("别处", "540104", &other), ("本地", "540329", &whole)] {
        let id = scene.server.data_as(&token, query, &json!({ "code": code }))["region"]["id"].clone();
        enter(&scene.server, &token, &json!({ "name": name, "url": receiver.url, "regionId": id }));
    }
    scene.done(&scene.city, "handOverCase", &scene.wanted(json!({})));
    deliver(&cases, scene.clock.now());
    assert_eq!((whole.posted().len(), other.posted().len()), (1, 0));
}

fn moments_that_a_clock_which_was_ahead_has_left_are_taken_back(world: &World) {
    let token = administrator(world);
    let (server, clock) = world.serve_under_clock("2023-04-12T09:00");
    let (receiver, failing) = (Receiver::start("ok"), Receiver::start("ok"));
    let (id, _) = enter(&server, &token, &json!({ "name": "平台", "url": receiver.url }));
    let (other, _) = enter(&server, &token, &json!({ "name": "出错的平台", "url": failing.url }));
    // The clock is two days ahead while one message is queued and another one fails.
    test(&server, &token, &other);
    failing.answers("500 Internal Server Error", "", "");
    assert_eq!(deliver(world, clock.now()), 1);
    test(&server, &token, &id);
    clock.set("2023-04-10T09:00");
    assert_eq!(deliver(world, clock.now()), 2, "neither waits for two days");
    assert_eq!((receiver.posted().len(), failing.posted().len()), (1, 2));
    assert!(log(&server, &token).iter().all(|message| message["state"] == "DELIVERED"));
    let query = "{ webhooks { nodes { failingSince } } }";
    let shown = server.data_as(&token, query, &json!({}));
    assert!(shown["webhooks"]["nodes"].as_array().unwrap().iter().all(|one| one["failingSince"].is_null()));

    // What fails from then on is counted from now, and the pause after it stays.
    failing.answers("500 Internal Server Error", "", "");
    clock.pass(TimeDelta::minutes(1));
    test(&server, &token, &other);
    assert_eq!((deliver(world, clock.now()), deliver(world, clock.now())), (1, 0));
}

fn a_message_whose_last_sender_died_is_parked_and_the_next_one_sent(world: &World) {
    let token = administrator(world);
    let (server, clock) = world.serve_under_clock("2023-04-10T09:00");
    let receiver = Receiver::start("ok");
    let (id, _) = enter(&server, &token, &json!({ "name": "平台", "url": receiver.url }));
    let first = test(&server, &token, &id);
    // Whatever is in the message, each process that sends it dies.
    let mut attempts = 0;
    while claim(world, &id, &format!("dead-{attempts}"), clock.now()).is_some() {
        clock.pass(TimeDelta::minutes(2));
        attempts += 1;
        assert!(attempts < 50, "it is sent for ever");
    }
    assert_eq!(attempts, 12);
    let second = test(&server, &token, &id);
    let messages = log(&server, &token);
    let parked = messages.iter().find(|message| message["id"] == first).unwrap();
    assert_eq!((&parked["state"], &parked["attempts"]), (&json!("FAILED"), &json!(12)));
    assert!(parked["lastError"].as_str().unwrap().contains("中途停止"), "{parked}");
    assert_eq!(deliver(world, clock.now()), 1);
    let posted = receiver.posted();
    assert_eq!(posted.iter().map(|posted| json!(posted.headers["webhook-id"])).collect::<Vec<_>>(), [second]);
    // By hand, it begins anew.
    assert_eq!(act(&server, &token, "resendDelivery", &json!({ "deliveryId": first }))["errors"], json!([]));
    assert_eq!(deliver(world, clock.now()), 1);
    assert!(log(&server, &token).iter().all(|message| message["state"] == "DELIVERED"));
}

fn what_a_receiver_answers_after_it_was_disabled_says_nothing_about_it(world: &World) {
    let token = administrator(world);
    let (server, clock) = world.serve_under_clock("2023-04-10T09:00");
    let receiver = Receiver::start("ok");
    let (id, _) = enter(&server, &token, &json!({ "name": "平台", "url": receiver.url }));
    let settle = |claimed: &Claimed, outcome: &Outcome| {
        block_on(async {
            let db = world.db().await;
            let at = (clock.now(), chrono_tz::Asia::Shanghai);
            webhook::settle(&db, claimed, outcome, at).await.unwrap();
            db.close().await.unwrap();
        });
    };
    let switch = |is_enabled: bool| {
        let input = json!({ "webhookId": id, "isEnabled": is_enabled });
        let done = act(&server, &token, "editWebhook", &input);
        assert_eq!(done["errors"], json!([]));
        done["webhook"].clone()
    };
    let gone = Outcome { status: Some(410), answer: Some(String::new()), error: Some("接口答复 410".to_owned()) };
    let accepted = Outcome { status: Some(200), answer: Some("ok".to_owned()), error: None };
    let message = test(&server, &token, &id);
    // An administrator disables it while it is being sent to.
    let claimed = claim(world, &id, "one", clock.now()).unwrap();
    switch(false);
    settle(&claimed, &gone);
    let state = |field: &str| {
        let messages = log(&server, &token);
        messages.iter().find(|one| one["id"] == message).unwrap()[field].clone()
    };
    assert_eq!((state("state"), state("status")), (json!("QUEUED"), json!(410)));
    let shown = switch(true);
    assert_eq!((&shown["failingSince"], &shown["stoppedAt"]), (&Value::Null, &Value::Null));
    assert!(!world.done(&["mail", "list"]).contains("administrator@gov.example"), "nobody is told");

    // It waits while the receiver is disabled; what was accepted meanwhile is delivered.
    clock.pass(TimeDelta::minutes(5));
    let claimed = claim(world, &id, "two", clock.now()).unwrap();
    switch(false);
    assert_eq!(deliver(world, clock.now() + TimeDelta::minutes(5)), 0);
    settle(&claimed, &accepted);
    assert_eq!((state("state"), state("lastError")), (json!("DELIVERED"), Value::Null));
    switch(true);
    assert_eq!(deliver(world, clock.now() + TimeDelta::minutes(5)), 0, "it is not sent again");
    assert!(receiver.posted().is_empty());

    // The answer of an earlier address is not held against the new one.
    test(&server, &token, &id);
    let claimed = claim(world, &id, "three", clock.now()).unwrap();
    let elsewhere = json!({ "webhookId": id, "url": format!("{}/new", receiver.url) });
    assert_eq!(act(&server, &token, "editWebhook", &elsewhere)["errors"], json!([]));
    settle(&claimed, &gone);
    assert_eq!(deliver(world, clock.now() + TimeDelta::minutes(5)), 1);
    assert!(receiver.posted()[0].path.ends_with("/in/new"));
}
