//! An extension (延期) moves the deadline of one answer: its siblings stay due, figures and reminders follow, and a new
//! plan or a ledger that comes in again leaves it.

use entity::{mail, mail_item, region};
use ledger::people::policy::Principal;
use ledger::record::link_key::LinkKey;
use ledger::statistics::{self, Counted, Dimension, Only, Question};
use ledger::work::mail_link::{Item, Target};
use sea_orm::sea_query::ExprTrait;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::{Value, json};

use crate::scene::MeasureScene;
use crate::support::ledgers::{CITY_ROWS, ROUND, city};
use crate::support::{World, block_on, stories};

stories!(an_extension_moves_one_answer_only);

/// Returns the deadline of each county's answer, by county, and the latest, which is the measure's.
fn deadlines(scene: &MeasureScene<'_>) -> Value {
    let query = "query($id: ID!) { measure(id: $id) { plannedDueOn deadline { raw dueOn overdueAfter } \
        assignments(first: 50, orderBy: {field: CREATED_AT, direction: ASC}) { nodes { dueOn unit { name } } } } }";
    let found = scene.server.data_as(&scene.city, query, &json!({ "id": scene.measure }));
    let of = |node: &Value| (node["unit"]["name"].as_str().unwrap().to_owned(), node["dueOn"].clone());
    let answers: serde_json::Map<String, Value> =
        found["measure"]["assignments"]["nodes"].as_array().unwrap().iter().map(of).collect();
    json!({ "answers": answers, "measure": found["measure"]["deadline"]["dueOn"],
        "plan": found["measure"]["plannedDueOn"] })
}

fn extend(scene: &MeasureScene<'_>, token: &str, county: &str, until: &str) {
    let asked = scene.beside(county, json!({"newDueOn": until, "reason": "汛期无法施工。"}));
    scene.done(token, "requestExtension", "RequestExtensionInput", &asked);
    let pending = "{ deadlineChanges(filter: {state: [REQUESTED]}) { nodes { id } } }";
    let id = scene.server.data_as(&scene.city, pending, &json!({}))["deadlineChanges"]["nodes"][0]["id"].clone();
    for (by, decision) in [(&scene.city, "ENDORSE"), (&scene.region, "APPROVE")] {
        let input = json!({"extensionId": id, "decision": decision, "words": "情况属实。"});
        scene.done(by, "decideExtension", "DecideExtensionInput", &input);
    }
}

/// Overdue items of the city on a day to come: each county's measures, all measures, all assignments. The API refuses
/// such a day.
fn overdue(world: &World, day: &str) -> Value {
    block_on(async {
        let db = world.db().await;
        let named = region::Entity::find().filter(region::Column::Code.eq("540300"));
        let city = named.one(&db).await.unwrap().unwrap().id;
        let count = async |by, counted| {
            let question = Question {
                within: Some(city),
                as_of: day.parse().unwrap(),
                by,
                and: None,
                only: Only::default(),
                clock: None,
                wants_more: false,
                counted,
                wants_groups: true,
            };
            statistics::answer(&db, &question, &Principal::local()).await.unwrap()
        };
        let measures = count(Dimension::Region, Counted::Measures).await;
        let assignments = count(Dimension::Status, Counted::Assignments).await;
        let counties: serde_json::Map<String, Value> =
            measures.rows.iter().map(|row| (row.figures.label.clone().unwrap(), json!(row.figures.overdue))).collect();
        json!({ "counties": counties, "measures": measures.total.overdue, "assignments": assignments.total.overdue })
    })
}

fn change_plan(scene: &MeasureScene<'_>, printed: &str) {
    let query = "query($id: ID!) { measure(id: $id) { version } }";
    let version = scene.server.data_as(&scene.region, query, &json!({ "id": scene.measure }));
    let input = json!({"measureId": scene.measure, "version": version["measure"]["version"],
        "deadline": printed, "reason": "按新的要求调整。"});
    let done = scene.server.data_as(
        &scene.region,
        "mutation($input: ChangeDeadlineInput!) { changeDeadline(input: $input) { errors { message } } }",
        &json!({ "input": input }),
    );
    assert_eq!(done["changeDeadline"]["errors"], json!([]));
}

/// Opens the page behind the link of a mail, without sign-in.
fn linked(world: &World, scene: &MeasureScene<'_>, kind: &str, recipient: &str) -> String {
    let item = Item::Measure(scene.measure.trim_start_matches("measure_").parse().unwrap());
    let until = "2023-08-01T00:00:00Z".parse().unwrap();
    let sent = mail::Column::Kind.eq(kind).and(mail::Column::Recipient.eq(recipient));
    let found = block_on(async { mail::Entity::find().filter(sent).one(&world.db().await).await.unwrap() });
    let token = Target { item, mail: found.unwrap().id }.token(&LinkKey::new("story"), until);
    let page = scene.server.get(&format!("/m/{token}"));
    assert_eq!(page.status, 200, "{}", page.body);
    page.body
}

/// The page behind the link of a mail shows the deadline of the answer that the mail is about.
fn a_mails_link_shows_the_answers_own_deadline(world: &World, scene: &MeasureScene<'_>) {
    let luolong = linked(world, scene, "due-soon", "u540329@gov.example");
    assert!(luolong.contains("（延期至 2023年12月31日）") && luolong.contains("还有"), "{luolong}");
    let leiwuqi = linked(world, scene, "overdue", "u540323@gov.example");
    assert!(leiwuqi.contains("已过") && !leiwuqi.contains("延期至"), "{leiwuqi}");
    assert!(leiwuqi.contains("登录并申请延期"), "{leiwuqi}");
}

/// What is completed needs no extension: it is refused, not offered, and the page of a mail counts no days.
fn what_is_done_is_not_extended(world: &World, scene: &MeasureScene<'_>, token: &str, county: &str) {
    let report = json!({"period": "2023-06", "text": "电站已拆除。", "completedOn": "2023-07-01"});
    scene.done(token, "reportProgress", "ReportProgressInput", &scene.on(county, report));
    let asked = scene.beside(county, json!({"newDueOn": "2024-12-31", "reason": "汛期无法施工。"}));
    assert_eq!(scene.refused(token, "requestExtension", "RequestExtensionInput", &asked), "WRONG_STATE");
    let query = "query($id: ID!) { assignment(id: $id) { availableActions { action isAvailable reason } } }";
    let actions = scene.server.data_as(token, query, &json!({ "id": scene.of(county).0 }));
    let actions = actions["assignment"]["availableActions"].as_array().unwrap().clone();
    let extension = actions.iter().find(|one| one["action"] == "REQUEST_EXTENSION").unwrap();
    let reason = extension["reason"].as_str().unwrap_or_default();
    assert!(extension["isAvailable"] == false && reason.starts_with("已填报完成"), "{extension}");
    let page = linked(world, scene, "overdue", "u540323@gov.example");
    assert!(!page.contains("已过") && !page.contains("申请延期") && !page.contains("填报、上传"), "{page}");
    assert!(page.contains("整改已填报完成") && page.contains("提请销号"), "{page}");
}

fn an_extension_moves_one_answer_only(world: &World) {
    let scene = MeasureScene::set(world);
    let (luolong, leiwuqi) = (scene.counties[0].clone(), scene.counties[1].clone());
    let version = scene.server.data_as(
        &scene.city,
        "query($id: ID!) { measure(id: $id) { version } }",
        &json!({ "id": scene.measure }),
    );
    let assign = json!({"measureId": scene.measure, "version": version["measure"]["version"],
        "hasSelectorsResolved": true});
    assert_eq!(scene.act(&scene.city, "assignMeasure", "AssignMeasureInput", &assign)["errors"], json!([]));
    let before = overdue(world, "2023-07-01");
    extend(&scene, &luolong, "洛隆县", "2023-12-31");

    let each = |luolong: &str, others: &str| {
        json!({"洛隆县人民政府": luolong, "类乌齐县人民政府": others, "察雅县人民政府": others,
            "国网云川电力有限公司": others})
    };
    let expected = json!({"answers": each("2023-12-31", "2023-06-30"), "measure": "2023-12-31", "plan": "2023-06-30"});
    assert_eq!(deadlines(&scene), expected);

    // The county that has more time is not late, its siblings are; as a whole, the measure is not late yet.
    let after = overdue(world, "2023-07-01");
    let less = |what: &Value, than: &Value| than.as_i64().unwrap() - what.as_i64().unwrap();
    for (county, fewer) in [("洛隆县", 1), ("类乌齐县", 0), ("察雅县", 0)] {
        assert_eq!(less(&after["counties"][county], &before["counties"][county]), fewer, "{county}: {before} {after}");
    }
    assert_eq!(less(&after["measures"], &before["measures"]), 1);
    assert_eq!(less(&after["assignments"], &before["assignments"]), 1);
    world.done(&["statistics", "check"]);

    // Reminders, paces and filters go by each answer's own date, and say so.
    scene.clock.set("2023-07-03T09:00");
    let late = "{ assignments(filter: {isOverdue: true, measure: {is: {text: {search: \"拆除停运电站\"}}}}, \
        orderBy: {field: DUE_ON, direction: ASC}) { nodes { pace unit { name } } } }";
    let late_of = |token: &str| scene.server.data_as(token, late, &json!({}))["assignments"]["nodes"].clone();
    assert_eq!(late_of(&luolong), json!([]));
    assert_eq!(late_of(&leiwuqi), json!([{"pace": "OVERDUE", "unit": {"name": "类乌齐县人民政府"}}]));
    world.done(&["job", "run", "overdue", "--at", "2023-07-03T08:00:00+08:00"]);
    world.done(&["job", "run", "due-soon", "--at", "2023-12-22T08:00:00+08:00"]);
    let measure: i64 = scene.measure.trim_start_matches("measure_").parse().unwrap();
    let told: Vec<(String, String, String)> = block_on(async {
        let db = world.db().await;
        let items = mail_item::Entity::find().filter(mail_item::Column::MeasureId.eq(measure)).all(&db).await.unwrap();
        let mails = mail::Entity::find().all(&db).await.unwrap();
        let of = |item: mail_item::Model| {
            let mail = mails.iter().find(|mail| mail.id == item.mail_id).unwrap();
            (mail.kind.clone(), mail.recipient.clone(), item.due_on.map(|day| day.to_string()).unwrap_or_default())
        };
        items.into_iter().map(of).collect()
    });
    let is_told =
        |kind: &str, to: &str, day: &str| told.iter().any(|(a, b, c)| a == kind && b.starts_with(to) && c == day);
    assert!(is_told("overdue", "u540323", "2023-06-30"), "{told:?}");
    assert!(!told.iter().any(|(kind, to, _)| kind == "overdue" && to.starts_with("u540329")), "{told:?}");
    assert!(is_told("due-soon", "u540329", "2023-12-31"), "{told:?}");

    a_mails_link_shows_the_answers_own_deadline(world, &scene);

    // The same ledger again changes nothing, and a new plan leaves what was extended further.
    let file = world.file("again.xlsx", &city(&CITY_ROWS));
    world.done(&["import", &file, "--round", ROUND, "--region", "540300"]);
    assert_eq!(deadlines(&scene), expected);
    change_plan(&scene, "2023年9月30日");
    let moved = json!({"answers": each("2023-12-31", "2023-09-30"), "measure": "2023-12-31", "plan": "2023-09-30"});
    assert_eq!(deadlines(&scene), moved);
    change_plan(&scene, "2024年3月31日");
    let moved = json!({"answers": each("2024-03-31", "2024-03-31"), "measure": "2024-03-31", "plan": "2024-03-31"});
    assert_eq!(deadlines(&scene), moved);

    // No extension to a day before the one that holds.
    let early = scene.beside("洛隆县", json!({"newDueOn": "2024-01-31", "reason": "汛期无法施工。"}));
    assert_eq!(scene.refused(&luolong, "requestExtension", "RequestExtensionInput", &early), "INVALID");
    what_is_done_is_not_extended(world, &scene, &leiwuqi, "类乌齐县");
    world.done(&["statistics", "check"]);
}
