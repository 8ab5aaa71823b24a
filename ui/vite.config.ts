import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";

export default defineConfig({
  plugins: [svelte()],
  base: "./",
  // Nothing becomes a data: address: the page's policy allows its own files only. Safari 17.5 is what macOS 14.5 has.
  build: { target: "safari17.5", assetsInlineLimit: 0, modulePreload: { polyfill: false }, rollupOptions: { input: ["index.html", "settings.html"] } },
  server: { host: "127.0.0.1" },
  // Svelte's own way to tests: its browser half, not the one for servers.
  resolve: process.env.VITEST ? { conditions: ["browser"] } : {},
  test: { environment: "happy-dom", env: { TZ: "UTC" }, include: ["src/**/*.test.ts"] },
});
