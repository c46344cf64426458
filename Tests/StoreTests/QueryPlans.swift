import EventLoop
import Foundation
import GRDB
import Testing

@testable import Store

/// The statements of a call, and how SQLite runs them: a call that seeks in indexes does the same work however much is stored.
struct QueryPlans {
  /// One line of each step, as `EXPLAIN QUERY PLAN` shows them.
  let steps: [String]

  /// Steps that read a whole table or index, or sort what they read.
  var unbounded: [String] {
    steps.filter { $0.hasPrefix("SCAN ") && !$0.hasPrefix("SCAN CONSTANT") || $0.contains("TEMP B-TREE") }
  }

  /// The plans of all statements that `body` runs.
  static func of(_ database: Store.Database, _ body: () async throws -> Void) async throws -> QueryPlans {
    let statements = Locked<[String]>([])
    try await database.trace { sql in statements.withLock { $0.append(sql) } }
    try await body()
    try await database.trace(nil)
    let queries = statements.withLock { $0 }.filter {
      // Triggers are reported as comments.
      !$0.hasPrefix("--") && ($0.contains(" FROM ") || $0.contains("UPDATE "))
    }
    try #require(!queries.isEmpty, "no statement was seen")
    return QueryPlans(steps: try await database.plans(of: queries))
  }
}

extension Store.Database {
  fileprivate func trace(_ report: (@Sendable (String) -> Void)?) throws {
    try read { db in
      guard let report else { return db.trace(options: []) }
      db.trace(options: .statement) { event in
        if case .statement(let statement) = event { report(statement.sql) }
      }
    }
  }

  fileprivate func plans(of queries: [String]) throws -> [String] {
    try read { db in
      try queries.flatMap { sql in
        let plan = try db.makeStatement(sql: "EXPLAIN QUERY PLAN \(sql)")
        plan.setUncheckedArguments(StatementArguments())
        return try Row.fetchAll(plan).map { $0["detail"] as String }
      }
    }
  }

  /// Publishes so many versions of one name each, without files, straight into the tables.
  func fillCatalog(_ count: Int, audience: [UInt8], all: Bool = false, note: String = "") throws {
    try write { db in
      for number in 0..<count {
        let name = "model-\(String(number).count)-\(number)"
        let digest = distinctDigest(number)
        try db.execute(
          sql: "INSERT INTO published VALUES (?, ?, 1, x'01', x'02', '/src', 0, 5, 0)", arguments: [digest, name])
        try db.execute(
          sql: "INSERT INTO offered VALUES (?, 1, ?, 2, 20, 5, ?, '/src', 'current')", arguments: [name, digest, note])
        for byte in audience {
          try db.execute(sql: "INSERT INTO audience VALUES (?, ?, 1)", arguments: [node(byte).column, name])
        }
        if all { try db.execute(sql: "INSERT INTO audience_all VALUES (?, 1)", arguments: [name]) }
      }
    }
  }
}

/// 32 bytes that no other number has.
private func distinctDigest(_ number: Int) -> Data {
  Data((0..<32).map { UInt8(truncatingIfNeeded: number >> (($0 & 3) * 8)) })
}
