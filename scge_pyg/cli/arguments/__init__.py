"""What each subcommand takes, in files that import nothing heavy."""

__all__: list[str] = []
