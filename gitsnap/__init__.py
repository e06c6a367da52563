"""Git-backed snapshots of Python environments."""

__version__ = "0.1.0"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gitsnap.actions.check import check as check
    from gitsnap.actions.compare import compare as diff
    from gitsnap.actions.environments import environments as environments
    from gitsnap.actions.fetch import fetch as fetch
    from gitsnap.actions.importing import import_files as import_files
    from gitsnap.actions.prune import prune as prune
    from gitsnap.actions.push import push as push
    from gitsnap.actions.restore import restore as restore
    from gitsnap.actions.rollback import rollback as rollback
    from gitsnap.actions.save import freeze as freeze
    from gitsnap.actions.save import save as save
    from gitsnap.actions.show import show as show
    from gitsnap.actions.snapshots import snapshots as snapshots
    from gitsnap.actions.status import status as status
    from gitsnap.actions.tag import tag as tag
    from gitsnap.actions.tag import tags as tags
    from gitsnap.actions.tag import untag as untag
    from gitsnap.errors import GitsnapError as GitsnapError
    from gitsnap.installer import Sources as Sources
    from gitsnap.launch import hook as hook

# Importing gitsnap must stay as cheap as a bare interpreter: the launch path goes through this file.
_PLACES = {
    "GitsnapError": ("gitsnap.errors", "GitsnapError"),
    "Sources": ("gitsnap.installer", "Sources"),
    "check": ("gitsnap.actions.check", "check"),
    "diff": ("gitsnap.actions.compare", "compare"),
    "environments": ("gitsnap.actions.environments", "environments"),
    "fetch": ("gitsnap.actions.fetch", "fetch"),
    "freeze": ("gitsnap.actions.save", "freeze"),
    "hook": ("gitsnap.launch", "hook"),
    "import_files": ("gitsnap.actions.importing", "import_files"),
    "prune": ("gitsnap.actions.prune", "prune"),
    "push": ("gitsnap.actions.push", "push"),
    "restore": ("gitsnap.actions.restore", "restore"),
    "rollback": ("gitsnap.actions.rollback", "rollback"),
    "save": ("gitsnap.actions.save", "save"),
    "show": ("gitsnap.actions.show", "show"),
    "snapshots": ("gitsnap.actions.snapshots", "snapshots"),
    "status": ("gitsnap.actions.status", "status"),
    "tag": ("gitsnap.actions.tag", "tag"),
    "tags": ("gitsnap.actions.tag", "tags"),
    "untag": ("gitsnap.actions.tag", "untag"),
}

__all__ = [  # noqa: PLE0604 - the names are the table's, each a string
    "__version__",
    *_PLACES,
]


def __getattr__(name: str) -> object:
    """Load a public name on its first use (PEP 562)."""
    if name not in _PLACES:
        message = f"module 'gitsnap' has no attribute {name!r}"
        raise AttributeError(message)
    from importlib import import_module

    module, attribute = _PLACES[name]
    return getattr(import_module(module), attribute)


def __dir__() -> list[str]:
    """List the public names."""
    return sorted(__all__)
