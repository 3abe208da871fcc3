/** What one service's driver sends, told as it ends. A look is not told of: it changes nothing. */
import { type Ear, telling } from '../core/calls.ts';
import type { Http } from '../io/http.ts';
import type { Run } from '../io/run.ts';
import { pathOf, requestName } from './request-name.ts';

const LOOKS: ReadonlySet<string> = new Set(['GET', 'HEAD']);

export function recordedHttp(http: Pick<Http, 'request'>, service: string, ear: Ear): Pick<Http, 'request'> {
  return {
    request(request) {
      const { method, url } = request;
      if (LOOKS.has(method)) return http.request(request);
      const call = requestName(method, pathOf(url));
      return telling(
        ear,
        { service, call },
        () => http.request(request),
        ({ status }) => String(status),
      );
    },
  };
}

/** Only the program's name: an argument may be a key. */
export function recordedRun(run: Run, service: string, ear: Ear): Run {
  return {
    run(argv, options) {
      if (!options.changes) return run.run(argv, options);
      const answerOf = ({ code, signal }: { readonly code: number | null; readonly signal?: string }) =>
        code === null ? (signal ?? 'signal') : `exit ${code}`;
      return telling(ear, { service, call: `exec ${argv[0]}` }, () => run.run(argv, options), answerOf);
    },
  };
}
