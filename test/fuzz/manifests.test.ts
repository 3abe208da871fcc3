/** Whatever stands in a manifest: the command ends with 0 or 78, and never as a bug. `GPUMOD_FUZZ=10000` for many. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { Manifest } from '../../src/core/model.ts';
import { FileFailure, type Files } from '../../src/io/files.ts';
import { loadManifest } from '../../src/manifest/load.ts';
import { secretsIn } from '../../src/manifest/secrets.ts';
import { world } from '../fakes/world.ts';
import { command } from '../kit/commands.ts';
import { casesOr, mutated, pick, randomOf, SEED } from '../kit/fuzz.ts';

const REPO = join(import.meta.dirname, '../..');
const BASES = ['modes', 'test/fixtures/manifests']
  .flatMap((folder) => readdirSync(join(REPO, folder)).map((name) => join(REPO, folder, name)))
  .filter((path) => path.endsWith('.yaml'))
  .map((path) => readFileSync(path, 'utf8'));
/** Half of the cases: what does not load is soon said. */
const GOOD = [
  readFileSync(join(REPO, 'modes/workstation.yaml'), 'utf8'),
  `version: 1
defaults: {scope: user, idle: sleep, onFailure: leave, timeouts: {start: 5m, stop: 90s, probe: 2s}}
gpus: {reserve: 512MiB}
host: {reserve: 4GiB}
services:
  a: {engine: vllm, url: "http://127.0.0.1:1", ranks: ["http://127.0.0.1:2"], memory: {awake: 7000MiB, asleep: 1100MiB}}
  b: {engine: ollama, url: "http://unix:/run/x.sock:/", models: [m], apiKey: {env: K}, gpus: [0, 1], idle: stop}
  c:
    engine: http
    url: http://localhost:3
    ready: {path: /health, headers: {X-Key: {file: ~/key}}}
    asleep: {path: /s, json: /a/0, equals: true}
    sleep: {steps: [{post: "/sleep?level=1", timeout: 20s}, {exec: [./tidy, "\${service.name}", 7]}]}
    wake: {steps: [{put: /wake, body: {a: [1, null]}, status: 204}]}
  d: {engine: exec, ready: {exec: [test, -e, /x]}, unit: "d@1.service", memory: {awake: 12GiB}}
  e: {engine: llamacpp, url: "https://gpu.example:\${PORT}/p", allowRemote: true, ca: own.pem, idle: keep}
  f: {engine: koboldcpp, url: "http://127.0.0.1:6", models: [k.kcpps], verify: {task: chat, model: m, prompt: hi, tokens: 2}}
modes:
  one: {description: First, services: [a, c], warm: [f], others: stop, default: true}
  two: {services: [b, d, e]}
`,
];

const filesOf = (bytes: Buffer): Files => ({
  read: async () => {
    try {
      return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    } catch (cause) {
      throw new FileFailure('not-text', 'not UTF-8 text', { cause });
    }
  },
  kind: async () => 'file',
  list: async () => [],
  openToAll: async () => undefined,
});

const CODES = new Set<number | string>([0, 78]);
/** Of a manifest that loads: nothing here is a bug or a crash. */
const PLAN_CODES = new Set<number | string>([0, 1, 4, 69, 75, 78]);

it(`ends with 0 or 78 (seed ${SEED})`, { timeout: 3_600_000 }, async () => {
  const random = randomOf(SEED);
  const ends = new Map<string, number>();
  for (let left = casesOr(300); left > 0; left -= 1) {
    const isGood = random() < 0.5;
    const bytes = mutated(random, pick(random, isGood ? GOOD : BASES), isGood ? GOOD : BASES, isGood ? 1 : 8);
    const about = () => `seed ${SEED}, ${left} left:\n${bytes.toString('latin1')}`;
    let manifest: Manifest | undefined;
    const loading = async () => {
      manifest = await loadManifest({ path: '/m.yaml', env: { PORT: '1' }, home: '/home/me', files: filesOf(bytes) });
      return manifest;
    };
    const { host } = world({ ...EMPTY }, {});
    const { code, stderr } = await command(['config', pick(random, ['check', 'show'])], { manifest: loading, host });
    expect(CODES, `${stderr}\n${about()}`).toContain(code);
    expect(code === 78, about()).toBe(/^error: /.test(stderr));
    ends.set(`${code}`, (ends.get(`${code}`) ?? 0) + 1);
    if (!manifest) continue;
    secretsIn(manifest);
    const states = Object.fromEntries(
      [...manifest.services.keys()].map((name) => [name, pick(random, ['awake', 'asleep', 'stopped'] as const)]),
    );
    const mode = pick(random, [...manifest.modes.keys()]);
    const machine = { manifest: async () => manifest as Manifest, host: world(manifest, states).host };
    const planned = await command(['mode', 'plan', mode], machine);
    expect(PLAN_CODES, `${planned.stderr}\n${about()}`).toContain(planned.code);
  }
  if (process.env['GPUMOD_FUZZ'])
    console.log(`manifests: ${[...ends].map(([code, n]) => `${n} with ${code}`).join(', ')}`);
  expect([...ends.keys()].sort()).toEqual(['0', '78']); // both are tried
});

const EMPTY: Manifest = {
  files: [],
  onFailure: 'restore',
  restoreMs: 600_000,
  gpuReserveBytes: 0,
  hostReserveBytes: 0,
  services: new Map(),
  modes: new Map(),
};
