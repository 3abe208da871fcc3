/** `status -o prom`: Prometheus' text format, for node_exporter's textfile collector. */
import type { Status } from '../../app/status.ts';
import type { GpuFacts } from '../../core/facts.ts';
import { ENDS, type HistoryEntry } from '../../core/record.ts';
import { STATE_KINDS } from '../../core/state.ts';
import { holdingOf } from './memory.ts';

type Labels = Readonly<Record<string, string | number>>;
type Sample = readonly [labels: Labels, value: number];

interface Metric {
  readonly name: string;
  readonly type: 'gauge' | 'counter';
  readonly help: string;
  /** Without any the metric is left out: there is nothing to tell. */
  readonly samples: readonly Sample[];
}

/** `history`: oldest first. */
export function promText(status: Status, history: readonly HistoryEntry[]): string {
  return [...nowMetrics(status), ...memoryMetrics(status), ...historyMetrics(history)]
    .filter(({ samples }) => samples.length > 0)
    .map(written)
    .join('');
}

function nowMetrics({ manifest, now, current, holder, underway }: Status): readonly Metric[] {
  const active = current.kind === 'mode' ? [current.mode, ...current.also] : [];
  const services = [...manifest.services.keys()];
  return [
    {
      name: 'gpumod_mode_active',
      type: 'gauge',
      help: 'Whether the mode holds now; several may.',
      samples: [...manifest.modes.keys()].map((mode) => [{ mode }, truth(active.includes(mode))]),
    },
    {
      name: 'gpumod_service_state',
      type: 'gauge',
      help: 'Whether the service is in the state: 1 for one state of each service.',
      // All of them, so that a state that ends goes to 0 and does not go stale.
      samples: services.flatMap((service) => {
        const kind = now.services.get(service)?.state.kind ?? 'unknown';
        return STATE_KINDS.map((state): Sample => [{ service, state }, truth(state === kind)]);
      }),
    },
    gauge('gpumod_switch_in_progress', 'Whether another gpumod is at work.', truth(holder !== undefined)),
    gauge(
      'gpumod_interrupted',
      'Whether the last switch died before its end, and nothing was switched since.',
      truth(underway !== undefined && !underway.isAtWork),
    ),
  ];
}

function memoryMetrics({ manifest, now, held }: Status): readonly Metric[] {
  const cards = now.gpu.kind === 'measured' ? now.gpu.gpus : [];
  const ofCards = (name: string, help: string, value: (card: GpuFacts) => number | null): Metric => ({
    name,
    type: 'gauge',
    help,
    samples: cards.flatMap((card): readonly Sample[] => {
      const bytes = value(card);
      return bytes === null ? [] : [[{ gpu: card.index, uuid: card.uuid }, bytes]];
    }),
  });
  const services = [...manifest.services.values()].flatMap((service): readonly Sample[] => {
    const { measuredBytes, declaredBytes } = holdingOf(service, now.services.get(service.name)?.state, held);
    const kinds = { measured: measuredBytes, declared: declaredBytes };
    return Object.entries(kinds).flatMap(([kind, bytes]): readonly Sample[] =>
      bytes === undefined ? [] : [[{ service: service.name, kind }, bytes]],
    );
  });
  return [
    {
      name: 'gpumod_service_memory_bytes',
      type: 'gauge',
      help: 'GPU memory of the service on the GPU where it holds most: measured, and declared for the state it is in.',
      samples: services,
    },
    ofCards('gpumod_gpu_memory_used_bytes', 'Used memory of the GPU.', ({ usedBytes }) => usedBytes),
    ofCards('gpumod_gpu_memory_total_bytes', 'Memory of the GPU.', ({ totalBytes }) => totalBytes),
    ofCards(
      'gpumod_foreign_memory_bytes',
      'GPU memory of processes that belong to no service of the manifest, as far as it is told.',
      ({ index }) =>
        held ? held.foreign.reduce((sum, { gpu, bytes }) => sum + (gpu === index ? (bytes ?? 0) : 0), 0) : null,
    ),
  ];
}

function historyMetrics(history: readonly HistoryEntry[]): readonly Metric[] {
  const last = history.at(-1);
  const of = (end: HistoryEntry['end']) => history.filter((entry) => entry.end === end);
  const seconds = (entries: readonly HistoryEntry[]) =>
    entries.reduce((sum, { durationSeconds = 0 }) => sum + durationSeconds, 0);
  return [
    {
      name: 'gpumod_switches_total',
      type: 'counter',
      help: 'Switches on record, by how they ended. A long record loses its older half: the counter then begins lower.',
      samples: ENDS.map((end) => [{ end }, of(end).length]),
    },
    {
      name: 'gpumod_switch_seconds_total',
      type: 'counter',
      help: 'What these switches took.',
      samples: ENDS.map((end) => [{ end }, seconds(of(end))]),
    },
    {
      name: 'gpumod_last_switch_outcome',
      type: 'gauge',
      help: 'How the last switch ended: 1 for one of them.',
      samples: last ? ENDS.map((end) => [{ end }, truth(last.end === end)]) : [],
    },
    gauge('gpumod_last_switch_timestamp_seconds', 'When the last switch began.', last && last.beganMs / 1000),
    gauge(
      'gpumod_last_switch_duration_seconds',
      'What it took; absent when it was interrupted.',
      last?.durationSeconds,
    ),
  ];
}

function gauge(name: string, help: string, value: number | undefined): Metric {
  return { name, type: 'gauge', help, samples: value === undefined ? [] : [[{}, value]] };
}

const truth = (is: boolean): number => (is ? 1 : 0);

function written({ name, type, help, samples }: Metric): string {
  const lines = samples.map(([labels, value]) => `${name}${labelled(labels)} ${value}`);
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...lines, ''].join('\n');
}

function labelled(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(String(value))}"`);
  return pairs.length > 0 ? `{${pairs.join(',')}}` : '';
}

const escaped = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
