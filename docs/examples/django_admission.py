"""Lets into a Django site whoever has an admission. Put AdmissionMiddleware first in MIDDLEWARE, and set ADMISSION_KEYS
to the address of the key set. A view whose path has a `key` is only for that line."""

import time

import jwt
from admission import Refused, Verifier
from django.conf import settings
from django.http import JsonResponse


class AdmissionMiddleware:
    def __init__(self, get_response):
        self._get_response = get_response
        self._verifier = Verifier(settings.ADMISSION_KEYS)

    def __call__(self, request):
        try:
            request.admission = self._verifier.verify(request.headers.get("X-Waitroom-Admission", ""), time.time())
        except Refused as refusal:
            return problem(401, refusal.code)
        except jwt.PyJWKClientError:
            return problem(503, "admission_keys_unavailable")
        return self._get_response(request)

    def process_view(self, request, view, args, kwargs):
        if "key" in kwargs and request.admission.get("key", kwargs["key"]) != kwargs["key"]:
            return problem(401, "admission_key")
        return None


def problem(status, code):
    return JsonResponse({"status": status, "code": code}, status=status, content_type="application/problem+json")
