"""Foreign shapes of providers and tracers, to events and back. Pure."""
