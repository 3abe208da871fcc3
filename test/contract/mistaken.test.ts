/** A manifest that takes one engine for another is told so, instead of being half believed. */
import { expect, it } from 'vitest';
import { startSimLlama } from '../../src/demo/sim-llama.ts';
import { startSimVllm } from '../../src/demo/sim-vllm.ts';
import { openDriver } from '../../src/engines/registry.ts';
import { llamacpp, vllm } from '../fakes/build.ts';
import { countingParts } from '../fakes/driver-parts.ts';

const never = new AbortController().signal;
const WRONG = { kind: 'garbled', why: { code: 'wrong-engine' } };

it.each(['router', 'single'] as const)('a llama.cpp %s is no vLLM', async (mode) => {
  const engine = await startSimLlama({ mode });
  await engine.ready;
  const driver = await openDriver('vllm', countingParts());
  expect(await driver.probe(vllm('chat', { url: engine.url }), never)).toMatchObject(WRONG);
  await engine.close();
});

it.each([true, false])('vLLM is no llama.cpp (development mode: %s)', async (devMode) => {
  const engine = await startSimVllm({ devMode });
  const driver = await openDriver('llamacpp', countingParts());
  expect(await driver.probe(llamacpp('code', { url: engine.url }), never)).toMatchObject(WRONG);
  await engine.close();
});
