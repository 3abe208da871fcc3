/** A whole program: watches and starts a unit, looks at many, closes, and must then end by itself. */
import { open, soon, told } from './box.ts';

const unit = process.argv[2] ?? '';
const units = open();
await units.watch(unit, () => {});
console.log(await told(units.start(unit, { signal: soon() })));
await units.observe(
  Array.from({ length: 20 }, () => unit),
  soon(),
);
await units.close();
