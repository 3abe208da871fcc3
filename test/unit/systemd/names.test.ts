/** Unit names and their object paths. */
import { expect, it } from 'vitest';
import { isUnitName, unitPath } from '../../../src/systemd/names.ts';

it.each([
  ['ssh.service', 'ssh_2eservice'],
  ['0day.service', '_30day_2eservice'],
  ['a-b_c.service', 'a_2db_5fc_2eservice'],
  ['vllm@qwen3.5\\x2f2b.service', 'vllm_40qwen3_2e5_5cx2f2b_2eservice'],
])('%s has the path systemd gives it', (name, path) => {
  expect(unitPath(name)).toBe(`/org/freedesktop/systemd1/unit/${path}`);
});

it.each(['a.service', 'a@b.service', 'a@b@c.service', 'a:b-c_d.e\\x20f.target', `${'x'.repeat(247)}.service`])(
  '%s is a unit name',
  (name) => expect(isUnitName(name)).toBe(true),
);

it.each([
  '',
  '.service',
  'a',
  'a@.service',
  '@a.service',
  'a b.service',
  'a/b.service',
  'ü.service',
  'a.Service',
  'a.service\n',
  '*.service',
  `${'x'.repeat(248)}.service`,
])('%j is none', (name) => expect(isUnitName(name)).toBe(false));
