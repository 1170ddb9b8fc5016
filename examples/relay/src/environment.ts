// The connection to the ledger: operations over `fetch`, subscriptions over a WebSocket, and the store of what they bring.

import { createClient, MessageType } from 'graphql-ws';
import { Environment, Network, Observable, RecordSource, Store } from 'relay-runtime';
import type { FetchFunction, GraphQLResponse, SubscribeFunction } from 'relay-runtime';

/**
 * A request that failed. Branch on `code`, show `message`, and log `requestId`, under which operators find the request in
 * the server's log.
 */
export class LedgerError extends Error {
  override readonly name = 'LedgerError';

  constructor(
    readonly code: string,
    message: string,
    readonly requestId?: string,
  ) {
    super(message);
  }
}

interface Failure {
  readonly message: string;
  readonly extensions?: { readonly code?: string; readonly requestId?: string };
}

interface Answer {
  readonly data?: unknown;
  readonly errors?: readonly Failure[];
}

function failed({ message, extensions: { code = 'UNKNOWN', requestId } = {} }: Failure): LedgerError {
  return new LedgerError(code, message, requestId);
}

/** Executes queries and mutations. Messages come in the language of the browser, which sends `Accept-Language`. */
function fetchWith(token: string | null): FetchFunction {
  const headers = {
    'Accept': 'application/graphql-response+json',
    'Content-Type': 'application/json',
    ...(token && { Authorization: `Bearer ${token}` }),
  };
  return async ({ name, text, operationKind }, variables) => {
    const body = JSON.stringify({ operationName: name, query: text, variables });
    const response = await fetch('/graphql', { method: 'POST', headers, body }).catch(() => {
      throw new LedgerError('UNREACHABLE', '无法连接服务器 · The server cannot be reached');
    });
    // A proxy or gateway may answer instead of the ledger, with an HTML page for example.
    const answer = (await response.json().catch(() => {
      throw new LedgerError(`HTTP_${response.status}`, `服务器答复异常 · Unexpected answer (HTTP ${response.status})`);
    })) as Answer;
    // A list with missing rows would mislead its reader. A mutation with data was carried out, or says why not, even if
    // `query` of its payload could not be read afterwards.
    const [error] = answer.errors ?? [];
    if (error && (operationKind !== 'mutation' || answer.data == null)) throw failed(error);
    return answer as GraphQLResponse;
  };
}

/**
 * Executes subscriptions, and calls `onActive` whenever those of a new connection have become active. Events from before
 * are not sent, so that is the moment to read the page.
 */
function subscribeWith(token: string | null, onActive: () => void): SubscribeFunction {
  const client = createClient({
    url: `${location.origin.replace('http', 'ws')}/graphql/ws`,
    connectionParams: token ? { authorization: `Bearer ${token}` } : {}, // A browser cannot set headers of a WebSocket.
    retryAttempts: Infinity,
    shouldRetry: (event) => !(event instanceof CloseEvent && event.code === 4403), // The session has ended.
    on: {
      // The server answers in order: a `pong` to a `ping` that was sent after `subscribe` says that it is active.
      connected: (socket) => setTimeout(() => (socket as WebSocket).send(JSON.stringify({ type: MessageType.Ping }))),
      pong: (received) => received && onActive(),
    },
  });
  return ({ name, text }, variables) =>
    Observable.create((sink) =>
      client.subscribe<GraphQLResponse>(
        { operationName: name, query: text ?? '', variables },
        {
          next: (answer) => {
            const [error] = (answer as Answer).errors ?? [];
            if (error) sink.error(failed(error));
            else sink.next(answer as GraphQLResponse);
          },
          // The errors of the operation, or the event that closed the connection.
          error: (thrown) => {
            const [error] = Array.isArray(thrown) ? (thrown as Failure[]) : [];
            sink.error(error ? failed(error) : new LedgerError('DISCONNECTED', '推送已中断 · Live updates have ended'));
          },
          complete: sink.complete,
        },
      ),
    );
}

/** Returns the connection of one caller. Another caller needs another one, because the store holds what the first may see. */
export function connect(token: string | null): Environment {
  const store = new Store(new RecordSource());
  const environment: Environment = new Environment({
    store,
    network: Network.create(
      fetchWith(token),
      // The parts of the page listen to the root's invalidation, and then read anew what they show.
      subscribeWith(token, () => environment.commitUpdate((records) => records.getRoot().invalidateRecord())),
    ),
  });
  return environment;
}
