"""Writes the catalog of the benchmark, and prints API keys: for all models, for fifty, with limits, 16 more for fifty."""

import random
import sys

import django

django.setup()

from django.contrib.auth import get_user_model  # noqa: E402 - after setup()

from apikeys import keys  # noqa: E402
from apikeys.policy import KeyPolicy  # noqa: E402
from catalog.editing.history import Author  # noqa: E402
from catalog.models import AIModel, Tag  # noqa: E402
from preferences.models import ModelPreference  # noqa: E402

WORDS = ("reads", "long", "documents", "writes", "code", "answers", "in", "many", "languages", "and", "calls", "tools")


def fill(count: int) -> list[str]:
    chance = random.Random(7)
    rows = AIModel.objects.bulk_create(
        AIModel(
            model_id=f"author{n % 40}/model-{n}",
            name=f"Model {n}",
            is_available=True,
            description=" ".join(chance.choices(WORDS, k=50)),
            context_length=chance.choice([8192, 32768, 131072, 1_000_000]),
            max_output_tokens=8192,
            input_modalities=["text", "image"] if n % 3 else ["text"],
            output_modalities=["text"],
            supports_images=bool(n % 3),
            supports_tools=True,
            supports_reasoning=not n % 4,
            reasoning_levels=[{"effort": "low", "description": "Sooner."}, {"effort": "high", "description": "Better."}]
            if not n % 4
            else [],
            supported_parameters={"names": ["temperature", "top_p", "max_tokens", "tools", "stop"]},
            pricing={"prompt": "0.0000025", "completion": "0.00001"},
            priority=n % 5,
        )
        for n in range(count)
    )
    tag = Tag.named(["bench"])[0]
    for row in rows[::4]:
        row.tags.add(tag)
    user = get_user_model().objects.create_user("bench")
    for row in rows[:50]:
        ModelPreference.objects.create(user=user, model=row, is_enabled=True)
    actor = keys.Actor(Author.person(user))
    narrow = KeyPolicy("allow_list", tuple(row.model_id for row in rows[:50]))
    return [
        keys.create(user, {"name": "all"}, KeyPolicy("all"), actor).token,
        keys.create(user, {"name": "fifty"}, narrow, actor).token,
        keys.create(user, {"name": "limited", "per_day": 100_000_000}, KeyPolicy("all"), actor).token,
        *(keys.create(user, {"name": f"fifty {n}"}, narrow, actor).token for n in range(16)),
    ]


if __name__ == "__main__":
    print(*fill(int(sys.argv[1])))
