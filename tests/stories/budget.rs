//! What measures cost (投资): imported, exported, edited, filtered and summed up.

use serde_json::{Value, json};

use crate::support::{Server, World, stories};

stories!(an_amount_comes_from_the_sheet_and_goes_back_to_it, an_amount_is_edited_within_bounds);

const HEAD: &str = "反馈问题,整改措施,整改时限,牵头单位,责任单位,投资（万元）";
const WHERE: [&str; 7] =
    ["--round", "第二轮生态环境保护督察", "--region", "540329", "--create-units", "--as-of", "2026-11-30"];

/// Imports a ledger of three measures with these amounts, and returns what the program prints.
fn import(world: &World, amounts: [&str; 3]) -> crate::support::Ran {
    let row = |number: usize, amount: &str| {
        let problem = if number == 1 { "（一）污水处理设施运行不正常。" } else { "" };
        format!("{problem},{number}.修复第{number}段管网。,2027年12月31日,市水利局,市水利局,{amount}\n")
    };
    let rows: String = (1..).zip(amounts).map(|(number, amount)| row(number, amount)).collect();
    let file = world.file("台账.csv", format!("{HEAD}\n{rows}").as_bytes());
    world.run(&[&["import", &file][..], &WHERE].concat())
}

fn amounts(server: &Server) -> Value {
    let query = "{ measures { aggregate { budget { sum min max } } nodes { number budget } } }";
    server.data(query, &json!({}))["measures"].clone()
}

fn an_amount_comes_from_the_sheet_and_goes_back_to_it(world: &World) {
    let bad = import(world, ["120.5", "约一百", "—"]);
    assert_eq!(bad.code, 1, "{}", bad.out);
    assert!(bad.out.contains("第 3 行 F 列（投资（万元））：无法识别的投资；单元格内容“约一百”"), "{}", bad.out);
    let good = import(world, ["120.5", "0.8亿元", "—"]);
    assert_eq!(good.code, 0, "{}", good.out);
    let server = world.serve();
    let found = amounts(&server);
    let nodes =
        json!([{"number": "1", "budget": 120.5}, {"number": "2", "budget": 8000.0}, {"number": "3", "budget": null}]);
    assert_eq!(found["nodes"].as_array().unwrap().len(), 3);
    for (one, wanted) in found["nodes"].as_array().unwrap().iter().zip(nodes.as_array().unwrap()) {
        assert_eq!((&one["number"], one["budget"].as_f64()), (&wanted["number"], wanted["budget"].as_f64()));
    }
    let sums = &found["aggregate"]["budget"];
    for (name, amount) in [("sum", 8120.5), ("min", 120.5), ("max", 8000.0)] {
        assert_eq!(sums[name].as_f64(), Some(amount), "{name}");
    }
    let count = |filter: &str| {
        let query = format!("{{ measures(filter: {{budget: {filter}}}) {{ totalCount }} }}");
        server.data(&query, &json!({}))["measures"]["totalCount"].clone()
    };
    assert_eq!(count("{gte: 120.5, lt: 8000}"), 1);
    assert_eq!(count("{eq: 8000}"), 1);
    assert_eq!(count("{isNull: true}"), 1);

    let sheet = world.dir.path().join("导出.xlsx").to_string_lossy().into_owned();
    world.done(&["export", &sheet]);
    let again = world.done(&[&["import", &sheet][..], &WHERE].concat());
    assert!(again.contains("没有变化"), "{again}");
    let other = World::sqlite();
    other.done(&[&["import", &sheet][..], &WHERE].concat());
    let budgets = |found: &Value| -> Vec<Option<f64>> {
        found["nodes"].as_array().unwrap().iter().map(|node| node["budget"].as_f64()).collect()
    };
    assert_eq!(budgets(&amounts(&other.serve())), budgets(&found), "an export has the amounts");
}

fn an_amount_is_edited_within_bounds(world: &World) {
    assert_eq!(import(world, ["", "", ""]).code, 0);
    let server = world.serve();
    let there = server.data("{ measures(first: 1) { nodes { id version budget } } }", &json!({}));
    let measure = &there["measures"]["nodes"][0];
    assert!(measure["budget"].is_null());
    let edit = |version: &Value, budget: Value| {
        let query = "mutation($input: EditMeasureInput!) { editMeasure(input: $input) {
            measure { version budget } errors { code path } } }";
        let input = json!({"measureId": measure["id"], "version": version, "budget": budget});
        server.data(query, &json!({ "input": input }))["editMeasure"].clone()
    };
    for bad in [json!(-1), json!(1e9)] {
        let refused = edit(&measure["version"], bad);
        assert_eq!(refused["errors"], json!([{"code": "INVALID", "path": ["input", "budget"]}]));
    }
    let given = edit(&measure["version"], json!(1234.5678));
    assert_eq!(given["measure"]["budget"].as_f64(), Some(1234.5678), "{given}");
    let cleared = edit(&given["measure"]["version"], Value::Null);
    assert!(cleared["errors"] == json!([]) && cleared["measure"]["budget"].is_null(), "{cleared}");
}
