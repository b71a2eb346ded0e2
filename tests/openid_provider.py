"""FAKE: an OpenID provider on loopback, as a process of its own. `python -m tests.openid_provider` prints its port.

It signs in whoever PUT /person says, at once, and adds the faults named there; everything else it checks as a real one.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT_ID, CLIENT_SECRET = "modeldex", "a secret of the client's own"
KEY, OTHER_KEY = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))
# What PUT /person brought: `token` and `userinfo` are claims, None takes one away; `key` "other" signs with another
# key; `error` is answered instead of a code; `config` overrides the discovery document.
person: dict[str, Any] = {}
codes: dict[str, dict[str, str]] = {}


class Provider(BaseHTTPRequestHandler):
    server: ThreadingHTTPServer

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        if url.path == "/.well-known/openid-configuration":
            names = {f"{name}_endpoint": f"{self.issuer}/{name}" for name in ("authorization", "token", "userinfo")}
            config = {
                "issuer": self.issuer,
                "jwks_uri": f"{self.issuer}/jwks",
                "scopes_supported": ["openid", "groups"],
            }
            self.answer(config | names | person.get("config", {}))
        elif url.path == "/jwks":
            public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key()))
            self.answer({"keys": [public | {"kid": "one", "alg": "RS256", "use": "sig"}]})
        elif url.path == "/authorization":
            self.authorize(query)
        elif url.path == "/userinfo" and self.headers["Authorization"] == "Bearer an access token":
            self.answer(person.get("userinfo", {"sub": self.claims({})["sub"]}))
        else:
            self.answer({"error": "not_found"}, 404)

    def authorize(self, query: dict[str, str]) -> None:
        asked = (query["client_id"], query["response_type"], query["code_challenge_method"])
        assert asked == (CLIENT_ID, "code", "S256"), query
        assert {"openid", "profile", "email", "groups"} == {*query["scope"].split()}, query
        code = secrets.token_hex(8)
        codes[code] = query
        told = {"error": person["error"]} if "error" in person else {"code": code}
        self.send_response(302)
        self.send_header("Location", f"{query['redirect_uri']}?{urlencode(told | {'state': query['state']})}")
        self.end_headers()

    def do_POST(self) -> None:
        sent = {name: values[0] for name, values in parse_qs(self.body().decode()).items()}
        asked = codes.pop(sent.get("code", ""), None)
        verifier = hashlib.sha256(sent.get("code_verifier", "").encode()).digest()
        if (
            asked is None
            or (sent["client_id"], sent["client_secret"]) != (CLIENT_ID, CLIENT_SECRET)
            or sent["redirect_uri"] != asked["redirect_uri"]
            or base64.urlsafe_b64encode(verifier).decode().rstrip("=") != asked["code_challenge"]
        ):
            self.answer({"error": "invalid_grant"}, 400)
            return
        key = OTHER_KEY if person.get("key") == "other" else KEY
        token = jwt.encode(self.claims(asked), key, "RS256", {"kid": "one"})
        self.answer({"access_token": "an access token", "token_type": "Bearer", "id_token": token})

    def claims(self, asked: dict[str, str]) -> dict[str, Any]:
        now = int(time.time())
        usual = {"iss": self.issuer, "aud": CLIENT_ID, "sub": "s-1", "iat": now, "exp": now + 300}
        claims = usual | {"nonce": asked.get("nonce")} | person.get("token", {})
        return {name: value for name, value in claims.items() if value is not None}

    def do_PUT(self) -> None:
        person.clear()
        person.update(json.loads(self.body()))
        self.answer({})

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def answer(self, payload: Any, status: int = 200) -> None:
        body = json.dumps(payload).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    print(server.server_port, flush=True)
    server.serve_forever()
