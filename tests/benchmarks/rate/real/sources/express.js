const express = require("express");
const { rateLimit } = require("express-rate-limit");
const activeBackup = require("./active_backup.js");

const settings = JSON.parse(process.argv[3]);
const app = express();
app.use(rateLimit({ windowMs: 5000, limit: 300, ...settings }));
app.use(async (request, response) => response.json(await activeBackup(request.url)));
app.listen(Number(process.argv[2]), "127.0.0.1");
