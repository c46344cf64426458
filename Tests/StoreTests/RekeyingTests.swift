import Glibc
import Primitives
import Synchronization
import Testing

@testable import Store

@Suite(.timeLimit(.minutes(5))) struct RekeyingTests {
  /// What a user can do to the passphrase.
  enum Case: String, CaseIterable, Sendable {
    case set, change, remove

    var old: Passphrase? { self == .set ? nil : phrase("old") }
    var new: Passphrase? { self == .remove ? nil : phrase("new") }
  }

  private func prepared(_ change: Case) async throws -> SealedHome {
    let home = try await SealedHome.made()
    if let old = change.old { try home.rekey(nil, to: old) }
    return home
  }

  @Test(arguments: Case.allCases) func everythingOpensWithTheNewOneAndNothingWithTheOld(_ change: Case) async throws {
    let home = try await prepared(change)
    let before = try home.copy("before")
    #expect(
      try home.rekey(change.old, to: change.new).rawValue
        == ["set": "set", "change": "changed", "remove": "removed"][change.rawValue])
    try await home.open(change.new)
    #expect(try home.leaks().isEmpty)
    #expect(try home.temporary.names("home/identity") == ["identity", "key"])
    if change != .remove {
      #expect(try await home.refusal(change.old) == (change.old == nil ? .passphraseNeeded : .wrongPassphrase))
    }
    // The key file of yesterday opens nothing of today.
    let mixed = try home.copy("mixed")
    try mixed.put("identity/key", try before.bytes("identity/key"))
    #expect(try await mixed.refusal(change.old) == .foreignKey)
    // And what was copied then stays what it was.
    try await before.open(change.old)
  }

  @Test func nothingChangesWithoutAPassphraseBeforeAndAfter() async throws {
    let home = try await SealedHome.made()
    let key = try home.bytes("identity/key")
    #expect(try home.rekey(nil, to: nil) == .none)
    #expect(try home.bytes("identity/key") == key)
  }

  @Test func aPassphraseCanBeSetBeforeTheFirstStart() async throws {
    let home = SealedHome(temporary: try TemporaryFolder(), name: "home")
    try home.rekey(nil, to: phrase("new"))
    let folder = try home.held()
    #expect(try folder.needsPassphrase())
    #expect(code { _ = try folder.unlock() } == .passphraseNeeded)
    let keys = try folder.unlock(phrase("new"))
    #expect(try folder.readIdentity(keys) == nil)
    let identity = SealedHome.identity
    try folder.writeIdentity(identity.span, keys)
    let database = try Database(folder: folder, keys: keys)
    #expect(try await database.peers().isEmpty)
    await database.close()
    #expect(try home.leaks().isEmpty)
  }

  @Test(arguments: Case.allCases) func aKillBetweenAnyTwoWritesLeavesAFolderThatOpens(_ change: Case) async throws {
    let home = try await prepared(change)
    let steps = Mutex<[String]>([])
    try home.rekey(change.old, to: change.new) { step throws(StoreError) in
      let number = steps.withLock { steps in
        steps.append(step)
        return steps.count
      }
      do {
        _ = try home.copy("killed-\(number)")
      } catch { throw StoreError(.io, detail: "\(error)") }
    }
    let all = steps.withLock { $0 }
    #expect(Set(all).count >= 8, "\(all)")
    var opened: [String] = []
    for (index, step) in all.enumerated() {
      let killed = SealedHome(temporary: home.temporary, name: "killed-\(index + 1)")
      let old = try await killed.copy("old-\(index)").refusal(change.old)
      let new = try await killed.copy("new-\(index)").refusal(change.new)
      opened.append((old == nil ? "old" : "") + (new == nil ? "new" : ""))
      #expect(old == nil || new == nil, "\(step): \(String(describing: old)), \(String(describing: new))")
      // Once it was opened, all is as if the change had been made, or never begun.
      for (name, outcome, works, other) in [("old", old, change.old, change.new), ("new", new, change.new, change.old)]
      where outcome == nil {
        let after = SealedHome(temporary: home.temporary, name: "\(name)-\(index)")
        #expect(try after.temporary.names("\(after.name)/identity") == ["identity", "key"], "\(step)")
        #expect(try after.bytes("identity/key")[43] == 1, "\(step): one key is left")
        #expect(try after.leaks().isEmpty, "\(step)")
        try await after.open(works)
        // What lies there plainly opens whatever is typed.
        let isPlain = try after.bytes("identity/key")[44] == 0
        #expect(try await after.refusal(other) == nil || !isPlain, "\(step)")
      }
    }
    // First only the old one opens, then both, and at last only the new one.
    #expect(opened.first?.hasPrefix("old") == true && opened.last?.hasSuffix("new") == true, "\(opened)")
    #expect(opened.contains("oldnew"), "\(opened)")
  }

  @Test(arguments: Case.allCases) func aFailureAtAnyStepLosesNothing(_ change: Case) async throws {
    var failing = 0
    while true {
      failing += 1
      let home = try await prepared(change)
      let count = Mutex(0)
      let refusal = code {
        try home.rekey(change.old, to: change.new) { [failing] step throws(StoreError) in
          let number = count.withLock { count in
            count += 1
            return count
          }
          if number == failing { throw StoreError(.noSpace, detail: step) }
        }
      }
      guard refusal != nil else { break }
      #expect(refusal == .noSpace)
      // Again, as the user would: with whichever of the two opens it.
      let opens = try await home.copy("look").refusal(change.new) == nil
      try home.rekey(opens ? change.new : change.old, to: phrase("third"))
      try await home.open(phrase("third"))
    }
    #expect(failing > 8)
  }

  @Test func whileAChangeIsUnfinishedTheOldPassphraseIsToldFromAWrongOne() async throws {
    let home = try await prepared(.change)
    let refusal = code {
      try home.rekey(phrase("old"), to: phrase("new")) { step throws(StoreError) in
        if step == "write identity" { throw StoreError(.noSpace, detail: step) }
      }
    }
    #expect(refusal == .noSpace)
    let folder = try home.held()
    #expect {
      _ = try folder.unlock(phrase("old"))
    } throws: { error in
      (error as? StoreError)?.code == .wrongPassphrase && (error as? StoreError)?.detail.contains("new one") == true
    }
    #expect {
      _ = try folder.unlock(phrase("neither"))
    } throws: { error in
      (error as? StoreError)?.detail.contains("not the passphrase") == true
    }
    folder.release()
    try await home.open(phrase("new"))
  }

  // MARK: From an older program

  @Test func whatAnOlderProgramLeftIsSealedAtTheFirstStartAndNothingOfItStays() async throws {
    let home = try await SealedHome.plain()
    #expect(try Set(home.leaks()) == ["identity/identity", "state/pawl.db"])
    try await home.open()
    #expect(try home.leaks().isEmpty)
    #expect(try home.bytes("identity/key")[43] == 1, "sealing is over")
    try await home.open()
    // Nothing unsealed is taken from now on.
    let plain = try await SealedHome.plain()
    for file in ["identity/identity", "state/pawl.db"] {
      let mixed = try home.copy("mixed-\(file.count)")
      try mixed.put(file, try plain.bytes(file))
      #expect(try await mixed.refusal() == .foreignKey, "\(file)")
    }
  }

  @Test func theSealedStateLeavesNoPlaintextWhileTheDatabaseIsOpen() async throws {
    let home = try await SealedHome.plain()
    let folder = try home.held()
    let database = try Database(folder: folder, keys: try folder.unlock())
    #expect(try home.leaks().isEmpty)
    await database.close()
  }

  @Test func aKillWhileAnOlderStateIsSealedLosesNothing() async throws {
    let home = try await SealedHome.plain()
    let folder = try home.held()
    let keys = try folder.unlock()
    let count = Mutex(0)
    let steps: DurableStep = { step throws(StoreError) in
      let number = count.withLock { count in
        count += 1
        return count
      }
      do { _ = try home.copy("killed-\(number)") } catch { throw StoreError(.io, detail: "\(error)") }
    }
    _ = try Database.settled(home.places.databaseFile, try Database.file(home.places.databaseFile), keys, steps)
    try folder.settleFiles(keys, steps)
    folder.release()
    let total = count.withLock { $0 }
    #expect(total >= 8)
    for number in 1...total {
      let killed = SealedHome(temporary: home.temporary, name: "killed-\(number)")
      try await killed.open()
      #expect(try killed.leaks().isEmpty, "step \(number)")
    }
  }
}
