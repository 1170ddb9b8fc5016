//! What people have decided about earlier imports of the same office: loaded before a file is read, stored when it is
//! written.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use entity::import_decision::Column;
use entity::{import_decision, imported_sheet, inspection_round, region};
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict};
use sea_orm::{ActiveValue::Set, ColumnTrait, DatabaseConnection, EntityTrait, QueryFilter};
use serde_json::json;

use super::ImportOptions;
use crate::form::Form;
use crate::layout::{RememberedMeanings, Sureness};
use crate::mapping::Mapping;
use crate::question::{Question, Topic};
use crate::reading::SheetReading;
use ledger::Result;
use ledger::record::audit::By;
use ledger::record::database::Transaction;

/// The decisions by which a file is read.
pub(super) struct Known {
    /// What was decided for this file, with what was decided earlier for the same round.
    pub(super) mapping: Mapping,
    /// What the columns of earlier files mean.
    pub(super) columns: RememberedMeanings,
}

/// Loads what was decided about earlier files of an issuer. Decisions about deadlines and texts hold for their round;
/// what is given for this file goes before them. Columns that may mean several things are read as in the last file of
/// the same region and round with the same headings, because other values must not change what they mean.
pub(super) async fn load(db: &DatabaseConnection, options: &ImportOptions) -> Result<Known> {
    let mut known = Known { mapping: Mapping::default(), columns: HashMap::new() };
    if let Some(form) = last_form(db, &options.round, &options.region).await? {
        let meanings = form.meanings().map(|(key, field)| (key.to_owned(), Some(field)));
        known.columns.entry(form.row_of_headings()).or_default().extend(meanings);
    }
    let (round, issuer) = (&options.round, options.issued_by.as_ref().unwrap_or(&options.region));
    let issuer = region::Entity::find().filter(region::Column::Code.eq(issuer)).one(db).await?;
    let decisions = match issuer {
        Some(issuer) => {
            let of_issuer = Column::RegionId.eq(issuer.id);
            import_decision::Entity::find().filter(of_issuer).all(db).await?
        }
        None => Vec::new(),
    };
    for decision in decisions {
        match Topic::from(decision.topic) {
            Topic::Columns => {
                let mut one = Mapping::default();
                // A field that was renamed since is asked again.
                if one.decide(Topic::Columns, &decision.printed, &decision.decided).is_ok() {
                    known.columns.entry(decision.context).or_default().extend(one.columns);
                }
            }
            topic if decision.context == round.trim() => {
                _ = known.mapping.decide(topic, &decision.printed, &decision.decided);
            }
            _ => {}
        }
    }
    known.mapping.add(&options.mapping);
    Ok(known)
}

/// Returns the form of the last file of a region, by its code, in a round, by its name.
async fn last_form(db: &DatabaseConnection, round: &str, region: &str) -> Result<Option<Form>> {
    let round =
        inspection_round::Entity::find().filter(inspection_round::Column::Name.eq(round.trim())).one(db).await?;
    let region = region::Entity::find().filter(region::Column::Code.eq(region)).one(db).await?;
    let (Some(round), Some(region)) = (round, region) else { return Ok(None) };
    let of_both = imported_sheet::Column::RoundId.eq(round.id).and(imported_sheet::Column::RegionId.eq(region.id));
    let is_read_again = imported_sheet::Column::IsReadAgain.eq(true);
    let found = imported_sheet::Entity::find().filter(of_both.and(is_read_again)).one(db).await?;
    Ok(found.and_then(|row| serde_json::from_str(&row.form).ok()))
}

/// Stores the form of a file of a region in a round, which exports repeat. A file without one takes the earlier one
/// away. A month's account or a list of close-outs does not replace the form of a ledger.
pub(super) async fn store_form(
    db: &Transaction,
    (round, region): (i64, i64),
    form: Option<&Form>,
    now: DateTime<Utc>,
) -> Result<()> {
    let of_both = imported_sheet::Column::RoundId.eq(round).and(imported_sheet::Column::RegionId.eq(region));
    let there = imported_sheet::Entity::find().filter(of_both.clone()).one(db).await?;
    let there = there.and_then(|row| serde_json::from_str::<Form>(&row.form).ok());
    if there.is_some_and(|there| there.is_of_ledger() && form.is_some_and(|form| !form.is_of_ledger())) {
        return Ok(());
    }
    let Some(form) = form else {
        imported_sheet::Entity::delete_many().filter(of_both).exec(db).await?;
        return Ok(());
    };
    let row = imported_sheet::ActiveModel {
        round_id: Set(round),
        region_id: Set(region),
        form: Set(json!(form).to_string()),
        is_read_again: Set(true),
        imported_at: Set(now),
        ..Default::default()
    };
    imported_sheet::Entity::insert(row)
        .on_conflict(
            OnConflict::columns([imported_sheet::Column::RoundId, imported_sheet::Column::RegionId])
                .update_columns([
                    imported_sheet::Column::Form,
                    imported_sheet::Column::IsReadAgain,
                    imported_sheet::Column::ImportedAt,
                ])
                .to_owned(),
        )
        .exec_without_returning(db)
        .await?;
    Ok(())
}

/// Stores what was decided about this file, proposals that were taken included. Units are remembered as aliases.
pub(super) async fn store(
    db: &Transaction,
    issuer: i64,
    round: &str,
    sheets: &[SheetReading],
    given: &Mapping,
    questions: &[Question],
    (by, now): (&By, DateTime<Utc>),
) -> Result<()> {
    let mut rows = Vec::new();
    let mut add = |topic: Topic, context: &str, printed: &str, decided: &str| {
        let Some(topic) = topic.kept() else { return };
        rows.push(import_decision::ActiveModel {
            region_id: Set(issuer),
            topic: Set(topic),
            context: Set(context.to_owned()),
            printed: Set(printed.to_owned()),
            decided: Set(decided.to_owned()),
            decided_at: Set(now),
            decider_id: Set(by.principal.account),
            version: Set(1),
            ..Default::default()
        });
    };
    for sheet in sheets {
        for column in &sheet.columns {
            let was_asked = matches!(column.sureness, Some(Sureness::Asked(_)));
            if was_asked || given.columns.contains_key(&column.key) {
                add(Topic::Columns, &sheet.row_of_headings, &column.key, column.field.unwrap_or(crate::field::UNUSED));
            }
        }
    }
    let taken = questions.iter().filter(|asked| asked.is_taken);
    let taken = taken.map(|asked| (asked.topic, asked.printed.as_str(), asked.proposal.as_str()));
    for (topic, printed, decided) in given.given().chain(taken) {
        // Columns are remembered with their headings, above.
        if topic != Topic::Columns {
            add(topic, round.trim(), printed, decided);
        }
    }
    // Two sheets may ask the same.
    let mut seen = std::collections::HashSet::new();
    let key = |row: &import_decision::ActiveModel| {
        (row.topic.clone().take(), row.context.clone().take(), row.printed.clone().take())
    };
    rows.retain(|row| seen.insert(key(row)));
    for row in rows {
        import_decision::Entity::insert(row)
            .on_conflict(
                OnConflict::columns([Column::RegionId, Column::Topic, Column::Context, Column::Printed])
                    .update_columns([Column::Decided, Column::DecidedAt, Column::DeciderId])
                    .value(Column::Version, Expr::col((import_decision::Entity, Column::Version)).add(1))
                    .to_owned(),
            )
            .exec_without_returning(db)
            .await?;
    }
    Ok(())
}
