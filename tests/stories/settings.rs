//! Settings are checked in whole before anything is touched: unknown names are refused with the nearest right one, all
//! that is wrong is told at once, and the environment is read as text.

use std::net::TcpListener;

use crate::support::{Ran, World, stories};

stories!(
    a_misspelt_name_is_refused_with_the_nearest,
    all_that_is_wrong_is_told_and_nothing_is_touched,
    files_are_required_by_what_reads_them,
    what_is_empty_in_the_environment_is_unset,
    lists_are_written_with_commas_or_blanks_or_brackets,
    a_port_that_is_in_use_is_told_before_the_database_is_touched,
);

/// Runs a command with additional environment variables.
fn run(world: &World, arguments: &[&str], settings: &[(&str, &str)]) -> Ran {
    let output = world.program().args(arguments).envs(settings.iter().copied()).output().unwrap();
    let out = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    Ran { code: output.status.code().unwrap_or(-1), out }
}

/// Returns the names of the files and folders in the folder of a world.
fn entries(world: &World) -> Vec<String> {
    let entries = std::fs::read_dir(world.dir.path()).unwrap();
    entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

fn a_misspelt_name_is_refused_with_the_nearest(world: &World) {
    let file = world.file("wrong.toml", b"listn = \"127.0.0.1:9000\"\nwhatever_it_may_be = 1\n");
    let ran = run(world, &["config", "--config", &file], &[("RECTIFY_DATABASE_ULR", "postgres://u:hunter2@h/d")]);
    assert_eq!(ran.code, 2, "{}", ran.out);
    for part in ["RECTIFY_DATABASE_ULR：", "应为 RECTIFY_DATABASE_URL？", "did you mean RECTIFY_DATABASE_URL?"] {
        assert!(ran.out.contains(part), "{part}: {}", ran.out);
    }
    assert!(ran.out.contains("did you mean listen?") && ran.out.contains("wrong.toml"), "{}", ran.out);
    assert!(ran.out.contains("whatever_it_may_be") && ran.out.contains("rectify config"), "{}", ran.out);
    assert!(!ran.out.contains("hunter2") && !ran.out.contains("max_tokens"), "{}", ran.out);
    // Of images, clients and stories, and what Kubernetes sets for a service of this name.
    for name in ["VERSION", "TOKEN", "PORT", "KEEP_MAILS", "TEST_SEED", "BENCH_BINARY", "SERVICE_HOST", "PORT_80_TCP"] {
        let ran = run(world, &["config"], &[(&format!("RECTIFY_{name}"), "x")]);
        assert_eq!(ran.code, 0, "{name}: {}", ran.out);
    }
    // And for services whose names begin with it.
    for (name, value) in [
        ("API_SERVICE_HOST", "10.0.0.7"),
        ("API_SERVICE_PORT_HTTP", "80"),
        ("MAIL_PORT", "tcp://10.0.0.7:25"),
        ("RW_PORT_5432_TCP_ADDR", "10.0.0.7"),
    ] {
        let ran = run(world, &["config"], &[(&format!("RECTIFY_{name}"), value)]);
        assert_eq!(ran.code, 0, "{name}: {}", ran.out);
    }
}

/// Settings that are wrong, the name that is told, and a part of what is said.
type Wrong = (&'static [(&'static str, &'static str)], &'static str, &'static str);

const WRONG: &[Wrong] = &[
    (&[("MAIL_URL", "smtp://mail.example")], "mail_url", "tls=starttls"),
    (&[("MAIL_URL", "http://mail.example")], "mail_url", "smtp://"),
    (&[("MAIL_URL", "smtp://mail.example:99999?tls=none")], "mail_url", "端口应为 1 至 65535"),
    (&[("MAIL_FROM", "notanaddress")], "mail_from", "mail address"),
    (&[("METRICS_LISTEN", "127.0.0.1:99999")], "metrics_listen", "地址:端口"),
    (&[("LISTEN", "localhost")], "RECTIFY_LISTEN", "ADDRESS:PORT"),
    (&[("ORIGINS", "[\"nota url\"]")], "origins", "https://board.example.cn"),
    (&[("ORIGINS", "https://board.example/")], "origins", "https://board.example "),
    (&[("HOSTS", "https://board.example")], "hosts", "without a port"),
    (&[("PUBLIC_URL", "notaurl")], "public_url", "https://"),
    (&[("PUBLIC_URL", "ftp://ledger.example")], "public_url", "https://"),
    (&[("LINK_TEMPLATE", "nothing")], "link_template", "{token}"),
    (&[("LINK_TEMPLATE", "{public_url}/m")], "link_template", "{token}"),
    (&[("DATABASE_CONNECTIONS", "100000")], "database_connections", "1 至 1000"),
    (&[("DATABASE_WAIT", "-1")], "database_wait", "0"),
    (&[("DATABASE_URL", "postgres://u:hunter2@h/d?sslmode=quatsch")], "database_url", "verify-full"),
    (&[("DATABASE_URL", "postgres://u:hunter2@h:99999/d")], "database_url", "端口应为 1 至 65535"),
    (&[("DATABASE_READ_LAG", "0")], "database_read_lag", "1 至 300"),
    (&[("DATABASE_URL", "sqlite:x"), ("DATABASE_READ_URL", "postgres://u@h/d")], "database_read_url", "PostgreSQL"),
    (&[("DATABASE_URL", "postgres://h/d"), ("DATABASE_READ_URL", "sqlite:x")], "database_read_url", "postgres://"),
    (
        &[("DATABASE_URL", "postgres://h/d"), ("DATABASE_READ_URL", "postgres://h/d?target_session_attrs=any")],
        "database_read_url",
        "standby",
    ),
    (&[("DATABASE_PORT", "99999")], "RECTIFY_DATABASE_PORT", "65535"),
    (&[("LOG", "verbose")], "log", "info"),
    (&[("EVIDENCE_URL", "s3://x")], "evidence_url", "endpoint"),
    (&[("EVIDENCE_URL", "ftp://x")], "evidence_url", "file:"),
    (&[("TIME_ZONE", "Asia/Beijing")], "time_zone", "Asia/Shanghai"),
    (&[("GRACE_DAYS", "many")], "RECTIFY_GRACE_DAYS", "whole number"),
    (&[("OPEN", "1")], "RECTIFY_OPEN", "应为 true 或 false"),
    (&[("DESK", "yes")], "desk", "应为 on 或 off"),
    (&[("DUE_SOON_BEFORE", "30,soon")], "RECTIFY_DUE_SOON_BEFORE", "30,7,1"),
    (&[("PROXIES", "nginx")], "proxies", "10.0.0.0/8"),
    (&[("WEBHOOK_ALLOW", "a b/c")], "webhook_allow", "10.1.0.0/16"),
];

fn all_that_is_wrong_is_told_and_nothing_is_touched(world: &World) {
    let before = entries(world);
    let mut all: Vec<(String, &str)> = Vec::new();
    for (settings, name, part) in WRONG {
        let settings: Vec<(String, &str)> =
            settings.iter().map(|(name, value)| (format!("RECTIFY_{name}"), *value)).collect();
        let given: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        let ran = run(world, &["job", "list"], &given);
        assert!(
            ran.code == 2 && ran.out.contains(name) && ran.out.contains(part),
            "{given:?}: {} {}",
            ran.code,
            ran.out
        );
        assert!(ran.out.contains("设置有误（1 处）") && !ran.out.contains("hunter2"), "{given:?}: {}", ran.out);
        all.extend(settings);
    }
    // Only a server that answers requests takes both ports.
    let same = [("RECTIFY_LISTEN", "127.0.0.1:9300"), ("RECTIFY_METRICS_LISTEN", "0.0.0.0:9300")];
    let ran = run(world, &["serve"], &same);
    assert!(ran.code == 2 && ran.out.contains("metrics_listen") && ran.out.contains("differ"), "{}", ran.out);
    all.sort();
    all.dedup_by(|one, other| one.0 == other.0);
    let all: Vec<(&str, &str)> = all.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    let ran = run(world, &["serve"], &all);
    assert!(ran.code == 2 && ran.out.lines().count() > 18, "{}", ran.out);
    assert!(ran.out.contains("（RECTIFY_PUBLIC_URL）"), "the variable is named: {}", ran.out);
    assert_eq!(entries(world), before, "nothing was touched");
}

fn files_are_required_by_what_reads_them(world: &World) {
    let short = world.file("short", b"too short");
    let before = entries(world);
    let wrong = [
        ("RECTIFY_MAIL_HOST", "mail.example"),
        ("RECTIFY_MAIL_CA_FILE", "/nowhere/ca.pem"),
        ("RECTIFY_AUDIT_KEY_FILE", short.as_str()),
        ("RECTIFY_TRUSTED_DOCUMENTS", "/nowhere/documents.json"),
    ];
    let ran = run(world, &["serve"], &wrong);
    for name in ["mail_ca_file", "audit_key_file", "trusted_documents"] {
        assert!(ran.code == 2 && ran.out.contains(name), "{name}: {} {}", ran.code, ran.out);
    }
    assert_eq!(entries(world), before, "nothing was touched");
    world.done(&["migrate"]);
    assert_eq!(run(world, &["unit", "list"], &wrong).code, 0, "it reads none of these files");
    let ran = run(world, &["audit", "verify"], &wrong);
    assert!(ran.code == 2 && ran.out.contains("至少应有 32 个字节"), "{}", ran.out);
}

fn what_is_empty_in_the_environment_is_unset(world: &World) {
    let file = world.file("rectify.toml", b"grace_days = 40\npublic_url = \"https://ledger.example\"\n");
    let plain = world.done(&["config"]);
    let names = plain.lines().filter_map(|line| line.split_once(" = ")).map(|(name, _)| name.to_uppercase());
    let mut command = world.program();
    command.args(["config"]);
    let names: Vec<String> = names.map(|name| format!("RECTIFY_{name}")).collect();
    assert!(names.len() > 70, "{plain}");
    // Those that this world sets stay.
    let set: Vec<String> = command.get_envs().map(|(name, _)| name.to_string_lossy().into_owned()).collect();
    for name in names.iter().filter(|name| !set.contains(name)) {
        command.env(name, "");
    }
    let output = command.output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(shown, plain);
    assert!(plain.contains("grace_days = 40") && plain.contains("listen = \"127.0.0.1:8080\""), "{plain} {file}");
}

fn lists_are_written_with_commas_or_blanks_or_brackets(world: &World) {
    let shown = |name: &str, value: &str| {
        let ran = run(world, &["config"], &[(&format!("RECTIFY_{name}"), value)]);
        assert_eq!(ran.code, 0, "{value}: {}", ran.out);
        let table: toml::Table = ran.out.parse().unwrap();
        table[&name.to_lowercase()].to_string()
    };
    let two = r#"["10.0.0.0/8", "192.168.1.7"]"#;
    assert_eq!(shown("PROXIES", "10.0.0.0/8"), r#"["10.0.0.0/8"]"#);
    for value in [
        "10.0.0.0/8,192.168.1.7",
        " 10.0.0.0/8, 192.168.1.7 ",
        "10.0.0.0/8 192.168.1.7",
        "[10.0.0.0/8, 192.168.1.7]",
        two,
    ] {
        assert_eq!(shown("PROXIES", value), two, "{value}");
    }
    assert_eq!(shown("HOSTS", "a.example,b.example"), r#"["a.example", "b.example"]"#);
    assert_eq!(shown("DUE_SOON_BEFORE", "[30, 7]"), "[30, 7]");
    assert_eq!(shown("DUE_SOON_BEFORE", "30,7"), "[30, 7]");
    assert_eq!(shown("ORIGINS", "[]"), "[]");
}

fn a_port_that_is_in_use_is_told_before_the_database_is_touched(world: &World) {
    let before = entries(world);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = listener.local_addr().unwrap().to_string();
    for settings in [
        vec![("RECTIFY_LISTEN", taken.as_str())],
        vec![("RECTIFY_LISTEN", "127.0.0.1:0"), ("RECTIFY_METRICS_LISTEN", taken.as_str())],
    ] {
        let ran = run(world, &["serve"], &settings);
        assert!(ran.code == 1 && ran.out.contains(&format!("无法监听 {taken}")), "{} {}", ran.code, ran.out);
    }
    assert_eq!(entries(world), before, "nothing was touched");
}

/// What is set in `.env` reaches the containers, except what `docker-compose.yml` decides itself.
#[test]
fn the_compose_file_passes_every_setting_on() {
    let compose = include_str!("../../docker-compose.yml");
    let own = ["database_", "data_dir", "listen", "open"];
    let settings = include_str!("../../src/config.default.toml").lines().filter_map(|line| line.split_once(" = "));
    for (name, _) in settings.filter(|(name, _)| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')) {
        let is_passed = compose.contains(&format!("    RECTIFY_{}:", name.to_uppercase()));
        assert!(is_passed || own.iter().any(|own| name.starts_with(own)), "{name}");
    }
}
