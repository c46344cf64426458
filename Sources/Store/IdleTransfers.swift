internal import GRDB
public import Session

/// A download that nobody continues, and of which the user has been told.
public struct IdleTransfer: Hashable, Sendable {
  /// The transfer's 16-byte id.
  public let id: [UInt8]
  /// Whom it pulled from.
  public let peer: NodeID
  /// `NAME@vN`.
  public let reference: String
  /// The absolute folder that was asked for.
  public let destination: String
  /// Its partial folder.
  public let partial: String?
  /// When it goes unless it is continued, Unix seconds; later if the node does not run meanwhile.
  public let removal: UInt64
  /// Whether that time has come.
  public let isDue: Bool
  /// Whether this pass is the first to say so.
  public let isNew: Bool
  /// The file system that its partial folder was seen on.
  public let volume: UInt64?
}

extension Database {
  /// Counts for how long transfers have been left alone. Returns those of which the user is to be
  /// told.
  ///
  /// - Parameters:
  ///   - now: Unix seconds.
  ///   - ranSeconds: how long the node ran since the last call, by a clock that only goes forward.
  ///   - jumpedSeconds: by how much the calendar was set forward since the last call.
  public func noteIdleTransfers(
    now: UInt64, ranSeconds: UInt64, jumpedSeconds: UInt64 = 0
  ) throws(StoreError) -> [IdleTransfer] {
    guard try read({ db in try db.row("SELECT 1 AS found FROM transfer LIMIT 1", []) { _ in true } }) != nil else { return [] }
    return try write { db in
      let all = "kind = 'transfer'"
      if jumpedSeconds > 0 {
        // Nobody was away for that long: what was said before stands as far off as it did.
        try db.run(
          "UPDATE retention SET since = min(?1, since + ?2), warned = min(?1, warned + ?2) WHERE \(all)",
          [now.column, jumpedSeconds.column])
      }
      try db.run("INSERT OR IGNORE INTO retention (kind, id, since) SELECT 'transfer', id, ? FROM transfer", [now.column])
      // A clock that went back: what it said before means nothing, and neither does a notice that
      // would not be given now. The day of running must not count for one that comes later.
      try db.run("UPDATE retention SET since = ?1 WHERE \(all) AND since > ?1", [now.column])
      try db.run(
        "UPDATE retention SET warned = NULL, noticed = 0 WHERE \(all) AND (warned > ?1 OR since > ?2)",
        [now.column, Self.noticeBegins(now)])
      try db.run("UPDATE retention SET noticed = noticed + ? WHERE \(all) AND warned IS NOT NULL", [ranSeconds.column])
      let isDue = "\(all) AND warned IS NULL AND since <= ?"
      let new = try db.rows("SELECT id FROM retention WHERE \(isDue)", [Self.noticeBegins(now)]) { $0.bytes("id") }
      for id in new { try db.run("UPDATE retention SET warned = ? WHERE \(all) AND id = ?", [now.column, id.column]) }
      return try Self.idle(db, now: now, new: Set(new))
    }
  }

  /// The transfers of which the user has been told that they go.
  public func idleTransfers(now: UInt64) throws(StoreError) -> [IdleTransfer] {
    try read { db in try Self.idle(db, now: now, new: []) }
  }

  /// Records which file system a transfer's partial folder is on.
  public func setVolume(of id: [UInt8], _ volume: UInt64) throws(StoreError) {
    try write { db in
      try db.run("UPDATE retention SET volume = ? WHERE kind = 'transfer' AND id = ?", [volume.column, id.column])
    }
  }

  /// Records that a transfer's partial folder is on another file system than it was, and says anew
  /// that it goes.
  public func setMovedVolume(of id: [UInt8], _ volume: UInt64) throws(StoreError) {
    try write { db in
      try db.run(
        "UPDATE retention SET volume = ?, warned = NULL, noticed = 0 WHERE kind = 'transfer' AND id = ?",
        [volume.column, id.column])
    }
  }

  /// Transfers whose file system is not known yet.
  public func transfersWithoutVolume() throws(StoreError) -> [TransferRow] {
    try read { db in
      try db.rows(
        """
        SELECT transfer.* FROM retention JOIN transfer USING (id) WHERE kind = 'transfer' AND volume IS NULL AND partial IS NOT NULL
        LIMIT ?
        """, [Retention.rowsPerSlice]
      ) { try TransferRow($0) }
    }
  }

  /// Who was left alone since then, or before, is told.
  private static func noticeBegins(_ now: UInt64) -> Int64 {
    Retention.ago(RetentionTimes.idleTransferSeconds - RetentionTimes.noticeSeconds, now)
  }

  private static func idle(_ db: GRDB.Database, now: UInt64, new: Set<[UInt8]>) throws -> [IdleTransfer] {
    try db.rows(
      """
      SELECT id, peer, reference, destination, partial, since, warned, noticed, volume FROM retention JOIN transfer USING (id)
      WHERE kind = 'transfer' AND warned <= ? AND since <= ? ORDER BY since
      """, [now.column, noticeBegins(now)]
    ) { row in
      let id = row.bytes("id")
      let ran = row.unsigned("noticed")
      let left = RetentionTimes.noticeRunningSeconds - min(RetentionTimes.noticeRunningSeconds, ran)
      let removal = max(
        row.unsigned("since") + RetentionTimes.idleTransferSeconds, row.unsigned("warned") + RetentionTimes.noticeSeconds,
        left > 0 ? now + left : 0)
      return IdleTransfer(
        id: id, peer: try row.node("peer"), reference: row.text("reference"), destination: row.text("destination"),
        partial: row.optionalText("partial"), removal: removal, isDue: removal <= now, isNew: new.contains(id),
        volume: row.optionalUnsigned("volume"))
    }
  }
}
