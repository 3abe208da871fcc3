/** What no single value of a service shows: keys that need each other, or exclude each other. Pure, on unchecked values. */
import { type Address, address } from './address.ts';
import { type Fault, type Path, shown } from './fault.ts';
import { isForeignStep } from './foreign-keys.ts';
import { launchFaults } from './launch.ts';
import { size } from './quantities.ts';
import { mapping, type Raw } from './raw.ts';

/** Paths begin at the service. */
export function serviceFaults(raw: Raw): Fault[] {
  const isGeneric = raw['engine'] === 'http' || raw['engine'] === 'exec';
  return [
    ...addressFaults(raw),
    ...rankFaults(raw),
    ...twiceFaults(raw['gpus'], 'gpus'),
    ...twiceFaults(raw['models'], 'models'),
    ...memoryFaults(mapping(raw['memory'])),
    ...verifyFaults(mapping(raw['verify'])),
    ...launchFaults(raw),
    ...(isGeneric ? napFaults(raw) : []),
  ];
}

/** Of the service and its ranks; what is no address is told by the schema. */
export function addressesOf(raw: Raw): [Path, Address][] {
  const ranks: readonly unknown[] = Array.isArray(raw['ranks']) ? raw['ranks'] : [];
  const written: [Path, unknown][] = [
    [['url'], raw['url']],
    ...ranks.map((url, i): [Path, unknown] => [['ranks', i], url]),
  ];
  return written.flatMap(([path, url]): [Path, Address][] => {
    const found = address(url);
    return 'ok' in found ? [[path, found.ok]] : [];
  });
}

function addressFaults(raw: Raw): Fault[] {
  const all = addressesOf(raw);
  const faults: Fault[] = [];
  for (const [path, { host, isLoopback, url }] of all) {
    if (!isLoopback && raw['allowRemote'] !== true)
      faults.push({ path, message: `${host} is not this machine alone: needs allowRemote: true on this service` });
    if (url.endsWith('/v1') && raw['engine'] !== 'http')
      faults.push({ path, message: 'is the API below the server: give its base', suggestion: baseOf(url) });
  }
  if (Object.hasOwn(raw, 'ca') && all.length > 0 && all.every(([, { url }]) => url.startsWith('http:')))
    faults.push({ path: ['ca'], at: 'key', message: 'is for an https:// url' });
  return faults;
}

/** Without `/v1`; that of a socket ends with a slash, as people write it. */
const baseOf = (url: string): string => url.slice(0, -'/v1'.length).replace(/:$/, ':/');

/** Each rank is asked once, and a router is one address for all of its engines. */
function rankFaults(raw: Raw): Fault[] {
  const all = addressesOf(raw);
  const routed = Object.hasOwn(raw, 'ranks') && Object.hasOwn(raw, 'engineId');
  return [
    ...all.flatMap(([path, { url }], i) =>
      all.findIndex(([, other]) => other.url === url) === i
        ? []
        : [{ path, message: 'is the address of another rank' }],
    ),
    ...(routed ? [{ path: ['ranks'], at: 'key' as const, message: 'ranks and engineId: a router has no ranks' }] : []),
  ];
}

function twiceFaults(list: unknown, key: string): Fault[] {
  const items: readonly unknown[] = Array.isArray(list) ? list : [];
  return items.flatMap((item, index) =>
    items.indexOf(item) === index ? [] : [{ path: [key, index], message: `${shown(item)} is here twice` }],
  );
}

function memoryFaults(memory: Raw): Fault[] {
  const [awake, asleep] = [size(memory['awake']), size(memory['asleep'])];
  const isMore = 'ok' in awake && 'ok' in asleep && asleep.ok > awake.ok;
  return isMore ? [{ path: ['memory', 'asleep'], message: 'is more than memory.awake' }] : [];
}

/** What only a text has. */
function verifyFaults(verify: Raw): Fault[] {
  const { task } = verify;
  if (task !== 'embedding' && task !== 'rerank') return [];
  return ['tokens', 'expect']
    .filter((key) => Object.hasOwn(verify, key))
    .map((key) => ({ path: ['verify', key], at: 'key', message: `not for task ${task}: it answers with numbers` }));
}

/** A generic engine's sleep: the way there, the way back, and how to see it. */
function napFaults(raw: Raw): Fault[] {
  const has = (key: string) => Object.hasOwn(raw, key);
  const faults: Fault[] = [];
  const lacks = (key: string, message: string) => faults.push({ path: [key], at: 'key', message });
  if (has('sleep') && !has('wake')) lacks('sleep', 'sleep steps without wake steps: it could not come back');
  if (has('wake') && !has('sleep')) lacks('wake', 'wake steps without sleep steps');
  if (has('sleep') && !has('asleep')) lacks('sleep', 'sleep steps without asleep: nothing would show that it sleeps');
  for (const key of ['ready', 'asleep']) if (has(key)) faults.push(...probeFaults(raw[key], [key]));
  for (const key of ['sleep', 'wake']) {
    const steps = mapping(raw[key])['steps'];
    if (Array.isArray(steps))
      faults.push(...steps.flatMap((step, index) => actFaults(step, STEP, [key, 'steps', index])));
  }
  return faults;
}

const PROBE = ['path', 'exec'];
const STEP = ['post', 'get', 'put', 'patch', 'delete', 'exec'];
/** What only a request has. */
const REQUEST = ['method', 'headers', 'body', 'status', 'json', 'equals'];

function probeFaults(probe: unknown, path: Path): Fault[] {
  const faults = actFaults(probe, PROBE, path);
  if (Object.hasOwn(mapping(probe), 'equals') && !Object.hasOwn(mapping(probe), 'json'))
    faults.push({ path: [...path, 'equals'], at: 'key', message: 'equals without json: nothing to compare' });
  return faults;
}

/** A request or a command, never both. */
function actFaults(act: unknown, kinds: readonly string[], path: Path): Fault[] {
  if (typeof act !== 'object' || act === null || Array.isArray(act)) return []; // told by the schema
  const given = kinds.filter((kind) => Object.hasOwn(act, kind));
  if (given.length === 0 && kinds === STEP && isForeignStep(act)) return []; // told by the schema
  if (given.length !== 1)
    return [{ path, message: `needs one of ${kinds.join(', ')}, and has ${given.join(' and ') || 'none'}` }];
  if (given[0] !== 'exec') return [];
  return REQUEST.filter((key) => Object.hasOwn(act, key)).map((key) => {
    return { path: [...path, key], at: 'key', message: 'not for exec: a command has no answer but its exit code' };
  });
}
