/**
 * `npm run bench`: whole processes of the built program beside `node -e 0`, in turn, in one run; medians and ratios. Needs
 * a user's systemd: as root it boots the sandbox and runs itself there; else it uses your own user manager, with units of
 * its own that are gone afterwards.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const path = (relative) => fileURLToPath(new URL(`../../${relative}`, import.meta.url));
const ROUNDS = Number(process.argv[2] ?? 15);
const SERVICES = 8;
const NAP_MS = 500;

const runtime = process.env.XDG_RUNTIME_DIR ?? `/run/user/${process.geteuid()}`;
if (process.geteuid() === 0 && !existsSync(join(runtime, 'bus'))) inSandbox();
else await bench();

function inSandbox() {
  const repository = path('.');
  const args = ['run', '--name', 'bench', '--bind', `${repository}:/opt/gpumod:ro`, '-C', '/opt/gpumod', '--'];
  const { status } = spawnSync(
    path('test/sandbox/sandbox.sh'),
    [...args, 'node', 'test/bench/bench.mjs', String(ROUNDS)],
    {
      stdio: ['ignore', 'inherit', 'inherit'],
    },
  );
  process.exitCode = status ?? 1;
}

async function bench() {
  const folder = mkdtempSync(join(tmpdir(), 'gpumod-bench-'));
  const unitsFolder = join(runtime, 'systemd/user');
  mkdirSync(unitsFolder, { recursive: true });
  const names = Array.from({ length: SERVICES }, (_, i) => `gpumod-bench-${process.pid}-${i}`);
  try {
    const ports = await Promise.all(names.map(freePort));
    names.forEach((name, i) => {
      const engine = `${process.execPath} ${path('dist/sim-engine.js')} vllm --port ${ports[i]}`;
      const naps = `--sleep-ms ${NAP_MS} --wake-ms ${NAP_MS}`;
      writeFileSync(join(unitsFolder, `${name}.service`), `[Service]\nType=exec\nExecStart=${engine} ${naps}\n`);
    });
    const manifest = join(folder, 'bench.yaml');
    writeFileSync(manifest, manifestOf(names, ports));
    const pair = join(folder, 'pair.yaml');
    writeFileSync(pair, manifestOf(names.slice(0, 2), ports));
    const env = { ...process.env, GPUMOD_MANIFEST: manifest, XDG_STATE_HOME: folder, XDG_CACHE_HOME: folder };
    systemctl('start', ...names.map((name) => `${name}.service`));
    await Promise.all(ports.map(answers));
    measure(env, pair);
  } finally {
    systemctl('stop', ...names.map((name) => `${name}.service`));
    for (const name of names) rmSync(join(unitsFolder, `${name}.service`), { force: true });
    rmSync(folder, { recursive: true });
  }
}

/** All awake at first; `a` and `b` differ in one service each, on one GPU: a switch is one sleep and one wake. */
function manifestOf(names, ports) {
  const services = names.map(
    (name, i) =>
      `  ${name}: {engine: vllm, url: "http://127.0.0.1:${ports[i]}", memory: {awake: 2GiB, asleep: 100MiB}}`,
  );
  const [first, second, ...others] = names;
  const mode = (name, members) => `  ${name}: {services: [${members.join(', ')}]}`;
  return [
    'version: 1',
    'services:',
    ...services,
    'modes:',
    mode('a', [first, ...others]),
    mode('b', [second, ...others]),
    '',
  ].join('\n');
}

function measure(env, pair) {
  const gpumod = (...args) => [path('bin/gpumod.js'), ...args];
  let turn = 0;
  const cases = {
    'node -e 0': () => ['-e', '0'],
    'gpumod --help': () => gpumod('--help'),
    'gpumod status': () => gpumod('status'),
    'gpumod status --json': () => gpumod('status', '--json'),
    'gpumod switch (no change)': () => gpumod('switch', turn % 2 ? 'a' : 'b'),
    [`gpumod switch (sleep ${NAP_MS} ms + wake ${NAP_MS} ms)`]: () =>
      gpumod('-m', pair, 'switch', turn++ % 2 ? 'b' : 'a'),
  };
  once(gpumod('switch', 'b'), env);
  const times = Object.fromEntries(Object.keys(cases).map((name) => [name, []]));
  for (let round = -1; round < ROUNDS; round++)
    for (const [name, args] of Object.entries(cases)) {
      const ms = once(args(), env);
      if (round >= 0) times[name].push(ms);
    }
  const base = median(times['node -e 0']);
  console.log(
    `Node ${process.version}, ${SERVICES} services, ${ROUNDS} rounds in turn; wall milliseconds of the whole process`,
  );
  for (const [name, all] of Object.entries(times)) {
    const nap = name.includes('(sleep') ? 2 * NAP_MS : 0;
    const ratio = `${((median(all) - nap) / base).toFixed(1)} x${nap ? ` + ${nap} ms of the engines` : ''}`;
    console.log(
      `${name.padEnd(46)} min ${Math.min(...all)
        .toFixed(0)
        .padStart(5)}  median ${median(all).toFixed(0).padStart(5)}  = ${ratio}`,
    );
  }
}

function once(args, env) {
  const began = performance.now();
  const { status, stderr } = spawnSync(process.execPath, args, { env, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${args.join(' ')}: exit ${status}: ${stderr}`);
  return performance.now() - began;
}

function median(values) {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
}

function systemctl(...args) {
  execFileSync('systemctl', ['--user', ...args], { stdio: ['ignore', 'ignore', 'inherit'] });
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

async function answers(port) {
  for (let i = 0; i < 200; i++) {
    const ok = await fetch(`http://127.0.0.1:${port}/health`).then(
      (response) => response.ok,
      () => false,
    );
    if (ok) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`nothing answers on port ${port}`);
}
