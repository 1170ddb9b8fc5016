//! Receivers of messages to other systems (接口推送), and the messages with what became of them, for administrators.

use async_graphql::{Context, Enum, ID, InputObject, MaybeUndefined, Object};
use entity::webhook_delivery::DeliveryState as StoredState;
use ledger::keep::webhook as keep;
use planner::{Dimension, Finish, Kind, Noun, SortKey, SortType, Sql, noun};
use serde_json::{Value as Json, json};

use crate::context::Request;
use crate::noun::region::Region;
use crate::part::filter::{RelationFilter, TextFilter, filter, one_of};
use crate::part::group;
use crate::part::order::order;
use crate::part::patch::{clearable, patch};
use crate::part::payload::{DeletePayload, UserError, key_of, outcome, payload};
use crate::part::read;
use crate::part::reread::Reread;
use crate::part::scalar::Moment;

/// Event of which other systems are told: each act that also sends a mail at once.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "ledger::work::event::Event")]
pub(crate) enum LedgerEvent {
    /// 任务分解 · A measure was assigned to the unit, for the first time or again.
    Assigned,
    /// 签收 · The unit accepted an assignment.
    Accepted,
    /// 退回任务 · The unit declined an assignment.
    Declined,
    /// 提出不涉及 · The unit proposed that the measure is not applicable.
    NotApplicableProposed,
    /// 确认不涉及 · That the measure is not applicable, or that the unit rightly declined, was confirmed.
    NotApplicableConfirmed,
    /// 不同意不涉及 · The proposal that the measure is not applicable was rejected.
    NotApplicableRejected,
    /// 提请销号 · The unit applied for close-out.
    Applied,
    /// 核查通过 · The work was verified.
    Verified,
    /// 退回整改 · The application was returned.
    Returned,
    /// 公示 · The public notice began.
    Publicised,
    /// 收到异议 · An objection was received.
    #[graphql(name = "OBJECTION")]
    Objected,
    /// 异议成立 · The objection was upheld.
    ObjectionUpheld,
    /// 异议不成立 · The objection was rejected.
    ObjectionRejected,
    /// 销号 · The assignment was closed.
    Closed,
    /// 反弹 · A relapse was found.
    #[graphql(name = "RELAPSE")]
    Reopened,
    /// 申请延期 · The unit requested an extension.
    ExtensionRequested,
    /// 同意上报延期 · The city office endorsed the extension.
    ExtensionEndorsed,
    /// 批准延期 · The extension was approved.
    ExtensionApproved,
    /// 不批准延期 · The extension was rejected.
    ExtensionRejected,
    /// 催办 · The unit was urged.
    #[graphql(name = "URGE")]
    Urged,
    /// 督办 · The unit was supervised.
    #[graphql(name = "SUPERVISION")]
    Supervised,
    /// 挂牌督办 · The assignment was listed for supervision.
    #[graphql(name = "LISTING")]
    Listed,
    /// 黄牌 · The unit got a yellow card.
    #[graphql(name = "YELLOW_CARD")]
    YellowCarded,
    /// 红牌 · The unit got a red card.
    #[graphql(name = "RED_CARD")]
    RedCarded,
    /// 约谈 · The unit was summoned.
    #[graphql(name = "SUMMONS")]
    Summoned,
    /// 解除督办 · Supervision was lifted.
    SupervisionLifted,
    /// 批示 · A leader commented on the measure.
    #[graphql(name = "COMMENT")]
    Commented,
    /// 案件交办 · A case was handed over.
    CaseHandedOver,
    /// 案件办结 · The lead unit resolved the case.
    CaseResolved,
    /// 案件退回 · The case was returned.
    CaseReturned,
    /// 案件验收 · The case was verified.
    CaseVerified,
    /// 案件销号 · The case was closed.
    CaseClosed,
    /// 案件反弹 · The case relapsed.
    #[graphql(name = "CASE_RELAPSE")]
    CaseReopened,
}

/// Shape of the messages to a receiver.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "entity::webhook::WebhookKind")]
pub(crate) enum WebhookKind {
    /// 标准接口 · Signed JSON by the specification Standard Webhooks.
    Standard,
    /// 企业微信群机器人 · Markdown to the robot of a group in WeCom.
    Wecom,
    /// 钉钉群机器人 · Markdown to the robot of a group in DingTalk, signed if it has a secret.
    Dingtalk,
}

/// Delivery state of a message to another system.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "entity::webhook_delivery::DeliveryState")]
pub(crate) enum DeliveryState {
    /// 待推送 · The message waits for its next attempt.
    Queued,
    /// 推送中 · A sender has claimed the message.
    Sending,
    /// 已送达 · The receiver has accepted the message.
    Delivered,
    /// 推送失败 · Every attempt has failed; an administrator can send the message again.
    Failed,
}

const NAME: SortKey = SortKey::column("{t}.name", "name", SortType::Text);
const CREATED_AT: SortKey = SortKey::column("{t}.created_at", "created_at", SortType::Moment);

/// Returns the SQL of the kinds of events that a receiver wants, which [`events`] reads.
fn stored_events(_: &mut Sql<'_>, webhook: &str) -> String {
    format!("{webhook}.events")
}

/// Computes `events` of a receiver from the kinds as they are stored, with a comma before and after each.
pub(crate) fn events(_: &Request, _: &Finish, stored: &Json) -> Json {
    let kinds = stored.as_str().unwrap_or_default().split(',').filter(|kind| !kind.is_empty());
    json!(kinds.map(|kind| kind.to_uppercase().replace('-', "_")).collect::<Vec<_>>())
}

const GROUPS: &[Dimension] = &[
    Dimension::plain("KIND", "接收方类型 · Kind of receiver, and thereby the form of the messages.", "{t}.kind"),
    Dimension::of("REGION", "行政区 · Region of which the receiver is told.", "{t}.region_id", group::A_REGION),
];

noun! {
    /// A receiver of messages about events of the ledger: another system, or the robot of a group.
    pub(crate) Webhook from "webhook" as "webhook" {
        order: &[NAME],
        total: None,
        filter: WebhookFilter,
        by: WebhookOrder,
        groups: GROUPS
    }
    /// Global id of the receiver, for example `webhook_3`.
    id: ID = Kind::Id;
    /// Name by which administrators know it.
    name: String = Kind::Column("name");
    /// Shape of its messages.
    kind: WebhookKind = Kind::Column("kind");
    /// Address to which messages are posted. Its query, which may contain a key, is shown as an ellipsis.
    url: String = Kind::Column("shown_url");
    /// Events that it is told of; an empty list means all.
    events: Vec<LedgerEvent> = Kind::Finished(stored_events, "webhookEvents");
    /// Region to which it is restricted, with the regions below; null for the whole ledger.
    region: Option<Region> = Kind::One(<Region as Noun>::table, "region_id");
    /// Whether messages are queued for it and delivered.
    isEnabled: bool = Kind::Boolean("is_enabled");
    /// Number of attempts that have failed since the last success; 0 while it takes messages.
    failures: i32 = Kind::Column("failures");
    /// When the first of them failed; null while it takes messages.
    failingSince: Option<Moment> = Kind::Column("failing_since");
    /// When it was disabled because it had failed for three days, or said that it is gone (410); null if it was not.
    stoppedAt: Option<Moment> = Kind::Column("stopped_at");
    /// Moment until which messages are also signed with the secret before the last rotation; null if there is none.
    previousSecretUntil: Option<Moment> = Kind::Column("previous_until");
    /// When it was entered.
    createdAt: Moment = Kind::Column("created_at");
}

const DELIVERY_GROUPS: &[Dimension] = &[
    Dimension::plain("STATE", "发送状态 · How far the message has come.", "{t}.state"),
    Dimension::plain("EVENT", "事件 · Kind of event that the message tells.", "{t}.event"),
];

noun! {
    /// A message about one event to one receiver, with what became of it.
    pub(crate) WebhookDelivery from "webhook_delivery" as "delivery" {
        order: &[CREATED_AT.reversed()],
        total: None,
        filter: WebhookDeliveryFilter,
        by: WebhookDeliveryOrder,
        groups: DELIVERY_GROUPS
    }
    /// Global id of the message, for example `delivery_12`; the header `webhook-id` of every attempt.
    id: ID = Kind::Id;
    /// Receiver of the message.
    webhook: Webhook = Kind::One(<Webhook as Noun>::table, "webhook_id");
    /// Kind of the event, as in the message: `closed`, or `test` for a test.
    event: String = Kind::Column("event");
    /// Delivery state of the message.
    state: DeliveryState = Kind::Column("state");
    /// Number of attempts so far; sending the message again resets it to 0.
    attempts: i32 = Kind::Column("attempts");
    /// Earliest moment of the next attempt while the message is queued.
    nextAttemptAt: Moment = Kind::Column("next_attempt_at");
    /// When the message was last tried; null before the first attempt.
    attemptedAt: Option<Moment> = Kind::Column("attempted_at");
    /// When the receiver accepted the message; null before that.
    deliveredAt: Option<Moment> = Kind::Column("delivered_at");
    /// HTTP status of the last answer; null if there was no answer.
    status: Option<i32> = Kind::Column("status");
    /// First 1,024 bytes of the last answer, with long numbers and secrets masked; null if there was no answer.
    answer: Option<String> = Kind::Column("answer");
    /// Why the last attempt failed; null if there was none, or the message was accepted.
    lastError: Option<String> = Kind::Column("last_error");
    /// When the message was queued.
    createdAt: Moment = Kind::Column("created_at");
}

order! { WebhookOrder by WebhookOrderField {
    /// 名称 · Name by which administrators know it.
    Name = NAME,
} }

order! { WebhookDeliveryOrder by WebhookDeliveryOrderField {
    /// 入队时间 · Moment at which the message was queued.
    CreatedAt = CREATED_AT,
} }

filter! {
    /// Conditions on receivers of messages. All that are given have to hold.
    WebhookFilter {
        /// Condition on the name.
        name: TextFilter = |name| name.condition("name", &["name"]),
    }
}

filter! {
    /// Conditions on messages to other systems. All that are given have to hold.
    WebhookDeliveryFilter {
        /// Condition on the receiver of the message.
        webhook: RelationFilter<WebhookFilter> = |webhook| webhook.condition("webhook_id", <Webhook as Noun>::table()),
        /// Condition on the kind of the event, such as `closed`.
        event: TextFilter = |event| event.condition("event", &["event"]),
        /// The message is in one of these delivery states.
        state: Vec<DeliveryState> = |states| one_of::<_, StoredState>("state", states),
    }
}

payload! {
    /// Result of a mutation on a receiver.
    WebhookPayload {
        /// The receiver after the mutation; null if the mutation was refused.
        webhook: Webhook,
        /// Why the mutation was refused; empty if it succeeded.
        errors
    }
}

payload! {
    /// Result of a mutation on a message to another system.
    WebhookDeliveryPayload {
        /// The message, which is sent as soon as possible; null if the mutation was refused.
        delivery: WebhookDelivery,
        /// Why the mutation was refused; empty if it succeeded.
        errors
    }
}

/// Result of a mutation that gives a receiver a secret.
pub(crate) struct WebhookSecretPayload {
    key: Option<i64>,
    secret: Option<String>,
    errors: Vec<UserError>,
}

impl WebhookSecretPayload {
    fn of(done: ledger::Result<(i64, Option<String>)>, request: &Request) -> async_graphql::Result<Self> {
        let (done, errors) = outcome(done, request.language)?;
        let (key, secret) = done.unzip();
        Ok(Self { key, secret: secret.flatten(), errors })
    }
}

/// Result of a mutation that gives a receiver a secret.
#[Object]
impl WebhookSecretPayload {
    /// The receiver after the mutation; null if the mutation was refused.
    async fn webhook(&self, ctx: &Context<'_>) -> Option<planner::Planned<Webhook>> {
        read::back(ctx, self.key?).await
    }

    /// The new secret of a standard receiver, `whsec_…`. It is returned only here, never again. Null for a robot.
    async fn secret(&self) -> Option<&str> {
        self.secret.as_deref()
    }

    /// Why the mutation was refused; empty if it succeeded.
    async fn errors(&self) -> &[UserError] {
        &self.errors
    }

    #[graphql(flatten)]
    #[expect(clippy::unused_async, reason = "as the library calls it")]
    async fn reread(&self) -> Reread {
        Reread
    }
}

/// Input of `createWebhook`: a receiver, and what it is told of.
#[derive(InputObject)]
pub(crate) struct CreateWebhookInput {
    /// Name by which administrators know it, 1 to 60 characters.
    name: String,
    /// Shape of its messages.
    #[graphql(default_with = "WebhookKind::Standard")]
    kind: WebhookKind,
    /// Address to which messages are posted; `https://`, except for networks that the setting `webhook_allow` names.
    #[graphql(secret)]
    url: String,
    /// Secret of a DingTalk robot that expects signatures (加签); not for other kinds.
    #[graphql(secret)]
    secret: Option<String>,
    /// Events that it is told of; left out or empty for all.
    events: Option<Vec<LedgerEvent>>,
    /// Global id of the region to which it is restricted, with the regions below; left out for the whole ledger.
    region_id: Option<ID>,
}

/// Input of `editWebhook`: the fields to change. A field that is left out keeps its value.
#[derive(InputObject)]
pub(crate) struct EditWebhookInput {
    /// Global id of the receiver.
    webhook_id: ID,
    /// Name by which administrators know it, 1 to 60 characters.
    name: MaybeUndefined<String>,
    /// Address to which messages are posted.
    #[graphql(secret)]
    url: MaybeUndefined<String>,
    /// Events that it is told of; an empty list or null for all.
    events: MaybeUndefined<Vec<LedgerEvent>>,
    /// Global id of the region to which it is restricted; null for the whole ledger.
    region_id: MaybeUndefined<ID>,
    /// Whether it is told of events. Enabled again, it also gets what still waits.
    is_enabled: MaybeUndefined<bool>,
}

/// Input of `deleteWebhook`: the receiver to delete.
#[derive(InputObject)]
pub(crate) struct DeleteWebhookInput {
    /// Global id of the receiver.
    webhook_id: ID,
}

/// Input of `rotateWebhookSecret`: the receiver that gets another secret.
#[derive(InputObject)]
pub(crate) struct RotateWebhookSecretInput {
    /// Global id of the receiver.
    webhook_id: ID,
    /// New secret of a DingTalk robot, from its settings; not for other kinds.
    #[graphql(secret)]
    secret: Option<String>,
}

/// Input of `testWebhook`: the receiver to try.
#[derive(InputObject)]
pub(crate) struct TestWebhookInput {
    /// Global id of the receiver.
    webhook_id: ID,
}

/// Input of `resendDelivery`: the message to send again.
#[derive(InputObject)]
pub(crate) struct ResendDeliveryInput {
    /// Global id of the message.
    delivery_id: ID,
}

/// Returns the stored events of an input.
fn given(events: Option<Vec<LedgerEvent>>) -> Vec<ledger::work::event::Event> {
    events.unwrap_or_default().into_iter().map(Into::into).collect()
}

/// Mutations on receivers of messages to other systems, and on these messages.
#[derive(Default)]
pub(crate) struct WebhookMutation;

#[Object]
impl WebhookMutation {
    /// Enters a receiver of messages about events of the ledger. Restricted to administrators.
    async fn create_webhook(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Receiver, and what it is told of.")] input: CreateWebhookInput,
    ) -> async_graphql::Result<WebhookSecretPayload> {
        let request = ctx.data::<Request>()?;
        let new = keep::New {
            name: input.name,
            kind: input.kind.into(),
            url: input.url,
            secret: input.secret,
            events: given(input.events),
            region: input.region_id.map(|id| key_of::<Region>(&id)),
        };
        WebhookSecretPayload::of(Box::pin(keep::create(&request.acting(), new)).await, request)
    }

    /// Edits a receiver, or disables or enables it. Restricted to administrators.
    async fn edit_webhook(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Receiver and fields to change.")] input: EditWebhookInput,
    ) -> async_graphql::Result<WebhookPayload> {
        let request = ctx.data::<Request>()?;
        let edited = async {
            let changes = keep::Changes {
                name: patch(input.name, "name")?,
                url: patch(input.url, "url")?,
                events: match input.events {
                    MaybeUndefined::Undefined => keep::Changes::default().events,
                    MaybeUndefined::Null => ledger::keep::Patch::Set(Vec::new()),
                    MaybeUndefined::Value(events) => ledger::keep::Patch::Set(given(Some(events))),
                },
                region: clearable(input.region_id.map_value(|id| key_of::<Region>(&id))),
                is_enabled: patch(input.is_enabled, "isEnabled")?,
            };
            keep::edit(&request.acting(), key_of::<Webhook>(&input.webhook_id), changes).await
        };
        WebhookPayload::of(Box::pin(edited).await, request)
    }

    /// Deletes a receiver with its messages. Restricted to administrators.
    async fn delete_webhook(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Receiver to delete.")] input: DeleteWebhookInput,
    ) -> async_graphql::Result<DeletePayload> {
        let request = ctx.data::<Request>()?;
        let done = Box::pin(keep::delete(&request.acting(), key_of::<Webhook>(&input.webhook_id))).await;
        DeletePayload::of(done, input.webhook_id, request.language)
    }

    /// Gives a receiver another secret. A standard receiver gets messages signed with the earlier one too, for a day.
    /// Restricted to administrators.
    async fn rotate_webhook_secret(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Receiver, and the secret of a robot.")] input: RotateWebhookSecretInput,
    ) -> async_graphql::Result<WebhookSecretPayload> {
        let request = ctx.data::<Request>()?;
        let key = key_of::<Webhook>(&input.webhook_id);
        WebhookSecretPayload::of(Box::pin(keep::rotate(&request.acting(), key, input.secret)).await, request)
    }

    /// Sends a receiver a message of the kind `test`. `webhookDeliveries` shows what became of it. Restricted to
    /// administrators.
    async fn test_webhook(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Receiver to try.")] input: TestWebhookInput,
    ) -> async_graphql::Result<WebhookDeliveryPayload> {
        let request = ctx.data::<Request>()?;
        let key = key_of::<Webhook>(&input.webhook_id);
        WebhookDeliveryPayload::of(Box::pin(keep::test(&request.acting(), key)).await, request)
    }

    /// Sends a message again that was delivered or failed, with the same id. Restricted to administrators.
    async fn resend_delivery(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Message to send again.")] input: ResendDeliveryInput,
    ) -> async_graphql::Result<WebhookDeliveryPayload> {
        let request = ctx.data::<Request>()?;
        let key = key_of::<WebhookDelivery>(&input.delivery_id);
        WebhookDeliveryPayload::of(Box::pin(keep::resend(&request.acting(), key)).await, request)
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::resolver_utils::EnumType;
    use ledger::work::event::Event;

    use super::*;

    #[test]
    fn events_are_called_by_the_kinds_of_their_messages() {
        for item in LedgerEvent::items() {
            let event: Event = item.value.into();
            assert_eq!(item.name, event.rule().kind.to_uppercase().replace('-', "_"));
        }
    }
}
