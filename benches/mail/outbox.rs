//! A ledger whose outbox can be filled with copies of one digest.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use chrono::NaiveDate;
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement, TransactionTrait};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::Outcome;
use crate::sink::{COPY, Sink};

/// The database that is created on a PostgreSQL server.
const DATABASE: &str = "rectify_bench_mail";

/// A ledger, and how to run the program on it.
pub(crate) struct Outbox {
    program: String,
    database: String,
    mail: String,
    connections: usize,
    runtime: Runtime,
    db: DatabaseConnection,
    folder: TempDir,
}

impl Outbox {
    /// Creates the demo ledger with its overdue digests, which are not sent.
    pub(crate) fn create(program: &str, server: Option<&str>, sink: &Sink, connections: usize) -> Outcome<Self> {
        let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR"))?;
        let runtime = Runtime::new()?;
        let database = match server {
            Some(server) => {
                let server = server.trim_end_matches('/');
                runtime.block_on(async {
                    let db = Database::connect(format!("{server}/postgres")).await?;
                    db.execute_unprepared(&format!("DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")).await?;
                    db.execute_unprepared(&format!("CREATE DATABASE {DATABASE}")).await
                })?;
                format!("{server}/{DATABASE}")
            }
            None => format!("sqlite:{}", folder.path().join("rectify.db").display()),
        };
        let mail = address(sink);
        for arguments in [&["demo"] as &[&str], &["job", "run", "overdue"]] {
            let mut command = Command::new(program);
            command.args(arguments).env("RECTIFY_DATABASE_URL", &database).current_dir(folder.path());
            let status = command.stdout(Stdio::null()).status()?;
            if !status.success() {
                return Err(format!("rectify {}: {status}", arguments.join(" ")).into());
            }
        }
        let db = runtime.block_on(async {
            let db = Database::connect(&database).await?;
            db.execute_unprepared("UPDATE mail SET state = 'CANCELLED' WHERE state = 'QUEUED'").await?;
            Ok::<_, sea_orm::DbErr>(db)
        })?;
        Ok(Self { program: program.to_owned(), database, mail, connections, runtime, db, folder })
    }

    /// Queues copies of a digest, each to an address of its own.
    pub(crate) fn fill(&self, count: usize) -> Outcome<()> {
        let source = "(SELECT max(m.id) FROM mail m WHERE m.kind = 'overdue' AND m.cause NOT LIKE 'copy:%')";
        let clear = "DELETE FROM mail WHERE cause LIKE 'copy:%'";
        let mails = format!(
            "INSERT INTO mail (cause, kind, recipient, unit_id, local_day, subject, reason, facts, state, priority, \
             attempts, next_attempt_at, created_at) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n \
             WHERE i < {count}) SELECT 'copy:' || i, kind, '{COPY}' || i || '@far.example', unit_id, local_day, '', \
             reason, facts, 'QUEUED', 1, 0, next_attempt_at, created_at FROM mail, n WHERE id = {source}"
        );
        let items = format!(
            "INSERT INTO mail_item (mail_id, measure_id, assignment_id, due_on) \
             SELECT m.id, i.measure_id, i.assignment_id, i.due_on FROM mail m, mail_item i \
             WHERE m.cause LIKE 'copy:%' AND i.mail_id = {source}"
        );
        self.runtime.block_on(async {
            let transaction = self.db.begin().await?;
            for statement in [clear, &mails, &items] {
                transaction.execute_unprepared(statement).await?;
            }
            transaction.commit().await?;
            self.db.execute_unprepared("ANALYZE").await
        })?;
        Ok(())
    }

    /// Adds units with an address each, which answer `each` measures that have been overdue for days. Returns a local
    /// day on which nothing has been told of them.
    pub(crate) fn crowd(&self, units: usize, each: usize) -> Outcome<NaiveDate> {
        let numbers = format!("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {units})");
        let one = "(SELECT min(id) FROM region WHERE level = 'COUNTY')";
        let measures = format!("(SELECT id FROM measure ORDER BY id LIMIT {each})");
        let statements = [
            format!("UPDATE measure SET lead_unit_id = NULL, supervising_unit_id = NULL WHERE id IN {measures}"),
            format!(
                "INSERT INTO unit (region_id, name, kind, attaches_calendar, version) {numbers} \
                 SELECT {one}, 'crowd ' || i, 'DEPARTMENT', {}, 1 FROM n",
                if self.is_postgres() { "false" } else { "0" }
            ),
            "INSERT INTO unit_address (unit_id, address) SELECT id, 'crowd' || id || '@far.example' FROM unit \
             WHERE name LIKE 'crowd %'"
                .to_owned(),
            format!(
                "INSERT INTO assignment (measure_id, unit_id, region_id, status, due_on, due_by, is_completed_by, \
                 version, created_at, updated_at) SELECT m.id, u.id, u.region_id, 'IN_PROGRESS', {day}, {day}, {no}, \
                 1, {at}, {at} FROM unit u, {measures} m WHERE u.name LIKE 'crowd %'",
                day = self.text("2026-01-15", "date"),
                at = self.text("2025-01-01T00:00:00+00:00", "timestamptz"),
                no = if self.is_postgres() { "false" } else { "0" },
            ),
            "ANALYZE".to_owned(),
        ];
        self.run_all(&statements)?;
        NaiveDate::from_ymd_opt(2026, 1, 20).ok_or_else(|| "no day".into())
    }

    /// Queues the digests of the crowd by bare statements.
    pub(crate) fn queue_bare(&self, day: NaiveDate) -> Outcome<()> {
        let (day, now) = (day.to_string(), format!("{day}T00:00:00+00:00"));
        let (day_text, now) = (self.text(&day, "date"), self.text(&now, "timestamptz"));
        let open = "a.due_by < {day} AND a.status NOT IN ('CLOSED', 'CLOSED_ONGOING', 'NOT_APPLICABLE') \
                    AND (a.completed_on IS NULL OR a.completed_on > {day})"
            .replace("{day}", &day_text);
        let mails = format!(
            "INSERT INTO mail (cause, kind, recipient, unit_id, local_day, subject, reason, facts, state, priority, \
             attempts, next_attempt_at, created_at) SELECT 'bare:' || t.address, 'overdue', t.address, min(t.unit_id), \
             {day_text}, '', 'overdue {day}: ' || count(*), '{{}}', 'QUEUED', 1, 0, {now}, {now} FROM assignment a \
             JOIN unit_address t ON t.unit_id = a.unit_id WHERE {open} GROUP BY t.address"
        );
        let items = format!(
            "INSERT INTO mail_item (mail_id, measure_id, assignment_id, due_on) \
             SELECT l.id, a.measure_id, a.id, a.due_by FROM assignment a \
             JOIN unit_address t ON t.unit_id = a.unit_id JOIN mail l ON l.cause = 'bare:' || t.address WHERE {open}"
        );
        self.run_all(&[mails, items])
    }

    /// Removes all mails. PostgreSQL is not told that the table is empty: it would plan for that while it is filled.
    pub(crate) fn clear(&self) -> Outcome<()> {
        let all = if self.is_postgres() { "TRUNCATE mail CASCADE" } else { "DELETE FROM mail" };
        self.run_all(&[all.to_owned()])
    }

    /// Lets the program queue the digests of a day. Returns how long it took, and the most memory that it had, in MB.
    pub(crate) fn queue(&self, day: NaiveDate) -> Outcome<(Duration, u64)> {
        let began = Instant::now();
        let day = day.to_string();
        let mut child = self.rectify(&["job", "run", "overdue", "--at", &day]).stdout(Stdio::null()).spawn()?;
        let status = format!("/proc/{}/status", child.id());
        let mut most = 0;
        let ended = loop {
            if let Some(ended) = child.try_wait()? {
                break ended;
            }
            let text = std::fs::read_to_string(&status).unwrap_or_default();
            let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
            most = most.max(line.trim().trim_end_matches(" kB").parse().unwrap_or(0));
            std::thread::sleep(Duration::from_millis(20));
        };
        if ended.success() { Ok((began.elapsed(), most >> 10)) } else { Err(format!("overdue: {ended}").into()) }
    }

    fn is_postgres(&self) -> bool {
        self.db.get_database_backend() == DbBackend::Postgres
    }

    /// Returns a literal, which PostgreSQL is told the type of.
    fn text(&self, value: &str, kind: &str) -> String {
        if self.is_postgres() { format!("CAST('{value}' AS {kind})") } else { format!("'{value}'") }
    }

    /// Executes statements in a transaction.
    fn run_all(&self, statements: &[String]) -> Outcome<()> {
        self.runtime.block_on(async {
            let transaction = self.db.begin().await?;
            for statement in statements {
                transaction.execute_unprepared(statement).await?;
            }
            Ok(transaction.commit().await?)
        })
    }

    fn rectify(&self, arguments: &[&str]) -> Command {
        self.rectify_to(&self.mail, arguments)
    }

    fn rectify_to(&self, mail: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).current_dir(self.folder.path());
        command.env("RECTIFY_DATABASE_URL", &self.database).env("RECTIFY_MAIL_URL", mail);
        command.env("RECTIFY_MAIL_CONNECTIONS", self.connections.to_string()).env("RECTIFY_LOG", "error");
        command
    }

    /// Starts a scheduler that delivers to a server, and stays until it is dropped.
    pub(crate) fn scheduler(&self, sink: &Sink) -> Outcome<Killed> {
        let mut command = self.rectify_to(&address(sink), &["serve", "--role", "scheduler", "--listen", "127.0.0.1:0"]);
        Ok(Killed(command.stdout(Stdio::null()).spawn()?))
    }

    /// Returns how many copies still wait, and how many were given up.
    pub(crate) fn left(&self) -> Outcome<(i64, i64)> {
        let count = "SELECT count(*) FILTER (WHERE state IN ('QUEUED', 'SENDING')) AS waiting, \
                     count(*) FILTER (WHERE state NOT IN ('QUEUED', 'SENDING', 'SENT')) AS given_up \
                     FROM mail WHERE cause LIKE 'copy:%'";
        let statement = Statement::from_string(self.db.get_database_backend(), count);
        let row = self.runtime.block_on(self.db.query_one_raw(statement))?.ok_or("no count")?;
        Ok((row.try_get("", "waiting")?, row.try_get("", "given_up")?))
    }

    /// Delivers what waits.
    pub(crate) fn deliver(&self) -> Outcome<()> {
        let status = self.rectify(&["job", "run", "deliver-mail"]).stdout(Stdio::null()).status()?;
        if status.success() { Ok(()) } else { Err(format!("deliver-mail: {status}").into()) }
    }

    /// Fills the outbox, and lets a unit be urged while the program delivers. Returns how long it took from the act to
    /// the acceptance of its notice.
    pub(crate) fn notice(&self, behind: usize, sink: &Sink) -> Outcome<Duration> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let mut command = self.rectify(&["serve", "--listen", &address]);
        let mut server = Killed(command.stdout(Stdio::piped()).spawn()?);
        let out = server.0.stdout.take().ok_or("no output")?;
        BufReader::new(out).read_line(&mut String::new())?;
        let ask = |query: &str| -> Outcome<Value> {
            let mut answer = ureq::post(format!("http://{address}/graphql")).send_json(json!({ "query": query }))?;
            Ok(answer.body_mut().read_json()?)
        };
        let open = "{ assignments(first: 1, filter: {status: [IN_PROGRESS]}) { nodes { id } } }";
        let found = ask(open)?;
        let id = found["data"]["assignments"]["nodes"][0]["id"].as_str().ok_or("no assignment")?.to_owned();
        sink.expect(0);
        if behind > 0 {
            self.fill(behind)?;
        }
        let reason = format!("behind {behind}");
        let urge = format!(
            "mutation {{ issueSupervision(input: {{assignmentId: \"{id}\", kind: URGE, reason: \"{reason}\"}}) {{ \
             warnings {{ code }} errors {{ message }} }} }}"
        );
        let began = Instant::now();
        let done = ask(&urge)?;
        if done["data"]["issueSupervision"]["errors"] != json!([]) {
            return Err(format!("urging failed: {done}").into());
        }
        Ok(sink.notice()?.saturating_duration_since(began))
    }
}

/// Returns the settings' address of a server.
fn address(sink: &Sink) -> String {
    format!("smtp://127.0.0.1:{}?tls=none", sink.port)
}

/// A process that is killed when it is dropped.
pub(crate) struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
