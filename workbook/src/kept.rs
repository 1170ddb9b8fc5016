//! How people keep what was decided about imports: they change an answer, write all of an office's to a mapping file,
//! and take over those of such a file.

use entity::import_decision;
use ledger::fault::{self, Fault};
use ledger::keep::decision::{self, Taken};
use ledger::record::database;
use ledger::rule::calendar::local_day;
use ledger::work::Acting;
use ledger::{Error, Result};
use planner::Sql;
use sea_orm::EntityTrait;

use super::mapping::{Mapping, Remembered, key_of_column, key_of_text, write_remembered};
use super::question::Topic;

/// The most characters of an answer.
const MAX_CHARACTERS: usize = 2_000;
/// The most decisions of a file.
const MAX_DECISIONS: usize = 5_000;

/// What became of a mapping file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TakenOver {
    /// The number of decisions that are new or different.
    pub taken: usize,
    /// The number of decisions that are not remembered: those about units, whose aliases are kept with the units.
    pub left_out: usize,
}

/// Changes the answer of a remembered decision, for the imports to come. The answer is given as the mapping file has it
/// or as people write it.
pub async fn change_decision(acting: &Acting<'_>, decision: Option<i64>, version: i32, answer: &str) -> Result<i64> {
    let path = ["input", "answer"];
    let answer = fault::line(answer, 1..=MAX_CHARACTERS, ("决定", "the answer"), &path)?;
    let read = |topic: import_decision::Topic, printed: &str| {
        let mut mapping = Mapping::default();
        mapping.decide(topic.into(), printed, &answer).map_err(|why| at(why, &path))?;
        Ok(mapping.given().next().map_or_else(|| answer.clone(), |(.., answer)| answer.to_owned()))
    };
    decision::change(acting, decision, version, read).await
}

/// Writes what is remembered of the files that a region issues as a mapping file, of all decisions that the caller may
/// see. The newest come first.
pub async fn remembered_mapping(acting: &Acting<'_>, region: Option<i64>) -> Result<String> {
    let transaction = database::begin(acting.db).await?;
    let region = decision::issuer(acting, &transaction, region).await?;
    let mut sql = Sql::within(acting.db.get_database_backend(), &[], &acting.by.principal);
    let of = sql.bind(region.id);
    let seen = sql.seen("import_decision", "d").map(|seen| format!(" AND {seen}")).unwrap_or_default();
    let text = format!(
        "SELECT d.* FROM import_decision d WHERE d.region_id = {of}{seen} ORDER BY d.decided_at DESC, d.id DESC"
    );
    let found = import_decision::Entity::find().from_raw_sql(sql.statement(text)).all(&transaction).await?;
    let decisions: Vec<Remembered<'_>> = found
        .iter()
        .map(|row| Remembered {
            topic: row.topic.into(),
            context: &row.context,
            printed: &row.printed,
            decided: &row.decided,
            decided_on: local_day(row.decided_at, acting.zone),
        })
        .collect();
    Ok(write_remembered(&region.name, &decisions))
}

/// Takes over the decisions of a mapping file for the files that a region issues, in place of those about the same.
/// `round` is the key of the round for which all but those about columns hold.
pub async fn take_over_decisions(
    acting: &Acting<'_>,
    region: Option<i64>,
    round: Option<i64>,
    text: &str,
) -> Result<TakenOver> {
    let path = ["input", "mapping"];
    let mapping = Mapping::parse(text).map_err(|why| at(why, &path))?;
    let (mut taken, mut left_out) = (Vec::new(), 0);
    for (topic, printed, decided) in mapping.given() {
        let Some(kept) = topic.kept() else {
            left_out += 1;
            continue;
        };
        let printed = match topic {
            Topic::Columns => key_of_column(printed),
            Topic::NotApplicable => key_of_text(printed),
            _ => printed.to_owned(),
        };
        taken.push(Taken { topic: kept, printed, decided: decided.to_owned() });
    }
    if taken.is_empty() || taken.len() > MAX_DECISIONS {
        let zh = format!("文件中应有 1 至 {MAX_DECISIONS} 条列的含义、时限、牵头单位或不涉及的决定");
        let en =
            format!("the file must have 1 to {MAX_DECISIONS} decisions about columns, deadlines, lead units or texts");
        return Err(Fault::invalid(zh, en, &path).into());
    }
    let taken = decision::take_over(acting, region, round, taken).await?;
    Ok(TakenOver { taken, left_out })
}

/// Returns an error with the path of the input that it is about.
pub(crate) fn at(why: Error, path: &[&str]) -> Error {
    let moved = |fault: Fault| Fault { path: path.iter().map(|step| (*step).to_owned()).collect(), ..fault };
    match why {
        Error::Refused(faults) => Error::Refused(faults.into_iter().map(moved).collect()),
        other => other,
    }
}
