/** Which driver speaks to which engine: an engine of the vocabulary without a driver does not compile. */
import type { EngineName, Service } from '../core/model.ts';
import type { Driver, DriverParts, MakeDriver } from './driver.ts';
import { guard } from './guard.ts';
import { makeHttp } from './http.ts';
import { makeLlamacpp } from './llamacpp/driver.ts';
import { makeNone } from './none.ts';
import { makeVllm } from './vllm/driver.ts';

type Makers = { readonly [E in EngineName]: MakeDriver<Extract<Service, { readonly engine: E }>> };

const DRIVERS: Makers = {
  vllm: makeVllm,
  llamacpp: makeLlamacpp,
  http: makeHttp,
  none: makeNone,
};

/** The driver of an engine, with its deadlines around it. */
export function openDriver(engine: EngineName, parts: DriverParts): Driver {
  // The record's type has checked each pair; a driver is only ever given services of its own engine.
  const make = DRIVERS[engine] as MakeDriver<Service>;
  return guard(make(parts), parts.clock);
}
