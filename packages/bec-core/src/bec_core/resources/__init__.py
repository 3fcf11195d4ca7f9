"""Resources: the files and folders that workers need beside the pages, found, fetched once a machine, and checked.

``finding`` decides which place counts and gives a worker what its job type declares; ``cache`` keeps what came from
elsewhere, by its hash; ``fetch`` gets it; ``hashes`` says what a file's and a folder's hash is.
"""

from bec_core.resources.cache import ResourceCache
from bec_core.resources.finding import NamedResources, ResourceFinder
from bec_core.resources.hashes import file_sha256, folder_sha256

__all__ = ["NamedResources", "ResourceCache", "ResourceFinder", "file_sha256", "folder_sha256"]
