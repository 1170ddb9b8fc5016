//! Changes of single fields, as the acts that edit a row take them.

/// A change of one field: keep its value or set a new one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Patch<T> {
    /// Keeps the current value.
    #[default]
    Keep,
    /// Sets this value.
    Set(T),
}

impl<T> Patch<T> {
    /// Returns the new value, or `there`, the current one, if it is kept.
    pub(crate) fn or(self, there: T) -> T {
        match self {
            Self::Keep => there,
            Self::Set(value) => value,
        }
    }

    /// Returns the new value as `read` parses it, or `there`, the current one, if it is kept.
    pub(crate) fn read<U, E>(self, there: U, read: impl FnOnce(T) -> Result<U, E>) -> Result<U, E> {
        match self {
            Self::Keep => Ok(there),
            Self::Set(value) => read(value),
        }
    }
}
