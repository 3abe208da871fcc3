/** Looking at units, and being told of their changes, on a real systemd. */
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import type { UnitFacts } from '../../../src/core/facts.ts';
import { box, open, show, soon, systemctl, until } from './box.ts';

const units = open();
const here = box();
afterEach(() => here.cleanUp());
afterAll(() => units.close());

const start = (unit: string) => units.start(unit, { signal: soon() });
const observe = (...names: string[]) => units.observe(names, soon());

const SLEEPER = ['Type=exec', 'ExecStart=/bin/sleep 1000'];

describe('observe', () => {
  it('keeps the order, duplicates and missing ones included', async () => {
    const [up, rest, missing] = [here.unit(SLEEPER), here.unit(SLEEPER), here.name()];
    await start(up);
    const seen = await observe(missing, up, rest, up, missing);
    expect(seen.map(({ unit, load, active }) => [unit, load, active])).toEqual([
      [missing, 'not-found', 'inactive'],
      [up, 'loaded', 'active'],
      [rest, 'loaded', 'inactive'],
      [up, 'loaded', 'active'],
      [missing, 'not-found', 'inactive'],
    ]);
    expect(seen[3]).toEqual(seen[1]);
  });

  it('tells the load states', async () => {
    const seen = await observe(here.masked(), here.unit(['Type=exec']), here.unit(['not a setting']));
    expect(seen.map(({ load }) => load)).toEqual(['masked', 'bad-setting', 'bad-setting']);
  });

  it('gives details of what is up', async () => {
    const unit = here.unit(SLEEPER);
    const beforeMs = Date.now();
    await start(unit);
    const [facts] = await observe(unit);
    expect(facts).toEqual({
      unit,
      load: 'loaded',
      active: 'active',
      sub: 'running',
      activeSinceMs: expect.any(Number),
      mainPid: Number(await show(unit, 'MainPID')),
      controlGroup: await show(unit, 'ControlGroup'),
      invocationId: await show(unit, 'InvocationID'),
      needsReload: false,
    });
    expect(facts!.activeSinceMs! - beforeMs).toBeGreaterThanOrEqual(-1);
    expect(Date.now() - facts!.activeSinceMs!).toBeGreaterThanOrEqual(-1);
  });

  it('gives the result of what failed, and no more of what rests than its state', async () => {
    const [failed, rest] = [here.unit(['Type=oneshot', 'ExecStart=/bin/sh -c "kill -SEGV $$$$"']), here.unit(SLEEPER)];
    await start(failed);
    const seen = await observe(failed, rest);
    expect(seen[0]).toMatchObject({
      active: 'failed',
      exitStatus: 11,
      result: expect.stringMatching(/signal|core-dump/),
    });
    expect(seen[1]).toEqual({ unit: rest, load: 'loaded', active: 'inactive', sub: 'dead' });
  });

  it('sees a job that waits for another unit, while the unit itself is at rest', async () => {
    const slow = here.unit(['Type=oneshot', 'ExecStart=/bin/sleep 60']);
    const unit = here.unit(SLEEPER, { unit: [`After=${slow}`, `Wants=${slow}`] });
    const waiting = units.start(unit, { signal: soon() }).catch(() => {});
    await until(async () => (await observe(unit))[0]?.job === 'start');
    expect((await observe(unit))[0]).toMatchObject({ active: 'inactive', job: 'start' });
    await units.stop(unit, { signal: soon() });
    await units.stop(slow, { signal: soon() });
    await waiting;
    expect((await observe(unit))[0]?.job).toBeUndefined();
  });

  it('notices a unit file that changed under a running unit, and does not reload it', async () => {
    const unit = here.unit(SLEEPER);
    await start(unit);
    here.unit([...SLEEPER, '# changed'], { name: unit, unit: ['Description=changed'] });
    // systemd compares whole mtimes: the same content a moment later is a change.
    await until(async () => (await observe(unit))[0]?.needsReload === true);
    expect(await show(unit, 'NeedDaemonReload')).toBe('yes');
  });

  it('finds a unit under its alias and under an escaped name', async () => {
    const unit = here.unit(SLEEPER);
    const alias = here.alias(unit);
    const escaped = here.unit(SLEEPER, { name: `0gpumod-test.${process.pid}:a_b\\x2dc@qwen3.5\\x2f2b.service` });
    expect(await start(alias)).toMatchObject({ ok: true, facts: { unit: alias, active: 'active' } });
    expect(await start(escaped)).toMatchObject({ ok: true, facts: { unit: escaped, active: 'active' } });
    const seen = await observe(alias, unit, escaped);
    expect(seen.map((facts) => [facts.unit, facts.active])).toEqual([
      [alias, 'active'],
      [unit, 'active'],
      [escaped, 'active'],
    ]);
    expect(seen[0]?.mainPid).toBe(seen[1]?.mainPid);
    expect(await units.stop(alias, { signal: soon() })).toMatchObject({ ok: true });
    expect((await observe(alias, unit)).map(({ id }) => id)).toEqual([unit, undefined]); // at rest too
    expect((await observe(unit))[0]?.active).toBe('inactive');
  });

  it('answers for no unit, and for other kinds than services', async () => {
    expect(await observe()).toEqual([]);
    const [target] = await observe('basic.target');
    expect(target).toMatchObject({ load: 'loaded', active: 'active', invocationId: expect.any(String) });
    expect(target).not.toHaveProperty('mainPid');
  });

  it('answers many questions at once', async () => {
    const names = Array.from({ length: 5 }, () => here.unit(SLEEPER));
    const seen = await Promise.all(Array.from({ length: 20 }, () => observe(...names)));
    for (const one of seen) expect(one.map(({ unit }) => unit)).toEqual(names);
  });
});

describe('watch', () => {
  it('sees a crash long after the start', async () => {
    const unit = here.unit(SLEEPER);
    const seen: UnitFacts[] = [];
    const stop = await units.watch(unit, (facts) => seen.push(facts));
    await start(unit);
    await until(() => seen.some(({ active }) => active === 'active'));
    await systemctl('kill', '--signal=KILL', unit);
    await until(() => seen.at(-1)?.active === 'failed');
    expect(seen.at(-1)).toMatchObject({ unit, result: 'signal', exitStatus: 9 });
    stop();
  });

  it('sees auto-restart and the new run', async () => {
    const unit = here.unit(['Type=exec', 'Restart=always', 'RestartSec=300ms', 'ExecStart=/bin/sleep 1000']);
    const first = await start(unit);
    const seen: UnitFacts[] = [];
    const stop = await units.watch(unit, (facts) => seen.push(facts));
    await systemctl('kill', '--signal=KILL', unit);
    await until(() => seen.at(-1)?.active === 'active' && seen.at(-1)?.invocationId !== first.facts.invocationId);
    expect(seen.map(({ sub }) => sub)).toContain('auto-restart');
    stop();
  });

  it('sees it under an alias, sees a stop, and ends when told', async () => {
    const unit = here.unit(SLEEPER);
    const alias = here.alias(unit);
    const seen: UnitFacts[] = [];
    const heard: UnitFacts[] = [];
    const stop = await units.watch(alias, (facts) => seen.push(facts));
    const stopOther = await units.watch(unit, (facts) => heard.push(facts));
    await start(unit);
    await until(() => seen.at(-1)?.active === 'active');
    expect(seen.at(-1)?.unit).toBe(alias);
    stop();
    const told = seen.length;
    await units.stop(unit, { signal: soon() });
    await until(() => heard.at(-1)?.active === 'inactive');
    expect(seen.length).toBe(told);
    stopOther();
  });
});
