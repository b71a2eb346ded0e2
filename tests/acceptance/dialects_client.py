"""What Anthropic's, Google's and Ollama's clients for Python make of a server, as JSON."""

import json
import sys

import anthropic
import ollama
from google import genai


def main(url: str, key: str) -> None:
    claude = anthropic.Anthropic(base_url=url, api_key=key, max_retries=0, _strict_response_validation=True)
    nobody = anthropic.Anthropic(base_url=url, api_key="nobody", max_retries=0)
    google = genai.Client(api_key=key, http_options={"base_url": f"{url}/google"})
    llama = ollama.Client(host=f"{url}/ollama", headers={"Authorization": f"Bearer {key}"})
    forwards = [model.id for model in claude.models.list(limit=2)]
    found = {model.name.removeprefix("models/"): model for model in google.models.list(config={"page_size": 2})}
    backwards, cursor = [], forwards[-1]
    for page in claude.models.list(limit=2, before_id=cursor).iter_pages():
        backwards += [model.id for model in reversed(page.data)]
    tags = [model.model for model in llama.list().models]
    print(
        json.dumps(
            {
                "anthropic": forwards,
                "anthropic backwards": [cursor, *backwards],
                "anthropic limits": {model.id: model.max_input_tokens for model in claude.models.list(limit=1000)},
                "anthropic retrieved": [claude.models.retrieve(model_id).id for model_id in forwards],
                "anthropic missing": refused(lambda: claude.models.retrieve("no/such"), anthropic.APIStatusError),
                "anthropic without a key": refused(lambda: nobody.models.list(), anthropic.APIStatusError),
                "google": list(found),
                "google limits": {name: model.input_token_limit for name, model in found.items()},
                "google retrieved": [google.models.get(model=f"models/{name}").name for name in found],
                "google missing": refused(lambda: google.models.get(model="models/no/such"), genai.errors.APIError),
                "ollama": tags,
                "ollama limits": {tag: llama.show(tag).modelinfo.get("unknown.context_length") for tag in tags},
                "ollama missing": refused(lambda: llama.show("no/such"), ollama.ResponseError),
            }
        )
    )


def refused(ask, kind):
    """What the client raised."""
    try:
        return repr(ask())
    except kind as error:
        return {
            "class": type(error).__name__,
            "message": str(error),
            "request_id": getattr(error, "request_id", None),
        }


main(*sys.argv[1:])
