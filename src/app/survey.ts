/** Looks through the machine's services for those that run engines. Reads units and what they name; asks no engine. */
import type { AnyGpumodError } from '../core/errors.ts';
import { isGpumodError } from '../core/errors.ts';
import type { Scope } from '../core/model.ts';
import type { Found } from '../discover/found.ts';
import { speaksOfModels, tabbySettings, withSettings } from '../discover/others.ts';
import {
  baseName,
  isForeign,
  type Program,
  type Script,
  type Unwrapped,
  unwrap,
  unwrapScript,
} from '../discover/program.ts';
import { mentionsEngine, type Recognised, recognise } from '../discover/recognise.ts';
import { type Env, environmentIn, environmentOf, unitWords } from '../discover/shell.ts';
import type { Note } from '../manifest/draft-words.ts';
import type { InstalledUnit } from '../systemd/units.ts';
import type { InitParts } from './init.ts';

/** A service that runs an engine. */
export interface Candidate {
  readonly scope: Scope;
  readonly unit: InstalledUnit;
  readonly found: Found;
  /** Of how it was found out. */
  readonly notes: readonly Note[];
}

/** Speaks of an engine, and is no service of the manifest. */
export interface PassedOver {
  readonly scope: Scope;
  readonly unit: string;
  readonly why: 'not-understood' | 'transient' | 'template' | 'no-gpu';
}

export interface Survey {
  /** Services that were looked at. */
  readonly looked: number;
  /** Their managers. */
  readonly scopes: readonly Scope[];
  readonly unreached: readonly { readonly scope: Scope; readonly error: AnyGpumodError }[];
  readonly candidates: readonly Candidate[];
  readonly passedOver: readonly PassedOver[];
}

/** For all that is asked of one manager. */
const LONGEST_MS = 20_000;

/** A manager out of reach is told as such; throws its error when all are. */
export async function survey(parts: InitParts, scopes: readonly Scope[], signal: AbortSignal): Promise<Survey> {
  const results = await Promise.all(scopes.map((scope) => surveyOf(parts, scope, signal).catch(known(scope, signal))));
  const unreached = results.flatMap((result) => ('error' in result ? [result] : []));
  const reached = results.flatMap((result) => ('error' in result ? [] : [result]));
  const [first] = unreached;
  if (reached.length === 0 && first) throw first.error;
  return {
    looked: reached.reduce((sum, { looked }) => sum + looked, 0),
    scopes: reached.flatMap((each) => each.scopes),
    unreached,
    candidates: reached.flatMap(({ candidates }) => candidates),
    passedOver: reached.flatMap(({ passedOver }) => passedOver),
  };
}

const known =
  (scope: Scope, signal: AbortSignal) =>
  (error: unknown): Survey['unreached'][number] => {
    signal.throwIfAborted();
    if (isGpumodError(error)) return { scope, error };
    throw error;
  };

async function surveyOf(parts: InitParts, scope: Scope, outer: AbortSignal): Promise<Omit<Survey, 'unreached'>> {
  const signal = parts.host.clock.deadline(LONGEST_MS, outer);
  const manager = await parts.host.units(scope);
  const { looked, units, templates } = await manager.installed((argv) => !isForeign(argv), signal);
  const told = await Promise.all(
    units.map(async (unit) => ({ unit, ...(await recognised(parts, scope, unit, signal)) })),
  );
  const candidates = told.flatMap(({ unit, found, notes }) =>
    found && !unit.isTransient ? [{ scope, unit, found, notes }] : [],
  );
  const instances = units.map(({ facts }) => facts.unit);
  return {
    looked,
    scopes: [scope],
    candidates,
    passedOver: [
      ...told.flatMap(({ unit, found }) => passedOver(scope, unit, found)),
      ...templates
        .map(baseName)
        .filter(
          (name) => mentionsEngine(name) && !instances.some((unit) => unit.startsWith(name.split('.')[0] ?? name)),
        )
        .map((unit) => ({ scope, unit, why: 'template' as const })),
    ],
  };
}

function passedOver(scope: Scope, unit: InstalledUnit, found: Found | undefined): readonly PassedOver[] {
  const name = unit.facts.unit;
  if (found) return unit.isTransient ? [{ scope, unit: name, why: 'transient' }] : [];
  const says = mentionsEngine([name, ...unit.commands.flat()].join(' '));
  return says ? [{ scope, unit: name, why: 'not-understood' }] : [];
}

interface Told {
  readonly found?: Found;
  readonly notes: readonly Note[];
}

async function recognised(parts: InitParts, scope: Scope, unit: InstalledUnit, signal: AbortSignal): Promise<Told> {
  const { env, unread } = await environment(parts, scope, unit);
  const argvs = unit.commands.map((argv) => unitWords(argv, env, unread.length === 0));
  const direct = joined(argvs.map((argv) => unwrap({ argv, env })));
  const told = await behindScripts(parts, direct, unit.workingDirectory);
  const open = told?.found.listen && 'said' in told.found.listen && told.found.listen.said === 'open';
  // What runs knows better than what can't be read.
  const running = !told || open || unread.length > 0 ? await fromProcesses(parts, unit, signal) : undefined;
  const best = running && (!told || running.found.engine === told.found.engine) ? running : told;
  if (!best) return { notes: [] };
  const settled = await withOwnSettings(parts, best, unit);
  const { container } = best.found;
  return {
    found: hinted(settled, unit),
    notes: [
      ...best.notes,
      ...(container === undefined ? [] : [{ code: 'in-container', detail: container } as const]),
      ...(best === running ? [] : unread.map((detail) => ({ code: 'env-unread', detail }) as const)),
    ],
  };
}

/** Its name or its description may speak of what nothing else tells. */
function hinted(found: Found, unit: InstalledUnit): Found {
  if (found.usesGpu !== false) return found;
  return { ...found, usesGpu: speaksOfModels(`${unit.facts.unit} ${unit.description}`) };
}

const MOST_BYTES = 64 * 1024;

async function environment(
  { files, home }: InitParts,
  scope: Scope,
  { environment: own, environmentFiles, workingDirectory }: InstalledUnit,
): Promise<{ readonly env: Env; readonly unread: readonly string[] }> {
  const read = await Promise.all(
    environmentFiles.map(async (path) => {
      const kind = await files.kind(path).catch(() => 'denied');
      if (kind === undefined) return { path, env: {} }; // an optional one
      const text = await files.read(path, MOST_BYTES).catch(() => undefined);
      return text === undefined ? { path } : { path, env: environmentIn(text) };
    }),
  );
  const base: Env = scope === 'user' ? { HOME: home } : {};
  const env = Object.assign(
    {},
    base,
    { PWD: workingDirectory },
    environmentOf(own),
    ...read.map((each) => each.env ?? {}),
  );
  return { env, unread: read.flatMap((each) => ('env' in each ? [] : [each.path])) };
}

type Known = Recognised & { readonly notes: readonly Note[] };

const DEEPEST_SCRIPT = 3;

async function behindScripts(parts: InitParts, direct: Unwrapped, folder: string): Promise<Known | undefined> {
  const found = recognise(direct.programs);
  if (found) return { ...found, notes: [] };
  let scripts = direct.scripts.map((script) => ({ script, of: '' }));
  for (let depth = 0; depth < DEEPEST_SCRIPT && scripts.length > 0; depth++) {
    const next: typeof scripts = [];
    for (const { script } of scripts) {
      const path = placed(script, folder);
      const text = await parts.files.read(path, MOST_BYTES).catch(() => '');
      if (!isShell(path, text)) continue;
      const inner = unwrapScript(text, script);
      const inside = recognise(inner.programs);
      if (inside) return { ...inside, notes: [{ code: 'from-script', detail: path }] };
      next.push(...inner.scripts.map((each) => ({ script: each, of: path })));
    }
    scripts = next;
  }
  return undefined;
}

const isShell = (path: string, text: string): boolean =>
  /^#!.*\b(ba|da|z|k|a)?sh\b/.test(text) || (/\.(ba)?sh$/.test(path) && !text.startsWith('#!'));

const placed = ({ path }: Script, folder: string): string =>
  path.startsWith('/') || folder === '' ? path : `${folder}/${path.replace(/^\.\//, '')}`;

async function fromProcesses(parts: InitParts, unit: InstalledUnit, signal: AbortSignal): Promise<Known | undefined> {
  if (unit.facts.active !== 'active') return undefined;
  const commands = await parts.running(unit.facts, signal);
  const programs = commands.map(({ argv, environment: own }) =>
    unwrap({ argv, env: { PWD: unit.workingDirectory, ...environmentOf(own) } }),
  );
  const found = recognise(joined(programs).programs);
  return found && { ...found, notes: [{ code: 'from-process' }] };
}

function joined(all: readonly Unwrapped[]): Unwrapped {
  return { programs: all.flatMap(({ programs }) => programs), scripts: all.flatMap(({ scripts }) => scripts) };
}

/** TabbyAPI keeps its port in a file beside it. */
async function withOwnSettings({ files }: InitParts, { found, program }: Known, unit: InstalledUnit): Promise<Found> {
  if (found.engine !== 'tabbyapi') return found;
  const folder = folderOf(program) || unit.workingDirectory;
  const text = await files.read(`${folder}/config.yml`, MOST_BYTES).catch(() => '');
  return withSettings(program, tabbySettings(text)) ?? found;
}

function folderOf({ path }: Program): string {
  return path.startsWith('/') ? path.slice(0, path.lastIndexOf('/')) : '';
}
