//! Reminders by mail: who gets a digest, what it contains, and how the outbox handles failures.

use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::ledgers::{CITY_ROWS, ROUND, city, province};
use crate::support::{Smtp, World, block_on, read, silent_peer, stories};

stories!(
    an_overdue_digest_is_queued_once_however_often_it_is_asked_for,
    the_mail_arrives_at_a_real_server_and_reads_well,
    nobody_is_mailed_of_measures_that_name_no_unit,
    what_was_closed_meanwhile_is_not_sent,
    a_server_s_no_is_final_and_its_later_is_not,
    every_reminder_of_the_demo_reaches_somebody,
    a_measure_is_to_be_inspected_as_often_as_its_plan_says,
    a_quarter_that_was_under_way_at_entry_is_not_owed,
    what_was_over_before_the_ledger_came_in_is_told_once,
    each_quarter_is_owed_until_a_check_settles_it,
    an_act_that_can_tell_nobody_says_so,
);

fn county(world: &World) {
    let file = world.file("县.xlsx", &city(&CITY_ROWS));
    world.done(&["import", &file, "--round", ROUND, "--region", "540329", "--issued-by", "540300", "--create-units"]);
    world.entered("2022-12-01");
    world.done(&["unit", "set", "洛隆县人民政府", "--mail", "GOV@county.example"]);
}

fn queued(world: &World) -> usize {
    let list = world.done(&["mail", "list", "--state", "queued"]);
    // Indented lines contain the last error of a mail.
    list.lines().filter(|line| !line.starts_with('\t')).count()
}

fn an_overdue_digest_is_queued_once_however_often_it_is_asked_for(world: &World) {
    county(world);
    let rehearsed = world.done(&["job", "run", "overdue", "--at", "2023-01-02", "--dry-run"]);
    assert!(rehearsed.contains("收件人 gov@county.example：3 项"), "{rehearsed}");
    assert!(rehearsed.contains("市水利局（未设邮箱）"), "{rehearsed}");
    assert_eq!(queued(world), 0, "a dry run must write nothing");
    // Two concurrent runs, then another.
    let both: Vec<_> = (0..2)
        .map(|_| {
            let mut job = world.program();
            job.args(["job", "run", "overdue", "--at", "2023-01-02"]).stdout(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    for job in both {
        assert!(job.wait_with_output().unwrap().status.success());
    }
    assert!(world.done(&["job", "run", "overdue", "--at", "2023-01-02"]).contains("已写入发件箱 0 封"));
    assert_eq!(queued(world), 1);
    // Nothing is sent within a week; after it, a digest of everything that is overdue then.
    assert!(world.done(&["job", "run", "overdue", "--at", "2023-01-06"]).contains("已写入发件箱 0 封"));
    assert!(world.done(&["job", "run", "overdue", "--at", "2023-01-08"]).contains("休息日"), "a Sunday");
    assert!(world.done(&["job", "run", "overdue", "--at", "2023-01-09"]).contains("已写入发件箱 1 封"));
    // The deadline is a Saturday.
    world.done(&["reminder", "set", "overdue", "--working-days-only", "false"]);
    let eve = world.done(&["job", "run", "overdue", "--at", "2022-12-31T23:59:00+08:00"]);
    assert!(eve.contains("已写入发件箱 0 封"), "a deadline ends at the end of its day: {eve}");
}

fn the_mail_arrives_at_a_real_server_and_reads_well(world: &World) {
    county(world);
    world.done(&["job", "run", "overdue", "--at", "2023-01-02"]);
    let smtp = Smtp::start();
    let sent =
        world.program().args(["job", "run", "deliver-mail"]).env("RECTIFY_MAIL_URL", &smtp.url).output().unwrap();
    let said = String::from_utf8(sent.stdout).unwrap();
    assert!(said.contains("已发送 1 封，取消 0 封，失败 0 封"), "{said}");
    let again =
        world.program().args(["job", "run", "deliver-mail"]).env("RECTIFY_MAIL_URL", &smtp.url).output().unwrap();
    assert!(String::from_utf8(again.stdout).unwrap().contains("已发送 0 封"));
    let mails = smtp.mails();
    assert_eq!(mails.len(), 1);
    let mail: Value = serde_json::from_str(&mails[0]).unwrap();
    assert_eq!((&mail["tls"], &mail["login"]), (&json!(true), &json!(true)));
    assert_eq!(mail["to"], json!(["gov@county.example"]));
    assert_eq!(mail["subject"], "【整改催办·逾期2天】一-2 开展干部专题培训（2022年12月31日）。等3项");
    assert_eq!(mail["auto_submitted"], "auto-generated");
    assert!(mail["message_id"].as_str().unwrap().starts_with("<rectify-mail-1-"));
    // The signature of a link depends on the installation, and its end on the moment.
    let filters = vec![(r"(/m/\w+\.mail_\d+)\.\d+\.[0-9a-f]{32}", "$1.SIGNED")];
    let settings = "../snapshots";
    insta::with_settings!({ snapshot_path => settings, prepend_module_to_snapshot => false, filters => filters }, {
        insta::assert_snapshot!("overdue_text", mail["text"].as_str().unwrap().replace("\r\n", "\n"));
    });
    let html = mail["html"].as_str().unwrap();
    assert_eq!(html.matches("请办理：").count(), 3, "each item is a card that says what to do");
}

fn nobody_is_mailed_of_measures_that_name_no_unit(world: &World) {
    let file = world.file("省.xlsx", &province());
    world.done(&["import", &file, "--round", "中央督察", "--region", "540000"]);
    let said = world.done(&["job", "run", "overdue", "--at", "2019-04-02"]);
    assert!(said.contains("没有收件人：2 项"), "{said}");
    assert!(said.contains("台账未载明单位"), "{said}");
    assert!(said.contains("已写入发件箱 0 封"), "{said}");
}

fn what_was_closed_meanwhile_is_not_sent(world: &World) {
    use sea_orm::ConnectionTrait;
    county(world);
    world.done(&["job", "run", "overdue", "--at", "2023-01-02"]);
    crate::support::block_on(async {
        let db = world.db().await;
        db.execute_unprepared("UPDATE assignment SET status = 'CLOSED'").await.unwrap();
    });
    let said = world.done(&["job", "run", "deliver-mail"]);
    assert!(said.contains("已发送 0 封，取消 1 封"), "{said}");
    assert!(world.done(&["mail", "list"]).contains("发送前复核"));
}

fn a_server_s_no_is_final_and_its_later_is_not(world: &World) {
    county(world);
    let smtp = Smtp::start();
    let deliver = |url: &str, at: &str| {
        let mut job = world.program();
        let ran = job.args(["job", "run", "deliver-mail", "--at", at]).env("RECTIFY_MAIL_URL", url).output().unwrap();
        String::from_utf8(ran.stdout).unwrap()
    };
    world.done(&["unit", "set", "洛隆县人民政府", "--mail", "busy@county.example"]);
    world.done(&["job", "run", "overdue", "--at", "2023-01-02"]);
    assert!(deliver(&smtp.url, "2023-01-02").contains("失败 1 封"));
    assert_eq!(queued(world), 1, "a mail with a temporary failure stays queued");
    assert!(deliver(&smtp.url, "2023-01-02").contains("失败 0 封"), "it must not be retried before its pause ends");
    // An unreachable server is no failure of the mail.
    let (peer, silent) = silent_peer();
    drop(peer);
    let said = deliver(&silent, "2099-01-01");
    assert!(said.contains("失败 0 封") && said.contains("邮件服务器暂不收信"), "{said}");
    assert_eq!(queued(world), 1);
    world.done(&["unit", "set", "洛隆县人民政府", "--mail", "nobody@county.example"]);
    world.done(&["job", "run", "overdue", "--at", "2023-01-04"]);
    assert!(deliver(&smtp.url, "2099-01-01").contains("失败"));
    let parked = world.done(&["mail", "list", "--state", "failed"]);
    assert!(parked.contains("nobody@county.example") && parked.contains("550"), "{parked}");
    assert!(world.done(&["mail", "requeue"]).contains("已重新排队 1 封"));
    let trail = world.serve().data("{ auditEntries(first: 1) { nodes { act objectId } } }", &json!({}));
    assert_eq!(
        trail["auditEntries"]["nodes"],
        json!([{"act": "QUEUED", "objectId": "mail_2"}]),
        "requeueing must be audited as through the API"
    );
}

fn every_reminder_of_the_demo_reaches_somebody(world: &World) {
    world.done(&["demo"]);
    let server = world.serve();
    let data = server.data("{ statistics(by: STATUS, count: ASSIGNMENTS) { rows { key } } }", &json!({}));
    assert_eq!(data["statistics"]["rows"].as_array().unwrap().len(), 11, "the demo must contain every status: {data}");
    for job in ["overdue", "due-soon", "quarterly-self-inspection"] {
        let said = world.done(&["job", "run", job]);
        assert!(!said.contains("已写入发件箱 0 封"), "{job}: {said}");
        assert!(said.contains("没有收件人"), "{job}: the demo must have units without an address");
    }
    let waiting = queued(world);
    let said = world.done(&["job", "run", "deliver-mail"]);
    assert!(said.contains(&format!("已发送 {waiting} 封，取消 0 封，失败 0 封")), "{said}");
    let folder = world.dir.path().join("data/mail");
    let letter = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let letter = letter.into_iter().find(|path| path.extension().is_some_and(|ending| ending == "html")).unwrap();
    assert!(read(letter).contains("请办理："));
    assert!(world.done(&["mail", "test", "somebody@county.example"]).contains("测试邮件已写入"));
    assert_eq!(world.run(&["mail", "test", "nobody"]).code, 1);
}

fn a_measure_is_to_be_inspected_as_often_as_its_plan_says(world: &World) {
    county(world);
    let server = world.serve();
    let measures =
        server.data("{ measures(first: 3) { nodes { id version } } }", &json!({}))["measures"]["nodes"].clone();
    let round = "mutation { editRound(input: {roundId: \"round_1\", version: 1, feedbackOn: \"2022-06-01\"}) { \
        errors { message } } }";
    assert_eq!(server.data(round, &json!({}))["editRound"]["errors"], json!([]));
    let plan = "mutation($input: PlanChecksInput!) { planChecks(input: $input) { errors { message } } }";
    for (place, every) in ["NEVER", "HALF_YEAR", "YEAR"].iter().enumerate() {
        let measure = &measures[place];
        let plans = json!([{"kind": "SELF_INSPECTION", "every": every}]);
        let input = json!({"measureId": measure["id"], "version": measure["version"], "plans": plans});
        assert_eq!(server.data(plan, &json!({ "input": input }))["planChecks"]["errors"], json!([]));
    }
    let due = |day: &str| {
        let said = world.done(&["job", "run", "quarterly-self-inspection", "--at", day, "--dry-run"]);
        let of_county =
            said.lines().find(|line| line.contains("gov@county.example")).unwrap_or_else(|| panic!("{said}"));
        let number: String = of_county.rsplit('：').next().unwrap().chars().filter(char::is_ascii_digit).collect();
        number.parse::<u32>().unwrap()
    };
    let answers = server.data("{ assignments { totalCount } }", &json!({}))["assignments"]["totalCount"].clone();
    let answers = u32::try_from(answers.as_u64().unwrap()).unwrap();
    // Each run includes the quarter that ends and the missed checks of all quarters since the entry. The last quarter
    // of a year ends periods of all three lengths.
    let quarters = [answers - 3, answers - 2, answers - 3, answers - 1];
    for (place, day) in ["2023-03-30", "2023-06-29", "2023-09-29", "2023-12-29"].iter().enumerate() {
        assert_eq!(due(day), quarters[..=place].iter().sum::<u32>(), "{day}");
    }
}

fn a_quarter_that_was_under_way_at_entry_is_not_owed(world: &World) {
    county(world);
    let (server, clock) = world.serve_under_clock("2023-05-10T09:00");
    let there =
        "{ problems(first: 1) { nodes { id } } units(filter: {name: {eq: \"洛隆县人民政府\"}}) { nodes { id } } }";
    let there = server.data(there, &json!({}));
    let unit = &there["units"]["nodes"][0]["id"];
    let create = "mutation($input: CreateMeasureInput!) { createMeasure(input: $input) { errors { message } } }";
    let input = json!({"problemId": there["problems"]["nodes"][0]["id"], "content": "新增的一项长效管护措施",
        "deadline": "长期坚持",
        "leadUnitId": unit, "parties": [{"unitId": unit}]});
    assert_eq!(server.data(create, &json!({ "input": input }))["createMeasure"]["errors"], json!([]));
    let said = |day: &str| world.done(&["job", "run", "quarterly-self-inspection", "--at", day, "--dry-run"]);
    assert!(!said("2023-05-11").contains("新增的一项"), "the first quarter ended before the assignment");
    assert!(!said("2023-06-29").contains("新增的一项"), "the second was under way");
    let september = said("2023-09-29");
    assert!(
        september.lines().any(|line| line.contains("2023-09-30 剩余 1 天") && line.contains("新增的一项")),
        "{september}"
    );

    // The task follows the same rule.
    let unit = world.account("unit@county.example", "responsible-unit", "洛隆县人民政府");
    let count = |day: &str| {
        clock.set(&format!("{day}T09:00"));
        let query = "{ viewer { tasks(first: 200, filter: {kind: [SELF_INSPECTION]}) { \
            nodes { dueOn measure { content } } } } }";
        let tasks = server.data_as(&unit, query, &json!({}))["viewer"]["tasks"]["nodes"].clone();
        let is_new = |task: &&Value| task["measure"]["content"].as_str().unwrap().contains("新增的一项");
        tasks.as_array().unwrap().iter().filter(is_new).count()
    };
    assert_eq!((count("2023-06-30"), count("2023-07-01")), (0, 1));
}

/// Runs a reminder as of a day, and returns its mails as a server receives them on that day.
fn received(world: &World, job: &str, day: &str) -> Vec<Value> {
    world.done(&["job", "run", job, "--at", day]);
    let smtp = Smtp::start();
    let mut deliver = world.program();
    deliver.args(["job", "run", "deliver-mail", "--at", &format!("{day}T09:00:00+08:00")]);
    assert!(deliver.env("RECTIFY_MAIL_URL", &smtp.url).output().unwrap().status.success());
    smtp.mails().iter().map(|mail| serde_json::from_str(mail).unwrap()).collect()
}

fn what_was_over_before_the_ledger_came_in_is_told_once(world: &World) {
    county(world);
    world.entered("2023-03-01");
    world.done(&["unit", "add", "昌都市生态环境保护督察整改办", "--region", "540300", "--mail", "office@city.example"]);
    let mails = received(world, "overdue", "2023-03-02");
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0]["subject"], "【整改催办·台账导入时已逾期】一-2 开展干部专题培训（2022年12月31日）。等3项");
    let text = mails[0]["text"].as_str().unwrap();
    assert!(text.contains("台账导入时已逾期，只提醒这一次：贵单位负责的 3 项整改措施"), "{text}");
    assert!(!text.contains("逾期 6"), "the days since the old date are nobody's debt: {text}");
    for day in ["2023-03-08", "2023-03-09", "2023-03-16", "2023-05-30"] {
        let said = world.done(&["job", "run", "overdue", "--at", day]);
        assert!(said.contains("已写入发件箱 0 封"), "it is not repeated: {day}: {said}");
    }
    // What became late after the entry is told weekly, without the rest.
    for day in ["2023-05-31", "2023-06-07"] {
        let said = world.done(&["job", "run", "overdue", "--at", day]);
        assert!(said.contains("已写入发件箱 1 封") && said.contains("gov@county.example：2 项"), "{day}: {said}");
    }
    // The levels count from the entry.
    assert!(world.done(&["job", "run", "escalation", "--at", "2023-03-07"]).contains("已写入发件箱 0 封"));
    let escalated = received(world, "escalation", "2023-03-08");
    assert_eq!(escalated.len(), 1);
    assert_eq!(escalated[0]["to"], json!(["office@city.example"]));
    assert!(world.done(&["job", "run", "propose-listing", "--at", "2023-03-30"]).contains("0 项"));
    assert!(world.done(&["job", "run", "propose-listing", "--at", "2023-03-31"]).contains("3 项"));
    let server = world.serve();
    let reasons = server.data("{ supervisionActions(first: 1) { nodes { reason } } }", &json!({}));
    let reason = reasons["supervisionActions"]["nodes"][0]["reason"].clone();
    assert_eq!(reason, "台账导入时已逾期，导入30天后仍未完成整改，系统建议挂牌督办");
}

fn each_quarter_is_owed_until_a_check_settles_it(world: &World) {
    county(world);
    let (server, clock) = world.serve_under_clock("2023-07-10T08:00");
    let round = "mutation { editRound(input: {roundId: \"round_1\", version: 1, feedbackOn: \"2022-06-01\"}) { \
        errors { message } } }";
    assert_eq!(server.data(round, &json!({}))["editRound"]["errors"], json!([]));
    let mails = received(world, "quarterly-self-inspection", "2023-07-10");
    assert_eq!(mails.len(), 1);
    let there =
        server.data("{ assignments(first: 50) { totalCount nodes { id } } }", &json!({}))["assignments"].clone();
    let answers = there["totalCount"].as_u64().unwrap();
    let subject = format!("【季度自查·逾期101天】2023年第一季度：{answers}项整改任务待自查");
    assert_eq!(mails[0]["subject"], subject);
    let text = mails[0]["text"].as_str().unwrap();
    let both = "2023年第一季度自查已逾期 101 天；2023年第二季度自查已逾期 10 天";
    assert_eq!(text.matches(both).count() as u64, answers, "one line for both quarters: {text}");
    assert!(text.contains("2023年第一季度自查（2023年3月31日截止，已逾期 101 天）"), "{text}");
    assert!(!text.contains("剩余"), "{text}");
    // A deadline without a date shows the one that counts.
    assert!(text.contains("整改时限：立行立改（按2022年7月1日计）"), "{text}");
    assert!(text.contains("写明 2023Q1"), "{text}");

    // A check made late settles the quarter that it names, and no other.
    let owed = |day: &str| {
        let said = world.done(&["job", "run", "quarterly-self-inspection", "--at", day, "--dry-run"]);
        let lines = said.lines().filter(|line| line.starts_with("    2023-"));
        (lines.clone().filter(|line| line.contains("2023-03-31")).count() as u64, lines.count() as u64)
    };
    assert_eq!(owed("2023-07-16"), (0, 0));
    assert_eq!(owed("2023-07-17"), (answers, 2 * answers));
    let record = |period: &str| {
        let query = "mutation($input: RecordCheckInput!) { recordCheck(input: $input) { errors { code path } } }";
        let input = json!({"assignmentId": there["nodes"][0]["id"], "kind": "SELF_INSPECTION", "result": "PASSED",
            "period": period});
        server.data(query, &json!({ "input": input }))["recordCheck"]["errors"].clone()
    };
    let refused = json!([{"code": "INVALID", "path": ["input", "period"]}]);
    for period in ["2023Q4", "2023H1", "第一季度"] {
        assert_eq!(record(period), refused, "{period}");
    }
    assert_eq!(record("2023Q1"), json!([]));
    assert_eq!(owed("2023-07-17"), (answers - 1, 2 * answers - 1));
    clock.set("2023-07-11T08:00");
    assert_eq!(record("2023Q2"), json!([]));
    assert_eq!(owed("2023-07-17"), (answers - 1, 2 * answers - 2));
}

fn an_act_that_can_tell_nobody_says_so(world: &World) {
    let file = world.file("县.xlsx", &city(&CITY_ROWS));
    world.done(&["import", &file, "--round", ROUND, "--region", "540329", "--issued-by", "540300", "--create-units"]);
    let server = world.serve();
    let of_county =
        "{ assignments(first: 1, filter: {unit: {is: {name: {eq: \"洛隆县人民政府\"}}}}) { nodes { id } } }";
    let there = server.data(of_county, &json!({}))["assignments"]["nodes"][0]["id"].clone();
    let urge = "mutation($input: IssueSupervisionInput!) { issueSupervision(input: $input) {
        assignment { id } errors { code } warnings { code message } } }";
    let urged = |reason: &str| {
        let input = json!({"assignmentId": there, "kind": "URGE", "reason": reason});
        server.data(urge, &json!({ "input": input }))["issueSupervision"].clone()
    };
    let unheard = urged("逾期");
    assert_eq!(
        (&unheard["assignment"]["id"], &unheard["errors"]),
        (&there, &json!([])),
        "the act must succeed without recipients"
    );
    assert_eq!(unheard["warnings"][0]["code"], "NOBODY_TOLD");
    assert!(unheard["warnings"][0]["message"].as_str().unwrap().contains("另行通知"), "{unheard}");
    let log = read(world.log());
    assert!(log.contains("none of the recipients has an address") && log.contains(there.as_str().unwrap()), "{log}");
    assert!(!log.contains('\u{1b}'), "a log file must have no colour codes: {log}");

    world.done(&["unit", "set", "洛隆县人民政府", "--mail", "gov@county.example"]);
    for reason in ["一是进度滞后；\n二是材料不全。", "再次催办"] {
        assert_eq!(urged(reason)["warnings"], json!([]));
    }
    let list = world.done(&["mail", "list"]);
    assert_eq!(list.lines().count(), 2, "each mail must have one line, and equal kinds must not be merged: {list}");
    assert!(list.contains("一是进度滞后； 二是材料不全。"), "{list}");

    // The lead unit is asked to supervise the responsible unit, not to act itself.
    world.done(&["unit", "set", "市委组织部", "--mail", "lead@city.example"]);
    urged("第三次催办");
    world.done(&["job", "run", "deliver-mail"]);
    let files = std::fs::read_dir(world.dir.path().join("data/mail")).unwrap().map(|entry| entry.unwrap().path());
    let letters: Vec<String> =
        files.filter(|path| path.extension().is_some_and(|ending| ending == "html")).map(read).collect();
    let say = |words: &str| letters.iter().filter(|letter| letter.contains(words)).count();
    assert_eq!((say("请抓紧推进整改"), say("请督促责任单位抓紧推进整改")), (3, 1), "{letters:?}");
    // The unit that has to act has no address; another unit is notified.
    block_on(async {
        let forget = "DELETE FROM unit_address WHERE address = 'gov@county.example'";
        sea_orm::ConnectionTrait::execute_unprepared(&world.db().await, forget).await.unwrap();
    });
    assert_eq!(urged("第四次催办")["warnings"][0]["code"], "UNIT_NOT_TOLD");
    // A mailbox that both units share counts as the one of the unit that has to act.
    world.done(&["unit", "set", "洛隆县人民政府", "--mail", "lead@city.example"]);
    assert_eq!(urged("第五次催办")["warnings"], json!([]));
}
