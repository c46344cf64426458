import EventLoop
import Testing

@testable import Node

/// More to send than there are frames for it.
@Suite(.timeLimit(.minutes(3))) struct FrameBudgetTests {
  /// One chunk each way.
  private static let one = FrameLimits(bytes: 1 << 20, pullShareBytes: 1 << 20, serveShareBytes: 1 << 20)

  @Test func morePeersThanFramesAreAllServed() async throws {
    try await withHouse { house in
      let studio = try await house.start("studio", frames: Self.one)
      var peers: [RunningNode] = []
      for number in 0..<4 {
        let peer = try await house.start("peer\(number)")
        try await house.pair(studio, peer)
        peers.append(peer)
      }
      let bytes = pattern(6 << 20)
      _ = try await studio.share(try house.file("out/big.bin", bytes), toAll: true)
      try await withThrowingTaskGroup(of: Void.self) { group in
        for peer in peers {
          for copy in 0..<2 {
            group.addTask { _ = try await peer.pull("studio/big.bin", into: "\(house.path)/\(peer.name)-\(copy)") }
          }
        }
        try await group.waitForAll()
      }
      for peer in peers {
        for copy in 0..<2 { #expect(house.bytes("\(peer.name)-\(copy)/big.bin") == bytes) }
      }
      try await eventually("every frame is back", on: house.loop) { studio.node.context.threads.serveFrames.usedBytes == 0 }
    }
  }

  /// If frames for pulls and for serving were the same, each node's would be full of what the other has no frame to read into.
  @Test func twoNodesThatPullFromEachOtherWithOneFrameEachWayBothEnd() async throws {
    try await withHouse { house in
      let (studio, laptop) = (
        try await house.start("studio", frames: Self.one), try await house.start("laptop", frames: Self.one)
      )
      try await house.pair(studio, laptop)
      let bytes = pattern(6 << 20)
      _ = try await studio.share(try house.file("out/big.bin", bytes), toAll: true)
      _ = try await laptop.share(try house.file("back/big.bin", bytes), toAll: true)
      try await withThrowingTaskGroup(of: Void.self) { group in
        for copy in 0..<3 {
          group.addTask { _ = try await laptop.pull("studio/big.bin", into: "\(house.path)/there\(copy)") }
          group.addTask { _ = try await studio.pull("laptop/big.bin", into: "\(house.path)/here\(copy)") }
        }
        try await group.waitForAll()
      }
      for copy in 0..<3 { #expect(house.bytes("there\(copy)/big.bin") == bytes && house.bytes("here\(copy)/big.bin") == bytes) }
      for node in [studio, laptop] {
        try await eventually("every frame is back", on: house.loop) {
          node.node.context.threads.serveFrames.usedBytes == 0 && node.node.context.threads.pullFrames.usedBytes == 0
        }
      }
    }
  }
}
