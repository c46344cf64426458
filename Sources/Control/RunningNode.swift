public import EventLoop
public import Logging
public import Store

/// A node that has begun to listen.
public protocol RunningNode: Sendable {
  /// What answers the control server's requests.
  var backend: any NodeBackend { get }
  /// What is printed when the node is ready.
  var ready: ReadyLine { get }
  /// Calls itself something else from now on.
  func rename(to name: String) async
  /// Stops accepting, persists, closes links. The daemon waits a few seconds and then ends without it.
  func stop() async
}

/// `ready <node id> listening <host>:<port>`
public struct ReadyLine: Hashable, Sendable {
  /// The node id, in hex.
  public let node: String
  /// `HOST:PORT`, the real port.
  public let listening: String

  /// What is printed when the node is ready.
  public init(node: String, listening: String) {
    self.node = node
    self.listening = listening
  }

  /// The line, which scripts wait for.
  public var text: String { "ready \(node) listening \(listening)" }
}

/// All that a node is made from, resolved and validated.
public struct NodeSettings: Sendable {
  /// Where it keeps its things.
  public let locations: Locations
  /// The name that peers see.
  public let name: String
  /// Where to listen; nil: not asked for, so the default port or a free one that is then remembered.
  public let listen: HostPort?
  /// The loop that node and control server share. The daemon stops it.
  public let loop: EventLoop
  /// Where to log.
  public let logger: Logger
  /// Where the passphrase is to be had; nil: ask for it.
  var passphrase: PassphraseSource?
  /// Whether a database that is missing or damaged is to be replaced by an empty one.
  var beginsAnew = false

  /// Settings.
  public init(locations: Locations, name: String, listen: HostPort?, loop: EventLoop, logger: Logger) {
    self.locations = locations
    self.name = name
    self.listen = listen
    self.loop = loop
    self.logger = logger
  }
}

/// Makes a node that listens, or throws why it cannot.
public typealias MakeNode = @Sendable (NodeSettings) async throws -> any RunningNode
