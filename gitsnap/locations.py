"""Where gitsnap keeps things: default folders, and the hook scripts."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from gitsnap.errors import ConfigError

APP = "gitsnap"


def config_path(variables: Mapping[str, str]) -> Path:
    """Return the user's config path: `GITSNAP_HOME`, else what the system says. Raises ConfigError."""
    if home := variables.get("GITSNAP_HOME"):
        return _absolute(lambda: Path(os.path.expanduser(home)))
    import platformdirs

    return _absolute(lambda: platformdirs.user_config_path(APP, appauthor=False))


def state_path(variables: Mapping[str, str]) -> Path:
    """Return the state path: deletable things, apart from the config path on every system."""
    config = config_path(variables)
    if variables.get("GITSNAP_HOME"):
        return config / "state"
    import platformdirs

    state = _absolute(lambda: platformdirs.user_state_path(APP, appauthor=False))
    return config / "state" if state == config else state


def _absolute(find: Callable[[], Path]) -> Path:
    """Return the path that *find* finds, unless it would be another in every working folder."""
    try:
        path = find()
    except RuntimeError:
        path = Path("~")
    if not path.is_absolute():
        raise ConfigError(
            f"there is no telling where gitsnap's files belong: `{path}` is not absolute",
            hint="set HOME, or GITSNAP_HOME, to the absolute path of a folder",
        )
    return path


def config_files(variables: Mapping[str, str]) -> tuple[Path, Path]:
    """Return the system's configuration file and the user's; either may not exist."""
    import platformdirs

    system = platformdirs.site_config_path(APP, appauthor=False) / "config.toml"
    return system, config_path(variables) / "config.toml"


def hook_scripts() -> Path:
    """Return the folder of hook scripts: in the wheel, or in a checkout beside the package."""
    package = Path(__file__).parent
    packaged = package / "hooks"
    return packaged if packaged.is_dir() else package.parent / "hooks"
