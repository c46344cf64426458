import Artifact
import Primitives
import Session
import Testing

@testable import Store

/// Who may have a version is said of that version, and of no other.
@Suite struct VersionAudienceTests {
  private func seen(_ state: State, by byte: UInt8, _ name: String = "lora") async throws -> [ArtifactVersion] {
    try await state.database.visible(to: node(byte), after: .start, limit: 100, noteBytes: 1_000).filter { $0.name == name }
      .map(\.version)
  }

  private func paired() async throws -> State {
    let state = try State()
    for byte in 1...3 as ClosedRange<UInt8> { try await state.pair(byte, alias: "peer\(byte)") }
    return state
  }

  @Test func sharingALaterVersionOpensNoEarlierOne() async throws {
    let state = try await paired()
    try await state.database.publish(artifact("lora", 1), files: [], audience: [.peer(node(1))])
    #expect(try await state.database.publish(artifact("lora", 2), files: [], audience: [.peer(node(2))]) == [2])
    #expect(try await seen(state, by: 1) == [1, 2], "a new version begins with the audience of the one before")
    #expect(try await seen(state, by: 2) == [2])
    // The same files again: the audience of their version grows.
    #expect(try await state.database.publish(artifact("lora", 2), files: [], audience: [.all]) == [2])
    #expect(try await seen(state, by: 3) == [2])
    #expect(try await state.database.audience("lora", version: 1) == Audience(isAll: false, peers: [node(1)]))
    #expect(try await state.database.audience("lora", version: 2) == Audience(isAll: true, peers: [node(1), node(2)]))
    #expect(try await state.database.visible(name: "lora", version: 1, to: node(2)) == nil)
    #expect(try await !state.database.isVisible(digest(1), to: node(2)))
    #expect(try await state.database.isVisible(digest(2), to: node(2)))
    await state.database.close()
  }

  @Test func allVersionsOpensTheEarlierOnesAndSaysWhich() async throws {
    let state = try await paired()
    for version in 1...3 as ClosedRange<ArtifactVersion> {
      try await state.database.publish(artifact("lora", version), files: [], audience: [])
    }
    _ = try await state.database.withdraw(name: "lora", version: 2)
    let opened = try await state.database.publish(
      artifact("lora", 4), files: [], audience: [.peer(node(1))], rule: .allVersions)
    #expect(opened == [1, 3, 4], "what was withdrawn stays withdrawn")
    #expect(try await seen(state, by: 1) == [1, 3, 4])
    #expect(try await seen(state, by: 2).isEmpty)
    await state.database.close()
  }

  @Test func onlyThisBeginsWithNobodyButThoseWhoAreNamed() async throws {
    let state = try await paired()
    try await state.database.publish(artifact("lora", 1), files: [], audience: [.all, .peer(node(1))])
    try await state.database.publish(artifact("lora", 2), files: [], audience: [.peer(node(2))], rule: .onlyThis)
    #expect(try await state.database.audience("lora", version: 2) == Audience(isAll: false, peers: [node(2)]))
    #expect(try await state.database.visible(name: "lora", version: nil, to: node(1))?.version == 1)
    #expect(try await state.database.visible(name: "lora", version: nil, to: node(2))?.version == 2)
    await state.database.close()
  }

  @Test func aVersionThatComesBackBeginsAsANewOneDoes() async throws {
    let state = try await paired()
    try await state.database.publish(artifact("lora", 1), files: [], audience: [.peer(node(1))])
    try await state.database.publish(artifact("lora", 2), files: [], audience: [.peer(node(2))])
    _ = try await state.database.withdraw(name: "lora", version: 2)
    try await state.database.publish(artifact("lora", 2), files: [], audience: [])
    #expect(try await state.database.audience("lora", version: 2).peers == [node(1)])
    _ = try await state.database.withdraw(name: "lora", version: nil)
    try await state.database.publish(artifact("lora", 2), files: [], audience: [])
    #expect(try await state.database.audience("lora", version: 2).isEmpty)
    await state.database.close()
  }

  @Test func peersAreTakenOutOfOneVersionOrOfAll() async throws {
    let state = try await paired()
    for version in 1...3 as ClosedRange<ArtifactVersion> {
      try await state.database.publish(artifact("lora", version), files: [], audience: [.peer(node(1)), .peer(node(2))])
    }
    func cut(_ version: ArtifactVersion?, _ members: [Audience.Member]) async throws -> AudienceCut {
      try await state.database.cutAudience("lora", version: version, members)
    }
    guard case .done(let one) = try await cut(2, [.peer(node(1))]) else { throw StoreError(.badRecord, detail: "not done") }
    #expect(one.map(\.version) == [2])
    #expect(try await seen(state, by: 1) == [1, 3])
    guard case .done(let rest) = try await cut(nil, [.peer(node(1))]) else { throw StoreError(.badRecord, detail: "not done") }
    #expect(rest.map(\.version) == [1, 3])
    #expect(try await seen(state, by: 1).isEmpty)
    #expect(try await seen(state, by: 2) == [1, 2, 3])
    #expect(try await cut(nil, [.peer(node(1))]) == .notMembers)
    #expect(try await cut(9, [.peer(node(2))]) == .notOffered)
    #expect(try await state.database.cutAudience("other", version: nil, [.all]) == .notOffered)
    await state.database.close()
  }

  /// Leaving a peer out of a list that every peer is on would promise what does not hold.
  @Test func aPeerIsNotTakenOutOfWhatIsForEveryPeer() async throws {
    let state = try await paired()
    try await state.database.publish(artifact("lora", 1), files: [], audience: [.peer(node(1))])
    try await state.database.publish(artifact("lora", 2), files: [], audience: [.all])
    #expect(try await state.database.cutAudience("lora", version: nil, [.peer(node(1))]) == .forEveryone([2]))
    #expect(try await seen(state, by: 1) == [1, 2], "and nothing was changed")
    guard case .done(let cut) = try await state.database.cutAudience("lora", version: nil, [.all]) else {
      throw StoreError(.badRecord, detail: "not done")
    }
    #expect(cut.map(\.version) == [2])
    #expect(try await seen(state, by: 1) == [1, 2], "who is named stays")
    #expect(try await seen(state, by: 2).isEmpty)
    await state.database.close()
  }

  /// A state of before: one audience a name, and a listing read the manifests.
  @Test func theAudienceOfANameBecomesThatOfEachOfItsVersions() async throws {
    let state = try await paired()
    var manifests: [Manifest] = []
    for version in 1...3 as ClosedRange<ArtifactVersion> {
      var builder = ManifestBuilder(name: try ArtifactName("lora"), isFolder: true)
      for (path, count) in [("a.bin", 5), ("b.bin", 7 * Int(version))] {
        let layout = try ChunkLayout(sizeBytes: UInt64(count), chunkBytes: builder.chunkBytes)
        var hasher = FileHasher(path: try SafePath(path), layout: layout)
        try hasher.update(pattern(count).span)
        builder.add(
          ManifestFile(path: try SafePath(path), sizeBytes: UInt64(count), mode: .regular, facts: try hasher.finish()))
      }
      let manifest = try builder.build(
        version: version, previous: nil, publisher: digest(1), created: 7, note: "the \(version). “note”")
      manifests.append(manifest)
      let bytes = try manifest.encoded()
      try await state.database.publish(
        PublishedArtifact(
          name: "lora", version: version, digest: SHA256Hash.hash(bytes), manifest: bytes, signature: [2], root: "/src",
          isFolder: true, created: 7),
        files: [], audience: [])
    }
    try await state.database.publish(artifact("common", 1, seed: 90), files: [], audience: [])
    _ = try await state.database.withdraw(name: "lora", version: 2)
    for statement in OlderSchema.five + [
      "INSERT INTO audience SELECT 'lora', id FROM peer WHERE alias <> 'peer3'", "INSERT INTO audience_all VALUES ('common')",
    ] { _ = try await state.database.number(statement) }
    await state.database.close()

    let after = try Database(path: state.path, key: testKey)
    let offered = try await after.offered(name: "lora", version: nil)
    #expect(offered.map(\.version) == [1, 3])
    for (found, manifest) in zip(offered, [manifests[0], manifests[2]]) {
      #expect(found.files == 2 && found.sizeBytes == manifest.totalBytes && found.note == manifest.note && found.created == 7)
      #expect(found.root == "/src" && found.state == .current)
      #expect(try await after.audience("lora", version: found.version) == Audience(isAll: false, peers: [node(1), node(2)]))
    }
    #expect(try await after.audience("common", version: 1).isAll)
    #expect(try await after.visible(name: "lora", version: nil, to: node(3)) == nil)
    #expect(try await after.latest("lora")?.version == 3)
    await after.close()
  }
}
