internal import Artifact
internal import EventLoop
internal import Logging
internal import Session
internal import Store
internal import Transfer

/// A question of a peer about what is shared with it.
enum CatalogQuery: Sendable {
  case page(CatalogRequest)
  case resolve(Resolve)
}

/// How much of the catalog a peer is told: so much at once, and then so much a second. What it asks for beyond that waits.
///
/// A token bucket over a clock that is handed in. What an answer costs is known when it is there, so an answer begins while
/// there is anything left, and the bucket may go below zero.
struct QueryBudget {
  /// Entries told at once.
  static let burst = 16_384
  /// Entries told a second after that.
  static let perSecond = 4_000
  /// What an answer costs besides its entries: it is sealed and committed, however short it is.
  static let answerCost = 16

  private let room: Double
  private let refill: Double
  /// What may still be told; below zero by no more than one answer.
  private(set) var left: Double
  private var last = Duration.zero

  init(burst: Int = Self.burst, perSecond: Int = Self.perSecond) {
    (room, refill, left) = (Double(burst), Double(perSecond), Double(burst))
  }

  /// How long the next answer has to wait; nil: it may begin.
  mutating func wait(at now: Duration) -> Duration? {
    left = min(room, left + max(0, (now - last) / .seconds(1)) * refill)
    last = max(last, now)
    guard left <= 0 else { return nil }
    return .seconds((1 - left) / refill)
  }

  /// An answer with so many entries was given.
  mutating func spend(entries: Int) { left -= Double(Self.answerCost + entries) }
}

extension PeerServer {
  /// The smallest entry of a listing takes so many bytes: no page has more entries than payloads have room for.
  private static let smallestEntryBytes = 222

  /// Queues a question behind those of the same peer. Peers do not wait for each other, and the links of this one go on being read.
  func receive(_ query: CatalogQuery) async {
    guard await peer.queries.add({ await self.answerInTurn(query) }) else {
      return context.peerLog.note(.warning, "a question is dropped: too many wait", peer: await peer.row.alias)
    }
  }

  private func answerInTurn(_ query: CatalogQuery) async {
    while !isStopped, let wait = queryBudget.wait(at: MonotonicClock.now) {
      guard (try? await context.loop.sleep(for: wait)) != nil else { return }
    }
    guard !isStopped else { return }
    do { queryBudget.spend(entries: try await answer(query)) } catch {
      queryBudget.spend(entries: 0)
      context.peerLog.note(
        .error, "the catalog cannot be read", peer: await peer.row.alias, metadata: ["error": "\(error)"])
    }
  }

  /// Answers one question and returns how many entries that took. An answer that cannot be queued is dropped: a user waits for
  /// it there, and asks again.
  private func answer(_ query: CatalogQuery) async throws -> Int {
    switch query {
    case .page(let request):
      let position = request.position.map { VersionPosition(name: $0.name, version: $0.version) }
      // One more than fits: that is how the page knows that another follows.
      let visible = try await context.database.visible(
        to: peer.id, after: position ?? .start, limit: TransferLimits.payloadBytes / Self.smallestEntryBytes + 1,
        noteBytes: TransferLimits.payloadBytes)
      let page = Catalog.page(try visible.map(entry), request: request.request, after: request.after)
      await peer.send(ControlMessage.catalog(page).payload) { _ in }
      return page.entries.count
    case .resolve(let request):
      let found = try await context.database.visible(name: request.name.text, version: request.version, to: peer.id)
      await peer.send(ControlMessage.resolved(Resolved(request: request.request, entry: try found.map(entry))).payload) { _ in }
      return found == nil ? 0 : 1
    }
  }

  private func entry(of version: OfferedVersion) throws -> CatalogEntry {
    CatalogEntry(
      name: try ArtifactName(version.name), version: version.version, digest: version.digest, sizeBytes: version.sizeBytes,
      files: version.files, note: version.note, created: version.created, publisher: context.identity.id.digest)
  }
}
