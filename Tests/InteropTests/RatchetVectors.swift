import Wire

@testable import Primitives
@testable import Session

/// `ratchet.json`: conversations.
enum RatchetVectors: VectorKind {
  static let file = "ratchet"
  static let section = "8"
  static let about =
    "Ratchets. `conversation`: both sides after a key agreement, and what they do, step by step. A step that is refused changes nothing; the class of the case is that of its last step."

  static func make(_ recorder: Recorder) throws -> [VectorCase] {
    var cases: [VectorCase] = []
    for (index, script) in (RatchetScripts.good + RatchetScripts.bad).enumerated() {
      var conversation = try Conversation(seed: 1_000 + UInt64(index), recorder)
      try script.run(&conversation)
      cases.append(try conversation.vector(script.name, script.about))
    }
    return cases
  }

  static func check(_ vector: VectorCase) throws {
    guard try vector.text("op") == "conversation" else { throw try unknownOperation(vector) }
    let keys = try ConversationKeys(try vector.part("start"))
    var alice = try keys.alice()
    var bob: Ratchet?
    let steps = try vector.parts("steps")
    let sealed = try steps.filter { try $0.text("do") == "seal" }.map { try $0.hex("envelope") }
    for (index, step) in steps.enumerated() {
      do {
        try perform(step, keys, &alice, &bob, sealed)
        let expected = try step.text("expect")
        try insist(expected == "ok" || index == steps.count - 1, "step \(index) is not refused")
      } catch let mismatch as Mismatch {
        throw Mismatch(description: "step \(index): \(mismatch)")
      } catch  where index < steps.count - 1 {
        guard FailureClass(error)?.rawValue == (try step.text("expect")) else {
          throw Mismatch(description: "step \(index): \(error)")
        }
      }
    }
  }

  private static func perform(
    _ step: VectorCase, _ keys: ConversationKeys, _ alice: inout Ratchet, _ bob: inout Ratchet?, _ sealed: [[UInt8]]
  ) throws {
    guard let side = Conversation.Side(rawValue: try step.text("by")) else { throw Mismatch(description: "neither A nor B") }
    switch try step.text("do") {
    case "seal":
      let parts = try ["dh private", "kem seed", "salt"].filter { step.has($0) }.map { try step.hex($0) }
      let tape = Tape(parts)
      func recorded(_ key: String) throws -> [UInt8] { step.has(key) ? try step.hex(key) : [0] }
      let crypto = SessionCrypto(
        tape: tape, ct768: try recorded("ct768"), ss768: try recorded("ss768"), ct1024: try recorded("ct1024"),
        ss1024: try recorded("ss1024"))
      let letter = try Letter(
        sequence: try step.number("seq"), seen: try step.number("seen"), payload: try step.hex("payload"))
      if side == .a {
        alice.setNewestChain(isKnown: step.has("known"))
      } else {
        bob?.setNewestChain(isKnown: step.has("known"))
      }
      try step.same("envelope", try seal(letter, side, keys, &alice, &bob, crypto))
      try tape.finish()
    case "lose":
      for _ in 0..<(try step.number("count")) {
        let letter = try Letter(sequence: 1, seen: 0, payload: [])
        _ = try seal(letter, side, keys, &alice, &bob, .system)
      }
    case "open":
      let bytes = step.has("sealed") ? sealed[Int(try step.number("sealed"))] : try step.hex("envelope")
      let opened = try ConversationKeys.open(
        bytes, by: side, alice: &alice, bob: &bob, keys, at: try step.number("now"), isOnLink: !step.has("by way of"))
      try insist(step.has("payload"), "an envelope opens that is to be refused")
      try step.same("seq", opened.letter.sequence)
      try step.same("seen", opened.letter.seen)
      try step.same("payload", opened.letter.payload)
      try insist(try step.flag("began") == opened.beganChain, "whether a chain began")
    default: throw Mismatch(description: "an unknown step")
    }
  }

  private static func seal(
    _ letter: Letter, _ side: Conversation.Side, _ keys: ConversationKeys, _ alice: inout Ratchet, _ bob: inout Ratchet?,
    _ crypto: SessionCrypto
  ) throws -> [UInt8] {
    let data = keys.secrets.associatedData
    guard side == .b else { return try alice.seal(letter, associatedData: data, crypto: crypto) }
    guard var ratchet = bob else { throw Mismatch(description: "B has no ratchet yet") }
    let envelope = try ratchet.seal(letter, associatedData: data, crypto: crypto)
    bob = ratchet
    return envelope
  }
}
