/**
 * The switch in memory, interfered with at every effect it has on the machine: it dies there, the effect fails or hangs, or
 * somebody presses Ctrl-C. What it says then is true, and a new process goes on from it. GPUMOD_CHAOS_SEED, GPUMOD_CHAOS_CASES.
 */
import { describe, expect, it } from 'vitest';
import type { ServiceState } from '../../src/core/state.ts';
import { satisfies, wantedInMode } from '../../src/plan/wanted.ts';
import { randomFrom } from '../unit/plan/kit/random-box.ts';
import type { Interference } from './kit/effects.ts';
import { BOX, type Case, type Disk, type Ended, type Machine, machineOf, randomCase } from './kit/machine.ts';

const SEED = Number(process.env['GPUMOD_CHAOS_SEED'] || 1);
const CASES = Number(process.env['GPUMOD_CHAOS_CASES'] || 2);

const KINDS: Readonly<Record<string, ServiceState>> = {
  awake: { kind: 'awake' },
  asleep: { kind: 'sleeping', level: 1 },
  stopped: { kind: 'stopped' },
};

/** The services that are not as the mode wants them. */
function unmet(machine: Machine, target: string): readonly string[] {
  const wanted = wantedInMode(BOX, BOX.modes.get(target)!);
  return [...machine.truth()].flatMap(([name, state]) =>
    satisfies(KINDS[state]!, wanted.get(name)!) ? [] : [`${name} is ${state}`],
  );
}

const UNTOUCHED: readonly unknown[] = [2, 4, 69, 75, 77, 78];

/** What the command's end claims and is not so. */
function lies(machine: Machine, before: ReadonlyMap<string, string>, { code, result }: Ended, target: string) {
  const changed = [...machine.truth()].filter(([name, state]) => before.get(name) !== state).map(([name]) => name);
  if (code === 'died') return [];
  if (code === 0) return unmet(machine, target);
  if (UNTOUCHED.includes(code)) return machine.world.log.map((act) => `${code}, and: ${act}`);
  if (code === 1) return changed.map((name) => `1, and ${name} is ${machine.truth().get(name)}`);
  if (![5, 124, 130, 143].includes(code)) return [`ends with ${code}`];
  return changed
    .filter((name) => !result?.notRestored.includes(name))
    .map((name) => `${code}, and ${name} is not named`);
}

async function played(
  one: Case,
  at: number,
  what: Interference,
): Promise<{ readonly wrong: readonly string[]; readonly effects: number }> {
  const machine = machineOf(one);
  const before = machine.truth();
  const ended = await machine.switchTo(one.target, one, { at, what });
  const wrong = [...lies(machine, before, ended, one.target)];
  const acted = machine.world.log.length > 0;
  const isWritten = machine.files.has('switch.json');
  if (ended.code === 'died' && acted && !isWritten && !machine.files.get('history.jsonl'))
    wrong.push('acted, and nothing was written down');
  if (ended.code !== 'died' && isWritten && what !== 'fails' && what !== 'hangs')
    wrong.push('over, and the journal is still there');
  machine.mend();
  const next = await machine.switchTo(one.next, {});
  if (next.code !== 0) wrong.push(`the next switch ends with ${next.code} ${JSON.stringify(next.result?.error ?? '')}`);
  else wrong.push(...unmet(machine, one.next).map((each) => `after the next switch ${each}`));
  const told = next.events.filter(({ type }) => type === 'interrupted').length;
  if (told !== (isWritten ? 1 : 0)) wrong.push(`the next switch told of ${told} that were interrupted`);
  if (machine.files.has('switch.json')) wrong.push('healed, and the journal is still there');
  const where = `effect ${at} (${ended.watch.hit.name}) ${what}: ends with ${ended.code}`;
  return { wrong: wrong.map((each) => `${where}: ${each}`), effects: ended.watch.count() };
}

/** Every effect of so many cases, which a failure names with their seeds. */
async function forAll(what: Interference): Promise<number> {
  let runs = 0;
  const wrong: string[] = [];
  for (let seed = SEED; seed < SEED + CASES; seed++) {
    const one = randomCase(randomFrom(seed));
    const { effects } = await played(one, 0, what);
    for (let at = 1; at <= effects; at++) {
      const found = await played(one, at, what).catch((error: unknown) => ({
        wrong: [`effect ${at} ${what}: ${error instanceof Error ? error.stack : error}`],
      }));
      runs += 1;
      wrong.push(...found.wrong.map((each) => `seed ${seed} ${JSON.stringify(one)}: ${each}`));
    }
  }
  expect(wrong).toEqual([]);
  return runs;
}

describe('a switch that is interfered with at every effect', { timeout: 600_000 }, () => {
  it.each<Interference>(['dies before', 'dies after', 'fails', 'fails after', 'hangs', 'is interrupted'])(
    '%s: tells the truth, and the next one goes on from there',
    async (what) => {
      const runs = await forAll(what);
      console.log(
        `${what}: ${runs} switches and as many after them, ${CASES} cases from seed ${SEED}: no promise broken`,
      );
      expect(runs).toBeGreaterThan(CASES * 5);
    },
  );
});

describe('what is no part of the machine changes nothing of a switch', { timeout: 600_000 }, () => {
  const walked = async (one: Case, with_: (machine: Machine) => void) => {
    const machine = machineOf(one);
    with_(machine);
    const { code, result } = await machine.switchTo(one.target, one);
    return { code, end: result?.end, log: [...machine.world.log].sort(), states: machine.world.states() };
  };

  it.each<Disk>(['full', 'rubbish'])('a disk that is %s', async (disk) => {
    for (let seed = SEED; seed < SEED + 20 * CASES; seed++) {
      const one = randomCase(randomFrom(seed));
      const spoilt = await walked(one, (machine) => {
        machine.disk = disk;
      });
      expect({ seed, ...spoilt }).toEqual({ seed, ...(await walked(one, () => {})) });
    }
  });

  it('a wall clock that jumps', async () => {
    for (let seed = SEED; seed < SEED + 20 * CASES; seed++) {
      const random = randomFrom(seed);
      const one = randomCase(random);
      const jumped = await walked(one, (machine) => {
        machine.jump = () => (random.chance(0.3) ? random.int(-1e9, 1e9) : 0);
      });
      expect({ seed, ...jumped }).toEqual({ seed, ...(await walked(one, () => {})) });
    }
  });
});
