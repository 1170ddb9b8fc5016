//! Accountability (责任追究): numbers of people held to account are recorded, corrected, withdrawn and summed up.
//! Ownership
//! (主责、共性): which regions own a problem and which share it.

use serde_json::{Value, json};

use crate::support::ledgers::{CITY_ROWS, ROUND, city};
use crate::support::{World, stories};

stories!(
    numbers_of_people_are_summed_up_and_what_is_withdrawn_adds_nothing,
    what_the_source_does_not_state_is_unknown_and_counts_once,
    results_of_a_round_are_recorded_corrected_withdrawn_and_summed_up,
    a_county_reads_of_its_own_part_only,
);

fn numbers_of_people_are_summed_up_and_what_is_withdrawn_adds_nothing(world: &World) {
    world.done(&["demo"]);
    let county = world.file("县.xlsx", &city(&CITY_ROWS));
    let of = ["--round", ROUND, "--region", "540329", "--issued-by", "540300", "--create-units"];
    world.done(&[&["import", county.as_str()], of.as_slice()].concat());
    let office = world.account("office@gov.example", "city-office", "云溪市生态环境保护督察整改办");
    let unit = world.account("unit@gov.example", "responsible-unit", "白河县人民政府");
    let elsewhere = world.account("other@gov.example", "responsible-unit", "洛隆县人民政府");
    let (server, _clock) = world.serve_under_clock("2026-11-22T09:00");
    let act = |token: &str, name: &str, input: Value| {
        let ty = name[..1].to_uppercase() + &name[1..] + "Input";
        let query = format!(
            "mutation($input: {ty}!) {{ {name}(input: $input) {{ accountability {{ id version people \
             withdrawnAt withdrawReason }} errors {{ code path }} }} }}"
        );
        server.data_as(token, &query, &json!({ "input": input }))[name].clone()
    };
    let code = |given: Value| given["errors"][0]["code"].as_str().unwrap_or_default().to_owned();
    // A problem for which the demo records no accountability.
    let bare = "{ problems(first: 1, filter: {accountability: {none: {}}}) { nodes { id } } }";
    let problem = server.data_as(&unit, bare, &json!({}))["problems"]["nodes"][0]["id"].clone();
    let record = |people: i32, rank: &str, consequence: &str| {
        json!({"problemId": problem, "rank": rank,
        "consequence": consequence, "people": people, "decidedOn": "2026-10-01"})
    };
    let three = record(3, "COUNTY_DIVISION", "ADMINISTRATIVE");
    assert_eq!(code(act(&unit, "recordAccountability", three.clone())), "NOT_ALLOWED");
    assert_eq!(code(act(&elsewhere, "recordAccountability", three.clone())), "NOT_FOUND");
    assert_eq!(code(act(&office, "recordAccountability", record(0, "BELOW", "JUDICIAL"))), "INVALID");
    let mut future = three.clone();
    future["decidedOn"] = json!("2026-11-23");
    assert_eq!(code(act(&office, "recordAccountability", future)), "INVALID");
    let mut made = Vec::new();
    for input in
        [three, record(2, "COUNTY_DIVISION", "PARTY_DISCIPLINE"), record(5, "TOWNSHIP_SECTION", "ADMINISTRATIVE")]
    {
        let given = act(&office, "recordAccountability", input);
        assert_eq!(given["errors"], json!([]), "{given}");
        made.push(given["accountability"]["id"].clone());
    }

    // Sums over the problem's list, and by group.
    let sums = "query($id: ID!, $by: [AccountabilityDimension!]!) { problem(id: $id) { accountability { totalCount \
        aggregate { count peopleHeld { sum max } } groups(by: $by) { keys { key label } \
        aggregate { peopleHeld { sum } } } } } }";
    let summed = |by: &str| {
        let found =
            server.data_as(&unit, sums, &json!({"id": problem, "by": [by]}))["problem"]["accountability"].clone();
        let mut groups: Vec<(String, i64)> = found["groups"]
            .as_array()
            .unwrap()
            .iter()
            .map(|group| {
                let sum = group["aggregate"]["peopleHeld"]["sum"].as_f64().unwrap_or(0.0) as i64;
                (group["keys"][0]["key"].as_str().unwrap().to_owned(), sum)
            })
            .collect();
        groups.sort();
        (found["aggregate"]["peopleHeld"]["sum"].as_f64(), groups)
    };
    let pair = |key: &str, sum: i64| (key.to_owned(), sum);
    assert_eq!(summed("RANK"), (Some(10.0), vec![pair("COUNTY_DIVISION", 5), pair("TOWNSHIP_SECTION", 5)]));
    assert_eq!(summed("CONSEQUENCE"), (Some(10.0), vec![pair("ADMINISTRATIVE", 8), pair("PARTY_DISCIPLINE", 2)]));

    // A correction needs the current version; a withdrawal is possible once.
    let correct = |version: i32, people: i32| {
        json!({"accountabilityId": made[0], "version": version, "rank": "COUNTY_DIVISION",
        "consequence": "ORGANISATIONAL", "people": people, "decidedOn": "2026-10-02"})
    };
    assert_eq!(code(act(&unit, "correctAccountability", correct(1, 4))), "NOT_ALLOWED");
    assert_eq!(code(act(&elsewhere, "correctAccountability", correct(1, 4))), "NOT_FOUND");
    assert_eq!(act(&office, "correctAccountability", correct(1, 4))["accountability"]["people"], 4);
    assert_eq!(code(act(&office, "correctAccountability", correct(1, 6))), "STALE_VERSION");
    let withdraw = json!({"accountabilityId": made[2], "version": 1, "reason": "决定已被撤销。"});
    assert_eq!(code(act(&unit, "withdrawAccountability", withdraw.clone())), "NOT_ALLOWED");
    let withdrawn = act(&office, "withdrawAccountability", withdraw)["accountability"].clone();
    assert!(withdrawn["withdrawnAt"].is_string() && withdrawn["withdrawReason"] == "决定已被撤销。", "{withdrawn}");
    let again = json!({"accountabilityId": made[2], "version": 2, "reason": "再撤一次。"});
    assert_eq!(code(act(&office, "withdrawAccountability", again)), "WRONG_STATE");
    assert_eq!(summed("RANK"), (Some(6.0), vec![pair("COUNTY_DIVISION", 6), pair("TOWNSHIP_SECTION", 0)]));
    let whole = "query($id: ID!) { accountabilities(filter: {problem: {eq: $id}, isWithdrawn: true}) { \
        nodes { people problem { id } } } }";
    let kept = server.data_as(&unit, whole, &json!({ "id": problem }))["accountabilities"]["nodes"].clone();
    assert_eq!(kept, json!([{"people": 5, "problem": {"id": problem}}]), "a withdrawn row stays readable");

    // The rows are as visible as the problem, and their audit chain is intact.
    let list = "query($id: ID!) { problem(id: $id) { id } accountabilities { totalCount } node(id: $id) { id } }";
    let hidden = server.data_as(&elsewhere, list, &json!({ "id": problem }));
    assert_eq!(hidden, json!({"problem": null, "accountabilities": {"totalCount": 0}, "node": null}));
    assert!(world.done(&["audit", "verify"]).contains("无缺失"));
}

fn what_the_source_does_not_state_is_unknown_and_counts_once(world: &World) {
    world.done(&["demo"]);
    let office = world.account("office@gov.example", "city-office", "云溪市生态环境保护督察整改办");
    let (server, _clock) = world.serve_under_clock("2026-11-22T09:00");
    let bare = "{ problems(first: 1, filter: {accountability: {none: {}}}) { nodes { id } } }";
    let problem = server.data_as(&office, bare, &json!({}))["problems"]["nodes"][0]["id"].clone();
    // Of 8 people the source states only the rank, of one only that the consequence is another, of 3 neither.
    for (rank, consequence, people) in
        [("COUNTY_DIVISION", "UNKNOWN", 2), ("OTHER", "UNKNOWN", 6), ("UNKNOWN", "OTHER", 1), ("UNKNOWN", "UNKNOWN", 3)]
    {
        let query = "mutation($input: RecordAccountabilityInput!) { recordAccountability(input: $input) { \
            accountability { rank consequence } errors { code } } }";
        let input = json!({"problemId": problem, "rank": rank, "consequence": consequence, "people": people,
            "decidedOn": "2026-10-01"});
        let given = server.data_as(&office, query, &json!({ "input": input }))["recordAccountability"].clone();
        let expected = json!({"rank": rank, "consequence": consequence});
        assert_eq!((&given["accountability"], &given["errors"]), (&expected, &json!([])));
    }
    let sums = "query($id: ID!, $by: [AccountabilityDimension!]!) { problem(id: $id) { accountability { \
        aggregate { peopleHeld { sum } } groups(by: $by) { keys { key label } aggregate { peopleHeld { sum } } } } } }";
    for (by, expected) in [
        ("RANK", [("COUNTY_DIVISION", 2.0), ("OTHER", 6.0), ("UNKNOWN", 4.0)].as_slice()),
        ("CONSEQUENCE", [("OTHER", 1.0), ("UNKNOWN", 11.0)].as_slice()),
    ] {
        let given = server.data_as(&office, sums, &json!({"id": problem, "by": [by]}));
        let given = &given["problem"]["accountability"];
        assert_eq!(given["aggregate"]["peopleHeld"]["sum"].as_f64(), Some(12.0));
        let mut groups: Vec<(&str, f64)> = Vec::new();
        for group in given["groups"].as_array().unwrap() {
            let sum = group["aggregate"]["peopleHeld"]["sum"].as_f64().unwrap();
            groups.push((group["keys"][0]["key"].as_str().unwrap(), sum));
        }
        groups.sort_by_key(|(key, _)| *key);
        assert_eq!(groups, expected, "each split adds up to the total");
    }
    let labels = "{ enumLabels(names: [\"AccountableRank\"]) { values { value label } } }";
    let labels = server.data_as(&office, labels, &json!({}))["enumLabels"][0]["values"].clone();
    assert!(labels.as_array().unwrap().contains(&json!({"value": "UNKNOWN", "label": "未说明"})), "{labels}");
}

#[expect(clippy::too_many_lines, reason = "the steps form one story")]
fn results_of_a_round_are_recorded_corrected_withdrawn_and_summed_up(world: &World) {
    world.done(&["demo"]);
    let region = world.account("region@gov.example", "regional-office", "云川省生态环境保护督察整改办");
    let city = world.account("city@gov.example", "city-office", "云溪市生态环境保护督察整改办");
    let baihe = world.account("baihe@gov.example", "responsible-unit", "白河县人民政府");
    let qingping = world.account("qingping@gov.example", "responsible-unit", "青坪县人民政府");
    let (server, _clock) = world.serve_under_clock("2026-11-22T09:00");
    let act = |token: &str, name: &str, input: Value| {
        let ty = name[..1].to_uppercase() + &name[1..] + "Input";
        let query = format!(
            "mutation($input: {ty}!) {{ {name}(input: $input) {{ roundResult {{ id version kind title amount money \
             withdrawnAt region {{ name }} }} errors {{ code path }} }} }}"
        );
        server.data_as(token, &query, &json!({ "input": input }))[name].clone()
    };
    let refused = |given: Value| {
        let error = &given["errors"][0];
        (error["code"].as_str().unwrap_or_default().to_owned(), error["path"].to_string())
    };
    let at = |field: &str| ("INVALID".to_owned(), json!(["input", field]).to_string());
    let code = |code: &str| {
        let found = "query($code: String) { region(code: $code) { id } }";
        server.data_as(&region, found, &json!({ "code": code }))["region"]["id"].clone()
    };
    let (county, elsewhere) = (code("990121"), json!("region_1"));
    let record = |kind: &str, amount: i32, more: Value| {
        let mut input = json!({"roundId": "round_1", "kind": kind, "amount": amount});
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        input
    };

    // Only a regional office keeps them, for its own region or one below.
    let fines = record("FINED", 12, json!({"money": 345.6, "regionId": county, "decidedOn": "2026-10-01"}));
    assert_eq!(refused(act(&city, "recordRoundResult", fines.clone())).0, "NOT_ALLOWED");
    assert_eq!(
        refused(act(&region, "recordRoundResult", record("FINED", 1, json!({ "regionId": elsewhere })))).0,
        "NOT_ALLOWED",
        "the nation is not below the office's region"
    );
    let wrong = [
        (record("FINED", -1, json!({})), "amount"),
        (record("FINED", 1, json!({"money": -0.5})), "money"),
        (record("CLOSED_DOWN", 1, json!({"money": 2})), "money"),
        (record("INSTITUTION", 1, json!({"title": " "})), "title"),
        (record("OTHER", 1, json!({})), "title"),
        (record("PENALISED", 1, json!({"title": "长".repeat(201)})), "title"),
        (record("PENALISED", 1, json!({"decidedOn": "2026-11-23"})), "decidedOn"),
    ];
    for (input, field) in wrong {
        assert_eq!(refused(act(&region, "recordRoundResult", input)), at(field));
    }
    let unknown = json!({"roundId": "round_999999", "kind": "FINED", "amount": 1});
    assert_eq!(refused(act(&region, "recordRoundResult", unknown)).0, "NOT_FOUND");
    let mut made = Vec::new();
    for input in [
        fines,
        record("FINED", 3, json!({"money": 54.4})),
        record("CLOSED_DOWN", 7, json!({})),
        record("INSTITUTION", 1, json!({"title": "河湖长制工作办法"})),
    ] {
        let given = act(&region, "recordRoundResult", input);
        assert_eq!(given["errors"], json!([]), "{given}");
        made.push(given["roundResult"].clone());
    }
    assert_eq!((&made[0]["money"], &made[0]["region"]["name"]), (&json!(345.6), &json!("白河县")));

    let read = "{ inspectionRounds(first: 1) { nodes { id results { totalCount aggregate { moneyCounted { sum } } \
        groups(by: [KIND]) { keys { key label } aggregate { amountCounted { sum } } } } } } }";
    let seen = |token: &str| server.data_as(token, read, &json!({}))["inspectionRounds"]["nodes"][0].clone();
    let summed = |token: &str| {
        let results = seen(token)["results"].clone();
        let mut groups: Vec<(String, f64)> = Vec::new();
        for group in results["groups"].as_array().unwrap() {
            let sum = group["aggregate"]["amountCounted"]["sum"].as_f64().unwrap_or(0.0);
            groups.push((group["keys"][0]["key"].as_str().unwrap().to_owned(), sum));
        }
        groups.sort_by(|one, other| one.0.cmp(&other.0));
        (results["aggregate"]["moneyCounted"]["sum"].as_f64().unwrap_or(0.0), groups)
    };
    let pairs = |all: [(&str, f64); 3]| all.map(|(kind, sum)| (kind.to_owned(), sum)).to_vec();
    let whole = pairs([("CLOSED_DOWN", 7.0), ("FINED", 15.0), ("INSTITUTION", 1.0)]);
    assert_eq!(seen(&region)["id"], "round_1");
    assert_eq!(summed(&region), (400.0, whole.clone()));
    assert_eq!(summed(&baihe), (400.0, whole));
    // Results of one region are not seen by its siblings.
    let others = pairs([("CLOSED_DOWN", 7.0), ("FINED", 3.0), ("INSTITUTION", 1.0)]);
    assert_eq!(summed(&qingping), (54.4, others));
    let hidden = "query($id: ID!) { node(id: $id) { id } }";
    assert_eq!(server.data_as(&qingping, hidden, &json!({"id": made[0]["id"]}))["node"], Value::Null);

    // A correction needs the current version; a withdrawal is possible once.
    let correct = |version: i32| {
        let record = &made[1]["id"];
        json!({"resultId": record, "version": version, "kind": "FINED", "amount": 4, "money": 60})
    };
    assert_eq!(refused(act(&city, "correctRoundResult", correct(1))).0, "NOT_ALLOWED");
    let corrected = act(&region, "correctRoundResult", correct(1))["roundResult"].clone();
    assert_eq!(
        (&corrected["amount"], corrected["money"].as_f64(), &corrected["version"]),
        (&json!(4), Some(60.0), &json!(2))
    );
    assert_eq!(refused(act(&region, "correctRoundResult", correct(1))).0, "STALE_VERSION");
    let withdraw = |version: i32| json!({"resultId": made[0]["id"], "version": version, "reason": "与全省合计重复。"});
    assert_eq!(refused(act(&city, "withdrawRoundResult", withdraw(1))).0, "NOT_ALLOWED");
    let withdrawn = act(&region, "withdrawRoundResult", withdraw(1))["roundResult"].clone();
    assert!(withdrawn["withdrawnAt"].is_string(), "{withdrawn}");
    assert_eq!(refused(act(&region, "withdrawRoundResult", withdraw(2))).0, "WRONG_STATE");
    assert_eq!(summed(&region), (60.0, pairs([("CLOSED_DOWN", 7.0), ("FINED", 4.0), ("INSTITUTION", 1.0)])));
    let trail = "{ auditEntries(filter: {act: {eq: \"RESULT_RECORDED\"}}) { totalCount } }";
    assert_eq!(server.data_as(&region, trail, &json!({}))["auditEntries"]["totalCount"], 6);
    assert!(world.done(&["audit", "verify"]).contains("无缺失"));
}

fn a_county_reads_of_its_own_part_only(world: &World) {
    world.done(&["demo"]);
    let office = world.account("office@gov.example", "city-office", "云溪市生态环境保护督察整改办");
    let county = world.account("county@gov.example", "county-office", "白河县生态环境保护督察整改办");
    let (server, _clock) = world.serve_under_clock("2026-11-22T09:00");
    let region = |code: &str| {
        let found =
            server.data_as(&office, "query($code: String) { region(code: $code) { id } }", &json!({ "code": code }));
        found["region"]["id"].clone()
    };
    let owners = "query($id: ID!) { problem(id: $id) { ownership { kind region { name } } } }";
    let read = |token: &str| server.data_as(token, owners, &json!({"id": "problem_1"}))["problem"]["ownership"].clone();
    let set = |token: &str, place: &Value, kind: Value| {
        let query =
            "mutation($input: SetOwnershipInput!) { setOwnership(input: $input) { problem { id } errors { code } } }";
        let input = json!({"problemId": "problem_1", "regionId": place, "kind": kind});
        let given = server.data_as(token, query, &json!({ "input": input }))["setOwnership"].clone();
        given["errors"][0]["code"].as_str().unwrap_or_default().to_owned()
    };
    let (baihe, qingping, dongling) = (region("990121"), region("990122"), region("990123"));
    for (place, kind) in [(&baihe, "SHARED"), (&qingping, "SHARED"), (&dongling, "PRINCIPAL")] {
        assert_eq!(set(&office, place, json!(kind)), "");
    }
    let of = |kind: &str, name: &str| json!({"kind": kind, "region": {"name": name}});
    assert_eq!(read(&office), json!([of("PRINCIPAL", "东岭县"), of("SHARED", "白河县"), of("SHARED", "青坪县")]));
    // Problems are counted by who owns them, as far as one sees that.
    let owned = |token: &str, place: &Value, kind: &str| {
        let query = "query($region: ID!, $kind: OwnershipKind!) {
            problems(filter: {ownership: {kind: [$kind], region: {eq: $region}}}) { nodes { id } } }";
        let found = server.data_as(token, query, &json!({"region": place, "kind": kind}));
        found["problems"]["nodes"].as_array().unwrap().iter().any(|problem| problem["id"] == "problem_1")
    };
    assert!(owned(&office, &dongling, "PRINCIPAL") && !owned(&office, &dongling, "SHARED"));
    assert!(owned(&county, &baihe, "SHARED") && !owned(&county, &dongling, "PRINCIPAL"));
    assert_eq!(read(&county), json!([of("SHARED", "白河县")]), "a county does not see the ownership of its siblings");
    assert_eq!(set(&county, &baihe, json!("PRINCIPAL")), "NOT_ALLOWED");
    assert_eq!(set(&office, &region("990000"), json!("PRINCIPAL")), "NOT_FOUND");
    // A kind can be replaced, and removed by null.
    assert_eq!(set(&office, &baihe, json!("PRINCIPAL")), "");
    assert_eq!(set(&office, &dongling, Value::Null), "");
    assert_eq!(read(&office), json!([of("PRINCIPAL", "白河县"), of("SHARED", "青坪县")]));
    assert!(world.done(&["audit", "verify"]).contains("无缺失"));
}
