"""What a job publishes: where it lies, what its marker says, by what recipe it was made, how it is written.

Above the stores, below worker and admin. ``place`` knows the folders, ``marker`` reads ``success.json``, ``recipe``
hashes what is known before the work, ``stream`` takes a large artifact, ``publish`` writes, ``damage`` compares with
what lies there, ``probe`` tries whether a store can be written safely, ``finished`` is what reports read, ``inputs``
reads another job's results, ``remember`` lets the database say what a marker says.
"""

from bec_core.artifacts.damage import Damage, damage_of, intact
from bec_core.artifacts.finished import FinishedVolume
from bec_core.artifacts.inputs import ReadyInput
from bec_core.artifacts.marker import Marker, owner_of, parse_marker
from bec_core.artifacts.place import TaskFolder
from bec_core.artifacts.probe import StoreUnfit, probe
from bec_core.artifacts.publish import artifact_of, write_artifacts, write_marker
from bec_core.artifacts.recipe import Recipe, recipe_of
from bec_core.artifacts.remember import Remembered, remember
from bec_core.artifacts.stream import ArtifactStream
from bec_core.models import MARKER_NAME

__all__ = [
    "MARKER_NAME",
    "ArtifactStream",
    "Damage",
    "FinishedVolume",
    "Marker",
    "ReadyInput",
    "Recipe",
    "Remembered",
    "StoreUnfit",
    "TaskFolder",
    "artifact_of",
    "damage_of",
    "intact",
    "owner_of",
    "parse_marker",
    "probe",
    "recipe_of",
    "remember",
    "write_artifacts",
    "write_marker",
]
