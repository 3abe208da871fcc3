/** `gpumod schedule` */
import * as app from '../../app/schedule.ts';
import type { Action } from '../action.ts';
import { EXIT } from '../exit-code.ts';
import { scheduleDocument, scheduleNotes, scheduleRows } from '../view/schedule.ts';

/** Needs no manifest, and asks no engine. */
export const schedule: Action = async ({ parts, view }) => {
  const host = await parts.openHost();
  try {
    const found = await app.schedule(host, await parts.openUnitTools(), parts.stop);
    await view.listed(scheduleDocument(found), scheduleRows(found), scheduleNotes(found));
    return EXIT.ok;
  } finally {
    await host.close();
  }
};
