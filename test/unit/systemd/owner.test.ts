import { describe, expect, it } from 'vitest';
import type { PortOwner } from '../../../src/core/facts.ts';
import type { Service } from '../../../src/core/model.ts';
import type { Processes } from '../../../src/io/processes.ts';
import { openOwner } from '../../../src/systemd/owner.ts';
import { answering, hexOf, tcpListening, unixListening } from '../../../src/systemd/sockets.ts';
import { comfyui, none, vllm } from '../../fakes/build.ts';
import { hastyClock } from './fake-manager.ts';

const HEAD = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n';
const OP = 1000;

/** A line of /proc/net/tcp or tcp6 as the kernel of a little-endian machine writes it. */
function line(address: string, inode: number, { uid = OP, state = '0A' } = {}): string {
  const [host = '', port = ''] = [address.slice(0, address.lastIndexOf(':')), address.split(':').at(-1)];
  const words = (hexOf(host) ?? '').replaceAll(/(..)(..)(..)(..)/g, '$4$3$2$1').toUpperCase();
  const local = `${words}:${Number(port).toString(16).toUpperCase().padStart(4, '0')}`;
  const rest = `${'0'.repeat(words.length)}:0000 ${state} 00000000:00000000 00:00000000 00000000`;
  return `   0: ${local} ${rest}  ${uid}        0 ${inode} 1 00000000a5faee5e 100 0 0 10 0\n`;
}

interface Process {
  readonly sockets?: readonly number[];
  readonly cgroup?: string;
  readonly parent?: number;
  readonly comm?: string;
  readonly cmdline?: string;
  readonly run?: string;
  readonly state?: string;
}

const UNIT = '/user.slice/app.slice/chat.service';
const THIS_RUN = 'a'.repeat(32);

interface Machine {
  readonly tcp?: string;
  readonly tcp6?: string;
  readonly unix?: string;
  readonly links?: Readonly<Record<string, string>>;
  readonly addresses?: readonly string[];
  readonly uid?: number;
  /** Pids of the unit's cgroup, where the cgroup file system can be read. */
  readonly members?: readonly number[];
}

function processesOf(all: Readonly<Record<number, Process>>, machine: Machine): Processes {
  const of = (pid: number): Process | undefined => all[pid];
  return {
    sockets: (table) => (machine[table] === undefined ? '' : HEAD + machine[table]),
    hostname: () => 'GpuBox',
    addresses: () => machine.addresses ?? ['127.0.0.1', '::1', '192.168.1.5'],
    file(path) {
      const real = machine.links?.[path];
      return real === undefined ? undefined : { path: real, uid: OP };
    },
    all: () => Object.keys(all).map(Number),
    members: (cgroup) => (cgroup === UNIT ? machine.members : undefined),
    socketsOf: (pid) => (of(pid)?.sockets ?? []).map(String),
    cgroup: (pid) => (of(pid) ? `1:cpu:/\n0::${of(pid)?.cgroup ?? '/user.slice/session-3.scope'}\n` : ''),
    stat: (pid) => (of(pid) ? `${pid} (a) b (c)) ${of(pid)?.state ?? 'S'} ${of(pid)?.parent ?? 1} 1 1 0 -1` : ''),
    bootId: () => '',
    comm: (pid) => of(pid)?.comm ?? 'python3',
    memoryOf: async (pid, part) =>
      part === 'cmdline' ? of(pid)?.cmdline : of(pid)?.run && `HOME=/\0INVOCATION_ID=${of(pid)?.run}\0A=b\0`,
  };
}

const told = (owner: PortOwner | undefined): string => {
  if (owner?.kind === 'other') return `other: ${owner.place} ${owner.pid} ${owner.command}`;
  return owner?.kind === 'untold' ? owner.why.code : (owner?.kind ?? 'undefined');
};

const chat = vllm('chat');
const never = new AbortController().signal;
const facts = {
  unit: 'chat.service',
  load: 'loaded',
  active: 'active',
  sub: 'running',
  mainPid: 10,
  controlGroup: UNIT,
};

/** Who owns the port of `chat` on a machine with these processes, in a few words. */
async function owner(
  all: Readonly<Record<number, Process>>,
  machine: Machine = {},
  with_: { service?: Service; unit?: Partial<typeof facts>; processes?: Partial<Processes> } = {},
): Promise<string> {
  const processes = { ...processesOf(all, { tcp: line('127.0.0.1:8000', 77), ...machine }), ...with_.processes };
  const ask = openOwner({ processes, clock: hastyClock(), uid: machine.uid ?? OP });
  const unit = { ...facts, invocationId: THIS_RUN, ...with_.unit };
  return told(await ask(with_.service ?? chat, unit, never));
}

const main = { cgroup: UNIT };
const listens = { sockets: [5, 77] };
const stranger: Process = { ...listens, cmdline: 'python3\0-m\0http.server\x008000\0' };
const other = 'other: 8000 20 python3 -m http.server 8000';

describe('the unit owns its port', () => {
  it.each<[string, Readonly<Record<number, Process>>, Machine?]>([
    ['its main process listens', { 10: { ...main, ...listens } }],
    ['a worker in its cgroup listens', { 10: main, 11: { ...main, ...listens, parent: 10 } }, { members: [10, 11] }],
    [
      'a worker whose environment is of another run',
      { 10: main, 11: { ...main, ...listens, parent: 10, run: 'b'.repeat(32) } },
      { members: [10, 11] },
    ],
    [
      'a process in a cgroup below does',
      { 10: main, 11: { cgroup: `${UNIT}/pool`, ...listens } },
      { members: [10, 11] },
    ],
    ['the cgroup file system is not there', { 10: main, 11: { cgroup: `${UNIT}/pool`, ...listens } }],
    ['a child was moved to a scope of its own', { 10: main, 11: { parent: 10 }, 12: { parent: 11, ...listens } }],
    ['a stranger shares the socket', { 10: { ...main, ...listens }, 20: stranger }],
    [
      'a stranger shares the port',
      { 10: { ...main, sockets: [78] }, 20: stranger },
      { tcp: line('127.0.0.1:8000', 77) + line('127.0.0.1:8000', 78) },
    ],
    [
      'a stranger listens on every address, and it on the exact one',
      { 10: { ...main, sockets: [78] }, 20: stranger },
      { tcp: line('0.0.0.0:8000', 77) + line('127.0.0.1:8000', 78) },
    ],
    ['it listens on every address', { 10: { ...main, ...listens } }, { tcp: line('0.0.0.0:8000', 77) }],
    ['it listens dual-stack', { 10: { ...main, ...listens } }, { tcp: '', tcp6: line(':::8000', 77) }],
    [
      'a process of this run that left its parent',
      { 10: main, 11: { ...main, ...listens, run: THIS_RUN } },
      { members: [10, 11] },
    ],
    ['a process that hides its environment', { 10: main, 11: { ...main, ...listens } }, { members: [10, 11] }],
  ])('%s', async (_, all, machine) => expect(await owner(all, machine)).toBe('unit'));

  it('without a main process: a oneshot that remains', async () => {
    const { mainPid: _, ...unit } = facts;
    const processes = processesOf(
      { 11: { ...main, ...listens, run: 'b'.repeat(32) } },
      { tcp: line('127.0.0.1:8000', 77), members: [11] },
    );
    expect(told(await openOwner({ processes, clock: hastyClock(), uid: OP })(chat, unit, never))).toBe('unit');
  });
});

describe('another process owns it', () => {
  it.each<[string, Readonly<Record<number, Process>>, Machine?]>([
    ['in another cgroup', { 10: main, 20: stranger }],
    ['in the cgroup of a unit whose name begins alike', { 10: main, 20: { ...stranger, cgroup: `${UNIT}2` } }],
    [
      'on the exact address, the unit on all of them',
      { 10: { ...main, sockets: [78] }, 20: stranger },
      { tcp: line('127.0.0.1:8000', 77) + line('0.0.0.0:8000', 78) },
    ],
    [
      'for IPv4, the unit for IPv6',
      { 10: { ...main, sockets: [78] }, 20: stranger },
      { tcp: line('0.0.0.0:8000', 77), tcp6: line(':::8000', 78) },
    ],
    [
      'a former run left it in the cgroup',
      { 10: main, 20: { ...stranger, ...main, run: 'b'.repeat(32) } },
      { members: [10, 20] },
    ],
    ['seen by root', { 10: main, 20: stranger }, { uid: 0, tcp: line('127.0.0.1:8000', 77, { uid: 33 }) }],
  ])('%s', async (_, all, machine) => expect(await owner(all, machine)).toBe(other));

  it('of one of several ranks', async () => {
    const service = vllm('chat', { ranks: ['http://127.0.0.1:8001'] });
    const tcp = line('127.0.0.1:8000', 77) + line('127.0.0.1:8001', 78);
    expect(
      await owner({ 10: { ...main, ...listens }, 20: { sockets: [78], comm: 'nginx' } }, { tcp }, { service }),
    ).toBe('other: 8001 20 nginx');
  });

  it('is named without the secrets of its command line, on one line, and briefly', async () => {
    const cmdline = `llama-server\0--api-key\0sk-1\0--hf-token=abc\0-m\0a\nb${'x'.repeat(500)}\0`;
    const said = await owner({ 10: main, 20: { ...listens, cmdline } });
    expect(said).toMatch(/^other: 8000 20 llama-server --api-key \*\*\* --hf-token=\*\*\* -m a bx+$/);
    expect(said.length).toBeLessThan(150);
  });

  it('is named by its short name when its memory may be locked, or is not told', async () => {
    expect(await owner({ 10: main, 20: { ...stranger, state: 'D' } })).toBe('other: 8000 20 python3');
    expect(await owner({ 10: main, 20: { ...listens, comm: 'kthing' } })).toBe('other: 8000 20 kthing');
  });
});

describe('there is no telling', () => {
  const remote = vllm('chat', { url: 'http://10.9.9.9:8000' });
  it.each<[string, string, Readonly<Record<number, Process>>, Machine?, Service?]>([
    ['not-listed', 'nothing listens there', { 10: main }, { tcp: line('127.0.0.1:8001', 77) }],
    [
      'not-listed',
      'a connection is no listener',
      { 10: main, 20: stranger },
      { tcp: line('127.0.0.1:8000', 77, { state: '01' }) },
    ],
    ['not-listed', 'it listens on another address', { 10: main, 20: stranger }, { tcp: line('192.168.1.5:8000', 77) }],
    ['elsewhere', 'another machine', { 10: main, 20: stranger }, {}, remote],
    ['elsewhere', 'a name that only DNS knows', { 10: main }, {}, vllm('chat', { url: 'http://gpu.example:8000' })],
    ['other-user', "another user's socket", { 10: main }, { tcp: line('127.0.0.1:8000', 77, { uid: 0 }) }],
    ['other-user', 'our socket, in a process that hides', { 10: main }],
    ['no-cgroup', 'the main process is elsewhere', { 10: { cgroup: '/user.slice/session-1.scope' }, 20: stranger }],
    ['no-cgroup', 'the main process has just gone', { 20: stranger }],
    ['no-cgroup', 'a cgroup namespace', { 10: { cgroup: '/../../app.slice/chat.service' }, 20: stranger }],
    ['forwarded', 'docker-proxy', { 10: main, 20: { ...stranger, comm: 'docker-proxy' } }],
    ['forwarded', 'systemd for its socket unit', { 10: main, 2: { ...listens, comm: 'systemd' } }],
    ['forwarded', 'a shim', { 10: main, 20: { ...stranger, comm: 'containerd-shim' } }],
    [
      'forwarded',
      'a container of Docker',
      { 10: main, 20: { ...stranger, cgroup: '/system.slice/docker-0a1b.scope' } },
    ],
    [
      'forwarded',
      'a container of Podman',
      { 10: main, 20: { ...stranger, cgroup: '/user.slice/libpod-0a1b.scope/container' } },
    ],
    ['forwarded', 'a pod', { 10: main, 20: { ...stranger, cgroup: '/kubepods.slice/kubepods-pod1.slice/x' } }],
  ])('%s: %s', async (code, _, all, machine, service) =>
    expect(await owner(all, machine, service ? { service } : {})).toBe(code),
  );

  it('of a unit without a cgroup', async () => {
    const { controlGroup: _, mainPid: __, ...unit } = facts;
    const processes = processesOf({ 20: stranger }, { tcp: line('127.0.0.1:8000', 77) });
    expect(told(await openOwner({ processes, clock: hastyClock(), uid: OP })(chat, unit, never))).toBe('no-cgroup');
  });

  it('behind a router, and without an address nobody looks', async () => {
    for (const service of [vllm('chat', { engineId: 'e1' }), none('chat')])
      expect(await owner({ 10: main, 20: stranger }, {}, { service })).toBe('undefined');
  });
});

describe('an address', () => {
  const at = (url: string, machine: Machine) =>
    owner({ 10: { ...main, ...listens } }, machine, { service: comfyui('chat', { url }) });
  it.each([
    ['http://localhost:8000', '::1:8000', 'unit'],
    ['http://[::1]:8000', '::1:8000', 'unit'],
    ['http://[::1]:8000', ':::8000', 'unit'],
    ['http://[::1]:8000', '127.0.0.1:8000', 'not-listed'],
    ['http://192.168.1.5:8000', '0.0.0.0:8000', 'unit'],
    ['http://gpubox:8000', '127.0.1.1:8000', 'unit'],
    ['http://gpubox:8000', '192.168.1.5:8000', 'unit'],
    ['http://0.0.0.0:8000', '127.0.0.1:8000', 'unit'],
    ['http://127.0.0.1', '127.0.0.1:80', 'unit'],
    ['https://127.0.0.1/v1', '127.0.0.1:443', 'unit'],
  ])('%s, listening on %s: %s', async (url, where, expected) => {
    const table = hexOf(where.slice(0, where.lastIndexOf(':')))?.length === 8 ? 'tcp' : 'tcp6';
    expect(await at(url, { tcp: '', [table]: line(where, 77) })).toBe(expected);
  });

  const unix = [
    'ffff: 00000002 00000000 00010000 0001 01    77 /run/user/1000/v.sock',
    'fffe: 00000003 00000000 00000000 0001 03    78 /run/user/1000/v.sock',
    'fffd: 00000002 00000000 00010000 0001 01    79 @/v.sock',
    'fffc: 00000002 00000000 00010000 0001 01    80 /tmp/v.sock',
  ].join('\n');
  it('may be a Unix socket, reached and bound through links', async () => {
    const links = {
      '/tmp/v.sock': '/tmp/v.sock',
      '/home/op/v.sock': '/data/run/v.sock',
      '/run/user/1000/v.sock': '/data/run/v.sock',
    };
    expect(await at('http://unix:/home/op/v.sock:/v1', { unix, links })).toBe('unit');
    const strange = owner(
      { 10: main, 20: stranger },
      { unix, links },
      { service: vllm('chat', { url: 'http://unix:/home/op/v.sock:' }) },
    );
    expect(await strange).toBe('other: /home/op/v.sock 20 python3 -m http.server 8000');
    const elsewhere = owner(
      { 10: { ...main, sockets: [80] } },
      { unix, links },
      { service: vllm('chat', { url: 'http://unix:/home/op/v.sock:' }) },
    );
    expect(await elsewhere).toBe('other-user');
    expect(await at('http://unix:/home/op/w.sock:', { unix, links })).toBe('not-listed');
  });
});

describe('looking', () => {
  it('sees a stranger twice before it says so', async () => {
    const clock = hastyClock();
    const tcp = line('127.0.0.1:8000', 77);
    const first = processesOf({ 10: main, 20: stranger }, { tcp });
    const later = processesOf({ 10: { ...main, ...listens } }, { tcp });
    const now = () => (clock.ticksMs() === 0 ? first : later);
    const processes = { ...first, all: () => now().all(), socketsOf: (pid: number) => now().socketsOf(pid) };
    expect(told(await openOwner({ processes, clock, uid: OP })(chat, facts, never))).toBe('unit');
  });

  it('ends when it is told to', async () => {
    const gone = new AbortController();
    const processes = processesOf({ 10: main, 20: stranger }, { tcp: line('127.0.0.1:8000', 77) });
    const asked = openOwner({ processes, clock: hastyClock(), uid: OP })(chat, facts, gone.signal);
    gone.abort();
    expect(await asked).toBeUndefined();
  });

  it('reads the tables once for all services, and no further than it must', async () => {
    const reads: string[] = [];
    const clock = hastyClock();
    const tcp = line('0.0.0.0:8000', 77) + line('127.0.0.1:8001', 78);
    const processes = processesOf({ 10: { ...main, sockets: [77, 78] } }, { tcp });
    const counted: Processes = {
      ...processes,
      sockets(table, until) {
        const text = processes.sockets(table);
        reads.push(until && text.includes(until) ? `${table} until` : table);
        return text;
      },
    };
    const ask = openOwner({ processes: counted, clock, uid: OP });
    const on = (port: number) => ask(vllm('a', { url: `http://127.0.0.1:${port}` }), facts, never);
    expect((await Promise.all([on(8001), on(8001)])).map(told)).toEqual(['unit', 'unit']);
    expect(reads.splice(0)).toEqual(['tcp until', 'tcp until']);
    expect((await Promise.all([on(8000), on(8000), on(8001)])).map(told)).toEqual(['unit', 'unit', 'unit']);
    expect(reads.splice(0)).toEqual(['tcp']);
    await clock.sleep(50, never);
    await on(8000);
    expect(reads).toEqual(['tcp']);
  });

  it("does not read all processes for another user's socket, unless root asks", async () => {
    let reads = 0;
    const all = () => {
      reads++;
      return [10];
    };
    const tcp = line('127.0.0.1:8000', 77, { uid: 0 });
    expect(await owner({ 10: main }, { tcp }, { processes: { all } })).toBe('other-user');
    expect(reads).toBe(0);
    await owner({ 10: main }, { tcp, uid: 0 }, { processes: { all } });
    expect(reads).toBe(1);
  });
});

describe('the kernel tables', () => {
  it('are read as they are written', () => {
    const tcp = `${HEAD}   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 53821 1 0000000000000000 100 0 0 10 0\n   1: 0100007F:1F90 0100007F:A069 01 00000000:00000000 00:00000000 00000000  1000        0 53822 1\n`;
    expect(tcpListening(tcp)).toEqual([{ inode: '53821', host: '7f000001', port: 8080, uid: 1000 }]);
    const tcp6 = `${HEAD}   0: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 9 1\n`;
    expect(tcpListening(tcp6)).toEqual([{ inode: '9', host: hexOf('::1'), port: 8080, uid: 0 }]);
    expect(tcpListening('nonsense\n\n  sl  local')).toEqual([]);
    const unix =
      'Num       RefCount Protocol Flags    Type St Inode Path\n000000004d06160e: 00000002 00000000 00010000 0001 01  1663 /run/a b.sock\n00000000a1d6fb61: 00000003 00000000 00000000 0001 03  1664\n00000000a1d6fb61: 00000003 00000000 00000000 0001 03  1665 /run/a b.sock\n';
    expect(unixListening(unix)).toEqual([{ inode: '1663', host: '/run/a b.sock', port: 0 }]);
  });

  it.each([
    ['127.0.0.1', '7f000001'],
    ['::1', `${'0'.repeat(31)}1`],
    ['::', '0'.repeat(32)],
    ['fe80::1:2', 'fe800000000000000000000000010002'],
    ['2001:db8:0:0:0:0:0:1', '20010db8000000000000000000000001'],
    ['gpubox', undefined],
    ['cafe', undefined],
  ])('%s is %s', (address, expected) => expect(hexOf(address)).toBe(expected));

  it('lead a connection to the most exact socket', () => {
    const socket = (inode: string, address: string) => ({ inode, host: hexOf(address) ?? '', port: 8000 });
    const all = [socket('six', '::'), socket('any', '0.0.0.0'), socket('exact', '127.0.0.1')];
    const to = (sockets: typeof all, host: string, port = 8000) => {
      const of = (length: number) => () => sockets.filter((each) => each.host.length === length);
      return answering({ tcp: of(8), tcp6: of(32) }, hexOf(host) ?? '', port).map(({ inode }) => inode);
    };
    expect(to(all, '127.0.0.1')).toEqual(['exact']);
    expect(to(all.slice(0, 2), '127.0.0.1')).toEqual(['any']);
    expect(to(all.slice(0, 1), '127.0.0.1')).toEqual(['six']);
    expect(to([socket('mapped', '::ffff:7f00:1')], '127.0.0.1')).toEqual(['mapped']);
    expect(to(all, '::1')).toEqual(['six']);
    expect(to(all, '127.0.0.1', 8001)).toEqual([]);
  });
});
