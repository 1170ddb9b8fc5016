//! Statistics are kept figures, not counts: after any act they equal a full recount, at any date.

use std::collections::{BTreeSet, HashMap};

use chrono::{Days, NaiveDate};
use entity::{assignment, measure, problem, region};
use ledger::statistics::{Figures, Item, kept};
use sea_orm::{ConnectionTrait, DatabaseConnection, EntityTrait};
use serde_json::{Value, json};

use crate::support::ledgers::{CITY_ROWS, ROUND, city, province};
use crate::support::own;
use crate::support::{Server, World, block_on, stories};

stories!(kept_figures_are_those_of_a_recount_at_any_date, figures_that_were_tampered_with_are_found_and_mended);

/// All countable items, with the state by which each region that they concern judges them.
struct Whole {
    regions: Vec<region::Model>,
    items: HashMap<&'static str, Vec<HashMap<i64, Item>>>,
}

async fn load(db: &DatabaseConnection) -> Whole {
    let regions = region::Entity::find().all(db).await.unwrap();
    let lineage = |id: i64| -> BTreeSet<i64> {
        let of = regions.iter().find(|region| region.id == id).unwrap();
        regions.iter().filter(|above| of.path.starts_with(&above.path)).map(|above| above.id).collect()
    };
    let item = |status, completed_on, is_completed_by, due_by| Item { status, completed_on, is_completed_by, due_by };
    let assignments = assignment::Entity::find().all(db).await.unwrap();
    let mut items: HashMap<&'static str, Vec<HashMap<i64, Item>>> = HashMap::new();
    let mut of_problem: HashMap<i64, Vec<HashMap<i64, Item>>> = HashMap::new();
    for row in measure::Entity::find().all(db).await.unwrap() {
        let whole = item(row.status, row.completed_on, row.is_completed_by, row.due_by);
        let answers: Vec<(BTreeSet<i64>, Item)> = assignments
            .iter()
            .filter(|answer| answer.measure_id == row.id)
            .map(|answer| {
                let state = item(answer.status, answer.completed_on, answer.is_completed_by, answer.due_by);
                (lineage(answer.region_id), state)
            })
            .collect();
        for (concerns, state) in &answers {
            let each = concerns.iter().map(|region| (*region, *state)).collect();
            items.entry("ASSIGNMENTS").or_default().push(each);
        }
        let each = own::of_measure(whole, &lineage(row.region_id), &answers);
        of_problem.entry(row.problem_id).or_default().push(each.clone());
        items.entry("MEASURES").or_default().push(each);
    }
    for row in problem::Entity::find().all(db).await.unwrap() {
        let whole = item(row.status, row.completed_on, row.is_completed_by, row.due_by);
        let measures = of_problem.remove(&row.id).unwrap_or_default();
        let each = own::of_problem(whole, &lineage(row.region_id), &measures);
        items.entry("PROBLEMS").or_default().push(each);
    }
    Whole { regions, items }
}

fn shown(figures: &Figures) -> Value {
    json!({
        "all": figures.all, "completed": figures.completed, "closed": figures.closed,
        "notApplicable": figures.not_applicable, "overdue": figures.overdue, "unknown": figures.unknown,
        // Rounded, because JSON can change the last digits of a fraction.
        "overdueRate": figures.overdue_rate().map(|rate| (rate * 1e9).round()),
    })
}

fn read(said: &Value) -> Value {
    let mut said = said.clone();
    said["overdueRate"] = json!(said["overdueRate"].as_f64().map(|rate| (rate * 1e9).round()));
    said
}

/// Asserts that the API's figures of every region equal a count of the rows, at many dates.
fn assert_recounted(world: &World, server: &Server, when: &str) {
    let whole = block_on(async { load(&world.db().await).await });
    let operation = "query($within: ID, $at: Date, $count: StatisticsCount!) {
        statistics(filter: {region: {within: $within}}, asOf: $at, by: REGION, count: $count) {
            total { ...F } rows { key all completed closed notApplicable overdue unknown overdueRate } } }
        fragment F on StatisticsFigures { all completed closed notApplicable overdue unknown overdueRate }";
    let first = NaiveDate::from_ymd_opt(2017, 12, 30).unwrap();
    let steps = [0, 1, 2, 33, 366, 1_000, 2_000, 2_900, 3_100, 3_217, 3_246, 3_247, 3_290, 3_400, 3_600, 9_000];
    for (count, items) in &whole.items {
        for (turn, region) in whole.regions.iter().enumerate() {
            // Each region is compared at a quarter of the dates, to save time.
            let days = steps.iter().skip(turn % 4).step_by(4);
            for at in days.map(|days| first + Days::new(*days)) {
                let of = |id: i64| -> Vec<Item> { items.iter().filter_map(|each| each.get(&id)).copied().collect() };
                let variables =
                    json!({"within": format!("region_{}", region.id), "at": at.to_string(), "count": count});
                let said = &server.data(operation, &variables)["statistics"];
                assert_eq!(read(&said["total"]), shown(&Figures::count(&of(region.id), at)), "{when}: {variables}");
                let mut children = HashMap::new();
                for child in whole.regions.iter().filter(|child| child.parent_id == Some(region.id)) {
                    let figures = Figures::count(&of(child.id), at);
                    if figures.all > 0 {
                        children.insert(format!("region_{}", child.id), shown(&figures));
                    }
                }
                let rows = said["rows"].as_array().unwrap();
                assert_eq!(rows.len(), children.len(), "{when}: {variables}");
                for row in rows {
                    let mut row = read(row);
                    let key = row.as_object_mut().unwrap().remove("key").unwrap();
                    assert_eq!(row, children[key.as_str().unwrap()], "{when}: {variables}");
                }
            }
        }
    }
    assert!(world.done(&["statistics", "check"]).contains("一致"), "{when}");
}

fn kept_figures_are_those_of_a_recount_at_any_date(world: &World) {
    world.done(&["demo"]);
    let server = world.serve();
    assert_recounted(world, &server, "after the demo");
    let province = world.file("省.xlsx", &province());
    world.done(&["import", &province, "--round", "中央督察", "--region", "540000"]);
    let county = world.file("县.xlsx", &city(&CITY_ROWS));
    let import = ["import", &county, "--round", ROUND, "--region", "540329", "--issued-by", "540300", "--create-units"];
    world.done(&import);
    assert_recounted(world, &server, "after an import");
    world.done(&import);
    let reported = server.data(
        "{ assignments(first: 40, filter: {status: [ASSIGNED, IN_PROGRESS, RETURNED, REOPENED]}) { nodes { id \
         version } } }",
        &json!({}),
    );
    for assignment in reported["assignments"]["nodes"].as_array().unwrap() {
        let input = json!({"assignmentId": assignment["id"], "version": assignment["version"], "period": "2025-10",
            "text": "按计划推进", "quantities": [{"label": "清理", "done": 3.0, "target": 4.0}]});
        let done = server.data(
            "mutation($input: ReportProgressInput!) { reportProgress(input: $input) { errors { message } } }",
            &json!({ "input": input }),
        );
        assert_eq!(done["reportProgress"]["errors"], json!([]));
    }
    assert_recounted(world, &server, "after reports");
    block_on(async {
        let db = world.db().await;
        assert!(kept::settle(&db).await.unwrap() > 0);
        assert_eq!(kept::settle(&db).await.unwrap(), 0);
    });
    assert_recounted(world, &server, "after the pending differences were settled");
}

fn figures_that_were_tampered_with_are_found_and_mended(world: &World) {
    world.done(&["demo"]);
    block_on(async {
        world
            .db()
            .await
            .execute_unprepared("UPDATE figure SET overdue = overdue + 1 WHERE span = 'DAY'")
            .await
            .unwrap();
    });
    let ran = world.run(&["statistics", "check"]);
    assert_eq!(ran.code, 1, "{}", ran.out);
    assert!(ran.out.contains("不一致"), "{}", ran.out);
    assert!(world.done(&["statistics", "check", "--mend"]).contains("已重算"));
    world.done(&["statistics", "check"]);
    // The migration fills the figures of a database that has none.
    block_on(async {
        world.db().await.execute_unprepared("DELETE FROM figure").await.unwrap();
    });
    world.done(&["migrate"]);
    world.done(&["statistics", "check"]);
}
