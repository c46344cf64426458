import Artifact
import Foundation
import Glibc
import Session
import Store
import Testing

@testable import Node

/// What a node answers to somebody who has mixed something up.
@Suite(.timeLimit(.minutes(3))) struct HintTests {
  @Test func mixedUpPeersAndArtifactsAreToldApart() async throws {
    try await withHouse { house in
      let (studio, laptop) = (try await house.start("studio"), try await house.start("laptop"))
      #expect(try await nodeError { _ = try await laptop.node.list(peer: "studio") }.message.contains("no peers yet"))
      try await house.pair(studio, laptop)
      try house.file("anime-lora", pattern(10))
      _ = try await studio.share("\(house.path)/anime-lora", to: ["laptop"])
      try house.file("notes", pattern(10))
      _ = try await laptop.share("\(house.path)/notes")
      let id = studio.node.id.hex
      func hint(_ body: @Sendable (Node) async throws -> Void) async throws -> (NodeError.Code, String) {
        let error = try await nodeError { try await body(laptop.node) }
        return (error.code, "\(error.message) | \(error.hint ?? "")")
      }
      func pull(_ reference: String) -> @Sendable (Node) async throws -> Void {
        { node in
          _ = try await node.pull(PullCommand(reference: reference, directory: "/tmp")) { _ in }
        }
      }
      let asked: [(@Sendable (Node) async throws -> Void, NodeError.Code, String)] = [
        (pull("studio"), .usage, "pawl ls studio"), (pull("anime-lora"), .usage, "pawl pull studio/anime-lora"),
        (pull("stduio/anime-lora"), .notFound, "did you mean studio?"),
        ({ _ = try await $0.show("studio") }, .notFound, "pawl ls studio"),
        ({ _ = try await $0.show("ntoes") }, .notFound, "did you mean notes?"),
        ({ _ = try await $0.show("notes@v7") }, .notFound, "newest version is notes@v1"),
        ({ _ = try await $0.list(peer: "studio/anime-lora") }, .notFound, "pawl show studio/anime-lora"),
        ({ _ = try await $0.list(peer: "notes") }, .notFound, "pawl show notes"),
        ({ _ = try await $0.list(peer: "laptop") }, .notFound, "this node itself"),
        ({ _ = try await $0.summary(of: String(id.prefix(5))) }, .notFound, "the first 8 digits are needed"),
        ({ _ = try await $0.summary(of: "somebody") }, .notFound, "`pawl peers`"),
        ({ _ = try await $0.unshare("studio/anime-lora") }, .usage, "pawl forget studio/anime-lora"),
        ({ _ = try await $0.acceptNewIdentity(of: "studio") }, .notFound, "pawl revoke studio"),
        ({ _ = try await $0.invite(alias: nil, lifeSeconds: 1 << 30, addresses: []) }, .usage, "--expires 2h"),
      ]
      for (body, code, words) in asked {
        let (found, text) = try await hint(body)
        #expect(found == code && text.contains(words), "\(text)")
      }
      #expect(try await laptop.node.summary(of: id.prefix(8).uppercased()).alias == "studio")
      for number in 0..<TicketRow.maximumAlive {
        _ = try await laptop.node.invite(alias: "a\(number)", lifeSeconds: 60, addresses: [])
      }
      let full = try await nodeError { _ = try await laptop.node.invite(alias: nil, lifeSeconds: 60, addresses: []) }
      #expect(full.hint?.contains("pawl tickets revoke") == true)
    }
  }

  @Test func aFileThatIsTooLongIsAUsageErrorThatNamesIt() async throws {
    try await withHouse { house in
      let studio = try await house.start("studio")
      let path = try house.file("big/model.bin", [])
      #expect(truncate(path, 2 << 40) == 0)
      let error = try await nodeError { _ = try await studio.share("\(house.path)/big") }
      #expect(error.code == .usage)
      #expect(error.message.contains("big/model.bin has 2.20 TB"))
      #expect(error.message.contains("at most 1.10 TB"))
    }
  }

  @Test func onlySlipsOfTheFingerAreNear() {
    let names = ["studio", "laptop", "office", "al"]
    for (text, name) in [
      ("stduio", "studio"), ("studoi", "studio"), ("Studio", "studio"), ("laptp", "laptop"), ("ofice", "office"),
    ] { #expect(NearName.nearest(to: text, in: names) == name) }
    for text in ["", "a", "bob", "server", String(repeating: "x", count: 100)] {
      #expect(NearName.nearest(to: text, in: names) == nil, "\(text)")
    }
  }

  @Test func sizesAreTextsForPeople() {
    for (bytes, text) in [
      (0, "0 B"), (999, "999 B"), (1_500, "1.5 kB"), (20_100_000, "20.1 MB"), (2_150_000_000, "2.15 GB"),
      (999_960, "1.0 MB"), (999_999_999, "1.00 GB"), (1 << 40, "1.10 TB"), (.max, "18.45 EB"),
    ] as [(UInt64, String)] { #expect(SizeText.text(bytes) == text) }
  }
}
