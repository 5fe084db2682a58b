const activeBackup = require("./active_backup.js");

const { headers } = JSON.parse(process.argv[3]);
const names = ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", "retry-after"];
const shown = Object.fromEntries(names.map((name) => [name, headers]));

async function main() {
  const app = require("fastify")();
  await app.register(require("@fastify/rate-limit"), {
    max: 300,
    timeWindow: 5000,
    addHeaders: shown,
    addHeadersOnExceeding: shown,
  });
  app.get("/*", (request) => activeBackup(request.url));
  await app.listen({ port: Number(process.argv[2]), host: "127.0.0.1" });
}

main();
