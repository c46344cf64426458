internal import GRDB

/// The tables, and how older ones become them. A migration that was released is never changed; new ones are added below it.
///
/// Every table of a peer's hangs on `peer` and is deleted with it. Times are Unix seconds. Digests, node ids and keys are blobs.
enum Schema {
  static var migrator: DatabaseMigrator {
    var migrator = DatabaseMigrator()
    migrator.registerMigration("1") { db in
      try db.execute(sql: peers)
      try db.execute(sql: sessions)
      try db.execute(sql: artifacts)
      try db.execute(sql: transfers)
    }
    migrator.registerMigration("2") { db in try db.execute(sql: heldBundles) }
    migrator.registerMigration("3") { db in try db.execute(sql: claims) }
    // The columns of `Sealing` are sealed by whoever has the key, right after this.
    migrator.registerMigration("4") { db in try db.execute(sql: Sealing.table) }
    migrator.registerMigration("5") { db in
      try db.execute(sql: spent)
      try db.execute(sql: "ALTER TABLE outbox ADD COLUMN own INTEGER NOT NULL DEFAULT 0")
      // What the peer says of itself cannot replace it, so it is a column of its own.
      try db.execute(sql: "ALTER TABLE peer ADD COLUMN reached TEXT")
    }
    migrator.registerMigration("6") { db in
      try db.execute(sql: offered)
      try CatalogMigration.fill(db)
      try db.execute(sql: audiences)
    }
    migrator.registerMigration("7") { db in try db.execute(sql: Retention.schema) }
    migrator.registerMigration("8") { db in try db.execute(sql: endings) }
    return migrator
  }

  private static let peers = """
    CREATE TABLE setting (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE peer (
      id BLOB PRIMARY KEY CHECK (length(id) = 32), alias TEXT NOT NULL UNIQUE, record BLOB NOT NULL, name TEXT NOT NULL,
      addresses TEXT NOT NULL, verified INTEGER NOT NULL DEFAULT 0, blocked INTEGER NOT NULL DEFAULT 0,
      added INTEGER NOT NULL, last_seen INTEGER) STRICT;
    CREATE TABLE ticket (
      id BLOB PRIMARY KEY CHECK (length(id) = 16), bytes BLOB NOT NULL, expires INTEGER NOT NULL, alias TEXT,
      used_by BLOB, withdrawn INTEGER NOT NULL DEFAULT 0, spoilt INTEGER NOT NULL DEFAULT 0) STRICT;
    """

  private static let sessions = """
    CREATE TABLE session (
      peer BLOB NOT NULL REFERENCES peer ON DELETE CASCADE, id BLOB NOT NULL, state BLOB NOT NULL,
      PRIMARY KEY (peer, id)) STRICT;
    CREATE TABLE outbox (
      peer BLOB NOT NULL REFERENCES peer ON DELETE CASCADE, session BLOB NOT NULL, digest BLOB NOT NULL,
      sequence INTEGER NOT NULL, envelope BLOB NOT NULL, PRIMARY KEY (peer, session, digest)) STRICT;
    CREATE TABLE received (
      number INTEGER PRIMARY KEY AUTOINCREMENT, peer BLOB NOT NULL REFERENCES peer ON DELETE CASCADE,
      session BLOB NOT NULL, digest BLOB NOT NULL, at INTEGER NOT NULL, UNIQUE (peer, session, digest)) STRICT;
    CREATE TABLE pair (
      peer BLOB NOT NULL REFERENCES peer ON DELETE CASCADE, id INTEGER NOT NULL, bytes BLOB NOT NULL,
      PRIMARY KEY (peer, id)) STRICT;
    CREATE TABLE replay (
      peer BLOB NOT NULL REFERENCES peer ON DELETE CASCADE, hash BLOB NOT NULL, session BLOB NOT NULL, expires INTEGER NOT NULL,
      PRIMARY KEY (peer, hash)) STRICT;
    CREATE TABLE peer_state (peer BLOB PRIMARY KEY REFERENCES peer ON DELETE CASCADE, bytes BLOB NOT NULL) STRICT;
    CREATE TABLE prekey (id INTEGER PRIMARY KEY, bytes BLOB NOT NULL) STRICT;
    """

  private static let heldBundles = """
    CREATE TABLE held_bundle (peer BLOB PRIMARY KEY REFERENCES peer ON DELETE CASCADE, bytes BLOB NOT NULL) STRICT;
    """

  private static let artifacts = """
    CREATE TABLE published (
      digest BLOB PRIMARY KEY CHECK (length(digest) = 32), name TEXT NOT NULL, version INTEGER NOT NULL, manifest BLOB NOT NULL,
      signature BLOB NOT NULL, root TEXT NOT NULL, is_folder INTEGER NOT NULL, created INTEGER NOT NULL,
      withdrawn INTEGER NOT NULL DEFAULT 0, UNIQUE (name, version)) STRICT;
    CREATE TABLE published_file (
      digest BLOB NOT NULL REFERENCES published ON DELETE CASCADE, number INTEGER NOT NULL, source TEXT NOT NULL,
      device INTEGER NOT NULL, inode INTEGER NOT NULL, size INTEGER NOT NULL, modified INTEGER NOT NULL, leaves BLOB NOT NULL,
      PRIMARY KEY (digest, number)) STRICT;
    CREATE TABLE audience_all (name TEXT PRIMARY KEY) STRICT;
    CREATE TABLE audience (
      name TEXT NOT NULL, peer BLOB NOT NULL REFERENCES peer ON DELETE CASCADE, PRIMARY KEY (name, peer)) STRICT;
    CREATE TABLE seen_version (
      publisher BLOB NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL, digest BLOB NOT NULL,
      PRIMARY KEY (publisher, name, version)) STRICT;
    CREATE TABLE known_manifest (
      digest BLOB PRIMARY KEY, publisher BLOB NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL, bytes BLOB NOT NULL,
      signature BLOB NOT NULL) STRICT;
    """

  /// One open question a peer at most, and one a newcomer.
  private static let claims = """
    CREATE TABLE claim (
      peer BLOB PRIMARY KEY REFERENCES peer ON DELETE CASCADE, id BLOB NOT NULL UNIQUE CHECK (length(id) = 32),
      record BLOB NOT NULL, name TEXT NOT NULL, addresses TEXT NOT NULL, reason TEXT NOT NULL, bundle BLOB,
      came INTEGER NOT NULL) STRICT;
    ALTER TABLE ticket ADD COLUMN replaces BLOB;
    """

  /// What listings show of the versions that are shared, apart from their manifests: SQLite reads a row up to the column that is
  /// asked for, and a manifest may take 32 MiB of it. A version that is withdrawn has no row.
  private static let offered = """
    CREATE TABLE offered (
      name TEXT NOT NULL, version INTEGER NOT NULL, digest BLOB NOT NULL UNIQUE, files INTEGER NOT NULL, bytes INTEGER NOT NULL,
      created INTEGER NOT NULL, note TEXT NOT NULL, root TEXT NOT NULL, state TEXT NOT NULL DEFAULT 'current',
      PRIMARY KEY (name, version),
      FOREIGN KEY (name, version) REFERENCES published (name, version) ON DELETE CASCADE) STRICT, WITHOUT ROWID;
    """

  /// An audience for each version; before, a name had one.
  private static let audiences = """
    ALTER TABLE audience RENAME TO name_audience;
    ALTER TABLE audience_all RENAME TO name_audience_all;
    CREATE TABLE audience (
      peer BLOB NOT NULL REFERENCES peer ON DELETE CASCADE, name TEXT NOT NULL, version INTEGER NOT NULL,
      PRIMARY KEY (peer, name, version),
      FOREIGN KEY (name, version) REFERENCES offered ON DELETE CASCADE) STRICT, WITHOUT ROWID;
    CREATE INDEX audience_of_version ON audience (name, version);
    CREATE TABLE audience_all (
      name TEXT NOT NULL, version INTEGER NOT NULL, PRIMARY KEY (name, version),
      FOREIGN KEY (name, version) REFERENCES offered ON DELETE CASCADE) STRICT, WITHOUT ROWID;
    INSERT INTO audience SELECT peer, name, version FROM name_audience JOIN offered USING (name);
    INSERT INTO audience_all SELECT name, version FROM name_audience_all JOIN offered USING (name);
    DROP TABLE name_audience;
    DROP TABLE name_audience_all;
    """

  /// The peer is not stored, and ordering by hash hides in what order they came.
  private static let spent = """
    CREATE TABLE spent_init (hash BLOB PRIMARY KEY, expires INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    """

  /// Why a transfer does not run.
  private static let endings = "ALTER TABLE transfer ADD COLUMN reason TEXT"

  private static let transfers = """
    CREATE TABLE transfer (
      id BLOB PRIMARY KEY CHECK (length(id) = 16), peer BLOB NOT NULL REFERENCES peer ON DELETE CASCADE, digest BLOB NOT NULL,
      reference TEXT NOT NULL, destination TEXT NOT NULL, partial TEXT, options BLOB NOT NULL, plan BLOB NOT NULL,
      state TEXT NOT NULL, created INTEGER NOT NULL, boot TEXT NOT NULL) STRICT;
    CREATE TABLE resume (
      transfer BLOB NOT NULL REFERENCES transfer ON DELETE CASCADE, number INTEGER NOT NULL, map BLOB NOT NULL,
      PRIMARY KEY (transfer, number)) STRICT;
    CREATE TABLE holding (
      id INTEGER PRIMARY KEY AUTOINCREMENT, digest BLOB NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL,
      publisher BLOB NOT NULL, peer BLOB REFERENCES peer ON DELETE SET NULL, path TEXT NOT NULL, delivered INTEGER NOT NULL) STRICT;
    CREATE TABLE holding_file (
      holding INTEGER NOT NULL REFERENCES holding ON DELETE CASCADE, number INTEGER NOT NULL, path TEXT NOT NULL UNIQUE,
      size INTEGER NOT NULL, expected BLOB NOT NULL, computed BLOB, state TEXT NOT NULL, PRIMARY KEY (holding, number)) STRICT;
    """
}
