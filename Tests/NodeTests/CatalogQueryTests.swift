import Artifact
import EventLoop
import Primitives
import Session
import Store
import Testing
import Transfer

@testable import Node

/// What a peer's questions about the catalog may cost.
@Suite(.timeLimit(.minutes(5))) struct CatalogQueryTests {
  @Test func aPeerIsToldSoMuchAtOnceAndThenSoMuchASecond() {
    var budget = QueryBudget()
    func told(at now: Duration) -> Int {
      var entries = 0
      while budget.wait(at: now) == nil {
        budget.spend(entries: 190)
        entries += 190 + QueryBudget.answerCost
      }
      return entries
    }
    let page = 190 + QueryBudget.answerCost
    #expect((QueryBudget.burst..<QueryBudget.burst + page).contains(told(at: .seconds(5))))
    #expect(told(at: .seconds(5)) == 0)
    let wait = budget.wait(at: .seconds(5))
    #expect(wait.map { $0 > .zero && $0 < .seconds(1) } == true)
    // After the wait there is something left: nobody who waits turns in a circle.
    #expect(budget.wait(at: .seconds(5) + (wait ?? .zero)) == nil)
    let later = told(at: .seconds(7))
    #expect((2 * QueryBudget.perSecond - page...2 * QueryBudget.perSecond + page).contains(later))
    // However long it was quiet, and wherever the clock stands.
    #expect(told(at: .seconds(90_000)) < QueryBudget.burst + page)
    #expect(told(at: .seconds(1)) == 0)
    // An answer without entries costs as well.
    var empty = 0
    while budget.wait(at: .seconds(200_000)) == nil {
      budget.spend(entries: 0)
      empty += 1
    }
    #expect(empty == QueryBudget.burst / QueryBudget.answerCost)
  }

  @Test func aPeerThatHasSpentItsBudgetWaitsForItsAnswers() async throws {
    try await withHouse { house in
      let studio = try await house.start("studio")
      let mallory = try await house.forge("mallory", at: studio)
      let cost = QueryBudget.answerCost
      func ask(_ request: UInt64) async throws {
        try await mallory.say(.resolve(Resolve(request: request, name: try ArtifactName("nothing"), version: nil)))
      }
      @Sendable func answers() async -> Int {
        await mallory.heard.count { if case .resolved = $0 { true } else { false } }
      }
      // The first question makes it known to whom the budget belongs.
      try await ask(1)
      try await eventually("it is answered", on: house.loop) { await answers() == 1 }
      let server = try #require(await studio.node.servers[mallory.identity.id])
      // Two answers at once, and then two a second.
      await server.set(QueryBudget(burst: 2 * cost, perSecond: 2 * cost))
      for request in 2...7 as ClosedRange<UInt64> { try await ask(request) }
      try await eventually("all are answered", on: house.loop) { await answers() == 7 }
      #expect(await server.queryBudget.left >= -Double(cost), "each was answered only when there was something left")
    }
  }

  @Test func aListingOfManyPagesArrivesWholeNewestFirst() async throws {
    try await withHouse { house in
      let (studio, laptop) = (try await house.start("studio"), try await house.start("laptop"))
      try await house.pair(studio, laptop)
      var expected: [String] = []
      for number in 0..<250 {
        let name = "model-\(number + 100)"
        for version in 1...2 as ClosedRange<ArtifactVersion> {
          let digest = SHA256Hash.hash(Array("\(name)\(version)".utf8))
          try await studio.node.context.database.publish(
            PublishedArtifact(
              name: name, version: version, digest: digest, manifest: [1], signature: [2], root: "/src", isFolder: false,
              created: UInt64(number)),
            note: "note \(number)", files: [], audience: number % 2 == 0 ? [.all] : [.peer(laptop.node.id)])
        }
        expected += ["\(name)@v2 note \(number)", "\(name)@v1 note \(number)"]
      }
      let listed = try await laptop.node.list(peer: "studio")
      #expect(listed.map { "\($0.name)@v\($0.version) \($0.note)" } == expected)
      #expect(listed.allSatisfy { $0.audience == nil && $0.state == nil })
      let own = try await studio.node.list(peer: nil)
      #expect(own.map { "\($0.name)@v\($0.version) \($0.note)" } == expected)
      #expect(own.prefix(4).map(\.audience) == [["all"], ["all"], ["laptop"], ["laptop"]])
      #expect(try await studio.node.report().sharedCount == 500)
    }
  }
}

extension PeerServer {
  fileprivate func set(_ budget: QueryBudget) { queryBudget = budget }
}
