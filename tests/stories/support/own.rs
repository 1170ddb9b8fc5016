//! A naive reading of the rule by which regions judge what several regions answer: by their own answers, and as a whole
//! only where it was issued and above.

use std::collections::{BTreeSet, HashMap};

use chrono::NaiveDate;
use entity::assignment::Status;
use ledger::rule::workflow::roll_up;
use ledger::statistics::Item;

/// Rolls items up to one, whose deadline is that of `whole`; without items, it is `whole`.
pub(crate) fn rolled_up(whole: Item, parts: &[Item]) -> Item {
    let Some(status) = roll_up(parts.iter().map(|part| part.status)) else { return whole };
    let applicable: Vec<&Item> = parts.iter().filter(|part| part.status != Status::NotApplicable).collect();
    let days: Option<Vec<NaiveDate>> = applicable.iter().map(|part| part.completed_on).collect();
    let completed_on = days.and_then(|days| days.into_iter().max());
    let is_completed_by = completed_on.is_some()
        && applicable.iter().any(|part| part.completed_on == completed_on && part.is_completed_by);
    Item { status, completed_on, is_completed_by, due_by: whole.due_by }
}

/// Judges a measure by some of its answers: their state, and the latest of their deadlines; without answers, as a
/// whole.
pub(crate) fn answered(whole: Item, answers: &[Item]) -> Item {
    let due_by = answers.iter().filter_map(|answer| answer.due_by).max().or(whole.due_by);
    Item { due_by, ..rolled_up(whole, answers) }
}

/// Returns the state by which each region judges a measure. `issued` has the region that issued it and those above;
/// each answer comes with its region and those above.
pub(crate) fn of_measure(whole: Item, issued: &BTreeSet<i64>, answers: &[(BTreeSet<i64>, Item)]) -> HashMap<i64, Item> {
    let mut each: HashMap<i64, Item> = issued.iter().map(|region| (*region, whole)).collect();
    for region in answers.iter().flat_map(|(concerns, _)| concerns) {
        let own: Vec<Item> =
            answers.iter().filter(|(concerns, _)| concerns.contains(region)).map(|(_, state)| *state).collect();
        each.entry(*region).or_insert_with(|| answered(whole, &own));
    }
    each
}

/// Returns the state by which each region judges a problem, from those of its measures.
pub(crate) fn of_problem(whole: Item, issued: &BTreeSet<i64>, measures: &[HashMap<i64, Item>]) -> HashMap<i64, Item> {
    let mut each: HashMap<i64, Item> = issued.iter().map(|region| (*region, whole)).collect();
    for region in measures.iter().flat_map(HashMap::keys) {
        let own: Vec<Item> = measures.iter().filter_map(|each| each.get(region)).copied().collect();
        each.entry(*region).or_insert_with(|| rolled_up(whole, &own));
    }
    each
}
