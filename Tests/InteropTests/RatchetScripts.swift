import Wire

@testable import Primitives
@testable import Session

/// What happens in the conversations of `ratchet.json`.
enum RatchetScripts {
  struct Script {
    let name: String
    let about: String
    let run: (inout Conversation) throws -> Void

    init(_ name: String, _ about: String, _ run: @escaping (inout Conversation) throws -> Void) {
      (self.name, self.about, self.run) = (name, about, run)
    }
  }

  private static let day: UInt64 = 86_400

  /// A's first envelope, B's answer, A's answer: confirmed on both sides.
  static func confirm(_ talk: inout Conversation) throws {
    for side: Conversation.Side in [.a, .b, .a] { try talk.open(talk.seal(side)) }
  }

  static var good: [Script] {
    [
      Script("until it is confirmed", "Flags 01, 03 and 02.") { try confirm(&$0) },
      Script("several turns", "One message each way, six chains.") { talk in
        for side: Conversation.Side in [.a, .b, .a, .b, .a, .b] { try talk.open(talk.seal(side)) }
      },
      Script("several messages in a chain", "Each in its order.") { talk in
        for side: Conversation.Side in [.a, .a, .a, .b, .b, .a] { try talk.open(talk.seal(side)) }
      },
      Script("out of order", "Five messages of one chain, 0, 3, 1, 4, 2.") { talk in
        let sealed = try (0..<5).map { _ in try talk.seal(.a) }
        for index in [0, 3, 1, 4, 2] { try talk.open(sealed[index]) }
      },
      Script("an INIT with a later envelope", "B's first is A's third; the others come after it.") { talk in
        let sealed = try (0..<3).map { _ in try talk.seal(.a) }
        for index in [2, 1, 0] { try talk.open(sealed[index]) }
        try talk.open(talk.seal(.b))
      },
      Script("late messages of older chains", "What was skipped opens two turns later, the newest chain first.") { talk in
        try confirm(&talk)
        let first = try (0..<3).map { _ in try talk.seal(.b) }
        try talk.open(first[1])
        try talk.open(talk.seal(.a))
        let second = try (0..<3).map { _ in try talk.seal(.b) }
        try talk.open(second[2])
        try talk.open(talk.seal(.a))
        try talk.open(talk.seal(.b))
        for index in [second[0], first[2], second[1], first[0]] { try talk.open(index) }
      },
      Script("lost messages", "They are never missed.") { talk in
        try confirm(&talk)
        for _ in 0..<3 {
          for side: Conversation.Side in [.b, .a] {
            try talk.seal(side)
            try talk.open(talk.seal(side))
            try talk.seal(side)
          }
        }
      },
      Script("a thousand lost", "The widest gap there is.") { talk in
        try talk.open(talk.seal(.a))
        try talk.lose(.a, 1_000)
        try talk.open(talk.seal(.a))
      },
      Script("a thousand lost in two chains", "600 at the old one's end, 400 at the new one's beginning.") { talk in
        try confirm(&talk)
        try talk.open(talk.seal(.b))
        try talk.lose(.b, 600)
        try talk.open(talk.seal(.a))
        try talk.seal(.b)
        try talk.lose(.b, 399)
        try talk.open(talk.seal(.b))
      },
      Script("a skipped message in time", "A second before its key is seven days old.") { talk in
        let sealed = try [talk.seal(.a), talk.seal(.a)]
        try talk.open(sealed[1])
        talk.now += 7 * day - 1
        try talk.open(sealed[0])
      },
      Script("two thousand keys", "Three gaps of 999: the first is forgotten but for two keys, the others are kept.") { talk in
        try twoThousandKeys(&talk)
      },
      Script("short headers", "Once a chain is known, in any order, and with losses; the next chain begins with a full one.") {
        talk in
        try confirm(&talk)
        for side: Conversation.Side in [.b, .a] {
          try talk.open(talk.seal(side))
          let short = try (0..<4).map { _ in try talk.seal(side, isKnown: true) }
          for index in [2, 0, 3] { try talk.open(short[index]) }
          try talk.refuse(short[0])
          try talk.open(talk.seal(side))
        }
      },
      Script("late short headers of older chains", "They open under the key of the chain that was left behind.") { talk in
        try confirm(&talk)
        try talk.open(talk.seal(.b))
        let first = try (0..<2).map { _ in try talk.seal(.b, isKnown: true) }
        try talk.open(talk.seal(.a))
        try talk.open(talk.seal(.b))
        let second = try (0..<3).map { _ in try talk.seal(.b, isKnown: true) }
        try talk.open(second[2])
        try talk.open(talk.seal(.a))
        try talk.open(talk.seal(.b))
        for index in [second[0], first[1], second[1], first[0]] { try talk.open(index) }
        try talk.refuse(first[1])
      },
      Script("a short header waits for a link", "Refused as it is carried or in an INIT, taken on a link.") { talk in
        try confirm(&talk)
        try talk.open(talk.seal(.b))
        let short = try talk.seal(.b, isKnown: true)
        try talk.refuse(short, byWayOf: "INIT")
        try talk.refuse(short, byWayOf: "carrier")
        try talk.open(short)
      },
      Script("nothing changes by what is refused", "Bad envelopes between good ones.") { talk in
        let first = try talk.seal(.a)
        try talk.refuse(by: .b, flipped(talk.envelopes[first], at: -1))
        try talk.open(first)
        try talk.refuse(first)
        let second = try talk.seal(.b)
        try talk.refuse(by: .a, flipped(talk.envelopes[second], at: 30))
        try talk.refuse(by: .a, flipped(talk.envelopes[second], at: -1))
        try talk.open(second)
        try talk.refuse(second)
        try talk.open(talk.seal(.a))
      },
    ]
  }

  private static func twoThousandKeys(_ talk: inout Conversation) throws {
    try talk.open(talk.seal(.a))
    var kept: [(first: Int, last: Int)] = []
    for _ in 0..<3 {
      let first = try talk.seal(.a)
      try talk.lose(.a, 997)
      let last = try talk.seal(.a)
      try talk.open(talk.seal(.a))
      kept.append((first, last))
    }
    // 2,997 keys were skipped, and 2,000 are kept: the last two of the first gap and all of the others.
    try talk.refuse(kept[0].first)
    try talk.open(kept[0].last)
    try talk.open(kept[1].first)
    try talk.open(kept[2].last)
  }
}
