/** Calls code of the user's own. What it throws is thrown in a turn of its own: it ends nothing that the server is about. */
export function tellListener<E>(listener: (event: E) => void, event: E): void {
  try {
    listener(event);
  } catch (error) {
    setImmediate(() => {
      throw error;
    });
  }
}
