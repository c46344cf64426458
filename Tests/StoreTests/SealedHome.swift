import Glibc
import Primitives
import Testing

@testable import Session
@testable import Store

/// A home with an identity and one of each stored secret, and what is in them.
struct SealedHome {
  let temporary: TemporaryFolder
  let name: String
  var places: Locations { Locations(home: temporary(name)) }

  /// The least that Argon2 takes: tests check what happens, not what it costs.
  static let cost = PassphraseCost(operations: 1, memoryKiB: 8)

  static let identity = noise(200, 1)
  static let ticket = noise(90, 2)
  /// Without its version, 1, which an older program's rows begin with.
  static let session = noise(3_000, 3)
  static let pair = noise(105, 4)
  static let prekey = noise(105, 5)
  static let sessionID = SessionID([UInt8](repeating: 9, count: 16))!
  static let ticketID = [UInt8](repeating: 8, count: 16)

  /// Everything that must not lie on a disk as it is: pieces, since SQLite cuts long values.
  static var secrets: [[UInt8]] {
    [Array(identity[..<32]), Array(identity[100...]), ticket, Array(session[..<64]), Array(session[2_900...]), pair, prekey]
  }

  /// The state as the first start of this program makes it, with nobody's passphrase.
  static func made(_ name: String = "home") async throws -> SealedHome {
    let home = SealedHome(temporary: try TemporaryFolder(), name: name)
    let folder = try home.held()
    defer { folder.release() }
    let keys = try folder.unlock()
    let bytes = identity
    // In the order of a first start.
    try await fill(try Database(folder: folder, keys: keys))
    try folder.writeIdentity(bytes.span, keys)
    return home
  }

  private static func fill(_ database: Database) async throws {
    _ = try await database.addPeer(newPeer(1), alias: .wanted("peer"))
    var commit = SessionCommit(peer: node(1))
    commit.append(.putSession(sessionID, stored(.session(sessionID, of: node(1)), session)))
    commit.append(.putPair(7, stored(.pair(7, of: node(1)), pair)))
    var prekeys = PrekeyCommit()
    prekeys.put = [6: stored(.prekeys(6), prekey)]
    try await database.apply([commit], prekeys: prekeys)
    try await database.addTicket(TicketRow(id: ticketID, bytes: ticket, expires: 900, alias: nil), now: 1)
    await database.close()
  }

  private static func stored(_ place: SecretPlace, _ bytes: [UInt8]) -> StoredSecret {
    StoredSecret(place) { $0.append([1] + bytes) }
  }

  /// The same as a program before migration 4 left it: nothing sealed, no key. It had run these statements too.
  static func plain(after statements: [String] = []) async throws -> SealedHome {
    let home = try await made()
    let database = try Database(path: home.places.databaseFile, key: try home.key())
    for (column, value) in [
      ("session SET state", [1] + session), ("pair SET bytes", [1] + pair), ("prekey SET bytes", [1] + prekey),
      ("ticket SET bytes", ticket),
    ] {
      _ = try await database.number("UPDATE \(column) = x'\(hex(value))'")
    }
    for statement in statements + OlderSchema.three { _ = try await database.number(statement) }
    await database.close()
    let file = [UInt8]("pawl identity 1\n".utf8) + SHA256Hash.hash(identity).bytes + identity
    try home.temporary.file("\(home.name)/identity/identity", file, mode: 0o600)
    unlink(home.places.keyFile)
    return home
  }

  static func hex(_ bytes: [UInt8]) -> String { bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() }

  private func key() throws -> StateKey {
    let folder = try held()
    defer { folder.release() }
    return try folder.unlock().key
  }

  /// The folder, held.
  func held() throws -> StateFolder { try StateFolder.open(places) }

  /// Sets, changes or removes the passphrase.
  @discardableResult
  func rekey(_ old: Passphrase?, to new: Passphrase?, _ step: DurableStep = { _ in }) throws -> PassphraseChange {
    let folder = try held()
    defer { folder.release() }
    return try folder.rekey(try folder.unlock(old), to: new, cost: Self.cost, step)
  }

  /// Opens all of it and looks whether it is what was put in.
  func open(_ passphrase: Passphrase? = nil) async throws {
    let folder = try held()
    defer { folder.release() }
    let keys = try folder.unlock(passphrase)
    let database = try Database(folder: folder, keys: keys)
    let outcome: Result<Bool, any Error>
    do { outcome = .success(try await Self.isWhole(database, keys.key)) } catch { outcome = .failure(error) }
    await database.close()
    #expect(try outcome.get())
    #expect(try folder.identity(keys) == Self.identity)
  }

  private static func isWhole(_ database: Database, _ key: StateKey) async throws -> Bool {
    let rows = try #require(try await database.loadPeer(node(1)))
    let session = try SecretPlace.session(sessionID, of: node(1)).open(try #require(rows.sessions.first).bytes, with: key)
    let pair = try SecretPlace.pair(7, of: node(1)).open(try #require(rows.pairs.first).bytes, with: key)
    let prekeys = try await database.loadPrekeys()
    let prekey = try SecretPlace.prekeys(6).open(try #require(prekeys.first).bytes, with: key)
    let ticket = try await database.ticket(ticketID)?.bytes
    return [UInt8](copying: session.span) == [1] + Self.session && [UInt8](copying: pair.span) == [1] + Self.pair
      && [UInt8](copying: prekey.span) == [1] + Self.prekey && ticket == Self.ticket
  }

  /// What opening it throws; nil: nothing.
  func refusal(_ passphrase: Passphrase? = nil) async throws -> StoreError.Code? {
    await code { try await open(passphrase) }
  }

  /// The home as a killed process leaves it.
  func copy(_ name: String) throws -> SealedHome {
    for file in try files() { try temporary.file("\(name)/\(file)", try temporary.bytes("\(self.name)/\(file)"), mode: 0o600) }
    return SealedHome(temporary: temporary, name: name)
  }

  /// All files, by their paths in the home. SQLite's index of the log is no part of the state.
  func files() throws -> [String] {
    try ["identity", "state"].flatMap { folder in
      try temporary.names("\(name)/\(folder)").filter { !$0.hasSuffix("-shm") }.map { "\(folder)/\($0)" }
    }
  }

  /// The files that hold any of the secrets as they are.
  func leaks(_ secrets: [[UInt8]] = Self.secrets) throws -> [String] {
    try files().filter { file in
      let bytes = try temporary.bytes("\(name)/\(file)")
      return secrets.contains { contains(bytes, $0) }
    }
  }

  func bytes(_ file: String) throws -> [UInt8] { try temporary.bytes("\(name)/\(file)") }

  func put(_ file: String, _ bytes: [UInt8]) throws { try temporary.file("\(name)/\(file)", bytes, mode: 0o600) }
}

func phrase(_ text: String) -> Passphrase { Passphrase(SecretBuffer(copying: Array(text.utf8)))! }
