/** What the README and gpumod.yaml(5) show as a manifest is one. */
import { describe, expect, it } from 'vitest';
import { MANIFEST_EXAMPLES } from '../../../src/cli/reference/manifest-examples.ts';
import { ENGINES } from '../../../src/core/engines.ts';
import { CANARY_TASKS, isServed } from '../../../src/core/model.ts';
import { textOf } from '../../kit/source.ts';
import { load } from '../manifest/kit.ts';

const shown = [...textOf('README.md').matchAll(/^```yaml\n(.*?)^```/gms)].map(([, text = '']) => text);
const blocks = [...shown, MANIFEST_EXAMPLES];

describe('the examples of manifests', () => {
  it.each(blocks.map((text, i) => [i + 1, text] as const))('%i passes config check', async (_, text) => {
    await expect(load(text)).resolves.toMatchObject({ files: ['/m.yaml'] });
  });

  it('show every engine that has something to set, and every task of a canary', async () => {
    const services = (await Promise.all(blocks.map((text) => load(text)))).flatMap((each) => [
      ...each.services.values(),
    ]);
    const shown = new Set(services.map(({ engine }) => engine));
    expect(ENGINES.filter((engine) => !shown.has(engine))).toEqual(['comfyui', 'none']);
    const tasks = services.flatMap((service) => (isServed(service) && service.verify ? [service.verify.task] : []));
    expect(new Set(tasks)).toEqual(new Set(CANARY_TASKS));
  });
});
