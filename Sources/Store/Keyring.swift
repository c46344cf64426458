internal import Glibc
public import Primitives

/// The keys of a state folder, unlocked.
public struct Keyring: Sendable {
  /// What stored secrets may be sealed under besides ``key`` until the state has been opened with this ring.
  enum Before: Sendable {
    case nothing
    /// Not sealed at all: an older program wrote them.
    case plaintext
    case key(StateKey)
  }

  /// What all stored secrets are sealed under once the state is open.
  public let key: StateKey
  /// The same as it lies in the key file.
  let stored: StoredKey
  let before: Before
  /// Whether the key file holds this key and nothing else.
  let isAlone: Bool

  init(key: StateKey, stored: StoredKey, before: Before, isAlone: Bool) {
    self.key = key
    self.stored = stored
    self.before = before
    self.isAlone = isAlone
  }

  /// A key that everything is sealed under.
  init(_ key: StateKey) { self.init(key: key, stored: .plain(key), before: .nothing, isAlone: true) }

  /// Whether the key file gives the key away only for a passphrase.
  public var hasPassphrase: Bool { if case .wrapped = stored { true } else { false } }
}

extension StateFolder {
  /// Whether ``unlock(_:cost:)`` takes a passphrase. Throws as that does.
  public func needsPassphrase() throws(StoreError) -> Bool {
    guard let file = try readKeyFile() else { return false }
    return try usable(file).allSatisfy { if case .wrapped = $0 { true } else { false } }
  }

  /// Opens the key file, or makes one where there is none yet: with a plain key, for whoever may read the file. Blocks for most of
  /// a second where there is a passphrase.
  ///
  /// Throws `passphraseNeeded`, `wrongPassphrase`, `corruptKey`, and `keyMissing` where stored secrets are sealed and the file is gone: a
  /// new key would open none of them, so none is made.
  public func unlock(_ passphrase: Passphrase? = nil) throws(StoreError) -> Keyring {
    for path in [locations.keyFile, locations.identityFile] { try AtomicFile(path).removeLeftover() }
    guard let file = try readKeyFile() else { return try makeKey() }
    for stored in try usable(file) {
      guard let key = try open(stored, passphrase) else { continue }
      return Keyring(
        key: key, stored: stored, before: stored.id == file.key.id ? try before(file, key) : .nothing,
        isAlone: file.before == nil)
    }
    let path = locations.keyFile
    guard let passphrase else { throw StoreError(.passphraseNeeded, path, detail: "the state is sealed with a passphrase") }
    if case .key(let old, _) = file.before, try open(old, passphrase) != nil {
      throw StoreError(
        .wrongPassphrase, path, detail: "the passphrase was being changed when that was cut short, and the new one is in force")
    }
    throw StoreError(.wrongPassphrase, path, detail: "this is not the passphrase")
  }

  /// The keys of the file each of which is enough. The older one is as long as nothing was sealed under the new one: whoever has it
  /// goes back to how things were.
  private func usable(_ file: KeyFile) throws(StoreError) -> [StoredKey] {
    guard case .key(let old, _) = file.before, try !keysInUse().contains(file.key.id) else { return [file.key] }
    return [file.key, old]
  }

  /// The key before this one.
  private func before(_ file: KeyFile, _ key: StateKey) throws(StoreError) -> Keyring.Before {
    switch file.before {
    case nil: return .nothing
    case .plaintext: return .plaintext
    case .key(_, let bridge):
      do {
        return .key(try StateKey(opening: bridge, under: key, context: KeyFile.bridgeContext(to: key.id)))
      } catch {
        throw corrupt("the key file is damaged")
      }
    }
  }

  private func open(_ stored: StoredKey, _ passphrase: Passphrase?) throws(StoreError) -> StateKey? {
    switch stored {
    case .plain(let key): return key
    case .wrapped(let wrapped):
      guard let passphrase else { return nil }
      do { return try wrapped.open(passphrase) } catch {
        throw error as? StoreError ?? corrupt("the key file was tampered with")
      }
    }
  }

  /// The ids of the keys that stored secrets are sealed under now.
  private func keysInUse() throws(StoreError) -> [[UInt8]] {
    let identity = try sealedIdentityKey()
    let database = try Database.sealedUnder(locations.databaseFile)
    return [identity, database].compactMap { $0 }
  }

  private func makeKey() throws(StoreError) -> Keyring {
    guard try keysInUse().isEmpty else {
      throw StoreError(
        .keyMissing, locations.keyFile, detail: "the key file is gone, and what is stored is sealed under its key")
    }
    let key = StateKey.random(.system)
    // Until the state was opened once, it may be an older program's.
    let file = KeyFile(.plain(key), before: .plaintext)
    let bytes = file.encoded()
    guard try AtomicFile(locations.keyFile).create(with: bytes.span) else {
      throw StoreError(.locked, locations.keyFile, detail: "another program made a key file at the same moment")
    }
    return Keyring(key: key, stored: file.key, before: .plaintext, isAlone: false)
  }

  private func corrupt(_ why: String) -> StoreError { StoreError(.corruptKey, locations.keyFile, detail: why) }

  private func readKeyFile() throws(StoreError) -> KeyFile? {
    guard let bytes = try AtomicFile(locations.keyFile).read(atMost: KeyFile.fileBytes) else { return nil }
    guard bytes.count >= KeyFile.magic.count,
      [UInt8](copying: bytes.span.extracting(first: KeyFile.magic.count)) == KeyFile.magic
    else { throw corrupt("this is no key file, or a newer program's") }
    guard let file = KeyFile(parsing: bytes.span) else { throw corrupt("the key file is damaged") }
    return file
  }
}
