/** The machine as use cases see it: one object, so that a service may one day live on another machine. */
import type { Account } from '../core/account.ts';
import type { Calls } from '../core/calls.ts';
import type { HostMemory, PortOwner, UnitFacts } from '../core/facts.ts';
import type { Scope, Service } from '../core/model.ts';
import type { Driver } from '../engines/driver.ts';
import type { Telemetry } from '../gpu/telemetry.ts';
import type { Clock } from '../io/clock.ts';
import type { State } from '../state/state.ts';
import type { Journal, Units } from '../systemd/units.ts';

export interface Host extends State {
  readonly clock: Clock;
  /** Connects on first use. */
  units(scope: Scope): Promise<Units>;
  journal(scope: Scope): Promise<Journal>;
  /** The service's driver, with its deadlines around it. */
  driver(service: Service): Promise<Driver>;
  /** What its units and drivers are asked to change. */
  readonly calls: Calls;
  readonly telemetry: Telemetry;
  account(): Account;
  /** Undefined where the system does not tell. */
  hostMemory(): HostMemory | undefined;
  /** Whose process listens at the service's address; undefined = there is no telling on this machine. Never throws. */
  owner(service: Service, unit: UnitFacts, signal: AbortSignal): Promise<PortOwner | undefined>;
  /** Closes what was opened; safe to call twice. */
  close(): Promise<void>;
}
