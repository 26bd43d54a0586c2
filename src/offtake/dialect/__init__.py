"""The export APIs of five products, as their clients know them. One line an API; none knows another."""

from offtake.dialect import altafid, camunda, exelensia, optimaite, rebilly
from offtake.web.entrypoint import Entrypoint

ENTRYPOINTS: tuple[Entrypoint, ...] = (
    altafid.ENTRYPOINT,
    camunda.ENTRYPOINT,
    exelensia.ENTRYPOINT,
    optimaite.ENTRYPOINT,
    rebilly.ENTRYPOINT,
)
