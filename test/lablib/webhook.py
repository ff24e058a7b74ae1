# SPDX-License-Identifier: MIT
"""A webhook as a provider calls it: a form, signed with the account's token over address and fields."""
import base64
import hashlib
import hmac
import secrets
import urllib.parse
import urllib.request


def signature(url, form, token):
    text = url + "".join(k + form[k] for k in sorted(form))
    return base64.b64encode(hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()).decode()


def call_webhook(url, form, token, patience=20, wrong_signature=False):
    """What the provider does with an address that it was given. Returns (status, body)."""
    body = urllib.parse.urlencode(form).encode()
    sig = "AAAA" + signature(url, form, token)[4:] if wrong_signature else signature(url, form, token)
    request = urllib.request.Request(url, data=body, headers={
        "Content-Type": "application/x-www-form-urlencoded", "X-Twilio-Signature": sig,
        "I-Twilio-Idempotency-Token": secrets.token_hex(8)})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=patience) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as e:
        return e.code, e.read().decode()
