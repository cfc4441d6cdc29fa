"""All repairs by name, in the order in which they are tried."""

from __future__ import annotations

from collections.abc import Iterable

from ntp.errors import ConfigError
from ntp.search.repair.application import Misfit
from ntp.search.repair.base import Repair
from ntp.search.repair.bullets import Bullets
from ntp.search.repair.closing import Closing
from ntp.search.repair.names import NameInUse
from ntp.search.repair.references import UnknownReference

REPAIRS: dict[str, Repair] = {
    repair.name: repair for repair in (UnknownReference(), NameInUse(), Bullets(), Misfit(), Closing())
}


def repairs_named(names: Iterable[str] | None) -> tuple[Repair, ...]:
    """Repairs in the order of the catalogue; all of them for None.

    Raises:
        ConfigError: A name is unknown.
    """
    wanted = list(REPAIRS if names is None else names)
    for name in wanted:
        if name not in REPAIRS:
            raise ConfigError(
                f"search.whole_proof.repairs: there is no {name}; choose some of {', '.join(REPAIRS)}"
            )
    return tuple(repair for name, repair in REPAIRS.items() if name in wanted)
