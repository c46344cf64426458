internal import CSodium

/// libsodium's one-time set-up.
enum Sodium {
  /// Done once, whichever thread comes first; `sodium_init` picks the fast implementations, seeds the generator and
  /// the canaries. It fails only where the system has no source of randomness: nothing can be done safely then.
  private static let isReady: Bool = sodium_init() >= 0

  /// To be called before any libsodium function that needs no ``SecretBytes`` (making one calls it).
  static func start() { precondition(isReady, "libsodium could not be initialised") }
}
