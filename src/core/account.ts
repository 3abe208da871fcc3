/** As whom we run. */
export interface Account {
  /** The effective one. */
  readonly uid: number;
  /** By the user database; the number where it has no name. */
  readonly user: string;
  /** systemd keeps the user's manager without a login; absent = not told. */
  readonly lingers?: boolean;
}
