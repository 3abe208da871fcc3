/** The least time that the steps on a card can take, in any safe order. Pure. */
import { areRivals } from './exclusion.ts';
import { type Mover, needsRoom } from './mover.ts';
import { type Rooms, roomOn } from './schedule.ts';

/** The steps of one card. */
export interface Work<M extends Mover = Mover> {
  readonly takes: readonly M[];
  /** The releases beside which nothing may take, those that free fastest first. */
  readonly sleeps: readonly M[];
  readonly stops: readonly M[];
  /** Every release comes before the first take. */
  readonly blind: boolean;
}

export function workOn<M extends Mover>(gpu: number, movers: readonly M[], rooms: Rooms): Work<M> {
  const here = movers.filter((mover) => mover.gpus.includes(gpu));
  const rate = ({ deltaBytes, seconds }: Mover) => -deltaBytes / seconds;
  return {
    takes: here.filter(({ takes }) => takes),
    sleeps: here.filter(({ nature }) => nature === 'sleep').sort((a, b) => rate(b) - rate(a)),
    stops: here.filter(({ takes, nature }) => !takes && nature === 'stop'),
    blind: roomOn(rooms, gpu).blind,
  };
}

/**
 * Seconds between the first moment at which any of `left` can begin and the end of its last take: those takes that can't
 * overlap, and of the sleeps as much as their memory needs. `freeBytes`: for what is left, without what is left.
 */
export function takingSeconds<M extends Mover>(work: Work<M>, left: (mover: M) => boolean, freeBytes: number): number {
  let [apart, together, lacking] = [0, 0, -freeBytes];
  let needsSleeps = false;
  for (const take of work.takes) {
    if (!left(take)) continue;
    if (take.nature === 'load' || take.runs) together = Math.max(together, take.seconds);
    else apart += take.seconds;
    lacking += Math.max(0, take.deltaBytes);
    needsSleeps ||= needsRoom(take);
  }
  if (!needsSleeps) return together;
  for (const stop of work.stops) if (left(stop)) lacking += stop.deltaBytes;
  return apart + together + sleepingSeconds(work, left, lacking);
}

/** The same for the end of the last of all of `left`. */
export function busySeconds<M extends Mover>({ takes, sleeps }: Work<M>, left: (mover: M) => boolean): number {
  let [apart, together] = [0, 0];
  for (const take of takes) {
    if (!left(take)) continue;
    if (take.nature === 'load' || take.runs) together = Math.max(together, take.seconds);
    else apart += take.seconds;
  }
  for (const sleep of sleeps) if (left(sleep)) apart += sleep.seconds;
  return apart + together;
}

function sleepingSeconds<M extends Mover>(
  { sleeps, blind }: Work<M>,
  left: (mover: M) => boolean,
  lackingBytes: number,
): number {
  let [lacking, seconds] = [lackingBytes, 0];
  for (const sleep of sleeps) {
    if (!left(sleep)) continue;
    const share = blind ? 1 : Math.min(1, Math.max(0, lacking) / Math.max(1, -sleep.deltaBytes));
    seconds += share * sleep.seconds;
    lacking += sleep.deltaBytes;
  }
  return seconds;
}

/** No safe order has all of the target awake (or, where nothing is to awake, is over) sooner. */
export function lowerBound(movers: readonly Mover[], rooms: Rooms): number {
  const gpus = [...new Set(movers.flatMap((mover) => mover.gpus))];
  const takes = movers.filter((mover) => mover.takes);
  const longest = Math.max(0, ...(takes.length > 0 ? takes : movers).map(({ seconds }) => seconds));
  return Math.max(
    longest,
    ...gpus.map((gpu) => {
      const work = workOn(gpu, movers, rooms);
      if (takes.length === 0) return busySeconds(work, () => true);
      const free = roomOn(rooms, gpu).freeBytes;
      return Math.max(
        takingSeconds(work, () => true, free),
        waitingSeconds(
          work,
          free,
          movers.filter((mover) => mover.runs && mover.gpus.includes(gpu)),
        ),
      );
    }),
  );
}

/** With what the takes must wait for: what runs beside which they may not be, ... */
function waitingSeconds(work: Work, freeBytes: number, running: readonly Mover[]): number {
  const takes = work.takes.filter(needsRoom);
  const after = (first: Mover) => {
    const rivals = takes.filter((take) => areRivals(take, first));
    if (rivals.length === 0) return 0;
    return first.seconds + takingSeconds({ ...NO_WORK, takes: rivals }, () => true, Number.POSITIVE_INFINITY);
  };
  return Math.max(releasingSeconds(work, takes, freeBytes), ...running.map(after));
}

const NO_WORK: Work = { takes: [], sleeps: [], stops: [], blind: false };

/** ... a release where none has room at first, all where nothing is certain, an unrest. */
function releasingSeconds(work: Work, takes: readonly Mover[], freeBytes: number): number {
  const releases = [...work.sleeps, ...work.stops].map(({ seconds }) => seconds);
  if (takes.length === 0 || releases.length === 0) return 0;
  const all = () => true;
  const lacksRoom = takes.every(({ deltaBytes }) => deltaBytes > freeBytes);
  const wait = work.blind ? Math.max(...releases) : lacksRoom ? Math.min(...releases) : 0;
  const unrest = Math.max(0, ...work.stops.filter((stop) => stop.unrest).map(({ seconds }) => seconds));
  return Math.max(
    wait + takingSeconds({ ...NO_WORK, takes }, all, Number.POSITIVE_INFINITY),
    unrest + takingSeconds({ ...work, takes }, all, freeBytes),
  );
}
