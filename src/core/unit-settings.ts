/** How a unit is set up, as far as it matters to a switch. Plain data. */

/** Of the variables only those known to hold no secret. Absent = infinite, or not told. */
export interface UnitSettings {
  /** Its own name, not an alias. */
  readonly unit: string;
  /** `loaded`, `not-found`, `masked`, ...; nothing else is told of a unit that is not loaded. */
  readonly load: string;
  /** `exec`, `notify`, `oneshot`, ... */
  readonly type: string;
  /** `no`, `always`, `on-failure`, ... */
  readonly restart: string;
  readonly restartPauseMs?: number;
  /** 0 = no limit. */
  readonly startLimitBurst: number;
  /** 0 = no limit. */
  readonly startLimitMs?: number;
  readonly stopTimeoutMs?: number;
  readonly killMode: string;
  readonly conflicts: readonly string[];
  readonly after: readonly string[];
  /** Of the first ExecStart: the program, then its arguments. May hold secrets: no part of it is shown unseen. */
  readonly argv: readonly string[];
  /** Words of all ExecStartPre. */
  readonly before: readonly string[];
  readonly environment: Readonly<Partial<Record<HarmlessVariable, string>>>;
  /** There are files with more variables, which override these. */
  readonly hasEnvironmentFiles: boolean;
  /** Empty = not said: root in the system's manager. */
  readonly user: string;
  /** `enabled`, `disabled`, `static`, ... */
  readonly unitFileState: string;
  readonly needsReload: boolean;
}

/** The only variables that are read out of a unit's environment. */
export const HARMLESS_VARIABLES = [
  'VLLM_SERVER_DEV_MODE',
  'PYTORCH_CUDA_ALLOC_CONF',
  'PYTORCH_ALLOC_CONF',
  'LLAMA_ARG_MODELS_AUTOLOAD',
  'LLAMA_ARG_NO_MODELS_AUTOLOAD',
] as const;
export type HarmlessVariable = (typeof HARMLESS_VARIABLES)[number];

/** Of lines `NAME=value`, the last of a name counts. */
export function harmless(lines: readonly string[]): UnitSettings['environment'] {
  const found = lines.flatMap((line) => {
    const name = HARMLESS_VARIABLES.find((each) => line.startsWith(`${each}=`));
    return name ? [[name, line.slice(name.length + 1)] as const] : [];
  });
  return Object.fromEntries(found);
}
