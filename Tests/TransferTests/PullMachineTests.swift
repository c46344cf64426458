import Artifact
import Primitives
import Testing

@testable import Transfer

/// Single decisions of the pull machine.
@Suite struct PullMachineTests {
  private static let source = SourceID(0)
  private static let manifest = try? bareManifest(sizes: [0, 900, 5 << 20, 900], chunkBytes: 1 << 20)

  /// A machine that knows its plan, and the requests it has made of one source.
  private struct Running {
    var pull = PullMachine(transfer: id(1), digest: Nodes.other, puller: Nodes.puller, randomness: .seeded(1), at: .zero)
    var actions: [PullAction] = []

    init(selection: [Int] = [1, 3], linked: Bool = true) throws {
      let manifest = try #require(PullMachineTests.manifest)
      actions = pull.receive(.plan(PullPlan(manifest: manifest, selection: selection)), at: .zero)
      if linked { actions += pull.receive(.sourceAvailable(PullMachineTests.source, node: Nodes.server), at: .zero) }
    }

    var wants: [Want] { actions.compactMap(\.want) }

    mutating func then(_ event: PullEvent, at now: Duration = .zero) -> [PullAction] {
      actions = pull.receive(event, at: now)
      return actions
    }
  }

  private func grant(
    _ want: Want, gid: GrantID = id(8), kind: SegmentKind? = nil, digest: Digest? = nil, ranges: [ChunkRange]? = nil,
    connection: ConnectionID? = nil, objectBytes: Int? = nil
  ) -> Grant {
    Grant(
      request: want.request, grant: gid, secret: secret(1), kind: kind ?? want.kind, aead: .aes256gcm,
      digest: digest ?? want.digest, transfer: want.transfer, ranges: ranges ?? want.ranges,
      connection: connection ?? want.connection, objectBytes: objectBytes)
  }

  private func header(_ file: UInt32, _ chunk: UInt64, _ bytes: Int, gid: GrantID = id(8)) -> SegmentHeader {
    SegmentHeader(grant: gid, file: file, chunk: chunk, plaintextBytes: bytes)
  }

  private func refusal(_ pull: PullMachine, _ header: SegmentHeader, on connection: ConnectionID) -> FrameRefusal? {
    do throws(FrameRefusal) {
      _ = try pull.check(header, on: connection)
      return nil
    } catch { return error }
  }

  @Test func aManifestThatIsKnownIsAskedForOnlyIfItIsBad() throws {
    var pull = PullMachine(transfer: id(1), digest: Nodes.other, puller: Nodes.puller, randomness: .seeded(1), at: .zero)
    var actions = pull.receive(.manifestKnown, at: .zero)
    actions += pull.receive(.sourceAvailable(Self.source, node: Nodes.server), at: .zero)
    // The user's disk may take its time.
    for second in 1...120 { actions += pull.receive(.tick, at: .seconds(second)) }
    #expect(actions.isEmpty)
    var good = pull
    let plan = PullPlan(manifest: try #require(Self.manifest), selection: [1])
    #expect(good.receive(.plan(plan), at: .seconds(120)).compactMap(\.want?.kind) == [.chunks])
    #expect(pull.receive(.manifestBad("its signature is wrong"), at: .seconds(120)).compactMap(\.want?.kind) == [.manifest])
  }

  @Test func onlyTheFrameWhoseTurnItIsIsTaken() throws {
    var run = try Running()
    let want = run.wants[0]
    #expect(want.ranges == [ChunkRange(file: 1, first: 0, count: 1), ChunkRange(file: 3, first: 0, count: 1)])
    _ = run.then(.granted(grant(want), id(5)))
    let connection = want.connection
    #expect(refusal(run.pull, header(1, 0, 900), on: id(77)) == .unknownConnection)
    #expect(refusal(run.pull, header(1, 0, 900, gid: id(77)), on: connection) == .unasked)
    #expect(refusal(run.pull, header(3, 0, 900), on: connection) == .unasked, "out of order")
    #expect(refusal(run.pull, header(1, 1, 900), on: connection) == .unasked)
    #expect(refusal(run.pull, header(2, 0, 900), on: connection) == .unasked)
    for bytes in [899, 901, 1 << 20, 1 << 30] { #expect(refusal(run.pull, header(1, 0, bytes), on: connection) == .badLength) }
    #expect(try run.pull.check(header(1, 0, 900), on: connection) == 916)
    guard case .take(let ticket) = run.pull.take(header(1, 0, 900), on: connection, at: .zero) else {
      Issue.record("it must be taken")
      return
    }
    #expect(ticket.file == 1 && ticket.chunk == 0 && ticket.offset == 0 && ticket.plaintextBytes == 900)
    #expect(refusal(run.pull, header(1, 0, 900), on: connection) == .unasked, "repeated")
    #expect(refusal(run.pull, header(3, 0, 900), on: connection) == nil)
  }

  @Test func aFrameThatOvertakesItsGrantWaitsForIt() throws {
    var run = try Running()
    let want = run.wants[0]
    #expect(try run.pull.check(header(1, 0, 900), on: want.connection) == 916)
    #expect(refusal(run.pull, header(1, 0, (1 << 20) + 1), on: want.connection) == .badLength, "longer than any chunk")
    guard case .early = run.pull.take(header(1, 0, 900), on: want.connection, at: .zero) else {
      Issue.record("it must wait")
      return
    }
    _ = run.then(.granted(grant(want), id(5)))
    guard case .take = run.pull.take(header(1, 0, 900), on: want.connection, at: .zero) else {
      Issue.record("now it must be taken")
      return
    }
  }

  @Test func aGrantOfSomethingElseDropsItsSource() throws {
    let hostile: [(Want) -> Grant] = [
      { self.grant($0, kind: .leafList) }, { self.grant($0, digest: Nodes.server) },
      { self.grant($0, ranges: [ChunkRange(file: 1, first: 0, count: 1)]) },
      { self.grant($0, ranges: $0.ranges + [ChunkRange(file: 90_000, first: 0, count: 1)]) },
    ]
    for make in hostile {
      var run = try Running()
      let want = run.wants[0]
      let actions = run.then(.granted(make(want), id(5)))
      #expect(actions.compactMap(\.drop).map(\.code) == [.protocolViolation])
      #expect(actions.compactMap(\.closed) == [want.connection])
      #expect(actions.last?.failure?.source == Self.source)
    }
  }

  @Test func aManifestIsNeverLongerThanOneCanBe() throws {
    var pull = PullMachine(transfer: id(1), digest: Nodes.other, puller: Nodes.puller, randomness: .seeded(1), at: .zero)
    let want = try #require(pull.receive(.sourceAvailable(Self.source, node: Nodes.server), at: .zero).first?.want)
    #expect(want.kind == .manifest && want.ranges.isEmpty)
    let actions = pull.receive(.granted(grant(want, objectBytes: SignedManifest.maximumEncodedBytes + 1), id(5)), at: .zero)
    #expect(actions.compactMap(\.drop).map(\.code) == [.protocolViolation])
  }

  @Test func answersThatAnswerNothingAreIgnored() throws {
    var run = try Running()
    let want = run.wants[0]
    #expect(run.then(.granted(grant(want, connection: id(77)), id(5))).isEmpty, "of an earlier run")
    let stranger = Want(
      request: want.request + 9, transfer: want.transfer, digest: want.digest, kind: .chunks, ranges: want.ranges,
      aeads: want.aeads,
      connection: want.connection, connectionKey: nil)
    #expect(run.then(.granted(grant(stranger), id(5))).isEmpty)
    #expect(run.then(.denied(Deny(request: want.request, transfer: id(2), reason: .notFound))).isEmpty)
    #expect(run.then(.denied(Deny(request: want.request + 9, transfer: id(1), reason: .notFound))).isEmpty)
    _ = run.then(.granted(grant(want), id(5)))
    #expect(run.then(.granted(grant(want, gid: id(9)), id(5))).isEmpty, "answered already")
  }

  @Test func theFirstGrantOpensTheConnection() throws {
    var run = try Running()
    let want = run.wants[0]
    let opens = run.then(.granted(grant(want), id(5))).filter { action in
      guard case .open(Self.source, want.connection, let key) = action else { return false }
      return key.bytes.isEqual(to: want.connectionKey!.bytes)
    }
    #expect(opens.count == 1)
    // It does not open: after a while another is tried, with a new name and key.
    #expect(run.then(.tick, at: .seconds(14)).isEmpty)
    let late = run.then(.tick, at: .seconds(15))
    #expect(late.compactMap(\.closed) == [want.connection])
    let again = run.then(.tick, at: .seconds(16)).compactMap(\.want)
    #expect(again.count == 1 && again[0].ranges == want.ranges && again[0].connection != want.connection)
    #expect(again[0].connectionKey != nil && again[0].request != want.request)
  }

  @Test func anUnansweredRequestIsMadeAnewOnlyWhileTheLinkIsUp() throws {
    var run = try Running()
    let want = run.wants[0]
    _ = run.then(.sourceLost(Self.source), at: .seconds(1))
    #expect(run.then(.tick, at: .seconds(12)).isEmpty, "the envelope is still to be delivered")
    #expect(run.then(.sourceAvailable(Self.source, node: Nodes.server), at: .seconds(13)).isEmpty, "not asked twice")
    #expect(run.then(.tick, at: .seconds(22)).isEmpty)
    #expect(run.then(.tick, at: .seconds(23)).compactMap(\.closed) == [want.connection])
    #expect(run.then(.tick, at: .seconds(24)).compactMap(\.want).count == 1)
  }

  @Test func aLostLinkLeavesTheDataConnectionAlone() throws {
    var run = try Running()
    let want = run.wants[0]
    _ = run.then(.granted(grant(want), id(5)))
    _ = run.then(.connectionOpened(want.connection))
    #expect(run.then(.sourceLost(Self.source)).isEmpty)
    guard case .take(let ticket) = run.pull.take(header(1, 0, 900), on: want.connection, at: .zero) else {
      Issue.record("it must be taken")
      return
    }
    #expect(run.then(.verified(ticket)).count == 1 && run.pull.bytesTransferred == 900)
  }

  @Test func aChunkThatIsReportedTwiceCountsOnce() throws {
    var run = try Running()
    let want = run.wants[0]
    _ = run.then(.granted(grant(want), id(5)))
    guard case .take(let ticket) = run.pull.take(header(1, 0, 900), on: want.connection, at: .zero) else { return }
    _ = run.then(.verified(ticket))
    #expect(run.then(.verified(ticket)).isEmpty)
    #expect(run.then(.lost(ticket)).compactMap(\.want).isEmpty, "what is verified is not asked for again")
    #expect(run.pull.bytesTransferred == 900 && run.pull.verifiedBytes == 900)
  }

  @Test func withoutAnySourceItEndsAsUnreachable() throws {
    var run = try Running(linked: false)
    #expect(run.then(.tick, at: .seconds(29)).isEmpty)
    #expect(run.then(.tick, at: .seconds(30)).last?.failure?.code == .unreachable)
    #expect(run.then(.sourceAvailable(Self.source, node: Nodes.server), at: .seconds(31)).isEmpty, "it is over")
  }

  @Test func nobodyIsRushedWhileTheUserDecides() throws {
    var pull = PullMachine(transfer: id(1), digest: Nodes.other, puller: Nodes.puller, randomness: .seeded(1), at: .zero)
    let want = try #require(pull.receive(.sourceAvailable(Self.source, node: Nodes.server), at: .zero).first?.want)
    _ = pull.receive(.granted(grant(want, objectBytes: 5), id(5)), at: .zero)
    _ = pull.receive(.connectionOpened(want.connection), at: .zero)
    guard case .take(let ticket) = pull.take(header(0, 0, 5), on: want.connection, at: .zero) else { return }
    let actions = pull.receive(.opened(ticket, [1, 2, 3, 4, 5]), at: .zero)
    guard case .manifest([1, 2, 3, 4, 5], from: Self.source) = actions.first else {
      Issue.record("the object must be handed over")
      return
    }
    #expect(pull.receive(.tick, at: .seconds(4_000)).isEmpty && pull.state == .planning)
    #expect(pull.receive(.connectionClosed(want.connection), at: .seconds(4_000)).isEmpty)
    let manifest = try #require(Self.manifest)
    let next = pull.receive(.plan(PullPlan(manifest: manifest, selection: [1])), at: .seconds(4_001))
    #expect(next.compactMap(\.want).map(\.kind) == [.chunks])
  }

  @Test func stoppingSavesAndClosesAndIsFinal() throws {
    var run = try Running()
    let want = run.wants[0]
    _ = run.then(.granted(grant(want), id(5)))
    guard case .take(let ticket) = run.pull.take(header(1, 0, 900), on: want.connection, at: .zero) else { return }
    _ = run.then(.verified(ticket))
    let actions = run.then(.stop)
    guard case .persist([1]) = actions.first, actions.compactMap(\.closed) == [want.connection] else {
      Issue.record("it must save, then close")
      return
    }
    #expect(run.pull.state == .stopped && run.then(.tick, at: .seconds(99)).isEmpty)
    #expect(run.pull.map.verifiedChunks == 1)
  }

  @Test func progressIsSavedEverySecond() throws {
    var run = try Running()
    let want = run.wants[0]
    _ = run.then(.granted(grant(want), id(5)))
    guard case .take(let ticket) = run.pull.take(header(1, 0, 900), on: want.connection, at: .zero) else { return }
    #expect(run.then(.verified(ticket)).count == 1, "the file's end, nothing to save yet")
    guard case .persist([1]) = run.then(.tick, at: .seconds(1)).first else {
      Issue.record("it must save")
      return
    }
    #expect(run.then(.tick, at: .seconds(2)).isEmpty, "nothing new")
  }

  @Test func emptyFilesAreCompleteAtOnce() throws {
    let run = try Running(selection: [0])
    guard case .fileComplete(0) = run.actions.first, run.pull.state == .complete else {
      Issue.record("there is nothing to fetch")
      return
    }
    #expect(run.wants.isEmpty)
  }
}
