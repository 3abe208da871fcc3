/** What a test may change in a simulated vLLM while it runs. */
export interface VllmKnobs {
  version: string;
  /** VLLM_SERVER_DEV_MODE=1 */
  devMode: boolean;
  /** `--enable-sleep-mode`; without it `/sleep` answers 200 and frees nothing. */
  enableSleep: boolean;
  apiKey: string | undefined;
  sleepMs: number;
  wakeMs: number;
  /** `reload_weights` from disk. */
  reloadMs: number;
  completionMs: number;
  /** Level 1 frees only the KV cache; default: as the version does. */
  l1OnlyKv: boolean | undefined;
  /** `/is_sleeping` answers this whatever is true. */
  stuckIsSleeping: boolean | undefined;
  /** Default: as the version does. */
  bodyStyle: 'empty' | 'json' | undefined;
  /** `--disable-log-stats`: no `vllm:` metrics. */
  logStats: boolean;
  /** `/reset_prefix_cache` answers `success: false` so many times. */
  prefixBusy: number;
  /** `reload_weights` fails with this text. */
  reloadFault: string | undefined;
}

/** An engine of a recent version, set up to sleep, that does everything at once. */
const DEFAULT_KNOBS: VllmKnobs = {
  version: '0.24.0',
  devMode: true,
  enableSleep: true,
  apiKey: undefined,
  sleepMs: 0,
  wakeMs: 0,
  reloadMs: 0,
  completionMs: 0,
  l1OnlyKv: undefined,
  stuckIsSleeping: undefined,
  bodyStyle: undefined,
  logStats: true,
  prefixBusy: 0,
  reloadFault: undefined,
};

/** The defaults, with what `given` names instead. */
export function knobsFrom(given: Partial<VllmKnobs>): VllmKnobs {
  const own = Object.keys(DEFAULT_KNOBS).flatMap((key) =>
    key in given ? [[key, given[key as keyof VllmKnobs]] as const] : [],
  );
  return { ...DEFAULT_KNOBS, ...Object.fromEntries(own) };
}
