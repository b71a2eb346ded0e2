"""Run by a client's own Python: asks a server as OpenAI's SDK does and prints what it got as JSON."""

import json
import sys
from typing import Any

import openai


def refused(call: Any) -> dict[str, Any]:
    try:
        call()
    except openai.APIStatusError as error:
        return {
            "class": type(error).__name__,
            "status": error.status_code,
            "code": error.code,
            "type": error.type,
            "param": error.param,
            "request_id": error.request_id,
            "retry_after": error.response.headers.get("retry-after"),
        }
    return {"class": None}


def main(base_url: str, key: str, limited_key: str, *ids: str) -> None:
    client = openai.OpenAI(base_url=base_url, api_key=key, max_retries=0)
    nobody = openai.OpenAI(base_url=base_url, api_key="mdx_wrong", max_retries=0)
    limited = openai.OpenAI(base_url=base_url, api_key=limited_key, max_retries=0)
    limited.models.list()
    print(
        json.dumps(
            {
                "version": openai.__version__,
                "listed": [model.id for model in client.models.list()],
                "retrieved": [client.models.retrieve(model_id).id for model_id in ids],
                "unauthenticated": refused(lambda: nobody.models.list()),
                "missing": refused(lambda: client.models.retrieve("no/such")),
                "limited": refused(lambda: limited.models.list()),
            }
        )
    )


main(*sys.argv[1:])
