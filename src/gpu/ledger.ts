/** Memory → process → cgroup: what the tool tells of processes, with what the system knows of them. */
import { pathsIn } from '../core/cgroups.ts';
import type { GpuProcess } from '../core/facts.ts';
import type { Processes } from '../io/processes.ts';
import type { Telemetry } from './telemetry.ts';

export interface LedgerParts {
  readonly processes: Pick<Processes, 'cgroup' | 'file'>;
  /** Our own user id. */
  readonly uid: number;
  readonly ancestorsOf: (pid: number) => readonly number[];
  /** The command line of a process that is there, on one line. */
  readonly commandOf: (pid: number, signal: AbortSignal) => Promise<string>;
}

/** The same readings; processes with their cgroup, command and user. */
export function withLedger(telemetry: Telemetry, parts: LedgerParts): Telemetry {
  return {
    async read(signal, detail) {
      const reading = await telemetry.read(signal, detail);
      if (reading.kind === 'unmeasured' || !reading.processes) return reading;
      const processes = await Promise.all(reading.processes.map((holder) => described(holder, parts, signal)));
      return { ...reading, processes };
    },
  };
}

async function described(holder: GpuProcess, parts: LedgerParts, signal: AbortSignal): Promise<GpuProcess> {
  const { processes, uid, ancestorsOf, commandOf } = parts;
  // A hybrid hierarchy has two paths, of which systemd keeps one or both: the root says nothing.
  const paths = pathsIn(processes.cgroup(holder.pid));
  const cgroup = paths.find((path) => path !== '/') ?? paths[0];
  if (cgroup === undefined) return holder;
  const command = (await commandOf(holder.pid, signal)) || holder.command;
  const owner = processes.file(`/proc/${holder.pid}`)?.uid;
  return {
    ...holder,
    cgroup,
    ancestors: ancestorsOf(holder.pid),
    ...(command === undefined ? {} : { command }),
    ...(owner === undefined || owner === uid ? {} : { otherUid: owner }),
  };
}
