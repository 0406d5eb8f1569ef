/**
 * What befalls the processes of a storm, decided by a seed alone. Two threads of events go side by side, one for the
 * clients, one for the server; each event comes when the clients have done so many records more, and after a pause.
 */
import { randomFrom } from './random.mjs';

/** @typedef {'kill' | 'stop' | 'stop-and-kill'} ClientEvent */
/** @typedef {'kill' | 'kill-at-work' | 'kill-with-clients' | 'kill-starting' | 'stop' | 'stop-and-kill' | 'take-over' | 'keep'} ServerEvent */

/**
 * @template {string} K
 * @typedef {object} Event
 * @property {K} kind
 * @property {number} progress records that the clients write first
 * @property {number} pauseMs before it
 * @property {number} lastsMs how long a process is stopped, or away
 * @property {number[]} victims clients
 * @property {number} workers of a server that is started
 */

/**
 * @typedef {object} Plan
 * @property {Event<ClientEvent>[]} clients
 * @property {Event<ServerEvent>[]} server
 */

/** @type {ClientEvent[]} */
const CLIENT_EVENTS = ['kill', 'kill', 'kill', 'stop', 'stop', 'stop', 'stop-and-kill'];
/** @type {ServerEvent[]} */
const SERVER_EVENTS = ['kill', 'kill-at-work', 'kill-at-work', 'kill-with-clients', 'kill-starting', 'stop', 'stop'];
SERVER_EVENTS.push('stop-and-kill', 'take-over', 'take-over', 'keep');

/**
 * @param {number} seed @param {number} clients how many there are
 * @param {{ clientEvents: number, serverEvents: number }} counts @returns {Plan}
 */
export function planOf(seed, clients, { clientEvents, serverEvents }) {
  return {
    clients: events(randomFrom(seed), CLIENT_EVENTS, clientEvents, clients),
    server: events(randomFrom(seed ^ 0x5bd1e995), SERVER_EVENTS, serverEvents, clients),
  };
}

/**
 * @template {string} K
 * @param {(below: number) => number} random @param {readonly K[]} kinds @param {number} count @param {number} clients
 * @returns {Event<K>[]}
 */
function events(random, kinds, count, clients) {
  // Every kind comes once before chance decides, however short the storm.
  const first = [...new Set(kinds)].sort(() => random(3) - 1);
  return Array.from({ length: count }, (_, index) => ({
    kind: first[index] ?? kinds[random(kinds.length)],
    progress: 20 + random(120),
    pauseMs: random(60),
    lastsMs: random(8) === 0 ? random(1200) : random(150),
    victims: Array.from({ length: 1 + random(3) }, () => random(clients)).filter(
      (each, at, all) => all.indexOf(each) === at,
    ),
    workers: 1 + random(3),
  }));
}
