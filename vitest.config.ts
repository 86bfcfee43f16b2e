import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['{engine,labs,server,web}/**/*.test.ts', 'test/**/*.test.ts'],
    exclude: ['node_modules/**', 'dist/**', 'test/bench/**'],
    testTimeout: 30_000,
    hookTimeout: 120_000,
  },
});
