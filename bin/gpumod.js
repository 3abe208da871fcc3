#!/usr/bin/env node
const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`error: gpumod needs Node 20.19 or newer; this is ${process.version}`);
  process.exitCode = 70;
} else {
  await import('../dist/main.js');
}
