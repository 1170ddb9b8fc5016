//! What `workbook/fuzz` calls: reading sheets without a database.

use std::collections::HashMap;

use crate::case_list;
use crate::layout::{Kind, Layout};
use crate::mapping::Mapping;
use crate::reading::{self, Manner};
use crate::sheet::Sheet;

/// Reads sheets with a mapping that decides nothing, as ledgers and as lists of cases.
pub fn read(sheets: &[Sheet]) {
    let (mapping, remembered) = (Mapping::default(), HashMap::default());
    for takes_proposals in [false, true] {
        let manner = Manner { mapping: &mapping, remembered: &remembered, working: &|_| true, takes_proposals };
        for sheet in sheets {
            let _ = reading::read(sheet, manner, None);
        }
    }
    for sheet in sheets {
        if let Some(layout) = Layout::find(sheet, &mapping.columns, &remembered)
            && layout.kind() == Kind::Cases
        {
            let _ = case_list::read(sheet, &layout);
        }
    }
}
