"""Which place of a resource counts, and what a worker gets.

What the command line names wins over the job's config, which wins over the environment: who starts a worker knows best,
a job says what it needs, and a machine's variables are for jobs that don't say.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from attrs import field, frozen

from bec_core.errors import SettingsError
from bec_core.job import JobType, Resource, ResourceFile
from bec_core.resource_place import ResourcePlace, parse_place
from bec_core.resources.cache import ResourceCache
from bec_core.resources.hashes import file_sha256, folder_sha256


@frozen
class NamedResources:
    """What the command line names: by a resource's name (``--resource``), or by an option of its own.

    A name may say whose it is, where several job types are run: ``ocrv1.model``.
    """

    by_name: Mapping[str, str] = field(factory=dict)
    by_option: Mapping[str, str] = field(factory=dict)

    def check(self, job_types: Iterable[JobType]) -> None:
        """Refuse what none of the job types declares.

        Raises:
            SettingsError: naming it, and what is declared.
        """
        types = list(job_types)
        declared = [resource for one in types for resource in one.resources]
        names = ", ".join(sorted({one.name for one in declared})) or "none"
        whose = " or ".join(one.name for one in types)
        qualified = {f"{one.name}.{resource.name}" for one in types for resource in one.resources}
        for name in self.by_name:
            owners = [one.name for one in types if name in {resource.name for resource in one.resources}]
            if len(owners) > 1:
                choice = " or ".join(f"{owner}.{name}" for owner in owners)
                raise SettingsError(f"--resource {name}: several of the job types have one; say {choice}")
            if not owners and name not in qualified:
                raise SettingsError(
                    f"--resource {name}: {whose} declares no such resource (declared: {names})"
                )
        for option in self.by_option:
            if option not in {one.option for one in declared}:
                raise SettingsError(f"{option} is for another job type, not for {whose}")

    def of(self, job_type: JobType, resource: Resource) -> str | None:
        """The place named for this resource of the job type.

        Raises:
            SettingsError: two places are named.
        """
        named = self.by_name.get(f"{job_type.name}.{resource.name}", self.by_name.get(resource.name))
        by_option = self.by_option.get(resource.option) if resource.option else None
        if named is not None and by_option is not None and named != by_option:
            raise SettingsError(f"--resource {resource.name} and {resource.option} name two places")
        return named if named is not None else by_option


@frozen
class ResourceFinder:
    """Gives workers their resources.

    Attributes:
        cache: where what comes from elsewhere is kept; None: only what lies on this machine can be given.
        named: what the command line says.
        environment: the environment's variables.
    """

    cache: ResourceCache | None = None
    named: NamedResources = field(factory=NamedResources)
    environment: Mapping[str, str] = field(factory=dict, repr=False)

    def find(self, job_type: JobType, in_config: Mapping[str, str] | None) -> dict[str, ResourceFile]:
        """What is given of the resources that the job type declares, found and checked.

        Raises:
            SettingsError: a required one is not given; one is not there, or is another than its hash says.
            StorageError: the service that has it is in trouble.
        """
        found = {}
        for resource in job_type.resources:
            text = self._place_of(job_type, resource, in_config or {})
            if text is not None:
                found[resource.name] = self._get(resource, parse_place(text))
            elif resource.required:
                raise SettingsError(
                    f"job type {job_type.name} needs the resource {resource.name}: {_ways(resource)}"
                )
        return found

    def _place_of(self, job_type: JobType, resource: Resource, in_config: Mapping[str, str]) -> str | None:
        named = self.named.of(job_type, resource)
        if named is not None:
            return named
        if resource.name in in_config:
            return in_config[resource.name]
        return (self.environment.get(resource.environment) or None) if resource.environment else None

    def _get(self, resource: Resource, place: ResourcePlace) -> ResourceFile:
        if place.kind == "path":
            return _on_this_machine(resource, place)
        if self.cache is None:
            raise SettingsError(
                f"resource {resource.name}: {place.location} can't be fetched here: give a path"
            )
        return self.cache.get(resource, place)


def _on_this_machine(resource: Resource, place: ResourcePlace) -> ResourceFile:
    path = place.path
    kind = "folder" if resource.folder else "file"
    if not path.exists():
        raise SettingsError(f"resource {resource.name}: there is no {kind} {path}")
    if path.is_dir() != resource.folder:
        raise SettingsError(f"resource {resource.name}: {path} is not a {kind}")
    try:
        sha256 = folder_sha256(path) if resource.folder else file_sha256(path)
    except OSError as error:
        raise SettingsError(f"resource {resource.name}: {error.filename}: {error.strerror}") from error
    if place.sha256 not in (None, sha256):
        raise SettingsError(f"resource {resource.name}: {path} has the SHA-256 {sha256}, not {place.sha256}")
    return ResourceFile(path, sha256, str(path))


def _ways(resource: Resource) -> str:
    ways = [
        resource.option,
        f"--resource {resource.name}=…",
        f'{{"resources": {{"{resource.name}": "…"}}}} in the config',
        resource.environment,
    ]
    return f"{resource.doc.rstrip('.')}; give it by {', '.join(way for way in ways if way)}"
