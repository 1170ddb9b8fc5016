// Rules for the operations in the code: those of examples/board, which are the recommended configuration of
// @graphql-eslint, except for what Relay does in its own way and its compiler checks. TypeScript is checked by tsc.

import { fileURLToPath } from 'node:url';

import graphql from '@graphql-eslint/eslint-plugin';

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));

/** Takes the operations out of the code, and leaves the code itself aside. */
const operationsOnly = {
  ...graphql.processor,
  preprocess: (code, file) => graphql.processor.preprocess(code, file).filter((block) => typeof block !== 'string'),
};

export default [
  { ignores: ['**/__generated__/**'] },
  { files: ['src/*.{ts,tsx}'], plugins: { '@graphql-eslint': graphql }, processor: operationsOnly },
  {
    files: ['**/*.graphql'],
    plugins: { '@graphql-eslint': graphql },
    languageOptions: {
      parser: graphql.parser,
      parserOptions: { graphQLConfig: { schema: path('../../api/schema.graphql'), documents: path('src/*.{ts,tsx}') } },
    },
    rules: {
      ...graphql.configs['flat/operations-recommended'].rules,
      // The compiler demands names of the form `<Module>Query` and `<Module>_<prop>`.
      '@graphql-eslint/naming-convention': 'off',
      // Variables of fragments are declared by @argumentDefinitions.
      '@graphql-eslint/no-undefined-variables': 'off',
      '@graphql-eslint/no-unused-variables': 'off',
      // The compiler adds `id` to each selection of a type that has one.
      '@graphql-eslint/require-selections': 'off',
      // The directives of Relay are not in the schema; the compiler knows them.
      '@graphql-eslint/known-directives': 'off',
    },
  },
];
