internal import CUV
internal import Glibc

/// An address of this machine.
public struct InterfaceAddress: Hashable, Sendable {
  /// The interface, `eth0`.
  public let name: String
  /// With port 0.
  public let address: SocketAddress
  /// Reaches this machine only.
  public let isLoopback: Bool

  /// An address of an interface.
  public init(name: String, address: SocketAddress, isLoopback: Bool) {
    self.name = name
    self.address = address
    self.isLoopback = isLoopback
  }

  /// Means something on one network only.
  public var isLinkLocal: Bool { address.isLinkLocal }
}

/// The machine's own addresses, for telling others where to find us.
public enum NetworkInterfaces {
  /// Those of interfaces that are up: first what others can dial, then link-local ones, loopback last; otherwise in
  /// the system's order. Empty if the system does not tell.
  public static func addresses() -> [InterfaceAddress] {
    var list: UnsafeMutablePointer<uv_interface_address_t>?
    var count: CInt = 0
    guard uv_interface_addresses(&list, &count) == 0, let list else { return [] }
    defer { uv_free_interface_addresses(list, count) }
    let all = UnsafeBufferPointer(start: list, count: Int(count)).compactMap { entry -> InterfaceAddress? in
      let address = withUnsafeBytes(of: entry.address) { raw in
        raw.baseAddress.flatMap { SocketAddress($0.assumingMemoryBound(to: sockaddr.self)) }
      }
      guard let address, let name = entry.name else { return nil }
      return InterfaceAddress(name: String(cString: name), address: address, isLoopback: entry.is_internal != 0)
    }
    return [0, 1, 2].flatMap { rank in all.filter { self.rank($0) == rank } }
  }

  /// Whether connections may run over an address of this machine: false only if the system says that it is none, or no longer.
  public static func has(_ address: SocketAddress) -> Bool {
    do throws(LoopError) {
      let name = "bind \(address)"
      let socket = try NewSocket(family: address.isIPv6 ? AF_INET6 : AF_INET, name: name)
      let descriptor = socket.descriptor
      try socket.check(address.withPort(0).withSockaddr { Glibc.bind(descriptor, $0, $1) }, name)
      return true
    } catch {
      return error.code != .addressNotAvailable
    }
  }

  private static func rank(_ address: InterfaceAddress) -> Int {
    address.isLoopback ? 2 : address.isLinkLocal ? 1 : 0
  }
}
