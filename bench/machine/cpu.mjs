/** CPU time of processes and of the machine, from /proc. */
import { readdirSync, readFileSync } from 'node:fs';

const TICK_MICROS = 10_000;

/** @param {number[]} pids @returns {number} microseconds of user and system time of all of them */
export function cpuMicrosOf(pids) {
  return pids.reduce((sum, pid) => sum + cpuMicros(pid), 0);
}

/** @param {number} pid */
function cpuMicros(pid) {
  try {
    // Nanoseconds of each living thread: finer than the clock ticks of /proc/<pid>/stat.
    const tasks = readdirSync(`/proc/${pid}/task`);
    return tasks.reduce((sum, task) => sum + nanosecondsOf(`/proc/${pid}/task/${task}/schedstat`), 0) / 1000;
  } catch {
    return ticksOf(pid) * TICK_MICROS;
  }
}

/** @param {string} path of a schedstat file */
function nanosecondsOf(path) {
  return Number(readFileSync(path, 'utf8').split(' ', 1)[0]);
}

/** @param {number} pid */
function ticksOf(pid) {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
    return Number(fields[11]) + Number(fields[12]);
  } catch {
    return 0;
  }
}

/** @param {number} pid @returns {number} resident bytes */
export function residentBytesOf(pid) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024;
}

/** @returns {number} microseconds that all CPUs together have worked (or been kept from it) since boot */
export function machineBusyMicros() {
  const [user, nice, system, , , irq, softirq, steal] = readFileSync('/proc/stat', 'utf8')
    .split('\n', 1)[0]
    .trim()
    .split(/\s+/)
    .slice(1)
    .map(Number);
  return (user + nice + system + irq + softirq + steal) * TICK_MICROS;
}
