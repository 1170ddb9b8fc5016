//! Delegation while somebody is away: a colleague acts with his rights, under both names.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use ledger::people::delegation as acts;

use crate::context::Request;
use crate::error::masked;
use crate::noun::account::Account;
use crate::noun::sign_in::SignInPayload;
use crate::part::payload::{UserError, key_of, outcome};
use crate::part::scalar::Moment;

/// Who acts for whom, and until when.
#[derive(SimpleObject)]
pub(crate) struct Delegation {
    /// Stands for the delegation in `actFor` and `revokeDelegation`.
    id: ID,
    /// The account that is away.
    account_id: ID,
    /// The account that acts.
    delegate_id: ID,
    /// Why.
    reason: String,
    /// From when.
    begins_at: Moment,
    /// Until when.
    ends_at: Moment,
    /// When it was ended early.
    revoked_at: Option<Moment>,
}

impl From<entity::delegation::Model> for Delegation {
    fn from(row: entity::delegation::Model) -> Self {
        Self {
            id: ID(format!("delegation_{}", row.id)),
            account_id: ID(format!("account_{}", row.account_id)),
            delegate_id: ID(format!("account_{}", row.delegate_id)),
            reason: row.reason,
            begins_at: Moment(row.begins_at),
            ends_at: Moment(row.ends_at),
            revoked_at: row.revoked_at.map(Moment),
        }
    }
}

/// Whom to delegate to.
#[derive(InputObject)]
pub(crate) struct DelegateInput {
    /// The colleague's account.
    delegate_id: ID,
    /// Why: 出差, 休假 …
    reason: String,
    /// Until when, within 90 days.
    ends_at: Moment,
}

/// What came of delegating.
#[derive(SimpleObject)]
pub(crate) struct DelegationPayload {
    /// The delegation; null when nothing was done.
    delegation: Option<Delegation>,
    /// Why nothing was done; empty when it was.
    errors: Vec<UserError>,
}

impl DelegationPayload {
    fn of(done: ledger::Result<entity::delegation::Model>, request: &Request) -> async_graphql::Result<Self> {
        let (row, errors) = outcome(done, request.language)?;
        Ok(Self { delegation: row.map(Into::into), errors })
    }
}

/// The key in an id of a delegation.
fn key(id: &ID) -> Option<i64> {
    id.strip_prefix("delegation_")?.parse().ok()
}

/// Asking who acts for whom.
#[derive(Default)]
pub(crate) struct DelegationQuery;

#[Object]
impl DelegationQuery {
    /// The delegations that one has made or received, the newest first.
    async fn my_delegations(&self, ctx: &Context<'_>) -> async_graphql::Result<Vec<Delegation>> {
        let request = ctx.data::<Request>()?;
        let Some(account) = request.principal().account else { return Ok(Vec::new()) };
        let rows = acts::of(&request.db, account).await.map_err(|failure| masked(&failure))?;
        Ok(rows.into_iter().map(Into::into).collect())
    }
}

/// What is done about delegation.
#[derive(Default)]
pub(crate) struct DelegationMutation;

#[Object]
impl DelegationMutation {
    /// Lets a colleague act with one's rights while one is away. Whatever he does bears both names.
    async fn delegate(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whom, why and until when.")] input: DelegateInput,
    ) -> async_graphql::Result<DelegationPayload> {
        let request = ctx.data::<Request>()?;
        let delegate = key_of::<Account>(&input.delegate_id);
        let new = acts::New { delegate, reason: input.reason, ends_at: input.ends_at.0 };
        DelegationPayload::of(acts::make(&request.db, &request.by, &new, request.now).await, request)
    }

    /// Ends a delegation that one has made, and the sessions that it opened.
    async fn revoke_delegation(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The delegation.")] delegation_id: ID,
    ) -> async_graphql::Result<DelegationPayload> {
        let request = ctx.data::<Request>()?;
        DelegationPayload::of(acts::revoke(&request.db, &request.by, key(&delegation_id), request.now).await, request)
    }

    /// Opens a session in which one acts for who delegated to one; it ends with the delegation at the latest.
    async fn act_for(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The delegation.")] delegation_id: ID,
    ) -> async_graphql::Result<SignInPayload> {
        let request = ctx.data::<Request>()?;
        let done = acts::act(&request.db, &request.by, key(&delegation_id), request.now).await;
        SignInPayload::of(done, request)
    }
}
