import { startSimHttp } from '../../src/demo/sim-http.ts';
import { http } from '../fakes/build.ts';
import { driverContract } from './driver.contract.ts';

const asleep = { path: '/is_sleeping', method: 'GET', json: 'is_sleeping', equals: true } as const;
const nap = {
  sleep: [{ method: 'POST', path: '/sleep?level=1', timeoutMs: 5_000 }],
  wake: [
    { method: 'POST', path: '/wake_up' },
    { method: 'POST', path: '/collective_rpc', body: { method: 'reload_weights' } },
    { method: 'POST', path: '/reset_prefix_cache' },
  ],
} as const;

driverContract('any HTTP server', {
  start: () => startSimHttp(),
  service: (url, timeouts) => http('asr', { url, timeouts, asleep, nap }),
  naps: { sleep: '/sleep', wake: '/wake_up' },
  passesFor: { 'a 503 from a proxy': 'loading' },
});

driverContract('any HTTP server without steps', {
  start: () => startSimHttp(),
  service: (url, timeouts) => http('asr', { url, timeouts, asleep }),
  passesFor: { 'a 503 from a proxy': 'loading' },
});
