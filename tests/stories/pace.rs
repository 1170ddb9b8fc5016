//! The rules of pace and of the figures exist twice, as Rust functions and as SQL; this story compares both on hundreds
//! of random cases.

use chrono::{Days, NaiveDate};
use entity::assignment::{PaceOverride, Status};
use entity::measure;
use ledger::rule::pace::{Facts, Pace};
use ledger::statistics::{Figures, Item};
use sea_orm::{ActiveModelTrait, EntityTrait, IntoActiveModel, Iterable, Set};
use serde_json::json;

use crate::support::{World, block_on, stories};

stories!(the_api_s_pace_is_the_rule_s);

fn the_api_s_pace_is_the_rule_s(world: &World) {
    world.done(&["demo"]);
    let server = world.serve();
    let today = server.data("{ statistics(by: STATUS) { asOf } }", &json!({}))["statistics"]["asOf"].clone();
    let today: NaiveDate = today.as_str().unwrap().parse().unwrap();
    let statuses: Vec<Status> = Status::iter().collect();
    let mut rng = fastrand::Rng::with_seed(1);
    for _ in 0..8 {
        let expected = block_on(async {
            let db = world.db().await;
            let mut expected = Vec::new();
            let mut items = Vec::new();
            for row in measure::Entity::find().all(&db).await.unwrap() {
                let around = |rng: &mut fastrand::Rng| {
                    let days = rng.i64(-100..=100);
                    if days < 0 {
                        today - Days::new(days.unsigned_abs())
                    } else {
                        today + Days::new(days.unsigned_abs())
                    }
                };
                let maybe = |rng: &mut fastrand::Rng| rng.bool().then(|| around(rng));
                let facts = Facts {
                    status: statuses[rng.usize(0..statuses.len())],
                    completed_on: if rng.u8(0..4) == 0 { maybe(&mut rng) } else { None },
                    due_by: maybe(&mut rng),
                    issued_on: around(&mut rng),
                    reported_on: maybe(&mut rng),
                    quantity_done: rng.bool().then(|| rng.i32(0..12).into()),
                    quantity_target: rng.bool().then(|| rng.i32(0..10).into()),
                    pace_override: (rng.u8(0..6) == 0).then_some(PaceOverride::Ahead),
                };
                expected.push((format!("measure_{}", row.id), ledger::rule::pace::pace(&facts, today)));
                let Facts { status, completed_on, due_by, .. } = facts;
                items.push(Item { status, completed_on, is_completed_by: false, due_by });
                let mut row = row.into_active_model();
                row.status = Set(facts.status);
                row.completed_on = Set(facts.completed_on);
                row.due_by = Set(facts.due_by);
                row.issued_on = Set(facts.issued_on);
                row.reported_on = Set(facts.reported_on);
                row.quantity_done = Set(facts.quantity_done);
                row.quantity_target = Set(facts.quantity_target);
                row.pace_override = Set(facts.pace_override);
                row.update(&db).await.unwrap();
            }
            (expected, items)
        });
        let (expected, items) = expected;
        // Rows written directly are not yet in the kept figures.
        world.done(&["statistics", "check", "--mend"]);
        for days in [-60, -30, -1, 0] {
            let as_of = ledger::rule::calendar::plus_days(today, days);
            let query = "query($day: Date) { statistics(by: STATUS, asOf: $day) { total { all completed closed \
                notApplicable overdue } } }";
            let total = server.data(query, &json!({"day": as_of.to_string()}))["statistics"]["total"].clone();
            let rule = Figures::count(&items, as_of);
            let counted = json!({"all": rule.all, "completed": rule.completed, "closed": rule.closed,
                "notApplicable": rule.not_applicable, "overdue": rule.overdue});
            assert_eq!(total, counted, "{as_of}");
        }
        let data = server.data("{ measures(first: 200) { nodes { id pace } } }", &json!({}));
        let nodes = data["measures"]["nodes"].as_array().unwrap();
        for (id, pace) in expected {
            let node = nodes.iter().find(|node| node["id"] == id.as_str()).unwrap();
            let name = pace.map(|pace| match pace {
                Pace::Done => "DONE",
                Pace::Overdue => "OVERDUE",
                Pace::Ahead => "AHEAD",
                Pace::OnSchedule => "ON_SCHEDULE",
                Pace::Behind => "BEHIND",
            });
            assert_eq!(node["pace"].as_str(), name, "{id}");
        }
    }
}
