//! Passwords are never shown, whatever their characters and wherever they are set. Files are readable by their owner
//! only. A mail server is trusted by the configured certificate alone.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sea_orm::ConnectionTrait;
use serde_json::json;

use crate::support::evidence::{Counties, PNG, upload};
use crate::support::{Ran, Smtp, World, block_on, read, stories};

stories!(
    no_password_is_shown_wherever_it_stands,
    what_contradicts_itself_is_refused,
    a_mail_server_takes_any_password,
    files_are_their_owner_s_alone,
    what_others_can_read_is_warned_about,
    a_certificate_that_is_its_own_authority_is_taken_and_only_it,
);

mod on_postgres {
    #[test]
    fn the_database_takes_any_password() {
        if let Some(world) = crate::support::World::postgres() {
            super::the_database_takes_any_password(&world);
        }
    }
}

const PASSWORD: &str = "p#a/s?s@w:o%rd \"quoted\"";
/// A password that a parser could mistake for a number.
const NUMBER: &str = "87654321";

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// Asserts that an output contains no part of a password: plain, encoded, or split at an `@`, `/`, `?` or `#`.
fn hides(what: &str, said: &str) {
    for part in ["p#a", "p%23a", "s?s", "s%3Fs", "o%rd", "o%25rd", "quoted", "hunter", NUMBER] {
        assert!(!said.contains(part), "{what} shows {part}: {said}");
    }
}

/// Runs a command with additional environment variables and the most verbose log.
fn run(world: &World, arguments: &[&str], settings: &[(&str, &str)]) -> Ran {
    let mut command = world.program();
    let output = command.args(arguments).env("RECTIFY_LOG", "trace").envs(settings.iter().copied()).output().unwrap();
    let out = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    Ran { code: output.status.code().unwrap_or(-1), out }
}

/// Settings, the expected exit code of `config`, and a text that it must print.
type Form<'a> = (Vec<(&'a str, String)>, i32, &'a str);

#[expect(clippy::too_many_lines, reason = "most of it is one list of settings")]
fn no_password_is_shown_wherever_it_stands(world: &World) {
    world.done(&["migrate"]);
    let file = world.file("password", format!("{PASSWORD}\n").as_bytes());
    let safe = encoded(PASSWORD);
    // No server listens on port 1.
    let address = |rest: &str| format!("postgres://rectify:{rest}");
    let forms: Vec<Form<'_>> = vec![
        (vec![("DATABASE_URL", address(&format!("{PASSWORD}@127.0.0.1:1/ledger")))], 2, "database_url"),
        (vec![("DATABASE_URL", address("12#hunter"))], 2, "database_url"),
        (vec![("DATABASE_URL", address("12/hunter@127.0.0.1/ledger"))], 2, "database_url"),
        (vec![("DATABASE_URL", NUMBER.to_owned())], 2, "database_url"),
        (
            vec![("DATABASE_URL", address(&format!("{safe}@127.0.0.1:1/ledger")))],
            0,
            "postgres://rectify:***@127.0.0.1:1/ledger",
        ),
        (
            vec![(
                "DATABASE_URL",
                format!("postgres://rectify@127.0.0.1:1/ledger?sslpassword=hunter2&password={safe}"),
            )],
            0,
            "postgres://rectify@127.0.0.1:1/ledger?***&password=***",
        ),
        (
            vec![
                ("DATABASE_URL", String::new()),
                ("DATABASE_HOST", "127.0.0.1".to_owned()),
                ("DATABASE_PORT", "1".to_owned()),
                ("DATABASE_PASSWORD", PASSWORD.to_owned()),
            ],
            0,
            "database_password = \"***\"",
        ),
        (
            vec![
                ("DATABASE_URL", String::new()),
                ("DATABASE_HOST", "127.0.0.1".to_owned()),
                ("DATABASE_PASSWORD", NUMBER.to_owned()),
            ],
            0,
            "database_password = \"***\"",
        ),
        (
            vec![
                ("DATABASE_URL", String::new()),
                ("DATABASE_HOST", format!("rectify:{PASSWORD}@127.0.0.1")),
                ("DATABASE_PASSWORD", PASSWORD.to_owned()),
            ],
            2,
            "",
        ),
        (vec![("MAIL_URL", format!("smtp://ledger:{PASSWORD}@127.0.0.1:1?tls=none"))], 2, "mail_url"),
        (vec![("MAIL_URL", format!("smtp://ledger:{safe}@127.0.0.1:1?tls=none"))], 0, "smtp://ledger:***@127.0.0.1:1"),
        (vec![("MAIL_URL", "smtp://127.0.0.1:1?tls=none&password=hunter2".to_owned())], 2, "mail_url"),
        (vec![("MAIL_URL", NUMBER.to_owned())], 2, "mail_url"),
        (
            vec![
                ("MAIL_HOST", "127.0.0.1".to_owned()),
                ("MAIL_PORT", "1".to_owned()),
                ("MAIL_USER", "ledger".to_owned()),
                ("MAIL_TLS", "none".to_owned()),
                ("MAIL_PASSWORD_FILE", file.clone()),
            ],
            0,
            "mail_password_file",
        ),
        (vec![("EVIDENCE_URL", format!("s3://key:{PASSWORD}@bucket"))], 2, "evidence_url"),
        (vec![("OIDC_CLIENT_SECRET", NUMBER.to_owned())], 2, "oidc_issuer"),
    ];
    for (settings, code, seen) in forms {
        let settings: Vec<(String, String)> =
            settings.into_iter().map(|(name, value)| (format!("RECTIFY_{name}"), value)).collect();
        let settings: Vec<(&str, &str)> =
            settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let what = settings.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(" ");
        let ran = run(world, &["config"], &settings);
        hides(&what, &ran.out);
        if !seen.is_empty() {
            assert!(ran.code == code && ran.out.contains(seen), "{what}: {} {}", ran.code, ran.out);
        }
        if settings.iter().any(|(name, _)| name.starts_with("RECTIFY_MAIL")) {
            let ran = run(world, &["mail", "test", "somebody@county.example"], &settings);
            hides(&what, &ran.out);
            assert_ne!(ran.code, 0, "{what}: no server listens there: {}", ran.out);
        } else if code == 2 {
            // `serve` must hide it as well: a restarting service would repeat the output in its log.
            let ran = run(world, &["serve"], &settings);
            hides(&what, &ran.out);
            assert_eq!(ran.code, 2, "{what}: {}", ran.out);
        }
    }
    // In a file, with a wrong type or a syntax error.
    for (name, text) in [
        ("number", format!("database_password = {NUMBER}")),
        ("url", format!("mail_url = {NUMBER}")),
        ("list", "mail_password = [\"hunter2\"]".to_owned()),
        ("table", "[oidc_client_secret]\nhunter2 = \"hunter3\"".to_owned()),
        ("bare", "log = \"info\"\ndatabase_password = hunter2".to_owned()),
        ("quotes", format!("log = \"info\"\ndatabase_password = \"{PASSWORD}\"")),
    ] {
        let file = world.file(&format!("{name}.toml"), text.as_bytes());
        for command in ["config", "serve"] {
            let ran = run(world, &[command, "--config", &file], &[]);
            hides(name, &ran.out);
            assert_eq!(ran.code, 2, "{name}: {}", ran.out);
            let place = if ["bare", "quotes"].contains(&name) { "第 2 行" } else { "应为文字" };
            assert!(ran.out.contains(place), "{name}: {}", ran.out);
        }
    }
    let help = world.done(&["--help"]);
    assert!(help.contains("Others on this machine can read a password"), "{help}");
}

fn what_contradicts_itself_is_refused(world: &World) {
    let file = world.file("password", b"correct horse\n");
    let file = file.as_str();
    for (settings, seen) in [
        (vec![("RECTIFY_DATABASE_URL_FILE", file)], "database_url_file、database_url"),
        (vec![("RECTIFY_DATABASE_HOST", "localhost")], "database_url 与 database_host"),
        (vec![("RECTIFY_DATABASE_PASSWORD", "x")], "database_url 与 database_host"),
        (vec![("RECTIFY_DATABASE_URL", ""), ("RECTIFY_DATABASE_PASSWORD", "x")], "database_host"),
        (
            vec![
                ("RECTIFY_DATABASE_URL", ""),
                ("RECTIFY_DATABASE_HOST", "localhost"),
                ("RECTIFY_DATABASE_PASSWORD", "x"),
                ("RECTIFY_DATABASE_PASSWORD_FILE", file),
            ],
            "database_password_file、database_password",
        ),
        (vec![("RECTIFY_MAIL_URL", "file:mail"), ("RECTIFY_MAIL_HOST", "localhost")], "mail_url 与 mail_host"),
        (vec![("RECTIFY_MAIL_URL", "file:mail"), ("RECTIFY_MAIL_URL_FILE", file)], "mail_url_file、mail_url"),
        (vec![("RECTIFY_MAIL_HOST", "localhost"), ("RECTIFY_MAIL_PASSWORD", "x")], "mail_user"),
        (vec![("RECTIFY_MAIL_HOST", "localhost"), ("RECTIFY_MAIL_TLS", "ssl")], "mail_tls"),
    ] {
        let ran = run(world, &["config"], &settings);
        assert!(ran.code == 2 && ran.out.contains(seen), "{settings:?}: {} {}", ran.code, ran.out);
    }
}

fn a_mail_server_takes_any_password(world: &World) {
    world.done(&["migrate"]);
    let smtp = Smtp::start_with(&json!({ "password": PASSWORD }));
    let (port, ca) = (smtp.port.to_string(), smtp.certificate());
    let address = format!("smtp://ledger:{}@localhost:{port}?tls=starttls&ca={ca}", encoded(PASSWORD));
    let file = world.file("password", format!("{PASSWORD}\n").as_bytes());
    let address_file = world.file("address", format!("{address}\n").as_bytes());
    let parts = [
        ("RECTIFY_MAIL_HOST", "localhost"),
        ("RECTIFY_MAIL_PORT", port.as_str()),
        ("RECTIFY_MAIL_USER", "ledger"),
        ("RECTIFY_MAIL_CA_FILE", ca.as_str()),
    ];
    let send = |settings: &[(&str, &str)]| {
        let ran = run(world, &["mail", "test", "somebody@county.example"], settings);
        hides(&format!("{settings:?}").replace(PASSWORD, ""), &ran.out);
        ran
    };
    for settings in [
        vec![("RECTIFY_MAIL_URL", address.as_str())],
        vec![("RECTIFY_MAIL_URL_FILE", address_file.as_str())],
        [parts.as_slice(), &[("RECTIFY_MAIL_PASSWORD", PASSWORD)]].concat(),
        [parts.as_slice(), &[("RECTIFY_MAIL_PASSWORD_FILE", file.as_str())]].concat(),
    ] {
        let ran = send(&settings);
        assert!(ran.code == 0 && ran.out.contains("测试邮件已发往"), "{}", ran.out);
    }
    assert_eq!(smtp.mails().len(), 4);
    let ran = send(&[parts.as_slice(), &[("RECTIFY_MAIL_PASSWORD", "hunter2")]].concat());
    assert!(ran.code == 1 && ran.out.contains("535"), "{}", ran.out);
    assert!(!ran.out.contains("aHVudGVyMg"), "the password must not appear in Base64 either: {}", ran.out);
}

/// Creates a PostgreSQL role that must authenticate by password, unlike the other roles of the test server.
async fn role_with_password(world: &World) -> String {
    let db = world.db().await;
    let role = format!("secretive_{}", std::process::id());
    let said = |sql: String| {
        let db = &db;
        async move {
            let row = db.query_one_raw(sea_orm::Statement::from_string(db.get_database_backend(), sql)).await.unwrap();
            row.unwrap().try_get_by_index::<String>(0).unwrap()
        }
    };
    let password = PASSWORD.replace('\'', "''");
    db.execute_unprepared(&format!("CREATE ROLE {role} SUPERUSER LOGIN PASSWORD '{password}'")).await.unwrap();
    let rules = said("SHOW hba_file".to_owned()).await;
    let old = said(format!("SELECT pg_read_file('{rules}')")).await;
    let old = old.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).map(str::to_owned);
    let lines: Vec<String> =
        std::iter::once(format!("host all {role} 127.0.0.1/32 scram-sha-256")).chain(old).collect();
    let lines = format!("'{}'", lines.join("', '"));
    db.execute_unprepared(&format!("COPY (SELECT unnest(ARRAY[{lines}])) TO '{rules}'")).await.unwrap();
    db.execute_unprepared("SELECT pg_reload_conf()").await.unwrap();
    role
}

fn the_database_takes_any_password(world: &World) {
    let role = block_on(role_with_password(world));
    let url = url::Url::parse(&world.url).unwrap();
    let (port, name) = (url.port().unwrap().to_string(), url.path().trim_start_matches('/').to_owned());
    let safe = encoded(PASSWORD);
    let address = format!("postgres://{role}:{safe}@127.0.0.1:{port}/{name}");
    let query = format!("postgres://{role}@127.0.0.1:{port}/{name}?password={safe}&sslpassword=hunter2");
    let file = world.file("password", format!("{PASSWORD}\n").as_bytes());
    let address_file = world.file("address", format!("{address}\n").as_bytes());
    let parts = [
        ("RECTIFY_DATABASE_URL", ""),
        ("RECTIFY_DATABASE_HOST", "127.0.0.1"),
        ("RECTIFY_DATABASE_PORT", port.as_str()),
        ("RECTIFY_DATABASE_NAME", name.as_str()),
        ("RECTIFY_DATABASE_USER", role.as_str()),
    ];
    let with = |more: &'static str, value: &str| {
        let mut settings: Vec<(&str, String)> = parts.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
        settings.push((more, value.to_owned()));
        settings
    };
    let migrate = |settings: &[(&str, String)]| {
        let settings: Vec<(&str, &str)> = settings.iter().map(|(key, value)| (*key, value.as_str())).collect();
        let ran = run(world, &["migrate"], &settings);
        hides("migrate", &ran.out);
        ran
    };
    // PostgreSQL reloads its rules asynchronously.
    let wrong = with("RECTIFY_DATABASE_PASSWORD", "hunter2");
    let begun = Instant::now();
    let refused = loop {
        let ran = migrate(&wrong);
        if ran.code != 0 || begun.elapsed() > Duration::from_secs(30) {
            break ran;
        }
    };
    assert!(refused.code == 1 && refused.out.contains("password authentication failed"), "{}", refused.out);
    assert!(refused.out.contains("登录被拒绝") && !refused.out.contains("waiting"), "{}", refused.out);
    assert!(refused.out.contains(&format!("postgres://{role}@127.0.0.1:{port}/{name}")), "{}", refused.out);
    for settings in [
        vec![("RECTIFY_DATABASE_URL", address.clone())],
        vec![("RECTIFY_DATABASE_URL", query)],
        vec![("RECTIFY_DATABASE_URL", String::new()), ("RECTIFY_DATABASE_URL_FILE", address_file)],
        with("RECTIFY_DATABASE_PASSWORD", PASSWORD),
        with("RECTIFY_DATABASE_PASSWORD_FILE", &file),
    ] {
        let ran = migrate(&settings);
        assert_eq!(ran.code, 0, "{}", ran.out);
    }
    let by_flag = run(world, &["migrate", "--database-url", &address], &[]);
    hides("--database-url", &by_flag.out);
    assert_eq!(by_flag.code, 0, "{}", by_flag.out);
    let settings = with("RECTIFY_DATABASE_PASSWORD", PASSWORD);
    let mut settings: Vec<(&str, &str)> = settings.iter().map(|(key, value)| (*key, value.as_str())).collect();
    settings.push(("RECTIFY_LOG", "trace"));
    let server = world.serve_with(&settings);
    assert_eq!(server.get("/readyz").status, 200);
    hides("the log", &read(world.log()));
}

/// Collects every file and folder below a folder, with its mode.
fn modes(folder: &Path, found: &mut Vec<(String, u32)>) {
    for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        // Temporary files of the running server may be gone by now.
        let Ok(metadata) = std::fs::metadata(&entry) else { continue };
        found.push((entry.to_string_lossy().into_owned(), metadata.permissions().mode() & 0o777));
        if metadata.is_dir() {
            modes(&entry, found);
        }
    }
}

fn files_are_their_owner_s_alone(world: &World) {
    let (server, who) = Counties::open(world, &[("RECTIFY_LOG", "info")]);
    assert_eq!(upload(&server, &who.mine, &who.assignment, "验收 照片.png", PNG).status, 201);
    world.done(&["mail", "test", "somebody@county.example"]);
    let out = |name: &str| world.dir.path().join(name).to_string_lossy().into_owned();
    world.done(&["export", &out("导出.xlsx")]);
    world.done(&["dossier", &who.measure, "--out", &out("档案.zip")]);
    let mut found = Vec::new();
    modes(world.dir.path(), &mut found);
    // The log is created by the story itself.
    found.retain(|(path, _)| Path::new(path) != world.log());
    for part in ["导出.xlsx", "档案.zip", "data/mail/", ".eml", "data/evidence/sha256/"] {
        assert!(found.iter().any(|(path, _)| path.contains(part)), "{part}: {found:?}");
    }
    if world.url.starts_with("sqlite:") {
        for part in ["rectify.db", "rectify.db-wal", "rectify.db-shm", "rectify.db.lock"] {
            assert!(found.iter().any(|(path, _)| path.ends_with(part)), "{part}: {found:?}");
        }
    }
    for (path, mode) in found {
        let most = if Path::new(&path).is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode, most, "{path}: {mode:o}");
    }
    assert!(!read(world.log()).contains("chmod"), "the server must not warn");
}

fn what_others_can_read_is_warned_about(world: &World) {
    world.done(&["migrate"]);
    let mail = world.dir.path().join("data/mail");
    std::fs::create_dir_all(&mail).unwrap();
    let set = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    set(&mail, 0o755);
    let db = world.dir.path().join("rectify.db");
    if db.exists() {
        set(&db, 0o644);
    }
    drop(world.serve());
    let log = read(world.log());
    assert!(log.contains("chmod -R go-rwx") && log.contains("data/mail"), "{log}");
    assert_eq!(mode(&mail), 0o755, "the server must warn, but not change the mode");
    if db.exists() {
        assert!(log.contains(&format!("chmod 600 {}", db.display())), "{log}");
        assert_eq!(mode(&db), 0o644);
    }
}

fn a_certificate_that_is_its_own_authority_is_taken_and_only_it(world: &World) {
    world.done(&["migrate"]);
    let other = Smtp::start_with(&json!({ "certificate": "authority" }));
    for implicit in [false, true] {
        let start = |certificate: &str, name: &str| {
            Smtp::start_with(&json!({ "certificate": certificate, "name": name, "implicit": implicit }))
        };
        let send = |smtp: &Smtp, ca: &str| {
            let (port, tls) = (smtp.port.to_string(), if implicit { "tls" } else { "starttls" });
            let settings = [
                ("RECTIFY_MAIL_HOST", "localhost"),
                ("RECTIFY_MAIL_PORT", port.as_str()),
                ("RECTIFY_MAIL_TLS", tls),
                ("RECTIFY_MAIL_USER", "ledger"),
                ("RECTIFY_MAIL_PASSWORD", "s@fe"),
                ("RECTIFY_MAIL_CA_FILE", ca),
            ];
            let ran = run(world, &["mail", "test", "somebody@county.example"], &settings);
            (ran.code, ran.out, smtp.mails().len())
        };
        for certificate in ["authority", "plain"] {
            let smtp = start(certificate, "localhost");
            let (code, said, mails) = send(&smtp, &smtp.certificate());
            assert!(code == 0 && mails == 1, "{certificate}, {implicit}: {said}");
            let mail: serde_json::Value = serde_json::from_str(&smtp.mails()[0]).unwrap();
            assert_eq!((&mail["tls"], &mail["login"]), (&json!(true), &json!(true)));
            let (code, said, mails) = send(&smtp, &other.certificate());
            assert!(code == 1 && said.contains("certificate") && mails == 1, "another certificate, {implicit}: {said}");
            let (code, said, mails) = send(&smtp, "");
            assert!(code != 0 && mails == 1, "not among the system's certificates, {implicit}: {said}");
        }
        for (certificate, name) in [("authority", "elsewhere.example"), ("expired", "localhost")] {
            let smtp = start(certificate, name);
            let (code, said, mails) = send(&smtp, &smtp.certificate());
            assert!(code == 1 && said.contains("certificate") && mails == 0, "{certificate} of {name}: {said}");
        }
    }
}
