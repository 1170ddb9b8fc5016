//! Dossiers (一措施一档案): one archive per measure, which can be verified without the program.

use std::io::Read;
use std::path::Path;
use std::process::Command;

use entity::audit_entry;
use sea_orm::ActiveValue::NotSet;
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::evidence::{Counties, PDF, PNG, as_whom, refusal, upload};
use crate::support::{World, block_on, stories};

stories!(
    a_dossier_is_checked_without_the_program,
    a_dossier_shows_what_its_reader_may_see,
    a_dossier_shows_network_addresses_to_nobody_who_does_not_see_them_elsewhere,
);

/// Unpacks an archive into a folder and returns the names of its files.
fn unpack(archive: Vec<u8>, folder: &Path) -> Vec<String> {
    let mut zip = zip::ZipArchive::new(std::io::Cursor::new(archive)).unwrap();
    let mut names = Vec::new();
    for index in 0..zip.len() {
        let mut file = zip.by_index(index).unwrap();
        let path = folder.join(file.enclosed_name().unwrap());
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        std::fs::write(path, bytes).unwrap();
        names.push(file.name().unwrap().into_owned());
    }
    names
}

/// Checks whether `sha256sum -c SHA256SUMS` succeeds.
fn is_whole(folder: &Path) -> bool {
    let checked =
        Command::new("sha256sum").args(["--strict", "-c", "SHA256SUMS"]).current_dir(folder).output().unwrap();
    checked.status.success()
}

/// Computes the hash of an entry of `audit.json` as README.txt describes.
fn rehashed(entry: &Value) -> String {
    let order = "previous chain position act object measure assignment at actor onBehalfOf addressDigest \
        requestId before after";
    let mut sha = Sha256::new();
    for name in order.split(' ') {
        let name = if name == "addressDigest" && entry[name].is_null() { "address" } else { name };
        let part = entry[name].as_str().unwrap();
        sha.update((part.len() as u64).to_be_bytes());
        sha.update(part);
    }
    hex::encode(sha.finalize())
}

/// Runs the Python script in README.txt on a dossier and returns its output.
fn checked_by_script(folder: &Path) -> String {
    let readme = std::fs::read_to_string(folder.join("README.txt")).unwrap();
    let script = readme.split_once("import hashlib").map(|(_, rest)| format!("import hashlib{rest}")).unwrap();
    let said = Command::new("python3").args(["-c", &script]).current_dir(folder).output().unwrap();
    String::from_utf8_lossy(&said.stdout).into_owned() + &String::from_utf8_lossy(&said.stderr)
}

fn a_dossier_is_checked_without_the_program(world: &World) {
    let (server, who) = Counties::open(world, &[]);
    assert_eq!(upload(&server, &who.mine, &who.assignment, "验收 照片.png", PNG).status, 201);
    assert_eq!(upload(&server, &who.mine, &who.assignment, "报告 <b>.pdf", PDF).status, 201);
    let report = "mutation($input: ReportProgressInput!) { reportProgress(input: $input) { errors { message } } }";
    let input = json!({"assignmentId": who.assignment, "version": who.version, "period": "2025-10",
        "text": "<script>alert(1)</script>已完成清淤"});
    let bearer = format!("Bearer {}", who.mine);
    let asked = json!({ "query": report, "variables": { "input": input } });
    let said = server.ask(&asked, &[("authorization", &bearer)]).json();
    assert_eq!(said["data"]["reportProgress"]["errors"], json!([]), "{said}");

    let file = world.dir.path().join("dossier.zip");
    world.done(&["dossier", &who.measure, "--out", &file.to_string_lossy()]);
    let folder = world.dir.path().join("dossier");
    let names = unpack(std::fs::read(&file).unwrap(), &folder);
    assert_eq!(
        names,
        ["README.txt", "index.html", "audit.json", "evidence/1-验收 照片.png", "evidence/2-报告 b.pdf", "SHA256SUMS"]
    );
    assert!(is_whole(&folder));
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    assert_eq!(std::fs::read(folder.join("evidence/1-验收 照片.png")).unwrap(), PNG);
    let page = read("index.html");
    for shown in ["已完成清淤", "白河县人民政府", &hex::encode(Sha256::digest(PDF)), "督察", &who.measure]
    {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    assert!(page.contains("&lt;script&gt;") && !page.contains("<script"), "text of users must be escaped");
    assert!(!page.contains("张三") && !page.contains("a@example.cn"), "a dossier must not name persons");

    let entries: Vec<Value> = serde_json::from_str(&read("audit.json")).unwrap();
    let acts: Vec<&str> = entries.iter().map(|entry| entry["act"].as_str().unwrap()).collect();
    assert_eq!(acts, ["EVIDENCE_ADDED", "EVIDENCE_ADDED", "PROGRESS_REPORTED"]);
    for entry in &entries {
        assert_eq!(entry["hash"], rehashed(entry).as_str());
    }
    assert_eq!(entries[1]["previous"], entries[0]["hash"], "the entries must be adjacent in the problem's chain");
    let mut forged = entries[2].clone();
    forged["after"] = json!("{}");
    assert_ne!(forged["hash"], rehashed(&forged).as_str());
    assert_eq!(checked_by_script(&folder), "OK\n");

    std::fs::write(folder.join("evidence/2-报告 b.pdf"), b"%PDF-1.7 forged").unwrap();
    assert!(!is_whole(&folder));

    // A file whose content differs from the upload makes the dossier fail.
    let hash = hex::encode(Sha256::digest(PDF));
    let kept = world.dir.path().join("data/evidence/sha256").join(&hash[..2]).join(&hash);
    std::fs::write(&kept, b"%PDF-1.7 forged").unwrap();
    std::fs::remove_file(&file).unwrap();
    let ran = world.run(&["dossier", &who.measure, "--out", &file.to_string_lossy()]);
    assert!(ran.code == 1 && ran.out.contains("内容被改动") && !file.exists(), "{}", ran.out);
    let bearer = [("authorization", bearer.as_str())];
    assert!(server.fetch_broken(&format!("/dossier/{}", who.measure), &bearer), "the download must break off");
    std::fs::remove_file(&kept).unwrap();
    let ran = world.run(&["dossier", &who.measure, "--out", &file.to_string_lossy()]);
    assert!(ran.code == 1 && ran.out.contains("缺失") && !file.exists(), "{}", ran.out);
    assert_eq!(server.fetch(&format!("/dossier/{}", who.measure), &bearer).0.status, 500);
    assert_eq!(world.run(&["dossier", "measure_999999", "--out", "x.zip"]).code, 1);
    assert_eq!(world.run(&["dossier", "12", "--out", "x.zip"]).code, 2);
}

fn a_dossier_shows_what_its_reader_may_see(world: &World) {
    let (server, who) = Counties::open(world, &[]);
    let query =
        format!("{{ measure(id: \"{}\") {{ assignments {{ nodes {{ id unit {{ name }} }} }} }} }}", who.measure);
    let theirs = as_whom(&server, &who.sibling, &query);
    let theirs = theirs["data"]["measure"]["assignments"]["nodes"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(upload(&server, &who.mine, &who.assignment, "mine.png", PNG).status, 201);
    assert_eq!(upload(&server, &who.sibling, &theirs, "theirs.pdf", PDF).status, 201);
    let fetched = |token: &str, folder: &str| {
        let bearer = format!("Bearer {token}");
        let path = format!("/dossier/{}", who.measure);
        let (answer, bytes) = server.fetch(&path, &[("authorization", &bearer)]);
        assert_eq!((answer.status, answer.header("content-type")), (200, "application/zip"));
        assert!(answer.header("content-disposition").starts_with("attachment; filename*=UTF-8''%E4%B8%80"));
        assert_eq!(answer.header("cache-control"), "private, no-store");
        let folder = world.dir.path().join(folder);
        let names = unpack(bytes, &folder);
        assert!(is_whole(&folder));
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
        let entries: Vec<Value> = serde_json::from_str(&read("audit.json")).unwrap();
        assert!(entries.iter().all(|entry| entry["hash"] == rehashed(entry).as_str()));
        (names.iter().any(|name| name.ends_with("theirs.pdf")), read("index.html"), entries.len())
    };
    let (sees, page, entries) = fetched(&who.office, "county");
    assert!(!sees && !page.contains("青坪县") && page.contains("mine.png"), "{page}");
    assert_eq!(entries, 1);
    let (sees, page, entries) = fetched(&who.city, "city");
    assert!(sees && page.contains("青坪县人民政府") && page.contains("mine.png"));
    assert_eq!(entries, 2);

    let ask = |token: &str, id: &str| {
        let (answer, _) = server.fetch(&format!("/dossier/{id}"), &[("authorization", &format!("Bearer {token}"))]);
        (refusal(&answer), answer.json()["errors"][0]["message"].clone())
    };
    let hidden = ask(&who.elsewhere, &who.measure);
    assert_eq!(hidden.0, (404, "NOT_FOUND".to_owned()));
    for made_up in ["measure_999999", "problem_1", "x"] {
        assert_eq!(ask(&who.elsewhere, made_up), hidden);
    }
    assert_eq!(server.fetch(&format!("/dossier/{}", who.measure), &[]).0.status, 401);
}

fn a_dossier_shows_network_addresses_to_nobody_who_does_not_see_them_elsewhere(world: &World) {
    const BEFORE: &str = "203.0.113.9";
    let (server, who) = Counties::open(world, &[]);
    assert_eq!(upload(&server, &who.mine, &who.assignment, "mine.png", PNG).status, 201);
    // An entry in the older format: its hash covers the address itself instead of a digest.
    block_on(async {
        let db = world.db().await;
        let last = audit_entry::Entity::find()
            .filter(audit_entry::Column::Act.eq("EVIDENCE_ADDED"))
            .one(&db)
            .await
            .unwrap()
            .unwrap();
        assert!(last.address.is_some() && last.address_salt.is_some() && last.address_digest.is_some());
        let mut old = audit_entry::Model {
            position: last.position + 1,
            act: "COMMENTED".to_owned(),
            previous: last.hash.clone(),
            address: Some(BEFORE.to_owned()),
            address_digest: None,
            address_salt: None,
            ..last
        };
        old.hash = ledger::record::audit::hash(&old);
        let mut row = old.into_active_model().reset_all();
        row.id = NotSet;
        audit_entry::Entity::insert(row).exec(&db).await.unwrap();
        db.close().await.unwrap();
    });
    assert!(world.done(&["audit", "verify"]).contains("无缺失"), "a chain can contain entries of both formats");

    let fetched = |token: &str, folder: &str| {
        let bearer = format!("Bearer {token}");
        let (answer, bytes) = server.fetch(&format!("/dossier/{}", who.measure), &[("authorization", &bearer)]);
        assert_eq!(answer.status, 200);
        let folder = world.dir.path().join(folder);
        let names = unpack(bytes, &folder);
        let texts = names.iter().filter(|name| !name.starts_with("evidence/"));
        let text: String = texts.map(|name| std::fs::read_to_string(folder.join(name)).unwrap()).collect();
        (text, checked_by_script(&folder))
    };
    let (office, said) = fetched(&who.office, "office");
    assert!(!office.contains("127.0.0.1") && !office.contains(BEFORE), "{office}");
    assert!(office.contains("addressDigest\": \"sha256:") && !office.contains("addressSalt\":"), "{office}");
    assert_eq!(said, "OK (1 withheld)\n", "entries with a digest verify without the address, older ones are withheld");
    // An account sees the addresses of its own sessions, and so of its own entries.
    let (mine, said) = fetched(&who.mine, "mine");
    assert!(mine.contains("127.0.0.1") && mine.contains("addressSalt\":") && mine.contains(BEFORE), "{mine}");
    assert_eq!(said, "OK\n");
    let file = world.dir.path().join("dossier.zip");
    world.done(&["dossier", &who.measure, "--out", &file.to_string_lossy()]);
    let folder = world.dir.path().join("machine");
    unpack(std::fs::read(&file).unwrap(), &folder);
    let audit = std::fs::read_to_string(folder.join("audit.json")).unwrap();
    assert!(audit.contains("127.0.0.1") && audit.contains(BEFORE), "{audit}");
    assert_eq!(checked_by_script(&folder), "OK\n");
    // An address that does not match the digest is detected.
    let mut entries: Vec<Value> = serde_json::from_str(&audit).unwrap();
    entries[0]["address"] = json!("198.51.100.7");
    std::fs::write(folder.join("audit.json"), serde_json::to_string(&entries).unwrap()).unwrap();
    assert!(checked_by_script(&folder).contains("AssertionError"));
}
