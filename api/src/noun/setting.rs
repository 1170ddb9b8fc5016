//! The settings of the installation as they are, for administrators.

use async_graphql::{Context, Enum, Object, SimpleObject};
use ledger::people::policy::Act;

use crate::context::Request;
use crate::installation;

/// Where the value of a setting comes from.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "crate::installation::SettingSource")]
pub(crate) enum SettingSource {
    /// 默认值 · The defaults of the program.
    Default,
    /// 配置文件 · The settings file.
    File,
    /// 环境变量 · An environment variable.
    Environment,
    /// 命令行 · A flag of the command line.
    Flag,
}

/// A setting of the installation as it is.
#[derive(SimpleObject)]
pub(crate) struct EffectiveSetting {
    /// Name of the setting, such as `mail_from`.
    name: String,
    /// Value as the settings file would state it, such as `[30, 7, 1]`; secrets are replaced by `***`.
    value: String,
    /// Where the value comes from.
    source: SettingSource,
    /// Path of the file, name of the environment variable or flag that sets it; null for a default.
    place: Option<String>,
}

impl From<&installation::EffectiveSetting> for EffectiveSetting {
    fn from(setting: &installation::EffectiveSetting) -> Self {
        let installation::EffectiveSetting { name, value, source, place } = setting.clone();
        Self { name, value, source: source.into(), place }
    }
}

/// Queries on the settings.
#[derive(Default)]
pub(crate) struct SettingQuery;

#[Object]
impl SettingQuery {
    /// Lists the settings of the installation as they are, without secrets, in the order of their documentation. They
    /// are read when the program starts. For administrators; empty for others.
    #[expect(clippy::unused_async, reason = "every resolver is an async function")]
    async fn effective_settings(&self, ctx: &Context<'_>) -> async_graphql::Result<Vec<EffectiveSetting>> {
        let request = ctx.data::<Request>()?;
        if !request.principal().may(Act::KeepAccounts) {
            return Ok(Vec::new());
        }
        Ok(request.installation.settings.iter().map(Into::into).collect())
    }
}
