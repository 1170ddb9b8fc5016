//! The planner against a naive interpreter: random valid operations have to be answered alike. `RECTIFY_TEST_SEED` and
//! `RECTIFY_TEST_OPERATIONS` make other and longer runs.

use std::fmt::Display;
use std::str::FromStr;

use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use crate::support::graph::Graph;
use crate::support::interpreter::{Cursors, answer, compare};
use crate::support::ledgers::{CITY_ROWS, ROUND, city, province};
use crate::support::operations::{Operation, Operations};
use crate::support::{Server, World, block_on, stories};

stories!(random_operations_are_answered_as_a_naive_reading_answers_them);

/// What the demo has none of, or all alike: names and moments that repeat, numbers that are missing, people, set paces.
const VARIETY: [&str; 12] = [
    "UPDATE measure SET number = NULL WHERE id % 7 = 0",
    "UPDATE problem SET number = NULL WHERE id % 5 = 0",
    "UPDATE problem SET rated_progress = 'Level A: 基本完成' WHERE id % 4 = 1",
    "UPDATE measure SET supervising_unit_id = lead_unit_id WHERE id % 3 = 0",
    "UPDATE measure SET pace_override = 'AHEAD' WHERE id % 11 = 0",
    "UPDATE measure SET updated_at = '2026-01-02T03:04:05+00:00' WHERE id % 3 = 1",
    "UPDATE problem SET updated_at = '2026-01-02T03:04:05.120+00:00' WHERE id % 3 = 1",
    "UPDATE assignment SET updated_at = '2026-01-02T03:04:05.123456+00:00' WHERE id % 5 = 1",
    "INSERT INTO unit (region_id, name, kind, sector) SELECT 3, name, kind, sector FROM unit WHERE id < 3",
    "INSERT INTO unit_alias (unit_id, alias) VALUES (1, '县府'), (1, '人民政府'), (2, 'EPB')",
    "INSERT INTO account (name, email, created_at, is_demo) VALUES ('演示填报人', 'reporter@demo.example', '2026-01-02T03:04:05+00:00', TRUE)",
    "UPDATE progress_report SET author_id = 1 WHERE id % 4 = 0",
];

fn random_operations_are_answered_as_a_naive_reading_answers_them(world: &World) {
    let (seed, count) = (setting("RECTIFY_TEST_SEED", 1), setting("RECTIFY_TEST_OPERATIONS", 300));
    fill(world);
    let server = world.serve_with(&[("RECTIFY_MAX_COST", "1000000000000")]);
    report(&server);
    let today = server.data("{ statistics(by: STATUS) { asOf } }", &json!({}))["statistics"]["asOf"].clone();
    let graph = block_on(async { Graph::read(&world.db().await, today.as_str().unwrap().parse().unwrap()).await });
    let mut operations = Operations::new(&graph, seed);
    let mut cursors = Cursors::default();
    for turn in 0..count {
        let mut operation = operations.draw(&cursors);
        let agrees = |operation: &Operation, cursors: &mut Cursors| {
            let variables = operation.variables();
            let expected = answer(&graph, cursors, &operation.text, &variables);
            // A document that is known is read another way than one that is new.
            for time in ["new", "known"] {
                let answer = server.graphql(&operation.text, &json!(variables));
                if let Err(why) = agree(&expected, &answer, cursors) {
                    panic!(
                        "seed {seed}, operation {turn}, {time} to the server\n{}\nwith {}\n{why}\nexpected {expected}\nanswered {answer}",
                        operation.text,
                        json!(variables),
                    );
                }
            }
        };
        agrees(&operation, &mut cursors);
        if operations.vary(&mut operation, &cursors) {
            agrees(&operation, &mut cursors);
        }
    }
}

fn agree(expected: &Value, answer: &Value, cursors: &mut Cursors) -> Result<(), String> {
    if let Some(errors) = answer.get("errors") {
        return Err(format!("refused: {errors}"));
    }
    compare(expected, &answer["data"], cursors, "data")
}

fn fill(world: &World) {
    world.file("rectify.toml", b"max_requests_per_minute = 0\n");
    world.done(&["demo"]);
    let provincial = world.file("省.xlsx", &province());
    world.done(&["import", &provincial, "--round", "中央督察", "--region", "540000"]);
    let county = world.file("县.xlsx", &city(&CITY_ROWS));
    let of = ["--round", ROUND, "--region", "540329", "--issued-by", "540300", "--create-units"];
    world.done(&[&["import", county.as_str()], of.as_slice()].concat());
    block_on(async {
        let db = world.db().await;
        for statement in VARIETY {
            db.execute_unprepared(statement).await.unwrap();
        }
    });
    world.done(&["job", "run", "overdue"]);
}

/// Reports with quantities on every fifth of the assignments that are at work.
fn report(server: &Server) {
    let query =
        "{ assignments(first: 200, filter: {status: [ASSIGNED, IN_PROGRESS, RETURNED]}) { nodes { id version } } }";
    let assignments = server.data(query, &json!({}))["assignments"]["nodes"].clone();
    let mutation = "mutation($input: ReportProgressInput!) { reportProgress(input: $input) { errors { message } } }";
    for (index, assignment) in assignments.as_array().unwrap().iter().step_by(5).enumerate() {
        let quantities = json!([
            {"label": "管网", "done": index as f64 * 1.5, "target": 40, "unit": "公里"},
            {"label": "COD", "done": null, "target": 0.1, "unit": null},
        ]);
        let input = json!({"assignmentId": assignment["id"], "version": assignment["version"],
            "period": format!("2026-{:02}", index % 12 + 1), "text": format!("第{index}次填报，COD 已下降。"),
            "quantities": if index % 4 == 3 { Value::Null } else { quantities }});
        let taken = server.data(mutation, &json!({ "input": input }))["reportProgress"]["errors"].clone();
        assert_eq!(taken, json!([]));
    }
}

fn setting<T: FromStr>(name: &str, default: T) -> T
where
    T::Err: Display,
{
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|why| panic!("{name}: {why}")),
        Err(_) => default,
    }
}
