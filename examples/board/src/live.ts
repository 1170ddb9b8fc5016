// Prints the changes of a region as they happen. Usage: `node dist/live.js URL CODE [ws|sse]`
//
// Prefer WebSocket. Server-sent events are plain HTTP, for networks whose proxies block WebSockets.

import { createClient as createEventClient } from 'graphql-sse';
import { createClient as createSocketClient } from 'graphql-ws';
import { WebSocket } from 'ws';

import { LedgerChangesDocument, LookupDocument } from './generated.js';
import type { LedgerChangesSubscription as Changes } from './generated.js';
import { type Answer, dataOf, failed, ledger, LedgerError } from './ledger.js';
import { tell } from './terminal.js';
import { CHANGE, moment, STATUS } from './words.js';

const [url = 'http://127.0.0.1:8080', code = '990100', channel = 'ws'] = process.argv.slice(2);
const token = process.env['RECTIFY_TOKEN'];
const authorization = token ? { authorization: `Bearer ${token}` } : {};

type Subscribe = (payload: { query: string; variables: Record<string, unknown> }) => AsyncIterableIterator<Answer<Changes>>;

const overWebSocket: Subscribe = (payload) => {
  const address = new URL('/graphql/ws', url);
  address.protocol = address.protocol.replace('http', 'ws');
  return createSocketClient({
    url: address.href,
    webSocketImpl: globalThis.WebSocket ?? WebSocket, // Node.js has one of its own since version 22.
    connectionParams: authorization, // A browser cannot set headers of a WebSocket.
    shouldRetry: () => true, // Also after a refused connection, for example while the server is being updated.
    on: { connected: (_socket, _payload, wasRetry) => wasRetry && readAnew() },
  }).iterate<Changes>(payload);
};

/**
 * Opens a connection for each subscription. Browsers open at most six connections to a host over HTTP/1.1, so the parts of
 * a page should share one subscription.
 */
const overEvents: Subscribe = (payload) =>
  createEventClient({
    url: new URL('/graphql', url).href,
    headers: { 'Accept-Language': 'zh-CN', ...authorization },
  }).iterate<Changes>(payload, { connected: (wasRetry) => wasRetry && readAnew() });

/** Both clients reconnect by themselves. Events in between are lost, so the screen has to be loaded again. */
function readAnew(): void {
  console.log('推送曾中断，其间的变化请重新读取看板');
}

/** Converts what the clients throw: the errors of the operation, or the event that closed the connection. */
function asLedgerError(thrown: unknown): LedgerError {
  if (thrown instanceof LedgerError) return thrown;
  if (Array.isArray(thrown)) return failed(thrown[0]);
  const { code: closed = '', reason = '' } = thrown as { code?: unknown; reason?: unknown };
  return new LedgerError('DISCONNECTED', `与 ${url} 的连接已断开 ${closed} ${reason}`.trim(), undefined, { cause: thrown });
}

/** Prints changes until the process is interrupted; subscribes again after `LAGGED`. */
async function follow(subscribe: Subscribe, within: string): Promise<void> {
  const changes = subscribe({ query: String(LedgerChangesDocument), variables: { within } });
  process.once('SIGINT', () => changes.return?.());
  try {
    for await (const answer of changes) {
      const { kind, at, problem, measure, assignment } = dataOf(answer).ledgerChanged;
      const status = assignment?.status ?? measure?.status;
      console.log([moment(at), CHANGE[kind], problem?.title, status && STATUS[status]].filter(Boolean).join('　'));
    }
  } catch (thrown) {
    const error = asLedgerError(thrown);
    if (error.code !== 'LAGGED') throw error;
    readAnew();
    await follow(subscribe, within);
  }
}

await tell(async () => {
  const { region } = await ledger(url, { token }).query(LookupDocument, { code });
  if (!region) throw new LedgerError('NOT_FOUND', `没有代码为 ${code} 的行政区`);
  console.log(`正在关注${region.name}的变化，按 Ctrl-C 结束`);
  await follow(channel === 'sse' ? overEvents : overWebSocket, region.id);
});
