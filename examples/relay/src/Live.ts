// Live updates: what changes inside a region, whoever changes it.

import { useEffect, useMemo, useReducer, useRef } from 'react';
import { graphql, useSubscription } from 'react-relay';
import type { GraphQLSubscriptionConfig } from 'relay-runtime';

import type { LiveSubscription } from './__generated__/LiveSubscription.graphql';
import { LedgerError } from './environment';

export type Change = LiveSubscription['response']['ledgerChanged'];

/**
 * Writes each change of the region into the store, where every part of the page that shows the object sees it, and then
 * passes it on. What is selected here is what the page shows.
 */
export function useLive(region: string, onChange: (change: Change) => void): void {
  const latest = useRef(onChange);
  useEffect(() => {
    latest.current = onChange;
  });
  const [attempt, again] = useReducer((count: number) => count + 1, 0);
  useSubscription<LiveSubscription>(
    useMemo<GraphQLSubscriptionConfig<LiveSubscription>>(
      () => ({
        subscription: graphql`
          subscription LiveSubscription($region: ID!) {
            ledgerChanged(within: $region) {
              kind
              at
              removedId
              problem {
                id
                title
                status
                ...ProblemRow_problem
              }
              measure {
                id
                status
                pace
              }
              assignment {
                id
                ...Assignment_assignment
              }
            }
          }
        `,
        variables: { region },
        onNext: (data) => data && latest.current(data.ledgerChanged),
        onError: (error) => {
          // The server has ended a subscription that was too slow. A new one becomes active, and the page is read anew.
          if (error instanceof LedgerError && error.code === 'LAGGED') again();
          else console.error(error);
        },
      }),
      [region, attempt], // Another attempt is another subscription.
    ),
  );
}
