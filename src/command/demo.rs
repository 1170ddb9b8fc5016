//! `rectify demo`: fills an empty database with an invented ledger.

use crate::demo;
use indicatif::{ProgressBar, ProgressStyle};

use super::set_up;
use crate::settings::Settings;
use crate::{Failure, clock, say};

/// Size of the demo ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Scale {
    /// A few problems, with every status and every reminder.
    Small,
    /// One city's ledger of several years: 500 problems.
    County,
    /// The whole nation: 50,000 problems and 200,000 measures.
    National,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Demo {
    /// 规模：small 演示全部状态和提醒；county 一个市多年的台账；national 全国
    #[arg(long, value_enum, default_value_t = Scale::Small)]
    scale: Scale,
    /// 只有台账和账户，没有人办过：没有佐证照片、延期、督办和批示
    #[arg(long)]
    bare: bool,
}

pub(crate) async fn run(settings: &Settings, demo: &Demo) -> Result<(), Failure> {
    let db = set_up(settings).await?;
    let scale = match demo.scale {
        Scale::Small => demo::Scale::Small,
        Scale::County => demo::Scale::County,
        Scale::National => demo::Scale::National,
    };
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} 个问题 {elapsed}") {
        bar.set_style(style);
    }
    let progress = |done: usize, total: usize| {
        bar.set_length(total as u64);
        bar.set_position(done as u64);
    };
    let made = demo::fill(&db, scale, clock::now(), settings.zone(), &progress).await;
    bar.finish_and_clear();
    let made = made?;
    if !demo.bare {
        demo::work(&db, &settings.storage()?, clock::now(), settings.zone()).await?;
    }
    say!(
        "已生成虚构的演示台账：{} 个行政区、{} 个单位、{} 个问题、{} 条措施、{} 项责任分解",
        made.regions,
        made.units,
        made.problems,
        made.measures,
        made.assignments
    );
    Ok(())
}
