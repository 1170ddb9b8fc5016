//! The faults that a verification finds.

/// What is wrong, each in one Chinese sentence. Only the first faults are listed; further ones are counted.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// The first faults.
    pub told: Vec<String>,
    /// The number of further faults.
    pub more: usize,
}

impl Faults {
    /// The most faults that are listed.
    const MAX_TOLD: usize = 1_000;

    pub(super) fn push(&mut self, fault: String) {
        if self.told.len() < Self::MAX_TOLD {
            self.told.push(fault);
        } else {
            self.more += 1;
        }
    }

    /// Checks whether there are no faults.
    pub fn is_empty(&self) -> bool {
        self.told.is_empty()
    }
}
