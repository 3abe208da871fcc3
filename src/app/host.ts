/** The machine, as the command line hands it to a use case. */
export type { Host } from '../execute/host.ts';
