/** The moving line of a terminal: only this file knows ora. */
import ora from 'ora';

export interface Spinner {
  /** Shows what `text` says, again at every turn. */
  show(text: () => string): void;
  /** Takes the line away, to print above it. */
  clear(): void;
  stop(): void;
}

export function openSpinner(color: boolean): Spinner {
  let say = () => '';
  const spinner = ora({
    spinner: 'dots',
    color: color ? 'cyan' : (false as unknown as 'cyan'), // its types forget the false that it documents
    discardStdin: false, // Ctrl-C stays a signal
    hideCursor: false, // a killed process would leave the cursor hidden
  });
  let timer: NodeJS.Timeout | undefined;
  return {
    show(text) {
      say = text;
      spinner.text = say();
      if (spinner.isSpinning) return;
      spinner.start();
      timer = setInterval(() => {
        spinner.text = say();
      }, 100);
    },
    clear() {
      spinner.clear();
    },
    stop() {
      clearInterval(timer);
      if (spinner.isSpinning) spinner.stop();
    },
  };
}
