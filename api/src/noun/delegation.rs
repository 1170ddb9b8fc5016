//! Delegation (委托): while an account is away, a colleague acts with its rights, and every act is recorded under both
//! names.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use ledger::people::delegation as acts;

use crate::context::Request;
use crate::error::masked;
use crate::noun::account::Account;
use crate::noun::sign_in::SignInPayload;
use crate::part::payload::{UserError, key_of, outcome};
use crate::part::scalar::Moment;

/// A delegation (委托): which account acts for which, and until when.
#[derive(SimpleObject)]
pub(crate) struct Delegation {
    /// Id of the delegation for `actFor` and `revokeDelegation`, such as `delegation_3`. It is not a global id: `node`
    /// does not resolve it.
    id: ID,
    /// Global id of the account that is away, whose rights are delegated.
    account_id: ID,
    /// Global id of the account that acts on its behalf.
    delegate_id: ID,
    /// Reason for the delegation, such as 出差 or 休假.
    reason: String,
    /// When the delegation begins.
    begins_at: Moment,
    /// When the delegation ends.
    ends_at: Moment,
    /// When the delegation was revoked before its end; null if it was not.
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

/// Input of `delegate`: the colleague who acts for the caller, and until when.
#[derive(InputObject)]
pub(crate) struct DelegateInput {
    /// Global id of the colleague's account. It belongs to the caller's unit; accounts without a unit delegate to one
    /// of the same role and region.
    delegate_id: ID,
    /// Reason for the delegation, such as 出差 or 休假: one line, 2 to 200 characters.
    reason: String,
    /// When the delegation ends: in the future, at most 90 days from now.
    ends_at: Moment,
}

/// Result of a mutation on a delegation.
#[derive(SimpleObject)]
pub(crate) struct DelegationPayload {
    /// The delegation after the mutation; null if the mutation was refused.
    delegation: Option<Delegation>,
    /// Why the mutation was refused; empty if it succeeded.
    errors: Vec<UserError>,
}

impl DelegationPayload {
    fn of(done: ledger::Result<entity::delegation::Model>, request: &Request) -> async_graphql::Result<Self> {
        let (row, errors) = outcome(done, request.language)?;
        Ok(Self { delegation: row.map(Into::into), errors })
    }
}

/// Returns the key in the id of a delegation.
fn key(id: &ID) -> Option<i64> {
    id.strip_prefix("delegation_")?.parse().ok()
}

/// Queries for delegations.
#[derive(Default)]
pub(crate) struct DelegationQuery;

#[Object]
impl DelegationQuery {
    /// Lists the delegations that the caller's account has made or received, newest first; empty for a caller without
    /// an account.
    async fn my_delegations(&self, ctx: &Context<'_>) -> async_graphql::Result<Vec<Delegation>> {
        let request = ctx.data::<Request>()?;
        let Some(account) = request.principal().account else { return Ok(Vec::new()) };
        let rows = acts::of(&request.db, account).await.map_err(|failure| masked(&failure))?;
        Ok(rows.into_iter().map(Into::into).collect())
    }
}

/// Mutations on delegations.
#[derive(Default)]
pub(crate) struct DelegationMutation;

#[Object]
impl DelegationMutation {
    /// Lets a colleague act with the caller's rights while the caller is away; every act is recorded under both names.
    /// The caller has to be signed in with their own account, not with a token or as a delegate. A colleague who acts
    /// for the caller already is a `CONFLICT`.
    async fn delegate(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Colleague, reason and end of the delegation.")] input: DelegateInput,
    ) -> async_graphql::Result<DelegationPayload> {
        let request = ctx.data::<Request>()?;
        let delegate = key_of::<Account>(&input.delegate_id);
        let new = acts::New { delegate, reason: input.reason, ends_at: input.ends_at.0 };
        DelegationPayload::of(acts::make(&request.db, &request.by, &new, request.now).await, request)
    }

    /// Revokes a delegation that the caller has made, and ends the sessions opened with it.
    async fn revoke_delegation(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Id of the delegation to revoke.")] delegation_id: ID,
    ) -> async_graphql::Result<DelegationPayload> {
        let request = ctx.data::<Request>()?;
        DelegationPayload::of(acts::revoke(&request.db, &request.by, key(&delegation_id), request.now).await, request)
    }

    /// Opens a session in which the caller acts for the account that delegated to them. The session ends with the
    /// delegation, and after 12 hours at the latest.
    async fn act_for(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Id of the delegation to act under.")] delegation_id: ID,
    ) -> async_graphql::Result<SignInPayload> {
        let request = ctx.data::<Request>()?;
        let done = acts::act(&request.db, &request.by, key(&delegation_id), request.now).await;
        SignInPayload::of(done, request)
    }
}
