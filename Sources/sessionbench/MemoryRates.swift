internal import Primitives
internal import Session

/// What the session layer does without a disk.
enum MemoryRates {
  /// 1 KiB: a JSON object with a type, as every payload is.
  static let payload: [UInt8] = {
    let head = Array(#"{"type":"text","text":""#.utf8)
    let tail = Array(#""}"#.utf8)
    return head + [UInt8](repeating: UInt8(ascii: "x"), count: 1_024 - head.count - tail.count) + tail
  }()

  /// Envelopes a second in one direction: sealed, opened, and the sender told so.
  static func oneWay(_ seconds: Double) throws -> Double {
    var conversation = try Conversation()
    try conversation.establish()
    return try Rate.perCPUSecond(seconds) { try conversation.there(payload) }
  }

  /// Pairs a second, there and back: each envelope begins a chain, so both ratchets turn twice.
  static func pairs(_ seconds: Double) throws -> Double {
    var conversation = try Conversation()
    try conversation.establish()
    return try Rate.perCPUSecond(seconds) {
      try conversation.there(payload)
      try conversation.back(payload)
    }
  }

  /// Sessions a second: INIT made, and opened with its envelope, which the other side answers at once. The bundles of both sides were
  /// signed and verified before, as they are where batches have been handed over.
  static func starts(_ seconds: Double) throws -> Double {
    var ready = try Conversation()
    try ready.establish()
    let bundle = try ready.bundle()
    return try Rate.perCPUSecond(seconds) {
      // Copies: every start begins where the first one did, with the same unused pair and fresh randomness.
      var conversation = ready
      try conversation.start(with: bundle)
    }
  }

  /// Sessions a second with nothing prepared: a one-time pair made, both bundles signed and verified, then as above.
  static func firstStarts(_ seconds: Double) throws -> Double {
    let strangers = try Conversation()
    return try Rate.perCPUSecond(seconds) {
      var conversation = strangers
      let (now, owner, us) = (conversation.now, conversation.one.machine.peer, conversation.one.identity.id)
      let bundle = try conversation.bundle()
      try bundle.verify(owner: owner, addressee: us, at: now)
      try conversation.start(with: bundle)
    }
  }
}
