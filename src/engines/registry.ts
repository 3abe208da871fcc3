/** Which driver speaks to which engine: an engine of the vocabulary without a driver does not compile. */
import type { EngineName } from '../core/engines.ts';
import type { Service } from '../core/model.ts';
import { makeComfyui } from './comfyui.ts';
import type { Driver, DriverParts, MakeDriver } from './driver.ts';
import { makeExec } from './generic/exec.ts';
import { makeHttp } from './generic/http.ts';
import { guard } from './guard.ts';
import { hiding } from './hiding.ts';
import { makeKoboldcpp } from './koboldcpp.ts';
import { makeLlamacpp } from './llamacpp/driver.ts';
import { makeNone } from './none.ts';
import { makeOllama } from './ollama.ts';
import { makeSglang } from './sglang/driver.ts';
import { makeTabbyapi } from './tabbyapi.ts';
import { makeVllm } from './vllm/driver.ts';

type Makers = { readonly [E in EngineName]: MakeDriver<Extract<Service, { readonly engine: E }>> };

const DRIVERS: Makers = {
  vllm: makeVllm,
  sglang: makeSglang,
  llamacpp: makeLlamacpp,
  ollama: makeOllama,
  tabbyapi: makeTabbyapi,
  comfyui: makeComfyui,
  koboldcpp: makeKoboldcpp,
  http: makeHttp,
  exec: makeExec,
  none: makeNone,
};

/** The driver of an engine, with its deadlines around it. */
export function openDriver(engine: EngineName, parts: DriverParts): Driver {
  // The record's type has checked each pair; a driver is only ever given services of its own engine.
  const make = DRIVERS[engine] as MakeDriver<Service>;
  return guard(make(hiding(parts)), parts.clock);
}
