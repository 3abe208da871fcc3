import { startSimVllm } from '../../src/demo/sim-vllm.ts';
import { vllm } from '../fakes/build.ts';
import { driverContract } from './driver.contract.ts';

for (const version of ['0.13.0', '0.24.0', '0.31.0'])
  driverContract(`vLLM ${version}`, {
    start: () => startSimVllm({ version }),
    service: (url, timeouts) => vllm('chat', { url, timeouts }),
    naps: { sleep: '/sleep', wake: '/wake_up' },
  });

driverContract('vLLM without dev mode', {
  start: () => startSimVllm({ devMode: false }),
  service: (url, timeouts) => vllm('chat', { url, timeouts }),
});
