/// A secret row as it was stored.
public struct StoredBlob: Hashable, Sendable {
  /// Its key in the store's table.
  public let id: UInt32
  /// Sealed by ``StoredSecret/sealed(with:)``.
  public let bytes: [UInt8]

  /// A row.
  public init(id: UInt32, bytes: [UInt8]) {
    self.id = id
    self.bytes = bytes
  }
}

/// What changes in the node-wide table of signed prekeys.
public struct PrekeyCommit: Hashable, Sendable {
  /// Rows to insert, by id.
  public var put: [UInt32: StoredSecret] = [:]
  /// Rows to delete, so that their bytes are overwritten.
  public var delete: [UInt32] = []

  /// No change.
  public init() {}

  /// Whether there is nothing to do.
  public var isEmpty: Bool { put.isEmpty && delete.isEmpty }
}
