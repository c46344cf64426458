internal import Artifact
internal import EventLoop
internal import Primitives
internal import Session
internal import Store
internal import Transfer

/// What two commands have in common that ask for the same work: the second one takes the first one's result.
struct PullIdentity: Hashable, Sendable {
  let digest: Digest
  let peer: NodeID
  let destination: PullDestination
  /// An older version than the newest known is taken only from who named it.
  let isExplicitVersion: Bool

  /// Where one pull works at a time: two with different options would fight over the same names.
  var place: PullPlace {
    var directory = Substring(destination.directory)
    while directory.count > 1, directory.hasSuffix("/") { directory.removeLast() }
    return PullPlace(digest: digest, directory: String(directory))
  }
}

/// One artifact in one folder.
struct PullPlace: Hashable, Sendable {
  let digest: Digest
  let directory: String
}

/// One pull's work up to its files' final names, and the commands that wait for it. It ends with the last of them.
///
/// Touched by ``Node`` alone, but for the listeners.
final class PullJob {
  let identity: PullIdentity
  let entry: CatalogEntry
  let reference: ArtifactReference
  let listeners = PullListeners()
  let outcome = Promise<(delivery: Delivery, puller: Puller)>()
  /// The pull that works in the same place, and is waited for.
  var before: Task<Void, Never>?
  var work: Task<Void, Never>?
  /// Waiting for a place among the pulls at once.
  var admission: Task<Void, any Error>?
  var puller: Puller?
  /// Why it is not to go on.
  var end: (any Error)?

  init(_ identity: PullIdentity, entry: CatalogEntry, reference: ArtifactReference) {
    self.identity = identity
    self.entry = entry
    self.reference = reference
  }
}

/// Who is told how far a pull is. Whoever joins later is told the latest at once.
final class PullListeners: Sendable {
  private struct State {
    var latest: PullProgress?
    var listeners: [Int: @Sendable (PullProgress) -> Void] = [:]
    var last = 0
  }

  private let state = Locked(State())

  func report(_ progress: PullProgress) {
    let listeners = state.withLock { state in
      state.latest = progress
      return Array(state.listeners.values)
    }
    for listener in listeners { listener(progress) }
  }

  /// Returns what to ``leave(_:)`` with.
  func join(_ listener: @escaping @Sendable (PullProgress) -> Void) -> Int {
    let (number, latest) = state.withLock { state in
      state.last += 1
      state.listeners[state.last] = listener
      return (state.last, state.latest)
    }
    if let latest { listener(latest) }
    return number
  }

  /// Whether nobody is left.
  func leave(_ number: Int) -> Bool {
    state.withLock { state in
      state.listeners[number] = nil
      return state.listeners.isEmpty
    }
  }
}

extension Node {
  /// Pulls that may run at once: each holds frames and a partial folder.
  static let maximumPulls = 8
  /// Pulls that may wait for one of these to end: each is a user's command.
  static let maximumWaitingPulls = 256

  /// The artifact that a reference names at a peer.
  func resolve(_ reference: ArtifactReference, at peer: Peer) async throws -> CatalogEntry {
    if let entry = try await peer.resolve(reference.name, version: reference.version) { return entry }
    let alias = await peer.row.alias
    throw NodeError(
      .notFound, "\(alias) shares no \(reference.name)\(reference.version.map { "@v\($0)" } ?? "") with this node",
      hint: "`pawl ls \(alias)` lists what it shares")
  }

  /// Has an artifact fetched and placed, or waits for the same pull that another command began.
  ///
  /// Cancelled: the pull goes on if others wait for it, else it ends where it can be resumed, before this returns.
  func delivered(
    _ entry: CatalogEntry, _ reference: ArtifactReference, from peer: Peer, to destination: PullDestination,
    progress: @escaping @Sendable (PullProgress) -> Void
  ) async throws -> (delivery: Delivery, puller: Puller) {
    let identity = PullIdentity(
      digest: entry.digest, peer: peer.id, destination: destination, isExplicitVersion: reference.version != nil)
    let job = pullJobs[identity] ?? start(PullJob(identity, entry: entry, reference: reference))
    let seat = job.listeners.join(progress)
    do {
      let outcome = try await job.outcome.value()
      _ = job.listeners.leave(seat)
      return outcome
    } catch {
      guard job.listeners.leave(seat), !job.outcome.isSettled else { throw error }
      await end(job, because: error)
      // While another pull is in its place it has done nothing, and there is nothing to wait for.
      if job.puller != nil { await job.work?.value }
      // What was being placed is there, and nobody is left to ask for its read-back.
      if case .success(let outcome)? = job.outcome.result, !outcome.delivery.placed.isEmpty {
        await readBacks.enqueue(outcome.delivery.holding)
      }
      throw error
    }
  }

  private func start(_ job: PullJob) -> PullJob {
    pullJobs[job.identity] = job
    job.before = pullsByPlace[job.identity.place]?.work
    job.work = startTask { await self.run(job) }
    pullsByPlace[job.identity.place] = job
    return job
  }

  private func run(_ job: PullJob) async {
    let result: Result<(delivery: Delivery, puller: Puller), any Error>
    do { result = .success(try await work(on: job)) } catch { result = .failure(error) }
    if pullJobs[job.identity] === job { pullJobs[job.identity] = nil }
    if pullsByPlace[job.identity.place] === job { pullsByPlace[job.identity.place] = nil }
    job.outcome.settle(result)
  }

  private func work(on job: PullJob) async throws -> (delivery: Delivery, puller: Puller) {
    if let before = job.before {
      job.listeners.report(PullProgress(phase: .waiting))
      await before.value
      job.before = nil
    }
    try goOn(job)
    let listeners = job.listeners
    let admission = startTask { try await self.admit(listeners) }
    job.admission = admission
    do { try await admission.value } catch is FairQueue.Full {
      throw NodeError(
        .noSpace, "\(Self.maximumPulls) pulls are running and \(Self.maximumWaitingPulls) wait already",
        hint: "wait for one to end")
    }
    defer { pullQueue.leave() }
    try goOn(job)
    // Paired anew while this waited, perhaps.
    guard let peer = peers[job.identity.peer] else {
      throw NodeError(.notAllowed, "this node is no longer paired with whom it was to pull from")
    }
    let puller = try await begin(
      job.entry, job.reference, peer: peer, target: job.identity.destination, progress: job.listeners.report)
    job.puller = puller
    if let end = job.end { await puller.cancel(end) }
    return try await supervising(puller) {
      try await puller.completion()
      return (try await self.place(puller), puller)
    }
  }

  /// Takes a place among the pulls at once.
  private func admit(_ listeners: PullListeners) async throws {
    try await pullQueue.enter(on: context.loop) { listeners.report(PullProgress(phase: .waiting)) }
  }

  private func goOn(_ job: PullJob) throws {
    if let end = job.end { throw end }
    if isStopping { throw CancellationError() }
  }

  /// Ends a pull wherever it is; its clean-up runs in its own task, which nobody cancels. No other command joins it any more.
  private func end(_ job: PullJob, because error: any Error) async {
    if pullJobs[job.identity] === job { pullJobs[job.identity] = nil }
    if job.end == nil { job.end = error }
    job.admission?.cancel()
    await job.puller?.cancel(error)
    // Whoever waits hears it now, not when the pull before it has ended.
    if job.puller == nil { job.outcome.settle(.failure(error)) }
  }

  /// Ends all pulls, or those from one peer, also those that wait.
  func endPulls(from peer: NodeID? = nil, because error: any Error) async {
    for job in Array(pullJobs.values) where peer == nil || job.identity.peer == peer { await end(job, because: error) }
  }
}
