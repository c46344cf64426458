internal import GRDB
public import Primitives
internal import Session

extension Database {
  /// Placed: the delivery in, the transfer and its maps out, in one transaction. Earlier records of the same paths go.
  /// Returns the delivery's number.
  public func recordDelivery(
    transfer: [UInt8]?, holding: Holding, files: [HoldingFile]
  ) throws(StoreError) -> Int64 {
    try write { db in
      var replaced: Set<Int64> = []
      for file in files {
        let earlier = try db.row("SELECT holding FROM holding_file WHERE path = ?", [file.path]) { $0.int64("holding") }
        guard let earlier else { continue }
        replaced.insert(earlier)
        try db.run("DELETE FROM holding_file WHERE path = ?", [file.path])
      }
      for id in replaced {
        try db.run("DELETE FROM holding WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM holding_file WHERE holding = ?1)", [id])
      }
      let peer = try holding.peer.flatMap { try PeerRow.find(db, $0) }?.id
      try db.run(
        "INSERT INTO holding (digest, name, version, publisher, peer, path, delivered) VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
          holding.digest.column, holding.name, holding.version, holding.publisher.column, peer?.column, holding.path,
          holding.delivered.column,
        ])
      let id = db.lastInsertedRowID
      for file in files {
        try db.run(
          "INSERT INTO holding_file VALUES (?, ?, ?, ?, ?, ?, ?)",
          [id, file.index, file.path, file.sizeBytes.column, file.expected.column, file.computed?.column, file.state.rawValue])
      }
      if let transfer { try db.run("DELETE FROM transfer WHERE id = ?", [transfer.column]) }
      return id
    }
  }

  /// What was delivered, newest first; of one name, if that is given.
  public func holdings(name: String? = nil) throws(StoreError) -> [Holding] {
    try read { db in
      try db.rows("SELECT * FROM holding WHERE ?1 IS NULL OR name = ?1 ORDER BY id DESC", [name]) { row in
        Holding(
          id: row.int64("id"), digest: try row.digest("digest"), name: row.text("name"), version: try row.version("version"),
          publisher: try row.node("publisher"), peer: try row.optionalNode("peer"), path: row.text("path"),
          delivered: row.unsigned("delivered"))
      }
    }
  }

  /// A delivery's files, by number.
  public func holdingFiles(_ holding: Int64) throws(StoreError) -> [HoldingFile] {
    try read { db in
      try db.rows("SELECT * FROM holding_file WHERE holding = ? ORDER BY number", [holding]) { try HoldingFile($0) }
    }
  }

  /// Deliveries with files that were not read back, or could not be, or are still to be set aside; oldest first.
  public func pendingReadBacks() throws(StoreError) -> [Int64] {
    try read { db in
      try db.rows(
        "SELECT DISTINCT holding FROM holding_file WHERE state IN ('pending', 'condemned', 'unreadable') ORDER BY holding", []
      ) { $0.int64("holding") }
    }
  }

  /// Records what reading a file gave and returns what that makes of it; nil if the record is gone.
  @discardableResult
  public func setReadBack(holding: Int64, file: Int, _ found: ReadBackResult) throws(StoreError) -> HoldingFile.State? {
    try setReadBacks(holding: holding, [(file, found)])[file]
  }

  /// The same for many files of one delivery, in one transaction. Files whose record is gone are not in the answer.
  public func setReadBacks(
    holding: Int64, _ results: [(file: Int, found: ReadBackResult)]
  ) throws(StoreError) -> [Int: HoldingFile.State] {
    try write { db in
      var states: [Int: HoldingFile.State] = [:]
      for (file, found) in results {
        let key: StatementArguments = [holding, file]
        guard
          let known = try db.row("SELECT * FROM holding_file WHERE holding = ? AND number = ?", key, { try HoldingFile($0) })
        else { continue }
        let state = known.state(after: found)
        // A file that changed here was verified once: what it was then is still what is known of the publisher's claim.
        let computed =
          if case .hash(let digest) = found, state != .changed { digest } else { state == .changed ? known.computed : nil }
        try db.run(
          "UPDATE holding_file SET computed = ?, state = ? WHERE holding = ? AND number = ?",
          [computed?.column, state.rawValue, holding, file])
        states[file] = state
      }
      return states
    }
  }

  /// A condemned file no longer has its final name.
  public func setQuarantined(holding: Int64, file: Int) throws(StoreError) {
    try write { db in
      try db.run(
        "UPDATE holding_file SET state = 'mismatch' WHERE holding = ? AND number = ? AND state = 'condemned'", [holding, file])
    }
  }
}

/// What reading a delivered file gave.
public enum ReadBackResult: Hashable, Sendable {
  /// Its bytes have this hash.
  case hash(Digest)
  /// It is not there.
  case missing
  /// It is no longer the file that was placed: of another size, or of another kind.
  case changed
  /// The disk or its permissions refuse.
  case unreadable

  /// What a failure to read it is.
  public init(_ error: StoreError) {
    self =
      switch error.code {
      case .doesNotExist, .notAFolder: .missing
      case .deliveredChanged, .destinationIsFolder, .symlinkInDestination: .changed
      default: .unreadable
      }
  }
}

extension HoldingFile {
  fileprivate func state(after found: ReadBackResult) -> State {
    switch found {
    case .hash(let digest) where digest == expected: .verified
    case .hash:
      switch state {
      // Its publisher's claim held once: whoever changed it did so here.
      case .verified, .changed: .changed
      // It was set aside once; what lies there now was put there by somebody.
      case .mismatch: .mismatch
      case .pending, .condemned, .missing, .unreadable: .condemned
      }
    // Set aside, by an earlier run that had no time to record it.
    case .missing: state == .condemned || state == .mismatch ? .mismatch : .missing
    case .changed: .changed
    case .unreadable: state == .condemned ? .condemned : .unreadable
    }
  }
}

extension HoldingFile {
  fileprivate init(_ row: RowReader) throws {
    guard let state = State(rawValue: row.text("state")) else { throw row.bad("state") }
    self.init(
      holding: row.int64("holding"), index: row.int("number"), path: row.text("path"), sizeBytes: row.unsigned("size"),
      expected: try row.digest("expected"), computed: try row.optionalDigest("computed"), state: state)
  }
}
