//! The list of milestones: the dated steps of deadlines, by date, within what the caller may see.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::support::{World, stories};

stories!(milestones_are_listed_by_date_with_their_measures);

/// Imports a ledger of the city in which each county answers two measures with several dates, and one with one date.
fn set(world: &World) {
    world.done(&["migrate"]);
    world.done(&["region", "add", "云川省", "--code", "990000", "--parent", "100000"]);
    world.done(&["region", "add", "云溪市", "--code", "990100", "--parent", "990000"]);
    let mut rows = String::from("序号,反馈问题,措施序号,整改措施,整改时限,牵头单位,责任单位\n");
    for (problem, (code, name)) in [("990121", "白河县"), ("990122", "青坪县")].into_iter().enumerate() {
        world.done(&["region", "add", name, "--code", code, "--parent", "990100"]);
        let deadlines =
            ["排查于2025年6月30日前完成；整治于2026年12月31日前完成", "2024年1月至2027年12月", "2027年12月31日"];
        for (row, deadline) in deadlines.iter().enumerate() {
            let number = problem + 1;
            let place = format!("{number},第{number}个问题,{number}-{row},整治第{row}段");
            writeln!(rows, "{place},{deadline},市水利局,{name}人民政府").unwrap();
        }
    }
    let file = world.file("台账.csv", rows.as_bytes());
    let how = ["--round", "演示轮次", "--region", "990100", "--as-of", "2024-06-30", "--create-units"];
    world.done(&[&["import", &file][..], &how].concat());
}

fn milestones_are_listed_by_date_with_their_measures(world: &World) {
    set(world);
    let office = |role: &str, place: &str, region: &str| {
        let unit = format!("{place}生态环境保护督察整改办");
        world.done(&["unit", "add", &unit, "--region", region]);
        world.account(&format!("o{region}@gov.example"), role, &unit)
    };
    let city = office("city-office", "云溪市", "990100");
    let county = office("county-office", "白河县", "990121");
    let administrator = world.account("administrator@gov.example", "administrator", "云溪市生态环境保护督察整改办");
    let server = world.serve();
    let read = |token: &str, arguments: &str| {
        let query = format!(
            "{{ milestones(first: 200{arguments}) {{ totalCount nodes {{ label dueOn isCompleted measure {{ id }} \
             problem {{ id }} }} }} }}"
        );
        server.data_as(token, &query, &json!({}))["milestones"].clone()
    };
    let nodes = |list: &Value| list["nodes"].as_array().unwrap().clone();
    let all = nodes(&read(&city, ""));
    assert_eq!(all.len(), 8, "{all:?}");
    let days: Vec<&str> = all.iter().map(|one| one["dueOn"].as_str().unwrap()).collect();
    assert!(days.is_sorted() && days[0] == "2024-01-01" && days[7] == "2027-12-31", "{days:?}");

    // They are those of the measures that the caller sees.
    for (token, wanted) in [(&city, 8), (&county, 4)] {
        let query = "{ measures(first: 200) { nodes { milestones { label dueOn isCompleted measure { id } } } } }";
        let seen = server.data_as(token, query, &json!({}));
        let steps =
            nodes(&seen["measures"]).iter().map(|item| item["milestones"].as_array().unwrap().len()).sum::<usize>();
        assert_eq!((read(token, "")["totalCount"].clone(), steps), (json!(wanted), wanted));
    }
    assert_eq!(read(&administrator, "")["totalCount"], json!(0));

    let count = |filter: &str| read(&city, &format!(", filter: {{ {filter} }}"))["totalCount"].as_u64().unwrap();
    assert_eq!((count("isCompleted: true"), count("isCompleted: false")), (0, 8));
    assert_eq!((count("isDue: false"), count("isDue: true")), (2, 6));
    assert_eq!(count("dueOn: { lte: \"2025-06-30\" }"), 4);
    assert_eq!(count("label: { search: \"排查\" }"), 2);
    let regions = "{ regions(filter: { code: { in: [\"990100\", \"990121\"] } }) { nodes { id } } }";
    let regions = nodes(&server.data_as(&city, regions, &json!({}))["regions"]);
    let within = |region: &Value| count(&format!("region: {{ within: {} }}", region["id"]));
    assert_eq!((within(&regions[0]), within(&regions[1])), (8, 4));
    let measure = &all[0]["measure"]["id"];
    assert_eq!(count(&format!("measure: {{ eq: {measure} }}")), 2);
    let groups = "{ milestones { groups(by: [YEAR]) { keys { key } aggregate { count } } } }";
    let groups = server.data_as(&city, groups, &json!({}))["milestones"]["groups"].clone();
    assert_eq!(groups.as_array().unwrap().len(), 4, "{groups}");
}
