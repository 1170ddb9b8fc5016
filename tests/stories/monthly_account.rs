//! The monthly account (月账): who is asked for it and who reads its figures, the form that is filled in, and who sees
//! which accounts.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rust_xlsxwriter::Workbook;
use serde_json::{Value, json};

use crate::scene::MeasureScene;
use crate::support::ledgers::ROUND;
use crate::support::{World, asked, stories};

stories!(
    units_are_asked_for_what_they_have_not_reported_on,
    leaders_and_offices_get_the_figures_of_the_month_that_ended,
    days_off_move_both_to_the_next_working_day,
    a_region_has_days_of_the_month_of_its_own,
    a_mail_brings_the_form_and_the_figures_if_one_day_brings_both,
    the_form_of_a_mail_is_filled_in_and_submitted,
    a_filled_in_form_is_a_months_account_for_an_import,
    accounts_are_seen_as_the_assignments_are,
    what_was_done_or_closed_before_owes_no_account,
);

const JOB: &str = "monthly-account";
const COUNTY: &str = "u540329@gov.example";
const OTHER: &str = "u540323@gov.example";
const CITY: &str = "u540300@gov.example";
const REGION: &str = "u540000@gov.example";

/// Returns the number of items in the digest that an address would get on a day, if it would get one.
fn items(world: &World, address: &str, day: &str) -> Option<u32> {
    let said = world.done(&["job", "run", JOB, "--at", day, "--dry-run"]);
    let line = said.lines().find(|line| line.contains(address))?;
    let number: String = line.rsplit('：').next().unwrap().chars().filter(char::is_ascii_digit).collect();
    Some(number.parse().unwrap())
}

/// Sets a scene in which a measure is assigned to the counties since 10 April 2023.
fn scene(world: &World) -> MeasureScene<'_> {
    let scene = MeasureScene::set(world);
    let query = "query($id: ID!) { measure(id: $id) { version } }";
    let version = scene.server.data_as(&scene.city, query, &json!({ "id": scene.measure }))["measure"].clone();
    let assign = json!({"measureId": scene.measure, "version": version["version"], "hasSelectorsResolved": true});
    assert_eq!(scene.act(&scene.city, "assignMeasure", "AssignMeasureInput", &assign)["errors"], json!([]));
    scene
}

/// Lets a county report on the measure for a month, on a day.
fn report(scene: &MeasureScene<'_>, county: usize, name: &str, month: &str, day: &str) {
    scene.clock.set(&format!("{day}T09:00"));
    let input = scene.on(name, json!({"period": month, "text": "已拆除机组。", "nextSteps": "复绿。"}));
    scene.done(&scene.counties[county], "reportProgress", "ReportProgressInput", &input);
}

/// Returns the accounts of a month as a caller sees them: unit, state, owed, accounted, missing.
fn accounts(scene: &MeasureScene<'_>, token: &str, month: &str) -> Vec<(String, String, i64, i64, i64)> {
    let query = "query($month: String) { monthlyAccounts(month: $month, first: 50) { nodes {
        unit { name } state owedCount accountedCount missingCount lastReportedAt
        missing(first: 9) { totalCount nodes { measure { id } } } } } }";
    let data = scene.server.data_as(token, query, &json!({ "month": month }));
    let one = |node: &Value| {
        assert_eq!(node["missing"]["totalCount"], node["missingCount"], "{node}");
        assert_eq!(node["lastReportedAt"].is_null(), node["accountedCount"] == 0, "{node}");
        let number = |name: &str| node[name].as_i64().unwrap();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let numbers = (number("owedCount"), number("accountedCount"), number("missingCount"));
        (text(&node["unit"]["name"]), text(&node["state"]), numbers.0, numbers.1, numbers.2)
    };
    let mut found: Vec<_> = data["monthlyAccounts"]["nodes"].as_array().unwrap().iter().map(one).collect();
    found.sort();
    found
}

fn units_are_asked_for_what_they_have_not_reported_on(world: &World) {
    let scene = scene(world);
    assert_eq!(items(world, COUNTY, "2023-05-24"), None, "the form comes on the 25th");
    let (all, other) = (items(world, COUNTY, "2023-05-25").unwrap(), items(world, OTHER, "2023-05-25").unwrap());
    report(&scene, 0, "洛隆县", "2023-05", "2023-05-20");
    assert_eq!(items(world, COUNTY, "2023-05-25"), Some(all - 1).filter(|left| *left > 0));
    assert_eq!(items(world, OTHER, "2023-05-25"), Some(other));
    assert_eq!(items(world, CITY, "2023-05-25"), None, "the office answers for nothing");
    // A day that was missed is made up for, and nobody is asked twice.
    assert_eq!(items(world, OTHER, "2023-05-26"), Some(other));
    world.done(&["job", "run", JOB, "--at", "2023-05-26"]);
    for day in ["2023-05-26", "2023-05-29", "2023-05-31"] {
        assert_eq!(items(world, OTHER, day), None, "{day}");
    }
    assert_eq!(items(world, OTHER, "2023-06-26"), Some(other), "the next month");
    let why = world.done(&["mail", "why-not", "--to", OTHER, "--job", JOB, "--on", "2023-05-29"]);
    assert!(why.contains("已于 2023-05-26 告知"), "{why}");
    let year = world.done(&["job", "simulate", "--from", "2023-06-01", "--to", "2023-07-31", "--job", JOB]);
    assert_eq!(year.lines().filter(|line| line.contains(OTHER)).count(), 2, "once a month: {year}");
    world.done(&["reminder", "set", JOB, "--on", "false", "--reason", "汛期"]);
    assert_eq!(items(world, OTHER, "2023-06-26"), None, "it can be off");
}

fn leaders_and_offices_get_the_figures_of_the_month_that_ended(world: &World) {
    let scene = scene(world);
    let leader = ["account", "create", "leader@gov.example", "--role", "leader", "--region", "540300", "--no-password"];
    world.done_with(&leader, "");
    report(&scene, 0, "洛隆县", "2023-05", "2023-05-20");
    for address in [CITY, REGION, "leader@gov.example"] {
        assert_eq!(items(world, address, "2023-05-31"), None, "{address}");
        assert_eq!(items(world, address, "2023-06-01"), Some(1), "{address}");
    }
    assert_eq!(items(world, COUNTY, "2023-06-01"), None, "a unit gets the form, not the figures");
    world.done(&["job", "run", JOB, "--at", "2023-06-01"]);
    assert_eq!(items(world, CITY, "2023-06-02"), None);
    let mails = crate::mail_words::deliver(world, "2023-06-01T01:00:00Z");
    let to = |address: &str| {
        let found = mails.iter().find(|(_, mail)| mail["to"] == json!([address]));
        found.unwrap_or_else(|| panic!("no mail to {address}")).1["text"].as_str().unwrap().replace("\r\n", "\n")
    };
    let city = to(CITY);
    assert!(city.contains("昌都市：应交账") && city.contains("1. 洛隆县"), "{city}");
    assert!(city.contains("类乌齐县人民政府：应交") && city.contains(OTHER), "{city}");
    assert!(city.contains("/month?month=2023-05"), "{city}");
    assert_eq!(to("leader@gov.example").matches("昌都市：应交账").count(), 1);
    assert!(to(REGION).contains("西藏自治区：应交账") && to(REGION).contains("1. 昌都市"), "{}", to(REGION));
}

fn days_off_move_both_to_the_next_working_day(world: &World) {
    scene(world);
    // 25 November 2023 and 1 July 2023 are Saturdays.
    assert_eq!(items(world, COUNTY, "2023-11-25"), None);
    assert!(items(world, COUNTY, "2023-11-27").is_some());
    let said = world.done(&["job", "run", JOB, "--at", "2023-11-25"]);
    assert!(said.contains("休息日") && said.contains("2023-11-27"), "{said}");
    assert_eq!(items(world, CITY, "2023-07-01"), None);
    assert_eq!(items(world, CITY, "2023-07-03"), Some(1));
    world.done(&["reminder", "set", JOB, "--working-days-only", "false", "--reason", "周末也发"]);
    assert!(items(world, COUNTY, "2023-11-25").is_some());
}

fn a_region_has_days_of_the_month_of_its_own(world: &World) {
    let scene = scene(world);
    let query = "{ regions(filter: {code: {eq: \"540300\"}}) { nodes { id } } }";
    let city = scene.server.data_as(&scene.region, query, &json!({}))["regions"]["nodes"][0]["id"].clone();
    let set = "mutation($input: SetReminderRuleInput!) { setReminderRule(input: $input) { \
        rule { accountFormDay accountReportDay own { accountFormDay accountReportDay } } errors { code path } } }";
    let input = json!({"kind": "MONTHLY_ACCOUNT", "regionId": city, "accountFormDay": 18, "accountReportDay": 5,
        "reason": "本市月中调度"});
    let rule = scene.server.data_as(&scene.city, set, &json!({ "input": input }))["setReminderRule"]["rule"].clone();
    let both = json!({"accountFormDay": 18, "accountReportDay": 5});
    assert_eq!((&rule["accountFormDay"], &rule["own"]), (&json!(18), &both));
    assert_eq!(items(world, COUNTY, "2023-05-17"), None);
    assert!(items(world, COUNTY, "2023-05-18").is_some());
    // The region above keeps the days of the settings.
    for (address, first) in [(CITY, None), (REGION, Some(1))] {
        assert_eq!(items(world, address, "2023-06-01"), first, "{address}");
    }
    assert_eq!(items(world, CITY, "2023-06-05"), Some(1));
    let simulated = world.done(&["job", "simulate", "--from", "2023-05-12", "--to", "2023-06-09", "--job", JOB]);
    let days = simulated.lines().filter(|line| [COUNTY, CITY].iter().any(|address| line.contains(address)));
    let days: Vec<&str> = days.map(|line| &line[..10]).collect();
    assert_eq!(days, ["2023-05-18", "2023-06-05"], "{simulated}");
    let why = world.done(&["mail", "why-not", "--to", CITY, "--job", JOB, "--on", "2023-06-01"]);
    assert!(why.contains("每月 18 日发月调度表，次月 5 日报送数字"), "{why}");
    world.done(&["job", "run", JOB, "--at", "2023-06-05"]);
    let mails = world.done(&["mail", "list"]);
    let mail = mails.lines().find(|line| line.contains(CITY)).unwrap().split_whitespace().next().unwrap();
    let why = world.done(&["mail", "why", mail]);
    assert!(why.contains("每月 18 日发月调度表"), "{why}");
    let said = world.done(&["reminder", "list", "--region", "540329"]);
    assert!(said.contains("monthly-account：发送，每月 18 日发月调度表，5 日报送上月数字"), "{said}");
    assert!(world.done(&["reminder", "list"]).contains("每月 25 日发月调度表，1 日报送上月数字"));
    // The days of a month that the region leaves to others again.
    world.done(&["reminder", "set", JOB, "--region", "540329", "--account-form-day", "20"]);
    assert_eq!(items(world, COUNTY, "2023-06-19"), None);
    assert!(items(world, COUNTY, "2023-06-20").is_some());
    // Figures that come late in the month are made up for until after its end.
    world.done(&["reminder", "set", JOB, "--region", "540300", "--account-report-day", "28"]);
    assert_eq!(items(world, CITY, "2023-06-28"), None, "those of May have been told");
    assert_eq!(items(world, CITY, "2023-07-27"), None);
    for day in ["2023-07-28", "2023-07-31", "2023-08-03"] {
        assert_eq!(items(world, CITY, day), Some(1), "{day}");
    }
}

fn a_mail_brings_the_form_and_the_figures_if_one_day_brings_both(world: &World) {
    scene(world);
    // The county's mailbox is also one of the city office.
    world.done(&["unit", "set", "昌都市生态环境保护督察整改办", "--mail", COUNTY]);
    world.done(&["reminder", "set", JOB, "--account-form-day", "5", "--account-report-day", "5"]);
    let said = world.done(&["job", "run", JOB, "--at", "2023-06-05"]);
    assert!(said.contains("2023-05 月账") && said.contains("2023-06 月账") && !said.contains("逾期"), "{said}");
    let mails = crate::mail_words::deliver(world, "2023-06-05T01:00:00Z");
    let mail = mails.iter().find(|(kind, mail)| kind == JOB && mail["to"] == json!([COUNTY])).unwrap().1.clone();
    let text = mail["text"].as_str().unwrap().replace("\r\n", "\n");
    insta::with_settings!({
        snapshot_path => "../snapshots/mail",
        prepend_module_to_snapshot => false,
        omit_expression => true,
        filters => vec![(r"token=[0-9A-Za-z]+", "token=TOKEN")],
    }, {
        let subject = mail["subject"].as_str().unwrap();
        insta::assert_snapshot!("monthly-account.both.zh", format!("{subject}\n\n{text}"));
    });
    let html = mail["html"].as_str().unwrap();
    assert!(html.contains("排名（按交账率）") && html.contains("2023年5月整改工作交账情况"), "{html}");
}

/// Fills in the rows of a form: the same sheet with the given cells in the five blank columns.
pub(crate) fn filled(form: Vec<u8>, cells: [&str; 5]) -> (Vec<Vec<String>>, Vec<u8>) {
    let sheets = workbook::open("月调度表", form).unwrap();
    let sheet = sheets.first().unwrap();
    let lines = sheet.lines();
    let place = lines[1].iter().position(|heading| heading == "本月进展情况").unwrap();
    let headings = ["本月进展情况", "累计完成比例", "是否达到序时进度", "存在的困难和问题", "下一步打算"];
    assert_eq!(lines[1][place..place + 5], headings);
    let mut book = Workbook::new();
    let written = book.add_worksheet().set_name("月调度表").unwrap();
    for (row, line) in (0_u32..).zip(&lines) {
        for (column, cell) in (0_u16..).zip(line).filter(|(_, cell)| !cell.is_empty()) {
            written.write(row, column, cell).unwrap();
        }
        if row > 1 {
            for (column, cell) in (place as u16..).zip(cells) {
                written.write(row, column, cell).unwrap();
            }
        }
    }
    (lines, book.save_to_buffer().unwrap())
}

pub(crate) const CELLS: [&str; 5] = ["已拆除厂房。", "35%", "否", "资金缺口。", "争取专项债。"];

fn the_form_of_a_mail_is_filled_in_and_submitted(world: &World) {
    let scene = scene(world);
    let owed = items(world, COUNTY, "2023-05-25").unwrap();
    world.done(&["job", "run", JOB, "--at", "2023-05-25"]);
    world.done(&["job", "run", "deliver-mail", "--at", "2023-05-25"]);
    let folder = std::fs::read_dir(world.dir.path().join("data/mail")).unwrap();
    let mails = folder.map(|file| file.unwrap().path()).filter(|path| path.extension().is_some_and(|is| is == "eml"));
    let mail = mails.map(|path| std::fs::read_to_string(path).unwrap().replace("\r\n", "\n"));
    let mail = mail
        .into_iter()
        .find(|mail| mail.contains(&format!("To: {COUNTY}")) && mail.contains("openxmlformats"))
        .unwrap();
    let (_, part) = mail.split_once("Content-Type: application/vnd.openxmlformats").unwrap();
    let (_, body) = part.split_once("\n\n").unwrap();
    let body: String = body.split("\n--").next().unwrap().split_whitespace().collect();
    let form = STANDARD.decode(body).unwrap();

    let (lines, file) = filled(form, CELLS);
    assert_eq!(lines.len(), 2 + owed as usize);
    assert!(lines[0][0].starts_with("洛隆县人民政府整改进展月调度表（2023年5月）"), "{:?}", lines[0]);
    scene.clock.set("2023-05-26T09:00");
    let bearer = format!("Bearer {}", scene.counties[0]);
    let send = |file: &[u8], bearer: &str| {
        asked(&scene.server, "POST", "/import?sheet=progress&name=a.xlsx", &[("authorization", bearer)], file)
    };
    let other = send(&file, &format!("Bearer {}", scene.counties[1]));
    assert_eq!((other.status, &other.json()["taken"]), (422, &json!(0)), "the form of another unit");
    let taken = send(&file, &bearer);
    assert_eq!((taken.status, &taken.json()["taken"]), (200, &json!(owed)), "{}", taken.body);
    let again = send(&file, &bearer);
    assert_eq!((again.status, &again.json()["faults"][0]["code"]), (422, &json!("STALE_VERSION")), "{}", again.body);
    assert_eq!(items(world, COUNTY, "2023-05-29"), None);
    let given = accounts(&scene, &scene.counties[0], "2023-05");
    assert_eq!(given, [("洛隆县人民政府".to_owned(), "GIVEN".to_owned(), i64::from(owed), i64::from(owed), 0)]);
    let query = "query($id: ID!) { measure(id: $id) { assignments(first: 1) { nodes { statedPace
        latestReport { period text stated difficulties nextSteps quantities { label done target unit } } } } } }";
    let data = scene.server.data_as(&scene.counties[0], query, &json!({ "id": scene.measure }));
    let one = &data["measure"]["assignments"]["nodes"][0];
    assert_eq!(one["statedPace"], "BEHIND");
    let report = &one["latestReport"];
    assert_eq!((&report["period"], &report["text"]), (&json!("2023-05"), &json!("已拆除厂房。")));
    assert_eq!((&report["stated"], &report["difficulties"]), (&json!("未达序时进度"), &json!("资金缺口。")));
    assert_eq!(report["nextSteps"], "争取专项债。");
    assert_eq!(report["quantities"][0]["done"].as_f64(), Some(35.0));
}

fn a_filled_in_form_is_a_months_account_for_an_import(world: &World) {
    let scene = scene(world);
    scene.clock.set("2023-05-25T09:00");
    let bearer = format!("Bearer {}", scene.counties[0]);
    let headers = [("authorization", bearer.as_str())];
    let (answer, form) = scene.server.fetch("/export/monthly-account?month=2023-05", &headers);
    assert_eq!(answer.status, 200);
    let (lines, file) = filled(form, CELLS);
    let file = world.file("月调度表.xlsx", &file);
    let import =
        ["import", &file, "--kind", "progress", "--round", ROUND, "--region", "540329", "--issued-by", "540300"];
    let ran = world.run(&[&import[..], &["--as-of", "2023-05-31"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.out);
    assert!(ran.out.contains(&format!("0 条措施、0 项责任分解、{} 条进展", lines.len() - 2)), "{}", ran.out);
    assert_eq!(accounts(&scene, &scene.counties[0], "2023-05")[0].1, "GIVEN");
}

fn accounts_are_seen_as_the_assignments_are(world: &World) {
    let scene = scene(world);
    report(&scene, 0, "洛隆县", "2023-05", "2023-05-20");
    let of = |unit: &str, all: &[(String, String, i64, i64, i64)]| all.iter().find(|one| one.0 == unit).cloned();
    let city = accounts(&scene, &scene.city, "2023-05");
    let own = accounts(&scene, &scene.counties[0], "2023-05");
    assert_eq!(own.len(), 1, "a county sees its own account: {own:?}");
    assert_eq!(of("洛隆县人民政府", &city).as_ref(), own.first());
    assert_eq!(of("类乌齐县人民政府", &city), accounts(&scene, &scene.counties[1], "2023-05").into_iter().next());
    assert_eq!(of("察雅县人民政府", &city).unwrap().1, "MISSING");
    assert_eq!(accounts(&scene, &scene.inspector, "2023-05"), city, "whoever reads the subtree");
    let query = "query($state: [MonthlyAccountState!], $region: ID) { monthlyAccounts(month: \"2023-05\",
        filter: {state: $state, region: {within: $region}}) { totalCount aggregate { missing { sum } }
        groups(by: [STATE]) { keys { key } aggregate { count } } } }";
    let missing = scene.server.data_as(&scene.city, query, &json!({"state": ["MISSING"]}));
    let sum: i64 = city.iter().filter(|one| one.1 == "MISSING").map(|one| one.4).sum();
    assert_eq!(missing["monthlyAccounts"]["aggregate"]["missing"]["sum"].as_i64(), Some(sum));
    let wrong = "{ monthlyAccounts(month: \"2023-13\") { totalCount } }";
    let wrong = scene.server.ask_as(&scene.city, wrong, &json!({}));
    assert_eq!(wrong.json()["errors"][0]["extensions"]["code"], "BAD_USER_INPUT", "{}", wrong.body);

    let unit = "{ units(filter: {name: {eq: \"类乌齐县人民政府\"}}) { nodes { id } } }";
    let unit = scene.server.data_as(&scene.city, unit, &json!({}))["units"]["nodes"][0]["id"].clone();
    let path = format!("/export/monthly-account?month=2023-05&unit={}", unit.as_str().unwrap());
    let get = |path: &str, token: &str| {
        let bearer = format!("Bearer {token}");
        asked(&scene.server, "GET", path, &[("authorization", &bearer)], b"").status
    };
    assert_eq!(scene.server.fetch(&path, &[("authorization", &format!("Bearer {}", scene.city))]).0.status, 200);
    assert_eq!(get(&path, &scene.counties[0]), 404, "the form of another county");
    assert_eq!(get("/export/monthly-account?month=2023-05", &scene.city), 404, "an office names a unit");
    assert_eq!(get("/export/monthly-account?month=May", &scene.city), 400);
    assert_eq!(get(&path, "nonsense"), 401);
}

fn what_was_done_or_closed_before_owes_no_account(world: &World) {
    let scene = scene(world);
    let owed = |month: &str| {
        let found = accounts(&scene, &scene.counties[0], month);
        found.first().map_or(0, |one| one.2)
    };
    let april = owed("2023-04");
    assert!(owed("2023-03") < april, "what was assigned on 10 April owes nothing for March");
    scene.clock.set("2023-04-20T09:00");
    let input = scene.on("洛隆县", json!({"period": "2023-04", "text": "已完成。", "completedOn": "2023-04-18"}));
    scene.done(&scene.counties[0], "reportProgress", "ReportProgressInput", &input);
    assert_eq!(owed("2023-04"), april, "completed in April");
    let input = scene.on("类乌齐县", json!({"reason": "无此电站"}));
    let before = accounts(&scene, &scene.counties[1], "2023-04")[0].2;
    scene.stepped(&scene.counties[1], "proposeNotApplicable", &input);
    let after = accounts(&scene, &scene.counties[1], "2023-04");
    assert_eq!(after.first().map_or(0, |one| one.2), before - 1, "proposed as not applicable");
    scene.clock.set("2023-05-02T09:00");
    assert_eq!(owed("2023-05"), april - 1, "completed in April");
}
