//! Batches: what offices do in heaps is done in one act, all of it or nothing.

use serde_json::{Value, json};

use crate::scene::MeasureScene;
use crate::screens::sign_in;
use crate::support::{Server, World, stories};

stories!(
    measures_are_assigned_together_or_not_at_all,
    applications_are_verified_and_closed_together,
    everything_overdue_is_urged_at_once,
    an_item_of_a_batch_takes_no_more_statements_than_the_act_alone,
);

/// Executes a mutation on several objects, and returns its payload.
fn batch(server: &Server, token: &str, name: &str, of: &str, items: &[Value]) -> Value {
    let kind = format!("{}Input", name[..1].to_uppercase() + &name[1..]);
    let query = format!(
        "mutation($input: {kind}!) {{ {name}(input: $input) {{ {of} {{ id version }} errors {{ code message path }} \
         warnings {{ code }} }} }}"
    );
    server.data_as(token, &query, &json!({ "input": { "items": items } }))[name].clone()
}

/// Returns the codes of a payload's errors with their paths.
fn faults(payload: &Value) -> Vec<(String, String)> {
    let errors = payload["errors"].as_array().unwrap().iter();
    let path = |error: &Value| {
        error["path"].as_array().unwrap().iter().map(|step| step.as_str().unwrap()).collect::<Vec<_>>().join(".")
    };
    errors.map(|error| (error["code"].as_str().unwrap().to_owned(), path(error))).collect()
}

fn is(code: &str, path: &str) -> (String, String) {
    (code.to_owned(), path.to_owned())
}

fn measures_are_assigned_together_or_not_at_all(world: &World) {
    let scene = MeasureScene::set(world);
    let unit = "{ units(filter: { name: { eq: \"察雅县人民政府\" } }) { nodes { id } } }";
    let unit = &scene.server.data_as(&scene.city, unit, &json!({}))["units"]["nodes"][0]["id"];
    let open = "query($unit: ID!) { measures(filter: { assignments: { none: { unit: { eq: $unit } } } }) {
        nodes { id version } } }";
    let open = scene.server.data_as(&scene.city, open, &json!({ "unit": unit }))["measures"]["nodes"].clone();
    let open = open.as_array().unwrap();
    assert!(open.len() > 2, "{open:?}");
    let item =
        |measure: &Value| json!({ "measureId": measure["id"], "version": measure["version"], "unitIds": [unit] });
    let items: Vec<Value> = open.iter().map(item).collect();
    let assign = |token: &str, items: &[Value]| batch(&scene.server, token, "assignMeasures", "measures", items);
    let count = || scene.figures(&scene.city).0;

    // Each item has its errors, by its place; nothing is written.
    let before = count();
    let mut wrong = items.clone();
    wrong[1]["version"] = json!(77);
    wrong.push(json!({ "measureId": "unit_1", "version": 1, "unitIds": [unit] }));
    let last = format!("input.items.{}.measureId", wrong.len() - 1);
    let refused = assign(&scene.city, &wrong);
    assert_eq!(refused["measures"], json!(null));
    let stale = faults(&refused);
    assert_eq!((stale[0].0.as_str(), &stale[1]), ("STALE_VERSION", &is("NOT_FOUND", &last)), "{refused}");
    assert!(stale[0].1.starts_with("input.items.1."), "{refused}");
    assert_eq!(faults(&assign(&scene.inspector, &items[..1]))[0].0, "NOT_ALLOWED");
    for none in [&[][..], &vec![items[0].clone(); 101]] {
        assert_eq!(faults(&assign(&scene.city, none)), [is("INVALID", "input.items")]);
    }
    assert_eq!(count(), before);

    // The same measure twice: nobody else has changed it.
    let twice = [items[0].clone(), items[1].clone(), items[0].clone()];
    assert_eq!(faults(&assign(&scene.city, &twice)), [is("CONFLICT", "input.items.2.measureId")]);
    assert_eq!(count(), before);

    let done = assign(&scene.city, &items);
    assert_eq!(done["errors"], json!([]));
    let ids: Vec<&Value> = done["measures"].as_array().unwrap().iter().map(|measure| &measure["id"]).collect();
    assert_eq!(ids, open.iter().map(|measure| &measure["id"]).collect::<Vec<_>>(), "in the order of the items");
    assert_eq!(count(), before + i64::try_from(items.len()).unwrap());
    assert!(world.done(&["audit", "verify"]).contains("全部相接"));
    assert!(world.done(&["statistics", "check"]).contains("一致"));
}

fn applications_are_verified_and_closed_together(world: &World) {
    let scene = MeasureScene::set(world);
    let counties = ["洛隆县", "类乌齐县", "察雅县"];
    let query = "query($id: ID!) { measure(id: $id) { version } }";
    let version =
        scene.server.data_as(&scene.city, query, &json!({ "id": scene.measure }))["measure"]["version"].clone();
    let whole = json!({ "measureId": scene.measure, "version": version, "hasSelectorsResolved": true });
    assert_eq!(scene.act(&scene.city, "assignMeasure", "AssignMeasureInput", &whole)["errors"], json!([]));
    for (token, county) in scene.counties.iter().zip(counties) {
        scene.apply(token, county);
    }
    let act = |token: &str, name: &str, items: &[Value]| batch(&scene.server, token, name, "assignments", items);
    let items = |words: &Value| counties.map(|county| scene.on(county, words.clone()));

    let opinion = json!({ "opinion": "现场核查属实。" });
    scene.stepped(&scene.city, "verifyCloseOut", &scene.on(counties[0], opinion.clone()));
    let rest = items(&opinion);
    let refused = act(&scene.city, "verifyCloseOuts", &rest);
    assert_eq!(faults(&refused), [is("WRONG_STATE", "input.items.0.assignmentId")], "the first is verified already");
    assert_eq!(faults(&act(&scene.counties[1], "verifyCloseOuts", &rest[1..]))[0].0, "NOT_ALLOWED");
    let twice = [rest[1].clone(), rest[1].clone()];
    let refused = act(&scene.city, "verifyCloseOuts", &twice);
    assert_eq!(faults(&refused), [is("CONFLICT", "input.items.1.assignmentId")]);
    let done = act(&scene.city, "verifyCloseOuts", &rest[1..]);
    assert_eq!(done["errors"], json!([]), "{done}");

    for county in counties {
        let notice =
            json!({ "text": "整改任务已完成，现予公示。", "contact": "市整改办 0895-4820000", "workingDays": 5 });
        scene.stepped(&scene.city, "publiciseCloseOut", &scene.on(county, notice));
    }
    scene.clock.set("2023-05-10T09:00");
    let closed = act(&scene.region, "closeAssignments", &items(&json!({ "decision": "同意销号。" })));
    assert_eq!(closed["errors"], json!([]), "{closed}");
    assert_eq!(closed["assignments"].as_array().unwrap().len(), 3);
    assert_eq!(scene.figures(&scene.city).2, 3);
    let again = act(&scene.region, "closeAssignments", &items(&json!({ "decision": "同意销号。" })));
    assert_eq!(faults(&again).len(), 3, "each item has its error: {again}");
    assert!(world.done(&["audit", "verify"]).contains("全部相接"));
    assert!(world.done(&["statistics", "check"]).contains("一致"));
}

fn everything_overdue_is_urged_at_once(world: &World) {
    let scene = MeasureScene::set(world);
    let query = "query($id: ID!) { measure(id: $id) { version } }";
    let version =
        scene.server.data_as(&scene.city, query, &json!({ "id": scene.measure }))["measure"]["version"].clone();
    let whole = json!({ "measureId": scene.measure, "version": version, "hasSelectorsResolved": true });
    assert_eq!(scene.act(&scene.city, "assignMeasure", "AssignMeasureInput", &whole)["errors"], json!([]));
    scene.clock.set("2023-07-03T09:00");
    let late = "{ assignments(first: 100, filter: { isOverdue: true }) { nodes { id } } }";
    let late = scene.server.data_as(&scene.city, late, &json!({}))["assignments"]["nodes"].clone();
    let urge = |one: &Value| json!({ "assignmentId": one["id"], "kind": "URGE", "reason": "已逾期，请抓紧办理。" });
    let mut items: Vec<Value> = late.as_array().unwrap().iter().map(urge).collect();
    assert!(items.len() >= 3, "{late}");
    let issue = |items: &[Value]| batch(&scene.server, &scene.city, "issueSupervisions", "assignments", items);
    let issued = || {
        let query = "{ supervisionActions { totalCount } }";
        scene.server.data_as(&scene.city, query, &json!({}))["supervisionActions"]["totalCount"].clone()
    };
    items[0]["reason"] = json!("");
    items[2]["answerBy"] = json!("2020-01-01");
    let faulty = faults(&issue(&items));
    assert_eq!(faulty, [is("INVALID", "input.items.0.reason"), is("INVALID", "input.items.2.answerBy")]);
    assert_eq!(issued(), 0);
    items[0]["reason"] = json!("已逾期，请抓紧办理。");
    items[2]["answerBy"] = json!("2023-08-01");
    assert_eq!(issue(&items)["errors"], json!([]));
    assert_eq!(issued(), json!(items.len()));
    assert!(scene.mails("urged") + scene.mails("催办") > 0);
    // Supervision leaves the assignment as it is: one can get several.
    assert_eq!(issue(&[items[0].clone(), items[0].clone()])["errors"], json!([]));
}

fn an_item_of_a_batch_takes_no_more_statements_than_the_act_alone(world: &World) {
    world.done(&["demo"]);
    let server = world.serve();
    let city = sign_in(&server, "CITY_OFFICE");
    let open = "{ assignments(first: 23, filter: { status: [ASSIGNED, IN_PROGRESS] }) { nodes { id } } }";
    let open = server.data_as(&city, open, &json!({}))["assignments"]["nodes"].clone();
    let urge = |one: &Value| json!({ "assignmentId": one["id"], "kind": "URGE", "reason": "请抓紧办理。" });
    let items: Vec<Value> = open.as_array().unwrap().iter().map(urge).collect();
    assert_eq!(items.len(), 23, "{open}");
    let counted = |act: &dyn Fn() -> Value| {
        let before = server.statements();
        assert_eq!(act()["errors"], json!([]));
        server.statements() - before
    };
    let single = "mutation($input: IssueSupervisionInput!) { issueSupervision(input: $input) {
        assignment { id version } errors { message } } }";
    let one = counted(&|| server.data_as(&city, single, &json!({ "input": items[0] }))["issueSupervision"].clone());
    let of = |items: &[Value]| counted(&|| batch(&server, &city, "issueSupervisions", "assignments", items));
    let (two, twenty) = (of(&items[1..3]), of(&items[3..23]));
    assert!(two <= 2 * one && twenty <= 20 * one, "1: {one}, 2: {two}, 20: {twenty}");
    assert!(twenty <= 10 * two, "each further item costs no more: 2: {two}, 20: {twenty}");
}
