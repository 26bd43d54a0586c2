"""offtake: data export from your databases to files people can trust."""

__version__ = "0.1.0"
