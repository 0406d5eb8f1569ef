/**
 * Policies that keep entries in order of time, for comparison: each is a model of one entry per key, all of one size.
 * A policy is made for a capacity and a number of keys; access(key) says whether the key was there, and if not, puts it in.
 */

/** @typedef {(capacity: number, keys: number) => (key: number) => boolean} Policy */

/** A doubly linked list over key numbers. @param {number} keys */
function listOf(keys) {
  const next = new Int32Array(keys + 1);
  const previous = new Int32Array(keys + 1);
  const end = keys;
  next[end] = end;
  previous[end] = end;
  return {
    end,
    previous,
    /** @param {number} key becomes the youngest */
    push(key) {
      next[key] = next[end];
      previous[key] = end;
      previous[next[end]] = key;
      next[end] = key;
    },
    /** @param {number} key */
    remove(key) {
      next[previous[key]] = next[key];
      previous[next[key]] = previous[key];
    },
    get oldest() {
      return previous[end];
    },
  };
}

/** @type {Policy} */
export function lru(capacity, keys) {
  const list = listOf(keys);
  const isIn = new Uint8Array(keys);
  let size = 0;
  return (key) => {
    const isHit = isIn[key] === 1;
    if (isHit) list.remove(key);
    else if (size === capacity) {
      const victim = list.oldest;
      list.remove(victim);
      isIn[victim] = 0;
    } else size++;
    list.push(key);
    isIn[key] = 1;
    return isHit;
  };
}

/** SIEVE: Zhang et al., NSDI 2024. @type {Policy} */
export function sieve(capacity, keys) {
  const list = listOf(keys);
  const isIn = new Uint8Array(keys);
  const isVisited = new Uint8Array(keys);
  let hand = -1;
  let size = 0;
  return (key) => {
    if (isIn[key] === 1) {
      isVisited[key] = 1;
      return true;
    }
    if (size === capacity) {
      let at = hand < 0 || hand === list.end ? list.oldest : hand;
      while (isVisited[at] === 1) {
        isVisited[at] = 0;
        at = list.previous[at];
        if (at === list.end) at = list.oldest;
      }
      hand = list.previous[at];
      list.remove(at);
      isIn[at] = 0;
    } else size++;
    list.push(key);
    isIn[key] = 1;
    isVisited[key] = 0;
    return false;
  };
}

/** S3-FIFO: Yang et al., SOSP 2023. @type {Policy} */
export function s3fifo(capacity, keys) {
  const smallCapacity = Math.max(1, Math.round(capacity / 10));
  const mainCapacity = capacity - smallCapacity;
  const small = listOf(keys);
  const main = listOf(keys);
  const ghosts = listOf(keys);
  const where = new Uint8Array(keys);
  const isGhost = new Uint8Array(keys);
  const uses = new Uint8Array(keys);
  let smallSize = 0;
  let mainSize = 0;
  let ghostSize = 0;
  const evictMain = () => {
    for (;;) {
      const key = main.oldest;
      main.remove(key);
      if (uses[key] === 0) {
        where[key] = 0;
        mainSize--;
        return;
      }
      uses[key]--;
      main.push(key);
    }
  };
  const evictSmall = () => {
    while (smallSize > 0) {
      const key = small.oldest;
      small.remove(key);
      smallSize--;
      if (uses[key] > 1) {
        where[key] = 2;
        uses[key] = 0;
        main.push(key);
        mainSize++;
        if (mainSize > mainCapacity) return evictMain();
        continue;
      }
      where[key] = 0;
      if (ghostSize >= mainCapacity) {
        const old = ghosts.oldest;
        ghosts.remove(old);
        isGhost[old] = 0;
        ghostSize--;
      }
      if (mainCapacity > 0) {
        ghosts.push(key);
        isGhost[key] = 1;
        ghostSize++;
      }
      return;
    }
  };
  const isFull = () => smallSize + mainSize >= capacity;
  const evict = () => (smallSize >= smallCapacity || mainSize === 0 ? evictSmall() : evictMain());
  return (key) => {
    if (where[key] !== 0) {
      if (uses[key] < 3) uses[key]++;
      return true;
    }
    const wasGhost = isGhost[key] === 1;
    if (wasGhost) {
      ghosts.remove(key);
      isGhost[key] = 0;
      ghostSize--;
    }
    while (isFull()) evict();
    uses[key] = 0;
    if (wasGhost) {
      where[key] = 2;
      main.push(key);
      mainSize++;
    } else {
      where[key] = 1;
      small.push(key);
      smallSize++;
    }
    return false;
  };
}
