import { svelte } from '@sveltejs/vite-plugin-svelte';
import { svelteTesting } from '@testing-library/svelte/vite';
import { defineConfig } from 'vitest/config';

/** `stories` mode builds the page for design work instead of the popover; it never goes into the app. */
export default defineConfig(({ mode }) => {
  const stories = mode === 'stories';
  return {
    plugins: [svelte(), svelteTesting()],
    base: './',
    clearScreen: false,
    build: {
      outDir: stories ? 'dist-stories' : 'dist',
      emptyOutDir: true,
      sourcemap: false,
      // Everything the popover loads comes from files beside it: nothing inline, so that its CSP can be strict.
      assetsInlineLimit: 0,
      modulePreload: false,
      // The oldest engines that know light-dark(), which the tokens are made of.
      target: ['safari17.5', 'chrome123'],
      cssTarget: ['safari17.5', 'chrome123'],
      rollupOptions: { input: stories ? 'stories.html' : 'index.html' },
    },
    test: { environment: 'jsdom', include: ['src/**/*.test.ts'], restoreMocks: true },
  };
});
