// What one unit has to do for a measure, with its latest report and, for those who may, a form for the next one.

import { useId, useState, type FormEvent } from 'react';
import { graphql, useFragment, useMutation } from 'react-relay';

import type { AssignmentReportMutation } from './__generated__/AssignmentReportMutation.graphql';
import type { Assignment_assignment$key } from './__generated__/Assignment_assignment.graphql';
import { useLabel } from './Labels';

export function Assignment({ assignment }: { readonly assignment: Assignment_assignment$key }) {
  const { id, version, status, unit, latestReport, availableActions } = useFragment(
    graphql`
      fragment Assignment_assignment on Assignment {
        id
        version
        status
        unit {
          name
        }
        latestReport {
          period
          text
        }
        availableActions {
          action
          isAvailable
        }
      }
    `,
    assignment,
  );
  const label = useLabel();
  const canReport = availableActions.some(({ action, isAvailable }) => action === 'REPORT_PROGRESS' && isAvailable);
  return (
    <li>
      {unit?.name ?? '—'}：{label('Status', status)}
      {latestReport && (
        <p>
          最新进展 <small lang="en">Latest report</small>（{latestReport.period}）：{latestReport.text}
        </p>
      )}
      {canReport && (
        <details>
          <summary>
            填报进展 <small lang="en">Report progress</small>
          </summary>
          <Report assignmentId={id} version={version} />
        </details>
      )}
    </li>
  );
}

/** The form. `version` is what the reporter saw: the ledger refuses a report that would pass over somebody else's. */
function Report({ assignmentId, version }: { readonly assignmentId: string; readonly version: number }) {
  const [commit, isInFlight] = useMutation<AssignmentReportMutation>(graphql`
    mutation AssignmentReportMutation($input: ReportProgressInput!, $id: ID!) {
      reportProgress(input: $input) {
        assignment {
          measure {
            status
            pace
            problem {
              status
              isOverdue
            }
          }
        }
        errors {
          message
          path
        }
        # What the act has also changed, and, if it was refused, what somebody else has changed before.
        query {
          assignment(id: $id) {
            ...Assignment_assignment
          }
          viewer {
            tasks(first: 0) {
              totalCount
            }
          }
        }
      }
    }
  `);
  const [said, setSaid] = useState<readonly string[]>([]);
  const refusals = useId();

  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = event.currentTarget;
    const entered = new FormData(form);
    const input = { assignmentId, version, period: String(entered.get('period')), text: String(entered.get('text')) };
    commit({
      variables: { input, id: assignmentId },
      onCompleted: ({ reportProgress: { errors } }) => {
        setSaid(errors.map(({ message }) => message));
        if (errors.length === 0) form.reset();
      },
      onError: ({ message }) => setSaid([message]),
    });
  };
  return (
    <form onSubmit={submit} aria-describedby={refusals}>
      <label>
        所属期 <small lang="en">Month</small> <input name="period" type="month" required defaultValue={thisMonth()} />
      </label>
      <label>
        进展情况 <small lang="en">Progress</small>
        <textarea name="text" required rows={3} />
      </label>
      <div id={refusals} role="alert">
        {said.map((message) => (
          <p key={message}>{message}</p>
        ))}
      </div>
      <button disabled={isInFlight}>
        填报 <span lang="en">Report</span>
      </button>
    </form>
  );
}

/** The current month in the ledger's time zone, such as `2026-11`. */
const thisMonth = () => new Date().toLocaleDateString('sv-SE', { timeZone: 'Asia/Shanghai' }).slice(0, 7);
