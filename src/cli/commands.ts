/** Every command as data: the one source of the command tree, its help and what carries it out. */
import { FAILURE_POLICIES } from '../core/model.ts';
import type { ActionName } from './actions/index.ts';
import { FORMATS } from './view/view.ts';

export interface OptionSpec {
  /** As commander writes it: `--drain <duration>`. */
  readonly flags: string;
  readonly help: string;
  readonly choices?: readonly string[];
}

export interface CommandSpec {
  /** Words that lead to it: `mode switch`. */
  readonly path: string;
  readonly aliasOf?: string;
  readonly args?: string;
  readonly help: string;
  readonly options?: readonly OptionSpec[];
  readonly examples?: readonly string[];
  /** Which of `actions/` carries it out: they are loaded when a command is known. */
  readonly action: ActionName;
}

/** Understood before and after every command. */
export const GLOBAL_OPTIONS: readonly OptionSpec[] = [
  { flags: '-m, --manifest <path>', help: 'manifest file, or a folder of *.yaml' },
  { flags: '-o, --output <format>', help: 'what stdout looks like', choices: FORMATS },
  { flags: '--json', help: 'the same as -o json' },
  { flags: '-q, --quiet', help: 'no progress; nothing at all of a switch that went as planned' },
  { flags: '-v, --verbose', help: 'also say why each step is taken' },
  { flags: '--color <when>', help: 'colour', choices: ['auto', 'always', 'never'] },
  { flags: '--progress <how>', help: 'progress on stderr', choices: ['auto', 'plain', 'quiet'] },
  { flags: '--no-input', help: 'never ask a question' },
  { flags: '--debug', help: 'stack traces of errors' },
];

const LOCK_TIMEOUT: OptionSpec = {
  flags: '--lock-timeout <duration>',
  help: 'wait this long for another gpumod to end (default: not at all, exit 75)',
};

const SWITCH_OPTIONS: readonly OptionSpec[] = [
  { flags: '--timeout <duration>', help: 'bound the whole switch (exit 124)' },
  LOCK_TIMEOUT,
  { flags: '--drain <duration>', help: 'wait this long for requests in flight' },
  { flags: '--force', help: 'do not wait for requests in flight' },
  { flags: '--on-failure <policy>', help: 'after a failed step', choices: FAILURE_POLICIES },
];

const COLD: OptionSpec = { flags: '--cold', help: 'stop instead of sleep' };
const DRY_RUN: OptionSpec = { flags: '--dry-run', help: 'only show the plan' };

const MODE_OPTIONS: readonly OptionSpec[] = [
  COLD,
  DRY_RUN,
  { flags: '--default', help: 'switch to the default mode of the manifest' },
  ...SWITCH_OPTIONS,
];

export const COMMANDS: readonly CommandSpec[] = [
  {
    path: 'status',
    help: 'mode, GPUs and services as they are now',
    examples: ['gpumod status', 'gpumod status --json | jq .mode.name'],
    action: 'status',
  },
  {
    path: 'mode list',
    help: 'all modes; * marks the current one, = others with the same services',
    action: 'modeList',
  },
  { path: 'mode show', args: '<mode>', help: 'what a mode consists of', action: 'modeShow' },
  { path: 'mode current', help: 'the name of the mode that holds now', action: 'modeCurrent' },
  {
    path: 'mode plan',
    args: '<modes...>',
    help: 'what a switch would do, step by step, or several compared; changes nothing',
    options: [COLD, { flags: '--exit-code', help: 'exit 3 when there is something to do' }],
    examples: [
      'gpumod mode plan rag',
      'gpumod mode plan rag code speak',
      'gpumod mode plan rag --exit-code || echo "a switch would change something"',
    ],
    action: 'plan',
  },
  {
    path: 'mode switch',
    args: '[mode]',
    help: 'switch the machine to a mode and verify that it holds',
    options: MODE_OPTIONS,
    examples: ['gpumod mode switch rag', 'gpumod mode switch code --drain 5m', 'gpumod mode switch rag --dry-run'],
    action: 'switchMode',
  },
  { path: 'mode is-active', args: '<mode>', help: 'exit 0 when the mode holds, else 3', action: 'modeIsActive' },
  {
    path: 'switch',
    aliasOf: 'mode switch',
    args: '[mode]',
    help: 'short for: mode switch',
    options: MODE_OPTIONS,
    action: 'switchMode',
  },
  {
    path: 'off',
    aliasOf: 'mode switch off',
    help: 'short for: mode switch off (stop everything)',
    options: MODE_OPTIONS,
    action: 'switchOff',
  },
  {
    path: 'back',
    help: 'what was there before the last switch, or before one that was cut short; twice back is where you were',
    options: [COLD, DRY_RUN, ...SWITCH_OPTIONS],
    examples: ['gpumod back', 'gpumod back --dry-run'],
    action: 'back',
  },
  {
    path: 'run',
    args: '<command...>',
    help: 'switch to a mode, run a command in it (after --), then restore what was there before; exits as the command does',
    options: [{ flags: '--mode <mode>', help: 'what to switch to' }, COLD, ...SWITCH_OPTIONS],
    examples: [
      'gpumod -q run --mode off --lock-timeout 5m -- steam steam://rungameid/730',
      'gpumod run --mode rag --timeout 5m -- pytest tests/e2e',
    ],
    action: 'run',
  },
  {
    path: 'wait',
    help: 'until no other gpumod is at work',
    options: [
      { flags: '--mode <mode>', help: 'exit 3 when this mode does not hold then' },
      { flags: '--timeout <duration>', help: 'wait no longer than this (exit 124)' },
    ],
    examples: [
      'gpumod wait --timeout 10m && run-the-batch',
      'gpumod wait --mode rag && curl -s localhost:8200/v1/models',
    ],
    action: 'wait',
  },
  {
    path: 'doctor',
    help: 'what is wrong or in the way, with evidence and fix; exit 1 when there is something',
    examples: ['gpumod doctor', 'gpumod doctor --json | jq .findings[].fix'],
    action: 'doctor',
  },
  {
    path: 'history',
    help: 'the switches on record, newest last: how each ended, and how long it took',
    options: [{ flags: '-n, --count <count>', help: 'how many (default 20)' }],
    examples: ['gpumod history -n 5', 'gpumod history --json | jq \'.switches[] | select(.end != "reached")\''],
    action: 'history',
  },
  {
    path: 'explain',
    args: '[id]',
    help: 'one switch step by step, with the cause of what went wrong (default: the last; -v: every call)',
    examples: ['gpumod explain', 'gpumod explain t6i8a2b -v'],
    action: 'explain',
  },
  { path: 'service list', help: 'all services', action: 'serviceList' },
  { path: 'service status', args: '<service>', help: 'one service', action: 'serviceStatus' },
  {
    path: 'service start',
    args: '<service>',
    help: 'start it and wait until it is awake',
    options: SWITCH_OPTIONS,
    action: 'serviceStart',
  },
  {
    path: 'service stop',
    args: '<service>',
    help: 'stop it and verify that it is gone',
    options: SWITCH_OPTIONS,
    action: 'serviceStop',
  },
  {
    path: 'service restart',
    args: '<service>',
    help: 'stop and start it',
    options: SWITCH_OPTIONS,
    action: 'serviceRestart',
  },
  {
    path: 'service sleep',
    args: '<service>',
    help: 'put it to sleep and verify that its memory came free',
    options: [
      {
        flags: '--level <level>',
        help: '1 keeps the weights in host RAM, 2 discards them',
        choices: ['1', '2'],
      },
      { flags: '--prime', help: 'once at level 1 and awake again: the first such sleep of a process is slow' },
      ...SWITCH_OPTIONS,
    ],
    examples: ['gpumod service sleep vllm-chat', 'gpumod service sleep vllm-hyde --level 2'],
    action: 'serviceSleep',
  },
  {
    path: 'service wake',
    args: '<service>',
    help: 'wake it and verify that it serves',
    options: SWITCH_OPTIONS,
    action: 'serviceWake',
  },
  {
    path: 'service logs',
    args: '<services...>',
    help: 'the last lines of their journals',
    options: [{ flags: '-n, --lines <count>', help: 'how many lines of each (default 50)' }],
    action: 'serviceLogs',
  },
  {
    path: 'bench',
    args: '<services...>',
    help: 'measure sleep, wake, cold start and memory of services; asks first, and restores the state found',
    options: [
      { flags: '--rounds <count>', help: 'how many times each is stopped and started (default 3)' },
      { flags: '-y, --yes', help: 'do not ask' },
      LOCK_TIMEOUT,
      { flags: '--drain <duration>', help: 'wait this long for requests in flight' },
    ],
    examples: ['gpumod bench vllm-chat', 'gpumod bench vllm-chat vllm-tts --rounds 5 --yes --json'],
    action: 'bench',
  },
  { path: 'config check', help: 'check the manifest: every error in one run', action: 'configCheck' },
  { path: 'config path', help: 'the files that make up the manifest', action: 'configPath' },
  { path: 'config schema', help: 'JSON Schema of the manifest, for editors', action: 'configSchema' },
  {
    path: 'config show',
    help: 'the manifest as gpumod understands it, defaults filled in; what may hold a key (headers, arguments) is hidden',
    action: 'configShow',
  },
  {
    path: 'demo',
    help: 'a simulated box: switch it through its modes; touches nothing real',
    options: [{ flags: '--speed <factor>', help: 'how many times faster than life (default 15)' }],
    action: 'demo',
  },
];

/** One line for each group of commands. */
export const GROUPS: Readonly<Record<string, string>> = {
  mode: 'list, show, plan and switch modes',
  service: 'look at and change single services',
  config: 'check and show the manifest',
};
