// Rules for the schema and for the operations. ESLint looks only at what is below its working directory, so `lint:schema`
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

/** Values: they belong to the object that holds them, are read and cached with it, and cannot be asked for by themselves. */
const VALUES = [
  'CalendarDay',
  'CasePollution',
  'CheckPlan',
  'DateRange',
  'Deadline',
  'DemoAccount',
  'GroupKey',
  'Installation',
  'LedgerChange',
  'MailItem',
  'Milestone',
  'MomentRange',
  'NumberSummary',
  'Ownership',
  'PageInfo',
  'ProblemDomain',
  'Quantity',
  'SignIn',
  'SignInProvider',
  'Statistics',
  'StatisticsFigures',
  'StatisticsRow',
  'UnitAddress',
  'UnitAlias',
  'UserError',
  'Warning',
];

const schema = {
  ...language,
  files: ['**/api/schema.graphql'],
  rules: {
    ...graphql.configs['flat/schema-recommended'].rules,
    ...graphql.configs['flat/schema-relay'].rules,
    // How descriptions are quoted is the printer's business: in one line where they fit it, else in a block.
    '@graphql-eslint/description-style': 'off',
    // An identity belongs to what can be asked for again (`node(id:)`); pages, payloads and counts are answers.
    '@graphql-eslint/strict-id-in-types': [
      'error',
      { exceptions: { types: VALUES, suffixes: ['Aggregate', 'Connection', 'Count', 'Edge', 'Group', 'Payload'] } },
    ],
    // Connections offer `nodes` beside `edges`, and what is short by nature (milestones, errors) is a plain list.
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
