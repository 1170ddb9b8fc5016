// Starts the page. `?region=CODE` chooses the region. The token stays in this tab.

import { Component, StrictMode, Suspense, useMemo, useState, type ReactNode } from 'react';
import { createRoot } from 'react-dom/client';
import { RelayEnvironmentProvider } from 'react-relay';

import { Board } from './Board';
import { connect, LedgerError } from './environment';
import { SignIn } from './SignIn';

const TOKEN = 'rectify-token';
const code = new URLSearchParams(location.search).get('region') ?? '990100';

function App() {
  const [token, setToken] = useState(() => sessionStorage.getItem(TOKEN));
  const environment = useMemo(() => connect(token), [token]);
  const enter = (entered: string) => {
    sessionStorage.setItem(TOKEN, entered);
    setToken(entered);
  };
  const leave = () => {
    sessionStorage.removeItem(TOKEN);
    setToken(null);
  };
  return (
    <RelayEnvironmentProvider environment={environment}>
      <Failures key={token} onLeave={leave}>
        <Suspense fallback={<p role="status">正在读取… Loading…</p>}>
          {token ? <Board code={code} onLeave={leave} /> : <SignIn onToken={enter} />}
        </Suspense>
      </Failures>
    </RelayEnvironmentProvider>
  );
}

interface FailuresProps {
  readonly onLeave: () => void;
  readonly children: ReactNode;
}

/** Shows what could not be read instead of the page. */
class Failures extends Component<FailuresProps, { readonly error?: unknown }> {
  override state: { readonly error?: unknown } = {};

  static getDerivedStateFromError(error: unknown) {
    return { error };
  }

  override render() {
    const { error } = this.state;
    if (error === undefined) return this.props.children;
    const { message, code, requestId } = error instanceof LedgerError ? error : new LedgerError('UNKNOWN', String(error));
    return (
      <main>
        <p role="alert">
          {message}（{[code, requestId].filter(Boolean).join('，')}）
        </p>
        <button type="button" onClick={() => location.reload()}>
          重新读取 <span lang="en">Reload</span>
        </button>
        <button type="button" onClick={this.props.onLeave}>
          离开 <span lang="en">Leave</span>
        </button>
      </main>
    );
  }
}

const root = document.getElementById('root');
if (root) {
  createRoot(root).render(
    <StrictMode>
      <App />
    </StrictMode>,
  );
}
