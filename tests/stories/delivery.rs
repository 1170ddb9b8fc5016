//! Delivery: what is waiting is sent at once and in order, a fault of the mail server is charged to no mail, and no
//! copy is sent in haste.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use entity::account::Role;
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use crate::support::ledgers::{CITY_ROWS, ROUND, city};
use crate::support::{Server, Smtp, World, asked, block_on, people, stories};

stories!(
    a_fault_of_the_server_is_charged_to_no_mail_and_administrators_are_told,
    whatever_the_server_refuses_us_for_is_charged_to_no_mail,
    one_closed_mailbox_stops_nobody_else,
    a_warning_that_no_server_accepted_is_made_up,
    a_message_that_may_have_arrived_is_not_sent_again_at_once,
    a_notice_is_sent_at_once_and_before_all_digests,
    a_server_that_takes_one_connection_gets_one,
    no_more_mails_a_minute_than_the_setting_says,
    a_clock_that_was_ahead_holds_nothing_back,
);

/// The words by which a run says that the mail server takes no mails.
const OUT: &str = "邮件服务器暂不收信";

fn county(world: &World) {
    let file = world.file("县.xlsx", &city(&CITY_ROWS));
    world.done(&["import", &file, "--round", ROUND, "--region", "540329", "--issued-by", "540300", "--create-units"]);
    world.entered("2022-12-01");
    world.done(&["unit", "set", "洛隆县人民政府", "--mail", "gov@county.example"]);
}

/// Delivers to a server as of a moment. Returns what was printed and logged.
fn deliver(world: &World, smtp: &Smtp, at: &str, settings: &[(&str, &str)]) -> String {
    let mut job = world.program();
    job.args(["job", "run", "deliver-mail", "--at", at]).env("RECTIFY_MAIL_URL", &smtp.url);
    let ran = job.envs(settings.iter().copied()).output().unwrap();
    assert!(ran.status.success());
    [ran.stdout, ran.stderr].map(|said| String::from_utf8(said).unwrap()).concat()
}

/// Returns recipient, state and attempts of every mail.
fn mails(server: &Server) -> Vec<String> {
    let data = server.data("{ mails(first: 200) { nodes { to state attempts } } }", &json!({}));
    let nodes = data["mails"]["nodes"].as_array().unwrap().clone();
    let line = |mail: &Value| {
        format!("{} {} {}", mail["to"].as_str().unwrap(), mail["state"].as_str().unwrap(), mail["attempts"])
    };
    nodes.iter().map(line).collect()
}

/// Queues as many more digests like the first, each to an address of its own.
fn multiply(world: &World, count: usize) {
    block_on(async {
        let db = world.db().await;
        let numbers = format!(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}), \
             first AS (SELECT * FROM mail ORDER BY id LIMIT 1)"
        );
        let mails = format!(
            "INSERT INTO mail (cause, kind, recipient, unit_id, local_day, subject, reason, facts, state, priority, \
             attempts, next_attempt_at, created_at) {numbers} \
             SELECT 'many:' || i, kind, 'many' || i || '@far.example', unit_id, local_day, '', reason, facts, \
             'QUEUED', priority, 0, next_attempt_at, created_at FROM first, n"
        );
        let items = "INSERT INTO mail_item (mail_id, measure_id, assignment_id, due_on) \
            SELECT m.id, i.measure_id, i.assignment_id, i.due_on FROM mail m, mail_item i \
            WHERE m.cause LIKE 'many:%' AND i.mail_id = (SELECT min(id) FROM mail)";
        // In one transaction, so that no mail is found without its items.
        let transaction = sea_orm::TransactionTrait::begin(&db).await.unwrap();
        transaction.execute_unprepared(&mails).await.unwrap();
        transaction.execute_unprepared(items).await.unwrap();
        transaction.commit().await.unwrap();
    });
}

fn a_fault_of_the_server_is_charged_to_no_mail_and_administrators_are_told(world: &World) {
    county(world);
    world.done(&["job", "run", "overdue", "--at", "2023-01-02"]);
    let smtp = Smtp::start();
    smtp.set("login");
    let server = world.serve();
    let outage = "{ mailOutage { server reason since nextProbeAt } }";
    assert_eq!(server.data(outage, &json!({})), json!({ "mailOutage": null }));
    assert_eq!(server.figure("rectify_mail_server_up"), 1);

    let first = deliver(world, &smtp, "2023-01-02", &[]);
    assert!(first.contains("失败 0 封") && first.contains(OUT) && first.contains("535"), "{first}");
    assert!(first.contains("the mail server takes no mails"), "the log must say so once: {first}");
    let again = deliver(world, &smtp, "2099-01-01", &[]);
    assert!(again.contains(OUT) && !again.contains("the mail server takes no mails"), "{again}");
    assert_eq!(mails(&server), ["gov@county.example QUEUED 0"], "an attempt must not be counted");

    let ready = server.get("/readyz");
    assert_eq!(ready.status, 200, "the service can serve");
    assert!(ready.body.starts_with("ready\ndegraded: mail: "), "{}", ready.body);
    assert!(!ready.body.contains("localhost") && !ready.body.contains("5.7.8"), "probes are public: {}", ready.body);
    assert_eq!(server.figure("rectify_mail_server_up"), 0);
    let told = server.data(outage, &json!({}))["mailOutage"].clone();
    assert_eq!(told["server"], json!(format!("localhost:{}", smtp.port)));
    assert!(told["reason"].as_str().unwrap().contains("535") && told["nextProbeAt"].is_string(), "{told}");

    let of_county = (Role::CountyOffice, None, Some("540329"));
    let staff =
        block_on(async { people::employ(&world.db().await, &[(Role::Administrator, None, None), of_county]).await });
    let (administrator, office) = (&staff[0], &staff[1]);
    let seen = |person: &people::Person| {
        let token = person.bearer.trim_start_matches("Bearer ");
        let cookie = format!("rectify={token}");
        let page = asked(&server, "GET", "/me", &[("cookie", &cookie)], b"");
        assert_eq!(page.status, 200, "{}", page.body);
        (server.data_as(token, outage, &json!({}))["mailOutage"].is_object(), page.body.contains("role=\"alert\""))
    };
    assert_eq!(seen(administrator), (true, true), "administrators are told by the API and on every page");
    assert_eq!(seen(office), (false, false), "others are not");

    smtp.set("");
    let back = deliver(world, &smtp, "2099-01-01", &[]);
    assert!(back.contains("已发送 1 封") && !back.contains(OUT), "{back}");
    assert_eq!(mails(&server), ["gov@county.example SENT 1"]);
    assert!(server.get("/readyz").body.starts_with("ready\nopen"), "the service is whole again");
    assert_eq!((seen(administrator), server.figure("rectify_mail_server_up")), ((false, false), 1));
}

fn whatever_the_server_refuses_us_for_is_charged_to_no_mail(world: &World) {
    county(world);
    world.done(&["job", "run", "overdue", "--at", "2023-01-02"]);
    let (server, smtp) = (world.serve(), Smtp::start());
    let refusals = [
        ("greeting", "554"),
        ("full", "too many connections"),
        ("sender", "sender not allowed"),
        ("relay", "relaying denied"),
    ];
    for (mode, reply) in refusals {
        smtp.set(mode);
        let said = deliver(world, &smtp, "2099-01-01", &[]);
        assert!(said.contains("失败 0 封") && said.contains(OUT) && said.contains(reply), "{mode}: {said}");
        assert_eq!(mails(&server), ["gov@county.example QUEUED 0"], "{mode}");
    }
    smtp.set("");
    assert!(deliver(world, &smtp, "2099-01-01", &[]).contains("已发送 1 封"));
}

fn one_closed_mailbox_stops_nobody_else(world: &World) {
    county(world);
    world.done(&["unit", "set", "洛隆县人民政府", "--mail", "closed@county.example"]);
    world.done(&["job", "run", "overdue", "--at", "2023-01-02"]);
    let (server, smtp) = (world.serve(), Smtp::start());
    // The refusal may be meant for all.
    let said = deliver(world, &smtp, "2023-01-02", &[]);
    assert!(said.contains("失败 0 封") && said.contains(OUT), "{said}");
    // The probe is another mail. It is accepted, so the refusal was meant for the one.
    world.done(&["unit", "set", "洛隆县人民政府", "--mail", "gov@county.example"]);
    world.done(&["job", "run", "overdue", "--at", "2023-01-04"]);
    let said = deliver(world, &smtp, "2099-01-01", &[]);
    assert!(said.contains("已发送 1 封，取消 0 封，失败 1 封") && !said.contains(OUT), "{said}");
    assert_eq!(mails(&server), ["closed@county.example QUEUED 1", "gov@county.example SENT 1"]);
}

fn a_warning_that_no_server_accepted_is_made_up(world: &World) {
    county(world);
    world.done(&["unit", "set", "洛隆县人民政府", "--mail", "nobody@county.example"]);
    world.done(&["job", "run", "overdue", "--at", "2023-01-02"]);
    assert!(world.done(&["job", "run", "overdue", "--at", "2023-01-03"]).contains("已写入发件箱 0 封"), "it waits");
    let smtp = Smtp::start();
    assert!(deliver(world, &smtp, "2023-01-03", &[]).contains("失败 1 封"));
    let next = world.done(&["job", "run", "overdue", "--at", "2023-01-04"]);
    assert!(next.contains("已写入发件箱 1 封"), "the parked mail told nobody: {next}");
}

fn a_message_that_may_have_arrived_is_not_sent_again_at_once(world: &World) {
    county(world);
    world.done(&["job", "run", "overdue", "--at", "2023-01-02"]);
    let (server, smtp) = (world.serve(), Smtp::start());
    smtp.set("hang-up");
    let said = deliver(world, &smtp, "2023-01-02", &[]);
    assert!(said.contains("失败 1 封") && !said.contains(OUT), "{said}");
    assert_eq!(smtp.mails().len(), 1, "the server may have taken the first copy");
    assert_eq!(mails(&server), ["gov@county.example QUEUED 1"]);
    smtp.set("");
    assert!(deliver(world, &smtp, "2099-01-01", &[]).contains("已发送 1 封"), "the next copy goes after the pause");
    assert_eq!(smtp.mails().len(), 2);
}

/// A scheduler that runs in a process of its own.
struct Scheduler(Child);

impl Drop for Scheduler {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn a_notice_is_sent_at_once_and_before_all_digests(world: &World) {
    county(world);
    world.done(&["job", "run", "overdue", "--at", "2023-01-02"]);
    let smtp = Smtp::start();
    let settings = [("RECTIFY_MAIL_URL", smtp.url.as_str()), ("RECTIFY_MAIL_CONNECTIONS", "1")];
    // The server goes by the wall clock, which may show a day off.
    let always = ["--working-days-only", "false", "--quiet", "00:00-00:00"];
    world.done(&[&["reminder", "set", "overdue"], &always[..]].concat());
    // Nothing is left to the ticks: the schedule is due once a year.
    world.done(&["job", "list"]);
    block_on(async {
        let yearly = "UPDATE schedule SET cron = '0 0 0 1 1 *' WHERE name = 'deliver-mail'";
        world.db().await.execute_unprepared(yearly).await.unwrap();
    });
    // On PostgreSQL the scheduler is another process, which the database wakes.
    let (server, _scheduler) = if world.url.starts_with("sqlite:") {
        (world.serve_with_scheduler(&settings), None)
    } else {
        let server = world.serve();
        let mut scheduler = world.program();
        scheduler.args(["serve", "--role", "scheduler"]).envs(settings).stdout(Stdio::null()).stderr(Stdio::null());
        (server, Some(Scheduler(scheduler.spawn().unwrap())))
    };
    assert!(smtp.next()["subject"].as_str().unwrap().contains("整改催办"), "what waited is sent at the start");

    let of_county =
        "{ assignments(first: 1, filter: {unit: {is: {name: {eq: \"洛隆县人民政府\"}}}}) { nodes { id } } }";
    let there = server.data(of_county, &json!({}))["assignments"]["nodes"][0]["id"].clone();
    let urge = |reason: &str| {
        let query = "mutation($input: IssueSupervisionInput!) { issueSupervision(input: $input) { errors { code } } }";
        let input = json!({"assignmentId": there, "kind": "URGE", "reason": reason});
        assert_eq!(server.data(query, &json!({ "input": input }))["issueSupervision"]["errors"], json!([]));
    };
    let is_notice = |mail: &Value, reason: &str| mail["text"].as_str().unwrap().contains(reason);
    urge("第一次催办");
    assert!(is_notice(&smtp.next(), "第一次催办"), "a notice is sent without a tick");

    let many = 400;
    multiply(world, many);
    urge("第二次催办");
    let before = (0..=many).take_while(|_| !is_notice(&smtp.next(), "第二次催办")).count();
    assert!(before < many / 2, "{before} of {many} digests went before the notice");
}

fn a_server_that_takes_one_connection_gets_one(world: &World) {
    county(world);
    world.done(&["job", "run", "overdue", "--at", "2023-01-02"]);
    multiply(world, 30);
    let smtp = Smtp::start();
    smtp.set("alone");
    let said = deliver(world, &smtp, "2023-01-02", &[("RECTIFY_MAIL_CONNECTIONS", "4")]);
    assert!(said.contains("已发送 31 封") && !said.contains(OUT), "{said}");
}

fn no_more_mails_a_minute_than_the_setting_says(world: &World) {
    county(world);
    world.done(&["job", "run", "overdue", "--at", "2023-01-02"]);
    multiply(world, 5);
    let smtp = Smtp::start();
    let began = Instant::now();
    let said = deliver(world, &smtp, "2023-01-02", &[("RECTIFY_MAIL_PER_MINUTE", "300")]);
    assert!(said.contains("已发送 6 封"), "{said}");
    assert!(began.elapsed() >= Duration::from_secs(1), "six mails at five a second take a second");
}

fn a_clock_that_was_ahead_holds_nothing_back(world: &World) {
    county(world);
    world.done(&["job", "run", "overdue", "--at", "2023-01-02"]);
    let smtp = Smtp::start();
    // The first was queued under such a clock, the other claimed.
    multiply(world, 1);
    block_on(async {
        let db = world.db().await;
        let ahead = "UPDATE mail SET next_attempt_at = '2099-01-01 00:00:00+00:00'";
        db.execute_unprepared(ahead).await.unwrap();
        let claimed = "UPDATE mail SET state = 'SENDING', lease = 'dead', attempts = 1 WHERE cause LIKE 'many:%'";
        db.execute_unprepared(claimed).await.unwrap();
    });
    let said = deliver(world, &smtp, "2023-01-02", &[]);
    assert!(said.contains("a clock which was ahead"), "{said}");
    // They are due now, by the clock of this machine.
    let later = deliver(world, &smtp, "2090-01-01", &[]);
    assert!(!later.contains("a clock which was ahead"), "{later}");
    assert_eq!(smtp.mails().len(), 2);
}
