// The headers are those of rate-limiter-flexible's own README.
const express = require("express");
const { RateLimiterMemory } = require("rate-limiter-flexible");
const activeBackup = require("./active_backup.js");

const { headers } = JSON.parse(process.argv[3]);
const limiter = new RateLimiterMemory({ points: 300, duration: 5 });
const setHeaders = (response, state) =>
  headers &&
  response.set({
    "Retry-After": String(state.msBeforeNext / 1000),
    "X-RateLimit-Limit": "300",
    "X-RateLimit-Remaining": String(state.remainingPoints),
    "X-RateLimit-Reset": String(Math.ceil((Date.now() + state.msBeforeNext) / 1000)),
  });

const app = express();
app.use((request, response, next) =>
  limiter.consume(request.ip).then(
    (state) => {
      setHeaders(response, state);
      next();
    },
    (state) => {
      setHeaders(response, state);
      response.status(429).send("Too Many Requests");
    },
  ),
);
app.use(async (request, response) => response.json(await activeBackup(request.url)));
app.listen(Number(process.argv[2]), "127.0.0.1");
