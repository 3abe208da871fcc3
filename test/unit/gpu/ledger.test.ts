import { spawn } from 'node:child_process';
import { expect, it } from 'vitest';
import type { GpuReading } from '../../../src/core/facts.ts';
import { withLedger } from '../../../src/gpu/ledger.ts';
import { type Processes, systemProcesses } from '../../../src/io/processes.ts';
import { ancestors } from '../../../src/systemd/lineage.ts';

const reading = (...pids: readonly number[]): GpuReading => ({
  kind: 'measured',
  gpus: [],
  processes: pids.map((pid) => ({ gpu: 0, pid, bytes: 1, command: 'as the tool says' })),
});
type Known = Pick<Processes, 'cgroup' | 'file' | 'comm'>;
const described = async (given: GpuReading, processes: Known, uid = 1000) => {
  const telemetry = withLedger(
    { read: async () => given },
    { processes, uid, ancestorsOf: (pid) => [pid + 1000], commandOf: async (pid) => processes.comm(pid) },
  );
  const read = await telemetry.read(new AbortController().signal, 'processes');
  return read.kind === 'measured' ? read.processes : undefined;
};
const knowing = (texts: Readonly<Record<number, string>>): Known => ({
  cgroup: (pid) => texts[pid] ?? '',
  comm: (pid) => (pid in texts ? `comm${pid}` : ''),
  file: (path) => ({ path, uid: 1000 + (Number(path.slice('/proc/'.length)) % 2) }),
});

it('adds cgroup, command, and whose it is when it is not ours; of every kind of hierarchy', async () => {
  const known = knowing({
    2: '0::/user.slice/chat.service\n',
    3: '12:pids:/other\n1:name=systemd:/system.slice/a.service\n0::/\n',
  });
  expect(await described(reading(2, 3), known)).toEqual([
    { gpu: 0, pid: 2, bytes: 1, cgroup: '/user.slice/chat.service', ancestors: [1002], command: 'comm2' },
    {
      gpu: 0,
      pid: 3,
      bytes: 1,
      cgroup: '/system.slice/a.service',
      ancestors: [1003],
      command: 'comm3',
      otherUid: 1001,
    },
  ]);
});

it("takes the path that systemd keeps, where a container's host shows the other as the root", async () => {
  const known = knowing({ 2: '9:name=systemd:/\n0::/user.slice/chat.service\n', 4: '1:name=systemd:/\n0::/\n' });
  const found = await described(reading(2, 4), known);
  expect(found?.map(({ cgroup }) => cgroup)).toEqual(['/user.slice/chat.service', '/']);
});

it('leaves a process that is not here as the tool tells it', async () =>
  expect(await described(reading(9), knowing({}))).toEqual([
    { gpu: 0, pid: 9, bytes: 1, command: 'as the tool says' },
  ]));

it('adds nothing where there are no processes, or no reading', async () => {
  expect(await described({ kind: 'measured', gpus: [] }, knowing({}))).toBeUndefined();
  expect(await described({ kind: 'unmeasured', why: { code: 'no-tool' } }, knowing({}))).toBeUndefined();
});

it('finds real processes', async () => {
  const child = spawn('/bin/sleep', ['1000']);
  const { pid = 0 } = child;
  try {
    const [found] = (await described(reading(pid), systemProcesses, process.geteuid?.())) ?? [];
    expect(found?.cgroup).toMatch(/^\//);
    expect(found).not.toHaveProperty('otherUid');
    expect(ancestors(systemProcesses, pid)).toContain(process.pid);
  } finally {
    child.kill();
  }
  expect(await described(reading(2 ** 30), systemProcesses)).toEqual([
    { gpu: 0, pid: 2 ** 30, bytes: 1, command: 'as the tool says' },
  ]);
});
