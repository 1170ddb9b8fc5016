//! The measured ledger: the national demo in a database of its own, and the choice of rows to request.

use std::process::Command;

use tokio::runtime::Runtime;
use tokio_postgres::types::FromSqlOwned;
use tokio_postgres::{Client, NoTls};
use url::Url;

use crate::load::CONNECTIONS;
use crate::{BINARY, Outcome};

/// The size of a demo ledger. Its database is kept between runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scale {
    /// One city: a hundredth of the nation.
    County,
    /// The whole nation.
    National,
}

impl Scale {
    /// The name of its database.
    fn database(self) -> &'static str {
        match self {
            Self::County => "rectify_bench_county",
            Self::National => "rectify_bench",
        }
    }

    /// The value of `demo --scale`.
    fn name(self) -> &'static str {
        match self {
            Self::County => "county",
            Self::National => "national",
        }
    }
}

/// The number of rows before the first deep page.
pub(crate) const DEPTH: i64 = 100_000;
/// The number of rows of a deep page.
pub(crate) const DEEP_PAGE: i64 = 50;
/// The number of different deep pages that are requested.
pub(crate) const DEEP_PAGES: i64 = 100;
/// The number of assignments that each connection reports on.
const ASSIGNMENTS: usize = 50;

/// A connection to the ledger.
pub(crate) struct Ledger {
    /// The URL of the database.
    pub(crate) url: Url,
    runtime: Runtime,
    client: Client,
}

/// Keys of assignments with their versions.
pub(crate) type Assignments = Vec<(i64, i32)>;

/// The rows to request. The choice is deterministic for a ledger.
pub(crate) struct Picks {
    /// Today in the ledger's time zone, `YYYY-MM-DD`.
    pub(crate) today: String,
    /// Today and the 29 days before it.
    pub(crate) days: Vec<String>,
    /// Keys of provinces and prefectures with more than 20 problems.
    pub(crate) regions: Vec<i64>,
    /// Keys of provinces with more than 20 problems.
    pub(crate) provinces: Vec<i64>,
    /// Keys of measures.
    pub(crate) measures: Vec<i64>,
    /// Sort keys of rows deep in the list of all measures, in hexadecimal JSON.
    pub(crate) cursors: Vec<String>,
}

impl Ledger {
    /// Opens the benchmark's database of a size on a server; creates and fills it if necessary.
    pub(crate) fn on_server(server: &str, scale: Scale) -> Outcome<Self> {
        let name = scale.database();
        let mut url = Url::parse(server)?;
        url.set_path("postgres");
        let it = Self::open(url.clone())?;
        let there = it.rows::<i32>(&format!("SELECT 1 FROM pg_database WHERE datname = '{name}'"))?;
        if there.is_empty() {
            it.execute(&format!("CREATE DATABASE {name}"))?;
        }
        url.set_path(name);
        let ledger = Self::open(url)?;
        let table = ledger.rows::<bool>("SELECT to_regclass('measure') IS NOT NULL")?;
        let empty = table != [true] || ledger.rows::<i64>("SELECT id FROM measure LIMIT 1")?.is_empty();
        if empty {
            eprintln!("== filling {name} with a demo ledger, once; that of the nation takes some minutes");
            let demo = ledger.rectify().args(["demo", "--scale", scale.name()]).status()?;
            if !demo.success() {
                return Err("the demo ledger could not be created".into());
            }
        }
        Ok(ledger)
    }

    /// Opens an existing ledger.
    pub(crate) fn open(url: Url) -> Outcome<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let (client, connection) = runtime.block_on(tokio_postgres::connect(url.as_str(), NoTls))?;
        runtime.spawn(connection);
        Ok(Self { url, runtime, client })
    }

    /// Returns a command that runs Rectify on this ledger.
    pub(crate) fn rectify(&self) -> Command {
        let binary = std::env::var("RECTIFY_BENCH_BINARY").unwrap_or_else(|_| BINARY.to_owned());
        let mut command = Command::new(binary);
        command.env("RECTIFY_DATABASE_URL", self.url.as_str()).env("RECTIFY_LOG", "warn");
        command
    }

    /// Executes statements.
    pub(crate) fn execute(&self, sql: &str) -> Outcome<()> {
        let executed = self.runtime.block_on(self.client.batch_execute(sql));
        // The error of the library itself does not say what the database said.
        Ok(executed.map_err(|error| error.as_db_error().map_or_else(|| error.to_string(), ToString::to_string))?)
    }

    /// Returns the first column of a query's rows.
    pub(crate) fn rows<T: FromSqlOwned>(&self, sql: &str) -> Outcome<Vec<T>> {
        let rows = self.runtime.block_on(self.client.query(sql, &[]))?;
        Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
    }

    /// Returns the first column of a query's last row.
    pub(crate) fn value<T: FromSqlOwned>(&self, sql: &str) -> Outcome<T> {
        self.rows(sql)?.pop().ok_or_else(|| format!("no rows: {sql}").into())
    }

    /// Returns the number of statements sent to this database so far, if `pg_stat_statements` is installed.
    pub(crate) fn statements(&self) -> Outcome<Option<i64>> {
        if self.rows::<i32>("SELECT 1 FROM pg_extension WHERE extname = 'pg_stat_statements'")?.is_empty() {
            return Ok(None);
        }
        let count = "SELECT sum(calls)::bigint FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid \
                     WHERE d.datname = current_database()";
        self.value(count).map(Some)
    }

    /// Describes PostgreSQL and the size of the ledger.
    pub(crate) fn described(&self) -> Outcome<String> {
        self.value(
            "SELECT format('PostgreSQL %s (fsync %s), %s regions, %s units, %s problems, %s measures, %s assignments', \
             split_part(current_setting('server_version'), ' ', 1), current_setting('fsync'), \
             (SELECT count(*) FROM region), (SELECT count(*) FROM unit), \
             (SELECT count(*) FROM problem), (SELECT count(*) FROM measure), (SELECT count(*) FROM assignment))",
        )
    }

    /// Chooses the rows to request.
    pub(crate) fn pick(&self) -> Outcome<Picks> {
        const TODAY: &str = "(now() AT TIME ZONE 'Asia/Shanghai')::date";
        let listed = |levels: &str| {
            self.rows::<i64>(&format!(
                "SELECT id FROM region JOIN region_tally ON region_id = id AND noun = 'PROBLEM' AND amount > 20 \
                 WHERE level IN ({levels}) ORDER BY md5(id::text) LIMIT 200"
            ))
        };
        let picks = Picks {
            today: self.value(&format!("SELECT {TODAY}::text"))?,
            days: self.rows(&format!("SELECT ({TODAY} - n)::text FROM generate_series(0, 29) n"))?,
            regions: listed("'PROVINCE', 'PREFECTURE'")?,
            provinces: listed("'PROVINCE'")?,
            measures: self.rows("SELECT id FROM measure ORDER BY md5(id::text) LIMIT 500")?,
            cursors: self.rows(&format!(
                "SELECT encode(convert_to(json_build_array(due_order, id)::text, 'UTF8'), 'hex') FROM (\
                 SELECT due_order, id, row_number() OVER (ORDER BY due_order, id) AS place FROM measure) m \
                 WHERE place >= {DEPTH} AND place % {DEEP_PAGE} = 0 ORDER BY place LIMIT {DEEP_PAGES}"
            ))?,
        };
        let enough = picks.cursors.len() as i64 == DEEP_PAGES;
        if enough {
            Ok(picks)
        } else {
            Err("the ledger is too small: the national demo, or a larger ledger, is needed".into())
        }
    }

    /// Returns disjoint sets of assignments to report on, one for each connection, all of different problems.
    pub(crate) fn assignments(&self) -> Outcome<Vec<Assignments>> {
        let all = self.assignments_by(&format!(
            "SELECT id, version FROM (SELECT DISTINCT ON (m.problem_id) a.id, a.version \
             FROM assignment a JOIN measure m ON m.id = a.measure_id WHERE a.status = 'IN_PROGRESS' \
             ORDER BY m.problem_id, a.id) a ORDER BY md5(id::text) LIMIT {}",
            ASSIGNMENTS * CONNECTIONS
        ))?;
        Ok(all.chunks(all.len().div_ceil(CONNECTIONS).max(1)).map(<[_]>::to_vec).collect())
    }

    /// Returns the assignments in progress of five measures that have several of them.
    pub(crate) fn assignments_together(&self) -> Outcome<Assignments> {
        self.assignments_by(
            "SELECT id, version FROM assignment WHERE status = 'IN_PROGRESS' AND measure_id IN (\
             SELECT measure_id FROM assignment WHERE status = 'IN_PROGRESS' GROUP BY measure_id HAVING count(*) > 1 \
             ORDER BY md5(measure_id::text) LIMIT 5) ORDER BY measure_id, id",
        )
    }

    fn assignments_by(&self, sql: &str) -> Outcome<Assignments> {
        let rows = self.runtime.block_on(self.client.query(sql, &[]))?;
        Ok(rows
            .iter()
            .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
            .collect::<Result<_, tokio_postgres::Error>>()?)
    }
}
