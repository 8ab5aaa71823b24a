import js from "@eslint/js";
import svelte from "eslint-plugin-svelte";
import ts from "typescript-eslint";
import svelteConfig from "./svelte.config.js";

export default ts.config(
  { ignores: ["dist/", "node_modules/", "src/bindings/"] },
  js.configs.recommended,
  ...ts.configs.strict,
  ...svelte.configs.recommended,
  {
    files: ["*.js", "browser/*.mjs"],
    languageOptions: { globals: { window: "readonly", document: "readonly", console: "readonly", process: "readonly", URL: "readonly", requestAnimationFrame: "readonly", HTMLElement: "readonly", Node: "readonly", NodeFilter: "readonly", Element: "readonly", MutationObserver: "readonly", CustomEvent: "readonly", performance: "readonly", getComputedStyle: "readonly", innerWidth: "readonly", innerHeight: "readonly", scrollY: "readonly" } },
  },
  // There the compiler says what is not defined.
  { files: ["**/*.{ts,svelte}"], rules: { "no-undef": "off" } },
  {
    files: ["**/*.svelte", "**/*.svelte.ts"],
    languageOptions: { parserOptions: { parser: ts.parser, svelteConfig } },
    // The style policy of the page forbids them.
    rules: { "svelte/no-inline-styles": "error", "svelte/no-at-html-tags": "error" },
  },
  {
    files: ["src/**"],
    ignores: ["src/host.ts"],
    rules: {
      // One door to the host.
      "no-restricted-imports": ["error", { patterns: [{ group: ["@tauri-apps/*"], message: "only src/host.ts speaks to the host" }] }],
    },
  },
);
