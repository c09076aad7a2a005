"""Public helpers for tests: vendor emulators, contract kit, fixed clock and ids, strategies."""
