"""Serves schemas of any class to Hydra: `/schema@_here_: package.module.Class` in the defaults of a YAML.

Hydra takes config sources from the package `hydra_plugins` only.
"""

from __future__ import annotations

from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.object_type import ObjectType
from hydra.plugins.config_source import ConfigLoadError, ConfigResult, ConfigSource
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import OmegaConf

from ntp.config.schema import instance_or_options
from ntp.errors import ConfigError

_GROUP = "schema/"
_SUFFIX = ".yaml"


class SchemaSource(ConfigSource):
    """Answers `schema/package.module.Class` with the options that the class declares."""

    @staticmethod
    def scheme() -> str:
        """The scheme of its URL in Hydra's search path."""
        return "ntp-schema"

    def load_config(self, config_path: str) -> ConfigResult:
        """The structured config of a class.

        Raises:
            ConfigLoadError: There is no such class, or one of its defaults is no plain value.
        """
        target = self._target(config_path)
        assert target is not None
        try:
            node = OmegaConf.structured(instance_or_options(target))
        except ConfigError as error:
            raise ConfigLoadError(str(error)) from error
        return ConfigResult(provider=self.provider, path=self.path, config=node, header={"package": None})

    def available(self) -> bool:
        """Always."""
        return True

    def is_group(self, config_path: str) -> bool:
        """Whether the path is the group of schemas."""
        return config_path.strip("/") == _GROUP.strip("/")

    def is_config(self, config_path: str) -> bool:
        """Whether the path names a class."""
        return self._target(config_path) is not None

    def list(self, config_path: str, results_filter: ObjectType | None) -> list[str]:  # noqa: ARG002
        """Nothing: any class can be named, and none is a choice of the user."""
        return []

    @staticmethod
    def _target(config_path: str) -> str | None:
        target = config_path.strip("/").removesuffix(_SUFFIX)
        return target.removeprefix(_GROUP) if target.startswith(_GROUP) else None


class SchemaSearchPath(SearchPathPlugin):
    """Adds the source to Hydra's search path."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Append it."""
        search_path.append(provider="ntp", path=f"{SchemaSource.scheme()}://")
