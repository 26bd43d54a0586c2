"""Sample data of five systems for two tenants, and what `offtake demo` needs to serve it."""

from offtake.demo.banner import banner
from offtake.demo.home import prepare

__all__ = ["banner", "prepare"]
