//! The rules of reminders: one rhythm for each recipient, working days and quiet hours, and rules by region.

use chrono::{DateTime, Datelike, Days, NaiveDate, Utc, Weekday};
use entity::mail::{self, MailState};
use ledger::rule::calendar::local_day;
use sea_orm::{ConnectionTrait, EntityTrait, Statement};
use serde_json::{Value, json};

use crate::scene::MeasureScene;
use crate::schedule::context;
use crate::support::{World, block_on, stories};

stories!(
    when_one_item_is_owed_all_go_along_and_a_week_of_silence_follows,
    reminders_keep_to_working_days_and_out_of_quiet_hours,
    offices_set_the_rules_of_their_region,
    a_simulated_year_is_what_is_sent_day_by_day,
    it_can_be_asked_why_a_mail_is_sent_or_not,
    what_nobody_reports_on_is_asked_after,
    offices_are_reminded_of_their_checks_until_they_are_done,
    a_change_of_a_rule_is_rehearsed_before_it_is_made,
    a_table_says_what_each_unit_was_told_of_its_self_inspections_and_did,
);

/// Returns the real time, at which the demo is made.
#[expect(clippy::disallowed_methods, reason = "the demo's dates are those of the day on which it is made")]
fn now() -> DateTime<Utc> {
    Utc::now()
}

/// The county that the stories look at.
const COUNTY: &str = "u540329@gov.example";

/// Returns the number of items in the digest that a job would send to the county on a day, if it would send one.
fn items(world: &World, job: &str, day: &str) -> Option<u32> {
    let said = world.done(&["job", "run", job, "--at", day, "--dry-run"]);
    let line = said.lines().find(|line| line.contains(COUNTY))?;
    let number: String = line.rsplit('：').next().unwrap().chars().filter(char::is_ascii_digit).collect();
    Some(number.parse().unwrap())
}

fn run(world: &World, job: &str, day: &str) -> String {
    world.done(&["job", "run", job, "--at", day])
}

/// Sets a scene in which a measure that is due on 2023-06-30 is assigned to the counties.
fn scene(world: &World) -> MeasureScene<'_> {
    let scene = MeasureScene::set(world);
    let query = "query($id: ID!) { measure(id: $id) { version } }";
    let version = scene.server.data_as(&scene.city, query, &json!({ "id": scene.measure }))["measure"].clone();
    let assign = json!({"measureId": scene.measure, "version": version["version"], "hasSelectorsResolved": true});
    assert_eq!(scene.act(&scene.city, "assignMeasure", "AssignMeasureInput", &assign)["errors"], json!([]));
    scene
}

fn when_one_item_is_owed_all_go_along_and_a_week_of_silence_follows(world: &World) {
    let scene = scene(world);
    // A second measure, due three days after the first.
    let there = "query($id: ID!) { measure(id: $id) { problem { id } } \
        units(filter: {name: {eq: \"洛隆县人民政府\"}}) { nodes { id } } }";
    let there = scene.server.data_as(&scene.region, there, &json!({ "id": scene.measure }));
    let unit = &there["units"]["nodes"][0]["id"];
    let create = json!({"problemId": there["measure"]["problem"]["id"], "content": "补种岸线植被",
        "deadline": "2023年7月3日", "leadUnitId": unit, "parties": [{"unitId": unit}]});
    let query = "mutation($input: CreateMeasureInput!) { createMeasure(input: $input) { errors { message } } }";
    let given = scene.server.data_as(&scene.region, query, &json!({ "input": create }));
    assert_eq!(given["createMeasure"]["errors"], json!([]));

    assert_eq!(items(world, "overdue", "2023-07-03"), Some(1), "a Monday: due on Friday");
    run(world, "overdue", "2023-07-03");
    assert_eq!(items(world, "overdue", "2023-07-03"), None);
    assert_eq!(items(world, "overdue", "2023-07-04"), Some(2), "the new one, and what was told yesterday goes along");
    run(world, "overdue", "2023-07-04");
    for day in ["2023-07-05", "2023-07-07", "2023-07-10"] {
        assert_eq!(items(world, "overdue", day), None, "{day}: the week counts anew for both");
    }
    assert_eq!(items(world, "overdue", "2023-07-11"), Some(2));
}

fn reminders_keep_to_working_days_and_out_of_quiet_hours(world: &World) {
    scene(world);
    // The Dragon Boat holidays of 2023, with the Sunday that is worked: the mark of seven days before 30 June moves to
    // the 21st.
    for day in ["2023-06-22", "2023-06-23"] {
        world.done(&["calendar", "set", day, "--name", "端午节"]);
    }
    world.done(&["calendar", "set", "2023-06-25", "--work"]);
    assert_eq!(items(world, "due-soon", "2023-06-20"), Some(1), "the mark of thirty days was missed");
    run(world, "due-soon", "2023-06-20");
    assert_eq!(items(world, "due-soon", "2023-06-21"), Some(1));
    run(world, "due-soon", "2023-06-21");
    let holiday = run(world, "due-soon", "2023-06-23");
    assert!(holiday.contains("休息日") && holiday.contains("2023-06-25"), "{holiday}");
    assert_eq!(items(world, "due-soon", "2023-06-26"), None);
    assert_eq!(items(world, "due-soon", "2023-06-29"), Some(1), "one day before");
    // What becomes overdue on a Saturday is told on Monday.
    assert_eq!(items(world, "overdue", "2023-07-01"), None);
    assert_eq!(items(world, "overdue", "2023-07-03"), Some(1));

    // A digest that waits in the evening is sent in the morning, and no attempt is counted.
    run(world, "overdue", "2023-07-03");
    block_on(async {
        let db = world.db().await;
        // The runs by hand began the schedules today, which is after the moments of this story.
        db.execute_unprepared("UPDATE schedule SET last_occurrence = '2023-07-07T12:00:00+00:00'").await.unwrap();
        let of_county = || async {
            let mails = mail::Entity::find().all(&db).await.unwrap();
            mails.into_iter().find(|mail| mail.kind == "overdue" && mail.recipient == COUNTY).unwrap()
        };
        // Friday, 7 July 2023, 21:30: then a weekend.
        for (now, state) in [
            ("2023-07-07T13:30:30Z", MailState::Queued),
            ("2023-07-08T02:00:30Z", MailState::Queued),
            ("2023-07-10T00:00:30Z", MailState::Sent),
        ] {
            let context = context(world, &db, now);
            for run in scheduler::tick(&context).await.unwrap() {
                scheduler::carry_out(&context, run).await.unwrap();
            }
            let mail = of_county().await;
            assert_eq!(mail.state, state, "{now}: {mail:?}");
            if state == MailState::Queued {
                let morning: DateTime<Utc> = "2023-07-09T23:00:00Z".parse().unwrap();
                assert_eq!((mail.next_attempt_at, mail.attempts), (morning, 0));
            }
        }
    });
}

fn offices_set_the_rules_of_their_region(world: &World) {
    let scene = scene(world);
    let region_of = |code: &str| {
        let query = format!("{{ regions(filter: {{code: {{eq: \"{code}\"}}}}) {{ nodes {{ id }} }} }}");
        scene.server.data_as(&scene.region, &query, &json!({}))["regions"]["nodes"][0]["id"].clone()
    };
    let (province, city, county) = (region_of("540000"), region_of("540300"), region_of("540329"));
    let set = |token: &str, input: Value| {
        let query = "mutation($input: SetReminderRuleInput!) { setReminderRule(input: $input) { \
            rule { isOn daysBefore isOnWorkingDaysOnly quietFrom own { daysBefore reason } } errors { code path } } }";
        scene.server.data_as(token, query, &json!({ "input": input }))["setReminderRule"].clone()
    };

    // The city reminds ten days before in all its counties, and one county not at all.
    let input = json!({"kind": "DUE_SOON", "regionId": city, "daysBefore": [2, 10], "reason": "汛期任务重"});
    let given = set(&scene.city, input);
    assert_eq!(given["errors"], json!([]));
    assert_eq!(given["rule"]["daysBefore"], json!([10, 2]));
    assert_eq!(given["rule"]["own"], json!({"daysBefore": [10, 2], "reason": "汛期任务重"}));
    let others = |day: &str| {
        let said = world.done(&["job", "run", "due-soon", "--at", day, "--dry-run"]);
        said.contains("u540323@gov.example")
    };
    assert_eq!((items(world, "due-soon", "2023-06-19"), others("2023-06-19")), (None, false), "eleven days before");
    assert_eq!((items(world, "due-soon", "2023-06-20"), others("2023-06-20")), (Some(1), true));
    let off = json!({"kind": "DUE_SOON", "regionId": county, "isOn": false, "reason": "由县里自行提醒"});
    let given = set(&scene.city, off);
    assert_eq!((&given["rule"]["isOn"], &given["rule"]["daysBefore"]), (&json!(false), &json!([10, 2])));
    assert_eq!((items(world, "due-soon", "2023-06-20"), others("2023-06-20")), (None, true));
    let again = json!({"kind": "DUE_SOON", "regionId": county, "isOn": null, "reason": "恢复"});
    assert_eq!(set(&scene.city, again)["rule"]["isOn"], true);
    assert_eq!(items(world, "due-soon", "2023-06-20"), Some(1));

    // Everything that was set is kept, the latest first.
    let query = "query($id: ID!) { reminderRuleHistory(kind: DUE_SOON, regionId: $id) { isOn reason setterId } }";
    let history = scene.server.data_as(&scene.city, query, &json!({ "id": county }))["reminderRuleHistory"].clone();
    let reasons: Vec<&str> = history.as_array().unwrap().iter().map(|one| one["reason"].as_str().unwrap()).collect();
    assert_eq!(reasons, ["恢复", "由县里自行提醒"]);
    assert!(history[0]["setterId"].as_str().unwrap().starts_with("account_"), "{history}");
    let query = "query($id: ID!) { reminderRules(regionId: $id) { kind daysBefore again: againAfter nextDay } }";
    let rules = scene.server.data_as(&scene.counties[0], query, &json!({ "id": county }))["reminderRules"].clone();
    assert_eq!(rules.as_array().unwrap().len(), 11);
    assert!(rules.as_array().unwrap().iter().any(|one| one["daysBefore"] == json!([10, 2])), "{rules}");

    // Nobody sets the rules of a region that is not theirs, and mistakes are named.
    let code = |given: &Value| given["errors"][0].clone();
    let of = |region: &Value| json!({"kind": "OVERDUE", "regionId": region, "isOn": false, "reason": "不发"});
    assert_eq!(code(&set(&scene.counties[0], of(&county)))["code"], "NOT_ALLOWED");
    assert_eq!(code(&set(&scene.city, of(&province)))["code"], "NOT_FOUND");
    let everywhere = json!({"kind": "OVERDUE", "isOn": false, "reason": "不发"});
    assert_eq!(code(&set(&scene.region, everywhere))["code"], "NOT_FOUND");
    for (wrong, path) in [
        (json!({"daysBefore": [400]}), "daysBefore"),
        (json!({"againAfter": 0}), "againAfter"),
        (json!({"accountFormDay": 29}), "accountFormDay"),
        (json!({"accountReportDay": 0}), "accountReportDay"),
        (json!({"quietFrom": "9点", "quietUntil": "10:00"}), "quietFrom"),
        (json!({"quietFrom": "21:00"}), "quietUntil"),
    ] {
        let mut input = json!({"kind": "OVERDUE", "regionId": city, "reason": "试"});
        input.as_object_mut().unwrap().extend(wrong.as_object().unwrap().clone());
        assert_eq!(code(&set(&scene.city, input)), json!({"code": "INVALID", "path": ["input", path]}));
    }

    // The command line sets and lists them, too.
    let set = ["reminder", "set", "escalation", "--region", "540300", "--office-after", "3"];
    assert!(world.done(&set).contains("逾期 3 天告知整改办"));
    assert!(world.done(&["reminder", "list", "--region", "540329"]).contains("escalation：发送，逾期 3 天告知整改办"));
    assert!(world.done(&["reminder", "list"]).contains("escalation：发送，逾期 7 天告知整改办"));
    assert!(run(world, "escalation", "2023-07-04").contains("已写入发件箱 1 封"), "after three days in this city");
}

fn a_simulated_year_is_what_is_sent_day_by_day(world: &World) {
    world.done(&["demo"]);
    // By the calendar and the clock of an office, not at all times as the demo has it.
    for job in scheduler::JOBS.iter().filter(|job| job.is_reminder()) {
        let kind = job.name;
        let office = ["--working-days-only", "true", "--quiet", "21:00-07:00"];
        world.done(&[&["reminder", "set", kind], &office[..]].concat());
    }
    let (first, days): (NaiveDate, u64) = (local_day(now(), chrono_tz::Asia::Shanghai), 366);
    let last = first + Days::new(days - 1);
    let (from, to) = (first.to_string(), last.to_string());
    let said = world.done(&["job", "simulate", "--from", &from, "--to", &to, "--json"]);
    let simulated: Vec<Value> = serde_json::from_str(&said).unwrap();
    let line = |day: &str, job: &str, to: &str, items: usize| format!("{day} {job} {to} {items}");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut expected: Vec<String> = simulated
        .iter()
        .map(|one| {
            let items = one["items"].as_array().unwrap().len();
            line(&text(&one["day"]), &text(&one["job"]), &text(&one["recipient"]), items)
        })
        .collect();
    expected.sort();
    assert!(expected.len() > 50, "{}", expected.len());

    // The same year, day by day.
    block_on(async {
        let db = world.db().await;
        for day in first.iter_days().take(usize::try_from(days).unwrap()) {
            let context = context(world, &db, &format!("{day}T00:00:30Z"));
            for job in scheduler::JOBS.iter().filter(|job| job.is_reminder()) {
                scheduler::run_at(&context, job, context_moment(day), false).await.unwrap();
            }
        }
        let items = "SELECT count(*) FROM mail_item i WHERE i.mail_id = m.id";
        let sql = format!(
            "SELECT m.local_day || ' ' || m.kind || ' ' || m.recipient || ' ' || ({items}) AS line FROM mail m \
             WHERE m.priority = 1"
        );
        let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await.unwrap();
        let mut sent: Vec<String> = rows.into_iter().map(|row| row.try_get("", "line").unwrap()).collect();
        sent.sort();
        assert_eq!(sent, expected);
    });
    let again = world.done(&["job", "simulate", "--from", &from, "--to", &to, "--json"]);
    let again: Vec<Value> = serde_json::from_str(&again).unwrap();
    assert_eq!(again.len(), simulated.len(), "what was sent meanwhile is not what is simulated");

    // Nobody gets anything on a weekend, but on one that is worked in place of a holiday.
    let worked = ["2026-10-10", "2026-09-20", "2026-05-09", "2026-02-28", "2026-02-14", "2026-01-04"];
    for one in &simulated {
        let day: NaiveDate = one["day"].as_str().unwrap().parse().unwrap();
        let is_weekend = matches!(day.weekday(), Weekday::Sat | Weekday::Sun);
        assert!(!is_weekend || worked.contains(&day.to_string().as_str()), "{one}");
    }
}

/// Returns eight o'clock of a day.
fn context_moment(day: NaiveDate) -> DateTime<Utc> {
    format!("{day}T00:00:00Z").parse().unwrap()
}

fn it_can_be_asked_why_a_mail_is_sent_or_not(world: &World) {
    scene(world);
    run(world, "overdue", "2023-07-03");
    let list = world.done(&["mail", "list", "--state", "queued"]);
    let id = block_on(async {
        let db = world.db().await;
        let mails = mail::Entity::find().all(&db).await.unwrap();
        mails.into_iter().find(|mail| mail.kind == "overdue" && mail.recipient == COUNTY).unwrap().id
    });
    let why = world.done(&["mail", "why", &id.to_string()]);
    for part in ["隔 7 天再提醒", "2023-07-03", "洛隆县人民政府登记的邮箱", "2023-06-30", "拆除停运电站"]
    {
        assert!(why.contains(part), "{why} {list}");
    }
    let why_not =
        |to: &str, job: &str, on: &str| world.done(&["mail", "why-not", "--to", to, "--job", job, "--on", on]);
    let told = why_not(COUNTY, "overdue", "2023-07-05");
    assert!(told.contains("已于 2023-07-03 告知，下次 2023-07-10") && told.contains("拆除停运电站"), "{told}");
    assert!(why_not(COUNTY, "overdue", "2023-07-08").contains("是休息日，下一个工作日是 2023-07-10"));
    assert!(why_not(COUNTY, "overdue", "2023-07-10").contains("应告知"));
    assert!(why_not(COUNTY, "overdue", "2023-07-03").contains("待发送"));
    let none = why_not(COUNTY, "case-due-soon", "2023-05-04");
    assert!(none.contains("当日没有到提醒时点的事项"), "{none}");
    assert!(why_not("nobody@gov.example", "overdue", "2023-07-03").contains("没有单位、账户或领导使用这个邮箱"));
    world.done(&["unit", "set", "洛隆县人民政府"]);
    let unit = ["mail", "why-not", "--unit", "洛隆县人民政府", "--job", "overdue", "--on", "2023-07-10"];
    assert!(world.done(&unit).contains("没有登记邮箱"));

    // The same by the API, for administrators.
    let admin = world.account("admin@gov.example", "administrator", "西藏自治区生态环境保护督察整改办");
    let server = world.serve();
    let query = "query($id: ID!) { mailReason(mailId: $id) { lines items { text } } \
        whyNoMail(kind: OVERDUE, on: \"2023-07-08\", address: \"u540323@gov.example\") { code nextOn } \
        simulateReminders(from: \"2023-07-03\", to: \"2023-07-14\", kind: OVERDUE) { \
            digestCount digests { day job recipient itemCount } } }";
    let variables = json!({ "id": format!("mail_{id}") });
    let given = server.data_as(&admin, query, &variables);
    assert!(given["mailReason"]["lines"][0].as_str().unwrap().contains("隔 7 天再提醒"), "{given}");
    assert_eq!(given["mailReason"]["items"][0]["text"], "拆除停运电站，恢复河道。");
    assert_eq!(given["whyNoMail"][0], json!({"code": "DAY_OFF", "nextOn": "2023-07-10"}));
    let digests = given["simulateReminders"]["digests"].as_array().unwrap();
    let of_one: Vec<&str> = digests
        .iter()
        .filter(|one| one["recipient"] == "u540323@gov.example")
        .map(|one| one["day"].as_str().unwrap())
        .collect();
    assert_eq!(of_one, ["2023-07-03", "2023-07-10"], "{given}");
    let county = world.account("c@gov.example", "responsible-unit", "洛隆县人民政府");
    let given = server.data_as(&county, query, &variables);
    assert_eq!((&given["mailReason"], &given["whyNoMail"]), (&Value::Null, &json!([])));
    assert_eq!(given["simulateReminders"]["digestCount"], 0);
}

/// Returns the number of items in the digest of a job to an address on a day, if there is one.
fn items_to(world: &World, job: &str, address: &str, day: &str) -> Option<u32> {
    let said = world.done(&["job", "run", job, "--at", day, "--dry-run"]);
    let line = said.lines().find(|line| line.contains(address))?;
    let number: String = line.rsplit('：').next().unwrap().chars().filter(char::is_ascii_digit).collect();
    Some(number.parse().unwrap())
}

fn what_nobody_reports_on_is_asked_after(world: &World) {
    let scene = scene(world);
    // One more measure, which goes on for ever.
    let query = "{ measures(filter: {text: {search: \"学习计划\"}}) { nodes { id version } } }";
    let found = scene.server.data_as(&scene.city, query, &json!({}))["measures"]["nodes"][0].clone();
    let assign = json!({"measureId": found["id"], "version": found["version"], "hasSelectorsResolved": true});
    assert_eq!(scene.act(&scene.city, "assignMeasure", "AssignMeasureInput", &assign)["errors"], json!([]));
    world.entered("2023-04-10");
    // A month after the entry; a quarter for what goes on for ever.
    assert_eq!(items(world, "stale-progress", "2023-05-09"), None);
    let open = items(world, "stale-progress", "2023-05-10").unwrap();
    let all = items(world, "stale-progress", "2023-07-10").unwrap();
    assert!(open < all, "{open} {all}");
    run(world, "stale-progress", "2023-05-10");
    assert_eq!(items(world, "stale-progress", "2023-06-08"), None, "it is told once a month");
    assert_eq!(items(world, "stale-progress", "2023-06-09"), Some(open));
    // A report ends it, for a month.
    scene.clock.set("2023-06-08T09:00");
    let report = json!({"period": "2023-06", "text": "已停运，正在拆除。"});
    scene.done(&scene.counties[0], "reportProgress", "ReportProgressInput", &scene.on("洛隆县", report));
    assert_eq!(items(world, "stale-progress", "2023-06-09"), Some(open - 1).filter(|left| *left > 0));
    let rule = ["reminder", "set", "stale-progress", "--again-after", "60"];
    assert!(world.done(&rule).contains("隔 60 天再提醒"));
    assert_eq!(items(world, "stale-progress", "2023-06-08"), None, "60 days after the entry is 9 June");
}

fn offices_are_reminded_of_their_checks_until_they_are_done(world: &World) {
    let scene = scene(world);
    world.entered("2022-12-01");
    let round = "mutation { editRound(input: {roundId: \"round_1\", version: 1, feedbackOn: \"2022-06-01\"}) { \
        errors { message } } }";
    assert_eq!(scene.server.data_as(&scene.region, round, &json!({}))["editRound"]["errors"], json!([]));
    let (city, region) = ("u540300@gov.example", "u540000@gov.example");
    // The first whole half-year ends on 30 June 2023, the first whole year on 31 December, a Sunday.
    assert_eq!(items_to(world, "half-year-verification", city, "2023-05-30"), None);
    let due = items_to(world, "half-year-verification", city, "2023-05-31").unwrap();
    assert_eq!(items_to(world, "yearly-spot-check", region, "2023-11-30"), None);
    assert_eq!(items_to(world, "yearly-spot-check", region, "2023-12-01"), Some(due));
    assert_eq!(items_to(world, "yearly-spot-check", city, "2023-12-01"), None);
    run(world, "half-year-verification", "2023-05-31");
    assert_eq!(items_to(world, "half-year-verification", city, "2023-06-22"), None);
    assert_eq!(items_to(world, "half-year-verification", city, "2023-06-23"), Some(due), "seven days before");
    // Verifying one in the half-year settles it.
    scene.clock.set("2023-06-20T09:00");
    let check = json!({"kind": "VERIFICATION", "result": "PASSED", "findings": "现场核查，正在拆除。"});
    let query = "mutation($input: RecordCheckInput!) { recordCheck(input: $input) { errors { message } } }";
    let input = json!({ "input": scene.beside("洛隆县", check) });
    assert_eq!(scene.server.data_as(&scene.city, query, &input)["recordCheck"]["errors"], json!([]));
    assert_eq!(items_to(world, "half-year-verification", city, "2023-06-23"), Some(due - 1));
    assert_eq!(items_to(world, "half-year-verification", city, "2023-07-03"), Some(due - 1), "after the end, weekly");

    // The mail names the half-year and whose work it is.
    run(world, "half-year-verification", "2023-07-03");
    world.done(&["job", "run", "deliver-mail", "--at", "2023-07-03T02:00:00Z"]);
    let list = world.done(&["mail", "list", "--state", "sent"]);
    assert!(list.contains("【半年核查·逾期3天】2023年上半年："), "{list}");
}

fn a_change_of_a_rule_is_rehearsed_before_it_is_made(world: &World) {
    world.done(&["demo"]);
    let admin = world.account("admin@gov.example", "administrator", "云川省人民政府");
    let server = world.serve();
    let query = "mutation($input: SetReminderRuleInput!) { setReminderRule(input: $input) { rule { kind } \
        rehearsal { digestCountBefore digestCountAfter days { digestCountBefore digestCountAfter } } \
        errors { code path } } }";
    let rehearse = |token: &str, change: Value| {
        let mut input = json!({"kind": "OVERDUE", "reason": "试算", "isRehearsal": true});
        input.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        server.data_as(token, query, &json!({ "input": input }))["setReminderRule"].clone()
    };
    let off = rehearse(&admin, json!({"isOn": false}));
    assert_eq!((&off["rule"], &off["errors"]), (&Value::Null, &json!([])));
    let rehearsal = &off["rehearsal"];
    assert!(rehearsal["digestCountBefore"].as_i64().unwrap() > 0, "{off}");
    assert_eq!(rehearsal["digestCountAfter"], 0);
    assert!(rehearsal["days"].as_array().unwrap().iter().all(|day| day["digestCountAfter"] == 0), "{off}");
    let daily = rehearse(&admin, json!({"againAfter": 1}));
    let count = |of: &Value, name: &str| of["rehearsal"][name].as_i64().unwrap();
    assert!(count(&daily, "digestCountAfter") > count(&daily, "digestCountBefore"), "{daily}");
    let same = rehearse(&admin, json!({}));
    assert_eq!(count(&same, "digestCountAfter"), count(&same, "digestCountBefore"));
    assert_eq!(same["rehearsal"]["days"], json!([]));
    // What is wrong is said as when it is made, and whoever may not make it may not rehearse it.
    let wrong = rehearse(&admin, json!({"againAfter": 0}));
    assert_eq!(wrong["errors"], json!([{"code": "INVALID", "path": ["input", "againAfter"]}]));
    let unit = world.account("unit@gov.example", "responsible-unit", "云川省人民政府");
    assert_eq!(rehearse(&unit, json!({"isOn": false}))["errors"][0]["code"], "NOT_ALLOWED");
    // Nothing was written.
    let history = "{ reminderRuleHistory(kind: OVERDUE) { reason } }";
    assert!(!server.data_as(&admin, history, &json!({})).to_string().contains("试算"));
}

fn a_table_says_what_each_unit_was_told_of_its_self_inspections_and_did(world: &World) {
    let scene = scene(world);
    world.entered("2023-04-10");
    scene.clock.set("2023-09-25T09:00");
    let query = "{ selfInspections(year: 2023) { unitName \
        quarters { quarter owedCount toldCount acceptedCount acknowledgedCount inspectedCount lastMailId } } }";
    let row = |token: &str| {
        let rows = scene.server.data_as(token, query, &json!({}))["selfInspections"].clone();
        rows.as_array().unwrap().iter().find(|row| row["unitName"] == "洛隆县人民政府").cloned()
    };
    let quarter = |number: usize| row(&scene.city).unwrap()["quarters"][number - 1].clone();
    let counts = |cell: &Value| {
        ["owedCount", "toldCount", "acceptedCount", "acknowledgedCount", "inspectedCount"]
            .map(|name| cell[name].as_i64().unwrap())
    };
    assert_eq!(counts(&quarter(2)), [0; 5], "the quarter of the entry is not a whole one");
    assert_eq!(counts(&quarter(3)), [1, 0, 0, 0, 0]);
    assert_eq!(counts(&quarter(4)), [0; 5], "it has not begun");
    run(world, "quarterly-self-inspection", "2023-09-22");
    assert_eq!(counts(&quarter(3)), [1, 1, 0, 0, 0]);
    let mails = crate::mail_words::deliver(world, "2023-09-22T02:00:00Z");
    assert!(mails.iter().any(|(_, mail)| mail["to"] == json!([COUNTY])));
    assert_eq!(counts(&quarter(3)), [1, 1, 1, 0, 0]);
    // An administrator sends the mail again.
    let again = json!({ "input": { "mailId": quarter(3)["lastMailId"] } });
    let requeue = "mutation($input: RequeueMailInput!) { requeueMail(input: $input) { errors { code } } }";
    assert_eq!(scene.server.data_as(&scene.city, requeue, &again)["requeueMail"]["errors"][0]["code"], "NOT_ALLOWED");
    let admin = world.account("admin@gov.example", "administrator", "西藏自治区生态环境保护督察整改办");
    assert_eq!(scene.server.data_as(&admin, requeue, &again)["requeueMail"]["errors"], json!([]));
    let mails = crate::mail_words::deliver(world, "2023-09-25T02:00:00Z");
    assert_eq!(mails.iter().filter(|(_, mail)| mail["to"] == json!([COUNTY])).count(), 1);
    // The unit inspects itself, and has done what it owes.
    let check = json!({"kind": "SELF_INSPECTION", "result": "PASSED", "findings": "已拆除两座。"});
    let record = "mutation($input: RecordCheckInput!) { recordCheck(input: $input) { errors { message } } }";
    let input = json!({ "input": scene.beside("洛隆县", check) });
    assert_eq!(scene.server.data_as(&scene.counties[0], record, &input)["recordCheck"]["errors"], json!([]));
    assert_eq!(counts(&quarter(3)), [1, 1, 1, 0, 1]);
    assert_eq!(row(&scene.counties[0]), None, "units see their own tasks, not the table");
}
