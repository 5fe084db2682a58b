"""slowapi: `python with_slowapi.py PORT SETTINGS`."""

import asyncio
import json
import sys

import uvicorn
from active_backup import active_backup
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from slowapi import Limiter, _rate_limit_exceeded_handler
from slowapi.errors import RateLimitExceeded
from slowapi.util import get_remote_address

headers = json.loads(sys.argv[2])["headers"]
limiter = Limiter(key_func=get_remote_address, headers_enabled=headers)
app = FastAPI()
app.state.limiter = limiter
app.add_exception_handler(RateLimitExceeded, _rate_limit_exceeded_handler)


@app.get("/{path:path}")
@limiter.shared_limit("300/5seconds", scope="all instances")
async def get_active(request: Request, path: str) -> JSONResponse:
    seconds, body = active_backup(request.url.path)
    await asyncio.sleep(seconds)
    return JSONResponse(body)


uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
