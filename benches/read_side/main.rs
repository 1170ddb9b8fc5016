//! Benchmark of the read side: what a request costs Rectify, compared with the limit (hand-written statements,
//! `limit.rs`) and with two peers over the same tables (`postgraphile`, `pg_graphql`), in one run on one machine.
//!
//! ```sh
//! RECTIFY_BENCH_POSTGRES=postgres://postgres@127.0.0.1:5432/ cargo bench --bench read_side
//! ```
//!
//! creates the database `rectify_bench` on that server, fills it with the national demo ledger if it is empty, checks
//! that all give the same answers, and puts load on them in turn. The limit and Rectify are measured twice: asked by
//! nobody, and by an office that has signed in and takes compressed answers. PostgreSQL must run on this machine,
//! because its processor time is measured. PostGraphile is left out without npm, `pg_graphql` where PostgreSQL does not
//! have the extension. `--write docs/performance.md` writes the tables into that file. `RECTIFY_BENCH_BINARY` names
//! another build of Rectify to measure.
//!
//! `--growth` reports instead which typical requests grow with the ledger (`growth`).

mod agree;
mod cpu;
mod growth;
mod ledger;
mod limit;
mod load;
mod operations;
mod pg_graphql;
mod pool;
mod servers;
mod subject;
mod table;

use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use clap::Parser;
use url::Url;

use cpu::Database;
use ledger::{Assignments, Ledger, Picks, Scale};
use load::{CONNECTIONS, Caller};
use operations::{Operation, Reader, Reporter};
use servers::Server;
use subject::Subject;
use table::Samples;

/// The allocator that Rectify uses, so that the limit is not slower by its allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The path of the measured program.
const BINARY: &str = env!("CARGO_BIN_EXE_rectify");

/// The result of a step.
type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Measures the read side of Rectify, compared with hand-written statements (the limit), PostGraphile and `pg_graphql`.
#[derive(Parser)]
struct Arguments {
    /// Existing ledger to measure. The benchmark submits reports to it, and leaves functions of the peers there.
    #[arg(long, value_name = "URL")]
    database: Option<Url>,
    /// PostgreSQL server on this machine, on which the database `rectify_bench` is created.
    #[arg(long, value_name = "URL", env = "RECTIFY_BENCH_POSTGRES", hide_env_values = true)]
    server: Option<String>,
    /// How many times each operation is measured.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Duration of each measurement, in seconds.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Measure only this operation: board, point, statistics, deep or report.
    #[arg(long, value_name = "OPERATION", conflicts_with = "write")]
    only: Option<Operation>,
    /// File to write the tables into, between `<!-- bench:begin -->` and `<!-- bench:end -->`.
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
    /// Prints which typical requests cost more on the national ledger than on that of a city, instead of comparing.
    #[arg(long, requires = "server", conflicts_with_all = ["database", "only", "write"])]
    growth: bool,
    /// Runs the limit's server instead; used by the benchmark itself.
    #[arg(long, hide = true, num_args = 2, value_names = ["ADDRESS", "DATABASE"])]
    serve_limit: Option<Vec<String>>,
    /// Runs the limit's server that checks sessions and compresses instead; used by the benchmark itself.
    #[arg(long, hide = true, num_args = 2, value_names = ["ADDRESS", "DATABASE"])]
    serve_signed_limit: Option<Vec<String>>,
    /// Runs the server in front of `pg_graphql` instead; used by the benchmark itself.
    #[arg(long, hide = true, num_args = 2, value_names = ["ADDRESS", "DATABASE"])]
    serve_pg_graphql: Option<Vec<String>>,
    /// Passed by `cargo bench`; ignored.
    #[arg(long, hide = true)]
    bench: bool,
}

impl Arguments {
    fn operations(&self) -> Vec<Operation> {
        self.only.map_or_else(|| Operation::ALL.to_vec(), |only| vec![only])
    }
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
    if let Some([address, database]) = arguments.serve_limit.as_deref() {
        return limit::serve(address.parse::<SocketAddr>()?, database, false);
    }
    if let Some([address, database]) = arguments.serve_signed_limit.as_deref() {
        return limit::serve(address.parse::<SocketAddr>()?, database, true);
    }
    if let Some([address, database]) = arguments.serve_pg_graphql.as_deref() {
        return pg_graphql::serve(address.parse::<SocketAddr>()?, database);
    }
    if let (true, Some(server)) = (arguments.growth, &arguments.server) {
        return growth::report(server);
    }
    let ledger = match (&arguments.database, &arguments.server) {
        (Some(database), _) => Ledger::open(database.clone())?,
        (None, Some(server)) => Ledger::on_server(server, Scale::National)?,
        (None, None) => return Err("no PostgreSQL server: set RECTIFY_BENCH_POSTGRES=postgres://…".into()),
    };
    // Rectify is started first, because it migrates the database.
    let mut servers = vec![Server::rectify(&ledger)?, Server::rectify_signed_in(&ledger)?];
    // The reports of the others, in an earlier run, have left the kept figures as they were.
    let mended = ledger.rectify().args(["statistics", "check", "--mend"]).stdout(Stdio::null()).status()?;
    if !mended.success() {
        return Err("the figures could not be recounted".into());
    }
    let signed_limit = Server::limit_signed_in(&ledger, &servers[1])?;
    servers.splice(0..0, [Server::limit(&ledger)?, signed_limit]);
    ledger.execute(include_str!("peers.sql"))?;
    for (name, peer) in [("PostGraphile", Server::postgraphile(&ledger)), ("pg_graphql", Server::pg_graphql(&ledger))] {
        match peer {
            Ok(server) => servers.push(server),
            Err(why) => eprintln!("== leaving {name} out: {why}"),
        }
    }
    ledger.execute("VACUUM ANALYZE")?;
    let picks = ledger.pick()?;
    eprintln!("== comparing answers");
    for server in &mut servers {
        server.learn(&picks.cursors)?;
    }
    agree::check(&ledger, &servers, &picks)?;
    let idle: Vec<f64> = servers.iter().map(|server| Ok(server.memory()?.0)).collect::<Outcome<_>>()?;
    let samples = measure(arguments, &ledger, &servers, &picks)?;
    let setting = format!(
        "{} cores, {}; {CONNECTIONS} connections in a closed loop, in turn, rounds: {} of {} s.",
        std::thread::available_parallelism()?,
        ledger.described()?,
        arguments.rounds,
        arguments.seconds,
    );
    let memory = servers
        .iter()
        .zip(idle)
        .map(|(server, idle)| Ok(format!("{} {idle:.0} and {:.0}", server.subject.name(), server.memory()?.1)));
    let memory = memory.collect::<Outcome<Vec<String>>>()?.join(", ");
    let subjects: Vec<Subject> = servers.iter().map(|server| server.subject).collect();
    let tables = format!(
        "{setting}\n\n{}\nMemory in MB, idle and at most: {memory}.\n",
        samples.tables(&subjects, &arguments.operations())
    );
    println!("{tables}");
    arguments.write.as_deref().map_or(Ok(()), |file| table::insert(file, &tables))
}

/// Measures all rounds. The order of the servers rotates from round to round; the first, shorter round only warms up.
fn measure(arguments: &Arguments, ledger: &Ledger, servers: &[Server], picks: &Picks) -> Outcome<Samples> {
    let mut assignments = ledger.assignments()?;
    let database = Database::of_backend(u32::try_from(ledger.value::<i32>("SELECT pg_backend_pid()")?)?)?;
    let full = Duration::try_from_secs_f64(arguments.seconds)?;
    let mut samples = Samples::default();
    for round in 0..=arguments.rounds {
        let time = if round == 0 { full.min(Duration::from_secs(2)) } else { full };
        eprintln!("== round {round} of {}{}", arguments.rounds, if round == 0 { ", to warm up" } else { "" });
        for operation in arguments.operations() {
            for turn in 0..servers.len() {
                let server = &servers[(turn + round) % servers.len()];
                if !server.subject.can(operation) {
                    continue;
                }
                let requests = requests(operation, server, picks);
                let statements = server.statements(ledger)?;
                let (server_before, database_before) = (server.spent()?, database.spent()?);
                let tally = load::run(server.address, callers(operation, server, &requests, &mut assignments), time)?;
                let sample = table::Sample {
                    server: server.spent()?.saturating_sub(server_before),
                    database: database.since(&database_before)?,
                    statements: server.statements(ledger)?.zip(statements).map(|(after, before)| after - before),
                    tally,
                };
                if round > 0 {
                    samples.add(operation, server.subject, sample);
                }
            }
        }
        // Removes dead rows of the reports, which would otherwise slow down whichever server comes next.
        ledger
            .execute("VACUUM ANALYZE assignment, measure, problem, progress_report, quantity, change, audit_entry")?;
    }
    Ok(samples)
}

/// Returns the serialised requests of a reading operation.
fn requests(operation: Operation, server: &Server, picks: &Picks) -> Vec<Vec<u8>> {
    let variables = operation.variables(server, picks);
    let headers = server.headers();
    variables.iter().map(|variables| operation.request(server.peer(), &headers, variables)).collect()
}

fn callers<'r>(
    operation: Operation,
    server: &Server,
    requests: &'r [Vec<u8>],
    assignments: &'r mut [Assignments],
) -> Vec<Box<dyn Caller + 'r>> {
    if operation == Operation::Report {
        let reporter = |assignments: &'r mut Assignments| -> Box<dyn Caller + 'r> {
            Box::new(Reporter::new(server.peer(), assignments))
        };
        return assignments.iter_mut().map(reporter).collect();
    }
    let reader = |part| -> Box<dyn Caller + 'r> { Box::new(Reader::new(requests, part, CONNECTIONS)) };
    (0..CONNECTIONS).map(reader).collect()
}
