//! Answering a GraphQL request, independent of the protocol that delivered it. A document is measured, parsed and
//! validated when it is first seen. Afterwards, queries that the planner supports go directly to the planner, and all
//! other operations through async-graphql. Exceptional cases (an error, a variable that has to be converted,
//! introspection) also go through async-graphql, so that each error has only one wording.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_graphql::parser::types::OperationType;
use async_graphql::{CacheControl, Request as Execution, Response, Variables};
use entity::account::Role;
use futures_util::future::try_join_all;
use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt, StreamExt};
use planner::{Bilingual, Freshness, Lane, Premise, Reader, Selection};
use tracing::Instrument;

use crate::context::{Caller, CheckList, Limits, Oidc, Options, Request, Services};
use crate::error::{Code, Refused, bounded, failed, finish};
use crate::gate::credentials::Queue;
use crate::gate::lanes::Lanes;
use crate::gate::rate::Rate;
use crate::gate::{Gate, Presumed};
use crate::graphql::credentials::UNGUESSED;
use crate::graphql::document::{self, Document, Known, Operation};
use crate::graphql::escape;
use crate::graphql::feed::{Begun, Feed};
use crate::graphql::limits::{check_variables, one_by_one};
use crate::graphql::listing::{self, ExportRequest};
use crate::graphql::member;
use crate::graphql::merging;
use crate::graphql::params::Params;
use crate::graphql::persisted::Persisted;
use crate::graphql::position;
use crate::graphql::query;
use crate::graphql::ready::{Manner, Ready};
use crate::graphql::rights;
use crate::graphql::schema::{Ledger, schema, sdl};
use crate::graphql::types::Types;
use crate::metrics;
use crate::noun::FINISHERS;
use crate::part::payload::watch_denials;

/// How much longer than an operation the database lets a read take. The program ends it first, unless the program has
/// lost track of it.
const STATEMENT_MARGIN: Duration = Duration::from_secs(5);

/// How long after the time of an operation each of its mutations may still take.
const PAYLOAD_MARGIN: Duration = Duration::from_secs(1);

/// Answers GraphQL requests.
pub(crate) struct Engine {
    schema: Ledger,
    types: Arc<Types>,
    check_list: CheckList,
    limits: Limits,
    introspection: bool,
    known: Known,
    persisted: Persisted,
    services: Services,
    feed: Feed,
    reader: Arc<Reader>,
    gate: Arc<Gate>,
    second_factor_roles: Arc<[Role]>,
    provider: Option<Arc<Oidc>>,
    lanes: Lanes,
    /// The queue of operations that check or set a secret.
    credentials: Arc<Queue>,
    /// How many such operations one address may request in a minute.
    sign_ins: Rate,
}

/// The answer to an operation.
pub(crate) enum Answer {
    /// The body of a response without errors, as JSON, and for how many seconds caches may keep it.
    Json(String, i32),
    /// A response of the library, with its errors completed for the caller.
    Response(Response),
}

/// A query or mutation under way, whose time is counted when this is dropped.
struct Timed {
    kind: OperationType,
    begun: Instant,
}

impl Drop for Timed {
    fn drop(&mut self) {
        if self.kind != OperationType::Subscription {
            metrics::operation_time(self.kind, self.begun);
        }
    }
}

/// Makes the reader that the engine and the gate share.
pub(crate) fn reader(services: &Services, options: &Options) -> Arc<Reader> {
    let time = options.limits.time + STATEMENT_MARGIN;
    Arc::new(Reader::new(services.db.clone(), services.standbys.clone(), services.readers, time, services.sent))
}

impl Engine {
    /// Makes an engine from the services and the settings.
    pub(crate) fn new(services: Services, reader: Arc<Reader>, gate: Arc<Gate>, options: &Options) -> Self {
        metrics::begin();
        let readers = services.readers;
        let types = Arc::new(Types::read(&sdl()));
        let known = types.clone();
        Self {
            schema: schema(options.introspection),
            types,
            check_list: Arc::new(move |wish| listing::check(&known, wish)),
            limits: options.limits.clone(),
            introspection: options.introspection,
            known: Known::within(options.limits.documents),
            persisted: Persisted::new(options.trusted_documents.clone()),
            services,
            feed: Feed::default(),
            reader,
            gate,
            second_factor_roles: options.second_factor_roles.clone().into(),
            provider: options.oidc.clone(),
            lanes: Lanes::within(options.limits.load, readers),
            credentials: Queue::new(),
            sign_ins: Rate::per_minute(options.limits.sign_ins_per_minute),
        }
    }

    /// Returns the limits on requests and connections.
    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Returns the types of the schema.
    pub(crate) fn types(&self) -> &Types {
        &self.types
    }

    /// Answers a query or a mutation.
    pub(crate) async fn answer(
        self: &Arc<Self>,
        asked: Params,
        manner: Manner,
        caller: &Caller,
    ) -> Result<Answer, Refused> {
        self.give(self.prepare(asked, caller)?, manner, caller).await
    }

    /// Answers a query for a caller who is presumed to be the one of a moment ago, by statements that check it. None if
    /// they find otherwise, and if the operation cannot be answered in this way: nothing has been done then, and the
    /// caller must be authenticated. Refuses an operation for which there is no place, no time or no database.
    pub(crate) async fn answer_presumed(
        &self,
        asked: &Params,
        manner: Manner,
        caller: &Caller,
        Presumed { admitted, premise }: Presumed,
    ) -> Result<Option<Answer>, Refused> {
        let caller = Caller { admitted, ..caller.clone() };
        let mut asked = asked.clone();
        if self.persisted.resolve(&mut asked).is_err() {
            return Ok(None);
        }
        let Some(Ok(ready)) = self.prepare_known(&asked, &caller) else { return Ok(None) };
        let Some(operation) = ready.planned(&self.types).filter(|_| ready.permit(manner).is_ok()) else {
            return Ok(None);
        };
        let begun = Instant::now();
        self.name(operation, &caller);
        let reading = async {
            let _place = self.lanes.enter(ready.lane, self.limits.time).await?;
            let request = self.request(&caller, &ready);
            let planned = self.plan(operation, &ready.asked.variables, &request, Some(&premise));
            let read = self.in_time(planned.instrument(caller.span())).await.flatten();
            // The next request asks the gate, which is less patient with a database that does not answer.
            read.inspect_err(|_| self.gate.forget(&caller.admitted))
        };
        let read = reading.await;
        if matches!(read, Ok(None)) {
            return Ok(None);
        }
        let _timed = self.note(&ready, &caller, begun);
        let json = read?;
        caller.note_account();
        Ok(json.map(|json| Answer::Json(json, ready.max_age())))
    }

    /// Answers a query for a file that is being sent: it waits for its place however many others do, because a file
    /// that has begun cannot be refused.
    pub(crate) async fn answer_on(
        self: &Arc<Self>,
        asked: Params,
        caller: &Caller,
        has_begun: bool,
    ) -> Result<Answer, Refused> {
        let ready = self.prepare(asked, caller)?;
        ready.permit(Manner::Safe)?;
        let _timed = self.note(&ready, caller, Instant::now());
        let time = if has_begun { Duration::MAX } else { self.limits.time };
        let _place = self.lanes.wait(ready.lane, time).await?;
        self.run(ready, caller).await
    }

    /// Reads what an operation asks to be exported, after the checks that answering it would make.
    pub(crate) fn export(&self, asked: Params, caller: &Caller) -> Result<ExportRequest, Refused> {
        let ready = self.prepare(asked, caller)?;
        let Some(operation) = &ready.document.operation else {
            let (zh, en) = ("请用 operationName 指明要导出的操作", "name the operation to export by `operationName`");
            return Err(Refused::new(Code::BadRequest, zh, en));
        };
        listing::wanted(&self.types, operation, &ready.asked.variables, caller.language)
    }

    /// Answers the operations of a batch one after the other, after all of them have been checked. Refuses a batch in
    /// which more than one operation checks or sets a secret.
    pub(crate) async fn answer_all(
        self: &Arc<Self>,
        batch: Vec<Params>,
        caller: &Caller,
    ) -> Result<Vec<Result<Answer, Refused>>, Refused> {
        let prepared: Vec<Result<Ready, Refused>> =
            batch.into_iter().map(|asked| self.prepare(asked, caller)).collect();
        if prepared.iter().flatten().filter(|ready| ready.credential().is_some()).count() > 1 {
            return Err(one_by_one());
        }
        let mut answers = Vec::with_capacity(prepared.len());
        for ready in prepared {
            answers.push(match ready {
                Ok(ready) => self.give(ready, Manner::Any, caller).await,
                Err(refused) => Err(refused),
            });
        }
        Ok(answers)
    }

    async fn give(self: &Arc<Self>, ready: Ready, manner: Manner, caller: &Caller) -> Result<Answer, Refused> {
        ready.permit(manner)?;
        let _timed = self.note(&ready, caller, Instant::now());
        if let Some(field) = ready.credential() {
            return self.check_secret(field.to_owned(), ready, caller).await;
        }
        let _place = self.lanes.enter(ready.lane, self.limits.time).await?;
        self.run(ready, caller).await
    }

    /// Counts an operation that has begun, and notes its name. Its time is counted when the result is dropped.
    fn note(&self, ready: &Ready, caller: &Caller, begun: Instant) -> Option<Timed> {
        let operation = ready.document.operation.as_ref()?;
        metrics::operation(operation.kind, self.name(operation, caller));
        Some(Timed { kind: operation.kind, begun })
    }

    /// Notes the name of an operation for the log, and returns it, if it is registered.
    fn name<'o>(&self, operation: &'o Operation, caller: &Caller) -> Option<&'o str> {
        let name = operation.name.as_deref().filter(|_| self.persisted.is_closed())?;
        let _ = caller.noted.operation.set(name.to_owned());
        Some(name)
    }

    async fn run(&self, ready: Ready, caller: &Caller) -> Result<Answer, Refused> {
        let time = self.time(&ready);
        self.within(time, self.carry_out(ready, caller).instrument(caller.span())).await?
    }

    /// Executes an operation that checks or sets a secret, when its turn in the queue has come. The operation continues
    /// if the caller disconnects: a hash that has begun is computed to its end in any case, and its place must not be
    /// passed on before.
    async fn check_secret(self: &Arc<Self>, field: String, ready: Ready, caller: &Caller) -> Result<Answer, Refused> {
        if !UNGUESSED.contains(&field.as_str()) {
            self.sign_ins.check(caller.address)?;
        }
        // While it waits, the operation holds neither a database connection nor a lock.
        let place = self.credentials.enter(caller.address, self.limits.time).await?;
        let (engine, caller) = (self.clone(), caller.clone());
        let carried_out = tokio::spawn(async move {
            let check = engine.in_time(engine.carry_out(ready, &caller).instrument(caller.span()));
            place.carry_out(check).await?
        });
        carried_out.await.map_err(|error| failed(&error))?
    }

    /// Waits for a future, and refuses the operation if this takes longer than an operation may.
    pub(crate) async fn in_time<T>(&self, awaited: impl Future<Output = T>) -> Result<T, Refused> {
        self.within(self.limits.time, awaited).await
    }

    async fn within<T>(&self, time: Duration, awaited: impl Future<Output = T>) -> Result<T, Refused> {
        tokio::time::timeout(time, awaited).await.map_err(|_| self.timed_out())
    }

    /// Returns how long an operation may take until it is refused as a whole. A mutation has a moment more for each of
    /// its acts than its payloads may read, so that reading which takes too long does not hide what was carried out.
    fn time(&self, ready: &Ready) -> Duration {
        if !ready.changes() {
            return self.limits.time;
        }
        let mutations = ready.document.operation.as_ref().map_or(1, |operation| operation.roots.len());
        self.limits.time + PAYLOAD_MARGIN * u32::try_from(mutations).unwrap_or(u32::MAX)
    }

    fn timed_out(&self) -> Refused {
        let seconds = self.limits.time.as_secs();
        Refused::new(
            Code::Timeout,
            format!("查询超过 {seconds} 秒，请缩小范围或减少字段"),
            format!("the operation took more than {seconds} seconds: request less data at once"),
        )
    }

    /// Executes any operation as a stream: one answer for a query or mutation, and one for each event of a
    /// subscription. When this returns, a subscription is already receiving events.
    pub(crate) async fn stream(
        self: &Arc<Self>,
        asked: Params,
        manner: Manner,
        caller: Caller,
    ) -> Result<BoxStream<'static, Result<Answer, Refused>>, Refused> {
        let ready = self.prepare(asked, &caller)?;
        if !ready.subscribes() {
            let engine = self.clone();
            let once = async move { engine.give(ready, manner, &caller).await };
            return Ok(once.into_stream().boxed());
        }
        self.note(&ready, &caller, Instant::now());
        let counted = metrics::subscription();
        let begun = Begun::default();
        let execution = self.execution(&ready, &caller).data(begun.clone());
        let mut events = self.schema.execute_stream(execution).boxed();
        let span = caller.span();
        let mut events = stream::poll_fn(move |context| span.in_scope(|| events.poll_next_unpin(context))).fuse();
        // An error of the subscription is its first and only event.
        let first = tokio::select! {
            biased;
            event = events.next() => event,
            () = begun.heard() => None,
            () = tokio::time::sleep(self.limits.time) => return Err(self.timed_out()),
        };
        let events = stream::iter(first).chain(events);
        let answer = move |response| {
            let _counted = &counted;
            Ok(Answer::Response(worded(response, &caller)))
        };
        Ok(events.map(answer).boxed())
    }

    /// Finds or reads the document, checks it against the limits and the rights of the caller, and completes the
    /// variables.
    fn prepare(&self, mut asked: Params, caller: &Caller) -> Result<Ready, Refused> {
        self.persisted.resolve(&mut asked)?;
        match self.prepare_known(&asked, caller) {
            Some(ready) => ready,
            None => self.prepare_new(asked, caller),
        }
    }

    /// Prepares a request whose document is known, or one that differs from it only in its literals; none if neither
    /// is.
    fn prepare_known(&self, asked: &Params, caller: &Caller) -> Option<Result<Ready, Refused>> {
        if let Some(document) = self.known.get(asked) {
            return Some(self.check(document, asked.clone(), caller).map(|ready| Ready { is_known: true, ..ready }));
        }
        let (document, completed) = self.known.alike(asked, &self.types)?;
        let ready = self.check(document, completed, caller).ok()?;
        Some(Ok(Ready { is_known: true, sent: Some(asked.clone()), ..ready }))
    }

    /// Reads and checks a document that is not known.
    fn prepare_new(&self, asked: Params, caller: &Caller) -> Result<Ready, Refused> {
        let document = Arc::new(self.read(&asked)?);
        self.check(document, asked, caller)
    }

    /// Checks a document against the limits and the rights of the caller, and completes the variables.
    fn check(&self, document: Arc<Document>, mut asked: Params, caller: &Caller) -> Result<Ready, Refused> {
        rights::check(&caller.admitted.principal, document.operation.as_ref())?;
        let mut lane = Lane::Cheap;
        if let Some(operation) = &document.operation {
            check_variables(&asked.variables)?;
            operation.integers_where_expected(&mut asked.variables, &self.types);
            operation.complete(&mut asked.variables);
            operation.check(&asked.variables, &self.types)?;
            self.limits.check_cost(operation.cost(&asked.variables, &self.types, &self.limits))?;
            lane = operation.lane(&asked.variables, &self.types, &self.limits);
        }
        Ok(Ready { document, is_known: false, lane, asked, sent: None })
    }

    /// Parses a document, and checks what does not depend on variables.
    fn read(&self, asked: &Params) -> Result<Document, Refused> {
        metrics::document_parsed();
        let text = asked.query.as_deref().unwrap_or_default();
        self.limits.check_text(text)?;
        let mut parsed = async_graphql::parser::parse_query(escape::resolve(text))?;
        self.limits.check_document(&parsed, self.introspection)?;
        member::check(text)?;
        document::frame(&mut parsed);
        position::check(&parsed, &self.types)?;
        merging::check(&parsed, &self.types)?;
        let document = Document::read(parsed, asked.operation_name.as_deref(), &self.types);
        document.check_subscription()?;
        document.check_mutation()?;
        Ok(document)
    }

    async fn carry_out(&self, mut ready: Ready, caller: &Caller) -> Result<Answer, Refused> {
        if let Some(operation) = ready.planned(&self.types)
            && (ready.is_known || self.validates(&ready, caller).await)
            && let Ok(Some(json)) =
                self.plan(operation, &ready.asked.variables, &self.request(caller, &ready), None).await
        {
            return Ok(Answer::Json(json, ready.max_age()));
        }
        // Errors name places in the text as it was sent.
        if let Some(sent) = ready.sent.take() {
            ready = self.prepare_new(sent, caller)?;
        }
        if ready.changes()
            && let Some(operation) = &ready.document.operation
            && (ready.is_known || self.validates(&ready, caller).await)
        {
            self.check_payloads(operation, &ready.asked.variables, &self.request(caller, &ready))?;
        }
        let roots = ready.root_names();
        let execution = async { watch_denials(self.schema.execute(self.execution(&ready, caller))).await };
        let (response, is_denied) = if ready.changes() {
            let act = execution.instrument(tracing::info_span!("act", fields = roots));
            Box::pin(self.gate.writing(&caller.admitted, act)).await
        } else {
            Box::pin(execution).await
        };
        if is_denied {
            self.gate.note_denied(&caller.by(), &roots).await;
        }
        let max_age = ready.max_age();
        if !ready.is_known && response.errors.is_empty() {
            self.known.keep(&ready.asked, ready.document, &self.types);
        }
        let mut response = worded(response, caller);
        response.cache_control = CacheControl { public: true, max_age };
        Ok(Answer::Response(response))
    }

    /// Lets the library validate a document without executing it, and keeps the document if it is valid.
    async fn validates(&self, ready: &Ready, caller: &Caller) -> bool {
        let response = self.schema.execute(self.execution(ready, caller).only_introspection()).await;
        let is_valid = response.errors.is_empty();
        if is_valid {
            self.known.keep(&ready.asked, ready.document.clone(), &self.types);
        }
        is_valid
    }

    /// Refuses a mutation whose payload cannot be read as selected, before anything is written.
    fn check_payloads(&self, operation: &Operation, variables: &Variables, request: &Request) -> Result<(), Refused> {
        for root in Selection::with_all(&operation.roots, operation.root, variables) {
            let payload = self.types.of_field(operation.root, root.name());
            for field in root.children(payload) {
                query::check(self.types.of_field(payload, field.name()), &field, request)
                    .map_err(|Bilingual { zh, en }| Refused::new(Code::BadUserInput, zh, en))?;
            }
        }
        Ok(())
    }

    fn execution(&self, ready: &Ready, caller: &Caller) -> Execution {
        let mut execution = Execution::new("").variables(ready.asked.variables.clone());
        execution.set_parsed_query(ready.document.given(&ready.asked.variables));
        if let Some(name) = &ready.asked.operation_name {
            execution = execution.operation_name(name);
        }
        execution.data(self.request(caller, ready)).data(self.feed.clone())
    }

    fn request(&self, caller: &Caller, ready: &Ready) -> Request {
        Request {
            db: self.services.db.clone(),
            public_url: self.services.public_url.clone(),
            zone: self.services.zone,
            grace_days: self.services.grace_days,
            timing: self.services.timing.clone(),
            occurrences: Arc::clone(&self.services.occurrences),
            run_job: Arc::clone(&self.services.run_job),
            reminding: self.services.reminding.clone(),
            installation: self.services.installation.clone(),
            imports: self.services.imports.clone(),
            check_list: self.check_list.clone(),
            now: (self.services.clock)(),
            until: Instant::now() + self.limits.time,
            clock: self.services.clock.clone(),
            reader: self.reader.clone(),
            lane: ready.lane,
            freshness: if ready.queries() { caller.admitted.freshness() } else { Freshness::Latest },
            finishers: FINISHERS,
            link_key: self.services.link_key.clone(),
            language: caller.language,
            by: caller.by(),
            admitted: caller.admitted.clone(),
            gate: self.gate.clone(),
            is_forwarded: caller.is_forwarded,
            second_factor_roles: self.second_factor_roles.clone(),
            provider: self.provider.clone(),
        }
    }

    /// Answers a query by one SQL statement for each root field, and returns the body of the response. None if one
    /// fails, or the premise: the library then produces the error. Refuses a presumed caller if the database is away.
    async fn plan(
        &self,
        operation: &Operation,
        variables: &Variables,
        request: &Request,
        premise: Option<&Premise>,
    ) -> Result<Option<String>, Refused> {
        let roots = Selection::with_all(&operation.roots, "Query", variables);
        let mut planned = Vec::with_capacity(roots.len());
        for root in &roots {
            let Ok(plan) = query::plan(root, request) else { return Ok(None) };
            planned.push((root.key(), plan));
        }
        // Each part of the answer, and so at least one, has to be read for the premise to be checked.
        if premise.is_some() && (planned.is_empty() || planned.iter().any(|(_, answer)| answer.is_constant())) {
            return Ok(None);
        }
        let runs = planned.into_iter().map(async |(key, answer)| {
            let json = match premise {
                Some(premise) => answer.run_if(premise, request).await.map_err(Some)?,
                None => answer.run(request).await.ok(),
            };
            json.map(|json| (key, json)).ok_or(None)
        });
        let answers: Vec<(&str, String)> = match try_join_all(runs).await {
            Ok(answers) => answers,
            Err(refused) => return refused.map_or(Ok(None), Err),
        };
        let length = answers.iter().map(|(key, json)| key.len() + json.len() + 4).sum::<usize>();
        let mut body = String::with_capacity(length + 16);
        body.push_str("{\"data\":{");
        for (index, (key, json)) in answers.iter().enumerate() {
            body.push_str(if index == 0 { "\"" } else { ",\"" });
            body.push_str(key);
            body.push_str("\":");
            body.push_str(json);
        }
        body.push_str("}}");
        Ok(Some(body))
    }
}

fn worded(mut response: Response, caller: &Caller) -> Response {
    response.errors = bounded(std::mem::take(&mut response.errors));
    for error in &mut response.errors {
        finish(error, caller.language, &caller.request_id);
    }
    response
}
