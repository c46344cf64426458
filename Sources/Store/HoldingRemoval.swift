internal import GRDB

extension Database {
  /// Drops deliveries from the records, in one transaction. Their files are the user's and stay.
  public func deleteHoldings(_ ids: [Int64]) throws(StoreError) {
    try write { db in
      for id in ids { try db.run("DELETE FROM holding WHERE id = ?", [id]) }
    }
  }
}
