// One row of the list.

import { graphql, useFragment } from 'react-relay';

import type { ProblemRow_problem$key } from './__generated__/ProblemRow_problem.graphql';
import { useLabel } from './Labels';

interface Props {
  readonly problem: ProblemRow_problem$key;
  readonly isOpen: boolean;
  readonly onOpen: () => void;
}

export function ProblemRow({ problem, isOpen, onOpen }: Props) {
  const { number, title, deadline, status, isOverdue } = useFragment(
    graphql`
      fragment ProblemRow_problem on Problem {
        number
        title
        status
        isOverdue
        deadline {
          raw
        }
      }
    `,
    problem,
  );
  const label = useLabel();
  return (
    <tr aria-current={isOpen || undefined}>
      <td>{number ?? '—'}</td>
      <th scope="row">
        <button type="button" className="plain" onClick={onOpen}>
          {title}
        </button>
      </th>
      <td className={isOverdue ? 'late' : undefined}>
        {deadline.raw}
        {isOverdue && '（逾期 overdue）'}
      </td>
      <td>{label('Status', status)}</td>
    </tr>
  );
}
