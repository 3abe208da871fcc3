/**
 * The best schedule of a small group, by branch and bound: steps are placed in the order in which they begin, each as
 * early as it may. Every schedule can be had so without ending later, so the best is among them. Pure.
 */
import { enter, freeAt, type Item, type One, prepared } from './board.ts';
import { busySeconds, lowerBound, takingSeconds } from './bound.ts';
import { type Mover, needsRoom } from './mover.ts';
import type { Placed, Rooms } from './schedule.ts';
import { isBetter, type Score, scoreOf, TOLERANCE } from './score.ts';

/** Beyond so many states, times steps, the best so far is taken: a plan must not cost more than it saves. */
const MOST_WORK = 32_000;
/** When nothing can be awake sooner, and only the tie-breaks are open. */
const MOST_FOR_TIES = 300;
/** A state reached: when what is placed ends, by place. */
interface Reached {
  readonly ends: readonly number[];
  readonly last: number;
  readonly score: Score;
}

export function bestSchedule(movers: readonly Mover[], rooms: Rooms, incumbent: readonly Placed[]): readonly Placed[] {
  const { items, cards } = prepared(movers, rooms);
  const all = items.reduce((mask, { bit }) => mask | bit, 0);
  const takes = items.reduce((mask, item) => (item.takes ? mask | item.bit : mask), 0);
  const reached = new Map<number, Reached[]>();
  const placed: One[] = [];
  let best = incumbent;
  let bestScore = scoreOf(best);
  const least = lowerBound(movers, rooms) + TOLERANCE;
  const mostNodes = MOST_WORK / Math.max(1, items.length);
  let nodes = 0;
  const isOver = () => nodes >= (bestScore.awake <= least ? MOST_FOR_TIES : mostNodes);

  const descend = (mask: number, last: number): void => {
    const score = scoreOf(placed);
    if (mask === all) {
      if (isBetter(score, bestScore)) [best, bestScore] = [[...placed], score];
      return;
    }
    if (isOver() || !isBetter(boundAt(score, mask, last), bestScore) || isDominated(mask, last, score)) return;
    nodes += 1;
    for (const { item, start } of choices(mask, last)) {
      const undo = place({ item, mover: item.mover, start, end: start + item.seconds });
      descend(mask | item.bit, start);
      undo();
    }
  };

  const choices = (mask: number, last: number) => {
    const open: { readonly item: Item; readonly start: number }[] = [];
    // What only frees, and can be over before another step begins, does no harm: it goes first.
    let idleUntil = Number.POSITIVE_INFINITY;
    for (const item of items) {
      if (mask & item.bit || (mask & item.before) !== item.before || (mask & item.twin) !== item.twin) continue;
      const start = earliest(item, last);
      if (start === Number.POSITIVE_INFINITY) continue;
      if (item.deltaBytes <= 0) idleUntil = Math.min(idleUntil, start + item.seconds);
      open.push({ item, start });
    }
    return open
      .filter(({ start }) => start < idleUntil)
      .sort((a, b) => a.start - b.start || b.item.seconds - a.item.seconds);
  };

  const earliest = (item: Item, last: number): number => {
    let start = last;
    for (const one of placed) if ((item.rivals | item.before) & one.item.bit) start = Math.max(start, one.end);
    if (needsRoom(item))
      for (const card of item.cards) start = Math.max(start, freeAt(card, item.deltaBytes + item.overBytes));
    return start;
  };

  const place = (one: One) => {
    placed.push(one);
    const undo = one.item.cards.map((card) => enter(card, one));
    return () => {
      placed.pop();
      for (const each of undo) each();
    };
  };

  /** No completion of what is placed is better. */
  const boundAt = (score: Score, mask: number, last: number): Score => {
    const isLeft = ({ bit }: Item) => !(mask & bit);
    let [longest, first] = [0, score.first];
    for (const item of items) {
      if (mask & item.bit) continue;
      longest = Math.max(longest, item.seconds);
      if (item.takes && last + item.seconds < first)
        first = Math.min(first, soonest(item, isLeft, last) + item.seconds);
    }
    let end = Math.max(score.end, last + longest);
    let awake = (mask & takes) === 0 ? 0 : score.awake;
    for (const card of cards) {
      const ready = Math.max(last, card.barredUntil);
      const seconds = takingSeconds(card.work, isLeft, card.free + card.promised);
      if (seconds > 0) awake = Math.max(awake, ready + seconds);
      end = Math.max(end, ready + busySeconds(card.work, isLeft));
    }
    return { awake: takes === 0 ? end : awake, first, end };
  };

  /** Without room on a card, a take there waits for a release at least. */
  const soonest = (take: Item, isLeft: (item: Item) => boolean, last: number): number => {
    let start = last;
    for (const { free, promised, work } of take.cards) {
      if (!needsRoom(take) || take.deltaBytes <= free + promised) continue;
      const releases = [...work.sleeps, ...work.stops].filter(isLeft).map(({ seconds }) => seconds);
      start = Math.max(start, last + Math.min(...releases));
    }
    return start;
  };

  /** The same steps were placed before, and none of them ended later. */
  const isDominated = (mask: number, last: number, score: Score): boolean => {
    const ends = Array<number>(items.length).fill(0);
    for (const { item, end } of placed) ends[31 - Math.clz32(item.bit)] = end;
    const state = { ends, last, score };
    const known = reached.get(mask) ?? [];
    if (known.some((other) => dominates(other, state))) return true;
    known.push(state);
    reached.set(mask, known);
    return false;
  };

  const begun = items.filter(({ runs }) => runs);
  for (const item of begun) place({ item, mover: item.mover, start: 0, end: item.seconds });
  descend(
    begun.reduce((mask, { bit }) => mask | bit, 0),
    0,
  );
  return best;
}

function dominates(a: Reached, b: Reached): boolean {
  if (a.last > b.last || a.score.first > b.score.first + TOLERANCE) return false;
  if (a.score.awake > b.score.awake + TOLERANCE || a.score.end > b.score.end + TOLERANCE) return false;
  return a.ends.every((end, i) => end <= Math.max(b.ends[i] ?? 0, b.last) + TOLERANCE);
}
