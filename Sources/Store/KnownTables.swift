public import Artifact
internal import GRDB
public import Primitives
public import Session

extension Database {
  /// The highest version of a name that a publisher showed us.
  public func remembered(publisher: NodeID, name: String) throws(StoreError) -> RememberedVersion? {
    try read { db in try Self.highest(db, publisher, name) }
  }

  /// Remembers a version whose manifest was verified, and says how it compares to what was shown before.
  public func remember(
    publisher: NodeID, name: String, version: ArtifactVersion, digest: Digest
  ) throws(StoreError) -> RememberOutcome {
    try write { db in
      let known = try db.row(
        "SELECT digest FROM seen_version WHERE publisher = ? AND name = ? AND version = ?", [publisher.column, name, version]
      ) { try $0.digest("digest") }
      if let known { return known == digest ? .known : .differs(known: known) }
      let highest = try Self.highest(db, publisher, name)
      try db.run("INSERT INTO seen_version VALUES (?, ?, ?, ?)", [publisher.column, name, version, digest.column])
      if let highest, highest.version > version { return .lower(highest: highest) }
      return .new
    }
  }

  /// Keeps a verified manifest. One that is kept already is not written again, since its digest says that it is the same; only
  /// its time begins anew.
  public func saveManifest(_ manifest: KnownManifest) throws(StoreError) {
    let key: StatementArguments = [manifest.digest.column]
    let (isKnown, isAging) = try read { db in
      (
        try db.row("SELECT 1 AS found FROM known_manifest WHERE digest = ?", key) { _ in true } ?? false,
        try db.row("SELECT 1 AS found FROM retention WHERE kind = 'manifest' AND id = ?", key) { _ in true } ?? false
      )
    }
    guard !isKnown || isAging else { return }
    try write { db in
      guard !isKnown else { return try db.run("DELETE FROM retention WHERE kind = 'manifest' AND id = ?", key) }
      try db.run(
        "INSERT OR REPLACE INTO known_manifest VALUES (?, ?, ?, ?, ?, ?)",
        [
          manifest.digest.column, manifest.publisher.column, manifest.name, manifest.version, manifest.bytes.column,
          manifest.signature.column,
        ])
    }
  }

  /// A manifest that was kept.
  public func manifest(_ digest: Digest) throws(StoreError) -> KnownManifest? {
    try read { db in
      try db.row("SELECT * FROM known_manifest WHERE digest = ?", [digest.column]) { row in
        KnownManifest(
          digest: try row.digest("digest"), publisher: try row.node("publisher"), name: row.text("name"),
          version: try row.version("version"), bytes: row.bytes("bytes"), signature: row.bytes("signature"))
      }
    }
  }

  private static func highest(_ db: GRDB.Database, _ publisher: NodeID, _ name: String) throws -> RememberedVersion? {
    try db.row(
      "SELECT version, digest FROM seen_version WHERE publisher = ? AND name = ? ORDER BY version DESC LIMIT 1",
      [publisher.column, name]
    ) { RememberedVersion(version: try $0.version("version"), digest: try $0.digest("digest")) }
  }
}
