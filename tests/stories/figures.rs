//! Statistics are kept figures, not counts: after any act they equal a full recount, at any date.

use std::collections::{BTreeSet, HashMap};

use chrono::{Days, NaiveDate};
use entity::{assignment, measure, problem, region};
use ledger::statistics::{Figures, Item, kept};
use sea_orm::{ConnectionTrait, DatabaseConnection, EntityTrait};
use serde_json::{Value, json};

use crate::screens::sign_in;
use crate::support::ledgers::{CITY_ROWS, ROUND, city, province};
use crate::support::own;
use crate::support::{Server, World, block_on, stories};

stories!(
    kept_figures_are_those_of_a_recount_at_any_date,
    figures_that_were_tampered_with_are_found_and_mended,
    figures_of_months_pairs_and_filters_are_those_of_the_parts,
    what_is_on_time_is_recounted_at_any_date,
    ranks_are_those_of_the_briefing,
    lists_have_what_the_figures_count,
    conditions_of_figures_know_the_day_and_are_bounded,
);

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
            let today = now().with_timezone(&chrono_tz::Asia::Shanghai).date_naive();
            // Figures of days to come are refused.
            for at in days.map(|days| (first + Days::new(*days)).min(today)) {
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

/// The figures of a month are those of its last day; a pair of dimensions, and a filter, count what one of them does.
fn figures_of_months_pairs_and_filters_are_those_of_the_parts(world: &World) {
    world.done(&["demo"]);
    let server = world.serve();
    let fields = "fragment F on StatisticsFigures { all completed closed overdue unknown onTime }";
    let months = format!(
        "{{ monthlyStatistics(months: 12, by: ROUND) {{ asOf total {{ ...F }} \
         rows {{ key all completed onTime }} }} }} {fields}"
    );
    let said = server.data(&months, &json!({}))["monthlyStatistics"].clone();
    assert_eq!(said.as_array().unwrap().len(), 12);
    for month in said.as_array().unwrap() {
        let one = format!(
            "query($at: Date) {{ statistics(asOf: $at, by: ROUND) {{ asOf total {{ ...F }} \
             rows {{ key all completed onTime }} }} }} {fields}"
        );
        let alone = server.data(&one, &json!({ "at": month["asOf"] }));
        assert_eq!(*month, alone["statistics"]);
    }
    for count in ["PROBLEMS", "MEASURES", "ASSIGNMENTS"] {
        let pairs = server.data(
            "query($count: StatisticsCount!) { statistics(by: DEADLINE_CLASS, and: ROUND, count: $count) { isCutOff
                total { all } rows { key and { key label code } all completed overdue onTime } }
                regions: statistics(by: REGION, and: DEADLINE_CLASS, count: $count) {
                    rows { key code and { key } all } }
                inspectionRounds { nodes { id } } }",
            &json!({ "count": count }),
        );
        let rows = pairs["statistics"]["rows"].as_array().unwrap();
        assert_eq!(pairs["statistics"]["isCutOff"], json!(false));
        let sum: i64 = rows.iter().map(|row| row["all"].as_i64().unwrap()).sum();
        assert_eq!(json!(sum), pairs["statistics"]["total"]["all"], "both partition {count}");
        for row in rows {
            let filtered = server.data(
                "query($count: StatisticsCount!, $round: ID, $class: [DeadlineClass!]) { statistics(by: ROUND,
                    count: $count, filter: {round: {eq: $round}, deadlineClass: $class}) {
                    total { all completed overdue onTime } rows { key } } }",
                &json!({ "count": count, "round": row["and"]["key"], "class": [row["key"]] }),
            );
            let total = &filtered["statistics"]["total"];
            for figure in ["all", "completed", "overdue", "onTime"] {
                assert_eq!(total[figure], row[figure], "{figure} of {count} {row}");
            }
            assert_eq!(filtered["statistics"]["rows"][0]["key"], row["and"]["key"]);
        }
        let regions = pairs["regions"]["rows"].as_array().unwrap();
        assert!(regions.iter().all(|row| row["code"].is_string()), "{regions:?}");
    }
    let filters = server.data(
        "{ units(first: 200) { nodes { id sector } }
            byUnit: statistics(by: UNIT, count: ASSIGNMENTS) { rows { key all } }
            bySector: statistics(by: SECTOR, count: MEASURES) { rows { key all } }
            byDomain: statistics(by: DOMAIN, count: PROBLEMS) { rows { key all } }
            byStatus: statistics(by: STATUS) { rows { key all } } }",
        &json!({}),
    );
    let asked = [
        ("byUnit", "ASSIGNMENTS", "unit: {eq: $key}", "ID"),
        ("bySector", "MEASURES", "sectors: [$key]", "String!"),
        ("byDomain", "PROBLEMS", "domains: [$key]", "String!"),
        ("byStatus", "MEASURES", "status: [$key]", "Status!"),
    ];
    for (alias, count, filter, ty) in asked {
        for row in filters[alias]["rows"].as_array().unwrap() {
            if row["key"] == "" {
                continue;
            }
            let operation = format!(
                "query($key: {ty}) {{ statistics(by: ROUND, count: {count}, filter: {{{filter}}}) {{ \
                 total {{ all }} }} }}"
            );
            let said = server.data(&operation, &json!({ "key": row["key"] }));
            assert_eq!(said["statistics"]["total"]["all"], row["all"], "{alias} {row}");
        }
    }
    for refused in [
        "statistics(by: STATUS, and: ROUND, asOf: \"2020-01-01\") { rows { key } }",
        "statistics(by: ROUND, filter: {status: [CLOSED]}, asOf: \"2020-01-01\") { total { all } }",
        "statistics(by: ROUND, and: ROUND) { rows { key } }",
        "statistics(by: UNIT, and: COUNTY) { rows { key } }",
        "monthlyStatistics(months: 37) { asOf }",
        // Nothing is known of days to come.
        "statistics(by: ROUND, asOf: \"2999-01-01\") { total { all } }",
        "monthlyStatistics(until: \"2999-01-01\") { asOf }",
        "monthlyAccounts(month: \"2099-01\") { totalCount }",
    ] {
        let said = server.graphql(&format!("{{ {refused} }}"), &json!({}));
        assert_eq!(said["errors"][0]["extensions"]["code"], "BAD_USER_INPUT", "{refused}: {said}");
    }
}

/// On time is what was completed by its deadline, of what is due; it is recounted from the rows of the demo.
fn what_is_on_time_is_recounted_at_any_date(world: &World) {
    world.done(&["demo"]);
    let server = world.serve();
    let whole = block_on(async { load(&world.db().await).await });
    let nation = whole.regions.iter().find(|region| region.parent_id.is_none()).unwrap();
    for (count, items) in &whole.items {
        for at in ["2023-06-30", "2025-12-31", "2026-06-30"] {
            let day: NaiveDate = at.parse().unwrap();
            let due = |item: &&Item| {
                item.status != entity::assignment::Status::NotApplicable && item.due_by.is_some_and(|due| due < day)
            };
            let items: Vec<Item> = items.iter().filter_map(|each| each.get(&nation.id)).copied().collect();
            let closed = |item: &Item| {
                use entity::assignment::Status;
                matches!(item.status, Status::Closed | Status::ClosedOngoing)
            };
            let in_time = |item: &&Item| item.completed_on.map_or(closed(item), |on| Some(on) <= item.due_by);
            let wanted = items.iter().filter(due).filter(in_time).count();
            let operation = "query($at: Date, $count: StatisticsCount!) {
                statistics(asOf: $at, by: ROUND, count: $count) { total { onTime onTimeRate onSchedule } } }";
            let said = server.data(operation, &json!({ "at": at, "count": count }))["statistics"]["total"].clone();
            assert_eq!(said["onTime"], json!(wanted), "{count} at {at}");
            assert_eq!(said["onSchedule"], Value::Null, "the pace of a past day is not known");
        }
    }
    let now = server.data(
        "{ statistics(by: ROUND, count: ASSIGNMENTS) { total { all onSchedule onScheduleRate checksDue timeliness
            checkCompletionRate checkPassRate reopened relapseRate } } }",
        &json!({}),
    );
    let total = &now["statistics"]["total"];
    assert!(total["onSchedule"].as_i64().unwrap() > 0, "{total}");
    for rate in ["onScheduleRate", "timeliness", "relapseRate"] {
        assert!((0.0..=1.0).contains(&total[rate].as_f64().unwrap()), "{rate}: {total}");
    }
}

/// Returns the real time, at which the demo is made.
#[expect(clippy::disallowed_methods, reason = "the demo's dates are those of the day on which it is made")]
fn now() -> chrono::DateTime<chrono::Utc> {
    chrono::Utc::now()
}

/// Of the assignments of today, the places are those of the briefing of the month.
fn ranks_are_those_of_the_briefing(world: &World) {
    world.done(&["demo"]);
    let server = world.serve();
    let month = now().with_timezone(&chrono_tz::Asia::Shanghai).format("%Y-%m").to_string();
    let said = server.data(
        "query($month: String!) { briefing(month: $month) { regions { key rank } units { key rank } }
            regions: statistics(by: REGION, count: ASSIGNMENTS) { rows { key rank } }
            units: statistics(by: UNIT, count: ASSIGNMENTS) { rows { key rank } } }",
        &json!({ "month": month }),
    );
    let places = |rows: &Value| -> HashMap<String, Value> {
        let place = |row: &Value| (row["key"].as_str().unwrap().to_owned(), row["rank"].clone());
        rows.as_array().unwrap().iter().map(place).collect()
    };
    for what in ["regions", "units"] {
        let (told, counted) = (places(&said["briefing"][what]), places(&said[what]["rows"]));
        assert_eq!(told, counted, "{what}");
        assert!(!told.is_empty());
    }
}

/// A condition is judged by today's date whichever figures are selected, and may cost no more than that of a list.
fn conditions_of_figures_know_the_day_and_are_bounded(world: &World) {
    world.done(&["demo"]);
    let server = world.serve();
    let total = |filter: &str, fields: &str| {
        let query =
            format!("{{ statistics(by: STATUS, count: ASSIGNMENTS, filter: {filter}) {{ total {{ {fields} }} }} }}");
        server.data(&query, &json!({}))["statistics"]["total"]["all"].clone()
    };
    let late = "{unit: {is: {assignments: {some: {isOverdue: true}}}}}";
    assert_eq!(total(late, "all"), total(late, "all onTime"));
    assert!(total(late, "all").as_i64() > Some(0));
    let deep = (0..7).fold("{name: {eq: \"x\"}}".to_owned(), |inner, level| {
        if level % 2 == 0 { format!("{{assignments: {{some: {{unit: {{is: {inner}}}}}}}}}") } else { inner }
    });
    let long = "水".repeat(201);
    for query in [
        format!("{{ statistics(by: STATUS, filter: {{unit: {{is: {deep}}}}}) {{ total {{ all }} }} }}"),
        format!("{{ units(filter: {deep}) {{ totalCount }} }}"),
        format!("{{ search(text: \"{long}\") {{ totalCount }} }}"),
        format!("{{ problems(filter: {{text: {{search: \"{long}\"}}}}) {{ totalCount }} }}"),
        format!("{{ search(text: \"{}\") {{ totalCount }} }}", "水 ".repeat(33)),
    ] {
        assert_eq!(server.ask(&json!({ "query": query }), &[]).code(), "BAD_USER_INPUT", "{query}");
    }
}

/// What the figures count is listed by `answered`: for offices within each county, for units by what they answer.
fn lists_have_what_the_figures_count(world: &World) {
    world.done(&["demo"]);
    // Answers of one measure have deadlines of their own.
    let latest = "(SELECT max(a.due_by) FROM assignment a WHERE a.measure_id = measure.id)";
    let later = [
        "UPDATE assignment SET due_on = '2027-12-31', due_by = '2027-12-31' WHERE id % 7 = 0".to_owned(),
        format!("UPDATE measure SET due_on = {latest}, due_by = {latest} WHERE {latest} = '2027-12-31'"),
    ];
    for later in later {
        block_on(async { world.db().await.execute_unprepared(&later).await.unwrap() });
    }
    world.done(&["statistics", "check", "--mend"]);
    let server = world.serve();
    let mut differing = 0;
    for role in ["REGIONAL_OFFICE", "CITY_OFFICE", "COUNTY_OFFICE", "LEADER", "RESPONSIBLE_UNIT", "LEAD_UNIT"] {
        let token = sign_in(&server, role);
        let is_placed = !role.ends_with("UNIT");
        for (count, list) in [("MEASURES", "measures"), ("PROBLEMS", "problems")] {
            let query = format!(
                "{{ byStatus: statistics(by: STATUS, count: {count}) {{ total {{ all completed closed overdue }} \
                 rows {{ key all }} }} \
                 byCounty: statistics(by: COUNTY, count: {count}) {{ rows {{ key all completed closed overdue }} }} \
                 whole: {list}(filter: {{isOverdue: true}}) {{ totalCount }} }}"
            );
            let figures = server.data_as(&token, &query, &json!({}));
            let listed = |answered: &str| {
                let query = format!("{{ {list}(filter: {{answered: {{{answered}}}}}) {{ totalCount }} }}");
                server.data_as(&token, &query, &json!({}))[list]["totalCount"].clone()
            };
            let counted = |figures: &Value, within: &str| {
                let of = |condition: &str| listed(&format!("{within}{condition}"));
                assert_eq!(of("isCompleted: true"), figures["completed"], "{role} {count} {within}");
                assert_eq!(of("isOverdue: true"), figures["overdue"], "{role} {count} {within}");
                assert_eq!(of("status: [CLOSED, CLOSED_ONGOING]"), figures["closed"], "{role} {count} {within}");
                let rest = figures["all"].as_i64().unwrap() - figures["completed"].as_i64().unwrap();
                assert_eq!(of("isCompleted: false"), json!(rest), "{role} {count} {within}");
            };
            let total = &figures["byStatus"]["total"];
            counted(total, "");
            for row in figures["byStatus"]["rows"].as_array().unwrap() {
                let status = row["key"].as_str().unwrap();
                assert_eq!(listed(&format!("status: [{status}]")), row["all"], "{role} {count} {status}");
            }
            for row in figures["byCounty"]["rows"].as_array().unwrap().iter().filter(|_| is_placed) {
                counted(row, &format!("within: {}, ", row["key"]));
            }
            differing += i32::from(figures["whole"]["totalCount"] != total["overdue"]);
        }
    }
    assert!(differing > 0, "some are late as a whole, though not by those who look");
    // The answers of a region that the caller does not see judge nothing.
    let county = sign_in(&server, "COUNTY_OFFICE");
    let query = "{ counties: regions(filter: {level: [COUNTY]}) { nodes { id name } } viewer { region { id } } }";
    let places = server.data_as(&county, query, &json!({}));
    let own = &places["viewer"]["region"]["id"];
    let others = places["counties"]["nodes"].as_array().unwrap().iter().filter(|place| place["id"] != *own);
    for other in others {
        let query = "query($place: ID!) { measures(filter: {answered: {within: $place}}) { totalCount } }";
        let found = server.data_as(&county, query, &json!({ "place": other["id"] }));
        let listed = "query($place: ID!) { measures(filter: {region: {within: $place}}) { totalCount } }";
        assert_eq!(found, server.data_as(&county, listed, &json!({ "place": other["id"] })), "{other}");
    }
}
