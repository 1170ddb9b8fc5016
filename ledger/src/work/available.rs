//! What a caller may do to an object now, and why not: the actions that pages offer.
//!
//! The workflow and the policy decide, as in the acts themselves; the facts come from the statement that reads the
//! object. An act checks again when it is carried out, because the object may have changed in the meantime.

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use entity::assignment::Status;
use entity::case_report::CaseStep;
use entity::check::CheckResult;
use entity::close_out::CloseOutState;
use entity::deadline_change::DeadlineChangeState;
use entity::inspection_case::CaseState;
use entity::inspection_round::RoundLevel;
use entity::supervision_action::{SupervisionKind, SupervisionState};
use planner::{Bilingual, Sql};
use sea_orm::{ActiveEnum, Iterable};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::fault::{Fault, FaultCode};
use crate::people::policy::{self, Act, Principal, Standing};
use crate::rule::calendar;
use crate::rule::case_flow;
use crate::rule::workflow::{self, Step};
use crate::work::{extension, supervision};

/// Declares the actions: their codes, the mutations that carry them out, and what a button says in both languages.
macro_rules! actions {
    ($($action:ident $code:literal $mutation:literal $zh:literal $en:literal;)+) => {
        /// Something that a person can do to an object.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Action {
            $(#[doc = $zh] $action,)+
        }

        impl Action {
            /// All actions.
            pub const ALL: &[Self] = &[$(Self::$action,)+];

            /// Returns the code of the action, such as `VERIFY`.
            pub fn code(self) -> &'static str {
                match self { $(Self::$action => $code,)+ }
            }

            /// Returns the mutation that carries the action out; empty for an upload, which is no mutation.
            pub fn mutation(self) -> &'static str {
                match self { $(Self::$action => $mutation,)+ }
            }

            /// Returns what a button for the action says, in Chinese and English.
            pub fn words(self) -> (&'static str, &'static str) {
                match self { $(Self::$action => ($zh, $en),)+ }
            }
        }
    };
}

actions! {
    ReportProgress "REPORT_PROGRESS" "reportProgress" "填报进展" "Report progress";
    UploadEvidence "UPLOAD_EVIDENCE" "" "上传佐证材料" "Upload evidence";
    Accept "ACCEPT" "acceptAssignment" "签收" "Accept";
    Decline "DECLINE" "declineAssignment" "退回任务" "Decline";
    SelfInspect "SELF_INSPECT" "recordCheck" "登记自查" "Record a self-inspection";
    ApplyForCloseOut "APPLY_FOR_CLOSE_OUT" "applyForCloseOut" "提请销号" "Apply for close-out";
    RequestExtension "REQUEST_EXTENSION" "requestExtension" "申请延期" "Request an extension";
    ProposeNotApplicable "PROPOSE_NOT_APPLICABLE" "proposeNotApplicable" "申请不涉及" "Propose as not applicable";
    ConfirmNotApplicable "CONFIRM_NOT_APPLICABLE" "confirmNotApplicable" "认定不涉及" "Confirm as not applicable";
    RejectNotApplicable "REJECT_NOT_APPLICABLE" "rejectNotApplicable" "不予认定" "Reject the proposal";
    Verify "VERIFY" "verifyCloseOut" "核查通过" "Verify";
    Return "RETURN" "returnCloseOut" "退回" "Return";
    Publicise "PUBLICISE" "publiciseCloseOut" "公示" "Publish the notice";
    RaiseObjection "RAISE_OBJECTION" "raiseObjection" "登记异议" "Record an objection";
    Close "CLOSE" "closeAssignment" "销号" "Close";
    Reopen "REOPEN" "reopenAssignment" "登记反弹" "Reopen after a relapse";
    Disclose "DISCLOSE" "discloseCloseOut" "对外公开公示" "Make the notice public";
    RecordVerification "RECORD_VERIFICATION" "recordCheck" "登记核查" "Record a verification";
    SpotCheck "SPOT_CHECK" "recordCheck" "登记抽查" "Record a spot check";
    Inspect "INSPECT" "recordCheck" "登记督导检查" "Record a supervising check";
    Urge "URGE" "issueSupervision" "催办" "Urge";
    Supervise "SUPERVISE" "issueSupervision" "督办" "Supervise";
    YellowCard "YELLOW_CARD" "issueSupervision" "发黄牌" "Give a yellow card";
    List "LIST" "issueSupervision" "挂牌督办" "List";
    RedCard "RED_CARD" "issueSupervision" "发红牌" "Give a red card";
    Summon "SUMMON" "issueSupervision" "约谈" "Summon";
    Assign "ASSIGN" "assignMeasure" "责任分解" "Assign to units";
    Comment "COMMENT" "commentOnMeasure" "批示、意见" "Comment";
    EditMeasure "EDIT_MEASURE" "editMeasure" "修改措施" "Edit the measure";
    SetParties "SET_PARTIES" "editMeasure" "确定责任单位" "Set the responsible units";
    ChangeDeadline "CHANGE_DEADLINE" "changeDeadline" "变更时限" "Change the deadline";
    PlanChecks "PLAN_CHECKS" "planChecks" "安排检查" "Plan the checks";
    MergeMeasure "MERGE_MEASURE" "mergeMeasures" "并入其他措施" "Merge into another measure";
    RetireMeasure "RETIRE_MEASURE" "retireMeasure" "撤销措施" "Withdraw the measure";
    DeleteMeasure "DELETE_MEASURE" "deleteMeasure" "删除误录的措施" "Delete the measure";
    CreateMeasure "CREATE_MEASURE" "createMeasure" "增加措施" "Add a measure";
    EditProblem "EDIT_PROBLEM" "editProblem" "修改问题" "Edit the problem";
    MergeProblem "MERGE_PROBLEM" "mergeProblems" "并入其他问题" "Merge into another problem";
    RetireProblem "RETIRE_PROBLEM" "retireProblem" "撤销问题" "Withdraw the problem";
    DeleteProblem "DELETE_PROBLEM" "deleteProblem" "删除误录的问题" "Delete the problem";
    SetOwnership "SET_OWNERSHIP" "setOwnership" "确定主责、共性" "Set the ownership";
    HoldToAccount "HOLD_TO_ACCOUNT" "recordAccountability" "登记责任追究" "Record accountability";
    AcceptCase "ACCEPT_CASE" "acceptCase" "签收案件" "Accept the case";
    ReportOnCase "REPORT_ON_CASE" "reportOnCase" "填报办理情况" "Report on the case";
    ResolveCase "RESOLVE_CASE" "resolveCase" "办结" "Resolve";
    VerifyCase "VERIFY_CASE" "verifyCase" "验收通过" "Verify the case";
    ReturnCase "RETURN_CASE" "returnCase" "退回案件" "Return the case";
    CloseCase "CLOSE_CASE" "closeCase" "案件销号" "Close the case";
    ReopenCase "REOPEN_CASE" "reopenCase" "登记案件反弹" "Reopen the case";
    EditCase "EDIT_CASE" "editCase" "更正案件" "Correct the case";
    Endorse "ENDORSE" "decideExtension" "同意延期" "Endorse";
    Approve "APPROVE" "decideExtension" "批准延期" "Approve";
    Reject "REJECT" "decideExtension" "不予延期" "Reject";
    Adopt "ADOPT" "decideSupervision" "采纳建议" "Adopt the proposal";
    Dismiss "DISMISS" "decideSupervision" "不采纳建议" "Dismiss the proposal";
    Lift "LIFT" "liftSupervision" "解除督办" "Lift";
    RecordPublishedFigure "RECORD_PUBLISHED_FIGURE" "recordPublishedFigure" "登记公布数" "Record a published figure";
    CorrectPublishedFigure "CORRECT_PUBLISHED_FIGURE" "correctPublishedFigure" "更正公布数" "Correct the figure";
    WithdrawPublishedFigure "WITHDRAW_PUBLISHED_FIGURE" "withdrawPublishedFigure" "撤回公布数" "Withdraw the figure";
    DecideObjection "DECIDE_OBJECTION" "decideObjection" "答复异议" "Decide the objection";
}

/// Whether an action is available, and why not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Available {
    /// The action.
    pub action: Action,
    /// Why the action is not available; `None` if it is.
    pub reason: Option<Bilingual>,
    /// Whether the caller may do it in some state of the object: the policy does not forbid it.
    pub is_permitted: bool,
}

/// The objects that offer actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// An assignment.
    Assignment,
    /// A measure.
    Measure,
    /// A problem.
    Problem,
    /// A complaint case.
    Case,
    /// A close-out cycle.
    CloseOut,
    /// A request for an extension.
    Extension,
    /// A supervision action or a proposal of one.
    Supervision,
    /// An objection.
    Objection,
    /// An inspection round.
    Round,
    /// A published figure.
    PublishedFigure,
}

/// Who asks, and when.
#[derive(Debug, Clone, Copy)]
pub struct Asking<'a> {
    /// The caller.
    pub principal: &'a Principal,
    /// The local date.
    pub today: NaiveDate,
    /// The time zone of the ledger.
    pub zone: Tz,
}

/// Returns the actions on an object, from the facts that [`facts`] selects; none if the facts cannot be read.
pub fn actions(asking: Asking<'_>, subject: Subject, facts: &Value) -> Vec<Available> {
    match subject {
        Subject::Assignment => of(asking, facts, &AssignmentFacts::ACTIONS, AssignmentFacts::check),
        Subject::CloseOut => of(asking, facts, &CloseOutFacts::ACTIONS, CloseOutFacts::check),
        Subject::Measure => of(asking, facts, &MeasureFacts::ACTIONS, MeasureFacts::check),
        Subject::Problem => of(asking, facts, &ProblemFacts::ACTIONS, ProblemFacts::check),
        Subject::Case => of(asking, facts, &CaseFacts::ACTIONS, CaseFacts::check),
        Subject::Extension => of(asking, facts, &ExtensionFacts::ACTIONS, ExtensionFacts::check),
        Subject::Supervision => of(asking, facts, &SupervisionFacts::ACTIONS, SupervisionFacts::check),
        Subject::Objection => of(asking, facts, &ObjectionFacts::ACTIONS, ObjectionFacts::check),
        Subject::Round => of(asking, facts, &RoundFacts::ACTIONS, RoundFacts::check),
        Subject::PublishedFigure => of(asking, facts, &FigureFacts::ACTIONS, FigureFacts::check),
    }
}

/// Why an action is not available.
struct Unavailable {
    reason: Bilingual,
    /// Whether the policy forbids it to the caller in every state.
    is_forbidden: bool,
}

type Checked = Result<(), Unavailable>;

fn of<F: DeserializeOwned>(
    asking: Asking<'_>,
    facts: &Value,
    actions: &[Action],
    check: fn(&F, Action, Asking<'_>) -> Checked,
) -> Vec<Available> {
    let facts: F = match serde_json::from_value(facts.clone()) {
        Ok(facts) => facts,
        Err(error) => {
            tracing::error!(%error, "the facts for available actions cannot be read");
            return Vec::new();
        }
    };
    let one = |action: &Action| {
        let unavailable = check(&facts, *action, asking).err();
        let is_permitted = unavailable.as_ref().is_none_or(|why| !why.is_forbidden);
        Available { action: *action, reason: unavailable.map(|why| why.reason), is_permitted }
    };
    actions.iter().map(one).collect()
}

fn because(zh: impl Into<String>, en: impl Into<String>) -> Unavailable {
    Unavailable { reason: Bilingual::new(zh, en), is_forbidden: false }
}

fn forbidden(act: Act, level: RoundLevel) -> Unavailable {
    Unavailable { reason: policy::not_allowed_at(act, level).message, is_forbidden: true }
}

fn permits(asking: Asking<'_>, act: Act, standing: Standing) -> Checked {
    if asking.principal.permits(act, standing) { Ok(()) } else { Err(forbidden(act, standing.level)) }
}

/// Refuses those who submitted what is to be decided.
fn not_own(asking: Asking<'_>, submitters: [Option<i64>; 2]) -> Checked {
    if super::acting::submitted(asking.principal, submitters) {
        return Err(because(
            "不能审核本人提交的事项，须由他人办理",
            "you submitted this: someone else must decide on it",
        ));
    }
    Ok(())
}

fn in_state<S: ActiveEnum<Value = String> + Copy>(
    from: S,
    is_open: bool,
    open: &[S],
    name: fn(S) -> &'static str,
) -> Checked {
    if is_open { Ok(()) } else { Err(wrong_state(super::hold::wrong_state(from, open, name, &[]))) }
}

fn wrong_state(fault: Fault) -> Unavailable {
    Unavailable { reason: fault.message, is_forbidden: false }
}

fn step(status: Status, step: Step) -> Checked {
    in_state(status, workflow::next(status, step).is_some(), &workflow::open_from(step), workflow::status_name)
}

/// Reads a Boolean as either database writes it into JSON.
fn boolean<'de, D: Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    Ok(match Value::deserialize(from)? {
        Value::Bool(is) => is,
        Value::Number(number) => number.as_i64() != Some(0),
        _ => false,
    })
}

/// Reads a stored code.
fn code<'de, D: Deserializer<'de>, S: ActiveEnum<Value = String>>(from: D) -> Result<S, D::Error> {
    let text = String::deserialize(from)?;
    S::try_from_value(&text).map_err(serde::de::Error::custom)
}

/// The newest close-out cycle of an assignment.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cycle {
    #[serde(deserialize_with = "code")]
    state: CloseOutState,
    applicant: Option<i64>,
    applicant_actor: Option<i64>,
    notice_until: Option<NaiveDate>,
    reopened_at: Option<DateTime<Utc>>,
    open_objections: i64,
}

/// The newest self-inspection of an assignment.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Inspection {
    #[serde(deserialize_with = "code")]
    result: CheckResult,
    checked_on: NaiveDate,
}

/// What the actions on an assignment depend on.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, which the statement delivers")]
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AssignmentFacts {
    /// The level of the round.
    #[serde(deserialize_with = "code")]
    level: RoundLevel,
    #[serde(deserialize_with = "code")]
    status: Status,
    unit: i64,
    lead: Option<i64>,
    supervising: Option<i64>,
    #[serde(deserialize_with = "boolean")]
    is_ongoing: bool,
    #[serde(deserialize_with = "boolean")]
    has_date: bool,
    #[serde(deserialize_with = "boolean")]
    is_completed: bool,
    #[serde(deserialize_with = "boolean")]
    is_accepted: bool,
    #[serde(deserialize_with = "boolean")]
    is_declined: bool,
    #[serde(deserialize_with = "boolean")]
    has_evidence: bool,
    #[serde(deserialize_with = "boolean")]
    is_extension_pending: bool,
    proposer: Option<i64>,
    proposer_actor: Option<i64>,
    supervision: Option<String>,
    inspection: Option<Inspection>,
    cycle: Option<Cycle>,
}

impl AssignmentFacts {
    const ACTIONS: [Action; 26] = [
        Action::ReportProgress,
        Action::UploadEvidence,
        Action::Accept,
        Action::Decline,
        Action::SelfInspect,
        Action::ApplyForCloseOut,
        Action::RequestExtension,
        Action::ProposeNotApplicable,
        Action::ConfirmNotApplicable,
        Action::RejectNotApplicable,
        Action::Verify,
        Action::Return,
        Action::Publicise,
        Action::RaiseObjection,
        Action::Close,
        Action::Reopen,
        Action::Disclose,
        Action::RecordVerification,
        Action::SpotCheck,
        Action::Inspect,
        Action::Urge,
        Action::Supervise,
        Action::YellowCard,
        Action::List,
        Action::RedCard,
        Action::Summon,
    ];

    fn standing(&self) -> Standing {
        Standing { level: self.level, answers: Some(self.unit), leads: self.lead, supervises: self.supervising }
    }

    fn permits(&self, asking: Asking<'_>, act: Act) -> Checked {
        permits(asking, act, self.standing())
    }

    fn step(&self, of: Step) -> Checked {
        step(self.status, of)
    }

    fn running(&self) -> Result<&Cycle, Unavailable> {
        self.cycle.as_ref().ok_or_else(|| because("没有销号申请记录", "there is no application for close-out"))
    }

    /// Refuses a settled assignment.
    fn open(&self) -> Checked {
        if workflow::is_settled(self.status) {
            let name = workflow::status_name(self.status);
            return Err(because(format!("“{name}”，无须办理"), "the assignment is settled"));
        }
        Ok(())
    }

    fn check(&self, action: Action, asking: Asking<'_>) -> Checked {
        match action {
            Action::ReportProgress => {
                self.permits(asking, Act::Report)?;
                self.step(Step::Report)
            }
            Action::UploadEvidence => {
                self.permits(asking, Act::Report)?;
                if self.status == Status::ClosedOngoing { Ok(()) } else { self.open() }
            }
            Action::Accept => {
                self.permits(asking, Act::TakeOn)?;
                if self.is_accepted { Err(because("已签收", "already accepted")) } else { Ok(()) }
            }
            Action::Decline => {
                self.permits(asking, Act::TakeOn)?;
                in_state(self.status, self.status == Status::Assigned, &[Status::Assigned], workflow::status_name)
            }
            Action::SelfInspect => self.check_record(asking, Act::SelfInspect),
            Action::RecordVerification => self.check_record(asking, Act::Verify),
            Action::SpotCheck => self.check_record(asking, Act::SpotCheck),
            Action::Inspect => self.check_record(asking, Act::Inspect),
            Action::ApplyForCloseOut => self.check_application(asking),
            Action::RequestExtension => {
                let act = if asking.principal.may(Act::Report) { Act::Report } else { Act::TakeOn };
                self.permits(asking, act)?;
                if workflow::is_done(self.status, self.is_completed) {
                    let (zh, en) = extension::done(self.status);
                    return Err(because(zh, en));
                }
                if !self.has_date {
                    return Err(because("没有截止日期，无须延期", "there is no due date to extend"));
                }
                if self.is_extension_pending {
                    return Err(because("已有延期申请在办", "a request for an extension is pending"));
                }
                Ok(())
            }
            Action::ProposeNotApplicable => {
                self.permits(asking, Act::Report)?;
                self.step(Step::ProposeNotApplicable)
            }
            Action::ConfirmNotApplicable | Action::RejectNotApplicable => {
                self.permits(asking, Act::Verify)?;
                let is_declined = self.status == Status::Assigned && self.is_declined;
                if action == Action::RejectNotApplicable {
                    self.step(Step::RejectNotApplicable)?;
                } else if !is_declined {
                    self.step(Step::ConfirmNotApplicable)?;
                }
                not_own(asking, [self.proposer, self.proposer_actor])
            }
            Action::Urge => {
                self.permits(asking, Act::Urge)?;
                self.open()
            }
            Action::Supervise | Action::Summon => {
                self.permits(asking, Act::Supervise)?;
                self.open()
            }
            Action::YellowCard | Action::List | Action::RedCard => {
                self.permits(asking, Act::Supervise)?;
                self.open()?;
                let kind = match action {
                    Action::YellowCard => SupervisionKind::YellowCard,
                    Action::List => SupervisionKind::List,
                    _ => SupervisionKind::RedCard,
                };
                supervision::obstacle(kind, &standing(self.supervision.as_deref()))
                    .map_or(Ok(()), |(zh, en)| Err(because(zh, en)))
            }
            action => self.check_close_out(action, asking),
        }
    }

    fn check_record(&self, asking: Asking<'_>, act: Act) -> Checked {
        self.permits(asking, act)?;
        if self.status == Status::NotApplicable {
            return Err(because("“不涉及”的任务无须检查", "an assignment that is not applicable needs no checks"));
        }
        Ok(())
    }

    fn check_application(&self, asking: Asking<'_>) -> Checked {
        self.permits(asking, Act::ApplyForCloseOut)?;
        self.step(Step::Submit)?;
        let since = self.cycle.as_ref().and_then(|cycle| cycle.reopened_at);
        let since = since.map(|at| calendar::local_day(at, asking.zone));
        let has_passed = self.inspection.as_ref().is_some_and(|inspection| {
            inspection.result == CheckResult::Passed && since.is_none_or(|since| inspection.checked_on >= since)
        });
        let missing = [
            (!self.has_evidence).then_some(("上传佐证材料", "upload evidence")),
            (!has_passed).then_some(("登记一次通过的自查", "record a self-inspection that passed")),
        ];
        let missing: Vec<(&str, &str)> = missing.into_iter().flatten().collect();
        if missing.is_empty() {
            return Ok(());
        }
        let zh: Vec<&str> = missing.iter().map(|(zh, _)| *zh).collect();
        let en: Vec<&str> = missing.iter().map(|(_, en)| *en).collect();
        Err(because(format!("须先{}", zh.join("，并")), format!("first {}", en.join(" and "))))
    }

    /// Checks the actions on the newest close-out cycle.
    fn check_close_out(&self, action: Action, asking: Asking<'_>) -> Checked {
        match action {
            Action::Verify | Action::Return => {
                self.permits(asking, Act::Verify)?;
                self.step(if action == Action::Verify { Step::Verify } else { Step::Return })?;
                let cycle = self.running()?;
                not_own(asking, [cycle.applicant, cycle.applicant_actor])
            }
            Action::Publicise => {
                self.permits(asking, Act::Publicise)?;
                self.step(Step::Publicise)?;
                self.running().map(|_| ())
            }
            Action::RaiseObjection => {
                self.permits(asking, Act::Publicise)?;
                self.step(Step::UpholdObjection)?;
                self.running().map(|_| ())
            }
            Action::Close => {
                self.permits(asking, Act::Close)?;
                self.step(if self.is_ongoing { Step::CloseOngoing } else { Step::Close })?;
                let cycle = self.running()?;
                not_own(asking, [cycle.applicant, cycle.applicant_actor])?;
                if cycle.open_objections > 0 {
                    let open = cycle.open_objections;
                    return Err(because(
                        format!("尚有 {open} 项异议未作结论"),
                        format!("objections not yet decided: {open}"),
                    ));
                }
                match cycle.notice_until.filter(|until| asking.today <= *until) {
                    Some(until) => {
                        Err(because(format!("公示期至 {until}"), format!("the notice period ends on {until}")))
                    }
                    None => Ok(()),
                }
            }
            Action::Reopen => {
                self.permits(asking, Act::Reopen)?;
                self.step(Step::Reopen)
            }
            Action::Disclose => {
                self.permits(asking, Act::Disclose)?;
                let state = self.running()?.state;
                let open = [CloseOutState::Publicised, CloseOutState::Closed];
                if open.contains(&state) {
                    return Ok(());
                }
                Err(because("没有公示中或已销号的公示", "there is no notice of a publicised or closed close-out"))
            }
            _ => Err(because("不适用", "not for this object")),
        }
    }
}

/// What the actions on a close-out cycle depend on.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct CloseOutFacts {
    #[serde(deserialize_with = "boolean")]
    is_current: bool,
    assignment: AssignmentFacts,
}

impl CloseOutFacts {
    const ACTIONS: [Action; 7] = [
        Action::Verify,
        Action::Return,
        Action::Publicise,
        Action::RaiseObjection,
        Action::Close,
        Action::Reopen,
        Action::Disclose,
    ];

    fn check(&self, action: Action, asking: Asking<'_>) -> Checked {
        if !self.is_current {
            return Err(because("这一轮销号已结束", "this cycle has been followed by another"));
        }
        self.assignment.check_close_out(action, asking)
    }
}

/// What the actions on a measure depend on.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct MeasureFacts {
    /// The level of the round.
    #[serde(deserialize_with = "code")]
    level: RoundLevel,
    /// The path of the region that issued it.
    path: String,
    lead: Option<i64>,
    supervising: Option<i64>,
    #[serde(deserialize_with = "code")]
    status: Status,
    /// The statuses of its assignments, separated by commas; none if it has no assignments.
    answers: Option<String>,
    /// Whether its problem has other measures.
    #[serde(deserialize_with = "boolean")]
    has_siblings: bool,
    /// Records of what has been done on it.
    dealings: i64,
}

impl MeasureFacts {
    const ACTIONS: [Action; 9] = [
        Action::Assign,
        Action::Comment,
        Action::ChangeDeadline,
        Action::EditMeasure,
        Action::SetParties,
        Action::PlanChecks,
        Action::MergeMeasure,
        Action::RetireMeasure,
        Action::DeleteMeasure,
    ];

    fn check(&self, action: Action, asking: Asking<'_>) -> Checked {
        let standing = Standing { level: self.level, answers: None, leads: self.lead, supervises: self.supervising };
        match action {
            Action::Assign => permits(asking, Act::Assign, standing),
            Action::Comment => permits(asking, Act::Comment, standing),
            Action::ChangeDeadline => issued(asking, Act::ChangeDeadline, (self.level, &self.path)),
            Action::EditMeasure | Action::SetParties | Action::PlanChecks => {
                issued(asking, Act::KeepLedger, (self.level, &self.path))
            }
            Action::MergeMeasure => {
                issued(asking, Act::KeepLedger, (self.level, &self.path))?;
                if self.has_siblings {
                    return Ok(());
                }
                Err(because("本问题没有其他措施可并入", "the problem has no other measure to merge it into"))
            }
            Action::DeleteMeasure => {
                issued(asking, Act::KeepLedger, (self.level, &self.path))?;
                if self.dealings > 0 { Err(wrong_state(was_dealt_with())) } else { Ok(()) }
            }
            _ => {
                issued(asking, Act::KeepLedger, (self.level, &self.path))?;
                withdrawable(&self.answers.as_deref().map_or_else(|| vec![self.status], statuses))
            }
        }
    }
}

fn issued(asking: Asking<'_>, act: Act, (level, path): (RoundLevel, &str)) -> Checked {
    if asking.principal.permits_of_region(act, level, path) { Ok(()) } else { Err(forbidden(act, level)) }
}

/// Reads statuses that are separated by commas.
fn statuses(text: &str) -> Vec<Status> {
    Status::iter().filter(|status| text.split(',').any(|code| code == status.to_value())).collect()
}

/// Reads supervision that is in force or proposed: kinds with their states, separated by commas.
fn standing(text: Option<&str>) -> Vec<(SupervisionKind, SupervisionState)> {
    let read = |one: &str| {
        let (kind, state) = one.split_once(' ')?;
        let kind = SupervisionKind::try_from_value(&kind.to_owned()).ok()?;
        Some((kind, SupervisionState::try_from_value(&state.to_owned()).ok()?))
    };
    text.unwrap_or_default().split(',').filter_map(read).collect()
}

/// Refuses to withdraw what has a close-out in progress or nothing open.
fn withdrawable(statuses: &[Status]) -> Checked {
    let is_open = |status: &&Status| workflow::next(**status, Step::Retire).is_some();
    if let Some(busy) = statuses.iter().find(|status| !workflow::is_settled(**status) && !is_open(status)) {
        let name = workflow::status_name(*busy);
        let zh = format!("有责任单位正在办理销号（{name}），请先退回或办结");
        return Err(because(zh, "a close-out is in progress: return or complete it first"));
    }
    if statuses.iter().any(|status| is_open(&status)) {
        return Ok(());
    }
    Err(because("没有未办结的可撤销", "there is nothing open to withdraw"))
}

/// What the actions on a problem depend on.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProblemFacts {
    /// The level of the round.
    #[serde(deserialize_with = "code")]
    level: RoundLevel,
    /// The path of the region that issued it.
    path: String,
    measures: i64,
    accountabilities: i64,
    /// The statuses of the assignments of its measures, and of its measures without assignments, separated by commas.
    answers: Option<String>,
    /// Whether there are other problems of the same round and region.
    #[serde(deserialize_with = "boolean")]
    has_siblings: bool,
    /// Whether a problem of a later round looks back at it.
    #[serde(deserialize_with = "boolean")]
    has_later: bool,
}

impl ProblemFacts {
    const ACTIONS: [Action; 7] = [
        Action::EditProblem,
        Action::CreateMeasure,
        Action::SetOwnership,
        Action::HoldToAccount,
        Action::MergeProblem,
        Action::RetireProblem,
        Action::DeleteProblem,
    ];

    fn check(&self, action: Action, asking: Asking<'_>) -> Checked {
        match action {
            Action::SetOwnership => permits(asking, Act::Assign, Standing::of_round(self.level)),
            Action::HoldToAccount => permits(asking, Act::HoldToAccount, Standing::of_round(self.level)),
            Action::MergeProblem => {
                issued(asking, Act::KeepLedger, (self.level, &self.path))?;
                if self.has_siblings {
                    return Ok(());
                }
                let zh = "本轮次本地区没有其他问题可并入";
                Err(because(zh, "the round has no other problem of the region to merge it into"))
            }
            Action::RetireProblem => {
                issued(asking, Act::KeepLedger, (self.level, &self.path))?;
                withdrawable(&self.answers.as_deref().map_or_else(Vec::new, statuses))
            }
            Action::DeleteProblem => {
                issued(asking, Act::KeepLedger, (self.level, &self.path))?;
                if self.measures + self.accountabilities > 0 {
                    let zh = "已有措施或责任追究记录，不能删除";
                    return Err(because(zh, "it has measures or records of accountability and cannot be deleted"));
                }
                if self.has_later {
                    let zh = "有“回头看”问题回头看这个问题，不能删除";
                    return Err(because(zh, "another problem looks back at it, so that it cannot be deleted"));
                }
                Ok(())
            }
            _ => issued(asking, Act::KeepLedger, (self.level, &self.path)),
        }
    }
}

/// What the actions on a case depend on.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct CaseFacts {
    /// The level of the round.
    #[serde(deserialize_with = "code")]
    level: RoundLevel,
    #[serde(deserialize_with = "code")]
    state: CaseState,
    lead: i64,
    /// The keys of the assisting units, separated by commas; none if there are none.
    assisting: Option<String>,
    resolver: Option<i64>,
    resolver_actor: Option<i64>,
}

impl CaseFacts {
    const ACTIONS: [Action; 8] = [
        Action::AcceptCase,
        Action::ReportOnCase,
        Action::ResolveCase,
        Action::VerifyCase,
        Action::ReturnCase,
        Action::CloseCase,
        Action::ReopenCase,
        Action::EditCase,
    ];

    fn permits(&self, asking: Asking<'_>, act: Act) -> Checked {
        permits(asking, act, Standing::of_case(self.level, self.lead))
    }

    fn step(&self, step: CaseStep) -> Checked {
        let is_open = case_flow::next(self.state, step).is_some();
        in_state(self.state, is_open, &case_flow::open_from(step), case_flow::state_name)
    }

    fn check(&self, action: Action, asking: Asking<'_>) -> Checked {
        let resolvers = [self.resolver, self.resolver_actor];
        match action {
            Action::AcceptCase => {
                self.permits(asking, Act::AnswerCase)?;
                self.step(CaseStep::Accept)
            }
            Action::ReportOnCase => {
                let assisting =
                    self.assisting.iter().flat_map(|keys| keys.split(',')).filter_map(|key| key.parse().ok());
                let mut units = assisting.chain([self.lead]);
                if !units.any(|unit| asking.principal.permits(Act::AnswerCase, Standing::of_case(self.level, unit))) {
                    return Err(forbidden(Act::AnswerCase, self.level));
                }
                self.step(CaseStep::Report)
            }
            Action::ResolveCase => {
                self.permits(asking, Act::AnswerCase)?;
                self.step(CaseStep::Resolve)
            }
            Action::VerifyCase => {
                self.permits(asking, Act::Verify)?;
                self.step(CaseStep::Verify)?;
                not_own(asking, resolvers)
            }
            Action::ReturnCase => {
                self.permits(asking, if self.state == CaseState::Accepted { Act::Close } else { Act::Verify })?;
                self.step(CaseStep::Return)?;
                not_own(asking, resolvers)
            }
            Action::CloseCase => {
                self.permits(asking, Act::Close)?;
                self.step(CaseStep::Close)?;
                not_own(asking, resolvers)
            }
            Action::EditCase => {
                self.permits(asking, Act::HandOverCase)?;
                let is_open = case_flow::EDITABLE.contains(&self.state);
                in_state(self.state, is_open, &case_flow::EDITABLE, case_flow::state_name)
            }
            _ => {
                self.permits(asking, Act::Reopen)?;
                self.step(CaseStep::Reopen)
            }
        }
    }
}

/// What the actions on a request for an extension depend on.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ExtensionFacts {
    /// The level of the round.
    #[serde(deserialize_with = "code")]
    level: RoundLevel,
    #[serde(deserialize_with = "code")]
    state: DeadlineChangeState,
    requester: Option<i64>,
    requester_actor: Option<i64>,
    due_on: Option<NaiveDate>,
    new_due_on: Option<NaiveDate>,
    /// The unit that asked; none for a change of the deadline without a request.
    unit: Option<i64>,
    lead: Option<i64>,
    supervising: Option<i64>,
}

impl ExtensionFacts {
    const ACTIONS: [Action; 3] = [Action::Endorse, Action::Approve, Action::Reject];

    fn check(&self, action: Action, asking: Asking<'_>) -> Checked {
        let is_requested = self.state == DeadlineChangeState::Requested;
        let is_endorsed = self.state == DeadlineChangeState::Endorsed;
        let act = match action {
            Action::Approve => Act::ChangeDeadline,
            Action::Reject if is_endorsed => Act::ChangeDeadline,
            _ => Act::Verify,
        };
        if self.unit.is_none() {
            return Err(because("这是报备的时限变更，无须审批", "this change was made without a request"));
        }
        let level = self.level;
        permits(asking, act, Standing { level, answers: self.unit, leads: self.lead, supervises: self.supervising })?;
        let is_open = match action {
            Action::Endorse => is_requested,
            Action::Approve => is_endorsed || (is_requested && policy::endorses_and_approves(self.level)),
            _ => is_requested || is_endorsed,
        };
        if !is_open {
            return Err(match self.state {
                DeadlineChangeState::Requested => {
                    because("须先由市整改办同意", "the city office has to endorse it first")
                }
                DeadlineChangeState::Endorsed => {
                    because("已同意，待区整改办批准", "endorsed: the regional office decides")
                }
                _ => because("已作结论", "it has been decided"),
            });
        }
        not_own(asking, [self.requester, self.requester_actor])?;
        if action != Action::Reject && self.due_on >= self.new_due_on {
            return Err(because("时限已不早于所申请的日期", "the deadline is already on or after the requested date"));
        }
        Ok(())
    }
}

/// What the actions on a supervision action depend on.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SupervisionFacts {
    /// The level of the round.
    #[serde(deserialize_with = "code")]
    level: RoundLevel,
    #[serde(deserialize_with = "code")]
    kind: SupervisionKind,
    #[serde(deserialize_with = "code")]
    state: SupervisionState,
    /// The status of the assignment; none for supervision of a whole measure.
    status: Option<String>,
    #[serde(deserialize_with = "boolean")]
    is_completed: bool,
    /// What else is in force or proposed of the assignment.
    supervision: Option<String>,
    unit: Option<i64>,
    lead: Option<i64>,
    supervising: Option<i64>,
}

impl SupervisionFacts {
    const ACTIONS: [Action; 3] = [Action::Adopt, Action::Dismiss, Action::Lift];

    fn check(&self, action: Action, asking: Asking<'_>) -> Checked {
        let is_urge = self.kind == SupervisionKind::Urge && action == Action::Lift;
        let act = if is_urge { Act::Urge } else { Act::Supervise };
        let Some(unit) = self.unit else {
            return Err(because("针对整项措施的督办不在此办理", "supervision of a whole measure is not decided here"));
        };
        let level = self.level;
        permits(asking, act, Standing { level, answers: Some(unit), leads: self.lead, supervises: self.supervising })?;
        let needed = if action == Action::Lift { SupervisionState::Issued } else { SupervisionState::Proposed };
        if self.state != needed {
            return Err(if action == Action::Lift {
                because("不在执行中", "it is not in force")
            } else {
                because("不是待决定的建议", "it is not a pending proposal")
            });
        }
        if action == Action::Adopt {
            let is_settled = self
                .status
                .as_deref()
                .is_none_or(|status| statuses(status).iter().any(|status| workflow::is_settled(*status)));
            if self.is_completed || is_settled {
                return Err(because("整改已完成或已办结", "the assignment has been completed or settled"));
            }
            if let Some((zh, en)) = supervision::doubled(self.kind, &standing(self.supervision.as_deref())) {
                return Err(because(zh, en));
            }
        }
        Ok(())
    }
}

/// What the actions on an objection depend on.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ObjectionFacts {
    #[serde(deserialize_with = "boolean")]
    is_decided: bool,
    assignment: AssignmentFacts,
    applicant: Option<i64>,
    applicant_actor: Option<i64>,
}

impl ObjectionFacts {
    const ACTIONS: [Action; 1] = [Action::DecideObjection];

    fn check(&self, _: Action, asking: Asking<'_>) -> Checked {
        self.assignment.permits(asking, Act::DecideObjection)?;
        not_own(asking, [self.applicant, self.applicant_actor])?;
        if self.is_decided { Err(because("已有结论", "it has been decided")) } else { Ok(()) }
    }
}

/// What the actions on an inspection round depend on.
#[derive(Debug, Deserialize)]
struct RoundFacts {
    #[serde(deserialize_with = "code")]
    level: RoundLevel,
}

impl RoundFacts {
    const ACTIONS: [Action; 1] = [Action::RecordPublishedFigure];

    fn check(&self, _: Action, asking: Asking<'_>) -> Checked {
        permits(asking, Act::KeepLedger, Standing::of_round(self.level))
    }
}

/// What the actions on a published figure depend on.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct FigureFacts {
    /// The level of the round.
    #[serde(deserialize_with = "code")]
    level: RoundLevel,
    /// The path of the region that it speaks of.
    path: String,
    #[serde(deserialize_with = "boolean")]
    is_withdrawn: bool,
}

impl FigureFacts {
    const ACTIONS: [Action; 2] = [Action::CorrectPublishedFigure, Action::WithdrawPublishedFigure];

    fn check(&self, _: Action, asking: Asking<'_>) -> Checked {
        issued(asking, Act::KeepLedger, (self.level, &self.path))?;
        if self.is_withdrawn { Err(because("已经撤回", "it has been withdrawn")) } else { Ok(()) }
    }
}

/// Returns the SQL of the facts of an object, the row `alias`, as a JSON object.
pub fn facts(sql: &mut Sql<'_>, subject: Subject, alias: &str) -> String {
    match subject {
        Subject::Assignment => assignment_facts(sql, alias),
        Subject::CloseOut => {
            let assignment = assignment_of(sql, &format!("{alias}.assignment_id"));
            let newest = format!(
                "{alias}.cycle = (SELECT max(n.cycle) FROM close_out n WHERE n.assignment_id = {alias}.assignment_id)"
            );
            sql.object(&[("isCurrent", sql.boolean(&newest)), ("assignment", assignment)])
        }
        Subject::Measure => {
            let answers = sql.joined("aa.status", &format!("assignment aa WHERE aa.measure_id = {alias}.id"));
            let siblings = format!(
                "EXISTS (SELECT 1 FROM measure ao WHERE ao.problem_id = {alias}.problem_id AND ao.id <> {alias}.id)"
            );
            sql.object(&[
                ("level", level_of(&format!("{alias}.round_id"))),
                ("path", format!("(SELECT ar.path FROM region ar WHERE ar.id = {alias}.region_id)")),
                ("lead", format!("{alias}.lead_unit_id")),
                ("supervising", format!("{alias}.supervising_unit_id")),
                ("status", format!("{alias}.status")),
                ("answers", answers),
                ("hasSiblings", sql.boolean(&siblings)),
                ("dealings", dealings(&format!("{alias}.id"))),
            ])
        }
        Subject::Problem => {
            let siblings = format!(
                "EXISTS (SELECT 1 FROM problem ao WHERE ao.round_id = {alias}.round_id \
                 AND ao.region_id = {alias}.region_id AND ao.id <> {alias}.id)"
            );
            let later = format!("EXISTS (SELECT 1 FROM problem al WHERE al.looks_back_at_id = {alias}.id)");
            let answers = sql.joined(
                "coalesce(aa.status, am.status)",
                &format!(
                    "measure am LEFT JOIN assignment aa ON aa.measure_id = am.id WHERE am.problem_id = {alias}.id"
                ),
            );
            sql.object(&[
                ("level", level_of(&format!("{alias}.round_id"))),
                ("path", format!("(SELECT ar.path FROM region ar WHERE ar.id = {alias}.region_id)")),
                ("answers", answers),
                ("measures", format!("(SELECT count(*) FROM measure am WHERE am.problem_id = {alias}.id)")),
                (
                    "accountabilities",
                    format!("(SELECT count(*) FROM accountability aa WHERE aa.problem_id = {alias}.id)"),
                ),
                ("hasSiblings", sql.boolean(&siblings)),
                ("hasLater", sql.boolean(&later)),
            ])
        }
        Subject::Case => {
            let assisting = sql.joined("au.unit_id", &format!("case_unit au WHERE au.case_id = {alias}.id"));
            sql.object(&[
                ("level", level_of(&format!("{alias}.round_id"))),
                ("state", format!("{alias}.state")),
                ("lead", format!("{alias}.lead_unit_id")),
                ("assisting", assisting),
                ("resolver", format!("{alias}.resolver_id")),
                ("resolverActor", format!("{alias}.resolver_actor_id")),
            ])
        }
        Subject::Extension => extension_facts(sql, alias),
        Subject::Supervision => {
            let completed = format!("{} IS NOT NULL", of_assignment("completed_on", alias));
            let supervision = supervision_of(sql, &format!("{alias}.assignment_id"));
            sql.object(&[
                ("level", level_of(&of_measure("round_id", alias))),
                ("kind", format!("{alias}.kind")),
                ("state", format!("{alias}.state")),
                ("status", of_assignment("status", alias)),
                ("isCompleted", sql.boolean(&completed)),
                ("supervision", supervision),
                ("unit", of_assignment("unit_id", alias)),
                ("lead", of_measure("lead_unit_id", alias)),
                ("supervising", of_measure("supervising_unit_id", alias)),
            ])
        }
        Subject::Round => sql.object(&[("level", format!("{alias}.level"))]),
        Subject::PublishedFigure => sql.object(&[
            ("level", level_of(&format!("{alias}.round_id"))),
            ("path", format!("(SELECT ar.path FROM region ar WHERE ar.id = {alias}.region_id)")),
            ("isWithdrawn", sql.boolean(&format!("{alias}.withdrawn_at IS NOT NULL"))),
        ]),
        Subject::Objection => {
            let of =
                |column: &str| format!("(SELECT ac.{column} FROM close_out ac WHERE ac.id = {alias}.close_out_id)");
            let assignment = assignment_of(sql, &of("assignment_id"));
            sql.object(&[
                ("isDecided", sql.boolean(&format!("{alias}.decided_at IS NOT NULL"))),
                ("assignment", assignment),
                ("applicant", of("applicant_id")),
                ("applicantActor", of("applicant_actor_id")),
            ])
        }
    }
}

/// Returns the SQL of the number of records of what has been done on a measure, whose key is `measure`, since it was
/// created.
pub(crate) fn dealings(measure: &str) -> String {
    let of_assignment = ["progress_report", "\"check\"", "evidence", "close_out"].map(|table| {
        format!(
            "(SELECT count(*) FROM {table} ax JOIN assignment aa ON aa.id = ax.assignment_id \
             WHERE aa.measure_id = {measure})"
        )
    });
    let of_measure = ["deadline_change", "supervision_action", "comment"]
        .map(|table| format!("(SELECT count(*) FROM {table} ax WHERE ax.measure_id = {measure})"));
    let moved = format!(
        "(SELECT count(*) FROM assignment aa WHERE aa.measure_id = {measure} \
         AND (aa.version > 1 OR aa.status <> 'ASSIGNED'))"
    );
    format!("({moved} + {} + {})", of_assignment.join(" + "), of_measure.join(" + "))
}

/// Returns the refusal to delete a measure on which something has been done.
pub(crate) fn was_dealt_with() -> Fault {
    let zh = "这项措施已被签收、退回，或已有进展、佐证、检查、销号、延期、督办或意见，不能删除：请改为撤销";
    let en = "the measure has been accepted or declined, or has reports, evidence, checks, close-outs, extensions, \
              supervision or comments, and cannot be deleted: withdraw it instead";
    Fault::new(FaultCode::WrongState, zh, en, &["input", "measureId"])
}

fn extension_facts(sql: &mut Sql<'_>, alias: &str) -> String {
    sql.object(&[
        ("level", level_of(&of_measure("round_id", alias))),
        ("state", format!("{alias}.state")),
        ("requester", format!("{alias}.requester_id")),
        ("requesterActor", format!("{alias}.requester_actor_id")),
        ("dueOn", of_assignment("due_on", alias)),
        ("newDueOn", format!("{alias}.new_due_on")),
        ("unit", of_assignment("unit_id", alias)),
        ("lead", of_measure("lead_unit_id", alias)),
        ("supervising", of_measure("supervising_unit_id", alias)),
    ])
}

/// Returns the SQL of the level of the round whose key is `round`.
fn level_of(round: &str) -> String {
    format!("(SELECT ar.level FROM inspection_round ar WHERE ar.id = {round})")
}

fn of_measure(column: &str, alias: &str) -> String {
    format!("(SELECT am.{column} FROM measure am WHERE am.id = {alias}.measure_id)")
}

fn of_assignment(column: &str, alias: &str) -> String {
    format!("(SELECT aa.{column} FROM assignment aa WHERE aa.id = {alias}.assignment_id)")
}

/// Returns the facts of the assignment with a key.
fn assignment_of(sql: &mut Sql<'_>, key: &str) -> String {
    let row = sql.alias();
    let facts = assignment_facts(sql, &row);
    sql.json(&format!("(SELECT {facts} FROM assignment {row} WHERE {row}.id = {key})"))
}

/// Returns the SQL of what is in force or proposed of the assignment with a key, as [`standing`] reads it.
fn supervision_of(sql: &mut Sql<'_>, key: &str) -> String {
    sql.joined(
        "al.kind || ' ' || al.state",
        &format!("supervision_action al WHERE al.assignment_id = {key} AND al.state IN ('ISSUED', 'PROPOSED')"),
    )
}

fn assignment_facts(sql: &mut Sql<'_>, row: &str) -> String {
    let measure = sql.alias();
    let (cycle, check) = (sql.alias(), sql.alias());
    let objections =
        format!("(SELECT count(*) FROM objection ao WHERE ao.close_out_id = {cycle}.id AND ao.decided_at IS NULL)");
    let of_cycle = sql.object(&[
        ("state", format!("{cycle}.state")),
        ("applicant", format!("{cycle}.applicant_id")),
        ("applicantActor", format!("{cycle}.applicant_actor_id")),
        ("noticeUntil", format!("{cycle}.notice_until")),
        ("reopenedAt", format!("{cycle}.reopened_at")),
        ("openObjections", objections),
    ]);
    let of_cycle = sql.json(&format!(
        "(SELECT {of_cycle} FROM close_out {cycle} WHERE {cycle}.assignment_id = {row}.id \
         ORDER BY {cycle}.cycle DESC LIMIT 1)"
    ));
    let of_check = sql.object(&[("result", format!("{check}.result")), ("checkedOn", format!("{check}.checked_on"))]);
    let of_check = sql.json(&format!(
        "(SELECT {of_check} FROM \"check\" {check} WHERE {check}.assignment_id = {row}.id \
         AND {check}.kind = 'SELF_INSPECTION' ORDER BY {check}.due_on DESC, {check}.id DESC LIMIT 1)"
    ));
    let evidence = format!("EXISTS (SELECT 1 FROM evidence ae WHERE ae.assignment_id = {row}.id)");
    let extension = format!(
        "EXISTS (SELECT 1 FROM deadline_change ad WHERE ad.assignment_id = {row}.id \
         AND ad.state IN ('REQUESTED', 'ENDORSED'))"
    );
    let supervision = supervision_of(sql, &format!("{row}.id"));
    let has_date = format!("({row}.due_on IS NOT NULL OR {row}.due_by IS NOT NULL)");
    let object = sql.object(&[
        ("level", level_of(&format!("{measure}.round_id"))),
        ("status", format!("{row}.status")),
        ("unit", format!("{row}.unit_id")),
        ("lead", format!("{measure}.lead_unit_id")),
        ("supervising", format!("{measure}.supervising_unit_id")),
        ("isOngoing", sql.boolean(&format!("{measure}.due_ongoing"))),
        ("hasDate", sql.boolean(&has_date)),
        ("isCompleted", sql.boolean(&format!("{row}.completed_on IS NOT NULL"))),
        ("isAccepted", sql.boolean(&format!("{row}.accepted_at IS NOT NULL"))),
        ("isDeclined", sql.boolean(&format!("{row}.declined_at IS NOT NULL"))),
        ("hasEvidence", sql.boolean(&evidence)),
        ("isExtensionPending", sql.boolean(&extension)),
        ("proposer", format!("{row}.proposer_id")),
        ("proposerActor", format!("{row}.proposer_actor_id")),
        ("supervision", supervision),
        ("inspection", of_check),
        ("cycle", of_cycle),
    ]);
    sql.json(&format!("(SELECT {object} FROM measure {measure} WHERE {measure}.id = {row}.measure_id)"))
}
