//! `rectify demo`: an invented ledger.

use crate::Failure;
use crate::cli::Scale;
use crate::settings::Settings;

#[derive(Debug, clap::Args)]
pub(crate) struct Demo {
    /// 规模
    #[arg(long, value_enum, default_value_t = Scale::Small)]
    scale: Scale,
}

pub(crate) async fn run(_settings: &Settings, demo: &Demo) -> Result<(), Failure> {
    Err(Failure::Rejected(format!("{:?}", demo.scale)))
}
