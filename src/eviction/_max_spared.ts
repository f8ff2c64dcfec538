/**
 * The most entries that one eviction spares because they were used. The papers
 * have no bound; without one, the eviction after a time of hits alone would
 * walk the whole queue.
 */
export const MAX_SPARED = 8192;
