/// How a node is set up. Validated by whoever reads it from options, environment and file.
public struct NodeConfiguration: Sendable {
  /// The port to listen on where none is asked for.
  public static let defaultPort: UInt16 = 7411

  /// The node's name: `[A-Za-z0-9][A-Za-z0-9._-]{0,63}`. Peers that give no alias of their own know us by it.
  public var name: String
  /// Host and port to listen on; nil: the default port on all addresses, or a free one that is then remembered.
  public var listen: (host: String, port: UInt16)?

  /// A configuration.
  public init(name: String, listen: (host: String, port: UInt16)? = nil) {
    self.name = name
    self.listen = listen
  }
}
