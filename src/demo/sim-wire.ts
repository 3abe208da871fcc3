/** Simulated engines on the wire: requests read whole, answers and rubbish sent. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Reply, SimRequest } from './sim-server.ts';

export type Garbage = 'html' | 'half-json' | 'empty' | 'endless';

/** Reads a request with its whole body. */
export async function received(incoming: IncomingMessage): Promise<SimRequest> {
  let body = '';
  incoming.setEncoding('utf8');
  for await (const text of incoming) body += text;
  const [path = '/', query = ''] = (incoming.url ?? '/').split('?', 2);
  const { authorization } = incoming.headers;
  const key = incoming.headers['x-api-key'];
  return {
    method: incoming.method ?? 'GET',
    path,
    query,
    body,
    authorization,
    atMs: Date.now(),
    params: new URLSearchParams(query),
    apiKey: /^bearer (.*)$/i.exec(authorization ?? '')?.[1] ?? (typeof key === 'string' ? key : undefined),
  };
}

/** Sends an answer whole. */
export function send(response: ServerResponse, { status, body, headers = {} }: Reply): void {
  const text = body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body);
  const type = typeof body === 'string' ? 'text/plain; charset=utf-8' : 'application/json';
  response.writeHead(status, {
    ...(body === undefined ? {} : { 'content-type': type }),
    'content-length': String(Buffer.byteLength(text)),
    ...headers,
  });
  response.end(text);
}

/** Sends what no client can make sense of; `endless` until the client goes or the engine ends. */
export function sendGarbage(response: ServerResponse, how: Garbage, end: AbortSignal): void {
  const json = { 'content-type': 'application/json' };
  if (how === 'html') {
    response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><html><body>Welcome</body></html>');
  } else if (how === 'half-json') {
    response.writeHead(200, json).end('{"is_sleeping": tr');
  } else if (how === 'empty') {
    response.writeHead(200, json).end();
  } else {
    response.writeHead(200, json);
    const flood = setInterval(() => response.write('x'.repeat(65_536)), 1);
    const stop = () => clearInterval(flood);
    response.on('close', stop);
    end.addEventListener('abort', stop, { once: true });
  }
}
