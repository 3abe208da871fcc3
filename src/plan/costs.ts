/** What a step costs, in seconds, until this machine has measured its own figures. Pure. */
import type { Service } from '../core/model.ts';
import type { Move } from './step-for.ts';

const GB = 1e9;
/** Of the memory a service holds awake, the part that is weights. */
const WEIGHTS_SHARE = 0.6;

const RATE = {
  /** Device to pinned host memory, once it is pinned. */
  sleepLevel1: 12 * GB,
  wakeLevel1: 10 * GB,
  disk: 1.5 * GB,
};

const SLEEP_LEVEL_2_SECONDS = 0.3;
const STOP_SECONDS = 3;
/** A vLLM process before it begins to load: imports, compile, profile. */
const VLLM_START_SECONDS = 30;

/** Weights of a service whose memory is not declared. */
const UNDECLARED_BYTES = 5 * GB;

export function secondsFor(service: Service, move: Pick<Move, 'kind' | 'level'>): number {
  const weights = (service.memory.awakeBytes ?? UNDECLARED_BYTES) * WEIGHTS_SHARE;
  const load = weights / RATE.disk;
  const start = service.engine === 'vllm' ? VLLM_START_SECONDS + load : load;
  switch (move.kind) {
    case 'sleep':
      if (service.engine === 'llamacpp' || move.level === 2) return SLEEP_LEVEL_2_SECONDS;
      return weights / RATE.sleepLevel1;
    case 'wake':
      return service.engine !== 'llamacpp' && move.level === 1 ? weights / RATE.wakeLevel1 : load;
    case 'stop':
      return STOP_SECONDS;
    case 'start':
      return start;
    case 'restart':
      return STOP_SECONDS + start;
    case 'await':
      return start / 2;
  }
}
