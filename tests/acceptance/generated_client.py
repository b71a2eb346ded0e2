"""Run by the generators' own Python: asks a server with the clients that two of them made, and prints what it got."""

import importlib
import json
import pkgutil
import sys
from types import ModuleType
from typing import Any

import made_by_generator
import made_by_python_client


def import_all(package: ModuleType) -> None:
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        importlib.import_module(module.name)


def by_python_client(url: str, key: str, model_id: str) -> dict[str, Any]:
    from made_by_python_client.api.keys import keys_list
    from made_by_python_client.api.models import models_access, models_catalog, models_list, models_switch
    from made_by_python_client.api.openai import openai_models_list
    from made_by_python_client.models import ModelsCatalogFormat, SwitchesRequest, SwitchRequest

    client = made_by_python_client.AuthenticatedClient(url, key, raise_on_unexpected_status=True)
    one = SwitchRequest(model_id=model_id, is_enabled=True)
    keys = keys_list.sync(client=client)
    found = models_list.sync(client=client, tag=["fast"])
    return {
        "first": openai_models_list.sync(client=client).data[0].id,
        "checks": all(check.ok for check in models_access.sync(client=client, model_id=model_id).checks),
        "keys": [len(keys.items), keys.total],
        "found": [[item.id for item in found.items], found.total],
        "catalog": [item.id for item in models_catalog.sync(client=client).models],
        "picked": [row.slug for row in models_catalog.sync(client=client, format_=ModelsCatalogFormat.CLI)],
        "switched": [models_switch.sync(client=client, body=body).ok for body in (one, SwitchesRequest(updates=[one]))],
    }


def by_generator(url: str, key: str, model_id: str) -> dict[str, Any]:
    configuration = made_by_generator.Configuration(host=url, access_token=key)
    with made_by_generator.ApiClient(configuration) as client:
        models = made_by_generator.ModelsApi(client)
        one = made_by_generator.SwitchRequest(model_id=model_id, is_enabled=True)
        bodies = (one, made_by_generator.SwitchesRequest(updates=[one]))
        keys = made_by_generator.KeysApi(client).keys_list()
        found = models.models_list(tag=["fast"])
        return {
            "first": made_by_generator.OpenaiApi(client).openai_models_list().data[0].id,
            "checks": all(check.ok for check in models.models_access(model_id).checks),
            "keys": [len(keys.items), keys.total],
            "found": [[item.id for item in found.items], found.total],
            "catalog": [item.id for item in models.models_catalog().actual_instance.models],
            "picked": [row.slug for row in models.models_catalog(format="cli").actual_instance],
            "switched": [models.models_switch(made_by_generator.SwitchOrSwitchesRequest(body)).ok for body in bodies],
        }


import_all(made_by_generator)
import_all(made_by_python_client)
print(json.dumps([by_python_client(*sys.argv[1:]), by_generator(*sys.argv[1:])]))
