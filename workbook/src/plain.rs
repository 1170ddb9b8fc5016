//! Plain columns of measures: a cell is one field of the measure, imported and exported as it is. An entry here is all
//! that workbooks need to know of such a field.

use entity::measure::{ActiveModel, Model};
use planner::Bilingual;
use sea_orm::ActiveValue::Set;

use super::value::says_none;

/// A plain column.
pub(crate) struct Plain {
    /// Its name in mapping files.
    pub(crate) code: &'static str,
    /// Its headings, without what stands in brackets; the first is the one that exports use.
    pub(crate) headings: &'static [&'static str],
    /// The heading of exports in full, where it has a unit in brackets.
    pub(crate) exported: &'static str,
    /// The unit in which it is written; blank for texts.
    pub(crate) unit: &'static str,
    /// Its width in exports, in characters.
    pub(crate) width: f64,
    /// Reads a cell, which is not blank, below a heading as printed. Returns what was expected where it cannot be read.
    pub(crate) read: fn(cell: &str, heading: &str, measure: &mut ActiveModel) -> Result<(), Bilingual>,
    /// Writes the cell; blank where the measure has no value.
    pub(crate) write: fn(measure: &Model) -> String,
}

/// Every plain column, in the order in which exports have them.
pub(crate) const PLAIN: &[Plain] = &[
    Plain {
        code: "budget",
        headings: &["投资", "投资额", "投资金额", "计划投资", "总投资", "整改资金", "资金"],
        exported: "投资（万元）",
        unit: "万元",
        width: 12.0,
        read: |cell, heading, measure| {
            let yuan = yuan(cell, heading).ok_or_else(|| {
                Bilingual::new(
                    "金额，如 120、120.5万元、0.8亿元",
                    "an amount, such as 120 (万元), 120.5万元 or 0.8亿元",
                )
            })?;
            measure.budget = Set(yuan);
            Ok(())
        },
        write: |measure| measure.budget.map(in_ten_thousands).unwrap_or_default(),
    },
    Plain {
        code: "outcome",
        headings: &["整改成果", "整改成效", "成果", "整改效果"],
        exported: "整改成果",
        unit: "",
        width: 30.0,
        read: |cell, _, measure| {
            measure.outcome = Set(Some(cell.to_owned()));
            Ok(())
        },
        write: |measure| measure.outcome.clone().unwrap_or_default(),
    },
    Plain {
        code: "stated-close-out",
        headings: &["销号情况", "是否销号", "销号状态"],
        exported: "销号情况",
        unit: "",
        width: 12.0,
        read: |cell, _, measure| {
            measure.stated_close_out = Set(Some(cell.to_owned()));
            Ok(())
        },
        write: |measure| measure.stated_close_out.clone().unwrap_or_default(),
    },
    Plain {
        code: "remark",
        headings: &["备注", "说明"],
        exported: "备注",
        unit: "",
        width: 20.0,
        read: |cell, _, measure| {
            measure.remark = Set(Some(cell.to_owned()));
            Ok(())
        },
        write: |measure| measure.remark.clone().unwrap_or_default(),
    },
];

/// The most yuan of one measure: a trillion.
const MAX_YUAN: f64 = 1e12;

/// Reads an amount of money in yuan. Its unit is that of the cell, else of the heading, else 万元 (10,000 yuan). A dash
/// or 无 means that there is none; `None`: the cell is no amount.
#[expect(clippy::option_option, reason = "no amount, and a cell that is none, are two things")]
fn yuan(cell: &str, heading: &str) -> Option<Option<i64>> {
    let plain: String =
        cell.chars().filter(|letter| !letter.is_whitespace() && !matches!(letter, ',' | '，')).collect();
    if says_none(&plain) {
        return Some(None);
    }
    let digits = plain.trim_end_matches(['元', '万', '亿']);
    let unit = if digits.len() == plain.len() { heading } else { &plain[digits.len()..] };
    let scale = if unit.contains("亿") {
        1e8
    } else if unit.contains('元') && !unit.contains('万') {
        1.0
    } else {
        1e4
    };
    let is_number = digits.chars().all(|letter| letter.is_ascii_digit() || letter == '.');
    let amount = digits.parse::<f64>().ok().filter(|amount| is_number && amount.is_finite())? * scale;
    (amount <= MAX_YUAN).then(|| Some(amount.round() as i64))
}

/// Writes yuan in 万元, with as many decimals as it takes.
fn in_ten_thousands(yuan: i64) -> String {
    let (whole, rest) = (yuan / 10_000, yuan % 10_000);
    if rest == 0 { whole.to_string() } else { format!("{whole}.{rest:04}").trim_end_matches('0').to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_amount_has_the_unit_of_its_cell_else_of_its_heading() {
        assert_eq!(yuan("120", "投资（万元）"), Some(Some(1_200_000)));
        assert_eq!(yuan("1,200.5 万元", "投资"), Some(Some(12_005_000)));
        assert_eq!(yuan("0.8亿元", "投资（万元）"), Some(Some(80_000_000)));
        assert_eq!(yuan("350000", "投资（元）"), Some(Some(350_000)));
        assert_eq!(yuan("35万", "投资（元）"), Some(Some(350_000)));
        assert_eq!(yuan("—", "投资"), Some(None));
        for bad in ["约120", "120-150", "12 0万美元", "1e9", "inf", "-5", "9999999999"] {
            assert_eq!(yuan(bad, "投资（万元）"), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_exported_is_imported_as_the_same_amount(amount in 0_i64..1_000_000_000_000) {
            prop_assert_eq!(yuan(&in_ten_thousands(amount), "投资（万元）"), Some(Some(amount)));
        }
    }
}
