"""The one place that holds versions: the package's, which pyproject.toml reads, and the wire's."""

__version__ = "0.1.0"
PROTOCOL = 1
