//! What an import tells a client, as JSON: how the file was read, what is asked, what is wrong, and what was written or
//! would be.

use planner::Bilingual;
use serde_json::{Value, json};

use crate::import::{Outcome, Report, Summary};
use crate::layout::Sureness;
use crate::question::Question;
use crate::reading::SheetReading;

fn words_of(words: &Bilingual, is_english: bool) -> String {
    if is_english { words.en.clone() } else { words.zh.clone() }
}

/// Returns the report of an import in one language. Faults name their cells; questions have the keys of their answers.
pub fn told(report: &Report, is_english: bool) -> Value {
    let of = |words: &Bilingual| words_of(words, is_english);
    let outcome = match report.outcome {
        Outcome::Written => "WRITTEN",
        Outcome::Unchanged => "UNCHANGED",
        Outcome::Rehearsed => "REHEARSED",
        Outcome::Rejected => "REJECTED",
    };
    let faults: Vec<Value> = report
        .faults
        .iter()
        .map(|fault| {
            json!({ "sheet": fault.sheet, "row": fault.row, "column": fault.column, "value": fault.value,
                "message": of(&fault.message()) })
        })
        .collect();
    let sheets: Vec<Value> = report.sheets.iter().map(|sheet| sheet_of(sheet, is_english)).collect();
    let questions: Vec<Value> = report.questions.iter().map(|question| question_of(question, is_english)).collect();
    let remarks: Vec<String> = report.summary.remarks.iter().map(of).collect();
    let Summary { problems, measures, new_problems, new_measures, new_assignments, new_reports, restated, .. } =
        &report.summary;
    json!({ "outcome": outcome, "kind": report.kind.as_str(), "asOf": report.summary.as_of, "problems": problems,
        "measures": measures, "newProblems": new_problems, "newMeasures": new_measures,
        "newAssignments": new_assignments, "newReports": new_reports, "restated": restated,
        "cases": report.summary.cases, "newCases": report.summary.new_cases,
        "newUnits": report.summary.new_units, "remarks": remarks, "sheets": sheets,
        "questions": questions, "faults": faults })
}

/// Renders how a sheet was read.
fn sheet_of(sheet: &SheetReading, is_english: bool) -> Value {
    let columns: Vec<Value> = sheet
        .columns
        .iter()
        .map(|column| {
            let (sureness, reason) = match &column.sureness {
                None => ("UNUSED", None),
                Some(Sureness::Sure) => ("SURE", None),
                Some(Sureness::Likely(why)) => ("LIKELY", Some(words_of(why, is_english))),
                Some(Sureness::Asked(why)) => ("ASKED", Some(words_of(why, is_english))),
                Some(Sureness::Decided) => ("DECIDED", None),
                Some(Sureness::Remembered) => ("REMEMBERED", None),
            };
            json!({ "column": column.column, "heading": column.heading, "key": column.key, "meaning": column.field,
                "label": column.label, "sureness": sureness, "reason": reason, "samples": column.samples })
        })
        .collect();
    let (first, last) = sheet.heading_rows;
    json!({ "name": sheet.sheet, "kind": sheet.kind.as_str(), "headingRows": [first, last], "asOf": sheet.as_of,
        "columns": columns })
}

/// Renders a question with its proposal.
fn question_of(question: &Question, is_english: bool) -> Value {
    let Question { sheet, row, column, printed, proposal, choices, samples, rows, is_taken, .. } = question;
    let label = |answer: &String| words_of(&question.topic.answer(answer), is_english);
    let labels: Vec<String> = choices.iter().map(label).collect();
    json!({ "topic": question.topic.as_str(), "sheet": sheet, "row": row, "column": column, "printed": printed,
        "message": words_of(&question.asked, is_english), "proposal": proposal, "proposalLabel": label(proposal),
        "choices": choices, "choiceLabels": labels, "samples": samples, "rows": rows, "isTaken": is_taken })
}
