// Builds the page, and serves it with the ledger behind the same origin, so that the browser needs no CORS.

import { defineConfig, type Plugin } from 'vite';

/** Replaces each `graphql` tag by the artifact that relay-compiler made of it, as babel-plugin-relay does. */
const relay: Plugin = {
  name: 'relay',
  enforce: 'pre',
  transform: {
    filter: { id: /\/src\/\w+\.tsx?$/, code: 'graphql`' },
    handler(code) {
      const imports: string[] = [];
      const replaced = code.replace(/graphql`\s*\w+ (\w+)[^`]*`/g, (tag: string, name: string) => {
        imports.push(`import _${name} from './__generated__/${name}.graphql';`);
        return `_${name}${tag.replace(/[^\n]/g, '')}`; // Keeps the numbers of the lines.
      });
      return { code: replaced + imports.join('\n'), map: null };
    },
  },
};

// The host stays that of the page: the ledger accepts a WebSocket from pages of its own host only.
const ledger = { target: process.env['LEDGER_URL'] ?? 'http://127.0.0.1:8080', ws: true, changeOrigin: false };

export default defineConfig({
  plugins: [relay],
  build: { chunkSizeWarningLimit: 600 }, // React and Relay.
  server: { proxy: { '/graphql': ledger } },
});
