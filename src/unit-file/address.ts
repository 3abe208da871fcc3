/** Where a unit is to listen, from the address that the manifest has. Pure. */

export type Listen = { readonly host: string; readonly port: string } | { readonly socket: string };

/** Undefined: others than this machine could reach it. A path below the address is the engine's own affair. */
export function listenOf(url: string): Listen | undefined {
  const [, socket] = /^http:\/\/unix:([^:]+):/.exec(url) ?? [];
  if (socket !== undefined) return { socket };
  const { hostname, port, protocol } = new URL(url);
  const host = hostname === 'localhost' ? '127.0.0.1' : hostname.replace(/^\[|\]$/g, '');
  if (!/^127\.\d+\.\d+\.\d+$/.test(host) && host !== '::1') return undefined;
  return { host, port: port || (protocol === 'https:' ? '443' : '80') };
}
