/** Trunks of encoders, trained through the engine. */
export { readTrunkConfig, type TrunkConfig, trunkRecipes, trunkSchedules } from './trunk-config.js';
export { trunkData } from './trunk-data.js';
export { type TrunkShape, trunkModel, trunkTask } from './trunk-model.js';
export { loadTrunk, type TrunkResult, type TrunkRunOptions, trainTrunk } from './trunk-run.js';
