/// Statements that undo migrations, so that a test has a state as an older program left it.
enum OlderSchema {
  /// Undoes the migrations from 6 on. The audience of before is empty.
  static let five = [
    "ALTER TABLE transfer DROP COLUMN reason",
    "DROP TRIGGER transfer_continued", "DROP TRIGGER transfer_progressed", "DROP TRIGGER transfer_began_file",
    "DROP TRIGGER transfer_gone", "DROP TRIGGER published_changed", "DROP TRIGGER published_gone",
    "DROP TRIGGER manifest_used", "DROP TRIGGER manifest_gone", "DROP INDEX known_manifest_name",
    "DROP INDEX published_withdrawn", "DROP TABLE retention", "DROP TABLE past_version",
    "DROP TABLE audience", "DROP TABLE audience_all", "DROP TABLE offered",
    "CREATE TABLE audience_all (name TEXT PRIMARY KEY) STRICT",
    """
    CREATE TABLE audience (
      name TEXT NOT NULL, peer BLOB NOT NULL REFERENCES peer ON DELETE CASCADE, PRIMARY KEY (name, peer)) STRICT
    """,
    "DELETE FROM grdb_migrations WHERE CAST(identifier AS INTEGER) > 5",
  ]

  /// Undoes the migrations from 4 on: nothing was sealed.
  static let three =
    five + [
      "DROP TABLE sealing", "DROP TABLE spent_init", "ALTER TABLE outbox DROP COLUMN own",
      "ALTER TABLE peer DROP COLUMN reached", "DELETE FROM grdb_migrations WHERE CAST(identifier AS INTEGER) > 3",
    ]
}
