// The screen: who reads, the list of a region, and beside it the problem that is open.

import { Suspense, useState } from 'react';
import { graphql, useLazyLoadQuery } from 'react-relay';

import type { BoardQuery } from './__generated__/BoardQuery.graphql';
import { LabelsOf } from './Labels';
import { Problem } from './Problem';
import { Problems } from './Problems';

export function Board({ code, onLeave }: { readonly code: string; readonly onLeave: () => void }) {
  const query = useLazyLoadQuery<BoardQuery>(
    graphql`
      query BoardQuery($code: String!) {
        region(code: $code) {
          id
          name
        }
        viewer {
          name
          tasks(first: 0) {
            totalCount
          }
        }
        ...Labels_query
      }
    `,
    { code },
  );
  const { region, viewer } = query;
  const [opened, setOpened] = useState<string | null>(null);
  return (
    <LabelsOf query={query}>
      <header>
        <h1>{region?.name ?? code}整改台账</h1>
        <p>
          {viewer && (
            <>
              {viewer.name}，待办 <small lang="en">tasks</small> {viewer.tasks.totalCount}{' '}
            </>
          )}
          <button type="button" onClick={onLeave}>
            离开 <span lang="en">Leave</span>
          </button>
        </p>
      </header>
      <main className={opened ? 'two' : undefined}>
        {region ? (
          <Problems region={region.id} opened={opened} onOpen={setOpened} />
        ) : (
          <p role="alert">没有代码为 {code} 的行政区 · There is no region with this code</p>
        )}
        {opened && (
          <Suspense fallback={<p role="status">正在读取… Loading…</p>}>
            <Problem id={opened} onClose={() => setOpened(null)} />
          </Suspense>
        )}
      </main>
    </LabelsOf>
  );
}
