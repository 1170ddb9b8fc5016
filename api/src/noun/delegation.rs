//! Delegation (委托): while an account is away, a colleague acts with its rights, and every act is recorded under both
//! names.

use async_graphql::{Context, ID, InputObject, Object};
use ledger::people::delegation as acts;
use planner::{Kind, Noun, SortKey, SortType, noun};

use crate::context::Request;
use crate::noun::account::Account;
use crate::noun::sign_in::SignInPayload;
use crate::part::payload::{key_of, payload};
use crate::part::scalar::Moment;

const KEY: SortKey = SortKey::column("{t}.id", "id", SortType::Integer);

noun! {
    /// A delegation (委托): which account acts for which, and until when. Visible to these two accounts only.
    pub(crate) Delegation from "delegation" as "delegation" {
        order: &[KEY.reversed()],
        total: None
    }
    /// Global id of the delegation, for example `delegation_3`.
    id: ID = Kind::Id;
    /// Account that is away, whose rights are delegated.
    account: Account = Kind::One(<Account as Noun>::table, "account_id");
    /// Account that acts on its behalf.
    delegate: Account = Kind::One(<Account as Noun>::table, "delegate_id");
    /// Reason for the delegation, such as 出差 or 休假.
    reason: String = Kind::Column("reason");
    /// When the delegation begins.
    beginsAt: Moment = Kind::Column("begins_at");
    /// When the delegation ends.
    endsAt: Moment = Kind::Column("ends_at");
    /// When the delegation was revoked before its end; null if it was not.
    revokedAt: Option<Moment> = Kind::Column("revoked_at");
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

/// Input of `revokeDelegation`: the delegation to revoke.
#[derive(InputObject)]
pub(crate) struct RevokeDelegationInput {
    /// Global id of the delegation to revoke.
    delegation_id: ID,
}

/// Input of `actFor`: the delegation to act under.
#[derive(InputObject)]
pub(crate) struct ActForInput {
    /// Global id of the delegation to act under.
    delegation_id: ID,
}

payload! {
    /// Result of a mutation on a delegation.
    DelegationPayload {
        /// The delegation after the mutation; null if the mutation was refused.
        delegation: Delegation,
        /// Why the mutation was refused; empty if it succeeded.
        errors
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
        let done = acts::make(&request.db, &request.by, &new, request.now).await;
        DelegationPayload::of(done.map(|row| row.id), request)
    }

    /// Revokes a delegation that the caller has made, and ends the sessions opened with it.
    async fn revoke_delegation(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Delegation to revoke.")] input: RevokeDelegationInput,
    ) -> async_graphql::Result<DelegationPayload> {
        let request = ctx.data::<Request>()?;
        let key = key_of::<Delegation>(&input.delegation_id);
        let done = acts::revoke(&request.db, &request.by, key, request.now).await;
        DelegationPayload::of(done.map(|row| row.id), request)
    }

    /// Opens a session in which the caller acts for the account that delegated to them. The session ends with the
    /// delegation, and after 12 hours at the latest.
    async fn act_for(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Delegation to act under.")] input: ActForInput,
    ) -> async_graphql::Result<SignInPayload> {
        let request = ctx.data::<Request>()?;
        let key = key_of::<Delegation>(&input.delegation_id);
        SignInPayload::of(acts::act(&request.db, &request.by, key, request.now).await, request)
    }
}
