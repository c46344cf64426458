import Glibc
import Primitives
import Testing

@testable import Store

@Suite struct StateFolderTests {
  @Test func foldersAre0700AndFiles0600() async throws {
    let temporary = try TemporaryFolder()
    let folder = try StateFolder.open(Locations(home: temporary("home")))
    let keys = try folder.unlock()
    let database = try Database(folder: folder, keys: keys)
    try folder.writeIdentity([1, 2, 3], keys)
    try await database.set("key", "value")
    for name in ["home", "home/identity", "home/state"] { #expect(try temporary.mode(name) == 0o700) }
    for name in [
      "home/identity/identity", "home/identity/key", "home/state/lock", "home/state/pawl.db", "home/state/pawl.db-wal",
    ] {
      #expect(try temporary.mode(name) == 0o600, "\(name)")
    }
    await database.close()
  }

  @Test func aSecondNodeIsToldWhoHoldsTheFolder() throws {
    let temporary = try TemporaryFolder()
    let places = Locations(home: temporary("home"))
    #expect(StateFolder.holder(places) == nil)
    let first = try StateFolder.open(places)
    #expect(StateFolder.holder(places) == getpid())
    #expect {
      try StateFolder.open(places)
    } throws: { error in
      let error = error as? StoreError
      return error?.code == .locked && error?.holder == getpid() && error?.message.contains("\(getpid())") == true
    }
    first.release()
    #expect(StateFolder.holder(places) == nil)
    _ = try StateFolder.open(places)
  }

  @Test func aProcessThatInheritedTheLockHoldsNobodyUp() throws {
    let temporary = try TemporaryFolder()
    let places = Locations(home: temporary("home"))
    let first = try StateFolder.open(places)
    // A child keeps the open file for as long as it lives, as any child does between fork and exec.
    for descriptor in try Inheritance.descriptors(of: places.lockFile) { #expect(fcntl(descriptor, F_SETFD, 0) == 0) }
    let child = try Inheritance.sleeper()
    defer { Inheritance.end(child) }
    #expect(try Inheritance.holds(child, places.lockFile), "the child has the lock's file open")
    #expect(code { _ = try StateFolder.open(places) } == .locked)
    first.release()
    #expect(StateFolder.holder(places) == nil)
    var second: StateFolder? = try StateFolder.open(places)
    #expect(second != nil)
    // Also where it was not given back in so many words.
    for descriptor in try Inheritance.descriptors(of: places.lockFile) { #expect(fcntl(descriptor, F_SETFD, 0) == 0) }
    let other = try Inheritance.sleeper()
    defer { Inheritance.end(other) }
    second = nil
    try StateFolder.open(places).release()
  }

  @Test func theLocksFileIsClosedInWhateverIsStarted() throws {
    let temporary = try TemporaryFolder()
    let places = Locations(home: temporary("home"))
    let folder = try StateFolder.open(places)
    let child = try Inheritance.sleeper()
    defer { Inheritance.end(child) }
    #expect(try !Inheritance.holds(child, places.lockFile))
    folder.release()
  }

  @Test func aLockLeftByADeadProcessHoldsNobodyUp() throws {
    let temporary = try TemporaryFolder()
    let places = Locations(home: temporary("home"))
    try StateFolder.open(places).release()
    try temporary.file("home/state/lock", [UInt8]("1\n".utf8), mode: 0o600)
    #expect(StateFolder.holder(places) == nil)
    _ = try StateFolder.open(places)
    #expect(try temporary.bytes("home/state/lock") == [UInt8]("\(getpid())\n".utf8))
  }

  @Test func tooOpenModesAreTightenedAndNamed() throws {
    let temporary = try TemporaryFolder()
    let places = Locations(home: temporary("home"))
    let first = try StateFolder.open(places)
    try first.writeIdentity([1], try first.unlock())
    #expect(first.tightened.isEmpty)
    first.release()
    chmod(places.state, 0o755)
    chmod(places.identityFile, 0o644)
    let second = try StateFolder.open(places)
    #expect(second.tightened == [places.state, places.identityFile])
    #expect(try temporary.mode("home/state") == 0o700)
    #expect(try temporary.mode("home/identity/identity") == 0o600)
  }

  @Test func aHomeWithOtherThingsInItIsNotShut() throws {
    let temporary = try TemporaryFolder()
    try temporary.file("home/public_html/index.html")
    chmod(temporary("home"), 0o755)
    let folder = try StateFolder.open(Locations(home: temporary("home")))
    #expect(try temporary.mode("home") == 0o755)
    #expect(try temporary.mode("home/state") == 0o700)
    folder.release()
    chmod(temporary("home"), 0o777)
    #expect(code { _ = try StateFolder.open(Locations(home: temporary("home"))) } == .insecure)
  }

  @Test(.enabled(if: geteuid() == 0)) func aFolderOfAnotherUserIsRefused() throws {
    let temporary = try TemporaryFolder()
    try temporary.folder("home/state")
    #expect(chown(temporary("home/state"), 65_534, 65_534) == 0)
    #expect(code { _ = try StateFolder.open(Locations(home: temporary("home"))) } == .notOurs)
  }

  @Test func anIdentityComesBackByteForByte() throws {
    let temporary = try TemporaryFolder()
    let folder = try StateFolder.open(Locations(home: temporary("home")))
    let keys = try folder.unlock()
    #expect(try folder.identity(keys) == nil)
    try folder.writeIdentity(pattern(200), keys)
    #expect(try folder.identity(keys) == pattern(200))
    #expect(try temporary.names("home/identity") == ["identity", "key"])
    #expect(try !contains(temporary.bytes("home/identity/identity"), Array(pattern(200)[..<32])))
  }

  @Test func anIdentityIsNeverOverwritten() throws {
    let temporary = try TemporaryFolder()
    let folder = try StateFolder.open(Locations(home: temporary("home")))
    let keys = try folder.unlock()
    try folder.writeIdentity([1], keys)
    #expect(code { try folder.writeIdentity([2], keys) } == .identityExists)
    #expect(try folder.identity(keys) == [1])
  }

  @Test(arguments: ["flipped", "cut", "empty", "foreign", "link"])
  func aDamagedIdentityIsAClearErrorAndStaysAsItIs(_ damage: String) throws {
    let temporary = try TemporaryFolder()
    let folder = try StateFolder.open(Locations(home: temporary("home")))
    let keys = try folder.unlock()
    try folder.writeIdentity(pattern(100), keys)
    var bytes = try temporary.bytes("home/identity/identity")
    switch damage {
    case "flipped": bytes[bytes.count - 1] ^= 1
    case "cut": bytes.removeLast()
    case "empty": bytes = []
    default: bytes = [UInt8](repeating: 0x41, count: 300)
    }
    if damage == "link" {
      unlink(temporary("home/identity/identity"))
      try temporary.file("elsewhere", bytes, mode: 0o600)
      try temporary.link("home/identity/identity", to: temporary("elsewhere"))
      #expect(code { _ = try folder.identity(keys) } == .insecure)
    } else {
      try temporary.file("home/identity/identity", bytes, mode: 0o600)
      #expect(code { _ = try folder.identity(keys) } == .corruptIdentity)
    }
    #expect(code { try folder.writeIdentity([9], keys) } == .identityExists)
    #expect(try temporary.bytes("home/identity/identity") == bytes)
  }

  @Test func aCrashBeforeTheRenameLeavesNoIdentity() throws {
    let temporary = try TemporaryFolder()
    let folder = try StateFolder.open(Locations(home: temporary("home")))
    try temporary.file("home/identity/identity.new", [1, 2], mode: 0o600)
    let keys = try folder.unlock()
    #expect(try folder.identity(keys) == nil)
    try folder.writeIdentity([7], keys)
    #expect(try folder.identity(keys) == [7])
    #expect(!temporary.exists("home/identity/identity.new"))
  }
}

extension StateFolder {
  fileprivate func writeIdentity(_ bytes: [UInt8], _ keys: Keyring) throws { try writeIdentity(bytes.span, keys) }
  func identity(_ keys: Keyring) throws -> [UInt8]? {
    guard let bytes = try readIdentity(keys) else { return nil }
    return [UInt8](copying: bytes.span)
  }
}
