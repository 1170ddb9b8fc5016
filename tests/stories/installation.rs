//! What administrators see of the installation itself: its health, its backups, its settings and the security log.

use serde_json::{Value, json};

use crate::support::{Server, World, stories};

stories!(
    the_health_page_says_what_to_do,
    backups_are_noted_with_their_verification,
    settings_are_shown_without_secrets_and_with_their_source,
    the_security_log_has_failed_sign_ins_of_an_account_and_a_day,
);

const UNIT: &str = "云溪市生态环境保护督察整改办";

/// A server with an administrator and an office, and their tokens.
fn begin(world: &World, settings: &[(&str, &str)]) -> (Server, String, String) {
    world.done(&["demo"]);
    world.employ("admin@gov.example", "administrator", UNIT);
    world.employ("office@gov.example", "city-office", UNIT);
    let server = world.serve_with(settings);
    let (admin, office) = (server.sign_in("admin@gov.example"), server.sign_in("office@gov.example"));
    (server, admin, office)
}

fn health(server: &Server, token: &str) -> Value {
    let query = "{ systemHealth { version findings { code isCritical message advice }
        database { kind version byteCount schemaStep openConnectionCount maxConnectionCount isWritable }
        outbox { waitingCount failedCount oldestQueuedAt outageSince } jobs { name failureCount }
        evidence { place fileCount byteCount } disks { folder freeByteCount totalByteCount } backupDays
        lastBackup { madeAt fileName byteCount hasFiles verifiedAt faultCount } } }";
    server.data_as(token, query, &json!({}))["systemHealth"].clone()
}

fn codes(health: &Value) -> Vec<&str> {
    health["findings"].as_array().unwrap().iter().map(|finding| finding["code"].as_str().unwrap()).collect()
}

fn the_health_page_says_what_to_do(world: &World) {
    let (server, admin, office) = begin(world, &[]);
    assert_eq!(health(&server, &office), Value::Null);
    let found = health(&server, &admin);
    let (kind, database) = (if world.url.starts_with("sqlite:") { "SQLite" } else { "PostgreSQL" }, &found["database"]);
    assert_eq!((&database["kind"], &database["isWritable"]), (&json!(kind), &json!(true)));
    assert!(database["byteCount"].as_f64().unwrap() > 100_000.0, "{database}");
    assert!(database["schemaStep"].as_str().unwrap().starts_with("m2026"), "{database}");
    assert!(!found["disks"].as_array().unwrap().is_empty(), "{found}");
    assert!(codes(&found).contains(&"BACKUP_MISSING"), "{found}");
    let missing = found["findings"].as_array().unwrap().iter().find(|finding| finding["code"] == "BACKUP_MISSING");
    let missing = missing.unwrap();
    assert!(missing["message"].as_str().unwrap().contains("还没有备份过"), "{missing}");
    assert!(missing["advice"].as_str().unwrap().contains("rectify backup"), "{missing}");
    assert_eq!(missing["isCritical"], false);
    drop(server);
    let never = world.serve_with(&[("RECTIFY_BACKUP_DAYS", "0")]);
    let admin = never.sign_in("admin@gov.example");
    assert!(!codes(&health(&never, &admin)).contains(&"BACKUP_MISSING"));
}

fn backups_are_noted_with_their_verification(world: &World) {
    let (server, admin, _) = begin(world, &[]);
    let file = world.dir.path().join("ledger.zip").to_string_lossy().into_owned();
    world.done(&["backup", &file]);
    let found = health(&server, &admin);
    let last = &found["lastBackup"];
    assert_eq!((&last["fileName"], &last["hasFiles"]), (&json!("ledger.zip"), &json!(true)));
    let size = std::fs::metadata(&file).unwrap().len() as f64;
    assert_eq!(last["byteCount"].as_f64(), Some(size));
    assert_eq!(last["verifiedAt"], Value::Null);
    assert!(!codes(&found).contains(&"BACKUP_MISSING"), "{found}");
    let verified = world.done(&["backup", "verify", &file]);
    assert!(verified.contains("核验结果已记入数据库"), "{verified}");
    let found = health(&server, &admin);
    assert_eq!(found["lastBackup"]["faultCount"], 0);
    assert!(found["lastBackup"]["verifiedAt"].is_string());
    // The notes belong to the database: a restored one begins without.
    let there = World::sqlite();
    there.done(&["restore", &file]);
    let restored = there.serve();
    let admin = restored.sign_in("admin@gov.example");
    assert_eq!(health(&restored, &admin)["lastBackup"], Value::Null);
}

fn settings_are_shown_without_secrets_and_with_their_source(world: &World) {
    let secret = "smtp://post:geheim-7@127.0.0.1:9?tls=none";
    let (server, admin, office) = begin(world, &[("RECTIFY_MAIL_URL", secret), ("RECTIFY_GRACE_DAYS", "45")]);
    let query = "{ effectiveSettings { name value source place } }";
    let of = |token: &str| server.data_as(token, query, &json!({}))["effectiveSettings"].as_array().unwrap().clone();
    assert_eq!(of(&office), Vec::<Value>::new());
    let settings = of(&admin);
    let setting = |name: &str| settings.iter().find(|setting| setting["name"] == name).unwrap().clone();
    let expected = json!({
        "name": "grace_days", "value": "45", "source": "ENVIRONMENT", "place": "RECTIFY_GRACE_DAYS",
    });
    assert_eq!(setting("grace_days"), expected);
    let by_default = json!({"name": "max_batch", "value": "1", "source": "DEFAULT", "place": null});
    assert_eq!(setting("max_batch"), by_default);
    assert!(!json!(settings).to_string().contains("geheim-7"));
    let shown = world.done(&["config"]);
    assert_eq!(settings.len(), shown.lines().filter(|line| line.contains(" = ")).count());
}

fn the_security_log_has_failed_sign_ins_of_an_account_and_a_day(world: &World) {
    let (server, admin, _) = begin(world, &[]);
    let wrong = "mutation { signIn(input: {email: \"office@gov.example\", password: \"a wrong password\"}) \
                 { token errors { code } } }";
    assert_eq!(server.data(wrong, &json!({}))["signIn"]["token"], Value::Null);
    let accounts =
        server.data_as(&admin, "{ accounts { nodes { id email } } }", &json!({}))["accounts"]["nodes"].clone();
    let office = accounts.as_array().unwrap().iter().find(|account| account["email"] == "office@gov.example").unwrap();
    // The very document of the page.
    let (page, entry) =
        (include_str!("../../desk/pages/admin-security/page.graphql"), include_str!("../../desk/shared/entry.graphql"));
    let document = &format!("{page}{entry}");
    let log = |variables: &Value| {
        let entries = server.data_as(&admin, document, variables)["auditEntries"]["nodes"].clone();
        let acts = entries.as_array().unwrap().iter().map(|entry| entry["act"].as_str().unwrap().to_owned());
        acts.collect::<Vec<_>>()
    };
    let of_office = log(&json!({"account": office["id"]}));
    assert_eq!(of_office.first().map(String::as_str), Some("SIGN_IN_FAILED"), "{of_office:?}");
    assert!(of_office.iter().any(|act| act == "SIGNED_IN"), "{of_office:?}");
    assert!(log(&json!({})).len() > of_office.len());
    assert_eq!(log(&json!({"act": ["SIGN_IN_FAILED"]})), ["SIGN_IN_FAILED"]);
    let past = json!({"dayStart": "2020-01-01T00:00:00+08:00", "dayEnd": "2020-01-02T00:00:00+08:00"});
    assert_eq!(log(&past), Vec::<String>::new());
}
