"""What LiteLLM, or genai-prices and MLflow, make of an export, as JSON: the cost of a thousand tokens in and out."""

import json
import sys

TOKENS = 1000


def with_litellm(ids: list[str]) -> dict:
    import litellm

    def cost(model: str) -> list[float]:
        return list(litellm.cost_per_token(model=model, prompt_tokens=TOKENS, completion_tokens=TOKENS))

    forms = {"plain": "", "openai": "openai/", "proxy": "litellm_proxy/"}
    known = [
        name
        for name in litellm.model_cost
        # But for the other forms of an id.
        if not any(
            name.removeprefix(form) in litellm.model_cost for form in forms.values() if name.startswith(form) and form
        )
    ]
    limits = {model_id: litellm.model_cost.get(model_id, {}).get("max_input_tokens") for model_id in ids}
    found = {form: {model_id: cost(prefix + model_id) for model_id in ids} for form, prefix in forms.items()}
    providers = sorted(str(getattr(name, "value", name)) for name in litellm.provider_list)
    return {"known": known if len(known) < 1000 else len(known), "limits": limits, "providers": providers, **found}


def with_genai_prices(url: str, ids: list[str]) -> dict:
    from genai_prices import UpdatePrices, Usage, calc_price

    def cost(model_id: str, **where: str) -> list[float] | None:
        try:
            found = calc_price(Usage(input_tokens=TOKENS, output_tokens=TOKENS), model_id, **where)
        except LookupError:
            return None
        return [float(found.input_price), float(found.output_price)]

    with UpdatePrices(url=f"{url}/genai-prices.json") as updates:
        updates.wait()
        return {
            "by id": {model_id: cost(model_id) for model_id in ids},
            "by provider": {
                model_id: cost(model_id.partition("/")[2], provider_id=model_id.partition("/")[0]) for model_id in ids
            },
        }


def with_mlflow(ids: list[str]) -> dict:
    from mlflow.utils.providers import cost_per_token

    return {
        model_id: cost_per_token(model_id, TOKENS, TOKENS, custom_llm_provider=model_id.partition("/")[0])
        for model_id in ids
    }


client, url, *ids = sys.argv[1:]
if client == "litellm":
    print(json.dumps(with_litellm(ids)))
else:
    print(json.dumps({"genai-prices": with_genai_prices(url, ids), "mlflow": with_mlflow(ids)}))
