//! Sign-in at an identity provider (OpenID Connect), as pages use it: whether a provider is configured, and the session
//! that the sign-in ends with.

use async_graphql::{Context, InputObject, Object, SimpleObject};
use ledger::people::identity as acts;

use crate::context::Request;
use crate::noun::sign_in::SignInPayload;

/// An identity provider (统一身份认证) that users sign in at.
#[derive(SimpleObject)]
pub(crate) struct SignInProvider {
    /// Name of the provider, for the label of the sign-in button.
    name: String,
    /// Absolute address to which a page sends the browser with `?challenge=…&to=…` appended. `challenge` is the
    /// SHA-256, in lower-case hexadecimal, of a random text that only the page knows; `to` is the page's own address,
    /// to which the browser returns with `#sign-in-code=…`.
    url: String,
}

/// Input of `signInWithCode`: the code of a sign-in at the identity provider, and the proof for it.
#[derive(InputObject)]
pub(crate) struct SignInWithCodeInput {
    /// Code that the browser brought back behind `#sign-in-code=`. It works once, within a minute.
    #[graphql(secret)]
    code: String,
    /// Random text whose SHA-256 was sent as `challenge`; it proves that the same page began the sign-in.
    #[graphql(secret)]
    proof: String,
}

/// Queries for the identity provider.
#[derive(Default)]
pub(crate) struct IdentityQuery;

#[Object]
impl IdentityQuery {
    /// Returns the identity provider that users sign in at; null if none is configured. Works without sign-in.
    #[expect(clippy::unused_async, reason = "every resolver is an async function")]
    async fn sign_in_provider(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<SignInProvider>> {
        let provider = ctx.data::<Request>()?.provider.as_ref();
        Ok(provider.map(|oidc| SignInProvider { name: oidc.name.clone(), url: oidc.departure() }))
    }
}

/// Mutations that complete a sign-in at the identity provider.
#[derive(Default)]
pub(crate) struct IdentityMutation;

#[Object]
impl IdentityMutation {
    /// Opens a session with the code that a sign-in at the identity provider ended with. A code that is unknown, used
    /// or expired, or whose proof is wrong, is refused with `SIGN_IN_FAILED`; the first attempt uses the code up, even
    /// with a wrong proof.
    async fn sign_in_with_code(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Code, and the proof that the same page began the sign-in.")] input: SignInWithCodeInput,
    ) -> async_graphql::Result<SignInPayload> {
        let request = ctx.data::<Request>()?;
        let given = (input.code.as_str(), input.proof.as_str());
        SignInPayload::of(acts::redeem(&request.acting(), given).await, request)
    }
}
