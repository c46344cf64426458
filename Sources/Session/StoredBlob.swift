/// Something the store keeps for us without knowing what is in it. Secret.
public struct StoredBlob: Hashable, Sendable {
  /// Its key in the store's table.
  public let id: UInt32
  /// Opaque.
  public let bytes: [UInt8]

  /// A row.
  public init(id: UInt32, bytes: [UInt8]) {
    self.id = id
    self.bytes = bytes
  }
}

/// What changes in the node-wide table of signed prekeys.
public struct PrekeyCommit: Hashable, Sendable {
  /// Rows to insert.
  public var put: [StoredBlob] = []
  /// Rows to delete, so that their bytes are overwritten.
  public var delete: [UInt32] = []

  /// No change.
  public init() {}

  /// Whether there is nothing to do.
  public var isEmpty: Bool { put.isEmpty && delete.isEmpty }
}
