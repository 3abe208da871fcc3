/** The GPU tool breaks after the card was seen once: what can't fit there is refused before anything is touched. */
import { describe, expect, it } from 'vitest';
import { planMode } from '../../src/app/plan-mode.ts';
import { changeService } from '../../src/app/service.ts';
import { status } from '../../src/app/status.ts';
import { switchMode } from '../../src/app/switch-mode.ts';
import { exitCodeOf } from '../../src/cli/exit-code.ts';
import { planDocument } from '../../src/cli/view/plan-document.ts';
import { errorWords } from '../../src/cli/view/words.ts';
import { type AnyGpumodError, isGpumodError } from '../../src/core/errors.ts';
import { GIB } from '../../src/core/units.ts';
import { manifest, mode, vllm } from '../fakes/build.ts';
import { type World, world } from '../fakes/world.ts';

const large = { memory: { awakeBytes: 14 * GIB, asleepBytes: GIB } };
const box = manifest(
  [vllm('chat', large), vllm('code', large), vllm('free', { memory: {} })],
  [mode('talk', ['chat']), mode('write', ['code']), mode('both', ['chat', 'code'])],
);
const never = new AbortController().signal;
const how = { cold: false, force: false, onFailure: 'restore', stop: never } as const;
const to = (here: World, name: string) => switchMode(box, name, how, here.host, () => {});
const start = (here: World, name: string) => changeService(box, name, 'start', how, here.host, () => {});

async function refusal(work: Promise<unknown>): Promise<AnyGpumodError> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!isGpumodError(error)) throw new Error('it was not refused', { cause: error });
  return error;
}

describe('a tool that breaks after the card was seen', () => {
  const broken = async () => {
    const here = world(box, { chat: 'awake' });
    await status(box, here.host, never);
    here.loseTool();
    return here;
  };

  it('lets nothing start beside what is there and has no room for it', async () => {
    const here = await broken();
    for (const work of [() => start(here, 'code'), () => to(here, 'both')]) {
      const error = await refusal(work());
      expect(exitCodeOf(error)).toBe(78);
      expect(errorWords(error).what).toContain(
        'GPU 0 has 24.0 GiB (as last seen; it is not measured now: the GPU tool failed (nvidia-smi: exit code 9))',
      );
    }
    expect(here.log).toEqual([]);
    expect(here.states()).toBe('chat:awake code:stopped free:stopped');
  });

  it('does what fits, and says by which figures', async () => {
    const here = await broken();
    const { plan } = await planMode(box, 'write', how, here.host, never);
    expect(planDocument(plan)).toMatchObject({
      cards: [{ index: 0, totalBytes: 24 * GIB, remembered: true }],
      warnings: [
        {
          code: 'memory-declared',
          remembered: [0],
          message:
            "GPU memory is not measured (the GPU tool failed (nvidia-smi: exit code 9)): card sizes as last seen, figures are the manifest's",
        },
      ],
    });
    expect((await to(here, 'write')).end).toBe('reached');
    expect(here.states()).toBe('chat:asleep code:awake free:stopped');
    expect((await refusal(start(here, 'chat'))).code).toBe('refused');
  });

  it('does not limit what declares nothing', async () => {
    const here = await broken();
    expect((await start(here, 'free')).end).toBe('reached');
  });

  it('is limited by the card that is there when it is mended', async () => {
    const here = await broken();
    here.mendTool(80 * GIB);
    await status(box, here.host, never);
    here.loseTool();
    expect((await to(here, 'both')).end).toBe('reached');
  });
});

it('limits nothing while no card was ever seen', async () => {
  const here = world(box, { chat: 'awake' });
  here.loseTool();
  expect((await start(here, 'code')).end).toBe('reached');
  expect(here.cards.sizes).toBeUndefined();
});
