"""
Kill -9 at random moments: what was acknowledged is there, and nothing half-written is.

    python -m tests.drills.crash --rounds 20

In each round a process of ours syncs, edits entries, switches models and offers, and makes and revokes keys, in a loop,
until it is killed; then the database is held to what it acknowledged. The seed gives the acts and how long the process
lives: a broken promise is told with its seed and round, and `--seed` and `--round` begin there again.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import django

import tests.environment  # noqa: F401 - the settings of the tests

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from django.contrib.auth import get_user_model  # noqa: E402 - after setup()
from django.core.management import call_command  # noqa: E402
from django.db import connection, connections, transaction  # noqa: E402
from django.utils import timezone  # noqa: E402

from apikeys import keys  # noqa: E402
from apikeys.models import ApiKey  # noqa: E402
from apikeys.policy import KeyPolicy  # noqa: E402
from catalog import derived  # noqa: E402
from catalog.editing import bulk, entries  # noqa: E402
from catalog.editing.history import Author  # noqa: E402
from catalog.fields import DERIVED_FIELDS, INHERITED_FIELDS  # noqa: E402
from catalog.models import AIModel, AuditEntry, CatalogChange, CatalogVersion, FieldChange  # noqa: E402
from providers.models import Provider, ProviderModel, SyncRun  # noqa: E402
from providers.offers import bulk as offers  # noqa: E402
from providers.sync import run as sync  # noqa: E402
from providers.sync.merge import Merger  # noqa: E402
from providers.sync.plan import merge_entries  # noqa: E402
from tests.feeds import feed, record, saved  # noqa: E402

IDS = [f"acme/m{number:02}" for number in range(24)]
# Models that a listing may lack: fewer than would be held.
MOST_GONE = 4
# Rounds after which history and keys are thrown away, so that a round takes as long as the one before.
TIDY = 25


@dataclass
class World:
    """What the database should say."""

    listed: dict[str, bool] = field(default_factory=lambda: dict.fromkeys(IDS, True))
    prices: dict[str, str] = field(default_factory=dict)
    offered: dict[str, bool] = field(default_factory=lambda: dict.fromkeys(IDS, True))
    names: dict[str, str] = field(default_factory=lambda: {one: one.rpartition("/")[2] for one in IDS})
    priorities: dict[str, int] = field(default_factory=lambda: dict.fromkeys(IDS, 0))
    active: dict[str, bool] = field(default_factory=lambda: dict.fromkeys(IDS, True))
    # A key's name, and whether it is revoked.
    keys: dict[str, bool] = field(default_factory=dict)

    def facts(self) -> dict[str, Any]:
        """As `observed` reads them."""
        rows = {}
        for one in IDS:
            available = self.listed[one] and self.offered[one]
            price = self.prices[one] if available else None
            rows[one] = (self.names[one], self.priorities[one], self.active[one], available, price)
        offered = {one: (self.listed[one], self.prices[one], self.offered[one]) for one in IDS}
        made = Counter({"create": len(self.keys), "revoke": sum(self.keys.values())})
        return {"entries": rows, "offers": offered, "keys": self.keys, "audit": +made}


def observed() -> dict[str, Any]:
    columns = ("model_id", "name", "priority", "active", "is_available", "pricing")
    rows = {
        one: (*rest, available, pricing.get("prompt") if available else None)
        for one, *rest, available, pricing in AIModel.objects.catalog_entries().values_list(*columns)
    }
    offered = {
        one: (is_listed, pricing.get("prompt"), active)
        for one, is_listed, pricing, active in ProviderModel.objects.values_list(
            "upstream_id", "is_listed", "pricing", "active"
        )
    }
    made = {key.name: key.revoked_at is not None for key in ApiKey.objects.all()}
    audit = Counter(AuditEntry.objects.filter(subject_type="apikey").values_list("action", flat=True))
    return {"entries": rows, "offers": offered, "keys": made, "audit": audit}


@dataclass
class Act:
    """Something that a process of ours does: `do` returns what it acknowledges beyond that it is done."""

    kind: str
    do: Callable[[], Any]
    apply: Callable[[World], Any]


class Acts:
    """What may be done, chosen by chance: the same chance in the same world gives the same acts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.author = Author.person(get_user_model().objects.get(username="ops"))
        self.actor = keys.Actor(self.author, is_staff=True)

    def choose(self, chance: random.Random, world: World) -> Act:
        kinds = [self.sync, self.edit, self.switch, self.switch_offers, self.make_key]
        alive = [name for name, revoked in world.keys.items() if not revoked]
        return chance.choice([*kinds, self.revoke] if alive else kinds)(chance, world)

    def sync(self, chance: random.Random, world: World) -> Act:
        gone = set(chance.sample(IDS, chance.randint(0, MOST_GONE)))
        prices = {one: f"0.00000{chance.randint(1000, 1999)}" for one in IDS if one not in gone}
        return Act("sync", lambda: self.synced(prices), lambda world: self.listing(world, prices))

    def synced(self, prices: dict[str, str]) -> None:
        answer = feed([record(one, prompt=price) for one, price in prices.items()])
        outcome = sync.sync(Provider.objects.get(), path=saved(self.folder, answer), allow_shrink=True)
        assert outcome.state == "ok", outcome

    @staticmethod
    def listing(world: World, prices: dict[str, str]) -> None:
        world.listed = {one: one in prices for one in IDS}
        world.prices |= {one: price.rstrip("0") for one, price in prices.items()}

    def edit(self, chance: random.Random, world: World) -> Act:
        one, name, priority = chance.choice(IDS), f"By hand {chance.random()}", chance.randint(1, 10**6)

        def apply(world: World) -> None:
            world.names[one], world.priorities[one] = name, priority

        def do() -> None:
            entries.edit(AIModel.objects.get(model_id=one), {"name": name, "priority": priority}, self.author)

        return Act("edit", do, apply)

    def switch(self, chance: random.Random, world: World) -> Act:
        chosen, to = chance.sample(IDS, 8), chance.random() < 0.7
        rows = AIModel.objects.filter(model_id__in=chosen)
        return Act(
            "switch models",
            lambda: bulk.switch(rows, "active", to, self.author),
            lambda world: world.active.update(dict.fromkeys(chosen, to)),
        )

    def switch_offers(self, chance: random.Random, world: World) -> Act:
        chosen, to = chance.sample(IDS, 8), chance.random() < 0.7
        rows = ProviderModel.objects.filter(upstream_id__in=chosen)
        return Act(
            "switch offers",
            lambda: offers.switch_these(list(rows.values_list("pk", flat=True)), to, self.author),
            lambda world: world.offered.update(dict.fromkeys(chosen, to)),
        )

    def make_key(self, chance: random.Random, world: World) -> Act:
        name, owner = f"key {chance.random()}", self.author.user
        return Act(
            "make a key",
            lambda: keys.create(owner, {"name": name}, KeyPolicy("all"), self.actor).key.secret_hash,
            lambda world: world.keys.update({name: False}),
        )

    def revoke(self, chance: random.Random, world: World) -> Act:
        name = chance.choice(sorted(name for name, revoked in world.keys.items() if not revoked))
        return Act(
            "revoke a key",
            lambda: keys.revoke(ApiKey.objects.get(name=name), self.actor),
            lambda world: world.keys.update({name: True}),
        )


def worker(acts: Acts, chance: random.Random, world: World, to: int, parent: int) -> None:
    """Until it is killed: acts, each acknowledged by a line. It ends where nobody is left who would kill it."""
    while os.getppid() == parent:
        act = acts.choose(chance, world)
        answer = act.do()
        act.apply(world)
        said = {"version": CatalogVersion.objects.current(), "hash": answer if act.kind == "make a key" else None}
        os.write(to, (json.dumps(said) + "\n").encode())


def killed(acts: Acts, seed: str, world: World, seconds: float) -> list[dict[str, Any]]:
    """What a process acknowledged that was killed after so long."""
    connections.close_all()
    parent, (read, write) = os.getpid(), os.pipe()
    child = os.fork()
    if not child:
        try:
            os.close(read)
            worker(acts, random.Random(seed), world, write, parent)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)
    os.close(write)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    with os.fdopen(read) as lines:
        said = [json.loads(line) for line in lines]
    assert os.WIFSIGNALED(status), "the process ended by itself"
    if connection.vendor == "postgresql":
        # What it had sent is still done, a COMMIT too.
        others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        deadline = time.monotonic() + 10
        while one_value(others):
            assert time.monotonic() < deadline, "the killed process still has a connection"
            time.sleep(0.005)
    return said


def one_value(statement: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone()[0]


def replayed(acts: Acts, seed: str, world: World, said: list[dict[str, Any]]) -> tuple[World, World, str]:
    """The world after what was acknowledged; that with the act that ran when the kill came; and the kind of that act."""
    chance, before = random.Random(seed), deepcopy(world)
    for _ in said:
        acts.choose(chance, before).apply(before)
    last = acts.choose(chance, before)
    after = deepcopy(before)
    last.apply(after)
    return before, after, last.kind


def difference(seen: dict[str, Any], facts: dict[str, Any]) -> list[str]:
    return [
        f"{kind} {name}: {seen[kind].get(name)}, not {facts[kind].get(name)}"
        for kind in facts
        for name in sorted({*facts[kind], *seen[kind]})
        if facts[kind].get(name) != seen[kind].get(name)
    ]


def check_rows() -> None:
    """What must hold of the rows whatever was done."""
    for row in AIModel.objects.select_related("base_model", "owner"):
        names = (*DERIVED_FIELDS, *INHERITED_FIELDS)
        stored = [getattr(row, name) for name in names]
        derived.set_derived(row)
        assert stored == [getattr(row, name) for name in names], f"{row} is not as a fresh save makes it"
    with transaction.atomic():
        merged = merge_entries(
            AIModel.objects.catalog_entries().values_list("pk", flat=True), Merger.from_database(timezone.now())
        )
    assert not merged.entries, f"not as their offers make them: {merged.entries}"
    connection.check_constraints()
    homeless = ProviderModel.objects.exclude(provider__in=Provider.objects.all()) | ProviderModel.objects.filter(
        model=None
    )
    assert not homeless.exists(), "an offer is without its provider or its entry"
    unfinished = SyncRun.objects.exclude(state="ok").values("pk")
    assert not FieldChange.objects.filter(run_id__in=unfinished).exists(), "a run that did not end has written"
    last = dict(FieldChange.objects.filter(offered_by="", field="name").order_by("pk").values_list("subject", "new"))
    for model_id, name in AIModel.objects.filter(manually_updated=True).values_list("model_id", "name"):
        assert last.get(model_id) == name, (
            f"{model_id}: history ends with the name {last.get(model_id)!r}, not {name!r}"
        )


def check_version(least: int) -> None:
    number = CatalogVersion.objects.current()
    assert number >= least, f"the version went from {least} to {number}"
    journal = list(CatalogChange.objects.order_by("version"))
    assert journal[-1].version == number, "the journal does not end with the version"
    assert all(after.previous == before.version for before, after in pairwise(journal)), "the journal has a gap"


def check_syncs(acts: Acts, chance: random.Random, world: World) -> None:
    """A sync after it succeeds and leaves no run open; the same again changes nothing."""
    prices = {one: f"0.00000{chance.randint(1000, 1999)}" for one in IDS}
    acts.synced(prices)
    acts.listing(world, prices)
    assert not difference(observed(), world.facts()), difference(observed(), world.facts())[:5]
    assert set(SyncRun.objects.values_list("state", flat=True)) <= {"ok", "interrupted"}
    before = (
        CatalogVersion.objects.current(),
        FieldChange.objects.count(),
        list(AIModel.objects.order_by("pk").values()),
    )
    acts.synced(prices)
    after = CatalogVersion.objects.current(), FieldChange.objects.count(), list(AIModel.objects.order_by("pk").values())
    assert before == after, "the same sync again changed something"


def one_round(acts: Acts, seed: str, world: World, span: float) -> tuple[World, str, int]:
    """The world after it; what the process was at, and whether that is done; and how much it had acknowledged."""
    chance = random.Random(f"{seed}, its end")
    version = CatalogVersion.objects.current()
    said = killed(acts, seed, deepcopy(world), span * chance.random())
    before, after, kind = replayed(acts, seed, world, said)
    seen = observed()
    lost, half = difference(seen, before.facts()), difference(seen, after.facts())
    assert not lost or not half, f"killed at {kind}, after {len(said)}: lost {lost[:5]}, or half-written {half[:5]}"
    check_version(max([version, *(line["version"] for line in said)]))
    hashes = {line["hash"] for line in said if line["hash"]}
    assert hashes <= set(ApiKey.objects.values_list("secret_hash", flat=True)), "an acknowledged key does not open"
    assert SyncRun.objects.filter(state="running").count() <= 1
    check_rows()
    world = after if lost else before
    check_syncs(acts, chance, world)
    return world, f"{kind}, {'done' if lost else 'not done'}", len(said)


def tidy(world: World) -> None:
    call_command("prune", runs=timedelta(0), audit=timedelta(0), verbosity=0, stdout=open(os.devnull, "w"))  # noqa: SIM115
    ApiKey.objects.all().delete()
    AuditEntry.objects.all().delete()
    world.keys.clear()


def prepared(folder: Path) -> tuple[Acts, World, float]:
    """A filled database, what it holds, and how long a process may live: that of some acts."""
    call_command("migrate", verbosity=0)
    get_user_model().objects.create_user("ops", is_staff=True, is_superuser=True)
    Provider.objects.create(slug="openrouter", kind="openrouter", name="OpenRouter")
    acts, world, chance = Acts(folder), World(), random.Random(0)
    check_syncs(acts, chance, world)
    for number, base in enumerate(AIModel.objects.filter(model_id__in=IDS[:5])):
        AIModel.objects.create(
            model_id=f"mine{number}", name="Mine", kind="custom", owner=acts.author.user, base_model=base
        )
    began = time.monotonic()
    for _ in range(8):
        act = acts.choose(chance, world)
        act.do()
        act.apply(world)
    return acts, world, time.monotonic() - began


def drilled(asked: argparse.Namespace) -> bool:
    fates: Counter[str] = Counter()
    acknowledged, number = 0, asked.round
    with tempfile.TemporaryDirectory(prefix="modeldex-crash-") as name:
        acts, world, span = prepared(Path(name))
        began = time.monotonic()
        while number < asked.round + asked.rounds and time.monotonic() - began < asked.seconds:
            try:
                world, fate, done = one_round(acts, f"{asked.seed}:{number}", world, span)
            except Exception as error:
                if not isinstance(error, AssertionError):
                    traceback.print_exc()
                print(f"Broken on {connection.vendor}, seed {asked.seed}, round {number}: {error or type(error)}")
                return False
            fates[fate] += 1
            acknowledged += done
            number += 1
            if number % TIDY == 0:
                tidy(world)
    rounds, took = number - asked.round, time.monotonic() - began
    print(
        f"{connection.vendor}: {rounds} rounds in {took:.0f} s, seed {asked.seed}; {acknowledged} acts acknowledged, none lost."
    )
    print(
        f"{connection.vendor}: killed at " + "; ".join(f"{fate} {count}" for fate, count in sorted(fates.items())),
        flush=True,
    )
    return True


def main() -> None:
    # A terminated drill leaves through the context managers too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=3600, help="at most, on each database")
    parser.add_argument("--databases", default="sqlite,postgresql")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--round", type=int, default=0, help="to begin with")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.here:
        sys.exit(not drilled(asked))
    print(f"Seed {asked.seed}.", flush=True)
    # Settings are of one process: each database has one of its own.
    command = [sys.executable, "-m", "tests.drills.crash", *sys.argv[1:], "--here", "--seed", str(asked.seed)]
    codes = [
        subprocess.run(command, env=os.environ | {"TEST_DATABASE": name}).returncode
        for name in asked.databases.split(",")
    ]
    sys.exit(any(codes))


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main()
