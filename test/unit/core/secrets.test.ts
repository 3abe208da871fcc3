import { describe, expect, it } from 'vitest';
import { openSecrets, withoutSecrets } from '../../../src/core/secrets.ts';

describe('a known secret', () => {
  it('is hidden however a server quotes it', () => {
    const secrets = openSecrets();
    const key = 'sk-a"b/c&d<e>';
    secrets.add(key);
    secrets.add('sk-a"b/c&d<e>and more');
    for (const text of [
      key,
      JSON.stringify({ error: key }),
      JSON.stringify({ error: key }).replaceAll('/', '\\/'),
      `/x?key=${encodeURIComponent(key)}`,
      '<p>sk-a&quot;b/c&amp;d&lt;e&gt;</p>',
      'sk-a"b/c&d<e>and more',
    ])
      expect(secrets.hide(`x ${text} y`)).not.toMatch(/sk-|more/);
  });

  it('that is a short placeholder stays: answers and tables are made of such words', () => {
    const secrets = openSecrets();
    for (const word of ['vllm', 'EMPTY', 'none', '1', '']) secrets.add(word);
    expect(secrets.hide('vllm:num_requests_running 1')).toBe('vllm:num_requests_running 1');
  });
});

describe('in the text of others', () => {
  it.each([
    ['vllm serve --api-key sk-1 -m x', 'vllm serve --api-key *** -m x'],
    ['--api-key=sk-1 --hf-token sk-2', '--api-key=*** --hf-token ***'],
    ["args: {'api_key': ['sk-1'], 'port': 1}", "args: {'api_key': ['***'], 'port': 1}"],
    ['api_key=None, admin_api_key="sk-1"', 'api_key=***, admin_api_key="***"'],
    ['Authorization: Bearer sk-1', 'Authorization: Bearer ***'],
    ['GET /x?api_key=sk-1&n=2 200', 'GET /x?api_key=***&n=2 200'],
    ['OPENAI_API_KEY=sk-1 python', 'OPENAI_API_KEY=*** python'],
    ['password: hunter2', 'password: ***'],
  ])('%s', (text, without) => expect(withoutSecrets(text)).toBe(without));

  it.each(['eos_token=</s> max_tokens=4096', 'the password is wrong', 'tokenizer: x', 'monkey=1', 'key: value'])(
    '%s stays',
    (text) => expect(withoutSecrets(text)).toBe(text),
  );
});
