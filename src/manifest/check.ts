/** What no single value shows: references between the parts, and keys that need each other. Pure, on unchecked values. */
import type { ManifestIssue } from '../core/errors.ts';
import { OFF } from '../core/model.ts';
import { address } from './address.ts';
import { type Fault, nearest, type Path, shown } from './fault.ts';
import { mapping, type Part, type Whole } from './merge.ts';

export function check(whole: Whole): readonly ManifestIssue[] {
  const services = [...whole.services].flatMap(([name, part]) =>
    place(part, [...serviceFaults(part), ...unitFault(name, part, whole)]),
  );
  const modes = [...whole.modes].flatMap(([name, part]) => place(part, modeFaults(name, part, whole)));
  return [...services, ...modes];
}

/** A fault whose path begins at the part. */
const place = ({ source, path }: Part, faults: readonly Fault[]): ManifestIssue[] =>
  faults.map((fault) => source.issue({ ...fault, path: [...path, ...fault.path] }));

function serviceFaults({ raw }: Part): Fault[] {
  const faults: Fault[] = [];
  const found = address(raw['url']);
  if ('ok' in found && !found.ok.isLoopback && raw['allowRemote'] !== true) {
    const message = `${found.ok.host} is not this machine alone: needs allowRemote: true on this service`;
    faults.push({ path: ['url'], message });
  }
  faults.push(...twiceFaults(raw['gpus'], 'gpus'), ...twiceFaults(raw['models'], 'models'));
  if (raw['engine'] === 'http') faults.push(...napFaults(raw));
  return faults;
}

function twiceFaults(list: unknown, key: string): Fault[] {
  const items: readonly unknown[] = Array.isArray(list) ? list : [];
  return items.flatMap((item, index) =>
    items.indexOf(item) === index ? [] : [{ path: [key, index], message: `${shown(item)} is here twice` }],
  );
}

/** A generic engine's sleep: the way there, the way back, and how to see it. */
function napFaults(raw: Part['raw']): Fault[] {
  const has = (key: string) => Object.hasOwn(raw, key);
  const faults: Fault[] = [];
  const lacks = (key: string, message: string) => faults.push({ path: [key], at: 'key', message });
  if (has('sleep') && !has('wake')) lacks('sleep', 'sleep steps without wake steps: it could not come back');
  if (has('wake') && !has('sleep')) lacks('wake', 'wake steps without sleep steps');
  if (has('sleep') && !has('asleep')) lacks('sleep', 'sleep steps without asleep: nothing would show that it sleeps');
  for (const key of ['ready', 'asleep']) {
    const probe = mapping(raw[key]);
    if (Object.hasOwn(probe, 'equals') && !Object.hasOwn(probe, 'json'))
      faults.push({ path: [key, 'equals'], at: 'key', message: 'equals without json: nothing to compare' });
  }
  for (const key of ['sleep', 'wake']) {
    const steps = mapping(raw[key])['steps'];
    if (Array.isArray(steps)) faults.push(...steps.flatMap((step, index) => stepFaults(step, [key, 'steps', index])));
  }
  return faults;
}

const METHODS = ['post', 'get', 'put', 'patch', 'delete'];

function stepFaults(step: unknown, path: Path): Fault[] {
  if (typeof step !== 'object' || step === null) return []; // told by the schema
  const given = METHODS.filter((method) => Object.hasOwn(step, method));
  if (given.length === 1) return [];
  return [{ path, message: `needs one of ${METHODS.join(', ')}, and has ${given.join(' and ') || 'none'}` }];
}

const textOf = (value: unknown, otherwise: string): string => (typeof value === 'string' ? value : otherwise);

/** Two services of one unit would start and stop each other. */
function unitFault(name: string, part: Part, { services, scope }: Whole): Fault[] {
  const unitOf = (owner: string, { raw }: Part) =>
    `${textOf(raw['scope'] ?? scope, 'user')} ${textOf(raw['unit'], `${owner}.service`)}`;
  const mine = unitOf(name, part);
  for (const [other, second] of services) {
    if (other === name) return [];
    if (unitOf(other, second) === mine)
      return [
        {
          path: Object.hasOwn(part.raw, 'unit') ? ['unit'] : [],
          at: 'key',
          message: `is the unit of ${shown(other)} too`,
        },
      ];
  }
  return [];
}

function modeFaults(name: string, part: Part, whole: Whole): Fault[] {
  const faults: Fault[] = [];
  if (name === OFF.name)
    faults.push({ path: [], at: 'key', message: 'off exists without being written: nothing awake' });
  if (part.raw['default'] === true) {
    const first = [...whole.modes].find(([, { raw }]) => raw['default'] === true)?.[0];
    if (first !== undefined && first !== name)
      faults.push({ path: ['default'], at: 'key', message: `the default is ${shown(first)} already` });
  }
  return [...faults, ...memberFaults(part, whole)];
}

function memberFaults({ raw }: Part, { services }: Whole): Fault[] {
  const seen = new Map<string, string>();
  const places = new Map<string, string>();
  const faultOf = (list: string, name: string): Pick<Fault, 'message' | 'suggestion'> | undefined => {
    const before = seen.get(name);
    seen.set(name, before ?? list);
    // Twice in one list is told by the schema.
    if (before !== undefined)
      return before === list ? undefined : { message: `${shown(name)} is in ${before} already` };
    const service = services.get(name);
    if (!service) return noService(name, [...services.keys()]);
    const found = address(service.raw['url']);
    if (!('ok' in found)) return undefined;
    const other = places.get(found.ok.place);
    if (other !== undefined) return { message: `${shown(name)} and ${shown(other)} both answer at ${found.ok.place}` };
    places.set(found.ok.place, name);
    return undefined;
  };
  return ['services', 'warm'].flatMap((list) =>
    members(raw[list]).flatMap(([index, name]) => {
      const fault = faultOf(list, name);
      return fault ? [{ path: [list, index], ...fault }] : [];
    }),
  );
}

function noService(name: string, known: readonly string[]): Pick<Fault, 'message' | 'suggestion'> {
  const suggestion = nearest(name, known);
  return { message: `no service ${shown(name)}`, ...(suggestion === undefined ? {} : { suggestion }) };
}

function members(list: unknown): [number, string][] {
  const items: readonly unknown[] = Array.isArray(list) ? list : [];
  return [...items.entries()].filter((entry): entry is [number, string] => typeof entry[1] === 'string');
}
