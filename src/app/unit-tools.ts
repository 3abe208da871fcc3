/** What of the machine the commands about unit files and timers need besides its host. */
import type { Argv } from '../core/model.ts';
import type { UnitFiles } from '../io/unit-files.ts';
import type { Proxyd } from '../systemd/proxyd.ts';

export interface UnitTools {
  readonly files: UnitFiles;
  /** How this very program is run: Node, and the file it was started with. */
  readonly program: Argv;
  /** Undefined: there is none. */
  proxyd(signal: AbortSignal): Promise<Proxyd | undefined>;
}
