/** Keeps secrets out of what engines and commands answer: some quote the header they did not like, and what they say is shown and kept. */
import { openSecrets } from '../core/secrets.ts';
import type { DriverParts } from './driver.ts';

/** The same parts; every secret that goes out through them does not come back. */
export function hiding(parts: DriverParts): DriverParts {
  const secrets = openSecrets();
  return {
    ...parts,
    async secret(...asked) {
      const text = await parts.secret(...asked);
      secrets.add(text);
      return text;
    },
    http: {
      async request(request) {
        const answer = await parts.http.request(request);
        return { ...answer, text: secrets.hide(answer.text) };
      },
    },
    run: {
      async run(argv, options) {
        const end = await parts.run.run(argv, options);
        return { ...end, stdout: secrets.hide(end.stdout), stderr: secrets.hide(end.stderr) };
      },
    },
  };
}
