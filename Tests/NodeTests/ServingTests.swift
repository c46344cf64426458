import EventLoop
import Foundation
import Session
import Store
import Testing

@testable import Node

/// Serving, and what is never served.
@Suite(.timeLimit(.minutes(5))) struct ServingTests {
  @Test func severalPullsFromOnePeerAtTheSameTimeAllEndAndSoDoesTheNext() async throws {
    try await withHouse { house in
      let (studio, laptop) = (try await house.start("studio"), try await house.start("laptop"))
      try await house.pair(studio, laptop)
      let bytes = pattern(24 << 20)
      _ = try await studio.share(try house.file("out/big.bin", bytes), to: ["laptop"])
      try await withThrowingTaskGroup(of: Void.self) { group in
        for number in 0..<4 {
          group.addTask { _ = try await laptop.pull("studio/big.bin", into: "\(house.path)/copy\(number)") }
        }
        try await group.waitForAll()
      }
      _ = try await laptop.pull("studio/big.bin", into: "\(house.path)/copy4")
      for number in 0..<5 { #expect(house.bytes("copy\(number)/big.bin") == bytes) }
    }
  }

  @Test func theNodesOwnKeysAreNeverShared() async throws {
    try await withHouse { house in
      let studio = try await house.start("studio")
      let home = "\(house.path)/homes/studio"
      try FileManager.default.linkItem(atPath: "\(home)/identity/identity", toPath: try house.file("out/a", []) + "2")
      for path in ["\(home)/identity", "\(home)/identity/identity", "\(home)/state", "\(house.path)/out"] {
        let error = try await nodeError { _ = try await studio.share(path, name: "x", toAll: true) }
        #expect(error.code == .usage && error.message.contains("own keys"))
      }
      #expect(try await studio.node.list(peer: nil).isEmpty)
    }
  }

  @Test func nobodyIsCalledAll() async throws {
    try await withHouse { house in
      let (studio, all) = (try await house.start("studio"), try await house.start("all"))
      let refused = try await nodeError { _ = try await studio.node.invite(alias: "all", lifeSeconds: 60, addresses: []) }
      #expect(refused.code == .usage)
      let invitation = try await studio.node.invite(alias: nil, lifeSeconds: 60, addresses: [])
      _ = try await all.node.join(invitation.text, alias: nil)
      #expect(await studio.node.peerSummaries().map(\.alias) == ["all-2"])
    }
  }

  @Test func theBeginningOfANodeIDNamesAPeer() async throws {
    try await withHouse { house in
      let (studio, laptop) = (try await house.start("studio"), try await house.start("laptop"))
      try await house.pair(studio, laptop)
      let id = laptop.node.id.hex
      #expect(try await studio.node.summary(of: String(id.prefix(8))).alias == "laptop")
      _ = try await nodeError { _ = try await studio.node.summary(of: String(id.prefix(7))) }
    }
  }

  @Test func aPullThatCanNeverEndLeavesNothingBehind() async throws {
    try await withHouse { house in
      let (studio, laptop) = (try await house.start("studio"), try await house.start("laptop"))
      try await house.pair(studio, laptop)
      let path = try house.file("out/big.bin", pattern(3 << 20))
      _ = try await studio.share(path, to: ["laptop"])
      try Data(pattern(3 << 20, seed: 1)).write(to: URL(fileURLWithPath: path))
      let error = try await nodeError { _ = try await laptop.pull("studio/big.bin", into: "\(house.path)/copy") }
      #expect(error.code == .integrity)
      #expect(house.tree("copy").isEmpty)
      #expect(try await laptop.node.report().transfers.isEmpty)
    }
  }

  @Test func aStateWithoutItsIdentityIsNotGivenAnother() async throws {
    try await withHouse { house in
      let (studio, laptop) = (try await house.start("studio"), try await house.start("laptop"))
      try await house.pair(studio, laptop)
      await studio.stop()
      try FileManager.default.removeItem(atPath: "\(house.path)/homes/studio/identity/identity")
      let error = try await nodeError { _ = try await house.start("studio") }
      #expect(error.message.contains("is gone"))
    }
  }
}
