//! What is remembered of imports (导入读法): how people have decided that columns, deadlines and texts are to be read.
//! The mutations change and forget decisions, and take over those of another office.

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};
use ledger::keep::decision;
use planner::{Bilingual, Condition, Dimension, Finish, Kind, Noun, SortKey, SortType, Sql, noun};
use sea_orm::ActiveEnum;
use serde_json::{Value as Json, json};
use workbook::Topic;

use crate::context::Request;
use crate::error::masked;
use crate::noun::account::Account;
use crate::noun::region::{Region, SubtreeFilter};
use crate::noun::round::InspectionRound;
use crate::part::filter::{TextFilter, filter, one_of};
use crate::part::group;
use crate::part::order::order;
use crate::part::payload::{DeletePayload, UserError, key_of, outcome, payload};
use crate::part::reread::Reread;
use crate::part::scalar::Moment;

/// What a remembered decision is about.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "entity::import_decision::Topic")]
pub(crate) enum ImportDecisionTopic {
    /// 列的含义 · What a column means.
    Columns,
    /// 时限 · When something is due.
    Deadlines,
    /// 牵头单位 · Which of several units is the lead unit.
    Leads,
    /// 不涉及 · Whether a text says that a measure does not apply.
    NotApplicable,
}

/// Returns SQL for what a decision is about, from which [`question`] and [`answer`] make words.
fn decided(sql: &mut Sql<'_>, decision: &str) -> String {
    sql.object(&[
        ("topic", format!("{decision}.topic")),
        ("printed", format!("{decision}.printed")),
        ("decided", format!("{decision}.decided")),
    ])
}

/// Returns words for a decision in the language of the request, from what [`decided`] delivers.
fn words(request: &Request, facts: &Json, words: fn(Topic, &Json) -> Bilingual) -> Json {
    let code = facts["topic"].as_str().unwrap_or_default().to_owned();
    let topic = entity::import_decision::Topic::try_from_value(&code).ok();
    topic.map_or(Json::Null, |topic| json!(request.language.of(&words(topic.into(), facts))))
}

/// Returns the question that a decision answers.
pub(crate) fn question(request: &Request, _: &Finish, facts: &Json) -> Json {
    words(request, facts, |topic, facts| topic.question(facts["printed"].as_str().unwrap_or_default()))
}

/// Returns the answer of a decision as people write it.
pub(crate) fn answer(request: &Request, _: &Finish, facts: &Json) -> Json {
    words(request, facts, |topic, facts| topic.answer(facts["decided"].as_str().unwrap_or_default()))
}

fn headings(_: &mut Sql<'_>, decision: &str) -> String {
    format!("CASE WHEN {decision}.topic = 'COLUMNS' AND {decision}.context <> '' THEN {decision}.context END")
}

fn round(_: &mut Sql<'_>, decision: &str) -> String {
    format!("CASE WHEN {decision}.topic <> 'COLUMNS' THEN {decision}.context END")
}

const KEY: SortKey = SortKey::column("{t}.id", "id", SortType::Integer);
const GROUPS: &[Dimension] = &[
    Dimension::plain("TOPIC", "内容 · What the decisions are about.", "{t}.topic"),
    Dimension { description: "下发地区 · Region that issued the files.", ..group::REGION },
];
const DECIDED_AT: SortKey = SortKey::column("{t}.decided_at", "decided_at", SortType::Moment);

noun! {
    /// A decision of a person about how imports are to be read (导入读法). The next imports of files that the same
    /// region has issued follow it without asking. What was decided about units is kept as their aliases instead.
    pub(crate) ImportDecision from "import_decision" as "importdecision" {
        order: &[DECIDED_AT.reversed(), KEY.reversed()],
        total: None,
        filter: ImportDecisionFilter,
        by: ImportDecisionOrder,
        groups: GROUPS
    }
    /// Global id of the decision, for example `importdecision_3`.
    id: ID = Kind::Id;
    /// What it is about.
    topic: ImportDecisionTopic = Kind::Column("topic");
    /// Region that issued the files which it is about.
    region: Region = Kind::One(<Region as Noun>::table, "region_id");
    /// Row of headings to which a decision about a column is limited, separated by `|`; null if it holds for all of
    /// them, and for all other topics.
    headings: Option<String> = Kind::Expression(headings);
    /// Name of the inspection round (督察轮次) to which it is limited; null for decisions about columns.
    roundName: Option<String> = Kind::Expression(round);
    /// What is printed: the heading of the column (the second of two equal ones as `整改时限#2`), the deadline, the
    /// list of units, or the text.
    printed: String = Kind::Column("printed");
    /// The question that it answers, in the language of the request.
    question: String = Kind::Finished(decided, "decisionQuestion");
    /// The answer as mapping files have it, such as `lead-unit` or `true`.
    answer: String = Kind::Column("decided");
    /// The answer as people write it, in the language of the request.
    answerLabel: String = Kind::Finished(decided, "decisionAnswer");
    /// When it was decided.
    decidedAt: Moment = Kind::Column("decided_at");
    /// Account that decided; null if the program did, if it is not known, or if the caller may not see the account.
    decider: Option<Account> = Kind::One(<Account as Noun>::table, "decider_id");
    /// Version number, increased by every change. Mutations take it so that a concurrent change is detected
    /// (`STALE_VERSION`).
    version: i32 = Kind::Column("version");
}

order! { ImportDecisionOrder by ImportDecisionOrderField {
    /// 决定时间 · Moment of the decision.
    DecidedAt = DECIDED_AT,
    /// 原文 · What is printed.
    Printed = SortKey::column("{t}.printed", "printed", SortType::Text),
} }

filter! {
    /// Conditions on remembered decisions. All that are given have to hold.
    ImportDecisionFilter {
        /// The topic is one of these.
        topic: Vec<ImportDecisionTopic> = |topics| one_of::<_, entity::import_decision::Topic>("topic", topics),
        /// Condition on the region that issued the files.
        region: SubtreeFilter = |region| region.below(),
        /// Condition on the name of the inspection round; decisions about columns have none.
        round_name: TextFilter = |name| Condition::All(vec![
            Condition::Compare("topic", "<>", "COLUMNS".into()),
            name.condition("context", &["context"]),
        ]),
        /// Condition on what is printed. `search` looks in the answer, too.
        printed: TextFilter = |text| text.condition("printed", &["printed", "decided"]),
    }
}

/// Input of `changeImportDecision`: a decision and its new answer.
#[derive(InputObject)]
pub(crate) struct ChangeImportDecisionInput {
    /// Global id of the decision.
    decision_id: ID,
    /// Version of the decision that the caller read; an outdated one is refused.
    version: i32,
    /// New answer, at most 2,000 characters: as people write it or as mapping files have it. For a column, one of the
    /// meanings that a refusal lists, or 不读.
    answer: String,
}

/// Input of `forgetImportDecision`: a decision to forget.
#[derive(InputObject)]
pub(crate) struct ForgetImportDecisionInput {
    /// Global id of the decision.
    decision_id: ID,
    /// Version of the decision that the caller read; an outdated one is refused.
    version: i32,
}

/// Input of `takeOverImportDecisions`: a mapping file, and the office that it is for.
#[derive(InputObject)]
pub(crate) struct TakeOverImportDecisionsInput {
    /// Global id of the region that issues the files to be read so.
    region_id: ID,
    /// Global id of the inspection round for which decisions about deadlines, lead units and texts hold; required if
    /// the file has such. Decisions about columns hold for all rounds and all rows of headings.
    round_id: Option<ID>,
    /// Content of the mapping file, at most 5,000 decisions: as `importMapping` returns it, or as an import writes it.
    mapping: String,
}

/// Result of `takeOverImportDecisions`.
#[derive(SimpleObject)]
pub(crate) struct TakeOverImportDecisionsPayload {
    /// Number of decisions that are new or different.
    taken_count: i32,
    /// Number of decisions about units, which are not taken over: aliases are kept with the units.
    left_out_count: i32,
    /// Reasons why the mutation was refused, in which case nothing was written; empty on success.
    errors: Vec<UserError>,
    #[graphql(flatten)]
    reread: Reread,
}

payload! {
    /// Result of changing a remembered decision.
    ImportDecisionPayload {
        /// Decision as it is now; null if the mutation was refused.
        decision: ImportDecision,
        /// Reasons why the mutation was refused; empty if it was carried out.
        errors
    }
}

/// The query for the decisions of an office as a file.
#[derive(Default)]
pub(crate) struct ImportDecisionQuery;

#[Object]
impl ImportDecisionQuery {
    /// Remembered decisions about the files that a region issues, as a mapping file (TOML) for another office. Null if
    /// the caller may not import for the region. What was decided about one printed text in several rounds, or for
    /// several rows of headings, counts as decided last; the rest are remarks.
    async fn import_mapping(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Global id of the issuing region.")] region_id: ID,
    ) -> async_graphql::Result<Option<String>> {
        let request = ctx.data::<Request>()?;
        match workbook::remembered_mapping(&request.acting(), key_of::<Region>(&region_id)).await {
            Ok(text) => Ok(Some(text)),
            Err(ledger::Error::Refused(_)) => Ok(None),
            Err(failure) => Err(masked(&failure)),
        }
    }
}

/// The mutations on remembered decisions.
#[derive(Default)]
pub(crate) struct ImportDecisionMutation;

#[Object]
impl ImportDecisionMutation {
    /// Changes the answer of a remembered decision, for the imports to come; what was imported stays. Requires a
    /// regional rectification office (区整改办) whose imports use it.
    async fn change_import_decision(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Decision and its new answer.")] input: ChangeImportDecisionInput,
    ) -> async_graphql::Result<ImportDecisionPayload> {
        let request = ctx.data::<Request>()?;
        let decision = key_of::<ImportDecision>(&input.decision_id);
        let done = workbook::change_decision(&request.acting(), decision, input.version, &input.answer).await;
        ImportDecisionPayload::of(done, request)
    }

    /// Forgets a remembered decision, so that the next import asks again; what was imported stays. Requires a regional
    /// rectification office whose imports use it.
    async fn forget_import_decision(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Decision to forget.")] input: ForgetImportDecisionInput,
    ) -> async_graphql::Result<DeletePayload> {
        let request = ctx.data::<Request>()?;
        let decision = key_of::<ImportDecision>(&input.decision_id);
        let done = decision::forget(&request.acting(), decision, input.version).await;
        DeletePayload::of(done, input.decision_id, request.language)
    }

    /// Takes over the decisions of a mapping file, such as that of another office, in place of those about the same.
    /// Requires a regional rectification office that may import for the region.
    async fn take_over_import_decisions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Mapping file, and the office that it is for.")] input: TakeOverImportDecisionsInput,
    ) -> async_graphql::Result<TakeOverImportDecisionsPayload> {
        let request = ctx.data::<Request>()?;
        let region = key_of::<Region>(&input.region_id);
        // An id that is none is not the same as none.
        let round = input.round_id.map(|id| key_of::<InspectionRound>(&id).unwrap_or_default());
        let done = workbook::take_over_decisions(&request.acting(), region, round, &input.mapping).await;
        let (done, errors) = outcome(done, request.language)?;
        let count = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
        let (taken, left_out) = done.map_or((0, 0), |done| (done.taken, done.left_out));
        Ok(TakeOverImportDecisionsPayload {
            taken_count: count(taken),
            left_out_count: count(left_out),
            errors,
            reread: Reread,
        })
    }
}
