import Artifact
import Primitives
import Testing

@testable import Transfer

/// What is asked for, judged on manifests of any shape without their bytes.
@Suite struct PlanningTests {
  /// Answers every request at once and completely, and keeps books.
  private struct Ledger {
    let manifest: Manifest
    var pull: PullMachine
    var asked: ResumeMap
    var asks = 0
    var largest = 0
    var persisted = 0
    var completed: Set<Int> = []
    var queue: [PullAction] = []

    init(_ plan: PullPlan, seed: UInt64) {
      manifest = plan.manifest
      asked = ResumeMap(manifest: plan.manifest)
      pull = PullMachine(transfer: id(1), digest: Nodes.other, puller: Nodes.puller, randomness: .seeded(seed), at: .zero)
      queue = pull.receive(.plan(plan), at: .zero)
      queue += pull.receive(.sourceAvailable(SourceID(0), node: Nodes.server), at: .zero)
    }

    mutating func run() {
      var next = 0
      while next < queue.count {
        let action = queue[next]
        next += 1
        switch action {
        case .send(_, let want): answer(want)
        case .fileComplete(let file): #expect(completed.insert(file).inserted, "file \(file) is complete twice")
        case .persist: persisted += 1
        default: break
        }
      }
    }

    private mutating func answer(_ want: Want) {
      asks += 1
      #expect(ChunkRange.isProper(want.ranges) && !want.ranges.isEmpty)
      #expect(ControlMessage.want(want).payload.count <= TransferLimits.payloadBytes)
      let grant = Grant(
        request: want.request, grant: id(1_000 + want.request), secret: secret(1), kind: want.kind, aead: .aes256gcm,
        digest: want.digest, transfer: want.transfer, ranges: want.ranges, connection: want.connection, objectBytes: nil)
      queue += pull.receive(.granted(grant, id(5)), at: .zero)
      var bytes = 0
      for range in want.ranges {
        let layout = manifest.layout(of: range.file)
        for chunk in range.chunks {
          let isList = want.kind == .leafList
          let length = isList ? layout.leafPieces.length(of: chunk) : layout.length(of: chunk)
          bytes += length
          if !isList { #expect(asked.mark(file: range.file, chunk: chunk) == true, "a chunk is asked for twice") }
          let header = SegmentHeader(grant: grant.grant, file: UInt32(range.file), chunk: UInt64(chunk), plaintextBytes: length)
          guard case .take(let ticket) = pull.take(header, on: want.connection, at: .zero) else {
            Issue.record("what was asked for is not taken")
            return
          }
          if isList {
            queue += pull.receive(.opened(ticket, [UInt8](repeating: 0, count: length)), at: .zero)
          } else {
            queue += pull.receive(.verified(ticket), at: .zero)
          }
        }
        if want.kind == .leafList {
          let list = LeafList(Array(repeating: Nodes.other, count: layout.count))
          queue += pull.receive(.leafList(file: range.file, list), at: .zero)
        }
      }
      #expect(bytes <= TransferLimits.grantBytes)
      largest = max(largest, bytes)
    }
  }

  @Test(arguments: UInt64(0)..<12)
  func everyMissingChunkIsAskedForExactlyOnce(seed: UInt64) throws {
    var generator = SeededGenerator(seed)
    let chunkBytes = ChunkLayout.minimumChunkBytes << Int.random(in: 0...8, using: &generator)
    let sizes = (0..<Int.random(in: 1...400, using: &generator)).map { _ -> UInt64 in
      switch Int.random(in: 0..<4, using: &generator) {
      case 0: 0
      case 1: UInt64.random(in: 1...UInt64(chunkBytes), using: &generator)
      case 2: UInt64(chunkBytes * Int.random(in: 1...9, using: &generator))
      default: UInt64.random(in: 1...UInt64(chunkBytes) * 40, using: &generator)
      }
    }
    let manifest = try bareManifest(sizes: sizes, chunkBytes: chunkBytes)
    var earlier = ResumeMap(manifest: manifest)
    let selection = sizes.indices.filter { _ in !generator.oneIn(4) }
    for file in sizes.indices where generator.oneIn(2) {
      for chunk in 0..<manifest.layout(of: file).count where generator.oneIn(3) { earlier.mark(file: file, chunk: chunk) }
    }
    var ledger = Ledger(PullPlan(manifest: manifest, selection: selection, verified: earlier), seed: seed)
    ledger.run()
    #expect(ledger.pull.state == .complete, "seed \(seed)")
    #expect(ledger.completed == Set(selection))
    for file in sizes.indices {
      for chunk in 0..<manifest.layout(of: file).count {
        let isWanted = selection.contains(file) && !earlier.contains(file: file, chunk: chunk)
        #expect(ledger.asked.contains(file: file, chunk: chunk) == isWanted, "seed \(seed), file \(file), chunk \(chunk)")
      }
    }
    #expect(ledger.pull.bytesTransferred == ledger.asked.verifiedBytes)
  }

  @Test func manySmallFilesTravelInFewRequests() throws {
    let manifest = try bareManifest(sizes: Array(repeating: 1_000, count: 20_000), chunkBytes: 1 << 20)
    var ledger = Ledger(PullPlan(manifest: manifest, selection: Array(manifest.files.indices)), seed: 1)
    ledger.run()
    #expect(ledger.pull.state == .complete && ledger.completed.count == 20_000)
    #expect(ledger.asks == 10, "2,048 ranges each, and no hash list: \(ledger.asks)")
  }

  /// Files of one chunk, and files of two, whose hash lists come first: what planning looks at grows as they do.
  @Test(arguments: [1_000, 100_000]) func planningCostsInProportionToTheFiles(sizeBytes: UInt64) throws {
    func examined(_ count: Int) throws -> Int {
      let manifest = try bareManifest(sizes: Array(repeating: sizeBytes, count: count), chunkBytes: 64 << 10)
      var ledger = Ledger(PullPlan(manifest: manifest, selection: Array(manifest.files.indices)), seed: 1)
      ledger.run()
      #expect(ledger.pull.state == .complete && ledger.completed.count == count)
      return ledger.pull.board.examined
    }
    let (few, many) = (try examined(6_000), try examined(24_000))
    #expect(few <= 6_000 * 16 && many <= few * 5, "\(few) for 6,000 files, \(many) for 24,000")
  }

  @Test func aLargeFileTravelsInGrantsOf64MiB() throws {
    let manifest = try bareManifest(sizes: [1 << 30], chunkBytes: 1 << 20)
    var ledger = Ledger(PullPlan(manifest: manifest, selection: [0]), seed: 1)
    let clock = ContinuousClock()
    let time = clock.measure { ledger.run() }
    #expect(ledger.pull.state == .complete && ledger.largest == TransferLimits.grantBytes)
    #expect(ledger.asks == 17, "one hash list and sixteen grants: \(ledger.asks)")
    #expect(ledger.persisted >= 60, "a crash repeats 16 MiB at most")
    // 1,024 chunks at 700 MB/s take 1.5 s: the machine, also in a debug build, takes a small part of it.
    #expect(time < .seconds(1), "\(time)")
  }

  @Test func theStreamNeverWaitsForAnEnvelope() throws {
    let manifest = try bareManifest(sizes: [1 << 30], chunkBytes: 1 << 20)
    var pull = PullMachine(transfer: id(1), digest: Nodes.other, puller: Nodes.puller, randomness: .seeded(1), at: .zero)
    _ = pull.receive(.plan(PullPlan(manifest: manifest, selection: [0])), at: .zero)
    var wants = pull.receive(.sourceAvailable(SourceID(0), node: Nodes.server), at: .zero).compactMap(\.want)
    #expect(wants.count == 1 && wants[0].kind == .leafList && wants[0].connectionKey != nil)
    // With the hash list in hand two grants are asked for at once, and the next when half of the first has come.
    func grant(_ want: Want) -> Grant {
      Grant(
        request: want.request, grant: id(want.request), secret: secret(1), kind: want.kind, aead: .aes256gcm,
        digest: want.digest,
        transfer: want.transfer, ranges: want.ranges, connection: want.connection, objectBytes: nil)
    }
    func take(_ want: Want, _ chunk: Int, _ bytes: Int) throws -> FrameTicket {
      let header = SegmentHeader(grant: id(want.request), file: 0, chunk: UInt64(chunk), plaintextBytes: bytes)
      guard case .take(let ticket) = pull.take(header, on: want.connection, at: .zero) else { throw FrameRefusal.unasked }
      return ticket
    }
    _ = pull.receive(.granted(grant(wants[0]), id(5)), at: .zero)
    _ = pull.receive(.opened(try take(wants[0], 0, 32_768), [UInt8](repeating: 0, count: 32_768)), at: .zero)
    wants = pull.receive(.leafList(file: 0, LeafList(Array(repeating: Nodes.other, count: 1_024))), at: .zero).compactMap(
      \.want)
    #expect(wants.map(\.ranges) == [[ChunkRange(file: 0, first: 0, count: 64)], [ChunkRange(file: 0, first: 64, count: 64)]])
    #expect(wants.allSatisfy { $0.connectionKey == nil }, "the connection's key travels once")
    for want in wants { #expect(pull.receive(.granted(grant(want), id(5)), at: .zero).isEmpty) }
    for chunk in 0..<64 {
      let more = pull.receive(.verified(try take(wants[0], chunk, 1 << 20)), at: .zero).compactMap(\.want)
      #expect(more.count == (chunk == 32 ? 1 : 0), "chunk \(chunk)")
    }
  }
}
