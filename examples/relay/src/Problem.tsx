// One problem in detail, with its measures and the assignments of each.

import { startTransition } from 'react';
import { graphql, useLazyLoadQuery, useRefetchableFragment, useSubscribeToInvalidationState } from 'react-relay';
import { ROOT_ID } from 'relay-runtime';

import type { ProblemQuery } from './__generated__/ProblemQuery.graphql';
import type { ProblemRefetchQuery } from './__generated__/ProblemRefetchQuery.graphql';
import type { Problem_problem$key } from './__generated__/Problem_problem.graphql';
import { Assignment } from './Assignment';
import { useLabel } from './Labels';

interface Props {
  readonly id: string;
  readonly onClose: () => void;
}

export function Problem({ id, onClose }: Props) {
  const { problem } = useLazyLoadQuery<ProblemQuery>(
    graphql`
      query ProblemQuery($id: ID!) {
        problem(id: $id) {
          ...Problem_problem
        }
      }
    `,
    { id },
    { fetchPolicy: 'store-and-network' },
  );
  return (
    <section aria-labelledby="problem">
      {problem ? <Details problem={problem} /> : <h2 id="problem">此问题已不存在 This problem does not exist any more</h2>}
      <button type="button" onClick={onClose}>
        关闭 <span lang="en">Close</span>
      </button>
    </section>
  );
}

function Details({ problem }: { readonly problem: Problem_problem$key }) {
  const [{ number, title, goal, deadline, measures }, refetch] = useRefetchableFragment<
    ProblemRefetchQuery,
    Problem_problem$key
  >(
    graphql`
      fragment Problem_problem on Problem @refetchable(queryName: "ProblemRefetchQuery") {
        number
        title
        goal
        deadline {
          raw
        }
        measures(first: 20) {
          totalCount
          nodes {
            id
            number
            content
            status
            pace
            assignments(first: 50) {
              totalCount
              nodes {
                id
                ...Assignment_assignment
              }
            }
          }
        }
      }
    `,
    problem,
  );
  // Reads the problem anew, as `node(id:)`, when live updates were interrupted.
  useSubscribeToInvalidationState([ROOT_ID], () =>
    startTransition(() => {
      refetch({}, { fetchPolicy: 'store-and-network' });
    }),
  );
  const label = useLabel();
  return (
    <>
      <h2 id="problem">
        {number} {title}
      </h2>
      <p>
        时限 <small lang="en">Deadline</small>：{deadline.raw}
      </p>
      {goal && (
        <p>
          整改目标 <small lang="en">Goal</small>：{goal}
        </p>
      )}
      <h3>
        整改措施 <small lang="en">Measures</small>（{measures.totalCount}）
      </h3>
      {measures.nodes.map((measure) => (
        <article key={measure.id}>
          <h4>
            {measure.number} {measure.content}
          </h4>
          <p>
            状态 <small lang="en">Status</small>：{label('Status', measure.status)}　进度 <small lang="en">Pace</small>：
            {label('Pace', measure.pace)}
          </p>
          <ul>
            {measure.assignments.nodes.map((assignment) => (
              <Assignment key={assignment.id} assignment={assignment} />
            ))}
          </ul>
        </article>
      ))}
    </>
  );
}
