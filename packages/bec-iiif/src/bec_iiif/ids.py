"""A volume's ids, made of its manifest's URL: the same every time, and such that a person knows what they see."""

from __future__ import annotations

import hashlib
import re
from urllib.parse import unquote, urlsplit

from bec_core import VolumeRef, stable_id

SOURCE = "iiif"

_GENERIC = re.compile(
    r"(?i)(manifests?|info|collections?|top|sequence|normal|iiif|i3f|api|image|images|presentation|prezi|metadata|"
    r"object|items?|id|ark:?|v?\d(\.\d)*)?(\.(json|jsonld|xml|php))?"
)
"""Parts of a path that say of no volume which it is."""


def volume_of(url: str) -> VolumeRef:
    """The volume that the manifest at a normal URL is.

    ``w_id`` is its host; ``i_id`` the last part of its path that says something, and a hash of the URL, because what
    is readable need not be unique: ``gallica.bnf.fr``, ``btv1b8449691v-2f6c1c0e``.
    """
    parts = urlsplit(url)
    words = [unquote(word) for word in parts.path.split("/")]
    telling = next((word for word in reversed(words) if not _GENERIC.fullmatch(word)), "manifest")
    readable = re.sub(r"[^A-Za-z0-9._-]+", "-", telling)[:64]
    digest = hashlib.sha256(url.encode()).hexdigest()[:8]
    i_id = re.sub(r"([.-])\1+", r"\1", f"{readable}-{digest}").strip("._-")
    return VolumeRef(stable_id(parts.netloc.replace(":", "-")), i_id, f"{SOURCE}:{url}")
