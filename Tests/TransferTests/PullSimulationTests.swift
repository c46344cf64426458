import Artifact
import Primitives
import Testing

@testable import Transfer

/// Whole pulls against sources that lose, break and forge, each from a seed.
@Suite struct PullSimulationTests {
  private static let chunk = TestArtifact.chunkBytes
  private static let sizes = [0, 1, chunk, chunk + 1, 5 * chunk, 9 * chunk - 17, 300, 0, 2 * chunk]

  private func artifact() throws -> TestArtifact { try TestArtifact(sizes: Self.sizes) }

  private func expectWhole(_ run: Simulation, _ seed: UInt64) {
    #expect(run.pull.state == .complete, "seed \(seed)")
    #expect(run.completed.sorted() == Array(Self.sizes.indices), "each file once, seed \(seed)")
    #expect(run.pull.map.isComplete && run.pull.verifiedBytes == run.artifact.manifest.totalBytes)
    #expect(run.pull.bytesTransferred == run.artifact.manifest.totalBytes)
    for (file, content) in run.artifact.contents.enumerated() {
      #expect(
        run.written[file]?.count ?? 0 == run.artifact.manifest.layout(of: file).count, "\(content.count) bytes, seed \(seed)")
    }
  }

  @Test func anHonestSourceIsEnough() throws {
    let run = Simulation(try artifact(), faults: [Faults()], seed: 1)
    _ = try run.run()
    expectWhole(run, 1)
    #expect(run.drops.isEmpty)
    #expect(run.now == .zero, "nothing had to be waited for")
  }

  @Test func anUnreliablePathDelaysButNeverSpoils() throws {
    var faults = Faults()
    faults.flipsTag = 12
    faults.cutsConnection = 15
    faults.losesLink = 15
    faults.repeatsFrame = 20
    faults.unaskedFrame = 25
    faults.wrongLength = 25
    faults.isBusy = 6
    let artifact = try artifact()
    var completed = 0
    for seed in UInt64(0)..<40 {
      let run = Simulation(artifact, faults: [faults], seed: seed)
      switch try run.run() {
      case .complete:
        expectWhole(run, seed)
        completed += 1
      // Bad luck may last for 30 seconds.
      case .failed(let failure): #expect(failure.category == .unreachable, "seed \(seed)")
      default: Issue.record("seed \(seed): \(run.pull.state)")
      }
      #expect(run.drops.isEmpty, "a bad path is not the peer's fault, seed \(seed)")
    }
    #expect(completed >= 38, "\(completed) of 40")
  }

  @Test(arguments: UInt64(0)..<20)
  func oneHonestSourceMakesUpForTheOthers(seed: UInt64) throws {
    var forger = Faults()
    forger.falseChunks = true
    var liar = Faults()
    liar.falseLeaves = true
    var broken = Faults()
    broken.cutsConnection = 4
    let run = Simulation(try artifact(), faults: [forger, Faults(), liar, broken], seed: seed)
    _ = try run.run()
    expectWhole(run, seed)
    #expect(run.drops[SourceID(1)] == nil && run.drops[SourceID(3)] == nil, "seed \(seed)")
    for failure in run.drops.values { #expect(failure.category == .integrity) }
  }

  @Test(arguments: [false, true])
  func aForgedChunkOrHashListNamesItsSource(inLeaves: Bool) throws {
    var faults = Faults()
    faults.falseChunks = !inLeaves
    faults.falseLeaves = inLeaves
    let run = Simulation(try artifact(), faults: [faults], seed: 5)
    guard case .failed(let failure) = try run.run() else {
      Issue.record("it must not complete")
      return
    }
    #expect(failure.category == .integrity && failure.source == SourceID(0))
    #expect(run.pull.bytesTransferred == 0)
  }

  @Test func aForgedManifestNamesItsSourceAndAnotherIsAsked() throws {
    var faults = Faults()
    faults.falseManifest = true
    let alone = Simulation(try artifact(), faults: [faults], seed: 3)
    guard case .failed(let failure) = try alone.run() else {
      Issue.record("it must not complete")
      return
    }
    #expect(failure.category == .integrity && failure.source == SourceID(0))
    let helped = Simulation(try artifact(), faults: [faults, Faults()], seed: 3)
    _ = try helped.run()
    expectWhole(helped, 3)
    #expect(helped.drops[SourceID(0)]?.category == .integrity)
  }

  @Test func aSourceThatChangedAFileSaysSo() throws {
    var faults = Faults()
    faults.changedAfter = 18
    let run = Simulation(try artifact(), faults: [faults], seed: 8)
    guard case .failed(let failure) = try run.run(), case .changed(let path) = failure.code else {
      Issue.record("it must fail as changed")
      return
    }
    #expect(path != nil && failure.category == .failed)
    #expect(run.pull.bytesTransferred > 0, "what came before is kept")
    #expect(run.saved?.verifiedChunks == run.pull.map.verifiedChunks)
  }

  @Test(arguments: [(DenyReason.notFound, PullFailure.Category.notFound), (.gone, .notFound), (.badRequest, .failed)])
  func aRefusalEndsAPullThatHasNobodyElse(reason: DenyReason, category: PullFailure.Category) throws {
    var faults = Faults()
    faults.denies = reason
    let run = Simulation(try artifact(), faults: [faults], seed: 2)
    guard case .failed(let failure) = try run.run() else {
      Issue.record("it must fail")
      return
    }
    #expect(failure.category == category)
    #expect(run.now == .zero, "at once")
  }

  @Test(arguments: [DenyReason.busy, .limit, .noConnection])
  func aSourceThatIsNeverReadyEndsAsStalled(reason: DenyReason) throws {
    var faults = Faults()
    faults.denies = reason
    let run = Simulation(try artifact(), faults: [faults], seed: 2)
    guard case .failed(let failure) = try run.run() else {
      Issue.record("it must fail")
      return
    }
    #expect(failure.code == (reason == .noConnection ? .stalled : .busy) && failure.category == .unreachable)
    #expect(run.now == PullLimits.stall)
    #expect(run.asked < (reason == .noConnection ? 40 : 12), "it is not pestered: \(run.asked)")
  }

  @Test func aServerThatBreaksOffEachGrantAsBusyIsAskedEverMoreSeldom() throws {
    var faults = Faults()
    faults.breaksOffAfter = 3
    let run = Simulation(try artifact(), faults: [faults], seed: 2)
    guard case .failed(let failure) = try run.run() else {
      Issue.record("it must fail")
      return
    }
    #expect(failure.code == .busy && failure.category == .unreachable)
    #expect(run.now >= PullLimits.stall)
    #expect(run.asked < 40, "it is not pestered: \(run.asked)")
    #expect(run.saved?.verifiedChunks ?? 0 == run.pull.map.verifiedChunks, "what came before is kept")
  }

  @Test(arguments: [(DenyReason.gone, PullFailure.Category.notFound), (.unreadable, .unreachable)])
  func aFileThatASourceCannotReadIsNamed(reason: DenyReason, category: PullFailure.Category) throws {
    var faults = Faults()
    faults.changedAfter = 18
    faults.failsAs = reason
    let run = Simulation(try artifact(), faults: [faults], seed: 8)
    guard case .failed(let failure) = try run.run() else {
      Issue.record("it must fail")
      return
    }
    switch failure.code {
    case .gone, .unreadable(.some): break
    default: Issue.record("\(failure)")
    }
    #expect(failure.category == category && run.pull.bytesTransferred > 0)
  }

  @Test func silenceEndsAsStalledAfterThirtySeconds() throws {
    var faults = Faults()
    faults.isSilent = true
    let run = Simulation(try artifact(), faults: [faults], seed: 2)
    guard case .failed(let failure) = try run.run() else {
      Issue.record("it must fail")
      return
    }
    #expect(failure.code == .stalled)
    #expect(run.now == PullLimits.stall)
  }

  @Test(arguments: UInt64(0)..<10)
  func onlyMissingChunksTravelAfterAnInterruption(seed: UInt64) throws {
    let artifact = try artifact()
    var generator = SeededGenerator(seed)
    var earlier = ResumeMap(manifest: artifact.manifest)
    for file in artifact.contents.indices {
      for chunk in 0..<artifact.manifest.layout(of: file).count where generator.oneIn(2) {
        earlier.mark(file: file, chunk: chunk)
      }
    }
    let run = Simulation(artifact, faults: [Faults()], seed: seed, earlier: earlier)
    #expect(try run.run() == .complete)
    #expect(run.pull.bytesTransferred == artifact.manifest.totalBytes - earlier.verifiedBytes, "seed \(seed)")
    #expect(run.completed.sorted() == Array(artifact.contents.indices))
    for (file, chunks) in run.written {
      #expect(chunks.allSatisfy { !earlier.contains(file: file, chunk: $0) }, "seed \(seed)")
    }
  }

  @Test func afterARestartOfTheMachineChunksAreHashedBeforeTheyCount() throws {
    let artifact = try artifact()
    var earlier = ResumeMap(manifest: artifact.manifest)
    for file in artifact.contents.indices {
      for chunk in 0..<artifact.manifest.layout(of: file).count { earlier.mark(file: file, chunk: chunk) }
    }
    let run = Simulation(artifact, faults: [Faults()], seed: 4, earlier: earlier, mustRehash: true)
    #expect(try run.run() == .complete)
    // Every second chunk is found damaged, and travels again.
    for file in artifact.contents.indices {
      let layout = artifact.manifest.layout(of: file)
      #expect(run.written[file] ?? [] == Set((0..<layout.count).filter { !$0.isMultiple(of: 2) }), "file \(file)")
    }
  }

  @Test func onlyTheSelectionTravels() throws {
    let artifact = try artifact()
    let run = Simulation(artifact, faults: [Faults()], seed: 6, selection: [4, 1, 7])
    #expect(try run.run() == .complete)
    #expect(run.completed.sorted() == [1, 4, 7])
    #expect(Set(run.written.keys) == [1, 4])
    #expect(run.pull.selectedBytes == UInt64(5 * Self.chunk + 1) && run.pull.bytesTransferred == run.pull.selectedBytes)
  }

  @Test func anEmptySelectionIsCompleteAtOnce() throws {
    let run = Simulation(try artifact(), faults: [Faults()], seed: 6, selection: [])
    #expect(try run.run() == .complete)
    #expect(run.completed.isEmpty && run.pull.bytesTransferred == 0)
  }
}
