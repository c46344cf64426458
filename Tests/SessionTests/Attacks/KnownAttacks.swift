import Testing

/// Every attack that is known against sessions like ours, mounted by somebody with exactly the powers it assumes. Each test asserts that it
/// fails, and wherever it can, that the same attack succeeds as soon as what stops it is taken away. `docs/THREATS.md` has a row for each.
@Suite struct KnownAttacks {}
