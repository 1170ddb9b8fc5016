//! The growth report: which typical requests cost more on a nation's ledger than on a city's, for every role. What is
//! slow on the nation's is asked once more with the plan of its statement.

mod cases;

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use serde_json::{Value, json};

use crate::Outcome;
use crate::ledger::{Ledger, Scale};
use crate::load::{Wire, request, request_as};
use crate::servers::Server;
use cases::{Case, SCHEMA, Samples, Schema};

/// The milliseconds from which a request counts as slow.
const SLOW: f64 = 20.0;
/// How often each request is measured; the best time counts.
const TIMES: usize = 2;

/// A role, and the secret of a session of one of its accounts; none for the local administrator.
type Caller = (String, Option<String>);

/// A slow case: milliseconds on the nation's and on the city's ledger.
struct Slow<'c> {
    case: &'c Case,
    nation: f64,
    county: f64,
}

/// Measures all cases on both ledgers, and prints those that are slow, by role. Writes the plans of their statements
/// into a file.
pub(crate) fn report(server: &str) -> Outcome<()> {
    let (county, nation) = (Ledger::on_server(server, Scale::County)?, Ledger::on_server(server, Scale::National)?);
    for ledger in [&county, &nation] {
        ledger.execute("VACUUM ANALYZE")?;
    }
    println!("# Milliseconds on the national ledger (county ledger in brackets), best of {TIMES}");
    let small = measured(&county)?;
    let large = Measured::begin(&nation)?;
    let cases = large.cases(&nation)?;
    let plans = Path::new(env!("CARGO_TARGET_TMPDIR")).join("growth.plans");
    let mut slow_of_roles = Vec::new();
    let callers = large.callers.clone();
    for (role, secret) in &callers {
        let of_county = small.iter().find(|(known, _)| known == role).map(|(_, times)| times.as_slice());
        let mut slow: Vec<Slow<'_>> = Vec::new();
        for (index, case) in cases.iter().enumerate() {
            let nation = large.time(case, secret.as_deref())?;
            let county = of_county.and_then(|times| times.get(index)).copied().unwrap_or(f64::NAN);
            if nation >= SLOW {
                slow.push(Slow { case, nation, county });
            }
        }
        slow.sort_by(|one, other| other.nation.total_cmp(&one.nation));
        let very = slow.iter().filter(|slow| slow.nation >= 5.0 * SLOW).count();
        let (count, all) = (slow.len(), cases.len());
        println!("\n## {role}: {count} of {all} take {SLOW} ms or more, {very} of them {} ms", 5.0 * SLOW);
        for Slow { case, nation, county } in &slow {
            println!("- {nation:.0} ({county:.0}) {}", case.title);
        }
        slow_of_roles.push((role, secret, slow));
    }
    drop(large);
    let explaining = Server::rectify_explaining(&nation, SLOW)?;
    let mut written = File::create(&plans)?;
    for (role, secret, slow) in slow_of_roles {
        for Slow { case, .. } in slow {
            let plan = explaining.logged(|| ask(&explaining, case, secret.as_deref()))?;
            writeln!(written, "# {role}: {}\n{plan}", case.title)?;
        }
    }
    println!("Plans: {}", plans.display());
    Ok(())
}

/// Returns the milliseconds of each case for each role on a ledger.
fn measured(ledger: &Ledger) -> Outcome<Vec<(String, Vec<f64>)>> {
    let measured = Measured::begin(ledger)?;
    let cases = measured.cases(ledger)?;
    let times = measured.callers.iter().map(|(role, secret)| {
        let times = cases.iter().map(|case| measured.time(case, secret.as_deref()));
        Ok((role.clone(), times.collect::<Outcome<_>>()?))
    });
    times.collect()
}

/// A server on a ledger, with a caller of every role.
struct Measured {
    server: Server,
    schema: Value,
    callers: Vec<Caller>,
}

impl Measured {
    fn begin(ledger: &Ledger) -> Outcome<Self> {
        let server = Server::rectify(ledger)?;
        let schema = asked(&server, &json!({ "query": SCHEMA }))?;
        let accounts = asked(&server, &json!({"query": "{ demoAccounts { accountId role } }"}))?;
        let accounts = accounts.pointer("/data/demoAccounts").and_then(Value::as_array).ok_or("no demo accounts")?;
        let mut callers: Vec<Caller> = vec![("local administrator".to_owned(), None)];
        for account in accounts {
            let role = account["role"].as_str().unwrap_or_default();
            if callers.iter().any(|(known, _)| known == role) {
                continue;
            }
            let secret = server.enter(account["accountId"].as_str().unwrap_or_default())?;
            callers.push((role.to_owned(), Some(secret)));
        }
        Ok(Self { server, schema, callers })
    }

    fn cases(&self, ledger: &Ledger) -> Outcome<Vec<Case>> {
        const DAY: &str = "((now() AT TIME ZONE 'Asia/Shanghai')::date";
        let first =
            |level: &str| ledger.value(&format!("SELECT 'region_' || min(id) FROM region WHERE level IN ({level})"));
        let samples = Samples {
            days: [ledger.value(&format!("SELECT {DAY})::text"))?, ledger.value(&format!("SELECT {DAY} - 30)::text"))?],
            regions: [first("'NATION', 'PROVINCE'")?, first("'PROVINCE', 'PREFECTURE'")?],
            round: ledger.value("SELECT 'round_' || min(id) FROM inspection_round")?,
        };
        Ok(Schema::read(&self.schema)?.cases(&samples))
    }

    /// Returns the milliseconds of a case, the best of some tries.
    fn time(&self, case: &Case, secret: Option<&str>) -> Outcome<f64> {
        let mut best = f64::INFINITY;
        for _ in 0..TIMES {
            let begun = Instant::now();
            ask(&self.server, case, secret)?;
            best = best.min(begun.elapsed().as_secs_f64() * 1e3);
        }
        Ok(best)
    }
}

/// Asks a case. What a role may not ask is answered with an error, which costs little and counts as well.
fn ask(server: &Server, case: &Case, secret: Option<&str>) -> Outcome<()> {
    Wire::open(server.address)?.ask(&request_as(server.address, "/graphql", &case.body, secret)).map(drop)
}

fn asked(server: &Server, body: &Value) -> Outcome<Value> {
    server.ask(&request(server.address, "/graphql", &body.to_string()))
}
