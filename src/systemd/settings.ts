/** How units are set up: everything of one in one message, and of that only what is no secret. */
import { given } from '../core/given.ts';
import { HARMLESS_VARIABLES, harmless, type UnitSettings } from '../core/unit-settings.ts';
import { MANAGER, MANAGER_PATH, unitPath } from './names.ts';
import type { Session } from './session.ts';

/** Same order as asked. Loads what was not loaded. */
export async function readSettings(
  session: Session,
  units: readonly string[],
  signal: AbortSignal,
): Promise<readonly UnitSettings[]> {
  const [inherited, ...all] = await Promise.all([
    session.get(MANAGER_PATH, MANAGER, 'Environment', signal),
    ...units.map((unit) => session.getAll(unitPath(unit), signal)),
  ]);
  return all.map((properties, i) => settingsOf(units[i] ?? '', properties, texts(inherited)));
}

/** `inherited`: what the manager gives to all of its units. */
export function settingsOf(
  unit: string,
  all: Readonly<Record<string, unknown>>,
  inherited: readonly string[],
): UnitSettings {
  const environment = harmless([...inherited, ...texts(all['Environment'])]);
  for (const name of HARMLESS_VARIABLES)
    if (texts(all['UnsetEnvironment']).some((each) => each === name || each === `${name}=${environment[name]}`))
      delete (environment as Record<string, string>)[name];
  return {
    unit: text(all['Id']) || unit,
    load: text(all['LoadState']),
    type: text(all['Type']),
    restart: text(all['Restart']),
    ...given({ restartPauseMs: millis(all['RestartUSec']) }),
    startLimitBurst: typeof all['StartLimitBurst'] === 'number' ? all['StartLimitBurst'] : 0,
    ...given({ startLimitMs: millis(all['StartLimitIntervalUSec']) }),
    ...given({ stopTimeoutMs: millis(all['TimeoutStopUSec']) }),
    killMode: text(all['KillMode']),
    conflicts: texts(all['Conflicts']),
    after: texts(all['After']),
    argv: commands(all['ExecStart'])[0] ?? [],
    before: commands(all['ExecStartPre']).flat(),
    environment,
    hasEnvironmentFiles: list(all['EnvironmentFiles']).length > 0,
    user: text(all['User']),
    unitFileState: text(all['UnitFileState']),
    needsReload: all['NeedDaemonReload'] === true,
  };
}

/** `a(sasbttttuii)`: the path that is run stands in place of the first argument. */
function commands(value: unknown): readonly (readonly string[])[] {
  return list(value).map((row) => {
    const [path, argv] = list(row);
    return [text(path), ...texts(argv).slice(1)];
  });
}

const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
const text = (value: unknown): string => (typeof value === 'string' ? value : '');
const texts = (value: unknown): readonly string[] => list(value).filter((each) => typeof each === 'string');
/** Infinite comes as bigint. */
const millis = (usec: unknown): number | undefined => (typeof usec === 'number' ? usec / 1e3 : undefined);
