//! Measures how long a reminder takes to queue the digests of a nation, compared with the bare statements that write
//! the same rows, and how much memory it takes, also on the day after.

use std::time::{Duration, Instant};

use crate::Outcome;
use crate::outbox::Outbox;

/// How many overdue measures each unit answers.
const EACH: usize = 33;
/// How much longer than the bare statements it may take.
const MAX_RATIO: f64 = 1.5;
/// The most resident memory, in MB.
const MEMORY: u64 = 256;

/// Queues the digests of so many units and prints what it took. Fails if that is too long or too much.
pub(crate) fn run(outbox: &Outbox, units: usize) -> Outcome<()> {
    let day = outbox.crowd(units, EACH)?;
    println!("{units} digests, {} items", units * EACH);
    let began = Instant::now();
    outbox.queue_bare(day)?;
    let bare = began.elapsed();
    outbox.clear()?;
    let (own, memory) = outbox.queue(day)?;
    let after = day.succ_opt().ok_or("no next day")?;
    let (next, memory_after) = outbox.queue(after)?;
    println!("| what | seconds | MB |\n| --- | --- | --- |");
    let row = |what: &str, took: Duration, memory: u64| println!("| {what} | {:.1} | {memory} |", took.as_secs_f64());
    println!("| bare statements | {:.1} | |", bare.as_secs_f64());
    row("rectify job run overdue", own, memory);
    row("the same on the day after", next, memory_after);
    let ratio = own.as_secs_f64() / bare.as_secs_f64();
    println!("queueing takes {ratio:.2} times as long as the bare statements");
    if ratio > MAX_RATIO || memory.max(memory_after) > MEMORY {
        return Err(format!("that is more than {MAX_RATIO} times, or than {MEMORY} MB").into());
    }
    Ok(())
}
