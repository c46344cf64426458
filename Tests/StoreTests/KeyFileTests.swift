import Glibc
import Primitives
import Testing

@testable import Store

@Suite struct KeyFileTests {
  private static let keyFile = "identity/key"

  @Test func theFirstStartMakesAKeyFileForItsOwnerAlone() async throws {
    let home = try await SealedHome.made()
    #expect(try home.temporary.mode("home/identity/key") == 0o600)
    #expect(try home.bytes(Self.keyFile).starts(with: Array("pawl key 1\n".utf8)))
    #expect(try home.temporary.names("home/identity") == ["identity", "key"])
    #expect(try home.leaks().isEmpty)
    try await home.open()
  }

  @Test func withAPassphraseACopyOfTheFoldersOpensNothing() async throws {
    let home = try await SealedHome.made()
    #expect(try home.rekey(nil, to: phrase("correct horse")) == .set)
    let copy = try home.copy("copy")
    #expect(try await copy.refusal() == .passphraseNeeded)
    #expect(try await copy.refusal(phrase("wrong horse")) == .wrongPassphrase)
    #expect(try copy.leaks().isEmpty)
    try await copy.open(phrase("correct horse"))
  }

  @Test func withoutAPassphraseACopyOfTheFoldersOpens() async throws {
    try await SealedHome.made().copy("copy").open()
  }

  @Test(arguments: ["plain", "wrapped"]) func aFlippedBitAnywhereInAKeyFileIsDamageAndNoWrongPassphrase(_ kind: String)
    async throws
  {
    let home = try await SealedHome.made()
    let passphrase = kind == "wrapped" ? phrase("a") : nil
    if let passphrase { try home.rekey(nil, to: passphrase) }
    let file = try home.bytes(Self.keyFile)
    for index in file.indices {
      var damaged = file
      damaged[index] ^= 1
      try home.put(Self.keyFile, damaged)
      #expect(try await home.refusal(passphrase) == .corruptKey, "byte \(index)")
      #expect(try home.bytes(Self.keyFile) == damaged)
    }
    for count in [0, 1, 10, 43, 44, file.count - 1] {
      try home.put(Self.keyFile, Array(file[..<count]))
      #expect(try await home.refusal(passphrase) == .corruptKey, "\(count) bytes")
    }
    try home.put(Self.keyFile, file + [0])
    #expect(try await home.refusal(passphrase) == .corruptKey)
    try home.put(Self.keyFile, file)
    try await home.open(passphrase)
  }

  @Test func aRecordThatWasRewrittenWithItsHashIsNotTakenForAWrongPassphrase() async throws {
    let home = try await SealedHome.made()
    try home.rekey(nil, to: phrase("a"))
    let file = try home.bytes(Self.keyFile)
    // The name of the key, and a byte of the sealed one; the salt and the cost make another wrapping key.
    for (offset, expected): (Int, StoreError.Code) in [
      (2, .corruptKey), (80, .corruptKey), (18, .wrongPassphrase), (13, .wrongPassphrase),
    ] {
      var body = Array(file[43...])
      body[offset] ^= 2
      try home.put(Self.keyFile, Self.file(body))
      #expect(try await home.refusal(phrase("a")) == expected, "byte \(offset)")
    }
  }

  @Test func aFileThatAsksForTooMuchIsRefusedBeforeAnyOfItIsSpent() async throws {
    let home = try await SealedHome.made()
    try home.rekey(nil, to: phrase("a"))
    let body = Array(try home.bytes(Self.keyFile)[43...])
    for (operations, memory): (UInt32, UInt32) in [
      (0, 8), (17, 8), (.max, 8), (1, 7), (1, 0), (1, (1 << 20) + 1), (1, 100 << 20), (1, .max),
    ] {
      var asking = body
      asking.replaceSubrange(10..<18, with: Self.bytes(operations) + Self.bytes(memory))
      try home.put(Self.keyFile, Self.file(asking))
      #expect(try await home.refusal(phrase("a")) == .corruptKey, "\(operations) operations, \(memory) KiB")
    }
  }

  @Test func aPassphraseIsCheckedAtTheStandardCost() async throws {
    #expect(PassphraseCost.standard == PassphraseCost(operations: 3, memoryKiB: 262_144))
    #expect(PassphraseCost.standard.isSane)
    let key = StateKey.random(.seeded(1))
    let wrapped = try WrappedKey(key, under: phrase("a"), cost: .standard)
    #expect(try wrapped.open(phrase("a"))?.id == key.id)
    #expect(try wrapped.open(phrase("b")) == nil)
  }

  @Test func whatNobodyTypesIsNoPassphrase() {
    #expect(Passphrase(SecretBuffer()) == nil)
    for bytes in [Array("two\nlines".utf8), [1, 0, 2], [10], [UInt8](repeating: 97, count: 1_025)] {
      #expect(Passphrase(SecretBuffer(copying: bytes)) == nil)
    }
    for bytes in [[UInt8](repeating: 97, count: 1_024), [32], [0xFF, 13], Array("pä ss".utf8)] {
      #expect(Passphrase(SecretBuffer(copying: bytes)) != nil)
    }
    #expect(phrase("a").isEqual(to: phrase("a")))
    #expect(!phrase("a").isEqual(to: phrase("b")) && !phrase("a").isEqual(to: phrase("a ")))
  }

  @Test func aLinkInTheKeyFilesPlaceIsNotFollowedAndSaidInWords() async throws {
    let home = try await SealedHome.made()
    let elsewhere = "\(home.places.keyFile).elsewhere"
    try #require(rename(home.places.keyFile, elsewhere) == 0 && symlink(elsewhere, home.places.keyFile) == 0)
    let refused = await #expect(throws: StoreError.self) { try await home.open() }
    #expect(refused?.detail == "a symbolic link lies there, and links are not followed")
    try #require(rename(elsewhere, home.places.keyFile) == 0)
    try await home.open()
  }

  @Test func aKeyFileThatIsGoneIsNotMadeAnew() async throws {
    let home = try await SealedHome.made()
    let key = try home.bytes(Self.keyFile)
    unlink(home.places.keyFile)
    #expect(try await home.refusal() == .keyMissing)
    #expect(!home.temporary.exists("home/identity/key"))
    // Also where the identity alone is sealed, or the database alone.
    for lost in [home.places.identityFile, home.places.databaseFile] {
      let copy = try home.copy("without-\(lost.split(separator: "/").last ?? "")")
      unlink(lost == home.places.identityFile ? copy.places.identityFile : copy.places.databaseFile)
      #expect(try await copy.refusal() == .keyMissing)
      #expect(!copy.temporary.exists("\(copy.name)/identity/key"))
    }
    try home.put(Self.keyFile, key)
    try await home.open()
  }

  @Test func partsOfTwoNodesDoNotMix() async throws {
    let home = try await SealedHome.made()
    let other = try await SealedHome.made()
    for file in ["identity/key", "state/pawl.db", "identity/identity"] {
      let mixed = try home.copy("mixed")
      try mixed.put(file, try other.bytes(file))
      let before = try mixed.files().map { try mixed.bytes($0) }
      #expect(try await mixed.refusal() == .foreignKey, "\(file)")
      // Which process held the lock is all that may have changed.
      let after = try mixed.files().map { try mixed.bytes($0) }
      #expect(zip(before, after).filter { $0 != $1 }.count <= 1, "\(file)")
    }
  }

  @Test func oneRowUnderAnotherKeyOrUnsealedIsNoticed() async throws {
    for value in ["x'0102'", "x'02' || zeroblob(60)"] {
      // Sessions and pairs are looked at by whoever opens them, a peer at a time.
      for column in ["prekey SET bytes", "ticket SET bytes"] {
        let home = try await SealedHome.made()
        let folder = try home.held()
        let database = try Database(folder: folder, keys: try folder.unlock())
        _ = try await database.number("UPDATE \(column) = CAST(\(value) AS BLOB)")
        await database.close()
        folder.release()
        #expect(try await home.refusal() == .foreignKey, "\(column) \(value)")
      }
    }
  }

  private static func bytes(_ value: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * $0)) } }

  private static func file(_ body: [UInt8]) -> [UInt8] { Array("pawl key 1\n".utf8) + SHA256Hash.hash(body).bytes + body }
}
