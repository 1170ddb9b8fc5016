//! Published figures (公布数): numbers of reports are recorded, corrected and withdrawn, and stand beside what the
//! ledger counts.

use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use crate::support::{Server, World, asked, block_on, stories};

stories!(
    numbers_of_a_report_are_recorded_corrected_and_withdrawn,
    what_is_computed_is_what_the_ledger_lists,
    whoever_sees_a_part_only_is_told_no_computed_number,
    buttons_are_those_of_offices_that_keep_the_round,
);

const TODAY: &str = "2026-11-22";
const FIGURE: &str = "id version counted topic label amount computed isDifferent withdrawnAt region { name }";

fn act(server: &Server, token: &str, name: &str, input: &Value) -> Value {
    let ty = name[..1].to_uppercase() + &name[1..] + "Input";
    let query = format!(
        "mutation($input: {ty}!) {{ {name}(input: $input) {{ publishedFigure {{ {FIGURE} }} \
         errors {{ code path }} }} }}"
    );
    server.data_as(token, &query, &json!({ "input": input }))[name].clone()
}

/// Records a number and returns the record.
fn record(server: &Server, token: &str, input: &Value) -> Value {
    let given = act(server, token, "recordPublishedFigure", input);
    assert_eq!(given["errors"], json!([]), "{given}");
    given["publishedFigure"].clone()
}

fn region(server: &Server, token: &str, code: &str) -> Value {
    let found = "query($code: String) { region(code: $code) { id } }";
    server.data_as(token, found, &json!({ "code": code }))["region"]["id"].clone()
}

/// Returns the input that records a number of the first round.
fn of(region: &Value, counted: &str, topic: &str, label: Option<&str>, amount: i64) -> Value {
    json!({"roundId": "round_1", "regionId": region, "counted": counted, "topic": topic, "label": label,
        "amount": amount, "asOf": "2026-10-01", "source": "整改情况报告第 3 页"})
}

fn regional(world: &World) -> String {
    world.account("region@gov.example", "regional-office", "云川省生态环境保护督察整改办")
}

fn numbers_of_a_report_are_recorded_corrected_and_withdrawn(world: &World) {
    world.done(&["demo"]);
    let office = regional(world);
    let city = world.account("city@gov.example", "city-office", "云溪市生态环境保护督察整改办");
    let (server, _clock) = world.serve_under_clock("2026-11-22T09:00");
    let refused = |token: &str, name: &str, input: &Value| {
        let error = act(&server, token, name, input)["errors"][0].clone();
        (error["code"].as_str().unwrap_or_default().to_owned(), error["path"].to_string())
    };
    let province = region(&server, &office, "990000");
    let whole = of(&province, "MEASURES", "TOTAL", None, 86);
    let but = |field: &str, value: Value| {
        let mut input = whole.clone();
        input[field] = value;
        input
    };

    assert_eq!(refused(&city, "recordPublishedFigure", &whole).0, "NOT_ALLOWED");
    let nation = but("regionId", json!("region_1"));
    assert_eq!(refused(&office, "recordPublishedFigure", &nation).0, "NOT_ALLOWED", "not below the office's region");
    assert_eq!(refused(&office, "recordPublishedFigure", &but("roundId", json!("round_999999"))).0, "NOT_FOUND");
    assert_eq!(refused(&office, "recordPublishedFigure", &but("regionId", json!("round_1"))).0, "NOT_FOUND");
    let wrong = [
        (but("amount", json!(-1)), "amount"),
        (but("amount", json!(1_000_000_001)), "amount"),
        (but("asOf", json!("2026-11-23")), "asOf"),
        (but("source", json!(" ")), "source"),
        (but("source", json!("长".repeat(301))), "source"),
        (but("label", json!("长".repeat(101))), "label"),
        (but("topic", json!("OTHER")), "label"),
        (of(&province, "PEOPLE", "RANK", None, 3), "label"),
        (of(&province, "MEASURES", "RANK", Some("县处级"), 3), "topic"),
        (of(&province, "PEOPLE", "BEHIND", None, 3), "topic"),
    ];
    for (input, field) in wrong {
        let expected = ("INVALID".to_owned(), json!(["input", field]).to_string());
        assert_eq!(refused(&office, "recordPublishedFigure", &input), expected, "{input}");
    }

    // A correction needs the current version; a withdrawal is possible once.
    let made = record(&server, &office, &whole);
    assert_eq!((&made["amount"], &made["region"]["name"]), (&json!(86), &json!("云川省")));
    let corrected = |version: i32| {
        let mut input = but("amount", json!(90));
        input.as_object_mut().unwrap().remove("roundId");
        input["figureId"] = made["id"].clone();
        input["version"] = json!(version);
        input
    };
    assert_eq!(refused(&city, "correctPublishedFigure", &corrected(1)).0, "NOT_ALLOWED");
    let now = act(&server, &office, "correctPublishedFigure", &corrected(1))["publishedFigure"].clone();
    assert_eq!((&now["amount"], &now["version"]), (&json!(90), &json!(2)));
    assert_eq!(refused(&office, "correctPublishedFigure", &corrected(1)).0, "STALE_VERSION");
    let withdrawn = |version: i32| json!({"figureId": made["id"], "version": version, "reason": "引用有误。"});
    assert_eq!(refused(&city, "withdrawPublishedFigure", &withdrawn(2)).0, "NOT_ALLOWED");
    let now = act(&server, &office, "withdrawPublishedFigure", &withdrawn(2))["publishedFigure"].clone();
    assert!(now["withdrawnAt"].is_string(), "{now}");
    assert_eq!(refused(&office, "withdrawPublishedFigure", &withdrawn(3)).0, "WRONG_STATE");
    assert_eq!(refused(&office, "correctPublishedFigure", &corrected(3)).0, "WRONG_STATE");

    let kept = "{ inspectionRounds(first: 1) { nodes { publishedFigures { totalCount } } } }";
    let kept = server.data_as(&office, kept, &json!({}))["inspectionRounds"]["nodes"][0].clone();
    assert_eq!(kept["publishedFigures"]["totalCount"], 1, "a withdrawn record stays");
    let trail = "{ auditEntries(filter: {act: {eq: \"FIGURE_RECORDED\"}}) { nodes { label changes { field } } } }";
    let trail = server.data_as(&office, trail, &json!({}))["auditEntries"]["nodes"].clone();
    assert_eq!(trail.as_array().unwrap().len(), 3);
    assert!(trail.to_string().contains("登记公布数") && trail.to_string().contains("asOf"), "{trail}");
    assert!(world.done(&["audit", "verify"]).contains("无缺失"));
}

fn what_is_computed_is_what_the_ledger_lists(world: &World) {
    world.done(&["demo"]);
    block_on(async {
        let db = world.db().await;
        for table in ["problem", "measure"] {
            let text = format!(
                "UPDATE {table} SET stated_pace = CASE id % 3 WHEN 0 THEN 'BEHIND' WHEN 1 THEN 'BEHIND_AND_REPORTED' \
                 ELSE 'ON_SCHEDULE' END, \
                 stated_pace_on = '2026-11-01' WHERE id % 4 > 0"
            );
            db.execute_unprepared(&text).await.unwrap();
        }
    });
    let office = regional(world);
    let (server, _clock) = world.serve_under_clock("2026-11-22T09:00");
    let held =
        "mutation($input: RecordAccountabilityInput!) { recordAccountability(input: $input) { errors { code } } }";
    for (rank, consequence, people) in
        [("COUNTY_DIVISION", "PARTY_DISCIPLINE", 4), ("COUNTY_DIVISION", "ORGANISATIONAL", 3), ("BELOW", "OTHER", 2)]
    {
        let input = json!({"problemId": "problem_1", "rank": rank, "consequence": consequence, "people": people,
            "decidedOn": "2026-09-01"});
        let given = server.data_as(&office, held, &json!({ "input": input }));
        assert_eq!(given["recordAccountability"]["errors"], json!([]));
    }

    // Some are lengths of lists; the others are figures of the statistics, which judge a county by its own answers.
    let mut kinds: Vec<(&str, String, &str, String)> = [
        ("CASES", "TOTAL", "inspectionCases", ""),
        ("CASES", "CLOSED", "inspectionCases", "state: [CLOSED]"),
        ("MEASURES", "ON_SCHEDULE", "measures", "statedPace: [ON_SCHEDULE]"),
        ("MEASURES", "BEHIND", "measures", "statedPace: [BEHIND, BEHIND_AND_REPORTED]"),
    ]
    .map(|(counted, topic, list, more)| (counted, topic.to_owned(), list, more.to_owned()))
    .into();
    for counted in ["PROBLEMS", "MEASURES"] {
        kinds.extend(["all", "completed", "closed"].map(|figure| {
            let topic = if figure == "all" { "TOTAL".to_owned() } else { figure.to_uppercase() };
            (counted, topic, figure, String::new())
        }));
    }
    let mut differing = 0;
    for code in ["990000", "990121"] {
        let place = region(&server, &office, code);
        for (counted, topic, list, more) in &kinds {
            let expected = if ["all", "completed", "closed"].contains(list) {
                let query = format!(
                    "{{ statistics(filter: {{region: {{within: {place}}}}}, asOf: \"{TODAY}\", by: ROUND, \
                     count: {counted}) {{ rows {{ key all completed closed }} }} }}"
                );
                let said = server.data_as(&office, &query, &json!({}))["statistics"]["rows"].clone();
                let row = said.as_array().unwrap().iter().find(|row| row["key"] == "round_1").unwrap();
                row[*list].as_i64().unwrap()
            } else {
                let query = format!(
                    "{{ {list}(filter: {{round: {{eq: \"round_1\"}}, region: {{within: {place}}}, {more}}}) \
                     {{ totalCount }} }}"
                );
                server.data_as(&office, &query, &json!({}))[*list]["totalCount"].as_i64().unwrap()
            };
            for amount in [expected, expected + 1] {
                let made = record(&server, &office, &of(&place, counted, topic, None, amount));
                assert_eq!(made["computed"], expected, "{counted} {topic} {code}");
                assert_eq!(made["isDifferent"], amount != expected, "{counted} {topic} {code}");
                differing += i64::from(amount != expected);
            }
        }
    }

    // People by rank and by consequence are separate margins; a name that the ledger does not know is not computed.
    let province = region(&server, &office, "990000");
    let people = |topic: &str, label: Option<&str>| {
        record(&server, &office, &of(&province, "PEOPLE", topic, label, 0))["computed"].clone()
    };
    let sum = "{ accountabilities(filter: {isWithdrawn: false, problem: {is: {round: {eq: \"round_1\"}}}}) \
        { aggregate { peopleHeld { sum } } groups(by: [RANK]) { keys { key } aggregate { peopleHeld { sum } } } } }";
    let sum = server.data_as(&office, sum, &json!({}))["accountabilities"].clone();
    assert_eq!(people("TOTAL", None).as_f64(), sum["aggregate"]["peopleHeld"]["sum"].as_f64());
    let mut groups = sum["groups"].as_array().unwrap().iter();
    let of_rank = groups.find(|group| group["keys"][0]["key"] == "COUNTY_DIVISION").unwrap();
    assert_eq!(people("RANK", Some("县处级")).as_f64(), of_rank["aggregate"]["peopleHeld"]["sum"].as_f64());
    assert_eq!(people("RANK", Some("处级干部")), Value::Null);
    assert_eq!(people("RANK", Some("党纪处分")), Value::Null);
    assert_eq!(people("OTHER", Some("诫勉")), Value::Null);
    // Every rank and consequence is known by the name that people read.
    let labels = "{ enumLabels(names: [\"AccountableRank\", \"Consequence\"]) { name values { label } } }";
    for one in server.data_as(&office, labels, &json!({}))["enumLabels"].as_array().unwrap() {
        let topic = if one["name"] == "Consequence" { "CONSEQUENCE" } else { "RANK" };
        for value in one["values"].as_array().unwrap() {
            assert!(people(topic, value["label"].as_str()).is_i64(), "{topic} {value}");
        }
    }

    let count = |filter: &str| {
        let query = format!(
            "{{ publishedFigures(filter: {{counted: [PROBLEMS, MEASURES, CASES], {filter}}}) {{ totalCount }} }}"
        );
        server.data_as(&office, &query, &json!({}))["publishedFigures"]["totalCount"].as_i64().unwrap()
    };
    assert_eq!(count("isDifferent: true"), differing);
    assert_eq!(count("isDifferent: false"), differing, "half of them agree");
    assert_eq!(count("region: {within: \"region_1\"}"), 2 * differing);
}

fn whoever_sees_a_part_only_is_told_no_computed_number(world: &World) {
    world.done(&["demo"]);
    let office = regional(world);
    let county = world.account("county@gov.example", "county-office", "白河县生态环境保护督察整改办");
    let sibling = world.account("sibling@gov.example", "county-office", "青坪县生态环境保护督察整改办");
    let unit = world.account("unit@gov.example", "responsible-unit", "白河县人民政府");
    let (server, _clock) = world.serve_under_clock("2026-11-22T09:00");
    let of_code = |code: &str| {
        let place = region(&server, &office, code);
        let mut figure = of(&place, "CASES", "TOTAL", None, 1_000_000);
        figure["roundId"] = json!("round_3");
        record(&server, &office, &figure)
    };
    let (whole, own) = (of_code("990000"), of_code("990121"));
    assert!(whole["computed"].as_i64() > own["computed"].as_i64(), "{whole} {own}");
    let read = |token: &str, figure: &Value| {
        let query = "query($id: ID!) { node(id: $id) { ... on PublishedFigure { amount computed isDifferent } } }";
        server.data_as(token, query, &json!({"id": figure["id"]}))["node"].clone()
    };
    for reader in [&county, &sibling, &unit] {
        let seen = json!({"amount": 1_000_000, "computed": null, "isDifferent": false});
        assert_eq!(read(reader, &whole), seen, "the published number is public, the other counties' cases are not");
    }
    assert_eq!(read(&county, &own)["computed"], own["computed"]);
    assert_eq!(read(&county, &own)["isDifferent"], true);
    assert_eq!(read(&sibling, &own), Value::Null);
    let different = "{ publishedFigures(filter: {isDifferent: true}) { nodes { id } } }";
    let different = server.data_as(&county, different, &json!({}))["publishedFigures"]["nodes"].clone();
    assert_eq!(different, json!([{"id": own["id"]}]));
}

fn buttons_are_those_of_offices_that_keep_the_round(world: &World) {
    world.done(&["demo"]);
    let sheet = "序号,反馈问题,整改措施,整改时限,牵头单位\n1,砂石乱堆。,1.清理。,2031年12月31日,县水利局\n";
    let file = world.file("砂石.csv", sheet.as_bytes());
    for (round, code, level) in [("县砂石整治", "990121", "county"), ("市砂石整治", "990100", "prefecture")] {
        world.done(&[
            "import",
            &file,
            "--round",
            round,
            "--region",
            code,
            "--level",
            level,
            "--as-of",
            "2026-03-31",
            "--create-units",
        ]);
    }
    let offices = [
        ("region", "regional-office", "云川省"),
        ("city", "city-office", "云溪市"),
        ("county", "county-office", "白河县"),
    ];
    for (name, role, place) in offices {
        world.employ(&format!("{name}@gov.example"), role, &format!("{place}生态环境保护督察整改办"));
    }
    world.employ("unit@gov.example", "responsible-unit", "白河县人民政府");
    let (server, _clock) = world.serve_under_clock("2026-11-22T09:00");
    let wall = |name: &str| {
        let cookie = format!("rectify={}; rectify-language=zh", server.sign_in(&format!("{name}@gov.example")));
        let page = asked(&server, "GET", "/wall", &[("cookie", &cookie)], b"");
        assert_eq!(page.status, 200, "{}", page.body);
        page.body
    };
    let offers = |page: &str, round: &str| page.contains(&format!("登记公布数：{round}"));
    // Which rounds: that of the province, the city's and the county's.
    for (name, kept) in [
        ("region", [true, true, true]),
        ("city", [false, true, true]),
        ("county", [false, false, true]),
        ("unit", [false, false, false]),
    ] {
        let page = wall(name);
        let rounds = ["演示·省级生态环境保护督察", "市砂石整治", "县砂石整治"];
        assert_eq!(rounds.map(|round| offers(&page, round)), kept, "{name}: {page}");
    }
    // What the county has recorded, the offices above may correct, and no unit, which does not see this round.
    let county = server.sign_in("county@gov.example");
    let round = "{ inspectionRounds(filter: {name: {eq: \"县砂石整治\"}}) { nodes { id } } }";
    let round = server.data_as(&county, round, &json!({}))["inspectionRounds"]["nodes"][0]["id"].clone();
    let mut input = of(&region(&server, &county, "990121"), "MEASURES", "TOTAL", None, 1);
    input["roundId"] = round;
    record(&server, &county, &input);
    for (name, may) in [("region", true), ("city", true), ("county", true), ("unit", false)] {
        let page = wall(name);
        assert_eq!(page.contains("整改情况报告第 3 页"), name != "unit", "{name}: {page}");
        for act in ["correctPublishedFigure", "withdrawPublishedFigure"] {
            assert_eq!(page.contains(act), may, "{name} {act}: {page}");
        }
    }
}
