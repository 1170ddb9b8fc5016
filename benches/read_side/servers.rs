//! The servers, each a child process that uses the same database.

use std::fs::File;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::ledger::{DEEP_PAGE, DEEP_PAGES, DEPTH, Ledger};
use crate::load::{Wire, request, request_with};
use crate::operations::Peer;
use crate::subject::Subject;
use crate::{Outcome, cpu};
use serde_json::{Value, json};

/// How long a server may take until it accepts connections.
const PATIENCE: Duration = Duration::from_mins(1);

/// A running server, killed when it is dropped.
pub(crate) struct Server {
    /// Which of them it is.
    pub(crate) subject: Subject,
    /// The address on which it listens.
    pub(crate) address: SocketAddr,
    /// The cursors after which its deep pages begin.
    pub(crate) cursors: Vec<String>,
    /// The address of its metrics, which count statements, if it has them.
    metrics: Option<SocketAddr>,
    /// The secret of the session of whoever asks; none for nobody.
    secret: Option<String>,
    process: Child,
}

impl Server {
    /// Starts Rectify with its default settings, but without a rate limit.
    pub(crate) fn rectify(ledger: &Ledger) -> Outcome<Self> {
        Self::served(ledger.rectify())
    }

    fn served(mut command: Command) -> Outcome<Self> {
        let (address, metrics) = (free_address()?, free_address()?);
        command.args(["serve", "--role", "api", "--listen", &address.to_string()]);
        command.env("RECTIFY_METRICS_LISTEN", metrics.to_string());
        // All load comes from one address, faster than the rate limit permits.
        command.env("RECTIFY_MAX_REQUESTS_PER_MINUTE", "0");
        Self::start(Subject::Rectify, address, Some(metrics), command)
    }

    /// Starts Rectify once more, for the national office of the demo, which signs in.
    pub(crate) fn rectify_signed_in(ledger: &Ledger) -> Outcome<Self> {
        let mut server = Self::rectify(ledger)?;
        let office = ledger.value::<i64>("SELECT min(id) FROM account WHERE is_demo AND role = 'REGIONAL_OFFICE'")?;
        server.secret = Some(server.enter(&format!("account_{office}"))?);
        server.subject = Subject::SignedIn;
        Ok(server)
    }

    /// Opens a session of an account of the demo and returns its secret.
    pub(crate) fn enter(&self, account: &str) -> Outcome<String> {
        let query = "mutation($id: ID!) { signInAsDemo(accountId: $id) { token } }";
        let body = json!({"query": query, "variables": {"id": account}}).to_string();
        let entered = self.ask(&request(self.address, "/graphql", &body))?;
        let token = entered.pointer("/data/signInAsDemo/token").and_then(Value::as_str).ok_or("no session")?;
        Ok(token.to_owned())
    }

    /// Returns the server as operations address it.
    pub(crate) fn peer(&self) -> Peer {
        (self.subject, self.address)
    }

    /// Returns the header that says who asks.
    pub(crate) fn bearer(&self) -> String {
        self.secret.as_ref().map(|secret| format!("authorization: Bearer {secret}\r\n")).unwrap_or_default()
    }

    /// Returns the headers with which it is measured: who asks and, as browsers do, that the answer may be compressed.
    pub(crate) fn headers(&self) -> String {
        if self.secret.is_some() { self.bearer() + "accept-encoding: gzip\r\n" } else { String::new() }
    }

    /// Starts Rectify like [`Self::rectify`], so that it logs the plan of each statement that takes `slow`
    /// milliseconds: PostgreSQL sends it along with the answer. Only a superuser may ask for that.
    pub(crate) fn rectify_explaining(ledger: &Ledger, slow: f64) -> Outcome<Self> {
        let settings = [
            "session_preload_libraries=auto_explain".to_owned(),
            format!("auto_explain.log_min_duration={slow:.0}"),
            "auto_explain.log_analyze=on".to_owned(),
            "auto_explain.log_buffers=on".to_owned(),
            "client_min_messages=log".to_owned(),
        ];
        let mut command = ledger.rectify();
        let mut url = ledger.url.clone();
        url.query_pairs_mut().append_pair("options", &settings.map(|setting| format!("-c {setting}")).join(" "));
        command.env("RECTIFY_DATABASE_URL", url.as_str());
        command.env("RECTIFY_LOG", "warn,sqlx::postgres::notice=trace");
        Self::served(command)
    }

    /// Starts the limit.
    pub(crate) fn limit(ledger: &Ledger) -> Outcome<Self> {
        Self::own(Subject::Limit, "--serve-limit", ledger)
    }

    /// Starts the limit once more, for who has signed in to `other`.
    pub(crate) fn limit_signed_in(ledger: &Ledger, other: &Self) -> Outcome<Self> {
        let mut server = Self::own(Subject::SignedLimit, "--serve-signed-limit", ledger)?;
        server.secret.clone_from(&other.secret);
        Ok(server)
    }

    /// Starts the server in front of `pg_graphql`, with the extension in the database.
    pub(crate) fn pg_graphql(ledger: &Ledger) -> Outcome<Self> {
        let installed = ledger.rows::<i32>("SELECT 1 FROM pg_available_extensions WHERE name = 'pg_graphql'")?;
        if installed.is_empty() {
            return Err("the extension is not installed on this PostgreSQL server".into());
        }
        ledger.execute(include_str!("pg_graphql/bench.sql"))?;
        Self::own(Subject::PgGraphql, "--serve-pg-graphql", ledger)
    }

    /// Starts a server that is part of the benchmark's own binary.
    fn own(subject: Subject, option: &str, ledger: &Ledger) -> Outcome<Self> {
        let address = free_address()?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args([option, &address.to_string(), ledger.url.as_str()]);
        Self::start(subject, address, None, command)
    }

    /// Starts PostGraphile; installs it with npm into the folder of its package.json if necessary.
    pub(crate) fn postgraphile(ledger: &Ledger) -> Outcome<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/read_side/postgraphile");
        if !folder.join("node_modules/postgraphile").exists() {
            eprintln!("== installing PostGraphile");
            let install = Command::new("npm").arg("install").current_dir(&folder).stdout(Stdio::null()).status();
            if !install.map_err(|error| format!("npm: {error}"))?.success() {
                return Err("npm install failed".into());
            }
        }
        let address = free_address()?;
        let node = folder.join("node_modules/.bin/node");
        let mut command = Command::new(if node.exists() { node.as_path() } else { Path::new("node") });
        command.arg("server.mjs").current_dir(&folder);
        command.env("NODE_ENV", "production").env("LISTEN_PORT", address.port().to_string());
        command.env("DATABASE_URL", ledger.url.as_str());
        Self::start(Subject::PostGraphile, address, None, command)
    }

    fn start(
        subject: Subject,
        address: SocketAddr,
        metrics: Option<SocketAddr>,
        mut command: Command,
    ) -> Outcome<Self> {
        let log = log_of(subject);
        let output = File::create(&log)?;
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let process = command.spawn().map_err(|error| format!("{}: {error}", subject.name()))?;
        let mut server = Self { subject, address, cursors: Vec::new(), metrics, secret: None, process };
        let begun = Instant::now();
        while TcpStream::connect(address).is_err() {
            if server.process.try_wait()?.is_some() || begun.elapsed() > PATIENCE {
                return Err(format!("{} did not start, see {}", subject.name(), log.display()).into());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(server)
    }

    /// Returns what the server logs while a step is carried out.
    pub(crate) fn logged(&self, step: impl FnOnce() -> Outcome<()>) -> Outcome<String> {
        let log = log_of(self.subject);
        let before = std::fs::read(&log)?.len();
        step()?;
        let now = std::fs::read(&log)?;
        Ok(String::from_utf8_lossy(now.get(before..).unwrap_or_default()).into_owned())
    }

    /// Returns the processor time used so far.
    pub(crate) fn spent(&self) -> Outcome<Duration> {
        cpu::of_process(self.process.id())
    }

    /// Returns its resident memory in MB: current and peak.
    pub(crate) fn memory(&self) -> Outcome<(f64, f64)> {
        cpu::memory(self.process.id())
    }

    /// Sends a request on a new connection and returns the parsed answer.
    pub(crate) fn ask(&self, request: &[u8]) -> Outcome<Value> {
        Ok(serde_json::from_slice(Wire::open(self.address)?.ask(request)?)?)
    }

    /// Returns the number of statements sent so far: by its own metrics, else by the database's count.
    pub(crate) fn statements(&self, ledger: &Ledger) -> Outcome<Option<i64>> {
        let Some(metrics) = self.metrics else { return ledger.statements() };
        let request = format!("GET /metrics HTTP/1.1\r\nhost: {metrics}\r\n\r\n");
        let mut wire = Wire::open(metrics)?;
        let figures = String::from_utf8_lossy(wire.ask(request.as_bytes())?);
        let count = figures.lines().find_map(|line| line.strip_prefix("rectify_sql_statements_total "));
        Ok(count.and_then(|count| count.parse().ok()))
    }

    /// Sets the cursors of the deep pages. `places` are the sort keys of the rows, in hexadecimal JSON, which the limit
    /// takes as they are. The program adds the mark of the list to its own cursors; the peers have others.
    pub(crate) fn learn(&mut self, places: &[String]) -> Outcome<()> {
        let document = match self.subject {
            Subject::PostGraphile => include_str!("postgraphile/cursors.graphql"),
            Subject::PgGraphql => include_str!("pg_graphql/cursors.graphql"),
            Subject::Rectify | Subject::SignedIn => {
                let body = json!({"query": include_str!("deep.graphql")}).to_string();
                let answer = self.ask(&request_with(self.address, "/graphql", &body, &self.bearer()))?;
                let end = answer.pointer("/data/measures/pageInfo/endCursor").and_then(Value::as_str);
                let mark = parts(end.ok_or("no cursor")?)?.pop().ok_or("a cursor without a mark")?;
                let marked = places.iter().map(|place| {
                    let mut parts = parts(place)?;
                    parts.push(mark.clone());
                    Ok(hex::encode(serde_json::to_vec(&parts)?))
                });
                self.cursors = marked.collect::<Outcome<_>>()?;
                return Ok(());
            }
            Subject::Limit | Subject::SignedLimit => {
                self.cursors = places.to_vec();
                return Ok(());
            }
        };
        let variables = json!({"offset": DEPTH - 1, "first": DEEP_PAGES * DEEP_PAGE});
        let body = json!({"query": document, "variables": variables});
        let answer = self.ask(&request(self.address, "/graphql", &body.to_string()))?;
        let edges = answer.pointer("/data/allMeasures/edges").and_then(Value::as_array).ok_or("no cursors")?;
        let cursors = edges.iter().step_by(DEEP_PAGE as usize).filter_map(|edge| edge["cursor"].as_str());
        self.cursors = cursors.map(str::to_owned).collect();
        Ok(())
    }
}

/// Returns the file into which a server logs.
fn log_of(subject: Subject) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("read_side_{}.log", subject.name()))
}

/// Decodes the parts of a cursor of the program.
fn parts(cursor: &str) -> Outcome<Vec<Value>> {
    Ok(serde_json::from_slice(&hex::decode(cursor)?)?)
}

impl Drop for Server {
    fn drop(&mut self) {
        // Errors are ignored, because it may have exited already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Returns an unused loopback address.
fn free_address() -> Outcome<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
