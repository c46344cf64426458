import Foundation
import Primitives
import Testing

/// A file of published vectors: groups of cases, each group with what its cases share.
struct VectorFile<Group: Decodable>: Decodable {
  let numberOfTests: Int
  let testGroups: [Group]

  /// Reads `Vectors/<name>.json`. A missing or unreadable file is a failed test, never an empty one.
  init(_ name: String) throws {
    let url = try #require(Bundle.module.url(forResource: name, withExtension: "json", subdirectory: "Vectors"))
    self = try JSONDecoder().decode(Self.self, from: Data(contentsOf: url))
  }
}

/// What a published vector says must happen.
enum ExpectedClass: String, Decodable {
  case valid, invalid
  /// Implementations may differ; each test says what this one does.
  case acceptable
}

/// A byte string written in hexadecimal, of either case.
struct HexBytes: Decodable, Hashable {
  let bytes: [UInt8]

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    let digits = Array(try container.decode(String.self).utf8)
    guard digits.count.isMultiple(of: 2) else {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "an odd number of digits")
    }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(digits.count / 2)
    for index in stride(from: 0, to: digits.count, by: 2) {
      guard let high = Self.value(of: digits[index]), let low = Self.value(of: digits[index + 1]) else {
        throw DecodingError.dataCorruptedError(in: container, debugDescription: "not a hexadecimal digit")
      }
      bytes.append(high << 4 | low)
    }
    self.bytes = bytes
  }

  private static func value(of digit: UInt8) -> UInt8? {
    switch digit {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
    default: nil
    }
  }
}

/// What became of one operation on a peer's bytes: a value, or a refusal with its reason.
enum Outcome<Value: Equatable>: Equatable {
  case value(Value)
  case refused(CryptoError.Code)

  init(_ body: () throws(CryptoError) -> Value) {
    do { self = .value(try body()) } catch { self = .refused(error.code) }
  }

  /// True for a refusal, whatever its reason.
  var isRefusal: Bool {
    if case .refused = self { true } else { false }
  }
}
