/** A process that is pinned to one core and, when asked, times a fixed piece of work there, again and again. */
const LOOK_MS = 250;
const values = new Float64Array(2048).fill(1);

function work(): number {
  const start = performance.now();
  for (let round = 0; round < 400; round++) {
    for (let i = 0; i < values.length; i++) values[i] = values[i]! * 0.999 + 0.001;
  }
  return performance.now() - start;
}

process.on('message', () => {
  const end = performance.now() + LOOK_MS;
  const times: number[] = [];
  while (performance.now() < end) times.push(work());
  process.send!(times);
});
process.on('disconnect', () => process.exit());
