/**
 * `npm run bench:plan`: how long the planner takes, cold and warm, and how near its plans are to what no order can beat.
 * Prints; asserts nothing.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { rolldown } from 'rolldown';

const GIB = 2 ** 30;
const RUNS = Number(process.argv[2] ?? 20);
const ENGINES = ['vllm', 'vllm', 'llamacpp', 'sglang', 'comfyui'];

const { plan, wantedInMode, currentMode } = await bundled();
const random = randomFrom(7);

report(
  '1,000 services, 100 modes, 8 cards: plan',
  () => large(1000, 100, 8),
  (box) => planned(box),
);
report(
  '  and which of the modes holds',
  () => large(1000, 100, 8),
  ({ manifest, now }) => currentMode(manifest, now, undefined),
);
report(
  '1,000 services that all change, 8 cards',
  () => changing(1000, 8),
  (box) => planned(box),
);
report('8 movers on 1 to 4 cards, 200 boxes', () => tangle(...eight()), planned, 200);
for (const [takes, releases, cards, width] of [
  [4, 4, 1, 1],
  [8, 0, 1, 1],
  [8, 0, 4, 2],
  [8, 4, 4, 2],
  [8, 8, 4, 2],
  [8, 8, 8, 3],
  [8, 20, 8, 2],
])
  report(
    `${takes} takes, ${releases} releases, ${cards} cards, up to ${width} a service: exact`,
    () => tangle(takes, releases, cards, width),
    (box) => planned(box),
  );
for (const [takes, releases, cards, width] of [
  [10, 6, 2, 1],
  [12, 6, 4, 2],
  [20, 10, 8, 3],
  [40, 20, 8, 3],
])
  report(
    `${takes} takes, ${releases} releases, ${cards} cards, up to ${width} a service`,
    () => tangle(takes, releases, cards, width),
    (box) => planned(box),
  );

function planned({ manifest, now }) {
  const target = manifest.modes.get('target');
  const answer = plan({ manifest, now, target: 'target', wanted: wantedInMode(manifest, target) });
  return answer.kind === 'plan' ? answer.plan : undefined;
}

/** Takes, releases, cards, and cards a service. */
function eight() {
  const takes = 2 + Math.floor(random() * 7);
  const cards = 1 + Math.floor(random() * 4);
  return [takes, 8 - takes, cards, 1 + Math.floor(random() * cards)];
}

/** Fresh boxes, so that no run can profit from the one before. */
function report(what, make, run, runs = RUNS) {
  const first = make();
  const cold = performance.now();
  run(first);
  const firstMs = performance.now() - cold;
  const times = [];
  const shares = [];
  for (let i = 0; i < runs; i++) {
    const box = make();
    const began = performance.now();
    const result = run(box);
    times.push(performance.now() - began);
    if (!result?.awakeSeconds) continue;
    shares.push(result.lowerBoundSeconds / result.awakeSeconds);
  }
  times.sort((a, b) => a - b);
  const percent = (share) => `${(100 * share).toFixed(1)} %`;
  const mean = shares.reduce((sum, share) => sum + share, 0) / shares.length;
  const bound =
    shares.length > 0 ? `; lower bound: ${percent(mean)} of the plan, at least ${percent(Math.min(...shares))}` : '';
  console.log(
    `${what}: first ${firstMs.toFixed(1)} ms, median ${times[runs >> 1].toFixed(1)} ms, longest ${times[runs - 1].toFixed(1)} ms${bound}`,
  );
}

function large(services, modes, cards) {
  const all = Array.from({ length: services }, (_, i) => service(`s${i}`, [i % cards], between(0.1, 0.5)));
  const targets = Array.from({ length: modes }, (_, m) => mode(m === 0 ? 'target' : `m${m}`, sample(all, 24)));
  const awake = new Set(sample(all, 24));
  return boxOf(
    all,
    targets,
    (name) => (awake.has(name) ? 'awake' : random() < 0.02 ? 'sleeping' : 'stopped'),
    cards,
    80,
  );
}

function changing(services, cards) {
  const all = Array.from({ length: services }, (_, i) => service(`s${i}`, [i % cards], between(0.1, 0.3)));
  const half = all.slice(0, services / 2).map(({ name }) => name);
  return boxOf(all, [mode('target', half)], (name) => (half.includes(name) ? 'sleeping' : 'awake'), cards, 80);
}

/** Takes that need most of what the releases free. */
function tangle(takes, releases, cards, width) {
  const gpus = () => {
    const many = 1 + Math.floor(random() * width);
    const first = Math.floor(random() * (cards - many + 1));
    return Array.from({ length: many }, (_, i) => first + i);
  };
  const ins = Array.from({ length: takes }, (_, i) => service(`in${i}`, gpus(), between(4, 20)));
  const outs = Array.from({ length: releases }, (_, i) => service(`out${i}`, gpus(), between(4, 20)));
  const need = Array.from({ length: cards }, (_, g) =>
    [ins, outs].map((side) =>
      side.filter((s) => s.gpus.includes(g)).reduce((sum, s) => sum + s.memory.awakeBytes / GIB, 0),
    ),
  );
  const size = Math.ceil(Math.max(...need.map(([a, b]) => Math.max(a + 2 * releases, b + 2 * takes)))) + 1;
  return boxOf(
    [...ins, ...outs],
    [
      mode(
        'target',
        ins.map(({ name }) => name),
      ),
    ],
    (name) => (name.startsWith('out') ? 'awake' : random() < 0.5 ? 'sleeping' : 'stopped'),
    cards,
    size,
  );
}

function service(name, gpus, gib) {
  const engine = ENGINES[Math.floor(random() * ENGINES.length)];
  const awakeBytes = Math.round(gib * GIB);
  return {
    name,
    engine,
    unit: `${name}.service`,
    scope: 'user',
    url: 'http://127.0.0.1:1',
    gpus,
    memory: { awakeBytes, asleepBytes: Math.round(Math.min(1.5 * GIB, awakeBytes / 4)) },
    idle: random() < 0.3 ? 'stop' : 'sleep',
    timeouts: {},
    sleep: { level: 1, drain: 'wait' },
    ranks: [],
    models: ['m'],
  };
}

function mode(name, services) {
  return { name, services, warm: [], default: false };
}

function boxOf(services, modes, stateOf, cards, gib) {
  const manifest = {
    files: [],
    onFailure: 'restore',
    gpuReserveBytes: GIB / 2,
    hostReserveBytes: 4 * GIB,
    services: new Map(services.map((each) => [each.name, each])),
    modes: new Map(modes.map((each) => [each.name, each])),
  };
  const seen = ({ name }) => ({
    service: name,
    state: { kind: stateOf(name), level: 1 },
    nap: { can: true, levels: [1, 2] },
  });
  const gpus = Array.from({ length: cards }, (_, index) => ({
    index,
    name: 'card',
    uuid: `${index}`,
    totalBytes: gib * GIB,
    usedBytes: 0,
    freeBytes: gib * GIB,
  }));
  const now = {
    atMs: 0,
    services: new Map(services.map((each) => [each.name, seen(each)])),
    gpu: { kind: 'measured', gpus },
    host: { memAvailableBytes: 1000 * GIB },
  };
  return { manifest, now };
}

function between(from, to) {
  return from + random() * (to - from);
}

function sample(services, count) {
  return [...services]
    .map((each) => [random(), each.name])
    .sort((a, b) => a[0] - b[0])
    .slice(0, count)
    .map(([, name]) => name);
}

function randomFrom(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** The sources as one module. */
async function bundled() {
  const folder = mkdtempSync(join(tmpdir(), 'gpumod-plan-'));
  try {
    const file = join(folder, 'plan.mjs');
    const source = (name) => JSON.stringify(fileURLToPath(new URL(`../../src/plan/${name}.ts`, import.meta.url)));
    const build = await rolldown({
      input: 'entry',
      plugins: [
        {
          name: 'entry',
          resolveId: (id) => (id === 'entry' ? id : null),
          load: (id) =>
            id === 'entry'
              ? `export { plan } from ${source('plan')}; export { wantedInMode } from ${source('wanted')}; export { currentMode } from ${source('current')};`
              : null,
        },
      ],
    });
    await build.write({ file, format: 'esm' });
    return await import(pathToFileURL(file));
  } finally {
    rmSync(folder, { recursive: true });
  }
}
