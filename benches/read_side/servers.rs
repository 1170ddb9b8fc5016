//! The three servers, each a child process that uses the same database.

use std::fs::File;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::ledger::{DEEP_PAGE, DEEP_PAGES, DEPTH, Ledger};
use crate::load::{Wire, request};
use crate::subject::Subject;
use crate::{Outcome, cpu};
use serde_json::{Value, json};

/// How long a server may take until it accepts connections.
const PATIENCE: Duration = Duration::from_mins(1);

/// A running server, killed when it is dropped.
pub(crate) struct Server {
    /// Which of the three it is.
    pub(crate) subject: Subject,
    /// The address on which it listens.
    pub(crate) address: SocketAddr,
    /// The cursors after which its deep pages begin.
    pub(crate) cursors: Vec<String>,
    /// The address of its metrics, which count statements, if it has them.
    metrics: Option<SocketAddr>,
    process: Child,
}

impl Server {
    /// Starts Rectify with its default settings, but without a rate limit.
    pub(crate) fn rectify(ledger: &Ledger) -> Outcome<Self> {
        let (address, metrics) = (free_address()?, free_address()?);
        let mut command = ledger.rectify();
        command.args(["serve", "--role", "api", "--listen", &address.to_string()]);
        command.env("RECTIFY_METRICS_LISTEN", metrics.to_string());
        // All load comes from one address, faster than the rate limit permits.
        command.env("RECTIFY_MAX_REQUESTS_PER_MINUTE", "0");
        Self::start(Subject::Rectify, address, Some(metrics), command)
    }

    /// Starts the limit, which is part of the benchmark's own binary.
    pub(crate) fn limit(ledger: &Ledger) -> Outcome<Self> {
        let address = free_address()?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["--serve-limit", &address.to_string(), ledger.url.as_str()]);
        Self::start(Subject::Limit, address, None, command)
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
        ledger.execute(include_str!("postgraphile/bench.sql"))?;
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
        let log = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("read_side_{}.log", subject.name()));
        let output = File::create(&log)?;
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let process = command.spawn().map_err(|error| format!("{}: {error}", subject.name()))?;
        let mut server = Self { subject, address, cursors: Vec::new(), metrics, process };
        let begun = Instant::now();
        while TcpStream::connect(address).is_err() {
            if server.process.try_wait()?.is_some() || begun.elapsed() > PATIENCE {
                return Err(format!("{} did not start, see {}", subject.name(), log.display()).into());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(server)
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
    /// takes as they are. The program adds the mark of the list to its own cursors; PostGraphile has others.
    pub(crate) fn learn(&mut self, places: &[String]) -> Outcome<()> {
        match self.subject {
            Subject::PostGraphile => {}
            Subject::Rectify => {
                let body = json!({"query": include_str!("deep.graphql")}).to_string();
                let answer = self.ask(&request(self.address, "/graphql", &body))?;
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
            Subject::Limit => {
                self.cursors = places.to_vec();
                return Ok(());
            }
        }
        let variables = json!({"offset": DEPTH - 1, "first": DEEP_PAGES * DEEP_PAGE});
        let body = json!({"query": include_str!("postgraphile/cursors.graphql"), "variables": variables});
        let answer = self.ask(&request(self.address, "/graphql", &body.to_string()))?;
        let edges = answer.pointer("/data/allMeasures/edges").and_then(Value::as_array).ok_or("no cursors")?;
        let cursors = edges.iter().step_by(DEEP_PAGE as usize).filter_map(|edge| edge["cursor"].as_str());
        self.cursors = cursors.map(str::to_owned).collect();
        Ok(())
    }
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
