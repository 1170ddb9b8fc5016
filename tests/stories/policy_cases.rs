//! Who may do what with complaint cases (交办案件), accountability and ownership: every mutation, for every role, on
//! visible and on hidden rows.

use std::collections::BTreeSet;

use entity::account::Role;
use entity::inspection_case;
use entity::inspection_round::RoundLevel;
use sea_orm::{ActiveEnum, ActiveModelTrait, ActiveValue::Set, EntityTrait};
use serde_json::{Value, json};

use crate::policy::{Authority, Scene};
use crate::support::allowed::allowed;
use crate::support::people::Person;
use crate::support::{World, stories};

stories!(
    whoever_works_on_cases_is_refused_what_belongs_to_others,
    whoever_records_of_problems_is_an_office_that_sees_them
);

/// A mutation of a case: its name, and a function that returns its input without the id and the version.
type Deed = (&'static str, fn() -> Value);

const DEEDS: [Deed; 9] = [
    ("acceptCase", || json!({})),
    ("reportOnCase", || json!({"text": "推进中"})),
    ("resolveCase", || json!({"finding": "TRUE", "text": "已整改"})),
    ("resolveCase", || json!({"finding": "UNTRUE", "text": "不属实", "isPartial": true})),
    ("returnCase", || json!({"reason": "不到位"})),
    ("verifyCase", || json!({"opinion": "属实"})),
    ("closeCase", || json!({"decision": "同意"})),
    ("reopenCase", || json!({"reason": "反弹了", "dueOn": "2031-01-01"})),
    ("editCase", || json!({"summary": format!("扬尘扰民（{}）", fastrand::u32(..))})),
];

const OF_PROBLEMS: [&str; 4] =
    ["recordAccountability", "correctAccountability", "withdrawAccountability", "setOwnership"];

/// Returns the names of the mutations that these stories cover.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    DEEDS.iter().map(|(name, _)| *name).chain(["handOverCase"]).chain(OF_PROBLEMS)
}

/// Checks whether a role may execute a mutation on a visible case: the table of roles for cases.
fn does(role: Role, name: &str, level: RoundLevel, (leads, assists): (bool, bool), state: &str) -> bool {
    let Authority { above, closes, .. } = Authority::of(role, level);
    let is_unit = [Role::ResponsibleUnit, Role::LeadUnit].contains(&role);
    match name {
        "acceptCase" | "resolveCase" => is_unit && leads,
        "reportOnCase" => is_unit && (leads || assists),
        "returnCase" if state == "ACCEPTED" => closes,
        "returnCase" | "verifyCase" => above,
        "closeCase" | "reopenCase" => closes,
        "editCase" => [Role::RegionalOffice, Role::CityOffice].contains(&role),
        other => panic!("{other} is not in the table of who does what"),
    }
}

fn found(scene: &Scene, case: i64) -> inspection_case::Model {
    scene.runtime.block_on(inspection_case::Entity::find_by_id(case).one(&scene.db)).unwrap().unwrap()
}

/// Completes an input with the id of a case and its current version.
fn on(scene: &Scene, name: &str, case: i64, mut input: Value) -> Value {
    input["caseId"] = json!(format!("case_{case}"));
    if name != "reportOnCase" {
        input["version"] = json!(found(scene, case).version);
    }
    input
}

/// Executes a mutation as a person and returns the codes of its errors.
fn codes(scene: &Scene, person: &Person, name: &str, input: &Value) -> BTreeSet<String> {
    let (errors, _) = scene.act(person, name, input);
    errors.as_array().unwrap().iter().map(|error| error["code"].as_str().unwrap().to_owned()).collect()
}

fn is_as_if_there_were_none(scene: &Scene, person: &Person, name: &str, input: &Value, made_up: &Value) {
    let before = scene.audited();
    // The first request only puts the document into the server's cache, so that both others take the same path.
    scene.act(person, name, made_up);
    let nothing = scene.act(person, name, made_up);
    let secret = scene.act(person, name, input);
    assert_eq!(secret, nothing, "{person:?} {name} {input}");
    assert_eq!(secret.0[0]["code"], "NOT_FOUND", "{person:?} {name} {input}: {secret:?}");
    assert_eq!(scene.audited(), before, "{person:?} {name} {input}");
}

fn one(code: &str) -> BTreeSet<String> {
    BTreeSet::from([code.to_owned()])
}

fn whoever_works_on_cases_is_refused_what_belongs_to_others(world: &World) {
    let scene = Scene::of(world);
    let tables = &scene.tables;
    let (mut done, mut refused) = (BTreeSet::new(), 0);
    for person in &scene.people {
        let left = allowed(tables, person.account);
        let unit = tables.accounts.iter().find(|account| account.id == person.account).unwrap().unit_id;
        let level =
            |case: &inspection_case::Model| tables.rounds.iter().find(|round| round.id == case.round_id).unwrap().level;
        let standing = |case: &inspection_case::Model| {
            let assists = tables.case_units.iter().any(|one| one.case_id == case.id && Some(one.unit_id) == unit);
            (unit == Some(case.lead_unit_id), assists)
        };
        let sees_none = [Role::Administrator, Role::SupervisingUnit].contains(&person.role);
        assert!(!sees_none || left.cases.is_empty(), "{person:?}");
        // One case of each standing in each state.
        let mut kinds = BTreeSet::new();
        let seen: Vec<&inspection_case::Model> = left
            .cases
            .iter()
            .filter(|case| kinds.insert((level(case).to_value(), standing(case), case.state.to_value())))
            .collect();
        let hidden = tables.cases.iter().find(|case| left.cases.iter().all(|other| other.id != case.id));
        for (name, further) in DEEDS {
            if let Some(hidden) = hidden {
                let input = on(&scene, name, hidden.id, further());
                let mut made_up = input.clone();
                made_up["caseId"] = json!("case_999999");
                is_as_if_there_were_none(&scene, person, name, &input, &made_up);
            }
            for case in &seen {
                let before = scene.audited();
                let input = on(&scene, name, case.id, further());
                let codes = codes(&scene, person, name, &input);
                let what = || format!("{person:?} {name} {input} {:?} {:?}: {codes:?}", standing(case), case.state);
                let may = does(person.role, name, level(case), standing(case), &case.state.to_value());
                if !may {
                    assert_eq!(codes, one("NOT_ALLOWED"), "{}", what());
                    refused += 1;
                }
                if codes.is_empty() {
                    assert_eq!(scene.audited() - before, 1, "{}", what());
                    done.insert(name);
                    let was = inspection_case::ActiveModel {
                        id: Set(case.id),
                        state: Set(case.state),
                        finding: Set(case.finding),
                        resolved_on: Set(case.resolved_on),
                        closed_on: Set(case.closed_on),
                        resolver_id: Set(case.resolver_id),
                        ..Default::default()
                    };
                    scene.runtime.block_on(was.update(&scene.db)).unwrap();
                } else {
                    assert_eq!(scene.audited(), before, "{}", what());
                    assert!(!may || codes == one("WRONG_STATE"), "{}", what());
                }
            }
        }
        hands_over(&scene, person, &mut done);
    }
    let all: BTreeSet<&str> = DEEDS.iter().map(|(name, _)| *name).chain(["handOverCase"]).collect();
    assert_eq!(done, all, "each mutation must succeed for some person");
    assert!(refused > 100, "{refused}");
}

/// Asserts that only offices hand cases over, and that hidden rounds, regions and units are answered like unknown ones.
fn hands_over(scene: &Scene, person: &Person, done: &mut BTreeSet<&'static str>) {
    let tables = &scene.tables;
    let region = |code: &str| tables.regions.iter().find(|one| one.code.as_deref() == Some(code)).unwrap().id;
    let unit = |name: &str| tables.units.iter().find(|one| one.name == name).unwrap().id;
    let strange = tables.problems.iter().find(|problem| problem.region_id == region("540300")).unwrap().round_id;
    let input = json!({"number": format!("X{}", person.account), "roundId": "round_1", "channel": "LETTER",
        "regionId": format!("region_{}", region("990121")), "pollution": ["AIR"], "summary": "扬尘扰民",
        "leadUnitId": format!("unit_{}", unit("白河县人民政府")), "dueOn": "2031-01-01"});
    if ![Role::RegionalOffice, Role::CityOffice].contains(&person.role) {
        assert_eq!(codes(scene, person, "handOverCase", &input), one("NOT_ALLOWED"), "{person:?}");
        return;
    }
    for (place, hidden, made_up) in [
        ("roundId", format!("round_{strange}"), "round_999999"),
        ("regionId", format!("region_{}", region("540329")), "region_999999"),
        ("leadUnitId", format!("unit_{}", unit("洛隆县人民政府")), "unit_999999"),
    ] {
        // The regional office keeps the ledger and sees all rounds.
        if place == "roundId" && person.role == Role::RegionalOffice {
            continue;
        }
        let (mut input, mut nothing) = (input.clone(), input.clone());
        input[place] = json!(hidden);
        nothing[place] = json!(made_up);
        is_as_if_there_were_none(scene, person, "handOverCase", &input, &nothing);
    }
    assert_eq!(codes(scene, person, "handOverCase", &input), BTreeSet::new(), "{person:?}");
    assert_eq!(codes(scene, person, "handOverCase", &input), one("CONFLICT"), "{person:?}");
    done.insert("handOverCase");
}

fn whoever_records_of_problems_is_an_office_that_sees_them(world: &World) {
    let scene = Scene::of(world);
    let tables = &scene.tables;
    let region = tables.regions.iter().find(|one| one.code.as_deref() == Some("990121")).unwrap().id;
    let mut done = BTreeSet::new();
    for person in &scene.people {
        let left = allowed(tables, person.account);
        let sees = |problem: i64| left.problems.iter().any(|one| one.id == problem);
        let may = [Role::RegionalOffice, Role::CityOffice].contains(&person.role);
        for name in OF_PROBLEMS {
            let input = |problem: i64, record: i64| {
                let found = entity::accountability::Entity::find_by_id(record).one(&scene.db);
                let version = scene.runtime.block_on(found).unwrap().map_or(1, |found| found.version);
                let (problem, record) = (format!("problem_{problem}"), format!("accountability_{record}"));
                match name {
                    "recordAccountability" => json!({"problemId": problem, "rank": "BELOW", "consequence": "JUDICIAL",
                        "people": 1, "decidedOn": "2026-01-01"}),
                    "correctAccountability" => json!({"accountabilityId": record, "version": version, "rank": "BELOW",
                        "consequence": "JUDICIAL", "people": 1, "decidedOn": "2026-01-01"}),
                    "withdrawAccountability" => {
                        json!({"accountabilityId": record, "version": version, "reason": "有误"})
                    }
                    _ => json!({"problemId": problem, "regionId": format!("region_{region}"), "kind": "SHARED"}),
                }
            };
            if let Some(hidden) = tables.accountability.iter().find(|record| !sees(record.problem_id)) {
                let (secret, nothing) = (input(hidden.problem_id, hidden.id), input(999_999, 999_999));
                is_as_if_there_were_none(&scene, person, name, &secret, &nothing);
            }
            let mut records = tables.accountability.iter().filter(|record| sees(record.problem_id));
            let Some(record) = records.find(|record| record.withdrawn_at.is_none()) else { continue };
            let before = scene.audited();
            let codes = codes(&scene, person, name, &input(record.problem_id, record.id));
            if may {
                // Another person may have withdrawn the same row before.
                let was_withdrawn = codes == one("WRONG_STATE") && name != "recordAccountability";
                assert!(codes.is_empty() || was_withdrawn, "{person:?} {name}: {codes:?}");
                if codes.is_empty() {
                    assert_eq!(scene.audited(), before + 1, "{person:?} {name}");
                    done.insert(name);
                }
            } else {
                assert_eq!(codes, one("NOT_ALLOWED"), "{person:?} {name}");
                assert_eq!(scene.audited(), before, "{person:?} {name}");
            }
        }
    }
    assert_eq!(done, BTreeSet::from(OF_PROBLEMS), "each mutation must succeed for some person");
}
