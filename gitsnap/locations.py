"""Where gitsnap keeps things: default folders, and the hook scripts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

APP = "gitsnap"


def config_path(variables: Mapping[str, str]) -> Path:
    """Return the user's config path: `GITSNAP_HOME`, else what the system says."""
    if home := variables.get("GITSNAP_HOME"):
        return Path(home).expanduser().absolute()
    import platformdirs

    return platformdirs.user_config_path(APP, appauthor=False)


def state_path(variables: Mapping[str, str]) -> Path:
    """Return the state path: deletable things, apart from the config path on every system."""
    config = config_path(variables)
    if variables.get("GITSNAP_HOME"):
        return config / "state"
    import platformdirs

    state = platformdirs.user_state_path(APP, appauthor=False)
    return config / "state" if state == config else state


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
