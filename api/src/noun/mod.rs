//! What requests speak of: one file for each noun, with its type, filter, order and mutations.

pub(crate) mod account;
pub(crate) mod accountability;
pub(crate) mod answered;
pub(crate) mod assignment;
pub(crate) mod audit;
pub(crate) mod briefing;
pub(crate) mod calendar;
pub(crate) mod case;
pub(crate) mod case_report;
pub(crate) mod change;
pub(crate) mod check;
pub(crate) mod close_out;
pub(crate) mod deadline;
pub(crate) mod delegation;
pub(crate) mod enum_label;
pub(crate) mod evidence;
pub(crate) mod extension;
pub(crate) mod health;
pub(crate) mod identity;
pub(crate) mod import_decision;
pub(crate) mod job_report;
pub(crate) mod leader;
pub(crate) mod mail;
pub(crate) mod mail_link;
pub(crate) mod mail_setting;
pub(crate) mod measure;
pub(crate) mod milestone;
pub(crate) mod monthly_account;
pub(crate) mod ownership;
pub(crate) mod pending_import;
pub(crate) mod problem;
pub(crate) mod progress_report;
pub(crate) mod public_notice;
pub(crate) mod published_figure;
pub(crate) mod region;
pub(crate) mod reminder_rule;
pub(crate) mod responsible_party;
pub(crate) mod round;
pub(crate) mod round_result;
pub(crate) mod saved_view;
pub(crate) mod schedule;
pub(crate) mod search_hit;
pub(crate) mod self_inspection;
pub(crate) mod setting;
pub(crate) mod sign_in;
pub(crate) mod statistics;
pub(crate) mod supervision;
pub(crate) mod suppression;
pub(crate) mod task;
pub(crate) mod unit;
pub(crate) mod webhook;
pub(crate) mod why_mail;

use ledger::work::available::Subject;

use crate::context::Finishing;
use crate::part::action;

/// The values that only the program can compute.
pub(crate) const FINISHERS: &[(&str, Finishing)] = &[
    ("nextOccurrences", schedule::next_occurrences),
    ("evidenceView", evidence::view_url),
    ("evidenceThumbnail", evidence::thumbnail_url),
    ("auditLabel", audit::label),
    ("leaderName", leader::name),
    ("decisionQuestion", import_decision::question),
    ("decisionAnswer", import_decision::answer),
    ("auditChanges", audit::changes),
    ("webhookEvents", webhook::events),
    (action::ASSIGNMENT, |request, finish, facts| action::available(Subject::Assignment, request, finish, facts)),
    (action::MEASURE, |request, finish, facts| action::available(Subject::Measure, request, finish, facts)),
    (action::PROBLEM, |request, finish, facts| action::available(Subject::Problem, request, finish, facts)),
    (action::CASE, |request, finish, facts| action::available(Subject::Case, request, finish, facts)),
    (action::CLOSE_OUT, |request, finish, facts| action::available(Subject::CloseOut, request, finish, facts)),
    (action::EXTENSION, |request, finish, facts| action::available(Subject::Extension, request, finish, facts)),
    (action::SUPERVISION, |request, finish, facts| action::available(Subject::Supervision, request, finish, facts)),
    (action::OBJECTION, |request, finish, facts| action::available(Subject::Objection, request, finish, facts)),
    (action::ROUND, |request, finish, facts| action::available(Subject::Round, request, finish, facts)),
    (action::PUBLISHED_FIGURE, |request, finish, facts| {
        action::available(Subject::PublishedFigure, request, finish, facts)
    }),
];
