internal import Wire

/// The member `type` by which every payload says what it is, and the four types that are the session's own.
enum PayloadType {
  /// Who speaks: the first payload of each side.
  static let hello = "hello"
  /// Obliges the other side to begin a new chain.
  static let turn = "turn"
  /// Nothing but the beginning of a new chain.
  static let turned = "turned"

  /// One-time pairs to start sessions from.
  static let prekeys = PrekeysMessage.type

  /// `{"type":"turn"}`
  static let turnPayload = Array(#"{"type":"turn"}"#.utf8)
  /// `{"type":"turned"}`
  static let turnedPayload = Array(#"{"type":"turned"}"#.utf8)

  /// The type of a payload, or nil unless it is a strict JSON object that has one.
  static func read(_ payload: [UInt8]) -> String? {
    do {
      var scanner = JSONScanner(payload.span)
      guard try scanner.next() == .beginObject else { return nil }
      var depth = 1
      var isType = false
      var type: String?
      while let event = try scanner.next() {
        if isType, case .string(let text) = event { type = text }
        isType = depth == 1 && event == .key("type")
        switch event {
        case .beginObject, .beginArray: depth += 1
        case .endObject, .endArray: depth -= 1
        default: break
        }
      }
      return type
    } catch {
      return nil
    }
  }
}
