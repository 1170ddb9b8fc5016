//! What mails say: every kind, in both languages, as its recipient reads it (`tests/snapshots/mail`).

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use entity::mail;
use scheduler::{Context, Post};
use sea_orm::EntityTrait;
use serde_json::{Value, json};

use crate::scene::{CaseScene, MeasureScene};
use crate::schedule;
use crate::support::{PASSWORD, Server, Smtp, World, block_on, stories};

stories!(
    mails_about_an_assignment_say_what_happened_and_what_to_do,
    mails_about_a_case_say_what_happened_and_what_to_do,
    mails_about_an_account_say_what_happened,
    digests_say_what_is_to_be_done_by_when,
    the_end_of_a_public_notice_is_told_to_the_office_that_closes,
    what_people_write_stays_text_in_a_mail,
    a_webhook_that_was_disabled_is_told_of,
);

/// Two recipients of each mail: one whose account reads English, and one who gets the installation's language.
const READERS: [(&str, &str); 2] = [("zh", "u540329@gov.example"), ("en", "en@gov.example")];

/// Gives a unit's mail address a second reader, whose account has English as its language.
fn read_english(world: &World, unit: &str, zh: &str, en: &str) {
    world.done(&["unit", "set", unit, "--mail", zh, "--mail", en]);
    let account = ["account", "create", en, "--role", "lead-unit", "--unit", unit, "--language", "en", "--no-password"];
    world.done(&account);
}

/// Delivers all queued mails at a moment through a real server, and returns each with its kind.
pub(crate) fn deliver(world: &World, now: &str) -> Vec<(String, Value)> {
    let smtp = Smtp::start();
    let now: DateTime<Utc> = now.parse().unwrap();
    let sent = block_on(async {
        let db = world.db().await;
        let context = Context {
            post: Arc::new(Post::open(&smtp.url, "整改台账 <ledger@gov.example>").unwrap()),
            ..schedule::context(world, &db, &now.to_rfc3339())
        };
        let job = scheduler::find("deliver-mail").unwrap();
        let report = scheduler::run_at(&context, job, now, false).await.unwrap();
        assert!(report.summary.ends_with("失败 0 封"), "{}", report.summary);
        let rows = mail::Entity::find().all(&db).await.unwrap();
        db.close().await.unwrap();
        rows
    });
    let kind = |message_id: &str| {
        let id: i64 = message_id.split('-').nth(2).unwrap().parse().unwrap();
        sent.iter().find(|mail| mail.id == id).unwrap().kind.clone()
    };
    let mails = smtp.mails();
    let mails = mails.iter().map(|mail| serde_json::from_str::<Value>(mail).unwrap());
    mails.map(|mail| (kind(mail["message_id"].as_str().unwrap()), mail)).collect()
}

/// What Outlook on Windows leaves out of a mail.
const WITHOUT_OUTLOOK: [&str; 9] =
    ["display:flex", "display:grid", "position:", "float:", "background-image", "url(", "calc(", "var(--", "rem;"];

/// Compares the first mail of each kind to each reader with its snapshot, and asserts that there was one of each kind.
fn compare(mails: &[(String, Value)], readers: &[(&str, &str)], kinds: &[&str]) {
    let found: BTreeSet<&str> = mails.iter().map(|(kind, _)| kind.as_str()).collect();
    for kind in kinds {
        for (language, address) in readers {
            let mail = mails.iter().find(|(of, mail)| of == kind && mail["to"] == json!([address]));
            let (_, mail) = mail.unwrap_or_else(|| panic!("no {kind} to {address}, but {found:?}"));
            let text = mail["text"].as_str().unwrap().replace("\r\n", "\n");
            insta::with_settings!({
                snapshot_path => "../snapshots/mail",
                prepend_module_to_snapshot => false,
                omit_expression => true,
                // What differs from run to run.
                filters => vec![
                    (r"token=[0-9A-Za-z]+", "token=TOKEN"),
                    (r"\b[0-9a-f]{64}\b", "DIGEST"),
                    (r"\b\d+ (entries)|(记录) \d+ 条", "$1$2 N"),
                ],
            }, {
                let subject = mail["subject"].as_str().unwrap();
                insta::assert_snapshot!(format!("{kind}.{language}"), format!("{subject}\n\n{text}"));
            });
            let html = mail["html"].as_str().unwrap();
            keep(&format!("{kind}.{language}"), html);
            let left_out = WITHOUT_OUTLOOK.iter().find(|css| html.contains(*css));
            assert_eq!(left_out, None, "{kind}: Outlook leaves it out");
            assert!(html.contains("max-width:640px") && !html.contains("{{") && !html.contains("<mj-"), "{kind}");
        }
    }
}

/// Writes a mail into the folder `RECTIFY_KEEP_MAILS`, if it is set: `docs/mails/shoot` takes pictures of them.
fn keep(name: &str, html: &str) {
    if let Some(folder) = std::env::var_os("RECTIFY_KEEP_MAILS") {
        std::fs::write(Path::new(&folder).join(format!("{name}.html")), html).unwrap();
    }
}

/// Names the mails of a reader whom other words tell than the unit that answers.
fn as_read_by(reader: &str, mails: &[(String, Value)]) -> Vec<(String, Value)> {
    mails.iter().map(|(kind, mail)| (format!("{kind}.{reader}"), mail.clone())).collect()
}

/// The readers of the city office, of the regional office, and of the county that assists or declines.
const OF_CITY: [(&str, &str); 2] = [("zh", "u540300@gov.example"), ("en", "city-en@gov.example")];
const OF_REGION: [(&str, &str); 2] = [("zh", "u540000@gov.example"), ("en", "region-en@gov.example")];
const OF_OTHER: [(&str, &str); 2] = [("zh", "u540323@gov.example"), ("en", "other-en@gov.example")];

/// Gives the units of a scene readers of both languages.
fn read_both(world: &World) {
    for (unit, [(_, zh), (_, en)]) in [
        ("洛隆县人民政府", READERS),
        ("类乌齐县人民政府", OF_OTHER),
        ("昌都市生态环境保护督察整改办", OF_CITY),
        ("西藏自治区生态环境保护督察整改办", OF_REGION),
    ] {
        read_english(world, unit, zh, en);
    }
}

fn mails_about_an_assignment_say_what_happened_and_what_to_do(world: &World) {
    let scene = MeasureScene::set(world);
    read_both(world);
    read_english(world, "市水利局", "water@city.example", "water-en@city.example");
    let leads = [("zh", "water@city.example"), ("en", "water-en@city.example")];
    let leader = ["account", "create", "leader@city.example", "--role", "leader", "--region", "540300"];
    world.done(&[&leader[..], &["--no-password"]].concat());
    let leader = world.done(&["token", "create", "leader@city.example"]).trim().to_owned();
    let query = "query($id: ID!) { measure(id: $id) { version } }";
    let version =
        scene.server.data_as(&scene.city, query, &json!({ "id": scene.measure }))["measure"]["version"].clone();
    let assign = json!({"measureId": scene.measure, "version": version, "hasSelectorsResolved": true});
    assert_eq!(scene.act(&scene.city, "assignMeasure", "AssignMeasureInput", &assign)["errors"], json!([]));
    let mut mails = Vec::new();
    let mut read = |now: &str| mails.extend(deliver(world, now));
    answer_and_extend(&scene, &mut read);
    supervise_and_return(&scene, &leader, &mut read);
    close_and_reopen(&scene, &mut read);
    let kinds = [
        "assigned",
        "not-applicable-rejected",
        "urge",
        "supervision",
        "yellow-card",
        "listing",
        "red-card",
        "summons",
        "extension-endorsed",
        "extension-approved",
        "extension-rejected",
        "supervision-lifted",
        "comment",
        "returned",
        "verified",
        "publicised",
        "objection",
        "objection-rejected",
        "objection-upheld",
        "closed",
        "relapse",
    ];
    compare(&mails, &READERS, &kinds);
    compare(&mails, &OF_OTHER, &["not-applicable-confirmed"]);
    compare(&mails, &OF_CITY, &["accepted", "declined", "not-applicable-proposed", "extension-requested", "applied"]);
    compare(&as_read_by("next", &mails), &OF_CITY, &["objection.next"]);
    compare(&as_read_by("next", &mails), &OF_REGION, &["extension-endorsed.next"]);
    compare(&as_read_by("next", &mails), &leads, &["verified.next"]);
    compare(&as_read_by("lead-unit", &mails), &leads, &["returned.lead-unit", "declined.lead-unit"]);
}

/// Answers an assignment, supervises it and asks for an extension. `read` takes the moment at which mails are read.
fn answer_and_extend(scene: &MeasureScene<'_>, read: &mut impl FnMut(&str)) {
    let (city, county, other) = (&scene.city, &scene.counties[0], &scene.counties[1]);
    let done = |token: &str, name: &str, input: &Value| scene.stepped(token, name, input);
    let first = |query: &str, list: &str| scene.server.data_as(city, query, &json!({}))[list]["nodes"][0].clone();
    done(county, "acceptAssignment", &scene.on("洛隆县", json!({})));
    let declined = json!({"reason": "电站属省电力公司管理。"});
    done(other, "declineAssignment", &scene.on("类乌齐县", declined));
    read("2023-04-10T01:10:00Z");
    done(city, "confirmNotApplicable", &scene.on("类乌齐县", json!({})));
    done(county, "proposeNotApplicable", &scene.on("洛隆县", json!({"reason": "我县境内没有小水电站。"})));
    read("2023-04-10T01:20:00Z");
    let reject = json!({"reason": "洛隆县有两座停运电站，适用此项措施。"});
    done(city, "rejectNotApplicable", &scene.on("洛隆县", reject));
    for (kind, reason) in [
        ("URGE", "汛期将至，请加快拆除。"),
        ("SUPERVISE", "进度滞后。"),
        ("YELLOW_CARD", "连续一个月没有进展。"),
        ("LIST", "久拖不决。"),
        ("RED_CARD", "挂牌后仍无实质进展。"),
        ("SUMMON", "多次督办未见成效。"),
    ] {
        let mut input = json!({"kind": kind, "reason": reason, "answerBy": "2023-04-20"});
        if kind != "URGE" {
            input["documentNumber"] = json!("昌整改办督〔2023〕7号");
        }
        if kind == "SUMMON" {
            input["meetingAt"] = json!("2023-04-14T09:30:00+08:00");
            input["place"] = json!("昌都市整改办三楼会议室");
            input["contact"] = json!("督办科 0895-0000000");
        }
        done(city, "issueSupervision", &scene.beside("洛隆县", input));
    }
    let pending = "{ deadlineChanges(filter: {state: [REQUESTED, ENDORSED]}) { nodes { id } } }";
    let decide = |token: &str, decision: &str, words: &str| {
        let id = first(pending, "deadlineChanges")["id"].clone();
        done(token, "decideExtension", &json!({"extensionId": id, "decision": decision, "words": words}));
    };
    let later = json!({"newDueOn": "2023-08-31", "reason": "汛期无法施工。"});
    done(county, "requestExtension", &scene.beside("洛隆县", later));
    read("2023-04-10T01:30:00Z");
    decide(city, "ENDORSE", "情况属实，同意上报。");
    read("2023-04-10T01:40:00Z");
}

/// Decides on extensions, lifts supervision, comments, and returns an application.
fn supervise_and_return(scene: &MeasureScene<'_>, leader: &str, read: &mut impl FnMut(&str)) {
    let (region, city, county) = (&scene.region, &scene.city, &scene.counties[0]);
    let done = |token: &str, name: &str, input: &Value| scene.stepped(token, name, input);
    let first = |query: &str, list: &str| scene.server.data_as(city, query, &json!({}))[list]["nodes"][0].clone();
    let pending = "{ deadlineChanges(filter: {state: [REQUESTED, ENDORSED]}) { nodes { id } } }";
    let decide = |token: &str, decision: &str, words: &str| {
        let id = first(pending, "deadlineChanges")["id"].clone();
        done(token, "decideExtension", &json!({"extensionId": id, "decision": decision, "words": words}));
    };
    decide(region, "APPROVE", "同意延期，请倒排工期。");
    let later = json!({"newDueOn": "2024-08-31", "reason": "再次遇到汛期。"});
    done(county, "requestExtension", &scene.beside("洛隆县", later));
    decide(city, "REJECT", "理由不充分。");
    let listed = first("{ supervisionActions(filter: {kind: [LIST]}) { nodes { id } } }", "supervisionActions");
    done(city, "liftSupervision", &json!({"actionId": listed["id"], "reason": "已明确完成期限。"}));
    let comment = json!({"measureId": scene.measure, "text": "请逐站销账，月底前报我。"});
    scene.act(leader, "commentOnMeasure", "CommentOnMeasureInput", &comment);
    scene.apply(county, "洛隆县");
    read("2023-04-10T01:50:00Z");
    done(city, "returnCloseOut", &scene.on("洛隆县", json!({"reason": "河道恢复不彻底，请补充佐证材料。"})));
    read("2023-04-10T02:00:00Z");
}

/// Verifies, publicises, objects, closes and reopens.
fn close_and_reopen(scene: &MeasureScene<'_>, read: &mut impl FnMut(&str)) {
    let (region, city, county) = (&scene.region, &scene.city, &scene.counties[0]);
    let done = |token: &str, name: &str, input: &Value| scene.stepped(token, name, input);
    let first = |query: &str, list: &str| scene.server.data_as(city, query, &json!({}))[list]["nodes"][0].clone();
    let verified = || scene.on("洛隆县", json!({"opinion": "现场核查属实。"}));
    scene.apply(county, "洛隆县");
    done(city, "verifyCloseOut", &verified());
    read("2023-04-10T02:10:00Z");
    let notice = json!({"text": "洛隆县小水电站整改完成情况公示。", "contact": "昌都市整改办 0895-0000000"});
    done(city, "publiciseCloseOut", &scene.on("洛隆县", notice.clone()));
    scene.clock.set("2023-04-12T10:00");
    let object = |text: &str| {
        done(region, "raiseObjection", &scene.beside("洛隆县", json!({"text": text, "receivedOn": "2023-04-12"})));
    };
    object("电站机房尚未拆除。");
    read("2023-04-12T02:30:00Z");
    let decide = |is_upheld: bool, answer: &str| {
        let query = "{ closeOuts(filter: {state: [PUBLICISED]}) { nodes { objections { id decidedAt } } } }";
        let objections = first(query, "closeOuts")["objections"].as_array().unwrap().clone();
        let open = objections.iter().find(|one| one["decidedAt"].is_null()).unwrap();
        let decision = json!({"objectionId": open["id"], "isUpheld": is_upheld, "answer": answer});
        done(city, "decideObjection", &decision);
    };
    decide(false, "经核实，机房已于三月拆除。");
    object("下游仍有弃渣未清理。");
    decide(true, "经核实，弃渣确未清理。");
    read("2023-04-12T03:00:00Z");

    scene.apply(county, "洛隆县");
    done(city, "verifyCloseOut", &verified());
    done(city, "publiciseCloseOut", &scene.on("洛隆县", notice));
    scene.clock.set("2023-05-20T10:00");
    done(region, "closeAssignment", &scene.on("洛隆县", json!({"decision": "同意销号。"})));
    done(region, "reopenAssignment", &scene.on("洛隆县", json!({"reason": "巡查发现电站私自恢复运行。"})));
    read("2023-05-20T02:30:00Z");
}

fn mails_about_a_case_say_what_happened_and_what_to_do(world: &World) {
    let scene = CaseScene::set(world);
    read_both(world);
    let CaseScene { region, city, lead, .. } = &scene;
    let mut mails = Vec::new();
    let case = scene.done(city, "handOverCase", &scene.wanted(json!({})))["id"].as_str().unwrap().to_owned();
    mails.extend(deliver(world, "2025-05-28T02:00:00Z"));
    scene.done(lead, "acceptCase", &scene.on(&case, json!({})));
    let resolved = json!({"finding": "TRUE", "text": "洗砂场已拆除，河道已恢复。"});
    scene.done(lead, "resolveCase", &scene.on(&case, resolved.clone()));
    mails.extend(deliver(world, "2025-05-28T02:30:00Z"));
    scene.done(city, "returnCase", &scene.on(&case, json!({"reason": "河道底泥未清理。"})));
    mails.extend(deliver(world, "2025-05-28T03:00:00Z"));
    scene.done(lead, "resolveCase", &scene.on(&case, resolved));
    scene.done(city, "verifyCase", &scene.on(&case, json!({"opinion": "现场核查，整改到位。"})));
    mails.extend(deliver(world, "2025-05-28T03:30:00Z"));
    scene.done(region, "closeCase", &scene.on(&case, json!({"decision": "同意销号。"})));
    let again = json!({"reason": "洗砂场夜间恢复生产。", "dueOn": "2025-06-20"});
    scene.done(region, "reopenCase", &scene.on(&case, again));
    mails.extend(deliver(world, "2025-05-28T04:00:00Z"));
    for (job, day) in [("case-due-soon", "2025-06-17"), ("case-overdue", "2025-06-23")] {
        world.done(&["job", "run", job, "--at", day]);
        mails.extend(deliver(world, &format!("{day}T02:00:00Z")));
    }
    let kinds = ["case-handed-over", "case-returned", "case-verified", "case-closed", "case-relapse"];
    compare(&mails, &READERS, &kinds);
    compare(&mails, &READERS, &["case-due-soon", "case-overdue"]);
    compare(&mails, &OF_CITY, &["case-resolved"]);
    compare(&as_read_by("next", &mails), &OF_REGION, &["case-verified.next"]);
    compare(&as_read_by("assisting", &mails), &OF_OTHER, &["case-handed-over.assisting"]);
}

/// Executes a mutation, whose whole text is given, and returns the payload.
fn act(server: &Server, token: &str, name: &str, input: &Value, fields: &str) -> Value {
    let ty = name[..1].to_uppercase() + &name[1..] + "Input";
    let query = format!("mutation($input: {ty}!) {{ {name}(input: $input) {{ {fields} errors {{ code message }} }} }}");
    let given = server.data_as(token, &query, &json!({ "input": input }))[name].clone();
    assert_eq!(given["errors"], json!([]), "{name}");
    given
}

fn mails_about_an_account_say_what_happened(world: &World) {
    world.done(&["demo"]);
    let readers = [("zh", "zh@gov.example"), ("en", "en@gov.example")];
    let unit = "云溪市生态环境保护督察整改办";
    for (language, email) in readers {
        let role = ["account", "create", email, "--role", "city-office", "--unit", unit, "--language", language];
        world.done_with(&role, &format!("{PASSWORD}\n"));
    }
    world.done(&["account", "create", "new-zh@gov.example", "--role", "city-office", "--unit", unit, "--invite"]);
    let invited = ["account", "create", "new-en@gov.example", "--role", "city-office", "--unit", unit, "--invite"];
    world.done(&[&invited[..], &["--language", "en"]].concat());
    let mut mails = deliver(world, "2026-11-30T00:10:00Z");
    compare(&mails, &[("zh", "new-zh@gov.example"), ("en", "new-en@gov.example")], &["invitation"]);

    let (server, clock) = world.serve_under_clock("2026-11-30T09:00");
    let current = json!({ "currentPassword": PASSWORD });
    for (_, email) in readers {
        let token = server.sign_in(email);
        let drawn = act(&server, &token, "enrolSecondFactor", &current, "secret");
        let code = crate::people::digits(drawn["secret"].as_str().unwrap(), clock.now().timestamp());
        let codes = act(&server, &token, "confirmSecondFactor", &json!({ "code": code }), "recoveryCodes");
        let off = json!({ "currentPassword": PASSWORD, "code": codes["recoveryCodes"][0] });
        act(&server, &token, "removeSecondFactor", &off, "isDone");
        let token = server.sign_in(email);
        let changed = json!({ "password": "a longer new password 1", "currentPassword": PASSWORD });
        act(&server, &token, "setPassword", &changed, "account { id }");
        let query = "mutation($input: RequestPasswordResetInput!) { requestPasswordReset(input: $input) { isDone } }";
        server.data(query, &json!({"input": {"email": email}}));
        for _ in 0..5 {
            let query = "mutation($input: SignInInput!) { signIn(input: $input) { token } }";
            server.data(query, &json!({"input": {"email": email, "password": "a wrong password"}}));
        }
    }
    mails = deliver(world, "2026-11-30T01:30:00Z");
    for (_, email) in readers {
        world.done(&["account", "edit", email, "--new-email", &format!("moved-{email}")]);
    }
    mails.extend(deliver(world, "2026-11-30T02:00:00Z"));
    let kinds = ["second-factor-set", "second-factor-removed", "password-set", "account-locked", "address-changed"];
    compare(&mails, &readers, &kinds);
    compare(&mails, &readers, &["password-reset"]);

    // The seal of the audit goes to an address of the settings, here that of each reader in turn.
    let mut seals = Vec::new();
    for (day, (_, email)) in ["2026-12-01", "2026-12-02"].iter().zip(readers) {
        block_on(async {
            let db = world.db().await;
            let now = format!("{day}T17:00:30Z");
            let address = format!("moved-{email}");
            let context = Context { audit_head_mail: address, ..schedule::context(world, &db, &now) };
            let job = scheduler::find("seal-audit").unwrap();
            scheduler::run_at(&context, job, now.parse().unwrap(), false).await.unwrap();
            db.close().await.unwrap();
        });
        seals.extend(deliver(world, &format!("{day}T18:00:00Z")));
    }
    compare(&seals, &[("zh", "moved-zh@gov.example"), ("en", "moved-en@gov.example")], &["audit-head"]);

    let administrators = [("zh", "admin-zh@gov.example"), ("en", "admin-en@gov.example")];
    for (language, email) in administrators {
        let role = ["account", "create", email, "--role", "administrator", "--language", language, "--no-password"];
        world.done(&role);
    }
    world.done(&["unit", "set", unit, "--mail", "away@gov.example"]);
    world.done(&["mail", "bounce", "away@gov.example", "--detail", "550 5.1.1 no such mailbox"]);
    compare(&deliver(world, "2026-12-03T02:00:00Z"), &administrators, &["address-suppressed"]);
}

fn a_webhook_that_was_disabled_is_told_of(world: &World) {
    let readers = [("zh", "zh@gov.example"), ("en", "en@gov.example")];
    for (language, email) in readers {
        let role = ["account", "create", email, "--role", "administrator", "--language", language, "--no-password"];
        world.done(&role);
    }
    let token = world.done(&["token", "create", "zh@gov.example"]).trim().to_owned();
    let (server, _) = world.serve_under_clock("2026-11-30T09:00");
    let input = json!({ "name": "市数据共享平台", "url": "https://10.0.0.1/in" });
    let entered = act(&server, &token, "createWebhook", &input, "webhook { id }");
    act(&server, &token, "testWebhook", &json!({ "webhookId": entered["webhook"]["id"] }), "delivery { id }");
    block_on(async {
        let db = world.db().await;
        for now in ["2026-11-30T01:10:00Z", "2026-12-04T01:10:00Z"] {
            assert_eq!(scheduler::deliver_webhooks(&schedule::context(world, &db, now)).await.unwrap(), 1);
        }
        db.close().await.unwrap();
    });
    compare(&deliver(world, "2026-12-04T02:00:00Z"), &readers, &["webhook-stopped"]);
}

fn the_end_of_a_public_notice_is_told_to_the_office_that_closes(world: &World) {
    let scene = MeasureScene::set(world);
    read_both(world);
    let query = "query($id: ID!) { measure(id: $id) { version } }";
    let version = scene.server.data_as(&scene.city, query, &json!({ "id": scene.measure }))["measure"].clone();
    let assign = json!({"measureId": scene.measure, "version": version["version"], "hasSelectorsResolved": true});
    scene.stepped(&scene.city, "assignMeasure", &assign);
    scene.apply(&scene.counties[0], "洛隆县");
    scene.stepped(&scene.city, "verifyCloseOut", &scene.on("洛隆县", json!({"opinion": "现场核查属实。"})));
    let notice = json!({"text": "整改完成情况公示。", "contact": "昌都市整改办"});
    scene.stepped(&scene.city, "publiciseCloseOut", &scene.on("洛隆县", notice));
    deliver(world, "2023-04-17T02:00:00Z");
    world.done(&["job", "run", "notice-ended", "--at", "2023-04-19"]);
    compare(&deliver(world, "2023-04-19T02:00:00Z"), &OF_REGION, &["notice-ended"]);
}

fn digests_say_what_is_to_be_done_by_when(world: &World) {
    let scene = MeasureScene::set(world);
    read_english(world, "洛隆县人民政府", "u540329@gov.example", "en@gov.example");
    read_english(world, "市水利局", "water@city.example", "water-en@city.example");
    read_english(world, "昌都市生态环境保护督察整改办", "u540300@gov.example", "office-en@gov.example");
    read_english(world, "西藏自治区生态环境保护督察整改办", "u540000@gov.example", "region-en@gov.example");
    let query = "query($id: ID!) { measure(id: $id) { version } }";
    let version =
        scene.server.data_as(&scene.city, query, &json!({ "id": scene.measure }))["measure"]["version"].clone();
    let assign = json!({"measureId": scene.measure, "version": version, "hasSelectorsResolved": true});
    assert_eq!(scene.act(&scene.city, "assignMeasure", "AssignMeasureInput", &assign)["errors"], json!([]));
    let report = json!({"period": "2023-04", "text": "已停运，正在拆除。"});
    scene.done(&scene.counties[0], "reportProgress", "ReportProgressInput", &scene.on("洛隆县", report));
    let mut own = Vec::new();
    let mut led = Vec::new();
    let mut office = Vec::new();
    for (job, day) in [
        // The form of a month to the unit, and the figures of the month that ended to the office.
        ("monthly-account", "2023-05-25"),
        ("monthly-account", "2023-06-01"),
        ("stale-progress", "2023-06-12"),
        ("due-soon", "2023-06-23"),
        ("overdue", "2023-07-03"),
        ("propose-listing", "2023-07-31"),
        ("escalation", "2023-07-31"),
        // The third quarter is the first whole one after the assignment in April.
        ("quarterly-self-inspection", "2023-09-22"),
        ("half-year-verification", "2023-12-01"),
        ("yearly-spot-check", "2024-12-02"),
    ] {
        world.done(&["job", "run", job, "--at", day]);
        let mails = deliver(world, &format!("{day}T02:00:00Z"));
        own.extend(mails.clone());
        led.extend(mails.iter().map(|(kind, mail)| (format!("{kind}.lead-unit"), mail.clone())));
        office.extend(mails);
    }
    compare(&own, &READERS, &["monthly-account", "stale-progress", "due-soon", "quarterly-self-inspection", "overdue"]);
    let leads = [("zh", "water@city.example"), ("en", "water-en@city.example")];
    compare(&led, &leads, &["due-soon.lead-unit", "overdue.lead-unit"]);
    let offices = [("zh", "u540300@gov.example"), ("en", "office-en@gov.example")];
    compare(&office, &offices, &["escalation", "half-year-verification"]);
    compare(&office, &OF_REGION, &["yearly-spot-check"]);
    let figures = office.iter().filter(|(kind, _)| kind == "monthly-account");
    let figures: Vec<_> = figures.map(|(kind, mail)| (format!("{kind}.office"), mail.clone())).collect();
    compare(&figures, &offices, &["monthly-account.office"]);

    // The lead leader of the measure has an address of their own: of one language, and then of the other.
    let reader = ["account", "create", "leader-en@city.example", "--role", "inspector", "--region", "540300"];
    world.done(&[&reader[..], &["--until", "2100-12-31", "--language", "en", "--no-password"]].concat());
    let mut leaders = Vec::new();
    for (day, address) in [("2023-08-01", "leader@city.example"), ("2023-08-02", "leader-en@city.example")] {
        let query = "query($id: ID!) { measure(id: $id) { version } }";
        let version = scene.server.data_as(&scene.region, query, &json!({ "id": scene.measure }))["measure"].clone();
        let leader = json!([{ "post": "LEAD", "name": "副市长 李某某", "email": address }]);
        let input = json!({ "measureId": scene.measure, "version": version["version"], "leaders": leader });
        act(&scene.server, &scene.region, "editMeasure", &input, "measure { id }");
        world.done(&["job", "run", "escalation", "--at", day]);
        let mails = deliver(world, &format!("{day}T02:00:00Z"));
        leaders.extend(mails.into_iter().map(|(kind, mail)| (format!("{kind}.leader"), mail)));
    }
    let readers = [("zh", "leader@city.example"), ("en", "leader-en@city.example")];
    compare(&leaders, &readers, &["escalation.leader"]);
}

fn what_people_write_stays_text_in_a_mail(world: &World) {
    let scene = MeasureScene::set(world);
    let query = "query($id: ID!) { measure(id: $id) { version } }";
    let version =
        scene.server.data_as(&scene.city, query, &json!({ "id": scene.measure }))["measure"]["version"].clone();
    let assign = json!({"measureId": scene.measure, "version": version, "hasSelectorsResolved": true});
    assert_eq!(scene.act(&scene.city, "assignMeasure", "AssignMeasureInput", &assign)["errors"], json!([]));
    let hostile = "<b>进度</b> {{ home }} <script>alert(1)</script>";
    let urge = scene.beside("洛隆县", json!({"kind": "URGE", "reason": hostile}));
    scene.done(&scene.city, "issueSupervision", "IssueSupervisionInput", &urge);
    let summon = json!({"kind": "SUMMON", "reason": hostile, "place": hostile, "contact": hostile});
    scene.done(&scene.city, "issueSupervision", "IssueSupervisionInput", &scene.beside("洛隆县", summon));
    let report = json!({"period": "2023-04", "text": hostile});
    scene.done(&scene.counties[0], "reportProgress", "ReportProgressInput", &scene.on("洛隆县", report));
    world.done(&["job", "run", "overdue", "--at", "2023-07-03"]);
    let mails = deliver(world, "2023-07-03T02:00:00Z");
    let told: BTreeSet<&str> = mails.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(told, BTreeSet::from(["assigned", "overdue", "summons", "urge"]));
    for (kind, mail) in &mails {
        let (text, html) = (mail["text"].as_str().unwrap(), mail["html"].as_str().unwrap());
        assert!(!html.contains("<b>进度") && !html.contains("<script>"), "{kind}: markup is escaped");
        if mail["to"] == json!(["u540329@gov.example"]) && kind != "assigned" {
            assert!(text.contains(hostile), "{kind}: the text part has it as written: {text}");
            assert!(html.contains("&lt;b&gt;进度&lt;"), "{kind}: the page shows it as written");
        }
    }
}
