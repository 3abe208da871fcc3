import { describe, expect, it } from 'vitest';
import type { PrivateFolder } from '../../../src/io/private-folder.ts';
import { loadCached } from '../../../src/manifest/cached.ts';
import { loadManifest } from '../../../src/manifest/load.ts';
import { memoryFiles } from './kit.ts';

const TEXT =
  'version: 1\nservices:\n  chat: {engine: vllm, url: "http://127.0.0.1:1"}\nmodes:\n  talk: {services: [chat]}\n';

/** A disk with one manifest, and how often it was really read. */
function disk(text = TEXT) {
  const contents: Record<string, string> = { '/m.yaml': text };
  const files = memoryFiles(contents);
  const folder: PrivateFolder = {
    path: '/cache',
    read: (name, maxBytes) => files.read(`/cache/${name}`, maxBytes),
    write: async (name, copy) => {
      contents[`/cache/${name}`] = copy;
    },
    tail: async () => '',
    append: async () => 0,
    remove: async () => {},
    prepare: async () => {},
  };
  let loads = 0;
  const load = (version = '1', more: Partial<PrivateFolder> = {}) =>
    loadCached(
      { path: '/m.yaml', env: { NAME: 'chat' }, home: '/home/me', files },
      { folder: { ...folder, ...more }, version },
      (where) => {
        loads += 1;
        return loadManifest(where);
      },
    );
  const copies = () => Object.keys(contents).filter((path) => path.startsWith('/cache/'));
  return { contents, load, copies, loads: () => loads };
}

describe('the copy of a manifest', () => {
  it('is used while the texts are the same, and is the same manifest', async () => {
    const { load, loads } = disk();
    const first = await load();
    expect(await load()).toEqual(first);
    expect(loads()).toBe(1);
  });
  it('is not used once a text has changed', async () => {
    const { load, contents, loads } = disk();
    await load();
    contents['/m.yaml'] = TEXT.replace('talk', 'speak');
    expect([...(await load()).modes.keys()]).toContain('speak');
    expect(loads()).toBe(2);
  });
  it('is not used by another version', async () => {
    const { load, loads } = disk();
    await load('1');
    await load('2');
    expect(loads()).toBe(2);
  });
  it('is never made of a text that asks for the environment', async () => {
    const { load, copies } = disk(`# \${service.name} \${NAME}\n${TEXT}`);
    await load();
    expect(copies()).toEqual([]);
  });
  it("is made of one that asks for a service's own fields only", async () => {
    const { load, copies } = disk(`# \${service.name}\n${TEXT}`);
    await load();
    expect(copies()).toHaveLength(1);
  });
  it('is not used when damaged', async () => {
    const { load, contents, copies, loads } = disk();
    await load();
    for (const path of copies()) contents[path] = '{"version": "1", ';
    expect([...(await load()).services.keys()]).toEqual(['chat']);
    expect(loads()).toBe(2);
  });
  it('is not needed: nothing fails where it can be neither read nor written', async () => {
    const { load, loads } = disk();
    const denied = { read: () => Promise.reject(new Error('no')), write: () => Promise.reject(new Error('no')) };
    await load('1', denied);
    await load('1', denied);
    expect(loads()).toBe(2);
  });
  it('does not hide a fault', async () => {
    const { load, contents } = disk();
    await load();
    contents['/m.yaml'] = `${TEXT}oops: 1\n`;
    await expect(load()).rejects.toMatchObject({ code: 'manifest-invalid' });
  });
});
