/** Every action by name, and the view they show things with: what is loaded once a command is known. */
import { back } from './back.ts';
import { bench } from './bench.ts';
import { complete, completion } from './completion.ts';
import * as config from './config.ts';
import { demo } from './demo.ts';
import { doctor } from './doctor.ts';
import { explain, history } from './history.ts';
import { init } from './init.ts';
import * as mode from './mode.ts';
import { plan } from './plan.ts';
import { run } from './run.ts';
import { schedule } from './schedule.ts';
import { schema } from './schema.ts';
import * as service from './service.ts';
import { status } from './status.ts';
import { switchMode, switchOff } from './switch.ts';
import * as unit from './unit.ts';
import { wait } from './wait.ts';

export { openView } from '../view/open.ts';

export const ACTIONS = {
  status,
  modeList: mode.list,
  modeShow: mode.show,
  modeCurrent: mode.current,
  modeIsActive: mode.isActive,
  plan,
  switchMode,
  switchOff,
  back,
  run,
  wait,
  serviceList: service.list,
  serviceStatus: service.status,
  serviceStart: service.start,
  serviceStop: service.stop,
  serviceRestart: service.restart,
  serviceSleep: service.sleep,
  serviceWake: service.wake,
  serviceLogs: service.logs,
  bench,
  configCheck: config.check,
  configPath: config.path,
  configSchema: config.schema,
  configShow: config.show,
  doctor,
  history,
  explain,
  init,
  schema,
  completion,
  complete,
  schedule,
  unitRender: unit.render,
  unitInstall: unit.install,
  unitDiff: unit.diff,
  unitSocket: unit.socket,
  demo,
} as const;

export type ActionName = keyof typeof ACTIONS;
