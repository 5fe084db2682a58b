"""Django REST framework's own throttling: `python with_django.py PORT SETTINGS`."""

import json
import sys
import time

import django
from active_backup import active_backup
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.urls import re_path
from waitress import serve

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="unused",
    INSTALLED_APPS=["rest_framework"],
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": [],
        "DEFAULT_THROTTLE_CLASSES": ["rest_framework.throttling.AnonRateThrottle"],
        "DEFAULT_THROTTLE_RATES": {"anon": json.loads(sys.argv[2])["rate"]},
        "UNAUTHENTICATED_USER": None,
    },
)
django.setup()

from rest_framework.decorators import api_view  # noqa: E402 - the settings come first
from rest_framework.request import Request  # noqa: E402
from rest_framework.response import Response  # noqa: E402


@api_view(["GET"])
def get_active(request: Request) -> Response:
    seconds, body = active_backup(request.path)
    time.sleep(seconds)
    return Response(body)


urlpatterns = [re_path("", get_active)]
serve(get_wsgi_application(), host="127.0.0.1", port=int(sys.argv[1]), threads=64)
