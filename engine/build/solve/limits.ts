// How much one build may do at a time.

/** Steps of one sandbox that run at the same time. */
export const STEPS_AT_ONCE = 4;
/** Steps of one build. */
export const STEPS_MAX = 2_000;
/** Bytes of layers that the cache alone keeps, as a part of the sandbox's disk. */
export const CACHE_SHARE = 0.4;
/** Milliseconds after which what nobody used goes. */
export const CACHE_AGE = 14 * 24 * 3600 * 1000;
