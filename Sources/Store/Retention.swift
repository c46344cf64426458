internal import GRDB

/// How long the node keeps what nobody uses, and what it says before anything of the user's goes.
///
/// Never removed: versions that are still offered, records of deliveries, the versions that
/// publishers showed (`seen_version`), the numbers of our own versions (`past_version`) and replay
/// hashes.
public enum RetentionTimes {
  private static let day: UInt64 = 86_400

  /// A download that nobody continues, from its last progress to its removal: a month away from the
  /// desk costs nothing.
  public static let idleTransferSeconds = 30 * day
  /// How long before that the user is told: a week of `pawl status`, and one line of log.
  public static let noticeSeconds = 7 * day
  /// The node must also have run so long since it first said so, by a clock that no calendar moves:
  /// a calendar that jumps a year ahead removes nothing before somebody had a day to read about it.
  public static let noticeRunningSeconds = day
  /// A withdrawn version can be brought back under its number for a month.
  public static let withdrawnSeconds = 30 * day
  /// A peer's manifest that nothing here refers to can be fetched again.
  public static let unusedManifestSeconds = 180 * day
  /// Manifests kept of one name of one publisher, besides those of downloads: newest first.
  public static let manifestsPerName = 3
}

/// The tables behind ``RetentionTimes``.
///
/// An entry says since when something is unused. Whatever uses it removes the entry through a
/// trigger, and the next pass begins to count again: so no caller has to know of retention, or of
/// the time.
enum Retention {
  static let schema = """
    CREATE TABLE retention (
      kind TEXT NOT NULL, id BLOB NOT NULL, since INTEGER NOT NULL, warned INTEGER, noticed INTEGER NOT NULL DEFAULT 0,
      volume INTEGER, PRIMARY KEY (kind, id)) STRICT, WITHOUT ROWID;
    CREATE INDEX retention_since ON retention (kind, since);
    CREATE TABLE past_version (
      name TEXT PRIMARY KEY, version INTEGER NOT NULL, digest BLOB NOT NULL) STRICT, WITHOUT ROWID;
    CREATE INDEX known_manifest_name ON known_manifest (publisher, name, version, digest);
    CREATE INDEX published_withdrawn ON published (name, version, digest) WHERE withdrawn;
    CREATE TRIGGER transfer_continued AFTER UPDATE OF state ON transfer WHEN NEW.state IN ('running', 'placing') BEGIN
      DELETE FROM retention WHERE kind = 'transfer' AND id = NEW.id; END;
    CREATE TRIGGER transfer_progressed AFTER UPDATE ON resume BEGIN
      DELETE FROM retention WHERE kind = 'transfer' AND id = NEW.transfer; END;
    CREATE TRIGGER transfer_began_file AFTER INSERT ON resume BEGIN
      DELETE FROM retention WHERE kind = 'transfer' AND id = NEW.transfer; END;
    CREATE TRIGGER transfer_gone AFTER DELETE ON transfer BEGIN
      DELETE FROM retention WHERE kind = 'transfer' AND id = OLD.id; END;
    CREATE TRIGGER published_changed AFTER UPDATE OF withdrawn ON published BEGIN
      DELETE FROM retention WHERE kind = 'withdrawn' AND id = NEW.digest; END;
    CREATE TRIGGER published_gone AFTER DELETE ON published BEGIN
      DELETE FROM retention WHERE kind = 'withdrawn' AND id = OLD.digest; END;
    CREATE TRIGGER manifest_used AFTER INSERT ON known_manifest BEGIN
      DELETE FROM retention WHERE kind = 'manifest' AND id = NEW.digest; END;
    CREATE TRIGGER manifest_gone AFTER DELETE ON known_manifest BEGIN
      DELETE FROM retention WHERE kind = 'manifest' AND id = OLD.digest; END;
    """

  /// Rows of one transaction: some milliseconds, in which nobody else's commit waits.
  static let rowsPerSlice = 500
  /// Bytes of manifests deleted in one transaction, each of which is overwritten.
  static let bytesPerSlice = 8 << 20

  static func ago(_ seconds: UInt64, _ now: UInt64) -> Int64 { (now - min(now, seconds)).column }

  /// Begins to count for rows of a kind that have no entry yet, and again where the clock went
  /// back. Returns how many it added.
  static func begin(_ db: GRDB.Database, _ kind: String, _ rows: String, _ now: UInt64) throws -> Int {
    try db.run("UPDATE retention SET since = ?1 WHERE kind = ?2 AND since > ?1", [now.column, kind])
    try db.run(
      """
      INSERT INTO retention (kind, id, since) SELECT ?2, digest, ?1 FROM \(rows) AND NOT EXISTS
      (SELECT 1 FROM retention WHERE kind = ?2 AND id = digest) LIMIT ?3
      """, [now.column, kind, rowsPerSlice])
    return db.changesCount
  }
}

extension Database {
  /// One slice of what withdrawn versions leave: rows of their files, then the versions, whose
  /// number and digest are remembered. Returns how much there was to do; zero: nothing more is due.
  public func retireWithdrawn(now: UInt64) throws(StoreError) -> Int {
    try write { db in
      let added = try Retention.begin(db, "withdrawn", "published WHERE withdrawn", now)
      if added > 0 { return added }
      var rows = 0
      var bytes = 0
      while rows < Retention.rowsPerSlice, bytes < Retention.bytesPerSlice {
        let due = try db.row(
          """
          SELECT digest, length(manifest) AS size FROM retention JOIN published ON digest = id
          WHERE kind = 'withdrawn' AND since <= ? AND withdrawn LIMIT 1
          """, [Retention.ago(RetentionTimes.withdrawnSeconds, now)]
        ) { (digest: try $0.digest("digest"), size: $0.int("size")) }
        guard let due else { break }
        try db.run(
          """
          DELETE FROM published_file WHERE digest = ?1 AND number IN
          (SELECT number FROM published_file WHERE digest = ?1 LIMIT ?2)
          """, [due.digest.column, Retention.rowsPerSlice - rows])
        rows += db.changesCount
        guard rows < Retention.rowsPerSlice else { break }
        try db.run(
          """
          INSERT INTO past_version SELECT name, version, digest FROM published WHERE digest = ? ON CONFLICT (name) DO UPDATE
          SET version = excluded.version, digest = excluded.digest WHERE excluded.version > version
          """, [due.digest.column])
        try db.run("DELETE FROM published WHERE digest = ?", [due.digest.column])
        rows += 1
        bytes += due.size
      }
      return rows
    }
  }

  /// The highest of our own versions of a name whose manifest is no longer kept.
  public func pastVersion(_ name: String) throws(StoreError) -> RememberedVersion? {
    try read { db in
      try db.row("SELECT version, digest FROM past_version WHERE name = ?", [name]) {
        RememberedVersion(version: try $0.version("version"), digest: try $0.digest("digest"))
      }
    }
  }

  /// One slice of the peers' manifests that nothing refers to: those of superseded versions, and
  /// those that were not used for long. What a publisher showed stays remembered. Returns how much
  /// there was to do; zero: nothing more is due.
  public func retireManifests(now: UInt64) throws(StoreError) -> Int {
    try write { db in
      let added = try Retention.begin(db, "manifest", "known_manifest WHERE true", now)
      if added > 0 { return added }
      let due = try db.rows(
        """
        SELECT digest FROM (SELECT digest, row_number() OVER (PARTITION BY publisher, name ORDER BY version DESC) AS place
          FROM known_manifest) JOIN retention ON kind = 'manifest' AND id = digest
        WHERE (place > ?1 OR since <= ?2) AND digest NOT IN (SELECT digest FROM transfer) AND digest NOT IN (SELECT digest FROM holding)
        LIMIT ?3
        """,
        [
          RetentionTimes.manifestsPerName, Retention.ago(RetentionTimes.unusedManifestSeconds, now), Retention.rowsPerSlice,
        ]
      ) { try $0.digest("digest") }
      var bytes = 0
      for digest in due where bytes < Retention.bytesPerSlice {
        bytes +=
          try db.row("SELECT length(bytes) AS size FROM known_manifest WHERE digest = ?", [digest.column]) { $0.int("size") }
          ?? 0
        try db.run("DELETE FROM known_manifest WHERE digest = ?", [digest.column])
      }
      return due.count
    }
  }
}
