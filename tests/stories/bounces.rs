//! Mails that come back: read from a mailbox or one at a time, believed only about mails that were really sent.

use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use entity::language::Language;
use ledger::record::link_key::LinkKey;
use scheduler::{Context, Links, Post};
use sea_orm::{ConnectionTrait, DatabaseConnection};
use serde_json::{Value, json};

use crate::scene::MeasureScene;
use crate::schedule;
use crate::support::{PASSWORD, Smtp, World, block_on, stories};

stories!(
    a_mail_that_comes_back_for_good_silences_its_address_once,
    nobody_silences_an_address_by_a_forged_notification,
    a_notification_is_read_from_standard_input,
    a_mailbox_that_cannot_be_read_is_seen,
);

/// The address of the county whose mails come back.
const COUNTY: &str = "u540329@gov.example";

/// Returns the folder of the mailbox of notifications.
fn mailbox(world: &World) -> PathBuf {
    world.dir.path().join("bounces")
}

/// Puts a message into the mailbox as a mail server does.
fn put(world: &World, name: &str, message: &[u8]) {
    for folder in ["tmp", "new", "cur"] {
        std::fs::create_dir_all(mailbox(world).join(folder)).unwrap();
    }
    std::fs::write(mailbox(world).join("tmp").join(name), message).unwrap();
    std::fs::rename(mailbox(world).join("tmp").join(name), mailbox(world).join("new").join(name)).unwrap();
}

/// Returns the names of the files in a folder of the mailbox.
fn names(world: &World, folder: &str) -> Vec<String> {
    let entries = std::fs::read_dir(mailbox(world).join(folder)).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Returns a scheduler that sends by a server, and signs with the key of the installation.
async fn context(world: &World, db: &DatabaseConnection, smtp: &Smtp, at: &str) -> Context {
    let now: DateTime<Utc> = at.parse::<DateTime<chrono::FixedOffset>>().unwrap().to_utc();
    let links = Links::new("http://ledger.example", "{public_url}/m/{token}", LinkKey::load(db).await.unwrap());
    let post = Post::open(&smtp.url, "整改台账 <ledger@gov.example>").unwrap();
    Context {
        post: Arc::new(post.returned_to("bounces@gov.example").unwrap()),
        bounce_mailbox: Some(mailbox(world)),
        writer: scheduler::writer(links, Language::Zh).unwrap(),
        clock: Arc::new(move || now),
        ..schedule::context(world, db, &now.to_rfc3339())
    }
}

/// Runs jobs as of a moment, one after the other; returns what the last one did, and the mails that the server got.
fn run(world: &World, jobs: &[&str], at: &str) -> (String, Vec<Value>) {
    let smtp = Smtp::start();
    let summary = block_on(async {
        let db = world.db().await;
        let context = context(world, &db, &smtp, at).await;
        let mut summary = String::new();
        for name in jobs {
            let job = scheduler::find(name).unwrap();
            summary = scheduler::run_at(&context, job, (context.clock)(), false).await.unwrap().summary;
        }
        db.close().await.unwrap();
        summary
    });
    (summary, smtp.mails().iter().map(|mail| serde_json::from_str(mail).unwrap()).collect())
}

/// Assigns the measure of a scene, and sends the reminders of its deadline; returns those.
fn remind(scene: &MeasureScene<'_>) -> Vec<Value> {
    let query = "query($id: ID!) { measure(id: $id) { version } }";
    let version = scene.server.data_as(&scene.city, query, &json!({ "id": scene.measure }))["measure"].clone();
    let input = json!({"measureId": scene.measure, "version": version["version"], "hasSelectorsResolved": true});
    assert_eq!(scene.act(&scene.city, "assignMeasure", "AssignMeasureInput", &input)["errors"], json!([]));
    run(scene.world, &["deliver-mail"], "2023-04-10T10:00:00+08:00");
    run(scene.world, &["due-soon", "deliver-mail"], "2023-05-31T09:00:00+08:00").1
}

/// Returns the Message-ID of the only mail to an address.
fn message_id(mails: &[Value], to: &str) -> String {
    let found: Vec<&Value> = mails.iter().filter(|mail| mail["to"] == json!([to])).collect();
    assert_eq!(found.len(), 1, "one mail to {to}: {mails:?}");
    assert_eq!(found[0]["envelope_from"], "bounces@gov.example", "a server returns it there");
    found[0]["message_id"].as_str().unwrap().to_owned()
}

/// A notification as Postfix writes it.
fn notification(message_id: &str, to: &str, (action, status, said): (&str, &str, &str)) -> String {
    format!(
        "Return-Path: <>\nFrom: MAILER-DAEMON@mx.gov.example (Mail Delivery System)\n\
         Subject: Undelivered Mail Returned to Sender\nTo: bounces@gov.example\nAuto-Submitted: auto-replied\n\
         MIME-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status;\n\
         \tboundary=\"A1.1685500000/mx.gov.example\"\n\nThis is a MIME-encapsulated message.\n\n\
         --A1.1685500000/mx.gov.example\nContent-Description: Notification\nContent-Type: text/plain\n\n\
         I'm sorry to have to inform you that your message could not be delivered.\n\n\
         --A1.1685500000/mx.gov.example\nContent-Description: Delivery report\n\
         Content-Type: message/delivery-status\n\nReporting-MTA: dns; mx.gov.example\n\
         X-Postfix-Sender: rfc822; bounces@gov.example\n\nFinal-Recipient: rfc822; {to}\n\
         Original-Recipient: rfc822;{to}\nAction: {action}\nStatus: {status}\nRemote-MTA: dns; mx.county.example\n\
         Diagnostic-Code: smtp; {said}\n\n--A1.1685500000/mx.gov.example\n\
         Content-Description: Undelivered Message\nContent-Type: message/rfc822\n\nFrom: ledger@gov.example\n\
         Message-ID: {message_id}\nSubject: x\n\nbody\n\n--A1.1685500000/mx.gov.example--\n"
    )
}

const GONE: (&str, &str, &str) = ("failed", "5.1.1", "550 5.1.1 no such mailbox here");

fn suppressed(world: &World) -> String {
    world.done(&["mail", "suppressed"])
}

fn a_mail_that_comes_back_for_good_silences_its_address_once(world: &World) {
    let scene = MeasureScene::set(world);
    world.done_with(&["account", "create", "admin@gov.example", "--role", "administrator"], &format!("{PASSWORD}\n"));
    let mails = remind(&scene);
    let id = message_id(&mails, COUNTY);

    // Among what else a mailbox gets.
    put(world, "1.garbage", &[0xff; 5_000]);
    put(world, "2.empty", b"");
    put(
        world,
        "3.away",
        format!("Subject: Re: x\nIn-Reply-To: {id}\nAuto-Submitted: auto-replied\n\nAway.").as_bytes(),
    );
    put(world, "4.nested", "Content-Type: message/rfc822\n\n".repeat(400_000).as_bytes());
    let returned = notification(&id, COUNTY, GONE);
    put(world, "5.returned", &[returned.as_bytes(), &vec![b'x'; 10 << 20]].concat());
    std::fs::create_dir(mailbox(world).join("new/6.folder")).unwrap();
    let (summary, _) = run(world, &["read-bounces"], "2023-05-31T10:00:00+08:00");
    assert_eq!(summary, "读取 5 封：永久退信 1 封，暂时退信 0 封");
    assert_eq!(names(world, "new"), ["6.folder"]);
    assert_eq!(names(world, "cur")[4], "5.returned:2,S");

    // The mail says so, administrators are told once, nothing more is sent to the address, and it is said why.
    let list = suppressed(world);
    assert!(list.contains(COUNTY) && list.contains("550 5.1.1 no such mailbox here"), "{list}");
    let admin = world.done(&["token", "create", "admin@gov.example"]).trim().to_owned();
    let query = format!(
        "{{ mails(first: 50, filter: {{to: {{eq: \"{COUNTY}\"}}, kind: {{eq: \"due-soon\"}}}}) {{ \
        nodes {{ id state bouncedAt lastError }} }} }}"
    );
    let state = || scene.server.data_as(&admin, &query, &json!({}))["mails"]["nodes"][0].clone();
    let mail = state();
    assert_eq!((&mail["state"], &mail["bouncedAt"]), (&json!("SENT"), &json!("2023-05-31T02:00:00+00:00")));
    assert_eq!(mail["lastError"], "5.1.1 550 5.1.1 no such mailbox here");
    let why = world.done(&["mail", "why", mail["id"].as_str().unwrap()]);
    assert!(why.contains("收到退信：5.1.1"), "{why}");
    let (_, mails) = run(world, &["due-soon", "deliver-mail"], "2023-06-23T09:00:00+08:00");
    let to = |address: &str| mails.iter().filter(|mail| mail["to"] == json!([address])).count();
    assert_eq!((to("admin@gov.example"), to(COUNTY), to("u540323@gov.example")), (1, 0, 1));
    let notice = mails.iter().find(|mail| mail["to"] == json!(["admin@gov.example"])).unwrap();
    assert_eq!(notice["subject"], format!("【邮件退信】{COUNTY} 已停止投递"));
    let why = world.done(&["mail", "why-not", "--to", COUNTY, "--job", "due-soon", "--on", "2023-06-23"]);
    assert!(why.contains("停止投递名单"), "{why}");

    // The same notification again changes nothing, also after an administrator has lifted the suppression.
    let (summary, _) = run(world, &["read-bounces"], "2023-06-23T10:00:00+08:00");
    assert_eq!(summary, "读取 0 封：永久退信 0 封，暂时退信 0 封");
    world.done(&["mail", "lift", COUNTY]);
    put(world, "5.returned", returned.as_bytes());
    let (summary, mails) = run(world, &["read-bounces", "deliver-mail"], "2023-06-23T11:00:00+08:00");
    assert_eq!((summary.as_str(), mails.len()), ("已发送 0 封，取消 0 封，失败 0 封", 0));
    assert_eq!((names(world, "new").len(), suppressed(world)), (1, String::new()));
    assert_eq!(state(), mail);

    // A mail that is sent again can come back again.
    let again = json!({ "input": { "mailId": mail["id"] } });
    let requeue = "mutation($input: RequeueMailInput!) { requeueMail(input: $input) { errors { code } } }";
    assert_eq!(scene.server.data_as(&admin, requeue, &again)["requeueMail"]["errors"], json!([]));
    assert_eq!(state()["bouncedAt"], Value::Null);
}

fn nobody_silences_an_address_by_a_forged_notification(world: &World) {
    let scene = MeasureScene::set(world);
    let mails = remind(&scene);
    let (id, other) = (message_id(&mails, COUNTY), message_id(&mails, "u540323@gov.example"));
    // Who gets mails can guess the number and the second of others, but not their signature.
    let (unsigned, signature) = id.split_once('@').unwrap().0.rsplit_once('-').unwrap();
    let of_other = other.split_once('@').unwrap().0.rsplit_once('-').unwrap().1;
    let forged = [
        ("unknown", notification("<rectify-mail-99999-1685494800@gov.example>", COUNTY, GONE)),
        ("unsigned", notification(&format!("{unsigned}@gov.example>"), COUNTY, GONE)),
        ("with-the-signature-of-another", notification(&id.replace(signature, of_other), COUNTY, GONE)),
        ("about-another-recipient", notification(&other, COUNTY, GONE)),
        ("about-nobody", notification(&id, "", GONE)),
        ("delayed", notification(&id, COUNTY, ("delayed", "4.4.1", "450 4.4.1 still trying"))),
    ];
    for (name, message) in &forged {
        put(world, name, message.as_bytes());
    }
    let (summary, _) = run(world, &["read-bounces"], "2023-05-31T10:00:00+08:00");
    assert_eq!(summary, "读取 6 封：永久退信 0 封，暂时退信 0 封");
    assert_eq!((names(world, "new").len(), suppressed(world)), (0, String::new()));

    // What may pass, and what is about this installation, is kept with the mail, and the address stays in use.
    put(
        world,
        "full",
        notification(&id, &COUNTY.to_uppercase(), ("failed", "5.2.2", "552 5.2.2 mailbox full")).as_bytes(),
    );
    put(world, "policy", notification(&other, "u540323@gov.example", ("failed", "5.7.1", "550 5.7.1 spam")).as_bytes());
    let (summary, _) = run(world, &["read-bounces"], "2023-05-31T11:00:00+08:00");
    assert_eq!(summary, "读取 2 封：永久退信 0 封，暂时退信 2 封");
    assert_eq!(suppressed(world), "");
    let list = world.done(&["mail", "list"]);
    assert!(list.contains("5.2.2 552 5.2.2 mailbox full") && list.contains("5.7.1 550 5.7.1 spam"), "{list}");
    let why = world.done(&["mail", "why-not", "--to", COUNTY, "--job", "due-soon", "--on", "2023-05-31"]);
    assert!(why.contains("已发送，后被退回"), "{why}");
    let (_, mails) = run(world, &["due-soon", "deliver-mail"], "2023-06-23T09:00:00+08:00");
    assert!(mails.iter().any(|mail| mail["to"] == json!([COUNTY])), "{mails:?}");
}

fn a_notification_is_read_from_standard_input(world: &World) {
    let scene = MeasureScene::set(world);
    let id = message_id(&remind(&scene), COUNTY);
    let returned = notification(&id, COUNTY, GONE);
    let read = |message: &str| world.done_with(&["mail", "bounced"], message);
    assert!(read("Subject: hello\n\nhello").contains("未作处理"));
    let long = format!("{}{}", returned.replace(&id, "<x@y>"), "x".repeat(3 << 20));
    assert!(read(&long).contains("未作处理"), "it is read to its end, and the sender sees no failure");
    assert_eq!(suppressed(world), "");
    assert!(read(&returned).contains("未作处理"), "mail servers do not try for years");
    block_on(async {
        let db = world.db().await;
        db.execute_unprepared("UPDATE mail SET sent_at = CURRENT_TIMESTAMP").await.unwrap();
        db.close().await.unwrap();
    });
    assert!(read(&returned).contains("收件地址已停止投递"));
    assert!(suppressed(world).contains(COUNTY));
    let file = world.file("returned.eml", returned.as_bytes());
    assert!(world.done(&["mail", "bounced", &file]).contains("已登记过"));
    assert_eq!(world.run(&["mail", "bounced", &format!("{file}.gone")]).code, 1);
}

fn a_mailbox_that_cannot_be_read_is_seen(world: &World) {
    let server = world.serve();
    let smtp = Smtp::start();
    let tick = |at: &str, is_set: bool| {
        block_on(async {
            let db = world.db().await;
            let context = context(world, &db, &smtp, at).await;
            let mailbox = context.bounce_mailbox.clone().filter(|_| is_set);
            let context = Context { bounce_mailbox: mailbox, ..context };
            for run in scheduler::tick(&context).await.unwrap() {
                scheduler::carry_out(&context, run).await.unwrap();
            }
            db.close().await.unwrap();
        });
    };
    block_on(async {
        let began = "2023-05-31T00:02:00Z".parse().unwrap();
        scheduler::ensure_schedules(&world.db().await, chrono_tz::Asia::Shanghai, began).await.unwrap();
    });
    let runs = || {
        let query = "{ schedules { name failures runs(first: 5) { nodes { state error } } } }";
        let data = server.data(query, &json!({}));
        data["schedules"].as_array().unwrap().iter().find(|one| one["name"] == "read-bounces").unwrap().clone()
    };
    // Without the setting, nothing is read and nothing recorded.
    tick("2023-05-31T08:05:10+08:00", false);
    assert_eq!((&runs()["failures"], runs()["runs"]["nodes"].as_array().unwrap().len()), (&json!(0), 0));
    tick("2023-05-31T08:10:10+08:00", true);
    let failed = runs();
    assert_eq!((&failed["failures"], &failed["runs"]["nodes"][0]["state"]), (&json!(1), &json!("FAILED")));
    let error = failed["runs"]["nodes"][0]["error"].as_str().unwrap().to_owned();
    assert!(error.contains("bounces/new"), "{error}");
    assert!(server.get("/readyz").body.contains("degraded: job read-bounces"), "{}", server.get("/readyz").body);
    put(world, "1", b"Subject: hello\n\nhello");
    tick("2023-05-31T08:11:10+08:00", true);
    let whole = runs();
    assert_eq!((&whole["failures"], &whole["runs"]["nodes"][0]["state"]), (&json!(0), &json!("SUCCEEDED")));
    assert!(!server.get("/readyz").body.contains("read-bounces"));
    assert_eq!(names(world, "cur"), ["1:2,S"]);
    assert!(world.done(&["job", "list"]).contains("read-bounces"));
}
