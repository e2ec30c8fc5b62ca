"""What can be set: frozen dataclasses without torch, of which the command line and a run's configuration are made."""
