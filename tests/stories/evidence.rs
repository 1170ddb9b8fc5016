//! Evidence (佐证材料): who may upload and download it, which files are accepted, and what remains after a failure.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use sea_orm::ConnectionTrait;
use serde_json::json;

use crate::support::evidence::{Counties, FORM, PDF, PNG, as_whom, form, refusal as code, upload};
use crate::support::{Answer, Server, World, answer, block_on, eventually, s3, stories};

stories!(
    a_unit_uploads_and_its_office_downloads_and_a_sibling_county_finds_nothing,
    what_could_run_is_refused_and_leaves_nothing,
    the_same_content_is_kept_once_and_a_change_of_it_is_found,
    an_upload_that_breaks_off_leaves_nothing,
    an_upload_in_parts_goes_on_after_an_interruption,
    an_upload_whose_assignment_is_closed_meanwhile_leaves_nothing,
    evidence_is_kept_in_an_s3_compatible_storage,
);

fn download(server: &Server, token: &str, id: &str) -> (Answer, Vec<u8>) {
    server.fetch(&format!("/evidence/{id}"), &[("authorization", &format!("Bearer {token}"))])
}

fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

/// Returns all files below the evidence folder.
fn files(world: &World) -> Vec<PathBuf> {
    below(&world.dir.path().join("data/evidence"))
}

/// Returns all files below a folder.
fn below(folder: &Path) -> Vec<PathBuf> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() { walk(&path, found) } else { found.push(path) }
        }
    }
    let mut found = Vec::new();
    walk(folder, &mut found);
    found
}

fn rows(server: &Server, token: &str, assignment: &str) -> i64 {
    let query = format!("{{ assignment(id: \"{assignment}\") {{ evidence {{ totalCount }} }} }}");
    let found = as_whom(server, token, &query);
    found["data"]["assignment"]["evidence"]["totalCount"].as_i64().unwrap_or_else(|| panic!("{found}"))
}

fn a_unit_uploads_and_its_office_downloads_and_a_sibling_county_finds_nothing(world: &World) {
    let (server, who) = Counties::open(world, &[]);
    let sent = upload(&server, &who.mine, &who.assignment, "../../验收 照片;\u{202e}.png", PNG);
    assert_eq!(sent.status, 201, "{}", sent.body);
    let file = sent.json()["evidence"].clone();
    let hash = hex::encode(<sha2::Sha256 as sha2::Digest>::digest(PNG));
    let id = file["id"].as_str().unwrap().to_owned();
    assert_eq!(
        file,
        json!({"id": id, "name": "验收 照片;.png", "size": PNG.len(), "sha256": hash, "mediaType": "image/png"})
    );
    assert_eq!(files(world), [world.dir.path().join("data/evidence/sha256").join(&hash[..2]).join(&hash)]);

    for token in [&who.mine, &who.office] {
        let (answer, bytes) = download(&server, token, &id);
        assert_eq!((answer.status, bytes.as_slice()), (200, PNG));
        assert_eq!(answer.header("content-type"), "image/png");
        let named = "attachment; filename*=UTF-8''%E9%AA%8C%E6%94%B6%20%E7%85%A7%E7%89%87%3B.png";
        assert_eq!(answer.header("content-disposition"), named);
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(
            answer.header("content-security-policy"),
            "sandbox; default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        );
        assert_eq!(answer.header("cache-control"), "private, no-store");
        assert_eq!(answer.header("content-length"), PNG.len().to_string());
    }
    let listed = as_whom(&server, &who.office, "{ auditEntries(first: 1) { nodes { act objectId after } } }");
    assert_eq!(listed["data"]["auditEntries"]["nodes"][0]["act"], "EVIDENCE_ADDED", "{listed}");

    // A hidden assignment or file is answered like one that does not exist.
    let hidden = upload(&server, &who.sibling, &who.assignment, "a.png", PNG);
    let made_up = upload(&server, &who.sibling, "assignment_999999", "a.png", PNG);
    assert_eq!(code(&hidden), refused(404, "NOT_FOUND"));
    let alike = |one: &Answer, other: &Answer| {
        assert_eq!(one.json()["errors"][0]["message"], other.json()["errors"][0]["message"]);
        assert_eq!(code(one), code(other));
    };
    alike(&hidden, &made_up);
    for made_up in ["evidence_999999", "evidence_x", "measure_1", "..%2f..%2frectify.db", "%00"] {
        let (there, _) = download(&server, &who.sibling, &id);
        let (not, _) = download(&server, &who.sibling, made_up);
        assert_eq!(code(&there), refused(404, "NOT_FOUND"), "{made_up}");
        alike(&there, &not);
    }
    assert_eq!(code(&upload(&server, &who.office, &who.assignment, "a.png", PNG)), refused(403, "NOT_ALLOWED"));
    let nobody = server.put(&format!("/evidence?assignment={}", who.assignment), &[FORM], &form("a.png", PNG));
    assert_eq!(code(&nobody), refused(401, "UNAUTHENTICATED"));
    assert_eq!(code(&server.fetch(&format!("/evidence/{id}"), &[]).0), refused(401, "UNAUTHENTICATED"));
    assert_eq!(code(&download(&server, "made-up", &id).0), refused(401, "UNAUTHENTICATED"));
    assert_eq!(rows(&server, &who.mine, &who.assignment), 1);
}

fn what_could_run_is_refused_and_leaves_nothing(world: &World) {
    let (server, who) = Counties::open(world, &[("RECTIFY_MAX_EVIDENCE_BYTES", "100000")]);
    let svg = br#"<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>"#;
    let page = b"<!doctype html><script>alert(1)</script>";
    let program = [b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff\0\0".as_slice(), &[0; 200]].concat();
    let kind = refused(415, "UNSUPPORTED_MEDIA_TYPE");
    let content = refused(422, "INVALID");
    let large = refused(413, "PAYLOAD_TOO_LARGE");
    let long = [PNG, &vec![0; 100_000]].concat();
    let cases: [(&str, &[u8], &(u16, String)); 10] = [
        ("图.svg", svg, &kind),
        ("图.png", svg, &kind),
        ("现场.jpg", page, &kind),
        ("report.pdf", &program, &kind),
        ("run.txt", b"#!/bin/sh\nrm -rf /\n", &kind),
        ("a.exe", PNG, &content),
        ("a.png.bat", b"echo hello", &content),
        ("a.pdf", PNG, &content),
        ("a.png", b"", &content),
        ("a.png", &long, &large),
    ];
    for (name, bytes, expected) in cases {
        let answer = upload(&server, &who.mine, &who.assignment, name, bytes);
        assert_eq!(&code(&answer), expected, "{name}: {}", answer.body);
        assert!(!answer.body.contains(&*world.dir.path().to_string_lossy()), "{}", answer.body);
    }
    let bearer = format!("Bearer {}", who.mine);
    let path = format!("/evidence?assignment={}", who.assignment);
    let token = ("authorization", bearer.as_str());
    for body in [b"--edge--\r\n".to_vec(), b"nothing".to_vec(), form("a.png", PNG)[..60].to_vec()] {
        assert_eq!(code(&server.put(&path, &[FORM, token], &body)), refused(400, "BAD_REQUEST"));
    }
    let twice = [&form("a.png", PNG)[..form("a.png", PNG).len() - 10], &form("b.png", PNG)].concat();
    assert_eq!(
        code(&server.put(&path, &[FORM, token], &twice)),
        refused(400, "BAD_REQUEST"),
        "a form must have one file"
    );
    let english = server.put(&path, &[FORM, token, ("accept-language", "en")], &form("a.png", b""));
    assert_eq!(english.json()["errors"][0]["message"], "the file is empty: choose another");
    assert_eq!(rows(&server, &who.mine, &who.assignment), 0);
    assert_eq!(files(world), Vec::<PathBuf>::new());

    // A raw body takes its file name from the query string. Archives are stored as they are and never unpacked.
    let raw = |name: &str, bytes: &[u8]| server.put(&format!("{path}{name}"), &[token], bytes);
    assert_eq!(code(&raw("", PDF)), refused(400, "BAD_REQUEST"));
    assert_eq!(raw("&name=%E6%8A%A5%E5%91%8A.pdf", PDF).json()["evidence"]["name"], "报告.pdf");
    let bomb = bomb();
    let kept = raw("&name=a.zip", &bomb).json()["evidence"].clone();
    assert_eq!((kept["size"].as_u64(), kept["mediaType"].as_str()), (Some(bomb.len() as u64), Some("application/zip")));
    assert!(files(world).iter().all(|file| file.metadata().unwrap().len() <= bomb.len() as u64));
}

/// Returns a zip archive that unpacks to half a gigabyte of zeros.
fn bomb() -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    let inner: Vec<u8> = {
        let mut inner = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        inner.start_file("zeros", options).unwrap();
        for _ in 0..64 {
            inner.write_all(&vec![0; 1 << 20]).unwrap();
        }
        inner.finish().unwrap().into_inner()
    };
    for index in 0..8 {
        zip.start_file(format!("{index}.zip"), options).unwrap();
        zip.write_all(&inner).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn the_same_content_is_kept_once_and_a_change_of_it_is_found(world: &World) {
    let (server, who) = Counties::open(world, &[]);
    for name in ["一.png", "二.png"] {
        assert_eq!(upload(&server, &who.mine, &who.assignment, name, PNG).status, 201);
    }
    assert_eq!(upload(&server, &who.mine, &who.assignment, "三.pdf", PDF).status, 201);
    assert_eq!((rows(&server, &who.mine, &who.assignment), files(world).len()), (3, 2));
    let said = world.done(&["evidence", "verify"]);
    assert!(said.contains("佐证材料 3 份，文件 2 个与台账相符"), "{said}");
    let hash = hex::encode(<sha2::Sha256 as sha2::Digest>::digest(PDF));
    let pdf = files(world).into_iter().find(|file| file.ends_with(&hash)).unwrap();
    std::fs::write(&pdf, b"%PDF-1.7 forged").unwrap();
    let forged = world.run(&["evidence", "verify"]);
    assert!(forged.code == 1 && forged.out.contains("（三.pdf）：内容被改动"), "{}", forged.out);
    std::fs::remove_file(&pdf).unwrap();
    let lost = world.run(&["evidence", "verify"]);
    assert!(lost.code == 1 && lost.out.contains("（三.pdf）：文件缺失"), "{}", lost.out);
    let (answer, _) = download(&server, &who.mine, "evidence_3");
    assert_eq!(code(&answer), refused(500, "INTERNAL_SERVER_ERROR"));
    assert!(!answer.body.contains("sha256"), "{}", answer.body);
    assert_eq!(
        upload(&server, &who.mine, &who.assignment, "三.pdf", PDF).status,
        201,
        "uploading the same content again must restore the file"
    );
    assert_eq!(world.run(&["evidence", "verify"]).code, 0);
}

fn an_upload_that_breaks_off_leaves_nothing(world: &World) {
    let (server, who) = Counties::open(world, &[]);
    let address = server.base.strip_prefix("http://").unwrap();
    for (promised, sent) in [(50 << 20, 20 << 20), (8 << 20, 100_000)] {
        let mut socket = TcpStream::connect(address).unwrap();
        let head = format!(
            "POST /evidence?assignment={}&name=a.png HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {}\r\n\
             content-length: {promised}\r\n\r\n",
            who.assignment, who.mine
        );
        socket.write_all(head.as_bytes()).unwrap();
        socket.write_all(PNG).unwrap();
        socket.write_all(&vec![7; sent]).unwrap();
        drop(socket);
    }
    // Waits until the server has removed the files of the broken uploads.
    eventually("the files stay", || files(world).is_empty());
    assert_eq!(rows(&server, &who.mine, &who.assignment), 0);
    assert_eq!(upload(&server, &who.mine, &who.assignment, "a.png", PNG).status, 201);
    assert_eq!(files(world).len(), 1);
}

fn an_upload_in_parts_goes_on_after_an_interruption(world: &World) {
    let (server, who) = Counties::open(world, &[]);
    let bearer = format!("Bearer {}", who.mine);
    let file = [PDF, &vec![b' '; 300_000], b"%%EOF"].concat();
    let size = file.len();
    let path = format!("/evidence?assignment={}&name=a.pdf&upload=5f0c", who.assignment);
    let send = |range: &str, bytes: &[u8], token: &str| {
        let range = format!("bytes {range}/{size}");
        let headers = [("content-range", range.as_str()), ("authorization", token)];
        let request = Server::agent().put(format!("{}{path}", server.base));
        answer(
            headers.iter().fold(request, |request, (name, value)| request.header(*name, *value)).send(bytes).unwrap(),
        )
    };
    let offset = |token: &str| {
        let mut asked = send("*", b"", token);
        eventually("the server still waits for a part that broke off", || {
            asked = send("*", b"", token);
            asked.status != 409
        });
        assert_eq!(asked.status, 202, "{}", asked.body);
        usize::try_from(asked.json()["upload"]["offset"].as_u64().unwrap()).unwrap()
    };
    assert_eq!(offset(&bearer), 0);
    assert_eq!(send("0-99999", &file[..100_000], &bearer).json()["upload"], json!({ "offset": 100_000, "size": size }));
    assert_eq!(code(&send("5-9", &file[5..10], &bearer)), refused(409, "CONFLICT"));
    assert_eq!(code(&send("0-9", &file[..9], "")).0, 401);
    assert_eq!(code(&send("7", b"", &bearer)), refused(400, "BAD_REQUEST"));
    // A part longer than its range is refused, and leaves the upload as it was.
    assert_eq!(code(&send("100000-100009", &file[100_000..100_050], &bearer)), refused(400, "BAD_REQUEST"));
    assert_eq!(offset(&bearer), 100_000);
    let other = |upload: &str, range: &str, bytes: &[u8]| {
        let path = format!("{}/evidence?assignment={}&name=a.pdf&upload={upload}", server.base, who.assignment);
        let request = Server::agent().put(path).header("content-range", range).header("authorization", &bearer);
        answer(request.send(bytes).unwrap())
    };
    assert_eq!(code(&other("empty", "bytes */0", b"")), refused(422, "INVALID"));

    // A part that breaks off: what has arrived of it stays.
    let address = server.base.strip_prefix("http://").unwrap();
    let mut socket = TcpStream::connect(address).unwrap();
    let head = format!(
        "PUT {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: {bearer}\r\n\
         content-range: bytes 100000-{}/{size}\r\ncontent-length: {}\r\n\r\n",
        size - 1,
        size - 100_000
    );
    socket.write_all(head.as_bytes()).unwrap();
    socket.write_all(&file[100_000..150_000]).unwrap();
    drop(socket);
    // As a client does: ask, go on, and ask again if more of the broken part has come meanwhile.
    let started = std::time::Instant::now();
    let (first, whole) = loop {
        let arrived = offset(&bearer);
        assert!((100_000..=150_000).contains(&arrived), "{arrived}");
        assert_eq!(rows(&server, &who.mine, &who.assignment), 0);
        let last = send(&format!("{arrived}-{}", size - 1), &file[arrived..], &bearer);
        if last.status != 409 || started.elapsed().as_secs() > 60 {
            break (arrived, last);
        }
    };
    assert_eq!(whole.status, 201, "{}", whole.body);
    let hash = hex::encode(<sha2::Sha256 as sha2::Digest>::digest(&file));
    assert_eq!(whole.json()["evidence"]["sha256"], json!(hash));
    assert_eq!((rows(&server, &who.mine, &who.assignment), files(world).len()), (1, 1));

    // The client that has lost this answer gets it again: when it asks, and when it sends the last part again.
    assert_eq!((send("*", b"", &bearer).status, send("*", b"", &bearer).json()), (201, whole.json()));
    let again = send(&format!("{first}-{}", size - 1), &file[first..], &bearer);
    assert_eq!((again.status, again.json()), (201, whole.json()));
    assert_eq!((rows(&server, &who.mine, &who.assignment), files(world).len()), (1, 1));
    // The first part begins a new upload under the name.
    assert_eq!(send("0-9", &file[..10], &bearer).json()["upload"]["offset"], 10);

    // Each account has four unfinished uploads, each of which holds its place for an hour.
    let begin = |upload: &str| other(upload, "bytes 0-9/100", &file[..10]);
    assert_eq!(["1", "2", "3"].map(|upload| begin(upload).status), [202; 3]);
    let full = begin("4");
    assert_eq!(code(&full), refused(429, "TOO_MANY_REQUESTS"));
    let wait: i64 = full.header("retry-after").parse().unwrap();
    assert!((3_000..=3_600).contains(&wait) && full.body.contains("60 分钟"), "{wait}: {}", full.body);
}

fn an_upload_whose_assignment_is_closed_meanwhile_leaves_nothing(world: &World) {
    let (server, who) = Counties::open(world, &[]);
    let address = server.base.strip_prefix("http://").unwrap();
    let mut socket = TcpStream::connect(address).unwrap();
    let content = [PNG, &vec![7; 3 << 20]].concat();
    let head = format!(
        "POST /evidence?assignment={}&name=a.png HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {}\r\n\
         connection: close\r\ncontent-length: {}\r\n\r\n",
        who.assignment,
        who.mine,
        content.len()
    );
    let (most, rest) = content.split_at(2 << 20);
    socket.write_all(&[head.as_bytes(), most].concat()).unwrap();
    eventually("the upload must begin to arrive", || !files(world).is_empty());
    let key = who.assignment.strip_prefix("assignment_").unwrap();
    block_on(async {
        let close = format!("UPDATE assignment SET status = 'CLOSED' WHERE id = {key}");
        world.db().await.execute_unprepared(&close).await.unwrap();
    });
    socket.write_all(rest).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 409") && answer.contains("WRONG_STATE"), "{answer}");
    assert!(files(world).is_empty(), "{:?}", files(world));
    assert_eq!(rows(&server, &who.mine, &who.assignment), 0);
}

#[test]
fn memory_stays_bounded_whatever_is_sent() {
    let world = World::sqlite();
    let (server, who) = Counties::open(&world, &[("RECTIFY_MAX_EVIDENCE_BYTES", &(64 << 20).to_string())]);
    let address = server.base.strip_prefix("http://").unwrap();
    let send = |amount: usize| {
        let mut socket = TcpStream::connect(address).unwrap();
        let head = format!(
            "POST /evidence?assignment={}&name=a.png HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {}\r\n\
             transfer-encoding: chunked\r\nconnection: close\r\n\r\n{:x}\r\n",
            who.assignment,
            who.mine,
            PNG.len()
        );
        socket.write_all(&[head.as_bytes(), PNG, b"\r\n"].concat()).unwrap();
        let chunk = [format!("{:x}\r\n", 1 << 20).as_bytes(), &vec![7; 1 << 20], b"\r\n"].concat();
        for _ in 0..amount {
            if socket.write_all(&chunk).is_err() {
                break;
            }
        }
        let _ = socket.write_all(b"0\r\n\r\n");
        let mut answer = String::new();
        let _ = socket.read_to_string(&mut answer);
        answer
    };
    let before = server.most_memory();
    let refused = send(300);
    assert!(refused.starts_with("HTTP/1.1 413") && refused.contains("PAYLOAD_TOO_LARGE"), "{refused}");
    assert!(files(&world).is_empty(), "{:?}", files(&world));
    let fine = send(60);
    assert!(fine.starts_with("HTTP/1.1 201"), "{fine}");
    let id = as_whom(&server, &who.mine, "{ evidence(first: 1) { nodes { id } } }");
    let id = id["data"]["evidence"]["nodes"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(download(&server, &who.mine, &id).1.len(), (60 << 20) + PNG.len());
    let grown = server.most_memory() - before;
    assert!(grown < 48 << 10, "grew by {grown} KiB");
}

#[test]
fn a_page_elsewhere_cannot_upload_to_an_open_installation() {
    let world = World::sqlite();
    world.done(&["demo", "--bare"]);
    let server = world.serve();
    let path = "/evidence?assignment=assignment_2";
    let send = |headers: &[(&str, &str)]| server.put(path, &[&[FORM], headers].concat(), &form("a.png", PNG));
    assert_eq!(code(&send(&[])), refused(403, "FORBIDDEN"));
    assert_eq!(code(&send(&[("origin", "https://evil.example")])), refused(403, "FORBIDDEN"));
    let both = send(&[("origin", "https://evil.example"), ("x-rectify-upload", "1")]);
    assert_eq!(code(&both), refused(403, "FORBIDDEN"));
    assert_eq!(code(&send(&[("origin", "null")])), refused(403, "FORBIDDEN"));
    assert_eq!(code(&send(&[("host", "evil.example"), ("x-rectify-upload", "1")])), refused(403, "FORBIDDEN"));
    assert_eq!(send(&[("x-rectify-upload", "1")]).status, 201);
    assert_eq!(send(&[("origin", &server.base)]).status, 201);
}

fn evidence_is_kept_in_an_s3_compatible_storage(world: &World) {
    let folder = world.dir.path().join("s3");
    let settings = s3::serve(&folder);
    let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let (server, who) = Counties::open(world, &settings);
    let run = |arguments: &[&str]| {
        let output = world.program().args(arguments).envs(settings.iter().copied()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        (output.status.code(), said)
    };
    // One file in a single request, and one in parts: S3 requires parts of at least five megabytes, except the last.
    let mut noise = fastrand::Rng::with_seed(7);
    let large: Vec<u8> = PDF.iter().copied().chain(std::iter::repeat_with(|| noise.u8(..)).take(11 << 20)).collect();
    for (name, bytes) in [("现场.png", PNG), ("验收报告.pdf", large.as_slice())] {
        let sent = upload(&server, &who.mine, &who.assignment, name, bytes);
        assert_eq!(sent.status, 201, "{}", sent.body);
        let id = sent.json()["evidence"]["id"].as_str().unwrap().to_owned();
        let (answer, kept) = download(&server, &who.office, &id);
        assert_eq!((answer.status, kept == bytes), (200, true), "{name}");
        assert_eq!(code(&download(&server, &who.sibling, &id).0), refused(404, "NOT_FOUND"));
    }
    assert_eq!(files(world), Vec::<PathBuf>::new(), "nothing must be stored outside of the S3 storage");
    let hash = hex::encode(<sha2::Sha256 as sha2::Digest>::digest(&large));
    let place = folder.join("evidence/ledger/sha256").join(&hash[..2]).join(&hash);
    assert!(place.exists());
    assert_eq!(code(&upload(&server, &who.mine, &who.assignment, "a.exe", PNG)), refused(422, "INVALID"));
    assert_eq!(
        below(&folder.join("evidence/ledger/incoming")),
        Vec::<PathBuf>::new(),
        "a refused file must be removed"
    );

    assert!(run(&["evidence", "verify"]).1.contains("文件 2 个与台账相符"));
    let out = world.dir.path().join("档案.zip");
    assert_eq!(run(&["dossier", &who.measure, "--out", &out.to_string_lossy()]).0, Some(0));
    let mut archive = zip::ZipArchive::new(std::fs::File::open(&out).unwrap()).unwrap();
    let mut packed = Vec::new();
    archive.by_name("evidence/2-验收报告.pdf").unwrap().read_to_end(&mut packed).unwrap();
    assert!(packed == large);

    // A changed object is detected. A failing storage is not described to callers.
    std::fs::write(&place, b"%PDF-1.7 forged").unwrap();
    let (failed, said) = run(&["evidence", "verify"]);
    assert!(failed == Some(1) && said.contains("内容被改动"), "{said}");
    std::fs::remove_dir_all(&folder).unwrap();
    let down = upload(&server, &who.mine, &who.assignment, "b.png", PNG);
    assert_eq!(code(&down), refused(500, "INTERNAL_SERVER_ERROR"));
    assert!(!down.body.contains("127.0.0.1") && !down.body.contains("secret"), "{}", down.body);
    assert_eq!(rows(&server, &who.mine, &who.assignment), 2);
    let address = "s3://evidence/ledger?secret_access_key=abc";
    let shown = world.program().args(["evidence", "verify"]).env("RECTIFY_EVIDENCE_URL", address).output().unwrap();
    let shown = String::from_utf8_lossy(&shown.stderr).into_owned();
    assert!(
        shown.contains("AWS_SECRET_ACCESS_KEY") && !shown.contains("abc"),
        "a secret in the address must be refused without being printed: {shown}"
    );
}
