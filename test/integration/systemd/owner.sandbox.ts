/** Whose process listens at an address, on real processes, cgroups and sockets; and what a switch makes of it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { status } from '../../../src/app/status.ts';
import { switchMode } from '../../../src/app/switch-mode.ts';
import type { PortOwner } from '../../../src/core/facts.ts';
import type { Service } from '../../../src/core/model.ts';
import { openSecrets } from '../../../src/core/secrets.ts';
import { systemClock } from '../../../src/io/clock.ts';
import { systemProcesses } from '../../../src/io/processes.ts';
import { openSecretTexts } from '../../../src/io/secret-texts.ts';
import { openRealHost } from '../../../src/real-host.ts';
import { openOwner } from '../../../src/systemd/owner.ts';
import { http, manifest, mode, TIMEOUTS } from '../../fakes/build.ts';
import { address, box, isAlive, open, runtimeDirectory, show, soon, systemctl, uid, until } from './box.ts';

const units = open();
const here = box();
const folder = mkdtempSync(join(tmpdir(), 'gpumod-owner-'));
const children: ChildProcess[] = [];
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await here.cleanUp();
});
afterAll(async () => {
  await units.close();
  rmSync(folder, { recursive: true });
});

/** Answers every request, at a port or at a path. */
const LISTENER = join(folder, 'listener.mjs');
writeFileSync(
  LISTENER,
  `import { createServer } from 'node:http';
   const [at] = process.argv.slice(2);
   const server = createServer((_, response) => response.end('{"ok":true}'));
   if (at.startsWith('/')) server.listen(at);
   else server.listen(Number(at), '127.0.0.1');`,
);
const listener = (at: number | string) => `${process.execPath} ${LISTENER} ${at}`;

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });

const answers = (port: number) => () =>
  fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } }).then(
    () => true,
    () => false,
  );

/** A process of nobody's unit. */
async function stranger(port: number): Promise<number> {
  const child = spawn(process.execPath, [LISTENER, String(port)], { stdio: 'ignore' });
  children.push(child);
  await until(answers(port));
  return child.pid ?? 0;
}

/** Starts a unit with these lines, waits until something answers, and asks who. */
async function started(lines: readonly string[], port: number): Promise<string> {
  const unit = here.unit(lines);
  expect(await units.start(unit, { signal: soon() })).toMatchObject({ ok: true });
  await until(answers(port));
  return ownerOf(unit, `http://127.0.0.1:${port}`);
}

const ask = openOwner({ processes: systemProcesses, clock: systemClock, uid });

async function ownerOf(unit: string, url: string, of = units): Promise<string> {
  const [facts] = await of.observe([unit], soon());
  const owner = await ask(http('chat', { unit, url }), facts!, soon());
  return told(owner);
}

function told(owner: PortOwner | undefined): string {
  if (owner?.kind === 'other') return `other: ${owner.place} ${owner.pid} ${owner.command}`;
  return owner?.kind === 'untold' ? owner.why.code : (owner?.kind ?? 'undefined');
}

const SLEEPER = ['Type=exec', 'ExecStart=/bin/sleep 1000'];

describe('the unit itself listens', () => {
  it('in its main process', async () => {
    const port = await freePort();
    expect(await started(['Type=exec', `ExecStart=${listener(port)}`], port)).toBe('unit');
  });

  it('in a child', async () => {
    const port = await freePort();
    expect(await started(['Type=exec', `ExecStart=/bin/sh -c '${listener(port)} & wait'`], port)).toBe('unit');
  });

  it('in a process that left its parent', async () => {
    const port = await freePort();
    const lines = ['Type=exec', `ExecStart=/bin/sh -c '(setsid ${listener(port)} &) ; exec sleep 1000'`];
    expect(await started(lines, port)).toBe('unit');
  });

  it('in a cgroup below its own', async () => {
    const port = await freePort();
    const script = join(folder, 'below.sh');
    writeFileSync(
      script,
      `#!/bin/sh
       cgroup=/sys/fs/cgroup$(sed -n 's/^0:://p' /proc/self/cgroup)
       mkdir $cgroup/below
       ${listener(port)} &
       echo $! > $cgroup/below/cgroup.procs
       wait`,
      { mode: 0o755 },
    );
    expect(await started(['Type=exec', 'Delegate=yes', `ExecStart=${script}`], port)).toBe('unit');
  });

  it('after a oneshot has gone', async () => {
    const port = await freePort();
    const lines = ['Type=oneshot', 'RemainAfterExit=yes', `ExecStart=/bin/sh -c '${listener(port)} &'`];
    expect(await started(lines, port)).toBe('unit');
  });

  it('at a Unix socket, named through a link', async () => {
    const [path, link] = [join(folder, 'engine.sock'), join(folder, 'link.sock')];
    symlinkSync(path, link);
    const unit = here.unit(['Type=exec', `ExecStart=${listener(path)}`]);
    await units.start(unit, { signal: soon() });
    await until(async () => (await ownerOf(unit, `http://unix:${link}:`)) !== 'not-listed');
    expect(await ownerOf(unit, `http://unix:${link}:`)).toBe('unit');
    const other = here.unit(SLEEPER);
    await units.start(other, { signal: soon() });
    expect(await ownerOf(other, `http://unix:${path}:`)).toBe(
      `other: ${path} ${await show(unit, 'MainPID')} ${listener(path)}`,
    );
  });
});

describe('another process listens', () => {
  it('and is named', async () => {
    const port = await freePort();
    const pid = await stranger(port);
    expect(await started(SLEEPER, port)).toBe(`other: ${port} ${pid} ${listener(port)}`);
  });

  it('of another unit', async () => {
    const port = await freePort();
    await started(['Type=exec', `ExecStart=${listener(port)}`], port);
    expect(await started(SLEEPER, port)).toMatch(`other: ${port} `);
  });

  it('that a former run left in the very cgroup', async () => {
    const port = await freePort();
    const lines = ['Type=exec', 'KillMode=process', `ExecStart=/bin/sh -c '${listener(port)} & exec sleep 1000'`];
    const unit = here.unit(lines);
    await units.start(unit, { signal: soon() });
    await until(answers(port));
    expect(await ownerOf(unit, `http://127.0.0.1:${port}`)).toBe('unit');
    await units.restart(unit, { signal: soon() });
    expect(await ownerOf(unit, `http://127.0.0.1:${port}`)).toMatch(`other: ${port} `);
  });
});

describe('there is no telling', () => {
  it('where another user listens', async () => {
    const system = open('system', () => address('system'));
    expect(await ownerOf('dbus.service', 'http://unix:/run/dbus/system_bus_socket:', system)).toBe('other-user');
    await system.close();
  });

  it('where systemd listens for a socket unit', async () => {
    const port = await freePort();
    const name = here.name().replace('.service', '');
    const file = `${runtimeDirectory}/systemd/user/${name}.socket`;
    writeFileSync(file, `[Socket]\nListenStream=127.0.0.1:${port}\n`);
    here.unit(SLEEPER, { name: `${name}.service` });
    const unit = here.unit(SLEEPER);
    await units.start(unit, { signal: soon() });
    await systemctl('start', `${name}.socket`);
    expect(await ownerOf(unit, `http://127.0.0.1:${port}`)).toBe('forwarded');
    await systemctl('stop', `${name}.socket`);
    rmSync(file);
  });

  it('where nobody does', async () => {
    const unit = here.unit(SLEEPER);
    await units.start(unit, { signal: soon() });
    expect(await ownerOf(unit, `http://127.0.0.1:${await freePort()}`)).toBe('not-listed');
  });
});

it('reads the cgroup with the rest of what is up', async () => {
  const unit = here.unit(SLEEPER);
  await units.start(unit, { signal: soon() });
  const controlGroup = await show(unit, 'ControlGroup');
  expect(controlGroup).toMatch(unit);
  for (const detail of [undefined, 'brief'] as const)
    expect(await units.observe([unit], soon(), detail)).toMatchObject([{ controlGroup }]);
});

describe('a switch', () => {
  const never = new AbortController().signal;
  const options = { cold: false, force: false, onFailure: 'restore', stop: never } as const;
  const known = openSecrets();
  const host = openRealHost({
    user: 'op',
    pid: process.pid,
    env: process.env,
    uid,
    home: folder,
    nodeMajor: 20,
    kill: process.kill,
    secrets: openSecretTexts(process.env, known),
    hide: known.hide,
  });
  afterAll(() => host.close());
  const modes = (service: Service) => manifest([service], [mode('talk', ['chat'])]);

  async function chat(lines: (port: number) => readonly string[], port: number) {
    const ready = { path: '/', method: 'GET', json: 'ok', equals: true } as const;
    const timeouts = { ...TIMEOUTS, startMs: 15_000 };
    const url = `http://127.0.0.1:${port}`;
    return http('chat', { unit: here.unit(lines(port)), url, gpus: [], memory: {}, ready, timeouts });
  }
  const engine = (port: number) => ['Type=exec', `ExecStart=${listener(port)}`];

  it('believes the unit', async () => {
    const box = modes(await chat(engine, await freePort()));
    const result = await switchMode(box, 'talk', options, host, () => {});
    expect(result).toMatchObject({ end: 'reached' });
    const { now } = await status(box, host, never);
    expect(now.services.get('chat')).toMatchObject({ state: { kind: 'awake' }, owner: { kind: 'unit' } });
  });

  it('does not believe a stranger: fails, names it, stops what it started, and leaves the stranger alone', async () => {
    const port = await freePort();
    const pid = await stranger(port);
    const service = await chat(() => SLEEPER, port);
    const result = await switchMode(modes(service), 'talk', options, host, () => {});
    expect(result).toMatchObject({
      end: 'restored',
      error: { code: 'port-taken', details: { unit: service.unit, place: String(port), pid, command: listener(port) } },
    });
    expect(await show(service.unit, 'ActiveState')).toBe('inactive');
    expect(isAlive(pid)).toBe(true);
  });

  it('is refused where a stranger answers for a unit that runs', async () => {
    const port = await freePort();
    const pid = await stranger(port);
    const service = await chat(() => SLEEPER, port);
    await units.start(service.unit, { signal: soon() });
    const { now } = await status(modes(service), host, never);
    expect(now.services.get('chat')?.state).toMatchObject({ kind: 'unhealthy', why: { code: 'port-taken' } });
    await expect(switchMode(modes(service), 'talk', options, host, () => {})).rejects.toMatchObject({
      code: 'refused',
      details: { problems: [{ code: 'port-taken', pid }] },
    });
    expect(await show(service.unit, 'ActiveState')).toBe('active');
  });
});
