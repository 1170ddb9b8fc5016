// Rules for the schema and for the operations. ESLint only lints files below its working directory, so `lint:schema` runs
// at the repository's root.

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
 * Types without an id: values that are read and cached with the object that contains them, and cannot be requested alone.
 */
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
    // The schema's printer chooses the style: one line where a description fits, else a block.
    '@graphql-eslint/description-style': 'off',
    // Only types that `node(id:)` can return have an id; pages, payloads and counts do not.
    '@graphql-eslint/strict-id-in-types': [
      'error',
      { exceptions: { types: VALUES, suffixes: ['Aggregate', 'Connection', 'Count', 'Edge', 'Group', 'Payload'] } },
    ],
    // Connections have `nodes` in addition to `edges`, and short lists (milestones, errors) are plain lists.
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
