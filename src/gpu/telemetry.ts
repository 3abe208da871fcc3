/** GPU memory as the vendor's tool measures it. */
import type { GpuReading } from '../core/facts.ts';

export interface Telemetry {
  /**
   * Never throws, except the signal's reason; what can't be measured is `unmeasured`, never a wrong number. `processes`:
   * also who holds memory, asked at the same time; what waits for room alone goes without.
   */
  read(signal: AbortSignal, detail?: 'processes'): Promise<GpuReading>;
}
