// The words for codes, such as those of statuses: the ledger has them in Chinese, the codes themselves are English.

import { createContext, use, type ReactNode } from 'react';
import { graphql, useFragment } from 'react-relay';

import type { Labels_query$key } from './__generated__/Labels_query.graphql';

type Enum = 'ChangeKind' | 'Pace' | 'Status';
type Words = ReadonlyMap<string, ReadonlyMap<string, string>>;

const Labels = createContext<Words>(new Map());

/** Returns the function that names a code of an enum; a dash for none. */
export function useLabel(): (name: Enum, code: string | null | undefined) => string {
  const words = use(Labels);
  return (name, code) => (code ? (words.get(name)?.get(code) ?? code) : '—');
}

/** Returns the codes of an enum, each with its name. */
export function useCodes(name: Enum): readonly (readonly [code: string, label: string])[] {
  return [...(use(Labels).get(name) ?? [])];
}

export function LabelsOf({ query, children }: { readonly query: Labels_query$key; readonly children: ReactNode }) {
  const { enumLabels } = useFragment(
    graphql`
      fragment Labels_query on Query {
        enumLabels(names: ["ChangeKind", "Pace", "Status"]) {
          name
          values {
            value
            label
          }
        }
      }
    `,
    query,
  );
  const words = new Map(
    enumLabels.map(({ name, values }) => [
      name,
      new Map(values.map(({ value, label }) => [value, `${label} ${value.toLowerCase().replaceAll('_', ' ')}`])),
    ]),
  );
  return <Labels value={words}>{children}</Labels>;
}
