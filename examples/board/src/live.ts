// A region's changes as they happen. `node dist/live.js URL CODE [ws|sse]`
//
// WebSocket is the first choice. Server-sent events are plain HTTP: for networks whose proxies let nothing else through.

import { createClient as createEventClient } from 'graphql-sse';
import { createClient as createSocketClient } from 'graphql-ws';

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
    connectionParams: authorization, // A browser's WebSocket sends no headers of ours.
    shouldRetry: () => true, // Also when it is refused, as by a server that is just being updated.
    on: { connected: (_socket, _payload, wasRetry) => wasRetry && readAnew() },
  }).iterate<Changes>(payload);
};

/** A connection for each subscription. Browsers open six to a host over HTTP/1.1: let a page's parts share one. */
const overEvents: Subscribe = (payload) =>
  createEventClient({
    url: new URL('/graphql', url).href,
    headers: { 'Accept-Language': 'zh-CN', ...authorization },
  }).iterate<Changes>(payload, { connected: (wasRetry) => wasRetry && readAnew() });

/** Both clients reconnect by themselves. What changed meanwhile is not told again, so the screen is stale. */
function readAnew(): void {
  console.log('推送曾中断，其间的变化请重新读取看板');
}

/** The clients throw what they have: the errors of the operation, or the event that ended the connection. */
function asLedgerError(thrown: unknown): LedgerError {
  if (thrown instanceof LedgerError) return thrown;
  if (Array.isArray(thrown)) return failed(thrown[0]);
  const { code: closed = '', reason = '' } = thrown as { code?: unknown; reason?: unknown };
  return new LedgerError('DISCONNECTED', `与 ${url} 的连接已断开 ${closed} ${reason}`.trim(), undefined, { cause: thrown });
}

/** Tells what changes until the reader leaves. */
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
