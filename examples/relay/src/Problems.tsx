// The list: problems of a region and everything below it, most urgent first, page by page, changing as the ledger does.

import { startTransition, useState } from 'react';
import { graphql, useLazyLoadQuery, usePaginationFragment, useSubscribeToInvalidationState } from 'react-relay';
import { ROOT_ID } from 'relay-runtime';

import type { ProblemsPageQuery } from './__generated__/ProblemsPageQuery.graphql';
import type { ProblemsQuery, Status } from './__generated__/ProblemsQuery.graphql';
import type { Problems_query$key } from './__generated__/Problems_query.graphql';
import { useCodes, useLabel } from './Labels';
import { type Change, useLive } from './Live';
import { ProblemRow } from './ProblemRow';

const PAGE = 10;

interface Props {
  readonly region: string;
  readonly opened: string | null;
  readonly onOpen: (id: string | null) => void;
}

export function Problems({ region, opened, onOpen }: Props) {
  const query = useLazyLoadQuery<ProblemsQuery>(
    graphql`
      query ProblemsQuery($region: ID!, $status: [Status!], $first: Int!) {
        ...Problems_query @arguments(region: $region, status: $status, first: $first)
      }
    `,
    { region, status: null, first: PAGE },
  );
  const { data, hasNext, isLoadingNext, loadNext, refetch } = usePaginationFragment<ProblemsPageQuery, Problems_query$key>(
    graphql`
      fragment Problems_query on Query
      @refetchable(queryName: "ProblemsPageQuery")
      @argumentDefinitions(
        region: { type: "ID!" }
        status: { type: "[Status!]" }
        first: { type: "Int!" }
        after: { type: "String" }
      ) {
        problems(
          filter: { region: { within: $region }, status: $status }
          orderBy: [{ field: DUE_ON }]
          first: $first
          after: $after
        ) @connection(key: "Problems_problems") {
          totalCount
          edges {
            node {
              id
              status
              ...ProblemRow_problem
            }
          }
        }
      }
    `,
    query,
  );
  const { totalCount, edges } = data.problems;
  const [status, setStatus] = useState<Status | null>(null);
  const [news, setNews] = useState<Change | null>(null);

  /** Reads the list from its beginning: a page, or as much as is shown. A transition keeps what is shown meanwhile. */
  const read = (wanted: Status | null, first: number) =>
    startTransition(() => {
      refetch({ region, status: wanted && [wanted], first }, { fetchPolicy: 'store-and-network' });
    });
  const readAnew = () => read(status, Math.min(Math.max(edges.length, PAGE), 200));
  useSubscribeToInvalidationState([ROOT_ID], readAnew);

  // The store has changed the row, if the list has one. A problem that came, went, or left what is asked for changes the list.
  useLive(region, (change) => {
    setNews(change);
    const { problem, removedId } = change;
    const isListed = edges.some(({ node }) => node.id === (removedId ?? problem?.id));
    const belongs = problem != null && (status === null || problem.status === status);
    if (isListed !== belongs) readAnew();
    if (removedId === opened) onOpen(null);
  });

  const label = useLabel();
  const codes = useCodes('Status');
  const choose = (code: string) => {
    const wanted = code === '' ? null : (code as Status);
    setStatus(wanted);
    read(wanted, PAGE);
  };
  return (
    <section aria-labelledby="problems">
      <h2 id="problems">
        整改问题 <small lang="en">Problems</small>
      </h2>
      <label>
        状态 <small lang="en">Status</small>{' '}
        <select value={status ?? ''} onChange={(event) => choose(event.target.value)}>
          <option value="">全部 All</option>
          {codes.map(([code, name]) => (
            <option key={code} value={code}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <p role="status">
        {news && `${moment(news.at)} ${label('ChangeKind', news.kind)}：${news.problem?.title ?? news.removedId ?? ''}`}
      </p>
      <table>
        <caption>
          共 {totalCount} 个问题，列出 {edges.length} 个{' '}
          <small lang="en">
            {edges.length} of {totalCount}
          </small>
        </caption>
        <thead>
          <tr>
            {['编号 No.', '问题 Problem', '时限 Deadline', '状态 Status'].map((heading) => (
              <th key={heading} scope="col">
                {heading}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {edges.map(({ node }) => (
            <ProblemRow key={node.id} problem={node} isOpen={node.id === opened} onOpen={() => onOpen(node.id)} />
          ))}
        </tbody>
      </table>
      {hasNext && (
        <button type="button" disabled={isLoadingNext} onClick={() => loadNext(PAGE)}>
          再列 {PAGE} 个 <span lang="en">Load more</span>
        </button>
      )}
    </section>
  );
}

/** Formats a moment in the ledger's time zone, not the reader's, so that it falls on the ledger's date. */
const moment = (at: string) => new Date(at).toLocaleTimeString('zh-CN', { timeZone: 'Asia/Shanghai' });
