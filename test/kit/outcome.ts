/** How a driver's work ended, in one line that a test can name. */

interface Failure {
  readonly code?: string;
  readonly details?: { readonly reason?: string; readonly reported?: string };
}

/** `done`, or `engine-refused: the reason`. */
export const code = (work: Promise<unknown> | undefined): Promise<string> =>
  (work ?? Promise.resolve()).then(
    () => 'done',
    ({ code: name, details }: Failure) => [name, details?.reason ?? details?.reported].filter(Boolean).join(': '),
  );
