/** Reads what the host answers when it does not do what was asked. */

import type { DeclinedCode } from '../bindings/DeclinedCode';
import { declinedTitles } from './words';

/** A wish that was not taken, as a person reads it. */
export interface Refusal {
  /** A few words. */
  title: string;
  /** What happened and what to do. */
  text: string;
}

/** Anything at all may come out of a rejected promise; a person always reads a sentence. */
export function readDeclined(reason: unknown): Refusal {
  const text = textOf(reason);
  return { title: titleOf(reason), text: text === '' ? 'Porten gave no reason. Quit it and open it again.' : text };
}

function textOf(reason: unknown): string {
  if (typeof reason === 'string') return reason;
  const text = field(reason, 'text') ?? field(reason, 'message');
  return typeof text === 'string' ? text : '';
}

function titleOf(reason: unknown): string {
  const code = field(reason, 'code');
  const known = typeof code === 'string' && Object.hasOwn(declinedTitles, code);
  return known ? declinedTitles[code as DeclinedCode] : 'That did not work';
}

function field(reason: unknown, name: string): unknown {
  return typeof reason === 'object' && reason !== null ? (reason as Record<string, unknown>)[name] : undefined;
}
