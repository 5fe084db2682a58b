"""Flask-Limiter: `python with_flask.py PORT SETTINGS`."""

import json
import sys
import time

from active_backup import active_backup
from flask import Flask, request
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from waitress import serve

headers = json.loads(sys.argv[2])["headers"]
app = Flask(__name__)
Limiter(
    get_remote_address,
    app=app,
    application_limits=["300 per 5 seconds"],
    headers_enabled=headers,
    storage_uri="memory://",
)


@app.get("/<path:_path>")
def get_active(_path: str) -> dict[str, object]:
    seconds, body = active_backup(request.path)
    time.sleep(seconds)
    return body


serve(app, host="127.0.0.1", port=int(sys.argv[1]), threads=64)
