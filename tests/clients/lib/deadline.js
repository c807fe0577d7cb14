// Waiting that ends: what has not happened by its deadline is an error that
// says what was waited for.

/// Settles as `promise` does, or fails after `seconds`. `what` may be a
/// function, for a text that is known only then.
export async function within(seconds, what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => {
      const text = typeof what === 'function' ? what() : what;
      reject(new Error(`not within ${seconds} s: ${text}`));
    }, seconds * 1000);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
