//! Backups, their verification and restoration, and the move between databases: through the command line, on a ledger
//! that others go on writing to.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use sea_orm::{ConnectionTrait, Statement};
use serde_json::{Value, json};
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

use crate::support::{World, block_on, stories};

stories!(
    a_backup_under_load_is_whole_and_can_be_restored,
    a_ledger_moves_to_another_database_and_back,
    a_damaged_backup_is_refused_and_nothing_is_written,
    mails_that_waited_are_parked,
    a_database_in_use_is_left_alone,
);

/// Returns the entries of a backup, by name.
fn entries(file: &str) -> BTreeMap<String, Vec<u8>> {
    let mut zip = ZipArchive::new(std::fs::File::open(file).unwrap()).unwrap();
    let mut entries = BTreeMap::new();
    for number in 0..zip.len() {
        let mut entry = zip.by_index(number).unwrap();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        entries.insert(entry.name().unwrap().into_owned(), content);
    }
    entries
}

/// Returns what a backup says of each table, with the rows themselves.
fn tables(file: &str) -> (Value, BTreeMap<String, Vec<String>>) {
    let mut entries = entries(file);
    let manifest: Value = serde_json::from_slice(&entries.remove("manifest.json").unwrap()).unwrap();
    entries.retain(|name, _| name.starts_with("tables/"));
    let rows = entries.into_iter().map(|(name, content)| {
        let mut lines: Vec<String> = String::from_utf8(content).unwrap().lines().map(str::to_owned).collect();
        lines.sort();
        (name, lines)
    });
    (manifest["tables"].clone(), rows.collect())
}

/// Writes a backup anew with other entries.
fn rewrite(file: &str, entries: &BTreeMap<String, Vec<u8>>) {
    let mut zip = ZipWriter::new(std::fs::File::create(file).unwrap());
    for (name, content) in entries {
        zip.start_file(name.as_str(), SimpleFileOptions::default()).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap();
}

fn number(world: &World, query: &str) -> i64 {
    block_on(async {
        let db = world.db().await;
        let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), query)).await.unwrap().unwrap();
        let number = row.try_get_by_index(0).unwrap();
        db.close().await.unwrap();
        number
    })
}

/// A world of the other kind of database, if there is one.
fn other(world: &World) -> World {
    if world.url.starts_with("sqlite:") { World::postgres().unwrap_or_else(World::sqlite) } else { World::sqlite() }
}

fn path(world: &World, name: &str) -> String {
    world.dir.path().join(name).to_string_lossy().into_owned()
}

fn a_backup_under_load_is_whole_and_can_be_restored(world: &World) {
    world.done(&["demo"]);
    let server = world.serve();
    let open = "{ assignments(first: 50, filter: {status: [IN_PROGRESS]}) { nodes { id } } }";
    let nodes = server.data(open, &json!({}))["assignments"]["nodes"].clone();
    let id = |node: &Value| node["id"].as_str().unwrap().to_owned();
    let ids: Vec<String> = nodes.as_array().unwrap().iter().map(id).collect();
    let urge = "mutation ($id: ID!, $reason: String!) { issueSupervision(input: {assignmentId: $id, kind: URGE, \
                reason: $reason}) { errors { message } } }";
    let (file, is_over) = (path(world, "ledger.zip"), AtomicBool::new(false));
    std::thread::scope(|scope| {
        // If a backup fails, too.
        let over = Over(&is_over);
        let acts = scope.spawn(|| {
            let mut acts = 0;
            while !is_over.load(Ordering::Relaxed) {
                let id = &ids[acts % ids.len()];
                let done = server.data(urge, &json!({"id": id, "reason": format!("act {acts}")}));
                assert_eq!(done["issueSupervision"]["errors"], json!([]));
                acts += 1;
            }
            acts
        });
        for _ in 0..3 {
            world.done(&["backup", &file]);
        }
        drop(over);
        assert!(acts.join().unwrap() > 3, "others wrote meanwhile");
    });
    drop(server);
    // Each act writes rows of several tables and a link of the audit. A backup that had only some of them would fail.
    let verified = world.done(&["backup", "verify", &file]);
    assert!(verified.contains("备份完好"), "{verified}");

    // To the standard output, for a program that encrypts.
    let output = world.program().args(["backup", "-"]).output().unwrap();
    assert!(output.status.success());
    let piped = world.file("piped.zip", &output.stdout);
    world.done(&["backup", &file]);
    assert_eq!(tables(&piped), tables(&file));

    for there in [World::sqlite(), other(world)] {
        let restored = there.done(&["restore", &file, "--send-mails"]);
        assert!(restored.contains("已恢复"), "{restored}");
        there.done(&["audit", "verify"]);
        there.done(&["statistics", "check"]);
        there.done(&["evidence", "verify"]);
        let again = path(&there, "again.zip");
        there.done(&["backup", &again]);
        assert_eq!(tables(&again), tables(&file), "the same rows with the same keys");
        // The next key is one that was never given.
        let last = "SELECT max(id) FROM account";
        let before = number(&there, last);
        there.done(&["account", "create", "new@county.example", "--role", "administrator", "--no-password"]);
        assert_eq!(number(&there, last), before + 1);
    }
}

fn a_ledger_moves_to_another_database_and_back(world: &World) {
    world.done(&["demo"]);
    let there = other(world);
    let moved = world.done(&["copy", "--to", &there.url]);
    assert!(moved.contains("每张表逐行相符"), "{moved}");
    let back = World::sqlite();
    // A password is better given in the environment than in the list of processes.
    let copied = there.program().arg("copy").env("RECTIFY_COPY_TO", &back.url).output().unwrap();
    assert!(copied.status.success(), "{}", String::from_utf8_lossy(&copied.stderr));
    if let Some(file) = back.url.strip_prefix("sqlite:") {
        assert!(!std::path::Path::new(&format!("{file}-wal")).exists(), "the file alone is the whole ledger");
    }
    let files = [world, &there, &back].map(|world| {
        let file = path(world, "ledger.zip");
        world.done(&["backup", "--without-files", &file]);
        tables(&file)
    });
    assert_eq!(files[0], files[1]);
    assert_eq!(files[0], files[2]);
    there.done(&["audit", "verify"]);
    there.serve().data("{ problems { totalCount } }", &json!({}));
}

fn a_damaged_backup_is_refused_and_nothing_is_written(world: &World) {
    world.done(&["demo"]);
    let file = path(world, "ledger.zip");
    world.done(&["backup", &file]);
    let whole = std::fs::read(&file).unwrap();
    let good = entries(&file);
    let there = World::sqlite();
    let refused = |words: &str| {
        for command in [&["backup", "verify", &file] as &[&str], &["restore", &file]] {
            let ran = there.run(command);
            assert_eq!(ran.code, 1, "{command:?}: {}", ran.out);
            assert!(ran.out.contains(words), "{command:?}: {words}: {}", ran.out);
        }
    };
    // Cut off.
    std::fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    refused("备份不完整或已损坏");
    // A row that is missing, one that was changed, and one too many.
    let table = "tables/measure.jsonl".to_owned();
    let lines: Vec<&str> = std::str::from_utf8(&good[&table]).unwrap().lines().collect();
    let changed = |lines: &[&str]| {
        let mut entries = good.clone();
        entries.insert(table.clone(), (lines.join("\n") + "\n").into_bytes());
        rewrite(&file, &entries);
    };
    changed(&lines[1..]);
    refused("measure");
    let other = lines[0].replacen("20", "19", 1);
    assert_ne!(other, lines[0]);
    changed(&[&[other.as_str()], &lines[1..]].concat());
    refused("measure");
    // A table that is missing.
    let mut entries = good.clone();
    entries.remove(&table);
    rewrite(&file, &entries);
    refused("备份不完整或已损坏");
    // One of a newer version.
    let mut entries = good.clone();
    let mut manifest: Value = serde_json::from_slice(&entries["manifest.json"]).unwrap();
    manifest["steps"].as_array_mut().unwrap().push(json!("m29990101_000001_later"));
    entries.insert("manifest.json".to_owned(), manifest.to_string().into_bytes());
    rewrite(&file, &entries);
    refused("更新的版本");
    // What was refused has left nothing, so the good one can still be restored.
    std::fs::write(&file, &whole).unwrap();
    there.done(&["restore", &file]);
    // Evidence that was changed is told.
    let mut entries = good.clone();
    let evidence = entries.keys().find(|name| name.starts_with("files/")).unwrap().clone();
    entries.get_mut(&evidence).unwrap().push(0);
    rewrite(&file, &entries);
    let ran = there.run(&["backup", "verify", &file]);
    assert_eq!(ran.code, 1);
    assert!(ran.out.contains("SHA-256"), "{}", ran.out);
    let mut entries = good.clone();
    entries.remove(&evidence);
    rewrite(&file, &entries);
    let ran = there.run(&["backup", "verify", &file]);
    assert_eq!(ran.code, 1);
    assert!(ran.out.contains("备份中没有佐证材料"), "{}", ran.out);
    // Evidence that the storage does not have is told when the backup is made.
    let place = evidence.strip_prefix("files/").unwrap();
    std::fs::remove_file(world.dir.path().join("data/evidence").join(place)).unwrap();
    let ran = world.run(&["backup", &file]);
    assert_eq!(ran.code, 1);
    assert!(ran.out.contains(place), "{}", ran.out);
    assert!(Path::new(&file).exists(), "it is written all the same");
}

fn mails_that_waited_are_parked(world: &World) {
    world.done(&["demo"]);
    world.done(&["job", "run", "overdue"]);
    let waiting = "SELECT count(*) FROM mail WHERE state = 'QUEUED'";
    let before = number(world, waiting);
    assert!(before > 0);
    let file = path(world, "ledger.zip");
    world.done(&["backup", &file]);
    let there = other(world);
    let told = there.done(&["restore", &file]);
    assert!(told.contains(&format!("{before} 封邮件")), "{told}");
    assert_eq!(number(&there, waiting), 0);
    assert_eq!(number(&there, "SELECT count(*) FROM mail WHERE state = 'FAILED'"), before);
    there.done(&["statistics", "check"]);
    there.done(&["mail", "requeue"]);
    assert_eq!(number(&there, waiting), before);
}

fn a_database_in_use_is_left_alone(world: &World) {
    world.done(&["demo"]);
    let file = path(world, "ledger.zip");
    world.done(&["backup", &file]);
    let there = other(world);
    there.done(&["account", "create", "admin@county.example", "--role", "administrator", "--no-password"]);
    for ran in [there.run(&["restore", &file]), world.run(&["copy", "--to", &there.url])] {
        assert_eq!(ran.code, 1, "{}", ran.out);
        assert!(ran.out.contains("不是空的") && ran.out.contains("is not empty"), "{}", ran.out);
    }
    assert_eq!(number(&there, "SELECT count(*) FROM account"), 1);
    assert!(!there.dir.path().join("data/evidence").exists(), "no evidence is written either");
    // A database that was only migrated is empty.
    let migrated = other(world);
    migrated.done(&["migrate"]);
    // A server would go on with the key for links of the empty ledger.
    let server = migrated.serve();
    for ran in [migrated.run(&["restore", &file]), world.run(&["copy", "--to", &migrated.url])] {
        assert_eq!(ran.code, 1, "{}", ran.out);
        assert!(ran.out.contains("请先停止 rectify serve") && ran.out.contains("in use"), "{}", ran.out);
    }
    drop(server);
    migrated.done(&["restore", &file]);
}

/// Sets a flag when it is dropped.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
