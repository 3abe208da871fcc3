/** Which driver speaks to which engine: an engine of the vocabulary without a driver does not compile. */
import type { EngineName, Service } from '../core/model.ts';
import type { Driver, DriverParts, MakeDriver } from './driver.ts';
import { guard } from './guard.ts';

type Loaders = { readonly [E in EngineName]: () => Promise<MakeDriver<Extract<Service, { readonly engine: E }>>> };

/** Loaded on first use: a manifest without llama.cpp never reads its driver. */
const LOADERS: Loaders = {
  vllm: async () => (await import('./vllm/driver.ts')).makeVllm,
  llamacpp: async () => (await import('./llamacpp/driver.ts')).makeLlamacpp,
  http: async () => (await import('./http.ts')).makeHttp,
  none: async () => (await import('./none.ts')).makeNone,
};

/** The driver of an engine, with its deadlines around it. */
export async function openDriver(engine: EngineName, parts: DriverParts): Promise<Driver> {
  // The record's type has checked each pair; a driver is only ever given services of its own engine.
  const make = (await LOADERS[engine]()) as MakeDriver<Service>;
  return guard(make(parts), parts.clock);
}
