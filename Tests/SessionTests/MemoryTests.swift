import MemoryScan
import Testing

@testable import Primitives
@testable import Session

/// What lies in this process's memory. Every test runs in a process of its own: there nothing runs beside it that could
/// overwrite what was left behind, and no other test's keys are there.
@Suite(.enabled(if: ProcessMemory.canKeepWhatIsReleased)) struct MemoryTests {
  // Closures stay out of the bodies below: the compiler mixes up those of an exit test with those of the macros in it.

  @Test(.timeLimit(.minutes(5))) func keysLieInLockedPagesAloneAndNowhereAfterTheirUse() async {
    await #expect(processExitsWith: .success) { try MemoryTests.searchDuringAndAfterAConversation() }
  }

  @Test(.timeLimit(.minutes(5))) func aKeyThatIsLeftBehindIsFound() async {
    await #expect(processExitsWith: .success) { try MemoryTests.searchForPlantedKeys() }
  }

  private static func searchDuringAndAfterAConversation() throws {
    ProcessMemory.keepWhatIsReleased()
    let recorder = KeyRecorder()
    let before = try converse(recorder)
    for kind in KeyRecorder.ours + KeyRecorder.lent { #expect(recorder.ledger.count(kind) > 0, "no \(kind) was noted") }
    // While the machines live, their keys are found where they may be, and so they would be found elsewhere.
    for kind in ["root key", "header key", "chain key", "message key", "X25519 key", "identity X25519 key", "state key"] {
      #expect(before.contains { $0.kind == kind && $0.isAllowed }, "no \(kind) was found in the locked pages")
    }
    expectNone(before.filter { !$0.isAllowed && !KeyRecorder.lent.contains($0.kind) }, "while the machines live")
    // And now they are gone; only the tests' one state key lives on.
    try recorder.noteAgreements()
    let after = try ProcessMemory.search(for: recorder.ledger, allowed: SecretArena.ranges)
    expectNone(after.filter { $0.isAllowed && $0.kind != "state key" }, "in the locked pages, after they are gone")
    expectNone(after.filter { !$0.isAllowed && !KeyRecorder.lent.contains($0.kind) }, "after they are gone")
  }

  private static func searchForPlantedKeys() throws {
    let ledger = KeyLedger()
    func found() throws -> [KeyFinding] {
      try ProcessMemory.search(for: ledger, allowed: SecretArena.ranges).filter { !$0.isAllowed }
    }
    let secret = Randomness.system.secret(32)
    ledger.note("planted key", secret.span)
    #expect(try found().isEmpty)
    // An array that lives.
    let planted = secret.copyBytes()
    let address = planted.withUnsafeBytes { UInt(bitPattern: $0.baseAddress) }
    let places = Set(try found().map(\.address))
    #expect(places.isSuperset(of: [address, address + 8, address + 16]))
    // Half of a key between other bytes, as of a scalar that was clamped.
    let half = [1, 2, 3] + planted[8..<24] + [4]
    let middle = half.withUnsafeBytes { UInt(bitPattern: $0.baseAddress) + 3 }
    #expect(try found().contains { $0.address == middle })
    // What an HMAC makes of its key, and SHA-256 of its input.
    let pad = planted.map { $0 ^ 0x5C }
    let words = stride(from: 0, to: 32, by: 4).flatMap { planted[$0..<$0 + 4].reversed() }
    let guises = Set(try found().map(\.guise))
    #expect(guises == ["plain", "outer pad", "words"])
    #expect(pad.count == 32 && words.count == 32 && half.count == 20)
    // An array that was released and not wiped.
    ProcessMemory.keepWhatIsReleased()
    let other = Randomness.system.secret(64)
    ledger.note("released key", other.span)
    var released: [UInt8]? = other.copyBytes()
    #expect(released?.count == 64)
    released = nil
    #expect(try found().contains { $0.kind == "released key" })
  }

  /// A conversation of everything that makes keys: both starts, turns in both directions, skipped messages, a restart from
  /// sealed rows, a replaced session. Returns what is found while both machines still live.
  @inline(never)
  private static func converse(_ recorder: KeyRecorder) throws -> [KeyFinding] {
    recorder.note("state key", stateKey.secret)
    let (lower, higher) = try recorder.parties()
    var simulator = Simulator(lower, higher)
    func settle(_ simulator: inout Simulator) throws {
      while try simulator.deliver(to: 0) || simulator.deliver(to: 1) { note(simulator) }
    }
    func note(_ simulator: Simulator) {
      for end in simulator.ends { recorder.note(end.machine) }
    }
    // The inviter is end 1, so end 0 is initiator and end 1 responder.
    try simulator.pair(joiner: 0)
    note(simulator)
    for round in 0..<4 {
      for end in [0, 0, 1] {
        try simulator.send("round \(round)", from: end)
        note(simulator)
        if round > 0 { try settle(&simulator) }
      }
    }
    try settle(&simulator)
    // Lost messages leave keys behind in the running chain and, after a turn, in an old one.
    for lost in [2, 1] {
      for _ in 0...lost { try simulator.send("lost", from: 0) }
      note(simulator)
      simulator.wire[1].removeFirst(lost)
      try settle(&simulator)
      try simulator.send("turns", from: 1)
      try settle(&simulator)
    }
    for end in 0...1 { try simulator.restart(end) }
    try simulator.connect()
    note(simulator)
    try settle(&simulator)
    // A fresh session, started by the other end.
    try simulator.wait(8 * day)
    note(simulator)
    for end in [1, 0, 1] {
      try simulator.send("after a week", from: end)
      note(simulator)
      try settle(&simulator)
    }
    for _ in 0...2 { try simulator.send("lost", from: 1) }
    simulator.wire[0].removeFirst(2)
    try settle(&simulator)
    for _ in 0...1 { try simulator.restart(0) }
    let stored = simulator.ends[0].party.identity.serialized()
    let again = try Identity(parsing: stored.span)
    #expect(again.id == simulator.ends[0].party.id)
    try recorder.noteAgreements()
    return try ProcessMemory.search(for: recorder.ledger, allowed: SecretArena.ranges)
  }

  /// One line for each kind of key and each mapping.
  private static func expectNone(_ found: [KeyFinding], _ when: String) {
    var seen: Set<String> = []
    for finding in found where seen.insert(finding.kind + finding.mapping).inserted { Issue.record("\(when): \(finding)") }
  }
}
