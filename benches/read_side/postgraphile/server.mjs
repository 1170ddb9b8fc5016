// Serves PostGraphile over the ledger's tables and the benchmark's functions, at LISTEN_PORT, from DATABASE_URL.
import { createServer } from "node:http";

import { postgraphile } from "postgraphile";
import { makePgService } from "postgraphile/adaptors/pg";
import { grafserv } from "postgraphile/grafserv/node";
import { PostGraphileAmberPreset } from "postgraphile/presets/amber";

if (Number.parseInt(process.versions.node, 10) < 22) {
  throw new Error(`PostGraphile needs Node.js 22 or newer, this is ${process.versions.node}`);
}

const preset = {
  extends: [PostGraphileAmberPreset],
  pgServices: [makePgService({ connectionString: process.env.DATABASE_URL, schemas: ["public", "bench"] })],
  grafserv: { graphqlPath: "/graphql", graphiql: false, watch: false },
  grafast: { explain: false },
};

const server = createServer();
server.on("error", (error) => {
  console.error(error);
  process.exit(1);
});
await postgraphile(preset).createServ(grafserv).addTo(server);
server.listen(Number(process.env.LISTEN_PORT), "127.0.0.1");
