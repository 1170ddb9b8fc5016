//! The life of a complaint case (交办案件): handed over, accepted, reported on, resolved, returned, verified, closed,
//! reopened. Each role can take its own steps and no others; a sibling county neither sees the case nor gets events of
//! it.

use serde_json::{Value, json};

use crate::scene::CaseScene;
use crate::support::socket::Socket;
use crate::support::{Smtp, World, asked, read, stories};

stories!(
    a_case_lives_from_handing_over_to_closing_and_again,
    an_open_case_is_reminded_of_before_its_deadline_and_after_it,
    whoever_complained_is_written_down_nowhere,
    a_case_has_a_batch_and_a_class_and_repeats_an_earlier_one,
    lists_and_groups_of_cases_have_their_resolution_rate,
    the_fields_of_a_case_are_corrected_until_it_is_closed,
);

fn refusal(code: &str, place: &str) -> (String, String) {
    (code.to_owned(), place.to_owned())
}

#[expect(clippy::too_many_lines, reason = "the steps of one case form one story")]
fn a_case_lives_from_handing_over_to_closing_and_again(world: &World) {
    let scene = CaseScene::set(world);
    let CaseScene { region, city, lead, assisting, sibling, .. } = &scene;

    // An office hands over cases of regions below it, to units below it, and each number once.
    let hand_over = |token: &str, changes: Value| scene.refused(token, "handOverCase", &scene.wanted(changes));
    assert_eq!(hand_over(lead, json!({})), refusal("NOT_ALLOWED", "input"));
    assert_eq!(
        hand_over(city, json!({"regionId": scene.named("regions", "城关区")})),
        refusal("NOT_FOUND", "regionId")
    );
    let elsewhere = json!({"leadUnitId": scene.named("units", "城关区人民政府")});
    assert_eq!(hand_over(city, elsewhere), refusal("NOT_FOUND", "leadUnitId"));
    assert_eq!(hand_over(city, json!({"roundId": "round_99"})), refusal("NOT_FOUND", "roundId"));
    assert_eq!(hand_over(city, json!({"pollution": []})), refusal("INVALID", "pollution"));
    assert_eq!(hand_over(city, json!({"dueOn": "2025-05-27"})), refusal("INVALID", "dueOn"));
    assert_eq!(hand_over(city, json!({"handedOverOn": "2025-05-29"})), refusal("INVALID", "handedOverOn"));
    assert_eq!(hand_over(city, json!({"handedOverOn": "0001-01-01"})), refusal("INVALID", "handedOverOn"));
    assert_eq!(hand_over(city, json!({"summary": "\u{200b}\u{200b}\u{200b}"})), refusal("INVALID", "summary"));
    let own = json!({"assistingUnitIds": [scene.named("units", "洛隆县人民政府")]});
    assert_eq!(hand_over(city, own), refusal("INVALID", "assistingUnitIds"));
    let case = scene.done(city, "handOverCase", &scene.wanted(json!({})))["id"].as_str().unwrap().to_owned();
    assert_eq!(hand_over(region, json!({})), refusal("CONFLICT", "number"));
    let mails = world.done(&["mail", "list"]);
    assert!(
        mails.contains("案件·交办") && mails.contains("u540329@gov.example"),
        "the lead unit must be notified: {mails}"
    );
    assert!(mails.contains("\t重点案件。污染类型：水、噪声。 办理单位：昌都市生态环境保护督察整改办"), "{mails}");

    // The lead unit and the assisting unit see the case; a sibling sees nothing of it in any list or link.
    let list = "query($id: ID!) { inspectionCases { totalCount aggregate { count } \
        groups(by: [STATE]) { keys { key } } \
        nodes { id leadUnit { name } assistingUnits { nodes { name } } } } node(id: $id) { id } \
        inspectionCase(id: $id) { id } \
        inspectionRounds { nodes { inspectionCases { totalCount } } } \
        auditEntries(filter: {act: {eq: \"HANDED_OVER\"}}) { totalCount } }";
    let seen = |token: &str| scene.server.data_as(token, list, &json!({ "id": case }));
    for (token, leads, assists) in [(lead, json!({"name": "洛隆县人民政府"}), 0), (assisting, Value::Null, 1)] {
        let mine = seen(token);
        assert_eq!(mine["inspectionCases"]["totalCount"], 1, "{mine:#}");
        let row = &mine["inspectionCases"]["nodes"][0];
        // Counties that work on the same case do not see each other's units in it.
        assert_eq!((&row["leadUnit"], row["assistingUnits"]["nodes"].as_array().unwrap().len()), (&leads, assists));
        assert_eq!((&mine["node"]["id"], &mine["auditEntries"]["totalCount"]), (&json!(case), &json!(1)));
    }
    let nothing = seen(sibling);
    let empty = json!({"totalCount": 0, "aggregate": {"count": 0}, "groups": [], "nodes": []});
    assert_eq!(nothing["inspectionCases"], empty, "{nothing:#}");
    assert!(nothing["node"].is_null() && nothing["inspectionCase"].is_null(), "{nothing:#}");
    assert_eq!(nothing["auditEntries"]["totalCount"], 0);
    assert_eq!(scene.refused(sibling, "acceptCase", &scene.on(&case, json!({}))), refusal("NOT_FOUND", "caseId"));

    // Only the lead unit accepts. Of two concurrent acceptances the second is refused.
    let mine = scene.on(&case, json!({}));
    let early = json!({"finding": "TRUE", "text": "已整改。"});
    assert_eq!(scene.refused(lead, "resolveCase", &scene.on(&case, early.clone())), refusal("WRONG_STATE", "caseId"));
    assert_eq!(scene.refused(assisting, "acceptCase", &mine), refusal("NOT_ALLOWED", "input"));
    assert_eq!(scene.refused(city, "acceptCase", &mine), refusal("NOT_ALLOWED", "input"));
    assert_eq!(scene.done(lead, "acceptCase", &mine)["state"], "IN_PROGRESS");
    assert_eq!(scene.refused(lead, "acceptCase", &mine), refusal("STALE_VERSION", "version"));
    assert_eq!(scene.refused(lead, "acceptCase", &scene.on(&case, json!({}))), refusal("WRONG_STATE", "caseId"));

    // Both units report. A subscription to the case's county gets an event, one to the sibling does not.
    let report = |token: &str, text: &str| scene.done(token, "reportOnCase", &json!({"caseId": case, "text": text}));
    let mut socket = Socket::open_as(&scene.server, city);
    let watch = "subscription($within: ID) { ledgerChanged(within: $within) { kind problem { id } \
        inspectionCase { id state } } }";
    socket.subscribe("there", watch, &json!({"within": scene.named("regions", "察雅县")}));
    socket.subscribe("here", watch, &json!({"within": scene.named("regions", "洛隆县")}));
    socket.say(&json!({"type": "ping"}));
    assert_eq!(socket.hear(), json!({"type": "pong"}));
    report(assisting, "已关停上游取水口。");
    let heard = socket.hear();
    assert_eq!(heard["id"], "here");
    let told =
        json!({"kind": "PROGRESS_REPORTED", "problem": null, "inspectionCase": {"id": case, "state": "IN_PROGRESS"}});
    assert_eq!(heard["payload"]["data"]["ledgerChanged"], told);
    report(lead, "洗砂场已停产，正在清理河道。");

    // Resolved in part, which does not stop the deadline, then completely.
    scene.clock.set("2025-06-10T09:00");
    let partly = json!({"finding": "PARTLY_TRUE", "text": "废水已停排，河道修复中。", "isPartial": true});
    assert_eq!(
        scene.refused(assisting, "resolveCase", &scene.on(&case, partly.clone())),
        refusal("NOT_ALLOWED", "input")
    );
    let partly = scene.done(lead, "resolveCase", &scene.on(&case, partly));
    assert_eq!(
        (&partly["state"], &partly["isOverdue"], &partly["resolvedOn"]),
        (&json!("PARTLY_RESOLVED"), &json!(true), &Value::Null)
    );
    let late = "{ inspectionCases(filter: {isOverdue: true}) { totalCount } }";
    assert_eq!(scene.server.data_as(city, late, &json!({}))["inspectionCases"]["totalCount"], 1);
    report(lead, "河道修复完成七成。");
    let verify = json!({"opinion": "现场核查，整改到位。"});
    assert_eq!(scene.refused(city, "verifyCase", &scene.on(&case, verify.clone())), refusal("WRONG_STATE", "caseId"));
    let resolved = json!({"finding": "TRUE", "text": "洗砂场已拆除，河道已恢复。"});
    let after = scene.done(lead, "resolveCase", &scene.on(&case, resolved.clone()));
    assert_eq!((&after["state"], &after["resolvedOn"]), (&json!("RESOLVED"), &json!("2025-06-10")));
    assert_eq!(scene.server.data_as(city, late, &json!({}))["inspectionCases"]["totalCount"], 0);

    // Returned by the level above, resolved again, verified, returned by the closing authority, verified again, closed.
    let back = json!({"reason": "河道底泥未清理。"});
    assert_eq!(scene.refused(lead, "returnCase", &scene.on(&case, back.clone())), refusal("NOT_ALLOWED", "input"));
    let after = scene.done(city, "returnCase", &scene.on(&case, back.clone()));
    assert_eq!((&after["state"], &after["resolvedOn"]), (&json!("IN_PROGRESS"), &Value::Null));
    scene.done(lead, "resolveCase", &scene.on(&case, resolved.clone()));
    assert_eq!(scene.refused(lead, "verifyCase", &scene.on(&case, verify.clone())), refusal("NOT_ALLOWED", "input"));
    // Whoever may not act is told so, and not to reload.
    let mut stale = scene.on(&case, verify.clone());
    stale["version"] = json!(1);
    assert_eq!(scene.refused(lead, "verifyCase", &stale), refusal("NOT_ALLOWED", "input"));
    assert_eq!(scene.refused(city, "verifyCase", &stale), refusal("STALE_VERSION", "version"));
    scene.done(city, "verifyCase", &scene.on(&case, verify.clone()));
    assert_eq!(scene.refused(city, "returnCase", &scene.on(&case, back.clone())), refusal("NOT_ALLOWED", "input"));
    scene.done(region, "returnCase", &scene.on(&case, back));
    scene.done(lead, "resolveCase", &scene.on(&case, resolved.clone()));
    let close = json!({"decision": "同意销号。"});
    assert_eq!(scene.refused(region, "closeCase", &scene.on(&case, close.clone())), refusal("WRONG_STATE", "caseId"));
    scene.done(city, "verifyCase", &scene.on(&case, verify));
    assert_eq!(scene.refused(city, "closeCase", &scene.on(&case, close.clone())), refusal("NOT_ALLOWED", "input"));
    let after = scene.done(region, "closeCase", &scene.on(&case, close));
    assert_eq!((&after["state"], &after["closedOn"]), (&json!("CLOSED"), &json!("2025-06-10")));

    // A closed case accepts no step but reopening.
    assert_eq!(scene.refused(lead, "resolveCase", &scene.on(&case, resolved)), refusal("WRONG_STATE", "caseId"));
    let words = json!({"caseId": case, "text": "补充材料。"});
    assert_eq!(scene.refused(lead, "reportOnCase", &words), refusal("WRONG_STATE", "caseId"));
    let relapse = |due: &str| scene.on(&case, json!({"reason": "回访发现洗砂场复工。", "dueOn": due}));
    assert_eq!(scene.refused(city, "reopenCase", &relapse("2025-07-01")), refusal("NOT_ALLOWED", "input"));
    assert_eq!(scene.refused(region, "reopenCase", &relapse("2025-06-09")), refusal("INVALID", "dueOn"));
    let after = scene.done(region, "reopenCase", &relapse("2025-07-01"));
    let opened = json!({"id": case, "state": "IN_PROGRESS", "version": after["version"], "dueOn": "2025-07-01",
        "resolvedOn": null, "closedOn": null, "finding": null, "isOverdue": false});
    assert_eq!(after, opened);

    // Every step is recorded and the audit chain is intact. Notices that are no longer relevant are not sent.
    let trail = "query($id: ID!) { inspectionCase(id: $id) { pollution { kind } \
        reports(filter: {step: [ACCEPT, RESOLVE_PARTLY, \
        RESOLVE, RETURN, VERIFY, CLOSE, REOPEN]}) { nodes { step finding text } } audit { totalCount \
        nodes { act inspectionCase { id } } } } }";
    let trail = scene.server.data_as(lead, trail, &json!({ "id": case }))["inspectionCase"].clone();
    assert_eq!(trail["pollution"], json!([{"kind": "NOISE"}, {"kind": "WATER"}]));
    let steps: Vec<&str> =
        trail["reports"]["nodes"].as_array().unwrap().iter().map(|one| one["step"].as_str().unwrap()).collect();
    let way = [
        "ACCEPT",
        "RESOLVE_PARTLY",
        "RESOLVE",
        "RETURN",
        "RESOLVE",
        "VERIFY",
        "RETURN",
        "RESOLVE",
        "VERIFY",
        "CLOSE",
        "REOPEN",
    ];
    assert_eq!(steps, way);
    assert_eq!(trail["audit"]["nodes"][0], json!({"act": "REOPENED", "inspectionCase": {"id": case}}));
    let whole = world.done(&["audit", "verify"]);
    assert!(whole.contains("无缺失"), "{whole}");
    let smtp = Smtp::start();
    let sent =
        world.program().args(["job", "run", "deliver-mail"]).env("RECTIFY_MAIL_URL", &smtp.url).output().unwrap();
    let sent = String::from_utf8(sent.stdout).unwrap();
    let mails = smtp.mails().join("\n");
    assert!(
        mails.contains("已销号案件反弹") && mails.contains("2025年7月1日") && mails.contains("/m/case_"),
        "{sent}\n{mails}"
    );
    assert!(
        mails.contains("办理单位：西藏自治区生态环境保护督察整改办"),
        "the mail names the office that reopened the case: {mails}"
    );
    let mail: Value = serde_json::from_str(&smtp.mails()[0]).unwrap();
    assert_eq!(
        mail["html"].as_str().unwrap().replace("&#x2f;", "/").matches("/m/case_").count(),
        2,
        "one link in the row and one in the button"
    );
    assert!(
        !mails.contains("收到交办案件"),
        "the notice of handing over is stale, because the case was accepted: {mails}"
    );
}

fn whoever_complained_is_written_down_nowhere(world: &World) {
    let scene = CaseScene::set(world);
    let CaseScene { city, lead, .. } = &scene;
    for (summary, what) in [
        ("村民反映废水直排，电话13900001234。", "手机号码"),
        ("举报人证号54032119900101001X。", "身份证号码"),
        ("联系 0895-1234567", "电话号码"),
    ] {
        let given = scene.act(city, "handOverCase", &scene.wanted(json!({ "summary": summary })));
        let error = &given["errors"][0];
        assert_eq!((&error["code"], &error["path"]), (&json!("INVALID"), &json!(["input", "summary"])));
        assert!(error["message"].as_str().unwrap().contains(what), "{error}");
    }
    let case = scene.done(city, "handOverCase", &scene.wanted(json!({"summary": "D3SX202505280018所反映废水直排。"})));
    let case = case["id"].as_str().unwrap();
    scene.done(lead, "acceptCase", &scene.on(case, json!({})));
    for words in ["已电话（139 0000 1234）回访举报人。", "已回访。"] {
        let given = scene.act(lead, "reportOnCase", &json!({"caseId": case, "text": words}));
        assert_eq!(given["errors"] == json!([]), words == "已回访。", "{given}");
    }
    let found = json!({"finding": "TRUE", "text": "已回访13900001234。"});
    assert_eq!(scene.refused(lead, "resolveCase", &scene.on(case, found)), refusal("INVALID", "text"));
}

fn an_open_case_is_reminded_of_before_its_deadline_and_after_it(world: &World) {
    let scene = CaseScene::set(world);
    let case = scene.done(&scene.city, "handOverCase", &scene.wanted(json!({})))["id"].as_str().unwrap().to_owned();
    scene.done(&scene.lead, "acceptCase", &scene.on(&case, json!({})));
    world.done(&["job", "run", "deliver-mail"]);
    // The deadline is a Saturday.
    for kind in ["case-due-soon", "case-overdue"] {
        world.done(&["reminder", "set", kind, "--working-days-only", "false"]);
    }
    let queued = |job: &str, day: &str| {
        let said = world.done(&["job", "run", job, "--at", day]);
        said.lines()
            .last()
            .unwrap()
            .trim_start_matches("已写入发件箱 ")
            .trim_end_matches(" 封邮件")
            .parse::<u32>()
            .unwrap()
    };
    // Each warning is sent once, to the lead unit and not to assisting units.
    for (day, mails) in [("2025-06-03", 0), ("2025-06-04", 1), ("2025-06-05", 0), ("2025-06-06", 1), ("2025-06-07", 0)]
    {
        assert_eq!(queued("case-due-soon", day), mails, "{day}");
    }
    // Overdue reminders are sent weekly, also to the office above.
    for (day, mails) in [("2025-06-07", 0), ("2025-06-08", 2), ("2025-06-09", 0)] {
        assert_eq!(queued("case-overdue", day), mails, "{day}");
    }
    let said = world.done(&["job", "run", "deliver-mail"]);
    assert!(said.contains("已发送 4 封"), "{said}");
    let list = world.done(&["mail", "list", "--state", "sent"]);
    assert!(list.contains("u540300@gov.example\t【案件催办·逾期1天】D3SX202505280018 洗砂场废水直排"), "{list}");
    let files = std::fs::read_dir(world.dir.path().join("data/mail")).unwrap().map(|entry| entry.unwrap().path());
    let letters: Vec<String> =
        files.filter(|path| path.extension().is_some_and(|ending| ending == "html")).map(read).collect();
    let letter = letters.iter().find(|letter| letter.contains("1件交办案件已逾期")).unwrap();
    for words in
        ["办理时限", "2025年6月7日", "洛隆县 · 重点案件", "主办单位", "洛隆县人民政府", "办理中", case.as_str()]
    {
        assert!(letter.contains(words), "{words}: {letter}");
    }
    // A case that is resolved before the mail is sent is left out.
    assert_eq!(queued("case-overdue", "2025-06-15"), 2);
    scene.done(&scene.lead, "resolveCase", &scene.on(&case, json!({"finding": "TRUE", "text": "已整改。"})));
    let said = world.done(&["job", "run", "deliver-mail"]);
    // The office that verifies is told of the resolution.
    assert!(said.contains("已发送 1 封，取消 2 封"), "{said}");
    assert_eq!(queued("case-overdue", "2025-06-23"), 0);
}

fn a_case_has_a_batch_and_a_class_and_repeats_an_earlier_one(world: &World) {
    let scene = CaseScene::set(world);
    let CaseScene { city, lead, assisting, .. } = &scene;
    let hand_over = |changes: Value| scene.done(city, "handOverCase", &scene.wanted(changes))["id"].clone();
    let first = json!({"batch": " 第三批 ", "handling": "IMMEDIATE", "handedOverOn": "2025-05-27"});
    let first = hand_over(first);
    let again = json!({"number": "D3SX202505280019", "batch": "12", "handling": "LONG_TERM", "repeatOfId": first,
        "leadUnitId": scene.named("units", "类乌齐县人民政府"), "assistingUnitIds": []});
    let again = hand_over(again);

    // The earlier case must be one of the round, not of a later day, and one that the caller sees.
    for (changes, code) in [
        (json!({"repeatOfId": "case_99"}), "NOT_FOUND"),
        (json!({"repeatOfId": "unit_1"}), "NOT_FOUND"),
        (json!({"repeatOfId": again, "handedOverOn": "2025-05-27"}), "INVALID"),
    ] {
        let mut input = json!({"number": "D3SX202505280020"});
        input.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let refused = scene.refused(city, "handOverCase", &scene.wanted(input));
        assert_eq!(refused, refusal(code, "repeatOfId"), "{changes}");
    }
    let long = json!({"number": "D3SX202505280020", "batch": "批".repeat(41)});
    assert_eq!(scene.refused(city, "handOverCase", &scene.wanted(long)), refusal("INVALID", "batch"));

    let query = "query($filter: InspectionCaseFilter) { inspectionCases(filter: $filter, \
        orderBy: [{field: NUMBER}]) { nodes { id batch handling isRepeat repeatOf { id } } } }";
    let seen = |token: &str, filter: Value| {
        scene.server.data_as(token, query, &json!({ "filter": filter }))["inspectionCases"]["nodes"].clone()
    };
    let one = json!({"id": first, "batch": "第三批", "handling": "IMMEDIATE", "isRepeat": false, "repeatOf": null});
    let other = json!({"id": again, "batch": "12", "handling": "LONG_TERM", "isRepeat": true,
        "repeatOf": {"id": first}});
    assert_eq!(seen(city, json!({})), json!([one, other]));
    assert_eq!(seen(city, json!({"batch": {"eq": "第三批"}})), json!([one]));
    assert_eq!(seen(city, json!({"handling": ["LONG_TERM"]})), json!([other]));
    assert_eq!(seen(city, json!({"isRepeat": true})), json!([other]));
    assert_eq!(seen(city, json!({"isRepeat": false})), json!([one]));
    // The unit assists with the first case, so it sees what its own case repeats. The first unit sees one case.
    assert_eq!(seen(assisting, json!({"isRepeat": true})), json!([other]));
    assert_eq!(seen(lead, json!({})), json!([one]));

    let audit = "query($id: ID!) { inspectionCase(id: $id) { audit { nodes { changes { label after } } } } }";
    let entry = &scene.server.data_as(city, audit, &json!({ "id": again }))["inspectionCase"]["audit"]["nodes"][0];
    for (label, after) in [("批次", "12"), ("办理类型", "长期整改"), ("重复件", first.as_str().unwrap())] {
        let change = json!({"label": label, "after": after});
        assert!(entry["changes"].as_array().unwrap().contains(&change), "{label}: {entry:#}");
    }
    world.done(&["audit", "verify"]);
}

fn lists_and_groups_of_cases_have_their_resolution_rate(world: &World) {
    let scene = CaseScene::set(world);
    let CaseScene { city, region, lead, sibling, .. } = &scene;
    for (number, batch, resolved) in
        [("D3SX202505280001", "1", true), ("D3SX202505280002", "1", false), ("D3SX202505280003", "2", true)]
    {
        let wanted = scene.wanted(json!({"number": number, "batch": batch, "handling": "IMMEDIATE"}));
        let case = scene.done(city, "handOverCase", &wanted)["id"].as_str().unwrap().to_owned();
        scene.done(lead, "acceptCase", &scene.on(&case, json!({})));
        let found = json!({"finding": "PARTLY_TRUE", "text": "已整改。", "isPartial": !resolved});
        scene.done(lead, "resolveCase", &scene.on(&case, found));
        if batch == "2" {
            scene.done(city, "verifyCase", &scene.on(&case, json!({"opinion": "整改到位。"})));
            scene.done(region, "closeCase", &scene.on(&case, json!({"decision": "同意销号。"})));
        }
    }
    scene.clock.set("2025-06-10T09:00");
    let query = "{ inspectionCases { aggregate { count resolved closed overdue substantiated resolutionRate } \
        groups(by: [BATCH, HANDLING]) { keys { key } aggregate { count resolved resolutionRate } } } }";
    let all = scene.server.data_as(city, query, &json!({}))["inspectionCases"].clone();
    let rate = all["aggregate"]["resolutionRate"].as_f64().unwrap();
    assert!((rate - 2.0 / 3.0).abs() < 1e-5, "{all:#}");
    for (figure, value) in [("count", 3), ("resolved", 2), ("closed", 1), ("overdue", 1), ("substantiated", 3)] {
        assert_eq!(all["aggregate"][figure], value, "{figure}: {all:#}");
    }
    for (place, batch, count, rate) in [(0, "1", 2, 0.5), (1, "2", 1, 1.0)] {
        let group = &all["groups"][place];
        assert_eq!(group["keys"], json!([{"key": batch}, {"key": "IMMEDIATE"}]), "{all:#}");
        assert_eq!((&group["aggregate"]["count"], &group["aggregate"]["resolved"]), (&json!(count), &json!(1)));
        assert_eq!(group["aggregate"]["resolutionRate"].as_f64(), Some(rate), "{all:#}");
    }
    let none = scene.server.data_as(sibling, query, &json!({}))["inspectionCases"]["aggregate"].clone();
    let nothing = json!({"count": 0, "resolved": 0, "closed": 0, "overdue": 0, "substantiated": 0,
        "resolutionRate": null});
    assert_eq!(none, nothing);
}

fn the_fields_of_a_case_are_corrected_until_it_is_closed(world: &World) {
    let scene = CaseScene::set(world);
    let CaseScene { region, city, lead, sibling, .. } = &scene;
    let hand_over =
        |changes: Value| scene.done(city, "handOverCase", &scene.wanted(changes))["id"].as_str().unwrap().to_owned();
    let case = hand_over(json!({}));
    let other = hand_over(json!({"number": "D3SX202505270002", "handedOverOn": "2025-05-27"}));
    let edit = |changes: Value| scene.on(&case, changes);
    let query = "query($id: ID!) { inspectionCase(id: $id) { number channel batch handling isKey summary handedOverOn
        dueOn version repeatOf { id } pollution { kind } leadUnit { name }
        audit { nodes { act changes { label before after } } } } }";
    let read = || scene.server.data_as(city, query, &json!({ "id": case }))["inspectionCase"].clone();

    // Offices that hand over correct; units do not, and a sibling knows nothing of the case.
    let words = json!({"summary": "洗砂场废水直排河道。"});
    assert_eq!(scene.refused(lead, "editCase", &edit(words.clone())), refusal("NOT_ALLOWED", "input"));
    assert_eq!(scene.refused(sibling, "editCase", &edit(words)), refusal("NOT_FOUND", "caseId"));
    for (changes, code, place) in [
        (json!({"number": "D3SX202505270002"}), "CONFLICT", "number"),
        (json!({"number": null}), "INVALID", "number"),
        (json!({"summary": "举报人电话13812345678。"}), "INVALID", "summary"),
        (json!({"pollution": []}), "INVALID", "pollution"),
        (json!({"dueOn": "2025-05-27"}), "INVALID", "dueOn"),
        (json!({"handedOverOn": "2025-05-29"}), "INVALID", "handedOverOn"),
        (json!({"repeatOfId": case}), "NOT_FOUND", "repeatOfId"),
        (json!({"repeatOfId": "case_99"}), "NOT_FOUND", "repeatOfId"),
        (json!({"repeatOfId": other, "handedOverOn": "2025-05-26"}), "INVALID", "repeatOfId"),
    ] {
        assert_eq!(scene.refused(city, "editCase", &edit(changes.clone())), refusal(code, place), "{changes}");
    }
    assert_eq!(read()["version"], 1, "what is refused changes nothing");

    // Nothing new is no change; what is new is written, and the audit says what it was.
    assert_eq!(
        scene.done(city, "editCase", &edit(json!({"channel": "CALL", "pollution": ["NOISE", "WATER"]})))["version"],
        1
    );
    let correction = json!({"number": "D3SX202505280081", "channel": "LETTER", "pollution": ["WATER", "SOIL"],
        "isKey": false, "batch": "第四批", "handling": "LONG_TERM", "repeatOfId": other,
        "summary": "洗砂场废水直排河道。", "dueOn": "2025-06-20"});
    let done = scene.done(city, "editCase", &edit(correction));
    assert_eq!((&done["state"], &done["version"]), (&json!("HANDED_OVER"), &json!(2)));
    let now = read();
    let fields = ["number", "channel", "batch", "handling", "summary", "handedOverOn", "dueOn"];
    let expected =
        ["D3SX202505280081", "LETTER", "第四批", "LONG_TERM", "洗砂场废水直排河道。", "2025-05-28", "2025-06-20"];
    assert_eq!(fields.map(|field| now[field].as_str().unwrap()), expected);
    assert_eq!((&now["isKey"], &now["repeatOf"]["id"]), (&json!(false), &json!(other)));
    assert_eq!(now["pollution"], json!([{"kind": "SOIL"}, {"kind": "WATER"}]));
    assert_eq!(now["leadUnit"]["name"], "洛隆县人民政府");
    let entry = &now["audit"]["nodes"][0];
    assert_eq!(entry["act"], "EDITED");
    for (label, before, after) in [
        ("编号", "D3SX202505280018", "D3SX202505280081"),
        ("举报方式", "来电", "来信"),
        ("污染类型", "水、噪声", "水、土壤"),
        ("重点案件", "是", "否"),
        ("案情摘要", "洗砂场废水直排，夜间噪声扰民。", "洗砂场废水直排河道。"),
        ("办理时限", "2025-06-07", "2025-06-20"),
    ] {
        let change = json!({"label": label, "before": before, "after": after});
        assert!(entry["changes"].as_array().unwrap().contains(&change), "{label}: {entry:#}");
    }
    // The case that it repeats cannot have been handed over after it. Lists go by the new date.
    let later = scene.on(&other, json!({"handedOverOn": "2025-05-28"}));
    scene.done(city, "editCase", &later);
    let first = scene.on(&case, json!({"handedOverOn": "2025-05-27"}));
    assert_eq!(scene.refused(region, "editCase", &first), refusal("INVALID", "repeatOfId"));
    let listed = "{ inspectionCases(orderBy: [{field: DUE_ON, direction: DESC}]) { nodes { id } } }";
    assert_eq!(scene.server.data_as(city, listed, &json!({}))["inspectionCases"]["nodes"][0]["id"], json!(case));

    // Whoever watches the case is told, and it is corrected while it is worked on.
    let mut socket = Socket::open_as(&scene.server, lead);
    let watch = "subscription($within: ID) { ledgerChanged(within: $within) { kind inspectionCase { id batch } } }";
    socket.subscribe("case", watch, &json!({"within": scene.named("regions", "洛隆县")}));
    socket.say(&json!({"type": "ping"}));
    assert_eq!(socket.hear(), json!({"type": "pong"}));
    scene.done(city, "editCase", &edit(json!({"batch": "第五批"})));
    let told = json!({"kind": "EDITED", "inspectionCase": {"id": case, "batch": "第五批"}});
    assert_eq!(socket.hear()["payload"]["data"]["ledgerChanged"], told);
    scene.done(lead, "acceptCase", &edit(json!({})));
    let resolved = json!({"finding": "TRUE", "text": "已整改。"});
    scene.done(lead, "resolveCase", &edit(resolved));
    scene.done(region, "verifyCase", &edit(json!({"opinion": "现场核查，整改到位。"})));
    assert_eq!(scene.done(region, "editCase", &edit(json!({"batch": null})))["state"], "ACCEPTED");
    assert_eq!(read()["batch"], Value::Null);
    scene.done(region, "closeCase", &edit(json!({"decision": "同意销号。"})));
    assert_eq!(scene.refused(region, "editCase", &edit(json!({"batch": "5"}))), refusal("WRONG_STATE", "caseId"));
    world.done(&["audit", "verify"]);

    // The page has the button and the form, with the values of the case.
    world.employ("desk@gov.example", "city-office", "昌都市生态环境保护督察整改办");
    let cookie = format!("rectify={}; rectify-language=zh", scene.server.sign_in("desk@gov.example"));
    let get = |path: &str| asked(&scene.server, "GET", path, &[("cookie", &cookie)], b"").body;
    assert!(get(&format!("/cases/{other}")).contains("更正案件"));
    let form = get(&format!("/acts/editCase?on={other}&version=2"));
    for begun in ["D3SX202505270002", "value=\"NOISE\" checked", "value=\"WATER\" checked", "2025-06-07"] {
        assert!(form.contains(begun), "{begun}: {form}");
    }
    assert!(!form.contains("value=\"SOIL\" checked"), "{form}");
}
