/** Which processes are a unit's, and what others are: by cgroup, by descent and by name. */
import { isContainer, pathsIn } from '../core/cgroups.ts';
import type { UnitFacts } from '../core/facts.ts';
import { withoutSecrets } from '../core/secrets.ts';
import type { Processes } from '../io/processes.ts';

/** A unit's processes, as far as we see them. */
export interface Kin {
  /** Of its cgroup, read as they are asked for; the main process first: it is nearly always the one that listens. */
  pids(): Iterable<number>;
  /** Whether what we see is what systemd means. It is not in another namespace, after the unit's end, or where the main process was moved. */
  isSeen(): boolean;
  /** Also what was moved to another cgroup (sudo, snap) descends from the unit. */
  owns(pid: number): boolean;
}

export function kinOf({ mainPid, controlGroup }: UnitFacts, processes: Processes): Kin {
  let listed: readonly number[] | undefined;
  const members = () => {
    listed ??= (controlGroup === undefined ? undefined : processes.members(controlGroup)) ?? [];
    return listed;
  };
  const isWithin = (pid: number) => controlGroup !== undefined && isBelow(processes.cgroup(pid), controlGroup);
  const isKin = (pid: number) => pid === mainPid || members().includes(pid);
  return {
    *pids() {
      if (mainPid !== undefined) yield mainPid;
      for (const pid of members()) if (pid !== mainPid) yield pid;
    },
    isSeen: () => (mainPid === undefined ? members().length > 0 : isWithin(mainPid)),
    owns: (pid) => isWithin(pid) || ancestors(processes, pid).some(isKin),
  };
}

function isBelow(text: string, cgroup: string): boolean {
  return pathsIn(text).some((path) => path === cgroup || path.startsWith(`${cgroup}/`));
}

/** `/proc/PID/stat`: `PID (COMM) STATE PPID ...`; COMM may hold anything. */
function statOf(processes: Processes, pid: number): { readonly state: string; readonly parent: number } {
  const text = processes.stat(pid);
  const [state = '', parent = ''] = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return { state, parent: Number(parent) };
}

const MOST_ANCESTORS = 64;

export function ancestors(processes: Processes, pid: number): readonly number[] {
  const found: number[] = [];
  for (let { parent } = statOf(processes, pid); parent > 1; { parent } = statOf(processes, parent))
    if (found.push(parent) >= MOST_ANCESTORS) break;
  return found;
}

/** They listen for somebody else: container runtimes, and systemd for a socket unit. Names as `comm` cuts them. */
const FORWARDERS =
  /^(docker-proxy|rootlessport|rootlesskit|pasta(\.avx2)?|slirp4netns|conmon|containerd.*|systemd|systemd-socket-)$/;

export function isForwarder(processes: Processes, pid: number): boolean {
  return FORWARDERS.test(processes.comm(pid)) || pathsIn(processes.cgroup(pid)).some(isContainer);
}

const MOST_CHARACTERS = 120;

/** Its command line on one line, secrets left out; its short name where reading more could block. */
export async function commandOf(processes: Processes, pid: number, signal: AbortSignal): Promise<string> {
  const isStuck = statOf(processes, pid).state === 'D';
  const text = isStuck ? undefined : await processes.memoryOf(pid, 'cmdline', signal);
  const words = (text ?? '').replaceAll(/[\0\s]+/g, ' ').trim();
  const command = withoutSecrets(words).replaceAll(/(--?\S*(?:key|token|secret|password)\S*?[= ])\S+/gi, '$1***');
  return command.slice(0, MOST_CHARACTERS) || processes.comm(pid);
}
