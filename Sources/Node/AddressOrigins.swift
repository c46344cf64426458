internal import Session

/// How this node came to know an address of a peer. It decides on which networks the address may be dialed.
enum AddressOrigin: Hashable, Sendable {
  /// The user added it to this peer: it is dialed wherever it is, and stays until the user removes it.
  case added
  /// The user gave it, with a ticket: it is dialed wherever it is.
  case given
  /// The peer said so, over a link whose other end was in this scope: it is dialed there and farther out, never nearer.
  case told(AddressScope)
  /// It was stored before origins were. Dialed like one that was given, until the peer says where it is now.
  case inherited

  /// Whether a place in this scope may be dialed.
  func reaches(_ scope: AddressScope) -> Bool {
    switch self {
    case .added, .given, .inherited: true
    case .told(let told): told <= scope
    }
  }

  /// A word for the store, none for ``inherited``.
  var word: String? {
    switch self {
    case .added: "added"
    case .given: "given"
    case .told(let scope): scope.rawValue
    case .inherited: nil
    }
  }

  init?(word: String) {
    if word == "added" {
      self = .added
    } else if word == "given" {
      self = .given
    } else if let scope = AddressScope(rawValue: word) {
      self = .told(scope)
    } else {
      return nil
    }
  }
}

/// The origins of a peer's addresses. In the store an address and its origin are one text, `192.0.2.7:7411 public`.
struct AddressOrigins: Sendable {
  private var known: [PeerAddress: AddressOrigin] = [:]

  /// No address is known.
  init() {}

  /// Addresses that the user gave.
  init(given addresses: [PeerAddress]) {
    for address in addresses { known[address] = .given }
  }

  /// The origin of an address; of one that nobody noted, the most distant.
  func origin(of address: PeerAddress) -> AddressOrigin { known[address] ?? .told(.publicNetwork) }

  /// The peer says that it may be reached at these addresses, over a link of this scope. The user's word counts more, and so does
  /// what was said over a nearer link.
  mutating func note(_ addresses: [PeerAddress], toldOver scope: AddressScope) {
    for address in addresses {
      switch known[address] {
      case .added, .given: break
      case .told(let before): known[address] = .told(min(before, scope))
      case .inherited, nil: known[address] = .told(scope)
      }
    }
  }

  /// The user adds an address to the peer.
  mutating func add(_ address: PeerAddress) { known[address] = .added }

  /// A handshake has succeeded at this address. Where it came from is not known any more if it is not stored: then it is tried again
  /// wherever it is, as long as nobody names a better one.
  mutating func noteReached(_ address: PeerAddress) {
    if known[address] == nil { known[address] = .inherited }
  }

  /// Forgets all others.
  mutating func keep(only addresses: [PeerAddress]) {
    let kept = Set(addresses)
    known = known.filter { kept.contains($0.key) }
  }

  /// Reads what ``texts(of:)`` wrote; what is no address is passed over.
  static func read(_ texts: [String]) -> (addresses: [PeerAddress], origins: AddressOrigins) {
    var addresses: [PeerAddress] = []
    var origins = AddressOrigins()
    for text in texts {
      let parts = text.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      guard let address = try? PeerAddress(parts[0]), origins.known[address] == nil else { continue }
      addresses.append(address)
      // A word of a version to come is no reason to dial it everywhere.
      origins.known[address] = parts.count == 1 ? .inherited : AddressOrigin(word: parts[1]) ?? .told(.publicNetwork)
    }
    return (addresses, origins)
  }

  /// The addresses with their origins, for the store.
  func texts(of addresses: [PeerAddress]) -> [String] {
    addresses.map { address in
      guard let word = origin(of: address).word else { return address.description }
      return "\(address) \(word)"
    }
  }
}
