import EventLoop
import Session
import Store
import Testing

@testable import Node

/// What somebody on the path can do to two nodes: spoil, cut and withhold bytes, and nothing else.
@Suite(.timeLimit(.minutes(5))) struct WireTamperingTests {
  private static let megabyte = 1 << 20

  /// A studio that shares a file, and a laptop that reaches it through the proxy.
  private func pair(
    in house: House, bytes: [UInt8]
  ) async throws -> (studio: RunningNode, laptop: RunningNode, meddler: Meddler) {
    let studio = try await house.start("studio")
    let laptop = try await house.start("laptop")
    let meddler = try await house.meddler(before: studio)
    try await house.pair(studio, laptop, through: meddler)
    _ = try await studio.share(try house.file("out/model.bin", bytes), toAll: true)
    return (studio, laptop, meddler)
  }

  @Test func aFlippedBitAnywhereInAFrameIsRefusedAndTheFrameComesAgain() async throws {
    try await withHouse { house in
      let bytes = pattern(100_000, seed: 3)
      let (_, laptop, meddler) = try await pair(in: house, bytes: bytes)
      // With the manifest known, the first frame of each connection is the chunk.
      _ = try await laptop.node.show("studio/model.bin")
      let before = await meddler.count(of: .data)
      // Length, file, chunk, ciphertext, the last byte of the tag: a bit of each in a connection of its own.
      let positions = [1, 23, 31, 40, 50_000, 32 + 100_000 + 15]
      await meddler.lay { place, bytes in
        let index = place.number - before
        if place.purpose == 3, !place.isFromDialler, positions.indices.contains(index) {
          _ = place.flip(at: positions[index], in: &bytes)
        }
        return .pass
      }
      try await withThrowingTaskGroup(of: Void.self) { group in
        for index in positions.indices {
          group.addTask {
            let summary = try await laptop.pull("studio/model.bin", into: "\(house.path)/\(index)")
            #expect(summary.isReadBack)
            #expect(house.bytes("\(index)/model.bin") == bytes)
          }
        }
        try await group.waitForAll()
      }
      #expect(await meddler.count(of: .data) >= before + 2 * positions.count)
    }
  }

  @Test(arguments: [false, true])
  func aFlippedBitInAManifestOrALeafListIsRefusedAndItComesAgain(manifestIsKnown: Bool) async throws {
    try await withHouse { house in
      let bytes = pattern(3 * Self.megabyte, seed: 5)
      let (_, laptop, meddler) = try await pair(in: house, bytes: bytes)
      // The first frame of a pull is the manifest; where that is known, it is the leaf list.
      if manifestIsKnown { _ = try await laptop.node.show("studio/model.bin") }
      let before = await meddler.count(of: .data)
      await meddler.lay { place, bytes in
        if place.purpose == 3, !place.isFromDialler, place.number == before { _ = place.flip(at: 60, in: &bytes) }
        return .pass
      }
      let summary = try await laptop.pull("studio/model.bin", into: "\(house.path)/in")
      #expect(summary.isReadBack)
      #expect(house.bytes("in/model.bin") == bytes)
      #expect(await meddler.count(of: .data) == before + 2)
    }
  }

  @Test func aFlippedBitInAGrantsNameOrInAnAttachmentCostsAConnection() async throws {
    try await withHouse { house in
      let bytes = pattern(100_000, seed: 4)
      let (_, laptop, meddler) = try await pair(in: house, bytes: bytes)
      _ = try await laptop.node.show("studio/model.bin")
      let before = await meddler.count(of: .data)
      await meddler.lay { place, bytes in
        if place.purpose == 3, place.number == before, !place.isFromDialler { _ = place.flip(at: 8, in: &bytes) }
        if place.purpose == 3, place.number == before + 1, place.isFromDialler { _ = place.flip(at: 30, in: &bytes) }
        return .pass
      }
      async let one = laptop.pull("studio/model.bin", into: "\(house.path)/one")
      async let two = laptop.pull("studio/model.bin", into: "\(house.path)/two")
      _ = try await (one, two)
      #expect(house.bytes("one/model.bin") == bytes)
      #expect(house.bytes("two/model.bin") == bytes)
    }
  }

  @Test func bitsFlippedAgainAndAgainDelayAPullAndNothingOfThemIsAccepted() async throws {
    try await withHouse { house in
      let bytes = pattern(3 * Self.megabyte)
      let (_, laptop, meddler) = try await pair(in: house, bytes: bytes)
      let before = await meddler.count(of: .data)
      // Every data connection is spoilt somewhere, the first four early on.
      await meddler.lay { place, bytes in
        if place.purpose == 3, !place.isFromDialler, place.number < before + 4 {
          _ = place.flip(at: (place.number - before) * 700_000 + 5_000, in: &bytes)
        }
        return .pass
      }
      let summary = try await laptop.pull("studio/model.bin", into: "\(house.path)/in")
      #expect(house.bytes("in/model.bin") == bytes)
      // A chunk counts once, however often it was sent.
      #expect(summary.bytesTransferred == UInt64(bytes.count))
      #expect(await meddler.count(of: .data) > before + 1)
    }
  }

  @Test func aPullThatIsSpoiltForeverLeavesNothingUnderAFinalNameAndCanBeEnded() async throws {
    try await withHouse { house in
      let (_, laptop, meddler) = try await pair(in: house, bytes: pattern(2 * Self.megabyte))
      _ = try await laptop.node.show("studio/model.bin")
      let before = await meddler.count(of: .data)
      await meddler.lay { place, bytes in
        if place.purpose == 3, !place.isFromDialler { bytes[bytes.count / 2] ^= 1 }
        return .pass
      }
      let pull = Task { try await laptop.pull("studio/model.bin", into: "\(house.path)/in") }
      try await eventually("it is tried again", on: house.loop) { await meddler.count(of: .data) >= before + 3 }
      pull.cancel()
      await #expect(throws: CancellationError.self) { try await pull.value }
      #expect(house.bytes("in/model.bin") == nil)
      #expect(house.tree("in").allSatisfy { $0.hasPrefix(".pawl-") })
      // The path is clean again: what was begun is finished.
      await meddler.lay { _, _ in .pass }
      _ = try await laptop.pull("studio/model.bin", into: "\(house.path)/in")
      #expect(house.bytes("in/model.bin") == pattern(2 * Self.megabyte))
      #expect(house.tree("in") == ["model.bin"])
    }
  }

  @Test func aDataConnectionCutMidwayIsResumedInTheSamePull() async throws {
    try await withHouse { house in
      let bytes = pattern(6 * Self.megabyte)
      let (_, laptop, meddler) = try await pair(in: house, bytes: bytes)
      let before = await meddler.count(of: .data)
      await meddler.lay { place, _ in
        place.purpose == 3 && place.number == before && !place.isFromDialler && place.offset > 3 * Self.megabyte ? .cut : .pass
      }
      let summary = try await laptop.pull("studio/model.bin", into: "\(house.path)/in")
      #expect(house.bytes("in/model.bin") == bytes)
      #expect(summary.bytesTransferred == UInt64(bytes.count))
      // Whole chunks that had come were not sent again.
      #expect(await meddler.dataBytes < bytes.count + 2 * Self.megabyte)
      #expect(await meddler.count(of: .data) == before + 2)
    }
  }

  @Test func aPullThatWasEndedMidwayIsResumedByTheNext() async throws {
    try await withHouse { house in
      let bytes = pattern(4 * Self.megabyte)
      let (_, laptop, meddler) = try await pair(in: house, bytes: bytes)
      await meddler.lay { place, _ in place.purpose == 3 && place.offset > 5 * Self.megabyte / 2 ? .withhold : .pass }
      let two = AsyncStream.makeStream(of: Void.self)
      let pull = Task {
        try await laptop.pull("studio/model.bin", into: "\(house.path)/in") { progress in
          if progress.bytes >= 2 * Self.megabyte { two.continuation.yield() }
        }
      }
      for await _ in two.stream { break }
      pull.cancel()
      await #expect(throws: CancellationError.self) { try await pull.value }
      await meddler.lay { _, _ in .pass }
      let summary = try await laptop.pull("studio/model.bin", into: "\(house.path)/in")
      #expect(house.bytes("in/model.bin") == bytes)
      #expect(summary.bytesTransferred == UInt64(2 * Self.megabyte))
    }
  }

  @Test func aFlippedBitOnALinkDropsTheLinkAndNothingIsLost() async throws {
    try await withHouse { house in
      let bytes = pattern(2 * Self.megabyte)
      let (studio, laptop, meddler) = try await pair(in: house, bytes: bytes)
      let isArmed = Locked(false)
      let flips = Locked(0)
      await meddler.lay { place, bytes in
        guard place.purpose != 3, !place.isFromDialler, isArmed.withLock({ $0 }) else { return .pass }
        isArmed.withLock { $0 = false }
        flips.withLock { $0 += 1 }
        bytes[bytes.count - 1] ^= 0x80
        return .pass
      }
      // The next word of the studio after the manifest is the grant for the chunks: that is the one that is spoilt.
      let summary = try await laptop.pull("studio/model.bin", into: "\(house.path)/in") { progress in
        if progress.phase == .examining { isArmed.withLock { $0 = true } }
      }
      #expect(summary.isReadBack)
      #expect(flips.withLock { $0 } == 1)
      #expect(house.bytes("in/model.bin") == bytes)
      try await laptop.ready(for: "studio")
      #expect(try await laptop.node.list(peer: "studio").map(\.name) == ["model.bin"])
      for (node, alias) in [(studio, "laptop"), (laptop, "studio")] {
        #expect(try await node.node.summary(of: alias).health == "healthy")
        #expect(try await node.node.report().warnings.isEmpty)
      }
    }
  }

  @Test func aCableThatIsPulledEndsAPullWithinHalfAMinuteAndItResumes() async throws {
    try await withHouse { house in
      let bytes = pattern(4 * Self.megabyte)
      let (_, laptop, meddler) = try await pair(in: house, bytes: bytes)
      let before = await meddler.count(of: .data)
      let isPulled = Locked(false)
      await meddler.lay { place, _ in
        let isHeld = place.purpose == 3 && place.number == before && place.offset > 2 * Self.megabyte
        return isHeld || isPulled.withLock { $0 } ? .withhold : .pass
      }
      let began = MonotonicClock.now
      let failure = try await nodeError {
        // Not before a chunk counts: its grant travels on another connection and may come after its bytes.
        _ = try await laptop.pull("studio/model.bin", into: "\(house.path)/in") { progress in
          if progress.phase == .fetching, progress.bytes > 0 { isPulled.withLock { $0 = true } }
        }
      }
      let seconds = (MonotonicClock.now - began) / .seconds(1)
      #expect(failure.code == .unreachable && failure.code.exitCode == 14)
      #expect(seconds > 25 && seconds < 45)
      #expect(house.bytes("in/model.bin") == nil)
      // Plugged in again: the same command goes on where it stopped.
      await meddler.lay { _, _ in .pass }
      await meddler.cutAll()
      let summary = try await laptop.pull("studio/model.bin", into: "\(house.path)/in")
      #expect(house.bytes("in/model.bin") == bytes)
      #expect(summary.bytesTransferred < UInt64(bytes.count))
    }
  }

  @Test func aServerThatIsRestartedMidwayServesTheRestOfTheSamePull() async throws {
    try await withHouse { house in
      let bytes = pattern(8 * Self.megabyte)
      let (studio, laptop, meddler) = try await pair(in: house, bytes: bytes)
      let before = await meddler.count(of: .data)
      let midway = AsyncStream.makeStream(of: Void.self)
      await meddler.lay { place, _ in
        guard place.purpose == 3, place.number == before, place.offset > 3 * Self.megabyte else { return .pass }
        midway.continuation.yield()
        return .withhold
      }
      async let pulled = laptop.pull("studio/model.bin", into: "\(house.path)/in")
      for await _ in midway.stream { break }
      await studio.stop()
      await meddler.cutAll()
      _ = try await house.start("studio", port: studio.port)
      let summary = try await pulled
      #expect(house.bytes("in/model.bin") == bytes)
      #expect(summary.bytesTransferred == UInt64(bytes.count))
    }
  }
}
