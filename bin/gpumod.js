#!/usr/bin/env node
import module from 'node:module';

const { env, versions } = process;
const [major, minor] = versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`error: gpumod needs Node 20.19 or newer; this is ${process.version}`);
  process.exitCode = 70;
} else {
  // Node >= 22.1 can keep compiled code. In the user's own folder: its default is one that all users share.
  const cache = env.XDG_CACHE_HOME || (env.HOME && `${env.HOME}/.cache`);
  if (cache) module.enableCompileCache?.(`${cache}/gpumod/compiled`);
  await import('../dist/main.js');
}
