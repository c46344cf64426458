internal import Artifact
internal import EventLoop
internal import Primitives
internal import Transfer

extension Node {
  /// Manifests that may be on their way to `show` at once: each may have 32 MiB.
  static let maximumManifestQueries = 8
  /// Others that may wait meanwhile.
  static let maximumWaitingQueries = 256
  /// How long they wait: as long as eight peers that went silent hold their places, and as long again.
  static let manifestQueryTime = Duration.seconds(60)

  /// Fetches and verifies the manifest that a reference names at a peer. Neither takes a place from a pull nor waits for one.
  ///
  /// Throws what a pull throws, and `timeout` or `noSpace` where too many others ask.
  func queriedManifest(_ reference: ArtifactReference, at peer: Peer) async throws -> (Manifest, Digest) {
    do { try await manifestQueue.enter(until: .after(Self.manifestQueryTime), on: context.loop) } catch is TimeoutError {
      throw NodeError(.timeout, "too many manifests are being asked for", hint: "try again in a moment")
    } catch is FairQueue.Full {
      throw NodeError(.noSpace, "too many manifests are being asked for", hint: "try again in a moment")
    }
    defer { manifestQueue.leave() }
    let entry = try await resolve(reference, at: peer)
    let puller = try await begin(entry, reference, peer: peer, target: nil) { _ in }
    return (try await supervising(puller) { try await puller.manifestWhenVerified() }, entry.digest)
  }
}
