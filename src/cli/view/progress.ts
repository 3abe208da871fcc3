/** What is shown on stderr while a switch runs: a line for each finished step, and on a terminal what is running now. */
import type { Event } from '../../core/report.ts';
import { visible } from '../../core/visible.ts';
import type { Sink } from '../parts.ts';
import { eventLine } from './lines.ts';
import { becauseWords, stepWords, warningWords } from './plan-words.ts';
import type { Spinner } from './spinner.ts';
import type { Style } from './style.ts';

export interface Progress {
  event(event: Event): void;
  /** Clears what moves; safe to call twice. */
  end(): void;
}

export const SILENT: Progress = { event() {}, end() {} };

/** One line for each finished step: logs, cron, pipes. */
export function lineProgress(err: Sink, verbose: boolean): Progress {
  return {
    event(event) {
      for (const line of linesOf(event, verbose)) err.write(`${visible(line)}\n`);
    },
    end() {},
  };
}

function linesOf(event: Event, verbose: boolean): readonly string[] {
  if (event.type === 'plan') return event.plan.warnings.map((warning) => `warning: ${warningWords(warning)}`);
  if (verbose && event.type === 'step-started')
    return [`+${event.atSeconds.toFixed(1)}s ${stepWords(event.step)} begins: ${becauseWords(event.step.because)}`];
  const line = eventLine(event);
  return line === undefined ? [] : [line];
}

export interface ProgressWish {
  readonly how: 'auto' | 'plain' | 'quiet';
  /** Also when a step begins, and why. */
  readonly verbose: boolean;
  /** Seconds that pass for the switch while one passes here. */
  readonly rate: number;
  readonly color: boolean;
}

/** `auto`: moving on a terminal that can, lines elsewhere. The spinner is only loaded when something runs. */
export function openProgress(
  wish: ProgressWish,
  err: Sink,
  style: Style,
  env: Readonly<Record<string, string | undefined>>,
): Progress {
  if (wish.how === 'quiet') return SILENT;
  // Some terminals tell no width (serial lines, `script`): the spinner would clear without end.
  const canMove = err.isTerminal && (err.columns ?? 0) > 0 && env['TERM'] !== 'dumb' && !env['CI'];
  const moving = wish.how === 'auto' && canMove;
  return moving ? liveProgress(err, style, wish) : lineProgress(err, wish.verbose);
}

/** The same lines, and below them a spinner with what runs now. */
function liveProgress(err: Sink, style: Style, { rate, verbose, color }: ProgressWish): Progress {
  const running = new Map<string, { readonly words: string; readonly seconds: number; readonly sinceMs: number }>();
  let total = 0;
  let finished = 0;
  let ended = false;
  let spinner: Spinner | undefined;
  const loading = import('./spinner.ts').then(({ openSpinner }) => {
    if (ended) return;
    spinner = openSpinner(color);
    if (running.size > 0) spinner.show(text);
  });
  loading.catch(() => {}); // without it the lines are still there
  const text = () => {
    const steps = [...running.values()].map(({ words, seconds, sinceMs }) => {
      const spent = (((performance.now() - sinceMs) / 1000) * rate).toFixed(1);
      return `${words} ${style.dim(`${spent} of about ${seconds.toFixed(0)} s`)}`;
    });
    return `${finished}/${total} ${steps.join(' · ')}`;
  };
  return {
    event(event) {
      count(event);
      for (const line of linesOf(event, verbose)) {
        spinner?.clear();
        err.write(`${marked(event, line, style)}\n`);
      }
      if (running.size > 0) spinner?.show(text);
      else spinner?.stop();
    },
    end() {
      ended = true;
      spinner?.stop();
    },
  };

  function count(event: Event): void {
    if (event.type === 'plan') {
      total = event.plan.steps.length;
      finished = 0;
    }
    if (event.type === 'step-started') {
      const { step } = event;
      const seconds = step.endSeconds - step.startSeconds;
      running.set(step.id, { words: visible(stepWords(step)), seconds, sinceMs: performance.now() });
    }
    if (event.type === 'step-finished') {
      running.delete(event.report.step.id);
      finished += 1;
    }
  }
}

function marked(event: Event, line: string, style: Style): string {
  if (event.type !== 'step-finished') return visible(line);
  const { outcome } = event.report;
  const mark = outcome.kind === 'done' ? (outcome.fallback ? style.yellow('!') : style.green('✓')) : style.red('✗');
  return `${mark} ${visible(line)}`;
}
