//! The GraphQL schema: its query, mutation and subscription roots, merged from the parts that the nouns declare.

use async_graphql::{MergedObject, MergedSubscription, SDLExportOptions, Schema, SchemaBuilder};

use crate::graphql::feed::LedgerSubscription;
use crate::graphql::query::Reads;
use crate::noun::account::AccountMutation;
use crate::noun::accountability::AccountabilityMutation;
use crate::noun::assignment::AssignmentMutation;
use crate::noun::briefing::BriefingQuery;
use crate::noun::calendar::{CalendarMutation, CalendarQuery};
use crate::noun::case::CaseMutation;
use crate::noun::check::CheckMutation;
use crate::noun::close_out::CloseOutMutation;
use crate::noun::delegation::DelegationMutation;
use crate::noun::enum_label::EnumLabelQuery;
use crate::noun::extension::ExtensionMutation;
use crate::noun::health::HealthQuery;
use crate::noun::identity::{IdentityMutation, IdentityQuery};
use crate::noun::import_decision::{ImportDecisionMutation, ImportDecisionQuery};
use crate::noun::job_report::JobMutation;
use crate::noun::leader::LeaderMutation;
use crate::noun::mail::MailMutation;
use crate::noun::mail_link::MailLinkQuery;
use crate::noun::mail_setting::MailSettingQuery;
use crate::noun::measure::MeasureMutation;
use crate::noun::ownership::OwnershipMutation;
use crate::noun::pending_import::{PendingImportMutation, PendingImportQuery};
use crate::noun::problem::ProblemMutation;
use crate::noun::published_figure::PublishedFigureMutation;
use crate::noun::region::RegionMutation;
use crate::noun::reminder_rule::{ReminderRuleMutation, ReminderRuleQuery};
use crate::noun::round::RoundMutation;
use crate::noun::round_result::RoundResultMutation;
use crate::noun::schedule::ScheduleMutation;
use crate::noun::self_inspection::SelfInspectionQuery;
use crate::noun::setting::SettingQuery;
use crate::noun::sign_in::{SignInMutation, SignInQuery};
use crate::noun::statistics::StatisticsQuery;
use crate::noun::supervision::SupervisionMutation;
use crate::noun::unit::UnitMutation;
use crate::noun::webhook::WebhookMutation;
use crate::noun::why_mail::WhyMailQuery;

/// The query root: all fields that read.
#[derive(MergedObject, Default)]
pub(crate) struct Query(
    Reads,
    StatisticsQuery,
    BriefingQuery,
    SignInQuery,
    IdentityQuery,
    CalendarQuery,
    ReminderRuleQuery,
    SelfInspectionQuery,
    WhyMailQuery,
    EnumLabelQuery,
    MailLinkQuery,
    MailSettingQuery,
    PendingImportQuery,
    ImportDecisionQuery,
    HealthQuery,
    SettingQuery,
);

/// The mutation root: all fields that write. The fields of one operation run one after the other, in document order.
// The parts are in groups, because a merged object nests the future of each part in that of the one before.
#[derive(MergedObject, Default)]
pub(crate) struct Mutation(WorkMutation, PeopleMutation, LedgerMutation, MachineMutation);

/// The mutations of the workflow of assignments and cases.
#[derive(MergedObject, Default)]
pub(crate) struct WorkMutation(
    AssignmentMutation,
    CheckMutation,
    CloseOutMutation,
    ExtensionMutation,
    SupervisionMutation,
    CaseMutation,
    AccountabilityMutation,
    OwnershipMutation,
);

/// The mutations on accounts and of signing in.
#[derive(MergedObject, Default)]
pub(crate) struct PeopleMutation(AccountMutation, SignInMutation, IdentityMutation, DelegationMutation);

/// The mutations that keep the ledger and its dictionaries.
#[derive(MergedObject, Default)]
pub(crate) struct LedgerMutation(
    RoundMutation,
    RoundResultMutation,
    PublishedFigureMutation,
    ProblemMutation,
    MeasureMutation,
    LeaderMutation,
    RegionMutation,
    UnitMutation,
);

/// The mutations on schedules, mails, webhooks, the calendar, rules of reminders and imports.
#[derive(MergedObject, Default)]
pub(crate) struct MachineMutation(
    ScheduleMutation,
    JobMutation,
    MailMutation,
    WebhookMutation,
    CalendarMutation,
    ReminderRuleMutation,
    PendingImportMutation,
    ImportDecisionMutation,
);

/// The subscription root: all fields that push changes as they happen.
#[derive(MergedSubscription, Default)]
pub(crate) struct Subscription(LedgerSubscription);

/// The type of the executable schema.
pub(crate) type Ledger = Schema<Query, Mutation, Subscription>;

/// Returns the builder of the schema, from its three roots.
fn builder() -> SchemaBuilder<Query, Mutation, Subscription> {
    Schema::build(Query::default(), Mutation::default(), Subscription::default())
}

/// Builds the executable schema. Introspection, and suggestions of similar names in validation errors, are enabled only
/// with `introspection`.
pub(crate) fn schema(introspection: bool) -> Ledger {
    if introspection { builder() } else { builder().disable_introspection().disable_suggestions() }.finish()
}

/// Returns the schema in GraphQL's schema definition language, as checked in at `api/schema.graphql`.
pub fn sdl() -> String {
    builder().finish().sdl_with_options(SDLExportOptions::new().include_specified_by().sorted_enum_items())
}
