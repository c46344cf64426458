import Glibc
import Primitives
import Testing

@testable import Session
@testable import Store

/// No (key, nonce) pair is ever used twice: a process is killed at every durable write of a conversation, and all that was ever sealed and
/// sent is looked at. Two real databases; kills are SIGKILL, which a process gives itself at the commit that is to be its last.
@Suite struct KillTests {
  /// Runs a process until it is killed.
  private static func run(_ folder: String, _ orders: Orders) async throws {
    try orders.write(to: "\(folder)/orders")
    await #expect(processExitsWith: .signal(SIGKILL)) { [folder = folder as String] in
      try await KilledConversation.play(folder)
    }
  }

  /// What holds of every history.
  private static func expectSound(_ history: ConversationHistory, isCloned: Bool = false) {
    #expect(Set(history.seals).count == history.seals.count, "a key and nonce were used twice")
    var places: [String: String] = [:]
    var salts: [String: String] = [:]
    for (place, digest, salt) in history.sent {
      #expect(!place.contains("none"), "what goes out lies in the outbox")
      if !isCloned {
        #expect(places.updateValue(digest, forKey: place).map { $0 == digest } ?? true, "\(place) stands for two envelopes")
      }
      #expect(salts.updateValue(digest, forKey: salt).map { $0 == digest } ?? true, "two envelopes have one salt")
    }
    for end in 0...1 {
      let said = history.said.filter { $0.end == end }.map(\.text)
      let delivered = history.delivered.filter { $0.end == 1 - end }.map(\.text)
      #expect(delivered.sorted() == said.sorted(), "everything said arrives exactly once")
    }
    #expect(!history.events.contains("undeliverable"))
  }

  @Test(.timeLimit(.minutes(5)), arguments: [1, 3])
  func noKeyAndNonceAreUsedTwiceThoughTheProcessIsKilledAtEveryWrite(_ stride: Int) async throws {
    let home = try TemporaryFolder()
    try await KilledConversation.prepare(home.path)
    var orders = Orders()
    orders.texts = 7
    var (commits, progress, reach) = (0, 0, stride)
    for round in 0..<400 {
      // Before a commit and right after it, so that every one of them is lost once and is the last once. Where it takes several in one go to
      // get any further, the next one.
      orders.commit = reach
      orders.isBefore = round % 2 == 0
      try await Self.run(home.path, orders)
      let history = try ConversationHistory(home("log"))
      if history.isOver { break }
      #expect(history.commits == commits + (orders.isBefore ? reach - 1 : reach))
      commits = history.commits
      guard !orders.isBefore else { continue }
      reach = history.progress > progress ? stride : reach + 1
      progress = history.progress
    }
    let history = try ConversationHistory(home("log"))
    #expect(history.isOver && history.said.count == orders.texts && history.isRepaired)
    #expect(history.deaths("before") > 15 / stride && history.deaths("after") > 15 / stride)
    // Long lives leave little under way that could be overtaken.
    #expect(history.lost > 0 && (stride > 1 || history.overtaken > 0))
    #expect(history.sent.count > Set(history.sent.map(\.digest)).count)
    #expect(history.events.isSuperset(of: ["batchHandedOver", "batchHeld", "confirmed"]))
    #expect(!history.events.contains("rollback") && !history.events.contains("peerRollback"))
    Self.expectSound(history)
  }

  @Test(.timeLimit(.minutes(5))) func noKeyAndNonceAreUsedTwiceByAStateThatWasCopied() async throws {
    let home = try TemporaryFolder()
    try await KilledConversation.prepare(home.path)
    var orders = Orders()
    orders.texts = 2
    try await Self.run(home.path, orders)
    let copied = try ConversationHistory(home("log")).seals.count
    // The whole folder is copied, and both go on.
    for folder in ["clone", "before"] { try Self.copy(home, to: folder, ["0.db", "0.db-wal", "1.db", "1.db-wal", "log"]) }
    orders.texts = 6
    for folder in [home.path, home("clone")] { try await Self.run(folder, orders) }
    let (one, other) = (try ConversationHistory(home("log")), try ConversationHistory(home("clone/log")))
    #expect(one.seals.count > copied && other.seals.count > copied)
    #expect(Set(one.seals.dropFirst(copied)).isDisjoint(with: other.seals.dropFirst(copied)))
    Self.expectSound(one)
    Self.expectSound(other)
    // Of the copy, or of the state before, the lower node's alone beside what the higher one has become.
    try Self.copy(home, to: "later", ["1.db", "1.db-wal", "log"])
    orders.texts = 9
    for source in ["before", "clone"] {
      try Self.copy(home, from: "later", to: "old \(source)", ["1.db", "1.db-wal", "log"])
      try Self.copy(home, from: source, to: "old \(source)", ["0.db", "0.db-wal"])
      try await Self.run(home("old \(source)"), orders)
      let third = try ConversationHistory(home("old \(source)/log"))
      #expect(third.said.count == 9)
      // Noticed as what it is, or by the session that replaced its own since and that it does not know.
      let noticed = third.events(after: one.eventCount)
      #expect(!noticed.isDisjoint(with: ["rollback", "peerRollback", "resetSent"]), "\(source): \(noticed)")
      Self.expectSound(third, isCloned: true)
      #expect(Set(third.seals.dropFirst(one.seals.count)).isDisjoint(with: other.seals))
    }
  }

  /// The control: without fresh salts, a copied state uses a key and nonce again, and this is where it would show.
  @Test(.timeLimit(.minutes(5))) func aKeyAndNonceThatAreUsedTwiceAreNoticed() async throws {
    let home = try TemporaryFolder()
    try await KilledConversation.prepare(home.path)
    var orders = Orders()
    orders.texts = 2
    orders.hasFixedSalts = true
    try await Self.run(home.path, orders)
    let copied = try ConversationHistory(home("log")).seals.count
    try Self.copy(home, to: "clone", ["0.db", "0.db-wal", "1.db", "1.db-wal", "log"])
    orders.texts = 3
    for folder in [home.path, home("clone")] { try await Self.run(folder, orders) }
    let (one, other) = (try ConversationHistory(home("log")), try ConversationHistory(home("clone/log")))
    #expect(!Set(one.seals.dropFirst(copied)).isDisjoint(with: other.seals.dropFirst(copied)))
  }

  /// Copies files as somebody does who knows nothing of databases.
  private static func copy(_ home: TemporaryFolder, from source: String? = nil, to folder: String, _ names: [String]) throws {
    try home.folder(folder)
    for name in names {
      let from = source.map { "\($0)/\(name)" } ?? name
      if home.exists(from) { try home.file("\(folder)/\(name)", try home.bytes(from)) }
    }
  }
}
