"""Recipes: a hash of all that is known before the work and can change its result."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import attrs
from attrs import frozen

from bec_core.job import Ingredients, JobType


@frozen
class Recipe:
    """By what results are made; ``hash``: the first 16 hex digits of the SHA-256 of ``contents`` as canonical JSON."""

    hash: str
    contents: Mapping[str, Any]


def recipe_of(job_type: JobType, config: Any, ingredients: Ingredients) -> Recipe:
    """The recipe of a job as it is loaded.

    Args:
        job_type: its name, and the version of its *results* (not the plugin's, which changes with every release).
        config: the config as the plugin's class, defaults included; fields declared with ``results=False`` (batch
            sizes, threads) are left out, and so is what belongs to the runtime.
        ingredients: the resources' SHA-256 and the arithmetic that the built worker really uses.
    """
    fields = {
        attribute.name: getattr(config, attribute.name)
        for attribute in attrs.fields(type(config))
        if attribute.metadata.get("results", True)
    }
    contents = {
        "job_type": job_type.name,
        "results_version": job_type.results_version,
        "config": fields,
        "resources": dict(ingredients.resources),
        "arithmetic": ingredients.arithmetic,
    }
    text = json.dumps(contents, sort_keys=True, ensure_ascii=False, default=str, separators=(",", ":"))
    return Recipe(hashlib.sha256(text.encode()).hexdigest()[:16], json.loads(text))
