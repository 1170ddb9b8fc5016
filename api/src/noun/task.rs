//! Tasks: what waits for the caller, of all kinds in one list, the most urgent first.

use async_graphql::Enum;
use planner::{Dimension, Kind, Noun, SortKey, SortType, noun};

use crate::noun::assignment::Assignment;
use crate::noun::case::InspectionCase;
use crate::noun::close_out::{CloseOut, Objection};
use crate::noun::extension::DeadlineChange;
use crate::noun::mail::Mail;
use crate::noun::measure::Measure;
use crate::noun::supervision::SupervisionAction;
use crate::part::filter::{DateFilter, codes_in, filter};
use crate::part::order::order;
use crate::part::scalar::Date;

/// What has to be done. Which kinds wait for whom follows from the role.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
pub(crate) enum TaskKind {
    /// 已逾期 · The assignment is open past the deadline of its measure. For units, their county office, and the units
    /// that lead or supervise.
    Overdue,
    /// 被退回 · The application for close-out was returned: mend what is missing and apply again.
    Returned,
    /// 反弹 · The assignment was reopened after a relapse.
    Relapsed,
    /// 待签收 · The assignment has not been accepted yet.
    Accept,
    /// 30 日内到期 · The deadline is within 30 days.
    DueSoon,
    /// 待提请销号 · The work is reported as completed; apply for close-out.
    ApplyForCloseOut,
    /// 本期自查未做 · The self-inspection of the period that ends with this quarter has not been recorded. It is owed
    /// from the first whole quarter after the assignment was entered.
    SelfInspection,
    /// 督办待答复 · Supervision asks for an answer by a date.
    AnswerSupervision,
    /// 案件待签收 · A complaint case has to be accepted.
    AcceptCase,
    /// 案件待办结 · A complaint case has to be resolved.
    ResolveCase,
    /// 待核查 · An application for close-out waits for verification by the city office; where there is none, by the
    /// regional office.
    Verify,
    /// 待认定不涉及 · A unit proposes that a measure does not concern it, or has declined it.
    DecideNotApplicable,
    /// 待公示 · A verified close-out waits for its public notice.
    Publicise,
    /// 异议待答复 · An objection waits for a decision.
    DecideObjection,
    /// 待销号 · The notice period is over; the close-out can be decided.
    Close,
    /// 延期待审批 · A request for an extension waits for the caller's decision.
    DecideExtension,
    /// 督办建议待决定 · A proposal to list, or of a yellow or red card, waits for a decision.
    DecideProposal,
    /// 案件待验收 · A resolved case waits for verification.
    VerifyCase,
    /// 案件待销号 · A verified case can be closed.
    CloseCase,
    /// 邮件未送达 · A mail could not be delivered. For administrators.
    FailedMail,
}

/// Tasks without a date come last.
const DUE_ON: SortKey = SortKey::expression("coalesce({t}.due_on, '9999-12-31')", SortType::Date);

const GROUPS: &[Dimension] = &[Dimension::plain("KIND", "种类 · What has to be done.", "{t}.kind")];

/// The condition that the role of the account `{owner}` is that of the office that closes what a round `w` found: the
/// office of the round's level ([`Act::Close`](ledger::people::policy::Act::Close)).
macro_rules! is_closing_office {
    () => {
        "{owner}.role = CASE w.level WHEN 'COUNTY' THEN 'COUNTY_OFFICE' WHEN 'PREFECTURE' THEN 'CITY_OFFICE' \
            ELSE 'REGIONAL_OFFICE' END"
    };
}

/// The condition that the role of the account `{owner}` is that of an office that what a round `w` found waits for
/// before it can be closed. Of those that may verify it
/// ([`Act::Verify`](ledger::people::policy::Act::Verify)), the county's own rounds wait for the county office alone.
macro_rules! is_verifying_office {
    () => {
        "CASE WHEN w.level = 'COUNTY' THEN {owner}.role = 'COUNTY_OFFICE' \
            ELSE {owner}.role IN ('CITY_OFFICE', 'REGIONAL_OFFICE') END"
    };
}

/// Like `is_verifying_office`, but the regional office only where no city office has an account.
macro_rules! is_first_verifying_office {
    () => {
        "CASE WHEN w.level = 'COUNTY' THEN {owner}.role = 'COUNTY_OFFICE' \
            ELSE {owner}.role = 'CITY_OFFICE' OR {owner}.role = 'REGIONAL_OFFICE' AND NOT EXISTS \
                (SELECT 1 FROM account y WHERE y.role = 'CITY_OFFICE' AND NOT y.is_disabled) END"
    };
}

noun! {
    /// Something that waits for the account: an object, and what has to be done about it.
    pub(crate) Task from (concat!("(SELECT a.id * 32 + 1 AS id, CASE \
            WHEN a.status = 'RETURNED' THEN 'RETURNED' WHEN a.status = 'REOPENED' THEN 'RELAPSED' \
            WHEN a.completed_on IS NOT NULL THEN 'APPLY_FOR_CLOSE_OUT' \
            WHEN a.due_by < {fact:today} THEN 'OVERDUE' \
            WHEN a.accepted_at IS NULL AND a.status = 'ASSIGNED' THEN 'ACCEPT' ELSE 'DUE_SOON' END AS kind, \
            coalesce(a.due_by, a.due_on) AS due_on, a.measure_id, a.id AS assignment_id, \
            CAST(NULL AS bigint) AS case_id, CAST(NULL AS bigint) AS close_out_id, CAST(NULL AS bigint) AS \
                extension_id, \
            CAST(NULL AS bigint) AS supervision_id, CAST(NULL AS bigint) AS objection_id, CAST(NULL AS bigint) AS \
                mail_id \
        FROM assignment a JOIN measure m ON m.id = a.measure_id \
        WHERE {owner}.role IN ('RESPONSIBLE_UNIT', 'LEAD_UNIT', 'COUNTY_OFFICE', 'SUPERVISING_UNIT') \
            AND a.status IN ('ASSIGNED', 'IN_PROGRESS', 'RETURNED', 'REOPENED') AND a.declined_at IS NULL \
            AND (a.due_by < {fact:today} AND a.completed_on IS NULL \
                OR ({owner}.role <> 'SUPERVISING_UNIT' AND ({owner}.role <> 'LEAD_UNIT' OR a.unit_id = \
                    {owner}.unit_id) \
                    AND (a.status IN ('RETURNED', 'REOPENED') OR a.completed_on IS NOT NULL \
                        OR (a.accepted_at IS NULL AND a.status = 'ASSIGNED') OR a.due_by <= {fact:soon}))) \
            AND {sees:assignment:a} \
        UNION ALL SELECT a.id * 32 + 2, 'SELF_INSPECTION', {fact:quarter_end}, a.measure_id, a.id, NULL, NULL, NULL, \
            NULL, NULL, NULL \
        FROM assignment a JOIN measure m ON m.id = a.measure_id \
        LEFT JOIN check_plan p ON p.measure_id = a.measure_id AND p.kind = 'SELF_INSPECTION' \
        WHERE {owner}.role IN ('RESPONSIBLE_UNIT', 'COUNTY_OFFICE') AND a.status NOT IN ('CLOSED', 'NOT_APPLICABLE') \
            AND m.issued_on < {fact:quarter_start} AND a.created_at < {fact:quarter_start_at} \
            AND (coalesce(p.every, 'QUARTER') = 'QUARTER' OR p.every = 'HALF_YEAR' AND {fact:ends_half} = 1 \
                OR p.every = 'YEAR' AND {fact:ends_year} = 1) \
            AND NOT EXISTS (SELECT 1 FROM \"check\" c WHERE c.assignment_id = a.id AND c.kind = 'SELF_INSPECTION' \
                AND c.due_on >= CASE p.every WHEN 'YEAR' THEN {fact:year_start} \
                    WHEN 'HALF_YEAR' THEN {fact:half_start} ELSE {fact:quarter_start} END) \
            AND {sees:assignment:a} \
        UNION ALL SELECT s.id * 32 + 3, 'ANSWER_SUPERVISION', s.answer_by, s.measure_id, s.assignment_id, NULL, NULL, \
            NULL, s.id, NULL, NULL \
        FROM supervision_action s \
        WHERE {owner}.role IN ('RESPONSIBLE_UNIT', 'LEAD_UNIT') AND s.state = 'ISSUED' AND s.answer_by IS NOT NULL \
            AND s.recipient_id = {owner}.unit_id AND {sees:supervision_action:s} \
        UNION ALL SELECT k.id * 32 + 4, CASE k.state WHEN 'HANDED_OVER' THEN 'ACCEPT_CASE' ELSE 'RESOLVE_CASE' END, \
            k.due_on, NULL, NULL, k.id, NULL, NULL, NULL, NULL, NULL \
        FROM inspection_case k \
        WHERE {owner}.role IN ('RESPONSIBLE_UNIT', 'LEAD_UNIT') AND k.lead_unit_id = {owner}.unit_id \
            AND k.state IN ('HANDED_OVER', 'IN_PROGRESS', 'PARTLY_RESOLVED') AND {sees:inspection_case:k} \
        UNION ALL SELECT k.id * 32 + 5, CASE k.state WHEN 'RESOLVED' THEN 'VERIFY_CASE' ELSE 'CLOSE_CASE' END, \
            k.due_on, NULL, NULL, k.id, NULL, NULL, NULL, NULL, NULL \
        FROM inspection_case k JOIN inspection_round w ON w.id = k.round_id \
        WHERE {owner}.role IN ('COUNTY_OFFICE', 'CITY_OFFICE', 'REGIONAL_OFFICE') \
            AND k.state IN ('RESOLVED', 'ACCEPTED') \
            AND CASE WHEN k.state = 'ACCEPTED' THEN ", is_closing_office!(), " ELSE ", is_verifying_office!(), " END \
            AND {sees:inspection_case:k} \
        UNION ALL SELECT a.id * 32 + 6, CASE a.status WHEN 'SUBMITTED' THEN 'VERIFY' WHEN 'VERIFIED' THEN 'PUBLICISE' \
            ELSE 'DECIDE_NOT_APPLICABLE' END, a.due_by, a.measure_id, a.id, NULL, \
            (SELECT o.id FROM close_out o WHERE o.assignment_id = a.id AND o.state IN ('APPLIED', 'VERIFIED')), NULL, \
            NULL, NULL, NULL \
        FROM assignment a LEFT JOIN measure m ON m.id = a.measure_id \
            LEFT JOIN inspection_round w ON w.id = m.round_id \
        WHERE {owner}.role IN ('COUNTY_OFFICE', 'CITY_OFFICE', 'REGIONAL_OFFICE') \
            AND ", is_first_verifying_office!(), " \
            AND a.status IN ('SUBMITTED', 'VERIFIED', 'NOT_APPLICABLE_PROPOSED') AND {sees:assignment:a} \
        UNION ALL SELECT a.id * 32 + 11, 'DECIDE_NOT_APPLICABLE', a.due_by, a.measure_id, a.id, NULL, NULL, NULL, \
            NULL, NULL, NULL \
        FROM assignment a LEFT JOIN measure m ON m.id = a.measure_id \
            LEFT JOIN inspection_round w ON w.id = m.round_id \
        WHERE {owner}.role IN ('COUNTY_OFFICE', 'CITY_OFFICE', 'REGIONAL_OFFICE') \
            AND ", is_first_verifying_office!(), " \
            AND a.status = 'ASSIGNED' AND a.declined_at IS NOT NULL AND {sees:assignment:a} \
        UNION ALL SELECT a.id * 32 + 12, 'CLOSE', o.notice_until, a.measure_id, a.id, NULL, o.id, NULL, NULL, NULL, \
            NULL \
        FROM close_out o JOIN assignment a ON a.id = o.assignment_id JOIN measure m ON m.id = a.measure_id \
            JOIN inspection_round w ON w.id = m.round_id \
        WHERE ", is_closing_office!(), " \
            AND o.state = 'PUBLICISED' AND o.notice_until < {fact:today} AND a.status = 'PUBLICISED' \
            AND NOT EXISTS (SELECT 1 FROM objection j WHERE j.close_out_id = o.id AND j.decided_at IS NULL) \
            AND {sees:assignment:a} \
        UNION ALL SELECT a.id * 32 + 13, 'PUBLICISE', a.due_by, a.measure_id, a.id, NULL, \
            (SELECT o.id FROM close_out o WHERE o.assignment_id = a.id AND o.state = 'VERIFIED'), NULL, NULL, NULL, \
            NULL \
        FROM assignment a JOIN measure m ON m.id = a.measure_id \
        WHERE {owner}.role = 'LEAD_UNIT' AND a.status = 'VERIFIED' AND m.lead_unit_id = {owner}.unit_id \
            AND {sees:assignment:a} \
        UNION ALL SELECT j.id * 32 + 7, 'DECIDE_OBJECTION', o.notice_until, a.measure_id, a.id, NULL, o.id, NULL, \
            NULL, \
            j.id, NULL \
        FROM objection j JOIN close_out o ON o.id = j.close_out_id JOIN assignment a ON a.id = o.assignment_id \
            JOIN measure m ON m.id = a.measure_id JOIN inspection_round w ON w.id = m.round_id \
        WHERE ", is_verifying_office!(), " \
            AND j.decided_at IS NULL AND {sees:assignment:a} \
        UNION ALL SELECT d.id * 32 + 8, 'DECIDE_EXTENSION', d.old_due_on, d.measure_id, d.assignment_id, NULL, NULL, \
            d.id, NULL, NULL, NULL \
        FROM deadline_change d JOIN measure m ON m.id = d.measure_id JOIN inspection_round w ON w.id = m.round_id \
        WHERE {owner}.role IN ('COUNTY_OFFICE', 'CITY_OFFICE', 'REGIONAL_OFFICE') \
            AND d.state IN ('REQUESTED', 'ENDORSED') \
            AND CASE WHEN d.state = 'ENDORSED' THEN ", is_closing_office!(), " ELSE ", is_verifying_office!(), " END \
            AND {sees:deadline_change:d} \
        UNION ALL SELECT s.id * 32 + 9, 'DECIDE_PROPOSAL', NULL, s.measure_id, s.assignment_id, NULL, NULL, NULL, \
            s.id, \
            NULL, NULL \
        FROM supervision_action s JOIN measure m ON m.id = s.measure_id JOIN inspection_round w ON w.id = m.round_id \
        WHERE ", is_verifying_office!(), " \
            AND s.state = 'PROPOSED' AND {sees:supervision_action:s} \
        UNION ALL SELECT l.id * 32 + 10, 'FAILED_MAIL', l.local_day, NULL, NULL, NULL, NULL, NULL, NULL, NULL, l.id \
        FROM mail l WHERE {owner}.role = 'ADMINISTRATOR' AND l.state = 'FAILED' AND {sees:mail:l})")) {
        order: &[DUE_ON],
        total: None,
        filter: TaskFilter,
        by: TaskOrder,
        groups: GROUPS
    }
    /// What has to be done.
    kind: TaskKind = Kind::Column("kind");
    /// Local date that the task is about: the deadline, the end of the period or of the notice, or the date of an
    /// answer; null if there is none.
    dueOn: Option<Date> = Kind::Column("due_on");
    /// Measure that the task is about; null for cases and mails.
    measure: Option<Measure> = Kind::One(<Measure as Noun>::table, "measure_id");
    /// Assignment that the task is about; null for cases and mails.
    assignment: Option<Assignment> = Kind::One(<Assignment as Noun>::table, "assignment_id");
    /// Complaint case that the task is about; null for other tasks.
    inspectionCase: Option<InspectionCase> = Kind::One(<InspectionCase as Noun>::table, "case_id");
    /// Close-out that waits for the next step; null for other tasks.
    closeOut: Option<CloseOut> = Kind::One(<CloseOut as Noun>::table, "close_out_id");
    /// Request for an extension that waits for a decision; null for other tasks.
    deadlineChange: Option<DeadlineChange> = Kind::One(<DeadlineChange as Noun>::table, "extension_id");
    /// Supervision to answer, or proposal to decide on; null for other tasks.
    supervisionAction: Option<SupervisionAction> = Kind::One(<SupervisionAction as Noun>::table, "supervision_id");
    /// Objection that waits for a decision; null for other tasks.
    objection: Option<Objection> = Kind::One(<Objection as Noun>::table, "objection_id");
    /// Mail that could not be delivered; null for other tasks.
    mail: Option<Mail> = Kind::One(<Mail as Noun>::table, "mail_id");
}

order! { TaskOrder by TaskOrderField {
    /// 日期 · Date that the task is about; tasks without one come last, or first in descending order.
    DueOn = DUE_ON,
} }

filter! {
    /// Conditions on tasks. All that are given have to hold.
    TaskFilter {
        /// The task is of one of these kinds.
        kind: Vec<TaskKind> = |kinds| codes_in("kind", kinds),
        /// Condition on the date that the task is about.
        due_on: DateFilter = |day| day.condition("due_on"),
    }
}

#[cfg(test)]
mod tests {
    use entity::account::Role;
    use entity::inspection_round::RoundLevel;
    use ledger::people::policy::{Act, doers};
    use sea_orm::{ActiveEnum, ConnectionTrait, Database, Iterable, Statement};

    /// Returns the roles for which a condition holds in a round of this level.
    async fn roles(condition: &str, level: RoundLevel) -> Vec<Role> {
        let db = Database::connect("sqlite::memory:").await.unwrap();
        let mut found = Vec::new();
        for role in Role::iter() {
            let condition = condition.replace("{owner}", "o");
            let sql = format!(
                "WITH account AS (SELECT 'CITY_OFFICE' AS role, TRUE AS is_disabled) SELECT 1 \
                 FROM (SELECT '{}' AS role) o CROSS JOIN (SELECT '{}' AS level) w WHERE {condition}",
                role.to_value(),
                level.to_value(),
            );
            if db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await.unwrap().is_some() {
                found.push(role);
            }
        }
        found
    }

    #[tokio::test]
    async fn tasks_wait_for_offices_that_may_do_them() {
        for level in RoundLevel::iter() {
            assert_eq!(roles(is_closing_office!(), level).await, doers(Act::Close, level), "{level:?}");
            for condition in [is_verifying_office!(), is_first_verifying_office!()] {
                let waiting = roles(condition, level).await;
                assert!(!waiting.is_empty(), "nobody is asked to verify: {level:?}");
                for act in [Act::Verify, Act::DecideObjection, Act::Supervise] {
                    assert!(waiting.iter().all(|role| doers(act, level).contains(role)), "{act:?}, {level:?}");
                }
            }
        }
    }
}
