/** Carries a plan out as the executor does, each step as soon as all it waits for are done, however long steps really take. */
import type { Plan } from '../../../../src/core/plan.ts';
import type { Box, Random } from './random-box.ts';
import { type Act, actsOf, blindGpus, comesAfter, heldAtFirst, mayOverlap } from './rules.ts';

/** Everything that was not safe, in words; empty = all was well. */
export function carriedOut(plan: Plan, box: Box, random: Random): readonly string[] {
  const acts = actsOf(plan, box);
  const blind = blindGpus(plan, box);
  const wrong: string[] = [];
  const done = new Set<Act>();
  const running = new Map<Act, number>();
  for (let time = 0; ; ) {
    for (const act of acts) {
      if (
        done.has(act) ||
        running.has(act) ||
        !act.step.after.every((id) => acts.some((each) => each.id === id && done.has(each)))
      )
        continue;
      for (const other of running.keys())
        if (!mayOverlap(act, other)) wrong.push(`${act.id} ${act.letter} beside ${other.id} ${other.letter}`);
      for (const other of acts)
        if (other !== act && !done.has(other) && comesAfter(act, other, blind))
          wrong.push(`${act.id} before ${other.id}`);
      running.set(act, time + act.seconds * random.pick([0.01, 0.3, 1, 1, 2, 20]) * (0.5 + random.next()));
      if (act.isTake && !act.underWay) wrong.push(...tooFull(act, acts, done, running, plan, box));
    }
    if (running.size === 0) break;
    time = Math.min(...running.values());
    for (const [act, end] of running)
      if (end <= time) {
        running.delete(act);
        done.add(act);
      }
  }
  for (const act of acts) if (!done.has(act)) wrong.push(`${act.id} never began`);
  return wrong;
}

function tooFull(
  act: Act,
  acts: readonly Act[],
  done: ReadonlySet<Act>,
  running: ReadonlyMap<Act, number>,
  plan: Plan,
  box: Box,
): readonly string[] {
  const { gpu: cards } = box.now;
  if (cards.kind === 'unmeasured') return [];
  return act.step.gpus.flatMap((gpu) => {
    if (blindGpus(plan, box).has(gpu)) return []; // the plan says so
    const room = cards.gpus[gpu]!.totalBytes! - box.manifest.gpuReserveBytes - box.foreign[gpu]!;
    const held = acts
      .filter(
        (other) =>
          other.step.gpus.includes(gpu) && (other.isTake ? done.has(other) || running.has(other) : done.has(other)),
      )
      .reduce((sum, other) => sum + other.to - other.from + (done.has(other) ? 0 : other.over), heldAtFirst(gpu, box));
    return held > room ? [`${act.id} makes GPU ${gpu} hold ${held} of ${room}`] : [];
  });
}
