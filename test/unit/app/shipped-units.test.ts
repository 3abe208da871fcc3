/** The box that we ship, as its units and its manifest stand: nothing is wrong with it. */
import { homedir } from 'node:os';
import { expect, it } from 'vitest';
import { checked } from '../../../src/app/checks/table.ts';
import { parseDuration } from '../../../src/core/units.ts';
import { systemFiles } from '../../../src/io/files.ts';
import { loadManifest } from '../../../src/manifest/load.ts';
import { settingsOf } from '../../../src/systemd/settings.ts';
import { card, observation } from '../../fakes/build.ts';
import { REPO, textOf } from '../../kit/source.ts';

/** As systemd would tell it on the bus. */
function properties(text: string): Record<string, unknown> {
  const lines = text.replaceAll(/\\\n\s*/g, '').split('\n');
  const all = lines.flatMap((line) => {
    const [, key = '', value = ''] = /^(\w+)=(.*)$/.exec(line) ?? [];
    return key ? [[key, value] as const] : [];
  });
  const last = new Map(all);
  const every = (key: string) => all.flatMap(([name, value]) => (name === key ? [value] : []));
  const usec = (key: string, otherwise: string) => (parseDuration(last.get(key) ?? otherwise) ?? 0) * 1e3;
  const argv = (last.get('ExecStart') ?? '').split(/\s+/);
  return {
    LoadState: 'loaded',
    Type: last.get('Type') ?? 'simple',
    Restart: last.get('Restart') ?? 'no',
    RestartUSec: usec('RestartSec', '100ms'),
    StartLimitBurst: Number(last.get('StartLimitBurst') ?? 5),
    StartLimitIntervalUSec: usec('StartLimitIntervalSec', '10'),
    TimeoutStopUSec: usec('TimeoutStopSec', '90'),
    KillMode: last.get('KillMode') ?? 'control-group',
    ExecStart: [[argv[0], argv]],
    Environment: every('Environment'),
    EnvironmentFiles: every('EnvironmentFile').map((path) => [path, true]),
  };
}

it('has nothing that doctor would find, but that vLLM takes its part of the card whatever is declared', async () => {
  const from = { path: `${REPO}/modes/workstation.yaml`, env: {}, home: homedir(), files: systemFiles };
  const manifest = await loadManifest(from);
  const services = [...manifest.services.values()];
  const settings = new Map(
    services.map(({ name, unit }) => [name, settingsOf(unit, properties(textOf(`units/${unit}`)), [])] as const),
  );
  expect(settings.get('vllm-chat')?.argv).toContain('--enable-sleep-mode');
  const now = observation(Object.fromEntries(services.map(({ name }) => [name, 'stopped'])), card(24));
  const account = { uid: 1000, user: 'op', lingers: true };
  const found = checked({ manifest, now, settings, learned: new Map(), account, history: [] });
  const shown = found.filter(({ verbose }) => !verbose);
  expect([...new Set(shown.map(({ severity, why }) => `${severity} ${why.code}`))]).toEqual([
    'note utilization-declared',
  ]);
});
