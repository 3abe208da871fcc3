/** What of the machine the commands about unit files and timers need besides its host. */
import type { Argv } from '../core/model.ts';
import type { UnitFiles } from '../io/unit-files.ts';
import type { Proxyd } from '../systemd/proxyd.ts';

/** `none`: no cron here, or no crontab of this user. */
export type Crontab =
  | { readonly kind: 'lines'; readonly lines: readonly string[] }
  | { readonly kind: 'none' }
  | { readonly kind: 'unread'; readonly reason: string };

export interface UnitTools {
  readonly files: UnitFiles;
  /** How this very program is run: Node, and the file it was started with. */
  readonly program: Argv;
  /** This user's. Never throws but the signal's reason. */
  crontab(signal: AbortSignal): Promise<Crontab>;
  /** Milliseconds of the machine's monotonic clock, the one that systemd's timers use. */
  monotonicMs(): number;
  /** systemd's own proxy; undefined: there is none. */
  proxyd(signal: AbortSignal): Promise<Proxyd | undefined>;
}
