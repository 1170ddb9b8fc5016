//! `rectify audit verify` detects changes of the audit, or of the ledger, that are made directly in the database.

use sea_orm::ConnectionTrait;
use serde_json::json;

use crate::support::evidence::Counties;
use crate::support::{Ran, Server, World, block_on, stories};

stories!(
    days_are_signed_from_the_day_that_signing_began,
    a_missing_newest_day_is_found,
    an_emptied_audit_is_found,
    no_row_of_the_audit_is_replaced,
    seals_are_kept_elsewhere,
    a_seal_is_mailed_every_day,
    keys_are_changed,
    a_row_changed_beside_the_program_is_found,
);

const KEY: &[u8] = b"a key of the story, thirty-two bytes long";
const NEXT_KEY: &[u8] = b"the key that comes after it, as long as that";

/// Runs a command with signing keys: the current one, and optionally an old one that only verifies.
fn run_with(world: &World, (current, old): (&[u8], Option<&[u8]>), arguments: &[&str]) -> Ran {
    let mut program = world.program();
    program.args(arguments).env("RECTIFY_AUDIT_KEY_FILE", world.file("current.key", current));
    if let Some(old) = old {
        program.env("RECTIFY_AUDIT_OLD_KEY_FILES", format!("[\"{}\"]", world.file("old.key", old)));
    }
    let output = program.output().unwrap();
    let out = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    Ran { code: output.status.code().unwrap_or(-1), out }
}

/// Runs `seal-audit` with a key: seals all days before the given moment, or before today.
fn seal(world: &World, key: &[u8], at: Option<&str>) {
    let mut arguments = vec!["job", "run", "seal-audit"];
    arguments.extend(at.into_iter().flat_map(|at| ["--at", at]));
    let ran = run_with(world, (key, None), &arguments);
    assert_eq!(ran.code, 0, "{}", ran.out);
}

/// Asserts that `audit verify`, with or without a key, exits with a code and prints a text.
fn finds(world: &World, key: Option<&[u8]>, code: i32, words: &str) {
    let ran = match key {
        Some(key) => run_with(world, (key, None), &["audit", "verify"]),
        None => world.run(&["audit", "verify"]),
    };
    assert!(ran.code == code && ran.out.contains(words), "{words}: {} {}", ran.code, ran.out);
}

fn write(world: &World, statements: &[&str]) {
    block_on(async {
        let db = world.db().await;
        for statement in statements {
            db.execute_unprepared(statement).await.unwrap_or_else(|why| panic!("{statement}: {why}"));
        }
        db.close().await.unwrap();
    });
}

/// Disables or drops the triggers that protect the audit, as the owner of the database can.
fn disarm(world: &World) {
    for table in ["audit_entry", "audit_head", "audit_signing"] {
        if world.url.starts_with("postgres") {
            write(world, &[&format!("ALTER TABLE {table} DISABLE TRIGGER ALL")]);
        } else {
            for event in ["update", "delete", "replace"] {
                write(world, &[&format!("DROP TRIGGER {table}_no_{event}")]);
            }
        }
    }
}

/// Creates accounts and lets one of them submit a report, so that the audit has entries.
fn ledger(world: &World) -> (Server, Counties) {
    let (server, who) = Counties::open(world, &[]);
    let report = "mutation($input: ReportProgressInput!) { reportProgress(input: $input) { errors { message } } }";
    let input = json!({"assignmentId": who.assignment, "version": who.version, "period": "2025-10", "text": "推进中"});
    let said = server.data_as(&who.mine, report, &json!({ "input": input }));
    assert_eq!(said["reportProgress"]["errors"], json!([]), "{said}");
    (server, who)
}

fn days_are_signed_from_the_day_that_signing_began(world: &World) {
    drop(ledger(world));
    world.done(&["job", "run", "seal-audit", "--at", "2026-01-02T01:00:00+08:00"]);
    finds(world, None, 0, "没有签名，也没有密钥");
    finds(world, Some(KEY), 1, "没有签名起始记录");
    seal(world, KEY, Some("2026-01-03T01:00:00+08:00"));
    seal(world, KEY, None);
    finds(world, Some(KEY), 0, "自 2026-01-02 起每日签名");
    finds(world, None, 0, "签名没有核对：2 日有签名");
    finds(world, None, 0, "无改动（签名未核对）");
    finds(world, Some(NEXT_KEY), 1, "不在手边");
    let unsigned = world.run(&["job", "run", "seal-audit"]);
    assert!(
        unsigned.code == 1 && unsigned.out.contains("audit_key_file"),
        "sealing without the key must fail once signing began: {}",
        unsigned.out
    );

    disarm(world);
    write(world, &["CREATE TABLE kept AS SELECT day, signature, key_id FROM audit_head"]);
    let back = "UPDATE audit_head SET signature = (SELECT k.signature FROM kept k WHERE k.day = audit_head.day), \
        key_id = (SELECT k.key_id FROM kept k WHERE k.day = audit_head.day)";
    write(world, &["UPDATE audit_head SET signature = '' WHERE day = '2026-01-02'"]);
    finds(world, Some(KEY), 1, "2026-01-02：封存签名不符");
    finds(world, None, 1, "2026-01-02：封存签名不符");
    write(world, &[back, "UPDATE audit_head SET signature = '', key_id = ''"]);
    finds(world, Some(KEY), 1, "2026-01-02：封存签名不符");
    // Deleting the records of when signing began does not hide the missing signatures.
    write(world, &["CREATE TABLE signing_kept AS SELECT * FROM audit_signing", "DELETE FROM audit_signing"]);
    finds(world, Some(KEY), 1, "没有签名起始记录");
    write(world, &[back]);
    finds(world, Some(KEY), 1, "在这一日没有签名起始记录");
    write(world, &["INSERT INTO audit_signing SELECT * FROM signing_kept"]);
    finds(world, Some(KEY), 0, "签名已核对 2 日");
    write(world, &["UPDATE audit_signing SET day = '2026-01-03'"]);
    finds(world, Some(KEY), 1, "起始记录的签名不符");
}

fn a_missing_newest_day_is_found(world: &World) {
    drop(ledger(world));
    block_on(async {
        let db = world.db().await;
        scheduler::ensure_schedules(&db, chrono_tz::Asia::Shanghai, "2026-01-03T00:00:00Z".parse().unwrap())
            .await
            .unwrap();
        scheduler::tick(&super::schedule::context(world, &db, "2026-01-04T17:00:30Z")).await.unwrap();
        db.close().await.unwrap();
    });
    finds(world, None, 0, "封存 1 日");
    finds(world, Some(KEY), 1, "其后数日没有封存");
    seal(world, KEY, None);
    finds(world, Some(KEY), 0, "封存 2 日");

    disarm(world);
    write(world, &["DELETE FROM audit_head WHERE day > '2026-01-10'"]);
    finds(world, Some(KEY), 1, "其后数日没有封存");
    write(world, &["DELETE FROM audit_head"]);
    finds(world, Some(KEY), 1, "签名已开始，封存却一日也不存在");
    // A seal that a successful run of the job recorded must exist, with or without a key.
    write(world, &["DELETE FROM audit_signing"]);
    finds(world, None, 1, "2026-01-04：任务 seal-audit 已封存这一日，封存却不存在");
}

fn an_emptied_audit_is_found(world: &World) {
    world.done(&["migrate"]);
    finds(world, Some(KEY), 0, "审计记录 0 条");
    drop(ledger(world));
    seal(world, KEY, None);
    finds(world, Some(KEY), 0, "无缺失");
    disarm(world);
    write(world, &["DELETE FROM audit_entry", "DELETE FROM audit_head", "DELETE FROM audit_signing"]);
    finds(world, Some(KEY), 1, "记录已被清空");
    finds(world, None, 1, "记录已被清空");
}

fn no_row_of_the_audit_is_replaced(world: &World) {
    drop(ledger(world));
    seal(world, KEY, None);
    let of_head = "day, until, entries, digest, signature, key_id, sealed_at";
    let of_signing = "position, day, key_id, signature, noted_at";
    let of_entry = "chain, position, act, object, at, before, after, previous, hash";
    let change = if world.url.starts_with("postgres") {
        vec![
            "TRUNCATE audit_entry".to_owned(),
            "TRUNCATE audit_head".to_owned(),
            "TRUNCATE audit_signing".to_owned(),
            format!(
                "INSERT INTO audit_head ({of_head}) SELECT {of_head} FROM audit_head ON CONFLICT (day) DO \
                 UPDATE SET signature = ''"
            ),
            format!(
                "INSERT INTO audit_entry ({of_entry}) SELECT {of_entry} FROM audit_entry ON CONFLICT \
                 (chain, position) DO UPDATE SET act = 'X'"
            ),
        ]
    } else {
        vec![
            format!(
                "INSERT OR REPLACE INTO audit_head ({of_head}) SELECT day, until, entries, digest, '', '', \
                 sealed_at FROM audit_head"
            ),
            format!("REPLACE INTO audit_signing ({of_signing}) SELECT {of_signing} FROM audit_signing"),
            format!("INSERT OR REPLACE INTO audit_entry ({of_entry}) SELECT {of_entry} FROM audit_entry LIMIT 1"),
            format!(
                "INSERT OR REPLACE INTO audit_entry (id, {of_entry}) SELECT id, 'x', position, act, object, \
                 at, before, after, previous, hash FROM audit_entry LIMIT 1"
            ),
            "UPDATE OR REPLACE audit_entry SET position = 1".to_owned(),
        ]
    };
    let plain = ["audit_entry", "audit_head", "audit_signing"].into_iter().flat_map(|table| {
        let column = if table == "audit_entry" { "act" } else { "signature" };
        [format!("UPDATE {table} SET {column} = 'x'"), format!("DELETE FROM {table}")]
    });
    block_on(async {
        let db = world.db().await;
        for statement in change.into_iter().chain(plain) {
            let refused = db.execute_unprepared(&statement).await.unwrap_err().to_string();
            assert!(refused.contains("audit entries are never"), "{statement}: {refused}");
        }
        db.close().await.unwrap();
    });
    finds(world, Some(KEY), 0, "无改动");
}

fn seals_are_kept_elsewhere(world: &World) {
    world.done(&["migrate"]);
    let nothing = world.run(&["audit", "head"]);
    assert!(nothing.code == 1 && nothing.out.contains("尚未封存"), "{}", nothing.out);
    drop(ledger(world));
    let file = world.dir.path().join("heads.txt").to_string_lossy().into_owned();
    world.done(&["job", "run", "seal-audit", "--at", "2026-01-02T01:00:00+08:00"]);
    let first = world.done(&["audit", "head"]).trim().to_owned();
    assert!(first.starts_with("2026-01-01:") && first.len() == 11 + 64, "{first}");
    world.done(&["audit", "head", "--write", &file]);
    world.done(&["job", "run", "seal-audit"]);
    let second = world.done(&["audit", "head", "--write", &file]).trim().to_owned();
    assert_eq!(world.done(&["audit", "head", "--write", &file]).trim(), second);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), format!("{first}\n{second}\n"), "each seal once");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert!(world.done(&["audit", "verify", "--heads", &file]).contains("与另行保存的 2 个封存值相符"));
    world.done(&["audit", "verify", "--head", &first, "--head", &second]);
    let never = format!("2026-01-02:{}", "0".repeat(64));
    assert_eq!(world.run(&["audit", "verify", "--head", &first, "--head", &never]).code, 1);
    for wrong in ["2026-01-01", "x:y", "2026-01-01:00"] {
        assert_eq!(world.run(&["audit", "verify", "--head", wrong]).code, 2, "{wrong}");
    }

    // Without a key, the owner of the database can recreate every seal, but not the copy that is kept elsewhere.
    disarm(world);
    write(world, &["DELETE FROM audit_head", "DELETE FROM audit_entry WHERE act = 'PROGRESS_REPORTED'"]);
    write(world, &["UPDATE audit_entry SET at = '2025-12-31T00:00:00+00:00' WHERE position = 1"]);
    for at in ["2026-01-02T01:00:00+08:00", "2026-11-01T01:00:00+08:00"] {
        world.done(&["job", "run", "seal-audit", "--at", at]);
    }
    let found = world.run(&["audit", "verify", "--heads", &file]);
    assert!(found.code == 1 && found.out.contains("2026-01-01：封存与另行保存的不符"), "{}", found.out);
    assert!(found.out.contains("另行保存的封存已不存在"), "{}", found.out);
}

fn a_seal_is_mailed_every_day(world: &World) {
    drop(ledger(world));
    world.file("rectify.toml", b"audit_head_mail = \"keeper@elsewhere.example\"\n");
    world.done(&["job", "run", "seal-audit"]);
    world.done(&["job", "run", "seal-audit"]);
    let queued = world.done(&["mail", "list"]);
    assert_eq!(queued.lines().filter(|line| line.contains("keeper@elsewhere.example")).count(), 1, "{queued}");
    assert!(world.done(&["job", "run", "deliver-mail"]).contains("已发送 1 封"));
    let head = world.done(&["audit", "head"]).trim().to_owned();
    let folder = std::fs::read_dir(world.dir.path().join("data/mail")).unwrap();
    let pages =
        folder.map(|file| file.unwrap().path()).filter(|path| path.extension().is_some_and(|end| end == "html"));
    let said: String = pages.map(|page| std::fs::read_to_string(page).unwrap()).collect();
    assert!(said.contains(&head) && said.contains("审计每日封存"), "{said}");
    world.file("rectify.toml", b"audit_head_mail = \"nobody\"\n");
    assert_eq!(world.run(&["audit", "head"]).code, 2);
}

fn keys_are_changed(world: &World) {
    drop(ledger(world));
    for day in ["2026-01-02", "2026-01-03"] {
        seal(world, KEY, Some(&format!("{day}T01:00:00+08:00")));
    }
    seal(world, KEY, None);
    finds(world, Some(KEY), 0, "签名已核对 3 日");
    let verify = |keys| run_with(world, keys, &["audit", "verify"]);
    let changed = (NEXT_KEY, Some(KEY));
    let early = verify(changed);
    assert!(early.code == 1 && early.out.contains("刚设置或更换的"), "{}", early.out);
    // Yesterday is already sealed, so the new key signs from today on.
    assert!(run_with(world, changed, &["job", "run", "seal-audit"]).out.contains("已是最新"));
    let whole = verify(changed);
    assert!(whole.code == 0 && whole.out.contains("签名已核对 3 日"), "{}", whole.out);
    let alone = verify((NEXT_KEY, None));
    assert!(alone.code == 1 && alone.out.contains("请在 audit_old_key_files 中列出"), "{}", alone.out);
    let back = verify((KEY, Some(NEXT_KEY)));
    assert!(back.code == 1 && back.out.contains("刚设置或更换的"), "the old key must not sign again: {}", back.out);
    // The record of when the new key began refers to the one of the old key.
    disarm(world);
    write(
        world,
        &["DELETE FROM audit_signing WHERE position = 1", "UPDATE audit_head SET signature = '', key_id = ''"],
    );
    let found = verify(changed);
    assert!(found.code == 1 && found.out.contains("有起始记录缺失或被改动"), "{}", found.out);
}

fn a_row_changed_beside_the_program_is_found(world: &World) {
    let (_server, who) = ledger(world);
    let key = who.assignment.trim_start_matches("assignment_").to_owned();
    finds(world, None, 0, "责任分解 1 项、交办案件 0 件");
    finds(world, None, 0, "项责任分解由导入或演示写入");
    let named = format!("{}：台账内容与最后一条审计记录不符", who.assignment);
    for (change, back) in [
        ("status = 'CLOSED'", "status = 'IN_PROGRESS'"),
        ("completed_on = '2026-01-01'", "completed_on = NULL"),
        ("version = version + 1", "version = version - 1"),
        ("unit_id = unit_id + 1", "unit_id = unit_id - 1"),
    ] {
        write(world, &[&format!("UPDATE assignment SET {change} WHERE id = {key}")]);
        finds(world, None, 1, &named);
        write(world, &[&format!("UPDATE assignment SET {back} WHERE id = {key}")]);
        finds(world, None, 0, "无改动");
    }
    let promote = "UPDATE account SET role = 'ADMINISTRATOR' WHERE email = 'a@example.cn'";
    write(world, &[promote]);
    finds(world, None, 1, "role 台账为 \"ADMINISTRATOR\"");
    write(world, &["UPDATE account SET role = 'RESPONSIBLE_UNIT' WHERE email = 'a@example.cn'"]);
    let add = "INSERT INTO account (name, email, role, created_at, is_demo) VALUES ('某某', 'x@y.example', \
        'ADMINISTRATOR', '2026-01-02T03:04:05+00:00', FALSE)";
    write(world, &[add]);
    finds(world, None, 1, "没有创建账户的审计记录");
    write(world, &["DELETE FROM account WHERE email = 'x@y.example'"]);
    finds(world, None, 0, "无改动");
    write(world, &[&format!("DELETE FROM assignment WHERE id = {key}")]);
    finds(world, None, 1, &format!("{}：审计中有记录，台账中却不存在", who.assignment));
}
