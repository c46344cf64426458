import EventLoop
import Foundation
import Session
import Store
import Testing
import Transfer

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

  @Test func whatIsVerifiedStaysWhateverItsSourceSaysAndIsTakenUpAgain() async throws {
    try await withHouse { house in
      let (studio, laptop) = (try await house.start("studio"), try await house.start("laptop"))
      try await house.pair(studio, laptop)
      let (large, small) = (pattern(24 << 20), pattern(3 << 20, seed: 2))
      try house.file("out/a.bin", large)
      let path = try house.file("out/b.bin", small)
      _ = try await studio.share("\(house.path)/out", name: "model", to: ["laptop"])
      // The same length: only the contents tell.
      try Data(pattern(3 << 20, seed: 3)).write(to: URL(fileURLWithPath: path))
      let error = try await nodeError { _ = try await laptop.pull("studio/model", into: "\(house.path)/in") }
      #expect(error.code == .integrity && error.message.contains("b.bin"))
      let partial = try #require(house.tree("in").first { $0.hasPrefix(".pawl-partial-") })
      let kept = await laptop.node.leftover(of: PullCommand(reference: "studio/model", directory: "\(house.path)/in"))
      #expect(kept?.partial == "\(house.path)/in/\(partial)")
      let left = try await laptop.node.report().transfers
      #expect(left.count == 1 && !left[0].isRunning && left[0].bytes > 0)
      // The old contents under a new time: what counts is what is in the file.
      try Data(small).write(to: URL(fileURLWithPath: path))
      let summary = try await laptop.pull("studio/model", into: "\(house.path)/in")
      #expect(summary.isReadBack && summary.bytesTransferred < summary.bytes)
      #expect(house.bytes("in/model/a.bin") == large && house.bytes("in/model/b.bin") == small)
      #expect(house.tree("in") == ["model", "model/a.bin", "model/b.bin"])
    }
  }

  @Test(arguments: [100, 3 << 20])
  func aFileThatWasOnlyTouchedIsServed(_ size: Int) async throws {
    try await withHouse { house in
      let (studio, laptop) = (try await house.start("studio"), try await house.start("laptop"))
      try await house.pair(studio, laptop)
      let path = try house.file("out/a.bin", pattern(size))
      _ = try await studio.share(path, to: ["laptop"])
      try FileManager.default.setAttributes([.modificationDate: Date(timeIntervalSince1970: 1)], ofItemAtPath: path)
      let summary = try await laptop.pull("studio/a.bin", into: "\(house.path)/in")
      #expect(summary.isReadBack)
      // Another file under the name is not opened for what it might hold.
      try FileManager.default.removeItem(atPath: path)
      let gone = try await nodeError { _ = try await laptop.pull("studio/a.bin", into: "\(house.path)/other") }
      #expect(gone.code == .notFound && gone.message.contains("a.bin") && gone.message.contains("no longer there"))
    }
  }

  @Test func aRefusalIsNamedByItsCause() {
    let reasons: [(StoreError.Code, DenyReason)] = [
      (.sourceChanged, .changed), (.specialFile, .changed), (.symlinkInSource, .changed), (.sourceMissing, .gone),
      (.sourceUnreadable, .unreadable), (.busy, .busy), (.database, .busy),
    ]
    for (code, reason) in reasons { #expect(DenyReason(because: StoreError(code, detail: "")) == reason) }
    #expect(DenyReason(because: LoopError(.closed, "worker pool")) == .busy)
    #expect(DenyReason(because: CancellationError()) == .busy)
  }

  @Test func aPeerThatCannotReadAFileEndsThePullAndNotWhatCame() async throws {
    try await withHouse { house in
      let laptop = try await house.start("laptop")
      let mallory = try await house.forge("mallory", at: laptop)
      try await laptop.ready(for: "mallory")
      let offer = try Offer("model", files: [("a.bin", pattern(100_000)), ("b.bin", pattern(70_000))], by: mallory.identity)
      await mallory.offer(offer)
      await mallory.refuse { want in want.kind == .chunks && want.ranges.contains { $0.file == 1 } ? .unreadable : nil }
      let error = try await nodeError { _ = try await laptop.pull("mallory/model", into: "\(house.path)/in") }
      #expect(error.code == .unreachable && error.message.contains("cannot read"))
      await mallory.refuse(nil)
      _ = try await laptop.pull("mallory/model", into: "\(house.path)/in")
      #expect(house.tree("in") == ["model", "model/a.bin", "model/b.bin"])
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
