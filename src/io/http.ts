/** One HTTP request with a deadline, a capped body and no surprises: the only file that knows undici. */

export interface HttpRequest {
  readonly method: string;
  /** Absolute; `http://unix:/run/x.sock:/path` speaks to a Unix socket. */
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal: AbortSignal;
  /** Default 1 MiB; a longer body is a failure, not a truncation. */
  readonly maxBodyBytes?: number;
}

export interface HttpResponse {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

export type HttpFailureKind =
  | 'refused' // nothing listens
  | 'no-socket' // the Unix socket does not exist
  | 'reset' // closed or reset before the answer was complete
  | 'unreachable' // no route, unknown host, TLS failure
  | 'too-large'
  | 'protocol'; // not HTTP

/** The request got no usable answer. An abort is not one of these: it rejects with the signal's reason. */
export class HttpFailure extends Error {
  readonly kind: HttpFailureKind;
  constructor(kind: HttpFailureKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'HttpFailure';
    this.kind = kind;
  }
}

export interface Http {
  /** Any status is an answer; redirects are not followed. Throws HttpFailure, or the signal's reason. */
  request(request: HttpRequest): Promise<HttpResponse>;
  close(): Promise<void>;
}
