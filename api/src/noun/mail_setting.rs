//! What people choose about the mail that they get: digests that they switch off, and the calendar of their deadlines.

use async_graphql::{Context, InputObject, Object, SimpleObject};
use ledger::people::muted;

use crate::context::Request;
use crate::error::masked;
use crate::part::payload::UserError;
use crate::part::reread::Reread;
use crate::part::scalar::Moment;

/// A kind of digest, and whether the caller gets it.
#[derive(SimpleObject)]
pub(crate) struct MailSetting {
    /// Kind of digest, such as `due-soon`.
    kind: String,
    /// Whether the caller has switched it off for their own address. Digests to the official address of a unit are
    /// orders: they are sent all the same.
    is_muted: bool,
}

impl From<muted::Setting> for MailSetting {
    fn from(setting: muted::Setting) -> Self {
        Self { kind: setting.kind.to_owned(), is_muted: setting.is_muted }
    }
}

/// A kind of digest that the holder of a mail may switch off.
#[derive(SimpleObject)]
pub(crate) struct MailSubscription {
    /// Kind of digest, such as `due-soon`.
    kind: String,
    /// Masked address that the mail went to, such as `z***@gov.example`.
    address: String,
    /// Whether it is switched off.
    is_muted: bool,
}

/// Queries on what people choose about their mail.
#[derive(Default)]
pub(crate) struct MailSettingQuery;

#[Object]
impl MailSettingQuery {
    /// Digests, and whether the caller has switched them off for their own address; empty for a caller without an
    /// account.
    async fn my_mail_settings(&self, ctx: &Context<'_>) -> async_graphql::Result<Vec<MailSetting>> {
        let request = ctx.data::<Request>()?;
        let found = muted::settings(&request.acting()).await.map_err(|failure| masked(&failure))?;
        Ok(found.into_iter().map(Into::into).collect())
    }

    /// What a link to unsubscribe stands for; null if it is wrong or has expired, or if the mail was to the official
    /// address of a unit. Works without sign-in, for whoever has the link. Reading it changes nothing: a POST to
    /// `/unsubscribe/{token}` switches the digest off.
    async fn mail_subscription(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Token of the link: what follows `/unsubscribe/`.")] token: String,
    ) -> async_graphql::Result<Option<MailSubscription>> {
        let request = ctx.data::<Request>()?;
        let found = muted::follow(&request.db, &request.link_key, &token, request.now).await;
        let told = |one: muted::Subscription| MailSubscription {
            kind: one.kind,
            address: one.address,
            is_muted: one.is_muted,
        };
        Ok(found.map_err(|failure| masked(&failure))?.map(told))
    }
}

/// Input of `setMailMuted`: a kind of digest, and whether it is switched off.
#[derive(InputObject)]
pub(crate) struct SetMailMutedInput {
    /// Kind of digest, one of those in `myMailSettings`.
    pub(crate) kind: String,
    /// Whether it is switched off.
    pub(crate) is_muted: bool,
}

/// Result of `setMailMuted`.
#[derive(SimpleObject)]
pub(crate) struct SetMailMutedPayload {
    /// All settings of the caller after the mutation.
    pub(crate) settings: Vec<MailSetting>,
    /// Reasons why the mutation was refused; empty on success.
    pub(crate) errors: Vec<UserError>,
    #[graphql(flatten)]
    pub(crate) reread: Reread,
}

/// Input of `createCalendar`: for how long its address works.
#[derive(InputObject)]
pub(crate) struct CreateCalendarInput {
    /// Lifetime of the address in days, 1 to 366.
    #[graphql(default = 366)]
    pub(crate) days: i32,
}

/// Result of `createCalendar`.
#[derive(SimpleObject)]
pub(crate) struct CreateCalendarPayload {
    /// Address of the calendar, for calendar programs to subscribe to. It is returned only here, never again. Null if
    /// the mutation was refused.
    pub(crate) calendar_url: Option<String>,
    /// Moment at which the address expires; null if the mutation was refused.
    pub(crate) expires_at: Option<Moment>,
    /// Reasons why the mutation was refused; empty on success.
    pub(crate) errors: Vec<UserError>,
    #[graphql(flatten)]
    pub(crate) reread: Reread,
}
