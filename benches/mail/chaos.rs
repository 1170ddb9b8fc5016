//! Kills schedulers while they deliver to mail servers that misbehave, and counts what arrives.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::outbox::Outbox;
use crate::sink::{Manners, Sink};

/// How many schedulers deliver at the same time, each to a server of its own, so that a kill can be aimed.
const SCHEDULERS: usize = 3;
/// How long the servers take for a message.
const PAUSE: Duration = Duration::from_millis(30);
/// How long an aimed kill waits for a message whose sender has no answer yet.
const AIM: Duration = Duration::from_millis(500);
/// How long the backlog may take at most.
const PATIENCE: Duration = Duration::from_hours(1);
/// How much longer the backlog may take with kills than without.
const MAX_RATIO: f64 = 1.5;

/// How a backlog arrived.
struct Drained {
    took: Duration,
    /// How many mails arrived nowhere.
    lost: usize,
    /// How many copies arrived after the first.
    extra: usize,
    /// How often a server hung up on a message that it had taken.
    hung_up: usize,
    /// How many kills hit a scheduler that waited for an answer.
    hit: usize,
}

/// Drains a backlog without kills and with them, prints both, and fails if mails were lost, arrived more often than
/// kills and servers explain, or took too long.
pub(crate) fn run(outbox: &Outbox, (count, connections): (usize, usize), kills: usize) -> Outcome<()> {
    let manners = Manners { pause: PAUSE, is_harsh: true };
    let sinks: Vec<Sink> = (0..SCHEDULERS).map(|_| Sink::start(manners)).collect::<Outcome<_>>()?;
    println!("| kills | while sending | seconds | lost | extra copies | hang-ups after DATA |");
    println!("| --- | --- | --- | --- | --- | --- |");
    let calm = drain(outbox, &sinks, count, 0, Duration::ZERO)?;
    print(0, &calm);
    let between = calm.took / u32::try_from(kills.max(1))?;
    let chaos = drain(outbox, &sinks, count, kills, between)?;
    print(kills, &chaos);
    let ratio = chaos.took.as_secs_f64() / calm.took.as_secs_f64();
    println!("with kills, the backlog of {count} takes {ratio:.2} times as long");
    for (drained, kills) in [(&calm, 0), (&chaos, kills)] {
        // A scheduler that is killed may have had a message without an answer on each of its connections.
        if drained.lost > 0 || drained.extra > kills * connections + drained.hung_up {
            return Err("mails were lost, or arrived more often than kills and servers explain".into());
        }
    }
    if ratio > MAX_RATIO { Err(format!("that is more than {MAX_RATIO} times").into()) } else { Ok(()) }
}

fn print(kills: usize, drained: &Drained) {
    let Drained { took, lost, extra, hung_up, hit } = drained;
    println!("| {kills} | {hit} | {:.0} | {lost} | {extra} | {hung_up} |", took.as_secs_f64());
}

/// Fills the outbox, and lets the schedulers drain it. Every second kill is aimed at one that waits for an answer.
fn drain(outbox: &Outbox, sinks: &[Sink], count: usize, kills: usize, between: Duration) -> Outcome<Drained> {
    outbox.fill(count)?;
    for sink in sinks {
        sink.expect(count);
    }
    let began = Instant::now();
    let mut schedulers = sinks.iter().map(|sink| outbox.scheduler(sink)).collect::<Outcome<Vec<_>>>()?;
    let mut hit = 0;
    for kill in 0..kills {
        std::thread::sleep(between);
        let place = fastrand::usize(..schedulers.len());
        let aimed_at = Instant::now();
        while kill % 2 == 0 && !sinks[place].is_waited_for() && aimed_at.elapsed() < AIM {
            std::thread::sleep(Duration::from_micros(200));
        }
        hit += usize::from(sinks[place].is_waited_for());
        // Dropping the process kills it.
        drop(schedulers.swap_remove(place));
        schedulers.push(outbox.scheduler(&sinks[place])?);
        let last = schedulers.len() - 1;
        schedulers.swap(place, last);
    }
    let given_up = loop {
        let (waiting, given_up) = outbox.left()?;
        if waiting == 0 {
            break given_up;
        }
        if began.elapsed() > PATIENCE {
            return Err(format!("{waiting} mails still wait").into());
        }
        std::thread::sleep(Duration::from_millis(200));
    };
    let took = began.elapsed();
    if given_up > 0 {
        return Err(format!("{given_up} mails were given up").into());
    }
    let mut accepted: HashMap<String, usize> = HashMap::new();
    let mut hung_up = 0;
    for sink in sinks {
        let (of_sink, hang_ups) = sink.accepted();
        for (recipient, times) in of_sink {
            *accepted.entry(recipient).or_default() += times;
        }
        hung_up += hang_ups;
    }
    let extra = accepted.values().map(|times| times - 1).sum();
    Ok(Drained { took, lost: count.saturating_sub(accepted.len()), extra, hung_up, hit })
}
