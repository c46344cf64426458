internal import FoundationEssentials
internal import GRDB
internal import Session

extension Database {
  /// Keeps a transfer, new or changed; its resume maps stay. Throws `unknownPeer`.
  public func saveTransfer(_ transfer: TransferRow) throws(StoreError) {
    try write { db in
      guard try PeerRow.find(db, transfer.peer) != nil else { throw StoreError.unknownPeer(transfer.peer.hex) }
      try db.run(
        """
        INSERT INTO transfer (id, peer, digest, reference, destination, partial, options, plan, state, created, boot)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET
        peer = excluded.peer, digest = excluded.digest, reference = excluded.reference, destination = excluded.destination,
        partial = excluded.partial, options = excluded.options, plan = excluded.plan, state = excluded.state, boot = excluded.boot
        """,
        [
          transfer.id.column, transfer.peer.column, transfer.digest.column, transfer.reference, transfer.destination,
          transfer.partial, transfer.options.column, transfer.plan.column, transfer.state.rawValue, transfer.created.column,
          transfer.bootID,
        ])
    }
  }

  /// The transfer with an id.
  public func transfer(_ id: [UInt8]) throws(StoreError) -> TransferRow? {
    try read { db in try db.row("SELECT * FROM transfer WHERE id = ?", [id.column]) { try TransferRow($0) } }
  }

  /// All transfers that are not done, oldest first.
  public func transfers() throws(StoreError) -> [TransferRow] {
    try read { db in try db.rows("SELECT * FROM transfer ORDER BY created, rowid") { try TransferRow($0) } }
  }

  /// Records how far a transfer is, and why it does not run. Throws `unknownTransfer`.
  public func setTransferState(_ id: [UInt8], _ state: TransferState, reason: String? = nil) throws(StoreError) {
    try update("UPDATE transfer SET state = ?, reason = ? WHERE id = ?", [state.rawValue, reason, id.column])
  }

  /// Records the plan, and where its partial folder is. Throws `unknownTransfer`.
  public func setTransferPlan(_ id: [UInt8], plan: [UInt8], partial: String?) throws(StoreError) {
    try update("UPDATE transfer SET plan = ?, partial = ? WHERE id = ?", [plan.column, partial, id.column])
  }

  /// Records that the maps hold for this boot: what they name was hashed again. Throws `unknownTransfer`.
  public func setTransferBoot(_ id: [UInt8], bootID: String) throws(StoreError) {
    try update("UPDATE transfer SET boot = ? WHERE id = ?", [bootID, id.column])
  }

  private func update(_ sql: String, _ arguments: StatementArguments) throws(StoreError) {
    try write { db in
      try db.run(sql, arguments)
      guard db.changesCount == 1 else { throw StoreError(.unknownTransfer, detail: "no such transfer") }
    }
  }

  /// Records the verified chunks of files, by the manifest's numbers; an empty map forgets a file's.
  /// Throws `unknownTransfer`, which is what a cancelled transfer's last writes get.
  public func saveResume(_ id: [UInt8], _ maps: [Int: [UInt8]]) throws(StoreError) {
    try write { db in
      guard try db.row("SELECT 1 AS found FROM transfer WHERE id = ?", [id.column], { _ in true }) != nil else {
        throw StoreError(.unknownTransfer, detail: "no such transfer")
      }
      for (file, map) in maps {
        if map.isEmpty {
          try db.run("DELETE FROM resume WHERE transfer = ? AND number = ?", [id.column, file])
        } else {
          try db.run(
            "INSERT INTO resume VALUES (?, ?, ?) ON CONFLICT (transfer, number) DO UPDATE SET map = excluded.map",
            [id.column, file, map.column])
        }
      }
    }
  }

  /// The verified chunks of a transfer's files.
  public func resumeMaps(_ id: [UInt8]) throws(StoreError) -> [Int: [UInt8]] {
    let rows = try read { db in
      try db.rows("SELECT number, map FROM resume WHERE transfer = ?", [id.column]) { ($0.int("number"), $0.bytes("map")) }
    }
    return Dictionary(rows, uniquingKeysWith: { first, _ in first })
  }

  /// Forgets a transfer with its maps; its partial folder is the caller's to discard.
  public func deleteTransfer(_ id: [UInt8]) throws(StoreError) {
    try write { db in try db.run("DELETE FROM transfer WHERE id = ?", [id.column]) }
  }
}

extension TransferRow {
  init(_ row: RowReader) throws {
    guard let state = TransferState(rawValue: row.text("state")) else { throw row.bad("state") }
    self.init(
      id: row.bytes("id"), peer: try row.node("peer"), digest: try row.digest("digest"), reference: row.text("reference"),
      destination: row.text("destination"), partial: row.optionalText("partial"), options: row.bytes("options"),
      plan: row.bytes("plan"), state: state, created: row.unsigned("created"), bootID: row.text("boot"),
      reason: row.optionalText("reason"))
  }
}
