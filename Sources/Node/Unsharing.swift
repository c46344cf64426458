internal import Artifact
internal import Primitives
internal import Session
internal import Store

extension Node {
  /// Withdraws a version, or all of a name; or takes peers out of its audience. Those who have it keep it; from here they get it
  /// no more, also in the middle of a transfer.
  ///
  /// - Parameters:
  ///   - reference: `NAME` or `NAME@vN`.
  ///   - from: aliases, or `all` for the word that stands for every peer; empty: the version is withdrawn.
  /// - Returns: the versions that this changed, and who may have one of them still: aliases, or `all`.
  public func unshare(
    _ reference: String, from aliases: [String] = []
  ) async throws -> (name: String, versions: [UInt64], audience: [String]) {
    let parsed = try read(reference: reference)
    guard parsed.peer == nil else {
      throw NodeError(
        .usage, "only this node's own artifacts can be withdrawn",
        hint: "what is shared from here: pawl ls; to drop a download from the records: pawl forget \(parsed)")
    }
    let name = parsed.name.text
    guard aliases.isEmpty else {
      let versions = try await cut(aliases, outOf: parsed)
      var left: Set<String> = []
      for version in versions { left.formUnion(try await audience(of: name, version: version)) }
      return (name, versions.map { UInt64($0) }, left.contains(Self.everyone) ? [Self.everyone] : left.sorted())
    }
    let withdrawn = try await context.database.withdraw(name: name, version: parsed.version)
    guard !withdrawn.isEmpty else { throw await nothingShared(parsed) }
    for server in servers.values { await server.withdraw(withdrawn.map(\.digest)) }
    return (name, withdrawn.map { UInt64($0.version) }, [])
  }

  private func cut(_ aliases: [String], outOf reference: ArtifactReference) async throws -> [ArtifactVersion] {
    var members: [Audience.Member] = []
    for alias in aliases { members.append(alias == Self.everyone ? .all : .peer(try await peer(alias: alias).id)) }
    let name = reference.name.text
    switch try await context.database.cutAudience(name, version: reference.version, members) {
    case .done(let versions):
      for (id, server) in servers where members.contains(.all) || members.contains(.peer(id)) {
        var lost: [Digest] = []
        for version in versions where try await !context.database.isVisible(version.digest, to: id) {
          lost.append(version.digest)
        }
        await server.withdraw(lost)
      }
      return versions.map(\.version)
    case .notOffered: throw await nothingShared(reference)
    case .notMembers:
      throw NodeError(
        .notFound, "\(reference) is not shared with \(aliases.joined(separator: ", "))", hint: "`pawl ls` shows with whom it is"
      )
    case .forEveryone(let versions):
      let open = versions.map { "\(name)@v\($0)" }.joined(separator: ", ")
      throw NodeError(
        .conflict, "\(open) is shared with every peer, and \(aliases.joined(separator: ", ")) cannot be left out of that",
        hint: "`pawl unshare \(reference) --from all` ends that for everyone not named; then the same command again")
    }
  }
}
