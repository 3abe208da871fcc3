/** What happens on the cards anyway: services that start, wake or stop already, and are left to it. Pure. */
import type { Service } from '../core/model.ts';
import { isDown, type Observation, type ServiceState } from '../core/state.ts';
import { areRivals, mustFollow } from './exclusion.ts';
import { type Mover, needsRoom } from './mover.ts';
import { type Rooms, roomOn } from './schedule.ts';
import type { Move } from './step-for.ts';

const UNDER_WAY: readonly ServiceState['kind'][] = ['starting', 'waking', 'stopping'];

/** A wait for each that no move is for, and for the end of what is to start again. */
export function waitsFor(
  moves: readonly Move[],
  services: ReadonlyMap<string, Service>,
  now: Observation,
): readonly Move[] {
  const moved = new Map(moves.map((move) => [move.service, move.kind]));
  return [...services.keys()].flatMap((service): Move[] => {
    const from = now.services.get(service)?.state.kind;
    if (from === undefined || !UNDER_WAY.includes(from)) return [];
    const restarts = from === 'stopping' && moved.get(service) === 'start';
    if (moved.has(service) && !restarts) return [];
    return [{ kind: 'await', service, because: { code: 'under-way', from } }];
  });
}

/** What fails over and over takes memory at any moment: it is ended before anything begins beside it, also to start anew. */
export function endsFor(moves: readonly Move[], now: Observation): readonly Move[] {
  return moves.flatMap(({ kind, service }): Move[] => {
    const state = now.services.get(service)?.state;
    if (kind !== 'start' || state?.kind !== 'failed' || isDown(state)) return [];
    return [{ kind: 'stop', service, because: { code: 'not-healthy', from: state.kind, why: state.why } }];
  });
}

/** Something else on its cards has to wait for it, or for its memory. */
export function matters(bystander: Mover, movers: readonly Mover[], rooms: Rooms): boolean {
  return movers.some((mover) => {
    if (mover.move.service === bystander.move.service) return false;
    const shared = mover.gpus.filter((gpu) => bystander.gpus.includes(gpu));
    if (shared.length === 0) return false;
    if (areRivals(mover, bystander) || (needsRoom(mover) && bystander.deltaBytes < 0)) return true;
    return shared.some((gpu) => mustFollow(mover, bystander, roomOn(rooms, gpu).blind));
  });
}
