//! Benchmark of the mails: how fast waiting mails leave, compared with a bare loop over lettre with as many connections
//! to the same server (`bare`), how long a notice takes while digests wait, and how long a reminder takes to queue the
//! digests of a nation (`queue`).
//!
//! ```sh
//! RECTIFY_BENCH_POSTGRES=postgres://postgres@127.0.0.1:5432 cargo bench --bench mail
//! ```
//!
//! creates the database `rectify_bench_mail` on that server (without the variable, an SQLite file) with the demo ledger
//! and fills its outbox with copies of one digest. The mail server (`sink`) writes each message to the disk before it
//! accepts it, as a mail server has to. `RECTIFY_BENCH_BINARY` names another build of Rectify to measure.
//!
//! With `--chaos KILLS`, it kills schedulers instead and counts what arrives (`chaos`). A killed scheduler may have had
//! a message without an answer on each of its connections, and each of these may arrive twice.

mod bare;
mod chaos;
mod outbox;
mod queue;
mod sink;

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use outbox::Outbox;
use sink::{Manners, Sink};

/// The path of the measured program.
const BINARY: &str = env!("CARGO_BIN_EXE_rectify");

/// How many mails smaller counts are repeated to.
const SMALL: usize = 1_000;

/// The result of a step.
type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Measures the delivery of mail, compared with a bare loop over lettre.
#[derive(Parser)]
struct Arguments {
    /// PostgreSQL server on which the database `rectify_bench_mail` is created; SQLite without it.
    #[arg(long, value_name = "URL", env = "RECTIFY_BENCH_POSTGRES", hide_env_values = true)]
    server: Option<String>,
    /// How many mails wait, one measurement each.
    #[arg(long, value_delimiter = ',', default_values_t = [100, 6_000])]
    counts: Vec<usize>,
    /// How many connections are used at the same time.
    #[arg(long, default_value_t = 4)]
    connections: usize,
    /// How many milliseconds the mail server takes for a message besides writing it. By default about as long as a
    /// server that queues messages and syncs its disk; 0 measures the processor time alone, of which a digest takes
    /// more than a finished message.
    #[arg(long, default_value_t = 4)]
    server_ms: u64,
    /// How many digests wait when a notice is queued.
    #[arg(long, default_value_t = 6_000)]
    behind: usize,
    /// Kills schedulers so many times instead, while they deliver `--chaos-mails` to servers that misbehave. Needs
    /// `--server`.
    #[arg(long, value_name = "KILLS", requires = "server")]
    chaos: Option<usize>,
    /// How many mails wait while schedulers are killed.
    #[arg(long, default_value_t = 20_000)]
    chaos_mails: usize,
    /// How many digests are queued in the measurement of a reminder; 0 leaves it out.
    #[arg(long, default_value_t = 40_000)]
    queued: usize,
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
    let program = std::env::var("RECTIFY_BENCH_BINARY").unwrap_or_else(|_| BINARY.to_owned());
    let manners = Manners { pause: Duration::from_millis(arguments.server_ms), is_harsh: false };
    let sink = Sink::start(manners)?;
    let outbox = Outbox::create(&program, arguments.server.as_deref(), &sink, arguments.connections)?;
    println!(
        "{} cores, {}, {} connections",
        std::thread::available_parallelism()?,
        if arguments.server.is_some() { "PostgreSQL" } else { "SQLite" },
        arguments.connections
    );
    if let Some(kills) = arguments.chaos {
        return chaos::run(&outbox, (arguments.chaos_mails, arguments.connections), kills);
    }
    println!("| waiting | lettre, mails/s | Rectify, mails/s | ratio |\n| --- | --- | --- | --- |");
    for &count in &arguments.counts {
        // Few mails take so short a time that one run of them says little.
        let rounds = (SMALL / count.max(1)).max(1);
        let (mut own, mut bare) = (0.0, 0.0);
        for _ in 0..rounds {
            outbox.fill(count)?;
            sink.expect(count);
            outbox.deliver()?;
            own += sink.rate()?.recip();
            sink.expect(count);
            bare::send(&sink, count, arguments.connections)?;
            bare += sink.rate()?.recip();
        }
        let (own, bare) = (f64::from(rounds as u32) / own, f64::from(rounds as u32) / bare);
        println!("| {count} | {bare:.0} | {own:.0} | {:.0} % |", 100.0 * own / bare);
    }
    for behind in [0, arguments.behind] {
        let took = outbox.notice(behind, &sink)?;
        println!("a notice behind {behind} digests: {:.2} s from the act to the server's answer", took.as_secs_f64());
    }
    if arguments.queued > 0 { queue::run(&outbox, arguments.queued) } else { Ok(()) }
}
