/** What becomes of each service under a target: its step, if any, and what it holds in the end. Pure. */
import type { Manifest, Service } from '../core/model.ts';
import type { Wanted } from '../core/plan.ts';
import type { Claim } from '../core/problem.ts';
import type { Observation, ObservedService } from '../core/state.ts';
import { awakeBytesOf, bytesAfter, heldBytes } from './held.ts';
import { type Answer, stepFor } from './step-for.ts';
import type { WantedStates } from './wanted.ts';

export interface Outcome {
  readonly service: Service;
  readonly seen: ObservedService;
  readonly wanted: Wanted;
  readonly answer: Answer;
  /** On each of its GPUs, now at most and in the end. */
  readonly heldBytes: number;
  readonly endBytes: number;
}

export function outcomeOf(service: Service, seen: ObservedService, wanted: Wanted): Outcome {
  const answer = stepFor(service, seen, wanted);
  const held = heldBytes(service, seen.state);
  return { service, seen, wanted, answer, heldBytes: held, endBytes: endBytes(service, seen, answer, held) };
}

function endBytes(service: Service, { state }: ObservedService, answer: Answer, held: number): number {
  switch (answer.kind) {
    case 'move':
      return bytesAfter(service, answer.move);
    case 'nothing':
      return state.kind === 'stopping' ? 0 : held; // left alone, it stops all the same
    case 'problem':
      return awakeBytesOf(service);
  }
}

/** In the manifest's order. */
export function outcomesOf(manifest: Manifest, wanted: WantedStates, now: Observation): ReadonlyMap<string, Outcome> {
  const outcomes = new Map<string, Outcome>();
  for (const service of manifest.services.values()) {
    const seen = now.services.get(service.name);
    const want = wanted.get(service.name);
    if (seen && want) outcomes.set(service.name, outcomeOf(service, seen, want));
  }
  return outcomes;
}

/** It will sleep, and may be stopped instead. */
export function mayYield({ wanted, answer, endBytes }: Outcome): boolean {
  if (wanted.kind !== 'resting') return false;
  return answer.kind === 'move' ? answer.move.kind === 'sleep' : endBytes > 0;
}

export function isTake({ answer }: Outcome): boolean {
  return (
    answer.kind === 'problem' || (answer.kind === 'move' && answer.move.kind !== 'sleep' && answer.move.kind !== 'stop')
  );
}

export function claimOf({ service, seen, wanted, answer, endBytes }: Outcome): Claim {
  const sleeps =
    answer.kind === 'move' ? answer.move.kind === 'sleep' : wanted.kind !== 'awake' && seen.state.kind === 'sleeping';
  return { service: service.name, state: sleeps ? 'asleep' : 'awake', bytes: endBytes };
}
