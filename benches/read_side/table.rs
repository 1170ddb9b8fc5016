//! Collects the samples and prints them as Markdown tables: processor time per request, ratios, latencies, throughput.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::Outcome;
use crate::load::Tally;
use crate::operations::Operation;
use crate::subject::Subject;

const BEGIN: &str = "<!-- bench:begin -->";
const END: &str = "<!-- bench:end -->";

/// The measurements of one server in one round of one operation.
pub(crate) struct Sample {
    /// Processor time of the server.
    pub(crate) server: Duration,
    /// Processor time of PostgreSQL.
    pub(crate) database: Duration,
    /// Number of SQL statements, if they are counted.
    pub(crate) statements: Option<i64>,
    /// Latencies of the answers.
    pub(crate) tally: Tally,
}

impl Sample {
    fn requests(&self) -> f64 {
        self.tally.waits.len().max(1) as f64
    }

    /// Returns the processor time per request in milliseconds: server, database.
    fn cost(&self) -> (f64, f64) {
        let per_request = |spent: Duration| spent.as_secs_f64() * 1e3 / self.requests();
        (per_request(self.server), per_request(self.database))
    }

    fn whole_cost(&self) -> f64 {
        let (server, database) = self.cost();
        server + database
    }
}

/// All samples, in the order of the rounds.
#[derive(Default)]
pub(crate) struct Samples(Vec<(Operation, Subject, Sample)>);

impl Samples {
    pub(crate) fn add(&mut self, operation: Operation, subject: Subject, sample: Sample) {
        self.0.push((operation, subject, sample));
    }

    fn of(&self, operation: Operation, subject: Subject) -> Vec<&Sample> {
        let wanted = self.0.iter().filter(|(of, by, _)| (*of, *by) == (operation, subject));
        wanted.map(|(_, _, sample)| sample).collect()
    }

    fn median(&self, operation: Operation, subject: Subject, figure: impl Fn(&Sample) -> f64) -> f64 {
        median(self.of(operation, subject).into_iter().map(figure).collect())
    }

    /// Returns the ratio of the costs of two servers: median, minimum and maximum of the rounds.
    fn ratio(&self, operation: Operation, dear: Subject, cheap: Subject) -> String {
        let (dear, cheap) = (self.of(operation, dear), self.of(operation, cheap));
        if dear.is_empty() {
            return "–".to_owned();
        }
        let mut ratios: Vec<f64> =
            dear.iter().zip(&cheap).map(|(dear, cheap)| dear.whole_cost() / cheap.whole_cost()).collect();
        ratios.sort_by(f64::total_cmp);
        let (least, most) = (ratios.first().copied().unwrap_or(f64::NAN), ratios.last().copied().unwrap_or(f64::NAN));
        format!("**{}** ({}–{})", three(median(ratios)), three(least), three(most))
    }

    fn wait(&self, operation: Operation, subject: Subject, share: f64) -> f64 {
        let samples = self.of(operation, subject);
        let mut waits: Vec<f64> =
            samples.iter().flat_map(|sample| &sample.tally.waits).map(|wait| wait.as_secs_f64() * 1e3).collect();
        waits.sort_by(f64::total_cmp);
        waits.get((waits.len() as f64 * share) as usize).copied().unwrap_or(f64::NAN)
    }

    fn statements(&self, operation: Operation, subject: Subject) -> Option<f64> {
        let samples = self.of(operation, subject);
        let per_request = |sample: &&Sample| sample.statements.map(|count| count as f64 / sample.requests());
        samples.iter().map(per_request).collect::<Option<Vec<f64>>>().map(median)
    }

    /// Returns both tables: cost per request, then throughput and latency.
    pub(crate) fn tables(&self, subjects: &[Subject], operations: &[Operation]) -> String {
        let mut text = String::new();
        let heading = |text: &mut String, first: &str| heading(text, first, operations);
        let row = |text: &mut String, title: String, cell: &dyn Fn(Operation) -> String| {
            line(text, std::iter::once(title).chain(operations.iter().copied().map(cell)));
        };
        heading(&mut text, "processor time per request, ms: server + database");
        for subject in subjects {
            row(&mut text, subject.name().to_owned(), &|operation| {
                if self.of(operation, *subject).is_empty() {
                    return "–".to_owned();
                }
                let part = |figure: fn(&Sample) -> f64| three(self.median(operation, *subject, figure));
                format!("{} + {}", part(|sample| sample.cost().0), part(|sample| sample.cost().1))
            });
        }
        let compared = [
            (Subject::Rectify, Subject::Limit),
            (Subject::SignedIn, Subject::Limit),
            (Subject::SignedIn, Subject::SignedLimit),
            (Subject::PostGraphile, Subject::Rectify),
            (Subject::PgGraphql, Subject::Rectify),
        ];
        for (dear, cheap) in compared {
            if subjects.contains(&dear) {
                let title = format!("{} ÷ {} (least–most of a round)", dear.name(), cheap.name());
                row(&mut text, title, &|operation| self.ratio(operation, dear, cheap));
            }
        }
        text.push('\n');
        heading(&mut text, "requests per second; p50, p99 in ms; statements per request");
        for subject in subjects {
            row(&mut text, subject.name().to_owned(), &|operation| {
                if self.of(operation, *subject).is_empty() {
                    return "–".to_owned();
                }
                let per_second = |sample: &Sample| sample.requests() / sample.tally.elapsed.as_secs_f64();
                let statements = self.statements(operation, *subject);
                format!(
                    "{:.0}; {}, {}; {}",
                    self.median(operation, *subject, per_second),
                    three(self.wait(operation, *subject, 0.5)),
                    three(self.wait(operation, *subject, 0.99)),
                    statements.map_or("–".to_owned(), |count| format!("{count:.1}")),
                )
            });
        }
        text
    }
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    let middle = figures.len() / 2;
    match figures.len() {
        0 => f64::NAN,
        length if length.is_multiple_of(2) => f64::midpoint(figures[middle - 1], figures[middle]),
        _ => figures[middle],
    }
}

/// Formats a number with about three significant digits.
fn three(figure: f64) -> String {
    match figure {
        figure if figure >= 100.0 => format!("{figure:.0}"),
        figure if figure >= 10.0 => format!("{figure:.1}"),
        figure => format!("{figure:.2}"),
    }
}

/// Appends a row to a table.
fn line(table: &mut String, cells: impl IntoIterator<Item = String>) {
    for cell in cells {
        let _ = write!(table, "| {cell} ");
    }
    table.push_str("|\n");
}

fn heading(table: &mut String, first: &str, operations: &[Operation]) {
    let titles = operations.iter().map(|operation| operation.title().to_owned());
    line(table, std::iter::once(first.to_owned()).chain(titles));
    line(table, std::iter::repeat_n("---".to_owned(), operations.len() + 1));
}

/// Replaces the text between the two markers in a file.
pub(crate) fn insert(file: &Path, tables: &str) -> Outcome<()> {
    let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let parts = text.split_once(BEGIN).and_then(|(head, rest)| Some((head, rest.split_once(END)?.1)));
    let (head, tail) = parts.ok_or_else(|| format!("{} lacks {BEGIN} … {END}", file.display()))?;
    Ok(fs::write(file, format!("{head}{BEGIN}\n{tables}{END}{tail}"))?)
}
