internal import Wire

/// What nodes say to each other inside envelopes, as JSON objects that name their `type`.
///
/// `turn` and `turned` belong to the session and are not here.
public enum ControlMessage: Sendable {
  /// Who speaks.
  case hello(Hello)
  /// "What do you share with me?"
  case catalogRequest(CatalogRequest)
  /// A page of the answer.
  case catalog(Catalog)
  /// "Which artifact is this name?"
  case resolve(Resolve)
  /// The answer.
  case resolved(Resolved)
  /// "Send me this."
  case want(Want)
  /// The key to what was asked for.
  case grant(Grant)
  /// No, or no further.
  case deny(Deny)

  /// Reads a payload.
  ///
  /// Nil for a type that this version does not know: it is to be ignored. Throws ``ControlError`` for anything that is not a
  /// message, down to the range of each number.
  public static func parse(_ payload: [UInt8]) throws(ControlError) -> ControlMessage? {
    guard payload.count <= TransferLimits.payloadBytes else { throw ControlError(.tooLarge) }
    let value: JSONValue
    do { value = try JSONValue.parse(payload.span) } catch { throw ControlError(.malformed) }
    let fields = try ControlFields(value)
    switch try fields.text("type", atMost: TransferLimits.payloadBytes) {
    case Hello.type: return .hello(try Hello(fields))
    case CatalogRequest.type: return .catalogRequest(try CatalogRequest(fields))
    case Catalog.type: return .catalog(try Catalog(fields))
    case Resolve.type: return .resolve(try Resolve(fields))
    case Resolved.type: return .resolved(try Resolved(fields))
    case Want.type: return .want(try Want(fields))
    case Grant.type: return .grant(try Grant(fields))
    case Deny.type: return .deny(try Deny(fields))
    default: return nil
    }
  }

  /// The message as an envelope carries it.
  public var payload: [UInt8] {
    switch self {
    case .hello(let message): message.value.serialized()
    case .catalogRequest(let message): message.value.serialized()
    case .catalog(let message): message.value.serialized()
    case .resolve(let message): message.value.serialized()
    case .resolved(let message): message.value.serialized()
    case .want(let message): message.value.serialized()
    case .grant(let message): message.value.serialized()
    case .deny(let message): message.value.serialized()
    }
  }
}

/// `{"type":"hello","name":"studio","addresses":["192.0.2.7:7411"]}`: the sender's card, first in every session.
public struct Hello: Hashable, Sendable {
  static let type = "hello"

  /// What the node calls itself. A claim, and not checked beyond its length.
  public let name: String
  /// Where it says it can be reached. Not checked beyond number and length.
  public let addresses: [String]

  /// A card.
  public init(name: String, addresses: [String]) {
    self.name = name
    self.addresses = addresses
  }

  init(_ fields: ControlFields) throws(ControlError) {
    name = try fields.text("name", atMost: TransferLimits.helloNameBytes)
    addresses = try fields.texts(
      "addresses", atMost: TransferLimits.helloAddresses, bytes: TransferLimits.helloAddressBytes)
  }

  var value: JSONValue {
    var writer = ControlWriter(type: Self.type)
    writer.set("name", name)
    writer.set("addresses", .array(addresses.map { .string($0) }))
    return writer.value
  }
}
