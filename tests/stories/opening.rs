//! Which command may create, set up and migrate a database, what the others say, and how a server that is away is
//! waited for.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, chown};
use std::process::Stdio;

use sea_orm::ConnectionTrait;
use serde_json::json;

use crate::support::way::Way;
use crate::support::{Ran, World, block_on, free_port, read, stories};

stories!(
    commands_create_nothing_but_where_a_ledger_begins,
    an_older_database_is_migrated_by_migrate_and_serve_alone,
    a_newer_database_is_refused_by_all,
    a_server_goes_on_when_a_newer_version_migrates,
    schedules_that_keep_another_zone_are_told,
    what_the_superuser_makes_belongs_to_the_owner_of_the_folder,
);

mod on_postgres {
    macro_rules! on_postgres {
        ($($story:ident),+ $(,)?) => {
            $(#[test] fn $story() {
                if let Some(world) = crate::support::World::postgres() {
                    super::$story(&world);
                }
            })+
        };
    }
    on_postgres!(
        a_database_that_comes_later_is_waited_for,
        the_server_that_can_be_written_to_is_found,
        what_time_does_not_mend_is_named_at_once,
    );
}

/// Commands that use a ledger, and neither begin nor migrate one. `FILE` stands for a file to read, `OUT` for one to
/// write.
const WORKING: &[&[&str]] = &[
    &["region", "list"],
    &["unit", "list"],
    &["export", "OUT"],
    &["report", "FILE"],
    &["job", "list"],
    &["job", "run", "overdue"],
    &["job", "simulate", "--from", "2026-01-01", "--to", "2026-01-31"],
    &["mail", "list"],
    &["mail", "test", "somebody@county.example"],
    &["mail", "why", "mail_1"],
    &["mail", "why-not", "--to", "somebody@county.example", "--job", "overdue"],
    &["mail", "suppressed"],
    &["webhook", "list"],
    &["account", "list"],
    &["token", "list"],
    &["audit", "verify"],
    &["audit", "head"],
    &["dossier", "measure_1", "--out", "OUT"],
    &["evidence", "verify"],
    &["backup", "OUT"],
    &["copy", "--to", "sqlite:OUT"],
    &["reminder", "list"],
    &["statistics", "check"],
    &["search", "check"],
    &["search", "rebuild"],
];

/// Commands that begin a ledger in an empty database.
const BEGINNING: &[&[&str]] = &[
    &["import", "FILE", "--round", "演示轮次", "--region", "540329", "--create-units", "--as-of", "2026-01-01"],
    &["account", "create", "admin@gov.example", "--role", "administrator", "--no-password"],
    &["region", "add", "云川省", "--code", "990000", "--parent", "100000"],
    &["region", "load", "540300"],
    &["unit", "add", "昌都市水利局", "--region", "540300"],
    &["calendar", "set", "2026-10-01"],
    &["demo", "--bare"],
];

/// A file that `import` takes.
const FILE: &str =
    "序号,反馈问题,整改措施,完成时限,牵头单位,责任单位\n1,污水直排,铺设管网,2027年12月31日,县水利局,县水利局\n";

/// Runs a command on a database, with the files that it names.
fn run(world: &World, url: &str, command: &[&str]) -> Ran {
    let (file, out) = (world.dir.path().join("in/台账.csv"), world.dir.path().join("out"));
    std::fs::create_dir_all(world.dir.path().join("in")).unwrap();
    std::fs::write(&file, FILE).unwrap();
    let place = |word: &&str| match *word {
        "FILE" => file.to_string_lossy().into_owned(),
        "OUT" => out.to_string_lossy().into_owned(),
        other => other.to_owned(),
    };
    let output = world
        .program()
        .args(command.iter().map(place))
        .env("RECTIFY_DATABASE_URL", url)
        .env("RECTIFY_LISTEN", "127.0.0.1:0")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    Ran { code: output.status.code().unwrap_or(-1), out: said }
}

/// Asserts that a command is refused in the given words, and creates no file.
fn refused(world: &World, url: &str, command: &[&str], words: &[&str]) {
    let entries = || {
        let entries = std::fs::read_dir(world.dir.path()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        // Those of an open database come and go, and `serve` locks one before it opens it.
        let passing = ["-wal", "-shm", "db.lock"];
        names.retain(|name| name != "in" && !passing.iter().any(|ending| name.ends_with(ending)));
        names.sort();
        names
    };
    let before = entries();
    let ran = run(world, url, command);
    assert_eq!(ran.code, 1, "{command:?}: {}", ran.out);
    for part in words {
        assert!(ran.out.contains(part), "{command:?}: {part}: {}", ran.out);
    }
    assert_eq!(entries(), before, "{command:?} created something");
}

/// Executes SQL on the database of a world.
fn execute(world: &World, sql: &str) {
    block_on(async {
        let db = world.db().await;
        db.execute_unprepared(sql).await.unwrap();
        db.close().await.unwrap();
    });
}

fn commands_create_nothing_but_where_a_ledger_begins(world: &World) {
    let is_embedded = world.url.starts_with("sqlite:");
    let nowhere = format!("{}_nowhere", world.url);
    for command in WORKING {
        if is_embedded {
            refused(world, &nowhere, command, &["还没有台账", "rectify migrate", "There is no ledger", "database_url"]);
            continue;
        }
        refused(world, &nowhere, command, &["没有这个数据库", "no such database"]);
        refused(world, &world.url, command, &["还没有台账", "rectify migrate", "There is no ledger"]);
    }
    if is_embedded {
        // An empty file is no ledger either, and stays empty.
        let empty = world.file("empty.db", b"");
        refused(world, &format!("sqlite:{empty}"), &["job", "list"], &["还没有台账"]);
        assert_eq!(std::fs::metadata(&empty).unwrap().len(), 0);
    }
    // Once it is set up, they work; what is missing in it is another matter.
    world.done(&["migrate"]);
    for command in WORKING {
        let ran = run(world, &world.url, command);
        assert!(!ran.out.contains("还没有台账"), "{command:?}: {}", ran.out);
    }
    assert!(!world.dir.path().join("data/evidence").exists(), "reading evidence creates no folder");
    for command in BEGINNING {
        let fresh = if is_embedded { Some(World::sqlite()) } else { World::postgres() };
        let fresh = fresh.unwrap();
        let ran = run(&fresh, &fresh.url, command);
        assert_eq!(ran.code, 0, "{command:?}: {}", ran.out);
        assert_eq!(run(&fresh, &fresh.url, &["statistics", "check"]).code, 0);
    }
}

fn an_older_database_is_migrated_by_migrate_and_serve_alone(world: &World) {
    world.done(&["migrate"]);
    let older = || {
        block_on(async {
            let db = world.db().await;
            migration::down(&db, 1).await.unwrap();
            assert_eq!(migration::state(&db).await.unwrap(), migration::State::Older);
            db.close().await.unwrap();
        });
    };
    older();
    for command in WORKING.iter().chain(BEGINNING) {
        refused(world, &world.url, command, &["rectify migrate", "is older than this program"]);
    }
    assert!(world.done(&["migrate"]).contains("数据库已升级"));
    world.done(&["unit", "list"]);
    older();
    drop(world.serve());
    world.done(&["unit", "list"]);
}

fn a_newer_database_is_refused_by_all(world: &World) {
    world.done(&["migrate"]);
    execute(world, "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m29991231_000001_later', 0)");
    let version = env!("CARGO_PKG_VERSION");
    let words = ["m29991231_000001_later", "已由更新的版本升级", "A newer version has migrated", version];
    for command in WORKING.iter().chain(BEGINNING).chain([&["migrate"] as &[&str], &["serve"]].iter()) {
        refused(world, &world.url, command, &words);
    }
}

fn a_server_goes_on_when_a_newer_version_migrates(world: &World) {
    world.done(&["demo"]);
    let server = world.serve();
    let urge = || {
        let first = "{ assignments(first: 1, filter: {status: [IN_PROGRESS]}) { nodes { id } } }";
        let id = server.data(first, &json!({}))["assignments"]["nodes"][0]["id"].clone();
        let urge = "mutation ($id: ID!) { issueSupervision(input: {assignmentId: $id, kind: URGE, reason: \"urged\"}) \
                    { errors { message } } }";
        assert_eq!(server.data(urge, &json!({ "id": id }))["issueSupervision"]["errors"], json!([]));
    };
    urge();
    // What a step may add while processes of this version go on.
    for step in [
        "CREATE TABLE later (id INTEGER PRIMARY KEY)",
        "ALTER TABLE assignment ADD COLUMN later TEXT",
        "ALTER TABLE supervision_action ADD COLUMN later INTEGER NOT NULL DEFAULT 0",
        "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m29991231_000001_later', 0)",
    ] {
        execute(world, step);
    }
    urge();
    assert_eq!(server.get("/readyz").status, 200);
    refused(world, &world.url, &["migrate"], &["A newer version has migrated"]);
}

fn schedules_that_keep_another_zone_are_told(world: &World) {
    world.done(&["demo", "--bare"]);
    // No server listens on port 1.
    let mail = ("RECTIFY_MAIL_URL", "smtp://127.0.0.1:1?tls=none");
    drop(world.serve_with_scheduler(&[mail]));
    assert!(!read(world.log()).contains("keeps its own time zone"), "{}", read(world.log()));
    drop(world.serve_with_scheduler(&[mail, ("RECTIFY_TIME_ZONE", "Asia/Urumqi")]));
    let log = read(world.log());
    assert_eq!(log.matches("keeps its own time zone").count(), scheduler::JOBS.len(), "{log}");
    assert!(log.contains("Asia/Shanghai") && log.contains("Asia/Urumqi") && log.contains("editSchedule"), "{log}");
    let listed = world.program().args(["job", "list"]).env("RECTIFY_TIME_ZONE", "Asia/Urumqi").output().unwrap();
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(listed.contains("Asia/Shanghai（与设置 time_zone 不同）"), "{listed}");
}

fn a_database_that_comes_later_is_waited_for(world: &World) {
    let port = free_port();
    let (before, rest) = world.url.split_once('@').unwrap();
    let (_, name) = rest.split_once('/').unwrap();
    let url = format!("{before}@127.0.0.1:{port}/{name}");
    let mut waiting =
        world.program().arg("migrate").env("RECTIFY_DATABASE_URL", &url).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    BufReader::new(waiting.stderr.take().unwrap()).read_line(&mut said).unwrap();
    assert!(said.contains("waiting for the database") && said.contains(&url), "{said}");
    let _way = Way::at(port, &world.url);
    assert!(waiting.wait().unwrap().success());
    // No other command waits, and none where the setting says so.
    let away = format!("{before}@127.0.0.1:{}/{name}", free_port());
    let unwilling = ["0", "60"].map(|seconds| {
        let arguments: &[&str] = if seconds == "0" { &["serve"] } else { &["job", "list"] };
        let mut command = world.program();
        command.args(arguments).env("RECTIFY_DATABASE_URL", &away).env("RECTIFY_LISTEN", "127.0.0.1:0");
        command.env("RECTIFY_DATABASE_WAIT", seconds).output().unwrap()
    });
    for output in unwilling {
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(1) && said.contains("无法使用"), "{said}");
        assert!(said.contains("cannot be reached") && !said.contains("waiting"), "{said}");
    }
}

fn the_server_that_can_be_written_to_is_found(world: &World) {
    let (before, rest) = world.url.split_once('@').unwrap();
    let (server, name) = rest.split_once('/').unwrap();
    let away = free_port();
    let url = format!("{before}@127.0.0.1:{away},{server}/{name}?target_session_attrs=read-write");
    let found = run(world, &url, &["migrate"]);
    assert_eq!(found.code, 0, "{}", found.out);
    let mut by_parts = world.program();
    let (user, port) = (before.rsplit('/').next().unwrap(), server.rsplit_once(':').unwrap().1);
    by_parts.env_remove("RECTIFY_DATABASE_URL").env("RECTIFY_DATABASE_HOST", format!("[::1]:{away},127.0.0.1"));
    by_parts.env("RECTIFY_DATABASE_PORT", port).env("RECTIFY_DATABASE_NAME", name).env("RECTIFY_DATABASE_USER", user);
    let found = by_parts.args(["region", "list"]).output().unwrap();
    assert!(found.status.success(), "{}", String::from_utf8_lossy(&found.stderr));
    // Every server that cannot be used is named with its reason.
    let none = run(world, &format!("{before}@127.0.0.1:{away},nowhere.invalid:5433/{name}"), &["job", "list"]);
    assert!(none.code == 1 && none.out.contains(&format!("127.0.0.1:{away}: 没有连上")), "{}", none.out);
    assert!(none.out.contains("nowhere.invalid:5433: 没有名为 nowhere.invalid 的主机"), "{}", none.out);
    // One that only reads is of no use.
    let reading = run(world, &format!("{}?target_session_attrs=standby", world.url), &["job", "list"]);
    assert!(reading.code != 0 && reading.out.contains("target_session_attrs must be read-write"), "{}", reading.out);
}

fn what_time_does_not_mend_is_named_at_once(world: &World) {
    let (before, rest) = world.url.split_once('@').unwrap();
    let (server, name) = rest.split_once('/').unwrap();
    let limited = format!("limited_{}", std::process::id());
    execute(world, &format!("CREATE ROLE {limited} LOGIN CONNECTION LIMIT 0"));
    for (url, words) in [
        (format!("{before}@{server}/nowhere"), ["没有这个数据库", "no such database"]),
        (format!("postgres://nobody_here@{server}/{name}"), ["登录被拒绝", "check user, password"]),
        (format!("{}?sslmode=require", world.url), ["TLS", "database_tls"]),
    ] {
        // `migrate` waits for what may pass.
        for command in ["migrate", "serve"] {
            let ran = run(world, &url, &[command]);
            assert!(ran.code == 1 && words.iter().all(|part| ran.out.contains(part)), "{url}: {}", ran.out);
            assert!(!ran.out.contains("waiting"), "{url}: {}", ran.out);
        }
    }
    let full = run(world, &format!("postgres://{limited}@{server}/{name}"), &["job", "list"]);
    assert!(full.code == 1 && full.out.contains("max_connections"), "{}", full.out);
    let unknown = run(world, &format!("{before}@nowhere.invalid/{name}"), &["job", "list"]);
    assert!(unknown.code == 1 && unknown.out.contains("没有名为 nowhere.invalid 的主机"), "{}", unknown.out);
    execute(world, &format!("DROP ROLE {limited}"));
}

/// A service has a user of its own, and administrators run its commands as root.
fn what_the_superuser_makes_belongs_to_the_owner_of_the_folder(world: &World) {
    let (data, user) = (world.dir.path().join("data"), 65_534);
    std::fs::create_dir(&data).unwrap();
    // Only the superuser can give a folder away; for others there is nothing to see.
    if chown(&data, Some(user), Some(user)).is_err() {
        return;
    }
    world.done(&["migrate"]);
    world.done(&["mail", "test", "somebody@county.example"]);
    let mut found = vec![data];
    let mut count = 0;
    while let Some(path) = found.pop() {
        let about = path.symlink_metadata().unwrap();
        assert_eq!(about.uid(), user, "{}", path.display());
        count += 1;
        if about.is_dir() {
            found.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    assert!(count >= 3, "the folder, that of mails and a mail");
}
