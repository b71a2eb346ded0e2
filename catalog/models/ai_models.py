"""AI models: catalog entries and the custom models that users build on them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models, transaction
from django.db.models import Exists, F, OuterRef, Q, Subquery
from django.db.models.functions import JSONObject
from django.utils import timezone

from catalog import capabilities, derived
from catalog.access import rules
from catalog.access.viewers import Viewer
from catalog.db.bulk import batches, update_rows
from catalog.db.fields import ExactCharField, StoredJSON
from catalog.db.functions import JSONArray, as_bool
from catalog.fields import DERIVED_FIELDS, DERIVED_FROM, INHERITED_FIELDS
from catalog.models.tags import Tag
from catalog.validation import aliases, images, model_ids, shapes
from catalog.validation.values import (
    MAX_INTEGER,
    MAX_TEXT,
    validate_line,
    validate_object,
    validate_reasoning_levels,
    validate_supported_parameters,
    validate_text,
    validate_words,
)
from catalog.versions import MOST_NAMED, CatalogVersion

# Wide columns that no item shows.
_UNSHOWN = (
    "upstream", "extras", "notes", "reasoning_levels", "supported_parameters", "pinned_fields", "search_text", "facets",
)  # fmt: skip


class AIModelQuerySet(models.QuerySet["AIModel"]):
    """The vocabulary of reads. Outside the admin every read starts with `visible_to`."""

    def catalog_entries(self) -> AIModelQuerySet:
        return self.filter(kind=AIModel.Kind.CATALOG)

    def custom(self) -> AIModelQuerySet:
        return self.filter(kind=AIModel.Kind.CUSTOM)

    def visible_to(self, viewer: Viewer) -> AIModelQuerySet:
        """What this viewer may see: the rule of catalog/access/rules.py."""
        return self.filter(rules.visible(self.model, viewer))

    def usable_by(self, viewer: Viewer) -> AIModelQuerySet:
        """What this viewer may use: visible, available and enabled."""
        return self.filter(rules.usable(self.model, viewer))

    def findable_by(self, viewer: Viewer) -> AIModelQuerySet:
        """What this viewer finds in the list and by id: what is visible, and inactive custom models they may change."""
        return self.filter(rules.findable(self.model, viewer))

    def writable_by(self, viewer: Viewer) -> AIModelQuerySet:
        """Custom models that this viewer may change."""
        return self.filter(rules.writable(self.model, viewer))

    def enabled_for(self, viewer: Viewer) -> AIModelQuerySet:
        """What is switched on for this viewer, by their own word or by default."""
        return self.filter(rules.enabled(viewer))

    def available(self) -> AIModelQuerySet:
        """What some provider offers now, or staff say is available."""
        return self.filter(rules.available())

    def with_tag_names(self) -> AIModelQuerySet:
        """With the names of each row's tags, as JSON in `shown_tags`."""
        tags = Tag.objects.filter(ai_models=OuterRef("pk")).order_by()
        return self.annotate(shown_tags=Subquery(tags.annotate(names=JSONArray("name")).values("names")))

    def shown_to(self, viewer: Viewer) -> AIModelQuerySet:
        """With all that the item of a row for this viewer is made of, in one statement. It chooses no rows."""
        grants: Any = self.model._meta.get_field("grants").related_model
        grant = JSONObject(
            id="pk", principal_type="principal_type", user="user_id", group="group_id", permission="permission"
        )
        of_model = grants.objects.filter(model=OuterRef("pk")).order_by()
        successors = self.model.objects.filter(model_id=OuterRef("successor")).order_by()
        return (
            self.select_related("owner")
            .defer(*_UNSHOWN)
            .with_tag_names()
            .annotate(
                shown_base=F("base_model__model_id"),
                shown_image=F("image__digest"),
                shown_grants=Subquery(of_model.annotate(all=JSONArray(grant)).values("all")),
                may_write=as_bool(rules.writable(self.model, viewer)),
                sees_base=as_bool(rules.base_visible(self.model, viewer)),
                sees_successor=as_bool(Q(successor__gt="") & Q(Exists(successors.visible_to(viewer)))),
                shown_enabled=as_bool(rules.enabled(viewer)),
            )
        )

    def find(self, viewer: Viewer, model_id: str) -> Any:
        """The one model of this id that the viewer finds, as a row of `shown_to`; None where there is none."""
        return self.shown_to(viewer).findable_by(viewer).filter(model_id=model_id).first()

    def update(self, **values: Any) -> int:
        # bulk_update() comes with what follows already.
        is_source = bool(DERIVED_FROM & set(values)) and not set(DERIVED_FIELDS) <= set(values)
        with transaction.atomic(savepoint=False):
            keys = self.order_by().values_list("pk", flat=True)
            named = list(keys if is_source else keys[: MOST_NAMED + 1])
            if not named:
                return 0
            # Only the rows that the journal names: others may come to match before the statement runs.
            rows = self if len(named) > MOST_NAMED else self.filter(pk__in=named)
            changed = super(AIModelQuerySet, rows).update(**values)
            if is_source:
                derived.refresh(self.model, named)
                derived.refresh_dependents(self.model, named)
            # Lock order: model rows first, then the version row; the reverse deadlocks.
            CatalogVersion.objects.bump(named)
        return changed

    def touch(self, keys: Iterable[int]) -> None:
        """Marks the models of these keys, whose rows the caller's transaction has locked, as changed now."""
        for chunk in batches(keys):
            super(AIModelQuerySet, self.filter(pk__in=chunk)).update(updated_at=timezone.now())
            CatalogVersion.objects.bump(chunk)

    def bulk_create(self, objs: Iterable[Any], *args: Any, **kwargs: Any) -> list[Any]:
        rows = list(objs)
        for row in rows:
            derived.set_derived(row)
        with transaction.atomic(savepoint=False):
            made = super().bulk_create(rows, *args, **kwargs)
            # Rows that were there already have no keys here.
            keys = [row.pk for row in made]
            CatalogVersion.objects.bump(None if None in keys else keys)
        return made

    def bulk_update(self, objs: Iterable[Any], fields: Iterable[str], *args: Any, **kwargs: Any) -> int:
        rows = list(objs)
        for row in rows:
            derived.set_derived(row)
        inherited = INHERITED_FIELDS if any(row.kind == AIModel.Kind.CUSTOM for row in rows) else ()
        names = {*fields, *inherited, *DERIVED_FIELDS}
        with transaction.atomic(savepoint=False):
            update_rows(AIModel, rows, sorted(names))
            derived.refresh_dependents(self.model, [row.pk for row in rows])
            CatalogVersion.objects.bump(row.pk for row in rows)
        return len(rows)


_SIGHT_COLUMNS = (
    "id", "kind", "active", "hidden", "experimental", "requires_feature_flag", "restricted", "owner", "alias_of",
)  # fmt: skip


class AliasTarget(models.ForeignObject):
    """The model whose id an alias names, if there is one: a relation without a column or a constraint of its own."""

    # It follows from another column, so no validation reads it.
    generated = True

    def contribute_to_class(
        self, cls: type[models.Model], name: str, private_only: bool = False, **kwargs: Any
    ) -> None:
        # Private, as generic relations are: for queries, and in no form, migration or copy of the row.
        super().contribute_to_class(cls, name, private_only=True, **kwargs)


def _number(help_text: str) -> Any:
    return models.PositiveIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(MAX_INTEGER)], help_text=help_text
    )


def _flag(help_text: str = "Blank: unknown.") -> Any:
    return models.BooleanField(null=True, blank=True, help_text=help_text)


class AIModel(models.Model):
    """One catalog entry, or a custom model that a user built upon one."""

    class Kind(models.TextChoices):
        CATALOG = "catalog", "Catalog entry"
        CUSTOM = "custom", "Custom model"

    model_id = ExactCharField("model id", max_length=model_ids.MAX_LENGTH, unique=True, validators=[model_ids.validate])
    kind = models.CharField(max_length=8, choices=Kind, default=Kind.CATALOG, editable=False)
    author = ExactCharField(max_length=255, blank=True, editable=False, db_index=True)
    name = models.CharField(max_length=255, validators=[validate_line])

    # What sources say.
    family = models.CharField(max_length=128, blank=True, validators=[validate_line])
    description = models.TextField(blank=True, max_length=MAX_TEXT, validators=[validate_text])
    task = models.CharField(
        max_length=32, blank=True, choices=[(word, word) for word in (*capabilities.TASKS, capabilities.OTHER)]
    )
    context_length = _number("Tokens. Blank: unknown.")
    max_output_tokens = _number("Tokens. Blank: unknown.")
    embedding_dimensions = _number("Numbers in one vector. Blank: unknown, or no embedding model.")
    input_modalities = StoredJSON(default=list, shape=shapes.words, blank=True, validators=[validate_words])
    output_modalities = StoredJSON(default=list, shape=shapes.words, blank=True, validators=[validate_words])
    tokenizer = models.CharField(max_length=64, blank=True, validators=[validate_line])
    instruct_type = models.CharField(max_length=64, blank=True, validators=[validate_line])
    supports_images = _flag()
    supports_audio = _flag()
    supports_video = _flag()
    supports_tools = _flag()
    supports_browser = _flag()
    supports_reasoning = _flag()
    supports_instruct = _flag()
    supports_embeddings = _flag()
    supports_structured_output = _flag()
    supports_parallel_tool_calls = _flag()
    supports_reasoning_summaries = _flag()
    supports_verbosity = _flag()
    default_verbosity = models.CharField(max_length=32, blank=True, validators=[validate_line])
    reasoning_levels = StoredJSON(default=list, shape=shapes.levels, blank=True, validators=[validate_reasoning_levels])
    default_reasoning_level = models.CharField(max_length=32, blank=True, validators=[validate_line])
    prefer_websockets = _flag()
    minimal_client_version = models.CharField(max_length=32, blank=True, validators=[validate_line])
    supported_parameters = StoredJSON(
        default=dict, shape=shapes.parameters, blank=True, validators=[validate_supported_parameters]
    )
    is_moderated = _flag()
    extras = StoredJSON(default=dict, blank=True, validators=[validate_object])
    released_at = models.DateTimeField(null=True, blank=True)
    deprecated_at = models.DateField(null=True, blank=True)
    retires_at = models.DateField(null=True, blank=True)
    knowledge_cutoff = models.DateField(null=True, blank=True)
    alias_of = ExactCharField(max_length=model_ids.MAX_LENGTH, blank=True, validators=[model_ids.validate])
    # An id and no foreign key: a source may name a model before anybody lists it.
    successor = ExactCharField(
        max_length=model_ids.MAX_LENGTH, blank=True, default="", db_default="", validators=[model_ids.validate]
    )
    stands_for: Any = AliasTarget(
        "self",
        on_delete=models.DO_NOTHING,
        from_fields=["alias_of"],
        to_fields=["model_id"],
        related_name="+",
        null=True,
        editable=False,
    )

    # What follows from the providers' offers; written by syncs.
    pricing = StoredJSON(
        default=dict,
        shape=shapes.prices,
        blank=True,
        editable=False,
        help_text="USD per token, of the preferred offer, as decimal text.",
    )
    prompt_price = models.FloatField(
        null=True, editable=False, help_text="USD per million prompt tokens: to filter and to sort by, never to show."
    )
    offered_by = StoredJSON(
        default=list, shape=shapes.words, editable=False, help_text="Slugs of the providers that list it now."
    )
    is_available = models.BooleanField(default=False, editable=False)

    # What people decide.
    active = models.BooleanField(default=True)
    hidden = models.BooleanField(default=False)
    experimental = models.BooleanField(default=False)
    requires_feature_flag = ExactCharField(max_length=100, blank=True)
    restricted = models.BooleanField(
        "only for those granted", default=False, help_text="Without a tick everybody may see it."
    )
    enabled_by_default = models.BooleanField(default=True)
    priority = models.IntegerField(
        default=0, validators=[MinValueValidator(-MAX_INTEGER), MaxValueValidator(MAX_INTEGER)]
    )
    recommended = models.BooleanField(default=False)
    recommendation_note = models.CharField(max_length=255, blank=True, validators=[validate_line])
    supported_in_api = models.BooleanField(default=True)
    always_available = models.BooleanField(default=False, help_text="Available, whatever the providers list.")
    notes = models.TextField(blank=True, max_length=MAX_TEXT, validators=[validate_text])
    tags = models.ManyToManyField(Tag, blank=True, related_name="ai_models")

    # Custom models. An owner who is deleted leaves a custom model without owner, never a catalog entry.
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="custom_models"
    )
    base_model = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.SET_NULL, related_name="custom_models"
    )
    delegated = models.BooleanField(
        default=False, help_text="Those who may read it may use it without sight of its base model."
    )
    params = StoredJSON(default=dict, blank=True, validators=[validate_object])
    meta = StoredJSON(default=dict, blank=True, validators=[validate_object])

    # Provenance.
    manually_updated = models.BooleanField(default=False, editable=False)
    frozen = models.BooleanField("freeze entry", default=False, help_text="No sync changes any field of it.")
    pinned_fields = StoredJSON(default=list, shape=shapes.words, blank=True, editable=False)
    upstream = StoredJSON(
        default=dict,
        shape=shapes.sources,
        editable=False,
        help_text="What the sources say, pinned or not: field -> {value, source, since, stale?}.",
    )
    rich_source = models.BooleanField(default=False, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)
    # When a sync last changed it: one that changes nothing of an entry writes nothing. When a source was last read
    # stands with the source.
    last_synced_at = models.DateTimeField(null=True, blank=True, editable=False)
    # What catalog/derived.py keeps, for lists.
    search_text = models.TextField(editable=False, default="", help_text="Folded: what a search looks through.")
    name_key = ExactCharField(max_length=255, editable=False, default="", help_text="Folded: what lists sort by.")
    facets = models.TextField(editable=False, default="", help_text="A line for each word that a filter may name.")

    objects = AIModelQuerySet.as_manager()

    class Meta:
        verbose_name = "AI model"
        # So that `user.custom_models.add()`, which is an update, is one of the queryset above.
        base_manager_name = "objects"
        ordering = ("-priority", "model_id")
        permissions = (("view_as", "Can see the lists of another user or key"),)
        constraints = (
            models.CheckConstraint(
                name="catalog_entry_has_no_owner_or_base",
                condition=Q(kind="custom") | Q(owner=None, base_model=None),
                violation_error_message="A catalog entry has neither an owner nor a base model.",
            ),
            models.CheckConstraint(name="aimodel_kind_known", condition=Q(kind__in=("catalog", "custom"))),
            models.CheckConstraint(name="aimodel_not_its_own_base", condition=~Q(base_model=F("id"))),
            models.CheckConstraint(name="aimodel_id_not_empty", condition=~Q(model_id="")),
            *(
                models.CheckConstraint(
                    name=f"aimodel_{field}_positive",
                    condition=Q(**{field: None}) | Q(**{f"{field}__gte": 1, f"{field}__lte": MAX_INTEGER}),
                )
                for field in ("context_length", "max_output_tokens", "embedding_dimensions")
            ),
        )
        indexes = (
            models.Index(F("priority").desc(), F("model_id"), name="aimodel_rank"),
            # With all that decides whether a viewer sees a row, so that a deep page reads the index alone (PostgreSQL).
            models.Index(fields=("created_at", "model_id"), name="aimodel_created", include=_SIGHT_COLUMNS),
            models.Index(F("updated_at"), F("model_id"), name="aimodel_updated"),
            models.Index(F("name_key"), F("model_id"), name="aimodel_name"),
            models.Index(F("prompt_price"), F("model_id"), name="aimodel_price"),
            models.Index(F("context_length"), F("model_id"), name="aimodel_context"),
            # Few of many are aliases: the condition on what they stand for looks at these alone.
            models.Index(fields=("alias_of",), name="aimodel_alias", condition=Q(alias_of__gt=""), include=("id",)),
            # Few of many are custom models: the conditions on base models look at these alone.
            models.Index(
                fields=("base_model", "owner"),
                name="aimodel_custom",
                condition=Q(kind="custom"),
                include=("id", "delegated"),
            ),
        )

    def __str__(self) -> str:
        return self.model_id

    def save(self, *args: Any, **kwargs: Any) -> None:
        is_new = self._state.adding
        derived.set_derived(self)
        if (fields := kwargs.get("update_fields")) is not None:
            inherited = INHERITED_FIELDS if self.kind == self.Kind.CUSTOM else ()
            kwargs["update_fields"] = {*fields, *inherited, *DERIVED_FIELDS}
        with transaction.atomic(savepoint=False):
            super().save(*args, **kwargs)
            if not is_new:
                derived.refresh_dependents(AIModel, [self.pk])

    def clean(self) -> None:
        itself = {
            "alias_of": "A model is no alias of itself. Blank: it is no alias.",
            "successor": "No model replaces itself. Blank: none is known.",
        }
        for field, sentence in itself.items():
            if self.model_id and getattr(self, field) == self.model_id:
                raise ValidationError({field: sentence}, code="circle")
        self._check_alias()
        self._check_picture()
        self._check_chain()

    def _check_alias(self) -> None:
        """Refuses what would make an alias that nobody sees, unless it is stored already or a source says it."""
        said = self.upstream.get("alias_of") or {}
        if not self.alias_of or self.kind != self.Kind.CATALOG or self.alias_of == said.get("value"):
            return
        entries = AIModel.objects.catalog_entries()
        if not entries.filter(pk=self.pk, alias_of=self.alias_of).exists() and (
            problem := aliases.problem_of_entry(entries, self.model_id, self.alias_of, rules.MAX_ALIASES)
        ):
            raise ValidationError({"alias_of": problem}, code="no_target")

    def _check_picture(self) -> None:
        """Refuses a link that would do something else where it is shown, whoever typed it."""
        try:
            images.check(self.meta)
        except ValidationError as error:
            raise ValidationError({"meta": error.messages}, code=error.code) from error

    def _check_chain(self) -> None:
        """Refuses a base model that would close a circle or make the chain of custom models too long."""
        if self.base_model is None:
            return
        chain = [self.base_model]
        while (base := chain[-1].base_model) is not None and len(chain) < rules.MAX_CHAIN:
            chain.append(base)
        if self.pk is not None and self.pk in (link.pk for link in chain):
            raise ValidationError({"base_model": "A custom model cannot be built on itself."}, code="circle")
        above, upon = 0, [self.pk] if self.pk is not None else []
        while above < rules.MAX_CHAIN:
            upon = list(AIModel.objects.filter(base_model__in=upon).values_list("pk", flat=True))
            if not upon:
                break
            above += 1
        if above + 1 + len(chain) > rules.MAX_CHAIN:
            most = f"A chain of custom models and their catalog entry has at most {rules.MAX_CHAIN} links."
            raise ValidationError({"base_model": most}, code="chain_too_long")

    @property
    def status(self) -> str:
        """`init`, `filled` or `updated`, as in the catalog's public API."""
        if self.manually_updated:
            return "updated"
        return "filled" if self.rich_source else "init"

    @property
    def capabilities(self) -> list[str]:
        """What it is and can do, as the words of the public API."""
        return capabilities.words_of(self)


class CustomModel(AIModel):
    """Custom models as a noun of their own, for the admin: other staff may change them than catalog entries."""

    class Meta:
        proxy = True
        verbose_name = "custom model"
