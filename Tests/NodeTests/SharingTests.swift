import EventLoop
import Foundation
import Store
import Testing

@testable import Node

/// What `share` publishes, and what becomes of it at the puller.
@Suite(.timeLimit(.minutes(5))) struct SharingTests {
  private func share(
    _ node: RunningNode, _ path: String, note: String? = nil, follow: Bool = false, all: Bool = false
  ) async throws -> ShareSummary {
    try await node.node.share(
      ShareCommand(path: path, toAll: true, note: note, followsLinks: follow, takesAll: all)
    ) { _, _ in }
  }

  @Test func progressMovesInsideAFileAndEndsWithAllBytes() async throws {
    try await withHouse { house in
      let studio = try await house.start("studio")
      try house.file("out/lora/big.bin", pattern(5 << 20))
      try house.file("out/lora/small.bin", pattern(1_000))
      try house.file("out/lora/empty.bin", [])
      let steps = Locked<[(Int, UInt64)]>([])
      _ = try await studio.node.share(ShareCommand(path: "\(house.path)/out/lora")) { done, total in
        steps.withLock { $0.append((done, total)) }
      }
      let told = steps.withLock { $0 }
      let total = 5 << 20 + 1_000
      #expect(told.allSatisfy { $0.1 == UInt64(total) })
      #expect(told.map(\.0) == told.map(\.0).sorted())
      #expect(told.last?.0 == total)
      #expect(told.contains { (2 << 20..<5 << 20).contains($0.0) }, "it moves inside the large file")
    }
  }

  @Test func anotherNoteOnTheSameFilesIsANewVersion() async throws {
    try await withHouse { house in
      let (studio, laptop) = (try await house.start("studio"), try await house.start("laptop"))
      try await house.pair(studio, laptop)
      let path = try house.file("out/a.bin", pattern(1_000))
      let first = try await share(studio, path)
      let noted = try await share(studio, path, note: "ready")
      #expect(noted.version == 2 && noted.isNew && noted.digest != first.digest)
      for note in ["ready", nil] {
        let same = try await share(studio, path, note: note)
        #expect(same.version == 2 && !same.isNew && same.digest == noted.digest)
      }
      let empty = try await share(studio, path, note: "")
      #expect(empty.version == 3 && empty.isNew)
      #expect(try await laptop.node.list(peer: "studio").map(\.note) == ["", "ready", ""])
      // Both versions are the same files.
      for version in 1...3 { _ = try await laptop.pull("studio/a.bin@v\(version)", into: "\(house.path)/copy") }
      #expect(house.bytes("copy/a.bin") == pattern(1_000))
    }
  }

  @Test func emptyFoldersArriveAndMakeAVersion() async throws {
    try await withHouse { house in
      let (studio, laptop) = (try await house.start("studio"), try await house.start("laptop"))
      try await house.pair(studio, laptop)
      try house.file("out/lora/sub/a.bin", pattern(1_000))
      let folder = "\(house.path)/out/lora"
      #expect(try await share(studio, folder).version == 1)
      for name in ["empty/inner", "samples"] {
        try FileManager.default.createDirectory(atPath: "\(folder)/\(name)", withIntermediateDirectories: true)
      }
      let second = try await share(studio, folder)
      #expect(second.version == 2 && second.isNew && second.emptyFolders == ["empty/inner", "samples"])
      #expect(try await !share(studio, folder).isNew)
      let pulled = try await laptop.pull("studio/lora", into: "\(house.path)/copy")
      #expect(house.tree("copy") == ["lora", "lora/empty", "lora/empty/inner", "lora/samples", "lora/sub", "lora/sub/a.bin"])
      #expect(pulled.skipped.isEmpty)
      _ = try await laptop.pull("studio/lora@v1", into: "\(house.path)/one")
      #expect(house.tree("one") == ["lora", "lora/sub", "lora/sub/a.bin"])
      // A pattern takes those that it matches.
      func pull(only: [String], into name: String) async throws -> [String] {
        _ = try await laptop.node.pull(
          PullCommand(reference: "studio/lora", directory: "\(house.path)/\(name)", only: only)
        ) { _ in }
        return house.tree(name)
      }
      #expect(try await pull(only: ["*.bin"], into: "two") == ["lora", "lora/sub", "lora/sub/a.bin"])
      #expect(try await pull(only: ["*.bin", "samples"], into: "three").contains("lora/samples"))
      // A file of the user's in a folder's place stays, and is told.
      try house.file("four/lora/samples", [9])
      let skipped = try await laptop.pull("studio/lora", into: "\(house.path)/four")
      #expect(skipped.skipped == ["samples"])
      #expect(house.bytes("four/lora/samples") == [9])
      #expect(house.bytes("four/lora/sub/a.bin") == pattern(1_000))
      try FileManager.default.removeItem(atPath: "\(folder)/samples")
      let third = try await share(studio, folder)
      #expect(third.version == 3 && third.emptyFolders == ["empty/inner"])
    }
  }

  @Test func aFolderIsSharedWithoutItsJunkWhichIsNamed() async throws {
    try await withHouse { house in
      let (studio, laptop) = (try await house.start("studio"), try await house.start("laptop"))
      try await house.pair(studio, laptop)
      for name in ["a.bin", ".env", ".git/HEAD", "sub/__pycache__/a.pyc"] { try house.file("out/lora/\(name)", pattern(10)) }
      let shared = try await share(studio, "\(house.path)/out/lora")
      #expect(shared.leftOut.paths == [".env", ".git/", "sub/__pycache__/"] && shared.leftOut.count == 3)
      _ = try await laptop.pull("studio/lora", into: "\(house.path)/copy")
      #expect(house.tree("copy") == ["lora", "lora/a.bin", "lora/sub"])
      let all = try await share(studio, "\(house.path)/out/lora", all: true)
      #expect(all.files.count == 4 && all.leftOut.count == 0)
    }
  }

  @Test func aSnapshotOfAHuggingFaceCacheIsSharedByItsNames() async throws {
    try await withHouse { house in
      let (studio, laptop) = (try await house.start("studio"), try await house.start("laptop"))
      try await house.pair(studio, laptop)
      let bytes = pattern(3 << 20)
      let blob = try house.file("hub/models--org--lora/blobs/aa11", bytes)
      let snapshot = "\(house.path)/hub/models--org--lora/snapshots/rev"
      try FileManager.default.createDirectory(atPath: snapshot, withIntermediateDirectories: true)
      symlink("../../blobs/aa11", "\(snapshot)/model.bin")
      let refused = await #expect(throws: StoreError.self) { try await share(studio, snapshot) }
      #expect(refused?.code == .symlinkInSource && refused?.hint?.contains("--follow") == true)
      let shared = try await share(studio, snapshot, follow: true)
      #expect(shared.links.map(\.path) == ["model.bin"] && shared.links.map(\.target) == [blob])
      func checked() async throws -> [CheckEntry] { try await studio.node.check("rev", readData: true) { _, _ in } }
      // The link leads elsewhere from now on: what was shared is served, by device and inode.
      unlink("\(snapshot)/model.bin")
      symlink(try house.file("secret", pattern(3 << 20, seed: 1)), "\(snapshot)/model.bin")
      _ = try await laptop.pull("studio/rev", into: "\(house.path)/copy")
      #expect(house.bytes("copy/rev/model.bin") == bytes)
      #expect(try await checked().map(\.path) == [blob])
      #expect(try await checked().map(\.state) == [.verified])
      // Another file in the blob's place is not what was shared.
      try house.file("other", pattern(3 << 20, seed: 1))
      try #require(rename("\(house.path)/other", blob) == 0)
      let error = try await nodeError { _ = try await laptop.pull("studio/rev", into: "\(house.path)/late") }
      #expect(error.code == .integrity)
      #expect(try await checked().map(\.state) == [.changed])
    }
  }

  @Test func theNodesOwnKeysAreNotSharedByWayOfALink() async throws {
    try await withHouse { house in
      let studio = try await house.start("studio")
      let home = "\(house.path)/homes/studio"
      try house.file("out/a", [1])
      symlink("\(home)/identity/identity", "\(house.path)/key")
      symlink("\(home)/state", "\(house.path)/state")
      symlink("identity", "\(home)/identity/model.bin")
      for (path, follow) in [("key", false), ("state", false), ("homes/studio/identity", true)] {
        let error = try await nodeError { _ = try await share(studio, "\(house.path)/\(path)", follow: follow, all: true) }
        #expect(error.code == .usage && error.message.contains("own keys"), "\(path): \(error.message)")
      }
      #expect(try await studio.node.list(peer: nil).isEmpty)
    }
  }

  @Test(arguments: ["", "out", "./out", " "]) func aPathThatIsNotAbsoluteIsRefused(_ path: String) async throws {
    try await withHouse { house in
      let studio = try await house.start("studio")
      let error = try await nodeError { _ = try await share(studio, path) }
      #expect(error.code == .usage)
    }
  }
}
