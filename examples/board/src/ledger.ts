// A client of the ledger over HTTP: `fetch` and the generated types of the operations, without a framework.

import type { TypedDocumentString } from './generated.js';

/**
 * A request that failed. Branch on `code`, show `message`, and log `requestId`, under which operators find the request in
 * the server's log.
 */
export class LedgerError extends Error {
  override readonly name = 'LedgerError';

  constructor(
    readonly code: string,
    message: string,
    readonly requestId?: string | undefined,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** A GraphQL response, the same over HTTP, WebSocket and server-sent events. */
export interface Answer<Data> {
  readonly data?: Data | null | undefined;
  readonly errors?: readonly Failure[] | undefined;
}

interface Failure {
  readonly message: string;
  readonly extensions?: Readonly<Record<string, unknown>> | undefined;
}

export function failed({ message, extensions: { code, requestId } = {} }: Failure): LedgerError {
  return new LedgerError(String(code ?? 'UNKNOWN'), message, requestId === undefined ? undefined : String(requestId));
}

/**
 * Returns the data, or throws the first error. Partial data is not returned, because a board with missing rows would
 * mislead its reader.
 */
export function dataOf<Data>({ data, errors: [error] = [] }: Answer<Data>): Data {
  if (error) throw failed(error);
  if (data == null) throw new LedgerError('NOT_GRAPHQL', '服务器的答复不是 GraphQL');
  return data;
}

export interface Ledger {
  /** Executes an operation. A refused mutation is data (`errors` of its payload); only failures are thrown. */
  query<Data, Variables>(
    document: TypedDocumentString<Data, Variables>,
    variables: NoInfer<Variables>,
    signal?: AbortSignal,
  ): Promise<Data>;
}

export interface Caller {
  readonly token?: string | undefined;
  readonly language?: string;
}

export function ledger(url: string, { token, language = 'zh-CN' }: Caller = {}): Ledger {
  const headers = {
    'Accept': 'application/graphql-response+json',
    'Accept-Language': language,
    'Content-Type': 'application/json',
    ...(token && { Authorization: `Bearer ${token}` }),
  };
  return {
    async query<Data, Variables>(document: TypedDocumentString<Data, Variables>, variables: Variables, signal?: AbortSignal) {
      const body = JSON.stringify({ query: document, variables });
      const response = await fetch(new URL('/graphql', url), { method: 'POST', headers, body, signal: signal ?? null }).catch(
        (cause: unknown) => {
          signal?.throwIfAborted();
          throw new LedgerError('UNREACHABLE', `无法连接 ${url}`, undefined, { cause });
        },
      );
      // A proxy or gateway may answer instead of the ledger, with an HTML page for example.
      const answer = await response.json().catch((cause: unknown) => {
        throw new LedgerError(`HTTP_${response.status}`, `服务器答复异常（HTTP ${response.status}）`, undefined, { cause });
      });
      return dataOf(answer as Answer<Data>);
    },
  };
}
