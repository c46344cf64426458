/// Every bound of control messages and of the bulk protocol, each with its reason.
public enum TransferLimits {
  /// JSON of one envelope: what fits its largest padding, 49,152, behind 20 bytes of counters and length.
  public static let payloadBytes = 49_132
  /// Plaintext under one grant: a key's reach stays small, and a retry asks for little.
  public static let grantBytes = 64 << 20
  /// Kinds 1 and 2 travel in pieces of this size.
  public static let pieceBytes = 1 << 20
  /// Ranges of one grant. The longest, `[99999,65535,65536],`, takes 20 bytes: 2,048 of them leave 8 KB of an envelope.
  public static let ranges = 2_048
  /// The bytes of every identifier of the bulk protocol.
  public static let idBytes = 16
  /// The bytes of a grant's secret and of a connection's key.
  public static let secretBytes = 32
  /// A name in a `hello`: as long as a node's name may be.
  public static let helloNameBytes = 64
  /// Addresses in a `hello`, as in a card.
  public static let helloAddresses = 8
  /// One address as text: a 253-byte host, brackets, a colon and a port.
  public static let helloAddressBytes = 262
  /// Where a listing goes on: a name, `@v` and a version.
  public static let cursorBytes = 160
  /// Entries of one listing page: as many as the smallest possible ones that fit an envelope, so never the reason to cut.
  public static let catalogEntries = 512
  /// Ciphers that a `want` may list; there are two.
  public static let aeads = 8

  /// How long a connection may take from its request to its first message (protocol: 30 s).
  public static let attachWindow = Duration.seconds(30)
  /// A data connection without a grant is closed by the server after this; the puller makes another when it needs one.
  public static let idleConnection = Duration.seconds(60)
  /// Data connections a peer may have open at our server: a few transfers side by side.
  public static let connectionsPerPeer = 16
  /// Grants a connection may have under way at our server: twice what our puller asks for.
  public static let grantsPerConnection = 8
  /// Requests and refusals of one connection that a server remembers, to know them again: several times what may be under way.
  public static let rememberedRequests = 64
}
