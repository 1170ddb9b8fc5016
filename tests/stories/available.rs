//! `availableActions`: what it offers is what the mutations then do, for every role, over random states.

use serde_json::{Value, json};

use crate::support::{World, stories};

stories!(what_is_offered_is_what_is_done);

/// How many actions are tried.
const TRIES: usize = 500;

/// The objects that offer actions, as fields of the schema.
const LISTS: &[&str] = &[
    "assignments",
    "measures",
    "inspectionCases",
    "deadlineChanges",
    "supervisionActions",
    "closeOuts",
    "inspectionRounds",
    "publishedFigures",
];

/// What is read of an object before an action is tried.
const OBJECT: &str = "availableActions { action mutation isAvailable isPermitted reason }";

/// Reads a random object of a list that the caller sees, with its actions.
fn object(server: &crate::support::Server, token: &str, list: &str) -> Option<Value> {
    let of_assignment = "version measure { deadline { dueOn overdueAfter } } \
        closeOuts(first: 1) { nodes { noticeFrom objections { id decidedAt } } }";
    let fields = match list {
        "assignments" => of_assignment.to_owned(),
        "measures" | "inspectionCases" => "version".to_owned(),
        "inspectionRounds" => String::new(),
        "publishedFigures" => "version counted topic label amount asOf source region { id }".to_owned(),
        "closeOuts" => format!("noticeFrom assignment {{ id {of_assignment} }}"),
        _ => "state".to_owned(),
    };
    let query = format!("{{ viewer {{ region {{ id }} }} {list}(first: 200) {{ nodes {{ id {fields} {OBJECT} }} }} }}");
    let found = server.data_as(token, &query, &json!({}));
    let nodes = found[list]["nodes"].as_array().unwrap();
    (!nodes.is_empty()).then(|| {
        let mut object = nodes[fastrand::usize(..nodes.len())].clone();
        object["own"] = found["viewer"]["region"]["id"].clone();
        object
    })
}

/// Returns the input with which an action on an object is tried: valid in every respect that does not depend on the
/// state of the object.
fn input(action: &str, object: &Value) -> Option<Value> {
    let reason = "经研究，按规定办理。";
    let assignment = if object["assignment"].is_object() { &object["assignment"] } else { object };
    let on = |extra: Value| {
        let mut input = json!({ "assignmentId": assignment["id"], "version": assignment["version"] });
        input.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        Some(input)
    };
    let beside = |extra: Value| {
        let mut input = json!({ "assignmentId": assignment["id"] });
        input.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        Some(input)
    };
    let of = |name: &str, versioned: bool, extra: Value| {
        let mut input = json!({ name: object["id"] });
        if versioned {
            input["version"] = object["version"].clone();
        }
        input.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        Some(input)
    };
    let unique = format!("{reason}（{}）", fastrand::u32(..));
    let notice_from = if object["noticeFrom"].is_string() {
        object["noticeFrom"].clone()
    } else {
        assignment["closeOuts"]["nodes"][0]["noticeFrom"].clone()
    };
    match action {
        "REPORT_PROGRESS" => on(json!({ "period": "2026-01", "text": unique })),
        "ACCEPT" | "CONFIRM_NOT_APPLICABLE" => on(json!({})),
        "DECLINE" | "PROPOSE_NOT_APPLICABLE" | "REJECT_NOT_APPLICABLE" | "RETURN" | "REOPEN" => {
            on(json!({ "reason": reason }))
        }
        "APPLY_FOR_CLOSE_OUT" => on(json!({ "application": reason })),
        "VERIFY" => on(json!({ "opinion": reason })),
        "PUBLICISE" => on(json!({ "text": reason, "contact": "云溪市整改办", "workingDays": 5 })),
        "CLOSE" => on(json!({ "decision": reason })),
        "RAISE_OBJECTION" => beside(json!({ "text": unique, "receivedOn": notice_from })),
        "DISCLOSE" => beside(json!({ "isPublic": true })),
        "SELF_INSPECT" => beside(json!({ "kind": "SELF_INSPECTION", "result": "PASSED" })),
        "RECORD_VERIFICATION" => beside(json!({ "kind": "VERIFICATION", "result": "PASSED" })),
        "SPOT_CHECK" => beside(json!({ "kind": "SPOT_CHECK", "result": "PASSED" })),
        "INSPECT" => beside(json!({ "kind": "SUPERVISION", "result": "PASSED" })),
        "URGE" | "SUPERVISE" | "YELLOW_CARD" | "LIST" | "RED_CARD" | "SUMMON" => {
            beside(json!({ "kind": action, "reason": unique }))
        }
        "REQUEST_EXTENSION" => {
            let deadline = &assignment["measure"]["deadline"];
            let day = |name: &str| deadline[name].as_str().and_then(|day| day.parse::<chrono::NaiveDate>().ok());
            let latest = day("dueOn").max(day("overdueAfter")).unwrap_or_default();
            beside(json!({ "newDueOn": (latest + chrono::TimeDelta::days(31)).to_string(), "reason": reason }))
        }
        "COMMENT" => of("measureId", false, json!({ "text": unique })),
        "CHANGE_DEADLINE" => {
            let deadline = format!("20{}年12月{}日", fastrand::u32(27..35), fastrand::u32(1..29));
            of("measureId", true, json!({ "deadline": deadline, "reason": reason }))
        }
        "EDIT_MEASURE" | "SET_PARTIES" | "DELETE_MEASURE" => of("measureId", true, json!({})),
        "PLAN_CHECKS" => of("measureId", true, json!({ "plans": [] })),
        "RETIRE_MEASURE" => of("measureId", true, json!({ "reason": reason })),
        "RETIRE_PROBLEM" => of("problemId", true, json!({ "reason": reason })),
        "EDIT_CASE" => of("caseId", true, json!({ "summary": unique })),
        "ACCEPT_CASE" => of("caseId", true, json!({})),
        "REPORT_ON_CASE" => of("caseId", false, json!({ "text": unique })),
        "RESOLVE_CASE" => of("caseId", true, json!({ "finding": "TRUE", "text": reason })),
        "VERIFY_CASE" => of("caseId", true, json!({ "opinion": reason })),
        "RETURN_CASE" => of("caseId", true, json!({ "reason": reason })),
        "CLOSE_CASE" => of("caseId", true, json!({ "decision": reason })),
        "REOPEN_CASE" => of("caseId", true, json!({ "reason": reason, "dueOn": "2030-01-01" })),
        "ENDORSE" | "APPROVE" | "REJECT" => of("extensionId", false, json!({ "decision": action, "words": reason })),
        "RECORD_PUBLISHED_FIGURE" => of(
            "roundId",
            false,
            json!({ "regionId": object["own"], "counted": "MEASURES", "topic": "TOTAL", "amount": 86,
                "asOf": "2025-01-01", "source": unique }),
        ),
        "CORRECT_PUBLISHED_FIGURE" => of(
            "figureId",
            true,
            json!({ "regionId": object["region"]["id"], "counted": object["counted"], "topic": object["topic"],
                "label": object["label"], "amount": 87, "asOf": object["asOf"], "source": object["source"] }),
        ),
        "WITHDRAW_PUBLISHED_FIGURE" => of("figureId", true, json!({ "reason": reason })),
        "ADOPT" => of("actionId", false, json!({ "isAdopted": true, "reason": reason })),
        "DISMISS" => of("actionId", false, json!({ "isAdopted": false, "reason": reason })),
        "LIFT" => of("actionId", false, json!({ "reason": reason })),
        // An upload is no mutation; the units of an assignment and the measure of a merge that stays are chosen, not
        // tried.
        _ => None,
    }
}

fn what_is_offered_is_what_is_done(world: &World) {
    fastrand::seed(14);
    world.done(&["demo"]);
    let server = world.serve();
    let accounts = server.data("{ demoAccounts { accountId role } }", &json!({}))["demoAccounts"].clone();
    let sign_in = "mutation($id: ID!) { signInAsDemo(accountId: $id) { token } }";
    let people: Vec<(String, String)> = accounts
        .as_array()
        .unwrap()
        .iter()
        .map(|account| {
            let opened = server.data(sign_in, &json!({ "id": account["accountId"] }));
            let token = opened["signInAsDemo"]["token"].as_str().unwrap().to_owned();
            (account["role"].as_str().unwrap().to_owned(), token)
        })
        .filter(|(role, _)| role != "ADMINISTRATOR")
        .collect();
    let (mut done, mut refused) = (std::collections::BTreeMap::<String, usize>::new(), 0);
    for _ in 0..TRIES {
        let (role, token) = &people[fastrand::usize(..people.len())];
        let list = LISTS[fastrand::usize(..LISTS.len())];
        let Some(object) = object(&server, token, list) else { continue };
        // Half of the tries take what is offered, or the work would never get on.
        let actions = object["availableActions"].as_array().unwrap();
        let offered: Vec<&Value> = actions.iter().filter(|action| action["isAvailable"] == true).collect();
        let choices: Vec<&Value> =
            if fastrand::bool() && !offered.is_empty() { offered } else { actions.iter().collect() };
        let action = choices[fastrand::usize(..choices.len())];
        let (code, mutation) = (action["action"].as_str().unwrap(), action["mutation"].as_str().unwrap_or_default());
        let Some(input) = input(code, &object) else { continue };
        let kind = format!("{}{}Input", mutation[..1].to_uppercase(), &mutation[1..]);
        let query =
            format!("mutation($input: {kind}!) {{ {mutation}(input: $input) {{ errors {{ code message }} }} }}");
        let errors = server.data_as(token, &query, &json!({ "input": input }))[mutation]["errors"].clone();
        let what = format!("{role} {code} on {}: {action}\n{input}\n{errors}", object["id"]);
        let is_available = action["isAvailable"] == true;
        assert_eq!(errors == json!([]), is_available, "{what}");
        assert_eq!(action["reason"].is_null(), is_available, "{what}");
        if is_available {
            *done.entry(code.to_owned()).or_default() += 1;
        } else {
            refused += 1;
            // What is for others to do is refused as such, or because the row behind it is hidden.
            let is_for_others = ["NOT_ALLOWED", "NOT_FOUND"].iter().any(|code| errors[0]["code"] == *code);
            assert!(action["isPermitted"] == true || is_for_others, "{what}");
        }
    }
    assert!(done.len() >= 20 && refused >= 50, "too little was tried: {done:?}, refused {refused}");
}
