//! Behaviour on a full disk: acknowledged changes are kept, failed ones leave nothing, uncommitted ones are never
//! visible, and the server recovers by itself once there is space again.

use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use entity::progress_report;
use ledger::record::database;
use sea_orm::{
    ColumnTrait, ConnectionTrait, Database, DatabaseConnection, DbBackend, EntityTrait, QueryFilter, Statement,
};
use serde_json::{Value, json};

use crate::support::evidence::{Counties, PNG, as_whom, refusal, upload};
use crate::support::{Answer, Server, World, block_on, read, stories};

stories!(
    what_the_database_ends_by_itself_is_not_acknowledged,
    a_transaction_in_which_something_failed_is_not_committed,
    readiness_writes_and_leaves_nothing,
);

/// How many reports on each assignment must fail while the disk is full.
const FAILURES: usize = 6;
/// The maximum number of attempts until then: allocated pages still have some space.
const TRIES: usize = 200;

/// How the database is kept from writing.
enum Full {
    /// A mounted file system that a ballast file fills.
    Disk(Disk),
    /// Triggers that end the transaction as a full disk would: SQLite rolls back, PostgreSQL reports `disk_full`. Used
    /// by a story of its own, and where mounting is not permitted.
    Rule,
}

/// A mounted file system, unmounted when it is dropped.
struct Disk {
    place: PathBuf,
    /// A PostgreSQL URL and the statements to execute there before unmounting.
    before: Option<(String, Vec<String>)>,
}

impl Disk {
    /// Mounts a tmpfs of the given size; returns `None` if the machine does not permit it.
    fn mount(place: PathBuf, megabytes: usize) -> Option<Self> {
        std::fs::create_dir(&place).unwrap();
        let options = format!("size={megabytes}m,mode=0755");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "rectify-story"]).arg(&place).output();
        let why = match mounted {
            Ok(output) if output.status.success() => return Some(Self { place, before: None }),
            Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
            Err(error) => error.to_string(),
        };
        eprintln!("cannot mount a file system ({}): using triggers instead", why.trim());
        None
    }

    fn ballast(&self) -> PathBuf {
        self.place.join("ballast")
    }

    /// Appends to the ballast until no byte fits. Can be repeated after the database freed space, as PostgreSQL's
    /// vacuum does.
    fn fill(&self) {
        let mut file = std::fs::File::options().create(true).append(true).open(self.ballast()).unwrap();
        for size in [1 << 20, 1 << 12, 1] {
            let block = vec![0; size];
            while file.write(&block).is_ok() {}
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Some((server, statements)) = &self.before {
            block_on(async {
                let Ok(db) = Database::connect(server).await else { return };
                for statement in statements {
                    if let Err(error) = db.execute_unprepared(statement).await {
                        eprintln!("{statement}: {error}");
                    }
                }
            });
        }
        // Lazily, because a server that is still running may have a file open.
        let _ = Command::new("umount").arg("-l").arg(&self.place).status();
    }
}

/// The statements that triggers refuse: table and event.
const RULED: [(&str, &str); 3] = [("audit_entry", "INSERT"), ("heartbeat", "INSERT"), ("progress_report", "UPDATE")];

async fn rule(db: &DatabaseConnection) {
    let is_postgres = db.get_database_backend() == DbBackend::Postgres;
    if is_postgres {
        let full = "CREATE FUNCTION story_is_full() RETURNS trigger LANGUAGE plpgsql AS \
            $$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END $$";
        db.execute_unprepared(full).await.unwrap();
    }
    for (table, event) in RULED {
        let body = if is_postgres {
            "FOR EACH ROW EXECUTE FUNCTION story_is_full()"
        } else {
            "BEGIN SELECT RAISE(ROLLBACK, 'story: full'); END"
        };
        let text = format!("CREATE TRIGGER story_full_{table} BEFORE {event} ON {table} {body}");
        db.execute_unprepared(&text).await.unwrap();
    }
}

async fn unrule(db: &DatabaseConnection) {
    let is_postgres = db.get_database_backend() == DbBackend::Postgres;
    for (table, _) in RULED {
        let on = if is_postgres { format!(" ON {table}") } else { String::new() };
        db.execute_unprepared(&format!("DROP TRIGGER story_full_{table}{on}")).await.unwrap();
    }
}

impl Full {
    fn set(&self, world: &World) {
        match self {
            Self::Disk(disk) => disk.fill(),
            Self::Rule => with(world, rule),
        }
    }

    /// Fills space that became free meanwhile.
    fn keep(&self) {
        if let Self::Disk(disk) = self {
            disk.fill();
        }
    }

    fn end(&self, world: &World) {
        match self {
            Self::Disk(disk) => std::fs::remove_file(disk.ballast()).unwrap(),
            Self::Rule => with(world, unrule),
        }
    }
}

/// Runs a function with a database connection of its own, while the server runs.
fn with<T>(world: &World, act: impl AsyncFnOnce(&DatabaseConnection) -> T) -> T {
    block_on(async {
        let db = world.db().await;
        let done = act(&db).await;
        db.close().await.unwrap();
        done
    })
}

/// An assignment, and the outcome of the reports submitted on it.
struct Target {
    id: String,
    version: i64,
    count: usize,
    acknowledged: Vec<String>,
    failed: Vec<String>,
    codes: Vec<String>,
}

impl Target {
    /// Returns up to three assignments that 白河县人民政府 can report on.
    fn all(server: &Server, token: &str) -> Vec<Self> {
        let query = "{ assignments(first: 3, filter: {status: [ASSIGNED, IN_PROGRESS],
            unit: {is: {name: {search: \"白河县人民政府\"}}}}) { nodes { id version } } }";
        let found = as_whom(server, token, query);
        let nodes = found["data"]["assignments"]["nodes"].as_array().unwrap_or_else(|| panic!("{found}"));
        let target = |node: &Value| Self {
            id: node["id"].as_str().unwrap().to_owned(),
            version: node["version"].as_i64().unwrap(),
            count: 0,
            acknowledged: Vec::new(),
            failed: Vec::new(),
            codes: Vec::new(),
        };
        nodes.iter().map(target).collect()
    }

    /// Submits one report; returns whether it was acknowledged.
    fn report(&mut self, server: &Server, token: &str) -> bool {
        let query = "mutation($input: ReportProgressInput!) { reportProgress(input: $input) {
            assignment { version } errors { code message } } }";
        self.count += 1;
        let text = format!("story {} {} {}", self.id, self.count, filler());
        let input = json!({"assignmentId": self.id, "version": self.version, "period": "2025-10", "text": text});
        let answer = server.ask_as(token, query, &json!({ "input": input }));
        let said = answer.json();
        let done = &said["data"]["reportProgress"];
        let is_acknowledged = said.get("errors").is_none() && done["errors"] == json!([]);
        if is_acknowledged {
            self.version = done["assignment"]["version"].as_i64().unwrap();
            self.acknowledged.push(text);
        } else {
            assert!(answer.code() != "", "the report is valid and must not be rejected: {said}");
            self.codes.push(answer.code());
            self.failed.push(text);
        }
        self.is_as_acknowledged(server, token);
        is_acknowledged
    }

    /// Asserts that the API shows the last acknowledged version, and no report that failed.
    fn is_as_acknowledged(&self, server: &Server, token: &str) {
        let query = format!("{{ assignment(id: \"{}\") {{ version latestReport {{ text }} }} }}", self.id);
        let found = as_whom(server, token, &query);
        let shown = &found["data"]["assignment"];
        assert_eq!(shown["version"], json!(self.version), "{found}\nfailed with {:?}", self.codes);
        let text = shown["latestReport"]["text"].as_str().unwrap_or_default();
        assert!(!self.failed.iter().any(|failed| failed == text), "a report that failed is shown: {text}");
    }

    /// Asserts that the table contains exactly the acknowledged reports.
    async fn is_kept(&self, db: &DatabaseConnection) {
        let rows = progress_report::Entity::find()
            .filter(progress_report::Column::Text.starts_with(format!("story {} ", self.id)))
            .all(db)
            .await
            .unwrap();
        let kept: Vec<&str> = rows.iter().map(|row| row.text.as_str()).collect();
        let lost: Vec<_> = self.acknowledged.iter().filter(|text| !kept.contains(&text.as_str())).collect();
        assert!(lost.is_empty(), "{} of {} acknowledged reports are lost", lost.len(), self.acknowledged.len());
        let left: Vec<_> = self.failed.iter().filter(|text| kept.contains(&text.as_str())).collect();
        assert!(left.is_empty(), "{} of {} failed reports are stored", left.len(), self.failed.len());
    }
}

/// Returns random characters, which cannot be compressed.
fn filler() -> String {
    std::iter::repeat_with(fastrand::alphanumeric).take(1_500).collect()
}

/// Polls `/readyz` until it has the given status, calling a function before each request.
fn readiness(server: &Server, status: u16, before: impl Fn()) -> Answer {
    let since = Instant::now();
    loop {
        before();
        let answer = server.get("/readyz");
        if answer.status == status {
            return answer;
        }
        assert!(since.elapsed() < Duration::from_secs(30), "expected {status}, got {}: {}", answer.status, answer.body);
    }
}

fn is_kept_and_recovers(world: &World, full: &Full, evidence: &Path) {
    let folder = format!("file:{}", evidence.display());
    let settings = [("RECTIFY_EVIDENCE_URL", folder.as_str())];
    let (server, who) = Counties::open(world, &settings);
    let mut targets = Target::all(&server, &who.mine);
    assert!(targets.len() > 1, "{} assignments", targets.len());
    for target in &mut targets {
        assert!(target.report(&server, &who.mine), "{:?}", target.codes);
    }
    assert_eq!(readiness(&server, 200, || ()).body, "ready");

    full.set(world);
    // Concurrently, so that there are several connections.
    std::thread::scope(|scope| {
        for target in &mut targets {
            let (server, token) = (&server, who.mine.as_str());
            scope.spawn(move || {
                for _ in 0..TRIES {
                    target.report(server, token);
                    if target.failed.len() >= FAILURES {
                        break;
                    }
                }
                assert_eq!(target.failed.len(), FAILURES, "the disk was not full: {} kept", target.acknowledged.len());
            });
        }
    });
    assert_eq!(readiness(&server, 503, || full.keep()).body, "database: cannot write");
    let sent = upload(&server, &who.mine, &who.assignment, "a.png", &[PNG, &vec![7; 300_000]].concat());
    let is_sqlite = world.url.starts_with("sqlite:");
    if matches!(full, Full::Rule) && is_sqlite {
        // A trigger cannot raise SQLite's error code for a full disk.
        assert_eq!(sent.status, 500, "{}", sent.body);
    } else {
        assert_eq!(refusal(&sent), (503, "UNAVAILABLE".to_owned()));
        assert_eq!(sent.header("retry-after"), "5");
        for target in &targets {
            assert!(target.codes.iter().all(|code| code == "UNAVAILABLE"), "{:?}", target.codes);
        }
        assert!(read(world.log()).contains("the disk is full"), "the log must name the cause: {}", read(world.log()));
    }
    assert_eq!(files(evidence), Vec::<PathBuf>::new(), "a failed upload must leave no file");

    full.end(world);
    assert_eq!(readiness(&server, 200, || ()).body, "ready");
    for target in &mut targets {
        for _ in 0..5 {
            assert!(
                target.report(&server, &who.mine),
                "reports must succeed once there is space: {:?}",
                target.codes.last()
            );
        }
    }
    let sent = upload(&server, &who.mine, &who.assignment, "a.png", PNG);
    assert_eq!(sent.status, 201, "{}", sent.body);

    // Dropping the server kills its process.
    drop(server);
    let server = world.serve_with(&settings);
    for target in &targets {
        target.is_as_acknowledged(&server, &who.mine);
    }
    with(world, async |db| {
        for target in &targets {
            target.is_kept(db).await;
        }
    });
    let audit = world.done(&["audit", "verify"]);
    assert!(audit.contains("无缺失"), "{audit}");
    assert!(world.done(&["statistics", "check"]).contains("一致"));
}

/// Returns all files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn what_the_database_ends_by_itself_is_not_acknowledged(world: &World) {
    is_kept_and_recovers(world, &Full::Rule, &world.dir.path().join("evidence"));
}

#[test]
fn a_full_disk_loses_nothing_that_sqlite_acknowledged() {
    let mut world = World::sqlite();
    let Some(disk) = Disk::mount(world.dir.path().join("disk"), 32) else {
        return what_the_database_ends_by_itself_is_not_acknowledged(&world);
    };
    world.url = format!("sqlite:{}", disk.place.join("rectify.db").display());
    let evidence = disk.place.join("evidence");
    is_kept_and_recovers(&world, &Full::Disk(disk), &evidence);
}

#[test]
fn a_full_disk_loses_nothing_that_postgresql_acknowledged() {
    let Some(world) = World::postgres() else { return };
    // PostgreSQL runs as another user and must be able to enter the folder.
    std::fs::set_permissions(world.dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let Some(mut disk) = Disk::mount(world.dir.path().join("disk"), 192) else {
        return what_the_database_ends_by_itself_is_not_acknowledged(&world);
    };
    let (host, name) = world.url.rsplit_once('/').unwrap();
    let tablespace = disk.place.join("tablespace");
    std::fs::create_dir(&tablespace).unwrap();
    let server = format!("{host}/postgres");
    block_on(async {
        let db = Database::connect(&server).await.unwrap();
        let asked = Statement::from_string(DbBackend::Postgres, "SHOW data_directory");
        let data: String = db.query_one_raw(asked).await.unwrap().unwrap().try_get_by_index(0).unwrap();
        let owner = std::fs::metadata(data).unwrap();
        chown(&tablespace, Some(owner.uid()), Some(owner.gid())).unwrap();
        let place = tablespace.display();
        db.execute_unprepared(&format!("CREATE TABLESPACE {name} LOCATION '{place}'")).await.unwrap();
        db.execute_unprepared(&format!("ALTER DATABASE {name} SET TABLESPACE {name}")).await.unwrap();
        db.close().await.unwrap();
    });
    let end = [format!("DROP DATABASE {name} WITH (FORCE)"), format!("DROP TABLESPACE {name}")];
    disk.before = Some((server, end.into()));
    let evidence = disk.place.join("evidence");
    is_kept_and_recovers(&world, &Full::Disk(disk), &evidence);
}

fn a_transaction_in_which_something_failed_is_not_committed(world: &World) {
    world.done(&["migrate"]);
    let write = "INSERT INTO heartbeat (id, filler) VALUES (7, 'written')";
    with(world, async |db| {
        let there = async || {
            let asked = Statement::from_string(db.get_database_backend(), "SELECT id FROM heartbeat WHERE id = 7");
            db.query_one_raw(asked).await.unwrap().is_some()
        };
        // The caller ignores the failure of a statement; nothing may be committed.
        let transaction = database::begin(db).await.unwrap();
        transaction.execute_unprepared(write).await.unwrap();
        let failure = transaction.execute_unprepared("SELECT nothing FROM nowhere").await.unwrap_err();
        let refused = transaction.execute_unprepared(write).await.unwrap_err();
        assert_eq!(refused, failure, "no statement may run after a failure");
        assert_eq!(transaction.commit().await.unwrap_err(), failure);
        assert!(!there().await);
        // The same holds after a statement that was abandoned.
        let transaction = database::begin(db).await.unwrap();
        transaction.execute_unprepared(write).await.unwrap();
        let given_up = tokio::time::timeout(Duration::ZERO, transaction.execute_unprepared(SLOW)).await;
        assert!(given_up.is_err());
        transaction.commit().await.unwrap_err();
        assert!(!there().await);
        let transaction = database::begin(db).await.unwrap();
        transaction.execute_unprepared(write).await.unwrap();
        transaction.commit().await.unwrap();
        assert!(there().await);
    });
}

/// A statement that takes a moment on both databases.
const SLOW: &str =
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) SELECT max(i) FROM n";

fn readiness_writes_and_leaves_nothing(world: &World) {
    world.done(&["demo"]);
    let server = world.serve();
    let before = server.statements();
    for _ in 0..50 {
        assert_eq!(server.get("/readyz").status, 200);
    }
    assert_eq!(server.statements(), before, "readiness probes must not use the ledger's statements");
    let size = || {
        with(world, async |db| {
            let text = if db.get_database_backend() == DbBackend::Postgres {
                "SELECT pg_total_relation_size('heartbeat')"
            } else {
                "SELECT CAST(sum(length(filler)) AS bigint) FROM heartbeat"
            };
            let asked = Statement::from_string(db.get_database_backend(), text);
            db.query_one_raw(asked).await.unwrap().unwrap().try_get_by_index::<i64>(0).unwrap()
        })
    };
    let written = size();
    assert!((60_000..200_000).contains(&written), "{written} bytes");
    with(world, async |db| {
        for _ in 0..5 {
            database::try_to_write(db).await.unwrap();
        }
    });
    assert_eq!(size(), written, "the table must not grow");
}
