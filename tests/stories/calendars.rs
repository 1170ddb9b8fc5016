//! The calendars of working days: days off of a region hold for it and the regions below it, wherever working days
//! count.

use serde_json::{Value, json};

use crate::scene::MeasureScene;
use crate::support::{World, stories};

stories!(
    a_region_has_days_off_of_its_own,
    a_public_notice_counts_the_working_days_of_its_region,
    an_import_counts_the_working_days_of_the_region_that_answers,
    nobody_sets_days_of_a_region_that_is_not_theirs,
);

const COUNTY: &str = "u540329@gov.example";
const OTHER: &str = "u540323@gov.example";

/// Returns the global id of a region with a code.
fn region_of(scene: &MeasureScene<'_>, code: &str) -> Value {
    let query = format!("{{ regions(filter: {{code: {{eq: \"{code}\"}}}}) {{ nodes {{ id }} }} }}");
    scene.server.data_as(&scene.region, &query, &json!({}))["regions"]["nodes"][0]["id"].clone()
}

/// Sets a day and returns the payload.
fn set(scene: &MeasureScene<'_>, token: &str, input: &Value) -> Value {
    let query = "mutation($input: SetCalendarDayInput!) { setCalendarDay(input: $input) { \
        days { day isWorking name isSet regionId } errors { code path } } }";
    scene.server.data_as(token, query, &json!({ "input": input }))["setCalendarDay"].clone()
}

/// Returns the days of 2023 that are set in a region, or for the whole country: each day, and the region that sets it.
fn days(scene: &MeasureScene<'_>, region: &Value) -> Vec<(String, Value)> {
    let query = "query($region: ID) { calendar(year: 2023, regionId: $region) { day isSet regionId } }";
    let read = scene.server.data_as(&scene.counties[0], query, &json!({ "region": region }))["calendar"].clone();
    let set = read.as_array().unwrap().iter().filter(|one| one["isSet"] == true);
    set.map(|one| (one["day"].as_str().unwrap().to_owned(), one["regionId"].clone())).collect()
}

/// Assigns the measure to its counties.
fn assign(scene: &MeasureScene<'_>) {
    let query = "query($id: ID!) { measure(id: $id) { version } }";
    let version = scene.server.data_as(&scene.city, query, &json!({ "id": scene.measure }))["measure"].clone();
    let assign = json!({"measureId": scene.measure, "version": version["version"], "hasSelectorsResolved": true});
    scene.stepped(&scene.city, "assignMeasure", &assign);
}

fn a_region_has_days_off_of_its_own(world: &World) {
    let scene = MeasureScene::set(world);
    assign(&scene);
    let (province, city, county) =
        (region_of(&scene, "540000"), region_of(&scene, "540300"), region_of(&scene, "540329"));
    let told = |day: &str| {
        let said = world.done(&["job", "run", "due-soon", "--at", day, "--dry-run"]);
        (said.contains(COUNTY), said.contains(OTHER))
    };
    // The mark of thirty days before 30 June 2023 is Wednesday, 31 May.
    assert_eq!((told("2023-05-30"), told("2023-05-31")), ((false, false), (true, true)));
    let festival = json!({"day": "2023-05-31", "regionId": province, "isWorking": false, "name": "萨嘎达瓦"});
    let given = set(&scene, &scene.region, &festival);
    assert_eq!(given["errors"], json!([]));
    let listed =
        json!({"day": "2023-05-31", "isWorking": false, "name": "萨嘎达瓦", "isSet": true, "regionId": province});
    assert!(given["days"].as_array().unwrap().contains(&listed), "{given}");
    // It holds below the region, not for the whole country, and moves the mark to the working day before.
    let on = |region: &Value| ("2023-05-31".to_owned(), region.clone());
    assert_eq!((days(&scene, &county), days(&scene, &Value::Null)), (vec![on(&province)], vec![]));
    assert_eq!((told("2023-05-30"), told("2023-05-31")), ((true, true), (false, false)));
    let why = world.done(&["mail", "why-not", "--to", COUNTY, "--job", "due-soon", "--on", "2023-05-31"]);
    assert!(why.contains("2023-05-31 是休息日，下一个工作日是 2023-06-01"), "{why}");
    let rules = "query($id: ID!) { reminderRules(regionId: $id) { kind nextDay } }";
    scene.clock.set("2023-05-31T09:00");
    let rules = scene.server.data_as(&scene.counties[0], rules, &json!({ "id": county }))["reminderRules"].clone();
    assert_eq!(rules[0]["nextDay"], "2023-06-01");

    // A county below it works; the nearest region that says something decides.
    let works = json!({"day": "2023-05-31", "regionId": county, "isWorking": true});
    assert_eq!(set(&scene, &scene.city, &works)["errors"], json!([]));
    assert_eq!((days(&scene, &county), days(&scene, &city)), (vec![on(&county)], vec![on(&province)]));
    assert_eq!((told("2023-05-30"), told("2023-05-31")), ((false, true), (true, false)));
    // What is set for the whole country comes after what regions say.
    world.done(&["calendar", "set", "2023-05-31", "--work"]);
    assert_eq!((days(&scene, &city), days(&scene, &Value::Null)), (vec![on(&province)], vec![on(&Value::Null)]));
    // Without it, the county does as the region above.
    let removed = json!({"day": "2023-05-31", "regionId": county});
    assert_eq!(set(&scene, &scene.city, &removed)["errors"], json!([]));
    assert_eq!(days(&scene, &county), [on(&province)]);

    // The command line sets them, too.
    let said = world.done(&["calendar", "set", "2023-05-30", "--region", "540300", "--name", "地方假日"]);
    assert!(said.contains("2023-05-30（540300）：放假"), "{said}");
    assert_eq!(told("2023-05-29"), (true, true));
    assert_eq!(world.run(&["calendar", "set", "2023-05-30", "--region", "999999"]).code, 2, "there is no such region");
}

fn a_public_notice_counts_the_working_days_of_its_region(world: &World) {
    let scene = MeasureScene::set(world);
    assign(&scene);
    let city = region_of(&scene, "540300");
    // Five working days after Monday, 24 April 2023, end on Monday, 1 May; with a day off of the city, on Tuesday.
    let off = json!({"day": "2023-04-25", "regionId": city, "isWorking": false});
    assert_eq!(set(&scene, &scene.city, &off)["errors"], json!([]));
    for (county, name) in scene.counties.iter().zip(["洛隆县", "类乌齐县"]) {
        scene.apply(county, name);
        scene.clock.set("2023-04-24T10:00");
        scene.stepped(&scene.city, "verifyCloseOut", &scene.on(name, json!({"opinion": "现场核查属实。"})));
        if name == "类乌齐县" {
            let works = json!({"day": "2023-04-25", "regionId": region_of(&scene, "540323"), "isWorking": true});
            assert_eq!(set(&scene, &scene.city, &works)["errors"], json!([]));
        }
        let notice = json!({"text": "整改完成情况公示。", "contact": "昌都市整改办"});
        scene.stepped(&scene.city, "publiciseCloseOut", &scene.on(name, notice));
    }
    let query = "{ closeOuts(orderBy: {field: NOTICE_UNTIL}) { nodes { noticeUntil } } }";
    let found = scene.server.data_as(&scene.city, query, &json!({}))["closeOuts"]["nodes"].clone();
    assert_eq!(found, json!([{"noticeUntil": "2023-05-01"}, {"noticeUntil": "2023-05-02"}]));
}

fn an_import_counts_the_working_days_of_the_region_that_answers(world: &World) {
    let days_off = [("2023-04-20", "540300"), ("2023-04-21", "540329")];
    // The first command begins the ledger.
    for code in ["540329", "540323"] {
        world.done(&["region", "load", code]);
    }
    for (day, region) in days_off {
        world.done(&["calendar", "set", day, "--region", region]);
    }
    for (region, due) in [("540329", "2023-04-27"), ("540323", "2023-04-26")] {
        let rows = [["1", "某问题", "1", "关停某厂", "收到通知后5个工作日内", "某县人民政府", "已关停"]];
        let lines: Vec<String> = rows.iter().map(|row| row.join(",")).collect();
        let text = format!("序号,反馈问题,措施序号,整改措施,整改时限,责任单位,整改进展\n{}\n", lines.join("\n"));
        let file = world.file(&format!("{region}.csv"), text.as_bytes());
        let round = format!("{region} 专项督察");
        let import = ["import", &file, "--round", &round, "--region", region, "--accept", "--as-of", "2023-04-18"];
        world.done(&import);
        let server = world.serve();
        let query = "{ measures(filter: {text: {search: \"关停\"}}) { \
            nodes { deadline { dueOn } problem { round { name } } } } }";
        let found = server.data(query, &json!({}));
        let all = found["measures"]["nodes"].as_array().unwrap();
        let one = all.iter().find(|one| one["problem"]["round"]["name"] == json!(round)).unwrap();
        assert_eq!(one["deadline"]["dueOn"], due, "{region}");
    }
}

fn nobody_sets_days_of_a_region_that_is_not_theirs(world: &World) {
    let scene = MeasureScene::set(world);
    let (province, county) = (region_of(&scene, "540000"), region_of(&scene, "540329"));
    let off = |region: &Value| json!({"day": "2023-05-31", "regionId": region, "isWorking": false});
    let code = |token: &str, input: &Value| set(&scene, token, input)["errors"][0]["code"].clone();
    for token in [&scene.counties[0], &scene.inspector] {
        assert_eq!(code(token, &off(&county)), "NOT_ALLOWED");
    }
    assert_eq!(code(&scene.city, &off(&province)), "NOT_FOUND");
    let everywhere = json!({"day": "2023-05-31", "isWorking": false});
    assert_eq!(
        (code(&scene.city, &everywhere), code(&scene.region, &everywhere)),
        (json!("NOT_FOUND"), json!("NOT_FOUND"))
    );
    assert_eq!(code(&scene.city, &off(&json!("region_999999"))), "NOT_FOUND");
    assert_eq!((days(&scene, &county), days(&scene, &province)), (vec![], vec![]));
    assert_eq!(set(&scene, &scene.region, &off(&province))["errors"], json!([]));
    assert!(world.done(&["audit", "verify"]).contains("全部相接"));
}
