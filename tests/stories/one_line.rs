//! One-line fields follow the same rule in the API, on the command line and in files: invisible characters and line
//! breaks are removed, so that equal-looking values are equal; control characters that change the display are refused,
//! with their position.

use serde_json::{Value, json};

use crate::policy::input_of;
use crate::support::ledgers::{CITY_ROWS, CityRow, ROUND, city};
use crate::support::{Server, World, stories};

stories!(
    the_api_takes_one_line_and_says_where_it_does_not,
    a_sheet_s_cells_are_read_by_the_same_rule,
    the_command_line_and_its_files_know_a_unit_by_what_it_shows,
);

const COUNTY: [&str; 7] = ["--round", ROUND, "--region", "540329", "--issued-by", "540300", "--create-units"];

/// Executes a mutation with a token and returns its payload.
fn act(server: &Server, token: &str, (name, selected): (&str, &str), input: &Value) -> Value {
    let kind = input_of(name);
    let query = format!(
        "mutation($input: {kind}!) {{ {name}(input: $input) {{ {selected} errors {{ code message path }} }} }}"
    );
    server.data_as(token, &query, &json!({ "input": input }))[name].clone()
}

/// Executes a mutation that must be refused with one `INVALID` error; returns its path, joined by dots, and its
/// message.
fn refused(server: &Server, token: &str, name: &str, input: &Value) -> (String, String) {
    let given = act(server, token, (name, ""), input);
    let error = &given["errors"][0];
    assert_eq!((&error["code"], given["errors"].as_array().unwrap().len()), (&json!("INVALID"), 1), "{name}: {given}");
    let path: Vec<&str> = error["path"].as_array().unwrap().iter().map(|step| step.as_str().unwrap()).collect();
    (path.join("."), error["message"].as_str().unwrap().to_owned())
}

/// Returns a copy of `input` with one member set.
fn with(input: &Value, field: &str, value: impl Into<Value>) -> Value {
    let mut input = input.clone();
    input[field] = value.into();
    input
}

fn the_api_takes_one_line_and_says_where_it_does_not(world: &World) {
    world.done(&["migrate"]);
    for code in ["540329", "540323"] {
        world.done(&["region", "load", code]);
    }
    let file = world.file("县.xlsx", &city(&CITY_ROWS));
    world.done(&["import", &file, "--round", ROUND, "--region", "540300", "--create-units"]);
    for (unit, region) in [
        ("西藏自治区生态环境保护督察整改办", "540000"),
        ("昌都市生态环境保护督察整改办", "540300"),
        ("洛隆县人民政府", "540329"),
    ] {
        world.done(&["unit", "add", unit, "--region", region]);
    }
    let region = world.account("region@gov.example", "regional-office", "西藏自治区生态环境保护督察整改办");
    let office = world.account("city@gov.example", "city-office", "昌都市生态环境保护督察整改办");
    world.employ("admin@gov.example", "administrator", "西藏自治区生态环境保护督察整改办");
    let (server, _clock) = world.serve_under_clock("2025-05-28T09:00");
    let admin = server.sign_in("admin@gov.example");
    let named = |list: &str, name: &str| {
        let query = format!("query($name: String) {{ {list}(filter: {{name: {{eq: $name}}}}) {{ nodes {{ id }} }} }}");
        server.data_as(&region, &query, &json!({ "name": name }))[list]["nodes"][0]["id"].clone()
    };
    let (round, place) = (named("inspectionRounds", ROUND), named("regions", "昌都市"));

    // A problem: number, title and domains are one-line fields; the description keeps its line breaks.
    let new = json!({
        "roundId": round, "regionId": place, "number": " 二十\u{200b}一\r\n", "title": "尾矿库\n渗漏\u{feff}治理\t滞后",
        "description": "第一段。\n第二段。", "domains": ["水\u{ad}", "水", "大气\n"],
    });
    let selected = "problem { id number title description domains { name } }";
    let made = act(&server, &region, ("createProblem", selected), &new)["problem"].clone();
    let problem = made["id"].clone();
    assert_eq!(
        made,
        json!({"id": problem, "number": "二十一", "title": "尾矿库 渗漏治理 滞后", "description": "第一段。\n第二段。",
            "domains": [{"name": "大气"}, {"name": "水"}]})
    );
    let again = with(&new, "number", "二十一\u{2060}");
    assert_eq!(
        act(&server, &region, ("createProblem", ""), &again)["errors"][0]["code"],
        "CONFLICT",
        "an invisible character makes no other number"
    );
    for (field, value, at, code) in [
        ("number", json!("2\u{202e}1"), "第 2 个字符（U+202E）", "input.number"),
        ("title", json!("尾矿库\u{2067}渗漏"), "第 4 个字符（U+2067）", "input.title"),
        ("title", json!("\u{1}尾矿库渗漏"), "第 1 个字符（U+0001）", "input.title"),
        ("domains", json!(["水\u{1b}"]), "第 2 个字符（U+001B）", "input.domains"),
        ("description", json!("第一段。\n第\u{202d}二段。"), "第 7 个字符（U+202D）", "input.description"),
    ] {
        let (path, said) = refused(&server, &region, "createProblem", &with(&new, field, value));
        assert!(path == code && said.contains(at), "{path}: {said}");
    }

    // A measure: the number is a one-line field; the content keeps its line breaks.
    let lead = named("units", "昌都市生态环境保护督察整改办");
    let new = json!({
        "problemId": problem, "number": "\u{feff}3\n", "content": "排查。\n整治。", "deadline": "长期坚持",
        "leadUnitId": lead,
    });
    let made = act(&server, &region, ("createMeasure", "measure { number content }"), &new)["measure"].clone();
    assert_eq!(made, json!({"number": "3", "content": "排查。\n整治。"}));
    let (path, said) = refused(&server, &region, "createMeasure", &with(&new, "number", "4\u{2066}"));
    assert!(path == "input.number" && said.contains("第 2 个字符（U+2066）"), "{said}");

    // Names of rounds and units: a name that looks like an existing one is a duplicate.
    let twin = json!({"name": format!("{}\u{200b}\n", ROUND), "level": "CENTRAL", "kind": "ROUTINE"});
    assert_eq!(act(&server, &region, ("createRound", ""), &twin)["errors"][0]["code"], "CONFLICT");
    let new = json!({"regionId": place, "name": "昌都市\u{200b}\n林草工作站\u{feff}", "sector": "林草\n",
        "aliases": ["昌都市林草\u{2060}站"], "addresses": ["\u{feff}zhan@gov.example\r\n"]});
    let selected = "unit { id name sector aliases { alias } addresses { address } }";
    let unit = act(&server, &admin, ("createUnit", selected), &new)["unit"].clone();
    assert_eq!(
        (&unit["name"], &unit["sector"], &unit["aliases"], &unit["addresses"]),
        (
            &json!("昌都市 林草工作站"),
            &json!("林草"),
            &json!([{"alias": "昌都市林草站"}]),
            &json!([{"address": "zhan@gov.example"}])
        )
    );
    let twin = json!({"regionId": place, "name": "昌都市林\u{e0100}草站"});
    assert_eq!(
        act(&server, &admin, ("createUnit", ""), &twin)["errors"][0]["code"],
        "CONFLICT",
        "an invisible character makes no other name"
    );
    let (path, said) = refused(&server, &admin, "createUnit", &with(&new, "name", "昌都市\u{202e}局"));
    assert!(path == "input.name" && said.contains("第 4 个字符（U+202E）"), "{said}");

    // A complaint case: the number is a one-line field.
    let case = json!({
        "number": "D3SX\u{200b}20250528\n", "roundId": round, "regionId": named("regions", "洛隆县"), "channel": "CALL",
        "pollution": ["WATER"], "isKey": false, "summary": "废水直排。\n夜间噪声。",
        "leadUnitId": named("units", "洛隆县人民政府"), "dueOn": "2025-06-07",
    });
    let made = act(&server, &office, ("handOverCase", "inspectionCase { number summary }"), &case);
    assert_eq!(made["inspectionCase"], json!({"number": "D3SX20250528", "summary": "废水直排。\n夜间噪声。"}));
    let (path, said) = refused(&server, &office, "handOverCase", &with(&case, "number", "D3\u{202e}SX"));
    assert!(path == "input.number" && said.contains("第 3 个字符（U+202E）"), "{said}");

    // Names of accounts and tokens must not change the direction of the text around them.
    let account = json!({"email": "li@gov.example", "name": "李\u{202e}某", "role": "ADMINISTRATOR",
        "unitId": named("units", "西藏自治区生态环境保护督察整改办")});
    let (path, said) = refused(&server, &admin, "createAccount", &account);
    assert!(path == "input.name" && said.contains("第 2 个字符（U+202E）"), "{said}");
    let token = world.run(&["token", "create", "admin@gov.example", "--name", "集成\u{2066}"]);
    assert!(token.code == 1 && token.out.contains("第 3 个字符（U+2066）"), "{}", token.out);
}

fn a_sheet_s_cells_are_read_by_the_same_rule(world: &World) {
    let import = |name: &str, rows: &[CityRow]| {
        let file = world.file(name, &city(rows));
        world.run(&[&["import", &file][..], &COUNTY].concat())
    };
    let said = import("一.xlsx", &CITY_ROWS);
    assert!(said.code == 0 && said.out.contains("新增：3 个问题、8 条措施"), "{}", said.out);

    // The same ledger with invisible characters, as they result from copying between programs.
    let mut rows = CITY_ROWS;
    rows[0].0 = Some("\u{feff}（一）对生态环境\u{200b}保护\n重要性认识不足。部分干部学习不深入。");
    rows[0].3 = "市委\u{200b}组织部\n";
    rows[2].2 = "2022年12\u{2060}月31日\n长期坚持";
    rows[2].4 = "各县（区）委、政府\n国网云川\u{ad}电力有限公司\u{feff}";
    rows[4].5 = "已安装\u{200b}监测设备。";
    let said = import("二.xlsx", &rows);
    assert!(said.code == 0 && said.out.contains("没有变化"), "the texts look the same: {}", said.out);
    let listed = world.done(&["unit", "list"]);
    assert_eq!(listed.matches("组织部").count(), 1, "the unit must not be created twice: {listed}");

    // Every cell with a control character is named, and nothing is written.
    let mut rows = CITY_ROWS;
    rows[0].0 = Some("（二十）新的\u{202e}问题。");
    rows[1].3 = "市\u{2067}委组织部";
    rows[2].5 = "已完成\u{7}排查。";
    let said = import("三.xlsx", &rows);
    assert_eq!(said.code, 1, "{}", said.out);
    for fault in [
        "第 4 行 B 列（反馈问题）：第 7 个字符（U+202E）是不可见的控制字符",
        "第 5 行 E 列（牵头单位）：第 2 个字符（U+2067）是不可见的控制字符",
        "第 6 行 G 列（整改进展）：第 4 个字符（U+0007）是不可见的控制字符",
    ] {
        assert!(said.out.contains(fault), "{fault}\n{}", said.out);
    }
    assert!(
        !said.out.contains('\u{202e}') && !said.out.contains('\u{7}'),
        "the message must not contain the control characters"
    );
    assert!(import("四.xlsx", &CITY_ROWS).out.contains("没有变化"));
}

fn the_command_line_and_its_files_know_a_unit_by_what_it_shows(world: &World) {
    world.done(&["migrate"]);
    world.done(&["region", "load", "540300"]);
    world.done(&["unit", "add", "昌都市\u{200b}林草局\n", "--region", "540300"]);
    let twin = world.run(&["unit", "add", "昌都市林草局\u{feff}", "--region", "540300"]);
    assert!(twin.code == 1 && twin.out.contains("已有名称或别名为“昌都市林草局”的单位"), "{}", twin.out);
    let turned = world.run(&["unit", "add", "昌都市\u{202e}水利局", "--region", "540300"]);
    assert!(turned.code == 1 && turned.out.contains("第 4 个字符（U+202E）"), "{}", turned.out);
    world.done(&["region", "add", "新桥\u{200b}县\n", "--parent", "540300", "--code", "540399"]);
    assert!(world.done(&["region", "list", "新桥县"]).contains("540399"));

    let list = "单位,邮箱\n昌都市林\u{200b}草局\u{feff},\u{feff}lcj@gov.example ；zhan\u{200b}@gov.example\r\n";
    let file = world.file("邮箱.csv", list.as_bytes());
    assert!(world.done(&["unit", "load", &file]).contains("已设置 1 个单位"));
    let listed = world.done(&["unit", "list"]);
    assert!(listed.contains("\t昌都市林草局\tlcj@gov.example zhan@gov.example"), "{listed}");
    let file = world.file("坏.csv", "昌都市林草局,lcj\u{202e}@gov.example\n".as_bytes());
    let refused = world.run(&["unit", "load", &file]);
    assert!(refused.code == 1 && refused.out.contains("第 1 行"), "{}", refused.out);
}
