/** What turns while something runs: only this file knows ora. */
import { spinners } from 'ora';

export const { frames: FRAMES } = spinners.dots;
