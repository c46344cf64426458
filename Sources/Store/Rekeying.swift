internal import GRDB
internal import Primitives

/// What became of the passphrase.
public enum PassphraseChange: String, Sendable {
  /// There was none.
  case set
  /// There was another one, or the same.
  case changed
  /// There is none any longer.
  case removed
  /// There was none, and there is none.
  case none
}

extension StateFolder {
  /// Sets, changes or (nil) removes the passphrase, and seals everything anew under a new key, so that an older copy of the key file
  /// opens nothing of what is here from now on. No node may run on the folder.
  ///
  /// However it is cut short, the folder opens: until the database is sealed anew with the old passphrase and with the new one, and
  /// from then on with the new one. The steps are
  /// 1. the key file gets the new key beside the old one, and the old one sealed under the new one,
  /// 2. the database is sealed anew in one transaction, and what lay there before is cleaned away,
  /// 3. the identity is sealed anew,
  /// 4. the key file loses the old key.
  ///
  /// Opening the folder with the new passphrase takes up what is left of them; with the old one, while that works, it goes back.
  public func rekey(_ keys: Keyring, to passphrase: Passphrase?) throws(StoreError) -> PassphraseChange {
    try rekey(keys, to: passphrase, cost: .standard) { _ in }
  }

  func rekey(
    _ keys: Keyring, to passphrase: Passphrase?, cost: PassphraseCost, _ step: DurableStep
  ) throws(StoreError) -> PassphraseChange {
    try requireState()
    // An interrupted change, or an older program's state, is brought to its end first.
    try settleAll(keys) { _ in }
    guard keys.hasPassphrase || passphrase != nil else { return .none }
    let key = StateKey.random(.system)
    let stored = try StoredKey(key, under: passphrase, cost: cost)
    let bridge = key.seal(keys.key, context: KeyFile.bridgeContext(to: key.id))
    try write(KeyFile(stored, before: .key(keys.stored, bridge: bridge)), step)
    try settleAll(Keyring(key: key, stored: stored, before: .key(keys.key), isAlone: false), step)
    return passphrase == nil ? .removed : keys.hasPassphrase ? .changed : .set
  }

  private func settleAll(_ keys: Keyring, _ step: DurableStep) throws(StoreError) {
    let file = try Database.file(locations.databaseFile)
    let database = try Database.settled(locations.databaseFile, file, keys, step)
    do { try withExtendedLifetime(file) { try database.close() } } catch {
      throw StoreError(database: error, locations.databaseFile)
    }
    try settleFiles(keys, step)
  }

  /// Once the database is under the ring's key: the identity too, and the key file holds that key alone.
  func settleFiles(_ keys: Keyring, _ step: DurableStep = { _ in }) throws(StoreError) {
    guard !keys.isAlone else { return }
    try sealIdentity(keys, step)
    try write(KeyFile(keys.stored), step)
  }

  private func write(_ file: KeyFile, _ step: DurableStep) throws(StoreError) {
    let bytes = file.encoded()
    try AtomicFile(locations.keyFile).replace(with: bytes.span, step)
  }
}
