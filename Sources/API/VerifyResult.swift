/// Answer to `verify`.
public struct VerifyResult: ResultBody {
  /// The node that seems to be the peer under new keys.
  public struct NewIdentity: Codable, Hashable, Sendable {
    /// Its node id, in hex.
    public var node: String
    /// Its node id, short and grouped for people.
    public var fingerprint: String
    /// What it calls itself; as it came.
    public var name: String
    /// Where it says it can be reached.
    public var addresses: [String]
    /// 60 digits that it and we must see alike.
    public var safetyNumber: String
    /// When it came, in Unix seconds.
    public var came: UInt64
    /// Why it is taken for the peer: `shared_key`, `name_and_place`, or `announced` by the user.
    public var reason: String

    /// A node that came.
    public init(
      node: String, fingerprint: String, name: String, addresses: [String], safetyNumber: String, came: UInt64, reason: String
    ) {
      self.node = node
      self.fingerprint = fingerprint
      self.name = name
      self.addresses = addresses
      self.safetyNumber = safetyNumber
      self.came = came
      self.reason = reason
    }

    private enum CodingKeys: String, CodingKey {
      case node, fingerprint, name, addresses, came, reason
      case safetyNumber = "safety_number"
    }
  }

  /// The peer, as it is now. While a question is open: the old identity, blocked.
  public var peer: Peer
  /// 60 digits that both sides must see alike; while a question is open, with the old identity.
  public var safetyNumber: String
  /// The new identity that the user has to decide about; nil: there is none.
  public var new: NewIdentity?
  /// What this request decided: `accept-new` or `keep-old`; nil: nothing.
  public var decided: VerifyRequest.Decision?

  /// A safety number, and with an open question a second one.
  public init(
    peer: Peer, safetyNumber: String, new: NewIdentity? = nil, decided: VerifyRequest.Decision? = nil
  ) {
    self.peer = peer
    self.safetyNumber = safetyNumber
    self.new = new
    self.decided = decided
  }

  private enum CodingKeys: String, CodingKey {
    case peer, new, decided
    case safetyNumber = "safety_number"
  }
}
