// What trained rows of an ablation come to where the data of the test is worse, and what their codes hold.
import {
  conditionCalled,
  degradeData,
  factorsOf,
  loadModel,
  type Modality,
  metricsOf,
  type ProbeReport,
  predictSplit,
  prepareTrained,
  probeFactors,
  type SeedResult,
  type SentimentData,
} from '../sentiment/index.js';

/** A row of the grid with its folder. */
export interface TrainedRow {
  readonly name: string;
  readonly folder: string;
  readonly results: readonly SeedResult[];
}

/** The rows' results with the scores that their seeds have under a condition in place of those of the test part as it is. */
export function underCondition(rows: readonly TrainedRow[], given: SentimentData, condition: string): TrainedRow[] {
  const data = degradeData(given, conditionCalled(condition));
  return rows.map((row) => ({
    ...row,
    results: row.results.map((result) => {
      const { network, manifest, reader } = loadModel(row.folder, result.seed);
      const split = prepareTrained(manifest.config, data, reader, 'test');
      const test = metricsOf(manifest.config, predictSplit(network, manifest.config, split), manifest.shape.outputs);
      return { ...result, test };
    }),
  }));
}

/**
 * What the codes of each row hold of known factors, the mean over its seeds: a line for each row and modality; none for data
 * without known factors, nor for models without codes of single modalities.
 */
export function factorTable(rows: readonly TrainedRow[], data: SentimentData): string[][] {
  if (Object.keys(factorsOf(data.utterances[0]!)).length === 0) return [];
  const lines = rows.flatMap(({ name, folder, results }) => {
    const reports = results.flatMap(({ seed }): ProbeReport[] => {
      const { network, manifest, reader } = loadModel(folder, seed);
      const of = (split: 'train' | 'test') => prepareTrained(manifest.config, data, reader, split);
      const report = probeFactors(network, manifest.config, of('train'), of('test'));
      return report ? [report] : [];
    });
    const [first] = reports;
    return (Object.keys(first ?? {}) as Modality[]).map((modality) => {
      const groups = Object.keys(first![modality]!);
      const mean = (group: string): number =>
        reports.reduce((sum, report) => sum + report[modality]![group]!, 0) / reports.length;
      return { name, modality, values: groups.map((group) => [group, mean(group)] as const) };
    });
  });
  const [first] = lines;
  if (first === undefined) return [];
  return [
    ['R² of factors', 'code of', ...first.values.map(([group]) => group)],
    ...lines.map(({ name, modality, values }) => [name, modality, ...values.map(([, value]) => value.toFixed(3))]),
  ];
}
