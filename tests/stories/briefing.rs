//! The briefing of a month (通报): its figures are those of a recount, its files carry them, and only offices, leaders
//! and inspectors read it, each of their own region.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use chrono::{DateTime, FixedOffset, NaiveDate};
use entity::assignment::Status;
use entity::{assignment, close_out, measure, progress_report, region};
use ledger::rule::pace::{Facts, Pace, pace};
use ledger::statistics::Item;
use sea_orm::EntityTrait;
use serde_json::{Value, json};

use crate::support::{Server, World, block_on, own, stories};

stories!(
    the_figures_of_a_briefing_are_those_of_a_recount,
    a_past_month_tells_what_is_known_of_it,
    a_briefing_is_for_offices_and_of_their_region,
    the_files_carry_the_paragraph_and_the_numbers,
);

const BRIEFING: &str = "query($month: String, $region: ID) { briefing(month: $month, region: $region) {
    month asOf regionId regionName paragraph notes onSchedule behind expectedReports givenReports
    problems { all completed overdue } measures { all completed closed notApplicable overdue unknown }
    regions { ...R } units { ...R }
    cardCounts { yellowIssued redIssued yellowLifted redLifted yellowInForce redInForce }
    cards { kind cause reason unitName liftedAt measureId } } }
    fragment R on BriefingRank { rank key label all completed overdue onSchedule behind expectedReports givenReports
        reportRate completionRate }";

fn briefing(server: &Server, token: Option<&str>, month: Option<&str>, region: Option<&Value>) -> Value {
    let variables = json!({ "month": month, "region": region });
    let data = match token {
        Some(token) => server.data_as(token, BRIEFING, &variables),
        None => server.data(BRIEFING, &variables),
    };
    data["briefing"].clone()
}

/// The rows of the ledger that a recount needs.
struct Tables {
    regions: Vec<region::Model>,
    measures: Vec<measure::Model>,
    assignments: Vec<assignment::Model>,
    reports: Vec<progress_report::Model>,
    close_outs: Vec<close_out::Model>,
}

impl Tables {
    fn read(world: &World) -> Self {
        block_on(async {
            let db = world.db().await;
            Self {
                regions: region::Entity::find().all(&db).await.unwrap(),
                measures: measure::Entity::find().all(&db).await.unwrap(),
                assignments: assignment::Entity::find().all(&db).await.unwrap(),
                reports: progress_report::Entity::find().all(&db).await.unwrap(),
                close_outs: close_out::Entity::find().all(&db).await.unwrap(),
            }
        })
    }

    fn path(&self, id: i64) -> &str {
        &self.regions.iter().find(|region| region.id == id).unwrap().path
    }

    fn lineage(&self, id: i64) -> BTreeSet<i64> {
        let path = self.path(id);
        self.regions.iter().filter(|above| path.starts_with(&above.path)).map(|above| above.id).collect()
    }

    fn pace_of(&self, row: &assignment::Model, today: NaiveDate) -> Option<Pace> {
        let measure = self.measures.iter().find(|measure| measure.id == row.measure_id).unwrap();
        let facts = Facts {
            status: row.status,
            completed_on: row.completed_on,
            due_by: row.due_by,
            issued_on: measure.issued_on,
            reported_on: row.reported_on,
            quantity_done: row.quantity_done,
            quantity_target: row.quantity_target,
            pace_override: row.pace_override,
        };
        pace(&facts, today)
    }

    /// Counts the open measures of a region that are on schedule and behind.
    fn paced(&self, place: i64, today: NaiveDate) -> (i64, i64) {
        let mut counts = (0, 0);
        for row in &self.measures {
            let answers: Vec<&assignment::Model> =
                self.assignments.iter().filter(|answer| answer.measure_id == row.id).collect();
            let issued = self.lineage(row.region_id);
            let item = |status, completed_on, due_by| Item { status, completed_on, is_completed_by: false, due_by };
            let each: Vec<(BTreeSet<i64>, Item)> = answers
                .iter()
                .map(|one| (self.lineage(one.region_id), item(one.status, one.completed_on, one.due_by)))
                .collect();
            let whole = item(row.status, row.completed_on, row.due_by);
            let Some(judged) = own::of_measure(whole, &issued, &each).get(&place).copied() else { continue };
            let is_settled = matches!(judged.status, Status::NotApplicable | Status::Closed | Status::ClosedOngoing);
            let is_done = judged.completed_on.is_some_and(|day| day <= today);
            if is_settled || is_done || judged.due_by.is_some_and(|due| due < today) {
                continue;
            }
            let below: Vec<&&assignment::Model> =
                answers.iter().filter(|one| self.lineage(one.region_id).contains(&place)).collect();
            let is_behind = if issued.contains(&place) || below.len() == answers.len() || below.is_empty() {
                let facts = Facts {
                    status: row.status,
                    completed_on: row.completed_on,
                    due_by: row.due_by,
                    issued_on: row.issued_on,
                    reported_on: row.reported_on,
                    quantity_done: row.quantity_done,
                    quantity_target: row.quantity_target,
                    pace_override: row.pace_override,
                };
                pace(&facts, today) == Some(Pace::Behind)
            } else {
                below.iter().any(|one| matches!(self.pace_of(one, today), Some(Pace::Behind | Pace::Overdue)))
            };
            if is_behind {
                counts.1 += 1;
            } else {
                counts.0 += 1;
            }
        }
        counts
    }

    /// Whether an assignment owes the account of the running month, which begins on `first`.
    fn owes_account(&self, row: &assignment::Model, first: NaiveDate, is_reported: bool) -> bool {
        let cycles = || self.close_outs.iter().filter(|cycle| cycle.assignment_id == row.id);
        let is_in_hand =
            matches!(row.status, Status::Assigned | Status::InProgress | Status::Returned | Status::Reopened);
        !matches!(row.status, Status::NotApplicable | Status::NotApplicableProposed)
            && row.declined_at.is_none()
            && row.completed_on.is_none_or(|day| day >= first)
            && !cycles().any(|cycle| cycle.closed_on.is_some() && cycle.reopened_at.is_none())
            && (is_in_hand || (is_reported && cycles().any(|cycle| cycle.closed_on.is_none())))
    }

    /// Counts the assignments of a group: all, completed, overdue, on schedule, behind, to report on and reported on.
    fn counts(&self, of: &[&assignment::Model], today: NaiveDate) -> [i64; 7] {
        let first: DateTime<FixedOffset> = format!("{}-01T00:00:00+08:00", today.format("%Y-%m")).parse().unwrap();
        let mut counts = [0; 7];
        for row in of {
            let is_closed = matches!(row.status, Status::Closed | Status::ClosedOngoing);
            let is_completed = row.completed_on.map_or(is_closed, |day| day <= today);
            let applies = row.status != Status::NotApplicable;
            let paced = self.pace_of(row, today);
            let is_reported = self
                .reports
                .iter()
                .any(|report| report.assignment_id == row.id && report.period == today.format("%Y-%m").to_string());
            let is_expected = self.owes_account(row, first.date_naive(), is_reported);
            for (place, holds) in [
                true,
                is_completed,
                applies && row.due_by.is_some_and(|due| due < today) && !is_completed,
                matches!(paced, Some(Pace::Ahead | Pace::OnSchedule)),
                paced == Some(Pace::Behind),
                is_expected,
                is_expected && is_reported,
            ]
            .into_iter()
            .enumerate()
            {
                counts[place] += i64::from(holds);
            }
        }
        counts
    }
}

/// Returns the numbers of a ranking by the key of the row.
fn numbers(rows: &Value) -> BTreeMap<String, [i64; 7]> {
    let fields = ["all", "completed", "overdue", "onSchedule", "behind", "expectedReports", "givenReports"];
    let rows = rows.as_array().unwrap().iter();
    rows.map(|row| (row["key"].as_str().unwrap().to_owned(), fields.map(|field| row[field].as_i64().unwrap())))
        .collect()
}

fn the_figures_of_a_briefing_are_those_of_a_recount(world: &World) {
    world.done(&["demo"]);
    let server = world.serve();
    let tables = Tables::read(world);
    let statistics = "query($within: ID, $count: StatisticsCount!) { statistics(filter: {region: {within: $within}}, \
        by: STATUS, count: $count) { total { all completed overdue } } }";
    for place in &tables.regions {
        let id = json!(format!("region_{}", place.id));
        let said = briefing(&server, None, None, Some(&id));
        let today: NaiveDate = said["asOf"].as_str().unwrap().parse().unwrap();
        for (field, count) in [("problems", "PROBLEMS"), ("measures", "MEASURES")] {
            let total =
                server.data(statistics, &json!({ "within": id, "count": count }))["statistics"]["total"].clone();
            for number in ["all", "completed", "overdue"] {
                assert_eq!(said[field][number], total[number], "{} {field} {number}", place.name);
            }
        }
        let (on_schedule, behind) = tables.paced(place.id, today);
        assert_eq!((&said["onSchedule"], &said["behind"]), (&json!(on_schedule), &json!(behind)), "{}", place.name);
        let measures = &said["measures"];
        let rest = ["completed", "notApplicable", "overdue"].map(|field| measures[field].as_i64().unwrap());
        assert_eq!(
            measures["all"].as_i64().unwrap(),
            rest.iter().sum::<i64>() + on_schedule + behind,
            "they partition all measures"
        );

        let below = |id: i64| -> Vec<&assignment::Model> {
            let path = tables.path(id);
            tables.assignments.iter().filter(|row| tables.path(row.region_id).starts_with(path)).collect()
        };
        let mut regions = BTreeMap::new();
        for child in tables.regions.iter().filter(|child| child.parent_id == Some(place.id)) {
            let rows = below(child.id);
            if !rows.is_empty() {
                regions.insert(format!("region_{}", child.id), tables.counts(&rows, today));
            }
        }
        assert_eq!(numbers(&said["regions"]), regions, "{}", place.name);
        let mut units: BTreeMap<String, Vec<&assignment::Model>> = BTreeMap::new();
        for row in below(place.id) {
            units.entry(format!("unit_{}", row.unit_id)).or_default().push(row);
        }
        let units: BTreeMap<String, [i64; 7]> =
            units.iter().map(|(unit, rows)| (unit.clone(), tables.counts(rows, today))).collect();
        assert_eq!(numbers(&said["units"]), units, "{}", place.name);
        let whole = tables.counts(&below(place.id), today);
        assert_eq!([&said["expectedReports"], &said["givenReports"]], [&json!(whole[5]), &json!(whole[6])]);

        // The best come first, and the paragraph says the numbers.
        let rates = said["units"].as_array().unwrap().iter().filter_map(|row| row["completionRate"].as_f64());
        assert!(rates.collect::<Vec<f64>>().is_sorted_by(|one, other| one >= other));
        let paragraph = said["paragraph"].as_str().unwrap();
        for words in [
            format!("反馈问题{}个、整改措施{}条", said["problems"]["all"], measures["all"]),
            format!("达到序时进度{on_schedule}条，未达序时进度{behind}条，逾期{}条", measures["overdue"]),
        ] {
            assert!(paragraph.contains(&words), "{words}: {paragraph}");
        }
    }
}

/// Makes the demo and an account of a city's office, and returns its token.
fn city(world: &World) -> String {
    world.done(&["demo"]);
    world.account("city@gov.example", "city-office", "云溪市生态环境保护督察整改办")
}

fn a_past_month_tells_what_is_known_of_it(world: &World) {
    let office = city(world);
    let (server, clock) = world.serve_under_clock("2026-08-10T09:00");
    let open = "{ assignments(first: 1, filter: {status: [ASSIGNED, IN_PROGRESS]}) { nodes { id } } }";
    let assignment = server.data_as(&office, open, &json!({}))["assignments"]["nodes"][0]["id"].clone();
    let issue = "mutation($input: IssueSupervisionInput!) { issueSupervision(input: $input) { errors { code } } }";
    let input = json!({"assignmentId": assignment, "kind": "YELLOW_CARD", "reason": "连续一个月没有进展"});
    assert_eq!(server.data_as(&office, issue, &json!({ "input": input }))["issueSupervision"]["errors"], json!([]));
    let now = briefing(&server, Some(&office), None, None);
    assert_eq!((&now["month"], &now["asOf"]), (&json!("2026-08"), &json!("2026-08-10")));
    assert_eq!(
        now["cardCounts"],
        json!({"yellowIssued": 1, "redIssued": 0, "yellowLifted": 0, "redLifted": 0, "yellowInForce": 1,
            "redInForce": 0})
    );
    assert_eq!(now["cards"][0]["reason"], "连续一个月没有进展");

    clock.set("2026-09-02T09:00");
    let card = server.data_as(
        &office,
        "{ supervisionActions(filter: {kind: [YELLOW_CARD]}) { nodes { id } } }",
        &json!({}),
    )["supervisionActions"]["nodes"][0]["id"]
        .clone();
    let lift = "mutation($input: LiftSupervisionInput!) { liftSupervision(input: $input) { errors { code } } }";
    let input = json!({"actionId": card, "reason": "已按要求整改"});
    assert_eq!(server.data_as(&office, lift, &json!({ "input": input }))["liftSupervision"]["errors"], json!([]));
    let august = briefing(&server, Some(&office), Some("2026-08"), None);
    assert_eq!(august["asOf"], "2026-08-31");
    assert_eq!(august["cardCounts"]["yellowInForce"], 1, "it was in force at the end of the month");
    assert_eq!((&august["cardCounts"]["yellowLifted"], &august["cards"][0]["liftedAt"]), (&json!(0), &Value::Null));
    let september = briefing(&server, Some(&office), Some("2026-09"), None);
    assert_eq!(
        (&september["cardCounts"]["yellowLifted"], &september["cardCounts"]["yellowInForce"]),
        (&json!(1), &json!(0))
    );
    let query = "query($month: String) { briefing(month: $month) { month } }";
    assert!(briefing(&server, Some(&office), Some("2026-07"), None)["cards"].as_array().unwrap().is_empty());

    // The pace of a past day is not known, and the briefing says so.
    assert_eq!((&august["onSchedule"], &august["units"][0]["behind"]), (&Value::Null, &Value::Null));
    assert!(august["notes"][0].as_str().unwrap().contains("序时进度"), "{august}");
    assert!(!august["paragraph"].as_str().unwrap().contains("序时"), "{august}");
    assert!(september["onSchedule"].is_i64());
    for wrong in ["2026-10", "2026-13", "3月"] {
        let answer = server.ask_as(&office, query, &json!({ "month": wrong }));
        assert_eq!(answer.code(), "BAD_USER_INPUT", "{wrong}: {}", answer.body);
    }
}

fn a_briefing_is_for_offices_and_of_their_region(world: &World) {
    let office = city(world);
    let unit = world.account("unit@gov.example", "responsible-unit", "云溪市水利局");
    let county = world.account("county@gov.example", "county-office", "青坪县生态环境保护督察整改办");
    let leader = world.account("leader@gov.example", "leader", "云溪市水利局");
    let server = world.serve();
    assert_eq!(briefing(&server, Some(&unit), None, None), Value::Null);
    let of_city = briefing(&server, Some(&office), None, None);
    let of_county = briefing(&server, Some(&county), None, None);
    assert_eq!((&of_city["regionName"], &of_county["regionName"]), (&json!("云溪市"), &json!("青坪县")));
    assert_eq!(briefing(&server, Some(&leader), None, None)["regionName"], "云溪市");
    assert_eq!(briefing(&server, Some(&county), None, Some(&of_city["regionId"])), Value::Null, "above");
    let key = |row: &Value| row["key"].clone();
    let regions: Vec<Value> = of_city["regions"].as_array().unwrap().iter().map(key).collect();
    assert!(regions.len() > 1 && regions.contains(&of_county["regionId"]));
    for sibling in regions.iter().filter(|one| **one != of_county["regionId"]) {
        assert_eq!(briefing(&server, Some(&county), None, Some(sibling)), Value::Null, "beside");
    }
    assert_eq!(briefing(&server, Some(&office), None, Some(&of_county["regionId"]))["measures"], of_county["measures"]);
    assert_eq!(briefing(&server, Some(&office), None, Some(&json!("measure_1"))), Value::Null);
    let units = of_county["units"].as_array().unwrap();
    assert!(!units.is_empty() && units.len() < of_city["units"].as_array().unwrap().len());
}

fn the_files_carry_the_paragraph_and_the_numbers(world: &World) {
    let office = city(world);
    let server = world.serve();
    let bearer = format!("Bearer {office}");
    let said = briefing(&server, Some(&office), None, None);
    let paragraph = said["paragraph"].as_str().unwrap();
    let fetch = |path: &str, language: &str| {
        server.fetch(path, &[("authorization", bearer.as_str()), ("accept-language", language)])
    };

    let (answer, bytes) = fetch("/export/briefing.docx", "zh-CN");
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(answer.header("content-type").contains("wordprocessingml"), "{}", answer.header("content-type"));
    assert!(answer.header("content-disposition").contains(".docx"), "{}", answer.header("content-disposition"));
    let mut document = String::new();
    let mut packed = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
    packed.by_name("word/document.xml").unwrap().read_to_string(&mut document).unwrap();
    let first = &said["units"][0];
    for words in [
        paragraph,
        "云溪市督察整改情况通报",
        "责任单位排名",
        "未交齐账的单位",
        "公布数对照",
        first["label"].as_str().unwrap(),
    ] {
        assert!(document.contains(words), "{words}");
    }

    let (answer, bytes) = fetch(&format!("/export/briefing.xlsx?month={}", said["month"].as_str().unwrap()), "zh-CN");
    assert_eq!(answer.status, 200, "{}", answer.body);
    let sheets = workbook::open("通报.xlsx", bytes).unwrap();
    let lines: Vec<Vec<Vec<String>>> = sheets.iter().map(workbook::Sheet::lines).collect();
    assert!(lines[0].iter().flatten().any(|cell| cell == paragraph), "{:?}", lines[0]);
    let ranked =
        lines.iter().flatten().find(|line| line.contains(&first["label"].as_str().unwrap().to_owned())).unwrap();
    assert_eq!((&ranked[2], &ranked[3]), (&first["all"].to_string(), &first["completed"].to_string()));

    let (answer, _) = fetch("/export/briefing.pdf", "zh-CN");
    assert_eq!(answer.status, 404);
    let (answer, _) = fetch("/export/briefing.docx?month=2999-01", "zh-CN");
    assert_eq!((answer.status, answer.json()["errors"][0]["code"].as_str()), (400, Some("BAD_USER_INPUT")));
    let unit = world.account("unit@gov.example", "responsible-unit", "云溪市水利局");
    let (answer, _) = server.fetch("/export/briefing.docx", &[("authorization", &format!("Bearer {unit}"))]);
    assert_eq!(answer.status, 404, "a unit has no briefing");
}
