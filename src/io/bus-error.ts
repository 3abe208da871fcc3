/** What a D-Bus call can fail with. */

/** A D-Bus error reply, or a failure of the connection under one of the standard names below. */
export class BusError extends Error {
  /** D-Bus error name, such as `org.freedesktop.systemd1.NoSuchUnit`. */
  readonly type: string;
  constructor(type: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'BusError';
    this.type = type;
  }
}

const standard = (name: string) => `org.freedesktop.DBus.Error.${name}`;

/** The connection could not be made. */
export const NO_SERVER: string = standard('NoServer');
export const BAD_ADDRESS: string = standard('BadAddress');
export const AUTH_FAILED: string = standard('AuthFailed');
export const DISCONNECTED: string = standard('Disconnected');
/** No answer in time. */
export const NO_REPLY: string = standard('NoReply');
