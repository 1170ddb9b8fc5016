// Signing in: as an account of the demo with one click, or with a token of `rectify token create`.

import { useState, type FormEvent } from 'react';
import { graphql, useLazyLoadQuery, useMutation } from 'react-relay';

import type { SignInMutation } from './__generated__/SignInMutation.graphql';
import type { SignInQuery } from './__generated__/SignInQuery.graphql';

export function SignIn({ onToken }: { readonly onToken: (token: string) => void }) {
  const { demoAccounts } = useLazyLoadQuery<SignInQuery>(
    graphql`
      query SignInQuery {
        demoAccounts {
          accountId
          name
          region
        }
      }
    `,
    {},
  );
  const [enter, isInFlight] = useMutation<SignInMutation>(graphql`
    mutation SignInMutation($account: ID!) {
      signInAsDemo(accountId: $account) {
        token
        errors {
          message
        }
      }
    }
  `);
  const [said, setSaid] = useState('');
  const enterAs = (account: string) =>
    enter({
      variables: { account },
      onCompleted: ({ signInAsDemo: { token, errors } }) => (token ? onToken(token) : setSaid(errors[0]?.message ?? '')),
      onError: ({ message }) => setSaid(message),
    });
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    onToken(String(new FormData(event.currentTarget).get('token')).trim());
  };
  return (
    <main>
      <h1>
        整改台账 <small lang="en">Rectification ledger</small>
      </h1>
      {demoAccounts.length > 0 && (
        <section aria-labelledby="demo">
          <h2 id="demo">
            演示账户 <small lang="en">Demo accounts</small>
          </h2>
          <ul>
            {demoAccounts.map(({ accountId, name, region }) => (
              <li key={accountId}>
                <button type="button" className="plain" disabled={isInFlight} onClick={() => enterAs(accountId)}>
                  {name}
                  {region && `（${region}）`}
                </button>
              </li>
            ))}
          </ul>
        </section>
      )}
      <form onSubmit={submit}>
        <label>
          令牌 <small lang="en">Token</small> <input name="token" type="password" required autoComplete="off" />
        </label>
        <button>
          进入 <span lang="en">Enter</span>
        </button>
      </form>
      <p role="alert">{said}</p>
    </main>
  );
}
