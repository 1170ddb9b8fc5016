// Output to a terminal, where a Chinese character takes two columns.

import { LedgerError } from './ledger.js';

/** The maximum width of a cell, in columns. */
const WIDEST = 48;

const width = (text: string) => [...text].reduce((sum, character) => sum + widthOf(character), 0);
const widthOf = (character: string) => (/[\p{Script=Han}\u3000-\u303f\uff01-\uff60]/u.test(character) ? 2 : 1);

function clip(text: string): string {
  if (width(text) <= WIDEST) return text;
  let room = WIDEST - 1;
  const kept = [...text].findIndex((character) => (room -= widthOf(character)) < 0);
  return `${[...text].slice(0, kept).join('')}…`;
}

/** Formats rows as a table. The keys of the first row are the headings. */
export function table(rows: readonly Record<string, string>[]): string {
  if (rows.length === 0) return '（没有记录）';
  const headings = Object.keys(rows[0] ?? {});
  const lines = [headings, ...rows.map((row) => headings.map((heading) => clip(row[heading] ?? '')))];
  const widths = headings.map((_, column) => Math.max(...lines.map((line) => width(line[column] ?? ''))));
  return lines
    .map((line) => line.map((cell, column) => cell + ' '.repeat((widths[column] ?? 0) - width(cell))).join('  ').trimEnd())
    .join('\n');
}

/**
 * Runs a program. Prints a `LedgerError` as one line and exits with code 1; any other error is a defect and keeps its
 * stack trace.
 */
export async function tell(story: () => Promise<void>): Promise<void> {
  try {
    await story();
  } catch (error) {
    if (!(error instanceof LedgerError)) throw error;
    console.error(`${error.message}（${[error.code, error.requestId].filter(Boolean).join('，')}）`);
    process.exitCode = 1;
  }
}
