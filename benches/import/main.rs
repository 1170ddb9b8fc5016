//! Benchmark of the import: how long a ledger of many rows takes, compared with a plain script that writes the same
//! rows by COPY, without reading a workbook, asking or checking anything.
//!
//! ```sh
//! RECTIFY_BENCH_POSTGRES=postgres://postgres@127.0.0.1:5432 cargo bench --bench import
//! ```
//!
//! creates the databases `rectify_bench_import` and `rectify_bench_import_copy` on that server, imports into the first,
//! and lets `psql` copy what was written into the second. `RECTIFY_BENCH_BINARY` names another build of Rectify.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use clap::Parser;
use tempfile::TempDir;

/// The path of the measured program.
const BINARY: &str = env!("CARGO_BIN_EXE_rectify");
/// The database into which the ledger is imported.
const IMPORTED: &str = "rectify_bench_import";
/// The database into which its rows are copied.
const COPIED: &str = "rectify_bench_import_copy";
/// The number of measures of each problem.
const MEASURES: usize = 4;
/// The columns of a table that are not computed.
const COLUMNS: &str = "SELECT string_agg(quote_ident(column_name), ', ' ORDER BY ordinal_position) \
    FROM information_schema.columns WHERE table_schema = 'public' AND is_generated = 'NEVER' AND table_name = ";
/// The tables, each after those that it refers to.
const TABLES: &str = "WITH RECURSIVE refers AS (\
    SELECT conrelid AS of, confrelid AS to FROM pg_constraint WHERE contype = 'f' AND conrelid <> confrelid), \
    depth AS (SELECT c.oid, 0 AS level FROM pg_class c \
    WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace \
    UNION SELECT r.of, d.level + 1 FROM depth d JOIN refers r ON r.to = d.oid WHERE d.level < 20) \
    SELECT oid::regclass::text FROM depth GROUP BY oid ORDER BY max(level), 1";

/// The result of a step.
type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Measures the import of a ledger, compared with a plain script that writes the same rows.
#[derive(Parser)]
struct Arguments {
    /// PostgreSQL server on which the databases are created.
    #[arg(long, value_name = "URL", env = "RECTIFY_BENCH_POSTGRES", hide_env_values = true)]
    server: String,
    /// How many rows the ledger has.
    #[arg(long, default_value_t = 20_000)]
    rows: usize,
    /// Passed by `cargo bench`; ignored.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Outcome<()> {
    let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR"))?;
    let url = |database: &str| format!("{}/{database}", arguments.server.trim_end_matches('/'));
    let (imported, copied) = (url(IMPORTED), url(COPIED));
    for database in [COPIED, IMPORTED] {
        ask(&url("postgres"), &format!("DROP DATABASE IF EXISTS {database} WITH (FORCE)"))?;
    }
    ask(&url("postgres"), &format!("CREATE DATABASE {IMPORTED}"))?;
    rectify(&imported, folder.path(), &["migrate"])?;
    ask(&url("postgres"), &format!("CREATE DATABASE {COPIED} TEMPLATE {IMPORTED}"))?;

    fs::write(folder.path().join("ledger.csv"), ledger(arguments.rows))?;
    let how = ["--round", "第二轮生态环境保护督察", "--region", "540329", "--accept", "--create-units"];
    let import = rectify(&imported, folder.path(), &[&["import", "ledger.csv"], how.as_slice()].concat())?;

    let script = folder.path().join("copy.sql");
    let count = write_script(&imported, &copied, folder.path(), &script)?;
    let copy = timed(psql(&copied).current_dir(folder.path()).args(["-f", "copy.sql"]))?;
    let (import, copy) = (import.as_secs_f64(), copy.as_secs_f64());
    println!("{} rows of a ledger, {count} rows of tables", arguments.rows);
    println!("import {import:.1} s, plain script {copy:.1} s: {:.2}", import / copy);
    Ok(())
}

/// Writes what one database has and the other lacks into files, and the script that copies them. Returns the number of
/// rows.
fn write_script(from: &str, to: &str, folder: &Path, script: &Path) -> Outcome<usize> {
    let (mut text, mut count) = ("BEGIN;\n".to_owned(), 0);
    // What triggers write, they write again.
    for table in ask(from, TABLES)?.lines().filter(|table| *table != "search_pending") {
        let columns = ask(from, &format!("{COLUMNS} '{}'", table.trim_matches('"')))?;
        // What the migrations entered is there already, with lower keys.
        let has_key = columns.split(", ").any(|column| column == "id");
        let is_empty = ask(to, &format!("SELECT count(*) FROM {table}"))? == "0";
        let new = match (has_key, is_empty) {
            (_, true) => String::new(),
            (true, false) => {
                let last = ask(to, &format!("SELECT max(id) FROM {table}"))?;
                // A key that is no number is that of settings, which an import leaves alone.
                if last.parse::<i64>().is_err() {
                    continue;
                }
                format!(" WHERE id > {last}")
            }
            (false, false) => continue,
        };
        let rows =
            ask(from, &format!("\\copy (SELECT {columns} FROM {table}{new}) TO '{}/{table}.rows'", folder.display()))?;
        let rows: usize = rows.trim_start_matches("COPY ").parse().unwrap_or(0);
        if rows > 0 {
            let _ = writeln!(text, "\\copy {table} ({columns}) FROM '{table}.rows'");
            count += rows;
        }
    }
    fs::write(script, text + "COMMIT;\n")?;
    Ok(count)
}

/// Returns a ledger in the layout of cities, as CSV.
fn ledger(rows: usize) -> String {
    const DEADLINES: [&str; 4] = ["2022年12月31日", "长期坚持", "立行立改", "2025年12月31日"];
    const LEADS: [&str; 3] = ["市水利局", "市林业和草原局", "市生态环境局"];
    let mut text = "生态环境保护督察反馈问题一览表,,,,,,\n某县分局 2023年4月,,,,,,\n\
                    序号,反馈问题,整改任务,整改时限,牵头单位,责任单位,整改进展\n"
        .to_owned();
    for row in 0..rows {
        let (problem, place) = (row / MEASURES + 1, row % MEASURES + 1);
        let title = if place == 1 {
            format!("（{problem}）第{problem}个问题整改不到位，群众反映强烈。")
        } else {
            String::new()
        };
        let (deadline, lead) = (DEADLINES[row % DEADLINES.len()], LEADS[problem % LEADS.len()]);
        let content = format!("{place}.落实第{problem}个问题的第{place}项措施，建立台账。");
        let _ = writeln!(text, "{},{title},{content},{deadline},{lead},{lead}、市发展改革委,已完成前期工作。", row + 1);
    }
    text
}

/// Runs Rectify on a database, and returns how long it took.
fn rectify(database: &str, folder: &Path, arguments: &[&str]) -> Outcome<Duration> {
    let binary = std::env::var("RECTIFY_BENCH_BINARY").unwrap_or_else(|_| BINARY.to_owned());
    let mut command = Command::new(binary);
    command.args(arguments).current_dir(folder);
    command.env("RECTIFY_DATABASE_URL", database).env("RECTIFY_DATA_DIR", folder).env("RECTIFY_LOG", "warn");
    timed(&mut command)
}

/// Runs a command and returns how long it took; fails with what it printed.
fn timed(command: &mut Command) -> Outcome<Duration> {
    let begun = Instant::now();
    let ran = command.output().map_err(|error| format!("{}: {error}", command.get_program().display()))?;
    let took = begun.elapsed();
    if ran.status.success() {
        return Ok(took);
    }
    let said = [ran.stdout, ran.stderr].concat();
    Err(String::from_utf8_lossy(&said).chars().take(2_000).collect::<String>().into())
}

fn psql(database: &str) -> Command {
    let mut command = Command::new("psql");
    command.args(["-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", database]);
    command
}

/// Executes a statement and returns what it answers.
fn ask(database: &str, statement: &str) -> Outcome<String> {
    let ran = psql(database).args(["-c", statement]).output().map_err(|error| format!("psql: {error}"))?;
    if !ran.status.success() {
        return Err(format!("{statement}: {}", String::from_utf8_lossy(&ran.stderr)).into());
    }
    Ok(String::from_utf8_lossy(&ran.stdout).trim().to_owned())
}
