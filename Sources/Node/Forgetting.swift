internal import Artifact
internal import Logging
internal import Session
internal import Store

/// A download whose record is gone.
public struct ForgottenDownload: Sendable {
  /// NAME.
  public let name: String
  /// Its version.
  public let version: UInt64
  /// Alias of the publisher, or the beginning of its node id.
  public let publisher: String
  /// Where its files were placed. Absolute.
  public let path: String
}

extension Node {
  /// Drops downloads from the records that `check` looks at. The files stay where they are.
  ///
  /// - Parameters:
  ///   - reference: `[PEER/]NAME[@vN]`; PEER is the publisher, by alias or the first digits of its node id. Without it the
  ///     downloads of that name from every publisher are dropped.
  ///   - place: only the copy there: what it was placed as, or the folder it was pulled to; nil: every copy.
  public func forget(_ reference: String, at place: String? = nil) async throws -> [ForgottenDownload] {
    let wanted = try read(reference: reference)
    var chosen: [Holding] = []
    var forgotten: [ForgottenDownload] = []
    var elsewhere: [String] = []
    for holding in try await context.database.holdings(name: wanted.name.text)
    where wanted.version == nil || holding.version == wanted.version {
      let publisher = await alias(of: holding.publisher)
      if let peer = wanted.peer, peer != publisher {
        let isID = peer.utf8.count >= Self.shortestIDPrefix && holding.publisher.hex.hasPrefix(peer.lowercased())
        guard isID else { continue }
      }
      if let place, holding.path != place, holding.folder != place {
        elsewhere.append(holding.path)
        continue
      }
      chosen.append(holding)
      forgotten.append(
        ForgottenDownload(
          name: holding.name, version: UInt64(holding.version), publisher: publisher, path: holding.path))
    }
    guard !chosen.isEmpty else {
      if let place, let other = elsewhere.first {
        let more = elsewhere.count > 1 ? " and \(elsewhere.count - 1) more" : ""
        throw NodeError(
          .notFound, "no copy of \(wanted) was pulled to \(place)", hint: "it is in \(other)\(more); see: pawl check -v")
      }
      let published = try await context.database.published(name: wanted.name.text, version: nil)
      let isShared = wanted.peer == nil && published != nil
      throw NodeError(
        .notFound, "nothing called \(wanted) was pulled to this machine",
        hint: isShared
          ? "it is shared from here; to withdraw it: pawl unshare \(wanted.name)"
          : "what was pulled, and is here: pawl check -v")
    }
    try await context.database.deleteHoldings(chosen.map(\.id))
    context.logger.info("forgotten", metadata: ["artifact": "\(wanted)", "downloads": "\(chosen.count)"])
    return forgotten
  }
}

extension Holding {
  /// The folder that ``path`` is in.
  fileprivate var folder: String {
    let parts = path.split(separator: "/").dropLast()
    return "/" + parts.joined(separator: "/")
  }
}
