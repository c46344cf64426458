internal import Artifact
internal import FoundationEssentials
internal import GRDB
internal import Primitives
internal import Session

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

  /// Manifests deleted in one transaction: each lies somewhere else in five trees.
  static let manifestsPerSlice = 100

  /// Counts anew, from now, what began later than now: the clock went back. Returns how many.
  static func rewind(_ db: GRDB.Database, _ now: UInt64) throws -> Int {
    var rows = 0
    for kind in ["withdrawn", "manifest"] {
      try db.run(
        """
        UPDATE retention SET since = ?1 WHERE kind = ?2 AND id IN
        (SELECT id FROM retention WHERE kind = ?2 AND since > ?1 LIMIT ?3)
        """, [now.column, kind, rowsPerSlice])
      rows += db.changesCount
    }
    return rows
  }

  /// Begins to count for rows of a kind that have no entry yet.
  static func begin(_ db: GRDB.Database, _ kind: String, _ digests: [Digest], _ now: UInt64) throws {
    for digest in digests {
      try db.run("INSERT OR IGNORE INTO retention (kind, id, since) VALUES (?, ?, ?)", [kind, digest.column, now.column])
    }
  }

  /// The next slice of withdrawn versions in the order of their index, which holds no manifests, and
  /// those of them that have no entry.
  static func withdrawn(
    _ db: GRDB.Database, after position: VersionPosition?
  ) throws -> (last: VersionPosition?, new: [Digest]) {
    let slice = try db.rows(
      """
      SELECT name, version, digest, NOT EXISTS (SELECT 1 FROM retention WHERE kind = 'withdrawn' AND id = digest) AS is_new
      FROM published INDEXED BY published_withdrawn WHERE withdrawn AND (name, version) > (?, ?) ORDER BY name, version LIMIT ?
      """, [position?.name ?? "", position?.version ?? 0, rowsPerSlice]
    ) { row in
      (
        position: VersionPosition(name: row.text("name"), version: try row.version("version")),
        digest: try row.digest("digest"), isNew: row.flag("is_new")
      )
    }
    return (slice.last?.position, slice.filter(\.isNew).map(\.digest))
  }

  /// The same of the peers' manifests, in the order of their digests.
  static func manifests(_ db: GRDB.Database, after digest: Digest?) throws -> (last: Digest?, new: [Digest]) {
    let slice = try db.rows(
      """
      SELECT digest, NOT EXISTS (SELECT 1 FROM retention WHERE kind = 'manifest' AND id = digest) AS is_new
      FROM known_manifest WHERE digest > ? ORDER BY digest LIMIT ?
      """, [digest?.column ?? Data(), rowsPerSlice]
    ) { (digest: try $0.digest("digest"), isNew: $0.flag("is_new")) }
    return (slice.last?.digest, slice.filter(\.isNew).map(\.digest))
  }
}

/// How far a sweep over manifests and withdrawn versions has come. Every row is looked at once, and
/// only what is to be changed is in a write transaction.
public struct RetentionSweep: Sendable {
  enum Stage: Sendable {
    case rewinding
    case beginningWithdrawn(after: VersionPosition?)
    case retiringWithdrawn
    case beginningManifests(after: Digest?)
    case retiringManifests(ManifestPosition?)
  }

  let stage: Stage

  /// A sweep that has not begun.
  public init() { stage = .rewinding }

  init(_ stage: Stage) { self.stage = stage }
}

/// A known manifest in the order of publisher, name and version, and how many of its name are kept
/// up to there, the newest first.
struct ManifestPosition: Sendable {
  let publisher: NodeID
  let name: String
  let version: ArtifactVersion
  let digest: Digest
  var kept = 0
}

extension Database {
  /// Goes one slice further: one transaction at most, between two of which others have their turn.
  /// Returns what to go on with; nil: that was all.
  public func sweep(_ sweep: RetentionSweep, now: UInt64) throws(StoreError) -> RetentionSweep? {
    switch sweep.stage {
    case .rewinding:
      let rows = try write { db in try Retention.rewind(db, now) }
      return RetentionSweep(rows > 0 ? .rewinding : .beginningWithdrawn(after: nil))
    case .beginningWithdrawn(let position):
      let (last, new) = try read { db in try Retention.withdrawn(db, after: position) }
      try begin("withdrawn", new, now)
      return RetentionSweep(last.map { .beginningWithdrawn(after: $0) } ?? .retiringWithdrawn)
    case .retiringWithdrawn:
      let rows = try retireWithdrawn(now: now)
      return RetentionSweep(rows > 0 ? .retiringWithdrawn : .beginningManifests(after: nil))
    case .beginningManifests(let digest):
      let (last, new) = try read { db in try Retention.manifests(db, after: digest) }
      try begin("manifest", new, now)
      return RetentionSweep(last.map { .beginningManifests(after: $0) } ?? .retiringManifests(nil))
    case .retiringManifests(let position):
      return try retireManifests(after: position, now: now).map { RetentionSweep(.retiringManifests($0)) }
    }
  }

  private func begin(_ kind: String, _ new: [Digest], _ now: UInt64) throws(StoreError) {
    if !new.isEmpty { try write { db in try Retention.begin(db, kind, new, now) } }
  }

  /// One slice of what withdrawn versions leave: rows of their files, then the versions, whose
  /// number and digest are remembered. Returns how much there was to do; zero: nothing more is due.
  func retireWithdrawn(now: UInt64) throws(StoreError) -> Int {
    try write { db in
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
  /// those that were not used for long. What a publisher showed stays remembered. Returns how far it
  /// came; nil: nothing comes after.
  func retireManifests(after position: ManifestPosition?, now: UInt64) throws(StoreError) -> ManifestPosition? {
    let (last, due) = try read { db in try Self.dueManifests(db, after: position, now: now) }
    // Nothing else changes the database between the two: this actor is its only writer.
    if !due.isEmpty {
      try write { db in
        for digest in due { try db.run("DELETE FROM known_manifest WHERE digest = ?", [digest.column]) }
      }
    }
    return last
  }

  private static func dueManifests(
    _ db: GRDB.Database, after position: ManifestPosition?, now: UInt64
  ) throws -> (last: ManifestPosition?, due: [Digest]) {
    let slice = try db.rows(
      """
      SELECT publisher, name, version, digest,
      (SELECT since FROM retention WHERE kind = 'manifest' AND id = digest) AS since FROM known_manifest
      WHERE (publisher, name, version, digest) < (?, ?, ?, ?)
      ORDER BY publisher DESC, name DESC, version DESC, digest DESC LIMIT ?
      """,
      [
        position?.publisher.column ?? Data(repeating: 0xFF, count: 33), position?.name ?? "", position?.version ?? 0,
        position?.digest.column ?? Data(), Retention.rowsPerSlice,
      ]
    ) { row in
      (
        position: ManifestPosition(
          publisher: try row.node("publisher"), name: row.text("name"), version: try row.version("version"),
          digest: try row.digest("digest")),
        since: row.optionalUnsigned("since")
      )
    }
    let limit = UInt64(bitPattern: Retention.ago(RetentionTimes.unusedManifestSeconds, now))
    var used: Set<Digest>?
    var last = position
    var due: [Digest] = []
    var bytes = 0
    for (next, since) in slice {
      guard due.count < Retention.manifestsPerSlice, bytes < Retention.bytesPerSlice else { return (last, due) }
      let isSameName = last?.publisher == next.publisher && last?.name == next.name
      var kept = isSameName ? last?.kept ?? 0 : 0
      // Without an entry it came after this sweep began to count.
      if let since, kept >= RetentionTimes.manifestsPerName || since <= limit {
        let inUse = try used ?? Self.usedManifests(db)
        used = inUse
        if !inUse.contains(next.digest) {
          due.append(next.digest)
          bytes +=
            try db.row(
              "SELECT length(bytes) AS size FROM known_manifest WHERE digest = ?", [next.digest.column]
            ) { $0.int("size") } ?? 0
          kept -= 1
        }
      }
      last = next
      last?.kept = kept + 1
    }
    return (slice.isEmpty ? nil : last, due)
  }

  private static func usedManifests(_ db: GRDB.Database) throws -> Set<Digest> {
    Set(try db.rows("SELECT digest FROM transfer UNION SELECT digest FROM holding", []) { try $0.digest("digest") })
  }
}
