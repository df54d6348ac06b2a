/** Nothing: imported for the sake of importing. */
export {};
