//! Signing in and out, the first account of an installation, the second factor, forgotten passwords, and one's own recent
//! sign-ins.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use entity::{account, region};
use ledger::people::account::sign_in::{self as acts, Given};
use ledger::people::account::{Opened, link, second_factor, session};
use sea_orm::{ColumnTrait, EntityTrait, JoinType, QueryFilter, QueryOrder, QuerySelect};
use tokio::time::Instant;

use crate::context::Request;
use crate::error::masked;
use crate::gate::credentials::hold_back;
use crate::noun::account::{Account, Role};
use crate::part::payload::{UserError, bare, key_of, outcome};
use crate::part::scalar::Moment;

/// How many of one's own sign-ins are told at most.
const MOST: i32 = 100;

/// Who signs in.
#[derive(InputObject)]
pub(crate) struct SignInInput {
    /// The sign-in address.
    email: String,
    /// The password.
    #[graphql(secret)]
    password: String,
    /// The six digits that the authenticator app shows, or a recovery code; asked for by `SECOND_FACTOR_REQUIRED`.
    #[graphql(secret)]
    code: Option<String>,
}

/// The first administrator of an installation.
#[derive(InputObject)]
pub(crate) struct CreateFirstAccountInput {
    /// The set-up code that the server printed when it started.
    #[graphql(secret)]
    code: String,
    /// The sign-in address.
    email: String,
    /// The name shown to colleagues.
    name: String,
    /// The password, 12 characters at least.
    #[graphql(secret)]
    password: String,
}

/// Who has forgotten the password.
#[derive(InputObject)]
pub(crate) struct RequestPasswordResetInput {
    /// The sign-in address.
    email: String,
}

/// A password set with the link of a mail.
#[derive(InputObject)]
pub(crate) struct SetPasswordWithLinkInput {
    /// What stands behind `#token=` in the link; it works once.
    #[graphql(secret)]
    token: String,
    /// The new password, 12 characters at least.
    #[graphql(secret)]
    password: String,
}

/// Setting up the second factor.
#[derive(InputObject)]
pub(crate) struct EnrolSecondFactorInput {
    /// The current password; none for who has none and signed in within the last ten minutes.
    #[graphql(secret)]
    current_password: Option<String>,
}

/// The proof that the app has the secret.
#[derive(InputObject)]
pub(crate) struct ConfirmSecondFactorInput {
    /// The six digits that the app shows.
    #[graphql(secret)]
    code: String,
}

/// Removing the second factor.
#[derive(InputObject)]
pub(crate) struct RemoveSecondFactorInput {
    /// The account; one's own when left out. Administrators remove anybody's.
    account_id: Option<ID>,
    /// The password of who asks.
    #[graphql(secret)]
    current_password: Option<String>,
    /// A code of the app or a recovery code; for one's own.
    #[graphql(secret)]
    code: Option<String>,
}

/// What came of signing in, or of making a token.
#[derive(SimpleObject)]
pub(crate) struct SignInPayload {
    /// What to send as `Authorization: Bearer …`, and in `connection_init` as `{"authorization": "Bearer …"}`. It is shown
    /// this once.
    token: Option<String>,
    /// When it ends by itself.
    expires_at: Option<Moment>,
    /// Whether the session only serves to set up the second factor that the role demands: `enrolSecondFactor`, then
    /// `confirmSecondFactor`, after which it has the account's rights.
    must_set_up_second_factor: bool,
    /// Why there is none; empty when there is.
    errors: Vec<UserError>,
}

impl SignInPayload {
    /// From what an act gives.
    pub(crate) fn of(done: ledger::Result<Opened>, request: &Request) -> async_graphql::Result<Self> {
        let (opened, errors) = outcome(done, request.language)?;
        let expires_at = opened.as_ref().map(|opened| Moment(opened.session.expires_at));
        let must_set_up_second_factor = opened.as_ref().is_some_and(|opened| opened.session.is_limited);
        Ok(Self { token: opened.map(|opened| opened.secret), expires_at, must_set_up_second_factor, errors })
    }
}

/// What came of ending a session.
#[derive(SimpleObject)]
pub(crate) struct EndSessionPayload {
    /// Whether it was open and is ended now.
    ended: bool,
    /// Why it was not ended; empty where it was, and where there was none to end.
    errors: Vec<UserError>,
}

impl EndSessionPayload {
    /// From what an act gives.
    pub(crate) fn of(done: ledger::Result<bool>, request: &Request) -> async_graphql::Result<Self> {
        let (ended, errors) = outcome(done, request.language)?;
        Ok(Self { ended: ended.unwrap_or(false), errors })
    }
}

/// What came of something that gives nothing.
#[derive(SimpleObject)]
pub(crate) struct DonePayload {
    /// Whether it was taken.
    is_done: bool,
    /// Why it was not; empty when it was.
    errors: Vec<UserError>,
}

impl DonePayload {
    fn of(done: ledger::Result<()>, request: &Request) -> async_graphql::Result<Self> {
        let (done, errors) = outcome(done, request.language)?;
        Ok(Self { is_done: done.is_some(), errors })
    }
}

/// What an authenticator app has to be told.
#[derive(SimpleObject)]
pub(crate) struct EnrolSecondFactorPayload {
    /// The secret in Base32, to be typed into the app; it is shown this once.
    secret: Option<String>,
    /// The same as an `otpauth://` address, to be shown as a QR code.
    url: Option<String>,
    /// Why there is none; empty when there is.
    errors: Vec<UserError>,
}

/// What came of confirming the second factor.
#[derive(SimpleObject)]
pub(crate) struct ConfirmSecondFactorPayload {
    /// Ten codes to sign in with when the app is lost, each once; they are shown this once.
    recovery_codes: Vec<String>,
    /// Why there are none; empty when there are.
    errors: Vec<UserError>,
}

/// How an installation stands to who asks.
#[derive(SimpleObject)]
pub(crate) struct Installation {
    /// Whether it is open: nobody has an account but the demo's, and whoever asks from this machine may read and write
    /// everything without signing in.
    is_open: bool,
    /// Whether the first account is still to be made, with the set-up code that the server printed when it started.
    needs_set_up: bool,
}

/// A sign-in of one's own, or an attempt at one.
#[derive(SimpleObject)]
pub(crate) struct SignIn {
    /// When.
    at: Moment,
    /// From which network address; null where it is not known.
    address: Option<String>,
    /// Whether it opened a session.
    has_succeeded: bool,
    /// What it was done with: `PASSWORD`, `TOTP`, `RECOVERY_CODE`, `PROVIDER`, `DELEGATION`, `DEMO`, `SET_UP`; null for one
    /// that failed.
    means: Option<String>,
}

/// An account of the demo, to be signed in to by one click.
#[derive(SimpleObject)]
pub(crate) struct DemoAccount {
    /// The account's global id, to sign in with.
    account_id: ID,
    /// The name.
    name: String,
    /// What it may see and do.
    role: Role,
    /// The name of the region that its role is about.
    region: Option<String>,
}

/// Asking how one gets in.
#[derive(Default)]
pub(crate) struct SignInQuery;

#[Object]
impl SignInQuery {
    /// How the installation stands to who asks: open, closed, or still to be set up.
    async fn installation(&self, ctx: &Context<'_>) -> async_graphql::Result<Installation> {
        let request = ctx.data::<Request>()?;
        let is_open = request.is_open().await?;
        Ok(Installation { is_open, needs_set_up: !is_open && !request.has_accounts().await? })
    }

    /// The accounts that the demo made; empty unless the installation is open to who asks.
    async fn demo_accounts(&self, ctx: &Context<'_>) -> async_graphql::Result<Vec<DemoAccount>> {
        let request = ctx.data::<Request>()?;
        if !request.is_open().await? {
            return Ok(Vec::new());
        }
        let place =
            account::Entity::belongs_to(region::Entity).from(account::Column::RegionId).to(region::Column::Id).into();
        let found = account::Entity::find()
            .select_also(region::Entity)
            .join(JoinType::LeftJoin, place)
            .filter(account::Column::IsDemo.eq(true))
            .order_by_asc(account::Column::Id);
        let rows = found.all(&request.db).await.map_err(|failure| masked(&failure))?;
        let account = |(row, place): (account::Model, Option<region::Model>)| DemoAccount {
            account_id: ID(format!("account_{}", row.id)),
            name: row.name,
            role: row.role.into(),
            region: place.map(|place| place.name),
        };
        Ok(rows.into_iter().map(account).collect())
    }

    /// One's own recent sign-ins and attempts at them, the newest first: look for what was not you.
    async fn my_sign_ins(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, at most 100.", default = 20)] first: i32,
    ) -> async_graphql::Result<Vec<SignIn>> {
        let request = ctx.data::<Request>()?;
        let most = u64::try_from(first.clamp(0, MOST)).unwrap_or_default();
        let found = acts::recent(&request.desk(), most).await.map_err(|failure| masked(&failure))?;
        let told = |one: acts::SignIn| SignIn {
            at: Moment(one.at),
            address: one.address,
            has_succeeded: one.has_succeeded,
            means: one.means,
        };
        Ok(found.into_iter().map(told).collect())
    }
}

/// Getting in and out.
#[derive(Default)]
pub(crate) struct SignInMutation;

#[Object]
impl SignInMutation {
    /// Opens a session with an address and a password, and the code of a second factor where there is one. From the fifth
    /// wrong password in a row on, each pauses the account, one minute at first, then twice as long each time; its owner is
    /// told by mail.
    async fn sign_in(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who signs in.")] input: SignInInput,
    ) -> async_graphql::Result<SignInPayload> {
        let request = ctx.data::<Request>()?;
        let given = Given { email: &input.email, password: &input.password, code: input.code.as_deref() };
        let done = no_sooner(Box::pin(acts::sign_in(&request.desk(), given, &request.demanding))).await;
        SignInPayload::of(done, request)
    }

    /// Opens a session as an account of the demo; only while the installation is open to who asks.
    async fn sign_in_as_demo(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The account.")] account_id: ID,
    ) -> async_graphql::Result<SignInPayload> {
        let request = ctx.data::<Request>()?;
        let is_open = request.is_open().await?;
        let key = key_of::<Account>(&account_id).filter(|_| is_open);
        SignInPayload::of(bare(acts::open_demo(&request.desk(), key).await), request)
    }

    /// Makes the first account, an administrator's, with the set-up code, and opens a session of it.
    async fn create_first_account(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The set-up code and the account.")] input: CreateFirstAccountInput,
    ) -> async_graphql::Result<SignInPayload> {
        let request = ctx.data::<Request>()?;
        let first = link::First { code: input.code, email: input.email, name: input.name, password: input.password };
        SignInPayload::of(no_sooner(Box::pin(link::set_up_first(&request.desk(), first))).await, request)
    }

    /// Ends the session that asks.
    async fn sign_out(&self, ctx: &Context<'_>) -> async_graphql::Result<EndSessionPayload> {
        let request = ctx.data::<Request>()?;
        let done = match request.by.session {
            Some(own) => session::revoke(&request.desk(), own).await,
            None => Ok(false),
        };
        EndSessionPayload::of(done, request)
    }

    /// Sends a link for a new password to an address, if it has an account. The answer is the same whether it has one.
    async fn request_password_reset(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The address.")] input: RequestPasswordResetInput,
    ) -> async_graphql::Result<DonePayload> {
        let request = ctx.data::<Request>()?;
        let begun = Instant::now();
        let done = link::ask(&request.desk(), &input.email).await;
        hold_back(begun);
        DonePayload::of(done, request)
    }

    /// Sets a password with the link of an invitation or of a forgotten password, and ends every session, token and
    /// delegation of the account.
    async fn set_password_with_link(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The link's token and the new password.")] input: SetPasswordWithLinkInput,
    ) -> async_graphql::Result<DonePayload> {
        let request = ctx.data::<Request>()?;
        let done = no_sooner(Box::pin(link::redeem(&request.desk(), &input.token, input.password))).await;
        DonePayload::of(done, request)
    }

    /// Draws a secret for an authenticator app (TOTP, six digits, 30 seconds, SHA-1). Nothing is asked for at sign-in until
    /// `confirmSecondFactor`.
    async fn enrol_second_factor(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who it is.")] input: EnrolSecondFactorInput,
    ) -> async_graphql::Result<EnrolSecondFactorPayload> {
        let request = ctx.data::<Request>()?;
        let done = second_factor::enrol(&request.desk(), input.current_password.as_deref()).await;
        let (drawn, errors) = outcome(done, request.language)?;
        let (secret, url) = drawn.map(|drawn| (drawn.secret, drawn.url)).unzip();
        Ok(EnrolSecondFactorPayload { secret, url, errors })
    }

    /// Asks for the second factor at every sign-in from now on, once a code shows that the app has the secret.
    async fn confirm_second_factor(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The code.")] input: ConfirmSecondFactorInput,
    ) -> async_graphql::Result<ConfirmSecondFactorPayload> {
        let request = ctx.data::<Request>()?;
        let (codes, errors) = outcome(second_factor::confirm(&request.desk(), &input.code).await, request.language)?;
        Ok(ConfirmSecondFactorPayload { recovery_codes: codes.unwrap_or_default(), errors })
    }

    /// Removes the second factor: one's own, with a code of it, or as an administrator anybody's. Ends the account's other
    /// sessions.
    async fn remove_second_factor(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whose, and the proofs.")] input: RemoveSecondFactorInput,
    ) -> async_graphql::Result<DonePayload> {
        let request = ctx.data::<Request>()?;
        let whose = input.account_id.as_ref().map(|id| key_of::<Account>(id).unwrap_or_default());
        let (current, code) = (input.current_password.as_deref(), input.code.as_deref());
        DonePayload::of(second_factor::remove(&request.desk(), whose, current, code).await, request)
    }
}

/// Carries out what may be refused; the answer to a refusal is held back.
async fn no_sooner<T>(act: impl Future<Output = ledger::Result<T>>) -> ledger::Result<T> {
    let begun = Instant::now();
    let done = act.await;
    if done.is_err() {
        hold_back(begun);
    }
    done
}
