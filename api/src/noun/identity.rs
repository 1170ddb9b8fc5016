//! Signing in by a provider, as pages see it: whether there is one, and the session that the way there and back ends with.

use async_graphql::{Context, InputObject, Object, SimpleObject};
use ledger::people::identity as acts;

use crate::context::Request;
use crate::noun::sign_in::SignInPayload;

/// A provider that people sign in by (统一身份认证).
#[derive(SimpleObject)]
pub(crate) struct SignInProvider {
    /// What the button says.
    name: String,
    /// Where a page sends the browser, adding `?challenge=…&to=…`: the SHA-256 in hexadecimal of a random text that only the
    /// page knows, and the page's own address, which the browser comes back to with `#sign-in-code=…`.
    url: String,
}

/// A sign-in by the provider, as the page ends it.
#[derive(InputObject)]
pub(crate) struct SignInWithCodeInput {
    /// What came back behind `#sign-in-code=`; it works once, within a minute.
    #[graphql(secret)]
    code: String,
    /// The random text whose SHA-256 was the challenge.
    #[graphql(secret)]
    proof: String,
}

/// Asking whether there is a provider.
#[derive(Default)]
pub(crate) struct IdentityQuery;

#[Object]
impl IdentityQuery {
    /// The provider that people sign in by; null where there is none.
    #[expect(clippy::unused_async, reason = "fields are asynchronous")]
    async fn sign_in_provider(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<SignInProvider>> {
        let provider = ctx.data::<Request>()?.provider.as_ref();
        Ok(provider.map(|oidc| SignInProvider { name: oidc.name.clone(), url: oidc.departure() }))
    }
}

/// What is done with what a provider said.
#[derive(Default)]
pub(crate) struct IdentityMutation;

#[Object]
impl IdentityMutation {
    /// Opens a session with the code that a sign-in by the provider ended with.
    async fn sign_in_with_code(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The code, and the proof of who asked for it.")] input: SignInWithCodeInput,
    ) -> async_graphql::Result<SignInPayload> {
        let request = ctx.data::<Request>()?;
        let given = (input.code.as_str(), input.proof.as_str());
        SignInPayload::of(acts::redeem(&request.desk(), given).await, request)
    }
}
