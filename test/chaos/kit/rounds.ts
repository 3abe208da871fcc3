/** Carries out one round: a state, faults, commands, what holds then, and a switch without faults that must heal it. */
import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { type Running, start } from '../../kit/cli.ts';
import { type Random, randomFrom } from '../../unit/plan/kit/random-box.ts';
import { type ChaosBox, MODE_NAMES, MODES, type ModeName, SERVICES, strays } from './box.ts';
import { FAULT_NAMES, FAULTS, type Scene, type Struck } from './faults.ts';
import { type Done, HANG_SECONDS, modeIn, type Round, violations } from './invariants.ts';

/** What a round is to be; all of it comes from its seed. */
interface Script {
  readonly from: ModeName;
  readonly commands: readonly string[];
  readonly faults: readonly string[];
  readonly random: Random;
}

/** Counts of what happened, for the end. */
export interface Tally {
  rounds: number;
  commands: number;
  readonly switches: Map<string, number>;
  readonly faults: Map<string, number>;
  readonly codes: Map<string, number>;
  readonly violations: string[];
  /** Of the longest command. */
  longestSeconds: number;
}

export const newTally = (): Tally => ({
  rounds: 0,
  commands: 0,
  switches: new Map(),
  faults: new Map(),
  codes: new Map(),
  violations: [],
  longestSeconds: 0,
});

export function textOf({ rounds, commands, switches, faults, codes, violations, longestSeconds }: Tally): string {
  const counts = (of: Map<string, number>) =>
    [...of]
      .sort()
      .map(([what, count]) => `${what}: ${count}`)
      .join(', ');
  return [
    `${commands} commands in ${rounds} rounds, and two switches without faults in each`,
    `commands   ${counts(switches)}`,
    `faults     ${counts(faults)}`,
    `ends       ${counts(codes)}; the longest took ${longestSeconds.toFixed(1)} s`,
    `violations ${violations.length}`,
  ].join('\n');
}

const add = (counts: Map<string, number>, what: string): void => void counts.set(what, (counts.get(what) ?? 0) + 1);

function command(random: Random): string {
  const verb = random.pick(['start', 'stop', 'restart', 'sleep', 'wake']);
  const words = random.chance(0.3)
    ? ['service', verb, random.pick(SERVICES)]
    : ['switch', random.pick(MODE_NAMES), ...(random.chance(0.2) ? ['--cold'] : [])];
  if (random.chance(0.3)) words.push('--force');
  if (random.chance(0.15)) words.push('--timeout', random.pick(['0.3s', '1s', '3s']));
  if (random.chance(0.15)) words.push('--on-failure', 'leave');
  return ['-v', ...words].join(' ');
}

/** Mostly one command and one or two faults; now and then a crowd. The `n`th round has the `n`th fault in any case. */
export function scriptOf(seed: number, n: number): Script {
  const random = randomFrom(seed * 100_003 + n);
  const many = random.chance(0.1) ? random.int(2, random.chance(0.3) ? 20 : 5) : 1;
  const commands = Array.from({ length: many }, () => {
    const wait = many > 1 && random.chance(0.5) ? ` --lock-timeout ${random.int(1, 20)}s` : '';
    return command(random) + wait;
  });
  const first = FAULT_NAMES[n % FAULT_NAMES.length] as string;
  const more = random.chance(0.3) ? random.pick(FAULT_NAMES) : first;
  return { from: random.pick(MODE_NAMES), commands, faults: together(first, more), random };
}

/** What freezes the machinery that the others need comes last. */
function together(first: string, more: string): readonly string[] {
  const [one, other] = [FAULTS[first]?.of, FAULTS[more]?.of];
  if (first === more || (one !== undefined && one === other)) return [first];
  return one === 'machinery' ? [more, first] : [first, more];
}

/** What is broken goes into the tally. */
export async function playRound(box: ChaosBox, script: Script, tally: Tally): Promise<void> {
  const { from, commands, faults, random } = script;
  for (const fault of faults) add(tally.faults, fault);
  const ready = await box.run(`switch ${from}`);
  const broken: string[] = ready.code === 0 ? [] : [`switch ${from} before any fault: ${JSON.stringify(ready)}`];
  const victim = random.pick(concerned(script));
  const struck: Struck[] = [];
  const strike = async (at: 'before' | 'during', running: readonly Running[]) => {
    for (const name of faults) {
      const fault = FAULTS[name];
      if (fault?.at !== at) continue;
      if (at === 'during') await delay(random.int(0, 1200));
      struck.push(await fault.strike({ box, random, victim, running } satisfies Scene));
    }
  };
  await strike('before', []);
  box.trace();
  const before = await box.look();
  const env = { ...box.env, ...Object.assign({}, ...struck.map((each) => each.env ?? {})) };
  const watch = watchJournal(`${env['XDG_STATE_HOME']}/gpumod/switch.json`);
  const running = commands.map((line) => start(line.split(' '), env));
  const ends = running.map((each, i) => watched(each, commands[i] as string));
  await strike('during', running);
  const asked = random.chance(0.3) ? await watched(start(['status'], env), 'status') : undefined;
  const done = await Promise.all(ends);
  const journal = watch();
  for (const { undo } of struck.toReversed()) await undo?.();
  const killed = struck.flatMap((each) => each.killed ?? []);
  const round: Round = {
    faults,
    struck: struck.flatMap((each) => each.services ?? []),
    before,
    after: await box.look(),
    commands: done.map((each, i) => ({
      ...each,
      // Also by a first signal, as long as it has not got to hear it.
      killed: killed.includes(running[i] as Running) || (typeof each.ran.code === 'string' && each.ran.stderr === ''),
    })),
    trace: box.trace(),
    journal,
    strays: await strays(),
  };
  if (asked && (asked.seconds >= HANG_SECONDS || ![0, 69].includes(asked.ran.code as number)))
    broken.push(`status is in nobody's way: ${JSON.stringify(asked)}`);
  broken.push(...violations(round), ...(await healed(box, random.pick(MODE_NAMES))));
  for (const { line, ran, killed: byForce, seconds } of round.commands) {
    tally.commands += 1;
    add(tally.switches, line.split(' ')[1] === 'service' ? 'service' : 'mode');
    add(tally.codes, byForce ? 'killed' : String(ran.code));
    tally.longestSeconds = Math.max(tally.longestSeconds, seconds);
  }
  tally.rounds += 1;
  if (broken.length > 0) tally.violations.push(told(script, victim, round, broken));
}

/** What a fault of a service strikes is mostly something that the commands move. */
function concerned({ from, commands }: Script): readonly string[] {
  const named = commands.flatMap((line) => MODES[modeIn(line) ?? 'off'] as readonly string[]);
  const moved = [...MODES[from], ...named, ...SERVICES.filter((name) => commands.some((line) => line.includes(name)))];
  return moved.length > 0 ? moved : SERVICES;
}

/** A switch without faults reaches its mode, and nothing is interrupted any more. */
export async function healed(box: ChaosBox, mode: ModeName): Promise<readonly string[]> {
  const next = await box.run(`switch ${mode}`);
  const holds = await box.run(`mode is-active ${mode}`);
  const status = await box.run('status --json');
  const left = status.code === 0 ? JSON.parse(status.stdout) : {};
  return [
    ...(next.code === 0 ? [] : [`the next switch converges: switch ${mode}: ${JSON.stringify(next)}`]),
    ...(holds.code === 0 ? [] : [`the next switch converges: ${mode} does not hold: ${JSON.stringify(holds)}`]),
    ...(left.interrupted === null && left.switching === null ? [] : [`status is clean: ${JSON.stringify(status)}`]),
  ];
}

async function watched(running: Running, line: string): Promise<Omit<Done, 'killed'>> {
  const began = performance.now();
  const dog = setTimeout(() => running.child.kill('SIGKILL'), HANG_SECONDS * 1000);
  const ran = await running.ended;
  clearTimeout(dog);
  return { line, pid: running.child.pid ?? 0, ran, seconds: (performance.now() - began) / 1000 };
}

/** Looks at the journal until it is called: by which processes it was. */
function watchJournal(path: string): () => readonly number[] {
  const seen: number[] = [];
  const timer = setInterval(() => {
    const { by } = existsSync(path) ? (parsed(path) as { by?: { pid?: number } }) : {};
    if (by?.pid && by.pid !== seen.at(-1)) seen.push(by.pid);
  }, 5);
  return () => {
    clearInterval(timer);
    return seen;
  };
}

function parsed(path: string): object {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) ?? {};
  } catch {
    return {};
  }
}

function told({ from }: Script, victim: string, round: Round, broken: readonly string[]): string {
  const { faults, struck, before, after, commands } = round;
  return [
    `from ${from}; faults: ${faults.join(', ')} (victim ${victim}, struck ${struck.join(' ')})`,
    ...broken.map((what) => `  ${what}`),
    ...SERVICES.map((name) => `  ${name}: ${JSON.stringify(before[name])} → ${JSON.stringify(after[name])}`),
    ...commands.map(
      ({ line, pid, ran, killed, seconds }) =>
        `  $ gpumod ${line} (pid ${pid}): ${killed ? 'killed, ' : ''}${ran.code} after ${seconds.toFixed(1)} s\n${ran.stdout}${ran.stderr}`,
    ),
  ].join('\n');
}
