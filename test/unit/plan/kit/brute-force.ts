/** Every safe schedule of a few steps, tried one by one: at each moment any set of steps that may begin, or none. */
import type { Plan } from '../../../../src/core/plan.ts';
import type { Box } from './random-box.ts';
import { type Act, actsOf, blindGpus, comesAfter, heldAtFirst, mayOverlap, roomOn } from './rules.ts';

interface Running {
  readonly act: Act;
  readonly end: number;
}

/** The earliest time at which all that takes is done; of all steps where none takes. */
export function leastAwakeSeconds(plan: Plan, box: Box): number {
  const acts = actsOf(plan, box).filter(({ untold }) => !untold);
  const blind = blindGpus(plan, box);
  const gpus = [...new Set(acts.flatMap(({ step }) => step.gpus))];
  const rooms = new Map(gpus.map((gpu) => [gpu, roomOn(gpu, plan, box)]));
  const atFirst = new Map(gpus.map((gpu) => [gpu, heldAtFirst(gpu, box)]));
  const counted = acts.filter((act) => act.isTake || !acts.some(({ isTake }) => isTake));
  let best = Number.POSITIVE_INFINITY;

  const mayBegin = (act: Act, done: ReadonlySet<Act>, running: readonly Running[]) => {
    if (running.some((other) => !mayOverlap(act, other.act))) return false;
    if (acts.some((other) => other !== act && !done.has(other) && comesAfter(act, other, blind))) return false;
    if (!act.isTake || act.underWay) return true;
    return act.step.gpus.every((gpu) => {
      const room = rooms.get(gpu);
      if (room === undefined) return true;
      let held = atFirst.get(gpu)! + act.to - act.from + act.over;
      for (const other of acts) {
        if (other === act || !other.step.gpus.includes(gpu)) continue;
        const begun = done.has(other) || running.some((each) => each.act === other);
        if (other.isTake ? begun : done.has(other)) held += other.to - other.from;
        if (begun && !done.has(other)) held += other.over;
      }
      return held <= room;
    });
  };

  const go = (time: number, done: ReadonlySet<Act>, running: readonly Running[], from: number): void => {
    if (running.some(({ act, end }) => counted.includes(act) && end >= best)) return;
    if (counted.every((act) => done.has(act) || running.some((each) => each.act === act)))
      best = Math.min(
        best,
        Math.max(0, ...running.filter(({ act }) => counted.includes(act)).map(({ end }) => end), reached(done)),
      );
    acts.forEach((act, i) => {
      if (i < from || done.has(act) || running.some((each) => each.act === act) || !mayBegin(act, done, running))
        return;
      go(time, done, [...running, { act, end: time + act.seconds }], i + 1);
    });
    if (running.length === 0) return;
    const next = Math.min(...running.map(({ end }) => end));
    if (next >= best) return;
    const over = new Set([...done, ...running.filter(({ end }) => end <= next).map(({ act }) => act)]);
    for (const { act, end } of running) if (end <= next) ends.set(act, end);
    go(
      next,
      over,
      running.filter(({ end }) => end > next),
      0,
    );
  };
  const ends = new Map<Act, number>();
  const reached = (done: ReadonlySet<Act>) =>
    Math.max(0, ...counted.filter((act) => done.has(act)).map((act) => ends.get(act)!));

  const underWay = acts.filter((act) => act.underWay).map((act) => ({ act, end: act.seconds }));
  go(0, new Set(), underWay, 0);
  return acts.length === 0 ? 0 : best;
}
