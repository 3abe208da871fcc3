/** A unit without an API: what systemd says of it is all there is to know. */
import type { NoneService } from '../core/model.ts';
import type { MakeDriver } from './driver.ts';

export const makeNone: MakeDriver<NoneService> = () => ({
  probe: async () => ({ kind: 'ready', nap: { can: false, why: { code: 'no-engine' } } }),
});
