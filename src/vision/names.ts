/** Names and numbers that `--help` shows, too: nothing here touches libtorch. */
import type { DataKind } from './datasets/spec.js';

/** The names that `modelSpec` knows. */
export const modelNames = [
  'resnet20',
  'resnet32',
  'resnet56',
  'resnet110',
  'resnet18',
  'resnet34',
  'resnet50',
  'vit',
  'vit-tiny-p4',
  'vit-small-p4',
  'vit-b-p16',
] as const;

export type ModelName = (typeof modelNames)[number];

/** Epochs of a recipe: enough for a result near what it can reach on two CPU cores in reasonable time; more is better. */
export const epochsOf: Readonly<Record<'resnet' | 'vit', Readonly<Record<DataKind, number>>>> = {
  resnet: { mnist: 5, cifar10: 30, svhn: 15, stl10: 60, folder: 30 },
  vit: { mnist: 10, cifar10: 60, svhn: 30, stl10: 100, folder: 60 },
};
