//! Yellow and red cards (黄牌、红牌): the system proposes them, a person decides, and the unit is told at once.

use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use crate::support::ledgers::{CITY_ROWS, ROUND, city};
use crate::support::{Server, World, block_on, stories};

stories!(
    a_card_is_proposed_once_decided_told_and_lifted,
    two_yellow_cards_or_a_listing_make_a_red_one,
    cards_are_shown_and_filtered_where_they_may_be_seen,
);

const CITY: &str = "昌都市生态环境保护督察整改办";

/// Imports a county's ledger with three measures due on 2022-12-31 and one due later, and makes the accounts of the
/// city's office and of the county's government.
fn scene(world: &World) -> (String, String) {
    let file = world.file("县.xlsx", &city(&CITY_ROWS));
    world.done(&["import", &file, "--round", ROUND, "--region", "540329", "--issued-by", "540300", "--create-units"]);
    world.entered("2022-12-01");
    world.done(&["unit", "add", CITY, "--region", "540300"]);
    world.done(&["unit", "set", "洛隆县人民政府", "--mail", "gov@county.example"]);
    let office = world.account("person@city.example", "city-office", CITY);
    (office, world.account("person@county.example", "responsible-unit", "洛隆县人民政府"))
}

/// Makes the last report on each assignment one of the day of its entry.
fn silence(world: &World) {
    block_on(async {
        let db = world.db().await;
        db.execute_unprepared("UPDATE assignment SET reported_on = '2022-12-01'").await.unwrap();
        db.close().await.unwrap();
    });
}

/// Runs the job as of a day and returns how many cards it proposed.
fn proposed(world: &World, day: &str) -> usize {
    let said = world.done(&["job", "run", "propose-cards", "--at", day]);
    let digits: String = said.chars().skip_while(|letter| *letter != '出').filter(char::is_ascii_digit).collect();
    digits.parse().unwrap_or_else(|_| panic!("{said}"))
}

/// Returns the proposals that wait for a decision, by the measure.
fn pending(server: &Server, token: &str) -> Vec<Value> {
    let query = "{ supervisionActions(filter: {state: [PROPOSED]}, orderBy: [{field: ISSUED_AT, direction: ASC}]) \
        { nodes { id kind cause reason issuer { id } recipient { name } measure { id content } \
        assignment { id } } } }";
    server.data_as(token, query, &json!({}))["supervisionActions"]["nodes"].as_array().unwrap().clone()
}

fn decide(server: &Server, token: &str, action: &Value, is_adopted: bool) -> Value {
    let query = "mutation($input: DecideSupervisionInput!) { decideSupervision(input: $input) \
        { assignment { card } errors { code path } } }";
    let input = json!({"actionId": action["id"], "isAdopted": is_adopted, "reason": "长期没有进展，予以警示"});
    server.data_as(token, query, &json!({ "input": input }))["decideSupervision"].clone()
}

fn lift(server: &Server, token: &str, action: &Value) -> Value {
    let query = "mutation($input: LiftSupervisionInput!) { liftSupervision(input: $input) \
        { assignment { card } errors { code } } }";
    let input = json!({"actionId": action["id"], "reason": "已按要求整改"});
    server.data_as(token, query, &json!({ "input": input }))["liftSupervision"].clone()
}

fn a_card_is_proposed_once_decided_told_and_lifted(world: &World) {
    let (office, county) = scene(world);
    assert_eq!(proposed(world, "2022-12-30"), 0, "a month is not over");
    let dry = world.done(&["job", "run", "propose-cards", "--at", "2023-01-30", "--dry-run"]);
    assert!(dry.contains("未写入任何内容"), "{dry}");
    let count = proposed(world, "2023-01-30");
    assert!(count >= 3, "{count}");
    assert_eq!(proposed(world, "2023-01-31"), 0, "a proposal must not be repeated");
    let (server, clock) = world.serve_under_clock("2023-02-01T09:00");
    let found = pending(&server, &office);
    assert_eq!(found.len(), count);
    let overdue: Vec<&Value> = found.iter().filter(|one| one["cause"] == "OVERDUE").collect();
    assert_eq!(overdue.len(), 3);
    assert_eq!(
        (&overdue[0]["kind"], &overdue[0]["issuer"], &overdue[0]["reason"]),
        (&json!("YELLOW_CARD"), &Value::Null, &json!("逾期30天仍未完成整改，系统建议发黄牌"))
    );

    // The office finds the proposals among its tasks; the unit concerned cannot decide.
    let tasks = "{ viewer { tasks(first: 50, filter: {kind: [DECIDE_PROPOSAL]}) { totalCount } } }";
    assert_eq!(server.data_as(&office, tasks, &json!({}))["viewer"]["tasks"]["totalCount"], json!(count));
    assert_eq!(decide(&server, &county, overdue[0], true)["errors"][0]["code"], "NOT_ALLOWED");
    let issue = "mutation($input: IssueSupervisionInput!) { issueSupervision(input: $input) { errors { code } } }";
    let by_hand = json!({"input": {"assignmentId": overdue[0]["assignment"]["id"], "kind": "YELLOW_CARD",
        "reason": "长期逾期"}});
    let refused = server.data_as(&office, issue, &by_hand)["issueSupervision"]["errors"][0]["code"].clone();
    assert_eq!(refused, "WRONG_STATE", "the proposal comes first");

    // The unit is told at once of a card that is given and of one that is lifted, with the reason and what to do.
    let given = decide(&server, &office, overdue[0], true);
    assert_eq!(given, json!({"assignment": {"card": "YELLOW_CARD"}, "errors": []}));
    assert_eq!(decide(&server, &office, overdue[1], false)["errors"], json!([]));
    let mails = world.done(&["mail", "list"]);
    assert_eq!(mails.matches("【整改·黄牌】").count(), 1, "{mails}");
    assert!(mails.contains("gov@county.example"), "{mails}");
    world.done(&["job", "run", "deliver-mail", "--at", "2023-02-01T10:00:00+08:00"]);
    let letters = std::fs::read_dir(world.dir.path().join("data/mail")).unwrap().map(|entry| entry.unwrap().path());
    let letters = letters.filter(|path| path.extension().is_some_and(|ending| ending == "html"));
    let letter = letters.map(crate::support::read).find(|text| text.contains("黄牌警示")).unwrap();
    assert!(letter.contains("长期没有进展，予以警示") && letter.contains("请尽快整改"), "{letter}");
    assert_eq!(lift(&server, &office, overdue[0]), json!({"assignment": {"card": null}, "errors": []}));
    assert_eq!(world.done(&["mail", "list"]).matches("【整改·解除黄牌】").count(), 1);

    // What was lifted or dismissed is proposed again when the cause has lasted for another month.
    for one in overdue.iter().skip(2).chain(&found.iter().filter(|one| one["cause"] != "OVERDUE").collect::<Vec<_>>()) {
        assert_eq!(decide(&server, &office, one, false)["errors"], json!([]));
    }
    let again = |day: &str| {
        proposed(world, day);
        pending(&server, &office).iter().filter(|one| one["cause"] == "OVERDUE").count()
    };
    assert_eq!(again("2023-03-02"), 0);
    for one in pending(&server, &office) {
        assert_eq!(decide(&server, &office, &one, false)["errors"], json!([]));
    }
    assert_eq!(again("2023-03-03"), 3);

    // What was completed in the meantime gets no card any more.
    clock.set("2023-03-03T09:00");
    let assignment = pending(&server, &office)[0]["assignment"]["id"].clone();
    let version =
        server.data_as(&county, "query($id: ID!) { assignment(id: $id) { version } }", &json!({ "id": assignment }));
    let report = "mutation($input: ReportProgressInput!) { reportProgress(input: $input) { errors { message } } }";
    let input = json!({"assignmentId": assignment, "version": version["assignment"]["version"], "period": "2023-02",
        "text": "已完成。", "completedOn": "2023-03-02"});
    assert_eq!(server.data_as(&county, report, &json!({ "input": input }))["reportProgress"]["errors"], json!([]));
    let late = decide(&server, &office, &pending(&server, &office)[0], true);
    assert_eq!(late["errors"][0]["code"], "WRONG_STATE");
    assert!(world.done(&["audit", "verify"]).contains("无缺失"));
}

fn two_yellow_cards_or_a_listing_make_a_red_one(world: &World) {
    let (office, _) = scene(world);
    silence(world);
    let (server, clock) = world.serve_under_clock("2023-01-30T09:00");
    proposed(world, "2023-01-30");
    let of = |cause: &str| -> Vec<Value> {
        pending(&server, &office).into_iter().filter(|one| one["cause"] == cause).collect()
    };
    let first = of("OVERDUE");
    let (watched, listed) = (first[0]["assignment"]["id"].clone(), first[1]["assignment"]["id"].clone());
    for one in pending(&server, &office) {
        assert_eq!(decide(&server, &office, &one, one["assignment"]["id"] == watched)["errors"], json!([]));
    }
    // One yellow card is none too many; being silent for a month as well gives the second one.
    assert_eq!(of("TWO_YELLOW_CARDS").len(), 0);
    proposed(world, "2023-01-31");
    clock.set("2023-01-31T09:00");
    let second: Vec<Value> = of("STALE").into_iter().filter(|one| one["assignment"]["id"] == watched).collect();
    assert_eq!(second.len(), 1, "{:?}", pending(&server, &office));
    assert_eq!(decide(&server, &office, &second[0], true)["assignment"]["card"], "YELLOW_CARD");
    let issue = "mutation($input: IssueSupervisionInput!) { issueSupervision(input: $input) { errors { code } } }";
    let list = json!({"input": {"assignmentId": listed, "kind": "LIST", "reason": "问题突出"}});
    assert_eq!(server.data_as(&office, issue, &list)["issueSupervision"]["errors"], json!([]));
    proposed(world, "2023-02-01");
    clock.set("2023-02-01T09:00");
    let red = of("TWO_YELLOW_CARDS");
    assert_eq!((red.len(), &red[0]["kind"], &red[0]["assignment"]["id"]), (1, &json!("RED_CARD"), &watched));
    let of_listing = of("LISTED");
    assert_eq!((of_listing.len(), &of_listing[0]["assignment"]["id"]), (1, &listed));
    assert_eq!(of_listing[0]["reason"], "已挂牌督办，仍未完成整改，系统建议发红牌");

    // A red card is in force once; a dismissed one is proposed again after another month, not before.
    assert_eq!(decide(&server, &office, &red[0], true)["assignment"]["card"], "RED_CARD");
    assert_eq!(decide(&server, &office, &of_listing[0], false)["errors"], json!([]));
    let twice = json!({"input": {"assignmentId": watched, "kind": "RED_CARD", "reason": "问题突出"}});
    assert_eq!(server.data_as(&office, issue, &twice)["issueSupervision"]["errors"][0]["code"], "WRONG_STATE");
    proposed(world, "2023-03-02");
    assert_eq!((of("LISTED").len(), of("TWO_YELLOW_CARDS").len()), (0, 0));
    proposed(world, "2023-03-03");
    assert_eq!((of("LISTED").len(), of("TWO_YELLOW_CARDS").len()), (1, 0));
}

fn cards_are_shown_and_filtered_where_they_may_be_seen(world: &World) {
    let (office, county) = scene(world);
    let (server, _clock) = world.serve_under_clock("2023-01-30T09:00");
    proposed(world, "2023-01-30");
    let first = pending(&server, &office)[0].clone();
    assert_eq!(decide(&server, &office, &first, true)["errors"], json!([]));
    let shown = "query($id: ID!) { measure(id: $id) { card problem { card } assignments { nodes { card } } } \
        measures(filter: {card: [YELLOW_CARD]}) { totalCount } problems(filter: {card: [YELLOW_CARD]}) { totalCount } \
        red: measures(filter: {card: [RED_CARD]}) { totalCount } \
        assignments(filter: {card: [YELLOW_CARD, RED_CARD]}) { totalCount } }";
    for token in [&office, &county] {
        let data = server.data_as(token, shown, &json!({ "id": first["measure"]["id"] }));
        assert_eq!(data["measure"]["card"], "YELLOW_CARD");
        assert_eq!(data["measure"]["problem"]["card"], "YELLOW_CARD");
        assert_eq!(data["measure"]["assignments"]["nodes"][0]["card"], "YELLOW_CARD");
        for (list, count) in [("measures", 1), ("problems", 1), ("red", 0), ("assignments", 1)] {
            assert_eq!(data[list]["totalCount"], json!(count), "{list}");
        }
    }
    // A unit that answers nothing of it sees no card.
    let other = world.account("other@city.example", "supervising-unit", "市水利局");
    let data =
        server.data_as(&other, "{ measures(filter: {card: [YELLOW_CARD, RED_CARD]}) { totalCount } }", &json!({}));
    assert_eq!(data["measures"]["totalCount"], 0);
}
