/** How a request is called in errors and on record: what may be a key is left out. */

/** What our own requests say in their query. */
const HARMLESS: ReadonlySet<string> = new Set(['level', 'mode', 'tags', 'id', 'autoload']);
const PLAIN_VALUE = /^[\w.,-]{1,32}$/;
/** A part of a path that nobody would think up. */
const RANDOM = /^(?=.*\d)(?=.*[A-Za-z])[\w.~-]{24,}$/;

/** `POST /sleep?level=1`; `POST /hook/…?…` where there is more. `path`: with its query. */
export function requestName(method: string, path: string): string {
  const [route = '', query = ''] = split(path);
  const shown = route
    .split('/')
    .map((part) => (RANDOM.test(part) ? '…' : part))
    .join('/');
  const all = [...new URLSearchParams(query)];
  const told = all.filter(isHarmless).map(([key, value]) => `${key}=${value}`);
  const rest = told.length < all.length ? ['…'] : [];
  const parts = [...told, ...rest].join('&');
  return `${method} ${shown}${parts === '' ? '' : `?${parts}`}`;
}

/** Texts of a path that `requestName` leaves out, as they are sent and as they are meant. */
export function hiddenIn(path: string): readonly string[] {
  const [route = '', query = ''] = split(path);
  const parts = query.split('&').flatMap((pair) => {
    const [entry] = [...new URLSearchParams(pair)];
    return entry && !isHarmless(entry) ? [entry[1], pair.slice(pair.indexOf('=') + 1)] : [];
  });
  return [...route.split('/').filter((part) => RANDOM.test(part)), ...parts];
}

/** The path and query of an absolute URL, whatever it leads to. */
export function pathOf(url: string): string {
  return url.replace(/^https?:\/\/(unix:[^:]*:?|[^/?#]*)/, '') || '/';
}

function isHarmless([key, value]: readonly [string, string]): boolean {
  return HARMLESS.has(key) && PLAIN_VALUE.test(value);
}

function split(path: string): readonly string[] {
  const at = path.indexOf('?');
  return at < 0 ? [path] : [path.slice(0, at), path.slice(at + 1)];
}
