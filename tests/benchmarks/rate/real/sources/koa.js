const Koa = require("koa");
const imported = require("koa-ratelimit");
const activeBackup = require("./active_backup.js");

const ratelimit = imported.default ?? imported;
const { headers } = JSON.parse(process.argv[3]);
const app = new (Koa.default ?? Koa)();
app.use(
  ratelimit({
    driver: "memory",
    db: new Map(),
    max: 300,
    duration: 5000,
    id: (context) => context.ip,
    disableHeader: !headers,
  }),
);
app.use(async (context) => {
  context.body = await activeBackup(context.url);
});
app.listen(Number(process.argv[2]), "127.0.0.1");
