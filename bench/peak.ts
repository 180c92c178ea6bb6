/** The most memory that this process ever held, all its threads, Node and libtorch together, in bytes. */
import { existsSync, readFileSync } from 'node:fs';

// What getrusage tells begins with the parent's memory at the fork; the kernel's own mark is of this program alone.
export function peakBytes(): number {
  const mark = existsSync('/proc/self/status') && /VmHWM:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'));
  return 1024 * (mark ? Number(mark[1]) : process.resourceUsage().maxRSS);
}
