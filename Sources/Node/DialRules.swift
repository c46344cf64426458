internal import EventLoop
internal import Session

/// Decides whether a place that an address stands for may be dialed. A name is judged each time it is resolved: it can stand for
/// another place every time.
struct DialRules: Sendable {
  /// How the addresses became known.
  let origins: AddressOrigins
  /// Where this node listens itself.
  let own: OwnListeners

  /// Whether this node may connect to `place`, which `address` stands for at this moment.
  func permit(_ place: SocketAddress, for address: PeerAddress) -> Bool {
    guard let scope = AddressScope(of: place), !own.contains(place) else { return false }
    return origins.origin(of: address).reaches(scope)
  }

  /// Whether an address may ever be dialed. False only for a numeric one that no link will make good.
  func mayKeep(_ address: PeerAddress) -> Bool {
    guard let place = SocketAddress(ip: address.host, port: address.port) else { return true }
    guard let scope = AddressScope(of: place) else { return false }
    return origins.origin(of: address).reaches(scope)
  }
}

/// The places at which this node itself accepts connections.
struct OwnListeners: Sendable {
  private let listening: SocketAddress
  private let interfaces: Set<[UInt8]>

  /// A listener at an address, on a machine with these addresses.
  init(listening: SocketAddress, interfaces: [InterfaceAddress]) {
    self.listening = listening.unwrapped
    self.interfaces = Set(interfaces.map(\.address.unwrapped.addressBytes))
  }

  /// Whether a connection to `place` would end at this node.
  func contains(_ place: SocketAddress) -> Bool {
    guard place.port == listening.port else { return false }
    let place = place.unwrapped
    guard listening.isWildcard else { return place.addressBytes == listening.addressBytes }
    return place.isLoopback || interfaces.contains(place.addressBytes)
  }
}
