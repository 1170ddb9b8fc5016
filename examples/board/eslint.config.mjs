// Rules for the schema and for the operations: the recommended configurations of @graphql-eslint and its Relay rules as
// they are, except for the exemptions below. ESLint only lints files below its working directory, so `lint:schema`
// runs at the repository's root.

import { fileURLToPath } from 'node:url';

import graphql from '@graphql-eslint/eslint-plugin';

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));

const language = {
  plugins: { '@graphql-eslint': graphql },
  languageOptions: {
    parser: graphql.parser,
    parserOptions: { graphQLConfig: { schema: path('../../api/schema.graphql'), documents: path('src/*.graphql') } },
  },
};

/**
 * Types without an id, each with the reason. They cannot be requested alone: a client reads and caches each of them as
 * a part of the object that contains it.
 */
const PARTS = {
  AuditChange: 'one line of an audit entry',
  AvailableAction: 'computed when it is requested',
  BackupRecord: 'identified by the moment that it shows',
  Briefing: 'computed when it is requested',
  BriefingCard: 'one line of a briefing; the act of supervision has an id',
  BriefingCardCounts: 'computed when it is requested',
  BriefingRank: 'computed when it is requested',
  CalendarDay: 'identified by its date',
  CasePollution: 'one word of a case',
  CheckPlan: 'identified by its measure and its kind of check',
  DatabaseHealth: 'computed when it is requested',
  DateRange: 'computed when it is requested',
  Deadline: 'part of a measure or a problem, which carry its version',
  DemoAccount: 'a sign-in that is offered; the account itself has an id',
  DiskHealth: 'computed when it is requested',
  EffectiveSetting: 'identified by its name',
  EnumLabels: 'words of the schema',
  EnumValueLabel: 'words of the schema',
  EvidenceHealth: 'computed when it is requested',
  GroupKey: 'computed when it is requested',
  HealthFinding: 'computed when it is requested',
  ImportColumn: 'says how a file was read; part of its report',
  ImportFault: 'says how a file was read; part of its report',
  ImportQuestion: 'identified by its import, its topic and what is printed',
  ImportReport: 'says how a file was read; belongs to its import',
  ImportSheet: 'says how a file was read; part of its report',
  Installation: 'there is only one',
  JobDigest: 'says what a job would send; not stored',
  JobDigestItem: 'one line of a mail that a job would send',
  JobHealth: 'computed when it is requested',
  JobReport: 'the answer to one run',
  LedgerChange: 'an event that is delivered once',
  LinkedItem: 'what a link in a mail shows; the item itself has an id',
  MailContent: 'words of a mail; the mail has an id',
  MailItem: 'one line of a mail; the measure, case or region has an id',
  MailLink: 'a link in a mail; it is known by its token',
  MailOutage: 'there is at most one',
  MailReason: 'computed when it is requested',
  MailSetting: 'a choice of the caller about one kind of mail',
  MailSubscription: 'what a link to unsubscribe stands for; it is known by its token',
  MeasureLeader: 'identified by its measure and its post',
  Milestone: 'one date of a deadline',
  MomentRange: 'computed when it is requested',
  MonthlyAccount: 'identified by its unit and the month that was asked for',
  NoMailReason: 'computed when it is requested',
  NumberSummary: 'computed when it is requested',
  OutboxHealth: 'computed when it is requested',
  Ownership: 'identified by its problem and its region',
  PageInfo: 'defined by Relay without an id',
  PendingImport: 'identified by its importId, for its owner alone; not a node',
  ProblemDomain: 'one word of a problem',
  Quantity: 'one line of a progress report',
  QuantityTotal: 'computed when it is requested',
  ReminderRule: 'identified by its kind and its region',
  ReminderRuleChange: 'one line of the history of a rule',
  ReminderRuleRehearsal: 'what a change would cause',
  ReminderRuleRehearsalDay: 'part of a rehearsal',
  SearchHit: 'computed when it is requested; what it is about has an id',
  SelfInspectionQuarter: 'part of a row',
  SelfInspectionRow: 'identified by its unit and the year',
  SignIn: 'one line of an account’s history',
  SignInProvider: 'there is at most one',
  SimulatedDigest: 'computed when it is requested',
  Simulation: 'computed when it is requested',
  Statistics: 'computed when it is requested',
  StatisticsFigures: 'computed when it is requested',
  StatisticsKey: 'part of a row',
  StatisticsRow: 'computed when it is requested',
  SystemHealth: 'there is only one',
  Task: 'computed for the viewer; what it is about has an id',
  UnitAddress: 'one word of a unit',
  UnitAlias: 'one word of a unit',
  UserError: 'says why a mutation was refused; not stored',
  Warning: 'says what a mutation could not do; not stored',
};

/** Families of types without an id, by the end of their names. */
const FAMILIES = {
  Aggregate: 'computed when it is requested',
  Connection: 'a page of a list, defined by Relay without an id',
  Count: 'computed when it is requested',
  Edge: 'a place in a list, defined by Relay without an id',
  Group: 'computed when it is requested',
  Payload: 'the answer to one mutation',
};

/**
 * Edges whose nodes are no `Node`: they are computed for the viewer, are parts of something else, or are read without
 * signing in, and cannot be read alone. They have cursors, because the list may be long.
 */
const PLAIN_EDGES = ['MilestoneEdge', 'MonthlyAccountEdge', 'PublicNoticeEdge', 'SearchHitEdge', 'TaskEdge'];

/** Leaves out what the rule on edges says about `PLAIN_EDGES`: the rule has no exceptions of its own. */
let lines = [];
const exempt = {
  meta: { name: 'exempt', version: '1' },
  preprocess: (text) => {
    lines = text.split('\n');
    return [text];
  },
  postprocess: (messages) =>
    messages.flat().filter(({ ruleId, line }) => {
      const type = /^type (\w+)/.exec(lines[line - 1] ?? '')?.[1];
      return ruleId !== '@graphql-eslint/relay-edge-types' || !PLAIN_EDGES.includes(type);
    }),
};

const schema = {
  ...language,
  files: ['**/api/schema.graphql'],
  processor: exempt,
  rules: {
    ...graphql.configs['flat/schema-recommended'].rules,
    ...graphql.configs['flat/schema-relay'].rules,
    '@graphql-eslint/strict-id-in-types': [
      'error',
      { exceptions: { types: Object.keys(PARTS), suffixes: Object.keys(FAMILIES) } },
    ],
    // The defaults of the rule, except for the last: a list need not be a connection. Connections have `nodes` next to
    // `edges` for callers that need no cursors, and short lists that are always read whole (milestones, errors) have
    // no pages.
    '@graphql-eslint/relay-edge-types': [
      'error',
      { withEdgeSuffix: true, shouldImplementNode: true, listTypeCanWrapOnlyEdgeType: false },
    ],
  },
};

const operations = {
  ...language,
  files: ['**/src/*.graphql'],
  rules: graphql.configs['flat/operations-recommended'].rules,
};

export default [schema, operations];
