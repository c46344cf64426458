internal import GRDB

extension Database {
  /// The manifest's numbers of a delivery's files that were read back here and are what their publisher claims.
  public func verifiedFiles(_ holding: Int64) throws(StoreError) -> Set<Int> {
    try read { db in
      Set(
        try db.rows("SELECT number FROM holding_file WHERE holding = ? AND state = 'verified'", [holding]) { $0.int("number") })
    }
  }
}
