/** The npm package vader-sentiment (Apache-2.0): a list of scored words and rules, to compare with. */
import { statSync } from 'node:fs';
import { createRequire } from 'node:module';

const name = 'vader-sentiment';

interface Vader {
  readonly SentimentIntensityAnalyzer: { polarity_scores(text: string): { readonly compound: number } };
}

/** Bytes of what it loads. */
export function vaderBytes(): number {
  return statSync(createRequire(import.meta.url).resolve(name)).size;
}

/** Loads it. @returns its reading of a text, -1 to 1; from 0.05 on, either way, its authors call a text positive or negative */
export async function loadVader(): Promise<(text: string) => number> {
  const { default: vader } = (await import(name)) as { readonly default: Vader };
  return (text) => vader.SentimentIntensityAnalyzer.polarity_scores(text).compound;
}
