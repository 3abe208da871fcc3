/** What is read of how a unit is set up: as systemd 252 and 262 tell it, and no more of its environment than is harmless. */
import { describe, expect, it } from 'vitest';
import { settingsOf } from '../../../src/systemd/settings.ts';

const INFINITE = 2n ** 64n - 1n;
const TOLD = {
  Id: 'chat.service',
  LoadState: 'loaded',
  Type: 'exec',
  Restart: 'always',
  RestartUSec: 100_000,
  StartLimitBurst: 5,
  StartLimitIntervalUSec: 10_000_000,
  TimeoutStopUSec: INFINITE,
  KillMode: 'control-group',
  Conflicts: ['shutdown.target'],
  After: ['basic.target'],
  ExecStart: [['/opt/vllm', ['vllm', 'serve', 'm'], false, 0, 0, 0, 0, 0, 0, 0]],
  ExecStartPre: [['/bin/a', ['a', 'b'], false, 0, 0, 0, 0, 0, 0, 0]],
  Environment: ['HF_TOKEN=hunter2', 'VLLM_SERVER_DEV_MODE=0', 'VLLM_SERVER_DEV_MODE=1'],
  EnvironmentFiles: [['/etc/x', true]],
  User: 'op',
  UnitFileState: 'enabled',
  NeedDaemonReload: true,
};

describe('the settings of a unit', () => {
  it('are told', () => {
    const told = settingsOf('alias.service', TOLD, []);
    expect(told).toEqual({
      unit: 'chat.service',
      load: 'loaded',
      type: 'exec',
      restart: 'always',
      restartPauseMs: 100,
      startLimitBurst: 5,
      startLimitMs: 10_000,
      killMode: 'control-group',
      conflicts: ['shutdown.target'],
      after: ['basic.target'],
      argv: ['/opt/vllm', 'serve', 'm'],
      before: ['/bin/a', 'b'],
      environment: { VLLM_SERVER_DEV_MODE: '1' },
      hasEnvironmentFiles: true,
      user: 'op',
      unitFileState: 'enabled',
      needsReload: true,
    });
    expect(JSON.stringify(told)).not.toContain('hunter2');
  });

  it('take on what the manager gives to all, and leave what the unit takes back', () => {
    const inherited = ['VLLM_SERVER_DEV_MODE=1', 'PYTORCH_ALLOC_CONF=a:b'];
    const all = { ...TOLD, Environment: [], UnsetEnvironment: ['PYTORCH_ALLOC_CONF'] };
    expect(settingsOf('x', all, inherited).environment).toEqual({ VLLM_SERVER_DEV_MODE: '1' });
  });

  it('are none of a unit that is not there, or of an answer that is not understood', () => {
    expect(settingsOf('x.service', { LoadState: 'not-found' }, [])).toMatchObject({ load: 'not-found', argv: [] });
    expect(settingsOf('x.service', { ExecStart: 3, Environment: 'x', Restart: 1 }, [])).toMatchObject({ argv: [] });
  });
});
