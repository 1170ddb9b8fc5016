//! The life of a measure that is assigned to three counties: assigned, accepted, reported on, returned, extended,
//! publicised, objected to, closed, reopened, closed again. Each role can take its own steps and no others.

use entity::close_out;
use sea_orm::{ConnectionTrait, EntityTrait};
use serde_json::{Value, json};

use crate::scene::MeasureScene;
use crate::support::{World, block_on, stories};

stories!(
    a_measure_lives_from_order_to_close_out_and_again,
    a_changed_or_missing_entry_of_the_audit_is_found,
    a_day_whose_signature_is_forged_or_taken_away_is_found,
);

#[expect(clippy::too_many_lines, reason = "the steps of one measure form one story")]
fn a_measure_lives_from_order_to_close_out_and_again(world: &World) {
    let scene = MeasureScene::set(world);
    let [luolong, leiwuqi, chaya] = scene.counties.clone();
    let (region, city) = (scene.region.clone(), scene.city.clone());
    assert_eq!(scene.figures(&city).0, scene.figures(&region).0);
    let before = scene.figures(&city);

    // Assigned: 各县（区） is resolved to three counties. Counties cannot assign, and do not see a measure that is not
    // assigned to them.
    let version = |scene: &MeasureScene<'_>| {
        let query = "query($id: ID!) { measure(id: $id) { version } }";
        scene.server.data_as(&city, query, &json!({ "id": scene.measure }))["measure"]["version"].clone()
    };
    let assign = json!({"measureId": scene.measure, "version": version(&scene), "hasSelectorsResolved": true});
    assert_eq!(scene.refused(&luolong, "assignMeasure", "AssignMeasureInput", &assign), "NOT_FOUND");
    assert_eq!(scene.refused(&scene.inspector.clone(), "assignMeasure", "AssignMeasureInput", &assign), "NOT_ALLOWED");
    assert_eq!(scene.act(&city, "assignMeasure", "AssignMeasureInput", &assign)["errors"], json!([]));
    assert_eq!(scene.refused(&city, "assignMeasure", "AssignMeasureInput", &assign), "STALE_VERSION");
    let after = scene.figures(&city);
    assert_eq!(after.0, before.0 + 3);
    assert_eq!(scene.figures(&luolong).0, 1, "a county counts only its own assignments");

    // A county sees the measure with its own assignment only; a sibling's id is like an unknown one.
    let query = "query($id: ID!) { measure(id: $id) { content assignments(first: 50) { totalCount \
        nodes { unit { name } } } } }";
    let seen = scene.server.data_as(&luolong, query, &json!({ "id": scene.measure }));
    assert_eq!(seen["measure"]["assignments"]["totalCount"], 1);
    let sibling = scene.on("类乌齐县", json!({"reason": "不是我县的事"}));
    assert_eq!(scene.refused(&luolong, "proposeNotApplicable", "ProposeNotApplicableInput", &sibling), "NOT_FOUND");

    // The measure does not apply to one county: the county proposes it, the city office confirms.
    let reason = json!({"reason": "我县境内没有小水电站。"});
    assert_eq!(
        scene.done(&chaya, "proposeNotApplicable", "ProposeNotApplicableInput", &scene.on("察雅县", reason)),
        "NOT_APPLICABLE_PROPOSED"
    );
    assert_eq!(
        scene.refused(&chaya, "confirmNotApplicable", "ConfirmNotApplicableInput", &scene.on("察雅县", json!({}))),
        "NOT_ALLOWED"
    );
    assert_eq!(
        scene.done(&city, "confirmNotApplicable", "ConfirmNotApplicableInput", &scene.on("察雅县", json!({}))),
        "NOT_APPLICABLE"
    );
    assert_eq!(scene.figures(&city).3, after.3 + 1);

    // Another county accepts. Of two concurrent saves the second is refused and changes nothing.
    let mine = scene.on("洛隆县", json!({}));
    scene.done(&luolong, "acceptAssignment", "AcceptAssignmentInput", &mine);
    assert_eq!(scene.refused(&luolong, "acceptAssignment", "AcceptAssignmentInput", &mine), "STALE_VERSION");
    let early = json!({"application": "申请销号。"});
    assert_eq!(
        scene.refused(&luolong, "applyForCloseOut", "ApplyForCloseOutInput", &scene.on("洛隆县", early.clone())),
        "WRONG_STATE"
    );
    let report = json!({"period": "2023-04", "text": "已停运，正在拆除。"});
    assert_eq!(
        scene.done(&luolong, "reportProgress", "ReportProgressInput", &scene.on("洛隆县", report)),
        "IN_PROGRESS"
    );
    let unproven = scene.act(&luolong, "applyForCloseOut", "ApplyForCloseOutInput", &scene.on("洛隆县", early));
    assert_eq!(
        unproven["errors"].as_array().unwrap().len(),
        2,
        "evidence and a self-inspection are needed: {unproven:#}"
    );

    // Applied for, returned and applied for again. The city office can only verify what has been applied for.
    let verify = json!({"opinion": "现场核查，电站已拆除。"});
    assert_eq!(
        scene.refused(&city, "verifyCloseOut", "VerifyCloseOutInput", &scene.on("洛隆县", verify.clone())),
        "WRONG_STATE"
    );
    scene.apply(&luolong, "洛隆县");
    assert_eq!(scene.figures(&city).1, after.1 + 1, "the reported completion counts");
    assert_eq!(
        scene.refused(&luolong, "verifyCloseOut", "VerifyCloseOutInput", &scene.on("洛隆县", verify.clone())),
        "NOT_ALLOWED"
    );
    let back = json!({"reason": "河道恢复不彻底，请补充佐证材料。"});
    assert_eq!(scene.done(&city, "returnCloseOut", "ReturnCloseOutInput", &scene.on("洛隆县", back)), "RETURNED");
    assert_eq!(scene.figures(&city).1, after.1);
    assert!(
        scene.mails("销号退回") >= 2,
        "the unit and the submitter must be notified: {}",
        world.done(&["mail", "list"])
    );
    scene.apply(&luolong, "洛隆县");

    // The other county requests an extension: the city office endorses, the regional office approves.
    let later = json!({"newDueOn": "2023-12-31", "reason": "汛期无法施工。"});
    let asked = scene.beside("类乌齐县", later);
    scene.done(&leiwuqi, "requestExtension", "RequestExtensionInput", &asked);
    assert_eq!(scene.refused(&leiwuqi, "requestExtension", "RequestExtensionInput", &asked), "CONFLICT");
    let pending = "{ deadlineChanges { nodes { id state oldDueOn newDueOn } } }";
    let found = scene.server.data_as(&leiwuqi, pending, &json!({}));
    let extension = found["deadlineChanges"]["nodes"][0]["id"].clone();
    assert_eq!(
        scene.server.data_as(&luolong, pending, &json!({}))["deadlineChanges"]["nodes"],
        json!([]),
        "a sibling does not see a pending extension"
    );
    let decide = |decision: &str| json!({"extensionId": extension, "decision": decision, "words": "情况属实。"});
    assert_eq!(scene.refused(&region, "decideExtension", "DecideExtensionInput", &decide("APPROVE")), "WRONG_STATE");
    assert_eq!(scene.refused(&leiwuqi, "decideExtension", "DecideExtensionInput", &decide("ENDORSE")), "NOT_ALLOWED");
    scene.done(&city, "decideExtension", "DecideExtensionInput", &decide("ENDORSE"));
    assert_eq!(scene.refused(&city, "decideExtension", "DecideExtensionInput", &decide("APPROVE")), "NOT_ALLOWED");
    scene.done(&region, "decideExtension", "DecideExtensionInput", &decide("APPROVE"));
    let moved = "query($id: ID!) { measure(id: $id) { deadline { dueOn } \
        deadlineChanges { nodes { oldDueOn newDueOn state } } } }";
    let moved = scene.server.data_as(&city, moved, &json!({ "id": scene.measure }));
    assert_eq!(moved["measure"]["deadline"]["dueOn"], "2023-12-31");
    assert_eq!(moved["measure"]["deadlineChanges"]["nodes"][0]["oldDueOn"], "2023-06-30", "the first deadline is kept");
    // The deadline of that county alone has moved, and its sibling sees nothing of it.
    let own = "{ assignments { nodes { dueOn overdueAfter measure { plannedDueOn } } } }";
    let due = |token: &str| scene.server.data_as(token, own, &json!({}))["assignments"]["nodes"][0].clone();
    let until = |day: &str| json!({"dueOn": day, "overdueAfter": day, "measure": {"plannedDueOn": "2023-06-30"}});
    assert_eq!((due(&leiwuqi), due(&luolong)), (until("2023-12-31"), until("2023-06-30")));
    assert_eq!(scene.server.data_as(&luolong, pending, &json!({}))["deadlineChanges"]["nodes"], json!([]));

    // Verified and publicised: the notice period is five working days, without the May holidays.
    scene.clock.set("2023-04-24T10:00");
    assert_eq!(
        scene.done(&city, "verifyCloseOut", "VerifyCloseOutInput", &scene.on("洛隆县", verify.clone())),
        "VERIFIED"
    );
    let notice =
        json!({"text": "洛隆县小水电站整改完成情况公示。", "contact": "昌都市整改办 0895-0000000", "workingDays": 4});
    assert_eq!(
        scene.refused(&city, "publiciseCloseOut", "PubliciseCloseOutInput", &scene.on("洛隆县", notice)),
        "INVALID"
    );
    let notice = json!({"text": "洛隆县小水电站整改完成情况公示。", "contact": "昌都市整改办 0895-0000000"});
    assert_eq!(
        scene.done(&city, "publiciseCloseOut", "PubliciseCloseOutInput", &scene.on("洛隆县", notice.clone())),
        "PUBLICISED"
    );
    let close = json!({"decision": "同意销号。"});
    assert_eq!(
        scene.refused(&region, "closeAssignment", "CloseAssignmentInput", &scene.on("洛隆县", close.clone())),
        "WRONG_STATE"
    );

    // An objection received during the notice period is recorded once and upheld: the assignment is in progress again.
    let object = |text: &str, received: &str| scene.beside("洛隆县", json!({"text": text, "receivedOn": received}));
    let raise = |input: &Value| scene.refused(&city, "raiseObjection", "RaiseObjectionInput", input);
    scene.clock.set("2023-05-08T10:00");
    assert_eq!(raise(&object("公示前就有的意见。", "2023-04-20")), "WRONG_STATE");
    assert_eq!(
        raise(&scene.beside("洛隆县", json!({"text": "公示期满才收到的意见。"}))),
        "WRONG_STATE",
        "the date defaults to today"
    );
    assert_eq!(raise(&object("明天的意见。", "2023-05-09")), "INVALID");
    assert_eq!(
        raise(&object("举报人张三13900001234反映仍有弃渣。", "2023-04-26")),
        "INVALID",
        "complainants must not be named"
    );
    let in_time = object("下游仍有弃渣未清理。", "2023-04-26");
    scene.done(&city, "raiseObjection", "RaiseObjectionInput", &in_time);
    assert_eq!(raise(&in_time), "CONFLICT", "the objection is already recorded");
    assert_eq!(
        raise(&object("下游仍有\u{200b}弃渣未清理。", "2023-04-26")),
        "CONFLICT",
        "an invisible character makes no other objection"
    );
    // A disclosed notice is no longer public once an objection is upheld.
    let disclose = |public: bool| scene.beside("洛隆县", json!({"isPublic": public}));
    let public = "{ publicNotices { unit notice contact closedOn } }";
    scene.done(&region, "discloseCloseOut", "DiscloseCloseOutInput", &disclose(true));
    assert_eq!(scene.server.data(public, &json!({}))["publicNotices"][0]["unit"], "洛隆县人民政府");
    let objections = "{ closeOuts { nodes { cycle state noticeUntil objections { id isUpheld receivedOn } } } }";
    let found = scene.server.data_as(&city, objections, &json!({}));
    let newest = found["closeOuts"]["nodes"][0].clone();
    let objection = newest["objections"][0]["id"].clone();
    let decision = |upheld: bool| json!({"objectionId": objection, "isUpheld": upheld, "answer": "经核实，情况属实。"});
    assert_eq!(scene.refused(&leiwuqi, "decideObjection", "DecideObjectionInput", &decision(true)), "NOT_FOUND");
    assert_eq!(scene.done(&city, "decideObjection", "DecideObjectionInput", &decision(true)), "IN_PROGRESS");
    assert_eq!(scene.refused(&city, "decideObjection", "DecideObjectionInput", &decision(false)), "WRONG_STATE");
    assert_eq!(scene.server.data(public, &json!({}))["publicNotices"], json!([]));
    assert_eq!(scene.refused(&region, "discloseCloseOut", "DiscloseCloseOutInput", &disclose(true)), "WRONG_STATE");

    // Applied for and publicised again, closed after the notice period; disclosed by a separate mutation.
    scene.apply(&luolong, "洛隆县");
    scene.done(&city, "verifyCloseOut", "VerifyCloseOutInput", &scene.on("洛隆县", verify.clone()));
    scene.done(&city, "publiciseCloseOut", "PubliciseCloseOutInput", &scene.on("洛隆县", notice.clone()));
    scene.clock.set("2023-05-20T10:00");
    assert_eq!(
        scene.refused(&city, "closeAssignment", "CloseAssignmentInput", &scene.on("洛隆县", close.clone())),
        "NOT_ALLOWED"
    );
    assert_eq!(
        scene.done(&region, "closeAssignment", "CloseAssignmentInput", &scene.on("洛隆县", close.clone())),
        "CLOSED"
    );
    assert_eq!(scene.figures(&city).2, after.2 + 1);
    assert_eq!(scene.server.data(public, &json!({}))["publicNotices"], json!([]), "closing must not disclose");
    let urge = scene.beside("洛隆县", json!({"kind": "URGE", "reason": "请加快"}));
    assert_eq!(
        scene.refused(&city, "issueSupervision", "IssueSupervisionInput", &urge),
        "WRONG_STATE",
        "a closed assignment cannot be urged"
    );
    scene.done(&region, "discloseCloseOut", "DiscloseCloseOutInput", &disclose(true));
    let shown = scene.server.data(public, &json!({}));
    assert_eq!(shown["publicNotices"][0]["unit"], "洛隆县人民政府");
    // Caches may store public notices for a minute, if requested by GET and without other fields.
    let keeping = |query: &str| {
        let answer = scene.server.get_graphql(&[("query", query)]);
        answer.header("cache-control").to_owned()
    };
    assert_eq!(keeping(public), "public, max-age=60");
    assert_eq!(keeping("{ publicNotices { nope } }"), "no-store");
    assert_eq!(keeping("{ publicNotices { unit } demoAccounts { name } }"), "no-store");
    assert_eq!(scene.server.ask(&json!({ "query": public }), &[]).header("cache-control"), "no-store");
    let secret = scene.server.ask(&json!({"query": "{ closeOuts { totalCount } }"}), &[]);
    assert_eq!((secret.status, secret.code().as_str()), (401, "UNAUTHENTICATED"));

    // A relapse: reopened, applied for and closed again; earlier cycles stay unchanged.
    let relapse = json!({"reason": "巡查发现电站私自恢复运行。"});
    assert_eq!(
        scene.refused(&city, "reopenAssignment", "ReopenAssignmentInput", &scene.on("洛隆县", relapse.clone())),
        "NOT_ALLOWED"
    );
    assert_eq!(
        scene.done(&region, "reopenAssignment", "ReopenAssignmentInput", &scene.on("洛隆县", relapse)),
        "REOPENED"
    );
    assert_eq!(scene.figures(&city).2, after.2);
    assert_eq!(scene.server.data(public, &json!({}))["publicNotices"], json!([]), "a relapse ends the disclosure");
    scene.clock.set("2023-05-22T10:00");
    let again = scene.on("洛隆县", json!({"period": "2023-05", "text": "电站已再次停运。"}));
    scene.done(&luolong, "reportProgress", "ReportProgressInput", &again);
    let early = scene.on("洛隆县", json!({"application": "已再次整改到位。"}));
    assert_eq!(
        scene.refused(&luolong, "applyForCloseOut", "ApplyForCloseOutInput", &early),
        "WRONG_STATE",
        "a relapse requires a new self-inspection"
    );
    scene.apply(&luolong, "洛隆县");
    scene.done(&city, "verifyCloseOut", "VerifyCloseOutInput", &scene.on("洛隆县", verify));
    scene.done(&city, "publiciseCloseOut", "PubliciseCloseOutInput", &scene.on("洛隆县", notice));
    scene.clock.set("2023-06-20T10:00");
    assert_eq!(scene.done(&region, "closeAssignment", "CloseAssignmentInput", &scene.on("洛隆县", close)), "CLOSED");
    let cycles = scene.server.data_as(&city, objections, &json!({}));
    let states: Vec<&str> =
        cycles["closeOuts"]["nodes"].as_array().unwrap().iter().map(|one| one["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["CLOSED", "REOPENED", "OBJECTED", "RETURNED"]);

    // Every step is recorded in intact audit chains, and each account sees only its own part.
    let trail = "{ auditEntries(first: 200) { totalCount nodes { act actor { name } assignment { unit { name } } } } }";
    let of_city = scene.server.data_as(&city, trail, &json!({}));
    let acts: Vec<&str> =
        of_city["auditEntries"]["nodes"].as_array().unwrap().iter().map(|one| one["act"].as_str().unwrap()).collect();
    assert_eq!(acts.iter().filter(|act| **act == "CLOSED").count(), 2);
    assert!(acts.contains(&"REOPENED") && acts.contains(&"EXTENSION_DECIDED"), "{acts:?}");
    let of_sibling = scene.server.data_as(&leiwuqi, trail, &json!({}));
    let names = of_sibling["auditEntries"].to_string();
    assert!(!names.contains("洛隆县") && names.contains("类乌齐县"), "{names}");
    let whole = world.done(&["audit", "verify"]);
    assert!(whole.contains("无缺失"), "{whole}");
    assert!(world.done(&["statistics", "check"]).contains("一致"), "kept figures must equal a recount after all steps");
    block_on(async {
        let db = world.db().await;
        assert_eq!(close_out::Entity::find().all(&db).await.unwrap().len(), 4);
        db.close().await.unwrap();
    });
}

fn a_day_whose_signature_is_forged_or_taken_away_is_found(world: &World) {
    let scene = MeasureScene::set(world);
    let key = world.file("audit.key", b"a key of the story, thirty-two bytes long");
    let run = |arguments: &[&str]| {
        let ran = world.program().args(arguments).env("RECTIFY_AUDIT_KEY_FILE", &key).output().unwrap();
        let said = String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr);
        (ran.status.code(), said)
    };
    drop(scene);
    // One day sealed before signing began, and two after.
    world.done(&["job", "run", "seal-audit", "--at", "2026-01-02T01:00:00+08:00"]);
    for day in ["2026-01-03", "2026-01-04"] {
        assert_eq!(run(&["job", "run", "seal-audit", "--at", &format!("{day}T01:00:00+08:00")]).0, Some(0));
    }
    // And yesterday, because an outdated newest seal is a fault of its own.
    assert_eq!(run(&["job", "run", "seal-audit"]).0, Some(0));
    let (whole, said) = run(&["audit", "verify"]);
    assert!(whole == Some(0) && said.contains("封存 4 日，其中 1 日未签名"), "{said}");
    block_on(async {
        let db = world.db().await;
        let disarm: &[&str] = if world.url.starts_with("postgres") {
            &["ALTER TABLE audit_head DISABLE TRIGGER ALL"]
        } else {
            &["DROP TRIGGER audit_head_no_update", "DROP TRIGGER audit_head_no_delete"]
        };
        for statement in disarm {
            db.execute_unprepared(statement).await.unwrap();
        }
    });
    for forged in ["", "00"] {
        block_on(async {
            let db = world.db().await;
            let forge = format!("UPDATE audit_head SET signature = '{forged}' WHERE day = '2026-01-03'");
            db.execute_unprepared(&forge).await.unwrap();
        });
        let (found, said) = run(&["audit", "verify"]);
        assert!(found == Some(1) && said.contains("2026-01-03：封存签名不符"), "{said}");
        // Without the key a missing signature is detected, a forged one is not.
        let without = world.run(&["audit", "verify"]);
        assert_eq!(without.code, i32::from(forged.is_empty()), "{}", without.out);
        assert!(without.out.contains("签名没有核对"), "{}", without.out);
    }
}

fn a_changed_or_missing_entry_of_the_audit_is_found(world: &World) {
    let scene = MeasureScene::set(world);
    let query = "query($id: ID!) { measure(id: $id) { version } }";
    let version =
        scene.server.data_as(&scene.city, query, &json!({ "id": scene.measure }))["measure"]["version"].clone();
    let assign = json!({"measureId": scene.measure, "version": version, "hasSelectorsResolved": true});
    scene.act(&scene.city, "assignMeasure", "AssignMeasureInput", &assign);
    scene.apply(&scene.counties[0], "洛隆县");
    assert_eq!(world.run(&["audit", "verify"]).code, 0);
    block_on(async {
        let db = world.db().await;
        for statement in ["UPDATE audit_entry SET act = 'CLOSED'", "DELETE FROM audit_entry"] {
            assert!(
                db.execute_unprepared(statement).await.is_err(),
                "the database must refuse to change entries: {statement}"
            );
        }
        // The owner of the database can disable the triggers; the chain still reveals the change.
        let disarm: &[&str] = if world.url.starts_with("postgres") {
            &["ALTER TABLE audit_entry DISABLE TRIGGER ALL"]
        } else {
            &["DROP TRIGGER audit_entry_no_update", "DROP TRIGGER audit_entry_no_delete"]
        };
        for statement in disarm {
            db.execute_unprepared(statement).await.unwrap();
        }
        db.execute_unprepared("UPDATE audit_entry SET after = '{}' WHERE act = 'CLOSE_OUT_APPLIED'").await.unwrap();
        db.execute_unprepared("DELETE FROM audit_entry WHERE act = 'CHECKED'").await.unwrap();
        db.close().await.unwrap();
    });
    let found = world.run(&["audit", "verify"]);
    assert_eq!(found.code, 1);
    assert!(found.out.contains("内容被改动") && found.out.contains("缺失"), "{}", found.out);
}
