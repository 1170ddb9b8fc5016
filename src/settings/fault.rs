//! What is wrong with settings, told in whole, in Chinese and English.

use std::fmt;

use crate::Failure;

/// What is wrong with one setting, and what is right. Quotes no value that may hold a secret.
#[derive(Debug)]
pub(crate) struct Fault {
    /// Name of the setting, or of settings that contradict each other.
    setting: String,
    /// What is right, in Chinese and, after a slash, in English.
    what: String,
    /// Where the setting was set, if that is known.
    place: Option<String>,
}

impl Fault {
    /// Makes a fault. `zh` and `en` say what is right.
    pub(crate) fn new(setting: impl Into<String>, zh: impl fmt::Display, en: impl fmt::Display) -> Self {
        Self::told(setting, format!("{zh} / {en}"))
    }

    /// Makes a fault of a text that has both languages already.
    pub(crate) fn told(setting: impl Into<String>, what: impl Into<String>) -> Self {
        Self { setting: setting.into(), what: what.into(), place: None }
    }

    /// Says where the setting was set.
    pub(super) fn at(self, place: impl fmt::Display) -> Self {
        Self { place: Some(place.to_string()), ..self }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}：{}", self.setting, self.what)?;
        self.place.as_ref().map_or(Ok(()), |place| write!(f, "（{place}）"))
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Usage(fault.to_string())
    }
}

/// All that is wrong with the settings.
#[derive(Default)]
pub(super) struct Faults(Vec<Fault>);

impl Faults {
    /// Notes a fault. Of one setting, only the first is kept.
    pub(super) fn add(&mut self, fault: Fault) {
        if !self.0.iter().any(|known| known.setting == fault.setting) {
            self.0.push(fault);
        }
    }

    /// Notes a fault unless `is_right`.
    pub(super) fn unless(&mut self, is_right: bool, setting: &str, zh: impl fmt::Display, en: impl fmt::Display) {
        if !is_right {
            self.add(Fault::new(setting, zh, en));
        }
    }

    /// Returns what was read, or notes why it could not be.
    pub(super) fn take<T>(&mut self, read: Result<T, Fault>) -> Option<T> {
        read.map_err(|fault| self.add(fault)).ok()
    }

    /// Adds to each fault where its setting was set, as `place` says.
    pub(super) fn placed(mut self, place: impl Fn(&str) -> Option<String>) -> Self {
        for fault in &mut self.0 {
            fault.place = fault.place.take().or_else(|| place(&fault.setting));
        }
        self
    }

    /// Fails with all faults, if there are any.
    pub(super) fn done(self) -> Result<(), Failure> {
        if self.0.is_empty() {
            return Ok(());
        }
        let told: Vec<String> = self.0.iter().map(|fault| format!("  {fault}")).collect();
        let count = self.0.len();
        Err(Failure::Usage(format!("设置有误（{count} 处）/ settings are wrong ({count}):\n{}", told.join("\n"))))
    }
}
